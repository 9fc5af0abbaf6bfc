/* Plans: made once, bound to tensors, run any number of times. */

#include "plan/launch.h"

#include <assert.h>
#include <inttypes.h>

/* --- making --- */

static void *by_node(clgrad_plan *plan, size_t bytes) { return clgrad_alloc(plan->ctx, plan->work->num_nodes + 1, bytes); }

static clgrad_status allocate_tables(clgrad_plan *plan)
{
    const size_t ins = plan->work->num_inputs, outs = plan->work->num_outputs;
    if (!(plan->live = by_node(plan, 1)) || !(plan->stored = by_node(plan, 1)) || !(plan->forced = by_node(plan, 1)) ||
        !(plan->plain = by_node(plan, 1)) || !(plan->alone = by_node(plan, 1)) || !(plan->unread = by_node(plan, 1)) || !(plan->spread = by_node(plan, 1)) ||
        !(plan->epilogue = by_node(plan, sizeof *plan->epilogue)) || !(plan->core = by_node(plan, sizeof *plan->core)) ||
        !(plan->second = by_node(plan, sizeof *plan->second)) ||
        !(plan->alias = by_node(plan, sizeof *plan->alias)) || !(plan->places = by_node(plan, sizeof *plan->places)) ||
        !(plan->made = by_node(plan, sizeof *plan->made)) || !(plan->last_read = by_node(plan, sizeof *plan->last_read)) ||
        !(plan->donated = clgrad_alloc(plan->ctx, ins, sizeof *plan->donated)) ||
        !(plan->donation_taken = clgrad_alloc(plan->ctx, ins, sizeof *plan->donation_taken)) ||
        !(plan->advance = clgrad_alloc(plan->ctx, ins, sizeof *plan->advance)) ||
        !(plan->inputs = clgrad_alloc(plan->ctx, ins, sizeof(clgrad_tensor *))) ||
        !(plan->outputs = clgrad_alloc(plan->ctx, outs, sizeof(clgrad_tensor *))))
        return CLGRAD_E_MEMORY;
    for (size_t n = 0; n < plan->work->num_nodes; n++) plan->places[n].value = -1;
    clgrad_graph_mark_live(plan->work, plan->live);
    return CLGRAD_OK;
}

static clgrad_status check_donation(clgrad_plan *plan, size_t input)
{
    const clgrad_graph *g = plan->work;
    const uint32_t output = plan->donated[input];
    if (output == 0) return CLGRAD_OK;
    if (output > g->num_outputs)
        return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "input '%s' is donated to output %" PRIu32 ", there are %zu",
                           clgrad_graph_input_name(g, input), output - 1, g->num_outputs);
    const clgrad_op_node *from = clgrad_at(g, g->inputs[input]), *to = clgrad_at(g, g->outputs[output - 1]);
    for (size_t i = 0; i < input; i++)
        if (plan->donated[i] == output)
            return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "output '%s' is given two inputs' memory", clgrad_graph_output_name(g, output - 1));
    if (from->dtype == to->dtype && clgrad_shape_equal(&from->shape, &to->shape)) return CLGRAD_OK;
    return clgrad_fail(plan->ctx, CLGRAD_E_SHAPE, "input '%s' cannot be donated to output '%s': another type or shape",
                       clgrad_graph_input_name(g, input), clgrad_graph_output_name(g, output - 1));
}

static clgrad_status take_options(clgrad_plan *plan, const clgrad_plan_options *options)
{
    if (options) plan->options = *options;
    const uint32_t width = plan->options.width;
    if (width != 0 && width != 1 && width != 2 && width != 4 && width != 8 && width != 16)
        return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "a vector width is 1, 2, 4, 8 or 16, not %" PRIu32, width);
    for (size_t i = 0; options && options->donated && i < plan->work->num_inputs; i++) plan->donated[i] = options->donated[i];
    for (size_t i = 0; options && options->advance && i < plan->work->num_inputs; i++) plan->advance[i] = options->advance[i];
    plan->options.donated = plan->donated;
    if (plan->options.advance) plan->options.advance = plan->advance;
    for (size_t i = 0; i < plan->work->num_inputs; i++) CLGRAD_TRY(check_donation(plan, i));
    return CLGRAD_OK;
}

static clgrad_status check_types(clgrad_plan *plan)
{
    const clgrad_device_info *info = clgrad_device_get_info(plan->dev);
    for (clgrad_node n = 0; n < plan->work->num_nodes; n++)
        if (plan->live[n] && clgrad_at(plan->work, n)->dtype == CLGRAD_F64 && !info->fp64)
            return clgrad_fail(plan->ctx, CLGRAD_E_UNSUPPORTED, "the graph computes in f64, which %s does not have", info->name);
    return CLGRAD_OK;
}

