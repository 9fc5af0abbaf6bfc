/* Optimizers as a whole: clipping, groups, regularisers, accumulation, schedules, stopping, going on from a saved state. */

#include "optim/fixture.h"

#include <stdlib.h>
#include <string.h>

static clgrad_optimizer *create(quadratic *q, const clgrad_optimizer_options *options)
{
    clgrad_optimizer *opt = NULL;
    const clgrad_status st = clgrad_optimizer_create(q->dev, q->f, 0, 2, q->initial, options, &opt);
    ck_assert_msg(st == CLGRAD_OK, "%s", clgrad_error_text(q->ctx));
    return opt;
}

static void steps(quadratic *q, clgrad_optimizer *opt, int count)
{
    for (int i = 0; i < count; i++) ck_ok(clgrad_optimizer_step(opt, q->targets, 0, NULL, NULL));
}

static void gradient_at_start(const quadratic *q, double *p, double *g)
{
    for (int i = 0; i < NUM_ALL; i++) p[i] = (double)q->p[i];
    quadratic_gradient(q, p, g);
}

/* One step of SGD must have gone against `direction`. */
static void check_direction(const quadratic *q, clgrad_optimizer *opt, double lr, const double *direction)
{
    float p[NUM_ALL];
    quadratic_read(opt, p);
    for (int i = 0; i < NUM_ALL; i++) ck_assert_double_eq_tol((double)p[i], (double)q->p[i] - lr * direction[i], 2e-6);
}

