/* The transpose of a linear graph: cotangents walk backwards from the outputs, in the order of the nodes, so that what is added
 * up is always added in the same order. */

#include "autodiff/rules.h"
#include "autodiff/transform.h"

/* --- calls that must be transposed are written out first --- */

static bool has_linear_call(const clgrad_graph *g, const bool *linear, const uint8_t *live)
{
    for (size_t n = 0; n < g->num_nodes; n++)
        if (live[n] && linear[n] && g->nodes[n]->op == CLGRAD_OP_CALL) return true;
    return false;
}

static void copy_node(clgrad_graph *b, const clgrad_graph *from, clgrad_node at, bool inline_call, clgrad_node_map *map)
{
    const clgrad_op_node *n = clgrad_at(from, at);
    const clgrad_node *in = clgrad_node_map_operands(map, n);
    if (inline_call && n->op == CLGRAD_OP_CALL) clgrad_graph_inline(b, n->attr.call->body, in, &map->node[at]);
    else map->node[at] = clgrad_graph_append_like(b, n, in);
}

/* A copy with those calls replaced by their bodies, which may hold calls again. */
static clgrad_status write_out_calls(const clgrad_graph *from, const bool *linear, clgrad_node_map *map, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *b = NULL;
    clgrad_node *inputs = clgrad_alloc(from->ctx, from->num_inputs, sizeof *inputs);
    if (!inputs) return CLGRAD_E_MEMORY;
    clgrad_status st = clgrad_graph_create(from->ctx, &b);
    if (st == CLGRAD_OK) st = clgrad_graph_copy_inputs(from, b, inputs);
    if (st != CLGRAD_OK) goto done;
    for (size_t i = 0; i < from->num_inputs; i++) map->node[from->inputs[i]] = inputs[i];
    for (size_t n = 0; n < from->num_nodes; n++)
        if (map->live[n] && from->nodes[n]->op != CLGRAD_OP_INPUT) copy_node(b, from, (clgrad_node)n, linear[n], map);
    for (size_t i = 0; i < from->num_outputs; i++) clgrad_output(b, from->output_names[i], map->node[from->outputs[i]]);
    st = clgrad_graph_status(b);
    if (st == CLGRAD_OK) *out = clgrad_graph_retain(b);
done:
    clgrad_graph_release(&b);
    clgrad_free(from->ctx, inputs);
    return st;
}

/* r->from, map and linear for a graph without calls on the linear side. */
static clgrad_status prepare(clgrad_reverse *r)
{
    for (;;) {
        clgrad_graph *written_out = NULL;
        CLGRAD_TRY(clgrad_node_map_create(r->from, &r->map));
        r->linear = clgrad_alloc(r->from->ctx, r->from->num_nodes, sizeof *r->linear);
        if (!r->linear) return CLGRAD_E_MEMORY;
        clgrad_mark_dependent(r->from, r->count, r->wrt, r->linear);
        if (!has_linear_call(r->from, r->linear, r->map.live)) return CLGRAD_OK;
        CLGRAD_TRY(write_out_calls(r->from, r->linear, &r->map, &written_out));
        clgrad_node_map_release(&r->map);
        clgrad_free(r->from->ctx, r->linear);
        r->linear = NULL;
        clgrad_graph_release(&r->from);
        r->from = written_out;
    }
}

/* --- beginning: the known side --- */

static clgrad_status copy_known(clgrad_reverse *r, const bool *sample_inputs, size_t num_sample_inputs)
{
    const clgrad_graph *from = r->from;
    for (size_t i = 0; i < from->num_inputs; i++) {
        if (clgrad_wrt_has(r->count, r->wrt, i)) continue;
        const clgrad_op_node *x = clgrad_at(from, from->inputs[i]);
        const clgrad_node copy = clgrad_input(r->to, from->input_names[i], x->dtype, x->shape);
        const bool samples = sample_inputs && i < num_sample_inputs && sample_inputs[i] && x->shape.rank > 0;
        r->map.node[from->inputs[i]] = copy;
        CLGRAD_TRY(clgrad_sample_axes_set(&r->axes, r->to, copy, samples ? 0 : -1));
    }
    for (size_t n = 0; n < from->num_nodes; n++)
        if (r->map.live[n] && !r->linear[n] && from->nodes[n]->op != CLGRAD_OP_INPUT)
            copy_node(r->to, from, (clgrad_node)n, false, &r->map);
    return clgrad_graph_status(r->to);
}

