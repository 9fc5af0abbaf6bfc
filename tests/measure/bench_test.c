/* measure: statistics by closed forms and published tables, clocks that lie, roofs and timing on the device of this run. */

#include "clgrad/bench.h"
#include "measure/bench_test.h"
#include "measure/roof.h"
#include "measure/stats.h"
#include "support/cl_fault.h"
#include "support/device.h"

#include <math.h>
#include <string.h>

static clgrad_spread spread_of(const double *samples, size_t count)
{
    clgrad_spread spread = CLGRAD_SPREAD_INIT;
    ck_assert_int_eq(clgrad_spread_of(test_context(), samples, count, &spread), CLGRAD_OK);
    return spread;
}

START_TEST(spreads_have_their_closed_forms)
{
    double ramp[100];
    for (int i = 0; i < 100; i++) ramp[(i * 37) % 100] = i + 1;
    const clgrad_spread even = spread_of(ramp, 100);
    ck_assert_double_eq(even.median, 50.5);
    ck_assert_double_eq(even.mad, 25);
    ck_assert_double_eq(even.min, 1);
    ck_assert_double_eq(even.max, 100);
    ck_assert_double_eq(even.p90, 90);
    const clgrad_spread one = spread_of(&(double){ 7 }, 1);
    ck_assert(one.median == 7 && one.mad == 0 && one.p90 == 7 && one.drift == 1);
    const double outlier[] = { 3, 1, 2, 1e9, 2 };
    const clgrad_spread odd = spread_of(outlier, 5);
    ck_assert(odd.median == 2 && odd.mad == 1 && odd.p90 == 1e9);
    const double slower[] = { 1, 1, 1, 5, 9, 5, 2, 2, 2 };
    ck_assert_double_eq(spread_of(slower, 9).drift, 2);
}
END_TEST

START_TEST(what_is_no_sample_is_refused)
{
    clgrad_spread spread = CLGRAD_SPREAD_INIT, foreign = { 1 };
    clgrad_comparison c = CLGRAD_COMPARISON_INIT;
    const double good[] = { 1, 2 }, bad[] = { 1, NAN }, zero[] = { 1, 0 };
    ck_assert_int_eq(clgrad_spread_of(test_context(), good, 0, &spread), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_spread_of(test_context(), bad, 2, &spread), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_spread_of(test_context(), good, 2, &foreign), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_compare_samples(test_context(), good, 2, zero, 2, &c), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "not positive"));
}
END_TEST

/* P(U <= u) two-sided at the critical values of the published tables (n = m = 5: 2 at 5%; 8, 8: 13; 10, 10: 23; 20, 20: 127),
 * and one above each. */
START_TEST(the_rank_test_agrees_with_the_tables)
{
    static const struct {
        size_t n, m, critical;
    } rows[] = { { 5, 5, 2 }, { 8, 8, 13 }, { 10, 10, 23 }, { 20, 20, 127 }, { 6, 12, 14 } };
    for (size_t r = 0; r < CLGRAD_COUNT(rows); r++)
        for (size_t above = 0; above < 2; above++) {
            /* a has ranks 1..n, then its largest are moved up until U is what is asked for */
            double a[20], b[20];
            size_t u = rows[r].critical + above, next = 0, taken[40] = { 0 };
            for (size_t i = rows[r].n; i-- > 0;) {
                const size_t step = u < rows[r].m ? u : rows[r].m;
                a[i] = (double)(i + step);
                taken[i + step] = 1;
                u -= step;
            }
            for (size_t rank = 0; rank < rows[r].n + rows[r].m; rank++)
                if (!taken[rank]) b[next++] = (double)rank;
            double p = 0;
            ck_assert_int_eq(clgrad_rank_test(test_context(), a, rows[r].n, b, rows[r].m, &p), CLGRAD_OK);
            ck_assert_msg(above ? p > 0.05 : p <= 0.05, "n %zu, m %zu, U %zu: p %g", rows[r].n, rows[r].m,
                          rows[r].critical + above, p);
        }
    /* 3 against 3, fully apart: 2 of 20 orderings */
    double p = 0;
    ck_assert_int_eq(clgrad_rank_test(test_context(), (double[]){ 1, 2, 3 }, 3, (double[]){ 4, 5, 6 }, 3, &p), CLGRAD_OK);
    ck_assert_double_eq_tol(p, 0.1, 1e-12);
}
END_TEST

