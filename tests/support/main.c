/* Every test program: run the suites its files register, print Check's summary, exit 1 on a failure. */

#include "support/suite.h"

#include <stdlib.h>

/* PoCL keeps a few bytes of every compilation for good. What it allocates for objects of ours is counted by cl_fault.c. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libpocl\nleak:libLLVM\n"; }

int main(void)
{
    SRunner *runner = srunner_create(NULL);
    for (const test_suite *s = test_suites; s->make; s++) srunner_add_suite(runner, s->make());
    srunner_set_fork_status(runner, CK_NOFORK); /* PoCL hangs after fork */
    srunner_run_all(runner, getenv("CLGRAD_TEST_VERBOSE") ? CK_VERBOSE : CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
