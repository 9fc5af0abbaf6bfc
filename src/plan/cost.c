/* Bytes, FLOPs and memory of launches and of the whole list. */

#include "plan/cost.h"

#include <ctype.h>
#include <stdio.h>

/* --- FLOPs --- */

static bool counts(const clgrad_op_node *n)
{
    return clgrad_dtype_is_real(n->dtype) && n->op != CLGRAD_OP_CAST && n->op != CLGRAD_OP_SELECT && n->op != CLGRAD_OP_STOP;
}

static double points_of(const clgrad_ir *ir)
{
    double points = 1;
    for (int32_t d = 0; d < ir->num_axes; d++)
        if (!ir->axes[d].dead) points *= (double)ir->axes[d].extent;
    return points;
}

static double elements(const clgrad_plan *plan, clgrad_node n) { return (double)clgrad_shape_count(&clgrad_at(plan->work, n)->shape); }

/* How often the accumulating part of a launch runs. */
static double accumulated(const clgrad_plan *plan, const clgrad_launch *l)
{
    if (l->ir.num_instrs == 0) return 0;
    return l->source >= 0 ? points_of(&l->ir) : elements(plan, clgrad_at(plan->work, l->core)->in[0]);
}

static double core_flops(const clgrad_plan *plan, const clgrad_launch *l)
{
    const clgrad_op_node *core = clgrad_at(plan->work, l->core);
    if (!counts(core) && core->op != CLGRAD_OP_ARGMAX) return 0;
    if (core->op == CLGRAD_OP_MATMUL) return 2 * elements(plan, l->core) * (double)(l->desc.k + (l->desc.second.there ? l->desc.second.k : 0));
    return clgrad_dtype_is_real(clgrad_at(plan->work, core->in[0])->dtype) ? accumulated(plan, l) : 0;
}

/* A node that a launch repeats along other axes is counted by its own elements. */
double clgrad_launch_flops(const clgrad_plan *plan, const clgrad_launch *l, clgrad_dtype *arithmetic)
{
    const bool core = l->core != CLGRAD_NONE;
    const double body = core ? accumulated(plan, l) : points_of(&l->ir), end = core ? elements(plan, l->core) : body;
    double flops = core ? core_flops(plan, l) : 0;
    *arithmetic = core && clgrad_at(plan->work, l->core)->dtype == CLGRAD_F64 ? CLGRAD_F64 : CLGRAD_F32;
    for (size_t i = 0; i < l->ir.num_instrs; i++) {
        const clgrad_ir_instr *instr = &l->ir.instrs[i];
        if (instr->kind != CLGRAD_IR_MAP || !counts(instr->node)) continue;
        const double own = (double)clgrad_shape_count(&instr->node->shape), limit = i < l->ir.epilogue ? body : end;
        flops += own < limit ? own : limit;
        if (instr->node->dtype == CLGRAD_F64) *arithmetic = CLGRAD_F64;
    }
    return flops;
}

/* --- one launch --- */

static bool append_word(char *text, size_t room, const char *name)
{
    const size_t used = strlen(text), length = strlen(name);
    if (used + length + 2 > room) return false;
    if (used > 0) text[used] = ' ';
    char *to = text + used + (used > 0);
    for (size_t i = 0; i <= length; i++) to[i] = (char)tolower((unsigned char)name[i]);
    return true;
}

/* A name for an instruction that is an operation of the graph, else NULL. An index that is data is a gather, but in a scatter. */
static const char *operation(const clgrad_launch *l, const clgrad_ir_instr *instr)
{
    if (instr->kind == CLGRAD_IR_MAP) return clgrad_op_get(instr->node->op)->name;
    return instr->kind == CLGRAD_IR_VAR && instr->div == 0 && l->from < 0 ? clgrad_op_get(CLGRAD_OP_TAKE)->name : NULL;
}

