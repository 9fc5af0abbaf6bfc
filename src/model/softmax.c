/* Softmax, log-softmax and the cross-entropies over classes. The largest element is taken off first: it changes no value, so it
 * has no derivative (stop_gradient), and no exponential overflows. */

#include "model/losses.h"

static uint32_t last_axis(const clgrad_graph *g, clgrad_node x)
{
    const int32_t rank = clgrad_node_shape(g, x).rank;
    return rank > 0 ? CLGRAD_AXIS(rank - 1) : 0;
}

/* x - m, m the largest element along the last axis. */
static clgrad_node shifted(clgrad_graph *g, clgrad_node x)
{
    return clgrad_sub(g, x, clgrad_stop_gradient(g, clgrad_reduce_max(g, x, last_axis(g, x), true)));
}

static clgrad_node sum_last(clgrad_graph *g, clgrad_node x, bool keep) { return clgrad_sum(g, x, last_axis(g, x), keep); }

static clgrad_node softmax_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    const clgrad_node e = clgrad_exp(g, shifted(g, in[0]));
    return clgrad_div(g, e, sum_last(g, e, true));
}

/* dy = y (dx - sum y dx) */
static clgrad_node softmax_jvp(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)x, (void)count, (void)user;
    return clgrad_mul(g, y, clgrad_sub(g, dx[0], sum_last(g, clgrad_mul(g, y, dx[0]), true)));
}

static clgrad_node log_softmax_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    const clgrad_node s = shifted(g, in[0]);
    return clgrad_sub(g, s, clgrad_log(g, sum_last(g, clgrad_exp(g, s), true)));
}

/* dy = dx - sum softmax(x) dx, softmax(x) = e^y */
static clgrad_node log_softmax_jvp(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)x, (void)count, (void)user;
    return clgrad_sub(g, dx[0], sum_last(g, clgrad_mul(g, clgrad_exp(g, y), dx[0]), true));
}

static const clgrad_layer softmax = { "softmax", CLGRAD_ROLE_SOFTMAX, softmax_body, softmax_jvp };
static const clgrad_layer log_softmax = { "log_softmax", CLGRAD_ROLE_SOFTMAX, log_softmax_body, log_softmax_jvp };

static clgrad_node apply_along_last(clgrad_graph *g, const clgrad_layer *layer, clgrad_node x)
{
    if (!clgrad_layer_has_node(g, layer, x, "0")) return CLGRAD_NONE;
    if (clgrad_node_shape(g, x).rank < 1) return clgrad_graph_fail(g, CLGRAD_E_SHAPE, "%s: operand 0 has no axis", layer->name);
    return clgrad_layer_apply(g, layer, 1, &x, NULL);
}

clgrad_node clgrad_softmax(clgrad_graph *g, clgrad_node x) { return apply_along_last(g, &softmax, x); }
clgrad_node clgrad_log_softmax(clgrad_graph *g, clgrad_node x) { return apply_along_last(g, &log_softmax, x); }

/* --- cross-entropy of labels --- */

static clgrad_node cross_entropy_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    const clgrad_node s = shifted(g, in[0]);
    const clgrad_node log_sum = clgrad_log(g, sum_last(g, clgrad_exp(g, s), false));
    return clgrad_sub(g, log_sum, clgrad_take_batched(g, s, in[1], 1, 1));
}

/* 1 at the label and 0 elsewhere, [B, F]; all NaN in the row of a label out of range. */
static clgrad_node one_hot(clgrad_graph *g, clgrad_node z, clgrad_node label)
{
    const clgrad_shape shape = clgrad_node_shape(g, z), column = CLGRAD_SHAPE(shape.dims[0], 1);
    const clgrad_dtype real = clgrad_node_dtype(g, z), index = clgrad_node_dtype(g, label);
    const clgrad_node y = clgrad_reshape(g, label, column);
    const clgrad_node bad = clgrad_constant(g, real, column, NAN), zero = clgrad_constant(g, real, column, 0);
    const clgrad_node not_low = clgrad_ge(g, y, clgrad_constant_int(g, index, column, 0));
    const clgrad_node not_high = clgrad_lt(g, y, clgrad_constant_int(g, index, column, shape.dims[1]));
    const clgrad_node rest = clgrad_select(g, not_low, clgrad_select(g, not_high, zero, bad), bad);
    const clgrad_node hit = clgrad_eq(g, y, clgrad_iota(g, index, shape, 1));
    return clgrad_select(g, hit, clgrad_constant(g, real, shape, 1), rest);
}

/* dl = sum (softmax(z) - onehot(y)) dz: its transpose is one element-wise pass, where that of the body's take is a scatter. */
static clgrad_node cross_entropy_jvp(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)count, (void)y, (void)user;
    const clgrad_node slope = clgrad_sub(g, clgrad_softmax(g, x[0]), one_hot(g, x[0], x[1]));
    return sum_last(g, clgrad_mul(g, slope, dx[0]), false);
}

static const clgrad_layer cross_entropy = { "cross_entropy", CLGRAD_ROLE_LOSS, cross_entropy_body, cross_entropy_jvp };

clgrad_node clgrad_loss_cross_entropy(clgrad_graph *g, clgrad_node z, clgrad_node y)
{
    char a[CLGRAD_SHAPE_TEXT], b[CLGRAD_SHAPE_TEXT];
    if (!clgrad_layer_has_node(g, &cross_entropy, z, "z") || !clgrad_layer_has_node(g, &cross_entropy, y, "y")) return CLGRAD_NONE;
    const clgrad_shape sz = clgrad_node_shape(g, z), sy = clgrad_node_shape(g, y);
    if (sz.rank != 2 || sy.rank != 1 || sz.dims[0] != sy.dims[0])
        return clgrad_graph_fail(g, CLGRAD_E_SHAPE, "cross_entropy: operands z and y have the shapes %s and %s, needed are [B, F] and [B]",
                                 clgrad_shape_text(&sz, a), clgrad_shape_text(&sy, b));
    return clgrad_layer_apply(g, &cross_entropy, 2, (clgrad_node[]){ z, y }, NULL);
}

/* --- cross-entropy of probabilities --- */

static clgrad_node dense_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    return clgrad_neg(g, sum_last(g, clgrad_mul(g, in[1], clgrad_log_softmax(g, in[0])), false));
}

static const clgrad_layer dense = { "cross_entropy_dense", CLGRAD_ROLE_LOSS, dense_body, NULL };

clgrad_node clgrad_loss_cross_entropy_dense(clgrad_graph *g, clgrad_node z, clgrad_node y)
{
    if (!clgrad_loss_operands_fit(g, &dense, z, y)) return CLGRAD_NONE;
    if (clgrad_node_shape(g, z).rank != 2) return clgrad_graph_fail(g, CLGRAD_E_SHAPE, "cross_entropy_dense: operand z is not of rank 2");
    return clgrad_layer_apply(g, &dense, 2, (clgrad_node[]){ z, y }, NULL);
}
