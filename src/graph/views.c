/* Builders of views and joins. A view that changes nothing is its operand. */

#include "graph/rules.h"

/* Is `shape` what the node has already? Ill-formed shapes are left to the rule to refuse. */
static bool has_shape(const clgrad_graph *g, clgrad_node x, const clgrad_shape *shape)
{
    return shape->rank >= 0 && shape->rank <= CLGRAD_MAX_RANK && clgrad_shape_equal(&clgrad_at(g, x)->shape, shape);
}

clgrad_node clgrad_broadcast(clgrad_graph *g, clgrad_node x, clgrad_shape shape)
{
    if (!clgrad_graph_has_node(g, x, "broadcast", "0")) return CLGRAD_NONE;
    if (has_shape(g, x, &shape)) return x;
    return clgrad_graph_append(g, CLGRAD_OP_BROADCAST, 1, &x, NULL, CLGRAD_F32, &shape);
}

clgrad_node clgrad_reshape(clgrad_graph *g, clgrad_node x, clgrad_shape shape)
{
    if (!clgrad_graph_has_node(g, x, "reshape", "0")) return CLGRAD_NONE;
    if (has_shape(g, x, &shape)) return x;
    return clgrad_graph_append(g, CLGRAD_OP_RESHAPE, 1, &x, NULL, CLGRAD_F32, &shape);
}

clgrad_node clgrad_permute(clgrad_graph *g, clgrad_node x, const int32_t *perm)
{
    if (!clgrad_graph_has_node(g, x, "permute", "0")) return CLGRAD_NONE;
    const int32_t rank = clgrad_at(g, x)->shape.rank;
    clgrad_attr attr = { 0 };
    bool moved = false;
    for (int32_t i = 0; i < rank; i++) {
        attr.a[i] = perm[i];
        moved |= perm[i] != i;
    }
    return moved ? clgrad_graph_append(g, CLGRAD_OP_PERMUTE, 1, &x, &attr, CLGRAD_F32, NULL) : x;
}

clgrad_node clgrad_transpose(clgrad_graph *g, clgrad_node x)
{
    if (!clgrad_graph_has_node(g, x, "transpose", "0")) return CLGRAD_NONE;
    const int32_t rank = clgrad_at(g, x)->shape.rank;
    if (rank < 2)
        return clgrad_graph_fail(g, CLGRAD_E_SHAPE, "transpose: operand 0 has rank %d, at least 2 is needed", (int)rank);
    int32_t perm[CLGRAD_MAX_RANK] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    return clgrad_permute(g, x, perm);
}

clgrad_node clgrad_slice(clgrad_graph *g, clgrad_node x, const int64_t *start, const int64_t *size, const int64_t *step)
{
    if (!clgrad_graph_has_node(g, x, "slice", "0")) return CLGRAD_NONE;
    const clgrad_shape *shape = &clgrad_at(g, x)->shape;
    clgrad_attr attr = { 0 };
    bool whole = true;
    for (int32_t i = 0; i < shape->rank; i++) {
        attr.a[i] = start[i];
        attr.b[i] = step ? step[i] : 1;
        whole &= start[i] == 0 && size[i] == shape->dims[i] && attr.b[i] == 1;
    }
    const clgrad_shape out = clgrad_shape_make(shape->rank, size);
    return whole ? x : clgrad_graph_append(g, CLGRAD_OP_SLICE, 1, &x, &attr, CLGRAD_F32, &out);
}

clgrad_node clgrad_flip(clgrad_graph *g, clgrad_node x, uint32_t axes)
{
    const clgrad_attr attr = { .axes = axes };
    if (axes == 0 && clgrad_graph_has_node(g, x, "flip", "0")) return x;
    return clgrad_graph_append(g, CLGRAD_OP_FLIP, 1, &x, &attr, CLGRAD_F32, NULL);
}

clgrad_node clgrad_pad(clgrad_graph *g, clgrad_node x, const int64_t *low, const int64_t *high, const int64_t *interior)
{
    if (!clgrad_graph_has_node(g, x, "pad", "0")) return CLGRAD_NONE;
    const int32_t rank = clgrad_at(g, x)->shape.rank;
    clgrad_attr attr = { 0 };
    bool padded = false;
    for (int32_t i = 0; i < rank; i++) {
        attr.a[i] = low[i];
        attr.b[i] = high[i];
        attr.c[i] = interior ? interior[i] : 0;
        padded |= attr.a[i] != 0 || attr.b[i] != 0 || attr.c[i] != 0;
    }
    return padded ? clgrad_graph_append(g, CLGRAD_OP_PAD, 1, &x, &attr, CLGRAD_F32, NULL) : x;
}

clgrad_node clgrad_window(clgrad_graph *g, clgrad_node x, int32_t axis, int64_t size, int64_t stride, int64_t dilation)
{
    const clgrad_attr attr = { .axis = axis, .a = { size }, .b = { stride }, .c = { dilation } };
    return clgrad_graph_append(g, CLGRAD_OP_WINDOW, 1, &x, &attr, CLGRAD_F32, NULL);
}

clgrad_node clgrad_overlap_add(clgrad_graph *g, clgrad_node y, int32_t axis, int64_t n, int64_t stride, int64_t dilation)
{
    const clgrad_attr attr = { .axis = axis, .a = { n }, .b = { stride }, .c = { dilation } };
    return clgrad_graph_append(g, CLGRAD_OP_OVERLAP_ADD, 1, &y, &attr, CLGRAD_F32, NULL);
}

clgrad_node clgrad_concat(clgrad_graph *g, size_t count, const clgrad_node *x, int32_t axis)
{
    const clgrad_attr attr = { .axis = axis };
    if (count < 1 || count > 4096)
        return clgrad_graph_fail(g, CLGRAD_E_ARG, "concat: %zu operands given, 1 to 4096 can be joined", count);
    return clgrad_graph_append(g, CLGRAD_OP_CONCAT, count, x, &attr, CLGRAD_F32, NULL);
}
