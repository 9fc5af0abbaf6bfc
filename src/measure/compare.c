#include "measure/compare.h"

#include <math.h>
#include <stdio.h>

static double spacing(clgrad_dtype dtype, double x)
{
    static const int digits[] = { [CLGRAD_F32] = 24, [CLGRAD_F64] = 53, [CLGRAD_F16] = 11, [CLGRAD_BF16] = 8 };
    static const int lowest[] = { [CLGRAD_F32] = -125, [CLGRAD_F64] = -1021, [CLGRAD_F16] = -13, [CLGRAD_BF16] = -125 };
    int exponent = 0;
    frexp(x, &exponent);
    if (exponent < lowest[dtype]) exponent = lowest[dtype];
    return ldexp(1, exponent - digits[dtype]);
}

static void fail_at(clgrad_verdict *verdict, const char *what, int64_t i, double got, double want)
{
    if (verdict->verdict == CLGRAD_CHECK_FAILED) return;
    verdict->verdict = CLGRAD_CHECK_FAILED;
    snprintf(verdict->detail, sizeof verdict->detail, "%s[%lld] is %.9g, expected %.9g", what, (long long)i, got, want);
}

/* Storage types may be off by one of their own units: the value before rounding may differ by the f32 error allowed. */
static double allowed_error(clgrad_dtype dtype, double want, double scale, const clgrad_tolerance *tolerance)
{
    const bool storage = dtype == CLGRAD_F16 || dtype == CLGRAD_BF16;
    const double arithmetic = tolerance->ulp * spacing(dtype == CLGRAD_F64 ? CLGRAD_F64 : CLGRAD_F32, scale);
    return arithmetic + tolerance->floor + (storage ? spacing(dtype, want) : 0);
}

static void compare_real(const char *what, int64_t i, clgrad_dtype dtype, const double v[3],
                         const clgrad_tolerance *tolerance, clgrad_verdict *verdict)
{
    const double got = v[0], want = v[1], scale = v[2];
    if (isnan(want) || isnan(got)) {
        if (isnan(want) != isnan(got)) fail_at(verdict, what, i, got, want);
        return;
    }
    if (got == want) return;
    const double allowed = allowed_error(dtype, want, scale, tolerance);
    const double error = fabs(got - want), relative = allowed > 0 ? error / allowed : INFINITY;
    /* A value past the type's range rounds to infinity. */
    if (isinf(got) && fabs(want) > 65504 && (dtype == CLGRAD_F16 || fabs(want) > 3.4028234e38)) return;
    if (relative > verdict->error) verdict->error = relative;
    if (!(error <= allowed)) fail_at(verdict, what, i, got, want);
}

void clgrad_compare(const char *what, const clgrad_array *got, const clgrad_array *want, const clgrad_array *scale,
                    const clgrad_tolerance *tolerance, clgrad_verdict *verdict)
{
    const int64_t count = clgrad_shape_count(&got->shape);
    verdict->bound = 1;
    if (!clgrad_dtype_is_real(got->dtype)) {
        clgrad_compare_bits(what, got, want, verdict);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const double expected = clgrad_array_get(want, i);
        const double v[3] = { clgrad_array_get(got, i), expected, scale ? fabs(clgrad_array_get(scale, i)) : fabs(expected) };
        compare_real(what, i, got->dtype, v, tolerance, verdict);
    }
}

void clgrad_compare_bits(const char *what, const clgrad_array *got, const clgrad_array *want, clgrad_verdict *verdict)
{
    const int64_t count = clgrad_shape_count(&got->shape);
    const size_t bytes = clgrad_dtype_bytes(got->dtype);
    const unsigned char *a = got->data, *b = want->data;
    verdict->bound = 1;
    for (int64_t i = 0; i < count; i++) {
        if (memcmp(a + (size_t)i * bytes, b + (size_t)i * bytes, bytes) == 0) continue;
        const double x = clgrad_array_get(got, i), y = clgrad_array_get(want, i);
        if (isnan(x) && isnan(y)) continue;
        verdict->error = INFINITY;
        fail_at(verdict, what, i, x, y);
    }
}
