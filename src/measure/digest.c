/* The determinism digest: a 12-32-5 relu network with squared error, momentum 1/2 and rate 1/64, every constant a power of two, so
 * that no division, no rounding of constants and no subnormal enters. Equal classes of arithmetic give equal digests. */

#include "base/sha256.h"
#include "measure/evaluate.h"
#include "measure/matrix.h"

#include "clgrad/autodiff.h"
#include "ref/ref.h"

enum { IN = 12, HIDDEN = 32, OUT = 5, BATCH = 40, PARAMETERS = 4, STEPS = 50, INPUTS = 2 * PARAMETERS + 2 };

static clgrad_shape input_shape(size_t i)
{
    switch (i % PARAMETERS) {
    case 0: return CLGRAD_SHAPE(HIDDEN, IN);
    case 1: return CLGRAD_SHAPE(HIDDEN);
    case 2: return CLGRAD_SHAPE(OUT, HIDDEN);
    default: return CLGRAD_SHAPE(OUT);
    }
}

static clgrad_shape digest_shape(size_t i)
{
    if (i == INPUTS - 2) return CLGRAD_SHAPE(BATCH, IN);
    if (i == INPUTS - 1) return CLGRAD_SHAPE(BATCH, OUT);
    return input_shape(i);
}

/* inputs 0..3 parameters, 4..7 velocities, 8 x, 9 y */
static clgrad_status loss_graph(clgrad_context *ctx, clgrad_graph **out)
{
    static const char *const names[INPUTS] = { "w1", "b1", "w2", "b2", "v1", "u1", "v2", "u2", "x", "y" };
    clgrad_node in[INPUTS];
    CLGRAD_TRY(clgrad_graph_create(ctx, out));
    clgrad_graph *g = *out;
    for (size_t i = 0; i < INPUTS; i++) in[i] = clgrad_input(g, names[i], CLGRAD_F32, digest_shape(i));
    const clgrad_node zero = clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, 0);
    const clgrad_node h = clgrad_max(g, clgrad_add(g, clgrad_matmul(g, in[8], in[0], false, true), in[1]), zero);
    const clgrad_node z = clgrad_add(g, clgrad_matmul(g, h, in[2], false, true), in[3]);
    const clgrad_node loss = clgrad_sum(g, clgrad_square(g, clgrad_sub(g, z, in[9])), CLGRAD_ALL_AXES, false);
    return clgrad_output(g, "loss", clgrad_scale(g, loss, 0.03125));
}

/* outputs 0..3 the new parameters, 4..7 the new velocities */
static clgrad_status step_graph(clgrad_context *ctx, clgrad_graph **out)
{
    const size_t wrt[PARAMETERS] = { 0, 1, 2, 3 };
    clgrad_graph *loss = NULL, *gradient = NULL;
    clgrad_node in[INPUTS], results[1 + PARAMETERS], velocity[PARAMETERS];
    clgrad_status status = loss_graph(ctx, &loss);
    if (status == CLGRAD_OK) status = clgrad_gradient(loss, 0, PARAMETERS, wrt, &gradient);
    if (status == CLGRAD_OK) status = clgrad_graph_create(ctx, out);
    if (status == CLGRAD_OK) status = clgrad_graph_copy_inputs(gradient, *out, in);
    if (status == CLGRAD_OK) status = clgrad_graph_inline(*out, gradient, in, results);
    for (size_t i = 0; status == CLGRAD_OK && i < PARAMETERS; i++) {
        static const char *const names[PARAMETERS] = { "p0", "p1", "p2", "p3" };
        velocity[i] = clgrad_add(*out, clgrad_scale(*out, in[PARAMETERS + i], 0.5), results[1 + i]);
        status = clgrad_output(*out, names[i], clgrad_sub(*out, in[i], clgrad_scale(*out, velocity[i], 0.015625)));
    }
    for (size_t i = 0; status == CLGRAD_OK && i < PARAMETERS; i++) {
        static const char *const names[PARAMETERS] = { "q0", "q1", "q2", "q3" };
        status = clgrad_output(*out, names[i], velocity[i]);
    }
    clgrad_graph_release(&loss);
    clgrad_graph_release(&gradient);
    return status;
}

