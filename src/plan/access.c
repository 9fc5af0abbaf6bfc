/* Which elements a launch reads and writes. An affine index reaches at most as many elements as the axes it depends on have points, as
 * its variables have values, and as lie between its bounds; the least of the three is taken, which is exact but for overlaps that
 * none of them shows. */

#include "plan/cost.h"

#include <stdlib.h>

static clgrad_status add(clgrad_accesses *a, const clgrad_access *access)
{
    CLGRAD_TRY(clgrad_reserve(a->ctx, &a->items, &a->capacity, a->count + 1, sizeof *a->items));
    a->items[a->count++] = *access;
    return CLGRAD_OK;
}

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

/* a * b for counts, as large as fits. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return clgrad_mul_i64(a, b, &product) ? product : INT64_MAX;
}

/* --- what an index depends on --- */

static uint32_t axes_of_affine(const clgrad_ir *ir, const clgrad_affine *at, const uint32_t *axes)
{
    uint32_t all = 0;
    for (int32_t t = 0; t < at->num_terms; t++) {
        const clgrad_ir_var *var = &ir->vars[at->term[t].var];
        all |= var->axis >= 0 ? CLGRAD_AXIS(var->axis) : axes[var->instr];
    }
    return all;
}

/* For every instruction the axes that its value depends on, as bits. */
static void find_axes(const clgrad_ir *ir, uint32_t *axes)
{
    for (size_t i = 0; i < ir->num_instrs; i++) {
        const clgrad_ir_instr *instr = &ir->instrs[i];
        axes[i] = axes_of_affine(ir, &instr->at, axes);
        for (int32_t k = 0; k < instr->num_args; k++) axes[i] |= axes[instr->arg[k]];
    }
}

static int64_t points_of(const clgrad_ir *ir, uint32_t axes)
{
    int64_t points = 1;
    for (int32_t d = 0; d < ir->num_axes; d++)
        if (!ir->axes[d].dead && axes & CLGRAD_AXIS(d)) points = times(points, ir->axes[d].extent);
    return points;
}

static clgrad_access whole(const clgrad_plan *plan, int32_t value, bool write)
{
    const int64_t count = plan->values[value].count;
    return (clgrad_access){ .value = value, .write = write, .high = count - 1, .count = count };
}

/* The axis whose slowest part are the launch's rows; NONE when they are not walked from outside. */
static int32_t row_axis(const clgrad_launch *l)
{
    for (int32_t d = 0; d < l->ir.num_axes && l->rows > 1; d++) {
        const clgrad_ir_axis *axis = &l->ir.axes[d];
        if (axis->dead || axis->extent == 1) continue;
        const bool walked = axis->role == CLGRAD_IR_ROW || (axis->role == CLGRAD_IR_LANE && l->kind != CLGRAD_LAUNCH_CHUNKS);
        return walked && axis->extent % l->rows == 0 ? d : CLGRAD_IR_NONE;
    }
    return CLGRAD_IR_NONE;
}

/* What an index gains from row to row; 0 when the rows do not tell its elements apart. */
static int64_t row_step(const clgrad_launch *l, const clgrad_affine *at, const uint32_t *axes)
{
    const int32_t row = row_axis(l);
    if (row < 0) return 0;
    for (int32_t t = 0; t < at->num_terms; t++) { /* no variable made from the row */
        const clgrad_ir_var *var = &l->ir.vars[at->term[t].var];
        if (var->axis < 0 && axes[var->instr] & CLGRAD_AXIS(row)) return 0;
    }
    return times(clgrad_affine_coefficient(at, row), l->ir.axes[row].extent / l->rows);
}

static void set_rows(clgrad_access *access, int64_t step, int64_t rows)
{
    const int64_t all = step > 0 ? times(step, rows - 1) : 0;
    const bool tells = step > 0 && access->high - access->low >= all;
    access->step = tells ? step : 0;
    access->row_high = access->high - (tells ? all : 0);
}

static clgrad_access of_affine(const clgrad_plan *plan, const clgrad_launch *l, const clgrad_ir_instr *instr, const uint32_t *axes)
{
    const clgrad_ir *ir = &l->ir;
    clgrad_access access = whole(plan, ir->leaves[instr->leaf].value, instr->kind == CLGRAD_IR_STORE);
    const clgrad_affine *at = &instr->at;
    int64_t values = 1;
    clgrad_range r;
    for (int32_t t = 0; t < at->num_terms; t++) {
        const clgrad_range *of = &ir->ranges[at->term[t].var];
        values = times(values, of->max - of->min + 1);
    }
    bool inside = clgrad_affine_range(at, ir->ranges, &r);
    if (inside) { /* what lies outside is guarded by a condition */
        inside = r.min >= access.low && r.max <= access.high;
        if (r.min > access.low) access.low = r.min;
        if (r.max < access.high) access.high = r.max;
    }
    access.count = min_i64(min_i64(values, points_of(ir, axes_of_affine(ir, at, axes))), access.high - access.low + 1);
    set_rows(&access, inside ? row_step(l, at, axes) : 0, l->rows);
    return access;
}

/* --- what a launch touches --- */

