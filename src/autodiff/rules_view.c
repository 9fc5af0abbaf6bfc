/* Rules of views, of joining, and of overlap-add. Forward they are linear: see clgrad_jvp_rule_linear. */

#include "autodiff/rules.h"

/* --- transposes --- */

void clgrad_transpose_rule_broadcast(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    ct_in[0] = clgrad_sum_to(b, ct, clgrad_operand_shape(at, 0), at->sample_axis);
}

void clgrad_transpose_rule_reshape(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    ct_in[0] = clgrad_reshape(b, ct, *clgrad_operand_shape(at, 0));
}

void clgrad_transpose_rule_permute(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    int32_t inverse[CLGRAD_MAX_RANK] = { 0 };
    for (int32_t i = 0; i < at->node->shape.rank; i++) inverse[at->node->attr.a[i]] = i;
    ct_in[0] = clgrad_permute(b, ct, inverse);
}

static clgrad_node zeros(clgrad_graph *b, const clgrad_linear_node *at, size_t i)
{
    return clgrad_constant(b, at->node->dtype, *clgrad_operand_shape(at, i), 0);
}

/* Back between zeros, at the places it was taken from. */
void clgrad_transpose_rule_slice(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const clgrad_shape *from = clgrad_operand_shape(at, 0), *to = &at->node->shape;
    int64_t low[CLGRAD_MAX_RANK] = { 0 }, high[CLGRAD_MAX_RANK] = { 0 }, interior[CLGRAD_MAX_RANK] = { 0 };
    if (clgrad_shape_count(to) == 0) {
        ct_in[0] = zeros(b, at, 0);
        return;
    }
    for (int32_t i = 0; i < to->rank; i++) {
        const int64_t step = at->node->attr.b[i];
        low[i] = at->node->attr.a[i];
        interior[i] = to->dims[i] > 1 ? step - 1 : 0;
        high[i] = from->dims[i] - (low[i] + (to->dims[i] - 1) * step + 1);
    }
    ct_in[0] = clgrad_pad(b, ct, low, high, interior);
}

void clgrad_transpose_rule_flip(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    ct_in[0] = clgrad_flip(b, ct, at->node->attr.axes);
}

void clgrad_transpose_rule_pad(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const clgrad_shape *to = clgrad_operand_shape(at, 0);
    int64_t step[CLGRAD_MAX_RANK] = { 0 };
    for (int32_t i = 0; i < to->rank; i++) step[i] = at->node->attr.c[i] + 1;
    ct_in[0] = clgrad_slice(b, ct, at->node->attr.a, to->dims, step);
}

void clgrad_transpose_rule_window(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const clgrad_attr *attr = &at->node->attr;
    const int64_t n = clgrad_operand_shape(at, 0)->dims[attr->axis];
    ct_in[0] = clgrad_overlap_add(b, ct, attr->axis, n, attr->b[0], attr->c[0]);
}

void clgrad_transpose_rule_overlap(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const clgrad_attr *attr = &at->node->attr;
    const clgrad_shape *blocks = clgrad_operand_shape(at, 0);
    ct_in[0] = clgrad_window(b, ct, attr->axis, blocks->dims[blocks->rank - 1], attr->b[0], attr->c[0]);
}

void clgrad_transpose_rule_concat(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    const int32_t axis = at->node->attr.axis;
    int64_t start[CLGRAD_MAX_RANK] = { 0 };
    for (size_t i = 0; i < at->node->num_in; i++) {
        const clgrad_shape *part = clgrad_operand_shape(at, i);
        if (at->linear[i]) ct_in[i] = clgrad_slice(b, ct, start, part->dims, NULL);
        start[axis] += part->dims[axis];
    }
}

/* --- batch: the same one axis further --- */

