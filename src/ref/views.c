/* Data movement: each view is a walk over the result with strides in the operand, or the other way round. */

#include "ref/run.h"

/* A walk over the node's own index space that starts at the operand's first element, its strides to be filled in. */
static clgrad_ref_walk walk_result(const clgrad_ref_job *job)
{
    clgrad_ref_walk w = { .rank = job->node->shape.rank };
    memcpy(w.dims, job->node->shape.dims, sizeof job->node->shape.dims);
    return w;
}

static void read_along(const clgrad_ref_job *job, clgrad_ref_walk *w)
{
    const clgrad_ref_cell *x = clgrad_ref_cells(job, 0);
    for (int64_t i = 0; i < job->count; i++, clgrad_ref_step(w)) job->out[i] = x[w->at];
}

static void broadcast(const clgrad_ref_job *job)
{
    const clgrad_shape *from = &clgrad_ref_operand(job, 0)->shape;
    int64_t stride[CLGRAD_MAX_RANK];
    clgrad_ref_walk w = walk_result(job);
    clgrad_ref_strides(from, stride);
    for (int32_t d = 0; d < from->rank; d++)
        w.stride[w.rank - from->rank + d] = from->dims[d] == 1 ? 0 : stride[d];
    read_along(job, &w);
}

static void permute(const clgrad_ref_job *job)
{
    int64_t stride[CLGRAD_MAX_RANK];
    clgrad_ref_walk w = walk_result(job);
    clgrad_ref_strides(&clgrad_ref_operand(job, 0)->shape, stride);
    for (int32_t d = 0; d < w.rank; d++) w.stride[d] = stride[job->node->attr.a[d]];
    read_along(job, &w);
}

static void slice(const clgrad_ref_job *job)
{
    int64_t stride[CLGRAD_MAX_RANK];
    clgrad_ref_walk w = walk_result(job);
    clgrad_ref_strides(&clgrad_ref_operand(job, 0)->shape, stride);
    for (int32_t d = 0; d < w.rank; d++) {
        w.at += job->node->attr.a[d] * stride[d];
        w.stride[d] = job->node->attr.b[d] * stride[d];
    }
    read_along(job, &w);
}

static void flip(const clgrad_ref_job *job)
{
    clgrad_ref_walk w = walk_result(job);
    clgrad_ref_strides(&job->node->shape, w.stride);
    for (int32_t d = 0; d < w.rank; d++) {
        if (!(job->node->attr.axes & CLGRAD_AXIS(d))) continue;
        w.at += (w.dims[d] - 1) * w.stride[d];
        w.stride[d] = -w.stride[d];
    }
    read_along(job, &w);
}

static void window(const clgrad_ref_job *job)
{
    const clgrad_attr *attr = &job->node->attr;
    const clgrad_shape *from = &clgrad_ref_operand(job, 0)->shape;
    clgrad_ref_walk w = walk_result(job);
    clgrad_ref_strides(from, w.stride);
    w.stride[from->rank] = attr->c[0] * w.stride[attr->axis];
    w.stride[attr->axis] *= attr->b[0];
    read_along(job, &w);
}

static void pad(const clgrad_ref_job *job)
{
    const clgrad_attr *attr = &job->node->attr;
    const clgrad_shape *from = &clgrad_ref_operand(job, 0)->shape;
    const clgrad_ref_cell *x = clgrad_ref_cells(job, 0);
    const int64_t count = clgrad_shape_count(from);
    int64_t stride[CLGRAD_MAX_RANK];
    clgrad_ref_walk w = { .rank = from->rank };
    memcpy(w.dims, from->dims, sizeof from->dims);
    clgrad_ref_strides(&job->node->shape, stride);
    for (int32_t d = 0; d < w.rank; d++) {
        w.at += attr->a[d] * stride[d];
        w.stride[d] = (attr->c[d] + 1) * stride[d];
    }
    for (int64_t i = 0; i < count; i++, clgrad_ref_step(&w)) job->out[w.at] = x[i]; /* the rest is zeroed memory: +0 */
}

clgrad_status clgrad_ref_view(const clgrad_ref_job *job)
{
    switch (job->node->op) {
    case CLGRAD_OP_BROADCAST: broadcast(job); break;
    case CLGRAD_OP_PERMUTE: permute(job); break;
    case CLGRAD_OP_SLICE: slice(job); break;
    case CLGRAD_OP_FLIP: flip(job); break;
    case CLGRAD_OP_WINDOW: window(job); break;
    case CLGRAD_OP_PAD: pad(job); break;
    default: memcpy(job->out, clgrad_ref_cells(job, 0), (size_t)job->count * sizeof *job->out); break; /* RESHAPE */
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_ref_join(const clgrad_ref_job *job)
{
    const clgrad_shape *shape = &job->node->shape;
    const int32_t axis = job->node->attr.axis;
    const int64_t outer = clgrad_ref_extent(shape, 0, axis), row = clgrad_ref_extent(shape, axis, shape->rank);
    int64_t start = 0;
    for (size_t k = 0; k < job->node->num_in; k++) {
        const clgrad_shape *from = &clgrad_ref_operand(job, k)->shape;
        const int64_t part = clgrad_ref_extent(from, axis, from->rank);
        for (int64_t o = 0; o < outer; o++)
            memcpy(job->out + o * row + start, clgrad_ref_cells(job, k) + o * part, (size_t)part * sizeof *job->out);
        start += part;
    }
    return CLGRAD_OK;
}
