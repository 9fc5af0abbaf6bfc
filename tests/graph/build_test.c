/* Building: merging of equal nodes, sticky errors, inputs and outputs, broadcasting, reductions in steps, calls, copies. */

#include "graph_test.h"

#include <stdlib.h>

START_TEST(equal_nodes_are_one_node)
{
    const clgrad_node x = INPUT("x", 4, 3), y = INPUT("y", 4, 3);
    const clgrad_node a = clgrad_add(g, x, y);
    ck_assert_uint_eq(clgrad_add(g, x, y), a);
    ck_assert_uint_ne(clgrad_add(g, y, x), a);
    ck_assert_uint_eq(clgrad_sum(g, a, CLGRAD_AXIS(1), false), clgrad_sum(g, a, CLGRAD_AXIS(1), false));
    ck_assert_uint_ne(clgrad_sum(g, a, CLGRAD_AXIS(1), false), clgrad_sum(g, a, CLGRAD_AXIS(0), false));
    ck_assert_uint_eq(clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, 0.1), clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, 0.1f));
    ck_assert_uint_ne(clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, 0.0), clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, -0.0));
    ck_assert_uint_ne(x, y);
}
END_TEST

START_TEST(thousands_of_nodes_stay_distinct)
{
    clgrad_node x = INPUT("x", 4);
    for (int i = 0; i < 3000; i++) x = clgrad_offset(g, x, i + 1);
    ck_assert_uint_eq(clgrad_graph_num_nodes(g), 6001);
    const size_t before = clgrad_graph_num_nodes(g);
    clgrad_node again = clgrad_graph_input(g, 0);
    for (int i = 0; i < 3000; i++) again = clgrad_offset(g, again, i + 1);
    ck_assert_uint_eq(again, x);
    ck_assert_uint_eq(clgrad_graph_num_nodes(g), before);
}
END_TEST

START_TEST(the_first_error_stays)
{
    const clgrad_node x = INPUT("x", 4), y = INPUT("y", 3);
    const clgrad_node bad = clgrad_add(g, x, y);
    CHECK_ERROR(bad, CLGRAD_E_SHAPE, "add", "[3]", "operand 1", "[4]");
    CHECK_ERROR(clgrad_exp(g, bad), CLGRAD_E_SHAPE, "add");
    CHECK_ERROR(clgrad_exp(g, x), CLGRAD_E_SHAPE, "add");
    ck_assert_int_eq(clgrad_output(g, "z", x), CLGRAD_E_SHAPE);
    CHECK_ERROR(INPUT("z", 1), CLGRAD_E_SHAPE, "add");
}
END_TEST

START_TEST(nodes_of_another_graph_are_refused)
{
    INPUT("x", 4);
    CHECK_ERROR(clgrad_tanh(g, 17), CLGRAD_E_ARG, "tanh", "operand 0");
}
END_TEST

