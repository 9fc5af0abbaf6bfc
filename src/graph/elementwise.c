/* Element-wise builders: operands are broadcast to one shape by explicit nodes, so that primitives always see equal shapes. */

#include "graph/rules.h"

bool clgrad_broadcast_all(clgrad_graph *g, const char *operation, size_t count, clgrad_node *in)
{
    clgrad_shape shape = { 0 };
    char operand[2] = "0", a[CLGRAD_SHAPE_TEXT], b[CLGRAD_SHAPE_TEXT];
    for (size_t i = 0; i < count; i++) {
        operand[0] = (char)('0' + i);
        if (!clgrad_graph_has_node(g, in[i], operation, operand)) return false;
        const clgrad_shape before = shape, *next = &clgrad_at(g, in[i])->shape;
        if (clgrad_shape_broadcast(&before, next, &shape)) continue;
        clgrad_graph_fail(g, CLGRAD_E_SHAPE, "%s: the shape %s of operand %s does not match %s of the operands before it",
                          operation, clgrad_shape_text(next, a), operand, clgrad_shape_text(&before, b));
        return false;
    }
    for (size_t i = 0; i < count; i++) in[i] = clgrad_broadcast(g, in[i], shape);
    return g->status == CLGRAD_OK;
}

static clgrad_node unary(clgrad_graph *g, clgrad_op op, clgrad_node x)
{
    return clgrad_graph_append(g, op, 1, &x, NULL, CLGRAD_F32, NULL);
}

#define UNARY(name, op) \
    clgrad_node clgrad_##name(clgrad_graph *g, clgrad_node x) { return unary(g, CLGRAD_OP_##op, x); }
UNARY(neg, NEG)
UNARY(exp, EXP)
UNARY(log, LOG)
UNARY(log1p, LOG1P)
UNARY(expm1, EXPM1)
UNARY(sqrt, SQRT)
UNARY(rsqrt, RSQRT)
UNARY(reciprocal, RECIPROCAL)
UNARY(sin, SIN)
UNARY(cos, COS)
UNARY(tanh, TANH)
UNARY(erf, ERF)
UNARY(sigmoid, SIGMOID)
UNARY(abs, ABS)
UNARY(sign, SIGN)
UNARY(floor, FLOOR)
UNARY(stop_gradient, STOP)

static clgrad_node binary(clgrad_graph *g, const char *operation, clgrad_op op, clgrad_node a, clgrad_node b)
{
    clgrad_node in[2] = { a, b };
    if (!clgrad_broadcast_all(g, operation, 2, in)) return CLGRAD_NONE;
    return clgrad_graph_append(g, op, 2, in, NULL, CLGRAD_F32, NULL);
}

#define BINARY(name, op) \
    clgrad_node clgrad_##name(clgrad_graph *g, clgrad_node a, clgrad_node b) { return binary(g, #name, CLGRAD_OP_##op, a, b); }
BINARY(add, ADD)
BINARY(sub, SUB)
BINARY(mul, MUL)
BINARY(div, DIV)
BINARY(max, MAX)
BINARY(min, MIN)
BINARY(pow, POW)
BINARY(eq, EQ)
BINARY(ne, NE)
BINARY(lt, LT)
BINARY(le, LE)
BINARY(gt, GT)
BINARY(ge, GE)

clgrad_node clgrad_square(clgrad_graph *g, clgrad_node x) { return clgrad_mul(g, x, x); }

clgrad_node clgrad_cast(clgrad_graph *g, clgrad_node x, clgrad_dtype dtype)
{
    if (!clgrad_graph_has_node(g, x, "cast", "0")) return CLGRAD_NONE;
    if (clgrad_at(g, x)->dtype == dtype) return x;
    return clgrad_graph_append(g, CLGRAD_OP_CAST, 1, &x, NULL, dtype, NULL);
}

clgrad_node clgrad_select(clgrad_graph *g, clgrad_node cond, clgrad_node a, clgrad_node b)
{
    clgrad_node in[3] = { cond, a, b };
    if (!clgrad_broadcast_all(g, "select", 3, in)) return CLGRAD_NONE;
    return clgrad_graph_append(g, CLGRAD_OP_SELECT, 3, in, NULL, CLGRAD_F32, NULL);
}

static clgrad_node constant_like(clgrad_graph *g, const char *operation, clgrad_node x, double value)
{
    if (!clgrad_graph_has_node(g, x, operation, "0")) return CLGRAD_NONE;
    return clgrad_constant(g, clgrad_at(g, x)->dtype, clgrad_at(g, x)->shape, value);
}

clgrad_node clgrad_scale(clgrad_graph *g, clgrad_node x, double value)
{
    return clgrad_mul(g, x, constant_like(g, "scale", x, value));
}

clgrad_node clgrad_offset(clgrad_graph *g, clgrad_node x, double value)
{
    return clgrad_add(g, x, constant_like(g, "offset", x, value));
}
