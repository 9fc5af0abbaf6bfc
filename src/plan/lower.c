/* From the caller's graph to the one that is planned: calls expanded, simplified, and products that sum over a single term made
 * element-wise, so that what follows may share their loop: the gradient of a weight at batch 1 and its update, say. */

#include "plan/launch.h"

/* As [.., m, 1] x [.., 1, n]: exchange the last two axes, one of which has extent 1. */
static clgrad_node turn(clgrad_graph *g, clgrad_node x)
{
    clgrad_shape shape = clgrad_at(g, x)->shape;
    int64_t *const last = &shape.dims[shape.rank - 2], rows = last[0];
    last[0] = last[1], last[1] = rows;
    return clgrad_reshape(g, x, shape);
}

/* A product's chain begins at +0: the sum with it keeps the bits, where a term is -0. */
static clgrad_node multiply_columns(clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in)
{
    static const clgrad_attr zero = { 0 };
    const clgrad_node a = n->attr.trans_a ? turn(g, in[0]) : in[0], b = n->attr.trans_b ? turn(g, in[1]) : in[1];
    const clgrad_node terms = clgrad_mul(g, clgrad_broadcast(g, a, n->shape), clgrad_broadcast(g, b, n->shape));
    return clgrad_add(g, terms, clgrad_graph_append(g, CLGRAD_OP_CONST, 0, NULL, &zero, n->dtype, &n->shape));
}

static bool has_one_term(const clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in)
{
    if (n->op != CLGRAD_OP_MATMUL || clgrad_at(g, in[1])->dtype != n->dtype) return false;
    const clgrad_op_node *a = clgrad_at(g, in[0]);
    return a->dtype == n->dtype && a->shape.dims[a->shape.rank - (n->attr.trans_a ? 2 : 1)] == 1;
}

static clgrad_node lower_node(clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in)
{
    return has_one_term(g, n, in) ? multiply_columns(g, n, in) : clgrad_graph_append_like(g, n, in);
}

clgrad_status clgrad_plan_lower(const clgrad_graph *g, clgrad_graph **out)
{
    clgrad_graph *expanded = NULL, *simple = NULL;
    *out = NULL;
    CLGRAD_TRY(clgrad_graph_status(g));
    clgrad_status st = clgrad_graph_expand_calls(g, &expanded);
    if (st == CLGRAD_OK) st = clgrad_graph_simplify(expanded, &simple);
    if (st == CLGRAD_OK) st = clgrad_graph_copy(simple, lower_node, out);
    clgrad_graph_release(&expanded);
    clgrad_graph_release(&simple);
    return st;
}