START_TEST(inputs_and_outputs_keep_order_and_names)
{
    const clgrad_node x = INPUT("x", 4), w = INPUT("0.weight", 2, 4);
    ck_assert_int_eq(clgrad_output(g, "a", w), CLGRAD_OK);
    ck_assert_int_eq(clgrad_output(g, "b", x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_output(g, "c", w), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_graph_num_inputs(g), 2);
    ck_assert_uint_eq(clgrad_graph_num_outputs(g), 3);
    ck_assert_str_eq(clgrad_graph_input_name(g, 1), "0.weight");
    ck_assert_str_eq(clgrad_graph_output_name(g, 2), "c");
    ck_assert_uint_eq(clgrad_graph_output(g, 2), w);
    ck_assert_uint_eq(clgrad_graph_input(g, 2), CLGRAD_NONE);
    ck_assert_ptr_null(clgrad_graph_output_name(g, 3));
}
END_TEST

START_TEST(input_names_are_unique)
{
    INPUT("x", 4);
    CHECK_ERROR(INPUT("x", 4), CLGRAD_E_ARG, "input", "'x'");
}
END_TEST

START_TEST(input_names_have_letters)
{
    CHECK_ERROR(INPUT("a b", 4), CLGRAD_E_ARG, "input", "'a b'");
}
END_TEST

START_TEST(output_names_have_letters)
{
    const clgrad_node x = INPUT("x", 4);
    ck_assert_int_eq(clgrad_output(g, "", x), CLGRAD_E_ARG);
}
END_TEST

START_TEST(element_wise_operands_broadcast)
{
    const clgrad_node x = INPUT("x", 5, 1, 3), y = INPUT("y", 4, 1), s = clgrad_input(g, "s", CLGRAD_F32, CLGRAD_SCALAR);
    CHECK_SHAPE(clgrad_mul(g, x, y), 5, 4, 3);
    CHECK_SHAPE(clgrad_max(g, s, y), 4, 1);
    CHECK_SHAPE(clgrad_select(g, clgrad_lt(g, x, y), s, x), 5, 4, 3);
    const clgrad_op_node *n = clgrad_at(g, clgrad_sub(g, x, y));
    ck_assert_int_eq(clgrad_at(g, n->in[0])->op, CLGRAD_OP_BROADCAST);
    CHECK_SHAPE(n->in[1], 5, 4, 3);
}
END_TEST

START_TEST(views_that_change_nothing_are_their_operand)
{
    const clgrad_node x = INPUT("x", 5, 3);
    ck_assert_uint_eq(clgrad_reshape(g, x, CLGRAD_SHAPE(5, 3)), x);
    ck_assert_uint_eq(clgrad_broadcast(g, x, CLGRAD_SHAPE(5, 3)), x);
    ck_assert_uint_eq(clgrad_permute(g, x, (int32_t[]){ 0, 1 }), x);
    ck_assert_uint_eq(clgrad_slice(g, x, (int64_t[]){ 0, 0 }, (int64_t[]){ 5, 3 }, NULL), x);
    ck_assert_uint_eq(clgrad_flip(g, x, 0), x);
    ck_assert_uint_eq(clgrad_pad(g, x, (int64_t[]){ 0, 0 }, (int64_t[]){ 0, 0 }, NULL), x);
    ck_assert_uint_eq(clgrad_cast(g, x, CLGRAD_F32), x);
    ck_assert_uint_eq(clgrad_sum(g, x, 0, false), x);
}
END_TEST

START_TEST(sums_over_axes_on_both_sides_take_two_steps)
{
    const clgrad_node x = INPUT("x", 4, 3, 2);
    const clgrad_node y = clgrad_sum_cell(g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(2), false, 256);
    CHECK_SHAPE(y, 3);
    const clgrad_op_node *second = clgrad_at(g, y), *first = clgrad_at(g, second->in[0]);
    ck_assert_int_eq(second->op, CLGRAD_OP_SUM);
    ck_assert_int_eq((int)second->attr.cell, 256); /* the cell stays with the first reduced axis */
    ck_assert_int_eq(first->op, CLGRAD_OP_SUM);
    ck_assert_int_eq((int)first->attr.cell, 0);
    ck_assert_uint_eq(first->attr.axes, CLGRAD_AXIS(2));
    ck_assert_uint_eq(first->in[0], x);
    CHECK_SHAPE(clgrad_sum(g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(2), true), 1, 3, 1);
    ck_assert_int_eq(clgrad_at(g, clgrad_at(g, clgrad_reduce_max(g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(2), false))->in[0])->op,
                     CLGRAD_OP_REDUCE_MAX);
    CHECK_SHAPE(clgrad_sum(g, x, CLGRAD_ALL_AXES, true), 1, 1, 1);
    ck_assert_int_eq(clgrad_node_shape(g, clgrad_sum(g, x, CLGRAD_ALL_AXES, false)).rank, 0);
}
END_TEST

START_TEST(axes_of_extent_one_are_not_summed)
{
    const clgrad_node x = INPUT("x", 1, 4, 1, 2);
    const clgrad_node y = clgrad_sum_cell(g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(2), false, 256);
    CHECK_SHAPE(y, 4, 2);
    ck_assert_int_eq(clgrad_at(g, y)->op, CLGRAD_OP_RESHAPE);
    const clgrad_op_node *n = clgrad_at(g, clgrad_sum_cell(g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(1), false, 256));
    ck_assert_int_eq((int)clgrad_at(g, n->op == CLGRAD_OP_SUM ? n->in[0] : 0)->shape.rank, 3);
    ck_assert_int_eq((int)n->attr.cell, 0); /* the batch axis held one cell */
}
END_TEST

START_TEST(trailing_axes_are_told_from_leading_ones)
{
    const clgrad_shape s = CLGRAD_SHAPE(4, 1, 3, 1);
    ck_assert(clgrad_axes_trailing(&s, CLGRAD_AXIS(2)));
    ck_assert(clgrad_axes_trailing(&s, CLGRAD_AXIS(2) | CLGRAD_AXIS(0)));
    ck_assert(!clgrad_axes_trailing(&s, CLGRAD_AXIS(0)));
    ck_assert(!clgrad_axes_trailing(&s, CLGRAD_AXIS(0) | CLGRAD_AXIS(1)));
}
END_TEST

START_TEST(means_divide_by_the_count)
{
    const clgrad_node x = INPUT("x", 4, 3), h = clgrad_input(g, "h", CLGRAD_F16, CLGRAD_SHAPE(100000));
    const clgrad_op_node *n = clgrad_at(g, clgrad_mean(g, x, CLGRAD_AXIS(0), false));
    ck_assert_int_eq(n->op, CLGRAD_OP_DIV);
    ck_assert_double_eq(clgrad_at(g, n->in[1])->attr.value, 4);
    const clgrad_node m = clgrad_mean(g, h, CLGRAD_ALL_AXES, false);
    ck_assert_int_eq(clgrad_node_dtype(g, m), CLGRAD_F16);
    ck_assert_int_eq(clgrad_node_dtype(g, clgrad_at(g, m)->in[0]), CLGRAD_F32); /* neither sum nor count fit in f16 */
}
END_TEST

START_TEST(matmul_broadcasts_leading_axes)
{
    const clgrad_node a = INPUT("a", 5, 1, 2, 3), b = INPUT("b", 4, 3, 6), c = INPUT("c", 6, 3);
    CHECK_SHAPE(clgrad_matmul(g, a, b, false, false), 5, 4, 2, 6);
    CHECK_SHAPE(clgrad_matmul(g, a, c, false, true), 5, 1, 2, 6);
    CHECK_SHAPE(clgrad_matmul(g, c, b, false, false), 4, 6, 6);
    CHECK_SHAPE(clgrad_matmul(g, b, c, true, true), 4, 6, 6);
}
END_TEST

/* A body w * x + 1 of one output. */
static clgrad_graph *make_body(void)
{
    clgrad_graph *body = NULL;
    ck_assert_int_eq(clgrad_graph_create(ctx, &body), CLGRAD_OK);
    const clgrad_node w = clgrad_input(body, "w", CLGRAD_F32, CLGRAD_SHAPE(3));
    const clgrad_node x = clgrad_input(body, "x", CLGRAD_F32, CLGRAD_SHAPE(3));
    clgrad_exp(body, x); /* dead code is not copied */
    ck_assert_int_eq(clgrad_output(body, "y", clgrad_offset(body, clgrad_mul(body, w, x), 1)), CLGRAD_OK);
    return body;
}

START_TEST(calls_stand_for_their_body)
{
    clgrad_graph *body = make_body(), *expanded = NULL;
    const clgrad_node x = INPUT("x", 3);
    const clgrad_node y = clgrad_call(g, "affine", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ x, x }, NULL, NULL);
    ck_assert_uint_eq(clgrad_call(g, "affine", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ x, x }, NULL, NULL), y);
    ck_assert_uint_ne(clgrad_call(g, "other", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ x, x }, NULL, NULL), y);
    CHECK_SHAPE(y, 3);
    ck_assert_int_eq(clgrad_output(g, "y", y), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_exp(body, 0), CLGRAD_NONE); /* a body cannot change any more */
    ck_assert_int_eq(clgrad_graph_status(body), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_graph_expand_calls(g, &expanded), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_graph_num_nodes(expanded), 4); /* x, x*x, 1, + */
    ck_assert_int_eq(clgrad_graph_verify(expanded), CLGRAD_OK);
    clgrad_graph_release(&expanded);
    clgrad_graph_release(&body);
}
END_TEST