static void clear_launches(clgrad_plan *plan)
{
    for (size_t i = 0; i < plan->num_launches; i++) clgrad_launch_release(plan, &plan->launches[i]);
    for (size_t i = 0; i < plan->num_kernels; i++) clgrad_plan_kernel_release(plan, &plan->kernels[i]);
    plan->num_launches = plan->num_kernels = 0;
}

static clgrad_status schedule(clgrad_plan *plan)
{
    for (bool again = true; again;) { /* each refusal forces a node: this ends */
        clear_launches(plan);
        CLGRAD_TRY(clgrad_plan_decide(plan));
        CLGRAD_TRY(clgrad_plan_place(plan));
        CLGRAD_TRY(clgrad_plan_order(plan));
        CLGRAD_TRY(clgrad_plan_build(plan, &again));
    }
    CLGRAD_TRY(clgrad_plan_donate(plan));
    CLGRAD_TRY(clgrad_plan_merge(plan));
    return clgrad_plan_layout(plan);
}

static clgrad_status make(clgrad_device *dev, const clgrad_graph *g, const clgrad_plan_options *options, clgrad_plan **out)
{
    *out = NULL;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    clgrad_plan *plan = clgrad_alloc(ctx, 1, sizeof *plan);
    if (!plan) return CLGRAD_E_MEMORY;
    plan->dev = clgrad_device_retain(dev);
    plan->ctx = clgrad_context_retain(ctx);
    plan->graph = clgrad_graph_retain((clgrad_graph *)g);
    clgrad_status st = clgrad_plan_lower(plan->graph, &plan->work);
    if (st == CLGRAD_OK) st = allocate_tables(plan);
    if (st == CLGRAD_OK) st = take_options(plan, options);
    if (st == CLGRAD_OK) st = check_types(plan);
    if (st == CLGRAD_OK) st = schedule(plan);
    if (st != CLGRAD_OK) clgrad_plan_release(&plan);
    *out = plan;
    return st;
}

/* --- binding launches to scratch --- */

clgrad_buffer *clgrad_plan_value_buffer(const clgrad_plan *plan, int32_t value, int64_t *offset)
{
    const clgrad_value *v = &plan->values[value];
    const clgrad_tensor *t = NULL;
    *offset = 0;
    if (v->kind == CLGRAD_VALUE_SCRATCH) {
        *offset = (int64_t)(v->offset / clgrad_dtype_bytes(v->dtype));
        return plan->arenas[v->arena];
    }
    t = v->kind == CLGRAD_VALUE_INPUT ? plan->inputs[v->number] : plan->outputs[v->number];
    if (!t) return NULL;
    *offset = t->offset;
    return t->buffer;
}

static uint32_t first_buffer_argument(const clgrad_launch *l) { return l->kind == CLGRAD_LAUNCH_MATMUL ? 2 + (uint32_t)l->num_operands : 1; }

static clgrad_status bind_buffer(clgrad_launch *l, size_t slot, uint32_t argument, clgrad_buffer *buffer)
{
    if (l->bound[slot] == buffer || !l->kernel) {
        l->bound[slot] = buffer;
        return CLGRAD_OK;
    }
    CLGRAD_TRY(clgrad_kernel_set_buffer(l->kernel, argument, buffer));
    l->bound[slot] = buffer;
    return CLGRAD_OK;
}

/* Operands of a product carry their offsets in the description: made again when one moved. */
static clgrad_status bind_operands(clgrad_plan *plan, clgrad_launch *l)
{
    int64_t offset[CLGRAD_COUNT(l->operand_value)] = { 0 };
    bool moved = !l->params_set;
    for (size_t i = 0; i < l->num_operands; i++) {
        clgrad_buffer *buffer = clgrad_plan_value_buffer(plan, l->operand_value[i], &offset[i]);
        CLGRAD_TRY(bind_buffer(l, l->ir.num_leaves + i, 2 + (uint32_t)i, buffer));
        moved |= offset[i] != l->operand_offset[i];
    }
    if (!moved) return CLGRAD_OK;
    clgrad_matmul_desc desc = l->desc;
    desc.a_offset += offset[0], desc.b_offset += offset[1];
    desc.second.a_offset += offset[2], desc.second.b_offset += offset[3];
    clgrad_matmul_launch fresh;
    CLGRAD_TRY(clgrad_matmul_choose(plan->dev, &desc, &plan->options, &fresh));
    const clgrad_status st = clgrad_kernel_set_bytes(l->kernel, 0, fresh.params, fresh.params_bytes);
    clgrad_matmul_launch_release(plan->ctx, &fresh);
    if (st != CLGRAD_OK) return st;
    memcpy(l->operand_offset, offset, sizeof offset);
    return CLGRAD_OK;
}