/* U counted pair by pair (11.5) and the variance with its tie term, by hand. */
START_TEST(the_rank_test_corrects_for_ties)
{
    double p = 0;
    const double a[] = { 1, 2, 2, 3, 4, 4, 5, 6 }, b[] = { 2, 4, 5, 6, 6, 7, 8, 9 }, same[60] = { 0 };
    ck_assert_int_eq(clgrad_rank_test(test_context(), a, 8, b, 8, &p), CLGRAD_OK);
    ck_assert_double_eq_tol(p, 0.03393946, 1e-7);
    ck_assert_int_eq(clgrad_rank_test(test_context(), same, 30, same, 30, &p), CLGRAD_OK);
    ck_assert_double_eq(p, 1);
}
END_TEST

START_TEST(comparisons_find_a_shift_and_nothing_else)
{
    double a[40], slower[40], other[40];
    for (int i = 0; i < 40; i++) {
        a[i] = 100 + (i * 17 % 40) * 0.1;
        slower[i] = 1.1 * (100 + (i * 23 % 40) * 0.1);
        other[i] = 100 + (i * 29 % 40) * 0.1;
    }
    clgrad_comparison c = CLGRAD_COMPARISON_INIT;
    ck_assert_int_eq(clgrad_compare_samples(test_context(), a, 40, slower, 40, &c), CLGRAD_OK);
    ck_assert(c.p < 1e-6 && fabs(c.ratio - 1.1) < 1e-9 && c.low > 1.08 && c.high < 1.12 && c.low <= c.ratio &&
              c.ratio <= c.high);
    ck_assert_int_eq(clgrad_compare_samples(test_context(), a, 40, other, 40, &c), CLGRAD_OK);
    ck_assert(c.p > 0.9 && c.low < 1 && c.high > 1);
}
END_TEST

static clgrad_status statistics(clgrad_context *ctx, void *user)
{
    (void)user;
    clgrad_comparison c = CLGRAD_COMPARISON_INIT;
    return clgrad_compare_samples(ctx, (double[]){ 1, 2, 3 }, 3, (double[]){ 4, 5, 6 }, 3, &c);
}

START_TEST(statistics_without_memory_say_so)
{
    ck_assert_uint_ge(test_refuse_each_alone(statistics, NULL), 5);
}
END_TEST

START_TEST(clocks_that_lie_are_named)
{
    char text[120];
    ck_assert(clgrad_clock_check(1000, 10001000, 1e7, text, sizeof text));
    ck_assert(clgrad_clock_check(1000, 2000, 4e6, text, sizeof text)); /* too short to judge */
    ck_assert(!clgrad_clock_check(0, 10001000, 1e7, text, sizeof text) && strstr(text, "zero"));
    ck_assert(!clgrad_clock_check(5000, 0, 1e7, text, sizeof text) && strstr(text, "zero"));
    ck_assert(!clgrad_clock_check(5000, 1000, 1e7, text, sizeof text) && strstr(text, "backwards"));
    ck_assert(!clgrad_clock_check(5000, 5000, 1e7, text, sizeof text) && strstr(text, "stands still"));
    ck_assert(!clgrad_clock_check(1000, 1000 + 8800000, 1e7, text, sizeof text) && strstr(text, "0.88 times"));
    ck_assert(!clgrad_clock_check(1000, 1000 + 70000000, 1e7, text, sizeof text) && strstr(text, "7 times"));
}
END_TEST

START_TEST(deviations_are_relative_to_what_is_wanted)
{
    float got[] = { 1, 2, 4 };
    double want[] = { 1, 2, 2 };
    clgrad_array x = { CLGRAD_F32, CLGRAD_SHAPE(3), got }, y = { CLGRAD_F64, CLGRAD_SHAPE(3), want };
    clgrad_deviation d = CLGRAD_DEVIATION_INIT;
    ck_assert_int_eq(clgrad_deviation_of(test_context(), &x, &y, &d), CLGRAD_OK);
    ck_assert_double_eq_tol(d.rel_l2, 2.0 / 3.0, 1e-12);
    ck_assert_double_eq_tol(d.max_rel, 2 / sqrt(3), 1e-12);
    got[1] = NAN;
    ck_assert_int_eq(clgrad_deviation_of(test_context(), &x, &y, &d), CLGRAD_OK);
    ck_assert(!d.finite && !(d.rel_l2 < 1) && !(d.max_rel < 1));
    y.shape = CLGRAD_SHAPE(2);
    ck_assert_int_eq(clgrad_deviation_of(test_context(), &x, &y, &d), CLGRAD_E_SHAPE);
    y.dtype = CLGRAD_I32;
    ck_assert_int_eq(clgrad_deviation_of(test_context(), &x, &y, &d), CLGRAD_E_DTYPE);
}
END_TEST

