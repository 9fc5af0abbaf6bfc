/* Batching: one more axis in front of chosen inputs and of everything that depends on them. What does not depend on them is
 * built once. The order of every sum stays, so that the result is, bit for bit, the single results side by side. */

#include "autodiff/rules.h"
#include "autodiff/transform.h"

typedef struct batching {
    const clgrad_graph *f;
    clgrad_graph *b;
    int64_t n;
    clgrad_node_map map;
    bool *batched;  /* per node of f */
    bool *operands; /* of one node */
} batching;

static clgrad_status batching_run(batching *w);

static void batching_release(batching *w)
{
    clgrad_free(w->f->ctx, w->batched);
    clgrad_free(w->f->ctx, w->operands);
    clgrad_node_map_release(&w->map);
}

static clgrad_status batching_create(const clgrad_graph *f, clgrad_graph *b, int64_t n, batching *out)
{
    *out = (batching){ .f = f, .b = b, .n = n };
    CLGRAD_TRY(clgrad_node_map_create(f, &out->map));
    out->batched = clgrad_alloc(f->ctx, f->num_nodes, sizeof *out->batched);
    out->operands = clgrad_alloc(f->ctx, out->map.longest, sizeof *out->operands);
    if (out->batched && out->operands) return CLGRAD_OK;
    batching_release(out);
    return CLGRAD_E_MEMORY;
}

/* A call whose operands are batched has no body of that shape: its body is written out, batched. */
static clgrad_status batch_body(batching *w, clgrad_node at)
{
    const clgrad_op_node *n = clgrad_at(w->f, at);
    const clgrad_graph *body = n->attr.call->body;
    batching inner;
    CLGRAD_TRY(batching_create(body, w->b, w->n, &inner));
    for (size_t i = 0; i < n->num_in; i++) {
        inner.map.node[body->inputs[i]] = w->map.in[i];
        inner.batched[body->inputs[i]] = w->operands[i];
    }
    const clgrad_status st = batching_run(&inner);
    w->map.node[at] = inner.map.node[body->outputs[0]];
    w->batched[at] = inner.batched[body->outputs[0]];
    batching_release(&inner);
    return st;
}

/* batch_node writes calls with batched operands out; others are kept. */
clgrad_node clgrad_batch_rule_call(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                   int64_t n)
{
    (void)batched, (void)n;
    return clgrad_graph_append_like(b, node, in);
}

static clgrad_status batch_node(batching *w, clgrad_node at)
{
    const clgrad_op_node *n = clgrad_at(w->f, at);
    const clgrad_node *in = clgrad_node_map_operands(&w->map, n);
    for (size_t i = 0; i < n->num_in; i++) {
        w->operands[i] = w->batched[n->in[i]];
        w->batched[at] = w->batched[at] || w->operands[i];
    }
    if (w->batched[at] && n->op == CLGRAD_OP_CALL) return batch_body(w, at);
    w->map.node[at] = w->batched[at] ? clgrad_rules_get(n->op)->batch(w->b, n, in, w->operands, w->n)
                                     : clgrad_graph_append_like(w->b, n, in);
    return CLGRAD_OK;
}

static clgrad_status batching_run(batching *w)
{
    for (size_t n = 0; n < w->f->num_nodes; n++) {
        if (!w->map.live[n] || clgrad_at(w->f, (clgrad_node)n)->op == CLGRAD_OP_INPUT) continue;
        CLGRAD_TRY(batch_node(w, (clgrad_node)n));
        CLGRAD_TRY(clgrad_graph_status(w->b));
    }
    return CLGRAD_OK;
}

static clgrad_status build(batching *w, size_t count, const size_t *wrt)
{
    const clgrad_graph *f = w->f;
    for (size_t i = 0; i < f->num_inputs; i++) {
        const clgrad_op_node *x = clgrad_at(f, f->inputs[i]);
        const bool here = clgrad_wrt_has(count, wrt, i);
        w->batched[f->inputs[i]] = here;
        w->map.node[f->inputs[i]] =
            clgrad_input(w->b, f->input_names[i], x->dtype, here ? clgrad_shape_prepend(w->n, &x->shape) : x->shape);
    }
    CLGRAD_TRY(clgrad_graph_status(w->b));
    CLGRAD_TRY(batching_run(w));
    for (size_t i = 0; i < f->num_outputs; i++) {
        const clgrad_node y = w->map.node[f->outputs[i]];
        clgrad_output(w->b, f->output_names[i], w->batched[f->outputs[i]] ? y : clgrad_repeat(w->b, y, w->n));
    }
    return clgrad_graph_status(w->b);
}

clgrad_status clgrad_batch(const clgrad_graph *f, int64_t n, size_t count, const size_t *wrt, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *b = NULL;
    batching w;
    CLGRAD_TRY(clgrad_wrt_check(f, count, wrt, false, "batch"));
    if (n < 0) return clgrad_fail(f->ctx, CLGRAD_E_ARG, "batch: the extent of the new axis is negative");
    CLGRAD_TRY(clgrad_graph_create(f->ctx, &b));
    clgrad_status st = batching_create(f, b, n, &w);
    if (st == CLGRAD_OK) {
        st = build(&w, count, wrt);
        batching_release(&w);
    }
    if (st == CLGRAD_OK) st = clgrad_transform_finish(&b, out);
    clgrad_graph_release(&b);
    return st;
}
