/* The device's arithmetic on the host: cl/math.cl itself, compiled as C for scalars, once with MULADD as fma and once as
 * a * b + c. Included by twin_fused.c and twin_unfused.c, which define MULADD and TWIN (the suffix of the two tables). */

#include "ref/arithmetic.h"

#include <math.h>

_Static_assert(sizeof(long) == 8, "cl/math.cl takes long as the integer of double's size");

/* OpenCL's as_type; the names are OpenCL's. */
typedef unsigned int twin_uint;
typedef unsigned long twin_ulong;
__extension__ typedef unsigned __int128 twin_wide;
#define uint twin_uint
#define ulong twin_ulong
#define TWIN_AS(to, name, from) \
    static inline to name(from x) { to y; memcpy(&y, &x, sizeof y); return y; }
TWIN_AS(float, as_float, uint)
TWIN_AS(double, as_double, ulong)
TWIN_AS(int, as_int, uint)
TWIN_AS(long, as_long, ulong)
TWIN_AS(uint, uint_of_float, float)
TWIN_AS(uint, uint_of_int, int)
TWIN_AS(ulong, ulong_of_double, double)
TWIN_AS(ulong, ulong_of_long, long)
#define as_uint(x) _Generic((x), float: uint_of_float, default: uint_of_int)(x)
#define as_ulong(x) _Generic((x), double: ulong_of_double, default: ulong_of_long)(x)

#define sqrt(x) _Generic((x), float: sqrtf, default: sqrt)(x)
#define any(x) ((x) < 0)
#define mul_hi(a, b) _Generic((a), twin_uint: (twin_uint)((twin_wide)(a) * (b) >> 32), default: (twin_ulong)((twin_wide)(a) * (b) >> 64))
#define floor(x) _Generic((x), float: floorf, default: floor)(x)

#include "../../cl/constants.cl"
#include "../../cl/math.cl"

CLGRAD_MATH_F32(float, int)
CLGRAD_MATH_F64(double, long)
static float clgrad_floor_float(float a) { return floor(a); }
static double clgrad_floor_double(double a) { return floor(a); }

static double map_float(clgrad_op op, double a_wide, double b_wide)
{
    const float a = (float)a_wide, b = (float)b_wide;
    switch (op) {
#define FN(name) clgrad_##name##_float
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) \
    case CLGRAD_OP_##name: return (double)(ref);
#include "graph/ops.def"
#undef OP
#undef FN
    default: return NAN;
    }
}

static double map_double(clgrad_op op, double a, double b)
{
    switch (op) {
#define FN(name) clgrad_##name##_double
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) \
    case CLGRAD_OP_##name: return (double)(ref);
#include "graph/ops.def"
#undef OP
#undef FN
    default: return NAN;
    }
}

static void add_scaled_float(double a, const double *b, double *acc, int64_t n)
{
    const float factor = (float)a;
    for (int64_t j = 0; j < n; j++) acc[j] = (double)MULADD(factor, (float)b[j], (float)acc[j]);
}

static void add_scaled_double(double a, const double *b, double *acc, int64_t n)
{
    for (int64_t j = 0; j < n; j++) acc[j] = MULADD(a, b[j], acc[j]);
}

static double normal(double u1, double u2, bool odd)
{
    return clgrad_normal_float((float)u1, (float)u2, odd);
}

#define TWIN_PASTE(name, suffix) name##suffix
#define TWIN_NAME(name, suffix) TWIN_PASTE(name, suffix)
const clgrad_ref_arithmetic TWIN_NAME(clgrad_ref_f32, TWIN) = { map_float, add_scaled_float, normal, true };
const clgrad_ref_arithmetic TWIN_NAME(clgrad_ref_f64, TWIN) = { map_double, add_scaled_double, normal, false };
