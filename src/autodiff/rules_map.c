/* Rules of leaves and of element-wise operations. */

#include "autodiff/rules.h"

/* --- forward: operands without a tangent of their own --- */

clgrad_node clgrad_jvp_rule_leaf(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                 const clgrad_node *din)
{
    (void)b, (void)node, (void)in, (void)out, (void)din;
    return CLGRAD_NONE;
}

/* Piecewise constant, or cut on purpose (STOP). */
clgrad_node clgrad_jvp_rule_zero(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                 const clgrad_node *din)
{
    (void)b, (void)node, (void)in, (void)out, (void)din;
    return CLGRAD_NONE;
}

/* --- forward: linear in all operands together: the node itself, applied to the tangents --- */

static clgrad_node join_tangents(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const clgrad_node *din)
{
    clgrad_node *parts = clgrad_alloc(b->ctx, node->num_in, sizeof *parts);
    if (!parts) return clgrad_graph_fail(b, CLGRAD_E_MEMORY, "CONCAT: no memory for %zu tangents", node->num_in);
    for (size_t i = 0; i < node->num_in; i++)
        parts[i] = din[i] == CLGRAD_NONE ? clgrad_filled_like(b, in[i], 0) : din[i];
    const clgrad_node joined = clgrad_graph_append_like(b, node, parts);
    clgrad_free(b->ctx, parts);
    return joined;
}

clgrad_node clgrad_jvp_rule_linear(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                   const clgrad_node *din)
{
    (void)out;
    if (node->op == CLGRAD_OP_CONCAT) return join_tangents(b, node, in, din);
    if (node->num_in == 1) return clgrad_graph_append_like(b, node, din);
    if (din[1] == CLGRAD_NONE) return din[0]; /* ADD and SUB */
    if (din[0] != CLGRAD_NONE) return clgrad_graph_append_like(b, node, din);
    return node->op == CLGRAD_OP_SUB ? clgrad_neg(b, din[1]) : din[1];
}

clgrad_node clgrad_jvp_rule_cast(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                 const clgrad_node *din)
{
    (void)in, (void)out;
    return clgrad_cast(b, din[0], node->dtype);
}

/* --- forward: one operand, dy = f'(x) dx; each line gives f'(x) from x and y = f(x) --- */

/* dx * (coefficient in b, x, y) as a rule; b is the graph, x the operand, y the result. */
#define CLGRAD_JVP_UNARY(word, ...)                                                                                     \
    clgrad_node clgrad_jvp_rule_##word(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node y, \
                                       const clgrad_node *din)                                                          \
    {                                                                                                                   \
        const clgrad_node x = in[0];                                                                                    \
        (void)node, (void)x, (void)y;                                                                                   \
        return clgrad_mul(b, din[0], __VA_ARGS__);                                                                      \
    }

static clgrad_node one_minus(clgrad_graph *b, clgrad_node x) { return clgrad_sub(b, clgrad_filled_like(b, x, 1), x); }

static clgrad_node cube(clgrad_graph *b, clgrad_node x) { return clgrad_mul(b, clgrad_square(b, x), x); }

static const double two_over_sqrt_pi = 1.1283791670955126;

CLGRAD_JVP_UNARY(exp, y)
CLGRAD_JVP_UNARY(log, clgrad_reciprocal(b, x))
CLGRAD_JVP_UNARY(log1p, clgrad_reciprocal(b, clgrad_offset(b, x, 1)))
CLGRAD_JVP_UNARY(expm1, clgrad_offset(b, y, 1))
CLGRAD_JVP_UNARY(sqrt, clgrad_div(b, clgrad_filled_like(b, y, 0.5), y))
CLGRAD_JVP_UNARY(rsqrt, clgrad_scale(b, cube(b, y), -0.5))
CLGRAD_JVP_UNARY(reciprocal, clgrad_neg(b, clgrad_square(b, y)))
CLGRAD_JVP_UNARY(sin, clgrad_cos(b, x))
CLGRAD_JVP_UNARY(cos, clgrad_neg(b, clgrad_sin(b, x)))
CLGRAD_JVP_UNARY(tanh, one_minus(b, clgrad_square(b, y)))
CLGRAD_JVP_UNARY(erf, clgrad_scale(b, clgrad_exp(b, clgrad_neg(b, clgrad_square(b, x))), two_over_sqrt_pi))
CLGRAD_JVP_UNARY(sigmoid, clgrad_mul(b, y, one_minus(b, y)))
CLGRAD_JVP_UNARY(abs, clgrad_sign(b, x))

