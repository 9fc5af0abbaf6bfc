/* Gauss-Newton products against the dense matrix in f64, made of the model's single tangents and the closed form of the loss'
 * Hessian: neither a vjp nor a second derivative takes part in it. */

#include "ref/ref.h"
#include "schedule/schedule.h"
#include "schedule/suites.h"
#include "support/device.h"

#include <math.h>

enum { BATCH = 300, IN = 3, HIDDEN = 4, OUT = 3, PARAMETERS = 3, INPUTS = 6 };
enum { SIZE = IN * HIDDEN + HIDDEN + OUT * HIDDEN };

static const char *const names[INPUTS] = { "w", "b", "u", "x", "y", "weights" };

static clgrad_shape shape_of(int input)
{
    switch (input) {
    case 0: return CLGRAD_SHAPE(IN, HIDDEN);
    case 1: return CLGRAD_SHAPE(HIDDEN);
    case 2: return CLGRAD_SHAPE(OUT, HIDDEN);
    case 3: return CLGRAD_SHAPE(BATCH, IN);
    case 4: return CLGRAD_SHAPE(BATCH, OUT);
    default: return CLGRAD_SHAPE(BATCH);
    }
}

static clgrad_node input(clgrad_graph *g, int i) { return clgrad_input(g, names[i], CLGRAD_F32, shape_of(i)); }

/* z = tanh(x w + b) u'; its linear part alone, which has u in it but not as a factor of w, is z = x w u0 + b0 + sum u. */
static clgrad_graph *make_model(clgrad_context *ctx, bool linear)
{
    clgrad_graph *g = NULL;
    if (clgrad_graph_create(ctx, &g) != CLGRAD_OK) return NULL;
    const clgrad_node w = input(g, 0), b = input(g, 1), u = input(g, 2), x = input(g, 3);
    const clgrad_node h = clgrad_add(g, clgrad_matmul(g, x, w, false, false), b);
    const clgrad_node ones = clgrad_constant(g, CLGRAD_F32, CLGRAD_SHAPE(OUT, HIDDEN), 0.5);
    clgrad_output(g, "z", linear ? clgrad_add(g, clgrad_matmul(g, h, ones, false, true), clgrad_sum(g, u, CLGRAD_AXIS(1), false))
                                 : clgrad_matmul(g, clgrad_tanh(g, h), u, false, true));
    return g;
}

/* log sum e^z - y z */
static clgrad_graph *make_loss(clgrad_context *ctx)
{
    clgrad_graph *g = NULL;
    if (clgrad_graph_create(ctx, &g) != CLGRAD_OK) return NULL;
    const clgrad_node y = input(g, 4), z = clgrad_input(g, "z", CLGRAD_F32, shape_of(4));
    const clgrad_node all = clgrad_log(g, clgrad_sum(g, clgrad_exp(g, z), CLGRAD_AXIS(1), false));
    clgrad_output(g, "losses", clgrad_sub(g, all, clgrad_sum(g, clgrad_mul(g, y, z), CLGRAD_AXIS(1), false)));
    return g;
}

typedef struct problem {
    clgrad_device *dev;
    clgrad_graph *model, *loss;
    clgrad_objective_options options;
    clgrad_array at[INPUTS], v[PARAMETERS];
    clgrad_tensor *in[INPUTS], *direction[PARAMETERS];
} problem;

static void fill(clgrad_array *array, clgrad_shape shape, int salt)
{
    ck_ok(clgrad_array_create(test_context(), CLGRAD_F32, shape, array));
    for (int64_t i = 0; i < clgrad_shape_count(&shape); i++) {
        const double value = sin((double)(i * 7 + salt));
        clgrad_array_set(array, i, salt >= 4 && salt < 10 ? fabs(value) : value); /* targets and weights are not negative */
    }
}

static bool open_problem(problem *p, bool linear)
{
    *p = (problem){ .dev = test_device(), .options = CLGRAD_OBJECTIVE_OPTIONS_INIT };
    if (!p->dev) return false;
    p->options.num_parameters = PARAMETERS;
    p->options.l2 = 0.125;
    p->model = make_model(test_context(), linear);
    p->loss = make_loss(test_context());
    for (int i = 0; i < INPUTS; i++) {
        fill(&p->at[i], shape_of(i), i);
        ck_ok(clgrad_tensor_create_from(p->dev, CLGRAD_F32, p->at[i].shape, p->at[i].data, clgrad_array_bytes(&p->at[i]), &p->in[i]));
        if (i >= PARAMETERS) continue;
        fill(&p->v[i], shape_of(i), i + 10);
        ck_ok(clgrad_tensor_create_from(p->dev, CLGRAD_F32, p->v[i].shape, p->v[i].data, clgrad_array_bytes(&p->v[i]), &p->direction[i]));
    }
    return true;
}

