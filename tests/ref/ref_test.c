/* The list of this room's suites. */

#include "ref_suites.h"

const test_suite test_suites[] = {
    { ref_sums_suite }, { ref_ops_suite },         { ref_evaluate_suite },
    { ref_math_suite }, { ref_math_device_suite }, { ref_simplify_suite },
    { NULL },
};
