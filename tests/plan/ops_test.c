/* Every operation on a device against ref, on a few shapes: empty, one element, ragged tails of any vector width. */

#include "plan_case.h"
#include "plan_test.h"
#include "support/cl_join.h"

#include <math.h>

/* The element-wise rows of the op table that take operands of one type. */
typedef enum row_types { TYPES_leaf, TYPES_real, TYPES_number, TYPES_any, TYPES_compare, TYPES_select, TYPES_cast, TYPES_random, TYPES_index, TYPES_argmax, TYPES_call } row_types;
typedef enum row_domain { DOMAIN_any, DOMAIN_exponent, DOMAIN_positive, DOMAIN_above_m1, DOMAIN_nonzero, DOMAIN_angle, DOMAIN_small, DOMAIN_kink0, DOMAIN_integers, DOMAIN_distinct, DOMAIN_power } row_domain;

static const struct {
    row_types types;
    row_domain domain;
} op_rows[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) \
    [CLGRAD_OP_##name] = { TYPES_##dtypes, DOMAIN_##domain },
#include "graph/ops.def"
#undef OP
};

static const struct {
    double low, high;
} ranges[] = {
    [DOMAIN_any] = { -5, 5 },      [DOMAIN_exponent] = { -20, 20 }, [DOMAIN_positive] = { 0.001, 30 }, [DOMAIN_above_m1] = { -0.9, 9 },
    [DOMAIN_nonzero] = { 0.1, 9 }, [DOMAIN_angle] = { -30, 30 },    [DOMAIN_small] = { -4, 4 },        [DOMAIN_kink0] = { -5, 5 },
    [DOMAIN_integers] = { -5, 5 }, [DOMAIN_distinct] = { -5, 5 },   [DOMAIN_power] = { 0.25, 4 },
};

static bool row_applies(clgrad_op op, int arity, clgrad_dtype dtype)
{
    const row_types types = op_rows[op].types;
    if (clgrad_op_get(op)->family != CLGRAD_MAP || clgrad_op_get(op)->arity != arity) return false;
    if (types == TYPES_any || types == TYPES_compare) return true;
    return (types == TYPES_real && clgrad_dtype_is_real(dtype)) || (types == TYPES_number && dtype != CLGRAD_U8);
}

static clgrad_node append(plan_case *c, clgrad_op op, const clgrad_node *in, clgrad_dtype dtype)
{
    const clgrad_attr none = { 0 };
    return clgrad_graph_append(c->g, op, (size_t)clgrad_op_get(op)->arity, in, &none, dtype, NULL);
}

static const int64_t counts[] = { 0, 1, 3, 4097 };
static const clgrad_dtype all[] = { CLGRAD_F32, CLGRAD_F64, CLGRAD_F16, CLGRAD_BF16, CLGRAD_I32, CLGRAD_I64, CLGRAD_U8 };

static bool can(clgrad_dtype dtype) { return dtype != CLGRAD_F64 || plan_has_f64(); }

/* Eight operations in one graph, and so in one program; the first from `op` on. Returns where the next graph goes on. */
static int check_eight(int op, clgrad_dtype dtype, int64_t count)
{
    plan_case c;
    plan_case_begin(&c, (uint64_t)count + 1);
    for (; op < CLGRAD_OP_COUNT && clgrad_graph_num_outputs(c.g) < 8; op++) {
        if (!row_applies((clgrad_op)op, 1, dtype)) continue;
        const row_domain domain = op_rows[op].domain;
        const clgrad_node x = plan_case_input(&c, dtype, CLGRAD_SHAPE(count), ranges[domain].low, ranges[domain].high);
        plan_case_output(&c, append(&c, (clgrad_op)op, &x, dtype));
    }
    if (clgrad_graph_num_outputs(c.g) > 0) plan_case_check(&c, NULL, 8, clgrad_dtype_name(dtype));
    plan_case_end(&c);
    return op;
}