/* --- forward: two operands --- */

/* dx * coefficient, or zero. */
static clgrad_node scaled(clgrad_graph *b, clgrad_node dx, clgrad_node coefficient)
{
    return dx == CLGRAD_NONE ? CLGRAD_NONE : clgrad_mul(b, dx, coefficient);
}

clgrad_node clgrad_jvp_rule_mul(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                const clgrad_node *din)
{
    (void)node, (void)out;
    if (in[0] == in[1]) return clgrad_mul(b, din[0], clgrad_scale(b, in[0], 2));
    return clgrad_add_tangents(b, scaled(b, din[0], in[1]), scaled(b, din[1], in[0]));
}

/* y = a/b: dy = (da - y db) / b. */
clgrad_node clgrad_jvp_rule_div(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node y,
                                const clgrad_node *din)
{
    (void)node;
    if (din[1] == CLGRAD_NONE) return clgrad_div(b, din[0], in[1]);
    const clgrad_node loss = clgrad_mul(b, din[1], y);
    return clgrad_div(b, din[0] == CLGRAD_NONE ? clgrad_neg(b, loss) : clgrad_sub(b, din[0], loss), in[1]);
}

/* cond ? da : db with zeros where a tangent is absent. */
static clgrad_node choose(clgrad_graph *b, clgrad_node cond, clgrad_node da, clgrad_node db)
{
    const clgrad_node zero = clgrad_filled_like(b, da == CLGRAD_NONE ? db : da, 0);
    return clgrad_select(b, cond, da == CLGRAD_NONE ? zero : da, db == CLGRAD_NONE ? zero : db);
}

/* The winner's tangent, ties and NaN as max and min themselves decide: a where `wins`, or where a is NaN. */
static clgrad_node follow_winner(clgrad_graph *b, clgrad_node wins, clgrad_node a, const clgrad_node *din)
{
    if (wins == CLGRAD_NONE) return CLGRAD_NONE;
    const clgrad_node yes = clgrad_constant_int(b, CLGRAD_U8, clgrad_node_shape(b, wins), 1);
    return choose(b, clgrad_select(b, wins, yes, clgrad_ne(b, a, a)), din[0], din[1]);
}

clgrad_node clgrad_jvp_rule_max(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                const clgrad_node *din)
{
    (void)node, (void)out;
    return follow_winner(b, clgrad_gt(b, in[0], in[1]), in[0], din);
}

clgrad_node clgrad_jvp_rule_min(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                const clgrad_node *din)
{
    (void)node, (void)out;
    return follow_winner(b, clgrad_lt(b, in[0], in[1]), in[0], din);
}

clgrad_node clgrad_jvp_rule_select(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                   const clgrad_node *din)
{
    (void)node, (void)out;
    return choose(b, in[0], din[1], din[2]);
}

/* Note on powers of zero. d(a^c)/da = c a^(c-1) is 0 * infinity at a = 0 once c has come down to 0, as the third derivative of
 * x*x does. A constant exponent stops there; otherwise the base is replaced by 1 where base and exponent are both 0, which
 * leaves the factor c = 0 to decide. The derivative by the exponent, log(a) a^c, is taken as 0 at a = 0. */
