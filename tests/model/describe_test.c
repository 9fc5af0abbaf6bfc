/* Models from a line of text: names and shapes as PyTorch's nn.Sequential has them, graphs, and what is refused. */

#include "model_test.h"

static clgrad_model *model;

static clgrad_status create(const char *layers, const char *activation, double dropout)
{
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    options.layers = layers;
    options.activation = activation;
    options.dropout = dropout;
    return clgrad_model_create(ctx, &options, &model);
}

static void expect_parameter(size_t i, const char *name, int32_t rank, int64_t d0, int64_t d1)
{
    const clgrad_shape shape = clgrad_model_parameter_shape(model, i);
    ck_assert_str_eq(clgrad_model_parameter_name(model, i), name);
    ck_assert_int_eq(shape.rank, rank);
    ck_assert_int_eq(shape.dims[0], d0);
    ck_assert_int_eq(shape.dims[1], d1);
}

START_TEST(parameters_are_named_as_in_a_sequential)
{
    ck_assert_int_eq(create("784-128-10", "relu", 0), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_model_num_parameters(model), 4);
    expect_parameter(0, "0.weight", 2, 128, 784);
    expect_parameter(1, "0.bias", 1, 128, 0);
    expect_parameter(2, "2.weight", 2, 10, 128);
    expect_parameter(3, "2.bias", 1, 10, 0);
    ck_assert_ptr_null(clgrad_model_parameter_name(model, 4));
    ck_assert_int_eq(clgrad_model_inputs(model), 784);
    ck_assert_int_eq(clgrad_model_outputs(model), 10);
    clgrad_model_release(&model);
}
END_TEST

START_TEST(dropout_layers_are_counted)
{
    ck_assert_int_eq(create("4-3-2", "gelu", 0.5), CLGRAD_OK);
    clgrad_model *second = clgrad_model_retain(model);
    clgrad_model_release(&second);
    expect_parameter(2, "3.weight", 2, 2, 3); /* lives on */
    clgrad_model_release(&model);
}
END_TEST

START_TEST(one_linear_layer_is_a_model)
{
    clgrad_graph *m = NULL;
    ck_assert_int_eq(create("3-1", "tanh", 0), CLGRAD_OK);
    ck_assert_int_eq(clgrad_model_graph(model, 5, true, &m), CLGRAD_OK);
    const clgrad_op_node *z = clgrad_at(m, clgrad_graph_output(m, 0));
    ck_assert_int_eq(z->op, CLGRAD_OP_CALL);
    ck_assert_int_eq(z->attr.call->role, CLGRAD_ROLE_LINEAR);
    ck_assert_int_eq(z->shape.dims[0], 5);
    clgrad_graph_release(&m);
    clgrad_model_release(&model);
}
END_TEST

START_TEST(dropout_is_there_in_training_only)
{
    clgrad_graph *m = NULL;
    ck_assert_int_eq(create("4-3-2", "silu", 0.25), CLGRAD_OK);
    ck_assert_int_eq(clgrad_model_graph(model, 7, false, &m), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_graph_num_inputs(m), 5);
    ck_assert_str_eq(clgrad_graph_input_name(m, 4), "x");
    ck_assert_int_eq(clgrad_graph_verify(m), CLGRAD_OK);
    clgrad_graph_release(&m);
    ck_assert_int_eq(clgrad_model_graph(model, 7, true, &m), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_graph_num_inputs(m), 7);
    ck_assert_str_eq(clgrad_graph_input_name(m, 5), "hyper.seed");
    ck_assert_str_eq(clgrad_graph_input_name(m, 6), "hyper.sample");
    ck_assert_str_eq(clgrad_graph_output_name(m, 0), "z");
    ck_assert_int_eq(clgrad_graph_verify(m), CLGRAD_OK);
    clgrad_graph_release(&m);
    clgrad_model_release(&model);
}
END_TEST

START_TEST(every_activation_and_loss_is_found_by_name)
{
    const clgrad_activation_info *activation = NULL, *found = NULL;
    const clgrad_loss_info *loss = NULL, *found_loss = NULL;
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(6, 3));
    const clgrad_node label = clgrad_input(g, "label", CLGRAD_I32, CLGRAD_SHAPE(6));
    for (size_t i = 0; (activation = clgrad_activation_get(i)); i++) {
        ck_assert_int_eq(clgrad_activation_find(ctx, activation->name, &found), CLGRAD_OK);
        ck_assert_ptr_eq(found, activation);
        ck_assert_int_eq(clgrad_node_shape(g, activation->build(g, x)).dims[1], 3);
    }
    for (size_t i = 0; (loss = clgrad_loss_get(i)); i++) {
        ck_assert_int_eq(clgrad_loss_find(ctx, loss->name, &found_loss), CLGRAD_OK);
        ck_assert_ptr_eq(found_loss, loss);
        const clgrad_shape shape = clgrad_node_shape(g, loss->build(g, x, loss->labels ? label : x));
        ck_assert_int_eq(shape.rank, 1);
        ck_assert_int_eq(shape.dims[0], 6);
    }
    ck_assert_int_eq(clgrad_graph_status(g), CLGRAD_OK);
}
END_TEST

START_TEST(unknown_words_are_refused_with_a_suggestion)
{
    const clgrad_loss_info *loss = NULL;
    ck_assert_int_eq(create("4-3-2", "rellu", 0), CLGRAD_E_CONFIG);
    ck_assert_ptr_null(model);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "did you mean 'relu'"));
    ck_assert_int_eq(clgrad_loss_find(ctx, "crossentropy", &loss), CLGRAD_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "'cross-entropy'"));
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    options.layers = "2-1";
    options.init = "zero";
    ck_assert_int_eq(clgrad_model_create(ctx, &options, &model), CLGRAD_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "'zeros'"));
}
END_TEST

static const char *const bad_layers[] = { "",        "784",      "784-",    "-784-10",      "784--10", "784-0-10",
                                          "784-ten", "784 - 10", "784-1e3", "9999999999-1", "784-10-" };

START_TEST(bad_layer_texts_are_refused)
{
    ck_assert_int_eq(create(bad_layers[_i], "relu", 0), CLGRAD_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), bad_layers[_i]));
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(bad_rates_are_refused)
{
    ck_assert_int_eq(create("4-3-2", "relu", 1), CLGRAD_E_CONFIG);
    ck_assert_int_eq(create("4-3-2", "relu", -0.1), CLGRAD_E_CONFIG);
}
END_TEST

Suite *describe_suite(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("describe");
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_test(tests, parameters_are_named_as_in_a_sequential);
    tcase_add_test(tests, dropout_layers_are_counted);
    tcase_add_test(tests, one_linear_layer_is_a_model);
    tcase_add_test(tests, dropout_is_there_in_training_only);
    tcase_add_test(tests, every_activation_and_loss_is_found_by_name);
    tcase_add_test(tests, unknown_words_are_refused_with_a_suggestion);
    tcase_add_loop_test(tests, bad_layer_texts_are_refused, 0, (int)CLGRAD_COUNT(bad_layers));
    tcase_add_test(tests, bad_rates_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
