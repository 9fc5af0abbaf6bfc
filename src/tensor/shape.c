#include "tensor/tensor.h"

#include <stdio.h>

clgrad_shape clgrad_shape_make(int32_t rank, const int64_t *dims)
{
    clgrad_shape shape = { .rank = rank };
    for (int32_t i = 0; i < rank && i < CLGRAD_MAX_RANK; i++) shape.dims[i] = dims[i];
    return shape;
}

bool clgrad_shape_equal(const clgrad_shape *a, const clgrad_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int32_t i = 0; i < a->rank && i < CLGRAD_MAX_RANK; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

/* An extent of 0 hides nothing: the others must still multiply without overflow, so that strides stay representable. */
int64_t clgrad_shape_count(const clgrad_shape *shape)
{
    int64_t product = 1;
    bool empty = false;
    if (shape->rank < 0 || shape->rank > CLGRAD_MAX_RANK) return -1;
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] < 0) return -1;
        if (shape->dims[i] == 0) empty = true;
        else if (!clgrad_mul_i64(product, shape->dims[i], &product)) return -1;
    }
    return empty ? 0 : product;
}

clgrad_status clgrad_shape_check(clgrad_context *ctx, const clgrad_shape *shape, const char *what, int64_t *count)
{
    char text[CLGRAD_SHAPE_TEXT];
    if (shape->rank < 0 || shape->rank > CLGRAD_MAX_RANK)
        return clgrad_fail(ctx, CLGRAD_E_SHAPE, "%s: rank %d is not within 0..%d", what, (int)shape->rank, CLGRAD_MAX_RANK);
    for (int32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0)
            return clgrad_fail(ctx, CLGRAD_E_SHAPE, "%s: extent %lld of axis %d is negative", what,
                               (long long)shape->dims[i], (int)i);
    const int64_t n = clgrad_shape_count(shape);
    if (n < 0 || n > INT64_MAX / 8)
        return clgrad_fail(ctx, CLGRAD_E_SHAPE, "%s: shape %s has more elements than fit", what,
                           clgrad_shape_text(shape, text));
    *count = n;
    return CLGRAD_OK;
}

const char *clgrad_shape_text(const clgrad_shape *shape, char *text)
{
    size_t used = (size_t)snprintf(text, CLGRAD_SHAPE_TEXT, "[");
    for (int32_t i = 0; i < shape->rank && i < CLGRAD_MAX_RANK; i++)
        used += (size_t)snprintf(text + used, CLGRAD_SHAPE_TEXT - used, i ? ", %lld" : "%lld", (long long)shape->dims[i]);
    snprintf(text + used, CLGRAD_SHAPE_TEXT - used, "]");
    return text;
}
