#pragma once

#include "support/suite.h"

Suite *matmul_suite(void);
Suite *plan_choice_suite(void);
Suite *plan_cost_suite(void);
Suite *plan_fusion_suite(void);
Suite *plan_memory_suite(void);
Suite *plan_merge_suite(void);
Suite *plan_ops_suite(void);
Suite *plan_size_suite(void);
