/* Bytes, FLOPs and memory against what pencil and paper give. */

#include "plan_case.h"
#include "plan_test.h"

#include "plan/cost.h"

#include <stdlib.h>

#define SUCCEED(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(test_context()))
#define SAME(got, want) ck_assert_msg((double)(got) == (double)(want), #got " is %.0f, not %.0f", (double)(got), (double)(want))

typedef struct cost_case {
    clgrad_graph *g;
    clgrad_plan *plan;
    clgrad_cost cost;
} cost_case;

static void begin(cost_case *c) { SUCCEED(clgrad_graph_create(test_context(), &c->g)); }

static clgrad_node input(cost_case *c, const char *name, clgrad_shape shape) { return clgrad_input(c->g, name, CLGRAD_F32, shape); }

static void compile(cost_case *c, clgrad_node y, const clgrad_plan_options *options)
{
    if (y != CLGRAD_NONE) clgrad_output(c->g, "out", y);
    SUCCEED(clgrad_plan_create(test_device(), c->g, options, &c->plan));
    SUCCEED(clgrad_plan_cost(c->plan, &c->cost));
}

static void end(cost_case *c)
{
    clgrad_plan_release(&c->plan);
    clgrad_graph_release(&c->g);
}

static clgrad_launch_info launch(const cost_case *c, size_t i)
{
    clgrad_launch_info info;
    SUCCEED(clgrad_plan_launch_info(c->plan, i, &info));
    return info;
}

START_TEST(element_wise)
{
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    const clgrad_node x = input(&c, "x", CLGRAD_SHAPE(64, 100)), y = input(&c, "y", CLGRAD_SHAPE(64, 100)), b = input(&c, "b", CLGRAD_SHAPE(100));
    compile(&c, clgrad_mul(c.g, clgrad_add(c.g, x, y), clgrad_neg(c.g, b)), NULL);
    const clgrad_launch_info info = launch(&c, 0);
    SAME(c.cost.num_launches, 1);
    SAME(info.read_bytes, 4 * (2 * 6400 + 100));
    SAME(info.written_bytes, 4 * 6400);
    SAME(info.flops, 2 * 6400 + 100); /* -b has 100 elements, however often it is repeated */
    SAME(info.num_operands, 4);
    ck_assert_str_eq(info.operations, "add neg mul");
    ck_assert_int_eq(info.arithmetic, CLGRAD_F32);
    SAME(c.cost.bytes, 4 * (3 * 6400 + 100));
    SAME(c.cost.least_bytes, c.cost.bytes);
    SAME(c.cost.argument_bytes, c.cost.bytes);
    SAME(c.cost.scratch_bytes, 0);
    end(&c);
}
END_TEST

/* An unfused plan stores what lies between: the control that the numbers follow the launches. */
START_TEST(unfused_moves_more)
{
    if (!test_device()) return;
    cost_case c;
    const clgrad_plan_options options = { .no_fusion = true };
    begin(&c);
    const clgrad_node x = input(&c, "x", CLGRAD_SHAPE(5000)), y = input(&c, "y", CLGRAD_SHAPE(5000));
    compile(&c, clgrad_neg(c.g, clgrad_add(c.g, x, y)), &options);
    SAME(c.cost.num_launches, 2);
    SAME(c.cost.bytes, 4 * 5 * 5000);
    SAME(c.cost.least_bytes, 4 * 3 * 5000);
    SAME(c.cost.least_scratch_bytes, 4 * 5000);
    ck_assert_uint_ge(c.cost.scratch_bytes, c.cost.least_scratch_bytes);
    end(&c);
}
END_TEST

