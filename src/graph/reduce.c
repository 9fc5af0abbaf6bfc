/* Builders of indexing, reductions, scans and products. */

#include "graph/rules.h"

/* --- indexing --- */

clgrad_node clgrad_take_batched(clgrad_graph *g, clgrad_node x, clgrad_node index, int32_t axis, int32_t num_batch)
{
    const clgrad_attr attr = { .axis = axis, .num_batch = num_batch };
    return clgrad_graph_append(g, CLGRAD_OP_TAKE, 2, (clgrad_node[]){ x, index }, &attr, CLGRAD_F32, NULL);
}

clgrad_node clgrad_take(clgrad_graph *g, clgrad_node x, clgrad_node index, int32_t axis)
{
    return clgrad_take_batched(g, x, index, axis, 0);
}

clgrad_node clgrad_scatter_add_batched(clgrad_graph *g, clgrad_node updates, clgrad_node index, int32_t axis, int64_t n,
                                       int32_t num_batch)
{
    const clgrad_attr attr = { .axis = axis, .num_batch = num_batch, .a = { n } };
    return clgrad_graph_append(g, CLGRAD_OP_SCATTER_ADD, 2, (clgrad_node[]){ updates, index }, &attr, CLGRAD_F32, NULL);
}

clgrad_node clgrad_scatter_add(clgrad_graph *g, clgrad_node updates, clgrad_node index, int32_t axis, int64_t n)
{
    return clgrad_scatter_add_batched(g, updates, index, axis, n, 0);
}

/* --- reductions --- */

static uint32_t axes_of_extent_one(const clgrad_shape *shape, uint32_t axes)
{
    uint32_t ones = 0;
    for (int32_t i = 0; i < shape->rank; i++)
        if ((axes & CLGRAD_AXIS(i)) && shape->dims[i] == 1) ones |= CLGRAD_AXIS(i);
    return ones;
}

/* The bits of `axes` renumbered for a shape from which the axes `gone` were taken. */
static uint32_t axes_renumber(uint32_t axes, uint32_t gone)
{
    uint32_t out = 0;
    for (int32_t i = 0, at = 0; i < CLGRAD_MAX_RANK; i++) {
        if (gone & CLGRAD_AXIS(i)) continue;
        if (axes & CLGRAD_AXIS(i)) out |= CLGRAD_AXIS(at);
        at++;
    }
    return out;
}

/* Of `axes`, those behind every kept axis of extent over 1; 0 when the last such axis is kept. */
static uint32_t axes_behind(const clgrad_shape *shape, uint32_t axes)
{
    uint32_t out = 0;
    for (int32_t i = shape->rank - 1; i >= 0; i--) {
        if (axes & CLGRAD_AXIS(i))
            out |= CLGRAD_AXIS(i);
        else if (shape->dims[i] != 1)
            break;
    }
    return out;
}

static clgrad_node reduce_step(clgrad_graph *g, clgrad_op op, clgrad_node x, uint32_t axes, int64_t cell)
{
    const clgrad_attr attr = { .axes = axes, .cell = cell };
    return clgrad_graph_append(g, op, 1, &x, &attr, CLGRAD_F32, NULL);
}

/* Reduced axes of extent 1 go by reshape; axes on both sides of kept ones go in two steps, the trailing ones first, so that
 * each step has one order. A cell belongs to the first reduced axis: one of extent 1 is one cell and needs none. */
static clgrad_node reduce(clgrad_graph *g, clgrad_op op, clgrad_node x, uint32_t axes, bool keep, int64_t cell)
{
    char name[CLGRAD_OP_TEXT];
    if (!clgrad_graph_has_node(g, x, clgrad_op_text(op, name), "0")) return CLGRAD_NONE;
    if (clgrad_at(g, x)->dtype == CLGRAD_U8)
        return clgrad_graph_fail(g, CLGRAD_E_DTYPE, "%s: operand 0 is u8, needed is a real type, i32 or i64", name);

    const clgrad_shape shape = clgrad_at(g, x)->shape;
    axes &= (1u << shape.rank) - 1;
    clgrad_shape result = clgrad_shape_without(&shape, axes);
    if (keep) {
        result = shape;
        for (int32_t i = 0; i < shape.rank; i++)
            if (axes & CLGRAD_AXIS(i)) result.dims[i] = 1;
    }
    const uint32_t ones = axes_of_extent_one(&shape, axes);
    if (ones & axes & (~axes + 1)) cell = 0;
    const clgrad_shape dense = clgrad_shape_without(&shape, ones);
    const uint32_t rest = axes_renumber(axes & ~ones, ones), behind = axes_behind(&dense, rest), before = rest & ~behind;
    x = clgrad_reshape(g, x, dense);
    if (behind) x = reduce_step(g, op, x, behind, before ? 0 : cell);
    if (before) x = reduce_step(g, op, x, before, cell);
    return clgrad_reshape(g, x, result);
}