START_TEST(call_operands_must_fit_the_body)
{
    clgrad_graph *body = make_body();
    const clgrad_node x = INPUT("x", 3), y = INPUT("y", 2);
    CHECK_ERROR(clgrad_call(g, "affine", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ x, y }, NULL, NULL), CLGRAD_E_SHAPE,
                "affine", "operand 1", "[3]", "[2]");
    clgrad_graph_release(&body);
}
END_TEST

START_TEST(a_graph_cannot_call_itself)
{
    const clgrad_node x = INPUT("x", 3);
    CHECK_ERROR(clgrad_call(g, "self", CLGRAD_ROLE_USER, g, 1, &x, NULL, NULL), CLGRAD_E_ARG, "self");
}
END_TEST

/* What contexts share no allocator, graphs must not share. */
START_TEST(bodies_of_another_context_are_refused)
{
    clgrad_context *other = NULL;
    clgrad_graph *body = NULL, *away = NULL;
    ck_assert_int_eq(clgrad_context_create(NULL, &other), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_create(other, &body), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_create(other, &away), CLGRAD_OK);
    ck_assert_int_eq(clgrad_output(body, "y", clgrad_exp(body, clgrad_input(body, "x", CLGRAD_F32, CLGRAD_SHAPE(3)))), CLGRAD_OK);
    const clgrad_node x = INPUT("x", 3);
    clgrad_node y = 0;
    ck_assert_int_eq(clgrad_graph_inline(away, g, NULL, &y), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(other), "another context"));
    CHECK_ERROR(clgrad_call(g, "away", CLGRAD_ROLE_USER, body, 1, &x, NULL, NULL), CLGRAD_E_ARG, "another context");
    clgrad_graph_release(&body);
    clgrad_graph_release(&away);
    clgrad_context_release(&other);
}
END_TEST