START_TEST(one_operand)
{
    if (!test_device() || !can(all[_i])) return;
    for (size_t k = 0; k < CLGRAD_COUNT(counts); k++)
        for (int op = 0; op < CLGRAD_OP_COUNT && (all[_i] == CLGRAD_F32 || counts[k] == 4097);) op = check_eight(op, all[_i], counts[k]);
}
END_TEST

START_TEST(two_operands)
{
    if (!test_device()) return;
    const clgrad_dtype dtype = all[_i];
    if (!can(dtype)) return;
    for (size_t k = 1; k < CLGRAD_COUNT(counts); k += 2) {
        plan_case c;
        plan_case_begin(&c, 17 + k);
        clgrad_node in[2];
        for (int i = 0; i < 2; i++) in[i] = plan_case_input(&c, dtype, CLGRAD_SHAPE(counts[k]), 0.25, 4);
        for (int op = 0; op < CLGRAD_OP_COUNT; op++)
            if (row_applies((clgrad_op)op, 2, dtype)) plan_case_output(&c, append(&c, (clgrad_op)op, in, dtype));
        plan_case_output(&c, clgrad_select(c.g, clgrad_lt(c.g, in[0], in[1]), in[0], in[1]));
        plan_case_check(&c, NULL, 8, clgrad_dtype_name(dtype));
        plan_case_end(&c);
    }
}
END_TEST

/* Casts between all pairs, with values that saturate, round and are no numbers. */
START_TEST(casts)
{
    static const double values[] = { 0, -0.0, 1, -1, 1.5, -2.5, 255, 256, -3, 65504, 65520, 70000, 1e-7, 6e-8, 3e38, -3e38, 2147483647.0,
                                     -2147483648.0, 4294967296.0, 9.3e18, 16777217, 33554433, 0.1, 3.14159, NAN, INFINITY, -INFINITY };
    if (!test_device()) return;
    const clgrad_dtype from = all[_i];
    if (!can(from)) return;
    plan_case c;
    plan_case_begin(&c, 5);
    const clgrad_node x = plan_case_values(&c, from, CLGRAD_SHAPE(CLGRAD_COUNT(values)), values);
    for (size_t i = 0; i < CLGRAD_COUNT(all); i++)
        if (can(all[i]) && all[i] != from) plan_case_output(&c, clgrad_cast(c.g, x, all[i]));
    plan_case_check(&c, NULL, 0, clgrad_dtype_name(from));
    plan_case_end(&c);
}
END_TEST

START_TEST(widened_integers_are_compared)
{
    if (!test_device()) return;
    static const int64_t bounds[] = { -3, 0, 5 };
    const clgrad_plan_options options = { .width = _i == 0 ? 1 : 0 };
    plan_case c;
    plan_case_begin(&c, 9);
    const clgrad_node x = plan_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(37), -9, 9);
    const clgrad_node wide = clgrad_cast(c.g, x, CLGRAD_I64);
    for (size_t i = 0; i < CLGRAD_COUNT(bounds); i++) {
        const clgrad_node bound = clgrad_constant_int(c.g, CLGRAD_I64, CLGRAD_SHAPE(37), bounds[i]);
        plan_case_output(&c, clgrad_lt(c.g, wide, bound));
        plan_case_output(&c, clgrad_gt(c.g, wide, bound));
        plan_case_output(&c, clgrad_eq(c.g, wide, bound));
    }
    plan_case_output(&c, clgrad_mul(c.g, wide, wide));
    plan_case_check(&c, &options, 0, "widened");
    plan_case_end(&c);
}
END_TEST

