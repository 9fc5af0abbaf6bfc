#include "optim/scaling.h"

clgrad_node clgrad_scaling_field(clgrad_graph *g, clgrad_node scaling, int64_t field)
{
    const int64_t one = 1;
    return clgrad_reshape(g, clgrad_slice(g, scaling, &field, &one, NULL), CLGRAD_SCALAR);
}

static clgrad_node real(clgrad_graph *g, double value) { return clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, value); }

clgrad_node clgrad_scaling_next(clgrad_graph *g, clgrad_node scaling, clgrad_node fine, clgrad_node window)
{
    const clgrad_node scale = clgrad_scaling_field(g, scaling, CLGRAD_SCALING_SCALE);
    const clgrad_node inverse = clgrad_scaling_field(g, scaling, CLGRAD_SCALING_INVERSE);
    const clgrad_node good = clgrad_offset(g, clgrad_scaling_field(g, scaling, CLGRAD_SCALING_GOOD), 1);
    const clgrad_node one = real(g, 1), two = real(g, 2), half = real(g, 0.5), zero = real(g, 0);
    const clgrad_node full = clgrad_ge(g, good, window);
    const clgrad_node up = clgrad_select(g, clgrad_lt(g, scale, real(g, CLGRAD_SCALING_LARGEST)), two, one);
    const clgrad_node down = clgrad_select(g, clgrad_gt(g, scale, one), half, one);
    const clgrad_node factor = clgrad_select(g, fine, clgrad_select(g, full, up, one), down);
    const clgrad_node back = clgrad_select(g, clgrad_eq(g, factor, two), half, clgrad_select(g, clgrad_eq(g, factor, half), two, one));
    const clgrad_node next[CLGRAD_SCALING_COUNT] = {
        [CLGRAD_SCALING_SCALE] = clgrad_mul(g, scale, factor),
        [CLGRAD_SCALING_INVERSE] = clgrad_mul(g, inverse, back),
        [CLGRAD_SCALING_GOOD] = clgrad_select(g, fine, clgrad_select(g, full, zero, good), zero),
    };
    clgrad_node parts[CLGRAD_SCALING_COUNT];
    for (size_t i = 0; i < CLGRAD_SCALING_COUNT; i++) parts[i] = clgrad_reshape(g, next[i], CLGRAD_SHAPE(1));
    return clgrad_concat(g, CLGRAD_SCALING_COUNT, parts, 0);
}
