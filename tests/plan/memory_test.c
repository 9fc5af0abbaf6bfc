/* Donations, scratch reused by lifetime, tensors at offsets, and what binding refuses. */

#include "plan_case.h"
#include "plan_test.h"

#include "plan/launch.h"
#include "support/cl_join.h"

#include <math.h>
#include <stdlib.h>

#define SUCCEED(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(test_context()))

static clgrad_tensor *tensor(clgrad_dtype dtype, clgrad_shape shape, double value)
{
    clgrad_tensor *t;
    SUCCEED(clgrad_tensor_create(test_device(), dtype, shape, &t));
    if (clgrad_shape_count(&shape) > 0) SUCCEED(clgrad_tensor_fill(t, value));
    return t;
}

static void expect(clgrad_tensor *t, double value)
{
    const clgrad_shape shape = clgrad_tensor_shape(t);
    const int64_t count = clgrad_shape_count(&shape);
    float *data = malloc((size_t)count * sizeof *data);
    SUCCEED(clgrad_tensor_read(t, data, (size_t)count * sizeof *data));
    for (int64_t i = 0; i < count; i++) ck_assert_msg(data[i] == (float)value, "element %d is %g, not %g", (int)i, data[i], value);
    free(data);
}

static clgrad_node constant(clgrad_graph *g, double value) { return clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, value); }

/* Scratch that holds NaN shows reads of what was never written. */
static void poison(clgrad_plan *plan)
{
    const uint32_t pattern = 0x7fc00000;
    for (size_t i = 0; i < plan->num_arenas; i++)
        SUCCEED(clgrad_buffer_fill(plan->arenas[i], 0, plan->arena_bytes[i], &pattern, sizeof pattern));
}

/* p, m <- p - m', 0.5 m + g: both inputs are donated and both updates share one launch. */
START_TEST(update_in_place)
{
    if (!test_device()) return;
    const clgrad_shape shape = CLGRAD_SHAPE(1000);
    clgrad_graph *g;
    clgrad_plan *plan;
    SUCCEED(clgrad_graph_create(test_context(), &g));
    const clgrad_node p = clgrad_input(g, "p", CLGRAD_F32, shape), m = clgrad_input(g, "m", CLGRAD_F32, shape);
    const clgrad_node d = clgrad_input(g, "g", CLGRAD_F32, shape);
    const clgrad_node m1 = clgrad_add(g, clgrad_mul(g, m, constant(g, 0.5)), d);
    clgrad_output(g, "p", clgrad_sub(g, p, m1));
    clgrad_output(g, "m", m1);
    const uint32_t donated[] = { 1, 2, 0 };
    const clgrad_plan_options options = { .donated = donated };
    SUCCEED(clgrad_plan_create(test_device(), g, &options, &plan));
    ck_assert_int_eq(clgrad_plan_num_launches(plan), 1);
    ck_assert(clgrad_plan_donation_taken(plan, 0) && clgrad_plan_donation_taken(plan, 1) && !clgrad_plan_donation_taken(plan, 2));
    clgrad_tensor *in[] = { tensor(CLGRAD_F32, shape, 10), tensor(CLGRAD_F32, shape, 4), tensor(CLGRAD_F32, shape, 1) };
    SUCCEED(clgrad_plan_bind(plan, in, in));
    SUCCEED(clgrad_plan_run(plan));
    expect(in[0], 7), expect(in[1], 3);
    SUCCEED(clgrad_plan_run(plan));
    expect(in[0], 4.5), expect(in[1], 2.5);
    clgrad_plan_release(&plan);
    clgrad_graph_release(&g);
    for (int i = 0; i < 3; i++) clgrad_tensor_release(&in[i]);
}
END_TEST

