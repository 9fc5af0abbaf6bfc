/* measure: the whole matrix on the device of this run, its negative control, names, and the digest over variants.
 * In short runs the small sizes and three types only, out of the same joined programs. */

#include "measure/bench_test.h"
#include "measure/digest_test.h"
#include "measure/matrix.h"
#include "support/cl_join.h"
#include "support/device.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>

static void print_failure(void *user, const clgrad_check_row *row)
{
    size_t *shown = user;
    if (row->verdict == CLGRAD_CHECK_FAILED && (*shown)++ < 20) printf("FAILED %s: %s\n", row->name, row->detail);
}

static clgrad_check_summary check(const char *filter, bool negative)
{
    clgrad_check_summary summary;
    clgrad_check_options options = CLGRAD_CHECK_OPTIONS_INIT;
    size_t shown = negative ? 20 : 0;
    options.filter = filter;
    options.all = test_is_long();
    options.negative = negative;
    options.row = print_failure;
    options.user = &shown;
    options.small = test_is_short() && !filter && !test_join_noting();
    if (test_join_noting()) options.row = NULL;
    const clgrad_status status = clgrad_check(test_device(), &options, &summary);
    if (status != CLGRAD_OK && status != CLGRAD_E_CHECK)
        ck_abort_msg("%s: %s", clgrad_status_name(status), clgrad_error_text(test_context()));
    return summary;
}

START_TEST(every_operation_agrees_with_the_reference)
{
    test_join_note();
    check(NULL, false);
    test_join_build();
    const clgrad_check_summary summary = check(NULL, false);
    printf("%zu problems passed, %zu failed, %zu skipped; digest %s (%s)\n", summary.passed, summary.failed, summary.skipped,
           summary.digest, summary.digest_class);
    ck_assert_uint_eq(summary.failed, 0);
    ck_assert_uint_gt(summary.passed, test_is_short() ? 200 : test_is_long() ? 1500 : 1200);
}
END_TEST

START_TEST(a_flipped_bit_fails_every_kind_of_row)
{
    static const char *const filters[] = { "map.exp:f32:n=65", "reduce.sum:f32:n=65*", "product.matmul:bf16:contiguous",
                                           "view.pad:f16:strided", "map.add:f32:offset", "derivative.tanh", "digest.*" };
    for (size_t i = 0; i < CLGRAD_COUNT(filters); i++) {
        const clgrad_check_summary summary = check(filters[i], true);
        ck_assert_msg(summary.passed == 0 && summary.failed > 0, "%s passed with a flipped bit", filters[i]);
    }
}
END_TEST

START_TEST(a_filter_that_names_nothing_is_refused)
{
    clgrad_check_summary summary;
    clgrad_check_options options = CLGRAD_CHECK_OPTIONS_INIT;
    options.filter = "reduce.median:*";
    ck_assert_int_eq(clgrad_check(test_device(), &options, &summary), CLGRAD_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "reduce.median"));
}
END_TEST

START_TEST(the_digest_does_not_depend_on_how_the_work_is_cut)
{
    static const clgrad_plan_options ways[] = {
        { .no_fusion = true }, { .width = 1 }, { .width = 4 }, { .reduce = CLGRAD_VARIANT_GPU }, { .matmul = CLGRAD_VARIANT_GPU },
        { .matmul = CLGRAD_VARIANT_CPU, .reduce = CLGRAD_VARIANT_CPU }, { .work_group = 32 },
    };
    char first[65], other[65];
    ck_assert_int_eq(clgrad_digest_run(test_device(), NULL, first), CLGRAD_OK);
    for (size_t i = 0; i < (test_is_short() ? 1 : CLGRAD_COUNT(ways)); i++) {
        ck_assert_int_eq(clgrad_digest_run(test_device(), &ways[i], other), CLGRAD_OK);
        ck_assert_msg(strcmp(first, other) == 0, "way %zu gives another digest", i);
    }
}
END_TEST

static Suite *measure_suite(void)
{
    Suite *suite = suite_create("measure");
    TCase *tests = tcase_create("measure");
    tcase_set_timeout(tests, 900);
    tcase_add_checked_fixture(tests, NULL, test_join_end);
    tcase_add_test(tests, every_operation_agrees_with_the_reference);
    tcase_add_test(tests, a_flipped_bit_fails_every_kind_of_row);
    tcase_add_test(tests, a_filter_that_names_nothing_is_refused);
    tcase_add_test(tests, the_digest_does_not_depend_on_how_the_work_is_cut);
    suite_add_tcase(suite, tests);
    return suite;
}

const test_suite test_suites[] = { { measure_suite }, { digest_suite }, { bench_suite }, { tune_suite }, { NULL } };