START_TEST(views)
{
    static const int64_t start[] = { 0 }, one[] = { 1 }, step[] = { 3 };
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    const clgrad_node x = input(&c, "x", CLGRAD_SHAPE(1000)), y = input(&c, "y", CLGRAD_SHAPE(300)), z = input(&c, "z", CLGRAD_SHAPE(20, 30));
    const clgrad_node near = clgrad_add(c.g, clgrad_slice(c.g, x, start, (int64_t[]){ 999 }, one), clgrad_slice(c.g, x, one, (int64_t[]){ 999 }, one));
    clgrad_output(c.g, "near", near);
    clgrad_output(c.g, "third", clgrad_neg(c.g, clgrad_slice(c.g, y, start, (int64_t[]){ 100 }, step)));
    clgrad_output(c.g, "window", clgrad_neg(c.g, clgrad_window(c.g, z, 1, 3, 1, 1)));
    compile(&c, clgrad_add(c.g, z, clgrad_reshape(c.g, clgrad_transpose(c.g, z), CLGRAD_SHAPE(20, 30))), NULL);
    /* neighbours share all but one element; a third of y is read; windows and turned copies overlap wholly, and z is input once */
    SAME(c.cost.least_bytes, 4 * (1000 + 999 + 100 + 100 + 600 + 20 * 28 * 3 + 600));
    SAME(c.cost.flops, 999 + 100 + 20 * 28 * 3 + 600);
    end(&c);
}
END_TEST

START_TEST(sums)
{
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    compile(&c, clgrad_sum(c.g, clgrad_square(c.g, input(&c, "x", CLGRAD_SHAPE(1000000))), CLGRAD_ALL_AXES, false), NULL);
    const double partial = c.cost.num_launches == 1 ? 0 : 977; /* 1,000,000 by chunks of 1,024 */
    SAME(launch(&c, 0).read_bytes, 4e6);
    SAME(c.cost.least_bytes, 4e6 + 4);
    SAME(c.cost.bytes, 4e6 + 4 + 2 * 4 * partial);
    SAME(c.cost.flops, 2e6 + partial);
    end(&c);

    begin(&c);
    compile(&c, clgrad_sum(c.g, input(&c, "x", CLGRAD_SHAPE(70, 90)), CLGRAD_AXIS(0), false), NULL);
    SAME(c.cost.bytes, 4 * (70 * 90 + 90));
    SAME(c.cost.flops, 70 * 90);
    end(&c);
}
END_TEST

START_TEST(products)
{
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    const clgrad_node x = input(&c, "x", CLGRAD_SHAPE(33, 70)), w = input(&c, "w", CLGRAD_SHAPE(50, 70)), b = input(&c, "b", CLGRAD_SHAPE(50));
    const clgrad_node z = clgrad_add(c.g, clgrad_matmul(c.g, x, w, false, true), b);
    compile(&c, clgrad_max(c.g, z, clgrad_constant(c.g, CLGRAD_F32, CLGRAD_SCALAR, 0.0)), NULL);
    SAME(c.cost.num_launches, 1);
    SAME(c.cost.bytes, 4 * (33 * 70 + 50 * 70 + 50 + 33 * 50));
    SAME(c.cost.least_bytes, c.cost.bytes);
    SAME(c.cost.flops, 2 * 33 * 50 * 70 + 2 * 33 * 50);
    ck_assert_str_eq(launch(&c, 0).operations, "matmul add max");
    clgrad_dtype dtype;
    c.plan->launches[0].desc.k *= 2; /* the control: a product of other extents costs otherwise */
    SAME(clgrad_launch_flops(c.plan, &c.plan->launches[0], &dtype), 4 * 33 * 50 * 70 + 2 * 33 * 50);
    SAME(launch(&c, 0).read_bytes, 4 * (32 * 70 + 140 + 49 * 70 + 140 + 50)); /* rows overlap */
    end(&c);

    begin(&c); /* one matrix times a batch of them */
    const clgrad_node one = clgrad_broadcast(c.g, input(&c, "a", CLGRAD_SHAPE(1, 20, 30)), CLGRAD_SHAPE(5, 20, 30));
    compile(&c, clgrad_matmul(c.g, one, input(&c, "b", CLGRAD_SHAPE(5, 30, 40)), false, false), NULL);
    SAME(c.cost.bytes, 4 * (20 * 30 + 5 * 30 * 40 + 5 * 20 * 40));
    SAME(c.cost.flops, 2.0 * 5 * 20 * 30 * 40);
    end(&c);
}
END_TEST

