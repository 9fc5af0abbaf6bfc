#include "autodiff/checks.h"

#include "clgrad/autodiff.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

static int64_t elements(const clgrad_graph *g, clgrad_node n) { return clgrad_shape_count(&clgrad_at(g, n)->shape); }

static double *block(int64_t count)
{
    double *v = calloc((size_t)count + 1, sizeof *v);
    ck_assert_ptr_nonnull(v);
    return v;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double norm(const double *a, int64_t n) { return sqrt(dot(a, a, n)); }

static double *direction(int64_t n, uint64_t seed)
{
    double *v = block(n);
    for (int64_t i = 0; i < n; i++) v[i] = domain_direction(seed, i);
    return v;
}

/* --- evaluating --- */

void study_open(study *s, const clgrad_graph *f, domain d, uint64_t seed)
{
    *s = (study){ .f = f, .seed = seed };
    ck_assert_uint_le(f->num_inputs, STUDY_INPUTS);
    for (size_t i = 0; i < f->num_inputs; i++) {
        if (!clgrad_dtype_is_real(clgrad_at(f, f->inputs[i])->dtype)) continue;
        s->real[s->num_real++] = i;
        s->num_x += elements(f, f->inputs[i]);
    }
    s->x = block(s->num_x);
    int64_t at = 0;
    for (size_t k = 0; k < s->num_real; k++) {
        const int64_t n = elements(f, f->inputs[s->real[k]]);
        for (int64_t i = 0; i < n; i++, at++) s->x[at] = domain_value(d, (int)k, seed, at);
    }
}

void study_close(study *s) { free(s->x); }

static void evaluate(const clgrad_graph *g, const clgrad_array *in, clgrad_array *out, clgrad_ref_mode mode)
{
    const clgrad_status status = clgrad_ref_evaluate(g, in, out, mode);
    ck_assert_msg(status == CLGRAD_OK, "ref: %s", clgrad_error_text(g->ctx));
}

static void release_all(clgrad_context *ctx, clgrad_array *arrays, size_t count)
{
    for (size_t i = 0; i < count; i++) clgrad_array_release(ctx, &arrays[i]);
    free(arrays);
}

static clgrad_array *array_list(size_t count)
{
    clgrad_array *list = calloc(count + 1, sizeof *list);
    ck_assert_ptr_nonnull(list);
    return list;
}

/* The k-th value of every integer input. */
static double small_integer(size_t input, int64_t k) { return (double)(((int64_t)input * 5 + k * 7 + k / 3) % 3); }

static clgrad_array *study_inputs(const study *s, const clgrad_graph *g, const double *x, const double *more)
{
    clgrad_array *in = array_list(g->num_inputs);
    for (size_t i = 0; i < g->num_inputs; i++) {
        const clgrad_op_node *node = clgrad_at(g, g->inputs[i]);
        const bool real = clgrad_dtype_is_real(node->dtype);
        const double **from = i < s->f->num_inputs ? &x : &more;
        const int64_t n = clgrad_shape_count(&node->shape);
        ck_assert_int_eq(clgrad_array_create(g->ctx, real ? CLGRAD_F64 : node->dtype, node->shape, &in[i]), CLGRAD_OK);
        for (int64_t k = 0; k < n; k++) clgrad_array_set(&in[i], k, real ? *(*from)++ : small_integer(i, k));
    }
    return in;
}

double *study_outputs(const study *s, const clgrad_graph *g, size_t first, const double *x, const double *more, int64_t *count)
{
    clgrad_array *in = study_inputs(s, g, x, more), *out = array_list(g->num_outputs);
    evaluate(g, in, out, CLGRAD_REF_F64);
    *count = 0;
    for (size_t i = first; i < g->num_outputs; i++) *count += elements(g, g->outputs[i]);
    double *all = block(*count);
    *count = 0;
    for (size_t i = first; i < g->num_outputs; i++) {
        if (!clgrad_dtype_is_real(clgrad_at(g, g->outputs[i])->dtype)) continue;
        const int64_t n = elements(g, g->outputs[i]);
        for (int64_t k = 0; k < n; k++) all[(*count)++] = clgrad_array_get(&out[i], k);
    }
    release_all(g->ctx, in, g->num_inputs);
    release_all(g->ctx, out, g->num_outputs);
    return all;
}

/* x + t v */
static double *moved(const study *s, double t, const double *v)
{
    double *x = block(s->num_x);
    for (int64_t i = 0; i < s->num_x; i++) x[i] = s->x[i] + t * v[i];
    return x;
}

/* --- first order --- */

bool check_jvp(const study *s, const clgrad_graph *jvp)
{
    const double h = 1e-5;
    int64_t n = 0, same = 0;
    double *v = direction(s->num_x, s->seed + 11), *ahead = moved(s, h, v), *behind = moved(s, -h, v);
    double *dy = study_outputs(s, jvp, s->f->num_outputs, s->x, v, &n);
    double *up = study_outputs(s, s->f, 0, ahead, NULL, &same), *down = study_outputs(s, s->f, 0, behind, NULL, &same);
    const double scale = norm(up, same);
    ck_assert_int_eq(n, same);
    for (int64_t i = 0; i < n; i++) up[i] = (up[i] - down[i]) / (2 * h) - dy[i];
    /* truncation h^2 f'''/6 and rounding eps |f| / h */
    const bool good = norm(up, n) <= 1e-7 * norm(dy, n) + 1e-9 * (1 + scale);
    free(v), free(ahead), free(behind), free(dy), free(up), free(down);
    return good;
}

bool check_adjoint(const study *s, const clgrad_graph *jvp, const clgrad_graph *vjp)
{
    int64_t n = 0, m = 0;
    double *v = direction(s->num_x, s->seed + 21);
    double *dy = study_outputs(s, jvp, s->f->num_outputs, s->x, v, &n);
    double *u = direction(n, s->seed + 22);
    double *ct = study_outputs(s, vjp, s->f->num_outputs, s->x, u, &m);
    ck_assert_int_eq(m, s->num_x);
    const double left = dot(u, dy, n), right = dot(ct, v, m);
    const double scale = norm(u, n) * norm(dy, n) + norm(ct, m) * norm(v, m);
    const bool good = fabs(left - right) <= 1e-12 * scale;
    free(v), free(u), free(dy), free(ct);
    return good;
}

/* --- second order --- */

bool check_symmetry(const study *s, const clgrad_graph *hessian_vector)
{
    int64_t n = 0;
    double *u = direction(s->num_x, s->seed + 31), *v = direction(s->num_x, s->seed + 32);
    double *hv = study_outputs(s, hessian_vector, s->num_real, s->x, v, &n);
    double *hu = study_outputs(s, hessian_vector, s->num_real, s->x, u, &n);
    ck_assert_int_eq(n, s->num_x);
    const double scale = norm(u, n) * norm(hv, n) + norm(v, n) * norm(hu, n);
    const bool good = fabs(dot(u, hv, n) - dot(v, hu, n)) <= 1e-10 * scale;
    free(u), free(v), free(hv), free(hu);
    return good;
}

static double value_at(const study *s, double t, const double *v)
{
    int64_t n = 0;
    double *x = moved(s, t, v), *y = study_outputs(s, s->f, 0, x, NULL, &n);
    const double value = y[0];
    free(x), free(y);
    return value;
}

/* Successive remainders r[i] at steps 0.01 / 2^i: the last pair above rounding must have fallen by 2^rate nearly. */
static bool falls(const double *r, int count, double floor, double rate)
{
    int last = -1;
    while (last + 1 < count && fabs(r[last + 1]) > floor) last++;
    return last < 1 || log2(fabs(r[last - 1]) / fabs(r[last])) >= rate - 0.1;
}

static bool taylor_along(const study *s, const clgrad_graph *hessian_vector, const double *v)
{
    enum { STEPS = 8 };
    double first[STEPS], second[STEPS];
    int64_t n = 0;
    double *g_and_h = study_outputs(s, hessian_vector, 0, s->x, v, &n);
    ck_assert_int_eq(n, 2 * s->num_x);
    const double y = value_at(s, 0, v), g = dot(g_and_h, v, s->num_x), h = dot(g_and_h + s->num_x, v, s->num_x);
    double step = 0.01;
    for (int i = 0; i < STEPS; i++, step /= 2) {
        first[i] = value_at(s, step, v) - y - step * g;
        second[i] = first[i] - step * step / 2 * h;
    }
    free(g_and_h);
    const double floor = 1000 * DBL_EPSILON * (fabs(y) + 0.01 * fabs(g));
    return falls(first, STEPS, floor, 2) && falls(second, STEPS, floor, 3);
}

/* Where the next derivative happens to vanish along a direction, or has the other sign than the one after it, rates say nothing:
 * another direction then decides. A wrong derivative is wrong along all of them. */
bool check_taylor(const study *s, const clgrad_graph *hessian_vector)
{
    for (uint64_t attempt = 0; attempt < 3; attempt++) {
        double *v = direction(s->num_x, s->seed + 41 + attempt);
        const bool good = taylor_along(s, hessian_vector, v);
        free(v);
        if (good) return true;
    }
    return false;
}

/* --- split --- */

static clgrad_graph *join_sides(const clgrad_graph *g, size_t first, const clgrad_graph *known, const clgrad_graph *unknown,
                                const bool *output_known)
{
    clgrad_graph *whole = NULL;
    clgrad_node in[2 * STUDY_INPUTS], left[256], right[256];
    size_t from_left = 0, from_right = 0;
    for (size_t i = 0; i < g->num_outputs; i++) from_left += output_known[i];
    ck_assert_uint_le(known->num_outputs, CLGRAD_COUNT(left));
    ck_assert_uint_eq(unknown->num_inputs, g->num_inputs - first + known->num_outputs - from_left);
    ck_assert_int_eq(clgrad_graph_create(g->ctx, &whole), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_copy_inputs(g, whole, in), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_inline(whole, known, in, left), CLGRAD_OK);

    clgrad_node arguments[256 + 2 * STUDY_INPUTS];
    const size_t directions = g->num_inputs - first;
    for (size_t i = 0; i < unknown->num_inputs; i++)
        arguments[i] = i < directions ? in[first + i] : left[from_left + i - directions];
    ck_assert_int_eq(clgrad_graph_inline(whole, unknown, arguments, right), CLGRAD_OK);
    from_left = 0;
    for (size_t i = 0; i < g->num_outputs; i++)
        clgrad_output(whole, g->output_names[i], output_known[i] ? left[from_left++] : right[from_right++]);
    ck_assert_msg(clgrad_graph_status(whole) == CLGRAD_OK, "%s", clgrad_error_text(g->ctx));
    return whole;
}

bool check_split(const study *s, const clgrad_graph *g)
{
    clgrad_graph *known = NULL, *unknown = NULL;
    size_t directions[STUDY_INPUTS], count = 0;
    bool output_known[2 * STUDY_INPUTS];
    ck_assert_uint_le(g->num_outputs, CLGRAD_COUNT(output_known));
    for (size_t i = s->f->num_inputs; i < g->num_inputs; i++) directions[count++] = i;
    ck_assert_int_eq(clgrad_split(g, count, directions, &known, &unknown, output_known), CLGRAD_OK);
    clgrad_graph *whole = join_sides(g, s->f->num_inputs, known, unknown, output_known);

    int64_t n = 0, m = 0;
    double *v = direction(s->num_x, s->seed + 51);
    double *one = study_outputs(s, g, 0, s->x, v, &n), *two = study_outputs(s, whole, 0, s->x, v, &m);
    const bool good = n == m && memcmp(one, two, (size_t)n * sizeof *one) == 0;
    free(v), free(one), free(two);
    clgrad_graph_release(&known);
    clgrad_graph_release(&unknown);
    clgrad_graph_release(&whole);
    return good;
}

/* --- batches --- */

static clgrad_array *batch_inputs(const clgrad_graph *g, domain d, uint64_t seed)
{
    clgrad_array *in = array_list(g->num_inputs);
    for (size_t i = 0; i < g->num_inputs; i++) {
        const clgrad_op_node *node = clgrad_at(g, g->inputs[i]);
        const int64_t n = clgrad_shape_count(&node->shape);
        ck_assert_int_eq(clgrad_array_create(g->ctx, node->dtype, node->shape, &in[i]), CLGRAD_OK);
        for (int64_t k = 0; k < n; k++)
            clgrad_array_set(&in[i], k, clgrad_dtype_is_real(node->dtype) ? domain_value(d, (int)i, seed + i, k) : small_integer(i, k));
    }
    return in;
}

/* Sample number k of arrays batched where mask says so. */
static clgrad_array *pick_sample(const clgrad_graph *single, const clgrad_array *batched, uint32_t mask, int64_t k)
{
    clgrad_array *in = array_list(single->num_inputs);
    for (size_t i = 0; i < single->num_inputs; i++) {
        const clgrad_op_node *node = clgrad_at(single, single->inputs[i]);
        ck_assert_int_eq(clgrad_array_create(single->ctx, node->dtype, node->shape, &in[i]), CLGRAD_OK);
        const size_t bytes = clgrad_array_bytes(&in[i]);
        memcpy(in[i].data, (const char *)batched[i].data + ((mask >> i) & 1 ? (size_t)k * bytes : 0), bytes);
    }
    return in;
}

static bool sample_equal(const clgrad_array *single, const clgrad_array *batched, size_t count, int64_t k)
{
    for (size_t i = 0; i < count; i++) {
        const size_t bytes = clgrad_array_bytes(&single[i]);
        if (memcmp(single[i].data, (const char *)batched[i].data + (size_t)k * bytes, bytes) != 0) return false;
    }
    return true;
}

bool check_batch(const clgrad_graph *single, const clgrad_graph *batched, int64_t n, uint32_t mask, domain d, uint64_t seed)
{
    clgrad_context *ctx = single->ctx;
    clgrad_array *in = batch_inputs(batched, d, seed), *out = array_list(batched->num_outputs);
    bool equal = true;
    evaluate(batched, in, out, CLGRAD_REF_F32);
    for (int64_t k = 0; k < n; k++) {
        clgrad_array *one = pick_sample(single, in, mask, k), *y = array_list(single->num_outputs);
        evaluate(single, one, y, CLGRAD_REF_F32);
        equal = equal && sample_equal(y, out, single->num_outputs, k);
        release_all(ctx, one, single->num_inputs);
        release_all(ctx, y, single->num_outputs);
    }
    release_all(ctx, in, batched->num_inputs);
    release_all(ctx, out, batched->num_outputs);
    return equal;
}

/* --- making functions from functions --- */

typedef struct copying {
    clgrad_graph *b;
    clgrad_node *inputs, *outputs;
} copying;

static copying copy_open(const clgrad_graph *f)
{
    copying c = { .inputs = calloc(f->num_inputs + 1, sizeof *c.inputs), .outputs = calloc(f->num_outputs + 1, sizeof *c.outputs) };
    ck_assert_int_eq(clgrad_graph_create(f->ctx, &c.b), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_copy_inputs(f, c.b, c.inputs), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_inline(c.b, f, c.inputs, c.outputs), CLGRAD_OK);
    return c;
}

static clgrad_graph *copy_close(copying *c)
{
    free(c->inputs), free(c->outputs);
    ck_assert_msg(clgrad_graph_status(c->b) == CLGRAD_OK, "%s", clgrad_error_text(c->b->ctx));
    return c->b;
}

clgrad_graph *scalar_of(const clgrad_graph *f)
{
    copying c = copy_open(f);
    clgrad_node sum = CLGRAD_NONE;
    for (size_t i = 0; i < f->num_outputs; i++) {
        if (!clgrad_dtype_is_real(clgrad_node_dtype(c.b, c.outputs[i])) || elements(f, f->outputs[i]) == 0) continue;
        const clgrad_node y = clgrad_sin(c.b, clgrad_offset(c.b, c.outputs[i], 0.3));
        const clgrad_node term = clgrad_mean(c.b, y, CLGRAD_ALL_AXES, false);
        sum = sum == CLGRAD_NONE ? term : clgrad_add(c.b, sum, term);
    }
    clgrad_output(c.b, "s", sum == CLGRAD_NONE ? clgrad_constant(c.b, CLGRAD_F64, CLGRAD_SCALAR, 0) : sum);
    return copy_close(&c);
}

clgrad_graph *spoil(const clgrad_graph *g, size_t at)
{
    copying c = copy_open(g);
    for (size_t i = 0; i < g->num_outputs; i++) {
        clgrad_node y = c.outputs[i];
        if (i == at) {
            const clgrad_shape shape = clgrad_node_shape(c.b, y), flat = { 1, { clgrad_shape_count(&shape) } };
            const clgrad_node place = clgrad_cast(c.b, clgrad_iota(c.b, CLGRAD_I32, flat, 0), clgrad_node_dtype(c.b, y));
            y = clgrad_mul(c.b, y, clgrad_reshape(c.b, clgrad_offset(c.b, clgrad_scale(c.b, place, 0.01), 1.01), shape));
        }
        clgrad_output(c.b, g->output_names[i], y);
    }
    return copy_close(&c);
}
