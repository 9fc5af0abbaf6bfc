/* clgrad-template 1 */
/* math.cl -- our own elementary functions, one text for f32 and f64, for scalars and vectors; also compiled as C by src/ref.
 *
 * use     This file only defines macros. A program instantiates the functions for each type it computes in, once:
 *             CLGRAD_MATH_F32(float16, int16)      CLGRAD_MATH_F64(double8, long8)      CLGRAD_MATH_INT(int4)
 *         and then calls them by name + type: clgrad_exp_float16(x). Every name beginning with clgrad_ in ops.def takes the
 *         suffix. Unused ones cost parsing alone (they are static), 0.01 s a type: src/plan/helpers.c instantiates families,
 *         CLGRAD_EXPONENTIAL(F32, float16, int16), and knows what each needs of others. F64 needs fp64.
 * names   unary   exp log log1p expm1 sin cos tanh erf sigmoid sqrt rsqrt reciprocal abs sign
 *         binary  div max min pow      F32 only: normal(u1, u2, odd)      INT (any signed integer type): abs sign max min
 * needs   MULADD(a, b, c): fma or a*b+c. Contraction off, no fast-math. Nothing else of the device but + - * /, sqrt, floor,
 *         comparisons, any, integers with mul_hi, and as_type, so the bits are the same for every width and every device of a class.
 * bits    Subnormals are handled where the device keeps them. NaN goes in and comes out; its bits are not specified.
 * ulp     src/graph/ops.def; measured by tests/ref/math_test.c, in both forms of MULADD.
 * source  Reductions after Cody & Waite 1980, Payne & Hanek 1983 and Sun's fdlibm; numbers and polynomials are in constants.cl, put before this. */

/* P: F32 or F64. T, I: a real type and the signed integer type of the same lanes. u##I is its unsigned type. */
#define CLGRAD_MATH_F32(T, I) CLGRAD_MATH(F32, T, I) CLGRAD_NORMAL(F32, T, I)
#define CLGRAD_MATH_F64(T, I) CLGRAD_MATH(F64, T, I)
#define CLGRAD_MATH(P, T, I) CLGRAD_SIMPLE(P, T, I) CLGRAD_EXPONENTIAL(P, T, I) CLGRAD_LOGARITHM(P, T, I)                 \
    CLGRAD_REDUCTION(P, T, I) CLGRAD_CIRCULAR(P, T, I) CLGRAD_SIGMOIDAL(P, T, I) CLGRAD_POWER(P, T, I)

/* max and min give b where neither comparison holds, a NaN of either operand; sign(0) = 0, sign(NaN) = NaN. */
#define CLGRAD_ORDER(T)                                                                                                   \
static T clgrad_max_##T(T a, T b) { return ((a > b) | (a != a)) ? a : b; }                                                \
static T clgrad_min_##T(T a, T b) { return ((a < b) | (a != a)) ? a : b; }

#define CLGRAD_MATH_INT(I) CLGRAD_ORDER(I)                                                                                \
static I clgrad_abs_##I(I a) { return as_##I(abs(a)); }                                                                   \
static I clgrad_sign_##I(I a) { return a > 0 ? (I)(1) : (a < 0 ? (I)(-1) : (I)(0)); }

#define CLGRAD_SIMPLE(P, T, I) CLGRAD_ORDER(T)                                                                            \
static T clgrad_abs_##T(T a) { return as_##T(as_u##I(a) & ~CLGRAD_##P##_SIGN); }                                          \
static T clgrad_sign_##T(T a) { return a > 0 ? (T)(1) : (a < 0 ? (T)(-1) : (a == 0 ? (T)(0) : a)); }                      \
static T clgrad_signed_##T(T a, T x) { return as_##T(as_u##I(a) | (as_u##I(x) & CLGRAD_##P##_SIGN)); }                    \
static T clgrad_high_##T(T a) { return as_##T(as_u##I(a) & CLGRAD_##P##_HIGH); }                                          \
static T clgrad_div_##T(T a, T b) { return a / b; }                                                                       \
static T clgrad_reciprocal_##T(T a) { return 1.0f / a; }                                                                  \
static T clgrad_sqrt_##T(T a) { return sqrt(a); }                                                                         \
static T clgrad_rsqrt_##T(T a) { return 1.0f / sqrt(a); }

