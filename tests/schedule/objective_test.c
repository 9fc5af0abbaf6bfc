/* Objectives: what is summed, what is refused. */

#include "ref/ref.h"
#include "schedule/schedule.h"
#include "schedule/suites.h"
#include "support/device.h"

#include <math.h>

enum { B = 600, F = 3 };

/* z = x w */
static clgrad_graph *linear_model(void)
{
    clgrad_graph *g = NULL;
    ck_ok(clgrad_graph_create(test_context(), &g));
    const clgrad_node w = clgrad_input(g, "w", CLGRAD_F32, CLGRAD_SHAPE(F)), x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(B, F));
    ck_ok(clgrad_output(g, "z", clgrad_sum(g, clgrad_mul(g, x, w), CLGRAD_AXIS(1), false)));
    return g;
}

/* (z - y)^2, or a loss that looks at the mean of all samples */
static clgrad_graph *loss(const char *z_name, bool coupled)
{
    clgrad_graph *g = NULL;
    ck_ok(clgrad_graph_create(test_context(), &g));
    const clgrad_node z = clgrad_input(g, z_name, CLGRAD_F32, CLGRAD_SHAPE(B)), y = clgrad_input(g, "y", CLGRAD_F32, CLGRAD_SHAPE(B));
    clgrad_node d = clgrad_sub(g, z, y);
    if (coupled) d = clgrad_sub(g, d, clgrad_cumsum(g, d, 0, false));
    ck_ok(clgrad_output(g, "losses", clgrad_square(g, d)));
    return g;
}

static double value(const clgrad_array *a, int64_t i) { return clgrad_array_get(a, i); }

/* The formula of clgrad/schedule.h in double. */
static double formula(const clgrad_array *in, const clgrad_objective_options *o)
{
    double sum = 0, weights = 0, extra = 0;
    for (int64_t i = 0; i < B; i++) {
        double z = 0;
        for (int64_t f = 0; f < F; f++) z += value(&in[0], f) * value(&in[1], i * F + f);
        sum += value(&in[3], i) * (z - value(&in[2], i)) * (z - value(&in[2], i));
        weights += value(&in[3], i);
    }
    for (int64_t f = 0; f < F; f++) extra += o->l1 * fabs(value(&in[0], f)) + o->l2 / 2 * value(&in[0], f) * value(&in[0], f);
    return o->sum ? sum : sum / weights + extra;
}

START_TEST(objectives_are_weighted_means_with_regularisers)
{
    clgrad_graph *model = linear_model(), *squares = loss("z", false), *g = NULL;
    clgrad_objective_options options = CLGRAD_OBJECTIVE_OPTIONS_INIT;
    options.num_parameters = 1;
    options.l1 = 0.3, options.l2 = 0.7, options.sum = _i == 1;
    ck_ok(clgrad_objective_create(model, squares, &options, &g));
    static const char *const names[] = { "w", "x", "y", "weights" };
    clgrad_array in[4], out[1];
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(clgrad_graph_input_name(g, i), names[i]);
        ck_ok(clgrad_array_create(test_context(), CLGRAD_F64, clgrad_node_shape(g, clgrad_graph_input(g, i)), &in[i]));
        for (int64_t k = 0; k < clgrad_shape_count(&in[i].shape); k++) clgrad_array_set(&in[i], k, i == 3 ? k % 4 : sin((double)(k + 7 * (int64_t)i)));
    }
    ck_ok(clgrad_ref_evaluate(g, in, out, CLGRAD_REF_F64));
    ck_assert_double_eq_tol(value(&out[0], 0), formula(in, &options), 1e-7 * formula(in, &options));
    options.l1 += 0.01, options.sum = !options.sum; /* the check can fail */
    ck_assert_double_gt(fabs(value(&out[0], 0) - formula(in, &options)), 1e-4);
    for (size_t i = 0; i < 4; i++) clgrad_array_release(test_context(), &in[i]);
    clgrad_array_release(test_context(), &out[0]);
    clgrad_graph_release(&g), clgrad_graph_release(&model), clgrad_graph_release(&squares);
}
END_TEST

START_TEST(unfit_losses_are_refused)
{
    clgrad_graph *model = linear_model(), *good = loss("z", false), *coupled = loss("z", true), *other = loss("zz", false), *g = NULL;
    clgrad_objective_options options = CLGRAD_OBJECTIVE_OPTIONS_INIT;
    options.num_parameters = 1;
    ck_assert_int_eq(clgrad_objective_create(model, coupled, &options, &g), CLGRAD_E_UNSUPPORTED);
    ck_assert_int_eq(clgrad_objective_create(model, other, &options, &g), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_objective_create(model, good, NULL, &g), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_objective_create(good, model, &options, &g), CLGRAD_E_ARG);
    options.num_parameters = 9;
    ck_assert_int_eq(clgrad_objective_create(model, good, &options, &g), CLGRAD_E_ARG);
    options.num_parameters = 1;
    options.weights = "x"; /* the name is taken */
    ck_assert_int_eq(clgrad_objective_create(model, good, &options, &g), CLGRAD_E_ARG);
    ck_assert_ptr_null(g);
    clgrad_graph_release(&model), clgrad_graph_release(&good), clgrad_graph_release(&coupled), clgrad_graph_release(&other);
}
END_TEST

Suite *objective_suite(void)
{
    Suite *suite = suite_create("objective");
    TCase *tests = tcase_create("objective");
    tcase_add_loop_test(tests, objectives_are_weighted_means_with_regularisers, 0, 2);
    tcase_add_test(tests, unfit_losses_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
