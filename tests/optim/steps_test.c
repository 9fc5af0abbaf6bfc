/* Many steps in one call: the bits of as many calls, in one launch or not. */

#include "optim/fixture.h"

#include "optim/optimizer.h"

#include <string.h>

enum { COUNT = 70 }; /* two launches of CLGRAD_HYPER_STEPS and a rest */

/* Is a whole step one kernel here (plan/merge.c)? */
static bool one_launch_expected(const quadratic *q, size_t accumulate)
{
    const clgrad_device_info *info = clgrad_device_get_info(q->dev);
    return info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1 && !strstr(info->quirks, "short-loops") && accumulate <= 1;
}

typedef struct variant {
    const char *rule;
    size_t accumulate;
    double clip_norm;
    bool constant; /* no schedule */
} variant;

static const variant variants[] = { { "sgd", 1, 0, false }, { "adam", 1, 0, false }, { "momentum", 1, 0.5, false }, { "sgd", 3, 0, false } };

static clgrad_optimizer *create(quadratic *q, const variant *v)
{
    clgrad_optimizer *opt = NULL;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = v->rule;
    options.lr = 0.02;
    options.accumulate = v->accumulate;
    options.clip_norm = v->clip_norm;
    if (!v->constant) {
        options.lr_schedule.kind = CLGRAD_SCHEDULE_EXPONENTIAL;
        options.lr_schedule.factor = 0.97;
    }
    ck_ok(clgrad_optimizer_create(q->dev, q->f, 0, 2, q->initial, &options, &opt));
    return opt;
}

/* COUNT steps, in calls of so many and a last one of the rest; 0: one by one, by the other call. */
static void run(quadratic *q, const variant *v, size_t at_once, float *p, double *loss)
{
    clgrad_optimizer *opt = create(q, v);
    if (one_launch_expected(q, v->accumulate)) ck_assert_uint_eq(clgrad_optimizer_most_batches(opt), CLGRAD_HYPER_STEPS);
    for (size_t done = 0, now; done < COUNT; done += now) {
        now = at_once == 0 ? 1 : COUNT - done < at_once ? COUNT - done : at_once;
        if (at_once == 0) ck_ok(clgrad_optimizer_step(opt, q->targets, 0, NULL, NULL));
        else ck_ok(clgrad_optimizer_steps(opt, now, q->targets, 0, NULL, NULL));
    }
    ck_assert_int_eq(clgrad_optimizer_updates(opt), COUNT / (int64_t)v->accumulate);
    quadratic_read(opt, p);
    ck_ok(clgrad_optimizer_loss(opt, loss));
    clgrad_optimizer_release(&opt);
}

START_TEST(bits_are_those_of_single_steps)
{
    static const size_t at_once[] = { 1, 7, COUNT };
    quadratic q;
    float want[NUM_ALL], got[NUM_ALL];
    double want_loss, loss;
    if (!quadratic_open(&q)) return;
    variant v = variants[_i];
    run(&q, &v, 0, want, &want_loss);
    for (size_t i = 0; i < CLGRAD_COUNT(at_once); i++) {
        run(&q, &v, at_once[i], got, &loss);
        ck_assert_mem_eq(got, want, sizeof want);
        ck_assert(loss == want_loss);
    }
    v.constant = true; /* the control: each step has a rate of its own */
    run(&q, &v, COUNT, got, &loss);
    ck_assert_mem_ne(got, want, sizeof want);
    quadratic_close(&q);
}
END_TEST

/* f = sum (p - 1)^2 / 2 / (BAD - step): infinite in update BAD + 1, in the middle of a launch. */
START_TEST(a_launch_stops_where_the_loss_is_not_finite)
{
    enum { BAD = 20 };
    quadratic q;
    clgrad_graph *g = NULL;
    if (!quadratic_open(&q)) return;
    ck_ok(clgrad_graph_create(q.ctx, &g));
    const clgrad_node p = clgrad_input(g, "p", CLGRAD_F32, CLGRAD_SHAPE(NUM_B));
    const clgrad_node step = clgrad_cast(g, clgrad_input(g, "hyper.step", CLGRAD_I64, CLGRAD_SCALAR), CLGRAD_F32);
    const clgrad_node squares = clgrad_sum(g, clgrad_square(g, clgrad_offset(g, p, -1)), CLGRAD_ALL_AXES, false);
    ck_ok(clgrad_output(g, "f", clgrad_div(g, squares, clgrad_offset(g, clgrad_neg(g, step), BAD))));
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.01;
    float have[2][NUM_B];
    for (int i = 0; i < 2; i++) {
        clgrad_optimizer *opt = NULL;
        double loss;
        ck_ok(clgrad_optimizer_create(q.dev, g, 0, 1, &q.initial[1], &options, &opt));
        ck_ok(clgrad_optimizer_steps(opt, i == 0 ? BAD : COUNT, NULL, 0, NULL, NULL));
        ck_ok(clgrad_tensor_read(clgrad_optimizer_parameter(opt, 0), have[i], sizeof have[i]));
        ck_assert_int_eq(clgrad_optimizer_loss(opt, &loss), i == 0 ? CLGRAD_OK : CLGRAD_E_NOT_FINITE);
        if (i == 1) ck_assert_ptr_nonnull(strstr(clgrad_error_text(q.ctx), "update 21"));
        clgrad_optimizer_release(&opt);
    }
    ck_assert_mem_eq(have[0], have[1], sizeof have[0]);
    clgrad_graph_release(&g);
    quadratic_close(&q);
}
END_TEST

