/* Losses against closed forms written out in f64 here: value per sample and gradient; finite at logits of +-1e4, in f32 too. */

#include "clgrad/autodiff.h"
#include "model/value.h"
#include "optim/indices.h"

#include <math.h>
#include <stdlib.h>

enum { SAMPLES = 6, FEATURES = 4, COUNT = SAMPLES * FEATURES };

/* The last two rows are far out. */
static const double z[COUNT] = { 0.3, -1.2, 0.9, 2.0,  -0.4, 0.1, 0.2, -0.7, 1.5,  -2.5, 0.6,   0.05,
                                 3.0, 0.0,  1.0, -1.0, 1e4,  -1e4, 3.0, 0.5, -1e4, -1e4, -9990, -1e4 };
static const double real[COUNT] = { 0.1, -0.2, 1.9, -2.0, 0.4, 0.1, 0.3, -0.9, 1.0, -2.0, 0.0,  3.0,
                                    1.0, 0.0,  1.0, 1.0,  0.5, 2.0, 3.0, -0.5, 0.0, 1.0,  -1.0, 2.0 };
static const double sign[COUNT] = { 1, -1, 1, 1, -1, -1, 1, 1, 1, -1, 1, 1, 1, -1, 1, -1, -1, 1, 1, 1, 1, -1, 1, -1 };
static const double unit[COUNT] = { 1, 0, 1, 0.5, 0, 0, 1, 0.25, 1, 0, 0.75, 1, 1, 0, 0.5, 0, 0, 1, 1, 0.1, 1, 0, 1, 0 };
static const double parts[COUNT] = { 0.25, 0.25, 0.25, 0.25, 1,   0,   0,   0,   0,   0.5, 0.5, 0,
                                     0.1,  0.2,  0.3,  0.4,  0.1, 0.2, 0.3, 0.4, 0.3, 0.3, 0.4, 0 };
static const double label[SAMPLES] = { 2, 0, 3, 1, 1, 0 };

/* One sample: the loss, and its derivative by each z. */
typedef double closed_form(const double *u, const double *y, double *d);

static double mse(const double *u, const double *y, double *d)
{
    double sum = 0;
    for (int i = 0; i < FEATURES; i++) sum += (u[i] - y[i]) * (u[i] - y[i]), d[i] = 2 * (u[i] - y[i]) / FEATURES;
    return sum / FEATURES;
}

static double mae(const double *u, const double *y, double *d)
{
    double sum = 0;
    for (int i = 0; i < FEATURES; i++) sum += fabs(u[i] - y[i]), d[i] = ((u[i] > y[i]) - (u[i] < y[i])) / (double)FEATURES;
    return sum / FEATURES;
}

static double huber(const double *u, const double *y, double *d)
{
    double sum = 0;
    for (int i = 0; i < FEATURES; i++) {
        const double r = u[i] - y[i];
        sum += fabs(r) <= 1 ? r * r / 2 : fabs(r) - 0.5;
        d[i] = fmax(-1, fmin(1, r)) / FEATURES;
    }
    return sum / FEATURES;
}

static double hinge(const double *u, const double *y, double *d)
{
    double sum = 0;
    for (int i = 0; i < FEATURES; i++) sum += fmax(0, 1 - y[i] * u[i]), d[i] = (1 - y[i] * u[i] > 0 ? -y[i] : 0) / FEATURES;
    return sum / FEATURES;
}

/* -y log p - (1 - y) log(1 - p), each logarithm as -softplus. */
static double bce(const double *u, const double *y, double *d)
{
    double sum = 0;
    for (int i = 0; i < FEATURES; i++) {
        const double tail = log1p(exp(-fabs(u[i]))), p = u[i] > 0 ? 1 / (1 + exp(-u[i])) : exp(u[i]) / (1 + exp(u[i]));
        sum += y[i] * (fmax(-u[i], 0) + tail) + (1 - y[i]) * (fmax(u[i], 0) + tail);
        d[i] = (p - y[i]) / FEATURES;
    }
    return sum / FEATURES;
}

