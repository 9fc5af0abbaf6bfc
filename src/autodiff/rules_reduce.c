/* Rules of sums, maxima and scans. */

#include "autodiff/rules.h"

/* --- forward --- */

/* Where the axes of a reduction go so that those reduced stand last and become one: [kept.., reduced]. */
typedef struct folding {
    int32_t perm[CLGRAD_MAX_RANK];
    clgrad_shape shape;
} folding;

static folding fold_axes(const clgrad_shape *from, uint32_t axes)
{
    folding f = { .shape = { 0 } };
    int64_t reduced = 1;
    int32_t place = 0;
    for (int32_t i = 0; i < from->rank; i++) {
        if (axes & CLGRAD_AXIS(i)) continue;
        f.perm[place++] = i;
        f.shape.dims[f.shape.rank++] = from->dims[i];
    }
    for (int32_t i = 0; i < from->rank; i++) {
        if (!(axes & CLGRAD_AXIS(i))) continue;
        f.perm[place++] = i;
        reduced *= from->dims[i];
    }
    f.shape.dims[f.shape.rank++] = reduced;
    return f;
}

static clgrad_node fold(clgrad_graph *b, clgrad_node x, const folding *f)
{
    return clgrad_reshape(b, clgrad_permute(b, x, f->perm), f->shape);
}

/* The tangent of the first largest element. Chosen, not multiplied by 0 and 1, so that an infinity elsewhere stays there. */
clgrad_node clgrad_jvp_rule_reduce_max(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                       const clgrad_node *din)
{
    (void)out;
    if (in[0] == CLGRAD_NONE) return CLGRAD_NONE;
    const clgrad_shape from = clgrad_node_shape(b, in[0]);
    const folding f = fold_axes(&from, node->attr.axes);
    const int32_t last = f.shape.rank - 1;
    clgrad_shape kept = f.shape;
    kept.dims[last] = 1;

    const clgrad_node first = clgrad_reshape(b, clgrad_argmax(b, fold(b, in[0], &f), last), kept);
    const clgrad_node here = clgrad_eq(b, clgrad_iota(b, CLGRAD_I32, f.shape, last), first);
    const clgrad_node dx = fold(b, din[0], &f);
    const clgrad_node chosen = clgrad_select(b, here, dx, clgrad_filled_like(b, dx, 0));
    return clgrad_sum(b, chosen, CLGRAD_AXIS(last), false);
}

/* --- transposes --- */

void clgrad_transpose_rule_sum(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const clgrad_shape *to = clgrad_operand_shape(at, 0);
    clgrad_shape kept = *to;
    for (int32_t i = 0; i < to->rank; i++)
        if (at->node->attr.axes & CLGRAD_AXIS(i)) kept.dims[i] = 1;
    ct_in[0] = clgrad_broadcast(b, clgrad_reshape(b, ct, kept), *to);
}

void clgrad_transpose_rule_cumsum(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    ct_in[0] = clgrad_cumsum(b, ct, at->node->attr.axis, !at->node->attr.reverse);
}

/* --- batch: a kept leading axis more changes no order of adding --- */

clgrad_node clgrad_batch_rule_reduce(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                     int64_t n)
{
    (void)batched, (void)n;
    clgrad_attr attr = node->attr;
    attr.axes <<= 1;
    return clgrad_graph_append(b, node->op, 1, in, &attr, node->dtype, NULL);
}

static clgrad_node next_axis(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in)
{
    clgrad_attr attr = node->attr;
    attr.axis++;
    return clgrad_graph_append(b, node->op, 1, in, &attr, node->dtype, NULL);
}

clgrad_node clgrad_batch_rule_argmax(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                     int64_t n)
{
    (void)batched, (void)n;
    return next_axis(b, node, in);
}

clgrad_node clgrad_batch_rule_cumsum(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                     int64_t n)
{
    (void)batched, (void)n;
    return next_axis(b, node, in);
}
