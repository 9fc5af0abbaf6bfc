/* Every template at small sizes: the program that runs under Oclgrind, which reports races, bad accesses and uninitialised reads. */

#include "clgrad/measure.h"
#include "measure/digest_test.h"
#include "support/cl_join.h"
#include "support/device.h"
#include "support/suite.h"

#include <stdio.h>

static void print_failure(void *user, const clgrad_check_row *row)
{
    (void)user;
    if (row->verdict == CLGRAD_CHECK_FAILED) printf("FAILED %s: %s\n", row->name, row->detail);
}

static clgrad_check_summary check_small(void)
{
    clgrad_check_summary summary;
    clgrad_check_options options = CLGRAD_CHECK_OPTIONS_INIT;
    options.small = true;
    if (!test_join_noting()) options.row = print_failure;
    const clgrad_status status = clgrad_check(test_device(), &options, &summary);
    if (!test_join_noting()) ck_assert_msg(status == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
    return summary;
}

START_TEST(every_template_at_small_sizes)
{
    test_join_note();
    check_small();
    test_join_build();
    ck_assert_uint_gt(check_small().passed, 200);
}
END_TEST

static Suite *kernels_suite(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("kernels");
    tcase_set_timeout(tests, 900);
    tcase_add_checked_fixture(tests, NULL, test_join_end);
    tcase_add_test(tests, every_template_at_small_sizes);
    suite_add_tcase(suite, tests);
    return suite;
}

const test_suite test_suites[] = { { kernels_suite }, { digest_suite }, { NULL } };
