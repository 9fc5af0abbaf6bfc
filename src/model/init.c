/* First values of parameters: drawn on the host without libm, so that they are the same on every machine. */

#include "model/model.h"
#include "ref/ref.h"

static double inputs(const clgrad_shape *weight) { return (double)weight->dims[1]; }
static double both(const clgrad_shape *weight) { return (double)(weight->dims[0] + weight->dims[1]); }

/* PyTorch's nn.Linear: both weight and bias within 1/sqrt(inputs), which is kaiming_uniform_ with a = sqrt 5. */
static double pytorch(const clgrad_shape *weight, bool bias)
{
    (void)bias;
    return 1 / inputs(weight);
}

/* He et al. 2015, for relu. */
static double kaiming_uniform(const clgrad_shape *weight, bool bias) { return bias ? 0 : 6 / inputs(weight); }

static double kaiming_normal(const clgrad_shape *weight, bool bias) { return bias ? 0 : 2 / inputs(weight); }

/* Glorot, Bengio 2010. */
static double xavier_uniform(const clgrad_shape *weight, bool bias) { return bias ? 0 : 6 / both(weight); }
static double xavier_normal(const clgrad_shape *weight, bool bias) { return bias ? 0 : 2 / both(weight); }

static double zero(const clgrad_shape *weight, bool bias)
{
    (void)weight, (void)bias;
    return 0;
}

static const clgrad_init inits[] = {
    { "default", "uniform within 1/sqrt(inputs), biases too, as PyTorch's nn.Linear", false, pytorch },
    { "kaiming-uniform", "uniform within sqrt(6/inputs), biases 0", false, kaiming_uniform },
    { "kaiming-normal", "normal of deviation sqrt(2/inputs), biases 0", true, kaiming_normal },
    { "xavier-uniform", "uniform within sqrt(6/(inputs + outputs)), biases 0", false, xavier_uniform },
    { "xavier-normal", "normal of deviation sqrt(2/(inputs + outputs)), biases 0", true, xavier_normal },
    { "zeros", "0", false, zero },
};

const char *clgrad_init_get(size_t i, const char **formula)
{
    if (i >= CLGRAD_COUNT(inits)) return NULL;
    if (formula) *formula = inits[i].formula;
    return inits[i].name;
}

clgrad_status clgrad_init_find(clgrad_context *ctx, const char *name, const clgrad_init **out)
{
    const char *names[CLGRAD_COUNT(inits)];
    *out = NULL;
    for (size_t i = 0; i < CLGRAD_COUNT(inits); i++) {
        names[i] = inits[i].name;
        if (strcmp(name, names[i]) == 0) *out = &inits[i];
    }
    return *out ? CLGRAD_OK : clgrad_unknown_word(ctx, "initialisation", name, names, CLGRAD_COUNT(names));
}

/* Newton's iteration from above. The C library's sqrt would do, but its being exact is not ours to promise. */
static double root(double x)
{
    double r = x > 1 ? x : 1;
    for (int i = 0; i < 64 && x > 0; i++) r = 0.5 * (r + x / r);
    return x > 0 ? r : 0;
}

static void draw_uniform(uint64_t seed, uint32_t stream, float bound, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) values[i] = (2 * clgrad_random_uniform(seed, stream, 0, i) - 1) * bound; /* 2u - 1 is exact */
}

/* The random node's own normals, computed by the interpreter's twin of the kernels' polynomials. */
static clgrad_status draw_normal(clgrad_context *ctx, uint64_t seed, uint32_t stream, float deviation, float *values, size_t count)
{
    clgrad_graph *g = NULL;
    clgrad_array out = { 0 };
    CLGRAD_TRY(clgrad_graph_create(ctx, &g));
    const clgrad_node key = clgrad_constant_int(g, CLGRAD_I64, CLGRAD_SCALAR, (int64_t)seed);
    const clgrad_node hi = clgrad_constant_int(g, CLGRAD_I64, CLGRAD_SCALAR, 0);
    const clgrad_node lo = clgrad_iota(g, CLGRAD_I64, CLGRAD_SHAPE((int64_t)count), 0);
    clgrad_status st = clgrad_output(g, "y", clgrad_scale(g, clgrad_random_normal_node(g, key, hi, lo, stream), deviation));
    if (st == CLGRAD_OK) st = clgrad_ref_evaluate(g, NULL, &out, CLGRAD_REF_F32);
    if (st == CLGRAD_OK) memcpy(values, out.data, count * sizeof *values);
    clgrad_array_release(ctx, &out);
    clgrad_graph_release(&g);
    return st;
}

clgrad_status clgrad_init_draw(clgrad_context *ctx, const clgrad_init *init, const clgrad_shape *weight, bool bias, uint64_t seed,
                               uint32_t stream, float *values, size_t count)
{
    const float width = (float)root(init->square(weight, bias));
    if (width == 0) {
        memset(values, 0, count * sizeof *values);
        return CLGRAD_OK;
    }
    if (init->normal) return draw_normal(ctx, seed, stream, width, values, count);
    draw_uniform(seed, stream, width, values, count);
    return CLGRAD_OK;
}