static void close_problem(problem *p)
{
    for (int i = 0; i < INPUTS; i++) clgrad_array_release(test_context(), &p->at[i]), clgrad_tensor_release(&p->in[i]);
    for (int i = 0; i < PARAMETERS; i++) clgrad_array_release(test_context(), &p->v[i]), clgrad_tensor_release(&p->direction[i]);
    clgrad_graph_release(&p->model), clgrad_graph_release(&p->loss);
}

/* --- the dense matrix --- */

typedef struct dense {
    double z[BATCH][OUT], j[SIZE][BATCH][OUT]; /* the model's output, and its tangent along each unit vector */
    double g[SIZE][SIZE];
} dense;

/* Entry number k of the parameters laid end to end. */
static void set_entry(clgrad_array *v, int64_t k, double value)
{
    for (int i = 0; i < PARAMETERS; i++) {
        const int64_t count = clgrad_shape_count(&v[i].shape);
        if (k < count) {
            clgrad_array_set(&v[i], k, value);
            return;
        }
        k -= count;
    }
}

static void tangents(const problem *p, dense *d)
{
    const size_t wrt[PARAMETERS] = { 0, 1, 2 };
    clgrad_graph *jvp = NULL;
    clgrad_array in[4 + PARAMETERS], out[2];
    ck_ok(clgrad_jvp(p->model, PARAMETERS, wrt, &jvp));
    for (int i = 0; i < 4; i++) in[i] = p->at[i];
    for (int i = 0; i < PARAMETERS; i++) ck_ok(clgrad_array_create(test_context(), CLGRAD_F64, shape_of(i), &in[4 + i]));
    for (int64_t k = 0; k < SIZE; k++) {
        set_entry(in + 4, k, 1);
        ck_ok(clgrad_ref_evaluate(jvp, in, out, CLGRAD_REF_F64));
        for (int64_t i = 0; i < BATCH * OUT; i++) {
            d->z[i / OUT][i % OUT] = clgrad_array_get(&out[0], i);
            d->j[k][i / OUT][i % OUT] = clgrad_array_get(&out[1], i);
        }
        set_entry(in + 4, k, 0);
        clgrad_array_release(test_context(), &out[0]), clgrad_array_release(test_context(), &out[1]);
    }
    for (int i = 0; i < PARAMETERS; i++) clgrad_array_release(test_context(), &in[4 + i]);
    clgrad_graph_release(&jvp);
}

/* One sample's a' (diag p - p p') b. */
static double curvature(const double *probability, const double *a, const double *b)
{
    double ab = 0, pa = 0, pb = 0;
    for (int c = 0; c < OUT; c++) {
        ab += probability[c] * a[c] * b[c];
        pa += probability[c] * a[c];
        pb += probability[c] * b[c];
    }
    return ab - pa * pb;
}

static void softmax(const double *z, double *probability)
{
    double sum = 0;
    for (int c = 0; c < OUT; c++) sum += probability[c] = exp(z[c]);
    for (int c = 0; c < OUT; c++) probability[c] /= sum;
}

static void fill_dense(const problem *p, dense *d)
{
    double total = 0;
    tangents(p, d);
    for (int64_t s = 0; s < BATCH; s++) total += clgrad_array_get(&p->at[5], s);
    for (int a = 0; a < SIZE; a++)
        for (int b = 0; b < SIZE; b++) d->g[a][b] = a == b ? p->options.l2 : 0;
    for (int s = 0; s < BATCH; s++) {
        const double weight = clgrad_array_get(&p->at[5], s) / total;
        double probability[OUT];
        softmax(d->z[s], probability);
        for (int a = 0; a < SIZE; a++)
            for (int b = 0; b < SIZE; b++) d->g[a][b] += weight * curvature(probability, d->j[a][s], d->j[b][s]);
    }
}

/* --- products --- */

static void flatten(clgrad_tensor *const *tensors, double *out)
{
    float values[SIZE];
    for (int i = 0; i < PARAMETERS; i++) {
        const size_t count = clgrad_tensor_bytes(tensors[i]) / sizeof *values;
        ck_ok(clgrad_tensor_read(tensors[i], values, clgrad_tensor_bytes(tensors[i])));
        for (size_t k = 0; k < count; k++) *out++ = (double)values[k];
    }
}

