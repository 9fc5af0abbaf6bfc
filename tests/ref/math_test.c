/* The functions of cl/math.cl, compiled as C: how far from the true value, in units in the last place, for both precisions and
 * both forms of MULADD, against the bounds in ops.def. The truth is libm in long double. CLGRAD_TEST_VERBOSE prints the worst. */

#include "ref/arithmetic.h"
#include "ref_suites.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef long double (*exact_function)(long double);

static long double exact_sigmoid(long double x) { return 1 / (1 + expl(-x)); }
static long double exact_rsqrt(long double x) { return 1 / sqrtl(x); }
static long double exact_reciprocal(long double x) { return 1 / x; }

typedef struct function {
    const char *name;
    clgrad_op op;
    exact_function exact;
    double low, high; /* arguments looked at */
} function;

static const function functions[] = {
    { "exp", CLGRAD_OP_EXP, expl, -1e300, 1e300 },
    { "log", CLGRAD_OP_LOG, logl, 0, 1e300 },
    { "log1p", CLGRAD_OP_LOG1P, log1pl, -1, 1e300 },
    { "expm1", CLGRAD_OP_EXPM1, expm1l, -1e300, 1e300 },
    { "sqrt", CLGRAD_OP_SQRT, sqrtl, 0, 1e300 },
    { "rsqrt", CLGRAD_OP_RSQRT, exact_rsqrt, 0, 1e300 },
    { "reciprocal", CLGRAD_OP_RECIPROCAL, exact_reciprocal, -1e300, 1e300 },
    { "sin", CLGRAD_OP_SIN, sinl, -1.7e308, 1.7e308 },
    { "cos", CLGRAD_OP_COS, cosl, -1.7e308, 1.7e308 },
    { "tanh", CLGRAD_OP_TANH, tanhl, -1e300, 1e300 },
    { "erf", CLGRAD_OP_ERF, erfl, -1e300, 1e300 },
    { "sigmoid", CLGRAD_OP_SIGMOID, exact_sigmoid, -1e300, 1e300 },
};

static int bound_of(clgrad_op op)
{
    switch (op) {
#define OP(name, arity, dtypes, domain, ulp, ...) \
    case CLGRAD_OP_##name: return ulp;
#include "graph/ops.def"
#undef OP
    default: return 0;
    }
}

/* Units in the last place of the true value's binade, subnormals included; beyond the largest number the next binade's. */
static double ulps(double got, long double exact, bool single)
{
    const int digits = single ? 24 : 53, lowest = single ? -125 : -1021, highest = single ? 128 : 1024;
    const double rounded = single ? (double)(float)exact : (double)exact;
    int exponent;
    if (got == rounded || (isnan(got) && isnan(rounded))) return 0;
    if (isnan(got) || isnan(exact)) return INFINITY;
    const long double value = isinf(got) ? copysignl(ldexpl(1, highest), got) : got;
    frexpl(exact, &exponent);
    if (exponent < lowest) exponent = lowest;
    return (double)(fabsl(value - exact) / ldexpl(1, exponent - digits));
}

typedef struct worst {
    double ulps, at, with;
} worst;

static void note(worst *w, double error, double x, double y)
{
    if (error > w->ulps) *w = (worst){ error, x, y };
}

static void check(const char *name, const char *form, clgrad_op op, const worst *w)
{
    if (getenv("CLGRAD_TEST_VERBOSE")) printf("%-10s %-12s %.3f ulp at %a %a\n", name, form, w->ulps, w->at, w->with);
    ck_assert_msg(w->ulps <= bound_of(op), "%s, %s: %.3f ulp at %a %a, bound %d", name, form, w->ulps, w->at, w->with, bound_of(op));
}

/* Every 4,099th bit pattern of f32: all exponents, subnormals, infinities and NaN; a prime step, so that the low bits vary. */
static worst sweep_f32(const function *f, const clgrad_ref_arithmetic *arithmetic)
{
    worst w = { 0 };
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += 4099) {
        const uint32_t code = (uint32_t)bits;
        float x;
        memcpy(&x, &code, sizeof x);
        if (x >= f->low && x <= f->high) note(&w, ulps(arithmetic->map(f->op, x, 0), f->exact(x), true), x, 0);
    }
    return w;
}

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