clgrad_node clgrad_batch_rule_broadcast(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in,
                                        const bool *batched, int64_t n)
{
    (void)batched;
    if (in[0] == CLGRAD_NONE) return CLGRAD_NONE;
    const clgrad_shape from = clgrad_node_shape(b, in[0]), to = clgrad_shape_prepend(n, &node->shape);
    clgrad_shape aligned = { .rank = to.rank, .dims = { n } };
    if (to.rank > CLGRAD_MAX_RANK) return clgrad_reshape(b, in[0], aligned); /* refused there */
    const int32_t added = to.rank - from.rank;
    for (int32_t i = 1; i < to.rank; i++) aligned.dims[i] = i <= added ? 1 : from.dims[i - added];
    return clgrad_broadcast(b, clgrad_reshape(b, in[0], aligned), to);
}

clgrad_node clgrad_batch_rule_reshape(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                      int64_t n)
{
    (void)batched;
    return clgrad_reshape(b, in[0], clgrad_shape_prepend(n, &node->shape));
}

clgrad_node clgrad_batch_rule_permute(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                      int64_t n)
{
    (void)batched, (void)n;
    int32_t perm[CLGRAD_MAX_RANK + 1] = { 0 };
    for (int32_t i = 0; i < node->shape.rank; i++) perm[i + 1] = (int32_t)node->attr.a[i] + 1;
    return clgrad_permute(b, in[0], perm);
}

/* One entry an axis, with `first` for the new one. */
static void shift(int64_t *to, const int64_t *from, int64_t first)
{
    to[0] = first;
    for (int32_t i = 1; i < CLGRAD_MAX_RANK; i++) to[i] = from[i - 1];
}

clgrad_node clgrad_batch_rule_slice(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                    int64_t n)
{
    (void)batched;
    int64_t start[CLGRAD_MAX_RANK], size[CLGRAD_MAX_RANK], step[CLGRAD_MAX_RANK];
    shift(start, node->attr.a, 0);
    shift(size, node->shape.dims, n);
    shift(step, node->attr.b, 1);
    return clgrad_slice(b, in[0], start, size, step);
}

clgrad_node clgrad_batch_rule_flip(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                   int64_t n)
{
    (void)batched, (void)n;
    return clgrad_flip(b, in[0], node->attr.axes << 1);
}

clgrad_node clgrad_batch_rule_pad(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                  int64_t n)
{
    (void)batched, (void)n;
    int64_t low[CLGRAD_MAX_RANK], high[CLGRAD_MAX_RANK], interior[CLGRAD_MAX_RANK];
    shift(low, node->attr.a, 0);
    shift(high, node->attr.b, 0);
    shift(interior, node->attr.c, 0);
    return clgrad_pad(b, in[0], low, high, interior);
}

clgrad_node clgrad_batch_rule_window(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                     int64_t n)
{
    (void)batched, (void)n;
    const clgrad_attr *attr = &node->attr;
    return clgrad_window(b, in[0], attr->axis + 1, attr->a[0], attr->b[0], attr->c[0]);
}

clgrad_node clgrad_batch_rule_overlap(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                      int64_t n)
{
    (void)batched, (void)n;
    const clgrad_attr *attr = &node->attr;
    return clgrad_overlap_add(b, in[0], attr->axis + 1, attr->a[0], attr->b[0], attr->c[0]);
}

clgrad_node clgrad_batch_rule_concat(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                     int64_t n)
{
    clgrad_node *lifted = clgrad_alloc(b->ctx, node->num_in, sizeof *lifted);
    if (!lifted) return clgrad_graph_fail(b, CLGRAD_E_MEMORY, "CONCAT: no memory for %zu operands", node->num_in);
    for (size_t i = 0; i < node->num_in; i++) lifted[i] = batched[i] ? in[i] : clgrad_repeat(b, in[i], n);
    const clgrad_node joined = clgrad_concat(b, node->num_in, lifted, node->attr.axis + 1);
    clgrad_free(b->ctx, lifted);
    return joined;
}