/* Two products that meet in a sum: as one launch (CPU templates) neither is stored, as two the first is written and read again. */
START_TEST(sum_of_products)
{
    enum { M = 24, N = 32, K = 48, L = 16 };
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    const clgrad_node left = clgrad_matmul(c.g, input(&c, "a", CLGRAD_SHAPE(M, K)), input(&c, "b", CLGRAD_SHAPE(K, N)), false, false);
    const clgrad_node right = clgrad_matmul(c.g, input(&c, "c", CLGRAD_SHAPE(M, L)), input(&c, "d", CLGRAD_SHAPE(N, L)), false, true);
    compile(&c, clgrad_add(c.g, left, right), NULL);
    const double least = 4 * (M * K + K * N + M * L + N * L + M * N);
    SAME(c.cost.flops, 2 * M * N * (K + L) + M * N);
    SAME(c.cost.least_bytes, least);
    SAME(c.cost.bytes, c.cost.num_launches == 1 ? least : least + 2 * 4 * M * N);
    if (c.cost.num_launches == 1) ck_assert_str_eq(launch(&c, 0).operations, "matmul matmul add");
    end(&c);
}
END_TEST

static clgrad_node layer(cost_case *c, clgrad_node x, clgrad_node w, clgrad_node b)
{
    return clgrad_add(c->g, clgrad_matmul(c->g, x, w, false, true), b);
}

/* 60-40-10 at 32 samples: what lies between the layers is written and read again. */
START_TEST(mlp_forward)
{
    enum { B = 32, I = 60, H = 40, O = 10 };
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    const clgrad_node x = input(&c, "x", CLGRAD_SHAPE(B, I));
    const clgrad_node w0 = input(&c, "w0", CLGRAD_SHAPE(H, I)), b0 = input(&c, "b0", CLGRAD_SHAPE(H));
    const clgrad_node w1 = input(&c, "w1", CLGRAD_SHAPE(O, H)), b1 = input(&c, "b1", CLGRAD_SHAPE(O));
    compile(&c, layer(&c, clgrad_tanh(c.g, layer(&c, x, w0, b0)), w1, b1), NULL);
    const double least = 4 * (B * I + H * I + H + O * H + O + B * O), hidden = 4 * B * H;
    SAME(c.cost.least_bytes, least);
    SAME(c.cost.argument_bytes, least);
    SAME(c.cost.flops, 2 * B * I * H + 2 * B * H + 2 * B * H * O + B * O);
    SAME(c.cost.bytes, least + 2 * hidden);
    end(&c);
}
END_TEST

START_TEST(gathers_and_scatters)
{
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    const clgrad_node table = input(&c, "table", CLGRAD_SHAPE(6000, 40)), index = clgrad_input(c.g, "index", CLGRAD_I32, CLGRAD_SHAPE(128));
    compile(&c, clgrad_neg(c.g, clgrad_take(c.g, table, index, 0)), NULL);
    SAME(c.cost.bytes, 4 * (128 + 2 * 128 * 40)); /* not all 6,000 rows */
    ck_assert_str_eq(launch(&c, 0).operations, "take neg");
    SAME(c.cost.least_bytes, c.cost.bytes);
    SAME(c.cost.flops, 128 * 40);
    end(&c);

    begin(&c);
    const clgrad_node updates = input(&c, "updates", CLGRAD_SHAPE(128, 40)), rows = clgrad_input(c.g, "rows", CLGRAD_I32, CLGRAD_SHAPE(128));
    compile(&c, clgrad_scatter_add(c.g, updates, rows, 0, 600), NULL);
    SAME(c.cost.flops, 128 * 40);
    SAME(c.cost.least_bytes, 4 * (128 * 40 + 128 + 600 * 40));
    end(&c);
}
END_TEST

