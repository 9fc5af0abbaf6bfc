#pragma once

/**
 * Layers, losses, initialisation, and models described by a line of text.
 *
 * Layers and losses are builder functions: they take nodes and return a node, and errors stick to the graph. Each is a call (see
 * clgrad_call) with a role, so that later code finds a layer without recognising its arithmetic. Operands are of one real type.
 */

#include "clgrad/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- layers --- */

/** z = x W' + b.   x [B, I], W [O, I] as PyTorch keeps it, b [O] or CLGRAD_NONE. E_SHAPE names the operand that does not fit. */
CLGRAD_API clgrad_node clgrad_linear(clgrad_graph *g, clgrad_node x, clgrad_node weight, clgrad_node bias);
/** max(x, 0); the derivative at 0 is 0. */
CLGRAD_API clgrad_node clgrad_relu(clgrad_graph *g, clgrad_node x);
/** x where x > 0, else slope x. Source: Maas, Hannun, Ng 2013. */
CLGRAD_API clgrad_node clgrad_leaky_relu(clgrad_graph *g, clgrad_node x, double slope);
/** x Phi(x) = x (1 + erf(x / sqrt 2)) / 2. Source: Hendrycks, Gimpel 2016. */
CLGRAD_API clgrad_node clgrad_gelu(clgrad_graph *g, clgrad_node x);
/** Its approximation x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, same source. */
CLGRAD_API clgrad_node clgrad_gelu_tanh(clgrad_graph *g, clgrad_node x);
/** x sigmoid(x). Source: Elfwing, Uchibe, Doya 2017. */
CLGRAD_API clgrad_node clgrad_silu(clgrad_graph *g, clgrad_node x);
/** log(1 + e^x) as max(x, 0) + log1p(e^-|x|), which neither overflows nor loses small values. */
CLGRAD_API clgrad_node clgrad_softplus(clgrad_graph *g, clgrad_node x);
/** e^(x - m) / sum e^(x - m) over the last axis, m the largest element. x has rank >= 1. */
CLGRAD_API clgrad_node clgrad_softmax(clgrad_graph *g, clgrad_node x);
/** (x - m) - log sum e^(x - m) over the last axis. */
CLGRAD_API clgrad_node clgrad_log_softmax(clgrad_graph *g, clgrad_node x);

/**
 * Inverted dropout: 0 with probability rate, else x / (1 - rate).   x [B, ...]; 0 <= rate < 1.
 *
 * seed, base  i64 scalars; base is the number of row 0 counted since training began.
 * stream      tells the dropout layers of a model apart.
 *
 * Element e of row i depends on (seed, stream, base + i, e) alone: not on the batch it is in, nor on the device.
 * Source: Srivastava et al. 2014.
 */
CLGRAD_API clgrad_node clgrad_dropout(clgrad_graph *g, clgrad_node x, double rate, clgrad_node seed, clgrad_node base, uint32_t stream);

/* --- losses: z [B, F] and y give one loss per sample, [B] --- */

/** Mean over features of (z - y)^2.   y as z. */
CLGRAD_API clgrad_node clgrad_loss_mse(clgrad_graph *g, clgrad_node z, clgrad_node y);
/** Mean over features of |z - y|; the derivative at 0 is 0. */
CLGRAD_API clgrad_node clgrad_loss_mae(clgrad_graph *g, clgrad_node z, clgrad_node y);
/** Mean over features of d^2/2 where |d| <= delta, else delta (|d| - delta/2); d = z - y, delta > 0. Source: Huber 1964. */
CLGRAD_API clgrad_node clgrad_loss_huber(clgrad_graph *g, clgrad_node z, clgrad_node y, double delta);
/** Mean over features of max(0, 1 - y z), y -1 or 1; the derivative at the kink is 0. */
CLGRAD_API clgrad_node clgrad_loss_hinge(clgrad_graph *g, clgrad_node z, clgrad_node y);
/** Mean over features of binary cross-entropy: (1 - y) z + softplus(-z), y in [0, 1], z before the sigmoid. */
CLGRAD_API clgrad_node clgrad_loss_bce(clgrad_graph *g, clgrad_node z, clgrad_node y);
/** log sum e^(z - m) - (z[y] - m), y i32 or i64 [B] in 0..F-1; another label gives NaN, in the gradient too. */
CLGRAD_API clgrad_node clgrad_loss_cross_entropy(clgrad_graph *g, clgrad_node z, clgrad_node y);
/** - sum over classes of y log softmax(z), y [B, F] probabilities. */
CLGRAD_API clgrad_node clgrad_loss_cross_entropy_dense(clgrad_graph *g, clgrad_node z, clgrad_node y);