START_TEST(random_numbers)
{
    if (!test_device()) return;
    plan_case c;
    plan_case_begin(&c, 9);
    const clgrad_node seed = plan_case_input(&c, CLGRAD_I64, CLGRAD_SCALAR, 0, 1e15);
    const clgrad_node hi = plan_case_input(&c, CLGRAD_I64, CLGRAD_SHAPE(7, 1), 0, 1e12);
    const clgrad_node lo = clgrad_iota(c.g, CLGRAD_I64, CLGRAD_SHAPE(7, 37), 1);
    plan_case_output(&c, clgrad_random_uniform_node(c.g, seed, hi, lo, 3));
    plan_case_output(&c, clgrad_random_normal_node(c.g, seed, hi, lo, 4));
    plan_case_check(&c, NULL, 8, "random");
    plan_case_end(&c);
}
END_TEST

static const struct {
    clgrad_shape shape;
    uint32_t axes;
} reductions[] = {
    { { 1, { 1 } }, 1 },           { { 1, { 10 } }, 1 },        { { 1, { 4097 } }, 1 },     { { 2, { 3, 2500 } }, 2 },
    { { 2, { 33, 20 } }, 1 },      { { 2, { 33, 20 } }, 2 },    { { 2, { 1, 70 } }, 2 },    { { 3, { 5, 6, 7 } }, 6 },
    { { 3, { 5, 6, 7 } }, 3 },     { { 3, { 5, 6, 7 } }, 2 },   { { 4, { 3, 4, 5, 17 } }, 5 }, { { 2, { 0, 4 } }, 1 },
    { { 2, { 4, 0 } }, 2 },        { { 2, { 70, 1 } }, 1 },     { { 2, { 4, 1030 } }, 2 },  { { 1, { 50000 } }, 1 },
};

START_TEST(reduce)
{
    if (!test_device()) return;
    const clgrad_shape shape = reductions[_i].shape;
    for (size_t t = 0; t < CLGRAD_COUNT(all) - 1; t++) {
        if (!can(all[t]) || (all[t] != CLGRAD_F32 && _i % 4 != (int)t % 4)) continue;
        for (int gpu = 0; gpu < (all[t] == CLGRAD_F32 ? 2 : 1); gpu++) {
            const clgrad_plan_options options = { .reduce = gpu ? CLGRAD_VARIANT_GPU : CLGRAD_VARIANT_CPU };
            plan_case c;
            plan_case_begin(&c, 21);
            const clgrad_node x = plan_case_input(&c, all[t], shape, -3, 3);
            plan_case_output(&c, clgrad_sum(c.g, x, reductions[_i].axes, false));
            if (clgrad_shape_count(&shape) > 0) plan_case_output(&c, clgrad_reduce_max(c.g, x, reductions[_i].axes, true));
            plan_case_check(&c, &options, 40, clgrad_dtype_name(all[t]));
            plan_case_end(&c);
        }
    }
}
END_TEST

/* The same reductions with the batch axis cut into cells. */
START_TEST(reduce_cells)
{
    static const struct {
        clgrad_shape shape;
        uint32_t axes;
    } cells[] = { { { 1, { 1300 } }, 1 }, { { 2, { 1300, 9 } }, 1 }, { { 2, { 700, 9 } }, 3 }, { { 2, { 256, 3 } }, 1 },
                  { { 3, { 600, 5, 3 } }, 3 }, { { 3, { 2, 520, 1 } }, 6 } };
    if (!test_device()) return;
    for (int gpu = 0; gpu < 2; gpu++) {
        const clgrad_plan_options options = { .reduce = gpu ? CLGRAD_VARIANT_GPU : CLGRAD_VARIANT_CPU };
        plan_case c;
        plan_case_begin(&c, 22);
        const clgrad_node x = plan_case_input(&c, CLGRAD_F32, cells[_i].shape, -3, 3);
        plan_case_output(&c, clgrad_sum_cell(c.g, x, cells[_i].axes, false, 256));
        plan_case_check(&c, &options, 40, "cells");
        plan_case_end(&c);
    }
}
END_TEST

