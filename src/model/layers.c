/* Linear layers, activations and dropout. Formulas and sources: clgrad/model.h. */

#include "model/layer.h"

/* --- linear --- */

static clgrad_node linear_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)option;
    const clgrad_node z = clgrad_matmul(g, in[0], in[1], false, true);
    return count == 3 ? clgrad_add(g, z, in[2]) : z;
}

static const clgrad_layer linear = { "linear", CLGRAD_ROLE_LINEAR, linear_body, NULL };

/* The operand has this rank, and this extent along axis. */
static bool operand_fits(clgrad_graph *g, clgrad_node x, const char *operand, int32_t rank, int32_t axis, int64_t extent)
{
    char text[CLGRAD_SHAPE_TEXT];
    if (!clgrad_layer_has_node(g, &linear, x, operand)) return false;
    const clgrad_shape shape = clgrad_node_shape(g, x);
    if (shape.rank == rank && (extent < 0 || shape.dims[axis] == extent)) return true;
    clgrad_shape_text(&shape, text);
    if (shape.rank != rank)
        clgrad_graph_fail(g, CLGRAD_E_SHAPE, "linear: operand %s has the shape %s, needed is rank %d", operand, text, (int)rank);
    else
        clgrad_graph_fail(g, CLGRAD_E_SHAPE, "linear: operand %s has the shape %s, needed is %lld along axis %d", operand, text,
                          (long long)extent, (int)axis);
    return false;
}

clgrad_node clgrad_linear(clgrad_graph *g, clgrad_node x, clgrad_node weight, clgrad_node bias)
{
    if (!operand_fits(g, x, "x", 2, 0, -1)) return CLGRAD_NONE;
    if (!operand_fits(g, weight, "weight", 2, 1, clgrad_node_shape(g, x).dims[1])) return CLGRAD_NONE;
    if (bias != CLGRAD_NONE && !operand_fits(g, bias, "bias", 1, 0, clgrad_node_shape(g, weight).dims[0])) return CLGRAD_NONE;
    const clgrad_node in[3] = { x, weight, bias };
    return clgrad_layer_apply(g, &linear, bias == CLGRAD_NONE ? 2 : 3, in, NULL);
}

/* --- activations --- */

static clgrad_node zero_like(clgrad_graph *g, clgrad_node x)
{
    return clgrad_constant(g, clgrad_node_dtype(g, x), clgrad_node_shape(g, x), 0);
}

static clgrad_node relu_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    return clgrad_max(g, in[0], zero_like(g, in[0]));
}

static clgrad_node leaky_relu_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count;
    const double slope = *(const double *)option;
    return clgrad_select(g, clgrad_gt(g, in[0], zero_like(g, in[0])), in[0], clgrad_scale(g, in[0], slope));
}

static clgrad_node gelu_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    const clgrad_node erf = clgrad_erf(g, clgrad_scale(g, in[0], 0.70710678118654752440));
    return clgrad_mul(g, clgrad_scale(g, in[0], 0.5), clgrad_offset(g, erf, 1));
}

static clgrad_node gelu_tanh_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    /* x (c + 0.044715 c x^2) with c = sqrt(2/pi) */
    const clgrad_node even = clgrad_offset(g, clgrad_scale(g, clgrad_square(g, in[0]), 0.035677408136300125), 0.79788456080286536);
    const clgrad_node bent = clgrad_tanh(g, clgrad_mul(g, in[0], even));
    return clgrad_mul(g, clgrad_scale(g, in[0], 0.5), clgrad_offset(g, bent, 1));
}

static clgrad_node silu_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    return clgrad_mul(g, in[0], clgrad_sigmoid(g, in[0]));
}

static clgrad_node softplus_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option)
{
    (void)count, (void)option;
    const clgrad_node tail = clgrad_log1p(g, clgrad_exp(g, clgrad_neg(g, clgrad_abs(g, in[0]))));
    return clgrad_add(g, clgrad_max(g, in[0], zero_like(g, in[0])), tail);
}

/* softplus' = sigmoid. The body's own derivative would be 0 at 0, where both of its parts have a kink. */
static clgrad_node softplus_jvp(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)count, (void)y, (void)user;
    return clgrad_mul(g, clgrad_sigmoid(g, x[0]), dx[0]);
}

