/* Linear, softmax and dropout, and whole models, against loops written out here. */

#include "clgrad/autodiff.h"
#include "model/value.h"

#include <math.h>
#include <stdlib.h>

enum { B = 5, I = 4, O = 3 };

/* A number in (-1, 1) for every index. */
static double wave(int i) { return sin(1 + 1.7 * i); }

static void fill(double *x, int n, int first)
{
    for (int i = 0; i < n; i++) x[i] = wave(first + i);
}

START_TEST(linear_is_the_sum_of_products)
{
    double x[B * I], w[O * I], b[O], *out[1];
    const double *in[] = { x, w, b };
    fill(x, B * I, 0);
    fill(w, O * I, 100);
    fill(b, O, 200);
    const clgrad_node nx = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(B, I)), nw = clgrad_input(g, "w", CLGRAD_F32, CLGRAD_SHAPE(O, I));
    const clgrad_node nb = clgrad_input(g, "b", CLGRAD_F32, CLGRAD_SHAPE(O));
    ck_assert_int_eq(clgrad_output(g, "z", clgrad_linear(g, nx, nw, nb)), CLGRAD_OK);
    value_evaluate(g, CLGRAD_REF_F64, in, out);
    for (int i = 0; i < B; i++)
        for (int o = 0; o < O; o++) {
            double sum = b[o];
            for (int k = 0; k < I; k++) sum += x[i * I + k] * w[o * I + k];
            ck_assert(value_near(out[0][i * O + o], sum, 1e-14));
        }
    free(out[0]);
}
END_TEST

START_TEST(softmax_sums_to_one_and_survives_large_logits)
{
    double *out[2], slope[6];
    const double x[6] = { 1, 2, 3, 1e4, -1e4, 9999 }, c[6] = { 1, 0, -2, 1, 0, -2 }, *in[] = { x, c };
    const clgrad_node nx = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(2, 3)), nc = clgrad_input(g, "c", CLGRAD_F32, CLGRAD_SHAPE(2, 3));
    const clgrad_node y = _i ? clgrad_log_softmax(g, nx) : clgrad_softmax(g, nx);
    clgrad_output(g, "sum", clgrad_sum(g, clgrad_mul(g, nc, y), CLGRAD_ALL_AXES, false));
    ck_assert_int_eq(clgrad_output(g, "y", y), CLGRAD_OK);
    value_evaluate(g, CLGRAD_REF_F64, in, out);
    value_gradient(g, CLGRAD_REF_F64, in, 6, slope);
    for (int r = 0; r < 2; r++) {
        double p[3], sum = 0, dot = 0, mass = 0;
        for (int k = 0; k < 3; k++) sum += p[k] = exp(x[3 * r + k] - (r ? 1e4 : 3));
        for (int k = 0; k < 3; k++) p[k] /= sum, dot += p[k] * c[k], mass += c[k];
        for (int k = 0; k < 3; k++) {
            const double value = _i ? x[3 * r + k] - (r ? 1e4 : 3) - log(sum) : p[k];
            const double want = _i ? c[k] - p[k] * mass : p[k] * (c[k] - dot);
            ck_assert(value_near(out[1][3 * r + k], value, 1e-14));
            ck_assert(value_near(slope[3 * r + k], want, 1e-14));
        }
    }
    free(out[0]);
    free(out[1]);
}
END_TEST

/* --- dropout --- */

enum { ROWS = 100, WIDTH = 40 };

/* y = dropout(ones) and its gradient's sum rule, as doubles. */
static double *drop(int rows, double rate, int64_t seed, int64_t base, uint32_t stream, double *slope)
{
    clgrad_graph *d = NULL;
    double *out[2], *x = malloc((size_t)(rows * WIDTH) * sizeof *x);
    const double s = (double)seed, t = (double)base, *in[] = { x, &s, &t };
    for (int i = 0; i < rows * WIDTH; i++) x[i] = 1;
    ck_assert_int_eq(clgrad_graph_create(ctx, &d), CLGRAD_OK);
    const clgrad_node nx = clgrad_input(d, "x", CLGRAD_F32, CLGRAD_SHAPE(rows, 4, WIDTH / 4));
    const clgrad_node ns = clgrad_input(d, "seed", CLGRAD_I64, CLGRAD_SCALAR), nt = clgrad_input(d, "base", CLGRAD_I64, CLGRAD_SCALAR);
    const clgrad_node y = clgrad_dropout(d, nx, rate, ns, nt, stream);
    clgrad_output(d, "sum", clgrad_sum(d, y, CLGRAD_ALL_AXES, false));
    ck_assert_msg(clgrad_output(d, "y", y) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    value_evaluate(d, CLGRAD_REF_F32, in, out);
    if (slope) value_gradient(d, CLGRAD_REF_F32, in, (size_t)(rows * WIDTH), slope);
    clgrad_graph_release(&d);
    free(x);
    free(out[0]);
    return out[1];
}

static int count_different(const double *a, const double *b, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) count += a[i] != b[i];
    return count;
}