/* f64: half of all bit patterns, half with exponents where something happens. */
static worst sweep_f64(const function *f, const clgrad_ref_arithmetic *arithmetic)
{
    worst w = { 0 };
    uint64_t state = 1;
    for (int i = 0; i < 1 << 18; i++) {
        uint64_t code = next(&state);
        double x;
        if (i & 1) code = (code & ~((uint64_t)0x7ff << 52)) | (uint64_t)(1023 - 40 + i / 2 % 60) << 52;
        memcpy(&x, &code, sizeof x);
        if (x >= f->low && x <= f->high) note(&w, ulps(arithmetic->map(f->op, x, 0), f->exact(x), false), x, 0);
    }
    return w;
}

START_TEST(functions_keep_their_bounds)
{
    const function *f = &functions[_i];
    worst w = sweep_f32(f, &clgrad_ref_f32_fused);
    check(f->name, "f32 fused", f->op, &w);
    w = sweep_f32(f, &clgrad_ref_f32_unfused);
    check(f->name, "f32 unfused", f->op, &w);
    w = sweep_f64(f, &clgrad_ref_f64_fused);
    check(f->name, "f64 fused", f->op, &w);
    w = sweep_f64(f, &clgrad_ref_f64_unfused);
    check(f->name, "f64 unfused", f->op, &w);
}
END_TEST

/* x over 24 binades and close to 1, y so that the result covers the whole range and both its ends. */
static worst sweep_pow(const clgrad_ref_arithmetic *arithmetic)
{
    worst w = { 0 };
    uint64_t state = 7;
    const double range = arithmetic->single ? 155 : 1080;
    for (int i = 0; i < 1 << 19; i++) {
        const double unit = (double)(next(&state) >> 11) * 0x1p-53, wide = ldexp(1 + unit, i % 24 - 12);
        double x = i % 5 ? wide : 1 + (unit - 0.5) * (arithmetic->single ? 0x1p-8 : 0x1p-20);
        if (arithmetic->single) x = (float)x;
        if (x == 1) continue;
        double y = ((double)(next(&state) >> 11) * 0x1p-52 - 1) * range / log2(x);
        if (arithmetic->single) y = (float)y;
        note(&w, ulps(arithmetic->map(CLGRAD_OP_POW, x, y), powl(x, y), arithmetic->single), x, y);
    }
    return w;
}

START_TEST(powers_keep_their_bound)
{
    static const struct {
        const char *form;
        const clgrad_ref_arithmetic *arithmetic;
    } forms[] = { { "f32 fused", &clgrad_ref_f32_fused },
                  { "f32 unfused", &clgrad_ref_f32_unfused },
                  { "f64 fused", &clgrad_ref_f64_fused },
                  { "f64 unfused", &clgrad_ref_f64_unfused } };
    const worst w = sweep_pow(forms[_i].arithmetic);
    check("pow", forms[_i].form, CLGRAD_OP_POW, &w);
}
END_TEST

/* C99 annex F on a grid of special values: the C library's pow gives the same number, sign and NaN. */
START_TEST(powers_of_special_values_are_those_of_c99)
{
    static const double grid[] = { 0,    -0.0, 1,   -1,       0.5,       -0.5, 2,      -2,       3,       -3,      2.5,
                                   -2.5, 1e30, -1e30, INFINITY, -INFINITY, NAN,  0x1p23, 0x1p24 + 2, 8388607, -8388607 };
    const clgrad_ref_arithmetic *const forms[] = { &clgrad_ref_f32_fused, &clgrad_ref_f32_unfused, &clgrad_ref_f64_fused };
    for (size_t k = 0; k < CLGRAD_COUNT(forms) * CLGRAD_COUNT(grid) * CLGRAD_COUNT(grid); k++) {
        const clgrad_ref_arithmetic *arithmetic = forms[k % CLGRAD_COUNT(forms)];
        double x = grid[k / CLGRAD_COUNT(forms) % CLGRAD_COUNT(grid)], y = grid[k / CLGRAD_COUNT(forms) / CLGRAD_COUNT(grid)];
        if (arithmetic->single) x = (float)x, y = (float)y;
        const double got = arithmetic->map(CLGRAD_OP_POW, x, y), want = pow(x, y);
        ck_assert_msg(ulps(got, want, arithmetic->single) <= bound_of(CLGRAD_OP_POW) && (isnan(got) || !signbit(got) == !signbit(want)),
                      "pow(%g, %g) is %g, not %g", x, y, got, want);
    }
}
END_TEST

/* Negative control: an exp that is off by 2^-20 of itself, an erf cut off early, and a sine of a rounded angle are seen. */
static double bad_map(clgrad_op op, double a, double b)
{
    (void)b;
    if (op == CLGRAD_OP_EXP) return (float)(exp(a) * (1 + 0x1p-20));
    if (op == CLGRAD_OP_ERF) return (float)(a > 3 ? 1 : erf(a));
    return (float)sin((float)(a + 0x1p-10) - 0x1p-10f);
}