static clgrad_status allocate_cotangents(clgrad_reverse *r)
{
    clgrad_context *ctx = r->from->ctx;
    r->ct = clgrad_alloc(ctx, r->from->num_nodes, sizeof *r->ct);
    r->flags = clgrad_alloc(ctx, r->map.longest, sizeof *r->flags);
    r->ct_in = clgrad_alloc(ctx, r->map.longest, sizeof *r->ct_in);
    if (!r->ct || !r->flags || !r->ct_in) return CLGRAD_E_MEMORY;
    for (size_t n = 0; n < r->from->num_nodes; n++) r->ct[n] = CLGRAD_NONE;
    return CLGRAD_OK;
}

clgrad_status clgrad_reverse_begin(const clgrad_graph *from, size_t count, const size_t *wrt, const bool *sample_inputs,
                                   size_t num_sample_inputs, clgrad_reverse *out)
{
    *out = (clgrad_reverse){ .from = clgrad_graph_retain((clgrad_graph *)from), .count = count, .wrt = wrt };
    out->axes.ctx = from->ctx;
    clgrad_status st = clgrad_graph_create(from->ctx, &out->to);
    if (st == CLGRAD_OK) st = prepare(out);
    if (st == CLGRAD_OK) st = allocate_cotangents(out);
    if (st == CLGRAD_OK) st = copy_known(out, sample_inputs, num_sample_inputs);
    if (st != CLGRAD_OK) clgrad_reverse_release(out);
    return st;
}

void clgrad_reverse_release(clgrad_reverse *r)
{
    clgrad_context *ctx = r->axes.ctx;
    if (r->from) {
        clgrad_free(ctx, r->linear);
        clgrad_free(ctx, r->ct);
        clgrad_free(ctx, r->flags);
        clgrad_free(ctx, r->ct_in);
        if (r->map.ctx) clgrad_node_map_release(&r->map);
        clgrad_sample_axes_release(&r->axes);
    }
    clgrad_graph_release(&r->to);
    clgrad_graph_release(&r->from);
    *r = (clgrad_reverse){ 0 };
}

/* --- walking --- */

static void accumulate(clgrad_reverse *r, clgrad_node at, clgrad_node ct)
{
    r->ct[at] = r->ct[at] == CLGRAD_NONE ? ct : clgrad_add(r->to, r->ct[at], ct);
}

clgrad_status clgrad_reverse_seed(clgrad_reverse *r, size_t i, clgrad_node ct)
{
    accumulate(r, r->from->outputs[i], ct);
    return clgrad_graph_status(r->to);
}

/* y = x + c is not linear: what joins a linear operand must be zero, as the tangents of constants are. */
static bool only_zeros_join(clgrad_reverse *r, const clgrad_linear_node *at)
{
    const clgrad_op op = at->node->op;
    if (op != CLGRAD_OP_SELECT && !(clgrad_op_get(op)->linear && at->node->num_in > 1)) return true;
    for (size_t i = op == CLGRAD_OP_SELECT; i < at->node->num_in; i++) {
        if (at->linear[i] || clgrad_is_zero(r->to, at->in[i])) continue;
        clgrad_refuse_transpose(r->to, at, "something that does not depend on it is added");
        return false;
    }
    return true;
}