/* Donations that cannot be taken: read elsewhere in the same launch, read later, swapped. The results hold all the same. */
START_TEST(unsafe_donations)
{
    if (!test_device()) return;
    const clgrad_shape shape = CLGRAD_SHAPE(40);
    clgrad_graph *g;
    clgrad_plan *plan;
    SUCCEED(clgrad_graph_create(test_context(), &g));
    const clgrad_node a = clgrad_input(g, "a", CLGRAD_F32, shape), b = clgrad_input(g, "b", CLGRAD_F32, shape);
    const clgrad_node c = clgrad_input(g, "c", CLGRAD_F32, shape);
    clgrad_output(g, "flipped", clgrad_add(g, clgrad_flip(g, a, 1), constant(g, 1)));
    clgrad_output(g, "b", c);
    clgrad_output(g, "c", b);
    clgrad_output(g, "sum", clgrad_sum(g, clgrad_mul(g, a, b), 1, false));
    const uint32_t donated[] = { 1, 2, 3 };
    const clgrad_plan_options options = { .donated = donated };
    SUCCEED(clgrad_plan_create(test_device(), g, &options, &plan));
    clgrad_tensor *in[] = { tensor(CLGRAD_F32, shape, 2), tensor(CLGRAD_F32, shape, 3), tensor(CLGRAD_F32, shape, 5) };
    clgrad_tensor *out[] = { in[0], in[1], in[2], tensor(CLGRAD_F32, CLGRAD_SCALAR, NAN) };
    SUCCEED(clgrad_plan_bind(plan, in, out));
    SUCCEED(clgrad_plan_run(plan));
    expect(in[0], 3), expect(in[1], 5), expect(in[2], 3), expect(out[3], 240);
    ck_assert(!clgrad_plan_donation_taken(plan, 0));
    clgrad_plan_release(&plan);
    clgrad_graph_release(&g);
    for (int i = 0; i < 4; i++) clgrad_tensor_release(&out[i]);
}
END_TEST

START_TEST(untouched_inputs)
{
    if (!test_device()) return;
    const clgrad_shape shape = CLGRAD_SHAPE(40);
    clgrad_graph *g;
    clgrad_plan *plan;
    SUCCEED(clgrad_graph_create(test_context(), &g));
    const clgrad_node a = clgrad_input(g, "a", CLGRAD_F32, shape);
    clgrad_output(g, "same", a);
    clgrad_output(g, "copy", a);
    clgrad_output(g, "again", a);
    const uint32_t donated[] = { 1 };
    const clgrad_plan_options options = { .donated = donated };
    SUCCEED(clgrad_plan_create(test_device(), g, &options, &plan));
    clgrad_tensor *in[] = { tensor(CLGRAD_F32, shape, 2) };
    clgrad_tensor *out[] = { in[0], tensor(CLGRAD_F32, shape, NAN), tensor(CLGRAD_F32, shape, NAN) };
    SUCCEED(clgrad_plan_bind(plan, in, out));
    SUCCEED(clgrad_plan_run(plan));
    ck_assert_int_eq(clgrad_plan_num_launches(plan), 1);
    for (int i = 0; i < 3; i++) expect(out[i], 2);
    clgrad_plan_release(&plan);
    clgrad_graph_release(&g);
    for (int i = 0; i < 3; i++) clgrad_tensor_release(&out[i]);
}
END_TEST

/* A chain of stored values: scratch for two at a time, not for all, and nothing reads what was not written. */
START_TEST(scratch_is_reused)
{
    if (!test_device()) return;
    enum { N = 100, DEPTH = 12 };
    plan_case c;
    clgrad_plan *plan;
    clgrad_array want;
    plan_case_begin(&c, 41);
    clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(N, N), -0.1, 0.1);
    for (int i = 0; i < DEPTH; i++) x = clgrad_tanh(c.g, clgrad_matmul(c.g, x, x, i & 1, false));
    plan_case_output(&c, x);
    SUCCEED(clgrad_plan_create(test_device(), c.g, NULL, &plan));
    ck_assert_int_eq(clgrad_plan_num_launches(plan), DEPTH);
    const uint64_t one = N * N * sizeof(float) + 256;
    ck_assert_msg(clgrad_plan_scratch_bytes(plan) <= 2 * one, "%d bytes", (int)clgrad_plan_scratch_bytes(plan));
    uint64_t estimate = 0;
    SUCCEED(clgrad_plan_estimate(test_device(), c.g, NULL, &estimate));
    ck_assert_uint_eq(estimate, clgrad_plan_scratch_bytes(plan));

    clgrad_tensor *in, *out = tensor(CLGRAD_F32, CLGRAD_SHAPE(N, N), NAN);
    SUCCEED(clgrad_tensor_create_from(test_device(), CLGRAD_F32, c.inputs[0].shape, c.inputs[0].data, clgrad_array_bytes(&c.inputs[0]), &in));
    poison(plan);
    SUCCEED(clgrad_plan_bind(plan, &in, &out));
    float first[N * N], second[N * N];
    SUCCEED(clgrad_plan_run(plan));
    SUCCEED(clgrad_tensor_read(out, first, sizeof first));
    poison(plan);
    SUCCEED(clgrad_plan_run(plan));
    SUCCEED(clgrad_tensor_read(out, second, sizeof second));
    ck_assert(memcmp(first, second, sizeof first) == 0);
    SUCCEED(clgrad_ref_evaluate(c.g, c.inputs, &want, plan_ref_mode()));
    ck_assert(fabs(first[17] - clgrad_array_get(&want, 17)) < 1e-6);
    clgrad_array_release(test_context(), &want);
    clgrad_plan_release(&plan);
    clgrad_tensor_release(&in);
    clgrad_tensor_release(&out);
    plan_case_end(&c);
}
END_TEST