static clgrad_status bind_launch(clgrad_plan *plan, clgrad_launch *l)
{
    if (l->kind == CLGRAD_LAUNCH_COPY || l->clblast) return CLGRAD_OK; /* found when run */
    if (l->kind == CLGRAD_LAUNCH_MATMUL) CLGRAD_TRY(bind_operands(plan, l));
    for (size_t i = 0; i < l->ir.num_leaves; i++) {
        const clgrad_ir_leaf *leaf = &l->ir.leaves[i];
        int64_t offset;
        clgrad_buffer *buffer = clgrad_plan_value_buffer(plan, leaf->value, &offset);
        CLGRAD_TRY(bind_buffer(l, i, first_buffer_argument(l) + (uint32_t)i, buffer));
        if (l->ir.params[leaf->offset_slot] != offset) l->params_set = false; /* also after a refusal below and a retry */
        l->ir.params[leaf->offset_slot] = offset;
    }
    if (l->params_set || !l->kernel) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_kernel_set_bytes(l->kernel, l->kind == CLGRAD_LAUNCH_MATMUL ? 1 : 0, l->ir.params,
                                       l->ir.num_params * sizeof(int64_t)));
    l->params_set = true;
    return CLGRAD_OK;
}

clgrad_status clgrad_plan_create(clgrad_device *dev, const clgrad_graph *g, const clgrad_plan_options *options, clgrad_plan **out)
{
    clgrad_plan *plan;
    *out = NULL;
    CLGRAD_TRY(make(dev, g, options, &plan));
    clgrad_status st = clgrad_plan_allocate(plan);
    for (size_t i = 0; i < plan->num_kernels && st == CLGRAD_OK; i++) st = clgrad_plan_kernel_emit(plan, &plan->kernels[i]);
    if (st != CLGRAD_OK) clgrad_plan_release(&plan);
    *out = plan;
    return st;
}

static uint64_t scratch_bytes(const clgrad_plan *plan)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->num_arenas; i++) bytes += plan->arena_bytes[i];
    return bytes;
}

clgrad_status clgrad_plan_estimate(clgrad_device *dev, const clgrad_graph *g, const clgrad_plan_options *options, uint64_t *bytes)
{
    clgrad_plan *plan;
    CLGRAD_TRY(make(dev, g, options, &plan));
    *bytes = scratch_bytes(plan);
    clgrad_plan_release(&plan);
    return CLGRAD_OK;
}

void clgrad_launch_release(clgrad_plan *plan, clgrad_launch *l)
{
    clgrad_text *const texts[] = { &l->helpers_text, &l->params_text, &l->args_text, &l->vector_text, &l->scalar_text, &l->touches_text };
    clgrad_kernel_release(&l->kernel);
    clgrad_matmul_launch_release(plan->ctx, &l->matmul);
    for (size_t i = 0; i < CLGRAD_COUNT(texts); i++) clgrad_text_release(texts[i]);
    clgrad_free(plan->ctx, l->preamble);
    clgrad_free(plan->ctx, l->bound);
    clgrad_ir_release(&l->ir);
}

static void release_tensors(clgrad_tensor **tensors, size_t count)
{
    for (size_t i = 0; tensors && i < count; i++) clgrad_tensor_release(&tensors[i]);
}

static void release_tables(clgrad_plan *plan)
{
    void *const tables[] = { plan->live, plan->stored, plan->forced, plan->plain, plan->alone, plan->unread, plan->spread, plan->epilogue, plan->core, plan->second,
                             plan->alias, plan->places, plan->made, plan->last_read, plan->copies, plan->donated, plan->donation_taken, plan->advance,
                             plan->inputs, plan->outputs, plan->values, plan->launches, plan->kernels, plan->arena_bytes, plan->arenas };
    for (size_t i = 0; i < CLGRAD_COUNT(tables); i++) clgrad_free(plan->ctx, tables[i]);
}

