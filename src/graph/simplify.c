/* Simplification: dead code, constants, neutral elements, views of views. It runs before plans of every kind and before ref's
 * twin of a plan, so what it does to bits (x + 0 may lose the sign of zero) it does everywhere. Operations whose folding could
 * change a NaN (x * 0) or a rounding (exp of a constant) are left alone. */

#include "graph/fold.h"
#include "graph/rules.h"

#include <math.h>

typedef struct rewrite {
    clgrad_graph *g;         /* the new graph */
    const clgrad_op_node *n; /* the old node */
    const clgrad_node *in;   /* its operands in the new graph */
} rewrite;

static const clgrad_op_node *operand(const rewrite *r, size_t i) { return clgrad_at(r->g, r->in[i]); }

static bool is_constant(const clgrad_op_node *n, double value)
{
    if (n->op != CLGRAD_OP_CONST) return false;
    return clgrad_dtype_is_real(n->dtype) ? n->attr.value == value : (double)n->attr.integer == value;
}

static clgrad_node constant(const rewrite *r, const clgrad_attr *attr)
{
    return clgrad_graph_append(r->g, CLGRAD_OP_CONST, 0, NULL, attr, r->n->dtype, &r->n->shape);
}

static clgrad_node append_unary(const rewrite *r, clgrad_op op, clgrad_node x)
{
    return clgrad_graph_append(r->g, op, 1, &x, NULL, r->n->dtype, &r->n->shape);
}

static clgrad_node append_binary(const rewrite *r, clgrad_op op, clgrad_node a, clgrad_node b)
{
    return clgrad_graph_append(r->g, op, 2, (clgrad_node[]){ a, b }, NULL, r->n->dtype, NULL);
}

/* Every rule below returns the node that stands for r->n, or CLGRAD_NONE when it has nothing to say. */
typedef clgrad_node (*rule)(const rewrite *r);

/* --- element-wise --- */

static clgrad_node fold(const rewrite *r)
{
    clgrad_attr attr;
    if (r->n->num_in < 1 || r->n->num_in > 2) return CLGRAD_NONE;
    return clgrad_fold(r->n, operand(r, 0), operand(r, r->n->num_in - 1), &attr) ? constant(r, &attr) : CLGRAD_NONE;
}

static clgrad_node simplify_neg(const rewrite *r) { return operand(r, 0)->op == CLGRAD_OP_NEG ? operand(r, 0)->in[0] : fold(r); }

static clgrad_node simplify_stop(const rewrite *r)
{
    const clgrad_op op = operand(r, 0)->op;
    return op == CLGRAD_OP_STOP || op == CLGRAD_OP_CONST ? r->in[0] : CLGRAD_NONE;
}

/* One element of a constant as it is stored. */
static void store_constant(const clgrad_op_node *n, uint64_t *stored)
{
    if (clgrad_dtype_is_real(n->dtype))
        clgrad_convert(n->dtype, stored, CLGRAD_F64, &n->attr.value, 1);
    else
        clgrad_convert(n->dtype, stored, CLGRAD_I64, &n->attr.integer, 1);
}

static clgrad_node simplify_cast(const rewrite *r)
{
    const clgrad_op_node *x = operand(r, 0);
    if (x->dtype == r->n->dtype) return r->in[0];
    if (x->op != CLGRAD_OP_CONST) return CLGRAD_NONE;
    uint64_t from = 0, to = 0;
    clgrad_attr attr = { 0 };
    store_constant(x, &from);
    clgrad_convert(r->n->dtype, &to, x->dtype, &from, 1);
    if (clgrad_dtype_is_real(r->n->dtype))
        clgrad_convert(CLGRAD_F64, &attr.value, r->n->dtype, &to, 1);
    else
        clgrad_convert(CLGRAD_I64, &attr.integer, r->n->dtype, &to, 1);
    return constant(r, &attr);
}

static clgrad_node simplify_add(const rewrite *r)
{
    if (is_constant(operand(r, 0), 0)) return r->in[1];
    if (is_constant(operand(r, 1), 0)) return r->in[0];
    if (operand(r, 1)->op == CLGRAD_OP_NEG) return append_binary(r, CLGRAD_OP_SUB, r->in[0], operand(r, 1)->in[0]);
    if (operand(r, 0)->op == CLGRAD_OP_NEG) return append_binary(r, CLGRAD_OP_SUB, r->in[1], operand(r, 0)->in[0]);
    return fold(r);
}

