/* clgrad-template 1 */
/* constants.cl -- the numbers behind math.cl: limits, bit patterns and polynomials of f32 and f64. Only macros.
 *
 * source  Polynomials: Remez exchange in 50 digits for the relative error of the result, coefficients rounded one by one from
 *         the lowest, the rest refitted where that was better. CLGRAD_<P>_EXP(T, r): T is the type computed in. */

/* p * x^n + ... : Horner steps from the highest coefficient down. */
#define CLGRAD_H1(T, x, p, a) MULADD(p, x, (T)(a))
#define CLGRAD_H2(T, x, p, a, b) CLGRAD_H1(T, x, CLGRAD_H1(T, x, p, a), b)
#define CLGRAD_H3(T, x, p, a, b, c) CLGRAD_H1(T, x, CLGRAD_H2(T, x, p, a, b), c)
#define CLGRAD_H5(T, x, p, a, b, c, d, e) CLGRAD_H2(T, x, CLGRAD_H3(T, x, p, a, b, c), d, e)

/* What differs between the precisions. MAGIC: adding it leaves a rounded whole number in the low bits. */
#define CLGRAD_F32_BITS 23
#define CLGRAD_F32_BIAS 127
#define CLGRAD_F32_SIGN_SHIFT 30 /* bit 1 to the sign */
#define CLGRAD_F32_SIGN 0x80000000u
#define CLGRAD_F32_MANTISSA 0x7fffffu
#define CLGRAD_F32_HIGH 0xfffff000u /* clears the low half of the mantissa: products of two such are exact */
#define CLGRAD_F32_MAGIC 0x1.8p23f
#define CLGRAD_F32_MAGIC_BITS 0x4b400000u
#define CLGRAD_F32_SQRT_HALF 0x3f3504f3u /* bits of sqrt(1/2) */
#define CLGRAD_F32_NORMAL 0x1p-126f
#define CLGRAD_F32_GROW 0x1p23f
#define CLGRAD_F32_LOG2E 0x1.715476p+0f
#define CLGRAD_F32_LN2 0x1.62e43p-1f
#define CLGRAD_F32_LN2_HI 0x1.62e4p-1f /* times any exponent: exact */
#define CLGRAD_F32_LN2_LO 0x1.7f7d1cp-20f
#define CLGRAD_F32_LOG2_3 0x1.ec709ep-1f /* 2 / (3 ln 2), and in two parts */
#define CLGRAD_F32_LOG2_3_HI 0x1.ec8p-1f
#define CLGRAD_F32_LOG2_3_LO -0x1.ec478cp-14f
#define CLGRAD_F32_EXP_MAX 89.0f
#define CLGRAD_F32_EXP_MIN -104.0f
#define CLGRAD_F32_EXPM1_MIN -18.0f
#define CLGRAD_F32_TINY 0x1p-30f
#define CLGRAD_F32_TANH_MAX 10.0f
#define CLGRAD_F32_ERF_MAX 4.0f
#define CLGRAD_F32_POW_MAX 130.0f /* 2^130 overflows, */
#define CLGRAD_F32_POW_MIN -152.0f /* 2^-152 underflows, */
#define CLGRAD_F32_POW_Y 0x1p40f /* and so does x^y beyond for every x but 1 */
#define CLGRAD_F32_2_PI 0x1.45f306p-1f
#define CLGRAD_F32_EXP(T, r) CLGRAD_H2(T, r, CLGRAD_H2(T, r, (T)(0x1.6abf3ep-10f), 0x1.122e3ep-7f, 0x1.555796p-5f), \
    0x1.5554a8p-3f, 0x1.fffffep-2f)
#define CLGRAD_F32_LOG(T, z) CLGRAD_H2(T, z, (T)(0x1.31e10cp-2f), 0x1.995ed4p-2f, 0x1.55557ap-1f)
#define CLGRAD_F32_POW(T, z) CLGRAD_H2(T, z, (T)(0x1.67b9fp-2f), 0x1.b67bb8p-2f, 0x1.33338p-1f)
#define CLGRAD_F32_SIN(T, z) CLGRAD_H2(T, z, (T)(-0x1.991bdcp-13f), 0x1.1106c6p-7f, -0x1.555544p-3f)
#define CLGRAD_F32_COS(T, z) CLGRAD_H2(T, z, (T)(0x1.99e70ap-16f), -0x1.6c0c26p-10f, 0x1.55554ap-5f)
#define CLGRAD_F32_TANH(T, z) CLGRAD_H2(T, z, CLGRAD_H2(T, z, (T)(-0x1.750cfp-8f), 0x1.51f8cep-6f, -0x1.b835a4p-5f), \
    0x1.1106f6p-3f, -0x1.555532p-2f)
#define CLGRAD_F32_ERF(T, z) CLGRAD_H5(T, z, (T)(-0x1.399fa6p-11f), 0x1.47220ap-8f, -0x1.b687fp-6f, 0x1.ce1a4cp-4f, \
    -0x1.8126e6p-2f, 0x1.06eba6p-3f)