static void product(const clgrad_operator *op, clgrad_tensor *const *v, double *out)
{
    clgrad_tensor *result[PARAMETERS] = { NULL };
    ck_ok(clgrad_operator_apply(op, v, result, 0, NULL, NULL));
    flatten(result, out);
    for (int i = 0; i < PARAMETERS; i++) clgrad_tensor_release(&result[i]);
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < SIZE; i++) sum += a[i] * b[i];
    return sum;
}

/* Norm of the difference, relative to the norm of `want`. */
static double difference(const double *have, const double *want)
{
    double delta[SIZE];
    for (int i = 0; i < SIZE; i++) delta[i] = have[i] - want[i];
    return sqrt(dot(delta, delta) / dot(want, want));
}

START_TEST(products_are_those_of_the_dense_matrix)
{
    static dense d;
    static double v[SIZE], have[SIZE], want[SIZE];
    problem p;
    if (!open_problem(&p, false)) return;
    clgrad_operator *op = NULL;
    ck_ok(clgrad_gauss_newton_create(p.dev, p.model, p.loss, &p.options, p.in, &op));
    ck_assert_int_eq(clgrad_operator_columns(op), SIZE);
    ck_assert_int_eq(clgrad_operator_rows(op), SIZE);
    fill_dense(&p, &d);
    flatten(p.direction, v);
    product(op, p.direction, have);
    for (int i = 0; i < SIZE; i++) want[i] = dot(d.g[i], v);
    ck_assert_double_lt(difference(have, want), 1e-5);
    for (int i = 0; i < SIZE; i++) want[i] -= 0.01 * p.options.l2 * v[i]; /* the check can fail */
    ck_assert_double_gt(difference(have, want), 1e-4);
    clgrad_operator_release(&op);
    close_problem(&p);
}
END_TEST

START_TEST(matrices_are_symmetric_and_positive)
{
    problem p;
    double v[SIZE], u[SIZE], gv[SIZE], gu[SIZE];
    if (!open_problem(&p, false)) return;
    clgrad_operator *op = NULL;
    ck_ok(clgrad_gauss_newton_create(p.dev, p.model, p.loss, &p.options, p.in, &op));
    flatten(p.direction, v), flatten(p.in, u);
    product(op, p.direction, gv), product(op, p.in, gu);
    ck_assert_double_eq_tol(dot(u, gv), dot(v, gu), 1e-5 * sqrt(dot(u, u) * dot(gv, gv)));
    ck_assert_double_gt(fabs(dot(u, gv) - 1.01 * dot(v, gu)), 1e-5 * sqrt(dot(u, u) * dot(gv, gv)));
    ck_assert_double_gt(dot(v, gv), 0.99 * p.options.l2 * dot(v, v));
    ck_assert_double_gt(dot(u, gu), 0.99 * p.options.l2 * dot(u, u));
    clgrad_operator_release(&op);
    close_problem(&p);
}
END_TEST

/* Equal to the Hessian where the model is linear in its parameters, and there alone. */
START_TEST(linear_models_have_it_as_their_hessian)
{
    problem p;
    double gauss[SIZE], hessian[SIZE];
    const size_t wrt[PARAMETERS] = { 0, 1, 2 };
    if (!open_problem(&p, _i == 0)) return;
    clgrad_graph *f = NULL;
    clgrad_operator *g = NULL, *h = NULL;
    ck_ok(clgrad_objective_create(p.model, p.loss, &p.options, &f));
    ck_ok(clgrad_gauss_newton_create(p.dev, p.model, p.loss, &p.options, p.in, &g));
    ck_ok(clgrad_hessian_create(p.dev, f, 0, PARAMETERS, wrt, p.in, &h));
    product(g, p.direction, gauss), product(h, p.direction, hessian);
    if (_i == 0) ck_assert_double_lt(difference(gauss, hessian), 1e-5);
    else ck_assert_double_gt(difference(gauss, hessian), 1e-2);
    clgrad_operator_release(&g), clgrad_operator_release(&h);
    clgrad_graph_release(&f);
    close_problem(&p);
}
END_TEST

