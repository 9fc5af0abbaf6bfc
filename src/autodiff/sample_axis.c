#include "autodiff/sample_axis.h"

static int32_t count_bits_below(uint32_t bits, int32_t axis)
{
    int32_t count = 0;
    for (int32_t i = 0; i < axis; i++) count += (bits >> i) & 1;
    return count;
}

/* Where operands agree on an axis (those without one say nothing). */
static int32_t agree(int32_t a, int32_t b) { return a < 0 || a == b ? b : b < 0 ? a : -1; }

static int32_t through_operands(const clgrad_sample_axes *s, const clgrad_op_node *n)
{
    int32_t axis = -1;
    for (size_t i = 0; i < n->num_in; i++) {
        const int32_t here = clgrad_sample_axes_get(s, n->in[i]);
        if (axis >= 0 && here >= 0 && here != axis) return -1;
        axis = agree(axis, here);
    }
    return axis;
}

/* The axis with as many elements before it and as many in it, or -1. */
static int32_t through_reshape(const clgrad_shape *from, const clgrad_shape *to, int32_t axis)
{
    int64_t before = 1, here = 1;
    for (int32_t i = 0; i < axis; i++) before *= from->dims[i];
    for (int32_t i = 0; i < to->rank; i++) {
        if (here == before && to->dims[i] == from->dims[axis]) return i;
        here *= to->dims[i];
    }
    return -1;
}

static int32_t through_view(const clgrad_op_node *n, const clgrad_shape *from, int32_t axis)
{
    const clgrad_attr *attr = &n->attr;
    switch (n->op) {
    case CLGRAD_OP_BROADCAST:
        return from->dims[axis] == n->shape.dims[axis + n->shape.rank - from->rank] ? axis + n->shape.rank - from->rank : -1;
    case CLGRAD_OP_RESHAPE: return through_reshape(from, &n->shape, axis);
    case CLGRAD_OP_PERMUTE:
        for (int32_t i = 0; i < from->rank; i++)
            if (attr->a[i] == axis) return i;
        return -1;
    case CLGRAD_OP_FLIP: return attr->axes & CLGRAD_AXIS(axis) ? -1 : axis;
    case CLGRAD_OP_WINDOW: return attr->axis == axis ? -1 : axis;
    default: return n->shape.dims[axis] == from->dims[axis] ? axis : -1; /* SLICE, PAD: whole or cut */
    }
}

/* x [B.., .., n, ..] and index [B.., j..] give [B.., .., j.., ..]. */
static int32_t through_take(const clgrad_attr *attr, int32_t index_rank, int32_t x, int32_t index)
{
    if (x > attr->axis) x += index_rank - attr->num_batch - 1;
    else if (x == attr->axis) x = -1;
    if (index >= attr->num_batch) index += attr->axis - attr->num_batch;
    return x >= 0 && index >= 0 && x != index ? -1 : agree(x, index);
}

/* updates [B.., .., j.., ..] and index [B.., j..] give [B.., .., n, ..]. */
static int32_t through_scatter(const clgrad_attr *attr, int32_t index_rank, int32_t updates, int32_t index)
{
    const int32_t width = index_rank - attr->num_batch;
    if (updates >= attr->axis + width) updates -= width - 1;
    else if (updates >= attr->axis) updates = -1;
    if (index >= attr->num_batch) index = -1;
    return agree(updates, index);
}

static int32_t through_matmul(const clgrad_op_node *n, int32_t a, int32_t b)
{
    const int32_t last = n->shape.rank - 1;
    if (a == (n->attr.trans_a ? last - 1 : last)) a = -1; /* summed over */
    else if (a >= last - 1) a = last - 1;
    if (b == (n->attr.trans_b ? last : last - 1)) b = -1;
    else if (b >= last - 1) b = last;
    return a >= 0 && b >= 0 && a != b ? -1 : agree(a, b);
}

