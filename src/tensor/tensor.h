#pragma once

/* Tensors as later rooms see them; host arrays; counter-based random numbers. */

#include "clgrad/tensor.h"
#include "device/device.h"

struct clgrad_tensor {
    size_t refs;
    clgrad_buffer *buffer;
    int64_t offset; /* elements from the buffer's start */
    clgrad_dtype dtype;
    clgrad_shape shape;
};

/* A tensor over an existing buffer (retained). */
clgrad_status clgrad_tensor_over(clgrad_buffer *buffer, int64_t offset, clgrad_dtype dtype, clgrad_shape shape,
                                 clgrad_tensor **out);

/* E_SHAPE with a sentence naming `what` unless shape is valid; *count gets the element count. */
clgrad_status clgrad_shape_check(clgrad_context *ctx, const clgrad_shape *shape, const char *what, int64_t *count);
/* "[128, 784]" into a caller's buffer of at least CLGRAD_SHAPE_TEXT bytes; returns text. */
enum { CLGRAD_SHAPE_TEXT = 200 };
const char *clgrad_shape_text(const clgrad_shape *shape, char *text);

/* One element of a host array as a double (i64 beyond 2^53 rounded), and back as clgrad_convert does. */
double clgrad_array_get(const clgrad_array *array, int64_t i);
void clgrad_array_set(clgrad_array *array, int64_t i, double value);

/* Storage codecs; the OpenCL twins are in cl/codec.cl. */
uint16_t clgrad_f16_encode(float value);
float clgrad_f16_decode(uint16_t code);
uint16_t clgrad_bf16_encode(float value);
float clgrad_bf16_decode(uint16_t code);

/* Philox 4x32-10 (Salmon et al. 2011): out = philox(counter, key). Known-answer vectors are in tests/tensor. */
void clgrad_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* The random word of (seed, stream, hi, lo): word lo mod 4 of philox({lo>>2 low, lo>>2 high ^ stream, hi low, hi high}, seed). */
uint32_t clgrad_random_bits(uint64_t seed, uint32_t stream, uint64_t hi, uint64_t lo);
/* In (0, 1): (bits >> 9) * 2^-23 + 2^-24, exact in f32. */
float clgrad_random_uniform(uint64_t seed, uint32_t stream, uint64_t hi, uint64_t lo);
/* A permutation of 0..n-1 (Fisher-Yates with rejection, Philox words); the same on every machine. */
void clgrad_random_permutation(uint64_t seed, uint32_t stream, uint64_t hi, uint32_t *out, uint32_t n);
