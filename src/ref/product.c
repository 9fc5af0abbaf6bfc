/* Matrix products: for each row of a, one chain per cell of k for all columns at once, then pairs over cells. */

#include "ref/run.h"
#include "ref/sums.h"

typedef struct extents {
    int64_t batch, m, n, k, cell;
} extents;

/* rows x columns of doubles from a matrix of cells, transposed where `across`. */
static void copy_matrix(const clgrad_ref_cell *x, double *y, int64_t rows, int64_t columns, bool across)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[i * columns + j] = x[across ? j * rows + i : i * columns + j].real;
}

/* One row of the result; partial holds a row of n per cell, the first of which is the result. */
static void multiply_row(const clgrad_ref_job *job, const extents *e, const double *a, const double *b, double *partial)
{
    const int64_t cells = e->k ? (e->k + e->cell - 1) / e->cell : 1;
    memset(partial, 0, (size_t)(cells * e->n) * sizeof *partial);
    for (int64_t p = 0; p < e->k; p++)
        job->arithmetic->add_scaled(a[p], b + p * e->n, partial + p / e->cell * e->n, e->n);
    clgrad_ref_pairs(partial, cells, e->n, job->arithmetic->single);
}

static void multiply(const clgrad_ref_job *job, const extents *e, double *a, double *b, double *partial)
{
    for (int64_t z = 0; z < e->batch; z++) {
        copy_matrix(clgrad_ref_cells(job, 0) + z * e->m * e->k, a, e->m, e->k, job->node->attr.trans_a);
        copy_matrix(clgrad_ref_cells(job, 1) + z * e->k * e->n, b, e->k, e->n, job->node->attr.trans_b);
        for (int64_t i = 0; i < e->m; i++) {
            multiply_row(job, e, a + i * e->k, b, partial);
            for (int64_t j = 0; j < e->n; j++) job->out[(z * e->m + i) * e->n + j].real = partial[j];
        }
    }
}

clgrad_status clgrad_ref_product(const clgrad_ref_job *job)
{
    const clgrad_shape *shape = &job->node->shape, *left = &clgrad_ref_operand(job, 0)->shape;
    const int32_t last = shape->rank - 1;
    extents e = { .batch = clgrad_ref_extent(shape, 0, last - 1), .m = shape->dims[last - 1], .n = shape->dims[last] };
    e.k = left->dims[job->node->attr.trans_a ? last - 1 : last];
    e.cell = job->node->attr.cell ? job->node->attr.cell : e.k;
    clgrad_context *ctx = job->run->ctx;
    double *a = clgrad_alloc(ctx, (size_t)(e.m * e.k), sizeof *a);
    double *b = clgrad_alloc(ctx, (size_t)(e.k * e.n), sizeof *b);
    double *partial = clgrad_alloc(ctx, (size_t)((e.k ? (e.k + e.cell - 1) / e.cell : 1) * e.n), sizeof *partial);
    const bool ok = a && b && partial;
    if (ok) multiply(job, &e, a, b, partial);
    if (ok) clgrad_ref_finish(job);
    clgrad_free(ctx, a);
    clgrad_free(ctx, b);
    clgrad_free(ctx, partial);
    return ok ? CLGRAD_OK : CLGRAD_E_MEMORY;
}
