/* The suites that need the room alone. */

#include "autodiff/autodiff_suites.h"

const test_suite test_suites[] = { { misuse_suite }, { structure_suite }, { memory_suite }, { NULL } };
