/* Loss scaling: it changes no bits, an overflow skips the update, the scale adapts, gradients in f16 do not vanish. */

#include "optim/fixture.h"
#include "optim/optimizer.h"
#include "support/device.h"

#include <string.h>

static clgrad_optimizer_options scaled_options(double scale, int64_t window)
{
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = "adam";
    options.loss_scale = scale;
    options.loss_scale_window = window;
    return options;
}

/* The targets count as samples, so that scaling meets the cells of sums. */
static clgrad_optimizer *create(quadratic *q, const clgrad_optimizer_options *options)
{
    static const bool samples[] = { false, false, true, true };
    const clgrad_optimizer_source source = { .f = q->f, .num_parameters = 2, .sample_inputs = samples };
    clgrad_optimizer *opt = NULL;
    const clgrad_status st = clgrad_optimizer_create_from(q->dev, &source, q->initial, options, &opt);
    ck_assert_msg(st == CLGRAD_OK, "%s", clgrad_error_text(q->ctx));
    return opt;
}

static void steps(quadratic *q, clgrad_optimizer *opt, int count)
{
    for (int i = 0; i < count; i++) ck_ok(clgrad_optimizer_step(opt, q->targets, 0, NULL, NULL));
}

static void expect_scaling(clgrad_optimizer *opt, float scale, float good)
{
    float now[3];
    ck_ok(clgrad_tensor_read(clgrad_optimizer_scaling(opt), now, sizeof now));
    ck_assert_float_eq(now[0], scale);
    ck_assert_float_eq(now[1], 1 / scale);
    ck_assert_float_eq(now[2], good);
}

/* Element 7 of the targets. */
static void set_target(quadratic *q, float value)
{
    float targets[NUM_A];
    memcpy(targets, q->t, sizeof targets);
    targets[7] = value;
    ck_ok(clgrad_tensor_write(q->targets[0], targets, sizeof targets));
}