/* Rows of 512 bytes in scratch that a product reads: a line apart on CPU devices, whoever else reads them, be it as one flat row. */
START_TEST(rows_of_products_lie_apart)
{
    enum { ROWS = 40, COLUMNS = 128, LINE = 16 };
    if (!test_device()) return;
    const clgrad_device_info *info = clgrad_device_get_info(test_device());
    plan_case c;
    plan_case_begin(&c, 21);
    const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(ROWS, 24), -1, 1);
    const clgrad_node w = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(24, COLUMNS), -1, 1);
    const clgrad_node h = clgrad_tanh(c.g, clgrad_matmul(c.g, x, w, false, false));
    plan_case_output(&c, clgrad_matmul(c.g, h, h, true, false));
    plan_case_output(&c, clgrad_sum(c.g, h, CLGRAD_AXIS(0), false));
    if (_i == 1) {
        plan_case_output(&c, clgrad_sum(c.g, h, CLGRAD_ALL_AXES, false));
        plan_case_output(&c, clgrad_neg(c.g, clgrad_reshape(c.g, h, CLGRAD_SHAPE(ROWS * COLUMNS))));
    }
    plan_case_check(&c, NULL, 200, _i ? "apart and flat" : "apart");
    if (_i == 0 && !test_join_noting()) {
        clgrad_plan *plan;
        size_t apart = 0;
        SUCCEED(clgrad_plan_create(test_device(), c.g, NULL, &plan));
        for (size_t i = 0; i < plan->num_values; i++)
            apart += plan->values[i].kind == CLGRAD_VALUE_SCRATCH && plan->values[i].count == ROWS * (COLUMNS + LINE);
        ck_assert_uint_eq(apart, info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1);
        clgrad_plan_release(&plan);
    }
    plan_case_end(&c);
}
END_TEST

/* Gradients of several parameters in one flat output: products and sums are computed straight into their slices. */
START_TEST(parts_land_in_place)
{
    if (!test_device()) return;
    plan_case c;
    clgrad_plan *plan;
    plan_case_begin(&c, 42);
    const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(16, 8), -1, 1);
    const clgrad_node y = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(16, 4), -1, 1);
    const clgrad_node parts[] = { clgrad_reshape(c.g, clgrad_matmul(c.g, x, y, true, false), CLGRAD_SHAPE(32)),
                                  clgrad_sum(c.g, y, 1, false), clgrad_reshape(c.g, clgrad_exp(c.g, x), CLGRAD_SHAPE(128)) };
    const clgrad_node flat = clgrad_concat(c.g, 3, parts, 0);
    plan_case_output(&c, flat);
    SUCCEED(clgrad_plan_create(test_device(), c.g, NULL, &plan));
    ck_assert_int_eq(clgrad_plan_num_launches(plan), 3);
    ck_assert_uint_eq(clgrad_plan_scratch_bytes(plan), 0);
    clgrad_plan_release(&plan);
    plan_case_check(&c, NULL, 100, "parts");
    plan_case_end(&c);
}
END_TEST

