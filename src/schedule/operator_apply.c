/* Applying operators: to a vector, or to a block of them whose axis 0 counts columns. */

#include "schedule/operator.h"

typedef struct application {
    const clgrad_operator *op;
    clgrad_half *half;
    int64_t columns; /* 0: a vector, without that axis */
} application;

static clgrad_function *function_of(const application *a) { return a->columns ? a->half->block : a->half->unknown; }

/* --- the plan for a block --- */

static clgrad_status make_block(const clgrad_operator *op, clgrad_half *h, int64_t columns)
{
    clgrad_context *ctx = clgrad_operator_context(op);
    clgrad_graph *g = NULL;
    size_t *directions = clgrad_alloc(ctx, h->num_v, sizeof *directions);
    if (!directions) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < h->num_v; i++) directions[i] = i;
    clgrad_status st = clgrad_batch(clgrad_function_graph(h->unknown), columns, h->num_v, directions, &g);
    clgrad_function_release(&h->block); /* its memory is needed for the new one */
    if (st == CLGRAD_OK) st = clgrad_function_create(op->dev, g, NULL, &h->block);
    h->block_columns = st == CLGRAD_OK ? columns : 0;
    clgrad_graph_release(&g);
    clgrad_free(ctx, directions);
    return st;
}

static clgrad_status prepare(const application *a)
{
    if (a->columns < 1)
        return clgrad_fail(clgrad_operator_context(a->op), CLGRAD_E_ARG, "operator: a block of %lld columns", (long long)a->columns);
    if (!a->half->unknown || a->half->block_columns == a->columns) return CLGRAD_OK;
    return make_block(a->op, a->half, a->columns);
}

/* --- operands --- */

/* As the map's node, with the axis of columns. */
static clgrad_shape shape_of(const application *a, clgrad_node n)
{
    const clgrad_shape one = clgrad_node_shape(a->half->map, n);
    if (a->columns == 0) return one;
    clgrad_shape block = { .rank = one.rank + 1, .dims = { a->columns } };
    for (int32_t d = 0; d + 1 < CLGRAD_MAX_RANK && d < one.rank; d++) block.dims[d + 1] = one.dims[d];
    return block;
}

static clgrad_status check_tensor(const application *a, const clgrad_tensor *t, clgrad_node n, const char *what, const char *name)
{
    clgrad_context *ctx = clgrad_operator_context(a->op);
    const clgrad_shape shape = shape_of(a, n);
    const clgrad_dtype dtype = clgrad_node_dtype(a->half->map, n);
    if (t->dtype != dtype)
        return clgrad_fail(ctx, CLGRAD_E_DTYPE, "operator: %s entry '%s' is %s, not %s", what, name, clgrad_dtype_name(t->dtype),
                           clgrad_dtype_name(dtype));
    if (clgrad_shape_equal(&t->shape, &shape)) return CLGRAD_OK;
    char have[CLGRAD_SHAPE_TEXT], wanted[CLGRAD_SHAPE_TEXT];
    return clgrad_fail(ctx, CLGRAD_E_SHAPE, "operator: %s entry '%s' is %s, not %s", what, name, clgrad_shape_text(&t->shape, have),
                       clgrad_shape_text(&shape, wanted));
}

static clgrad_status check_vector(const application *a, clgrad_tensor *const *v)
{
    const clgrad_half *h = a->half;
    for (size_t i = 0; i < h->num_v; i++) {
        const size_t input = h->num_point + i;
        const char *name = h->map->input_names[input];
        if (!v[i]) return clgrad_fail(clgrad_operator_context(a->op), CLGRAD_E_ARG, "operator: vector entry '%s' is NULL", name);
        CLGRAD_TRY(check_tensor(a, v[i], h->map->inputs[input], "vector", name));
    }
    return CLGRAD_OK;
}

/* --- outputs that no direction reaches: zero, for a linear map; they were computed with the point and come first in kept --- */

static clgrad_status make_known_outputs(const application *a, clgrad_tensor **out)
{
    const clgrad_half *h = a->half;
    for (size_t i = 0; i < h->num_out; i++) {
        if (!h->output_known[i]) continue;
        const clgrad_node n = h->map->outputs[i];
        if (out[i]) CLGRAD_TRY(check_tensor(a, out[i], n, "output", h->map->output_names[i]));
        else CLGRAD_TRY(clgrad_tensor_create(a->op->dev, clgrad_node_dtype(h->map, n), shape_of(a, n), &out[i]));
    }
    return CLGRAD_OK;
}

static clgrad_status copy_known(const application *a, clgrad_tensor *out, const clgrad_tensor *kept)
{
    const size_t bytes = clgrad_tensor_bytes(kept), size = clgrad_dtype_bytes(kept->dtype);
    for (int64_t c = 0; bytes && c < (a->columns ? a->columns : 1); c++)
        CLGRAD_TRY(clgrad_buffer_copy(out->buffer, (size_t)out->offset * size + (size_t)c * bytes, kept->buffer,
                                      (size_t)kept->offset * size, bytes));
    return CLGRAD_OK;
}

