/* One node at a time, in order; an operand's memory goes after its last use. */

#include "ref/run.h"

static clgrad_status (*const families[])(const clgrad_ref_job *) = {
    [CLGRAD_LEAF] = clgrad_ref_leaf,       [CLGRAD_MAP] = clgrad_ref_map,         [CLGRAD_VIEW] = clgrad_ref_view,
    [CLGRAD_JOIN] = clgrad_ref_join,       [CLGRAD_GATHER] = clgrad_ref_gather,   [CLGRAD_SCATTER] = clgrad_ref_scatter,
    [CLGRAD_REDUCE] = clgrad_ref_reduce,   [CLGRAD_SCAN] = clgrad_ref_scan,       [CLGRAD_OVERLAP] = clgrad_ref_overlap,
    [CLGRAD_PRODUCT] = clgrad_ref_product,
};

static double rounded(const clgrad_ref_job *job, double value)
{
    if (job->run->mode == CLGRAD_REF_F64) return value;
    switch (job->node->dtype) {
    case CLGRAD_F32: return (float)value;
    case CLGRAD_F16: return clgrad_f16_decode(clgrad_f16_encode((float)value));
    case CLGRAD_BF16: return clgrad_bf16_decode(clgrad_bf16_encode((float)value));
    default: return value;
    }
}

static int64_t wrapped(clgrad_dtype dtype, int64_t value)
{
    if (dtype == CLGRAD_I32) return (int32_t)(uint32_t)(uint64_t)value;
    return dtype == CLGRAD_U8 ? (uint8_t)value : value;
}

void clgrad_ref_finish(const clgrad_ref_job *job)
{
    for (int64_t i = 0; i < job->count; i++) {
        if (job->real)
            job->out[i].real = rounded(job, job->out[i].real);
        else
            job->out[i].integer = wrapped(job->node->dtype, job->out[i].integer);
    }
}

static const clgrad_ref_arithmetic *arithmetic_of(clgrad_ref_mode mode, clgrad_dtype dtype)
{
    if (mode == CLGRAD_REF_F64) return &clgrad_ref_libm;
    if (dtype == CLGRAD_F64) return mode == CLGRAD_REF_F32_FMA ? &clgrad_ref_f64_fused : &clgrad_ref_f64_unfused;
    return mode == CLGRAD_REF_F32_FMA ? &clgrad_ref_f32_fused : &clgrad_ref_f32_unfused;
}

static clgrad_status run_node(clgrad_ref_run *run, clgrad_node n)
{
    const clgrad_op_node *node = clgrad_at(run->g, n);
    const clgrad_dtype first = node->num_in ? clgrad_at(run->g, node->in[0])->dtype : node->dtype;
    clgrad_ref_job job = { .run = run, .node = node, .count = clgrad_shape_count(&node->shape) };
    job.real = clgrad_dtype_is_real(node->dtype);
    job.arithmetic = arithmetic_of(run->mode, clgrad_dtype_is_real(first) ? first : node->dtype);
    job.out = run->values[n] = clgrad_alloc(run->ctx, (size_t)job.count, sizeof *job.out);
    if (!job.out) return CLGRAD_E_MEMORY;
    return families[clgrad_op_get(node->op)->family](&job);
}

static bool input_type_fits(clgrad_ref_mode mode, clgrad_dtype declared, clgrad_dtype given)
{
    return given == declared || (mode == CLGRAD_REF_F64 && given == CLGRAD_F64 && clgrad_dtype_is_real(declared));
}

static clgrad_status check_inputs(const clgrad_graph *g, const clgrad_array *inputs, clgrad_ref_mode mode)
{
    for (size_t i = 0; i < g->num_inputs; i++) {
        const clgrad_op_node *node = clgrad_at(g, g->inputs[i]);
        const clgrad_array *given = &inputs[i];
        char want[CLGRAD_SHAPE_TEXT], got[CLGRAD_SHAPE_TEXT];
        if (!input_type_fits(mode, node->dtype, given->dtype))
            return clgrad_fail(g->ctx, CLGRAD_E_DTYPE, "evaluate: input %zu (%s) is %s, not %s", i, g->input_names[i],
                               clgrad_dtype_name(given->dtype), clgrad_dtype_name(node->dtype));
        if (!clgrad_shape_equal(&node->shape, &given->shape))
            return clgrad_fail(g->ctx, CLGRAD_E_SHAPE, "evaluate: input %zu (%s) is %s, not %s", i, g->input_names[i],
                               clgrad_shape_text(&given->shape, got), clgrad_shape_text(&node->shape, want));
    }
    return CLGRAD_OK;
}

