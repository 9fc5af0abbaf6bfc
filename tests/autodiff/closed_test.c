/* Derivatives against closed forms: third derivatives, kinks, powers of zero, and Hessians of known functions. */

#include "autodiff/checks.h"
#include "autodiff/fixture.h"

#include <math.h>
#include <stdlib.h>

/* Every real output of g at one real scalar input. */
static void values_at(const clgrad_graph *g, double x, double *out)
{
    study at;
    int64_t n = 0;
    study_open(&at, g, DOMAIN_any, 0);
    double *y = study_outputs(&at, g, 0, &x, NULL, &n);
    memcpy(out, y, (size_t)n * sizeof *out);
    free(y);
    study_close(&at);
}

typedef clgrad_node scalar_fn(clgrad_graph *g, clgrad_node x);

/* f, f', f'', f''' at x: the gradient of the gradient of the gradient. */
static void three_derivatives(scalar_fn *f, double x, double *out)
{
    const size_t wrt = 0;
    clgrad_graph *g[4] = { graph_new() };
    clgrad_output(g[0], "f", f(g[0], clgrad_input(g[0], "x", CLGRAD_F64, CLGRAD_SCALAR)));
    for (size_t i = 0; i < 3; i++) CHECK_OK(clgrad_gradient(g[i], i, 1, &wrt, &g[i + 1]));
    ck_assert_uint_eq(g[3]->num_outputs, 4);
    values_at(g[3], x, out);
    for (size_t i = 0; i < 4; i++) clgrad_graph_release(&g[i]);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-12 * (1 + fabs(b)); }

static void check_three(scalar_fn *f, double x, double d1, double d2, double d3)
{
    double got[4];
    three_derivatives(f, x, got);
    ck_assert_msg(near(got[1], d1) && near(got[2], d2) && near(got[3], d3), "at %g: %.15g %.15g %.15g, not %.15g %.15g %.15g", x, got[1],
                  got[2], got[3], d1, d2, d3);
}

static clgrad_node f_tanh(clgrad_graph *g, clgrad_node x) { return clgrad_tanh(g, x); }
static clgrad_node f_sigmoid(clgrad_graph *g, clgrad_node x) { return clgrad_sigmoid(g, x); }
static clgrad_node f_erf(clgrad_graph *g, clgrad_node x) { return clgrad_erf(g, x); }
static clgrad_node f_rsqrt(clgrad_graph *g, clgrad_node x) { return clgrad_rsqrt(g, x); }
static clgrad_node f_chain(clgrad_graph *g, clgrad_node x)
{
    return clgrad_mul(g, clgrad_mul(g, x, clgrad_mul(g, x, x)), clgrad_square(g, x));
}
static clgrad_node f_ratio(clgrad_graph *g, clgrad_node x) { return clgrad_div(g, x, clgrad_offset(g, x, 1)); }
static clgrad_node f_exp_sin(clgrad_graph *g, clgrad_node x) { return clgrad_exp(g, clgrad_sin(g, x)); }
static clgrad_node f_self_power(clgrad_graph *g, clgrad_node x) { return clgrad_pow(g, x, x); }

static clgrad_node number(clgrad_graph *g, double value) { return clgrad_constant(g, CLGRAD_F64, CLGRAD_SCALAR, value); }
static clgrad_node power(clgrad_graph *g, clgrad_node x, double c) { return clgrad_pow(g, x, number(g, c)); }
static clgrad_node f_pow2(clgrad_graph *g, clgrad_node x) { return power(g, x, 2); }
static clgrad_node f_pow5(clgrad_graph *g, clgrad_node x) { return power(g, x, 5); }
static clgrad_node f_pow0(clgrad_graph *g, clgrad_node x) { return power(g, x, 0); }
/* The exponent 2 as something that is not a constant. */
static clgrad_node f_open_pow2(clgrad_graph *g, clgrad_node x)
{
    const clgrad_node two = clgrad_sqrt(g, number(g, 4));
    return clgrad_pow(g, x, two);
}
static clgrad_node f_exponent(clgrad_graph *g, clgrad_node x) { return clgrad_pow(g, number(g, 3), x); }

