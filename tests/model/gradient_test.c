/* Whole models under each loss: the gradient by every parameter against central differences in f64, with dropout in place. */

#include "clgrad/autodiff.h"
#include "model/value.h"

#include <math.h>
#include <stdlib.h>

enum { B = 5, PARAMETERS = 4, MAX_COUNT = 12, INPUTS = 8 };

static double theta[PARAMETERS][MAX_COUNT], x[B * 4], target[B * 2], seed = 11, base = 300;

/* Inputs: parameters, x, hyper.seed, hyper.sample, y. Output: the sum of the samples' losses. */
static clgrad_graph *objective(const clgrad_model *model, const clgrad_loss_info *loss)
{
    clgrad_graph *m = NULL, *f = NULL;
    clgrad_node in[INPUTS], z = CLGRAD_NONE;
    ck_assert_int_eq(clgrad_model_graph(model, B, true, &m), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_create(ctx, &f), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_copy_inputs(m, f, in), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_inline(f, m, in, &z), CLGRAD_OK);
    const clgrad_node y = loss->labels ? clgrad_input(f, "y", CLGRAD_I32, CLGRAD_SHAPE(B)) : clgrad_input(f, "y", CLGRAD_F32, CLGRAD_SHAPE(B, 2));
    const clgrad_node each = loss->build(f, z, y);
    ck_assert_int_eq(clgrad_output(f, "loss", clgrad_sum_cell(f, each, CLGRAD_ALL_AXES, false, 256)), CLGRAD_OK);
    clgrad_graph_release(&m);
    return f;
}

static double value_of(const clgrad_graph *f, const double *const *in)
{
    double *out[1];
    value_evaluate(f, CLGRAD_REF_F64, in, out);
    const double value = out[0][0];
    free(out[0]);
    return value;
}

static void check_parameter(const clgrad_graph *f, const double *const *in, size_t p, size_t count, const double *slope)
{
    const double h = 1e-5; /* the tolerance is that of the constants, which are f32 as the model is */
    for (size_t k = 0; k < count; k++) {
        const double at = theta[p][k];
        theta[p][k] = at + h;
        const double up = value_of(f, in);
        theta[p][k] = at - h;
        const double down = value_of(f, in), difference = (up - down) / (2 * h);
        theta[p][k] = at;
        ck_assert_msg(value_near(slope[k], difference, 2e-7), "parameter %zu, element %zu: %.12g, not %.12g", p, k, slope[k], difference);
        ck_assert(!value_near(slope[k] + 1e-4, difference, 2e-7)); /* the check is able to fail */
    }
}

static void check_objective(const clgrad_model *model, const clgrad_loss_info *loss)
{
    clgrad_graph *f = objective(model, loss), *d = NULL;
    double *out[8];
    const double *in[INPUTS] = { theta[0], theta[1], theta[2], theta[3], x, &seed, &base, target };
    ck_assert_msg(clgrad_gradient(f, 0, PARAMETERS, (size_t[]){ 0, 1, 2, 3 }, &d) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    value_evaluate(d, CLGRAD_REF_F64, in, out);
    for (size_t p = 0; p < PARAMETERS; p++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(model, p);
        check_parameter(f, in, p, (size_t)clgrad_shape_count(&shape), out[1 + p]);
    }
    for (size_t i = 0; i < clgrad_graph_num_outputs(d); i++) free(out[i]);
    clgrad_graph_release(&d);
    clgrad_graph_release(&f);
}

/* Activation number _i under every loss; labels 0 and 1 serve as classes, probabilities and reals, hinge wants signs. */
START_TEST(gradients_are_central_differences)
{
    clgrad_model *model = NULL;
    const clgrad_loss_info *loss = NULL;
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    float values[MAX_COUNT];
    options.layers = "4-3-2";
    options.activation = clgrad_activation_get((size_t)_i)->name;
    options.dropout = 0.25;
    ck_assert_int_eq(clgrad_model_create(ctx, &options, &model), CLGRAD_OK);
    for (size_t p = 0; p < PARAMETERS; p++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(model, p);
        const size_t count = (size_t)clgrad_shape_count(&shape);
        ck_assert_int_eq(clgrad_model_initialize(model, 3, p, values, count), CLGRAD_OK);
        for (size_t k = 0; k < count; k++) theta[p][k] = values[k];
    }
    for (int i = 0; i < B * 4; i++) x[i] = sin(1 + 1.7 * i);
    for (size_t l = 0; (loss = clgrad_loss_get(l)); l++) {
        for (int i = 0; i < B * 2; i++) target[i] = strcmp(loss->name, "hinge") == 0 ? 1 - 2 * (i % 3 > 0) : i % 3 > 0;
        check_objective(model, loss);
    }
    clgrad_model_release(&model);
}
END_TEST

Suite *gradient_suite(void)
{
    Suite *suite = suite_create("gradient");
    TCase *tests = tcase_create("gradient");
    int activations = 0;
    while (clgrad_activation_get((size_t)activations)) activations++;
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_loop_test(tests, gradients_are_central_differences, 0, activations);
    suite_add_tcase(suite, tests);
    return suite;
}
