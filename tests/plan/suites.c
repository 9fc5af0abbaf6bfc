/* The suites of the plan's tests, one per file. */

#include "plan_test.h"
#include "support/suite.h"

const test_suite test_suites[] = { { matmul_suite }, { plan_ops_suite }, { plan_fusion_suite }, { plan_memory_suite }, { plan_merge_suite }, { plan_size_suite }, { plan_cost_suite }, { plan_choice_suite }, { NULL } };
