/* clgrad-template 1 */
/* codec.cl -- storage codecs (f16, bf16) and counter-based random numbers, one text for scalars and vectors.
 *
 * use     As math.cl, this file only defines macros; a program instantiates, once per type:
 *             CLGRAD_CODEC(float16, int16, ushort16)     storage is ushort: load and store codes with vload16, vstore16
 *             CLGRAD_RANDOM(float16, int16, long16)      after CLGRAD_MATH_F32(float16, int16)
 * codec   T clgrad_f16_decode_T(ushortN code)   ushortN clgrad_f16_encode_T(T x)   T clgrad_f16_round_T(T x); bf16 likewise.
 *         Nearest, ties to even; every code decodes and encodes to itself. round is encode, then decode: what a node of a
 *         storage type does inside a fused kernel.
 * random  T clgrad_random_uniform_T(longN seed, longN hi, longN lo, uint stream), in (0, 1); clgrad_random_normal_T likewise.
 *         RANDOM nodes have seed, hi, lo as operands a, b, c. A normal takes the words of its pair (lo even: cosine, odd: sine).
 * bits    Those of the host's src/tensor/codec.c and random.c: integers, and float operations that are exact. Hence not
 *         vload_half and vstore_half, whose NaN codes and speed differ by driver. */

#define CLGRAD_CODEC(T, I, S)                                                                                             \
static T clgrad_f16_decode_##T(S code)                                                                                    \
{                                                                                                                         \
    const u##I bits = convert_u##I(code), magnitude = bits & 0x7fffu, sign = (bits & 0x8000u) << 16;                      \
    const u##I tiny = as_u##I(convert_##T(magnitude) * 0x1p-24f), wide = magnitude << 13;                                 \
    const u##I finite = magnitude < 0x400u ? tiny : wide + 0x38000000u;                                                   \
    return as_##T(sign | (magnitude < 0x7c00u ? finite : wide | 0x7f800000u));                                            \
}                                                                                                                         \
static S clgrad_f16_encode_##T(T x)                                                                                       \
{                                                                                                                         \
    const u##I bits = as_u##I(x), magnitude = bits & 0x7fffffffu, shifted = magnitude - 0x38000000u;                      \
    const u##I tiny = as_u##I(as_##T(magnitude) + 0.5f) - 0x3f000000u; /* the add rounds to units of 2^-24 */             \
    const u##I finite = magnitude < 0x38800000u ? tiny : (shifted + 0xfffu + ((shifted >> 13) & 1u)) >> 13;               \
    const u##I payload = (magnitude & 0x7fffffu) >> 13, nan = 0x7c00u | (payload == 0 ? (u##I)(0x200u) : payload);        \
    const u##I infinite = magnitude > 0x7f800000u ? nan : (u##I)(0x7c00u);                                                \
    return convert_##S(((bits >> 16) & 0x8000u) | (magnitude < 0x47800000u ? finite : infinite));                         \
}                                                                                                                         \
static T clgrad_bf16_decode_##T(S code) { return as_##T(convert_u##I(code) << 16); }                                      \
static S clgrad_bf16_encode_##T(T x)                                                                                      \
{                                                                                                                         \
    const u##I bits = as_u##I(x), magnitude = bits & 0x7fffffffu, high = bits >> 16;                                      \
    const u##I nan = high | (magnitude < 0x7f810000u ? (u##I)(1u) : (u##I)(0u));                                          \
    return convert_##S(magnitude > 0x7f800000u ? nan : (bits + 0x7fffu + (high & 1u)) >> 16);                             \
}                                                                                                                         \
static T clgrad_f16_round_##T(T x) { return clgrad_f16_decode_##T(clgrad_f16_encode_##T(x)); }                            \
static T clgrad_bf16_round_##T(T x) { return clgrad_bf16_decode_##T(clgrad_bf16_encode_##T(x)); }

/* Philox 4x32-10 (Salmon et al. 2011): counter {lo / 4, its high half ^ stream, hi, its high half}, key seed; word lo mod 4. */
#define CLGRAD_RANDOM(T, I, L)                                                                                            \
static void clgrad_philox_##T(u##I *c0, u##I *c1, u##I *c2, u##I *c3, u##I k0, u##I k1)                                   \
{                                                                                                                         \
    for (int round = 0; round < 10; round++) {                                                                            \
        const u##L a = convert_u##L(*c0) * 0xD2511F53ul, b = convert_u##L(*c2) * 0xCD9E8D57ul;                            \
        *c0 = convert_u##I(b >> 32) ^ *c1 ^ k0;                                                                           \
        *c1 = convert_u##I(b);                                                                                            \
        *c2 = convert_u##I(a >> 32) ^ *c3 ^ k1;                                                                           \
        *c3 = convert_u##I(a);                                                                                            \
        k0 += 0x9E3779B9u;                                                                                                \
        k1 += 0xBB67AE85u;                                                                                                \
    }                                                                                                                     \
}                                                                                                                         \
/* Words `first` and `second` (0..3) of lo's block, as uniforms. */                                                       \
static T clgrad_random_pair_##T(L seed, L hi, L lo, uint stream, u##I first, u##I second, T *other)                       \
{                                                                                                                         \
    const u##L key = as_u##L(seed), high = as_u##L(hi), block = as_u##L(lo) >> 2;                                         \
    u##I w0 = convert_u##I(block), w1 = convert_u##I(block >> 32) ^ stream;                                               \
    u##I w2 = convert_u##I(high), w3 = convert_u##I(high >> 32);                                                          \
    clgrad_philox_##T(&w0, &w1, &w2, &w3, convert_u##I(key), convert_u##I(key >> 32));                                    \
    const u##I x = first < 2 ? (first == 0 ? w0 : w1) : (first == 2 ? w2 : w3);                                           \
    const u##I y = second < 2 ? (second == 0 ? w0 : w1) : (second == 2 ? w2 : w3);                                        \
    *other = convert_##T(y >> 9) * 0x1p-23f + 0x1p-24f;                                                                   \
    return convert_##T(x >> 9) * 0x1p-23f + 0x1p-24f;                                                                     \
}                                                                                                                         \
static T clgrad_random_uniform_##T(L seed, L hi, L lo, uint stream)                                                       \
{                                                                                                                         \
    T unused;                                                                                                             \
    const u##I word = convert_u##I(as_u##L(lo)) & 3u;                                                                     \
    return clgrad_random_pair_##T(seed, hi, lo, stream, word, word, &unused);                                             \
}                                                                                                                         \
static T clgrad_random_normal_##T(L seed, L hi, L lo, uint stream)                                                        \
{                                                                                                                         \
    T u2;                                                                                                                 \
    const u##I word = convert_u##I(as_u##L(lo)) & 3u;                                                                     \
    const T u1 = clgrad_random_pair_##T(seed, hi, lo, stream, word & 2u, word | 1u, &u2);                                 \
    return clgrad_normal_##T(u1, u2, word & 1u);                                                                          \
}
