/* Simplification by examples: what is rewritten to what, what is left alone, and that inputs and outputs keep their places. */

#include "graph_test.h"

static clgrad_graph *s; /* the simplified graph */

static void setup(void)
{
    s = NULL;
    graph_setup();
}

static void teardown(void)
{
    if (s) ck_assert_msg(clgrad_graph_verify(s) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    clgrad_graph_release(&s);
    graph_teardown();
}

/* Simplify g with `y` as its only output; the node that stands for y. */
static const clgrad_op_node *simplified(clgrad_node y)
{
    ck_assert_msg(clgrad_output(g, "y", y) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    ck_assert_int_eq(clgrad_graph_simplify(g, &s), CLGRAD_OK);
    return clgrad_at(s, clgrad_graph_output(s, clgrad_graph_num_outputs(s) - 1));
}

static bool is_input(const clgrad_op_node *n, int number) { return n->op == CLGRAD_OP_INPUT && n->attr.integer == number; }

static clgrad_node number(double value) { return clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, value); }
static clgrad_node integer(clgrad_dtype dtype, int64_t value) { return clgrad_constant_int(g, dtype, CLGRAD_SCALAR, value); }

START_TEST(inputs_and_outputs_keep_their_places)
{
    const clgrad_node x = INPUT("x", 3), unused = INPUT("unused", 2), z = INPUT("z", 3);
    clgrad_exp(g, unused);
    ck_assert_int_eq(clgrad_output(g, "a", clgrad_offset(g, z, 0)), CLGRAD_OK);
    simplified(clgrad_scale(g, x, 1));
    ck_assert_uint_eq(clgrad_graph_num_inputs(s), 3);
    ck_assert_uint_eq(clgrad_graph_num_nodes(s), 3);
    ck_assert_str_eq(clgrad_graph_input_name(s, 1), "unused");
    ck_assert_str_eq(clgrad_graph_output_name(s, 0), "a");
    ck_assert(is_input(clgrad_at(s, clgrad_graph_output(s, 0)), 2));
    ck_assert(is_input(clgrad_at(s, clgrad_graph_output(s, 1)), 0));
}
END_TEST

START_TEST(neutral_elements_go)
{
    const clgrad_node x = INPUT("x", 3), zero = number(0), one = number(1);
    clgrad_node y = clgrad_mul(g, one, clgrad_add(g, zero, x));
    y = clgrad_div(g, clgrad_sub(g, clgrad_mul(g, clgrad_add(g, y, zero), one), zero), one);
    ck_assert(is_input(simplified(clgrad_neg(g, clgrad_neg(g, y))), 0));
}
END_TEST

START_TEST(zero_times_x_stays_for_reals)
{
    const clgrad_op_node *n = simplified(clgrad_scale(g, INPUT("x", 3), 0)); /* x may be NaN */
    ck_assert_int_eq(n->op, CLGRAD_OP_MUL);
}
END_TEST

START_TEST(zero_times_x_goes_for_integers)
{
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_I32, CLGRAD_SHAPE(3));
    const clgrad_op_node *n = simplified(clgrad_scale(g, x, 0));
    ck_assert_int_eq(n->op, CLGRAD_OP_CONST);
    ck_assert_int_eq((int)n->attr.integer, 0);
}
END_TEST

START_TEST(negations_turn_sums_into_differences)
{
    const clgrad_node x = INPUT("x", 3), y = INPUT("y", 3);
    const clgrad_op_node *n = simplified(clgrad_add(g, clgrad_scale(g, x, -1), y));
    ck_assert_int_eq(n->op, CLGRAD_OP_SUB);
    ck_assert(is_input(clgrad_at(s, n->in[0]), 1));
    ck_assert(is_input(clgrad_at(s, n->in[1]), 0));
}
END_TEST

START_TEST(constants_fold_in_their_precision)
{
    const clgrad_node a = number(16777216), b = number(1);
    const clgrad_op_node *n = simplified(clgrad_sub(g, clgrad_add(g, a, b), a));
    ck_assert_int_eq(n->op, CLGRAD_OP_CONST);
    ck_assert_double_eq(n->attr.value, 0); /* 2^24 + 1 is 2^24 in f32 */
}
END_TEST

