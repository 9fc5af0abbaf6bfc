/* Activations against closed forms: value, first and second derivative in f64, at kinks and far out; finite everywhere in f32. */

#include "clgrad/autodiff.h"
#include "model/value.h"

#include <math.h>
#include <stdlib.h>

static const double points[] = { -1e4, -750, -90, -20, -6, -2.5, -1, -0.3, -1e-9, 0, 1e-9, 0.3, 1, 2.5, 6, 20, 90, 750, 1e4 };
enum { POINTS = CLGRAD_COUNT(points) };

static double logistic(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static double density(double x) { return exp(-x * x / 2) / sqrt(2 * acos(-1)); }
static double normal(double x) { return (1 + erf(x / sqrt(2))) / 2; }

/* Value, first and second derivative. */
typedef struct jet {
    double f, d, dd;
} jet;

static jet relu(double x) { return (jet){ x > 0 ? x : 0, x > 0, 0 }; }
static jet leaky_relu(double x) { return (jet){ x > 0 ? x : 0.01 * x, x > 0 ? 1 : 0.01, 0 }; }
static jet gelu(double x) { return (jet){ x * normal(x), normal(x) + x * density(x), (2 - x * x) * density(x) }; }

static jet gelu_tanh(double x)
{
    const double c = sqrt(2 / acos(-1)), t = tanh(c * (x + 0.044715 * x * x * x)), s = (1 - t) * (1 + t);
    const double u = c * (1 + 3 * 0.044715 * x * x), uu = c * 6 * 0.044715 * x;
    return (jet){ x * (1 + t) / 2, (1 + t) / 2 + x * s * u / 2, s * u + x * s * (uu - 2 * t * u * u) / 2 };
}

static jet silu(double x)
{
    const double s = logistic(x), d = s * logistic(-x);
    return (jet){ x * s, s + x * d, d * (2 + x * (logistic(-x) - s)) };
}

static jet softplus(double x)
{
    return (jet){ fmax(x, 0) + log1p(exp(-fabs(x))), logistic(x), logistic(x) * logistic(-x) };
}

static jet sigmoid(double x)
{
    const double s = logistic(x), d = s * logistic(-x);
    return (jet){ s, d, d * (logistic(-x) - s) };
}

static jet tanh_(double x)
{
    const double t = tanh(x), d = 1 / (cosh(x) * cosh(x));
    return (jet){ t, d, -2 * t * d };
}

static jet identity(double x) { return (jet){ x, 1, 0 }; }

static const struct {
    const char *name;
    jet (*closed)(double x);
} rows[] = {
    { "relu", relu },         { "leaky-relu", leaky_relu }, { "gelu", gelu },   { "gelu-tanh", gelu_tanh }, { "silu", silu },
    { "softplus", softplus }, { "sigmoid", sigmoid },       { "tanh", tanh_ }, { "identity", identity },
};

/* Output 0: the sum of f(x) over all points; output 1: f(x). */
static void build(const char *name, clgrad_dtype dtype)
{
    const clgrad_activation_info *info = NULL;
    ck_assert_int_eq(clgrad_activation_find(ctx, name, &info), CLGRAD_OK);
    const clgrad_node y = info->build(g, clgrad_input(g, "x", dtype, CLGRAD_SHAPE(POINTS)));
    ck_assert_int_eq(clgrad_output(g, "sum", clgrad_sum(g, y, CLGRAD_ALL_AXES, false)), CLGRAD_OK);
    ck_assert_int_eq(clgrad_output(g, "y", y), CLGRAD_OK);
}

START_TEST(values_and_first_derivatives_are_the_closed_forms)
{
    double *out[2], slope[POINTS];
    const double *in[] = { points };
    build(rows[_i].name, CLGRAD_F64);
    value_evaluate(g, CLGRAD_REF_F64, in, out);
    value_gradient(g, CLGRAD_REF_F64, in, POINTS, slope);
    for (int i = 0; i < POINTS; i++) {
        const jet want = rows[_i].closed(points[i]);
        ck_assert_msg(value_near(out[1][i], want.f, 1e-14), "%s(%g) is %.17g, not %.17g", rows[_i].name, points[i], out[1][i], want.f);
        ck_assert_msg(value_near(slope[i], want.d, 1e-13), "%s'(%g) is %.17g, not %.17g", rows[_i].name, points[i], slope[i], want.d);
    }
    free(out[0]);
    free(out[1]);
}
END_TEST

/* The Hessian of the sum is diagonal, so its product with ones is the second derivative. */
START_TEST(second_derivatives_are_the_closed_forms)
{
    clgrad_graph *h = NULL;
    double *out[2], ones[POINTS];
    const double *in[] = { points, ones };
    for (int i = 0; i < POINTS; i++) ones[i] = 1;
    build(rows[_i].name, CLGRAD_F64);
    ck_assert_msg(clgrad_hessian_vector(g, 0, 1, (size_t[]){ 0 }, &h) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    value_evaluate(h, CLGRAD_REF_F64, in, out);
    for (int i = 0; i < POINTS; i++) {
        const double want = rows[_i].closed(points[i]).dd;
        ck_assert_msg(value_near(out[1][i], want, 1e-12), "%s''(%g) is %.17g, not %.17g", rows[_i].name, points[i], out[1][i], want);
    }
    free(out[0]);
    free(out[1]);
    clgrad_graph_release(&h);
}
END_TEST

START_TEST(f32_is_finite_far_out)
{
    double *out[2], slope[POINTS];
    const double *in[] = { points };
    build(rows[_i].name, CLGRAD_F32);
    value_evaluate(g, CLGRAD_REF_F32, in, out);
    value_gradient(g, CLGRAD_REF_F32, in, POINTS, slope);
    for (int i = 0; i < POINTS; i++) {
        const jet want = rows[_i].closed(points[i]);
        ck_assert_msg(value_near(out[1][i], want.f, 1e-5), "%s(%g) is %g, not %g", rows[_i].name, points[i], out[1][i], want.f);
        ck_assert_msg(value_near(slope[i], want.d, 1e-4), "%s'(%g) is %g, not %g", rows[_i].name, points[i], slope[i], want.d);
    }
    free(out[0]);
    free(out[1]);
}
END_TEST

START_TEST(every_activation_has_a_row)
{
    const clgrad_activation_info *info = NULL;
    for (size_t i = 0; (info = clgrad_activation_get(i)); i++) ck_assert_str_eq(info->name, rows[i].name);
}
END_TEST

/* The comparison fails where it should: a wrong sign, a missing factor, a lost NaN. */
START_TEST(the_comparison_is_able_to_fail)
{
    ck_assert(!value_near(-0.5, 0.5, 1e-12));
    ck_assert(!value_near(1, 1 + 1e-11, 1e-12));
    ck_assert(!value_near(NAN, 0, 1e-12));
    ck_assert(!value_near(0, NAN, 1e-12));
    ck_assert(!value_near(INFINITY, 1e300, 1));
    ck_assert(!value_near(softplus(0).d, 0, 1e-12)); /* what differentiating max(x, 0) + log1p(e^-|x|) at 0 gives */
}
END_TEST

START_TEST(slopes_may_be_chosen)
{
    double *out[1];
    const double x[] = { -2, 3 }, *in[] = { x };
    const clgrad_node n = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(2));
    ck_assert_int_eq(clgrad_output(g, "y", clgrad_leaky_relu(g, n, 0.25)), CLGRAD_OK);
    value_evaluate(g, CLGRAD_REF_F64, in, out);
    ck_assert_double_eq(out[0][0], -0.5);
    ck_assert_double_eq(out[0][1], 3);
    free(out[0]);
}
END_TEST

Suite *activation_suite(void)
{
    Suite *suite = suite_create("activation");
    TCase *tests = tcase_create("activation");
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_loop_test(tests, values_and_first_derivatives_are_the_closed_forms, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_loop_test(tests, second_derivatives_are_the_closed_forms, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_loop_test(tests, f32_is_finite_far_out, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_test(tests, every_activation_has_a_row);
    tcase_add_test(tests, the_comparison_is_able_to_fail);
    tcase_add_test(tests, slopes_may_be_chosen);
    suite_add_tcase(suite, tests);
    return suite;
}