#define CLGRAD_F32_ERFC(T, t) CLGRAD_H5(T, t, (T)(-0x1.c05842p-13f), 0x1.a52e4cp-9f, -0x1.76f23ep-6f, 0x1.af1edcp-4f, \
    0x1.457da4p-1f, 0x1.0731a2p-3f)
/* Beyond FAR angles are reduced by words of 2 / pi. WHOLE makes a number of an integer of BITS bits. */
#define CLGRAD_F32_FAR 1e5f
#define CLGRAD_F32_WORD uint
#define CLGRAD_F32_WORD_BITS 32
#define CLGRAD_F32_WORDS 8
#define CLGRAD_F32_2_PI_WORDS 0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu
#define CLGRAD_F32_HALF_PI 0x1.921fb6p+0f
#define CLGRAD_F32_WHOLE 0x1p23f
#define CLGRAD_F32_WHOLE_BITS 0x4b000000u
#define CLGRAD_F32_ULP 0x1p-23f
#define CLGRAD_F32_ULP_F 0x1p-30f
#define CLGRAD_F32_ULP_BF 0x1p-62f
/* x - q pi/2: the parts have few bits, so that q times each is exact for q < 2^16, and all but the last cancel exactly. */
#define CLGRAD_F32_PI_2(T, q, x) MULADD(q, (T)(-0x1.84698ap-48f), MULADD(q, (T)(-0x1.ap-41f), MULADD(q, (T)(-0x1.08p-34f), \
    MULADD(q, (T)(-0x1.44p-24f), MULADD(q, (T)(-0x1.b4p-16f), MULADD(q, (T)(-0x1.ep-12f), MULADD(q, (T)(-0x1.92p+0f), x)))))))

#define CLGRAD_F64_BITS 52
#define CLGRAD_F64_BIAS 1023
#define CLGRAD_F64_SIGN_SHIFT 62
#define CLGRAD_F64_SIGN 0x8000000000000000ul
#define CLGRAD_F64_MANTISSA 0xffffffffffffful
#define CLGRAD_F64_HIGH 0xfffffffff8000000ul
#define CLGRAD_F64_MAGIC 0x1.8p52
#define CLGRAD_F64_MAGIC_BITS 0x4338000000000000ul
#define CLGRAD_F64_SQRT_HALF 0x3fe6a09e667f3bcdul
#define CLGRAD_F64_NORMAL 0x1p-1022
#define CLGRAD_F64_GROW 0x1p52
#define CLGRAD_F64_LOG2E 0x1.71547652b82fep+0
#define CLGRAD_F64_LN2 0x1.62e42fefa39efp-1
#define CLGRAD_F64_LN2_HI 0x1.62e42ffp-1
#define CLGRAD_F64_LN2_LO -0x1.718432a1b0e26p-35
#define CLGRAD_F64_LOG2_3 0x1.ec709dc3a03fdp-1
#define CLGRAD_F64_LOG2_3_HI 0x1.ec709ep-1
#define CLGRAD_F64_LOG2_3_LO -0x1.e2fe0145b01f5p-28
#define CLGRAD_F64_EXP_MAX 710.0
#define CLGRAD_F64_EXP_MIN -746.0
#define CLGRAD_F64_EXPM1_MIN -40.0
#define CLGRAD_F64_TINY 0x1p-60
#define CLGRAD_F64_TANH_MAX 20.0
#define CLGRAD_F64_ERF_MAX 6.0
#define CLGRAD_F64_POW_MAX 1030.0
#define CLGRAD_F64_POW_MIN -1080.0
#define CLGRAD_F64_POW_Y 0x1p70
#define CLGRAD_F64_2_PI 0x1.45f306dc9c883p-1
#define CLGRAD_F64_FAR 1e7
#define CLGRAD_F64_WORD ulong
#define CLGRAD_F64_WORD_BITS 64
#define CLGRAD_F64_WORDS 21
#define CLGRAD_F64_2_PI_WORDS 0ul, 0xa2f9836e4e441529ul, 0xfc2757d1f534ddc0ul, 0xdb6295993c439041ul, 0xfe5163abdebbc561ul, 0xb7246e3a424dd2e0ul, \
    0x06492eea09d1921cul, 0xfe1deb1cb129a73eul, 0xe88235f52ebb4484ul, 0xe99c7026b45f7e41ul, 0x3991d639835339f4ul, \
    0x9c845f8bbdf9283bul, 0x1ff897ffde05980ful, 0xef2f118b5a0a6d1ful, 0x6d367ecf27cb09b7ul, 0x4f463f669e5fea2dul, \
    0x7527bac7ebe5f17bul, 0x3d0739f78a5292eaul, 0x6bfb5fb11f8d5d08ul, 0x56033046fc7b6babul, 0xf0cfbc209af4361dul