/* Views of larger tensors: offsets that no alignment favours; what lies around stays as it is. */
START_TEST(offsets)
{
    if (!test_device()) return;
    const clgrad_shape shape = CLGRAD_SHAPE(3, 7), product = CLGRAD_SHAPE(3, 3);
    clgrad_graph *g;
    clgrad_plan *plan;
    SUCCEED(clgrad_graph_create(test_context(), &g));
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, shape);
    clgrad_output(g, "double", clgrad_add(g, x, x));
    clgrad_output(g, "product", clgrad_matmul(g, x, x, false, true));
    SUCCEED(clgrad_plan_create(test_device(), g, NULL, &plan));
    clgrad_tensor *base = tensor(CLGRAD_F32, CLGRAD_SHAPE(200), 1), *in, *out[2];
    for (int64_t at = 1; at < 4; at++) {
        SUCCEED(clgrad_tensor_fill(base, 1));
        SUCCEED(clgrad_tensor_view(base, at, shape, &in));
        SUCCEED(clgrad_tensor_view(base, 40 + 2 * at, shape, &out[0]));
        SUCCEED(clgrad_tensor_view(base, 91 + at, product, &out[1]));
        SUCCEED(clgrad_plan_bind(plan, &in, out));
        SUCCEED(clgrad_plan_run(plan));
        float all[200];
        SUCCEED(clgrad_tensor_read(base, all, sizeof all));
        for (int64_t i = 0; i < 200; i++) {
            const bool doubled = i >= 40 + 2 * at && i < 61 + 2 * at, summed = i >= 91 + at && i < 100 + at;
            ck_assert_msg(all[i] == (doubled ? 2 : summed ? 7 : 1), "offset %d: element %d is %g", (int)at, (int)i, all[i]);
        }
        clgrad_tensor_release(&in), clgrad_tensor_release(&out[0]), clgrad_tensor_release(&out[1]);
    }
    clgrad_tensor_release(&base);
    clgrad_plan_release(&plan);
    clgrad_graph_release(&g);
}
END_TEST

/* --- refusals --- */

START_TEST(binding_refuses)
{
    if (!test_device()) return;
    const clgrad_shape shape = CLGRAD_SHAPE(8);
    clgrad_graph *g;
    clgrad_plan *plan;
    SUCCEED(clgrad_graph_create(test_context(), &g));
    clgrad_output(g, "y", clgrad_neg(g, clgrad_input(g, "x", CLGRAD_F32, shape)));
    SUCCEED(clgrad_plan_create(test_device(), g, NULL, &plan));
    ck_assert_int_eq(clgrad_plan_run(plan), CLGRAD_E_ARG);
    clgrad_tensor *x = tensor(CLGRAD_F32, shape, 1), *y = tensor(CLGRAD_F32, shape, 1), *none = NULL;
    clgrad_tensor *other = tensor(CLGRAD_F32, CLGRAD_SHAPE(2, 4), 1), *whole = tensor(CLGRAD_I32, shape, 1);
    ck_assert_int_eq(clgrad_plan_bind(plan, &other, &y), CLGRAD_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "'x'"));
    ck_assert_int_eq(clgrad_plan_bind(plan, &x, &whole), CLGRAD_E_DTYPE);
    ck_assert_int_eq(clgrad_plan_bind(plan, &x, &x), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_plan_bind(plan, &none, &y), CLGRAD_E_ARG);
    SUCCEED(clgrad_plan_bind(plan, &x, &y));
    SUCCEED(clgrad_plan_run(plan));
    expect(y, -1);
    clgrad_tensor *all[] = { x, y, other, whole };
    for (int i = 0; i < 4; i++) clgrad_tensor_release(&all[i]);
    clgrad_plan_release(&plan);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(making_refuses)
{
    if (!test_device()) return;
    clgrad_graph *g;
    clgrad_plan *plan;
    SUCCEED(clgrad_graph_create(test_context(), &g));
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(4));
    clgrad_output(g, "y", clgrad_neg(g, x));
    clgrad_output(g, "z", clgrad_sum(g, x, 1, false));
    const uint32_t too_many[] = { 3 }, other_shape[] = { 2 };
    clgrad_plan_options options = { .donated = too_many };
    ck_assert_int_eq(clgrad_plan_create(test_device(), g, &options, &plan), CLGRAD_E_ARG);
    options.donated = other_shape;
    ck_assert_int_eq(clgrad_plan_create(test_device(), g, &options, &plan), CLGRAD_E_SHAPE);
    options = (clgrad_plan_options){ .width = 3 };
    ck_assert_int_eq(clgrad_plan_create(test_device(), g, &options, &plan), CLGRAD_E_ARG);
    ck_assert_ptr_null(plan);
    clgrad_graph_release(&g);
}
END_TEST

