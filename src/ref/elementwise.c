/* Leaves and element-wise nodes. Real formulas are column `ref` of ops.def; integers, types and random numbers are here. */

#include "ref/run.h"

#include <math.h>

static void iota(const clgrad_ref_job *job)
{
    const clgrad_shape *shape = &job->node->shape;
    const int64_t n = shape->dims[job->node->attr.axis], inner = clgrad_ref_extent(shape, job->node->attr.axis + 1, shape->rank);
    for (int64_t i = 0; i < job->count; i++) job->out[i].integer = i / inner % n;
}

static void constant(const clgrad_ref_job *job)
{
    clgrad_ref_cell value;
    if (job->real)
        value.real = job->node->attr.value;
    else
        value.integer = job->node->attr.integer;
    for (int64_t i = 0; i < job->count; i++) job->out[i] = value;
    clgrad_ref_finish(job);
}

clgrad_status clgrad_ref_leaf(const clgrad_ref_job *job)
{
    if (job->node->op == CLGRAD_OP_INPUT) {
        const clgrad_array *given = &job->run->inputs[job->node->attr.integer];
        clgrad_convert(job->real ? CLGRAD_F64 : CLGRAD_I64, job->out, given->dtype, given->data, (size_t)job->count);
    } else if (job->node->op == CLGRAD_OP_CONST) {
        constant(job);
    } else {
        iota(job);
    }
    return CLGRAD_OK;
}

/* Unsigned arithmetic where a result may wrap: signed overflow is undefined in C. */
static int64_t map_integer(clgrad_op op, int64_t a, int64_t b)
{
    const uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case CLGRAD_OP_NEG: return (int64_t)(0 - ua);
    case CLGRAD_OP_ABS: return a < 0 ? (int64_t)(0 - ua) : a;
    case CLGRAD_OP_SIGN: return (a > 0) - (a < 0);
    case CLGRAD_OP_ADD: return (int64_t)(ua + ub);
    case CLGRAD_OP_SUB: return (int64_t)(ua - ub);
    case CLGRAD_OP_MUL: return (int64_t)(ua * ub);
    case CLGRAD_OP_MAX: return a > b ? a : b;
    case CLGRAD_OP_MIN: return a < b ? a : b;
    case CLGRAD_OP_EQ: return a == b;
    case CLGRAD_OP_NE: return a != b;
    case CLGRAD_OP_LT: return a < b;
    case CLGRAD_OP_LE: return a <= b;
    case CLGRAD_OP_GT: return a > b;
    case CLGRAD_OP_GE: return a >= b;
    default: return a; /* STOP */
    }
}

static void map_formula(const clgrad_ref_job *job)
{
    const clgrad_op op = job->node->op;
    const bool real_operands = clgrad_dtype_is_real(clgrad_ref_operand(job, 0)->dtype), binary = job->node->num_in == 2;
    const clgrad_ref_cell *a = clgrad_ref_cells(job, 0), *b = clgrad_ref_cells(job, binary ? 1 : 0);
    for (int64_t i = 0; i < job->count; i++) {
        if (!real_operands)
            job->out[i].integer = map_integer(op, a[i].integer, b[i].integer);
        else if (job->real)
            job->out[i].real = job->arithmetic->map(op, a[i].real, b[i].real);
        else
            job->out[i].integer = job->arithmetic->map(op, a[i].real, b[i].real) != 0;
    }
    clgrad_ref_finish(job);
}

static void map_select(const clgrad_ref_job *job)
{
    const clgrad_ref_cell *c = clgrad_ref_cells(job, 0), *a = clgrad_ref_cells(job, 1), *b = clgrad_ref_cells(job, 2);
    for (int64_t i = 0; i < job->count; i++) job->out[i] = c[i].integer != 0 ? a[i] : b[i];
}

/* Truncated and saturated; NaN gives 0. The limits of i64 and i32 are powers of two, hence exact in double. */
static int64_t real_to_integer(clgrad_dtype dtype, double value)
{
    const int64_t low = dtype == CLGRAD_I64 ? INT64_MIN : dtype == CLGRAD_I32 ? INT32_MIN : 0;
    const int64_t high = dtype == CLGRAD_I64 ? INT64_MAX : dtype == CLGRAD_I32 ? INT32_MAX : UINT8_MAX;
    if (isnan(value)) return 0;
    if (value <= (double)low) return low;
    return value >= (double)high ? high : (int64_t)value;
}

/* To a storage type by way of f32, as the device does. */
static void map_cast(const clgrad_ref_job *job)
{
    const clgrad_ref_cell *a = clgrad_ref_cells(job, 0);
    const bool from_real = clgrad_dtype_is_real(clgrad_ref_operand(job, 0)->dtype);
    const bool narrow = job->run->mode != CLGRAD_REF_F64 && job->node->dtype != CLGRAD_F64;
    for (int64_t i = 0; i < job->count; i++) {
        if (!job->real)
            job->out[i].integer = from_real ? real_to_integer(job->node->dtype, a[i].real) : a[i].integer;
        else if (from_real)
            job->out[i].real = a[i].real;
        else
            job->out[i].real = narrow ? (double)(float)a[i].integer : (double)a[i].integer;
    }
    clgrad_ref_finish(job);
}

static double draw(const clgrad_ref_job *job, uint64_t seed, uint64_t hi, uint64_t lo)
{
    const uint32_t stream = job->node->attr.stream;
    if (job->node->attr.kind == CLGRAD_RANDOM_UNIFORM) return clgrad_random_uniform(seed, stream, hi, lo);
    const double u1 = clgrad_random_uniform(seed, stream, hi, lo & ~(uint64_t)1);
    const double u2 = clgrad_random_uniform(seed, stream, hi, lo | 1);
    return job->arithmetic->normal(u1, u2, lo & 1);
}

static void map_random(const clgrad_ref_job *job)
{
    const clgrad_ref_cell *seed = clgrad_ref_cells(job, 0), *hi = clgrad_ref_cells(job, 1), *lo = clgrad_ref_cells(job, 2);
    for (int64_t i = 0; i < job->count; i++)
        job->out[i].real = draw(job, (uint64_t)seed[i].integer, (uint64_t)hi[i].integer, (uint64_t)lo[i].integer);
}

clgrad_status clgrad_ref_map(const clgrad_ref_job *job)
{
    switch (job->node->op) {
    case CLGRAD_OP_SELECT: map_select(job); break;
    case CLGRAD_OP_CAST: map_cast(job); break;
    case CLGRAD_OP_RANDOM: map_random(job); break;
    default: map_formula(job); break;
    }
    return CLGRAD_OK;
}