static clgrad_status make_values(clgrad_context *ctx, clgrad_array *values)
{
    for (size_t i = 0; i < INPUTS; i++) {
        CLGRAD_TRY(clgrad_array_create(ctx, CLGRAD_F32, digest_shape(i), &values[i]));
        if (i >= PARAMETERS && i < 2 * PARAMETERS) continue;
        for (int64_t k = 0; k < clgrad_shape_count(&values[i].shape); k++)
            clgrad_array_set(&values[i], k, (double)clgrad_random_uniform(1, 9, i, (uint64_t)k) - 0.5);
    }
    return CLGRAD_OK;
}

static void hash_values(const clgrad_array *values, char digest[65])
{
    clgrad_sha256 hash;
    uint8_t bytes[CLGRAD_SHA256_BYTES];
    clgrad_sha256_begin(&hash);
    for (size_t i = 0; i < PARAMETERS; i++) clgrad_sha256_add(&hash, values[i].data, clgrad_array_bytes(&values[i]));
    clgrad_sha256_end(&hash, bytes);
    clgrad_sha256_hex(bytes, digest);
}

/* --- on a device: one plan, parameters and velocities in place ---------------------------------------------------------- */

static clgrad_status train_on(clgrad_device *dev, const clgrad_graph *step, const clgrad_plan_options *options,
                              clgrad_array *values, clgrad_tensor **tensors, clgrad_plan **plan)
{
    uint32_t donated[INPUTS] = { 0 };
    clgrad_plan_options with = options ? *options : (clgrad_plan_options){ .no_fusion = false };
    for (uint32_t i = 0; i < 2 * PARAMETERS; i++) donated[i] = 1 + i;
    with.donated = donated;
    for (size_t i = 0; i < INPUTS; i++)
        CLGRAD_TRY(clgrad_tensor_create_from(dev, CLGRAD_F32, values[i].shape, values[i].data, clgrad_array_bytes(&values[i]), &tensors[i]));
    CLGRAD_TRY(clgrad_plan_create(dev, step, &with, plan));
    CLGRAD_TRY(clgrad_plan_bind(*plan, tensors, tensors));
    for (int i = 0; i < STEPS; i++) CLGRAD_TRY(clgrad_plan_run(*plan));
    for (size_t i = 0; i < PARAMETERS; i++)
        CLGRAD_TRY(clgrad_tensor_read(tensors[i], values[i].data, clgrad_array_bytes(&values[i])));
    return CLGRAD_OK;
}

clgrad_status clgrad_digest_run(clgrad_device *dev, const clgrad_plan_options *options, char digest[65])
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    clgrad_graph *step = NULL;
    clgrad_plan *plan = NULL;
    clgrad_array values[INPUTS] = { { .data = NULL } };
    clgrad_tensor *tensors[INPUTS] = { NULL };
    clgrad_status status = make_values(ctx, values);
    if (status == CLGRAD_OK) status = step_graph(ctx, &step);
    if (status == CLGRAD_OK) status = train_on(dev, step, options, values, tensors, &plan);
    if (status == CLGRAD_OK) hash_values(values, digest);
    clgrad_plan_release(&plan);
    for (size_t i = 0; i < INPUTS; i++) clgrad_tensor_release(&tensors[i]), clgrad_array_release(ctx, &values[i]);
    clgrad_graph_release(&step);
    return status;
}

/* --- by the reference ------------------------------------------------------------------------------------------------------ */

static clgrad_status train_ref(clgrad_context *ctx, const clgrad_graph *step, clgrad_ref_mode mode, clgrad_array *values)
{
    for (int i = 0; i < STEPS; i++) {
        clgrad_array fresh[2 * PARAMETERS] = { { .data = NULL } };
        CLGRAD_TRY(clgrad_ref_evaluate(step, values, fresh, mode));
        for (size_t k = 0; k < 2 * PARAMETERS; k++) {
            clgrad_array_release(ctx, &values[k]);
            values[k] = fresh[k];
        }
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_digest_ref(clgrad_context *ctx, bool fused, char digest[65])
{
    clgrad_graph *step = NULL;
    clgrad_array values[INPUTS] = { { .data = NULL } };
    clgrad_status status = make_values(ctx, values);
    if (status == CLGRAD_OK) status = step_graph(ctx, &step);
    if (status == CLGRAD_OK) status = train_ref(ctx, step, fused ? CLGRAD_REF_F32_FMA : CLGRAD_REF_F32, values);
    if (status == CLGRAD_OK) hash_values(values, digest);
    for (size_t i = 0; i < INPUTS; i++) clgrad_array_release(ctx, &values[i]);
    clgrad_graph_release(&step);
    return status;
}