/* p <- p - lr g in place: two reads and a write, and p is there once. */
START_TEST(updates)
{
    static const uint32_t donated[] = { 1, 0 };
    if (!test_device()) return;
    const clgrad_plan_options options = { .donated = donated };
    cost_case c;
    begin(&c);
    const clgrad_node p = input(&c, "p", CLGRAD_SHAPE(4096)), g = input(&c, "g", CLGRAD_SHAPE(4096));
    compile(&c, clgrad_sub(c.g, p, clgrad_mul(c.g, g, clgrad_constant(c.g, CLGRAD_F32, CLGRAD_SCALAR, 0.125))), &options);
    SAME(c.cost.bytes, 4 * 3 * 4096);
    SAME(c.cost.flops, 2 * 4096);
    SAME(c.cost.argument_bytes, 4 * 2 * 4096);
    end(&c);
}
END_TEST

/* Operands connect launches: what one writes, the next reads, under one number. */
START_TEST(operands)
{
    if (!test_device()) return;
    cost_case c;
    const clgrad_plan_options options = { .no_fusion = true };
    clgrad_operand_info made, used;
    begin(&c);
    compile(&c, clgrad_neg(c.g, clgrad_exp(c.g, input(&c, "x", CLGRAD_SHAPE(7, 9)))), &options);
    bool met = false;
    for (size_t i = 0; i < 2; i++) {
        SUCCEED(clgrad_plan_operand_info(c.plan, 0, i, &made));
        if (made.kind == CLGRAD_OPERAND_INPUT) ck_assert_str_eq(made.name, "x");
        if (made.kind != CLGRAD_OPERAND_SCRATCH) continue;
        SAME(made.written_bytes, 4 * 63), SAME(made.read_bytes, 0), SAME(made.shape.rank, 2);
        for (size_t k = 0; k < 2; k++) {
            SUCCEED(clgrad_plan_operand_info(c.plan, 1, k, &used));
            if (used.value == made.value) met = used.read_bytes == 4 * 63;
            else ck_assert_str_eq(used.name, "out");
        }
    }
    ck_assert(met);
    ck_assert_int_eq(clgrad_plan_operand_info(c.plan, 0, 2, &made), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_plan_operand_info(c.plan, 2, 0, &made), CLGRAD_E_ARG);
    clgrad_launch_info info;
    ck_assert_int_eq(clgrad_plan_launch_info(c.plan, 2, &info), CLGRAD_E_ARG);
    end(&c);
}
END_TEST

START_TEST(long_lists_of_operations)
{
    if (!test_device()) return;
    cost_case c;
    begin(&c);
    clgrad_node x = input(&c, "x", CLGRAD_SHAPE(16));
    for (int i = 0; i < 60; i++) x = clgrad_tanh(c.g, clgrad_sigmoid(c.g, x));
    compile(&c, x, NULL);
    const clgrad_launch_info info = launch(&c, 0);
    ck_assert_ptr_nonnull(strstr(info.operations, "sigmoid tanh sigmoid"));
    ck_assert_ptr_nonnull(strstr(info.operations, " +"));
    ck_assert_uint_lt(strlen(info.operations), sizeof info.operations);
    SAME(c.cost.flops, 120 * 16);
    end(&c);
}
END_TEST

Suite *plan_cost_suite(void)
{
    Suite *suite = suite_create("plan cost");
    TCase *t = tcase_create("cost");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, element_wise);
    tcase_add_test(t, unfused_moves_more);
    tcase_add_test(t, views);
    tcase_add_test(t, sums);
    tcase_add_test(t, products);
    tcase_add_test(t, sum_of_products);
    tcase_add_test(t, mlp_forward);
    tcase_add_test(t, gathers_and_scatters);
    tcase_add_test(t, updates);
    tcase_add_test(t, operands);
    tcase_add_test(t, long_lists_of_operations);
    suite_add_tcase(suite, t);
    return suite;
}