START_TEST(a_power_of_two_changes_no_bits)
{
    quadratic q;
    float plain[NUM_ALL], scaled[NUM_ALL];
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = scaled_options(0, 0);
    if (_i == 1) options.accumulate = 2, options.l2 = 0.01, options.rule = "momentum";
    if (_i == 2) options.clip_norm = 1, options.clip_value = 0.3;
    clgrad_optimizer *opt = create(&q, &options);
    ck_assert_ptr_null(clgrad_optimizer_scaling(opt));
    steps(&q, opt, 6);
    quadratic_read(opt, plain);
    clgrad_optimizer_release(&opt);
    options.loss_scale = 1024;
    opt = create(&q, &options);
    steps(&q, opt, 6);
    quadratic_read(opt, scaled);
    ck_assert_mem_eq(plain, scaled, sizeof plain);
    expect_scaling(opt, 1024, _i == 1 ? 3 : 6);
    steps(&q, opt, 2); /* the check can fail */
    quadratic_read(opt, scaled);
    ck_assert_mem_ne(plain, scaled, sizeof plain);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

static void read_all(clgrad_optimizer *opt, float *values)
{
    quadratic_read(opt, values);
    for (size_t s = 0; s < 2; s++) {
        float *state = values + (s + 1) * NUM_ALL;
        ck_ok(clgrad_tensor_read(clgrad_optimizer_state(opt, 0, s, NULL), state, NUM_A * sizeof *state));
        ck_ok(clgrad_tensor_read(clgrad_optimizer_state(opt, 1, s, NULL), state + NUM_A, NUM_B * sizeof *state));
    }
}

/* A gradient of 1e30 overflows times 2^30 and 2^29, not times 2^28. */
START_TEST(an_overflow_skips_the_update_and_halves_the_scale)
{
    static float before[3 * NUM_ALL], after[3 * NUM_ALL];
    quadratic q;
    double loss;
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = scaled_options(0x1p30, 10);
    options.accumulate = _i == 0 ? 1 : 2;
    options.clip_norm = _i == 2 ? 1 : 0;
    const int update = (int)options.accumulate;
    clgrad_optimizer *opt = create(&q, &options);
    steps(&q, opt, 2 * update);
    read_all(opt, before);
    expect_scaling(opt, 0x1p30f, 2);
    set_target(&q, 1e30f);
    steps(&q, opt, update);
    expect_scaling(opt, 0x1p29f, 0);
    steps(&q, opt, update);
    expect_scaling(opt, 0x1p28f, 0);
    read_all(opt, after);
    ck_assert_mem_eq(before, after, sizeof before);
    set_target(&q, 0.5f);
    steps(&q, opt, update);
    expect_scaling(opt, 0x1p28f, 1);
    read_all(opt, after);
    ck_assert_mem_ne(before, after, sizeof before);
    for (int i = 0; i < 3 * NUM_ALL; i++) ck_assert(isfinite(after[i]));
    ck_assert_int_ne(clgrad_optimizer_loss(opt, &loss), CLGRAD_E_NOT_FINITE);
    ck_assert_int_eq(clgrad_optimizer_updates(opt), 5);
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(the_scale_doubles_after_a_window)
{
    quadratic q;
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = scaled_options(0x1p28, 2);
    clgrad_optimizer *opt = create(&q, &options);
    static const struct { float scale, good; } after[] = { { 0x1p28f, 1 }, { 0x1p29f, 0 }, { 0x1p29f, 1 },
                                                           { 0x1p30f, 0 }, { 0x1p30f, 1 }, { 0x1p30f, 0 } };
    for (size_t i = 0; i < CLGRAD_COUNT(after); i++) {
        steps(&q, opt, 1);
        expect_scaling(opt, after[i].scale, after[i].good);
    }
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(what_overflows_without_a_scale_stops)
{
    quadratic q;
    float before[NUM_ALL], after[NUM_ALL];
    double loss;
    if (!quadratic_open(&q)) return;
    const clgrad_optimizer_options options = scaled_options(4, 0);
    clgrad_optimizer *opt = create(&q, &options);
    steps(&q, opt, 1);
    quadratic_read(opt, before);
    set_target(&q, NAN);
    steps(&q, opt, 2);
    expect_scaling(opt, 1, 0);
    steps(&q, opt, 1);
    set_target(&q, 0.5f);
    steps(&q, opt, 2);
    quadratic_read(opt, after);
    ck_assert_mem_eq(before, after, sizeof before);
    ck_assert_int_eq(clgrad_optimizer_loss(opt, &loss), CLGRAD_E_NOT_FINITE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(q.ctx), "update 4"));
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

/* The derivative by the f16 copy is 2^-26, a quarter of the smallest number in f16. */
static float one_step_in_f16(double scale)
{
    clgrad_graph *f = NULL;
    clgrad_tensor *initial = NULL;
    clgrad_optimizer *opt = NULL;
    const float one = 1;
    float p = 0;
    ck_ok(clgrad_graph_create(test_context(), &f));
    const clgrad_node x = clgrad_input(f, "x", CLGRAD_F32, CLGRAD_SHAPE(1));
    const clgrad_node y = clgrad_cast(f, clgrad_cast(f, x, CLGRAD_F16), CLGRAD_F32);
    ck_ok(clgrad_output(f, "loss", clgrad_scale(f, clgrad_sum(f, y, CLGRAD_ALL_AXES, false), 0x1p-26)));
    ck_ok(clgrad_tensor_create_from(test_device(), CLGRAD_F32, CLGRAD_SHAPE(1), &one, sizeof one, &initial));
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0x1p25;
    options.loss_scale = scale;
    ck_ok(clgrad_optimizer_create(test_device(), f, 0, 1, &initial, &options, &opt));
    ck_ok(clgrad_optimizer_step(opt, NULL, 0, NULL, NULL));
    ck_ok(clgrad_tensor_read(clgrad_optimizer_parameter(opt, 0), &p, sizeof p));
    clgrad_optimizer_release(&opt), clgrad_tensor_release(&initial), clgrad_graph_release(&f);
    return p;
}

START_TEST(gradients_in_f16_do_not_vanish)
{
    if (!test_device()) return;
    ck_assert_float_eq(one_step_in_f16(0), 1);
    ck_assert_float_eq(one_step_in_f16(1024), 0.5f);
}
END_TEST

Suite *scaling_suite(void)
{
    Suite *suite = suite_create("loss scaling");
    TCase *tests = tcase_create("loss scaling");
    tcase_add_loop_test(tests, a_power_of_two_changes_no_bits, 0, 3);
    tcase_add_loop_test(tests, an_overflow_skips_the_update_and_halves_the_scale, 0, 3);
    tcase_add_test(tests, the_scale_doubles_after_a_window);
    tcase_add_test(tests, what_overflows_without_a_scale_stops);
    tcase_add_test(tests, gradients_in_f16_do_not_vanish);
    suite_add_tcase(suite, tests);
    return suite;
}
