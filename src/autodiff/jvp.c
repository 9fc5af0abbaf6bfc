/* Forward mode: every node of f again, and beside it its tangent by the node's rule. A tangent that is zero is absent, so that
 * nothing is built for what does not depend on the inputs. */

#include "autodiff/rules.h"
#include "autodiff/transform.h"

typedef struct forward {
    const clgrad_graph *f;
    clgrad_graph *b;
    clgrad_node_map value;
    clgrad_node *tangent; /* per node of f */
    clgrad_node *din;     /* tangents of one node's operands */
} forward;

static clgrad_status forward_run(forward *w);

static void forward_release(forward *w)
{
    clgrad_free(w->f->ctx, w->tangent);
    clgrad_free(w->f->ctx, w->din);
    clgrad_node_map_release(&w->value);
}

static clgrad_status forward_create(const clgrad_graph *f, clgrad_graph *b, forward *out)
{
    *out = (forward){ .f = f, .b = b };
    CLGRAD_TRY(clgrad_node_map_create(f, &out->value));
    out->tangent = clgrad_alloc(f->ctx, f->num_nodes, sizeof *out->tangent);
    out->din = clgrad_alloc(f->ctx, out->value.longest, sizeof *out->din);
    if (!out->tangent || !out->din) {
        forward_release(out);
        return CLGRAD_E_MEMORY;
    }
    for (size_t n = 0; n < f->num_nodes; n++) out->tangent[n] = CLGRAD_NONE;
    return CLGRAD_OK;
}

/* The tangents of n's operands in w->din; false when all are zero. */
static bool gather_tangents(forward *w, const clgrad_op_node *n)
{
    bool any = false;
    for (size_t i = 0; i < n->num_in; i++) {
        w->din[i] = w->tangent[n->in[i]];
        any = any || w->din[i] != CLGRAD_NONE;
    }
    return any;
}

/* A call without a rule of its own: its body written out and differentiated. Operands and tangents as gathered in w. */
static clgrad_status forward_body(forward *w, const clgrad_op_node *n, clgrad_node *value, clgrad_node *tangent)
{
    const clgrad_graph *body = n->attr.call->body;
    forward inner;
    CLGRAD_TRY(forward_create(body, w->b, &inner));
    for (size_t i = 0; i < n->num_in; i++) {
        inner.value.node[body->inputs[i]] = w->value.in[i];
        inner.tangent[body->inputs[i]] = w->din[i];
    }
    const clgrad_status st = forward_run(&inner);
    *value = inner.value.node[body->outputs[0]];
    *tangent = inner.tangent[body->outputs[0]];
    forward_release(&inner);
    return st;
}

/* The call's own rule, held to what it promises. */
clgrad_node clgrad_jvp_rule_call(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                 const clgrad_node *din)
{
    const clgrad_call_info *call = node->attr.call;
    if (out == CLGRAD_NONE) return CLGRAD_NONE;
    const clgrad_node dy = call->jvp(b, in, node->num_in, out, din, call->user);
    if (dy == CLGRAD_NONE) return CLGRAD_NONE;
    const clgrad_shape shape = clgrad_node_shape(b, dy);
    if (clgrad_node_dtype(b, dy) == node->dtype && clgrad_shape_equal(&shape, &node->shape)) return dy;
    return clgrad_graph_fail(b, CLGRAD_E_SHAPE, "call '%s': its derivative rule returned a tangent of another shape or type",
                             call->name);
}

static clgrad_status forward_node(forward *w, clgrad_node at)
{
    const clgrad_op_node *n = clgrad_at(w->f, at);
    const clgrad_node *in = clgrad_node_map_operands(&w->value, n);
    const bool moves = gather_tangents(w, n) && clgrad_dtype_is_real(n->dtype);
    if (moves && n->op == CLGRAD_OP_CALL && !n->attr.call->jvp)
        return forward_body(w, n, &w->value.node[at], &w->tangent[at]);
    const clgrad_node out = clgrad_graph_append_like(w->b, n, in);
    w->value.node[at] = out;
    if (moves) w->tangent[at] = clgrad_rules_get(n->op)->jvp(w->b, n, in, out, w->din);
    return CLGRAD_OK;
}

static clgrad_status forward_run(forward *w)
{
    for (size_t n = 0; n < w->f->num_nodes; n++) {
        if (!w->value.live[n] || clgrad_at(w->f, (clgrad_node)n)->op == CLGRAD_OP_INPUT) continue;
        CLGRAD_TRY(forward_node(w, (clgrad_node)n));
        CLGRAD_TRY(clgrad_graph_status(w->b));
    }
    return CLGRAD_OK;
}

static void declare_outputs(const forward *w, bool primal)
{
    const clgrad_graph *f = w->f;
    for (size_t i = 0; i < f->num_outputs && primal; i++)
        clgrad_output_fresh(w->b, "", f->output_names[i], w->value.node[f->outputs[i]]);
    for (size_t i = 0; i < f->num_outputs; i++) {
        const clgrad_op_node *y = clgrad_at(f, f->outputs[i]);
        if (!clgrad_dtype_is_real(y->dtype)) continue;
        const clgrad_node dy = w->tangent[f->outputs[i]];
        clgrad_output_fresh(w->b, "d_", f->output_names[i],
                            dy == CLGRAD_NONE ? clgrad_constant(w->b, y->dtype, y->shape, 0) : dy);
    }
}

static clgrad_status build(forward *w, size_t count, const size_t *wrt, bool primal)
{
    const clgrad_graph *f = w->f;
    clgrad_node *inputs = clgrad_alloc(f->ctx, f->num_inputs, sizeof *inputs);
    if (!inputs) return CLGRAD_E_MEMORY;
    clgrad_status st = clgrad_graph_copy_inputs(f, w->b, inputs);
    for (size_t i = 0; i < f->num_inputs && st == CLGRAD_OK; i++) w->value.node[f->inputs[i]] = inputs[i];
    clgrad_free(f->ctx, inputs);
    if (st != CLGRAD_OK) return st;

    for (size_t k = 0; k < count; k++) {
        const clgrad_op_node *x = clgrad_at(f, f->inputs[wrt[k]]);
        w->tangent[f->inputs[wrt[k]]] = clgrad_input_fresh(w->b, "d_", f->input_names[wrt[k]], x->dtype, x->shape);
    }
    CLGRAD_TRY(forward_run(w));
    declare_outputs(w, primal);
    return clgrad_graph_status(w->b);
}

clgrad_status clgrad_jvp_build(const clgrad_graph *f, size_t count, const size_t *wrt, bool primal, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *b = NULL;
    forward w;
    CLGRAD_TRY(clgrad_graph_create(f->ctx, &b));
    clgrad_status st = forward_create(f, b, &w);
    if (st != CLGRAD_OK) goto done;
    st = build(&w, count, wrt, primal);
    forward_release(&w);
    if (st == CLGRAD_OK) *out = clgrad_graph_retain(b);
done:
    clgrad_graph_release(&b);
    return st;
}

clgrad_status clgrad_jvp(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *b = NULL;
    CLGRAD_TRY(clgrad_wrt_check(f, count, wrt, true, "jvp"));
    CLGRAD_TRY(clgrad_jvp_build(f, count, wrt, true, &b));
    return clgrad_transform_finish(&b, out);
}
