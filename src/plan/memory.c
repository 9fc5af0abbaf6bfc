/* Which inputs an output may overwrite, and where scratch values lie: lifetimes first, then the largest values at the lowest
 * free place. */

#include "plan/launch.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ALIGNMENT = 256 };

/* --- lifetimes --- */

static void touch(clgrad_plan *plan, int32_t value, int32_t launch)
{
    clgrad_value *v = &plan->values[value];
    if (launch < v->first) v->first = launch;
    if (launch > v->last) v->last = launch;
}

static void find_lifetimes(clgrad_plan *plan)
{
    for (size_t i = 0; i < plan->num_values; i++) plan->values[i].first = INT32_MAX, plan->values[i].last = -1;
    for (size_t i = 0; i < plan->num_launches; i++) {
        const clgrad_launch *l = &plan->launches[i];
        for (size_t k = 0; k < l->ir.num_leaves; k++) touch(plan, l->ir.leaves[k].value, (int32_t)i);
        if (l->kind != CLGRAD_LAUNCH_MATMUL && l->kind != CLGRAD_LAUNCH_COPY) continue;
        touch(plan, l->operand_value[0], (int32_t)i);
        touch(plan, l->operand_value[1], (int32_t)i);
    }
}

/* --- donations --- */

/* Does a launch that writes `written` read `read` only at the element it writes? */
static bool same_elements(const clgrad_launch *l, int32_t read, int32_t written)
{
    const clgrad_ir *ir = &l->ir;
    const clgrad_ir_instr *store = NULL;
    if (l->kind == CLGRAD_LAUNCH_MATMUL && (l->operand_value[0] == read || l->operand_value[1] == read)) return false;
    if (l->kind == CLGRAD_LAUNCH_SCAN || l->kind == CLGRAD_LAUNCH_SORT) return false;
    for (size_t i = 0; i < ir->num_instrs; i++)
        if (ir->instrs[i].kind == CLGRAD_IR_STORE && ir->leaves[ir->instrs[i].leaf].value == written) store = &ir->instrs[i];
    for (size_t i = 0; i < ir->num_instrs; i++) {
        const clgrad_ir_instr *in = &ir->instrs[i];
        if (in->kind != CLGRAD_IR_LOAD || ir->leaves[in->leaf].value != read) continue;
        const bool in_body = l->kind != CLGRAD_LAUNCH_MAP && i < ir->epilogue;
        if (!store || in_body || !clgrad_affine_equal(&in->at, &store->at)) return false;
    }
    return true;
}

static bool reads(const clgrad_launch *l, int32_t value)
{
    for (size_t i = 0; i < l->ir.num_leaves; i++)
        if (l->ir.leaves[i].value == value && l->ir.leaves[i].read) return true;
    return l->kind == CLGRAD_LAUNCH_MATMUL && (l->operand_value[0] == value || l->operand_value[1] == value);
}

static bool is_safe(const clgrad_plan *plan, int32_t input, int32_t output)
{
    const int32_t first_write = plan->values[output].first;
    for (int32_t i = first_write; i < (int32_t)plan->num_launches; i++) {
        const clgrad_launch *l = &plan->launches[i];
        if (!reads(l, input)) continue;
        if (i > first_write || !same_elements(l, input, output)) return false;
    }
    return true;
}

static void share_memory(clgrad_plan *plan, int32_t input, int32_t output)
{
    for (size_t i = 0; i < plan->num_launches; i++)
        for (size_t k = 0; k < plan->launches[i].ir.num_leaves; k++) {
            clgrad_ir_leaf *leaf = &plan->launches[i].ir.leaves[k];
            if (leaf->value == input || leaf->value == output) leaf->shared = true;
        }
}

/* The output is computed in scratch and copied when every launch has run. */
static clgrad_status copy_at_end(clgrad_plan *plan, int32_t output)
{
    const clgrad_value v = plan->values[output];
    int32_t target;
    clgrad_launch *l;
    CLGRAD_TRY(clgrad_plan_add_value(plan, CLGRAD_VALUE_OUTPUT, v.number, v.dtype, v.count, &target));
    CLGRAD_TRY(clgrad_plan_add_launch(plan, CLGRAD_LAUNCH_COPY, &l));
    plan->values[output].kind = CLGRAD_VALUE_SCRATCH;
    l->operand_value[0] = target;
    l->operand_value[1] = output;
    return CLGRAD_OK;
}

static int32_t find_value(const clgrad_plan *plan, clgrad_value_kind kind, size_t number)
{
    for (size_t i = 0; i < plan->num_values; i++)
        if (plan->values[i].kind == kind && plan->values[i].number == number) return (int32_t)i;
    return -1;
}