START_TEST(elements_are_clipped)
{
    quadratic q;
    double p[NUM_ALL], g[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.5;
    options.clip_value = 0.4;
    clgrad_optimizer *opt = create(&q, &options);
    steps(&q, opt, 1);
    gradient_at_start(&q, p, g);
    int clipped = 0;
    for (int i = 0; i < NUM_ALL; i++) {
        clipped += fabs(g[i]) > 0.4;
        g[i] = fmin(fmax(g[i], -0.4), 0.4);
    }
    ck_assert_int_gt(clipped, 10);
    check_direction(&q, opt, 0.5, g);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

/* bound below and above the norm: clipped and left alone */
static void check_norm_clip(quadratic *q, double bound)
{
    double p[NUM_ALL], g[NUM_ALL], square = 0;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.5;
    options.clip_norm = bound;
    clgrad_optimizer *opt = create(q, &options);
    steps(q, opt, 1);
    gradient_at_start(q, p, g);
    for (int i = 0; i < NUM_ALL; i++) square += g[i] * g[i];
    const double factor = fmin(bound / (sqrt(square) + 1e-6), 1.0);
    ck_assert_double_ne(sqrt(square), bound);
    for (int i = 0; i < NUM_ALL; i++) g[i] *= factor;
    check_direction(q, opt, 0.5, g);
    clgrad_optimizer_release(&opt);
}

START_TEST(the_norm_over_all_parameters_is_clipped)
{
    quadratic q;
    if (!quadratic_open(&q)) return;
    check_norm_clip(&q, 1.0);
    check_norm_clip(&q, 1000.0);
    quadratic_close(&q);
}
END_TEST

START_TEST(groups_have_their_own_values)
{
    quadratic q;
    double p[NUM_ALL], g[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_group_options groups[] = { CLGRAD_GROUP_OPTIONS_INIT };
    groups[0].match = "*.b";
    groups[0].lr = 0.05;
    groups[0].weight_decay = 0.5;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.1;
    options.groups = groups;
    options.num_groups = 1;
    clgrad_optimizer *opt = create(&q, &options);
    steps(&q, opt, 1);
    gradient_at_start(&q, p, g);
    for (int i = NUM_A; i < NUM_ALL; i++) g[i] = 0.5 * (g[i] + 0.5 * p[i]);
    check_direction(&q, opt, 0.1, g);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(frozen_parameters_keep_every_bit)
{
    quadratic q;
    float p[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_group_options groups[] = { CLGRAD_GROUP_OPTIONS_INIT };
    groups[0].match = "layer.a";
    groups[0].frozen = true;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = "adam";
    options.groups = groups;
    options.num_groups = 1;
    clgrad_optimizer *opt = create(&q, &options);
    steps(&q, opt, 3);
    quadratic_read(opt, p);
    ck_assert_mem_eq(p, q.p, NUM_A * sizeof *p);
    ck_assert_mem_ne(p + NUM_A, q.p + NUM_A, NUM_B * sizeof *p);
    ck_assert_ptr_null(clgrad_optimizer_state(opt, 0, 0, NULL));
    ck_assert_ptr_nonnull(clgrad_optimizer_state(opt, 1, 0, NULL));
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(regularisers_join_the_gradient)
{
    quadratic q;
    double p[NUM_ALL], g[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.1;
    options.l1 = 0.03;
    options.l2 = 0.2;
    clgrad_optimizer *opt = create(&q, &options);
    steps(&q, opt, 1);
    gradient_at_start(&q, p, g);
    for (int i = 0; i < NUM_ALL; i++) g[i] += 0.2 * p[i] + 0.03 * (p[i] > 0 ? 1 : -1);
    check_direction(&q, opt, 0.1, g);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(accumulated_steps_make_one_update_with_their_mean)
{
    quadratic q;
    double p[NUM_ALL], g[NUM_ALL];
    float now[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.1;
    options.accumulate = 3;
    clgrad_optimizer *opt = create(&q, &options);
    ck_assert(clgrad_optimizer_function(opt, 0) && clgrad_optimizer_function(opt, 1) && !clgrad_optimizer_function(opt, 2));
    steps(&q, opt, 2);
    quadratic_read(opt, now);
    ck_assert_mem_eq(now, q.p, sizeof now);
    steps(&q, opt, 1);
    ck_assert_int_eq(clgrad_optimizer_updates(opt), 1);
    gradient_at_start(&q, p, g);
    check_direction(&q, opt, 0.1, g);
    steps(&q, opt, 3); /* the sums start anew */
    quadratic_read(opt, now);
    for (int i = 0; i < NUM_ALL; i++) p[i] -= 0.1 * g[i];
    quadratic_gradient(&q, p, g);
    for (int i = 0; i < NUM_ALL; i++) ck_assert_double_eq_tol((double)now[i], p[i] - 0.1 * g[i], 3e-6);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(schedules_reach_the_update)
{
    quadratic q;
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.1;
    options.lr_schedule.kind = CLGRAD_SCHEDULE_EXPONENTIAL;
    options.lr_schedule.factor = 0.5;
    clgrad_optimizer *opt = create(&q, &options);
    double p[NUM_ALL], g[NUM_ALL];
    float now[NUM_ALL];
    gradient_at_start(&q, p, g);
    for (int t = 0; t < 4; t++) {
        ck_assert_double_eq_tol(clgrad_optimizer_lr(opt), 0.1 * pow(0.5, t), 1e-15);
        steps(&q, opt, 1);
        quadratic_gradient(&q, p, g);
        for (int i = 0; i < NUM_ALL; i++) p[i] -= 0.1 * pow(0.5, t) * g[i];
    }
    quadratic_read(opt, now);
    for (int i = 0; i < NUM_ALL; i++) ck_assert_double_eq_tol((double)now[i], p[i], 3e-6);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(momentum_moves_by_its_own_schedule)
{
    quadratic q;
    double p[NUM_ALL], g[NUM_ALL], v[NUM_ALL] = { 0 };
    float now[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = "momentum";
    options.lr = 0.05;
    options.momentum = 0.5;
    options.momentum_schedule.kind = CLGRAD_SCHEDULE_LINEAR;
    options.momentum_schedule.period = 4;
    options.momentum_schedule.end = 1.8;
    clgrad_optimizer *opt = create(&q, &options);
    gradient_at_start(&q, p, g);
    for (int t = 0; t < 6; t++) {
        const double mu = 0.5 * (1 + 0.8 * fmin(t / 4.0, 1));
        steps(&q, opt, 1);
        quadratic_gradient(&q, p, g);
        for (int i = 0; i < NUM_ALL; i++) v[i] = mu * v[i] + g[i], p[i] -= 0.05 * v[i];
    }
    quadratic_read(opt, now);
    for (int i = 0; i < NUM_ALL; i++) ck_assert_double_eq_tol((double)now[i], p[i], 3e-6);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

/* f = (1 + step + 10 sample) sum (p - 1)^2 / 2: the counters are inputs that nobody gives. */
START_TEST(counters_are_supplied)
{
    quadratic q;
    if (!quadratic_open(&q)) return;
    clgrad_graph *g = NULL;
    ck_ok(clgrad_graph_create(q.ctx, &g));
    const clgrad_node p = clgrad_input(g, "p", CLGRAD_F32, CLGRAD_SHAPE(NUM_B));
    const clgrad_node step = clgrad_cast(g, clgrad_input(g, "hyper.step", CLGRAD_I64, CLGRAD_SCALAR), CLGRAD_F32);
    const clgrad_node sample = clgrad_cast(g, clgrad_input(g, "hyper.sample", CLGRAD_I64, CLGRAD_SCALAR), CLGRAD_F32);
    const clgrad_node factor = clgrad_offset(g, clgrad_add(g, step, clgrad_scale(g, sample, 10)), 1);
    const clgrad_node squares = clgrad_sum(g, clgrad_square(g, clgrad_offset(g, p, -1)), CLGRAD_ALL_AXES, false);
    ck_ok(clgrad_output(g, "f", clgrad_mul(g, factor, clgrad_scale(g, squares, 0.5))));
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    clgrad_optimizer *opt = NULL;
    double want[NUM_B];
    float have[NUM_B];
    options.lr = 0.01;
    ck_ok(clgrad_optimizer_create(q.dev, g, 0, 1, &q.initial[1], &options, &opt));
    for (int i = 0; i < NUM_B; i++) want[i] = (double)q.p[NUM_A + i];
    for (int t = 0; t < 3; t++) {
        clgrad_optimizer_set_sample(opt, 2 * t);
        ck_ok(clgrad_optimizer_step(opt, NULL, 0, NULL, NULL));
        for (int i = 0; i < NUM_B; i++) want[i] -= 0.01 * (1 + t + 20 * t) * (want[i] - 1);
    }
    ck_ok(clgrad_tensor_read(clgrad_optimizer_parameter(opt, 0), have, sizeof have));
    for (int i = 0; i < NUM_B; i++) ck_assert_double_eq_tol((double)have[i], want[i], 1e-6);
    clgrad_optimizer_release(&opt);
    clgrad_graph_release(&g);
    quadratic_close(&q);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_stops_for_good)
{
    quadratic q;
    float before[NUM_ALL], after[NUM_ALL], poison[NUM_A];
    double loss = 0;
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = "adam";
    clgrad_optimizer *opt = create(&q, &options);
    steps(&q, opt, 4);
    quadratic_read(opt, before);
    ck_ok(clgrad_optimizer_loss(opt, &loss));
    ck_assert(isfinite(loss));
    memcpy(poison, q.t, sizeof poison);
    poison[7] = _i == 0 ? NAN : INFINITY;
    ck_ok(clgrad_tensor_write(q.targets[0], poison, sizeof poison));
    steps(&q, opt, 1);
    ck_ok(clgrad_tensor_write(q.targets[0], q.t, sizeof poison)); /* good again, but the flag stays */
    steps(&q, opt, 3);
    quadratic_read(opt, after);
    ck_assert_mem_eq(before, after, sizeof before);
    ck_assert_int_eq(clgrad_optimizer_loss(opt, &loss), CLGRAD_E_NOT_FINITE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(q.ctx), "update 5"));
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

static void copy_states(clgrad_optimizer *to, clgrad_optimizer *from)
{
    for (size_t i = 0; i < 2; i++) {
        ck_ok(clgrad_tensor_copy(clgrad_optimizer_parameter(to, i), clgrad_optimizer_parameter(from, i)));
        for (size_t s = 0; clgrad_optimizer_state(from, i, s, NULL); s++)
            ck_ok(clgrad_tensor_copy(clgrad_optimizer_state(to, i, s, NULL), clgrad_optimizer_state(from, i, s, NULL)));
    }
}

START_TEST(a_saved_state_goes_on_bit_for_bit)
{
    quadratic q;
    float whole[NUM_ALL], parts[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = clgrad_rule_get((size_t)_i)->name;
    options.lr_schedule.kind = CLGRAD_SCHEDULE_COSINE;
    options.lr_schedule.period = 20;
    options.clip_norm = 2;
    clgrad_optimizer *opt = create(&q, &options), *again = create(&q, &options);
    clgrad_optimizer_progress progress;
    steps(&q, opt, 5);
    copy_states(again, opt);
    clgrad_optimizer_get_progress(opt, &progress);
    steps(&q, opt, 5);
    quadratic_read(opt, whole);
    ck_ok(clgrad_optimizer_set_progress(again, &progress));
    steps(&q, again, 5);
    quadratic_read(again, parts);
    ck_assert_mem_eq(whole, parts, sizeof whole);
    progress.updates = 0; /* the check can fail */
    copy_states(again, opt);
    ck_ok(clgrad_optimizer_set_progress(again, &progress));
    steps(&q, again, 1), steps(&q, opt, 1);
    quadratic_read(opt, whole), quadratic_read(again, parts);
    ck_assert_mem_ne(whole, parts, sizeof whole);
    clgrad_optimizer_release(&opt), clgrad_optimizer_release(&again);
    quadratic_close(&q);
}
END_TEST

START_TEST(plans_can_be_read)
{
    quadratic q;
    char *text = NULL;
    if (!quadratic_open(&q)) return;
    clgrad_optimizer *opt = create(&q, NULL);
    ck_ok(clgrad_optimizer_explain(opt, &text));
    ck_assert_uint_gt(strlen(text), 0);
    clgrad_optimizer_text_release(opt, &text);
    ck_assert_ptr_null(text);
    ck_assert(clgrad_optimizer_function(opt, 0) && !clgrad_optimizer_function(opt, 1));
    clgrad_optimizer *second = clgrad_optimizer_retain(opt);
    clgrad_optimizer_release(&opt);
    ck_assert_int_eq(clgrad_optimizer_updates(second), 0);
    clgrad_optimizer_release(&second);
    quadratic_close(&q);
}
END_TEST

Suite *optimizer_suite(void)
{
    Suite *suite = suite_create("optimizer");
    TCase *tests = tcase_create("optimizer");
    tcase_add_test(tests, elements_are_clipped);
    tcase_add_test(tests, the_norm_over_all_parameters_is_clipped);
    tcase_add_test(tests, groups_have_their_own_values);
    tcase_add_test(tests, frozen_parameters_keep_every_bit);
    tcase_add_test(tests, regularisers_join_the_gradient);
    tcase_add_test(tests, accumulated_steps_make_one_update_with_their_mean);
    tcase_add_test(tests, schedules_reach_the_update);
    tcase_add_test(tests, momentum_moves_by_its_own_schedule);
    tcase_add_test(tests, counters_are_supplied);
    tcase_add_loop_test(tests, a_loss_that_is_not_finite_stops_for_good, 0, 2);
    tcase_add_loop_test(tests, a_saved_state_goes_on_bit_for_bit, 0, 7);
    tcase_add_test(tests, plans_can_be_read);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
