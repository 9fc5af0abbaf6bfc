#pragma once

#include "support/suite.h"

Suite *tensor_device_suite(void);
Suite *tensor_host_suite(void);
Suite *tensor_opencl_suite(void);
