/* What the transforms' graphs look like: names, residuals, cells, dead code. */

#include "autodiff/fixture.h"

START_TEST(inputs_and_outputs_are_named)
{
    clgrad_graph *g = perceptron(ctx, 4, 3, 0), *out = NULL;
    CHECK_OK(clgrad_jvp(g, 2, (size_t[]){ 2, 4 }, &out));
    CHECK_INPUTS(out, "x", "t", "w1", "b1", "w2", "d_w1", "d_w2");
    CHECK_OUTPUTS(out, "loss", "z", "d_loss", "d_z");
    clgrad_graph_release(&out);

    CHECK_OK(clgrad_vjp(g, 2, (size_t[]){ 2, 4 }, &out));
    CHECK_INPUTS(out, "x", "t", "w1", "b1", "w2", "ct_loss", "ct_z");
    CHECK_OUTPUTS(out, "loss", "z", "ct_w1", "ct_w2");
    clgrad_graph_release(&out);

    CHECK_OK(clgrad_hessian_vector(g, 0, 1, (size_t[]){ 4 }, &out));
    CHECK_INPUTS(out, "x", "t", "w1", "b1", "w2", "d_w2");
    CHECK_OUTPUTS(out, "g_w2", "h_w2");
    clgrad_graph_release(&out);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(nested_names_stay_apart)
{
    clgrad_graph *g = graph_new(), *one = NULL, *two = NULL;
    const size_t x = 0;
    clgrad_output(g, "y", clgrad_sin(g, graph_real(g, "x", CLGRAD_SCALAR)));
    CHECK_OK(clgrad_jvp(g, 1, &x, &one));
    CHECK_OK(clgrad_jvp(one, 1, &x, &two));
    CHECK_INPUTS(two, "x", "d_x", "d_x.2");
    CHECK_OUTPUTS(two, "y", "d_y", "d_y.2", "d_d_y");
    clgrad_graph_release(&one);
    clgrad_graph_release(&two);
    CHECK_OK(clgrad_gradient(g, 0, 1, &x, &one));
    CHECK_OK(clgrad_gradient(one, 1, 1, &x, &two));
    CHECK_OUTPUTS(two, "y", "g_x", "g_x.2");
    clgrad_graph_release(&one);
    clgrad_graph_release(&two);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(what_does_not_depend_has_a_zero_constant)
{
    clgrad_graph *g = graph_new(), *out = NULL;
    const size_t x = 0;
    const clgrad_node a = graph_real(g, "a", CLGRAD_SHAPE(2)), b = graph_real(g, "b", CLGRAD_SHAPE(3));
    clgrad_output(g, "y", clgrad_sin(g, b));
    clgrad_output(g, "cut", clgrad_stop_gradient(g, a));
    CHECK_OK(clgrad_jvp(g, 1, &x, &out));
    for (size_t i = 2; i < 4; i++) ck_assert_int_eq(clgrad_at(out, out->outputs[i])->op, CLGRAD_OP_CONST);
    ck_assert_uint_eq(count_op(out, CLGRAD_OP_COS), 0);
    clgrad_graph_release(&out);
    CHECK_OK(clgrad_vjp(g, 1, &x, &out));
    ck_assert_int_eq(clgrad_at(out, out->outputs[2])->op, CLGRAD_OP_CONST);
    clgrad_graph_release(&out);
    clgrad_graph_release(&g);
}
END_TEST

/* Three products a layer for the gradient, but for the data's own: 2 forward, 2 weights, 1 between. No permutes. */
START_TEST(a_gradient_has_no_more_products_than_needed)
{
    clgrad_graph *g = perceptron(ctx, 4, 3, 0), *out = NULL;
    CHECK_OK(clgrad_gradient(g, 0, PERCEPTRON_WEIGHTS, perceptron_weights, &out));
    ck_assert_uint_eq(count_op(out, CLGRAD_OP_MATMUL), 5);
    ck_assert_uint_eq(count_op(out, CLGRAD_OP_PERMUTE), 0);
    clgrad_graph_release(&out);
    clgrad_graph_release(&g);
}
END_TEST

static clgrad_node identity_rule(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)x, (void)count, (void)user;
    return clgrad_mul(g, dx[0], y);
}

START_TEST(calls_with_a_rule_stay_calls)
{
    clgrad_graph *g = graph_new(), *body = graph_new(), *out = NULL;
    const size_t x = 0;
    clgrad_output(body, "y", clgrad_exp(body, graph_real(body, "x", CLGRAD_SHAPE(3))));
    const clgrad_node in = graph_real(g, "x", CLGRAD_SHAPE(3)), other = graph_real(g, "other", CLGRAD_SHAPE(3));
    const clgrad_node y = clgrad_call(g, "exp", CLGRAD_ROLE_USER, body, 1, &in, identity_rule, NULL);
    clgrad_output(g, "y", y);
    clgrad_output(g, "kept", clgrad_call(g, "known", CLGRAD_ROLE_USER, body, 1, &other, NULL, NULL));
    CHECK_OK(clgrad_vjp(g, 1, &x, &out));
    ck_assert_uint_eq(count_op(out, CLGRAD_OP_CALL), 2); /* the one with a rule, and the one that does not move */
    ck_assert_uint_eq(count_op(out, CLGRAD_OP_EXP), 0);
    clgrad_graph_release(&out);
    clgrad_graph_release(&body);
    clgrad_graph_release(&g);
}
END_TEST

/* --- split --- */

START_TEST(split_keeps_what_a_direction_does_not_change)
{
    clgrad_graph *g = perceptron(ctx, 4, 3, 0), *hv = NULL, *known = NULL, *unknown = NULL;
    const size_t directions[] = { 5, 6, 7 };
    bool is_known[6];
    CHECK_OK(clgrad_hessian_vector(g, 0, PERCEPTRON_WEIGHTS, perceptron_weights, &hv));
    CHECK_OK(clgrad_split(hv, 3, directions, &known, &unknown, is_known));
    CHECK_OK(clgrad_graph_verify(known));
    CHECK_OK(clgrad_graph_verify(unknown));
    for (int i = 0; i < 6; i++) ck_assert_int_eq(is_known[i], i < 3);
    ck_assert_uint_eq(known->num_inputs, 5);
    ck_assert_uint_eq(unknown->num_outputs, 3);
    ck_assert_uint_eq(unknown->num_inputs, 3 + known->num_outputs - 3);
    for (size_t i = 3; i < unknown->num_inputs; i++) {
        ck_assert_str_eq(unknown->input_names[i], known->output_names[i]);
        const clgrad_op_node *from = clgrad_at(known, known->outputs[i]), *to = clgrad_at(unknown, unknown->inputs[i]);
        ck_assert(clgrad_shape_equal(&from->shape, &to->shape));
        ck_assert_int_eq(from->dtype, to->dtype);
    }
    ck_assert_uint_eq(count_op(known, CLGRAD_OP_MATMUL), 5); /* the gradient's own */
    ck_assert_uint_eq(count_op(unknown, CLGRAD_OP_MATMUL), 8); /* 1 + 2 forward, 2 + 2 backward in layer 2, 1 in layer 1 */
    clgrad_graph_release(&known);
    clgrad_graph_release(&unknown);
    clgrad_graph_release(&hv);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(split_rebuilds_leaves_and_views)
{
    clgrad_graph *g = graph_new(), *known = NULL, *unknown = NULL;
    const size_t v = 1;
    const clgrad_node a = graph_real(g, "a", CLGRAD_SHAPE(3)), d = graph_real(g, "d", CLGRAD_SHAPE(4, 3));
    const clgrad_node wide = clgrad_broadcast(g, clgrad_sin(g, a), CLGRAD_SHAPE(4, 3));
    const clgrad_node at = clgrad_cast(g, clgrad_iota(g, CLGRAD_I32, CLGRAD_SHAPE(4, 3), 0), CLGRAD_F32);
    clgrad_output(g, "y", clgrad_add(g, clgrad_mul(g, d, wide), clgrad_scale(g, d, 3)));
    clgrad_output(g, "z", clgrad_mul(g, d, at));
    CHECK_OK(clgrad_split(g, 1, &v, &known, &unknown, NULL));
    CHECK_OUTPUTS(known, "r0", "r1"); /* sin(a) before it is repeated; the cast of positions */
    ck_assert_int_eq(clgrad_node_shape(known, known->outputs[0]).rank, 1);
    CHECK_INPUTS(unknown, "d", "r0", "r1");
    ck_assert_uint_eq(count_op(unknown, CLGRAD_OP_BROADCAST), 1);
    ck_assert_uint_eq(count_op(unknown, CLGRAD_OP_SIN), 0);
    ck_assert_uint_eq(count_op(unknown, CLGRAD_OP_CONST), 1);
    clgrad_graph_release(&known);
    clgrad_graph_release(&unknown);
    clgrad_graph_release(&g);
}
END_TEST

/* 1 - y y is made again where y is kept anyway; y b is not, since b would be kept for it. */
START_TEST(split_repeats_what_is_cheap)
{
    clgrad_graph *g = graph_new(), *known = NULL, *unknown = NULL;
    const size_t v = 2;
    const clgrad_node a = graph_real(g, "a", CLGRAD_SHAPE(3)), b = graph_real(g, "b", CLGRAD_SHAPE(3)), d = graph_real(g, "d", CLGRAD_SHAPE(3));
    const clgrad_node y = clgrad_tanh(g, a), slope = clgrad_sub(g, clgrad_constant(g, CLGRAD_F32, CLGRAD_SHAPE(3), 1), clgrad_square(g, y));
    clgrad_output(g, "p", clgrad_mul(g, d, slope));
    if (_i == 1) clgrad_output(g, "q", clgrad_mul(g, d, y));
    clgrad_output(g, "r", clgrad_mul(g, d, clgrad_mul(g, y, b)));
    CHECK_OK(clgrad_split(g, 1, &v, &known, &unknown, NULL));
    CHECK_OK(clgrad_graph_verify(unknown));
    CHECK_OUTPUTS(known, "r0", "r1"); /* tanh and y b, or 1 - y y and y b */
    ck_assert_int_eq(clgrad_at(known, known->outputs[0])->op, _i == 1 ? CLGRAD_OP_TANH : CLGRAD_OP_SUB);
    ck_assert_uint_eq(count_op(unknown, CLGRAD_OP_SUB), _i == 1);
    clgrad_graph_release(&known);
    clgrad_graph_release(&unknown);
    clgrad_graph_release(&g);
}
END_TEST

/* --- cells --- */

static size_t count_cells(const clgrad_graph *g, clgrad_op op)
{
    size_t count = 0;
    for (size_t n = 0; n < g->num_nodes; n++) count += g->nodes[n]->op == op && g->nodes[n]->attr.cell == 256;
    return count;
}

/* Hidden units as many as samples: the axes are told apart by what they are, not by their extent. */
START_TEST(sums_over_samples_go_in_cells)
{
    static const bool samples[] = { true, true, false, false, false };
    clgrad_graph *g = perceptron(ctx, 300, 300, 256), *out = NULL, *twice = NULL;
    CHECK_OK(clgrad_gradient_cells(g, 0, PERCEPTRON_WEIGHTS, perceptron_weights, samples, &out));
    ck_assert_uint_eq(count_cells(out, CLGRAD_OP_MATMUL), 2); /* w1, w2 */
    ck_assert_uint_eq(count_op(out, CLGRAD_OP_MATMUL), 5);
    ck_assert_uint_eq(count_cells(out, CLGRAD_OP_SUM), 2); /* the loss, b1 */
    clgrad_graph_release(&out);

    clgrad_graph *plain = perceptron(ctx, 300, 300, 0); /* no sum over samples is declared, no input has samples */
    CHECK_OK(clgrad_gradient(plain, 0, PERCEPTRON_WEIGHTS, perceptron_weights, &out));
    ck_assert_uint_eq(count_cells(out, CLGRAD_OP_MATMUL), 0);
    clgrad_graph_release(&out);
    clgrad_graph_release(&plain);

    CHECK_OK(clgrad_hessian_vector_cells(g, 0, PERCEPTRON_WEIGHTS, perceptron_weights, samples, &out));
    ck_assert_uint_ge(count_cells(out, CLGRAD_OP_MATMUL), 4); /* jvp carries them */
    clgrad_graph_release(&out);

    /* reverse over reverse: what transposes a sum over samples spreads over samples again */
    CHECK_OK(clgrad_vjp_cells(g, PERCEPTRON_WEIGHTS, perceptron_weights, samples, &out));
    ck_assert_uint_eq(count_cells(out, CLGRAD_OP_MATMUL), 2);
    const bool more[] = { true, true, false, false, false, false, true };
    CHECK_OK(clgrad_vjp_cells(out, PERCEPTRON_WEIGHTS, perceptron_weights, more, &twice));
    ck_assert_uint_ge(count_cells(twice, CLGRAD_OP_MATMUL), 4);
    clgrad_graph_release(&twice);
    clgrad_graph_release(&out);
    clgrad_graph_release(&g);
}
END_TEST

/* The cotangent of a plain weighted sum is a constant, and still runs over samples. */
START_TEST(constant_cotangents_keep_their_samples)
{
    clgrad_graph *g = graph_new(), *out = NULL;
    const bool samples[] = { true, false };
    const size_t bias = 1;
    const clgrad_node x = graph_real(g, "x", CLGRAD_SHAPE(300, 2)), b = graph_real(g, "b", CLGRAD_SHAPE(2));
    const clgrad_node each = clgrad_sum(g, clgrad_add(g, x, b), CLGRAD_AXIS(1), false);
    clgrad_output(g, "loss", clgrad_sum_cell(g, each, CLGRAD_AXIS(0), false, 256));
    CHECK_OK(clgrad_gradient_cells(g, 0, 1, &bias, samples, &out));
    ck_assert_uint_eq(count_cells(out, CLGRAD_OP_SUM), 2);
    clgrad_graph_release(&out);
    clgrad_graph_release(&g);
}
END_TEST

/* Where the axis goes, one operation at a time. */
START_TEST(the_sample_axis_is_followed)
{
    clgrad_graph *g = graph_new();
    const clgrad_node x = graph_real(g, "x", CLGRAD_SHAPE(6, 4, 3)), w = graph_real(g, "w", CLGRAD_SHAPE(3, 5));
    const clgrad_node index = clgrad_constant_int(g, CLGRAD_I32, CLGRAD_SHAPE(2, 2), 1);
    const int64_t start[] = { 0, 1, 0 }, size[] = { 6, 2, 3 }, cut[] = { 5, 2, 3 };
    const struct {
        clgrad_node node;
        int32_t axis;
    } cases[] = {
        { x, 0 },
        { w, -1 },
        { clgrad_add(g, clgrad_sum(g, w, 3, false), x), 0 },
        { clgrad_permute(g, x, (int32_t[]){ 2, 0, 1 }), 1 },
        { clgrad_reshape(g, x, CLGRAD_SHAPE(6, 12)), 0 },
        { clgrad_reshape(g, x, CLGRAD_SHAPE(24, 3)), -1 },
        { clgrad_reshape(g, x, CLGRAD_SHAPE(1, 6, 12)), 1 },
        { clgrad_broadcast(g, x, CLGRAD_SHAPE(2, 6, 4, 3)), 1 },
        { clgrad_slice(g, x, start, size, NULL), 0 },
        { clgrad_slice(g, x, start, cut, NULL), -1 },
        { clgrad_flip(g, x, 2), 0 },
        { clgrad_flip(g, x, 1), -1 },
        { clgrad_window(g, x, 1, 2, 1, 1), 0 },
        { clgrad_window(g, x, 0, 2, 1, 1), -1 },
        { clgrad_overlap_add(g, clgrad_window(g, x, 1, 2, 1, 1), 1, 4, 1, 1), 0 },
        { clgrad_concat(g, 2, (clgrad_node[]){ x, x }, 1), 0 },
        { clgrad_concat(g, 2, (clgrad_node[]){ x, x }, 0), -1 },
        { clgrad_take(g, x, index, 1), 0 },
        { clgrad_take(g, x, index, 0), -1 },
        { clgrad_take(g, clgrad_permute(g, x, (int32_t[]){ 1, 0, 2 }), index, 0), 2 },
        { clgrad_scatter_add(g, clgrad_take(g, x, index, 1), index, 1, 4), 0 },
        { clgrad_sum(g, x, 6, false), 0 },
        { clgrad_sum(g, x, 1, false), -1 },
        { clgrad_sum(g, clgrad_permute(g, x, (int32_t[]){ 1, 0, 2 }), 1, false), 0 },
        { clgrad_argmax(g, x, 2), 0 },
        { clgrad_cumsum(g, x, 1, false), 0 },
        { clgrad_cumsum(g, x, 0, false), -1 },
        { clgrad_matmul(g, x, w, false, false), 0 },
        { clgrad_matmul(g, clgrad_reshape(g, x, CLGRAD_SHAPE(6, 12)), graph_real(g, "v", CLGRAD_SHAPE(12, 2)), false, false), 0 },
        { clgrad_matmul(g, clgrad_reshape(g, x, CLGRAD_SHAPE(6, 12)), graph_real(g, "u", CLGRAD_SHAPE(6, 2)), true, false), -1 },
        { clgrad_matmul(g, w, clgrad_reshape(g, clgrad_sum(g, x, 2, false), CLGRAD_SHAPE(6, 3)), true, true), 1 },
    };
    CHECK_OK(clgrad_graph_status(g));
    clgrad_sample_axes axes = { .ctx = ctx };
    CHECK_OK(clgrad_sample_axes_set(&axes, g, x, -1)); /* followed to the end without an axis: nothing has one */
    for (size_t i = 0; i < CLGRAD_COUNT(cases); i++) ck_assert_int_eq(clgrad_sample_axes_get(&axes, cases[i].node), -1);
    axes.count = x + 1;
    axes.axis[x] = 0;
    CHECK_OK(clgrad_sample_axes_extend(&axes, g));
    for (size_t i = 0; i < CLGRAD_COUNT(cases); i++)
        ck_assert_msg(clgrad_sample_axes_get(&axes, cases[i].node) == cases[i].axis, "case %zu: axis %d, not %d", i,
                      clgrad_sample_axes_get(&axes, cases[i].node), cases[i].axis);
    clgrad_sample_axes_release(&axes);
    clgrad_graph_release(&g);
}
END_TEST

Suite *structure_suite(void)
{
    Suite *suite = suite_create("autodiff.structure");
    TCase *tests = tcase_create("structure");
    tcase_add_checked_fixture(tests, autodiff_setup, autodiff_teardown);
    tcase_add_test(tests, inputs_and_outputs_are_named);
    tcase_add_test(tests, nested_names_stay_apart);
    tcase_add_test(tests, what_does_not_depend_has_a_zero_constant);
    tcase_add_test(tests, a_gradient_has_no_more_products_than_needed);
    tcase_add_test(tests, calls_with_a_rule_stay_calls);
    tcase_add_test(tests, split_keeps_what_a_direction_does_not_change);
    tcase_add_test(tests, split_rebuilds_leaves_and_views);
    tcase_add_loop_test(tests, split_repeats_what_is_cheap, 0, 2);
    tcase_add_test(tests, sums_over_samples_go_in_cells);
    tcase_add_test(tests, constant_cotangents_keep_their_samples);
    tcase_add_test(tests, the_sample_axis_is_followed);
    suite_add_tcase(suite, tests);
    return suite;
}
