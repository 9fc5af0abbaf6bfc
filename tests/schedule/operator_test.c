/* Hessians and Jacobians at a point, against the oracle in f64, the adjoint identity and symmetry. */

#include "ref/ref.h"
#include "schedule/schedule.h"
#include "schedule/suites.h"
#include "support/device.h"

#include <math.h>

enum { IN = 6, OUT = 4, BATCH = 5 };

/* f(w, b, x) = mean (tanh(x w + b))^2 exp(b_0); z = tanh(x w + b) */
typedef struct problem {
    clgrad_device *dev;
    clgrad_graph *f;
    clgrad_array at[3], v[2]; /* point and a direction in (w, b) */
    clgrad_tensor *in[3], *dir[2];
} problem;

static void fill(clgrad_array *array, int salt)
{
    const int64_t n = clgrad_shape_count(&array->shape);
    for (int64_t i = 0; i < n; i++) clgrad_array_set(array, i, sin((double)(i * 7 + salt)));
}

static void upload(clgrad_device *dev, const clgrad_array *array, clgrad_tensor **out)
{
    ck_ok(clgrad_tensor_create_from(dev, array->dtype, array->shape, array->data, clgrad_array_bytes(array), out));
}

static bool open_problem(problem *p)
{
    *p = (problem){ .dev = test_device() };
    if (!p->dev) return false;
    clgrad_graph *g = NULL;
    ck_ok(clgrad_graph_create(test_context(), &g));
    const clgrad_shape shapes[] = { CLGRAD_SHAPE(IN, OUT), CLGRAD_SHAPE(OUT), CLGRAD_SHAPE(BATCH, IN) };
    const clgrad_node w = clgrad_input(g, "w", CLGRAD_F32, shapes[0]), b = clgrad_input(g, "b", CLGRAD_F32, shapes[1]);
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, shapes[2]);
    const clgrad_node z = clgrad_tanh(g, clgrad_add(g, clgrad_matmul(g, x, w, false, false), b));
    const int64_t start = 0, size = 1;
    const clgrad_node factor = clgrad_reshape(g, clgrad_exp(g, clgrad_slice(g, b, &start, &size, NULL)), CLGRAD_SCALAR);
    ck_ok(clgrad_output(g, "f", clgrad_mul(g, clgrad_mean(g, clgrad_square(g, z), CLGRAD_ALL_AXES, false), factor)));
    ck_ok(clgrad_output(g, "z", z));
    ck_ok(clgrad_output(g, "count", clgrad_argmax(g, b, 0)));
    p->f = g;
    for (int i = 0; i < 3; i++) {
        ck_ok(clgrad_array_create(test_context(), CLGRAD_F32, shapes[i], &p->at[i]));
        fill(&p->at[i], i);
        upload(p->dev, &p->at[i], &p->in[i]);
        if (i == 2) break;
        ck_ok(clgrad_array_create(test_context(), CLGRAD_F32, shapes[i], &p->v[i]));
        fill(&p->v[i], i + 10);
        upload(p->dev, &p->v[i], &p->dir[i]);
    }
    return true;
}

static void close_problem(problem *p)
{
    for (int i = 0; i < 3; i++) clgrad_array_release(test_context(), &p->at[i]), clgrad_tensor_release(&p->in[i]);
    for (int i = 0; i < 2; i++) clgrad_array_release(test_context(), &p->v[i]), clgrad_tensor_release(&p->dir[i]);
    clgrad_graph_release(&p->f);
}

/* Largest difference between a tensor and an f64 array, relative to the largest element. */
static double difference(clgrad_tensor *have, const clgrad_array *want)
{
    const int64_t n = clgrad_shape_count(&want->shape);
    float values[64];
    double worst = 0, scale = 0;
    ck_ok(clgrad_tensor_read(have, values, clgrad_tensor_bytes(have)));
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)values[i] - clgrad_array_get(want, i)));
        scale = fmax(scale, fabs(clgrad_array_get(want, i)));
    }
    return worst / scale;
}

/* The oracle's product: outputs are f's gradients, then the products. */
static void oracle(const problem *p, clgrad_array products[2])
{
    const size_t wrt[] = { 0, 1 };
    clgrad_graph *h = NULL;
    clgrad_array in[5] = { p->at[0], p->at[1], p->at[2], p->v[0], p->v[1] }, out[4];
    ck_ok(clgrad_hessian_vector(p->f, 0, 2, wrt, &h));
    ck_ok(clgrad_ref_evaluate(h, in, out, CLGRAD_REF_F64));
    for (int i = 0; i < 2; i++) clgrad_array_release(test_context(), &out[i]), products[i] = out[2 + i];
    clgrad_graph_release(&h);
}