static clgrad_node simplify_sub(const rewrite *r)
{
    if (is_constant(operand(r, 1), 0)) return r->in[0];
    if (operand(r, 1)->op == CLGRAD_OP_NEG) return append_binary(r, CLGRAD_OP_ADD, r->in[0], operand(r, 1)->in[0]);
    return fold(r);
}

static clgrad_node simplify_mul(const rewrite *r)
{
    for (size_t i = 0; i < 2; i++) {
        const clgrad_op_node *c = operand(r, i);
        if (is_constant(c, 1)) return r->in[1 - i];
        if (is_constant(c, 0) && !clgrad_dtype_is_real(c->dtype)) return r->in[i];
    }
    for (size_t i = 0; i < 2; i++)
        if (is_constant(operand(r, i), -1) && operand(r, 1 - i)->op != CLGRAD_OP_CONST)
            return append_unary(r, CLGRAD_OP_NEG, r->in[1 - i]);
    return fold(r);
}

static clgrad_node simplify_div(const rewrite *r) { return is_constant(operand(r, 1), 1) ? r->in[0] : CLGRAD_NONE; }

static clgrad_node simplify_select(const rewrite *r)
{
    if (r->in[1] == r->in[2]) return r->in[1];
    if (operand(r, 0)->op != CLGRAD_OP_CONST) return CLGRAD_NONE;
    return operand(r, 0)->attr.integer != 0 ? r->in[1] : r->in[2];
}

/* --- views --- */

/* A view that only rearranges a constant is that constant in another shape. */
static clgrad_node view_of_constant(const rewrite *r)
{
    return operand(r, 0)->op == CLGRAD_OP_CONST ? constant(r, &operand(r, 0)->attr) : CLGRAD_NONE;
}

static clgrad_node simplify_broadcast(const rewrite *r)
{
    const clgrad_op_node *x = operand(r, 0);
    if (clgrad_shape_equal(&x->shape, &r->n->shape)) return r->in[0];
    return x->op == CLGRAD_OP_BROADCAST ? append_unary(r, CLGRAD_OP_BROADCAST, x->in[0]) : view_of_constant(r);
}

static clgrad_node simplify_reshape(const rewrite *r)
{
    const clgrad_op_node *x = operand(r, 0);
    if (clgrad_shape_equal(&x->shape, &r->n->shape)) return r->in[0];
    if (x->op != CLGRAD_OP_RESHAPE) return view_of_constant(r);
    return clgrad_reshape(r->g, x->in[0], r->n->shape);
}

/* A permutation that leaves the axes of extent over 1 in order moves nothing: a reshape. */
static bool keeps_order(const clgrad_shape *x, const int64_t *perm)
{
    int64_t last = -1;
    for (int32_t i = 0; i < x->rank; i++) {
        if (x->dims[perm[i]] == 1) continue;
        if (perm[i] < last) return false;
        last = perm[i];
    }
    return true;
}

static clgrad_node simplify_permute(const rewrite *r)
{
    const clgrad_op_node *x = operand(r, 0);
    if (keeps_order(&x->shape, r->n->attr.a)) {
        const rewrite reshape = { r->g, &(clgrad_op_node){ .dtype = r->n->dtype, .shape = r->n->shape }, r->in };
        const clgrad_node merged = simplify_reshape(&reshape);
        return merged != CLGRAD_NONE ? merged : clgrad_reshape(r->g, r->in[0], r->n->shape);
    }
    if (x->op != CLGRAD_OP_PERMUTE) return view_of_constant(r);
    int32_t perm[CLGRAD_MAX_RANK] = { 0 };
    for (int32_t i = 0; i < r->n->shape.rank; i++) perm[i] = (int32_t)x->attr.a[r->n->attr.a[i]];
    return clgrad_permute(r->g, x->in[0], perm);
}

static clgrad_node simplify_slice(const rewrite *r)
{
    const clgrad_op_node *x = operand(r, 0);
    if (x->op != CLGRAD_OP_SLICE) return view_of_constant(r);
    const clgrad_attr *outer = &r->n->attr, *inner = &x->attr;
    int64_t start[CLGRAD_MAX_RANK], step[CLGRAD_MAX_RANK];
    for (int32_t i = 0; i < r->n->shape.rank; i++) {
        int64_t skip = 0;
        if (!clgrad_mul_i64(outer->a[i], inner->b[i], &skip) || !clgrad_add_i64(inner->a[i], skip, &start[i]) ||
            !clgrad_mul_i64(outer->b[i], inner->b[i], &step[i]))
            return CLGRAD_NONE;
        if (r->n->shape.dims[i] == 0) start[i] = 0, step[i] = 1;
    }
    return clgrad_slice(r->g, x->in[0], start, r->n->shape.dims, step);
}