/* Leaves without an instruction belong to the template, which reads or writes all of them. */
static clgrad_status add_leaves(const clgrad_plan *plan, const clgrad_launch *l, const uint32_t *axes, clgrad_accesses *out)
{
    const clgrad_ir *ir = &l->ir;
    for (size_t k = 0; k < ir->num_leaves; k++) {
        bool addressed = false;
        for (size_t i = 0; i < ir->num_instrs; i++) {
            const clgrad_ir_instr *instr = &ir->instrs[i];
            if (instr->leaf != (int32_t)k || (instr->kind != CLGRAD_IR_LOAD && instr->kind != CLGRAD_IR_STORE)) continue;
            const clgrad_access access = of_affine(plan, l, instr, axes);
            CLGRAD_TRY(add(out, &access));
            addressed = true;
        }
        if (addressed) continue;
        clgrad_access access = whole(plan, ir->leaves[k].value, ir->leaves[k].written);
        if (ir->leaves[k].value == l->partial) set_rows(&access, access.count / l->rows, l->rows); /* by row, cell and chunk */
        CLGRAD_TRY(add(out, &access));
    }
    return CLGRAD_OK;
}

static void step(clgrad_access *access, int64_t extent, int64_t stride)
{
    if (stride == 0 || extent < 2) return;
    *(stride > 0 ? &access->high : &access->low) += stride * (extent - 1);
    access->count = times(access->count, extent);
}

static clgrad_status add_operand(int32_t value, int64_t offset, const int64_t *extent, const int64_t *stride, size_t rank,
                                 int64_t rows, clgrad_accesses *out)
{
    clgrad_access access = { .value = value, .low = offset, .high = offset, .count = 1 };
    for (size_t d = 0; d < rank; d++) step(&access, extent[d], stride[d]);
    access.count = min_i64(access.count, access.high - access.low + 1);
    set_rows(&access, rows > 1 ? stride[0] : 0, rows);
    return add(out, &access);
}

static clgrad_status add_product(const clgrad_launch *l, const clgrad_matmul_desc *d, size_t which, clgrad_accesses *out)
{
    const size_t batch = (size_t)d->num_batch;
    int64_t extent[2 + CLGRAD_MAX_RANK], stride[2 + CLGRAD_MAX_RANK];
    memcpy(extent + 2, d->batch_dims, batch * sizeof *extent);
    memcpy(stride + 2, d->a_batch, batch * sizeof *stride);
    extent[0] = d->m, stride[0] = d->a_row, extent[1] = d->k, stride[1] = d->a_col;
    const int64_t rows = batch == 0 && l->rows == d->m ? d->m : 1;
    CLGRAD_TRY(add_operand(l->operand_value[which], d->a_offset, extent, stride, batch + 2, rows, out));
    memcpy(stride + 2, d->b_batch, batch * sizeof *stride);
    extent[0] = d->k, stride[0] = d->b_row, extent[1] = d->n, stride[1] = d->b_col;
    return add_operand(l->operand_value[which + 1], d->b_offset, extent, stride, batch + 2, 1, out);
}

static clgrad_status add_products(const clgrad_launch *l, clgrad_accesses *out)
{
    CLGRAD_TRY(add_product(l, &l->desc, 0, out));
    if (!l->desc.second.there) return CLGRAD_OK;
    const clgrad_matmul_desc other = clgrad_matmul_second_of(&l->desc);
    return add_product(l, &other, 2, out);
}

static clgrad_status add_copy(const clgrad_plan *plan, const clgrad_launch *l, clgrad_accesses *out)
{
    for (int i = 0; i < 2; i++) {
        const clgrad_access access = whole(plan, l->operand_value[i], i == 0);
        CLGRAD_TRY(add(out, &access));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_launch_accesses(const clgrad_plan *plan, size_t number, clgrad_accesses *out)
{
    const clgrad_launch *l = &plan->launches[number];
    const size_t first = out->count;
    uint32_t *axes = clgrad_alloc(plan->ctx, l->ir.num_instrs, sizeof *axes);
    if (!axes) return CLGRAD_E_MEMORY;
    find_axes(&l->ir, axes);
    clgrad_status st = add_leaves(plan, l, axes, out);
    clgrad_free(plan->ctx, axes);
    if (st == CLGRAD_OK && l->kind == CLGRAD_LAUNCH_MATMUL) st = add_products(l, out);
    if (st == CLGRAD_OK && l->kind == CLGRAD_LAUNCH_COPY) st = add_copy(plan, l, out);
    for (size_t i = first; i < out->count; i++) out->items[i].launch = (int32_t)number;
    return st;
}

/* --- unions --- */

static int compare(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

static int by_value(const void *left, const void *right)
{
    const clgrad_access *a = left, *b = right;
    const int orders[] = { compare(a->value, b->value), compare(a->write, b->write), compare(a->low, b->low),
                           compare(a->high, b->high), compare(a->count, b->count) };
    for (size_t i = 0; i < CLGRAD_COUNT(orders); i++)
        if (orders[i] != 0) return orders[i];
    return 0;
}

void clgrad_accesses_sort(clgrad_accesses *a)
{
    if (a->count > 0) qsort(a->items, a->count, sizeof *a->items, by_value);
}

/* Accesses that are apart add up; of those that overlap, equal ones count once and others up to what lies between their bounds. */
int64_t clgrad_accesses_union(const clgrad_accesses *a, size_t *at)
{
    const clgrad_access *items = a->items, *first = &items[*at];
    int64_t total = 0, sum = 0, low = first->low, high = first->high;
    size_t i = *at;
    for (; i < a->count && items[i].value == first->value && items[i].write == first->write; i++) {
        if (i > *at && by_value(&items[i], &items[i - 1]) == 0) continue;
        if (items[i].low > high) {
            total += min_i64(sum, high - low + 1);
            sum = 0, low = items[i].low, high = items[i].high;
        }
        if (items[i].high > high) high = items[i].high;
        sum += items[i].count;
    }
    *at = i;
    return total + min_i64(sum, high - low + 1);
}