/* --- on the device ----------------------------------------------------------------------------------------------------------
 */

START_TEST(every_roof_is_positive_or_unsupported)
{
    if (!test_device()) return;
    for (int kind = 0; kind < CLGRAD_ROOF_COUNT; kind++) {
        clgrad_roof *roof;
        clgrad_roof_result result = CLGRAD_ROOF_RESULT_INIT;
        const clgrad_status status = clgrad_roof_create(test_device(), (clgrad_roof_kind)kind, 100000, &roof);
        if (status == CLGRAD_E_UNSUPPORTED) continue;
        ck_assert_msg(status == CLGRAD_OK, "%s: %s", clgrad_roof_name((clgrad_roof_kind)kind),
                      clgrad_error_text(test_context()));
        ck_assert_int_eq(clgrad_roof_round(roof), CLGRAD_OK);
        clgrad_roof_get(roof, &result);
        ck_assert(result.best > 0 && result.num_rounds == 1 && result.rounds[0] == result.best && *result.form);
        ck_assert_uint_eq(result.working_set, kind <= CLGRAD_ROOF_FMA_F16 ? 100000 : 0);
        clgrad_roof_release(&roof);
    }
    clgrad_roof *roof, *short_launches;
    ck_assert_int_eq(clgrad_roof_create(test_device(), CLGRAD_ROOF_FMA_F32, 0, &roof), CLGRAD_OK);
    ck_assert_int_eq(clgrad_roof_create(test_device(), CLGRAD_ROOF_FMA_F32, (uint64_t)(roof->forms[0].work / 10), &short_launches), CLGRAD_OK);
    ck_assert_double_eq_tol(short_launches->forms[0].work, roof->forms[0].work / 10, roof->forms[0].work / 1000);
    clgrad_roof_release(&short_launches);
    clgrad_roof_release(&roof);
    ck_assert_int_eq(clgrad_roof_create(test_device(), CLGRAD_ROOF_READ, 100, &roof), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_roof_create(test_device(), CLGRAD_ROOF_COUNT, 0, &roof), CLGRAD_E_ARG);
}
END_TEST

/* The kernels behind the roofs do what they say: a copy copies, a scale changes the sign, triad adds. */
START_TEST(the_kernels_of_the_memory_roofs_do_their_work)
{
    enum { COUNT = 3000 }; /* not a multiple of a vector: the rest stays as it is */
    static float before[2 * COUNT], after[COUNT], other[COUNT];
    if (!test_device()) return;
    for (int kind = CLGRAD_ROOF_COPY; kind <= CLGRAD_ROOF_INPLACE; kind++) {
        clgrad_roof *roof;
        const size_t arrays = kind == CLGRAD_ROOF_COPY ? 2 : kind == CLGRAD_ROOF_TRIAD ? 3 : 1;
        ck_assert_int_eq(clgrad_roof_create(test_device(), (clgrad_roof_kind)kind, 4 * COUNT * arrays, &roof), CLGRAD_OK);
        for (size_t f = 0; f < roof->num_forms; f++) {
            for (size_t i = 0; i < arrays; i++)
                ck_assert_int_eq(clgrad_buffer_read(roof->arrays[i], 0, i == 2 ? other : before + i * COUNT, 4 * COUNT),
                                 CLGRAD_OK);
            ck_assert_int_eq(clgrad_kernel_launch(roof->forms[f].kernel, 1, &roof->forms[f].items, &roof->forms[f].group, "x"),
                             CLGRAD_OK);
            ck_assert_int_eq(clgrad_buffer_read(roof->arrays[kind == CLGRAD_ROOF_COPY], 0, after, 4 * COUNT), CLGRAD_OK);
            for (size_t i = 0; i < COUNT / 16 * 16; i++) {
                const float want = kind == CLGRAD_ROOF_COPY    ? before[i]
                                   : kind == CLGRAD_ROOF_TRIAD ? before[COUNT + i] + 3 * other[i]
                                                               : before[i];
                ck_assert_msg(fabsf(fabsf(after[i]) - want) <= 1e-5f * fabsf(want) || fabsf(after[i]) == fabsf(want),
                              "%s, %s: element %zu is %g, not %g", clgrad_roof_name((clgrad_roof_kind)kind),
                              roof->forms[f].text, i, (double)after[i], (double)want);
            }
        }
        clgrad_roof_release(&roof);
    }
}
END_TEST

typedef struct counted {
    clgrad_roof *roof;
    size_t runs, fail_at;
} counted;