static clgrad_status through_call(const clgrad_sample_axes *s, const clgrad_op_node *n, int32_t *axis)
{
    const clgrad_graph *body = n->attr.call->body;
    clgrad_sample_axes inner = { .ctx = s->ctx, .outer = s, .call = n };
    const clgrad_status st = clgrad_sample_axes_extend(&inner, body);
    if (st == CLGRAD_OK) *axis = clgrad_sample_axes_get(&inner, body->outputs[0]);
    clgrad_sample_axes_release(&inner);
    return st;
}

/* Operations whose first operand alone has the axis to follow. */
static int32_t through_first(const clgrad_op_node *n, const clgrad_shape *from, int32_t axis)
{
    if (axis < 0) return -1;
    switch (clgrad_op_get(n->op)->family) {
    case CLGRAD_VIEW: return through_view(n, from, axis);
    case CLGRAD_OVERLAP: return axis == n->attr.axis || axis == from->rank - 1 ? -1 : axis;
    case CLGRAD_SCAN: return axis == n->attr.axis ? -1 : axis;
    default: break; /* REDUCE */
    }
    const uint32_t axes = n->op == CLGRAD_OP_ARGMAX ? CLGRAD_AXIS(n->attr.axis) : n->attr.axes;
    return axes & CLGRAD_AXIS(axis) ? -1 : axis - count_bits_below(axes, axis);
}

static clgrad_status follow(const clgrad_sample_axes *s, const clgrad_graph *g, const clgrad_op_node *n, int32_t *axis)
{
    *axis = -1;
    if (n->op == CLGRAD_OP_INPUT && s->outer) *axis = clgrad_sample_axes_get(s->outer, s->call->in[n->attr.integer]);
    if (n->num_in == 0) return CLGRAD_OK;
    const clgrad_shape *from = &clgrad_at(g, n->in[0])->shape;
    const int32_t first = clgrad_sample_axes_get(s, n->in[0]);
    const int32_t second = n->num_in > 1 ? clgrad_sample_axes_get(s, n->in[1]) : -1;
    const int32_t second_rank = n->num_in > 1 ? clgrad_at(g, n->in[1])->shape.rank : 0;
    switch (clgrad_op_get(n->op)->family) {
    case CLGRAD_LEAF: break;
    case CLGRAD_MAP: *axis = through_operands(s, n); break;
    case CLGRAD_JOIN:
        *axis = through_operands(s, n);
        if (*axis == n->attr.axis) *axis = -1;
        break;
    case CLGRAD_GATHER: *axis = through_take(&n->attr, second_rank, first, second); break;
    case CLGRAD_SCATTER: *axis = through_scatter(&n->attr, second_rank, first, second); break;
    case CLGRAD_PRODUCT: *axis = through_matmul(n, first, second); break;
    case CLGRAD_CALL_FAMILY: return through_call(s, n, axis);
    default: *axis = through_first(n, from, first); break;
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_sample_axes_extend(clgrad_sample_axes *s, const clgrad_graph *g)
{
    CLGRAD_TRY(clgrad_reserve(s->ctx, &s->axis, &s->capacity, g->num_nodes, sizeof *s->axis));
    for (; s->count < g->num_nodes; s->count++) {
        int32_t axis = -1;
        CLGRAD_TRY(follow(s, g, clgrad_at(g, (clgrad_node)s->count), &axis));
        s->axis[s->count] = (int8_t)axis;
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_sample_axes_set(clgrad_sample_axes *s, const clgrad_graph *g, clgrad_node n, int32_t axis)
{
    if (n == CLGRAD_NONE) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_sample_axes_extend(s, g));
    s->axis[n] = (int8_t)axis;
    return CLGRAD_OK;
}

int32_t clgrad_sample_axes_get(const clgrad_sample_axes *s, clgrad_node n)
{
    return n == CLGRAD_NONE || n >= s->count ? -1 : s->axis[n];
}

void clgrad_sample_axes_release(clgrad_sample_axes *s)
{
    clgrad_free(s->ctx, s->axis);
    *s = (clgrad_sample_axes){ 0 };
}
