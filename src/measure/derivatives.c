/* Derivatives of one op on a device. <u, J v> = <J'u, v> with both sides computed there, and J v against central differences of
 * the reference in f64. Methods: docs/design.md, Tests. */

#include "measure/evaluate.h"
#include "measure/matrix.h"

#include "clgrad/autodiff.h"
#include "ref/ref.h"

#include <math.h>
#include <stdio.h>

enum { MOST = 2 * CLGRAD_SAMPLE_INPUTS + 8 };

static const clgrad_layout derivative_layout = { "derivative", CLGRAD_LAYOUT_PLAIN, 9 };

bool clgrad_derivative_applies(clgrad_op op)
{
    static const char *const rules[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) [CLGRAD_OP_##name] = #jvp,
#include "graph/ops.def"
#undef OP
    };
    return strcmp(rules[op], "zero") != 0 && clgrad_op_get(op)->family != CLGRAD_LEAF;
}

typedef struct derivative {
    clgrad_context *ctx;
    clgrad_sample sample;
    clgrad_graph *jvp, *vjp;
    size_t wrt[CLGRAD_SAMPLE_INPUTS], num_wrt, num_in, num_out;
    clgrad_array in[MOST];     /* the inputs, then the tangents v; for vjp the inputs, then the cotangents u */
    clgrad_array u[MOST], forward[MOST], backward[MOST], plus[MOST], minus[MOST], exact[MOST];
} derivative;

static void derivative_release(derivative *d)
{
    for (size_t i = 0; i < MOST; i++) {
        clgrad_array *const all[] = { &d->in[i], &d->u[i], &d->forward[i], &d->backward[i], &d->plus[i], &d->minus[i], &d->exact[i] };
        for (size_t k = 0; k < CLGRAD_COUNT(all); k++) clgrad_array_release(d->ctx, all[k]);
    }
    clgrad_graph_release(&d->jvp);
    clgrad_graph_release(&d->vjp);
    clgrad_graph_release(&d->sample.graph);
}

static clgrad_status random_like(derivative *d, clgrad_dtype dtype, clgrad_shape shape, uint64_t seed, clgrad_array *out)
{
    CLGRAD_TRY(clgrad_array_create(d->ctx, dtype, shape, out));
    for (int64_t k = 0; k < clgrad_shape_count(&shape); k++)
        clgrad_array_set(out, k, 2 * (double)clgrad_random_uniform(seed, 3, 0, (uint64_t)k) - 1);
    return CLGRAD_OK;
}

static clgrad_status prepare(derivative *d)
{
    const clgrad_graph *g = d->sample.graph;
    d->num_in = clgrad_graph_num_inputs(g);
    d->num_out = clgrad_graph_num_outputs(g);
    for (size_t i = 0; i < d->num_in; i++) {
        const clgrad_op_node *n = clgrad_at(g, clgrad_graph_input(g, i));
        CLGRAD_TRY(clgrad_array_create(d->ctx, n->dtype, n->shape, &d->in[i]));
        clgrad_sample_fill(&d->sample, i, 2, &d->in[i]);
        if (!clgrad_dtype_is_real(n->dtype)) continue;
        CLGRAD_TRY(random_like(d, n->dtype, n->shape, 11 + i, &d->in[d->num_in + d->num_wrt]));
        d->wrt[d->num_wrt++] = i;
    }
    CLGRAD_TRY(clgrad_jvp(g, d->num_wrt, d->wrt, &d->jvp));
    return clgrad_vjp(g, d->num_wrt, d->wrt, &d->vjp);
}

