#include "tensor/tensor.h"

enum { SMALLEST_BUFFER = 64 }; /* an empty tensor still has memory, so that kernels may be given it */

static clgrad_context *context_of(const clgrad_tensor *t) { return clgrad_device_get_context(clgrad_tensor_device(t)); }

static clgrad_status check_type(clgrad_device *dev, clgrad_dtype dtype)
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    if (!clgrad_dtype_bytes(dtype)) return clgrad_fail(ctx, CLGRAD_E_DTYPE, "tensor: element type %d is none", (int)dtype);
    if (dtype == CLGRAD_F64 && !clgrad_device_get_info(dev)->fp64)
        return clgrad_fail(ctx, CLGRAD_E_DTYPE, "tensor: f64 is not supported by the device %s",
                           clgrad_device_get_info(dev)->name);
    return CLGRAD_OK;
}

static clgrad_status check_room(clgrad_device *dev, clgrad_dtype dtype, const clgrad_shape *shape, size_t bytes)
{
    char text[CLGRAD_SHAPE_TEXT];
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    if (bytes <= info->allocation_bytes) return CLGRAD_OK;
    return clgrad_fail(clgrad_device_get_context(dev), CLGRAD_E_MEMORY,
                       "tensor: %s %s needs %zu bytes, more than the %llu that the device %s allows in one allocation",
                       clgrad_dtype_name(dtype), clgrad_shape_text(shape, text), bytes,
                       (unsigned long long)info->allocation_bytes, info->name);
}

clgrad_status clgrad_tensor_over(clgrad_buffer *buffer, int64_t offset, clgrad_dtype dtype, clgrad_shape shape,
                                 clgrad_tensor **out)
{
    clgrad_context *ctx = clgrad_device_get_context(clgrad_buffer_device(buffer));
    int64_t count = 0, end = 0;
    char text[CLGRAD_SHAPE_TEXT];
    *out = NULL;
    CLGRAD_TRY(check_type(clgrad_buffer_device(buffer), dtype));
    CLGRAD_TRY(clgrad_shape_check(ctx, &shape, "tensor", &count));
    const int64_t room = (int64_t)(clgrad_buffer_bytes(buffer) / clgrad_dtype_bytes(dtype));
    if (offset < 0 || !clgrad_add_i64(offset, count, &end) || end > room)
        return clgrad_fail(ctx, CLGRAD_E_SHAPE, "tensor: %s at element %lld does not lie within %lld elements",
                           clgrad_shape_text(&shape, text), (long long)offset, (long long)room);
    clgrad_tensor *t = clgrad_alloc(ctx, 1, sizeof *t);
    if (!t) return CLGRAD_E_MEMORY;
    *t = (clgrad_tensor){ 1, clgrad_buffer_retain(buffer), offset, dtype, shape };
    *out = t;
    return CLGRAD_OK;
}

clgrad_status clgrad_tensor_create(clgrad_device *dev, clgrad_dtype dtype, clgrad_shape shape, clgrad_tensor **out)
{
    clgrad_buffer *buffer = NULL;
    int64_t count = 0;
    *out = NULL;
    CLGRAD_TRY(check_type(dev, dtype));
    CLGRAD_TRY(clgrad_shape_check(clgrad_device_get_context(dev), &shape, "tensor", &count));
    const size_t bytes = (size_t)count * clgrad_dtype_bytes(dtype);
    CLGRAD_TRY(check_room(dev, dtype, &shape, bytes));
    CLGRAD_TRY(clgrad_buffer_create(dev, bytes < SMALLEST_BUFFER ? SMALLEST_BUFFER : bytes, &buffer));
    const clgrad_status status = clgrad_tensor_over(buffer, 0, dtype, shape, out);
    clgrad_buffer_release(&buffer);
    return status;
}

clgrad_status clgrad_tensor_create_from(clgrad_device *dev, clgrad_dtype dtype, clgrad_shape shape, const void *data,
                                        size_t bytes, clgrad_tensor **out)
{
    clgrad_tensor *t = NULL;
    *out = NULL;
    CLGRAD_TRY(clgrad_tensor_create(dev, dtype, shape, &t));
    const clgrad_status status = clgrad_tensor_write(t, data, bytes);
    if (status == CLGRAD_OK) *out = t;
    else clgrad_tensor_release(&t);
    return status;
}

clgrad_status clgrad_tensor_view(clgrad_tensor *base, int64_t offset, clgrad_shape shape, clgrad_tensor **out)
{
    char text[CLGRAD_SHAPE_TEXT], base_text[CLGRAD_SHAPE_TEXT];
    int64_t count = 0, end = 0;
    *out = NULL;
    CLGRAD_TRY(clgrad_shape_check(context_of(base), &shape, "view", &count));
    if (offset < 0 || !clgrad_add_i64(offset, count, &end) || end > clgrad_shape_count(&base->shape))
        return clgrad_fail(context_of(base), CLGRAD_E_SHAPE, "view: %s at element %lld does not lie within the tensor %s",
                           clgrad_shape_text(&shape, text), (long long)offset, clgrad_shape_text(&base->shape, base_text));
    return clgrad_tensor_over(base->buffer, base->offset + offset, base->dtype, shape, out);
}

