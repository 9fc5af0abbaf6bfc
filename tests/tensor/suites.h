#pragma once

#include "support/suite.h"

Suite *tensor_host_suite(void);