static void list_operations(const clgrad_plan *plan, const clgrad_launch *l, char *text, size_t bytes)
{
    enum { COUNT_ROOM = 8 };
    size_t left_out = 0;
    *text = '\0';
    if (l->core != CLGRAD_NONE) append_word(text, bytes, clgrad_op_get(clgrad_at(plan->work, l->core)->op)->name);
    if (l->second != CLGRAD_NONE) append_word(text, bytes, "matmul");
    for (size_t i = 0; i < l->ir.num_instrs; i++) {
        const char *name = operation(l, &l->ir.instrs[i]);
        if (name && (left_out > 0 || !append_word(text, bytes - COUNT_ROOM, name))) left_out++;
    }
    if (!*text) append_word(text, bytes, "copy");
    if (left_out > 0) snprintf(text + strlen(text), COUNT_ROOM, " +%zu", left_out < 9999 ? left_out : (size_t)9999);
}

static double bytes_of(const clgrad_plan *plan, const clgrad_accesses *a, size_t *at)
{
    const size_t size = clgrad_dtype_bytes(plan->values[a->items[*at].value].dtype);
    return (double)clgrad_accesses_union(a, at) * (double)size;
}

static clgrad_status sorted_accesses(const clgrad_plan *plan, size_t first, size_t end, clgrad_accesses *out)
{
    clgrad_status st = CLGRAD_OK;
    *out = (clgrad_accesses){ .ctx = plan->ctx };
    for (size_t i = first; i < end && st == CLGRAD_OK; i++) st = clgrad_launch_accesses(plan, i, out);
    clgrad_accesses_sort(out);
    return st;
}

static clgrad_status check_number(const clgrad_plan *plan, size_t i)
{
    if (i < plan->num_launches) return CLGRAD_OK;
    return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "launch %zu of a function with %zu launches", i, plan->num_launches);
}

clgrad_status clgrad_plan_launch_info(const clgrad_plan *plan, size_t i, clgrad_launch_info *out)
{
    clgrad_accesses a;
    *out = (clgrad_launch_info)CLGRAD_LAUNCH_INFO_INIT;
    CLGRAD_TRY(check_number(plan, i));
    const clgrad_launch *l = &plan->launches[i];
    const clgrad_status st = sorted_accesses(plan, i, i + 1, &a);
    for (size_t at = 0; st == CLGRAD_OK && at < a.count;) {
        const clgrad_access *access = &a.items[at];
        out->num_operands += at == 0 || access->value != access[-1].value;
        *(access->write ? &out->written_bytes : &out->read_bytes) += bytes_of(plan, &a, &at);
    }
    clgrad_free(plan->ctx, a.items);
    snprintf(out->kernel, sizeof out->kernel, "%s", l->kind == CLGRAD_LAUNCH_COPY ? "copy" : l->label);
    out->kernel_number = (size_t)l->kernel_number;
    list_operations(plan, l, out->operations, sizeof out->operations);
    out->flops = clgrad_launch_flops(plan, l, &out->arithmetic);
    return st;
}

/* --- one operand --- */

/* Partial results and the like have none. */
static clgrad_shape shape_of(const clgrad_plan *plan, int32_t value)
{
    const clgrad_value *v = &plan->values[value];
    return v->node != CLGRAD_NONE ? clgrad_at(plan->work, v->node)->shape : clgrad_shape_make(1, &v->count);
}

static const char *name_of(const clgrad_plan *plan, const clgrad_value *v)
{
    if (v->kind == CLGRAD_VALUE_INPUT) return clgrad_graph_input_name(plan->graph, v->number);
    return v->kind == CLGRAD_VALUE_OUTPUT ? clgrad_graph_output_name(plan->graph, v->number) : "";
}

static void describe_operand(const clgrad_plan *plan, const clgrad_accesses *a, size_t at, clgrad_operand_info *out)
{
    static const clgrad_operand_kind kinds[] = { [CLGRAD_VALUE_SCRATCH] = CLGRAD_OPERAND_SCRATCH,
                                                 [CLGRAD_VALUE_INPUT] = CLGRAD_OPERAND_INPUT,
                                                 [CLGRAD_VALUE_OUTPUT] = CLGRAD_OPERAND_OUTPUT };
    const int32_t value = a->items[at].value;
    const clgrad_value *v = &plan->values[value];
    *out = (clgrad_operand_info){ .struct_size = sizeof *out, .value = (size_t)value, .kind = kinds[v->kind], .name = name_of(plan, v),
                                  .dtype = v->dtype, .shape = shape_of(plan, value) };
    while (at < a->count && a->items[at].value == value) {
        const bool write = a->items[at].write;
        *(write ? &out->written_bytes : &out->read_bytes) = bytes_of(plan, a, &at);
    }
}