/* Two vectors at once, of more samples than are folded into one product. */
START_TEST(blocks_are_single_vectors_side_by_side)
{
    problem p;
    double alone[2][SIZE], block[SIZE];
    if (!open_problem(&p, false)) return;
    clgrad_operator *op = NULL;
    clgrad_tensor *v[PARAMETERS] = { NULL }, *out[PARAMETERS] = { NULL }, *column[PARAMETERS] = { NULL };
    ck_ok(clgrad_gauss_newton_create(p.dev, p.model, p.loss, &p.options, p.in, &op));
    product(op, p.direction, alone[0]), product(op, p.in, alone[1]);
    for (int i = 0; i < PARAMETERS; i++) {
        const clgrad_shape one = shape_of(i);
        clgrad_shape two = { .rank = one.rank + 1, .dims = { 2 } };
        for (int32_t d = 0; d < one.rank; d++) two.dims[d + 1] = one.dims[d];
        ck_ok(clgrad_tensor_create(p.dev, CLGRAD_F32, two, &v[i]));
        for (int c = 0; c < 2; c++) {
            clgrad_tensor *part = NULL;
            ck_ok(clgrad_tensor_view(v[i], c * clgrad_shape_count(&one), one, &part));
            ck_ok(clgrad_tensor_copy(part, c == 0 ? p.direction[i] : p.in[i]));
            clgrad_tensor_release(&part);
        }
    }
    ck_ok(clgrad_operator_apply_block(op, 2, v, out, 0, NULL, NULL));
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < PARAMETERS; i++) {
            const clgrad_shape one = shape_of(i);
            ck_ok(clgrad_tensor_view(out[i], c * clgrad_shape_count(&one), one, &column[i]));
        }
        flatten(column, block);
        ck_assert_mem_eq(block, alone[c], sizeof block);
        ck_assert_mem_ne(block, alone[1 - c], sizeof block); /* the check can fail */
        for (int i = 0; i < PARAMETERS; i++) clgrad_tensor_release(&column[i]);
    }
    for (int i = 0; i < PARAMETERS; i++) clgrad_tensor_release(&v[i]), clgrad_tensor_release(&out[i]);
    clgrad_operator_release(&op);
    close_problem(&p);
}
END_TEST

START_TEST(names_and_refusals)
{
    clgrad_graph *model = make_model(test_context(), false), *loss = make_loss(test_context()), *g = NULL;
    clgrad_objective_options options = CLGRAD_OBJECTIVE_OPTIONS_INIT;
    options.num_parameters = PARAMETERS;
    ck_ok(clgrad_gauss_newton_vector(model, loss, &options, &g));
    ck_assert_uint_eq(clgrad_graph_num_inputs(g), INPUTS + PARAMETERS);
    for (size_t i = 0; i < INPUTS; i++) ck_assert_str_eq(clgrad_graph_input_name(g, i), names[i]);
    ck_assert_str_eq(clgrad_graph_input_name(g, INPUTS + 2), "d_u");
    ck_assert_str_eq(clgrad_graph_output_name(g, 2), "h_u");
    clgrad_graph_release(&g);
    ck_assert_int_eq(clgrad_gauss_newton_vector(loss, model, &options, &g), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_gauss_newton_vector(model, loss, NULL, &g), CLGRAD_E_ARG);
    options.num_parameters = INPUTS;
    ck_assert_int_eq(clgrad_gauss_newton_vector(model, loss, &options, &g), CLGRAD_E_ARG);
    ck_assert_ptr_null(g);
    clgrad_graph_release(&model), clgrad_graph_release(&loss);
}
END_TEST

static clgrad_status build_once(clgrad_context *ctx, void *user)
{
    clgrad_graph *model = make_model(ctx, false), *loss = make_loss(ctx), *g = NULL;
    const clgrad_objective_options *options = user;
    clgrad_status st = model && loss ? clgrad_graph_status(model) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_graph_status(loss);
    if (st == CLGRAD_OK) st = clgrad_gauss_newton_vector(model, loss, options, &g);
    ck_assert(st == CLGRAD_OK || !g);
    clgrad_graph_release(&g), clgrad_graph_release(&model), clgrad_graph_release(&loss);
    return st;
}

START_TEST(refused_memory_leaks_nothing)
{
    clgrad_objective_options options = CLGRAD_OBJECTIVE_OPTIONS_INIT;
    options.num_parameters = PARAMETERS;
    options.l2 = 1;
    ck_assert_uint_gt(test_refuse_each_alone(build_once, &options), 100);
}
END_TEST

Suite *gauss_newton_suite(void)
{
    Suite *suite = suite_create("gauss_newton");
    TCase *tests = tcase_create("gauss_newton");
    tcase_add_test(tests, products_are_those_of_the_dense_matrix);
    tcase_add_test(tests, matrices_are_symmetric_and_positive);
    tcase_add_loop_test(tests, linear_models_have_it_as_their_hessian, 0, 2);
    tcase_add_test(tests, blocks_are_single_vectors_side_by_side);
    tcase_add_test(tests, names_and_refusals);
    tcase_add_test(tests, refused_memory_leaks_nothing);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
