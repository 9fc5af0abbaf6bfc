/* Adds at computed places: overlap-add, take and its adjoint. Sums start at +0 and go in increasing k or index position;
 * f16 and bf16 accumulate in f32 and are rounded once at the end. */

#include "ref/run.h"

#include <math.h>

static void add_to(const clgrad_ref_job *job, clgrad_ref_cell *acc, clgrad_ref_cell x)
{
    if (!job->real)
        acc->integer = (int64_t)((uint64_t)acc->integer + (uint64_t)x.integer);
    else
        acc->real = job->arithmetic->single ? (double)(float)(acc->real + x.real) : acc->real + x.real;
}

clgrad_status clgrad_ref_overlap(const clgrad_ref_job *job)
{
    const clgrad_attr *attr = &job->node->attr;
    const clgrad_shape *from = &clgrad_ref_operand(job, 0)->shape;
    const clgrad_ref_cell *x = clgrad_ref_cells(job, 0);
    const int32_t rank = from->rank - 1;
    const int64_t size = from->dims[rank], blocks = clgrad_ref_extent(from, 0, rank);
    for (int64_t k = 0; k < size; k++) {
        clgrad_ref_walk w = { .rank = rank };
        memcpy(w.dims, from->dims, sizeof from->dims);
        clgrad_ref_strides(&job->node->shape, w.stride);
        w.at = k * attr->c[0] * w.stride[attr->axis];
        w.stride[attr->axis] *= attr->b[0];
        for (int64_t i = 0; i < blocks; i++, clgrad_ref_step(&w)) add_to(job, &job->out[w.at], x[i * size + k]);
    }
    clgrad_ref_finish(job);
    return CLGRAD_OK;
}

/* How take and scatter-add cut their operands: [batch, before, n or j, behind]. */
typedef struct cut {
    int64_t batch, before, n, j, behind;
} cut;

/* `whole` is the shape with extent n along axis. */
static cut cut_at(const clgrad_ref_job *job, const clgrad_shape *whole)
{
    const clgrad_attr *attr = &job->node->attr;
    const clgrad_shape *index = &clgrad_ref_operand(job, 1)->shape;
    return (cut){ .batch = clgrad_ref_extent(whole, 0, attr->num_batch),
                  .before = clgrad_ref_extent(whole, attr->num_batch, attr->axis),
                  .n = whole->dims[attr->axis],
                  .j = clgrad_ref_extent(index, attr->num_batch, index->rank),
                  .behind = clgrad_ref_extent(whole, attr->axis + 1, whole->rank) };
}

static clgrad_ref_cell out_of_range(const clgrad_ref_job *job)
{
    clgrad_ref_cell cell = { .integer = 0 };
    if (job->real) cell.real = NAN;
    return cell;
}

clgrad_status clgrad_ref_gather(const clgrad_ref_job *job)
{
    const clgrad_ref_cell *x = clgrad_ref_cells(job, 0), *index = clgrad_ref_cells(job, 1);
    const cut c = cut_at(job, &clgrad_ref_operand(job, 0)->shape);
    const clgrad_ref_cell none = out_of_range(job);
    clgrad_ref_cell *out = job->out;
    for (int64_t row = 0; row < c.batch * c.before; row++) {
        const clgrad_ref_cell *places = index + row / (c.before ? c.before : 1) * c.j;
        for (int64_t j = 0; j < c.j; j++) {
            const int64_t place = places[j].integer;
            const bool inside = place >= 0 && place < c.n;
            for (int64_t i = 0; i < c.behind; i++) *out++ = inside ? x[(row * c.n + place) * c.behind + i] : none;
        }
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_ref_scatter(const clgrad_ref_job *job)
{
    const clgrad_ref_cell *updates = clgrad_ref_cells(job, 0), *index = clgrad_ref_cells(job, 1);
    const cut c = cut_at(job, &job->node->shape);
    for (int64_t row = 0; row < c.batch * c.before; row++) {
        const clgrad_ref_cell *places = index + row / (c.before ? c.before : 1) * c.j;
        for (int64_t j = 0; j < c.j; j++) {
            const int64_t place = places[j].integer;
            if (place < 0 || place >= c.n) continue;
            for (int64_t i = 0; i < c.behind; i++)
                add_to(job, &job->out[(row * c.n + place) * c.behind + i], updates[(row * c.j + j) * c.behind + i]);
        }
    }
    clgrad_ref_finish(job);
    return CLGRAD_OK;
}
