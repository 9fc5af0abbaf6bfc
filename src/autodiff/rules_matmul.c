/* Rules of MATMUL: y = op(a) op(b), where op transposes the last two axes as the node's flags say. */

#include "autodiff/rules.h"

clgrad_node clgrad_jvp_rule_matmul(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                   const clgrad_node *din)
{
    (void)out;
    const clgrad_node left[] = { din[0], in[1] }, right[] = { in[0], din[1] };
    return clgrad_add_tangents(b, din[0] == CLGRAD_NONE ? CLGRAD_NONE : clgrad_graph_append_like(b, node, left),
                               din[1] == CLGRAD_NONE ? CLGRAD_NONE : clgrad_graph_append_like(b, node, right));
}

/* With y = A B: dA = ct B' sums over y's columns, dB = A' ct over its rows. A stored transposed operand gets the transposed
 * product, (ct B')' = B ct' and (A' ct)' = ct' A, so the flags say everything and nothing is permuted. */
void clgrad_transpose_rule_matmul(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    if (at->linear[0] && at->linear[1]) {
        clgrad_refuse_transpose(b, at, "both factors depend on it");
        return;
    }
    const bool ta = at->node->attr.trans_a, tb = at->node->attr.trans_b;
    const int32_t columns = at->node->shape.rank - 1;
    const int64_t over_columns = at->sample_axis == columns ? CLGRAD_CELL : 0;
    const int64_t over_rows = at->sample_axis == columns - 1 ? CLGRAD_CELL : 0;
    if (at->linear[0])
        ct_in[0] = ta ? clgrad_matmul_cell(b, at->in[1], ct, tb, true, over_columns)
                      : clgrad_matmul_cell(b, ct, at->in[1], false, !tb, over_columns);
    else
        ct_in[1] = tb ? clgrad_matmul_cell(b, ct, at->in[0], true, ta, over_rows)
                      : clgrad_matmul_cell(b, at->in[0], ct, !ta, false, over_rows);
}

enum { FEW_ROWS = 32 };

/* [n, M, K] x [K, N] as one product of n*M rows: every row's chain is the same, and b is read once. For few rows, where reading b is
 * the work; with more, products of one shape can share a launch with others of that shape. */
static clgrad_node fold_rows(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, int64_t n)
{
    if (in[0] == CLGRAD_NONE) return CLGRAD_NONE;
    const int64_t rows = node->shape.dims[0], columns = node->shape.dims[1], k = clgrad_node_shape(b, in[0]).dims[2];
    const clgrad_shape flat = { 2, { n * rows, k } }, shaped = { 3, { n, rows, columns } };
    const clgrad_node y =
        clgrad_matmul_cell(b, clgrad_reshape(b, in[0], flat), in[1], false, node->attr.trans_b, node->attr.cell);
    return clgrad_reshape(b, y, shaped);
}

clgrad_node clgrad_batch_rule_matmul(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                     int64_t n)
{
    if (!batched[1] && node->shape.rank == 2 && !node->attr.trans_a && node->shape.dims[0] <= FEW_ROWS) return fold_rows(b, node, in, n);
    const clgrad_node lifted[] = { batched[0] ? in[0] : clgrad_repeat(b, in[0], n),
                                   batched[1] ? in[1] : clgrad_repeat(b, in[1], n) };
    return clgrad_graph_append_like(b, node, lifted);
}
