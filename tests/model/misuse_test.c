/* Layers and losses refuse operands that do not fit, naming layer and operand. */

#include "model_test.h"

static clgrad_node f(const char *name, int64_t rows, int64_t columns)
{
    return clgrad_input(g, name, CLGRAD_F32, CLGRAD_SHAPE(rows, columns));
}

static clgrad_node v(const char *name, int64_t n) { return clgrad_input(g, name, CLGRAD_F32, CLGRAD_SHAPE(n)); }
static clgrad_node i32(const char *name, int64_t n) { return clgrad_input(g, name, CLGRAD_I32, CLGRAD_SHAPE(n)); }
static clgrad_node scalar(const char *name) { return clgrad_input(g, name, CLGRAD_F32, CLGRAD_SCALAR); }

static clgrad_node linear_of_a_vector(void) { return clgrad_linear(g, v("x", 3), f("w", 2, 3), CLGRAD_NONE); }
static clgrad_node linear_of_other_inputs(void) { return clgrad_linear(g, f("x", 5, 4), f("w", 2, 3), CLGRAD_NONE); }
static clgrad_node linear_of_another_bias(void) { return clgrad_linear(g, f("x", 5, 3), f("w", 2, 3), v("b", 3)); }
static clgrad_node linear_without_weight(void) { return clgrad_linear(g, f("x", 5, 3), CLGRAD_NONE, CLGRAD_NONE); }
static clgrad_node relu_of_no_node(void) { return clgrad_relu(g, 9); }
static clgrad_node gelu_of_integers(void) { return clgrad_gelu(g, i32("x", 3)); }
static clgrad_node softmax_of_a_scalar(void) { return clgrad_softmax(g, scalar("x")); }
static clgrad_node dropout_of_all(void) { return clgrad_dropout(g, v("x", 3), 1, 0, 0, 0); }
static clgrad_node dropout_of_a_scalar(void) { return clgrad_dropout(g, scalar("x"), 0.5, 0, 0, 0); }
static clgrad_node dropout_by_a_real_seed(void) { return clgrad_dropout(g, v("x", 3), 0.5, scalar("s"), scalar("t"), 0); }
static clgrad_node mse_of_shapes_apart(void) { return clgrad_loss_mse(g, f("z", 5, 1), v("y", 5)); }
static clgrad_node mae_of_types_apart(void) { return clgrad_loss_mae(g, v("z", 5), i32("y", 5)); }
static clgrad_node huber_of_no_delta(void) { return clgrad_loss_huber(g, v("z", 5), v("y", 5), 0); }
static clgrad_node bce_of_a_scalar(void) { return clgrad_loss_bce(g, scalar("z"), scalar("y")); }
static clgrad_node labels_for_other_samples(void) { return clgrad_loss_cross_entropy(g, f("z", 5, 3), i32("y", 4)); }
static clgrad_node labels_that_are_reals(void) { return clgrad_loss_cross_entropy(g, f("z", 5, 3), v("y", 5)); }
static clgrad_node probabilities_of_other_classes(void) { return clgrad_loss_cross_entropy_dense(g, f("z", 5, 3), f("y", 5, 2)); }

static const struct {
    clgrad_node (*build)(void);
    clgrad_status status;
    const char *words[2];
} rows[] = {
    { linear_of_a_vector, CLGRAD_E_SHAPE, { "linear", "operand x" } },
    { linear_of_other_inputs, CLGRAD_E_SHAPE, { "linear", "operand weight" } },
    { linear_of_another_bias, CLGRAD_E_SHAPE, { "linear", "operand bias" } },
    { linear_without_weight, CLGRAD_E_ARG, { "linear", "operand weight" } },
    { relu_of_no_node, CLGRAD_E_ARG, { "relu", "operand 0" } },
    { gelu_of_integers, CLGRAD_E_DTYPE, { "gelu", "operand 0 is i32" } },
    { softmax_of_a_scalar, CLGRAD_E_SHAPE, { "softmax", "operand 0" } },
    { dropout_of_all, CLGRAD_E_ARG, { "dropout", "rate 1" } },
    { dropout_of_a_scalar, CLGRAD_E_SHAPE, { "dropout", "operand 0" } },
    { dropout_by_a_real_seed, CLGRAD_E_DTYPE, { "dropout", "f32" } },
    { mse_of_shapes_apart, CLGRAD_E_SHAPE, { "mse", "[5, 1] and [5]" } },
    { mae_of_types_apart, CLGRAD_E_DTYPE, { "mae", "operand 1 is i32" } },
    { huber_of_no_delta, CLGRAD_E_ARG, { "huber", "delta 0" } },
    { bce_of_a_scalar, CLGRAD_E_SHAPE, { "bce", "sample axis" } },
    { labels_for_other_samples, CLGRAD_E_SHAPE, { "cross_entropy", "[5, 3] and [4]" } },
    { labels_that_are_reals, CLGRAD_E_DTYPE, { "cross_entropy", "operand 1 is f32" } },
    { probabilities_of_other_classes, CLGRAD_E_SHAPE, { "cross_entropy_dense", "[5, 2]" } },
};

START_TEST(misuse_is_refused)
{
    ck_assert_uint_eq(rows[_i].build(), CLGRAD_NONE);
    ck_assert_msg(clgrad_graph_status(g) == rows[_i].status, "%s", clgrad_error_text(ctx));
    for (size_t k = 0; k < 2; k++)
        ck_assert_msg(strstr(clgrad_error_text(ctx), rows[_i].words[k]) != NULL, "'%s' is not in '%s'", rows[_i].words[k],
                      clgrad_error_text(ctx));
}
END_TEST

Suite *misuse_suite(void)
{
    Suite *suite = suite_create("misuse");
    TCase *tests = tcase_create("misuse");
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_loop_test(tests, misuse_is_refused, 0, (int)CLGRAD_COUNT(rows));
    suite_add_tcase(suite, tests);
    return suite;
}