static clgrad_status copy_known_outputs(const application *a, clgrad_tensor **out)
{
    const clgrad_half *h = a->half;
    for (size_t i = 0, k = 0; i < h->num_out; i++)
        if (h->output_known[i]) CLGRAD_TRY(copy_known(a, out[i], h->kept[k++]));
    return CLGRAD_OK;
}

/* --- running --- */

static clgrad_status call_unknown(const application *a, clgrad_tensor *const *v, clgrad_tensor **out)
{
    clgrad_half *h = a->half;
    if (!h->unknown) return CLGRAD_OK;
    memcpy(h->args, v, h->num_v * sizeof *v);
    for (size_t i = 0; i < h->num_residuals; i++) h->args[h->num_v + i] = h->kept[h->num_kept - h->num_residuals + i];
    size_t n = 0;
    for (size_t i = 0; i < h->num_out; i++)
        if (!h->output_known[i]) h->results[n++] = out[i];
    CLGRAD_TRY(clgrad_function_call(function_of(a), h->args, h->results, 0, NULL, NULL));
    n = 0;
    for (size_t i = 0; i < h->num_out; i++)
        if (!h->output_known[i]) out[i] = h->results[n++];
    return CLGRAD_OK;
}

static clgrad_status enqueue(const application *a, clgrad_tensor *const *v, clgrad_tensor **out, clgrad_event **event)
{
    CLGRAD_TRY(make_known_outputs(a, out));
    CLGRAD_TRY(clgrad_device_mark_begin(a->op->dev, event));
    clgrad_status st = call_unknown(a, v, out);
    if (st == CLGRAD_OK) st = copy_known_outputs(a, out);
    return clgrad_device_mark_end(a->op->dev, st, event);
}

static clgrad_status apply(const application *a, clgrad_tensor *const *v, clgrad_tensor **out, size_t num_wait,
                           clgrad_event *const *wait, clgrad_event **event)
{
    clgrad_context *ctx = clgrad_operator_context(a->op);
    const size_t count = a->half->num_out;
    CLGRAD_TRY(check_vector(a, v));
    clgrad_tensor **given = clgrad_alloc(ctx, count, sizeof *given);
    if (!given) return CLGRAD_E_MEMORY;
    memcpy(given, out, count * sizeof *given);
    clgrad_status st = clgrad_device_wait_for(a->op->dev, num_wait, wait);
    if (st == CLGRAD_OK) st = enqueue(a, v, out, event);
    for (size_t i = 0; st != CLGRAD_OK && i < count; i++)
        if (!given[i]) clgrad_tensor_release(&out[i]);
    clgrad_free(ctx, given);
    return st;
}

static clgrad_half *forward_of(const clgrad_operator *op) { return (clgrad_half *)&op->forward; }
static clgrad_half *backward_of(const clgrad_operator *op) { return (clgrad_half *)(op->symmetric ? &op->forward : &op->backward); }

clgrad_status clgrad_operator_apply(const clgrad_operator *op, clgrad_tensor *const *v, clgrad_tensor **out,
                                    size_t num_wait, clgrad_event *const *wait, clgrad_event **event)
{
    if (event) *event = NULL;
    const application a = { op, forward_of(op), 0 };
    return apply(&a, v, out, num_wait, wait, event);
}

clgrad_status clgrad_operator_apply_transpose(const clgrad_operator *op, clgrad_tensor *const *v, clgrad_tensor **out,
                                              size_t num_wait, clgrad_event *const *wait, clgrad_event **event)
{
    if (event) *event = NULL;
    const application a = { op, backward_of(op), 0 };
    return apply(&a, v, out, num_wait, wait, event);
}

clgrad_status clgrad_operator_apply_block(const clgrad_operator *op, int64_t columns, clgrad_tensor *const *v, clgrad_tensor **out,
                                          size_t num_wait, clgrad_event *const *wait, clgrad_event **event)
{
    if (event) *event = NULL;
    const application a = { op, forward_of(op), columns };
    CLGRAD_TRY(prepare(&a));
    return apply(&a, v, out, num_wait, wait, event);
}

clgrad_status clgrad_operator_apply_transpose_block(const clgrad_operator *op, int64_t columns, clgrad_tensor *const *v,
                                                    clgrad_tensor **out, size_t num_wait, clgrad_event *const *wait,
                                                    clgrad_event **event)
{
    if (event) *event = NULL;
    const application a = { op, backward_of(op), columns };
    CLGRAD_TRY(prepare(&a));
    return apply(&a, v, out, num_wait, wait, event);
}