/* last[n]: the last node that reads n; outputs are read at the end. */
static void find_last_uses(const clgrad_graph *g, const uint8_t *live, size_t *last)
{
    for (size_t n = 0; n < g->num_nodes; n++)
        for (size_t i = 0; live[n] && i < g->nodes[n]->num_in; i++) last[g->nodes[n]->in[i]] = n;
    for (size_t i = 0; i < g->num_outputs; i++) last[g->outputs[i]] = g->num_nodes;
}

static clgrad_status run_nodes(clgrad_ref_run *run, const uint8_t *live, const size_t *last)
{
    for (size_t n = 0; n < run->g->num_nodes; n++) {
        if (!live[n]) continue;
        CLGRAD_TRY(run_node(run, (clgrad_node)n));
        const clgrad_op_node *node = clgrad_at(run->g, (clgrad_node)n);
        for (size_t i = 0; i < node->num_in; i++) {
            if (last[node->in[i]] != n) continue;
            clgrad_free(run->ctx, run->values[node->in[i]]);
            run->values[node->in[i]] = NULL;
        }
    }
    return CLGRAD_OK;
}

static clgrad_status store_outputs(const clgrad_ref_run *run, clgrad_array *outputs)
{
    for (size_t i = 0; i < run->g->num_outputs; i++) {
        const clgrad_op_node *node = clgrad_at(run->g, run->g->outputs[i]);
        const bool real = clgrad_dtype_is_real(node->dtype);
        const clgrad_dtype dtype = real && run->mode == CLGRAD_REF_F64 ? CLGRAD_F64 : node->dtype;
        CLGRAD_TRY(clgrad_array_create(run->ctx, dtype, node->shape, &outputs[i]));
        clgrad_convert(dtype, outputs[i].data, real ? CLGRAD_F64 : CLGRAD_I64, run->values[run->g->outputs[i]],
                       (size_t)clgrad_shape_count(&node->shape));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_ref_evaluate(const clgrad_graph *g, const clgrad_array *inputs, clgrad_array *outputs,
                                  clgrad_ref_mode mode)
{
    clgrad_graph *flat = NULL;
    uint8_t *live = NULL;
    size_t *last = NULL;
    clgrad_ref_run run = { .ctx = g->ctx, .mode = mode, .inputs = inputs };
    if (g->num_outputs) memset(outputs, 0, g->num_outputs * sizeof *outputs);
    CLGRAD_TRY(clgrad_graph_status(g));
    CLGRAD_TRY(check_inputs(g, inputs, mode));
    clgrad_status status = clgrad_graph_expand_calls(g, &flat);
    if (status) goto done;

    run.g = flat;
    run.values = clgrad_alloc(g->ctx, flat->num_nodes, sizeof *run.values);
    live = clgrad_alloc(g->ctx, flat->num_nodes, sizeof *live);
    last = clgrad_alloc(g->ctx, flat->num_nodes, sizeof *last);
    status = CLGRAD_E_MEMORY;
    if (!run.values || !live || !last) goto done;
    clgrad_graph_mark_live(flat, live);
    find_last_uses(flat, live, last);
    status = run_nodes(&run, live, last);
    if (!status) status = store_outputs(&run, outputs);
done:
    if (status)
        for (size_t i = 0; i < g->num_outputs; i++) clgrad_array_release(g->ctx, &outputs[i]);
    for (size_t n = 0; run.values && n < flat->num_nodes; n++) clgrad_free(g->ctx, run.values[n]);
    clgrad_free(g->ctx, run.values);
    clgrad_free(g->ctx, live);
    clgrad_free(g->ctx, last);
    clgrad_graph_release(&flat);
    return status;
}