static double dot(const clgrad_array *a, const clgrad_array *b, double *magnitude)
{
    double sum = 0;
    for (int64_t i = 0; i < clgrad_shape_count(&a->shape); i++) {
        const double term = clgrad_array_get(a, i) * clgrad_array_get(b, i);
        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}

/* Cotangents for the real outputs, in order, behind the inputs of the vjp. */
static clgrad_status cotangents(derivative *d, clgrad_array *vjp_in)
{
    size_t reals = 0;
    for (size_t i = 0; i < d->num_in; i++) vjp_in[i] = d->in[i];
    for (size_t i = 0; i < d->num_out; i++) {
        const clgrad_op_node *n = clgrad_at(d->sample.graph, clgrad_graph_output(d->sample.graph, i));
        if (!clgrad_dtype_is_real(n->dtype)) continue;
        CLGRAD_TRY(random_like(d, n->dtype, n->shape, 101 + i, &d->u[reals]));
        vjp_in[d->num_in + reals] = d->u[reals];
        reals++;
    }
    return CLGRAD_OK;
}

/* factor is 1; the negative control spoils one side with another. */
static clgrad_status adjoint(derivative *d, clgrad_device *dev, double factor, double *error)
{
    clgrad_array vjp_in[MOST] = { { .data = NULL } };
    double left = 0, right = 0, magnitude = 0;
    CLGRAD_TRY(cotangents(d, vjp_in));
    CLGRAD_TRY(clgrad_evaluate_on(dev, d->jvp, NULL, d->in, d->forward));
    CLGRAD_TRY(clgrad_evaluate_on(dev, d->vjp, NULL, vjp_in, d->backward));
    const size_t reals = clgrad_graph_num_outputs(d->jvp) - d->num_out;
    for (size_t i = 0; i < reals; i++) left += dot(&d->u[i], &d->forward[d->num_out + i], &magnitude);
    for (size_t i = 0; i < d->num_wrt; i++) right += dot(&d->in[d->num_in + i], &d->backward[d->num_out + i], &magnitude);
    *error = fabs(left - factor * right) / (magnitude > 0 ? magnitude : 1);
    return CLGRAD_OK;
}

/* inputs + t v, in f64 */
static clgrad_status shifted(derivative *d, double t, clgrad_array *in, clgrad_array *out)
{
    size_t k = 0;
    for (size_t i = 0; i < d->num_in; i++) {
        const bool moves = k < d->num_wrt && d->wrt[k] == i;
        CLGRAD_TRY(clgrad_array_create(d->ctx, moves ? CLGRAD_F64 : d->in[i].dtype, d->in[i].shape, &in[i]));
        for (int64_t e = 0; e < clgrad_shape_count(&in[i].shape); e++)
            clgrad_array_set(&in[i], e, clgrad_array_get(&d->in[i], e) + (moves ? t * clgrad_array_get(&d->in[d->num_in + k], e) : 0));
        k += moves;
    }
    return clgrad_ref_evaluate(d->sample.graph, in, out, CLGRAD_REF_F64);
}

static clgrad_status shifted_released(derivative *d, double t, clgrad_array *out)
{
    clgrad_array in[CLGRAD_SAMPLE_INPUTS] = { { .data = NULL } };
    const clgrad_status status = shifted(d, t, in, out);
    for (size_t i = 0; i < d->num_in; i++) clgrad_array_release(d->ctx, &in[i]);
    return status;
}

static clgrad_status differences(derivative *d, double factor, double *error)
{
    const double h = 1e-6;
    size_t real = 0;
    CLGRAD_TRY(shifted_released(d, h, d->plus));
    CLGRAD_TRY(shifted_released(d, -h, d->minus));
    CLGRAD_TRY(clgrad_ref_evaluate(d->jvp, d->in, d->exact, CLGRAD_REF_F64));
    *error = 0;
    for (size_t i = 0; i < d->num_out; i++) {
        if (!clgrad_dtype_is_real(clgrad_node_dtype(d->sample.graph, clgrad_graph_output(d->sample.graph, i)))) continue;
        const clgrad_array *tangent = &d->exact[d->num_out + real++];
        for (int64_t e = 0; e < clgrad_shape_count(&tangent->shape); e++) {
            const double want = (clgrad_array_get(&d->plus[i], e) - clgrad_array_get(&d->minus[i], e)) / (2 * h);
            const double got = factor * clgrad_array_get(tangent, e), size = 1 + fabs(want) + fabs(clgrad_array_get(&d->plus[i], e));
            if (fabs(got - want) / size > *error) *error = fabs(got - want) / size;
        }
    }
    return CLGRAD_OK;
}

static void judge(clgrad_verdict *out, const char *what, double error, double bound)
{
    if (error / bound > out->error) out->error = error / bound;
    out->bound = 1;
    if (error <= bound || out->verdict == CLGRAD_CHECK_FAILED) return;
    out->verdict = CLGRAD_CHECK_FAILED;
    snprintf(out->detail, sizeof out->detail, "%s: relative error %.3g, allowed %.3g", what, error, bound);
}

clgrad_status clgrad_derivative_run(clgrad_device *dev, clgrad_op op, bool negative, clgrad_verdict *out)
{
    *out = (clgrad_verdict){ .verdict = CLGRAD_CHECK_PASSED };
    derivative *d = clgrad_alloc(clgrad_device_get_context(dev), 1, sizeof *d);
    if (!d) return CLGRAD_E_MEMORY;
    d->ctx = clgrad_device_get_context(dev);
    const clgrad_dtype dtype = clgrad_device_get_info(dev)->fp64 && op != CLGRAD_OP_CALL ? CLGRAD_F64 : CLGRAD_F32;
    const double factor = negative ? 1.5 : 1;
    double adjoint_error = 0, difference_error = 0;
    clgrad_status status = clgrad_sample_create(d->ctx, op, dtype, &derivative_layout, &d->sample);
    if (status == CLGRAD_OK) status = prepare(d);
    if (status == CLGRAD_OK) status = adjoint(d, dev, factor, &adjoint_error);
    if (status == CLGRAD_OK) status = differences(d, factor, &difference_error);
    if (status == CLGRAD_OK) {
        const double bound = op == CLGRAD_OP_CAST ? 1e-2 : dtype == CLGRAD_F64 ? 1e-12 : 1e-5; /* CAST goes through bf16 */
        judge(out, "adjoint identity", adjoint_error, bound);
        judge(out, "central differences", difference_error, 2e-7);
    }
    clgrad_context *ctx = d->ctx;
    derivative_release(d);
    clgrad_free(ctx, d);
    return status;
}