START_TEST(third_derivatives_have_their_closed_forms)
{
    const double x = 0.7, t = tanh(x), s = 1 / (1 + exp(-x)), q = s * (1 - s), g = 2 / sqrt(acos(-1)) * exp(-x * x), l = log(3);
    check_three(f_tanh, x, 1 - t * t, -2 * t * (1 - t * t), (1 - t * t) * (6 * t * t - 2));
    check_three(f_sigmoid, x, q, q * (1 - 2 * s), q * (1 - 6 * q));
    check_three(f_erf, x, g, -2 * x * g, (4 * x * x - 2) * g);
    check_three(f_rsqrt, x, -0.5 * pow(x, -1.5), 0.75 * pow(x, -2.5), -1.875 * pow(x, -3.5));
    check_three(f_chain, x, 5 * pow(x, 4), 20 * pow(x, 3), 60 * pow(x, 2));
    check_three(f_ratio, x, pow(1 + x, -2), -2 * pow(1 + x, -3), 6 * pow(1 + x, -4));
    check_three(f_exp_sin, x, cos(x) * exp(sin(x)), (cos(x) * cos(x) - sin(x)) * exp(sin(x)),
                cos(x) * (cos(x) * cos(x) - 3 * sin(x) - 1) * exp(sin(x)));
    check_three(f_pow5, x, 5 * pow(x, 4), 20 * pow(x, 3), 60 * x * x);
    check_three(f_pow5, -x, 5 * pow(x, 4), -20 * pow(x, 3), 60 * x * x);
    check_three(f_exponent, x, l * pow(3, x), l * l * pow(3, x), l * l * l * pow(3, x));
    const double y = pow(x, x), m = 1 + log(x);
    check_three(f_self_power, x, y * m, y * (m * m + 1 / x), y * (m * m * m + 3 * m / x - 1 / (x * x)));
    double got[4];
    three_derivatives(f_tanh, x + 1e-6, got);
    ck_assert(!near(got[3], (1 - t * t) * (6 * t * t - 2))); /* the comparison can fail */
}
END_TEST

static clgrad_node f_zero_power(clgrad_graph *g, clgrad_node x) { return clgrad_pow(g, number(g, 0), x); }

START_TEST(powers_are_smooth_at_zero)
{
    check_three(f_zero_power, 2, 0, 0, 0);
    check_three(f_pow2, 0, 0, 2, 0);
    check_three(f_open_pow2, 0, 0, 2, 0);
    check_three(f_open_pow2, -0.7, -1.4, 2, 0);
    check_three(f_pow5, 0, 0, 0, 0);
    check_three(f_pow0, 0, 0, 0, 0);
    check_three(f_chain, 0, 0, 0, 0);
}
END_TEST

/* f'(x) alone. */
static double slope(scalar_fn *f, double x)
{
    const size_t wrt = 0;
    double got[2];
    clgrad_graph *g = graph_new(), *gradient = NULL;
    clgrad_output(g, "f", f(g, clgrad_input(g, "x", CLGRAD_F64, CLGRAD_SCALAR)));
    CHECK_OK(clgrad_gradient(g, 0, 1, &wrt, &gradient));
    values_at(gradient, x, got);
    clgrad_graph_release(&g);
    clgrad_graph_release(&gradient);
    return got[1];
}

static clgrad_node zero(clgrad_graph *g) { return number(g, 0); }
static clgrad_node f_relu(clgrad_graph *g, clgrad_node x) { return clgrad_max(g, x, zero(g)); }
static clgrad_node f_relu_swapped(clgrad_graph *g, clgrad_node x) { return clgrad_max(g, zero(g), x); }
static clgrad_node f_min0(clgrad_graph *g, clgrad_node x) { return clgrad_min(g, x, zero(g)); }
static clgrad_node f_abs(clgrad_graph *g, clgrad_node x) { return clgrad_abs(g, x); }
static clgrad_node f_stopped(clgrad_graph *g, clgrad_node x) { return clgrad_mul(g, clgrad_stop_gradient(g, x), x); }
static clgrad_node f_relu_twice(clgrad_graph *g, clgrad_node x)
{
    return clgrad_sub(g, f_relu(g, x), f_relu(g, clgrad_neg(g, x)));
}

