/* The independent oracle: double by the C library, sharing nothing with cl/math.cl. */

#include "ref/arithmetic.h"

#include <math.h>

#define FN(name) libm_##name
#define LIBM(name) static double libm_##name(double a) { return name(a); }
LIBM(exp)
LIBM(log)
LIBM(log1p)
LIBM(expm1)
LIBM(sqrt)
LIBM(sin)
LIBM(cos)
LIBM(tanh)
LIBM(erf)
LIBM(floor)
static double libm_abs(double a) { return fabs(a); }
static double libm_rsqrt(double a) { return 1 / sqrt(a); }
static double libm_reciprocal(double a) { return 1 / a; }
static double libm_sigmoid(double a) { return a < 0 ? exp(a) / (1 + exp(a)) : 1 / (1 + exp(-a)); }
static double libm_sign(double a) { return a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : a; }
static double libm_max(double a, double b) { return a > b || isnan(a) ? a : b; }
static double libm_min(double a, double b) { return a < b || isnan(a) ? a : b; }
static double libm_div(double a, double b) { return a / b; }
static double libm_pow(double a, double b) { return pow(a, b); }

static double map(clgrad_op op, double a, double b)
{
    switch (op) {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) \
    case CLGRAD_OP_##name: return (double)(ref);
#include "graph/ops.def"
#undef OP
    default: return NAN;
    }
}

static void add_scaled(double a, const double *b, double *acc, int64_t n)
{
    for (int64_t j = 0; j < n; j++) acc[j] += a * b[j];
}

static double normal(double u1, double u2, bool odd)
{
    const double angle = 6.283185307179586 * u2;
    return sqrt(-2 * log(u1)) * (odd ? sin(angle) : cos(angle));
}

const clgrad_ref_arithmetic clgrad_ref_libm = { map, add_scaled, normal, false };
