/* Rules of TAKE and SCATTER_ADD, each the other's adjoint. Operand 0 holds the data, operand 1 the indices. At an index out of
 * range TAKE and its tangent are NaN, and so is the cotangent of the update that SCATTER_ADD drops: nothing goes on unnoticed. */

#include "autodiff/rules.h"

static clgrad_node index_tangent(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const clgrad_node *din)
{
    return clgrad_graph_append_like(b, node, (clgrad_node[]){ din[0], in[1] });
}

clgrad_node clgrad_jvp_rule_take(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                 const clgrad_node *din)
{
    (void)out;
    return index_tangent(b, node, in, din);
}

clgrad_node clgrad_jvp_rule_scatter(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                    const clgrad_node *din)
{
    (void)out;
    return index_tangent(b, node, in, din);
}

static bool index_known(clgrad_graph *b, const clgrad_linear_node *at)
{
    if (at->linear[1]) clgrad_refuse_transpose(b, at, "the indices depend on it");
    return !at->linear[1];
}

void clgrad_transpose_rule_take(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const clgrad_attr *attr = &at->node->attr;
    const int64_t n = clgrad_operand_shape(at, 0)->dims[attr->axis];
    if (index_known(b, at)) ct_in[0] = clgrad_scatter_add_batched(b, ct, at->in[1], attr->axis, n, attr->num_batch);
}

void clgrad_transpose_rule_scatter(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const clgrad_attr *attr = &at->node->attr;
    if (index_known(b, at)) ct_in[0] = clgrad_take_batched(b, ct, at->in[1], attr->axis, attr->num_batch);
}

/* The same operation with the new axis shared by data and indices. */
static clgrad_node share_axis(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched, int64_t n)
{
    clgrad_attr attr = node->attr;
    attr.axis++;
    attr.num_batch++;
    const clgrad_node lifted[] = { batched[0] ? in[0] : clgrad_repeat(b, in[0], n),
                                   batched[1] ? in[1] : clgrad_repeat(b, in[1], n) };
    return clgrad_graph_append(b, node->op, 2, lifted, &attr, node->dtype, NULL);
}

/* The same operation one axis further: only the data are batched, and indices belong to no sample. */
static clgrad_node next_axis(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in)
{
    clgrad_attr attr = node->attr;
    attr.axis++;
    return clgrad_graph_append(b, node->op, 2, in, &attr, node->dtype, NULL);
}

/* Axis `from` of x to the front. */
static clgrad_node bring_forward(clgrad_graph *b, clgrad_node x, int32_t from)
{
    if (from == 0 || x == CLGRAD_NONE) return x;
    const int32_t rank = clgrad_node_shape(b, x).rank;
    int32_t perm[CLGRAD_MAX_RANK] = { from };
    for (int32_t i = 1; i < rank; i++) perm[i] = i <= from ? i - 1 : i;
    return clgrad_permute(b, x, perm);
}

clgrad_node clgrad_batch_rule_take(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                   int64_t n)
{
    if (node->attr.num_batch > 0 || (batched[0] && batched[1])) return share_axis(b, node, in, batched, n);
    if (batched[0]) return next_axis(b, node, in);
    return bring_forward(b, clgrad_graph_append_like(b, node, in), node->attr.axis); /* all rows from one table */
}

clgrad_node clgrad_batch_rule_scatter(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                      int64_t n)
{
    if (node->attr.num_batch > 0 || batched[1]) return share_axis(b, node, in, batched, n);
    return next_axis(b, node, in);
}