clgrad_status clgrad_plan_operand_info(const clgrad_plan *plan, size_t launch, size_t number, clgrad_operand_info *out)
{
    clgrad_accesses a;
    size_t seen = 0;
    *out = (clgrad_operand_info){ .struct_size = sizeof *out, .name = "" };
    CLGRAD_TRY(check_number(plan, launch));
    clgrad_status st = sorted_accesses(plan, launch, launch + 1, &a);
    for (size_t at = 0; st == CLGRAD_OK && at < a.count; at++) {
        if (at > 0 && a.items[at].value == a.items[at - 1].value) continue;
        if (seen++ == number) describe_operand(plan, &a, at, out);
    }
    clgrad_free(plan->ctx, a.items);
    if (st == CLGRAD_OK && number >= seen)
        st = clgrad_fail(plan->ctx, CLGRAD_E_ARG, "operand %zu of a launch with %zu operands", number, seen);
    return st;
}

/* --- all launches --- */

/* What is read of the inputs and written of the outputs, each once. */
static clgrad_status least_bytes(const clgrad_plan *plan, double *least)
{
    clgrad_accesses a;
    *least = 0;
    const clgrad_status st = sorted_accesses(plan, 0, plan->num_launches, &a);
    for (size_t at = 0; st == CLGRAD_OK && at < a.count;) {
        const clgrad_access *access = &a.items[at];
        const clgrad_value_kind wanted = access->write ? CLGRAD_VALUE_OUTPUT : CLGRAD_VALUE_INPUT;
        const bool is_least = plan->values[access->value].kind == wanted;
        const double bytes = bytes_of(plan, &a, &at);
        if (is_least) *least += bytes;
    }
    clgrad_free(plan->ctx, a.items);
    return st;
}

static uint64_t node_bytes(const clgrad_graph *g, clgrad_node n)
{
    const clgrad_op_node *node = clgrad_at(g, n);
    return (uint64_t)clgrad_shape_count(&node->shape) * clgrad_dtype_bytes(node->dtype);
}

static uint64_t argument_bytes(const clgrad_plan *plan)
{
    const clgrad_graph *g = plan->graph;
    uint64_t bytes = 0;
    for (size_t i = 0; i < g->num_inputs; i++)
        if (!plan->donated[i]) bytes += node_bytes(g, g->inputs[i]);
    for (size_t i = 0; i < g->num_outputs; i++) bytes += node_bytes(g, g->outputs[i]);
    return bytes;
}

static uint64_t alive_bytes(const clgrad_plan *plan, int32_t launch)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->num_values; i++) {
        const clgrad_value *v = &plan->values[i];
        if (v->kind == CLGRAD_VALUE_SCRATCH && v->first <= launch && launch <= v->last)
            bytes += (uint64_t)v->count * clgrad_dtype_bytes(v->dtype);
    }
    return bytes;
}

clgrad_status clgrad_plan_cost(const clgrad_plan *plan, clgrad_cost *out)
{
    *out = (clgrad_cost)CLGRAD_COST_INIT;
    out->num_launches = plan->num_launches;
    out->num_kernels = plan->num_kernels;
    out->repeats = clgrad_plan_most_runs(plan) > 1;
    out->argument_bytes = argument_bytes(plan);
    out->scratch_bytes = clgrad_plan_scratch_bytes(plan);
    for (size_t i = 0; i < plan->num_launches; i++) {
        clgrad_launch_info info;
        CLGRAD_TRY(clgrad_plan_launch_info(plan, i, &info));
        out->bytes += info.read_bytes + info.written_bytes;
        out->flops += info.flops;
        const uint64_t alive = alive_bytes(plan, (int32_t)i);
        if (alive > out->least_scratch_bytes) out->least_scratch_bytes = alive;
    }
    return least_bytes(plan, &out->least_bytes);
}