#define CLGRAD_F64_HALF_PI 0x1.921fb54442d18p+0
#define CLGRAD_F64_WHOLE 0x1p52
#define CLGRAD_F64_WHOLE_BITS 0x4330000000000000ul
#define CLGRAD_F64_ULP 0x1p-52
#define CLGRAD_F64_ULP_F 0x1p-62
#define CLGRAD_F64_ULP_BF 0x1p-126
#define CLGRAD_F64_EXP(T, r) CLGRAD_H5(T, r, CLGRAD_H2(T, r, CLGRAD_H2(T, r, (T)(0x1.ae6cbc6fa50bbp-26), 0x1.28a1fd63d25b8p-22, \
    0x1.71de878a62306p-19), 0x1.a019a75314473p-16, 0x1.a01a017537ad2p-13), 0x1.6c16c17ee4865p-10, 0x1.1111111118f7ap-7, \
    0x1.5555555552297p-5, 0x1.5555555555539p-3, 0x1.0000000000005p-1)
#define CLGRAD_F64_LOG(T, z) CLGRAD_H3(T, z, CLGRAD_H3(T, z, (T)(0x1.2f05d01d0c6ecp-3), 0x1.39a1bb99e2a6dp-3, 0x1.74663e582377p-3, \
    0x1.c71c520f357e3p-3), 0x1.24924941e53dcp-2, 0x1.999999997fefcp-2, 0x1.5555555555592p-1)
#define CLGRAD_F64_POW(T, z) CLGRAD_H3(T, z, CLGRAD_H3(T, z, (T)(0x1.956953aab4484p-3), 0x1.973f500206788p-3, 0x1.d8ae67fc6cdc7p-3, \
    0x1.1745af5aa1e04p-2), 0x1.555555a23982fp-2, 0x1.b6db6db683832p-2, 0x1.3333333333465p-1)
#define CLGRAD_F64_SIN(T, z) CLGRAD_H5(T, z, (T)(0x1.5d8b5537db861p-33), -0x1.ae5e4b830791dp-26, 0x1.71de35552a7c4p-19, \
    -0x1.a01a019be920ep-13, 0x1.111111110f73p-7, -0x1.5555555555548p-3)
#define CLGRAD_F64_COS(T, z) CLGRAD_H5(T, z, (T)(-0x1.8fa5fcc65d72ap-37), 0x1.1ee9daed43c93p-29, -0x1.27e4f7f0834fcp-22, \
    0x1.a01a019c8e15p-16, -0x1.6c16c16c1500fp-10, 0x1.555555555554bp-5)
#define CLGRAD_F64_TANH(T, z) CLGRAD_H5(T, z, CLGRAD_H5(T, z, (T)(-0x1.0d983f2e6ba84p-16), 0x1.4389899f6a235p-14, \
    -0x1.df5225e58065cp-13, 0x1.3365a9e04e742p-11, -0x1.7d6893312324ap-10, 0x1.d6cf2680ca1p-9), -0x1.226e161fa723ep-7, \
    0x1.664f477a62ae4p-6, -0x1.ba1ba1b503ad8p-5, 0x1.111111110ac94p-3, -0x1.55555555554ffp-2)
#define CLGRAD_F64_ERF(T, z) CLGRAD_H1(T, z, CLGRAD_H5(T, z, CLGRAD_H5(T, z, (T)(-0x1.0700838f503ffp-30), 0x1.f494ddc42bc48p-27, \
    -0x1.5fd9098dec76ap-23, 0x1.ba0f38aa32b0dp-20, -0x1.f4d75ffc14a08p-17, 0x1.f9a37ee8e2f79p-14), -0x1.c02db7a4cc89p-11, \
    0x1.565bcd25ce65bp-8, -0x1.b82ce313354fbp-6, 0x1.ce2f21a045468p-4, -0x1.812746b037a22p-2), 0x1.06eba8214db69p-3)
#define CLGRAD_F64_ERFC(T, t) CLGRAD_H2(T, t, CLGRAD_H5(T, t, CLGRAD_H5(T, t, CLGRAD_H5(T, t, (T)(-0x1.e2bd6dbc09b85p-40), \
    0x1.4ab41ad39ff29p-34, -0x1.a877c411df616p-30, 0x1.52efa0a1f2353p-26, -0x1.78c214106b962p-23, 0x1.345c94fa86bdbp-20), \
    -0x1.7dcf950bbe9a9p-18, 0x1.6673ec72620b5p-16, -0x1.ec4df1e172096p-15, 0x1.a75d4c6755247p-14, -0x1.495dc2d24e43bp-17), \
    -0x1.27656c8f351b6p-11, 0x1.b8cf54739a71p-10, -0x1.ab64c6dd0cfap-13, -0x1.396ac67b7e004p-6, 0x1.a4f4cc464598cp-4), \
    0x1.45f309cd25fd7p-1, 0x1.06eba64148b4bp-3)
#define CLGRAD_F64_PI_2(T, q, x) MULADD(q, (T)(-0x1.701b839a25205p-92), MULADD(q, (T)(-0x1.313198ap-61), \
    MULADD(q, (T)(-0x1.10b46118p-30), MULADD(q, (T)(-0x1.921fb54p+0), x))))
