/* Losses element by element, averaged over the features of each sample. Formulas and sources: clgrad/model.h. */

#include "model/losses.h"

bool clgrad_loss_operands_fit(clgrad_graph *g, const clgrad_layer *loss, clgrad_node z, clgrad_node y)
{
    char a[CLGRAD_SHAPE_TEXT], b[CLGRAD_SHAPE_TEXT];
    if (!clgrad_layer_has_node(g, loss, z, "z") || !clgrad_layer_has_node(g, loss, y, "y")) return false;
    const clgrad_shape sz = clgrad_node_shape(g, z), sy = clgrad_node_shape(g, y);
    if (sz.rank >= 1 && clgrad_shape_equal(&sz, &sy)) return true;
    clgrad_graph_fail(g, CLGRAD_E_SHAPE, "%s: operands z and y have the shapes %s and %s, needed is one shape with a sample axis",
                      loss->name, clgrad_shape_text(&sz, a), clgrad_shape_text(&sy, b));
    return false;
}

static clgrad_node mean_features(clgrad_graph *g, clgrad_node x) { return clgrad_mean(g, x, CLGRAD_ALL_AXES & ~CLGRAD_AXIS(0), false); }

static clgrad_node like(clgrad_graph *g, clgrad_node x, double value)
{
    return clgrad_constant(g, clgrad_node_dtype(g, x), clgrad_node_shape(g, x), value);
}

static clgrad_node mse_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    return mean_features(g, clgrad_square(g, clgrad_sub(g, in[0], in[1])));
}

static clgrad_node mae_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    return mean_features(g, clgrad_abs(g, clgrad_sub(g, in[0], in[1])));
}

static clgrad_node huber_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count;
    const double delta = *(const double *)option;
    const clgrad_node d = clgrad_sub(g, in[0], in[1]), size = clgrad_abs(g, d);
    const clgrad_node near = clgrad_scale(g, clgrad_square(g, d), 0.5);
    const clgrad_node far = clgrad_scale(g, clgrad_offset(g, size, -0.5 * delta), delta);
    return mean_features(g, clgrad_select(g, clgrad_le(g, size, like(g, size, delta)), near, far));
}

static clgrad_node hinge_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    const clgrad_node margin = clgrad_sub(g, like(g, in[0], 1), clgrad_mul(g, in[1], in[0]));
    return mean_features(g, clgrad_max(g, margin, like(g, margin, 0)));
}

/* Not softplus(z) - y z, which cancels where y = 1 and z is large. */
static clgrad_node bce_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    const clgrad_node missed = clgrad_mul(g, clgrad_sub(g, like(g, in[1], 1), in[1]), in[0]);
    return mean_features(g, clgrad_add(g, missed, clgrad_softplus(g, clgrad_neg(g, in[0]))));
}

static const clgrad_layer mse = { "mse", CLGRAD_ROLE_LOSS, mse_body, NULL };
static const clgrad_layer mae = { "mae", CLGRAD_ROLE_LOSS, mae_body, NULL };
static const clgrad_layer huber = { "huber", CLGRAD_ROLE_LOSS, huber_body, NULL };
static const clgrad_layer hinge = { "hinge", CLGRAD_ROLE_LOSS, hinge_body, NULL };
static const clgrad_layer bce = { "bce", CLGRAD_ROLE_LOSS, bce_body, NULL };

static clgrad_node apply(clgrad_graph *g, const clgrad_layer *loss, clgrad_node z, clgrad_node y, const void *option)
{
    if (!clgrad_loss_operands_fit(g, loss, z, y)) return CLGRAD_NONE;
    return clgrad_layer_apply(g, loss, 2, (clgrad_node[]){ z, y }, option);
}

clgrad_node clgrad_loss_mse(clgrad_graph *g, clgrad_node z, clgrad_node y) { return apply(g, &mse, z, y, NULL); }
clgrad_node clgrad_loss_mae(clgrad_graph *g, clgrad_node z, clgrad_node y) { return apply(g, &mae, z, y, NULL); }
clgrad_node clgrad_loss_hinge(clgrad_graph *g, clgrad_node z, clgrad_node y) { return apply(g, &hinge, z, y, NULL); }
clgrad_node clgrad_loss_bce(clgrad_graph *g, clgrad_node z, clgrad_node y) { return apply(g, &bce, z, y, NULL); }

clgrad_node clgrad_loss_huber(clgrad_graph *g, clgrad_node z, clgrad_node y, double delta)
{
    if (!(delta > 0 && delta < INFINITY)) return clgrad_graph_fail(g, CLGRAD_E_ARG, "huber: delta %g is not above 0", delta);
    return apply(g, &huber, z, y, &delta);
}