static double dense(const double *u, const double *y, double *d)
{
    double largest = u[0], sum = 0, loss = 0, mass = 0;
    for (int i = 1; i < FEATURES; i++) largest = fmax(largest, u[i]);
    for (int i = 0; i < FEATURES; i++) sum += exp(u[i] - largest), mass += y[i];
    for (int i = 0; i < FEATURES; i++) {
        loss -= y[i] * (u[i] - largest - log(sum));
        d[i] = mass * exp(u[i] - largest) / sum - y[i];
    }
    return loss;
}

static double sparse(const double *u, const double *y, double *d)
{
    double hot[FEATURES] = { 0 };
    hot[(int)y[0]] = 1;
    return dense(u, hot, d);
}

static const struct {
    const char *name;
    closed_form *closed;
    const double *y;
} rows[] = {
    { "cross-entropy", sparse, label }, { "cross-entropy-dense", dense, parts }, { "bce", bce, unit }, { "mse", mse, real },
    { "mae", mae, real },               { "huber", huber, real },               { "hinge", hinge, sign },
};

/* Input 0: z, input 1: y. Output 0: the sum of losses; output 1: each sample's. */
static void build(const char *name, clgrad_dtype dtype)
{
    const clgrad_loss_info *info = NULL;
    ck_assert_int_eq(clgrad_loss_find(ctx, name, &info), CLGRAD_OK);
    const clgrad_node u = clgrad_input(g, "z", dtype, CLGRAD_SHAPE(SAMPLES, FEATURES));
    const clgrad_node y = info->labels ? clgrad_input(g, "y", CLGRAD_I32, CLGRAD_SHAPE(SAMPLES))
                                       : clgrad_input(g, "y", dtype, CLGRAD_SHAPE(SAMPLES, FEATURES));
    const clgrad_node loss = info->build(g, u, y);
    ck_assert_int_eq(clgrad_output(g, "sum", clgrad_sum(g, loss, CLGRAD_ALL_AXES, false)), CLGRAD_OK);
    ck_assert_int_eq(clgrad_output(g, "loss", loss), CLGRAD_OK);
}

static void check_row(int row, clgrad_ref_mode mode, double tolerance)
{
    double *out[2], slope[COUNT], want[FEATURES];
    const double *in[] = { z, rows[row].y };
    const size_t width = rows[row].y == label ? 1 : FEATURES;
    build(rows[row].name, mode == CLGRAD_REF_F64 ? CLGRAD_F64 : CLGRAD_F32);
    value_evaluate(g, mode, in, out);
    value_gradient(g, mode, in, COUNT, slope);
    for (int b = 0; b < SAMPLES; b++) {
        const double loss = rows[row].closed(z + b * FEATURES, rows[row].y + (size_t)b * width, want);
        ck_assert_msg(value_near(out[1][b], loss, tolerance), "%s of sample %d is %.17g, not %.17g", rows[row].name, b, out[1][b], loss);
        for (int i = 0; i < FEATURES; i++)
            ck_assert_msg(value_near(slope[b * FEATURES + i], want[i], tolerance), "%s' of sample %d by %d is %.17g, not %.17g",
                          rows[row].name, b, i, slope[b * FEATURES + i], want[i]);
    }
    free(out[0]);
    free(out[1]);
}

START_TEST(f64_is_the_closed_form) { check_row(_i, CLGRAD_REF_F64, 1e-13); }
END_TEST

START_TEST(f32_is_the_closed_form_within_its_precision) { check_row(_i, CLGRAD_REF_F32, 2e-6); }
END_TEST

START_TEST(every_loss_has_a_row)
{
    const clgrad_loss_info *info = NULL;
    for (size_t i = 0; (info = clgrad_loss_get(i)); i++) ck_assert_str_eq(info->name, rows[i].name);
}
END_TEST

