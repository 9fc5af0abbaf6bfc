/* What results are held against: the interpreter in double precision, and how far values are from it. */

#include "clgrad/bench.h"
#include "ref/ref.h"

#include <math.h>

clgrad_status clgrad_reference_evaluate(const clgrad_graph *g, const clgrad_array *inputs, clgrad_array *outputs)
{
    return clgrad_ref_evaluate(g, inputs, outputs, CLGRAD_REF_F64);
}

typedef struct sums {
    double difference, wanted, worst;
    bool finite;
} sums;

enum { BLOCK = 1024 };

static void add_block(const clgrad_array *got, const clgrad_array *want, size_t first, size_t count, sums *s)
{
    double x[BLOCK], y[BLOCK];
    const size_t size_x = clgrad_dtype_bytes(got->dtype), size_y = clgrad_dtype_bytes(want->dtype);
    clgrad_convert(CLGRAD_F64, x, got->dtype, (const char *)got->data + first * size_x, count);
    clgrad_convert(CLGRAD_F64, y, want->dtype, (const char *)want->data + first * size_y, count);
    for (size_t i = 0; i < count; i++) {
        const double d = fabs(x[i] - y[i]);
        if (!isfinite(x[i])) s->finite = false;
        if (!(d <= s->worst)) s->worst = d;
        s->difference += d * d;
        s->wanted += y[i] * y[i];
    }
}

clgrad_status clgrad_deviation_of(clgrad_context *ctx, const clgrad_array *got, const clgrad_array *want, clgrad_deviation *out)
{
    const int64_t count = clgrad_shape_count(&want->shape);
    sums s = { 0, 0, 0, true };
    if (out->struct_size != sizeof *out) return clgrad_fail(ctx, CLGRAD_E_ARG, "a deviation of another library version");
    if (!clgrad_dtype_is_real(got->dtype) || !clgrad_dtype_is_real(want->dtype))
        return clgrad_fail(ctx, CLGRAD_E_DTYPE, "deviation: %s against %s; both must be real", clgrad_dtype_name(got->dtype),
                           clgrad_dtype_name(want->dtype));
    if (count < 0 || clgrad_shape_count(&got->shape) != count)
        return clgrad_fail(ctx, CLGRAD_E_SHAPE, "deviation: %lld elements against %lld",
                           (long long)clgrad_shape_count(&got->shape), (long long)count);
    for (int64_t i = 0; i < count; i += BLOCK)
        add_block(got, want, (size_t)i, (size_t)(count - i < BLOCK ? count - i : BLOCK), &s);
    const double scale = s.wanted > 0 ? sqrt(s.wanted) : 1, rms = s.wanted > 0 ? scale / sqrt((double)count) : 1;
    out->rel_l2 = sqrt(s.difference) / scale;
    out->max_rel = s.worst / rms;
    out->finite = s.finite;
    return CLGRAD_OK;
}