START_TEST(argmax)
{
    static const double ties[] = { 1, 3, 3, 2, NAN, 5, NAN, 7, -0.0, 0, -1, -2, -INFINITY, -INFINITY, -INFINITY, -INFINITY };
    if (!test_device()) return;
    for (size_t t = 0; t < CLGRAD_COUNT(all); t++) {
        if (!can(all[t])) continue;
        plan_case c;
        plan_case_begin(&c, 23);
        const clgrad_node x = plan_case_input(&c, all[t], CLGRAD_SHAPE(19, 33), 0, 9);
        const clgrad_node y = plan_case_values(&c, all[t], CLGRAD_SHAPE(4, 4), ties);
        plan_case_output(&c, clgrad_argmax(c.g, x, 0));
        plan_case_output(&c, clgrad_argmax(c.g, x, 1));
        plan_case_output(&c, clgrad_argmax(c.g, y, 1));
        plan_case_output(&c, clgrad_argmax(c.g, y, 0));
        if (all[t] != CLGRAD_U8) plan_case_output(&c, clgrad_reduce_max(c.g, y, 2, false));
        plan_case_check(&c, NULL, 0, clgrad_dtype_name(all[t]));
        plan_case_end(&c);
    }
}
END_TEST

START_TEST(cumsum)
{
    if (!test_device()) return;
    for (int reverse = 0; reverse < 2; reverse++) {
        plan_case c;
        plan_case_begin(&c, 24);
        const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(3, 2100), -1, 1);
        const clgrad_node y = plan_case_input(&c, CLGRAD_BF16, CLGRAD_SHAPE(2, 40, 21), -1, 1);
        const clgrad_node z = plan_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(5), -9, 9);
        plan_case_output(&c, clgrad_cumsum(c.g, clgrad_neg(c.g, x), 1, reverse));
        plan_case_output(&c, clgrad_cumsum(c.g, y, 1, reverse));
        plan_case_output(&c, clgrad_cumsum(c.g, z, 0, reverse));
        plan_case_output(&c, clgrad_cumsum(c.g, y, 0, reverse));
        plan_case_check(&c, NULL, 200, "cumsum");
        plan_case_end(&c);
    }
}
END_TEST

START_TEST(take_and_scatter)
{
    if (!test_device()) return;
    for (int32_t axis = 0; axis < 3; axis++) {
        plan_case c;
        plan_case_begin(&c, 25);
        const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(6, 7, 18), -1, 1);
        const clgrad_node i = plan_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(4, 3), -2, 8); /* some out of range */
        const clgrad_node y = clgrad_take(c.g, x, i, axis);
        plan_case_output(&c, y);
        plan_case_output(&c, clgrad_take(c.g, clgrad_cast(c.g, x, CLGRAD_I32), i, axis));
        const int64_t rows[] = { 6, 7, 18 };
        const clgrad_node w = plan_case_input(&c, CLGRAD_F32, clgrad_node_shape(c.g, y), -1, 1);
        plan_case_output(&c, clgrad_scatter_add(c.g, clgrad_square(c.g, w), i, axis, rows[axis]));
        plan_case_check(&c, NULL, 40, "take");
        plan_case_end(&c);
    }
}
END_TEST

START_TEST(batched_take_and_scatter)
{
    if (!test_device()) return;
    plan_case c;
    plan_case_begin(&c, 26);
    const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(5, 3, 10), -1, 1);
    const clgrad_node i = plan_case_input(&c, CLGRAD_I64, CLGRAD_SHAPE(5, 6), -1, 11);
    const clgrad_node y = clgrad_take_batched(c.g, x, i, 2, 1);
    plan_case_output(&c, y);
    plan_case_output(&c, clgrad_scatter_add_batched(c.g, y, i, 2, 10, 1));
    const clgrad_node shifted = clgrad_max(c.g, i, clgrad_constant_int(c.g, CLGRAD_I64, CLGRAD_SCALAR, 3));
    plan_case_output(&c, clgrad_scatter_add_batched(c.g, y, shifted, 2, 10, 1));
    plan_case_output(&c, clgrad_concat(c.g, 2, (clgrad_node[]){ i, shifted }, 1)); /* the indices must not live here alone */
    const clgrad_node thin = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(5, 1, 6, 1), -1, 1);
    plan_case_output(&c, clgrad_scatter_add_batched(c.g, thin, i, 2, 10, 1));
    plan_case_check(&c, NULL, 40, "batched take");
    plan_case_end(&c);
}
END_TEST