static clgrad_status step_back(clgrad_reverse *r, clgrad_node place)
{
    const clgrad_op_node *n = clgrad_at(r->from, place);
    CLGRAD_TRY(clgrad_sample_axes_extend(&r->axes, r->to));
    clgrad_linear_node at = { .source = r->from, .node = n, .in = clgrad_node_map_operands(&r->map, n), .linear = r->flags,
                              .sample_axis = clgrad_sample_axes_get(&r->axes, r->ct[place]) };
    for (size_t i = 0; i < n->num_in; i++) {
        r->flags[i] = r->linear[n->in[i]];
        r->ct_in[i] = CLGRAD_NONE;
    }
    if (only_zeros_join(r, &at)) clgrad_rules_get(n->op)->transpose(r->to, &at, r->ct[place], r->ct_in);
    CLGRAD_TRY(clgrad_graph_status(r->to));

    /* the sum over samples, transposed, spreads over samples: nothing else tells when the cotangent is a constant */
    const uint32_t axes = n->op == CLGRAD_OP_SUM && n->attr.cell ? n->attr.axes : 0;
    for (int32_t axis = 0; axes && axis < CLGRAD_MAX_RANK; axis++)
        if (axes & CLGRAD_AXIS(axis)) {
            CLGRAD_TRY(clgrad_sample_axes_set(&r->axes, r->to, r->ct_in[0], axis));
            break;
        }
    for (size_t i = 0; i < n->num_in; i++)
        if (r->flags[i] && r->ct_in[i] != CLGRAD_NONE) accumulate(r, n->in[i], r->ct_in[i]);
    return clgrad_graph_status(r->to);
}

clgrad_status clgrad_reverse_run(clgrad_reverse *r)
{
    for (size_t left = r->from->num_nodes; left > 0; left--) {
        const clgrad_node place = (clgrad_node)(left - 1);
        if (r->ct[place] == CLGRAD_NONE || !r->linear[place] || clgrad_at(r->from, place)->op == CLGRAD_OP_INPUT) continue;
        CLGRAD_TRY(step_back(r, place));
    }
    return clgrad_graph_status(r->to);
}

clgrad_node clgrad_reverse_result(clgrad_reverse *r, size_t k)
{
    const clgrad_node input = r->from->inputs[r->wrt[k]];
    const clgrad_op_node *x = clgrad_at(r->from, input);
    return r->ct[input] == CLGRAD_NONE ? clgrad_constant(r->to, x->dtype, x->shape, 0) : r->ct[input];
}

/* --- the public transform --- */

static clgrad_status declare_cotangents(clgrad_reverse *r)
{
    const clgrad_graph *from = r->from;
    for (size_t i = 0; i < from->num_outputs; i++) {
        const clgrad_op_node *y = clgrad_at(from, from->outputs[i]);
        if (!clgrad_dtype_is_real(y->dtype)) continue;
        if (!r->linear[from->outputs[i]] && !clgrad_is_zero(r->to, r->map.node[from->outputs[i]]))
            return clgrad_fail(from->ctx, CLGRAD_E_DERIVATIVE,
                               "transpose: output '%s' does not depend on the inputs named, so it is not linear in them",
                               from->output_names[i]);
        const clgrad_node ct = clgrad_input_fresh(r->to, "ct_", from->output_names[i], y->dtype, y->shape);
        if (r->linear[from->outputs[i]]) accumulate(r, from->outputs[i], ct);
    }
    return clgrad_graph_status(r->to);
}

clgrad_status clgrad_transpose_linear(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **out)
{
    *out = NULL;
    clgrad_reverse r;
    CLGRAD_TRY(clgrad_wrt_check(f, count, wrt, true, "transpose"));
    CLGRAD_TRY(clgrad_reverse_begin(f, count, wrt, NULL, 0, &r));
    clgrad_status st = declare_cotangents(&r);
    if (st == CLGRAD_OK) st = clgrad_reverse_run(&r);
    for (size_t k = 0; k < count && st == CLGRAD_OK; k++)
        clgrad_output_fresh(r.to, "ct_", f->input_names[wrt[k]], clgrad_reverse_result(&r, k));
    if (st == CLGRAD_OK) st = clgrad_transform_finish(&r.to, out);
    clgrad_reverse_release(&r);
    return st;
}
