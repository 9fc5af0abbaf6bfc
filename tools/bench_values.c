/* Values for workloads, and holding results against the reference. */

#include "bench.h"

#include <stdlib.h>
#include <string.h>

/* Source: Steele, Lea, Flood 2014 (SplitMix64). */
static double next_uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

void bench_uniform(clgrad_array *array, uint64_t seed, double low, double high)
{
    float *values = array->data;
    const int64_t count = clgrad_shape_count(&array->shape);
    for (int64_t i = 0; i < count; i++) values[i] = (float)(low + (high - low) * next_uniform(&seed));
}

void bench_labels(clgrad_array *array, uint64_t seed, int32_t classes)
{
    int32_t *values = array->data;
    const int64_t count = clgrad_shape_count(&array->shape);
    for (int64_t i = 0; i < count; i++) values[i] = (int32_t)(next_uniform(&seed) * classes);
}

clgrad_status bench_upload(bench_case *c, size_t num_out)
{
    c->tensors = calloc(c->num_in + 1, sizeof *c->tensors);
    c->out = calloc(num_out + 1, sizeof *c->out);
    if (!c->tensors || !c->out) return CLGRAD_E_MEMORY;
    c->num_out = num_out;
    for (size_t i = 0; i < c->num_in; i++) {
        const clgrad_array *in = &c->in[i];
        const clgrad_status status =
            clgrad_tensor_create_from(c->dev, in->dtype, in->shape, in->data, clgrad_array_bytes(in), &c->tensors[i]);
        if (status) return status;
    }
    return CLGRAD_OK;
}

clgrad_status bench_read(clgrad_context *ctx, clgrad_tensor *t, clgrad_array *out)
{
    clgrad_status status = clgrad_array_create(ctx, clgrad_tensor_dtype(t), clgrad_tensor_shape(t), out);
    if (!status) status = clgrad_tensor_read(t, out->data, clgrad_tensor_bytes(t));
    return status;
}

static double larger(double a, double b) { return b <= a ? a : b; } /* NaN wins */

clgrad_status bench_deviate(bench_case *c, const clgrad_array *got, const clgrad_array *want)
{
    clgrad_deviation d = CLGRAD_DEVIATION_INIT;
    const clgrad_status status = clgrad_deviation_of(c->ctx, got, want, &d);
    if (status) return status;
    c->worst.rel_l2 = larger(c->worst.rel_l2, d.rel_l2);
    c->worst.max_rel = larger(c->worst.max_rel, d.max_rel);
    c->worst.finite = c->worst.finite && d.finite;
    return CLGRAD_OK;
}

void bench_reference_release(clgrad_context *ctx, bench_reference *reference)
{
    for (size_t i = 0; i < reference->count; i++) clgrad_array_release(ctx, &reference->values[i]);
    free(reference->values);
    *reference = (bench_reference){ .count = 0 };
}

/* The values of a graph over c->in: those of the row before, where it computes the same from the same. */
static clgrad_status refer(bench_case *c, const clgrad_graph *g)
{
    const bench_row *r = c->row;
    bench_reference *kept = c->reference;
    char key[sizeof kept->key] = "";
    if (r->layers) snprintf(key, sizeof key, "%s %s %s %lld", r->family->group, r->layers, r->activation, (long long)r->batch);
    if (*key && strcmp(key, kept->key) == 0) return CLGRAD_OK;
    bench_reference_release(c->ctx, kept);
    kept->values = calloc(clgrad_graph_num_outputs(g), sizeof *kept->values);
    if (!kept->values) return CLGRAD_E_MEMORY;
    kept->count = clgrad_graph_num_outputs(g);
    const clgrad_status status = clgrad_reference_evaluate(g, c->in, kept->values);
    if (!status) memcpy(kept->key, key, sizeof key);
    return status;
}

clgrad_status bench_hold_against(bench_case *c, const clgrad_graph *reference, size_t first, clgrad_tensor *const *got,
                                 size_t count)
{
    clgrad_status status = refer(c, reference);
    for (size_t i = 0; !status && i < count; i++) {
        clgrad_array read = { .data = NULL };
        status = bench_read(c->ctx, got[i], &read);
        if (!status) status = bench_deviate(c, &read, &c->reference->values[first + i]);
        clgrad_array_release(c->ctx, &read);
    }
    return status;
}

static clgrad_status same_bits(bench_case *c, const clgrad_array *before)
{
    for (size_t i = 0; i < c->num_out; i++) {
        clgrad_array now = { .data = NULL };
        const clgrad_status status = bench_read(c->ctx, c->out[i], &now);
        if (!status && memcmp(now.data, before[i].data, clgrad_array_bytes(&now)) != 0) c->deterministic = 0;
        clgrad_array_release(c->ctx, &now);
        if (status) return status;
    }
    return CLGRAD_OK;
}

clgrad_status bench_repeat(bench_case *c)
{
    clgrad_array *before = calloc(c->num_out, sizeof *before);
    if (!before) return CLGRAD_E_MEMORY;
    clgrad_status status = CLGRAD_OK;
    c->deterministic = 1;
    for (size_t i = 0; !status && i < c->num_out; i++) status = bench_read(c->ctx, c->out[i], &before[i]);
    if (!status) status = c->row->family->run(c, 2);
    if (!status) status = same_bits(c, before);
    for (size_t i = 0; i < c->num_out; i++) clgrad_array_release(c->ctx, &before[i]);
    free(before);
    return status;
}

void bench_case_release(bench_case *c)
{
    if (c->row->family->close) c->row->family->close(c);
    for (size_t i = 0; c->tensors && i < c->num_in; i++) clgrad_tensor_release(&c->tensors[i]);
    for (size_t i = 0; c->out && i < c->num_out; i++) clgrad_tensor_release(&c->out[i]);
    for (size_t i = 0; c->in && i < c->num_in; i++) clgrad_array_release(c->ctx, &c->in[i]);
    clgrad_optimizer_release(&c->optimizer);
    clgrad_operator_release(&c->op);
    clgrad_function_release(&c->function);
    clgrad_graph_release(&c->graph);
    free(c->in), free(c->tensors), free(c->out);
}