void clgrad_plan_release(clgrad_plan **address)
{
    clgrad_plan *plan = *address;
    *address = NULL;
    if (!plan) return;
    clear_launches(plan);
    if (plan->work) {
        release_tensors(plan->inputs, plan->work->num_inputs);
        release_tensors(plan->outputs, plan->work->num_outputs);
    }
    for (size_t i = 0; plan->arenas && i < plan->num_arenas; i++) clgrad_buffer_release(&plan->arenas[i]);
    release_tables(plan);
    clgrad_graph_release(&plan->work);
    clgrad_graph_release(&plan->graph);
    clgrad_device *dev = plan->dev;
    clgrad_context *ctx = plan->ctx;
    clgrad_free(ctx, plan);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
}

/* --- binding --- */

static clgrad_status check_operand(const clgrad_plan *plan, const clgrad_tensor *t, clgrad_node n, const char *kind, const char *name)
{
    const clgrad_op_node *node = clgrad_at(plan->graph, n);
    char is[CLGRAD_SHAPE_TEXT], wanted[CLGRAD_SHAPE_TEXT];
    if (!t) return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "%s '%s' has no tensor", kind, name);
    if (clgrad_tensor_device(t) != plan->dev) return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "%s '%s' is on another device", kind, name);
    if (t->dtype != node->dtype)
        return clgrad_fail(plan->ctx, CLGRAD_E_DTYPE, "%s '%s' is %s, the graph has %s", kind, name, clgrad_dtype_name(t->dtype),
                           clgrad_dtype_name(node->dtype));
    if (!clgrad_shape_equal(&t->shape, &node->shape))
        return clgrad_fail(plan->ctx, CLGRAD_E_SHAPE, "%s '%s' has shape %s, the graph has %s", kind, name,
                           clgrad_shape_text(&t->shape, is), clgrad_shape_text(&node->shape, wanted));
    return CLGRAD_OK;
}

static bool overlap(const clgrad_tensor *a, const clgrad_tensor *b)
{
    if (a->buffer != b->buffer) return false;
    const int64_t a_size = (int64_t)clgrad_dtype_bytes(a->dtype), b_size = (int64_t)clgrad_dtype_bytes(b->dtype);
    const int64_t a_from = a->offset * a_size, b_from = b->offset * b_size;
    return a_from < b_from + (int64_t)clgrad_tensor_bytes(b) && b_from < a_from + (int64_t)clgrad_tensor_bytes(a);
}

static clgrad_status check_overlaps(const clgrad_plan *plan, clgrad_tensor *const *inputs, clgrad_tensor *const *outputs)
{
    const clgrad_graph *g = plan->graph;
    for (size_t o = 0; o < g->num_outputs; o++) {
        for (size_t i = 0; i < g->num_inputs; i++) {
            const bool same = inputs[i]->buffer == outputs[o]->buffer && inputs[i]->offset == outputs[o]->offset;
            const bool donated = plan->donated[i] == o + 1;
            if (donated ? same : !overlap(inputs[i], outputs[o])) continue;
            return clgrad_fail(plan->ctx, CLGRAD_E_ARG,
                               donated ? "output '%s' must be the memory of input '%s', which is donated to it"
                                       : "output '%s' overlaps input '%s'",
                               clgrad_graph_output_name(g, o), clgrad_graph_input_name(g, i));
        }
        for (size_t i = 0; i < o; i++)
            if (overlap(outputs[i], outputs[o]))
                return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "output '%s' overlaps output '%s'", clgrad_graph_output_name(g, o),
                                   clgrad_graph_output_name(g, i));
    }
    return CLGRAD_OK;
}

static clgrad_status check_operands(const clgrad_plan *plan, clgrad_tensor *const *inputs, clgrad_tensor *const *outputs)
{
    const clgrad_graph *g = plan->graph;
    for (size_t i = 0; i < g->num_inputs; i++)
        CLGRAD_TRY(check_operand(plan, inputs[i], g->inputs[i], "input", clgrad_graph_input_name(g, i)));
    for (size_t i = 0; i < g->num_outputs; i++)
        CLGRAD_TRY(check_operand(plan, outputs[i], g->outputs[i], "output", clgrad_graph_output_name(g, i)));
    return check_overlaps(plan, inputs, outputs);
}

static void keep(clgrad_tensor **kept, clgrad_tensor *const *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        clgrad_tensor *fresh = clgrad_tensor_retain(tensors[i]);
        clgrad_tensor_release(&kept[i]);
        kept[i] = fresh;
    }
}

static bool is_bound_to(const clgrad_plan *plan, clgrad_tensor *const *inputs, clgrad_tensor *const *outputs)
{
    const clgrad_graph *g = plan->graph;
    return plan->bound && (g->num_inputs == 0 || memcmp(plan->inputs, inputs, g->num_inputs * sizeof *inputs) == 0) &&
           (g->num_outputs == 0 || memcmp(plan->outputs, outputs, g->num_outputs * sizeof *outputs) == 0);
}