static void check_product(const problem *p, clgrad_operator *h)
{
    clgrad_array want[2];
    clgrad_tensor *out[2] = { NULL, NULL };
    oracle(p, want);
    ck_ok(clgrad_operator_apply(h, p->dir, out, 0, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        ck_assert_double_lt(difference(out[i], &want[i]), 2e-6);
        clgrad_array_set(&want[i], 0, 1.01 * clgrad_array_get(&want[i], 0) + 1e-3); /* the check can fail */
        ck_assert_double_gt(difference(out[i], &want[i]), 1e-5);
        clgrad_array_release(test_context(), &want[i]), clgrad_tensor_release(&out[i]);
    }
}

START_TEST(hessian_products_are_the_oracles)
{
    problem p;
    if (!open_problem(&p)) return;
    const size_t wrt[] = { 0, 1 };
    clgrad_operator *h = NULL;
    ck_ok(clgrad_hessian_create(p.dev, p.f, 0, 2, wrt, p.in, &h));
    ck_assert_int_eq(clgrad_operator_columns(h), IN * OUT + OUT);
    ck_assert_int_eq(clgrad_operator_rows(h), IN * OUT + OUT);
    ck_assert(clgrad_operator_function(h, 0) && clgrad_operator_function(h, 1));
    for (size_t i = 2; i < 7; i++) ck_assert(!clgrad_operator_function(h, i));
    check_product(&p, h);
    fill(&p.at[0], 99), fill(&p.at[1], 98); /* another point */
    for (int i = 0; i < 2; i++) ck_ok(clgrad_tensor_write(p.in[i], p.at[i].data, clgrad_array_bytes(&p.at[i])));
    ck_ok(clgrad_operator_set_point(h, p.in));
    check_product(&p, h);
    clgrad_operator_release(&h);
    close_problem(&p);
}
END_TEST

/* The point was read when the operator was made: what becomes of the tensors afterwards does not matter. */
START_TEST(operators_keep_their_point)
{
    problem p;
    if (!open_problem(&p)) return;
    const size_t wrt[] = { 0, 1 };
    clgrad_operator *h = NULL;
    ck_ok(clgrad_hessian_create(p.dev, p.f, 0, 2, wrt, p.in, &h));
    for (int i = 0; i < 3; i++) ck_ok(clgrad_tensor_fill(p.in[i], 0.25));
    check_product(&p, h);
    clgrad_operator_release(&h);
    close_problem(&p);
}
END_TEST

static double dot(clgrad_tensor *a, clgrad_tensor *b)
{
    float x[64], y[64];
    double sum = 0;
    ck_assert_uint_eq(clgrad_tensor_bytes(a), clgrad_tensor_bytes(b));
    ck_ok(clgrad_tensor_read(a, x, clgrad_tensor_bytes(a)));
    ck_ok(clgrad_tensor_read(b, y, clgrad_tensor_bytes(b)));
    for (size_t i = 0; i < clgrad_tensor_bytes(a) / sizeof *x; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

START_TEST(hessians_are_symmetric)
{
    problem p;
    if (!open_problem(&p)) return;
    const size_t wrt[] = { 0, 1 };
    clgrad_operator *h = NULL;
    clgrad_tensor *hv[2] = { NULL, NULL }, *hu[2] = { NULL, NULL }, *u[] = { p.in[0], p.in[1] };
    ck_ok(clgrad_hessian_create(p.dev, p.f, 0, 2, wrt, p.in, &h));
    ck_ok(clgrad_operator_apply(h, p.dir, hv, 0, NULL, NULL));
    ck_ok(clgrad_operator_apply_transpose(h, u, hu, 0, NULL, NULL));
    const double a = dot(u[0], hv[0]) + dot(u[1], hv[1]), b = dot(p.dir[0], hu[0]) + dot(p.dir[1], hu[1]);
    ck_assert_double_eq_tol(a, b, 1e-6 * (fabs(a) + 1));
    ck_assert_double_gt(fabs(a - 2 * b), 1e-4);
    for (int i = 0; i < 2; i++) clgrad_tensor_release(&hv[i]), clgrad_tensor_release(&hu[i]);
    clgrad_operator_release(&h);
    close_problem(&p);
}
END_TEST

START_TEST(jacobians_and_their_transposes_are_adjoint)
{
    problem p;
    if (!open_problem(&p)) return;
    const size_t wrt[] = { 0, 1 };
    clgrad_operator *j = NULL;
    clgrad_tensor *jv[1] = { NULL }, *u[1] = { NULL }, *ju[2] = { NULL, NULL };
    ck_ok(clgrad_jacobian_create(p.dev, p.f, 1, 2, wrt, p.in, &j));
    ck_assert_int_eq(clgrad_operator_rows(j), BATCH * OUT);
    ck_assert_int_eq(clgrad_operator_columns(j), IN * OUT + OUT);
    ck_assert_uint_eq(clgrad_operator_domain_count(j), 2);
    ck_assert_uint_eq(clgrad_operator_range_count(j), 1);
    const clgrad_shape range = clgrad_operator_range_shape(j, 0), first = clgrad_operator_domain_shape(j, 0);
    ck_assert(clgrad_shape_equal(&first, &p.at[0].shape));
    clgrad_array ct = { 0 };
    ck_ok(clgrad_array_create(test_context(), CLGRAD_F32, range, &ct));
    fill(&ct, 50);
    upload(p.dev, &ct, &u[0]);
    ck_ok(clgrad_operator_apply(j, p.dir, jv, 0, NULL, NULL));
    ck_ok(clgrad_operator_apply_transpose(j, u, ju, 0, NULL, NULL));
    const double a = dot(u[0], jv[0]), b = dot(p.dir[0], ju[0]) + dot(p.dir[1], ju[1]);
    ck_assert_double_eq_tol(a, b, 1e-5 * (fabs(a) + 1));
    ck_assert_double_gt(fabs(a - 1.01 * b), 1e-5 * (fabs(a) + 1));
    clgrad_array_release(test_context(), &ct);
    clgrad_tensor_release(&jv[0]), clgrad_tensor_release(&u[0]), clgrad_tensor_release(&ju[0]), clgrad_tensor_release(&ju[1]);
    clgrad_operator_release(&j);
    close_problem(&p);
}
END_TEST

/* --- blocks --- */

enum { COLUMNS = 3 };

/* COLUMNS different vectors for each tensor of `like`, one tensor each. */
static void make_block(const problem *p, clgrad_tensor *const *like, size_t count, clgrad_tensor **block)
{
    for (size_t i = 0; i < count; i++) {
        const clgrad_shape one = clgrad_tensor_shape(like[i]);
        clgrad_shape shape = { .rank = one.rank + 1, .dims = { COLUMNS } };
        for (int32_t d = 0; d < one.rank; d++) shape.dims[d + 1] = one.dims[d];
        clgrad_array values = { 0 };
        ck_ok(clgrad_array_create(test_context(), CLGRAD_F32, shape, &values));
        fill(&values, 70 + (int)i);
        upload(p->dev, &values, &block[i]);
        clgrad_array_release(test_context(), &values);
    }
}

static void view_column(clgrad_tensor *const *block, clgrad_tensor *const *like, size_t count, int64_t c, clgrad_tensor **views)
{
    for (size_t i = 0; i < count; i++) {
        const clgrad_shape shape = clgrad_tensor_shape(like[i]);
        ck_ok(clgrad_tensor_view(block[i], c * clgrad_shape_count(&shape), shape, &views[i]));
    }
}

static bool same_bits(clgrad_tensor *a, clgrad_tensor *b)
{
    float x[64], y[64];
    ck_assert_uint_eq(clgrad_tensor_bytes(a), clgrad_tensor_bytes(b));
    ck_ok(clgrad_tensor_read(a, x, clgrad_tensor_bytes(a)));
    ck_ok(clgrad_tensor_read(b, y, clgrad_tensor_bytes(b)));
    return memcmp(x, y, clgrad_tensor_bytes(a)) == 0;
}

typedef clgrad_status apply_fn(const clgrad_operator *op, clgrad_tensor *const *v, clgrad_tensor **out, size_t num_wait,
                               clgrad_event *const *wait, clgrad_event **event);

/* out: results of a block; `from` and `to` have the shapes of single vectors. */
static void check_columns(const clgrad_operator *op, apply_fn *apply, clgrad_tensor *const *block, clgrad_tensor *const *from,
                          size_t num_from, clgrad_tensor *const *out)
{
    for (int64_t c = 0; c < COLUMNS; c++) {
        clgrad_tensor *v[2] = { NULL, NULL }, *alone[2] = { NULL, NULL }, *column[2] = { NULL, NULL };
        view_column(block, from, num_from, c, v);
        ck_ok(apply(op, v, alone, 0, NULL, NULL));
        const size_t num_out = alone[1] ? 2 : 1;
        view_column(out, alone, num_out, c, column);
        for (size_t i = 0; i < num_out; i++) ck_assert(same_bits(alone[i], column[i]));
        clgrad_tensor_release(&column[0]);
        view_column(out, alone, 1, (c + 1) % COLUMNS, column);
        ck_assert(!same_bits(alone[0], column[0])); /* the check can fail */
        for (size_t i = 0; i < 2; i++) clgrad_tensor_release(&alone[i]), clgrad_tensor_release(&column[i]), clgrad_tensor_release(&v[i]);
    }
}

START_TEST(blocks_are_single_vectors_side_by_side)
{
    problem p;
    if (!open_problem(&p)) return;
    const size_t wrt[] = { 0, 1 };
    clgrad_operator *h = NULL, *j = NULL;
    clgrad_tensor *block[2] = { NULL, NULL }, *out[2] = { NULL, NULL }, *jv[1] = { NULL }, *jtjv[2] = { NULL, NULL }, *z[1] = { NULL };
    ck_ok(clgrad_hessian_create(p.dev, p.f, 0, 2, wrt, p.in, &h));
    ck_ok(clgrad_jacobian_create(p.dev, p.f, 1, 2, wrt, p.in, &j));
    make_block(&p, p.dir, 2, block);
    ck_ok(clgrad_operator_apply_block(h, COLUMNS, block, out, 0, NULL, NULL));
    ck_assert(clgrad_operator_function(h, 2) && !clgrad_operator_function(h, 5));
    check_columns(h, clgrad_operator_apply, block, p.dir, 2, out);
    ck_ok(clgrad_operator_apply_block(j, COLUMNS, block, jv, 0, NULL, NULL));
    check_columns(j, clgrad_operator_apply, block, p.dir, 2, jv);
    ck_ok(clgrad_operator_apply_transpose_block(j, COLUMNS, jv, jtjv, 0, NULL, NULL));
    ck_ok(clgrad_tensor_create(p.dev, CLGRAD_F32, clgrad_operator_range_shape(j, 0), &z[0]));
    check_columns(j, clgrad_operator_apply_transpose, jv, z, 1, jtjv);
    ck_assert(clgrad_operator_function(j, 2) && clgrad_operator_function(j, 5));
    clgrad_tensor_release(&jv[0]), clgrad_tensor_release(&z[0]);
    for (int i = 0; i < 2; i++) clgrad_tensor_release(&block[i]), clgrad_tensor_release(&out[i]), clgrad_tensor_release(&jtjv[i]);
    clgrad_operator_release(&h), clgrad_operator_release(&j);
    close_problem(&p);
}
END_TEST

/* The plan of one width gives way to that of another, and both follow the point. */
START_TEST(blocks_of_several_widths)
{
    problem p;
    if (!open_problem(&p)) return;
    const size_t wrt[] = { 0, 1 };
    clgrad_operator *h = NULL;
    clgrad_tensor *block[2] = { NULL, NULL }, *one[2] = { NULL, NULL }, *out[2] = { NULL, NULL }, *narrow[2] = { NULL, NULL };
    ck_ok(clgrad_hessian_create(p.dev, p.f, 0, 2, wrt, p.in, &h));
    make_block(&p, p.dir, 2, block);
    const clgrad_shape shapes[] = { CLGRAD_SHAPE(1, IN, OUT), CLGRAD_SHAPE(1, OUT) };
    for (int i = 0; i < 2; i++) ck_ok(clgrad_tensor_view(block[i], 0, shapes[i], &one[i]));
    ck_assert_int_eq(clgrad_operator_apply_block(h, 0, block, out, 0, NULL, NULL), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_operator_apply_block(h, COLUMNS, p.dir, out, 0, NULL, NULL), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_operator_apply_block(h, COLUMNS + 1, block, out, 0, NULL, NULL), CLGRAD_E_SHAPE);
    ck_assert(!out[0] && !out[1]);
    ck_ok(clgrad_operator_set_point(h, (clgrad_tensor *[]){ p.dir[0], p.dir[1], p.in[2] }));
    ck_ok(clgrad_operator_apply_block(h, COLUMNS, block, out, 0, NULL, NULL));
    check_columns(h, clgrad_operator_apply, block, p.dir, 2, out);
    ck_ok(clgrad_operator_apply_block(h, 1, one, narrow, 0, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        clgrad_tensor *first = NULL;
        ck_ok(clgrad_tensor_view(out[i], 0, shapes[i], &first));
        ck_assert(same_bits(first, narrow[i]));
        clgrad_tensor_release(&first);
        clgrad_tensor_release(&block[i]), clgrad_tensor_release(&out[i]), clgrad_tensor_release(&one[i]), clgrad_tensor_release(&narrow[i]);
    }
    clgrad_operator_release(&h);
    close_problem(&p);
}
END_TEST

/* No direction reaches the product of a linear function's Hessian: it is known to be zero. */
START_TEST(linear_functions_have_zero_hessians)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    clgrad_graph *g = NULL;
    clgrad_operator *h = NULL;
    clgrad_tensor *x = NULL, *out[1] = { NULL };
    const float values[] = { 1, 2, 3 };
    float zeros[] = { 7, 7, 7 };
    const size_t wrt = 0;
    ck_ok(clgrad_graph_create(test_context(), &g));
    ck_ok(clgrad_output(g, "s", clgrad_sum(g, clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(3)), CLGRAD_ALL_AXES, false)));
    ck_ok(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(3), values, sizeof values, &x));
    ck_ok(clgrad_hessian_create(dev, g, 0, 1, &wrt, &x, &h));
    ck_assert(clgrad_operator_function(h, 0) && !clgrad_operator_function(h, 1));
    ck_ok(clgrad_operator_apply(h, &x, out, 0, NULL, NULL));
    ck_ok(clgrad_tensor_read(out[0], zeros, sizeof zeros));
    for (int i = 0; i < 3; i++) ck_assert_float_eq(zeros[i], 0);
    clgrad_tensor *pair = NULL, *zero_pair[1] = { NULL };
    float all[6] = { 7, 7, 7, 7, 7, 7 };
    ck_ok(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(2, 3), all, sizeof all, &pair));
    ck_assert_int_eq(clgrad_operator_apply_block(h, 2, &pair, out, 0, NULL, NULL), CLGRAD_E_SHAPE);
    ck_ok(clgrad_operator_apply_block(h, 2, &pair, zero_pair, 0, NULL, NULL));
    ck_ok(clgrad_tensor_read(zero_pair[0], all, sizeof all));
    for (int i = 0; i < 6; i++) ck_assert_float_eq(all[i], 0);
    clgrad_tensor_release(&pair), clgrad_tensor_release(&zero_pair[0]);
    clgrad_tensor_release(&x), clgrad_tensor_release(&out[0]);
    clgrad_operator_release(&h), clgrad_graph_release(&g);
}
END_TEST

