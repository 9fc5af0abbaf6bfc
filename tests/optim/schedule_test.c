/* Schedules against their formulas, reduce-on-plateau step by step, name patterns. */

#include "optim/fixture.h"
#include "optim/schedules.h"

static double at(clgrad_schedule_kind kind, int64_t step, int64_t warmup)
{
    const clgrad_schedule s = { .kind = kind, .unit = 10, .period = 4, .warmup = warmup, .factor = 0.5, .end = 0.2 };
    return clgrad_schedule_factor(&s, step);
}

START_TEST(factors_follow_their_formulas)
{
    for (int64_t step = 0; step < 100; step++) {
        const double t = (double)(step / 10), way = t < 4 ? t / 4 : 1;
        ck_assert_double_eq(at(CLGRAD_SCHEDULE_CONSTANT, step, 0), 1.0);
        ck_assert_double_eq(at(CLGRAD_SCHEDULE_STEP, step, 0), pow(0.5, floor(t / 4)));
        ck_assert_double_eq(at(CLGRAD_SCHEDULE_EXPONENTIAL, step, 0), pow(0.5, t));
        ck_assert_double_eq_tol(at(CLGRAD_SCHEDULE_COSINE, step, 0), 0.2 + 0.8 * (1 + cos(acos(-1.0) * way)) / 2, 1e-15);
        ck_assert_double_eq_tol(at(CLGRAD_SCHEDULE_LINEAR, step, 0), 1 - 0.8 * way, 1e-15);
    }
    ck_assert_double_ne(at(CLGRAD_SCHEDULE_COSINE, 15, 0), at(CLGRAD_SCHEDULE_LINEAR, 15, 0));
}
END_TEST

START_TEST(warm_up_rises_linearly_and_shifts_the_rest)
{
    for (int64_t step = 0; step < 8; step++)
        ck_assert_double_eq(at(CLGRAD_SCHEDULE_EXPONENTIAL, step, 8), (double)(step + 1) / 8);
    for (int64_t step = 0; step < 50; step++)
        ck_assert_double_eq(at(CLGRAD_SCHEDULE_EXPONENTIAL, step + 8, 8), at(CLGRAD_SCHEDULE_EXPONENTIAL, step, 0));
}
END_TEST

/* The numbers are those of torch.optim.lr_scheduler.ReduceLROnPlateau(factor=0.1, patience=2, threshold=1e-4, min_lr=0.005). */
START_TEST(plateau_waits_for_its_patience)
{
    static const double metrics[] = { 5, 4, 4, 4, 3.9999, 4, 4, 4, 4, 4, 3 };
    static const double scales[] = { 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01 };
    const clgrad_schedule s = { .kind = CLGRAD_SCHEDULE_PLATEAU, .period = 1, .patience = 2, .factor = 0.1, .end = 0.005,
                                .threshold = 1e-4 };
    clgrad_plateau plateau;
    clgrad_plateau_init(&plateau);
    for (size_t i = 0; i < CLGRAD_COUNT(metrics); i++) {
        clgrad_plateau_report(&plateau, &s, metrics[i]);
        ck_assert_double_eq_tol(plateau.scale, scales[i], 1e-12);
    }
    for (int i = 0; i < 20; i++) clgrad_plateau_report(&plateau, &s, 9);
    ck_assert_double_eq(plateau.scale, 0.005);
}
END_TEST

START_TEST(patterns_match_as_in_the_shell)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } rows[] = {
        { "*", "", true },          { "*", "0.weight", true },       { "*.bias", "0.bias", true },   { "*.bias", "0.weight", false },
        { "?.bias", "10.bias", false }, { "[0-2].*", "2.weight", true }, { "[!0-2].*", "2.weight", false }, { "[!0-2].*", "4.bias", true },
        { "a*b*c", "axxbyybzc", true }, { "a*b*c", "axxbyybz", false }, { "", "", true },         { "", "a", false },
        { "[]]", "]", true },       { "[a", "[a", true },            { "**", "x", true },            { "*a", "aaab", false },
    };
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++)
        ck_assert_msg(clgrad_pattern_match(rows[i].pattern, rows[i].text) == rows[i].match, "%s on %s", rows[i].pattern, rows[i].text);
}
END_TEST

START_TEST(schedules_have_names)
{
    ck_assert_str_eq(clgrad_schedule_name(CLGRAD_SCHEDULE_COSINE), "cosine");
    ck_assert_ptr_null(clgrad_schedule_name(CLGRAD_SCHEDULE_COUNT));
}
END_TEST

Suite *schedule_suite(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_add_test(tests, factors_follow_their_formulas);
    tcase_add_test(tests, warm_up_rises_linearly_and_shifts_the_rest);
    tcase_add_test(tests, plateau_waits_for_its_patience);
    tcase_add_test(tests, patterns_match_as_in_the_shell);
    tcase_add_test(tests, schedules_have_names);
    suite_add_tcase(suite, tests);
    return suite;
}
