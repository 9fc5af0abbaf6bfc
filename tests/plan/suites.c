/* The suites of the plan's tests, one per file. */

#include "plan_test.h"
#include "support/cl_join.h"
#include "support/suite.h"

#include <stdlib.h>

static void play_silently(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    if (srunner_ntests_failed(runner)) { /* a test that looks at results although there are none */
        srunner_print(runner, CK_NORMAL);
        exit(1);
    }
    srunner_free(runner);
}

START_TEST(begin) { test_join_note(); }
END_TEST

static Suite *begin_suite(void)
{
    Suite *suite = suite_create("begin");
    TCase *t = tcase_create("begin");
    tcase_add_test(t, begin); /* opening a device asserts, which Check allows in tests alone */
    suite_add_tcase(suite, t);
    return suite;
}

/* The suites of many programs are played once only to note them, before any runs. */
static Suite *first_suite(void)
{
    play_silently(begin_suite());
    if (test_join_noting()) { /* not where CK_RUN_CASE leaves it out */
        play_silently(matmul_suite());
        play_silently(plan_ops_suite());
        play_silently(plan_fusion_suite());
        play_silently(plan_merge_suite());
        play_silently(plan_size_suite());
    }
    test_join_build();
    return matmul_suite();
}

const test_suite test_suites[] = { { first_suite },      { plan_ops_suite },  { plan_fusion_suite }, { plan_memory_suite },
                                   { plan_merge_suite }, { plan_size_suite }, { plan_cost_suite },   { plan_choice_suite }, { NULL } };
