/* Views composed with indices: from where a view node is asked for to where its operand is read. */

#include "plan/ir.h"

clgrad_view clgrad_view_none(void)
{
    clgrad_view v;
    memset(&v, 0, sizeof v); /* views are compared as bytes */
    v.cond = CLGRAD_IR_NONE;
    return v;
}

static bool view_broadcast(const clgrad_shape *to, const clgrad_shape *from, const clgrad_view *view, clgrad_view *out)
{
    for (int32_t d = 0; d < from->rank; d++)
        out->axis[d] = from->dims[d] == 1 ? clgrad_affine_constant(0) : view->axis[d + to->rank - from->rank];
    return true;
}

/* (of / div) % mod as an affine where that is exact, else as a derived variable. */
static bool split(clgrad_ir *ir, const clgrad_affine *flat, int64_t n, clgrad_affine *quotient, clgrad_affine *rest)
{
    if (clgrad_affine_divide(flat, n, ir->ranges, quotient, rest)) return true;
    const int32_t r = clgrad_ir_divide(ir, flat, 1, n), q = r < 0 ? r : clgrad_ir_divide(ir, flat, n, 0);
    if (q < 0) return false;
    *rest = clgrad_affine_variable(r);
    *quotient = clgrad_affine_variable(q);
    return true;
}

bool clgrad_view_reshape(clgrad_ir *ir, const clgrad_shape *from, const clgrad_affine *axis, const clgrad_shape *to,
                         clgrad_affine *out)
{
    clgrad_affine flat = clgrad_affine_constant(0), quotient;
    int64_t stride = 1;
    for (int32_t d = from->rank - 1; d >= 0; d--) {
        if (from->dims[d] != 1 && !clgrad_affine_add(&flat, &axis[d], stride)) return false;
        stride *= from->dims[d];
    }
    int32_t first = 0; /* the slowest axis takes what is left: no modulo */
    while (first < to->rank && to->dims[first] == 1) out[first++] = clgrad_affine_constant(0);
    for (int32_t d = to->rank - 1; d > first; d--) {
        out[d] = clgrad_affine_constant(0);
        if (to->dims[d] == 1) continue;
        if (!split(ir, &flat, to->dims[d], &quotient, &out[d])) return false;
        flat = quotient;
    }
    if (first < to->rank) out[first] = flat;
    return true;
}

static bool view_slice(const clgrad_op_node *n, const clgrad_view *view, clgrad_view *out)
{
    for (int32_t d = 0; d < n->shape.rank; d++) {
        out->axis[d] = clgrad_affine_constant(n->attr.a[d]);
        if (!clgrad_affine_add(&out->axis[d], &view->axis[d], n->attr.b[d])) return false;
    }
    return true;
}

static bool view_flip(const clgrad_op_node *n, const clgrad_view *view, clgrad_view *out)
{
    for (int32_t d = 0; d < n->shape.rank; d++) {
        out->axis[d] = view->axis[d];
        if (!(n->attr.axes & CLGRAD_AXIS(d))) continue;
        out->axis[d] = clgrad_affine_constant(n->shape.dims[d] - 1);
        if (!clgrad_affine_add(&out->axis[d], &view->axis[d], -1)) return false;
    }
    return true;
}

static bool view_pad(clgrad_ir *ir, const clgrad_op_node *n, const clgrad_shape *from, const clgrad_view *view,
                     clgrad_view *out)
{
    for (int32_t d = 0; d < n->shape.rank; d++) {
        const int64_t step = n->attr.c[d] + 1, extent = from->dims[d];
        clgrad_affine at = clgrad_affine_constant(-n->attr.a[d]), quotient, rest;
        if (!clgrad_affine_add(&at, &view->axis[d], 1)) return false;
        out->cond = clgrad_ir_condition(ir, out->cond, &at, (extent - 1) * step + 1, step);
        if (out->cond == CLGRAD_IR_FAILED) return false;
        out->axis[d] = at;
        if (step == 1) continue;
        if (extent == 1) {
            out->axis[d] = clgrad_affine_constant(0);
            continue;
        }
        if (clgrad_affine_divide(&at, step, ir->ranges, &quotient, &rest)) {
            out->axis[d] = quotient;
            continue;
        }
        const int32_t var = clgrad_ir_divide(ir, &at, step, 0);
        if (var < 0) return false;
        out->axis[d] = clgrad_affine_variable(var);
    }
    return true;
}

static bool view_window(const clgrad_op_node *n, const clgrad_view *view, clgrad_view *out)
{
    const int32_t axis = n->attr.axis, last = n->shape.rank - 1;
    for (int32_t d = 0; d < last; d++) out->axis[d] = view->axis[d];
    out->axis[axis] = clgrad_affine_constant(0);
    return clgrad_affine_add(&out->axis[axis], &view->axis[axis], n->attr.b[0]) &&
           clgrad_affine_add(&out->axis[axis], &view->axis[last], n->attr.c[0]);
}

bool clgrad_view_operand(clgrad_ir *ir, const clgrad_op_node *n, const clgrad_view *view, clgrad_view *out)
{
    const clgrad_shape *from = &clgrad_at(ir->g, n->in[0])->shape;
    *out = clgrad_view_none();
    out->cond = view->cond;
    switch (n->op) {
    case CLGRAD_OP_BROADCAST: return view_broadcast(&n->shape, from, view, out);
    case CLGRAD_OP_RESHAPE: return clgrad_view_reshape(ir, &n->shape, view->axis, from, out->axis);
    case CLGRAD_OP_PERMUTE:
        for (int32_t d = 0; d < n->shape.rank; d++) out->axis[n->attr.a[d]] = view->axis[d];
        return true;
    case CLGRAD_OP_SLICE: return view_slice(n, view, out);
    case CLGRAD_OP_FLIP: return view_flip(n, view, out);
    case CLGRAD_OP_PAD: return view_pad(ir, n, from, view, out);
    case CLGRAD_OP_WINDOW: return view_window(n, view, out);
    default: return false;
    }
}