clgrad_status clgrad_plan_donate(clgrad_plan *plan)
{
    find_lifetimes(plan);
    for (size_t i = 0; i < plan->work->num_inputs; i++) {
        if (!plan->donated[i] || plan->donation_taken[i]) continue;
        const int32_t input = find_value(plan, CLGRAD_VALUE_INPUT, i);
        const int32_t output = find_value(plan, CLGRAD_VALUE_OUTPUT, plan->donated[i] - 1);
        plan->donation_taken[i] = is_safe(plan, input, output);
        if (plan->donation_taken[i]) share_memory(plan, input, output);
        else if (plan->values[output].count > 0) CLGRAD_TRY(copy_at_end(plan, output));
    }
    find_lifetimes(plan);
    return CLGRAD_OK;
}

/* --- layout --- */

/* An empty value still needs an address; one beyond all memory is refused by its size like any other. */
static size_t value_bytes(const clgrad_value *v)
{
    if ((uint64_t)v->count > SIZE_MAX / 16) return SIZE_MAX / 2;
    const size_t bytes = (size_t)v->count * clgrad_dtype_bytes(v->dtype);
    return bytes ? (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
}

typedef struct entry {
    int32_t value;
    size_t bytes;
} entry;

static int by_size(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->value < y->value ? -1 : x->value > y->value; /* a total order: qsort is not stable */
}

static bool overlap(const clgrad_value *a, const clgrad_value *b) { return a->first <= b->last && b->first <= a->last; }

/* The lowest offset in an arena where a value fits beside those alive at the same time. */
static size_t lowest_gap(const clgrad_plan *plan, const entry *placed, size_t num_placed, const entry *e, size_t arena)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < num_placed; i++) {
            const clgrad_value *other = &plan->values[placed[i].value];
            if (other->arena != arena || !overlap(other, &plan->values[e->value])) continue;
            if (offset >= other->offset + placed[i].bytes || other->offset >= offset + e->bytes) continue;
            offset = other->offset + placed[i].bytes;
            moved = true;
        }
    }
    return offset;
}

static clgrad_status too_large(clgrad_plan *plan, size_t bytes, uint64_t limit)
{
    return clgrad_fail(plan->ctx, CLGRAD_E_MEMORY,
                       "a value of the plan needs %zu bytes in one piece, the device allows %" PRIu64, bytes, limit);
}

static clgrad_status place_entry(clgrad_plan *plan, const entry *entries, size_t at, uint64_t limit)
{
    const entry *e = &entries[at];
    clgrad_value *v = &plan->values[e->value];
    if (e->bytes > limit) return too_large(plan, e->bytes, limit);
    for (size_t arena = 0;; arena++) {
        const size_t offset = arena < plan->num_arenas ? lowest_gap(plan, entries, at, e, arena) : 0;
        if (offset + e->bytes > limit) continue;
        if (arena == plan->num_arenas) {
            CLGRAD_TRY(clgrad_reserve(plan->ctx, &plan->arena_bytes, &plan->arena_capacity, arena + 1, sizeof(size_t)));
            plan->arena_bytes[plan->num_arenas++] = 0;
        }
        v->arena = arena;
        v->offset = offset;
        if (offset + e->bytes > plan->arena_bytes[arena]) plan->arena_bytes[arena] = offset + e->bytes;
        return CLGRAD_OK;
    }
}

static clgrad_status check_total(clgrad_plan *plan)
{
    uint64_t total = 0;
    const uint64_t there = clgrad_device_get_info(plan->dev)->memory_bytes;
    for (size_t i = 0; i < plan->num_arenas; i++) total += plan->arena_bytes[i];
    if (total <= there) return CLGRAD_OK;
    return clgrad_fail(plan->ctx, CLGRAD_E_MEMORY, "the plan needs %" PRIu64 " bytes of scratch, the device has %" PRIu64, total, there);
}

clgrad_status clgrad_plan_layout(clgrad_plan *plan)
{
    const uint64_t limit = clgrad_device_get_info(plan->dev)->allocation_bytes;
    size_t count = 0;
    clgrad_status st = CLGRAD_OK;
    entry *entries = clgrad_alloc(plan->ctx, plan->num_values, sizeof *entries);
    if (!entries) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < plan->num_values; i++)
        if (plan->values[i].kind == CLGRAD_VALUE_SCRATCH && plan->values[i].last >= 0)
            entries[count++] = (entry){ (int32_t)i, value_bytes(&plan->values[i]) };
    qsort(entries, count, sizeof *entries, by_size);
    for (size_t i = 0; i < count && st == CLGRAD_OK; i++) st = place_entry(plan, entries, i, limit);
    if (st == CLGRAD_OK) st = check_total(plan);
    clgrad_free(plan->ctx, entries);
    return st;
}

clgrad_status clgrad_plan_allocate(clgrad_plan *plan)
{
    CLGRAD_TRY(clgrad_reserve(plan->ctx, &plan->arenas, &plan->buffer_capacity, plan->num_arenas, sizeof *plan->arenas));
    for (size_t i = 0; i < plan->num_arenas; i++) plan->arenas[i] = NULL;
    for (size_t i = 0; i < plan->num_arenas; i++) CLGRAD_TRY(clgrad_buffer_create(plan->dev, plan->arena_bytes[i], &plan->arenas[i]));
    return CLGRAD_OK;
}