static const clgrad_layer relu = { "relu", CLGRAD_ROLE_ACTIVATION, relu_body, NULL };
static const clgrad_layer leaky_relu = { "leaky_relu", CLGRAD_ROLE_ACTIVATION, leaky_relu_body, NULL };
static const clgrad_layer gelu = { "gelu", CLGRAD_ROLE_ACTIVATION, gelu_body, NULL };
static const clgrad_layer gelu_tanh = { "gelu_tanh", CLGRAD_ROLE_ACTIVATION, gelu_tanh_body, NULL };
static const clgrad_layer silu = { "silu", CLGRAD_ROLE_ACTIVATION, silu_body, NULL };
static const clgrad_layer softplus = { "softplus", CLGRAD_ROLE_ACTIVATION, softplus_body, softplus_jvp };

clgrad_node clgrad_relu(clgrad_graph *g, clgrad_node x) { return clgrad_layer_apply(g, &relu, 1, &x, NULL); }
clgrad_node clgrad_leaky_relu(clgrad_graph *g, clgrad_node x, double slope) { return clgrad_layer_apply(g, &leaky_relu, 1, &x, &slope); }
clgrad_node clgrad_gelu(clgrad_graph *g, clgrad_node x) { return clgrad_layer_apply(g, &gelu, 1, &x, NULL); }
clgrad_node clgrad_gelu_tanh(clgrad_graph *g, clgrad_node x) { return clgrad_layer_apply(g, &gelu_tanh, 1, &x, NULL); }
clgrad_node clgrad_silu(clgrad_graph *g, clgrad_node x) { return clgrad_layer_apply(g, &silu, 1, &x, NULL); }
clgrad_node clgrad_softplus(clgrad_graph *g, clgrad_node x) { return clgrad_layer_apply(g, &softplus, 1, &x, NULL); }

/* --- dropout --- */

typedef struct dropout_option {
    double rate;
    uint32_t stream;
} dropout_option;

/* Rows are samples; the other axes are one for the numbering of elements. */
static clgrad_node dropout_body(clgrad_graph *g, const clgrad_node *in, size_t count, const void *user)
{
    (void)count;
    const dropout_option *option = user;
    const clgrad_shape shape = clgrad_node_shape(g, in[0]);
    clgrad_shape row = shape;
    row.dims[0] = 1;
    const int64_t rows = shape.dims[0], width = clgrad_shape_count(&row);
    const clgrad_node sample = clgrad_add(g, in[2], clgrad_iota(g, CLGRAD_I64, CLGRAD_SHAPE(rows, 1), 0));
    const clgrad_node element = clgrad_iota(g, CLGRAD_I64, CLGRAD_SHAPE(1, width), 1);
    const clgrad_node u = clgrad_reshape(g, clgrad_random_uniform_node(g, in[1], sample, element, option->stream), shape);
    const clgrad_node drop = clgrad_lt(g, u, clgrad_constant(g, CLGRAD_F32, shape, option->rate));
    return clgrad_select(g, drop, zero_like(g, in[0]), clgrad_scale(g, in[0], 1 / (1 - option->rate)));
}

static const clgrad_layer dropout = { "dropout", CLGRAD_ROLE_NONE, dropout_body, NULL };

clgrad_node clgrad_dropout(clgrad_graph *g, clgrad_node x, double rate, clgrad_node seed, clgrad_node base, uint32_t stream)
{
    const dropout_option option = { rate, stream };
    const clgrad_node in[3] = { x, seed, base };
    if (!(rate >= 0 && rate < 1)) return clgrad_graph_fail(g, CLGRAD_E_ARG, "dropout: the rate %g is not in 0 <= rate < 1", rate);
    if (!clgrad_layer_has_node(g, &dropout, x, "0")) return CLGRAD_NONE;
    if (clgrad_node_shape(g, x).rank < 1) return clgrad_graph_fail(g, CLGRAD_E_SHAPE, "dropout: operand 0 has no sample axis");
    return rate > 0 ? clgrad_layer_apply(g, &dropout, 3, in, &option) : x;
}