clgrad_status clgrad_plan_bind(clgrad_plan *plan, clgrad_tensor *const *inputs, clgrad_tensor *const *outputs)
{
    if (is_bound_to(plan, inputs, outputs)) return CLGRAD_OK;
    CLGRAD_TRY(check_operands(plan, inputs, outputs));
    keep(plan->inputs, inputs, plan->graph->num_inputs);
    keep(plan->outputs, outputs, plan->graph->num_outputs);
    plan->bound = false;
    for (size_t i = 0; i < plan->num_kernels; i++) {
        clgrad_plan_kernel *k = &plan->kernels[i];
        CLGRAD_TRY(k->count > 1 ? clgrad_plan_kernel_bind(plan, k) : bind_launch(plan, &plan->launches[k->first]));
    }
    plan->bound = true;
    return CLGRAD_OK;
}

/* --- running --- */

static clgrad_status run_copy(const clgrad_plan *plan, const clgrad_launch *l)
{
    const clgrad_value *to = &plan->values[l->operand_value[0]];
    const size_t size = clgrad_dtype_bytes(to->dtype);
    int64_t to_offset, from_offset;
    clgrad_buffer *dst = clgrad_plan_value_buffer(plan, l->operand_value[0], &to_offset);
    clgrad_buffer *src = clgrad_plan_value_buffer(plan, l->operand_value[1], &from_offset);
    return clgrad_buffer_copy(dst, (size_t)to_offset * size, src, (size_t)from_offset * size, (size_t)to->count * size);
}

static clgrad_status run_clblast(const clgrad_plan *plan, const clgrad_launch *l)
{
    int64_t a_offset, b_offset, c_offset;
    clgrad_buffer *a = clgrad_plan_value_buffer(plan, l->operand_value[0], &a_offset);
    clgrad_buffer *b = clgrad_plan_value_buffer(plan, l->operand_value[1], &b_offset);
    clgrad_buffer *c = clgrad_plan_value_buffer(plan, l->root[0].place.value, &c_offset);
    clgrad_matmul_desc desc = l->desc;
    desc.a_offset += a_offset, desc.b_offset += b_offset;
    return clgrad_clblast_run(plan->dev, &desc, a, b, c, c_offset + l->root[0].place.offset);
}

clgrad_status clgrad_launch_run(const clgrad_plan *plan, const clgrad_launch *l)
{
    clgrad_plan_kernel *k = &plan->kernels[l->kernel_number];
    if (k->count > 1) return l == &plan->launches[k->first] ? clgrad_plan_kernel_run(k, 1) : CLGRAD_OK;
    if (l->kind == CLGRAD_LAUNCH_COPY) return run_copy(plan, l);
    if (l->clblast) return run_clblast(plan, l);
    return clgrad_kernel_launch(l->kernel, l->dims, l->global, l->local, l->label);
}

static clgrad_status check_bound(const clgrad_plan *plan)
{
    return plan->bound ? CLGRAD_OK : clgrad_fail(plan->ctx, CLGRAD_E_ARG, "the plan is run before tensors are bound to it");
}

int64_t clgrad_plan_most_runs(const clgrad_plan *plan)
{
    return plan->num_kernels == 1 && plan->kernels[0].repeats ? plan->kernels[0].most_runs : 1;
}

clgrad_status clgrad_plan_repeat(clgrad_plan *plan, int64_t runs)
{
    assert(plan->kernels[0].repeats);
    CLGRAD_TRY(check_bound(plan));
    return clgrad_plan_kernel_run(&plan->kernels[0], runs);
}

clgrad_status clgrad_plan_run(clgrad_plan *plan)
{
    CLGRAD_TRY(check_bound(plan));
    for (size_t i = 0; i < plan->num_launches; i++) CLGRAD_TRY(clgrad_launch_run(plan, &plan->launches[i]));
    return CLGRAD_OK;
}

/* --- asking --- */

const clgrad_graph *clgrad_plan_graph(const clgrad_plan *plan) { return plan->graph; }
size_t clgrad_plan_num_launches(const clgrad_plan *plan) { return plan->num_launches; }
uint64_t clgrad_plan_scratch_bytes(const clgrad_plan *plan) { return scratch_bytes(plan); }
bool clgrad_plan_donation_taken(const clgrad_plan *plan, size_t input)
{
    return input < plan->work->num_inputs && plan->donation_taken[input];
}
