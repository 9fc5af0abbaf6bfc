/* Which inputs an output may overwrite, and where scratch values lie: lifetimes first, then the largest values at the lowest
 * free place. */

#include "plan/cost.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ALIGNMENT = 256 };

/* --- lifetimes --- */

static void touch(clgrad_plan *plan, int32_t value, size_t first, size_t last)
{
    clgrad_value *v = &plan->values[value];
    if ((int32_t)first < v->first) v->first = (int32_t)first;
    if ((int32_t)last > v->last) v->last = (int32_t)last;
}

static void find_lifetimes(clgrad_plan *plan)
{
    for (size_t i = 0; i < plan->num_values; i++) plan->values[i].first = INT32_MAX, plan->values[i].last = -1;
    for (size_t i = 0; i < plan->num_launches; i++) {
        const clgrad_launch *l = &plan->launches[i];
        const size_t last = l->end_beside - 1;
        for (size_t n = 0; n < l->ir.num_leaves; n++) touch(plan, l->ir.leaves[n].value, l->first_beside, last);
        for (size_t n = 0; n < l->num_operands; n++) touch(plan, l->operand_value[n], l->first_beside, last);
    }
}

/* --- donations --- */

static bool multiplies(const clgrad_launch *l, int32_t value)
{
    for (size_t k = 0; k < l->num_operands && l->kind == CLGRAD_LAUNCH_MATMUL; k++)
        if (l->operand_value[k] == value) return true;
    return false;
}

static bool apart(const clgrad_ir *ir, const clgrad_affine *a, const clgrad_affine *b)
{
    clgrad_range x, y;
    return clgrad_affine_range(a, ir->ranges, &x) && clgrad_affine_range(b, ir->ranges, &y) && (x.max < y.min || y.max < x.min);
}

/* Is what an instruction loads never what the launch stores for another point of its index space? */
static bool is_own_element(const clgrad_ir *ir, const clgrad_ir_instr *load, int32_t written)
{
    bool stored = false;
    for (size_t i = 0; i < ir->num_instrs; i++) {
        const clgrad_ir_instr *store = &ir->instrs[i];
        if (store->kind != CLGRAD_IR_STORE || ir->leaves[store->leaf].value != written) continue;
        stored = true;
        if (!clgrad_affine_equal(&load->at, &store->at) && !apart(ir, &load->at, &store->at)) return false;
    }
    return stored;
}

/* Does a launch that writes `written` read `read` only at the element it writes, or elsewhere than it writes? */
static bool same_elements(const clgrad_launch *l, int32_t read, int32_t written)
{
    const clgrad_ir *ir = &l->ir;
    if (multiplies(l, read)) return false;
    if (l->kind == CLGRAD_LAUNCH_SCAN || l->kind == CLGRAD_LAUNCH_SORT) return false;
    for (size_t i = 0; i < ir->num_instrs; i++) {
        const clgrad_ir_instr *in = &ir->instrs[i];
        if (in->kind != CLGRAD_IR_LOAD || ir->leaves[in->leaf].value != read) continue;
        const bool in_body = l->kind != CLGRAD_LAUNCH_MAP && i < ir->epilogue;
        if (in_body || !is_own_element(ir, in, written)) return false;
    }
    return true;
}

/* May the launches that write the output do so where the input lies? Each element is then read before it is overwritten, or by the
 * one that overwrites it. */
static clgrad_status is_safe(const clgrad_plan *plan, int32_t input, int32_t output, bool *safe)
{
    clgrad_accesses a = { .ctx = plan->ctx };
    clgrad_status st = CLGRAD_OK;
    *safe = true;
    for (size_t i = 0; i < plan->num_launches && st == CLGRAD_OK; i++) st = clgrad_launch_accesses(plan, i, &a);
    for (size_t w = 0; w < a.count && st == CLGRAD_OK; w++) {
        const clgrad_access *write = &a.items[w];
        if (!write->write || write->value != output) continue;
        for (size_t r = 0; r < a.count && *safe; r++) {
            const clgrad_access *read = &a.items[r];
            if (read->write || read->value != input || read->launch < write->launch) continue;
            if (read->launch == write->launch) *safe = same_elements(&plan->launches[read->launch], input, output);
            else *safe = read->high < write->low || write->high < read->low;
        }
    }
    clgrad_free(plan->ctx, a.items);
    return st;
}

/* Arguments of one launch that are the same memory, in which it writes. What it only reads there it may keep in registers. */
static void mark_shared(clgrad_ir *ir, int32_t input, int32_t output)
{
    bool written = false;
    for (size_t k = 0; k < ir->num_leaves; k++) written |= ir->leaves[k].value == output && ir->leaves[k].written;
    for (size_t k = 0; k < ir->num_leaves && written; k++)
        if (ir->leaves[k].value == input || ir->leaves[k].value == output) ir->leaves[k].shared = true;
}

static void share_memory(clgrad_plan *plan, int32_t input, int32_t output)
{
    plan->values[input].memory = output;
    for (size_t i = 0; i < plan->num_launches; i++) mark_shared(&plan->launches[i].ir, input, output);
}

/* Launches that would only store what they load from the same place, as the padding between parameters: there is nothing to do. */
static bool copies_itself(const clgrad_plan *plan, const clgrad_launch *l)
{
    const clgrad_ir *ir = &l->ir;
    for (size_t i = 0; i < ir->num_instrs && l->kind == CLGRAD_LAUNCH_MAP; i++) {
        if (ir->instrs[i].kind != CLGRAD_IR_STORE) continue;
        const clgrad_ir_instr *store = &ir->instrs[i], *load = &ir->instrs[store->arg[0]];
        if (load->kind != CLGRAD_IR_LOAD || load->cond != CLGRAD_IR_NONE || !clgrad_affine_equal(&load->at, &store->at)) return false;
        if (plan->values[ir->leaves[load->leaf].value].memory != plan->values[ir->leaves[store->leaf].value].memory) return false;
    }
    return l->kind == CLGRAD_LAUNCH_MAP;
}

static void drop_self_copies(clgrad_plan *plan)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->num_launches; i++) {
        if (copies_itself(plan, &plan->launches[i])) {
            clgrad_launch_release(plan, &plan->launches[i]);
            continue;
        }
        plan->launches[kept] = plan->launches[i];
        plan->launches[kept].kernel_number = (int32_t)kept;
        kept++;
    }
    plan->num_launches = kept;
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
    l->num_operands = 2;
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
    for (size_t i = 0; i < plan->work->num_inputs; i++) {
        if (!plan->donated[i] || plan->donation_taken[i]) continue;
        const int32_t input = find_value(plan, CLGRAD_VALUE_INPUT, i);
        const int32_t output = find_value(plan, CLGRAD_VALUE_OUTPUT, plan->donated[i] - 1);
        CLGRAD_TRY(is_safe(plan, input, output, &plan->donation_taken[i]));
        if (plan->donation_taken[i]) share_memory(plan, input, output);
        else if (plan->values[output].count > 0) CLGRAD_TRY(copy_at_end(plan, output));
    }
    drop_self_copies(plan);
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
    find_lifetimes(plan);
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