/* x, 0 and 5 x: reduce-max takes the first of equal elements. */
static clgrad_node f_largest(clgrad_graph *g, clgrad_node x)
{
    const clgrad_node row = clgrad_reshape(g, x, CLGRAD_SHAPE(1));
    const clgrad_node parts[] = { row, clgrad_constant(g, CLGRAD_F64, CLGRAD_SHAPE(1), 0), clgrad_scale(g, row, 5) };
    return clgrad_reduce_max(g, clgrad_concat(g, 3, parts, 0), 1, false);
}

START_TEST(kinks_take_the_side_they_are_said_to)
{
    ck_assert_double_eq(slope(f_relu, 0), 0);
    ck_assert_double_eq(slope(f_relu, 0.1), 1);
    ck_assert_double_eq(slope(f_relu, -0.1), 0);
    ck_assert_double_eq(slope(f_relu, NAN), 1); /* the value is x itself */
    ck_assert_double_eq(slope(f_relu_swapped, 0), 1); /* a tie goes to the second */
    ck_assert_double_eq(slope(f_min0, 0), 0);
    ck_assert_double_eq(slope(f_min0, -1), 1);
    ck_assert_double_eq(slope(f_abs, 0), 0);
    ck_assert_double_eq(slope(f_abs, -2), -1);
    ck_assert_double_eq(slope(f_stopped, 3), 3);
    ck_assert_double_eq(slope(f_relu_twice, 0), 0); /* the true derivative is 1: automatic differentiation takes 0 - 0 */
    ck_assert_double_eq(slope(f_largest, 0), 1);
    ck_assert_double_eq(slope(f_largest, 1), 5);
    ck_assert_double_eq(slope(f_largest, -1), 0);
}
END_TEST

/* max(log x, -1) at 0: -infinity stays on the side that was not chosen. */
static clgrad_node f_guarded(clgrad_graph *g, clgrad_node x)
{
    const clgrad_node floor = clgrad_constant(g, CLGRAD_F64, CLGRAD_SHAPE(2), -1), row = clgrad_broadcast(g, x, CLGRAD_SHAPE(2));
    const clgrad_node large = clgrad_concat(g, 2, (clgrad_node[]){ clgrad_constant(g, CLGRAD_F64, CLGRAD_SHAPE(1), INFINITY), floor }, 0);
    return clgrad_add(g, clgrad_sum(g, clgrad_max(g, row, floor), 1, false), clgrad_scale(g, clgrad_reduce_max(g, large, 1, false), 0));
}

START_TEST(an_infinity_elsewhere_stays_there)
{
    ck_assert_double_eq(slope(f_guarded, 3), 2);
    /* rows [inf, x]: the tangent of the largest is inf's, 0, whatever x does */
    clgrad_graph *g = graph_new(), *jvp = NULL;
    const size_t wrt = 0;
    double got[2];
    const clgrad_node x = graph_real(g, "x", CLGRAD_SHAPE(2));
    clgrad_output(g, "y", clgrad_reduce_max(g, x, 1, false));
    CHECK_OK(clgrad_jvp(g, 1, &wrt, &jvp));
    study at;
    int64_t n = 0;
    study_open(&at, g, DOMAIN_any, 0);
    const double values[] = { 1, 2 }, tangents[] = { INFINITY, 7 };
    double *y = study_outputs(&at, jvp, 0, values, tangents, &n);
    memcpy(got, y, sizeof got);
    free(y);
    study_close(&at);
    ck_assert_double_eq(got[1], 7);
    clgrad_graph_release(&g);
    clgrad_graph_release(&jvp);
}
END_TEST

