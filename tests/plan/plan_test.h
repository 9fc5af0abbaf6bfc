#pragma once

#include "support/suite.h"

Suite *matmul_suite(void);
Suite *plan_ops_suite(void);
