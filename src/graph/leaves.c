/* Constants, iota and random numbers. */

#include "graph/rules.h"

static bool dtype_known(clgrad_graph *g, clgrad_dtype dtype, const char *operation)
{
    if (g->status != CLGRAD_OK) return false;
    if ((unsigned)dtype < CLGRAD_DTYPE_COUNT) return true;
    clgrad_graph_fail(g, CLGRAD_E_DTYPE, "%s: %d is not an element type", operation, (int)dtype);
    return false;
}

clgrad_node clgrad_constant(clgrad_graph *g, clgrad_dtype dtype, clgrad_shape shape, double value)
{
    if (!dtype_known(g, dtype, "constant")) return CLGRAD_NONE;
    clgrad_attr attr = { 0 };
    uint64_t stored = 0;
    clgrad_convert(dtype, &stored, CLGRAD_F64, &value, 1);
    if (clgrad_dtype_is_real(dtype))
        clgrad_convert(CLGRAD_F64, &attr.value, dtype, &stored, 1);
    else
        clgrad_convert(CLGRAD_I64, &attr.integer, dtype, &stored, 1);
    return clgrad_graph_append(g, CLGRAD_OP_CONST, 0, NULL, &attr, dtype, &shape);
}

clgrad_node clgrad_constant_int(clgrad_graph *g, clgrad_dtype dtype, clgrad_shape shape, int64_t value)
{
    if (!dtype_known(g, dtype, "constant")) return CLGRAD_NONE;
    if (clgrad_dtype_is_real(dtype)) return clgrad_constant(g, dtype, shape, (double)value);
    clgrad_attr attr = { 0 };
    uint64_t stored = 0;
    clgrad_convert(dtype, &stored, CLGRAD_I64, &value, 1);
    clgrad_convert(CLGRAD_I64, &attr.integer, dtype, &stored, 1);
    if (attr.integer != value)
        return clgrad_graph_fail(g, CLGRAD_E_ARG, "constant: %lld does not fit in %s", (long long)value, clgrad_dtype_name(dtype));
    return clgrad_graph_append(g, CLGRAD_OP_CONST, 0, NULL, &attr, dtype, &shape);
}

clgrad_node clgrad_iota(clgrad_graph *g, clgrad_dtype dtype, clgrad_shape shape, int32_t axis)
{
    const clgrad_attr attr = { .axis = axis };
    return clgrad_graph_append(g, CLGRAD_OP_IOTA, 0, NULL, &attr, dtype, &shape);
}

static clgrad_node draw(clgrad_graph *g, const char *name, clgrad_random_kind kind, const clgrad_node counters[3], uint32_t stream)
{
    const clgrad_attr attr = { .kind = kind, .stream = stream };
    clgrad_node in[3] = { counters[0], counters[1], counters[2] };
    if (!clgrad_broadcast_all(g, name, 3, in)) return CLGRAD_NONE;
    return clgrad_graph_append(g, CLGRAD_OP_RANDOM, 3, in, &attr, CLGRAD_F32, NULL);
}

clgrad_node clgrad_random_uniform_node(clgrad_graph *g, clgrad_node seed, clgrad_node hi, clgrad_node lo, uint32_t stream)
{
    return draw(g, "random_uniform", CLGRAD_RANDOM_UNIFORM, (clgrad_node[]){ seed, hi, lo }, stream);
}

clgrad_node clgrad_random_normal_node(clgrad_graph *g, clgrad_node seed, clgrad_node hi, clgrad_node lo, uint32_t stream)
{
    return draw(g, "random_normal", CLGRAD_RANDOM_NORMAL, (clgrad_node[]){ seed, hi, lo }, stream);
}
