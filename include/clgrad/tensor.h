#pragma once

/** Element types, shapes and tensors: contiguous row-major arrays in device memory. */

#include "clgrad/device.h"

#ifdef __cplusplus
#include <initializer_list>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Element types. f16 and bf16 are storage types: arithmetic on them is done in f32 and rounded (nearest, ties to even). */
typedef enum clgrad_dtype {
    CLGRAD_F32,
    CLGRAD_F64, /* devices with probed fp64 only */
    CLGRAD_F16,
    CLGRAD_BF16,
    CLGRAD_I32,
    CLGRAD_I64,
    CLGRAD_U8, /* also the type of truth values: 0 or 1 */
    CLGRAD_DTYPE_COUNT
} clgrad_dtype;

enum { CLGRAD_MAX_RANK = 8 };

/** Row-major extents. rank 0 is one element; an extent of 0 is an empty tensor. Entries past rank are 0. */
typedef struct clgrad_shape {
    int32_t rank;
    int64_t dims[CLGRAD_MAX_RANK];
} clgrad_shape;

/** A shape of `rank` extents. What no tensor can have (rank over 8, a negative extent) is refused where it is used. */
CLGRAD_API clgrad_shape clgrad_shape_make(int32_t rank, const int64_t *dims);
#ifndef __cplusplus
/** CLGRAD_SHAPE(128, 784), CLGRAD_SCALAR. */
#define CLGRAD_SHAPE(...)                                                                       \
    clgrad_shape_make((int32_t)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]){ __VA_ARGS__ })
#else
extern "C++" inline clgrad_shape clgrad_shape_list(std::initializer_list<int64_t> dims)
{
    return clgrad_shape_make((int32_t)dims.size(), dims.begin());
}
#define CLGRAD_SHAPE(...) clgrad_shape_list({ __VA_ARGS__ })
#endif
#define CLGRAD_SCALAR clgrad_shape_make(0, NULL)

CLGRAD_API bool clgrad_shape_equal(const clgrad_shape *a, const clgrad_shape *b);
/** Product of the extents; 1 for rank 0. -1 when it does not fit or an extent is negative. */
CLGRAD_API int64_t clgrad_shape_count(const clgrad_shape *shape);

/** "f32", "bf16", ...; "?" for none. */
CLGRAD_API const char *clgrad_dtype_name(clgrad_dtype dtype);
/** 1, 2, 4 or 8; 0 for none. */
CLGRAD_API size_t clgrad_dtype_bytes(clgrad_dtype dtype);
/** f32, f64, f16, bf16. */
CLGRAD_API bool clgrad_dtype_is_real(clgrad_dtype dtype);
/** Finds "f32"...; false when the name is none. */
CLGRAD_API bool clgrad_dtype_parse(const char *name, clgrad_dtype *out);

/** A contiguous row-major array in host memory; data is never NULL, aligned for any element type, and the context's. */
typedef struct clgrad_array {
    clgrad_dtype dtype;
    clgrad_shape shape;
    void *data;
} clgrad_array;

/** An array of zeros. CLGRAD_E_SHAPE, CLGRAD_E_DTYPE, CLGRAD_E_MEMORY: *out then holds no memory and may be released. */
CLGRAD_API clgrad_status clgrad_array_create(clgrad_context *ctx, clgrad_dtype dtype, clgrad_shape shape,
                                             clgrad_array *out);
/** Frees the data and leaves an array without any; one without any is accepted. */
CLGRAD_API void clgrad_array_release(clgrad_context *ctx, clgrad_array *array);
CLGRAD_API size_t clgrad_array_bytes(const clgrad_array *array);

typedef struct clgrad_tensor clgrad_tensor;

/**
 * A tensor with undefined content.
 *
 * CLGRAD_E_SHAPE   rank over 8, negative extents, a size that does not fit.
 * CLGRAD_E_DTYPE   f64 on a device without it; no element type.
 * CLGRAD_E_MEMORY  more than the device's largest allocation, or refused.
 */
CLGRAD_API clgrad_status clgrad_tensor_create(clgrad_device *dev, clgrad_dtype dtype, clgrad_shape shape,
                                              clgrad_tensor **out);
/** As create, then write: `data` is copied before the call returns; bytes must be count x size of dtype (CLGRAD_E_ARG). */
CLGRAD_API clgrad_status clgrad_tensor_create_from(clgrad_device *dev, clgrad_dtype dtype, clgrad_shape shape,
                                                   const void *data, size_t bytes, clgrad_tensor **out);
/** A tensor over `count(shape)` elements of base from element `offset`: shares memory with base and keeps it.
 *  CLGRAD_E_SHAPE: it does not lie within base. */
CLGRAD_API clgrad_status clgrad_tensor_view(clgrad_tensor *base, int64_t offset, clgrad_shape shape,
                                            clgrad_tensor **out);
CLGRAD_API clgrad_tensor *clgrad_tensor_retain(clgrad_tensor *t);
CLGRAD_API void clgrad_tensor_release(clgrad_tensor **t);

CLGRAD_API clgrad_dtype clgrad_tensor_dtype(const clgrad_tensor *t);
CLGRAD_API clgrad_shape clgrad_tensor_shape(const clgrad_tensor *t);
CLGRAD_API size_t clgrad_tensor_bytes(const clgrad_tensor *t);
CLGRAD_API clgrad_device *clgrad_tensor_device(const clgrad_tensor *t);

/** Copy all elements in; `data` may be reused at once. Over 64 MiB it waits instead of holding a copy.
 *  CLGRAD_E_ARG: bytes is not the tensor's size. CLGRAD_E_DEVICE: the driver refused; the content is undefined. */
CLGRAD_API clgrad_status clgrad_tensor_write(clgrad_tensor *t, const void *data, size_t bytes);
/** Copy all elements out, after waiting for the work before it. Errors as write; work before it may have failed, too. */
CLGRAD_API clgrad_status clgrad_tensor_read(clgrad_tensor *t, void *data, size_t bytes);
/** Set every element to value, converted to dtype. */
CLGRAD_API clgrad_status clgrad_tensor_fill(clgrad_tensor *t, double value);
/** dst = src, element by element in order; shapes may differ. CLGRAD_E_DTYPE, CLGRAD_E_SHAPE: another type or element count.
 *  CLGRAD_E_ARG: another device, or they overlap without being the same. */
CLGRAD_API clgrad_status clgrad_tensor_copy(clgrad_tensor *dst, clgrad_tensor *src);

/** Host-side conversions of `count` elements between any two element types, value by value; to integers truncate and
 *  saturate, NaN gives 0; to narrower reals round once, to nearest even. src and dst do not overlap. A type that is none
 *  reads as zeros and is not written. */
CLGRAD_API void clgrad_convert(clgrad_dtype dst_dtype, void *dst, clgrad_dtype src_dtype, const void *src, size_t count);

#ifdef __cplusplus
}
#endif
