/* Calls: named sub-graphs, and copying one graph's nodes into another. */

#include "graph/rules.h"

void clgrad_call_info_release(clgrad_context *ctx, clgrad_call_info **address)
{
    clgrad_call_info *info = *address;
    *address = NULL;
    if (!info || --info->refs > 0) return;
    clgrad_graph_release(&info->body);
    clgrad_free(ctx, info->name);
    clgrad_free(ctx, info);
}

clgrad_node clgrad_call(clgrad_graph *g, const char *name, clgrad_role role, clgrad_graph *body, size_t count,
                        const clgrad_node *x, clgrad_call_jvp jvp, void *user)
{
    if (g->status != CLGRAD_OK) return CLGRAD_NONE;
    if (!clgrad_name_valid(name))
        return clgrad_graph_fail(g, CLGRAD_E_ARG, "call: the name '%s' is not made of letters, digits, _ and .", name ? name : "");
    if (!body || body == g || body->status != CLGRAD_OK)
        return clgrad_graph_fail(g, CLGRAD_E_ARG, "call: '%s' has no body, a failed one, or the graph itself", name);
    if (body->ctx != g->ctx) return clgrad_graph_fail(g, CLGRAD_E_ARG, "call: the body of '%s' is of another context", name);

    clgrad_attr attr = { 0 };
    clgrad_call_info *info = attr.call = clgrad_alloc(g->ctx, 1, sizeof *info);
    if (!info) return clgrad_graph_keep_status(g, CLGRAD_E_MEMORY);
    *info = (clgrad_call_info){ .refs = 1, .role = role, .body = clgrad_graph_retain(body), .jvp = jvp, .user = user };
    clgrad_node node = CLGRAD_NONE;
    info->name = clgrad_strdup(g->ctx, name);
    if (info->name)
        node = clgrad_graph_append(g, CLGRAD_OP_CALL, count, x, &attr, CLGRAD_F32, NULL);
    else
        clgrad_graph_keep_status(g, CLGRAD_E_MEMORY);
    if (node != CLGRAD_NONE) body->frozen = true; /* or a body could come to call itself */
    clgrad_call_info_release(g->ctx, &info);
    return node;
}

/* --- copying --- */

/* Each input of `body` gets a node of its type and shape. */
static bool inputs_match(clgrad_graph *g, const clgrad_graph *body, const clgrad_node *inputs)
{
    char a[CLGRAD_SHAPE_TEXT], b[CLGRAD_SHAPE_TEXT];
    for (size_t i = 0; i < body->num_inputs; i++) {
        if (!clgrad_graph_has_node(g, inputs[i], "inline", body->input_names[i])) return false;
        const clgrad_op_node *have = clgrad_at(g, inputs[i]), *want = clgrad_at(body, body->inputs[i]);
        if (have->dtype != want->dtype)
            clgrad_graph_fail(g, CLGRAD_E_DTYPE, "inline: operand %s is %s, needed is %s", body->input_names[i],
                              clgrad_dtype_name(have->dtype), clgrad_dtype_name(want->dtype));
        else if (!clgrad_shape_equal(&have->shape, &want->shape))
            clgrad_graph_fail(g, CLGRAD_E_SHAPE, "inline: operand %s has the shape %s, needed is %s", body->input_names[i],
                              clgrad_shape_text(&have->shape, a), clgrad_shape_text(&want->shape, b));
    }
    return g->status == CLGRAD_OK;
}

/* map[n] becomes what `copy` makes of each live node of `body`, operands first. `in` has room for the operands of any node. */
static void copy_live(clgrad_graph *g, const clgrad_graph *body, const clgrad_node *inputs, clgrad_copy_fn copy, clgrad_node *map,
                      clgrad_node *in)
{
    for (size_t i = 0; i < body->num_nodes && g->status == CLGRAD_OK; i++) {
        const clgrad_op_node *n = body->nodes[i];
        if (map[i] == CLGRAD_NONE) continue;
        for (size_t k = 0; k < n->num_in; k++) in[k] = map[n->in[k]];
        map[i] = n->op == CLGRAD_OP_INPUT ? inputs[n->attr.integer] : copy(g, n, in);
    }
}