START_TEST(inline_replaces_inputs)
{
    clgrad_graph *body = make_body();
    const clgrad_node x = INPUT("x", 3);
    clgrad_node y = 0;
    ck_assert_int_eq(clgrad_graph_inline(g, body, (clgrad_node[]){ x, x }, &y), CLGRAD_OK);
    ck_assert_uint_eq(y, clgrad_offset(g, clgrad_square(g, x), 1));
    ck_assert_uint_eq(clgrad_graph_num_nodes(g), 4);
    const clgrad_node bad = INPUT("z", 2);
    ck_assert_int_eq(clgrad_graph_inline(g, body, (clgrad_node[]){ x, bad }, &y), CLGRAD_E_SHAPE);
    CHECK_ERROR(y, CLGRAD_E_SHAPE, "inline", "operand x");
    clgrad_graph_release(&body);
}
END_TEST

Suite *build_suite(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("build");
    tcase_add_checked_fixture(tests, graph_setup, graph_teardown);
    tcase_add_test(tests, equal_nodes_are_one_node);
    tcase_add_test(tests, thousands_of_nodes_stay_distinct);
    tcase_add_test(tests, the_first_error_stays);
    tcase_add_test(tests, nodes_of_another_graph_are_refused);
    tcase_add_test(tests, inputs_and_outputs_keep_order_and_names);
    tcase_add_test(tests, input_names_are_unique);
    tcase_add_test(tests, input_names_have_letters);
    tcase_add_test(tests, output_names_have_letters);
    tcase_add_test(tests, element_wise_operands_broadcast);
    tcase_add_test(tests, views_that_change_nothing_are_their_operand);
    tcase_add_test(tests, sums_over_axes_on_both_sides_take_two_steps);
    tcase_add_test(tests, axes_of_extent_one_are_not_summed);
    tcase_add_test(tests, trailing_axes_are_told_from_leading_ones);
    tcase_add_test(tests, means_divide_by_the_count);
    tcase_add_test(tests, matmul_broadcasts_leading_axes);
    tcase_add_test(tests, calls_stand_for_their_body);
    tcase_add_test(tests, call_operands_must_fit_the_body);
    tcase_add_test(tests, a_graph_cannot_call_itself);
    tcase_add_test(tests, bodies_of_another_context_are_refused);
    tcase_add_test(tests, inline_replaces_inputs);
    suite_add_tcase(suite, tests);
    return suite;
}