START_TEST(overlap_add)
{
    static const int64_t stride[] = { 1, 2, 3, 2 }, dilation[] = { 1, 1, 2, 3 };
    if (!test_device()) return;
    for (int32_t axis = 0; axis < 2; axis++) {
        plan_case c;
        plan_case_begin(&c, 27);
        const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(23, 29), -1, 1);
        const clgrad_node y = clgrad_window(c.g, x, axis, 4, stride[_i], dilation[_i]);
        plan_case_output(&c, y);
        plan_case_output(&c, clgrad_overlap_add(c.g, clgrad_square(c.g, y), axis, axis ? 29 : 23, stride[_i], dilation[_i]));
        plan_case_check(&c, NULL, 40, "overlap");
        plan_case_end(&c);
    }
}
END_TEST

START_TEST(concat)
{
    if (!test_device()) return;
    for (int32_t axis = 0; axis < 2; axis++) {
        plan_case c;
        plan_case_begin(&c, 28);
        const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(5, 6), -1, 1);
        const clgrad_node row = clgrad_sum(c.g, x, 1, true), column = clgrad_sum(c.g, x, 2, true);
        const clgrad_node parts[] = { x, clgrad_exp(c.g, x), axis ? column : row, clgrad_constant(c.g, CLGRAD_F32, CLGRAD_SHAPE(5, 6), 2),
                                      clgrad_exp(c.g, x) };
        const clgrad_node joined = clgrad_concat(c.g, 5, parts, axis);
        plan_case_output(&c, joined);
        plan_case_output(&c, clgrad_sum(c.g, joined, 3, false));
        plan_case_output(&c, clgrad_sum(c.g, parts[1], 3, false)); /* needs it flat: not in a slice with gaps */
        plan_case_check(&c, NULL, 40, "concat");
        plan_case_end(&c);
    }
}
END_TEST

START_TEST(matmul)
{
    if (!test_device()) return;
    const bool ta = _i & 1, tb = _i & 2;
    plan_case c;
    plan_case_begin(&c, 29);
    const clgrad_node a = plan_case_input(&c, CLGRAD_F32, ta ? CLGRAD_SHAPE(2, 21, 19) : CLGRAD_SHAPE(2, 19, 21), -1, 1);
    const clgrad_node b = plan_case_input(&c, CLGRAD_F32, tb ? CLGRAD_SHAPE(35, 21) : CLGRAD_SHAPE(21, 35), -1, 1);
    const clgrad_node bias = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(35), -1, 1);
    const clgrad_node y = clgrad_add(c.g, clgrad_matmul(c.g, a, b, ta, tb), bias);
    plan_case_output(&c, clgrad_max(c.g, y, clgrad_constant(c.g, CLGRAD_F32, CLGRAD_SCALAR, 0)));
    plan_case_output(&c, clgrad_matmul(c.g, clgrad_exp(c.g, a), clgrad_flip(c.g, b, 3), ta, tb));
    plan_case_check(&c, NULL, 100, "matmul");
    plan_case_end(&c);
}
END_TEST