static clgrad_status launches(void *user, size_t runs)
{
    counted *c = user;
    const clgrad_roof_form *form = &c->roof->forms[0];
    for (size_t i = 0; i < runs; i++) {
        if (++c->runs == c->fail_at) return clgrad_fail(test_context(), CLGRAD_E_SHAPE, "told to fail");
        CLGRAD_TRY(clgrad_kernel_launch(form->kernel, 1, &form->items, &form->group, "work"));
    }
    return CLGRAD_OK;
}

static clgrad_timing_options hasty(void)
{
    clgrad_timing_options o = CLGRAD_TIMING_OPTIONS_INIT;
    o.seconds = 0.02, o.warm_seconds = 0, o.sample_seconds = 0.001, o.max_samples = 12;
    return o;
}

START_TEST(timing_counts_its_runs_and_passes_failures_on)
{
    counted c = { .fail_at = 0 };
    clgrad_timing t = CLGRAD_TIMING_INIT;
    clgrad_timing_options o = hasty();
    if (!test_device()) return;
    ck_assert_int_eq(clgrad_roof_create(test_device(), CLGRAD_ROOF_LAUNCH, 0, &c.roof), CLGRAD_OK);
    o.roof = c.roof;
    ck_assert_int_eq(clgrad_time_work(test_device(), launches, &c, &o, &t), CLGRAD_OK);
    ck_assert(t.count >= 4 && t.count <= 12 && t.batch >= 1 && t.spread.median > 0 && t.spread.min <= t.spread.median);
    ck_assert_uint_ge(c.runs, t.warmups + t.batch * (t.count + 1)); /* one batch more by both clocks */
    clgrad_roof_result roof = CLGRAD_ROOF_RESULT_INIT;
    clgrad_roof_get(c.roof, &roof);
    ck_assert_uint_eq(roof.num_rounds, 3);
    c.fail_at = c.runs + 40;
    ck_assert_int_eq(clgrad_time_work(test_device(), launches, &c, &o, &t), CLGRAD_E_SHAPE);
    o.max_samples = CLGRAD_MAX_SAMPLES + 1;
    ck_assert_int_eq(clgrad_time_work(test_device(), launches, &c, &o, &t), CLGRAD_E_ARG);
    clgrad_roof_release(&c.roof);
}
END_TEST

/* A driver whose event clock is the one given here. */
static cl_ulong false_times[2];
static size_t times_asked;
static cl_int CL_API_CALL false_clock(cl_event event, cl_profiling_info what, size_t room, void *value, size_t *bytes)
{
    (void)event, (void)what, (void)room, (void)bytes;
    *(cl_ulong *)value = false_times[times_asked++ % 2];
    return CL_SUCCESS;
}

static void with_false_clock(clgrad_cl_api *api) { api->GetEventProfilingInfo = false_clock; }

START_TEST(a_driver_whose_clock_lies_is_found_out)
{
    static const struct {
        cl_ulong begin, end;
        const char *text;
    } lies[] = { { 0, 0, "zero" }, { 900, 100, "backwards" }, { 1, 77000000000000, "times its time" } };
    clgrad_device *dev = NULL;
    if (!test_device()) return;
    test_device_close();
    clgrad_cl_filter = with_false_clock;
    ck_assert_int_eq(clgrad_device_open(test_context(), NULL, &dev), CLGRAD_OK);
    clgrad_cl_filter = NULL;
    counted c = { .fail_at = 0 };
    ck_assert_int_eq(clgrad_roof_create(dev, CLGRAD_ROOF_LAUNCH, 0, &c.roof), CLGRAD_OK);
    for (size_t i = 0; i < CLGRAD_COUNT(lies); i++) {
        clgrad_timing t = CLGRAD_TIMING_INIT;
        const clgrad_timing_options o = hasty();
        false_times[0] = lies[i].begin, false_times[1] = lies[i].end, times_asked = 0;
        ck_assert_int_eq(clgrad_time_work(dev, launches, &c, &o, &t), CLGRAD_OK);
        ck_assert_msg(!t.clocks_agree && strstr(t.timer, lies[i].text) && strstr(t.timer, "host clock"), "%s", t.timer);
    }
    clgrad_roof_release(&c.roof);
    clgrad_device_release(&dev);
}
END_TEST

/* --- what fails while something is measured ---------------------------------------------------------------------------------
 */

typedef struct measurement {
    clgrad_device *dev;
} measurement;

