#include "tensor/suites.h"

const test_suite test_suites[] = { { tensor_host_suite }, { NULL } };
