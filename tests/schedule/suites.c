#include "schedule/suites.h"

const test_suite test_suites[] = { { chain_suite }, { feed_suite }, { function_suite }, { gauss_newton_suite }, { objective_suite }, { operator_suite }, { NULL } };