static clgrad_node power_slope(clgrad_graph *b, clgrad_node a, clgrad_node c)
{
    double value;
    if (clgrad_constant_value(b, c, &value)) {
        if (value == 0) return CLGRAD_NONE;
        if (value == 1) return clgrad_filled_like(b, a, 1);
        const clgrad_node rest = value == 2 ? a : clgrad_pow(b, a, clgrad_filled_like(b, a, value - 1));
        return clgrad_scale(b, rest, value);
    }
    const clgrad_node zero = clgrad_filled_like(b, a, 0), one = clgrad_filled_like(b, a, 1);
    const clgrad_node base = clgrad_select(b, clgrad_eq(b, c, zero), clgrad_select(b, clgrad_eq(b, a, zero), one, a), a);
    return clgrad_mul(b, c, clgrad_pow(b, base, clgrad_sub(b, c, one)));
}

clgrad_node clgrad_jvp_rule_pow(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node y,
                                const clgrad_node *din)
{
    (void)node;
    clgrad_node da = CLGRAD_NONE, dc = CLGRAD_NONE;
    if (din[0] != CLGRAD_NONE) {
        const clgrad_node slope = power_slope(b, in[0], in[1]);
        da = slope == CLGRAD_NONE ? CLGRAD_NONE : clgrad_mul(b, din[0], slope);
    }
    if (din[1] != CLGRAD_NONE) {
        const clgrad_node zero = clgrad_filled_like(b, in[0], 0), one = clgrad_filled_like(b, in[0], 1);
        const clgrad_node base = clgrad_select(b, clgrad_eq(b, in[0], zero), one, in[0]);
        dc = clgrad_mul(b, din[1], clgrad_mul(b, clgrad_log(b, base), y));
    }
    return clgrad_add_tangents(b, da, dc);
}

/* --- transposes --- */

void clgrad_transpose_rule_none(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    (void)ct, (void)ct_in;
    clgrad_refuse_transpose(b, at, "the operation is not linear");
}

void clgrad_transpose_rule_neg(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    (void)at;
    ct_in[0] = clgrad_neg(b, ct);
}

void clgrad_transpose_rule_add(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    (void)b;
    if (at->linear[0]) ct_in[0] = ct;
    if (at->linear[1]) ct_in[1] = ct;
}

void clgrad_transpose_rule_sub(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    if (at->linear[0]) ct_in[0] = ct;
    if (at->linear[1]) ct_in[1] = clgrad_neg(b, ct);
}

void clgrad_transpose_rule_mul(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    if (at->linear[0] && at->linear[1]) {
        clgrad_refuse_transpose(b, at, "both factors depend on it");
        return;
    }
    const size_t i = at->linear[0] ? 0 : 1;
    ct_in[i] = clgrad_mul(b, ct, at->in[1 - i]);
}

void clgrad_transpose_rule_div(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    if (at->linear[1]) clgrad_refuse_transpose(b, at, "the divisor depends on it");
    else ct_in[0] = clgrad_div(b, ct, at->in[1]);
}

void clgrad_transpose_rule_cast(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    if (clgrad_dtype_is_real(at->node->dtype)) ct_in[0] = clgrad_cast(b, ct, clgrad_at(at->source, at->node->in[0])->dtype);
    else clgrad_refuse_transpose(b, at, "its result is an integer");
}

void clgrad_transpose_rule_select(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in)
{
    if (at->linear[0]) {
        clgrad_refuse_transpose(b, at, "the condition depends on it");
        return;
    }
    if (at->linear[1]) ct_in[1] = choose(b, at->in[0], ct, CLGRAD_NONE);
    if (at->linear[2]) ct_in[2] = choose(b, at->in[0], CLGRAD_NONE, ct);
}

/* --- batch --- */

/* Leaves have no operands, so never a batched one. */
clgrad_node clgrad_batch_rule_leaf(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                   int64_t n)
{
    (void)batched, (void)n;
    return clgrad_graph_append_like(b, node, in);
}

clgrad_node clgrad_batch_rule_elementwise(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in,
                                          const bool *batched, int64_t n)
{
    clgrad_node lifted[3] = { CLGRAD_NONE, CLGRAD_NONE, CLGRAD_NONE };
    for (size_t i = 0; i < node->num_in; i++) lifted[i] = batched[i] ? in[i] : clgrad_repeat(b, in[i], n);
    return clgrad_graph_append_like(b, node, lifted);
}