clgrad_tensor *clgrad_tensor_retain(clgrad_tensor *t)
{
    if (t) t->refs++;
    return t;
}

void clgrad_tensor_release(clgrad_tensor **address)
{
    clgrad_tensor *t = *address;
    *address = NULL;
    if (!t || --t->refs > 0) return;
    /* The buffer may hold the last reference to the device, and through it to the context. */
    clgrad_context *ctx = clgrad_context_retain(context_of(t));
    clgrad_buffer_release(&t->buffer);
    clgrad_free(ctx, t);
    clgrad_context_release(&ctx);
}

clgrad_dtype clgrad_tensor_dtype(const clgrad_tensor *t) { return t->dtype; }

clgrad_shape clgrad_tensor_shape(const clgrad_tensor *t) { return t->shape; }

size_t clgrad_tensor_bytes(const clgrad_tensor *t)
{
    return (size_t)clgrad_shape_count(&t->shape) * clgrad_dtype_bytes(t->dtype);
}

clgrad_device *clgrad_tensor_device(const clgrad_tensor *t) { return clgrad_buffer_device(t->buffer); }

static size_t start_of(const clgrad_tensor *t) { return (size_t)t->offset * clgrad_dtype_bytes(t->dtype); }

static clgrad_status check_bytes(const clgrad_tensor *t, const char *operation, size_t bytes)
{
    char text[CLGRAD_SHAPE_TEXT];
    if (bytes == clgrad_tensor_bytes(t)) return CLGRAD_OK;
    return clgrad_fail(context_of(t), CLGRAD_E_ARG, "%s: %zu bytes given, the tensor %s %s has %zu", operation, bytes,
                       clgrad_dtype_name(t->dtype), clgrad_shape_text(&t->shape, text), clgrad_tensor_bytes(t));
}

clgrad_status clgrad_tensor_write(clgrad_tensor *t, const void *data, size_t bytes)
{
    CLGRAD_TRY(check_bytes(t, "tensor write", bytes));
    return bytes ? clgrad_buffer_write(t->buffer, start_of(t), data, bytes) : CLGRAD_OK;
}

clgrad_status clgrad_tensor_read(clgrad_tensor *t, void *data, size_t bytes)
{
    CLGRAD_TRY(check_bytes(t, "tensor read", bytes));
    return bytes ? clgrad_buffer_read(t->buffer, start_of(t), data, bytes) : CLGRAD_OK;
}

clgrad_status clgrad_tensor_fill(clgrad_tensor *t, double value)
{
    unsigned char pattern[8];
    const size_t bytes = clgrad_tensor_bytes(t);
    if (!bytes) return CLGRAD_OK;
    clgrad_convert(t->dtype, pattern, CLGRAD_F64, &value, 1);
    return clgrad_buffer_fill(t->buffer, start_of(t), bytes, pattern, clgrad_dtype_bytes(t->dtype));
}

clgrad_status clgrad_tensor_copy(clgrad_tensor *dst, clgrad_tensor *src)
{
    char dst_text[CLGRAD_SHAPE_TEXT], src_text[CLGRAD_SHAPE_TEXT];
    const size_t bytes = clgrad_tensor_bytes(src), from = start_of(src), to = start_of(dst);
    if (dst->dtype != src->dtype)
        return clgrad_fail(context_of(dst), CLGRAD_E_DTYPE, "tensor copy: the source is %s, the destination %s",
                           clgrad_dtype_name(src->dtype), clgrad_dtype_name(dst->dtype));
    if (bytes != clgrad_tensor_bytes(dst))
        return clgrad_fail(context_of(dst), CLGRAD_E_SHAPE, "tensor copy: the source is %s, the destination %s",
                           clgrad_shape_text(&src->shape, src_text), clgrad_shape_text(&dst->shape, dst_text));
    if (clgrad_tensor_device(dst) != clgrad_tensor_device(src))
        return clgrad_fail(context_of(dst), CLGRAD_E_ARG, "tensor copy: source and destination are on different devices");
    if (!bytes || (dst->buffer == src->buffer && from == to)) return CLGRAD_OK;
    if (dst->buffer == src->buffer && from < to + bytes && to < from + bytes)
        return clgrad_fail(context_of(dst), CLGRAD_E_ARG, "tensor copy: source and destination overlap");
    return clgrad_buffer_copy(dst->buffer, to, src->buffer, from, bytes);
}
