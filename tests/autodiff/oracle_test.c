/* The suites that need the oracle, which is a later room. */

#include "autodiff/autodiff_suites.h"

const test_suite test_suites[] = { { op_suite }, { closed_suite }, { random_suite }, { NULL } };
