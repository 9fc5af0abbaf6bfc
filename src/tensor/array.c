#include "tensor/tensor.h"

enum { SMALLEST_BLOCK = 64 };

clgrad_status clgrad_array_create(clgrad_context *ctx, clgrad_dtype dtype, clgrad_shape shape, clgrad_array *out)
{
    int64_t count = 0;
    *out = (clgrad_array){ .dtype = dtype };
    if (!clgrad_dtype_bytes(dtype)) return clgrad_fail(ctx, CLGRAD_E_DTYPE, "array: element type %d is none", (int)dtype);
    CLGRAD_TRY(clgrad_shape_check(ctx, &shape, "array", &count));
    const size_t bytes = (size_t)count * clgrad_dtype_bytes(dtype);
    void *data = clgrad_alloc(ctx, bytes < SMALLEST_BLOCK ? SMALLEST_BLOCK : bytes, 1);
    if (!data) return CLGRAD_E_MEMORY;
    *out = (clgrad_array){ dtype, shape, data };
    return CLGRAD_OK;
}

void clgrad_array_release(clgrad_context *ctx, clgrad_array *array)
{
    clgrad_free(ctx, array->data);
    *array = (clgrad_array){ .dtype = array->dtype };
}

size_t clgrad_array_bytes(const clgrad_array *array)
{
    return (size_t)clgrad_shape_count(&array->shape) * clgrad_dtype_bytes(array->dtype);
}

double clgrad_array_get(const clgrad_array *array, int64_t i)
{
    double value = 0;
    clgrad_convert(CLGRAD_F64, &value, array->dtype,
                   (const char *)array->data + (size_t)i * clgrad_dtype_bytes(array->dtype), 1);
    return value;
}

void clgrad_array_set(clgrad_array *array, int64_t i, double value)
{
    clgrad_convert(array->dtype, (char *)array->data + (size_t)i * clgrad_dtype_bytes(array->dtype), CLGRAD_F64, &value, 1);
}