static clgrad_node simplify_flip(const rewrite *r)
{
    const clgrad_op_node *x = operand(r, 0);
    return x->op == CLGRAD_OP_FLIP ? clgrad_flip(r->g, x->in[0], x->attr.axes ^ r->n->attr.axes) : view_of_constant(r);
}

static clgrad_node simplify_pad(const rewrite *r)
{
    const clgrad_op_node *x = operand(r, 0);
    if (clgrad_shape_equal(&x->shape, &r->n->shape)) return r->in[0];
    if (!is_constant(x, 0) || signbit(x->attr.value)) return CLGRAD_NONE; /* -0 among padding +0 is not one constant */
    return constant(r, &x->attr);
}

static clgrad_node simplify_concat(const rewrite *r) { return r->n->num_in == 1 ? r->in[0] : CLGRAD_NONE; }

/* --- reductions: over axes of extent 1 nothing is summed, and a sum of nothing is 0 --- */

static clgrad_node simplify_reduce(const rewrite *r)
{
    const clgrad_shape *x = &operand(r, 0)->shape;
    for (int32_t i = 0; i < x->rank; i++)
        if ((r->n->attr.axes & CLGRAD_AXIS(i)) && x->dims[i] != 1) return CLGRAD_NONE;
    return clgrad_reshape(r->g, r->in[0], r->n->shape);
}

static clgrad_node simplify_sum(const rewrite *r)
{
    static const clgrad_attr zero = { 0 };
    const bool empty = clgrad_shape_count(&operand(r, 0)->shape) == 0 && clgrad_shape_count(&r->n->shape) > 0;
    return empty ? constant(r, &zero) : simplify_reduce(r);
}

static const rule rules[CLGRAD_OP_COUNT] = {
    [CLGRAD_OP_NEG] = simplify_neg,
    [CLGRAD_OP_ABS] = fold,
    [CLGRAD_OP_SIGN] = fold,
    [CLGRAD_OP_STOP] = simplify_stop,
    [CLGRAD_OP_CAST] = simplify_cast,
    [CLGRAD_OP_ADD] = simplify_add,
    [CLGRAD_OP_SUB] = simplify_sub,
    [CLGRAD_OP_MUL] = simplify_mul,
    [CLGRAD_OP_DIV] = simplify_div,
    [CLGRAD_OP_MAX] = fold,
    [CLGRAD_OP_MIN] = fold,
    [CLGRAD_OP_EQ] = fold,
    [CLGRAD_OP_NE] = fold,
    [CLGRAD_OP_LT] = fold,
    [CLGRAD_OP_LE] = fold,
    [CLGRAD_OP_GT] = fold,
    [CLGRAD_OP_GE] = fold,
    [CLGRAD_OP_SELECT] = simplify_select,
    [CLGRAD_OP_BROADCAST] = simplify_broadcast,
    [CLGRAD_OP_RESHAPE] = simplify_reshape,
    [CLGRAD_OP_PERMUTE] = simplify_permute,
    [CLGRAD_OP_SLICE] = simplify_slice,
    [CLGRAD_OP_FLIP] = simplify_flip,
    [CLGRAD_OP_PAD] = simplify_pad,
    [CLGRAD_OP_WINDOW] = view_of_constant,
    [CLGRAD_OP_CONCAT] = simplify_concat,
    [CLGRAD_OP_SUM] = simplify_sum,
    [CLGRAD_OP_REDUCE_MAX] = simplify_reduce,
};

static clgrad_node simplify_node(clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in)
{
    const rewrite r = { g, n, in };
    const clgrad_node found = rules[n->op] ? rules[n->op](&r) : CLGRAD_NONE;
    return found != CLGRAD_NONE ? found : clgrad_graph_append_like(g, n, in);
}

/* One pass does it, since operands are simplified before their users; a plain copy then leaves out what rewriting made dead. */
clgrad_status clgrad_graph_simplify(const clgrad_graph *g, clgrad_graph **out)
{
    clgrad_graph *rewritten = NULL;
    *out = NULL;
    clgrad_status st = clgrad_graph_copy(g, simplify_node, &rewritten);
    if (st == CLGRAD_OK) st = clgrad_graph_copy(rewritten, clgrad_graph_append_like, out);
    clgrad_graph_release(&rewritten);
    return st;
}
