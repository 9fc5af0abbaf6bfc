#include "measure/evaluate.h"

typedef struct evaluation {
    clgrad_plan *plan;
    clgrad_tensor **in, **out;
    size_t num_in, num_out;
} evaluation;

static void evaluation_release(clgrad_context *ctx, evaluation *e)
{
    clgrad_plan_release(&e->plan);
    for (size_t i = 0; e->in && i < e->num_in; i++) clgrad_tensor_release(&e->in[i]);
    for (size_t i = 0; e->out && i < e->num_out; i++) clgrad_tensor_release(&e->out[i]);
    clgrad_free(ctx, e->in);
    clgrad_free(ctx, e->out);
}

static clgrad_status make_tensors(clgrad_device *dev, const clgrad_graph *g, const clgrad_array *inputs, evaluation *e)
{
    for (size_t i = 0; i < e->num_in; i++)
        CLGRAD_TRY(clgrad_tensor_create_from(dev, inputs[i].dtype, inputs[i].shape, inputs[i].data,
                                             clgrad_array_bytes(&inputs[i]), &e->in[i]));
    for (size_t i = 0; i < e->num_out; i++) {
        const clgrad_op_node *n = clgrad_at(g, clgrad_graph_output(g, i));
        CLGRAD_TRY(clgrad_tensor_create(dev, n->dtype, n->shape, &e->out[i]));
    }
    return CLGRAD_OK;
}

static clgrad_status read_back(clgrad_context *ctx, evaluation *e, clgrad_array *outputs)
{
    for (size_t i = 0; i < e->num_out; i++) {
        clgrad_tensor *t = e->out[i];
        CLGRAD_TRY(clgrad_array_create(ctx, clgrad_tensor_dtype(t), clgrad_tensor_shape(t), &outputs[i]));
        CLGRAD_TRY(clgrad_tensor_read(t, outputs[i].data, clgrad_tensor_bytes(t)));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_evaluate_on(clgrad_device *dev, const clgrad_graph *g, const clgrad_plan_options *options,
                                 const clgrad_array *inputs, clgrad_array *outputs)
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    evaluation e = { .num_in = clgrad_graph_num_inputs(g), .num_out = clgrad_graph_num_outputs(g) };
    for (size_t i = 0; i < e.num_out; i++) outputs[i] = (clgrad_array){ .data = NULL };
    e.in = clgrad_alloc(ctx, e.num_in, sizeof *e.in);
    e.out = clgrad_alloc(ctx, e.num_out, sizeof *e.out);
    clgrad_status status = e.in && e.out ? CLGRAD_OK : CLGRAD_E_MEMORY;
    if (status == CLGRAD_OK) status = make_tensors(dev, g, inputs, &e);
    if (status == CLGRAD_OK) status = clgrad_plan_create(dev, g, options, &e.plan);
    if (status == CLGRAD_OK) status = clgrad_plan_bind(e.plan, e.in, e.out);
    if (status == CLGRAD_OK) status = clgrad_plan_run(e.plan);
    if (status == CLGRAD_OK) status = read_back(ctx, &e, outputs);
    for (size_t i = 0; status != CLGRAD_OK && i < e.num_out; i++) clgrad_array_release(ctx, &outputs[i]);
    evaluation_release(ctx, &e);
    return status;
}