/* Planned as an element-wise product, which alone would give -0 where the sum from +0 gives +0: the second output, as a control. */
START_TEST(product_of_one_term)
{
    if (!test_device()) return;
    static const double left[] = { 0, 2, -3 }, right[] = { -5, 0, 7, -0.5, 1 };
    const bool ta = _i & 1, tb = _i & 2;
    clgrad_array out[2];
    plan_case c;
    plan_case_begin(&c, 31);
    const clgrad_node a = plan_case_values(&c, CLGRAD_F32, ta ? CLGRAD_SHAPE(1, 3) : CLGRAD_SHAPE(3, 1), left);
    const clgrad_node b = plan_case_values(&c, CLGRAD_F32, tb ? CLGRAD_SHAPE(5, 1) : CLGRAD_SHAPE(1, 5), right);
    const clgrad_node column = clgrad_reshape(c.g, a, CLGRAD_SHAPE(3, 1)), row = clgrad_reshape(c.g, b, CLGRAD_SHAPE(1, 5));
    plan_case_output(&c, clgrad_matmul(c.g, a, b, ta, tb));
    plan_case_output(&c, clgrad_mul(c.g, column, row));
    plan_case_check(&c, NULL, 0, "one term");
    if (!test_join_noting()) {
        plan_case_run(&c, NULL, out);
        const float *sum = out[0].data, *product = out[1].data;
        ck_assert(sum[0] == 0 && product[0] == 0); /* 0 x -5; llvmpipe's compiler drops + 0 */
        if (plan_is_exact()) ck_assert(!signbit(sum[0]) && signbit(product[0]));
        ck_assert(sum[5] == -10 && product[5] == -10);
        for (size_t i = 0; i < 2; i++) clgrad_array_release(test_context(), &out[i]);
    }
    plan_case_end(&c);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *t = tcase_create(name);
    tcase_set_timeout(t, 0);
    suite_add_tcase(suite, t);
    return t;
}

/* Values without elements, stored and summed over. */
START_TEST(empty_values)
{
    if (!test_device()) return;
    plan_case c;
    plan_case_begin(&c, 30);
    const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(3, 0), -1, 1), e = clgrad_exp(c.g, x);
    plan_case_output(&c, clgrad_matmul(c.g, e, clgrad_exp(c.g, clgrad_reshape(c.g, x, CLGRAD_SHAPE(0, 4))), false, false));
    plan_case_output(&c, clgrad_matmul(c.g, e, e, true, false));
    plan_case_output(&c, clgrad_sum(c.g, clgrad_cumsum(c.g, e, 0, false), 3, false));
    const clgrad_node i = plan_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(0), 0, 1);
    plan_case_output(&c, clgrad_scatter_add(c.g, e, i, 1, 5));
    plan_case_output(&c, clgrad_concat(c.g, 2, (clgrad_node[]){ e, clgrad_sum(c.g, e, 2, true) }, 1));
    plan_case_check(&c, NULL, 0, "empty");
    plan_case_end(&c);
}
END_TEST

Suite *plan_ops_suite(void)
{
    Suite *suite = suite_create("plan ops");
    TCase *map = add_case(suite, "map"), *reductions_case = add_case(suite, "reduce"), *indexing = add_case(suite, "index");
    tcase_add_loop_test(map, one_operand, 0, (int)CLGRAD_COUNT(all));
    tcase_add_loop_test(map, two_operands, 0, (int)CLGRAD_COUNT(all));
    tcase_add_loop_test(map, casts, 0, (int)CLGRAD_COUNT(all));
    tcase_add_loop_test(map, widened_integers_are_compared, 0, 2);
    tcase_add_test(map, random_numbers);
    tcase_add_loop_test(reductions_case, reduce, 0, (int)CLGRAD_COUNT(reductions));
    tcase_add_loop_test(reductions_case, reduce_cells, 0, 6);
    tcase_add_test(reductions_case, argmax);
    tcase_add_test(reductions_case, cumsum);
    tcase_add_loop_test(reductions_case, matmul, 0, 4);
    tcase_add_loop_test(reductions_case, product_of_one_term, 0, 4);
    tcase_add_test(indexing, take_and_scatter);
    tcase_add_test(indexing, batched_take_and_scatter);
    tcase_add_loop_test(indexing, overlap_add, 0, 4);
    tcase_add_test(indexing, concat);
    tcase_add_test(indexing, empty_values);
    return suite;
}