START_TEST(dropout_drops_its_share)
{
    static double slope[ROWS * WIDTH];
    const double rate = 0.3, n = ROWS * WIDTH;
    int dropped = 0;
    double *y = drop(ROWS, rate, 5, 1000, 3, slope);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        ck_assert(y[i] == 0 || y[i] == (double)(float)(1 / (1 - rate)));
        ck_assert_double_eq(slope[i], y[i]); /* the derivative is the mask */
        dropped += y[i] == 0;
    }
    ck_assert_double_le(fabs(dropped - n * rate), 5 * sqrt(n * rate * (1 - rate)));
    free(y);
}
END_TEST

START_TEST(dropout_depends_on_the_sample_not_the_batch)
{
    double *y = drop(ROWS, 0.5, 5, 1000, 3, NULL), *part = drop(ROWS - 7, 0.5, 5, 1007, 3, NULL);
    ck_assert_int_eq(count_different(y + 7 * WIDTH, part, (ROWS - 7) * WIDTH), 0);
    free(part);
    const int64_t other[3][3] = { { 6, 1000, 3 }, { 5, 1001, 3 }, { 5, 1000, 4 } };
    for (int k = 0; k < 3; k++) {
        part = drop(ROWS, 0.5, other[k][0], other[k][1], (uint32_t)other[k][2], NULL);
        ck_assert_int_gt(count_different(y, part, ROWS * WIDTH), ROWS * WIDTH / 3);
        free(part);
    }
    free(y);
}
END_TEST

/* --- a model --- */

START_TEST(models_compute_their_layers)
{
    clgrad_model *model = NULL;
    clgrad_graph *m = NULL;
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    double x[B * 4], theta[4][12], hidden[3], *out[1];
    float values[12];
    const double *in[] = { theta[0], theta[1], theta[2], theta[3], x };
    options.layers = "4-3-2";
    options.activation = "tanh";
    ck_assert_int_eq(clgrad_model_create(ctx, &options, &model), CLGRAD_OK);
    for (size_t i = 0; i < 4; i++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(model, i);
        const size_t count = (size_t)clgrad_shape_count(&shape);
        ck_assert_int_eq(clgrad_model_initialize(model, 9, i, values, count), CLGRAD_OK);
        for (size_t k = 0; k < count; k++) theta[i][k] = values[k];
    }
    fill(x, B * 4, 0);
    ck_assert_int_eq(clgrad_model_graph(model, B, false, &m), CLGRAD_OK);
    value_evaluate(m, CLGRAD_REF_F64, in, out);
    for (int b = 0; b < B; b++) {
        for (int o = 0; o < 3; o++) {
            hidden[o] = theta[1][o];
            for (int k = 0; k < 4; k++) hidden[o] += x[b * 4 + k] * theta[0][o * 4 + k];
            hidden[o] = tanh(hidden[o]);
        }
        for (int o = 0; o < 2; o++) {
            double z = theta[3][o];
            for (int k = 0; k < 3; k++) z += hidden[k] * theta[2][o * 3 + k];
            ck_assert(value_near(out[0][b * 2 + o], z, 1e-14));
        }
    }
    free(out[0]);
    clgrad_graph_release(&m);
    clgrad_model_release(&model);
}
END_TEST

Suite *layer_suite(void)
{
    Suite *suite = suite_create("layer");
    TCase *tests = tcase_create("layer");
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_test(tests, linear_is_the_sum_of_products);
    tcase_add_loop_test(tests, softmax_sums_to_one_and_survives_large_logits, 0, 2);
    tcase_add_test(tests, dropout_drops_its_share);
    tcase_add_test(tests, dropout_depends_on_the_sample_not_the_batch);
    tcase_add_test(tests, models_compute_their_layers);
    suite_add_tcase(suite, tests);
    return suite;
}