START_TEST(events_are_given_and_waited_for)
{
    quadratic q;
    clgrad_event *event = NULL;
    double loss = NAN;
    if (!quadratic_open(&q)) return;
    clgrad_optimizer *opt = create(&q, &variants[0]);
    ck_ok(clgrad_optimizer_steps(opt, COUNT, q.targets, 0, NULL, &event));
    ck_ok(clgrad_event_wait(event));
    ck_ok(clgrad_optimizer_steps(opt, 2, q.targets, 1, &event, NULL));
    ck_ok(clgrad_optimizer_loss(opt, &loss));
    ck_assert(isfinite(loss));
    ck_assert_int_eq(clgrad_optimizer_updates(opt), COUNT + 2);
    clgrad_event_release(&event);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

/* f = sum of g(p_i), g(p) = sum y cos(y y), y = tanh(x p): many steps share a launch then, whose parts
 * follow each other otherwise than where a step is several kernels, and so does the scratch that is alive at once. */
START_TEST(scratch_is_that_of_what_is_compiled)
{
    quadratic q;
    clgrad_graph *g = NULL;
    enum { PARAMETERS = 3 };
    clgrad_tensor *p[PARAMETERS];
    clgrad_optimizer *opt = NULL;
    clgrad_cost cost = CLGRAD_COST_INIT;
    if (!quadratic_open(&q)) return;
    ck_ok(clgrad_graph_create(q.ctx, &g));
    const clgrad_shape shape = CLGRAD_SHAPE(60, 60);
    clgrad_node in[PARAMETERS + 1], f = CLGRAD_NONE;
    for (int i = 0; i <= PARAMETERS; i++) {
        char name[] = { (char)('a' + i), '\0' };
        in[i] = clgrad_input(g, name, CLGRAD_F32, shape);
    }
    for (int i = 0; i < PARAMETERS; i++) {
        const clgrad_node y = clgrad_tanh(g, clgrad_matmul(g, in[PARAMETERS], in[i], false, false));
        const clgrad_node sum = clgrad_sum(g, clgrad_mul(g, y, clgrad_cos(g, clgrad_matmul(g, y, y, false, false))), CLGRAD_ALL_AXES, false);
        f = i ? clgrad_add(g, f, sum) : sum;
        ck_ok(clgrad_tensor_create(q.dev, CLGRAD_F32, shape, &p[i]));
        ck_ok(clgrad_tensor_fill(p[i], 0.01));
    }
    ck_ok(clgrad_output(g, "f", f));
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    ck_ok(clgrad_optimizer_create(q.dev, g, 0, PARAMETERS, p, &options, &opt));
    ck_ok(clgrad_function_cost(clgrad_optimizer_function(opt, 0), &cost));
    if (one_launch_expected(&q, 1)) ck_assert(cost.repeats);
    ck_assert_uint_eq(opt->need_bytes, clgrad_optimizer_vector_bytes(opt) + cost.scratch_bytes);
    clgrad_optimizer_release(&opt);
    for (int i = 0; i < PARAMETERS; i++) clgrad_tensor_release(&p[i]);
    clgrad_graph_release(&g);
    quadratic_close(&q);
}
END_TEST

START_TEST(bad_calls_enqueue_nothing)
{
    quadratic q;
    float before[NUM_ALL], after[NUM_ALL];
    clgrad_event *event = NULL;
    clgrad_tensor *missing[] = { NULL, NULL };
    if (!quadratic_open(&q)) return;
    clgrad_optimizer *opt = create(&q, &variants[0]);
    clgrad_tensor *const wrong[] = { q.targets[1], q.targets[0] };
    quadratic_read(opt, before);
    ck_assert_int_eq(clgrad_optimizer_steps(opt, 0, q.targets, 0, NULL, &event), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(q.ctx), "none are asked for"));
    ck_assert_int_eq(clgrad_optimizer_steps(opt, 2, missing, 0, NULL, &event), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_optimizer_steps(opt, COUNT, wrong, 0, NULL, &event), CLGRAD_E_SHAPE);
    ck_assert_ptr_null(event);
    ck_assert_int_eq(clgrad_optimizer_updates(opt), 0);
    quadratic_read(opt, after);
    ck_assert_mem_eq(before, after, sizeof before);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

Suite *steps_suite(void)
{
    Suite *s = suite_create("steps");
    TCase *t = tcase_create("steps");
    tcase_set_timeout(t, 0);
    tcase_add_loop_test(t, bits_are_those_of_single_steps, 0, CLGRAD_COUNT(variants));
    tcase_add_test(t, a_launch_stops_where_the_loss_is_not_finite);
    tcase_add_test(t, events_are_given_and_waited_for);
    tcase_add_test(t, scratch_is_that_of_what_is_compiled);
    tcase_add_test(t, bad_calls_enqueue_nothing);
    suite_add_tcase(s, t);
    return s;
}
