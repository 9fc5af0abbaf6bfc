#pragma once

#include "support/suite.h"

Suite *ref_sums_suite(void);
Suite *ref_ops_suite(void);
Suite *ref_simplify_suite(void);
Suite *ref_evaluate_suite(void);
Suite *ref_math_suite(void);
Suite *ref_math_device_suite(void);