START_TEST(storage_types_fold_by_rounding_from_f32)
{
    const clgrad_node a = clgrad_constant(g, CLGRAD_F16, CLGRAD_SCALAR, 2048), b = clgrad_constant(g, CLGRAD_F16, CLGRAD_SCALAR, 1);
    ck_assert_double_eq(simplified(clgrad_add(g, a, b))->attr.value, 2048);
}
END_TEST

START_TEST(integers_wrap)
{
    const clgrad_node a = integer(CLGRAD_I32, INT32_MAX);
    const clgrad_op_node *n = simplified(clgrad_add(g, a, integer(CLGRAD_I32, 1)));
    ck_assert_int_eq(n->op, CLGRAD_OP_CONST);
    ck_assert(n->attr.integer == INT32_MIN);
}
END_TEST

START_TEST(subnormal_results_are_left_to_the_device)
{
    ck_assert_int_eq(simplified(clgrad_mul(g, number(0x1p-100), number(0x1p-40)))->op, CLGRAD_OP_MUL);
}
END_TEST

START_TEST(functions_of_constants_are_left_to_the_device)
{
    ck_assert_int_eq(simplified(clgrad_exp(g, number(1)))->op, CLGRAD_OP_EXP);
}
END_TEST

START_TEST(known_conditions_choose)
{
    const clgrad_node x = INPUT("x", 3), y = INPUT("y", 3);
    const clgrad_node three = integer(CLGRAD_I64, 3), four = integer(CLGRAD_I64, 4);
    ck_assert(is_input(simplified(clgrad_select(g, clgrad_lt(g, three, four), x, clgrad_select(g, clgrad_lt(g, x, y), y, y))), 0));
}
END_TEST

START_TEST(casts_of_constants_convert)
{
    const clgrad_op_node *n = simplified(clgrad_cast(g, clgrad_cast(g, number(-2.75), CLGRAD_I32), CLGRAD_F16));
    ck_assert_int_eq(n->op, CLGRAD_OP_CONST);
    ck_assert_int_eq(n->dtype, CLGRAD_F16);
    ck_assert_double_eq(n->attr.value, -2);
}
END_TEST

START_TEST(views_of_views_merge)
{
    const clgrad_node x = INPUT("x", 4, 3, 2);
    clgrad_node y = clgrad_permute(g, clgrad_permute(g, x, (int32_t[]){ 1, 2, 0 }), (int32_t[]){ 2, 0, 1 });
    y = clgrad_reshape(g, clgrad_reshape(g, y, CLGRAD_SHAPE(24)), CLGRAD_SHAPE(4, 3, 2));
    y = clgrad_flip(g, clgrad_flip(g, y, CLGRAD_AXIS(0) | CLGRAD_AXIS(1)), CLGRAD_AXIS(0) | CLGRAD_AXIS(1));
    ck_assert(is_input(simplified(y), 0));
}
END_TEST

START_TEST(slices_of_slices_merge)
{
    const clgrad_node x = INPUT("x", 20);
    const clgrad_node y = clgrad_slice(g, x, (int64_t[]){ 3 }, (int64_t[]){ 8 }, (int64_t[]){ 2 });
    const clgrad_op_node *n = simplified(clgrad_slice(g, y, (int64_t[]){ 1 }, (int64_t[]){ 3 }, (int64_t[]){ 3 }));
    ck_assert(is_input(clgrad_at(s, n->in[0]), 0));
    ck_assert_int_eq((int)n->attr.a[0], 5);
    ck_assert_int_eq((int)n->attr.b[0], 6);
}
END_TEST

START_TEST(broadcasts_of_broadcasts_merge)
{
    const clgrad_node x = INPUT("x", 3, 1);
    const clgrad_op_node *n = simplified(clgrad_broadcast(g, clgrad_broadcast(g, x, CLGRAD_SHAPE(3, 5)), CLGRAD_SHAPE(2, 3, 5)));
    ck_assert_int_eq(n->op, CLGRAD_OP_BROADCAST);
    ck_assert(is_input(clgrad_at(s, n->in[0]), 0));
}
END_TEST

START_TEST(permutations_that_move_only_ones_are_reshapes)
{
    const clgrad_op_node *n = simplified(clgrad_permute(g, INPUT("x", 3, 1, 2), (int32_t[]){ 1, 0, 2 }));
    ck_assert_int_eq(n->op, CLGRAD_OP_RESHAPE);
}
END_TEST