/* --- by name --- */

/** An activation with its usual constants. */
typedef struct clgrad_activation_info {
    size_t struct_size;
    const char *name, *formula;
    clgrad_node (*build)(clgrad_graph *g, clgrad_node x);
} clgrad_activation_info;

/** A loss with its usual constants. labels: y is i32 [B]; otherwise y is as z. classes: z are logits of classes. */
typedef struct clgrad_loss_info {
    size_t struct_size;
    const char *name, *formula;
    bool labels, classes;
    clgrad_node (*build)(clgrad_graph *g, clgrad_node z, clgrad_node y);
} clgrad_loss_info;

/** Row i of the table, NULL past the last. */
CLGRAD_API const clgrad_activation_info *clgrad_activation_get(size_t i);
CLGRAD_API const clgrad_loss_info *clgrad_loss_get(size_t i);
/** The row of that name. CLGRAD_E_CONFIG names the nearest word when there is none. */
CLGRAD_API clgrad_status clgrad_activation_find(clgrad_context *ctx, const char *name, const clgrad_activation_info **out);
CLGRAD_API clgrad_status clgrad_loss_find(clgrad_context *ctx, const char *name, const clgrad_loss_info **out);

/* --- models --- */

typedef struct clgrad_model clgrad_model;

typedef struct clgrad_model_options {
    size_t struct_size;
    const char *layers;     /* "784-128-10": features in, widths of linear layers, features out */
    const char *activation; /* after every linear layer but the last; "identity" is one, too */
    double dropout;         /* rate of a dropout layer after each activation; 0: no such layers */
    const char *init;       /* clgrad_init_get lists them */
} clgrad_model_options;

#define CLGRAD_MODEL_OPTIONS_INIT { sizeof(clgrad_model_options), "", "relu", 0.0, "default" }

/**
 * Describe a sequential model. Its layers are numbered as in PyTorch's nn.Sequential, its parameters named "<number>.weight" and
 * "<number>.bias", so that checkpoints interchange: 784-128-10 has 0.weight [128, 784], 0.bias [128], 2.weight [10, 128], 2.bias [10].
 *
 * CLGRAD_E_ARG     options are missing or of another library version.
 * CLGRAD_E_CONFIG  layers that are no such text or more than 64; an unknown activation or init; a rate outside 0 <= dropout < 1.
 */
CLGRAD_API clgrad_status clgrad_model_create(clgrad_context *ctx, const clgrad_model_options *options, clgrad_model **out);
CLGRAD_API clgrad_model *clgrad_model_retain(clgrad_model *model);
CLGRAD_API void clgrad_model_release(clgrad_model **model);

/** Features in and out. */
CLGRAD_API int64_t clgrad_model_inputs(const clgrad_model *model);
CLGRAD_API int64_t clgrad_model_outputs(const clgrad_model *model);
CLGRAD_API size_t clgrad_model_num_parameters(const clgrad_model *model);
/** NULL, and rank 0, when i is out of range. */
CLGRAD_API const char *clgrad_model_parameter_name(const clgrad_model *model, size_t i);
CLGRAD_API clgrad_shape clgrad_model_parameter_shape(const clgrad_model *model, size_t i);

/** The i-th way of initialising, and what it draws; NULL past the last. */
CLGRAD_API const char *clgrad_init_get(size_t i, const char **formula);

/**
 * The first values of parameter i, as f32: a function of (seed, i, element), the same on every machine.
 *
 * CLGRAD_E_ARG     i is no parameter, or count is not its element count.
 * CLGRAD_E_MEMORY  (normal draws need room of their own size.)
 */
CLGRAD_API clgrad_status clgrad_model_initialize(const clgrad_model *model, uint64_t seed, size_t i, float *values, size_t count);

/**
 * The model as a graph. Inputs: the parameters in order, then "x" f32 [batch, inputs], and with train and dropout > 0 the i64 scalars
 * "hyper.seed" and "hyper.sample" (seed and base of clgrad_dropout). Output: "z" [batch, outputs]. CLGRAD_E_SHAPE: batch is negative.
 */
CLGRAD_API clgrad_status clgrad_model_graph(const clgrad_model *model, int64_t batch, bool train, clgrad_graph **out);

#ifdef __cplusplus
}
#endif
