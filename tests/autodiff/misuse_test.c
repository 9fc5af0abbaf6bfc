/* What has no derivative is refused, with a sentence that names it. */

#include "autodiff/fixture.h"

/* x real [3], i integer [3]; outputs "y" real [3], "n" integer [3], "s" scalar. */
static clgrad_graph *mixed(void)
{
    clgrad_graph *g = graph_new();
    const clgrad_node x = graph_real(g, "x", CLGRAD_SHAPE(3)), i = clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(3));
    clgrad_output(g, "y", clgrad_mul(g, x, clgrad_cast(g, i, CLGRAD_F32)));
    clgrad_output(g, "n", clgrad_argmax(g, x, 0));
    clgrad_output(g, "s", clgrad_sum(g, clgrad_sin(g, x), CLGRAD_ALL_AXES, false));
    CHECK_OK(clgrad_graph_status(g));
    return g;
}

START_TEST(integer_inputs_have_no_derivative)
{
    clgrad_graph *g = mixed(), *out = NULL;
    const size_t i = 1;
    check_refused(clgrad_jvp(g, 1, &i, &out), CLGRAD_E_DERIVATIVE, "'i'", out);
    check_refused(clgrad_vjp(g, 1, &i, &out), CLGRAD_E_DERIVATIVE, "'i'", out);
    check_refused(clgrad_gradient(g, 2, 1, &i, &out), CLGRAD_E_DERIVATIVE, "'i'", out);
    check_refused(clgrad_hessian_vector(g, 2, 1, &i, &out), CLGRAD_E_DERIVATIVE, "'i'", out);
    check_refused(clgrad_transpose_linear(g, 1, &i, &out), CLGRAD_E_DERIVATIVE, "'i'", out);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(outputs_must_be_real_scalars)
{
    clgrad_graph *g = mixed(), *out = NULL;
    const size_t x = 0;
    check_refused(clgrad_gradient(g, 1, 1, &x, &out), CLGRAD_E_DERIVATIVE, "'n'", out);
    check_refused(clgrad_gradient(g, 0, 1, &x, &out), CLGRAD_E_SHAPE, "'y'", out);
    check_refused(clgrad_hessian_vector(g, 0, 1, &x, &out), CLGRAD_E_SHAPE, "[3]", out);
    check_refused(clgrad_gradient(g, 3, 1, &x, &out), CLGRAD_E_ARG, "output 3", out);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(input_numbers_are_checked)
{
    clgrad_graph *g = mixed(), *out = NULL, *other = NULL;
    const size_t beyond = 2, twice[] = { 0, 0 };
    check_refused(clgrad_jvp(g, 1, &beyond, &out), CLGRAD_E_ARG, "input 2", out);
    check_refused(clgrad_batch(g, 2, 1, &beyond, &out), CLGRAD_E_ARG, "input 2", out);
    check_refused(clgrad_batch(g, -1, 1, &twice[0], &out), CLGRAD_E_ARG, "negative", out);
    check_refused(clgrad_split(g, 1, &beyond, &out, &other, NULL), CLGRAD_E_ARG, "input 2", out);
    check_refused(clgrad_vjp(g, 2, twice, &out), CLGRAD_E_ARG, "twice", out);
    clgrad_graph_release(&g);
}
END_TEST

/* One function of x and c [3] that is not linear in x. */
static void check_not_linear(clgrad_node (*f)(clgrad_graph *g, clgrad_node x, clgrad_node c), const char *word)
{
    clgrad_graph *g = graph_new(), *out = NULL;
    const size_t x = 0;
    const clgrad_node in = graph_real(g, "x", CLGRAD_SHAPE(3)), c = graph_real(g, "c", CLGRAD_SHAPE(3));
    clgrad_output(g, "y", f(g, in, c));
    CHECK_OK(clgrad_graph_status(g));
    check_refused(clgrad_transpose_linear(g, 1, &x, &out), CLGRAD_E_DERIVATIVE, word, out);
    clgrad_graph_release(&g);
}

static clgrad_node function_sin(clgrad_graph *g, clgrad_node x, clgrad_node c) { return clgrad_mul(g, clgrad_sin(g, x), c); }
static clgrad_node function_square(clgrad_graph *g, clgrad_node x, clgrad_node c) { return clgrad_mul(g, clgrad_square(g, x), c); }
static clgrad_node function_div(clgrad_graph *g, clgrad_node x, clgrad_node c) { return clgrad_div(g, c, x); }
static clgrad_node function_affine(clgrad_graph *g, clgrad_node x, clgrad_node c) { return clgrad_add(g, clgrad_neg(g, x), c); }
static clgrad_node function_constant(clgrad_graph *g, clgrad_node x, clgrad_node c) { return (void)x, clgrad_neg(g, c); }

static clgrad_node function_join(clgrad_graph *g, clgrad_node x, clgrad_node c)
{
    return clgrad_concat(g, 2, (clgrad_node[]){ x, c }, 0);
}

static clgrad_node function_choice(clgrad_graph *g, clgrad_node x, clgrad_node c)
{
    return clgrad_select(g, clgrad_lt(g, x, c), x, clgrad_neg(g, x));
}

static clgrad_node function_outer(clgrad_graph *g, clgrad_node x, clgrad_node c)
{
    const clgrad_node row = clgrad_reshape(g, x, CLGRAD_SHAPE(1, 3));
    (void)c;
    return clgrad_matmul(g, row, row, true, false);
}

START_TEST(transposing_needs_linearity)
{
    check_not_linear(function_sin, "SIN");
    check_not_linear(function_square, "MUL");
    check_not_linear(function_div, "DIV");
    check_not_linear(function_affine, "ADD");
    check_not_linear(function_constant, "'y'");
    check_not_linear(function_join, "CONCAT");
    check_not_linear(function_choice, "SELECT");
    check_not_linear(function_outer, "MATMUL");
}
END_TEST

static clgrad_node wrong_shape(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)x, (void)count, (void)y, (void)user;
    return clgrad_sum(g, dx[0], CLGRAD_ALL_AXES, false);
}

START_TEST(a_call_must_return_its_own_shape)
{
    clgrad_graph *g = graph_new(), *body = graph_new(), *out = NULL;
    const size_t x = 0;
    clgrad_output(body, "y", clgrad_sin(body, graph_real(body, "x", CLGRAD_SHAPE(3))));
    const clgrad_node in = graph_real(g, "x", CLGRAD_SHAPE(3));
    clgrad_output(g, "y", clgrad_call(g, "mine", CLGRAD_ROLE_USER, body, 1, &in, wrong_shape, NULL));
    check_refused(clgrad_jvp(g, 1, &x, &out), CLGRAD_E_SHAPE, "'mine'", out);
    check_refused(clgrad_vjp(g, 1, &x, &out), CLGRAD_E_SHAPE, "'mine'", out);
    clgrad_graph_release(&body);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(a_batch_needs_room_for_its_axis)
{
    clgrad_graph *g = graph_new(), *out = NULL;
    const size_t x = 0;
    const clgrad_shape eight = clgrad_shape_make(8, (int64_t[]){ 1, 1, 2, 1, 1, 1, 1, 1 });
    const clgrad_node full = graph_real(g, "x", eight);
    clgrad_output(g, "y", clgrad_neg(g, full));
    check_refused(clgrad_batch(g, 2, 1, &x, &out), CLGRAD_E_SHAPE, "rank", out);
    clgrad_graph_release(&g);

    g = graph_new();
    clgrad_output(g, "y", clgrad_reshape(g, graph_real(g, "x", CLGRAD_SHAPE(2)), eight));
    check_refused(clgrad_batch(g, 2, 1, &x, &out), CLGRAD_E_SHAPE, "rank", out);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(a_failed_graph_stays_failed)
{
    clgrad_graph *g = graph_new(), *out = NULL;
    const size_t x = 0;
    const clgrad_node a = graph_real(g, "a", CLGRAD_SHAPE(3)), b = graph_real(g, "b", CLGRAD_SHAPE(4));
    clgrad_add(g, a, b);
    check_refused(clgrad_jvp(g, 1, &x, &out), CLGRAD_E_SHAPE, "add", out);
    clgrad_graph_release(&g);
}
END_TEST

Suite *misuse_suite(void)
{
    Suite *suite = suite_create("autodiff.misuse");
    TCase *tests = tcase_create("misuse");
    tcase_add_checked_fixture(tests, autodiff_setup, autodiff_teardown);
    tcase_add_test(tests, integer_inputs_have_no_derivative);
    tcase_add_test(tests, outputs_must_be_real_scalars);
    tcase_add_test(tests, input_numbers_are_checked);
    tcase_add_test(tests, transposing_needs_linearity);
    tcase_add_test(tests, a_call_must_return_its_own_shape);
    tcase_add_test(tests, a_batch_needs_room_for_its_axis);
    tcase_add_test(tests, a_failed_graph_stays_failed);
    suite_add_tcase(suite, tests);
    return suite;
}
