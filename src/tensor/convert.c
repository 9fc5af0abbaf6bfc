/* Conversion between element types goes through blocks of doubles. A 64-bit integer or a double that a narrower type must
 * round is first rounded to odd, so that the last rounding is the only one that counts. */

#include "tensor/tensor.h"

enum { BLOCK = 256 };

/* The nearest double, or for more than 53 bits one that rounds to every narrower type as `value` itself does. */
static double double_from_i64(int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (magnitude >> 53) {
        const bool sticky = (magnitude & 0x7ff) != 0;
        magnitude = (magnitude & ~(uint64_t)0x7ff) | (sticky ? 0x800 : 0);
    }
    return value < 0 ? -(double)magnitude : (double)magnitude;
}

/* A float that rounds to f16 and bf16 as `value` itself does: the truncated one with its last bit set when inexact. */
static float float_to_odd(double value)
{
    float nearest = (float)value;
    if ((double)nearest == value || value != value) return nearest;
    uint32_t bits;
    memcpy(&bits, &nearest, sizeof bits);
    const double n = nearest;
    if (value < 0 ? n < value : n > value) bits--;
    bits |= 1;
    memcpy(&nearest, &bits, sizeof nearest);
    return nearest;
}

static int64_t truncate_to(double value, int64_t low, int64_t high)
{
    if (value != value) return 0;
    if (value <= (double)low) return low;
    if (value >= (double)high) return high; /* (double)INT64_MAX is 2^63, the first value that does not fit */
    return (int64_t)value;
}

static void load(clgrad_dtype dtype, const void *src, size_t n, double *out)
{
    switch (dtype) {
    case CLGRAD_F32: for (size_t i = 0; i < n; i++) out[i] = ((const float *)src)[i]; break;
    case CLGRAD_F64: memcpy(out, src, n * sizeof *out); break;
    case CLGRAD_F16: for (size_t i = 0; i < n; i++) out[i] = clgrad_f16_decode(((const uint16_t *)src)[i]); break;
    case CLGRAD_BF16: for (size_t i = 0; i < n; i++) out[i] = clgrad_bf16_decode(((const uint16_t *)src)[i]); break;
    case CLGRAD_I32: for (size_t i = 0; i < n; i++) out[i] = ((const int32_t *)src)[i]; break;
    case CLGRAD_I64: for (size_t i = 0; i < n; i++) out[i] = double_from_i64(((const int64_t *)src)[i]); break;
    case CLGRAD_U8: for (size_t i = 0; i < n; i++) out[i] = ((const uint8_t *)src)[i]; break;
    default: memset(out, 0, n * sizeof *out); break;
    }
}

static void store(clgrad_dtype dtype, void *dst, size_t n, const double *in)
{
    switch (dtype) {
    case CLGRAD_F32: for (size_t i = 0; i < n; i++) ((float *)dst)[i] = (float)in[i]; break;
    case CLGRAD_F64: memcpy(dst, in, n * sizeof *in); break;
    case CLGRAD_F16: for (size_t i = 0; i < n; i++) ((uint16_t *)dst)[i] = clgrad_f16_encode(float_to_odd(in[i])); break;
    case CLGRAD_BF16: for (size_t i = 0; i < n; i++) ((uint16_t *)dst)[i] = clgrad_bf16_encode(float_to_odd(in[i])); break;
    case CLGRAD_I32: for (size_t i = 0; i < n; i++) ((int32_t *)dst)[i] = (int32_t)truncate_to(in[i], INT32_MIN, INT32_MAX); break;
    case CLGRAD_I64: for (size_t i = 0; i < n; i++) ((int64_t *)dst)[i] = truncate_to(in[i], INT64_MIN, INT64_MAX); break;
    case CLGRAD_U8: for (size_t i = 0; i < n; i++) ((uint8_t *)dst)[i] = (uint8_t)truncate_to(in[i], 0, UINT8_MAX); break;
    default: break;
    }
}

void clgrad_convert(clgrad_dtype dst_dtype, void *dst, clgrad_dtype src_dtype, const void *src, size_t count)
{
    const size_t dst_bytes = clgrad_dtype_bytes(dst_dtype), src_bytes = clgrad_dtype_bytes(src_dtype);
    if (dst_dtype == src_dtype) {
        if (count) memcpy(dst, src, count * dst_bytes);
        return;
    }
    if (src_dtype == CLGRAD_I64 && dst_dtype == CLGRAD_F64) {
        for (size_t i = 0; i < count; i++) ((double *)dst)[i] = (double)((const int64_t *)src)[i];
        return;
    }
    double block[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        const size_t n = count - done < BLOCK ? count - done : BLOCK;
        load(src_dtype, (const char *)src + done * src_bytes, n, block);
        store(dst_dtype, (char *)dst + done * dst_bytes, n, block);
    }
}