/* The closed forms are themselves checked: central differences of the value give the slope, and a wrong slope is seen. */
START_TEST(closed_forms_are_consistent)
{
    const size_t width = rows[_i].y == label ? 1 : FEATURES;
    for (int b = 0; b < 3; b++) { /* the rows without kinks */
        double u[FEATURES], slope[FEATURES], unused[FEATURES];
        const double *y = rows[_i].y + (size_t)b * width;
        memcpy(u, z + b * FEATURES, sizeof u);
        rows[_i].closed(u, y, slope);
        for (int i = 0; i < FEATURES; i++) {
            const double h = 1e-6, at = u[i];
            u[i] = at + h;
            const double up = rows[_i].closed(u, y, unused);
            u[i] = at - h;
            const double down = rows[_i].closed(u, y, unused);
            u[i] = at;
            ck_assert(value_near((up - down) / (2 * h), slope[i], 1e-7));
            ck_assert(!value_near((up - down) / (2 * h), slope[i] + 0.01, 1e-7));
        }
    }
}
END_TEST

START_TEST(labels_out_of_range_give_nan_and_spare_the_others)
{
    const double bad[SAMPLES] = { 2, -1, 3, FEATURES, 1, INT32_MAX };
    double *out[2], slope[COUNT];
    const double *in[] = { z, bad };
    build("cross-entropy", CLGRAD_F32);
    value_evaluate(g, _i ? CLGRAD_REF_F32 : CLGRAD_REF_F64, in, out);
    value_gradient(g, _i ? CLGRAD_REF_F32 : CLGRAD_REF_F64, in, COUNT, slope);
    for (int b = 0; b < SAMPLES; b++) {
        const bool wrong = b % 2;
        ck_assert_int_eq(isnan(out[1][b]) != 0, wrong);
        for (int i = 0; i < FEATURES; i++) ck_assert_int_eq(isnan(slope[b * FEATURES + i]) != 0, wrong);
    }
    free(out[0]);
    free(out[1]);
}
END_TEST

/* So no step of a model by a line of text has a launch for it. */
START_TEST(labels_out_of_range_need_no_further_watch)
{
    for (size_t i = 0; clgrad_loss_get(i); i++) {
        const clgrad_loss_info *loss = clgrad_loss_get(i);
        clgrad_graph *f = NULL, *gradient = NULL, *watched = NULL;
        ck_assert_int_eq(clgrad_graph_create(ctx, &f), CLGRAD_OK);
        const clgrad_node u = clgrad_input(f, "z", CLGRAD_F32, CLGRAD_SHAPE(SAMPLES, FEATURES));
        const clgrad_shape shape = loss->labels ? CLGRAD_SHAPE(SAMPLES) : CLGRAD_SHAPE(SAMPLES, FEATURES);
        const clgrad_node y = clgrad_input(f, "y", loss->labels ? CLGRAD_I32 : CLGRAD_F32, shape);
        const clgrad_node weights = clgrad_input(f, "w", CLGRAD_F32, CLGRAD_SHAPE(SAMPLES));
        const clgrad_node weighted = clgrad_mul(f, weights, loss->build(f, u, y));
        ck_assert_int_eq(clgrad_output(f, "loss", clgrad_sum(f, weighted, CLGRAD_ALL_AXES, false)), CLGRAD_OK);
        ck_assert_int_eq(clgrad_gradient(f, 0, 1, &(size_t){ 0 }, &gradient), CLGRAD_OK);
        ck_assert_int_eq(clgrad_watch_indices(gradient, 0, &watched), CLGRAD_OK);
        ck_assert_msg(!watched, "%s", loss->name);
        clgrad_graph_release(&f), clgrad_graph_release(&gradient);
    }
}
END_TEST

Suite *loss_suite(void)
{
    Suite *suite = suite_create("loss");
    TCase *tests = tcase_create("loss");
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_loop_test(tests, f64_is_the_closed_form, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_loop_test(tests, f32_is_the_closed_form_within_its_precision, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_test(tests, every_loss_has_a_row);
    tcase_add_loop_test(tests, closed_forms_are_consistent, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_test(tests, labels_out_of_range_need_no_further_watch);
    tcase_add_loop_test(tests, labels_out_of_range_give_nan_and_spare_the_others, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
