/* The checker is able to fail: each kind of damage to a sound graph is found, in words. And the printed forms. */

#include "graph_test.h"

static clgrad_op_node *damaged(clgrad_node n) { return g->nodes[n]; }

static void expect_found(const char *words)
{
    ck_assert_int_eq(clgrad_graph_verify(g), CLGRAD_E_CHECK);
    ck_assert_msg(strstr(clgrad_error_text(ctx), words) != NULL, "'%s' is not in '%s'", words, clgrad_error_text(ctx));
}

START_TEST(damage_is_found)
{
    const clgrad_node x = INPUT("x", 4, 3), y = clgrad_sum(g, clgrad_exp(g, x), CLGRAD_AXIS(1), false);
    ck_assert_int_eq(clgrad_output(g, "y", y), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_verify(g), CLGRAD_OK);

    clgrad_op_node *const n = damaged(y), sound = *n, *const input = damaged(x);
    n->shape.dims[0] = 5;
    expect_found("another shape");
    n->shape = sound.shape;
    n->dtype = CLGRAD_F64;
    expect_found("another element type");
    n->dtype = sound.dtype;
    n->attr.axes = 0xf0;
    expect_found("0xf0");
    n->attr = sound.attr;
    n->in[0] = y;
    expect_found("come before");
    n->in[0] = y - 1;
    n->num_in = 0;
    expect_found("number of operands");
    n->num_in = 1;
    n->op = CLGRAD_OP_COUNT;
    expect_found("table");
    n->op = CLGRAD_OP_CALL;
    expect_found("no call");
    n->op = sound.op;
    input->attr.integer = 1;
    expect_found("list of inputs");
    input->attr.integer = 0;
    g->inputs[0] = y;
    expect_found("list of inputs");
    g->inputs[0] = x;
    g->outputs[0] = 99;
    expect_found("'y'");
    g->outputs[0] = y;
    ck_assert_int_eq(clgrad_graph_verify(g), CLGRAD_OK);
}
END_TEST

START_TEST(text_shows_every_attribute)
{
    char *text = NULL;
    const clgrad_node x = INPUT("x", 4, 3), i = clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(2));
    clgrad_node y = clgrad_slice(g, x, (int64_t[]){ 1, 0 }, (int64_t[]){ 2, 3 }, NULL);
    y = clgrad_matmul_cell(g, y, clgrad_scale(g, y, 0.1), true, false, 256);
    ck_assert_int_eq(clgrad_output(g, "out", clgrad_take(g, y, i, 1)), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_print(g, &text), CLGRAD_OK);
    ck_assert_str_eq(text, "graph 2 inputs, 7 nodes, 1 outputs\n"
                           "  n0 = input x : f32 [4, 3]\n"
                           "  n1 = input i : i32 [2]\n"
                           "  n2 = slice n0 start=1,0 step=1,1 : f32 [2, 3]\n"
                           "  n3 = const 0.10000000149011612 : f32 [2, 3]\n"
                           "  n4 = mul n2, n3 : f32 [2, 3]\n"
                           "  n5 = matmul n2, n4 trans_a cell=256 : f32 [3, 3]\n"
                           "  n6 = take n5, n1 axis=1 : f32 [3, 2]\n"
                           "  output out = n6\n");
    clgrad_graph_text_release(g, &text);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(clgrad_graph_print_dot(g, &text), CLGRAD_OK);
    ck_assert_ptr_nonnull(strstr(text, "n2 -> n5"));
    clgrad_graph_text_release(g, &text);
}
END_TEST

START_TEST(digests_tell_graphs_apart)
{
    char first[65], second[65], third[65];
    const clgrad_node x = INPUT("x", 4, 3);
    ck_assert_int_eq(clgrad_graph_digest(g, first), CLGRAD_OK);
    clgrad_sum_cell(g, x, CLGRAD_AXIS(0), false, 256);
    ck_assert_int_eq(clgrad_graph_digest(g, second), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_digest(g, third), CLGRAD_OK);
    ck_assert_uint_eq(strlen(first), 64);
    ck_assert_str_eq(second, third);
    ck_assert_str_ne(first, second);
}
END_TEST

Suite *verify_suite(void)
{
    Suite *suite = suite_create("verify");
    TCase *tests = tcase_create("verify");
    tcase_add_checked_fixture(tests, graph_setup, graph_teardown);
    tcase_add_test(tests, damage_is_found);
    tcase_add_test(tests, text_shows_every_attribute);
    tcase_add_test(tests, digests_tell_graphs_apart);
    suite_add_tcase(suite, tests);
    return suite;
}
