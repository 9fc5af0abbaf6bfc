/* Activations and losses by name, with their usual constants: what a configuration chooses from. */

#include "model/model.h"

static clgrad_node identity(clgrad_graph *g, clgrad_node x)
{
    (void)g;
    return x;
}

static clgrad_node leaky_relu(clgrad_graph *g, clgrad_node x) { return clgrad_leaky_relu(g, x, 0.01); }

static clgrad_node huber(clgrad_graph *g, clgrad_node z, clgrad_node y) { return clgrad_loss_huber(g, z, y, 1); }

static const clgrad_activation_info activations[] = {
#define ACTIVATION(name, formula, build) { sizeof(clgrad_activation_info), name, formula, build }
    ACTIVATION("relu", "max(x, 0)", clgrad_relu),
    ACTIVATION("leaky-relu", "x where x > 0, else 0.01 x", leaky_relu),
    ACTIVATION("gelu", "x (1 + erf(x / sqrt 2)) / 2", clgrad_gelu),
    ACTIVATION("gelu-tanh", "x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2", clgrad_gelu_tanh),
    ACTIVATION("silu", "x sigmoid(x)", clgrad_silu),
    ACTIVATION("softplus", "log(1 + e^x)", clgrad_softplus),
    ACTIVATION("sigmoid", "1 / (1 + e^-x)", clgrad_sigmoid),
    ACTIVATION("tanh", "tanh x", clgrad_tanh),
    ACTIVATION("identity", "x", identity),
#undef ACTIVATION
};

static const clgrad_loss_info losses[] = {
#define LOSS(name, formula, labels, classes, build) { sizeof(clgrad_loss_info), name, formula, labels, classes, build }
    LOSS("cross-entropy", "log sum e^z - z[y], y a label", true, true, clgrad_loss_cross_entropy),
    LOSS("cross-entropy-dense", "-sum y log softmax(z)", false, true, clgrad_loss_cross_entropy_dense),
    LOSS("bce", "mean (1 - y) z + softplus(-z)", false, false, clgrad_loss_bce),
    LOSS("mse", "mean (z - y)^2", false, false, clgrad_loss_mse),
    LOSS("mae", "mean |z - y|", false, false, clgrad_loss_mae),
    LOSS("huber", "mean d^2/2 where |d| <= 1, else |d| - 1/2; d = z - y", false, false, huber),
    LOSS("hinge", "mean max(0, 1 - y z), y -1 or 1", false, false, clgrad_loss_hinge),
#undef LOSS
};

const clgrad_activation_info *clgrad_activation_get(size_t i) { return i < CLGRAD_COUNT(activations) ? &activations[i] : NULL; }

const clgrad_loss_info *clgrad_loss_get(size_t i) { return i < CLGRAD_COUNT(losses) ? &losses[i] : NULL; }

clgrad_status clgrad_unknown_word(clgrad_context *ctx, const char *kind, const char *name, const char *const *names, size_t count)
{
    const char *near = clgrad_suggest(name, names, count);
    if (near) return clgrad_fail(ctx, CLGRAD_E_CONFIG, "there is no %s '%s'; did you mean '%s'?", kind, name, near);
    return clgrad_fail(ctx, CLGRAD_E_CONFIG, "there is no %s '%s'; one of them is '%s'", kind, name, names[0]);
}

clgrad_status clgrad_activation_find(clgrad_context *ctx, const char *name, const clgrad_activation_info **out)
{
    const char *names[CLGRAD_COUNT(activations)];
    *out = NULL;
    for (size_t i = 0; i < CLGRAD_COUNT(activations); i++) {
        names[i] = activations[i].name;
        if (strcmp(name, names[i]) == 0) *out = &activations[i];
    }
    return *out ? CLGRAD_OK : clgrad_unknown_word(ctx, "activation", name, names, CLGRAD_COUNT(names));
}

clgrad_status clgrad_loss_find(clgrad_context *ctx, const char *name, const clgrad_loss_info **out)
{
    const char *names[CLGRAD_COUNT(losses)];
    *out = NULL;
    for (size_t i = 0; i < CLGRAD_COUNT(losses); i++) {
        names[i] = losses[i].name;
        if (strcmp(name, names[i]) == 0) *out = &losses[i];
    }
    return *out ? CLGRAD_OK : clgrad_unknown_word(ctx, "loss", name, names, CLGRAD_COUNT(names));
}