/* map[n]: anything but CLGRAD_NONE for live nodes. */
static clgrad_status start_map(const clgrad_graph *body, clgrad_node *map)
{
    uint8_t *live = clgrad_alloc(body->ctx, body->num_nodes, 1);
    if (!live) return CLGRAD_E_MEMORY;
    clgrad_graph_mark_live(body, live);
    for (size_t i = 0; i < body->num_nodes; i++) map[i] = live[i] ? 0 : CLGRAD_NONE;
    clgrad_free(body->ctx, live);
    return CLGRAD_OK;
}

static size_t max_operands(const clgrad_graph *g)
{
    size_t most = 1;
    for (size_t i = 0; i < g->num_nodes; i++)
        if (g->nodes[i]->num_in > most) most = g->nodes[i]->num_in;
    return most;
}

static clgrad_status copy_nodes(clgrad_graph *g, const clgrad_graph *body, const clgrad_node *inputs, clgrad_node *outputs,
                                clgrad_copy_fn copy)
{
    for (size_t i = 0; i < body->num_outputs; i++) outputs[i] = CLGRAD_NONE;
    if (!inputs_match(g, body, inputs)) return g->status;
    clgrad_node *map = clgrad_alloc(g->ctx, body->num_nodes, sizeof *map);
    clgrad_node *in = clgrad_alloc(g->ctx, max_operands(body), sizeof *in);
    if (map && in && start_map(body, map) == CLGRAD_OK) {
        copy_live(g, body, inputs, copy, map, in);
        for (size_t i = 0; i < body->num_outputs && g->status == CLGRAD_OK; i++) outputs[i] = map[body->outputs[i]];
    } else {
        clgrad_graph_keep_status(g, CLGRAD_E_MEMORY);
    }
    clgrad_free(g->ctx, in);
    clgrad_free(g->ctx, map);
    return g->status;
}

clgrad_status clgrad_graph_inline(clgrad_graph *g, const clgrad_graph *body, const clgrad_node *inputs, clgrad_node *outputs)
{
    if (body->status != CLGRAD_OK) clgrad_graph_fail(g, CLGRAD_E_ARG, "inline: the graph to copy has failed");
    if (body->ctx != g->ctx) clgrad_graph_fail(g, CLGRAD_E_ARG, "inline: the graph to copy is of another context");
    if (g->status != CLGRAD_OK) return g->status;
    return copy_nodes(g, body, inputs, outputs, clgrad_graph_append_like);
}

clgrad_status clgrad_graph_copy(const clgrad_graph *g, clgrad_copy_fn copy_node, clgrad_graph **out)
{
    clgrad_graph *copy = NULL;
    *out = NULL;
    if (g->status != CLGRAD_OK) return clgrad_fail(g->ctx, g->status, "the graph has failed before");
    clgrad_status st = clgrad_graph_create(g->ctx, &copy);
    clgrad_node *inputs = clgrad_alloc(g->ctx, g->num_inputs, sizeof *inputs);
    clgrad_node *outputs = clgrad_alloc(g->ctx, g->num_outputs, sizeof *outputs);
    if (st == CLGRAD_OK && !(inputs && outputs)) st = CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_graph_copy_inputs(g, copy, inputs);
    if (st == CLGRAD_OK) st = copy_nodes(copy, g, inputs, outputs, copy_node);
    for (size_t i = 0; i < g->num_outputs && st == CLGRAD_OK; i++) st = clgrad_output(copy, g->output_names[i], outputs[i]);
#ifndef NDEBUG
    if (st == CLGRAD_OK) st = clgrad_graph_verify(copy);
#endif
    if (st == CLGRAD_OK) *out = clgrad_graph_retain(copy);
    clgrad_free(g->ctx, outputs);
    clgrad_free(g->ctx, inputs);
    clgrad_graph_release(&copy);
    return st;
}

static clgrad_node expand_node(clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in)
{
    clgrad_node out = CLGRAD_NONE;
    if (n->op != CLGRAD_OP_CALL) return clgrad_graph_append_like(g, n, in);
    copy_nodes(g, n->attr.call->body, in, &out, expand_node);
    return out;
}

clgrad_status clgrad_graph_expand_calls(const clgrad_graph *g, clgrad_graph **out) { return clgrad_graph_copy(g, expand_node, out); }
