#pragma once

/* One evaluation: every node's value as a contiguous row-major array of 8-byte cells, whatever its element type. */

#include "ref/arithmetic.h"
#include "ref/ref.h"

typedef union clgrad_ref_cell {
    double real;     /* f64, and f32, f16, bf16 rounded to their type (in F64 mode not rounded) */
    int64_t integer; /* i64, and i32, u8 within their range */
} clgrad_ref_cell;

typedef struct clgrad_ref_run {
    clgrad_context *ctx;
    const clgrad_graph *g; /* without calls */
    clgrad_ref_mode mode;
    const clgrad_array *inputs;
    clgrad_ref_cell **values; /* per node; NULL before its turn and after its last use */
} clgrad_ref_run;

/* One node with its operands, at most the first three of which have names here. */
typedef struct clgrad_ref_job {
    const clgrad_ref_run *run;
    const clgrad_op_node *node;
    const clgrad_ref_arithmetic *arithmetic; /* of the first operand's type; of the node's own where that is not real */
    clgrad_ref_cell *out;
    int64_t count; /* elements of the result */
    bool real;     /* the result's type is real */
} clgrad_ref_job;

static inline const clgrad_op_node *clgrad_ref_operand(const clgrad_ref_job *job, size_t i)
{
    return clgrad_at(job->run->g, job->node->in[i]);
}

static inline const clgrad_ref_cell *clgrad_ref_cells(const clgrad_ref_job *job, size_t i)
{
    return job->run->values[job->node->in[i]];
}

/* Make the result one of the node's type: reals rounded to it, unless the mode is F64; integers wrapped. */
void clgrad_ref_finish(const clgrad_ref_job *job);

/* By family, each filling job->out. Those that need scratch memory can fail. */
clgrad_status clgrad_ref_leaf(const clgrad_ref_job *job);
clgrad_status clgrad_ref_map(const clgrad_ref_job *job);
clgrad_status clgrad_ref_view(const clgrad_ref_job *job);
clgrad_status clgrad_ref_join(const clgrad_ref_job *job);
clgrad_status clgrad_ref_overlap(const clgrad_ref_job *job);
clgrad_status clgrad_ref_gather(const clgrad_ref_job *job);
clgrad_status clgrad_ref_scatter(const clgrad_ref_job *job);
clgrad_status clgrad_ref_reduce(const clgrad_ref_job *job);
clgrad_status clgrad_ref_scan(const clgrad_ref_job *job);
clgrad_status clgrad_ref_product(const clgrad_ref_job *job);

/* A walk over an index space in row-major order: `at` is offset + sum of index[d] * stride[d]. */
typedef struct clgrad_ref_walk {
    int32_t rank;
    int64_t dims[CLGRAD_MAX_RANK + 1], stride[CLGRAD_MAX_RANK + 1], index[CLGRAD_MAX_RANK + 1], at;
} clgrad_ref_walk;

static inline void clgrad_ref_step(clgrad_ref_walk *w)
{
    for (int32_t d = w->rank - 1; d >= 0; d--) {
        w->at += w->stride[d];
        if (++w->index[d] < w->dims[d]) return;
        w->at -= w->dims[d] * w->stride[d];
        w->index[d] = 0;
    }
}

/* Row-major strides of a shape; 0 past its rank. */
static inline void clgrad_ref_strides(const clgrad_shape *shape, int64_t stride[CLGRAD_MAX_RANK])
{
    int64_t step = 1;
    memset(stride, 0, CLGRAD_MAX_RANK * sizeof *stride);
    for (int32_t d = shape->rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= shape->dims[d];
    }
}

/* Product of the extents from axis `first` up to but not including `end`. */
static inline int64_t clgrad_ref_extent(const clgrad_shape *shape, int32_t first, int32_t end)
{
    int64_t n = 1;
    for (int32_t d = first; d < end; d++) n *= shape->dims[d];
    return n;
}