/* sum over rows of -log softmax(x)[label]: the Hessian product of a row is (p u - p (p'u)). */
START_TEST(softmax_cross_entropy_has_its_hessian)
{
    enum { ROWS = 3, CLASSES = 4, N = ROWS * CLASSES };
    clgrad_graph *g = graph_new(), *hv = NULL;
    const size_t wrt = 0;
    const clgrad_node x = graph_real(g, "x", CLGRAD_SHAPE(ROWS, CLASSES));
    const clgrad_node shifted = clgrad_sub(g, x, clgrad_stop_gradient(g, clgrad_reduce_max(g, x, 2, true)));
    const clgrad_node lse = clgrad_log(g, clgrad_sum(g, clgrad_exp(g, shifted), 2, false));
    const clgrad_node label = clgrad_constant_int(g, CLGRAD_I32, CLGRAD_SHAPE(ROWS, 1), 2);
    const clgrad_node picked = clgrad_reshape(g, clgrad_take_batched(g, shifted, label, 1, 1), CLGRAD_SHAPE(ROWS));
    clgrad_output(g, "loss", clgrad_sum(g, clgrad_sub(g, lse, picked), 1, false));
    CHECK_OK(clgrad_hessian_vector(g, 0, 1, &wrt, &hv));
    study at;
    int64_t n = 0;
    study_open(&at, g, DOMAIN_any, 3);
    double u[N];
    for (int i = 0; i < N; i++) u[i] = domain_direction(9, i);
    double *both = study_outputs(&at, hv, 0, at.x, u, &n);
    for (int r = 0; r < ROWS; r++) {
        double p[CLASSES], sum = 0, pu = 0;
        for (int c = 0; c < CLASSES; c++) sum += p[c] = exp(at.x[r * CLASSES + c]);
        for (int c = 0; c < CLASSES; c++) pu += (p[c] /= sum) * u[r * CLASSES + c];
        for (int c = 0; c < CLASSES; c++) {
            ck_assert(near(both[r * CLASSES + c], p[c] - (c == 2)));
            ck_assert(near(both[N + r * CLASSES + c], p[c] * (u[r * CLASSES + c] - pu)));
        }
    }
    free(both);
    study_close(&at);
    clgrad_graph_release(&g);
    clgrad_graph_release(&hv);
}
END_TEST

/* H V for several directions at once, bit for bit the single products; and a wrong one is not. */
START_TEST(a_batch_of_hessian_products_is_the_loop)
{
    clgrad_graph *f = perceptron(ctx, 6, 5, 256), *hv = NULL, *many = NULL;
    const size_t directions[] = { 5, 6, 7 };
    CHECK_OK(clgrad_hessian_vector(f, 0, PERCEPTRON_WEIGHTS, perceptron_weights, &hv));
    CHECK_OK(clgrad_batch(hv, 4, 3, directions, &many));
    ck_assert(check_batch(hv, many, 4, 0xe0, DOMAIN_unit, 6));
    clgrad_graph *wrong = spoil(many, 4);
    ck_assert(!check_batch(hv, wrong, 4, 0xe0, DOMAIN_unit, 6));
    clgrad_graph_release(&wrong);
    clgrad_graph_release(&many);
    clgrad_graph_release(&hv);
    clgrad_graph_release(&f);
}
END_TEST

START_TEST(the_sides_of_a_split_make_the_whole)
{
    clgrad_graph *f = perceptron(ctx, 6, 5, 0), *hv = NULL;
    study at;
    CHECK_OK(clgrad_hessian_vector(f, 0, PERCEPTRON_WEIGHTS, perceptron_weights, &hv));
    study_open(&at, f, DOMAIN_unit, 4);
    ck_assert(check_split(&at, hv));
    study_close(&at);
    clgrad_graph_release(&hv);
    clgrad_graph_release(&f);
}
END_TEST

Suite *closed_suite(void)
{
    Suite *suite = suite_create("autodiff.closed_forms");
    TCase *tests = tcase_create("closed forms");
    tcase_add_checked_fixture(tests, autodiff_setup, autodiff_teardown);
    tcase_add_test(tests, third_derivatives_have_their_closed_forms);
    tcase_add_test(tests, powers_are_smooth_at_zero);
    tcase_add_test(tests, kinks_take_the_side_they_are_said_to);
    tcase_add_test(tests, an_infinity_elsewhere_stays_there);
    tcase_add_test(tests, softmax_cross_entropy_has_its_hessian);
    tcase_add_test(tests, a_batch_of_hessian_products_is_the_loop);
    tcase_add_test(tests, the_sides_of_a_split_make_the_whole);
    suite_add_tcase(suite, tests);
    return suite;
}
