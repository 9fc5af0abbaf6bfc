/* Functions: a graph compiled for one device, called with tensors. */

#include "schedule/schedule.h"

struct clgrad_function {
    size_t refs;
    clgrad_device *dev;
    clgrad_graph *graph;
    clgrad_plan *plan;
    clgrad_tensor **outputs; /* of the call in progress */
};

static clgrad_status check_options(clgrad_context *ctx, const clgrad_function_options *options)
{
    if (options && options->struct_size != sizeof *options)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "function options: struct_size %zu is not one this library knows",
                           options->struct_size);
    return CLGRAD_OK;
}

static clgrad_status create(clgrad_device *dev, clgrad_graph *g, const clgrad_plan_options *options, clgrad_function **out)
{
    *out = NULL;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    CLGRAD_TRY(clgrad_graph_status(g));
    clgrad_function *f = clgrad_alloc(ctx, 1, sizeof *f);
    if (!f) return CLGRAD_E_MEMORY;
    *f = (clgrad_function){ .refs = 1, .dev = clgrad_device_retain(dev), .graph = clgrad_graph_retain(g) };
    clgrad_status st = clgrad_plan_create(dev, g, options, &f->plan);
    if (st == CLGRAD_OK) {
        f->outputs = clgrad_alloc(ctx, g->num_outputs, sizeof(clgrad_tensor *));
        if (!f->outputs) st = CLGRAD_E_MEMORY;
    }
    if (st == CLGRAD_OK) *out = f, f = NULL;
    clgrad_function_release(&f);
    return st;
}

clgrad_status clgrad_function_create(clgrad_device *dev, clgrad_graph *g, const clgrad_function_options *options,
                                     clgrad_function **out)
{
    *out = NULL;
    CLGRAD_TRY(check_options(clgrad_device_get_context(dev), options));
    const clgrad_plan_options plan_options = { .no_fusion = options && options->no_fusion,
                                               .donated = options ? options->donated : NULL };
    return create(dev, g, &plan_options, out);
}

clgrad_status clgrad_function_create_updating(clgrad_device *dev, clgrad_graph *g, const size_t *advance, clgrad_function **out)
{
    *out = NULL;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    uint32_t *donated = clgrad_alloc(ctx, g->num_inputs, sizeof *donated);
    if (!donated) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < g->num_inputs; i++) {
        const size_t output = clgrad_graph_find_output(g, g->input_names[i]);
        donated[i] = output == SIZE_MAX ? 0 : (uint32_t)output + 1;
    }
    const clgrad_plan_options options = { .donated = donated, .advance = advance };
    const clgrad_status st = create(dev, g, &options, out);
    clgrad_free(ctx, donated);
    return st;
}

clgrad_function *clgrad_function_retain(clgrad_function *f)
{
    if (f) f->refs++;
    return f;
}

void clgrad_function_release(clgrad_function **address)
{
    clgrad_function *f = *address;
    *address = NULL;
    if (!f || --f->refs > 0) return;
    clgrad_context *ctx = clgrad_device_get_context(f->dev);
    clgrad_plan_release(&f->plan);
    clgrad_graph_release(&f->graph);
    clgrad_free(ctx, f->outputs);
    clgrad_device *dev = f->dev;
    clgrad_free(ctx, f);
    clgrad_device_release(&dev);
}

clgrad_graph *clgrad_function_graph(const clgrad_function *f) { return f->graph; }

/* --- calling --- */

static clgrad_status check_inputs(const clgrad_function *f, clgrad_tensor *const *inputs)
{
    for (size_t i = 0; i < f->graph->num_inputs; i++)
        if (!inputs[i])
            return clgrad_fail(f->graph->ctx, CLGRAD_E_ARG, "function call: input '%s' is NULL", f->graph->input_names[i]);
    return CLGRAD_OK;
}

/* Fill f->outputs with the caller's tensors, and with new ones where the caller has none. */
static clgrad_status gather_outputs(clgrad_function *f, clgrad_tensor *const *outputs)
{
    const clgrad_graph *g = f->graph;
    for (size_t i = 0; i < g->num_outputs; i++) {
        const clgrad_op_node *node = clgrad_at(g, g->outputs[i]);
        f->outputs[i] = outputs[i];
        if (!outputs[i]) CLGRAD_TRY(clgrad_tensor_create(f->dev, node->dtype, node->shape, &f->outputs[i]));
    }
    return CLGRAD_OK;
}

/* All that can be refused for want of memory comes before the first launch. */
static clgrad_status enqueue(clgrad_function *f, clgrad_tensor *const *inputs, size_t num_wait,
                             clgrad_event *const *wait, clgrad_event **event)
{
    CLGRAD_TRY(clgrad_plan_bind(f->plan, inputs, f->outputs));
    CLGRAD_TRY(clgrad_device_wait_for(f->dev, num_wait, wait));
    CLGRAD_TRY(clgrad_device_mark_begin(f->dev, event));
    return clgrad_device_mark_end(f->dev, clgrad_plan_run(f->plan), event);
}

clgrad_status clgrad_function_call(clgrad_function *f, clgrad_tensor *const *inputs, clgrad_tensor **outputs,
                                   size_t num_wait, clgrad_event *const *wait, clgrad_event **event)
{
    if (event) *event = NULL;
    const size_t count = f->graph->num_outputs;
    CLGRAD_TRY(check_inputs(f, inputs));
    memset(f->outputs, 0, count * sizeof(clgrad_tensor *));
    clgrad_status st = gather_outputs(f, outputs);
    if (st == CLGRAD_OK) st = enqueue(f, inputs, num_wait, wait, event);
    for (size_t i = 0; i < count; i++) {
        const bool made_here = !outputs[i];
        if (made_here && st == CLGRAD_OK) outputs[i] = f->outputs[i];
        if (made_here && st != CLGRAD_OK) clgrad_tensor_release(&f->outputs[i]);
    }
    return st;
}

int64_t clgrad_function_most_calls(const clgrad_function *f) { return clgrad_plan_most_runs(f->plan); }

clgrad_status clgrad_function_repeat(clgrad_function *f, clgrad_tensor *const *inputs, clgrad_tensor *const *outputs, int64_t calls)
{
    CLGRAD_TRY(check_inputs(f, inputs));
    CLGRAD_TRY(clgrad_plan_bind(f->plan, inputs, outputs));
    return clgrad_plan_repeat(f->plan, calls);
}

clgrad_status clgrad_function_explain(const clgrad_function *f, char **text)
{
    return clgrad_plan_explain(f->plan, text);
}

clgrad_status clgrad_function_launch(const clgrad_function *f, size_t i, clgrad_launch_info *out)
{
    return clgrad_plan_launch_info(f->plan, i, out);
}

clgrad_status clgrad_function_operand(const clgrad_function *f, size_t i, size_t k, clgrad_operand_info *out)
{
    return clgrad_plan_operand_info(f->plan, i, k, out);
}

bool clgrad_function_product(const clgrad_function *f, size_t i, clgrad_product *out) { return clgrad_plan_product(f->plan, i, out); }

clgrad_status clgrad_function_cost(const clgrad_function *f, clgrad_cost *out) { return clgrad_plan_cost(f->plan, out); }

clgrad_status clgrad_function_time(clgrad_function *f, size_t runs, double *seconds, double *wall)
{
    return clgrad_plan_time(f->plan, runs, seconds, wall);
}

void clgrad_function_text_release(clgrad_function *f, char **text)
{
    if (!f || !*text) return;
    clgrad_free(f->graph->ctx, *text);
    *text = NULL;
}
