/* Arithmetic on constants, in the precision of their type, so that folding changes no bits. */

#include "graph/fold.h"

/* Two's complement, wrapping to the width of the type. */
static bool fold_integer(clgrad_op op, int64_t a, int64_t b, int64_t *out)
{
    const uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case CLGRAD_OP_ADD: *out = (int64_t)(ua + ub); return true;
    case CLGRAD_OP_SUB: *out = (int64_t)(ua - ub); return true;
    case CLGRAD_OP_MUL: *out = (int64_t)(ua * ub); return true;
    case CLGRAD_OP_NEG: *out = (int64_t)(0 - ua); return true;
    case CLGRAD_OP_ABS: *out = a < 0 ? (int64_t)(0 - ua) : a; return true;
    case CLGRAD_OP_SIGN: *out = (a > 0) - (a < 0); return true;
    case CLGRAD_OP_MAX: *out = a > b ? a : b; return true;
    case CLGRAD_OP_MIN: *out = a < b ? a : b; return true;
    default: return false;
    }
}

static bool fold_compare_integer(clgrad_op op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case CLGRAD_OP_EQ: *out = a == b; return true;
    case CLGRAD_OP_NE: *out = a != b; return true;
    case CLGRAD_OP_LT: *out = a < b; return true;
    case CLGRAD_OP_LE: *out = a <= b; return true;
    case CLGRAD_OP_GT: *out = a > b; return true;
    case CLGRAD_OP_GE: *out = a >= b; return true;
    default: return false;
    }
}

static bool fold_double(clgrad_op op, double a, double b, double *out)
{
    switch (op) {
    case CLGRAD_OP_ADD: *out = a + b; return true;
    case CLGRAD_OP_SUB: *out = a - b; return true;
    case CLGRAD_OP_MUL: *out = a * b; return true;
    case CLGRAD_OP_NEG: *out = -a; return true;
    default: return false;
    }
}

static bool fold_float(clgrad_op op, float a, float b, double *out)
{
    switch (op) {
    case CLGRAD_OP_ADD: *out = (double)(float)(a + b); return true;
    case CLGRAD_OP_SUB: *out = (double)(float)(a - b); return true;
    case CLGRAD_OP_MUL: *out = (double)(float)(a * b); return true;
    case CLGRAD_OP_NEG: *out = (double)-a; return true;
    default: return false;
    }
}

static bool is_subnormal(double value, clgrad_dtype dtype)
{
    const double smallest = dtype == CLGRAD_F64 ? 0x1p-1022 : dtype == CLGRAD_F16 ? 0x1p-14 : 0x1p-126;
    return value != 0 && value < smallest && value > -smallest;
}

static bool fold_real(clgrad_op op, clgrad_dtype dtype, double a, double b, double *out)
{
    /* A device may flush subnormals, and then a result folded here would have other bits than one computed there. */
    if (is_subnormal(a, dtype) || is_subnormal(b, dtype)) return false;
    if (!(dtype == CLGRAD_F64 ? fold_double(op, a, b, out) : fold_float(op, (float)a, (float)b, out))) return false;
    uint64_t stored = 0;
    clgrad_convert(dtype, &stored, CLGRAD_F64, out, 1);
    clgrad_convert(CLGRAD_F64, out, dtype, &stored, 1);
    return !is_subnormal(*out, dtype);
}

bool clgrad_fold(const clgrad_op_node *n, const clgrad_op_node *a, const clgrad_op_node *b, clgrad_attr *out)
{
    *out = (clgrad_attr){ 0 };
    if (a->op != CLGRAD_OP_CONST || b->op != CLGRAD_OP_CONST) return false;
    if (clgrad_dtype_is_real(a->dtype))
        return clgrad_dtype_is_real(n->dtype) && fold_real(n->op, a->dtype, a->attr.value, b->attr.value, &out->value);
    if (fold_compare_integer(n->op, a->attr.integer, b->attr.integer, &out->integer)) return true;
    if (!fold_integer(n->op, a->attr.integer, b->attr.integer, &out->integer)) return false;
    const uint64_t low = (uint64_t)out->integer & 0xffffffffu;
    if (n->dtype == CLGRAD_I32) out->integer = (int64_t)low - (low >> 31 ? INT64_C(0x100000000) : 0);
    return true;
}