START_TEST(errors_are_seen)
{
    static const clgrad_ref_arithmetic bad = { bad_map, NULL, NULL, true };
    for (size_t i = 0; i < CLGRAD_COUNT(functions); i++) {
        const function *f = &functions[i];
        if (f->op != CLGRAD_OP_EXP && f->op != CLGRAD_OP_ERF && f->op != CLGRAD_OP_SIN) continue;
        ck_assert_double_gt(sweep_f32(f, &bad).ulps, bound_of(f->op));
    }
}
END_TEST

/* As close to multiples of pi / 2 as numbers come (Kahan's search), the ends, and neighbours. A reduction by too few digits is seen. */
START_TEST(angles_near_a_multiple)
{
    static const double near[] = { 16367173 * 0x1p72, 0x1.f9cbe4p+42, 0x1.921fb6p+60, 0x1.45f306p+100, 0x1.fffffep+127, 1e5, 6381956970095103.0 * 0x1p797, 1e7, 0x1.fffffffffffffp+1023 };
    for (size_t i = 0; i < CLGRAD_COUNT(near); i++)
        for (int step = -3; step <= 3; step++) {
            const float x = (float)near[i] * (1 + (float)step * 0x1p-23f);
            const double wide = near[i] * (1 + step * 0x1p-52);
            if (isfinite(x)) {
                ck_assert_double_le(ulps(clgrad_ref_f32_fused.map(CLGRAD_OP_SIN, x, 0), sinl(x), true), bound_of(CLGRAD_OP_SIN));
                ck_assert_double_le(ulps(clgrad_ref_f32_unfused.map(CLGRAD_OP_COS, -x, 0), cosl(x), true), bound_of(CLGRAD_OP_COS));
            }
            if (!isfinite(wide)) continue;
            ck_assert_double_le(ulps(clgrad_ref_f64_fused.map(CLGRAD_OP_COS, wide, 0), cosl(wide), false), bound_of(CLGRAD_OP_COS));
            ck_assert_double_le(ulps(clgrad_ref_f64_unfused.map(CLGRAD_OP_SIN, -wide, 0), sinl(-wide), false), bound_of(CLGRAD_OP_SIN));
            if (wide > 1e20) ck_assert_double_gt(ulps(sin(fmod(wide, 6.2831853071795862)), sinl(wide), false), bound_of(CLGRAD_OP_SIN));
        }
    ck_assert(isnan(clgrad_ref_f32_fused.map(CLGRAD_OP_SIN, INFINITY, 0)) && isnan(clgrad_ref_f32_unfused.map(CLGRAD_OP_COS, -INFINITY, 0)));
    ck_assert(isnan(clgrad_ref_f64_fused.map(CLGRAD_OP_SIN, -INFINITY, 0)) && isnan(clgrad_ref_f64_unfused.map(CLGRAD_OP_COS, INFINITY, 0)));
}
END_TEST

START_TEST(signs_of_zero_are_kept)
{
    static const clgrad_op odd[] = { CLGRAD_OP_SIN, CLGRAD_OP_TANH, CLGRAD_OP_ERF, CLGRAD_OP_EXPM1, CLGRAD_OP_LOG1P, CLGRAD_OP_SQRT };
    for (size_t i = 0; i < CLGRAD_COUNT(odd); i++) {
        ck_assert_msg(signbit(clgrad_ref_f32_fused.map(odd[i], -0.0, 0)) != 0, "operation %d", (int)odd[i]);
        ck_assert(!signbit(clgrad_ref_f32_unfused.map(odd[i], 0.0, 0)));
        ck_assert(signbit(clgrad_ref_f64_unfused.map(odd[i], -0.0, 0)));
    }
}
END_TEST

Suite *ref_math_suite(void)
{
    Suite *suite = suite_create("ref.math");
    TCase *tests = tcase_create("math");
    tcase_add_loop_test(tests, functions_keep_their_bounds, 0, (int)CLGRAD_COUNT(functions));
    tcase_add_loop_test(tests, powers_keep_their_bound, 0, 4);
    tcase_add_test(tests, powers_of_special_values_are_those_of_c99);
    tcase_add_test(tests, errors_are_seen);
    tcase_add_test(tests, angles_near_a_multiple);
    tcase_add_test(tests, signs_of_zero_are_kept);
    suite_add_tcase(suite, tests);
    return suite;
}