clgrad_node clgrad_sum_cell(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep, int64_t cell)
{
    return reduce(g, CLGRAD_OP_SUM, x, axes, keep, cell);
}

clgrad_node clgrad_sum(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep) { return clgrad_sum_cell(g, x, axes, keep, 0); }

clgrad_node clgrad_reduce_max(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep)
{
    return reduce(g, CLGRAD_OP_REDUCE_MAX, x, axes, keep, 0);
}

/* sum / n, not sum * (1/n): one rounding less. Storage types take both steps in f32, where neither sum nor n overflows. */
clgrad_node clgrad_mean(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep)
{
    if (!clgrad_graph_has_node(g, x, "mean", "0")) return CLGRAD_NONE;
    const clgrad_op_node *n = clgrad_at(g, x);
    const clgrad_dtype dtype = n->dtype, wide = dtype == CLGRAD_F64 ? CLGRAD_F64 : CLGRAD_F32;
    if (!clgrad_dtype_is_real(dtype))
        return clgrad_graph_fail(g, CLGRAD_E_DTYPE, "mean: operand 0 is %s, needed is a real type", clgrad_dtype_name(dtype));
    double count = 1;
    for (int32_t i = 0; i < n->shape.rank; i++)
        if (axes & CLGRAD_AXIS(i)) count *= (double)n->shape.dims[i];
    const clgrad_node sum = clgrad_sum(g, clgrad_cast(g, x, wide), axes, keep);
    const clgrad_node mean = clgrad_div(g, sum, clgrad_constant(g, wide, clgrad_node_shape(g, sum), count));
    return clgrad_cast(g, mean, dtype);
}

clgrad_node clgrad_argmax(clgrad_graph *g, clgrad_node x, int32_t axis)
{
    const clgrad_attr attr = { .axis = axis };
    return clgrad_graph_append(g, CLGRAD_OP_ARGMAX, 1, &x, &attr, CLGRAD_I32, NULL);
}

clgrad_node clgrad_cumsum(clgrad_graph *g, clgrad_node x, int32_t axis, bool reverse)
{
    const clgrad_attr attr = { .axis = axis, .reverse = reverse };
    return clgrad_graph_append(g, CLGRAD_OP_CUMSUM, 1, &x, &attr, CLGRAD_F32, NULL);
}

/* --- products --- */

static clgrad_shape leading(const clgrad_shape *shape) { return clgrad_shape_make(shape->rank - 2, shape->dims); }

/* x with its leading axes broadcast to `lead`. */
static clgrad_node broadcast_leading(clgrad_graph *g, clgrad_node x, clgrad_shape lead)
{
    const clgrad_shape shape = clgrad_at(g, x)->shape;
    if (lead.rank + 2 > CLGRAD_MAX_RANK) return x;
    lead.dims[lead.rank++] = shape.dims[shape.rank - 2];
    lead.dims[lead.rank++] = shape.dims[shape.rank - 1];
    return clgrad_broadcast(g, x, lead);
}

clgrad_node clgrad_matmul_cell(clgrad_graph *g, clgrad_node a, clgrad_node b, bool trans_a, bool trans_b, int64_t cell)
{
    const clgrad_attr attr = { .trans_a = trans_a, .trans_b = trans_b, .cell = cell };
    clgrad_node in[2] = { a, b };
    if (!clgrad_graph_has_node(g, a, "matmul", "0") || !clgrad_graph_has_node(g, b, "matmul", "1")) return CLGRAD_NONE;
    const clgrad_shape sa = clgrad_at(g, a)->shape, sb = clgrad_at(g, b)->shape;
    if (sa.rank >= 2 && sb.rank >= 2) { /* the rule refuses other ranks, and leading axes that do not broadcast */
        clgrad_shape lead;
        const clgrad_shape la = leading(&sa), lb = leading(&sb);
        if (clgrad_shape_broadcast(&la, &lb, &lead)) {
            in[0] = broadcast_leading(g, a, lead);
            in[1] = broadcast_leading(g, b, lead);
        }
    }
    return clgrad_graph_append(g, CLGRAD_OP_MATMUL, 2, in, &attr, CLGRAD_F32, NULL);
}

clgrad_node clgrad_matmul(clgrad_graph *g, clgrad_node a, clgrad_node b, bool trans_a, bool trans_b)
{
    return clgrad_matmul_cell(g, a, b, trans_a, trans_b, 0);
}