START_TEST(operands_that_do_not_fit)
{
    problem p;
    if (!open_problem(&p)) return;
    const size_t wrt[] = { 0, 1 }, beyond = 7;
    clgrad_operator *h = NULL;
    clgrad_tensor *out[2] = { NULL, NULL }, *swapped[] = { p.dir[1], p.dir[0] }, *missing[] = { p.dir[0], NULL };
    ck_assert_int_eq(clgrad_hessian_create(p.dev, p.f, 9, 2, wrt, p.in, &h), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_hessian_create(p.dev, p.f, 1, 2, wrt, p.in, &h), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_hessian_create(p.dev, p.f, 0, 1, &beyond, p.in, &h), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_jacobian_create(p.dev, p.f, 2, 2, wrt, p.in, &h), CLGRAD_E_DERIVATIVE);
    ck_assert_ptr_null(h);
    ck_ok(clgrad_hessian_create(p.dev, p.f, 0, 2, wrt, p.in, &h));
    ck_assert_int_eq(clgrad_operator_apply(h, swapped, out, 0, NULL, NULL), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_operator_apply(h, missing, out, 0, NULL, NULL), CLGRAD_E_ARG);
    ck_assert(!out[0] && !out[1]);
    clgrad_operator *second = clgrad_operator_retain(h);
    clgrad_operator_release(&h);
    ck_ok(clgrad_operator_apply(second, p.dir, out, 0, NULL, NULL));
    clgrad_tensor_release(&out[0]), clgrad_tensor_release(&out[1]);
    clgrad_operator_release(&second);
    close_problem(&p);
}
END_TEST

Suite *operator_suite(void)
{
    Suite *suite = suite_create("operator");
    TCase *tests = tcase_create("operator");
    tcase_add_test(tests, hessian_products_are_the_oracles);
    tcase_add_test(tests, operators_keep_their_point);
    tcase_add_test(tests, hessians_are_symmetric);
    tcase_add_test(tests, jacobians_and_their_transposes_are_adjoint);
    tcase_add_test(tests, blocks_are_single_vectors_side_by_side);
    tcase_add_test(tests, blocks_of_several_widths);
    tcase_add_test(tests, linear_functions_have_zero_hessians);
    tcase_add_test(tests, operands_that_do_not_fit);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