/* x = n ln2 + r with |r| <= ln2 / 2 (a little more unfused), e^x = 2^n e^r; e^r - 1 = r + r^2 EXP(r). */
#define CLGRAD_EXPONENTIAL(P, T, I)                                                                                       \
static T clgrad_expm1_part_##T(T x, T *shifted)                                                                           \
{                                                                                                                         \
    const T m = MULADD(x, (T)(CLGRAD_##P##_LOG2E), (T)(CLGRAD_##P##_MAGIC)), n = m - CLGRAD_##P##_MAGIC;                  \
    const T r = MULADD(n, (T)(-CLGRAD_##P##_LN2_LO), MULADD(n, (T)(-CLGRAD_##P##_LN2_HI), x));                            \
    *shifted = m; /* n in its low bits */                                                                                 \
    return MULADD(r * r, CLGRAD_##P##_EXP(T, r), r);                                                                      \
}                                                                                                                         \
/* p 2^n for any n, in two exact factors so that only the last product rounds, overflows or becomes subnormal. */         \
static T clgrad_scale_##T(T p, T shifted)                                                                                 \
{                                                                                                                         \
    const u##I k = as_u##I(shifted) - (CLGRAD_##P##_MAGIC_BITS - 2 * CLGRAD_##P##_BIAS), half_k = k >> 1;                 \
    return p * as_##T(half_k << CLGRAD_##P##_BITS) * as_##T((k - half_k) << CLGRAD_##P##_BITS);                           \
}                                                                                                                         \
static T clgrad_exp_##T(T x)                                                                                              \
{                                                                                                                         \
    x = x > CLGRAD_##P##_EXP_MAX ? (T)(CLGRAD_##P##_EXP_MAX) : x;                                                         \
    x = x < CLGRAD_##P##_EXP_MIN ? (T)(CLGRAD_##P##_EXP_MIN) : x;                                                         \
    T shifted;                                                                                                            \
    const T p = clgrad_expm1_part_##T(x, &shifted) + 1.0f;                                                                \
    return clgrad_scale_##T(p, shifted);                                                                                  \
}                                                                                                                         \
/* e^x where neither x nor the result comes near the ends of the range: one factor is enough. */                          \
static T clgrad_exp_near_##T(T x)                                                                                         \
{                                                                                                                         \
    T shifted;                                                                                                            \
    const T p = clgrad_expm1_part_##T(x, &shifted) + 1.0f;                                                                \
    return p * as_##T((as_u##I(shifted) - (CLGRAD_##P##_MAGIC_BITS - CLGRAD_##P##_BIAS)) << CLGRAD_##P##_BITS);           \
}                                                                                                                         \
/* 2 (s p + (s - 1/2)) with s = 2^(n-1), which is finite to the largest n. */                                             \
static T clgrad_expm1_##T(T x)                                                                                            \
{                                                                                                                         \
    T z = x > CLGRAD_##P##_EXP_MAX ? (T)(CLGRAD_##P##_EXP_MAX) : x, shifted;                                              \
    z = z < CLGRAD_##P##_EXPM1_MIN ? (T)(CLGRAD_##P##_EXPM1_MIN) : z;                                                     \
    const T p = clgrad_expm1_part_##T(z, &shifted);                                                                       \
    const u##I k = as_u##I(shifted) - (CLGRAD_##P##_MAGIC_BITS - (CLGRAD_##P##_BIAS - 1));                                \
    const T s = as_##T(k << CLGRAD_##P##_BITS);                                                                           \
    return clgrad_abs_##T(x) < CLGRAD_##P##_TINY ? x : 2.0f * MULADD(s, p, s - 0.5f);                                     \
}

/* x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt 2; ln(1 + f) = f - (h - s (h + R)), s = f / (2 + f), h = f^2 / 2 (fdlibm). */
#define CLGRAD_LOGARITHM(P, T, I)                                                                                         \
static T clgrad_log_split_##T(T x, T *n)                                                                                  \
{                                                                                                                         \
    const u##I b = as_u##I(x) - CLGRAD_##P##_SQRT_HALF;                                                                   \
    *n = as_##T(as_u##I(as_##I(b) >> CLGRAD_##P##_BITS) + CLGRAD_##P##_MAGIC_BITS) - CLGRAD_##P##_MAGIC;                  \
    return as_##T((b & CLGRAD_##P##_MANTISSA) + CLGRAD_##P##_SQRT_HALF);                                                  \
}                                                                                                                         \
static T clgrad_log_part_##T(T f, T n, T correction)                                                                      \
{                                                                                                                         \
    const T s = f / (2.0f + f), z = s * s, h = 0.5f * f * f, r = z * CLGRAD_##P##_LOG(T, z);                              \
    const T low = MULADD(s, h + r, MULADD(n, (T)(CLGRAD_##P##_LN2_LO), correction));                                      \
    return MULADD(n, (T)(CLGRAD_##P##_LN2_HI), f - (h - low));                                                            \
}                                                                                                                         \
static T clgrad_log_##T(T x)                                                                                              \
{                                                                                                                         \
    T n;                                                                                                                  \
    const T m = clgrad_log_split_##T(x < CLGRAD_##P##_NORMAL ? x * CLGRAD_##P##_GROW : x, &n);                            \
    n = x < CLGRAD_##P##_NORMAL ? n - CLGRAD_##P##_BITS : n;                                                              \
    const T y = clgrad_log_part_##T(m - 1.0f, n, (T)(0));                                                                 \
    return x > 0 ? (x < INFINITY ? y : x) : (x == 0 ? (T)(-INFINITY) : (T)(NAN));                                         \
}                                                                                                                         \
/* As log(u) with u = 1 + x rounded, and the rounding error over u as a correction; near 0, f = x itself. */              \
static T clgrad_log1p_##T(T x)                                                                                            \
{                                                                                                                         \
    T n;                                                                                                                  \
    const T u = 1.0f + x, m = clgrad_log_split_##T(u, &n);                                                                \
    const T lost = x < 1 ? x - (u - 1.0f) : 1.0f - (u - x);                                                               \
    const T y = clgrad_log_part_##T(n == 0 ? x : m - 1.0f, n, n == 0 ? (T)(0) : lost / u);                                \
    const T z = x > -1 ? (x < INFINITY ? y : x) : (x == -1 ? (T)(-INFINITY) : (T)(NAN));                                  \
    return x == 0 ? x : z;                                                                                                \
}

/* Payne & Hanek 1983: q and r of any |x| = m 2^E, for a large E. Of the bits of 2 / pi three words decide: those before only add multiples of 4
 * to q, those behind are too small. The words begin at the bit of weight 2^31 or 2^63, the first is 0. A fraction becomes a number in four pieces that
 * are exact. */
#define CLGRAD_REDUCTION(P, T, I)                                                                                         \
static T clgrad_whole_##T(u##I n) { return as_##T(n | CLGRAD_##P##_WHOLE_BITS) - CLGRAD_##P##_WHOLE; }                    \
static u##I clgrad_far_##T(T x, T *r)                                                                                     \
{                                                                                                                         \
    enum { B = CLGRAD_##P##_WORD_BITS, M = CLGRAD_##P##_BITS, F = B - 2 }; /* bits of a word, a fraction, a fraction's first word */ \
    const CLGRAD_##P##_WORD words[] = { CLGRAD_##P##_2_PI_WORDS };                                                        \
    const u##I z = as_u##I(x) ^ as_u##I(x), m = (as_u##I(x) & CLGRAD_##P##_MANTISSA) | (CLGRAD_##P##_MANTISSA + 1);       \
    const u##I place = (as_u##I(x) >> M) - (CLGRAD_##P##_BIAS + M + 2 - B), first = place / B, s = (z + 1) << (place % B); \
    u##I w[CLGRAD_##P##_WORDS];                                                                                           \
    for (int i = 0; i < CLGRAD_##P##_WORDS; i++) w[i] = z + words[i];                                                     \
    for (int step = 16; step > 0; step /= 2)                                                                              \
        for (int i = 0; i + step < CLGRAD_##P##_WORDS; i++) w[i] = (first & step) != 0 ? w[i + step] : w[i];              \
    for (int i = 0; i < 3; i++) w[i] = w[i] * s + mul_hi(w[i + 1], s); /* shifts that LLVM makes no funnel of, which Oclgrind lacks */ \
    const u##I low = m * w[1], mid = low + mul_hi(m, w[2]), high = m * w[0] + mul_hi(m, w[1]) + (mid < low ? z + 1 : z);  \
    const u##I one = (z + 1) << F, f = high & (one - 1), up = f >> (F - 1); /* from 1/2 on it is that of q + 1 less 1 */  \
    const u##I fh = up == 1 ? one - f - (mid == 0 ? z : z + 1) : f, fl = up == 1 ? z - mid : mid;                         \
    const T y1 = clgrad_whole_##T(fh >> (F - M)) * CLGRAD_##P##_ULP, y2 = clgrad_whole_##T(fh & (((z + 1) << (F - M)) - 1)) * CLGRAD_##P##_ULP_F; \
    const T y3 = clgrad_whole_##T(fl >> (B - M)) * (CLGRAD_##P##_ULP * CLGRAD_##P##_ULP_F);                               \
    const T y4 = clgrad_whole_##T(fl & (((z + 1) << (B - M)) - 1)) * CLGRAD_##P##_ULP_BF;                                 \
    const T y = (y1 + (y2 + (y3 + y4))) * CLGRAD_##P##_HALF_PI, signed_y = up == 1 ? -y : y;                              \
    *r = x < INFINITY ? signed_y : (T)(NAN);                                                                              \
    return (high >> (B - 2)) + up;                                                                                        \
}

/* |x| = q pi/2 + r, by Cody & Waite where q has few enough bits. */
#define CLGRAD_CIRCULAR(P, T, I)                                                                                          \
static u##I clgrad_quadrant_##T(T x, T *r)                                                                                \
{                                                                                                                         \
    const T m = MULADD(x, (T)(CLGRAD_##P##_2_PI), (T)(CLGRAD_##P##_MAGIC)), q = m - CLGRAD_##P##_MAGIC;                   \
    const T y = CLGRAD_##P##_PI_2(T, q, x), low = y < -0.8f ? (T)(-0.8f) : y;                                             \
    u##I turns = as_u##I(m);                                                                                              \
    *r = low > 0.8f ? (T)(0.8f) : low;                                                                                    \
    if (any(x > CLGRAD_##P##_FAR ? (I)(-1) : (I)(0))) {                                                                   \
        T away;                                                                                                           \
        const u##I whole = clgrad_far_##T(x, &away);                                                                      \
        *r = x > CLGRAD_##P##_FAR ? away : *r;                                                                            \
        turns = x > CLGRAD_##P##_FAR ? whole : turns;                                                                     \
    }                                                                                                                     \
    return turns;                                                                                                         \
}                                                                                                                         \
/* sin(q pi/2 + r), the sign bit of `sign` flipping the result. */                                                        \
static T clgrad_wave_##T(u##I q, T r, u##I sign)                                                                          \
{                                                                                                                         \
    const T z = r * r, s = MULADD(r * z, CLGRAD_##P##_SIN(T, z), r);                                                      \
    const T c = MULADD(z * z, CLGRAD_##P##_COS(T, z), 1.0f - 0.5f * z);                                                   \
    const T y = (q & 1) == 1 ? c : s;                                                                                     \
    return as_##T(as_u##I(y) ^ (((q & 2) << CLGRAD_##P##_SIGN_SHIFT) ^ (sign & CLGRAD_##P##_SIGN)));                       \
}                                                                                                                         \
static T clgrad_sin_##T(T x)                                                                                              \
{                                                                                                                         \
    T r;                                                                                                                  \
    const u##I q = clgrad_quadrant_##T(clgrad_abs_##T(x), &r);                                                            \
    return clgrad_wave_##T(q, r, as_u##I(x));                                                                             \
}                                                                                                                         \
static T clgrad_cos_##T(T x)                                                                                              \
{                                                                                                                         \
    T r;                                                                                                                  \
    const u##I q = clgrad_quadrant_##T(clgrad_abs_##T(x), &r);                                                            \
    return clgrad_wave_##T(q + 1, r, q ^ q);                                                                              \
}

/* erf: x + x ERF(x^2) below 0.925, else 1 - e^-(t + t ERFC(t)). tanh: x + x^3 TANH(x^2) below 0.625, else 1 - 2 / (e^2t + 1). */
#define CLGRAD_SIGMOIDAL(P, T, I)                                                                                         \
static T clgrad_erf_##T(T x)                                                                                              \
{                                                                                                                         \
    const T a = clgrad_abs_##T(x), z = x * x, t = a > CLGRAD_##P##_ERF_MAX ? (T)(CLGRAD_##P##_ERF_MAX) : a;               \
    const T small = MULADD(x, CLGRAD_##P##_ERF(T, z), x);                                                                 \
    const T large = 1.0f - clgrad_exp_near_##T(-MULADD(t, CLGRAD_##P##_ERFC(T, t), t));                                   \
    return clgrad_signed_##T(a < 0.925f ? small : large, x);                                                              \
}                                                                                                                         \
static T clgrad_tanh_##T(T x)                                                                                             \
{                                                                                                                         \
    const T a = clgrad_abs_##T(x), z = x * x, t = a > CLGRAD_##P##_TANH_MAX ? (T)(CLGRAD_##P##_TANH_MAX) : a;             \
    const T small = MULADD(x * z, CLGRAD_##P##_TANH(T, z), x);                                                            \
    const T large = 1.0f - 2.0f / (clgrad_exp_near_##T(2.0f * t) + 1.0f);                                                 \
    return clgrad_signed_##T(a < 0.625f ? small : large, x);                                                              \
}                                                                                                                         \
static T clgrad_sigmoid_##T(T x)                                                                                          \
{                                                                                                                         \
    const T e = clgrad_exp_##T(-clgrad_abs_##T(x));                                                                       \
    return (x < 0 ? e : (T)(1)) / (1.0f + e);                                                                             \
}

/* x^y = 2^(y log2 x), log2 |x| in two parts from s = (m - 1) / (m + 1): ln m = (2/3) s (3 + s^2 + s^4 POW(s^2)). The products
 * that matter are of halves, hence exact without fma (Sun's e_pow). Special cases as in C99, in the order of the selects. */
#define CLGRAD_POWER(P, T, I)                                                                                             \
static T clgrad_log2_parts_##T(T x, T *low)                                                                               \
{                                                                                                                         \
    T n;                                                                                                                  \
    const T m = clgrad_log_split_##T(x < CLGRAD_##P##_NORMAL ? x * CLGRAD_##P##_GROW : x, &n);                            \
    n = x < CLGRAD_##P##_NORMAL ? n - CLGRAD_##P##_BITS : n;                                                              \
    const T u = m - 1.0f, v = 1.0f / (m + 1.0f), s = u * v;                                                               \
    const T dh = clgrad_high_##T(m + 1.0f), dl = m - (dh - 1.0f);                                                         \
    const T sh = clgrad_high_##T(s), sl = v * ((u - sh * dh) - sh * dl);                                                  \
    const T z = s * s, zh = sh * sh, r = z * z * CLGRAD_##P##_POW(T, z) + sl * (sh + s);                                  \
    const T th = clgrad_high_##T(3.0f + zh + r), tl = r - ((th - 3.0f) - zh);                                             \
    const T a = sh * th, b = sl * th + tl * s, ph = clgrad_high_##T(a + b), pl = b - (ph - a);                            \
    const T lh = ph * CLGRAD_##P##_LOG2_3_HI, ll = ph * CLGRAD_##P##_LOG2_3_LO + pl * CLGRAD_##P##_LOG2_3;                \
    const T h = clgrad_high_##T((lh + ll) + n);                                                                           \
    *low = ll - ((h - n) - lh);                                                                                           \
    return h;                                                                                                             \
}                                                                                                                         \
static T clgrad_exp2_parts_##T(T h, T l)                                                                                  \
{                                                                                                                         \
    const T z = h + l, over = (T)(CLGRAD_##P##_POW_MAX), under = (T)(CLGRAD_##P##_POW_MIN);                               \
    const T top = z > over ? over : (z < under ? under : h), rest = ((z > over) | (z < under)) ? (T)(0) : l;              \
    const T shifted = top + CLGRAD_##P##_MAGIC, n = shifted - CLGRAD_##P##_MAGIC;                                         \
    const T r = ((top - n) + rest) * CLGRAD_##P##_LN2;                                                                    \
    return clgrad_scale_##T(MULADD(r * r, CLGRAD_##P##_EXP(T, r), r) + 1.0f, shifted);                                    \
}                                                                                                                         \
static T clgrad_pow_##T(T x, T y)                                                                                         \
{                                                                                                                         \
    const T a = clgrad_abs_##T(x), limit = (T)(CLGRAD_##P##_POW_Y);                                                       \
    const T ya = y > limit ? limit : (y < -limit ? -limit : y), yh = clgrad_high_##T(ya), yl = ya - yh;                   \
    T low;                                                                                                                \
    const T high = clgrad_log2_parts_##T(a, &low);                                                                        \
    const T p = clgrad_exp2_parts_##T(yh * high, yl * high + ya * low);                                                   \
    const T ends = (a < 1) == (y > 0) ? (T)(0) : (T)(INFINITY);                                                           \
    const T size = ((a == 0) | (a == INFINITY)) ? ends : p;                                                               \
    const T odd = ((floor(y) == y) & (floor(0.5f * y) * 2.0f != y)) ? x : (T)(1);                                         \
    const T value = clgrad_signed_##T(size, odd);                                                                         \
    const T real = ((x < 0) & (a < INFINITY) & (floor(y) != y)) ? (T)(NAN) : value;                                       \
    const T known = ((x != x) | (y != y)) ? x + y : real;                                                                 \
    return ((y == 0) | (x == 1)) ? (T)(1) : known;                                                                        \
}

/* Box & Muller 1958 from two uniforms that are multiples of 2^-24 in (0, 1): radius from u1, and of the angle 2 pi u2 the cosine, where
 * `odd` is 1 the sine. The angle is reduced exactly: 4 u2 = q + f, |f| <= 1/2. */
#define CLGRAD_NORMAL(P, T, I)                                                                                            \
static T clgrad_normal_##T(T u1, T u2, u##I odd)                                                                          \
{                                                                                                                         \
    const T shifted = 4.0f * u2 + CLGRAD_F32_MAGIC, f = 4.0f * u2 - (shifted - CLGRAD_F32_MAGIC);                         \
    const T angle = f * 0x1.921fb6p+0f, radius = sqrt(-2.0f * clgrad_log_##T(u1));                                        \
    return radius * clgrad_wave_##T(as_u##I(shifted) + (1 - odd), angle, odd ^ odd);                                      \
}
