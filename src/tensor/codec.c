/* Storage codecs on bit patterns alone, so that host and device agree whatever the C library or driver does with halves. */

#include "tensor/tensor.h"

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* `bits` without its lowest `drop` bits, rounded to nearest, ties to even. */
static uint32_t round_shift(uint32_t bits, uint32_t drop)
{
    const uint32_t half = 1u << (drop - 1), rest = bits & (2 * half - 1);
    const uint32_t kept = bits >> drop;
    return kept + (rest > half || (rest == half && (kept & 1)));
}

/* Keeps the top of a NaN's payload, so that every code decodes and encodes to itself. */
static uint16_t f16_nan(uint32_t mantissa) { return (uint16_t)(0x7c00 | (mantissa >> 13 ? mantissa >> 13 : 0x200)); }

static uint16_t f16_magnitude(uint32_t bits)
{
    const uint32_t exponent = bits >> 23, mantissa = bits & 0x7fffff;
    if (exponent == 255 && mantissa) return f16_nan(mantissa);
    if (exponent > 142) return 0x7c00;                                    /* 2^16 and more, infinity */
    if (exponent > 112) return (uint16_t)round_shift(bits - (112u << 23), 13); /* may carry into infinity, as it should */
    if (exponent < 102) return 0;                                         /* below half the smallest subnormal */
    return (uint16_t)round_shift(mantissa | 0x800000, 126 - exponent);    /* units of 2^-24 */
}

uint16_t clgrad_f16_encode(float value)
{
    const uint32_t bits = float_bits(value);
    return (uint16_t)((bits >> 16 & 0x8000) | f16_magnitude(bits & 0x7fffffff));
}

float clgrad_f16_decode(uint16_t code)
{
    const uint32_t sign = (uint32_t)(code & 0x8000) << 16, magnitude = code & 0x7fff;
    if (magnitude >= 0x7c00) return bits_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    if (magnitude >= 0x400) return bits_float(sign | ((magnitude << 13) + (112u << 23)));
    return bits_float(sign | float_bits((float)magnitude * 0x1p-24f)); /* subnormals and zero: exact */
}

uint16_t clgrad_bf16_encode(float value)
{
    const uint32_t bits = float_bits(value), magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(bits >> 16 | (magnitude < 0x7f810000 ? 1 : 0)); /* stay a NaN */
    return (uint16_t)round_shift(bits, 16);
}

float clgrad_bf16_decode(uint16_t code) { return bits_float((uint32_t)code << 16); }