/* A value of many terabytes: the refusal names both sizes, and nothing stays allocated. */
START_TEST(too_much_memory)
{
    if (!test_device()) return;
    clgrad_graph *g;
    clgrad_plan *plan;
    SUCCEED(clgrad_graph_create(test_context(), &g));
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE((1 << 20) + 64, 1));
    const clgrad_node y = clgrad_matmul(g, x, x, false, true);
    clgrad_output(g, "y", clgrad_sum(g, clgrad_matmul(g, y, x, false, false), CLGRAD_ALL_AXES, false));
    ck_assert_int_eq(clgrad_plan_create(test_device(), g, NULL, &plan), CLGRAD_E_MEMORY);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "4398583398400"));
    clgrad_graph_release(&g);
}
END_TEST

/* --- refused memory --- */

static clgrad_status make_and_run(clgrad_context *ctx, clgrad_device *dev)
{
    clgrad_graph *g = NULL;
    clgrad_plan *plan = NULL;
    clgrad_status st = clgrad_graph_create(ctx, &g);
    if (st != CLGRAD_OK) return st;
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(4, 4));
    clgrad_output(g, "y", clgrad_sum(g, clgrad_exp(g, clgrad_matmul(g, x, x, false, false)), 2, false));
    st = clgrad_graph_status(g);
    if (st == CLGRAD_OK) st = clgrad_plan_create(dev, g, NULL, &plan);
    clgrad_plan_release(&plan);
    const clgrad_plan_options phases = { .merge = CLGRAD_MERGE_PHASES, .reduce = CLGRAD_VARIANT_CPU, .matmul = CLGRAD_VARIANT_CPU };
    if (st == CLGRAD_OK && !strstr(clgrad_device_get_info(dev)->quirks, "short-loops")) st = clgrad_plan_create(dev, g, &phases, &plan);
    clgrad_plan_release(&plan);
    clgrad_graph_release(&g);
    return st;
}

/* The k-th allocation fails, for a spread of k: the right status, nothing lost. */
START_TEST(refused_allocations)
{
    test_memory memory = { 0 };
    const clgrad_allocator allocator = test_memory_allocator(&memory);
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.allocator = &allocator;
    clgrad_context *ctx;
    clgrad_device *dev;
    if (!test_device()) return;
    SUCCEED(clgrad_context_create(&options, &ctx));
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
    ck_assert_int_eq(make_and_run(ctx, dev), CLGRAD_OK);
    const size_t before = memory.live, start = memory.requests;
    ck_assert_int_eq(make_and_run(ctx, dev), CLGRAD_OK);
    const size_t needed = memory.requests - start, step = needed / 60 + 1;
    for (size_t k = 1; k + 8 <= needed; k += step) { /* pools that have grown ask a little less often */
        memory.fail_at = memory.requests + k;
        ck_assert_msg(make_and_run(ctx, dev) == CLGRAD_E_MEMORY, "request %d of %d: %s", (int)k, (int)needed, clgrad_error_text(ctx));
    }
    memory.fail_at = 0;
    ck_assert_int_eq(make_and_run(ctx, dev), CLGRAD_OK);
    ck_assert_msg(memory.live <= before + 64, "%d blocks live, %d before", (int)memory.live, (int)before);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
    ck_assert_uint_eq(memory.live, 0);
}
END_TEST

Suite *plan_memory_suite(void)
{
    Suite *suite = suite_create("plan memory");
    TCase *t = tcase_create("memory");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, update_in_place);
    tcase_add_test(t, unsafe_donations);
    tcase_add_test(t, untouched_inputs);
    tcase_add_test(t, scratch_is_reused);
    tcase_add_loop_test(t, rows_of_products_lie_apart, 0, 2);
    tcase_add_test(t, parts_land_in_place);
    tcase_add_test(t, offsets);
    tcase_add_test(t, binding_refuses);
    tcase_add_test(t, making_refuses);
    tcase_add_test(t, too_much_memory);
    tcase_add_test(t, refused_allocations);
    suite_add_tcase(suite, t);
    return suite;
}
