#include "tensor/suites.h"

const test_suite test_suites[] = { { tensor_host_suite }, { tensor_device_suite }, { tensor_opencl_suite }, { NULL } };
