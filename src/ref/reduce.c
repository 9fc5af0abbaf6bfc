/* Reductions, scans and products, in the order that sums.h writes down. */

#include "ref/run.h"
#include "ref/sums.h"

#include <math.h>

/* The two halves of a reduction's index space: a walk over the kept axes, and one over the reduced axes from each of them. */
typedef struct halves {
    clgrad_ref_walk kept, reduced;
    int64_t num_reduced, first_extent; /* first_extent: of the first reduced axis */
} halves;

static halves split_axes(const clgrad_shape *shape, uint32_t axes)
{
    halves h = { .num_reduced = 1, .first_extent = 0 };
    int64_t stride[CLGRAD_MAX_RANK];
    clgrad_ref_strides(shape, stride);
    for (int32_t d = 0; d < shape->rank; d++) {
        const bool reduce = axes & CLGRAD_AXIS(d);
        clgrad_ref_walk *w = reduce ? &h.reduced : &h.kept;
        if (reduce && w->rank == 0) h.first_extent = shape->dims[d];
        if (reduce) h.num_reduced *= shape->dims[d];
        w->dims[w->rank] = shape->dims[d];
        w->stride[w->rank++] = stride[d];
    }
    return h;
}

/* The reduced elements of the current kept index, in row-major order. */
static void gather(const halves *h, const clgrad_ref_cell *x, clgrad_ref_cell *sequence)
{
    clgrad_ref_walk w = h->reduced;
    w.at = h->kept.at;
    for (int64_t i = 0; i < h->num_reduced; i++, clgrad_ref_step(&w)) sequence[i] = x[w.at];
}

typedef struct sum_order {
    clgrad_sum_rule rule;
    int64_t part; /* elements per cell; 0: no cells */
    bool single;
} sum_order;

/* `values` is overwritten where there are cells. */
static double sum_real(const sum_order *order, double *values, int64_t n)
{
    if (order->part == 0 || n <= order->part) return clgrad_ref_sum(values, n, order->rule, order->single);
    const int64_t parts = (n + order->part - 1) / order->part;
    for (int64_t p = 0; p < parts; p++) {
        const int64_t first = p * order->part, left = n - first;
        values[p] = clgrad_ref_sum(values + first, left < order->part ? left : order->part, order->rule, order->single);
    }
    clgrad_ref_pairs(values, parts, 1, order->single);
    return values[0];
}

static int64_t sum_integer(const clgrad_ref_cell *x, int64_t n)
{
    uint64_t acc = 0;
    for (int64_t i = 0; i < n; i++) acc += (uint64_t)x[i].integer;
    return (int64_t)acc;
}

/* First index wins; a NaN beats everything but an earlier NaN. */
static int64_t index_of_max(const clgrad_ref_cell *x, int64_t n, bool real)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) {
        if (real ? x[i].real > x[best].real || (isnan(x[i].real) && !isnan(x[best].real)) : x[i].integer > x[best].integer)
            best = i;
    }
    return best;
}

static clgrad_ref_cell reduce_one(const clgrad_ref_job *job, const sum_order *order, clgrad_ref_cell *sequence, double *values,
                                  int64_t n)
{
    const bool real = clgrad_dtype_is_real(clgrad_ref_operand(job, 0)->dtype);
    if (job->node->op == CLGRAD_OP_REDUCE_MAX) return sequence[index_of_max(sequence, n, real)];
    if (job->node->op == CLGRAD_OP_ARGMAX) return (clgrad_ref_cell){ .integer = index_of_max(sequence, n, real) };
    if (!real) return (clgrad_ref_cell){ .integer = sum_integer(sequence, n) };
    for (int64_t i = 0; i < n; i++) values[i] = sequence[i].real;
    return (clgrad_ref_cell){ .real = sum_real(order, values, n) };
}

clgrad_status clgrad_ref_reduce(const clgrad_ref_job *job)
{
    const clgrad_attr *attr = &job->node->attr;
    const clgrad_shape *shape = &clgrad_ref_operand(job, 0)->shape;
    const uint32_t axes = job->node->op == CLGRAD_OP_ARGMAX ? CLGRAD_AXIS(attr->axis) : attr->axes;
    halves h = split_axes(shape, axes);
    sum_order order = { clgrad_axes_trailing(shape, axes) ? CLGRAD_SUM_CHUNKS : CLGRAD_SUM_CHAIN, 0, job->arithmetic->single };
    if (attr->cell && h.first_extent) order.part = attr->cell * (h.num_reduced / h.first_extent);
    clgrad_ref_cell *sequence = clgrad_alloc(job->run->ctx, (size_t)h.num_reduced, sizeof *sequence);
    double *values = clgrad_alloc(job->run->ctx, (size_t)h.num_reduced, sizeof *values);
    const bool ok = sequence && values;
    for (int64_t i = 0; ok && i < job->count; i++, clgrad_ref_step(&h.kept)) {
        gather(&h, clgrad_ref_cells(job, 0), sequence);
        job->out[i] = reduce_one(job, &order, sequence, values, h.num_reduced);
    }
    if (ok) clgrad_ref_finish(job);
    clgrad_free(job->run->ctx, sequence);
    clgrad_free(job->run->ctx, values);
    return ok ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

static void scan_row(const clgrad_ref_job *job, const clgrad_ref_cell *x, clgrad_ref_cell *y, int64_t n, int64_t step)
{
    if (job->real) {
        clgrad_ref_cumsum(&x->real, &y->real, n, step, job->arithmetic->single); /* a cell is a double */
        return;
    }
    uint64_t acc = 0;
    for (int64_t i = 0; i < n; i++) {
        acc += (uint64_t)x[i * step].integer;
        y[i * step].integer = (int64_t)acc;
    }
}

clgrad_status clgrad_ref_scan(const clgrad_ref_job *job)
{
    const clgrad_attr *attr = &job->node->attr;
    const clgrad_shape *shape = &job->node->shape;
    const clgrad_ref_cell *x = clgrad_ref_cells(job, 0);
    const int64_t n = shape->dims[attr->axis], inner = clgrad_ref_extent(shape, attr->axis + 1, shape->rank);
    const int64_t outer = clgrad_ref_extent(shape, 0, attr->axis);
    for (int64_t row = 0; n && row < outer * inner; row++) {
        const int64_t first = row / inner * n * inner + row % inner, start = first + (attr->reverse ? (n - 1) * inner : 0);
        scan_row(job, x + start, job->out + start, n, attr->reverse ? -inner : inner);
    }
    clgrad_ref_finish(job);
    return CLGRAD_OK;
}
