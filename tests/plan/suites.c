/* The suites of the plan's tests, one per file. */

#include "plan_test.h"

const test_suite test_suites[] = { { matmul_suite }, { NULL } };