/* A copy's roof beside itself: all of the calls, and a launch of some milliseconds, so that there are not many of them. */
static clgrad_status measure_copy(clgrad_context *ctx, void *user)
{
    (void)ctx;
    clgrad_device *dev = ((measurement *)user)->dev;
    counted c = { .fail_at = 0 };
    clgrad_timing t = CLGRAD_TIMING_INIT;
    clgrad_timing_options o = CLGRAD_TIMING_OPTIONS_INIT;
    CLGRAD_TRY(clgrad_roof_create(dev, CLGRAD_ROOF_COPY, 100000, &c.roof));
    o.seconds = o.warm_seconds = 0, o.sample_seconds = 1e-6, o.min_samples = o.max_samples = 2, o.roof = c.roof;
    const clgrad_status status = clgrad_time_work(dev, launches, &c, &o, &t);
    clgrad_roof_release(&c.roof);
    return status;
}

/* The calls are the same on every device; on one without vectors of its own (llvmpipe) these launches would take a minute. */
static bool quick_enough(void) { return test_device() && clgrad_device_get_info(test_device())->float_width > 1; }

START_TEST(measuring_without_memory_says_so)
{
    test_memory memory = { 0 };
    measurement m = { NULL };
    if (!quick_enough()) return;
    clgrad_context *ctx = test_memory_context(&memory);
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &m.dev), CLGRAD_OK);
    ck_assert_int_eq(measure_copy(ctx, &m), CLGRAD_OK); /* the device keeps programs and a pool from now on */
    ck_assert_uint_ge(test_refuse_each(&memory, ctx, measure_copy, &m), 10);
    clgrad_device_release(&m.dev);
    clgrad_context_release(&ctx);
}
END_TEST

START_TEST(a_call_that_fails_ends_a_measurement_cleanly)
{
    enum { FEWEST = 40, MOST = 200 };
    measurement m = { NULL };
    size_t k = 1;
    if (!quick_enough()) return;
    test_device_close();
    test_cl_install(true);
    ck_assert_int_eq(clgrad_device_open(test_context(), NULL, &m.dev), CLGRAD_OK);
    ck_assert_int_eq(measure_copy(NULL, &m), CLGRAD_OK);
    const long live = test_cl_state.live;
    for (; k < MOST; k++) {
        test_cl_state.failed = NULL;
        test_cl_state.code = CL_OUT_OF_HOST_MEMORY;
        test_cl_state.fail_at = test_cl_state.calls + k;
        const clgrad_status status = measure_copy(NULL, &m);
        if (!test_cl_state.failed) break;
        /* a clock that cannot be read reads zero: no failure */
        const bool clock = strcmp(test_cl_state.failed, "clGetEventProfilingInfo") == 0;
        ck_assert_msg(clock ? status == CLGRAD_OK : status == CLGRAD_E_MEMORY || status == CLGRAD_E_DEVICE, "call %zu (%s): %s",
                      k, test_cl_state.failed, clgrad_status_name(status));
        test_cl_state.fail_at = 0;
        ck_assert_int_eq(clgrad_device_finish(m.dev), CLGRAD_OK);
        ck_assert_msg(test_cl_state.live == live, "call %zu (%s) leaves %ld references", k, test_cl_state.failed,
                      test_cl_state.live - live);
    }
    ck_assert_uint_ge(k, FEWEST);
    clgrad_device_release(&m.dev);
    test_cl_install(false);
}
END_TEST

Suite *bench_suite(void)
{
    Suite *suite = suite_create("bench");
    TCase *tests = tcase_create("bench");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, spreads_have_their_closed_forms);
    tcase_add_test(tests, what_is_no_sample_is_refused);
    tcase_add_test(tests, the_rank_test_agrees_with_the_tables);
    tcase_add_test(tests, the_rank_test_corrects_for_ties);
    tcase_add_test(tests, comparisons_find_a_shift_and_nothing_else);
    tcase_add_test(tests, statistics_without_memory_say_so);
    tcase_add_test(tests, clocks_that_lie_are_named);
    tcase_add_test(tests, deviations_are_relative_to_what_is_wanted);
    tcase_add_test(tests, every_roof_is_positive_or_unsupported);
    tcase_add_test(tests, the_kernels_of_the_memory_roofs_do_their_work);
    tcase_add_test(tests, timing_counts_its_runs_and_passes_failures_on);
    tcase_add_test(tests, a_driver_whose_clock_lies_is_found_out);
    tcase_add_test(tests, measuring_without_memory_says_so);
    tcase_add_test(tests, a_call_that_fails_ends_a_measurement_cleanly);
    suite_add_tcase(suite, tests);
    return suite;
}