START_TEST(views_of_constants_are_constants)
{
    const clgrad_node c = clgrad_broadcast(g, number(2), CLGRAD_SHAPE(4, 3));
    const clgrad_node y = clgrad_slice(g, clgrad_transpose(g, c), (int64_t[]){ 1, 1 }, (int64_t[]){ 2, 2 }, NULL);
    const clgrad_op_node *n = simplified(clgrad_window(g, clgrad_flip(g, y, 1), 0, 2, 1, 1));
    ck_assert_int_eq(n->op, CLGRAD_OP_CONST);
    ck_assert_int_eq(n->shape.rank, 3);
}
END_TEST

START_TEST(padding_a_constant_with_other_zeros_stays)
{
    const clgrad_node c = clgrad_constant(g, CLGRAD_F32, CLGRAD_SHAPE(2), -0.0);
    ck_assert_int_eq(simplified(clgrad_pad(g, c, (int64_t[]){ 1 }, (int64_t[]){ 0 }, NULL))->op, CLGRAD_OP_PAD);
}
END_TEST

START_TEST(padding_zeros_gives_zeros)
{
    const clgrad_node c = clgrad_constant(g, CLGRAD_F32, CLGRAD_SHAPE(2), 0);
    ck_assert_int_eq(simplified(clgrad_pad(g, c, (int64_t[]){ 1 }, (int64_t[]){ 0 }, NULL))->op, CLGRAD_OP_CONST);
}
END_TEST

START_TEST(a_sum_of_nothing_is_zero)
{
    const clgrad_op_node *n = simplified(clgrad_sum(g, INPUT("x", 3, 0, 2), CLGRAD_AXIS(0) | CLGRAD_AXIS(1), false));
    ck_assert_int_eq(n->op, CLGRAD_OP_CONST);
    ck_assert(n->attr.value == 0);
    ck_assert_int_eq(n->shape.dims[0], 2);
}
END_TEST

START_TEST(calls_are_kept)
{
    clgrad_graph *body = NULL;
    ck_assert_int_eq(clgrad_graph_create(ctx, &body), CLGRAD_OK);
    const clgrad_node v = clgrad_input(body, "v", CLGRAD_F32, CLGRAD_SHAPE(3)), x = INPUT("x", 3);
    ck_assert_int_eq(clgrad_output(body, "w", clgrad_scale(body, v, 1)), CLGRAD_OK);
    const clgrad_op_node *n = simplified(clgrad_call(g, "id", CLGRAD_ROLE_USER, body, 1, &x, NULL, NULL));
    ck_assert_int_eq(n->op, CLGRAD_OP_CALL);
    ck_assert_str_eq(n->attr.call->name, "id");
    clgrad_graph_release(&body);
}
END_TEST

START_TEST(a_failed_graph_is_refused)
{
    clgrad_exp(g, 3);
    ck_assert_int_eq(clgrad_graph_simplify(g, &s), CLGRAD_E_ARG);
    ck_assert_ptr_null(s);
}
END_TEST

Suite *simplify_suite(void)
{
    Suite *suite = suite_create("simplify");
    TCase *tests = tcase_create("simplify");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, inputs_and_outputs_keep_their_places);
    tcase_add_test(tests, neutral_elements_go);
    tcase_add_test(tests, zero_times_x_stays_for_reals);
    tcase_add_test(tests, zero_times_x_goes_for_integers);
    tcase_add_test(tests, negations_turn_sums_into_differences);
    tcase_add_test(tests, constants_fold_in_their_precision);
    tcase_add_test(tests, storage_types_fold_by_rounding_from_f32);
    tcase_add_test(tests, integers_wrap);
    tcase_add_test(tests, subnormal_results_are_left_to_the_device);
    tcase_add_test(tests, functions_of_constants_are_left_to_the_device);
    tcase_add_test(tests, known_conditions_choose);
    tcase_add_test(tests, casts_of_constants_convert);
    tcase_add_test(tests, views_of_views_merge);
    tcase_add_test(tests, slices_of_slices_merge);
    tcase_add_test(tests, broadcasts_of_broadcasts_merge);
    tcase_add_test(tests, permutations_that_move_only_ones_are_reshapes);
    tcase_add_test(tests, views_of_constants_are_constants);
    tcase_add_test(tests, padding_a_constant_with_other_zeros_stays);
    tcase_add_test(tests, padding_zeros_gives_zeros);
    tcase_add_test(tests, a_sum_of_nothing_is_zero);
    tcase_add_test(tests, calls_are_kept);
    tcase_add_test(tests, a_failed_graph_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
