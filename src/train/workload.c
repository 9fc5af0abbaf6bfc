/* What a configuration computes, on made-up data: the same functions as a training's, for looking at and for timing. */

#include "train/trainer.h"

#include "autodiff/autodiff.h"

enum { STEP_BATCHES = 8 }; /* of made-up data that a step takes its batches from */

struct clgrad_workload {
    clgrad_workload_kind kind;
    clgrad_train_result result;
    clgrad_trainer trainer; /* its data and task serve all kinds */
    clgrad_tensor **inputs; /* of the objective or prediction, parameters first */
    size_t num_inputs, num_params;
    clgrad_function *function;   /* FORWARD, GRADIENT */
    clgrad_operator *products;   /* HVP, GNVP */
    clgrad_tensor **outputs;
    size_t num_outputs;
};

/* --- data --- */

static void fill_data(clgrad_dataset *data, const clgrad_task *task)
{
    const int64_t labels = task->outputs > 1 ? task->outputs : 2, features = data->count * data->num_features;
    for (int64_t i = 0; i < features; i++)
        data->features[i] = 2.0f * clgrad_random_uniform(1, CLGRAD_DRAW_MADE_UP, 0, (uint64_t)i) - 1.0f;
    for (int64_t i = 0; i < data->count; i++) data->targets[i] = (float)(i % labels), data->order[i] = (uint32_t)i;
}

/* Data, parameters and as much again for what is computed; plans check their scratch themselves. */
static clgrad_status check_memory(const clgrad_workload *w)
{
    const clgrad_trainer *t = &w->trainer;
    uint64_t parameters = 0;
    for (size_t i = 0; i < clgrad_model_num_parameters(t->task.model); i++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(t->task.model, i);
        parameters += (uint64_t)clgrad_shape_count(&shape);
    }
    uint64_t bytes = clgrad_source_bytes(&t->task, &t->data, 0, false) + 8 * parameters;
    if (w->kind == CLGRAD_WORKLOAD_STEP && clgrad_residency_streams(t->settings, t->dev, &t->task, &t->data, bytes))
        bytes = clgrad_source_bytes(&t->task, &t->data, t->settings->train_batch, true) + 8 * parameters;
    return clgrad_memory_check(t->dev, bytes, "the model");
}

static clgrad_status make_data(clgrad_workload *w)
{
    clgrad_trainer *t = &w->trainer;
    clgrad_dataset *data = &t->data;
    const int64_t count = t->settings->train_batch * (w->kind == CLGRAD_WORKLOAD_STEP ? STEP_BATCHES : 1);
    *data = (clgrad_dataset){ .ctx = t->ctx, .count = count, .num_given_train = count,
                              .num_features = clgrad_layers_inputs(t->settings->model_layers), .first = { 0, count, count, count } };
    CLGRAD_TRY(clgrad_task_create(t->ctx, t->settings, data, &t->task));
    CLGRAD_TRY(check_memory(w));
    CLGRAD_TRY(clgrad_dataset_allocate(data, (size_t)(count * data->num_features)));
    data->targets = clgrad_alloc(t->ctx, (size_t)count, sizeof *data->targets);
    data->order = clgrad_alloc(t->ctx, (size_t)count, sizeof *data->order);
    if (!data->targets || !data->order) return CLGRAD_E_MEMORY;
    fill_data(data, &t->task);
    return CLGRAD_OK;
}

/* --- operands of what is not a step --- */

static clgrad_status make_parameter(clgrad_workload *w, size_t i)
{
    clgrad_trainer *t = &w->trainer;
    return clgrad_task_draw(&t->task, t->dev, (uint64_t)t->settings->train_seed, i, &w->inputs[i]);
}

static clgrad_status make_input(clgrad_workload *w, const clgrad_graph *g, size_t i)
{
    const clgrad_resident *r = &w->trainer.source.resident;
    clgrad_tensor *const data[] = { r->features, r->targets, r->weights };
    const char *name = g->input_names[i];
    if (i < w->num_params) return make_parameter(w, i);
    if (strncmp(name, "d.", 2) == 0) {
        w->inputs[i] = clgrad_tensor_retain(data[name[2] - '0']);
        return CLGRAD_OK;
    }
    const clgrad_op_node *input = clgrad_at(g, g->inputs[i]); /* a hyper.* scalar */
    CLGRAD_TRY(clgrad_tensor_create(w->trainer.dev, input->dtype, input->shape, &w->inputs[i]));
    return clgrad_tensor_fill(w->inputs[i], 0);
}

static clgrad_status make_operands(clgrad_workload *w, const clgrad_graph *g, size_t num_outputs)
{
    clgrad_context *ctx = w->trainer.ctx;
    w->num_inputs = g->num_inputs;
    w->num_outputs = num_outputs;
    w->inputs = clgrad_alloc(ctx, w->num_inputs, sizeof(clgrad_tensor *));
    w->outputs = clgrad_alloc(ctx, num_outputs, sizeof(clgrad_tensor *));
    if (!w->inputs || !w->outputs) return CLGRAD_E_MEMORY;
    CLGRAD_TRY(clgrad_source_create(w->trainer.dev, &w->trainer.task, &w->trainer.data, false, &w->trainer.source));
    for (size_t i = 0; i < w->num_inputs; i++) CLGRAD_TRY(make_input(w, g, i));
    return CLGRAD_OK;
}

/* --- kinds --- */

static clgrad_status make_function(clgrad_workload *w, clgrad_graph *g)
{
    CLGRAD_TRY(make_operands(w, g, g->num_outputs));
    return clgrad_function_create(w->trainer.dev, g, NULL, &w->function);
}

static clgrad_status make_forward(clgrad_workload *w)
{
    clgrad_graph *g = NULL;
    CLGRAD_TRY(clgrad_task_prediction(&w->trainer.task, w->trainer.settings->train_batch, &g));
    const clgrad_status st = make_function(w, g);
    clgrad_graph_release(&g);
    return st;
}

/* wrt: all parameters; samples: the inputs that carry samples. */
static clgrad_status make_gradient(clgrad_workload *w, const clgrad_graph *f, const size_t *wrt, bool *samples)
{
    clgrad_graph *g = NULL;
    for (size_t i = 0; i < f->num_inputs; i++) samples[i] = strncmp(f->input_names[i], "d.", 2) == 0;
    CLGRAD_TRY(clgrad_gradient_cells(f, 0, w->num_params, wrt, samples, &g));
    const clgrad_status st = make_function(w, g);
    clgrad_graph_release(&g);
    return st;
}

static clgrad_status make_products(clgrad_workload *w, const clgrad_graph *f, const size_t *wrt)
{
    CLGRAD_TRY(make_operands(w, f, w->num_params));
    return clgrad_hessian_create(w->trainer.dev, f, 0, w->num_params, wrt, w->inputs, &w->products);
}

/* f, the objective, has the same inputs. */
static clgrad_status make_gauss_newton(clgrad_workload *w, const clgrad_graph *f)
{
    clgrad_graph *model, *loss;
    clgrad_objective_options options;
    CLGRAD_TRY(make_operands(w, f, w->num_params));
    clgrad_status st = clgrad_task_parts(&w->trainer.task, w->trainer.settings->train_batch, &model, &loss, &options);
    if (st == CLGRAD_OK) st = clgrad_gauss_newton_create(w->trainer.dev, model, loss, &options, w->inputs, &w->products);
    clgrad_graph_release(&model);
    clgrad_graph_release(&loss);
    return st;
}

static clgrad_status make_derivative(clgrad_workload *w)
{
    clgrad_context *ctx = w->trainer.ctx;
    clgrad_graph *f = NULL;
    CLGRAD_TRY(clgrad_task_objective(&w->trainer.task, w->trainer.settings->train_batch, &f));
    size_t *wrt = clgrad_alloc(ctx, w->num_params, sizeof *wrt);
    bool *samples = clgrad_alloc(ctx, f->num_inputs, sizeof *samples);
    clgrad_status st = wrt && samples ? CLGRAD_OK : CLGRAD_E_MEMORY;
    for (size_t i = 0; st == CLGRAD_OK && i < w->num_params; i++) wrt[i] = i;
    if (st == CLGRAD_OK && w->kind == CLGRAD_WORKLOAD_GRADIENT) st = make_gradient(w, f, wrt, samples);
    if (st == CLGRAD_OK && w->kind == CLGRAD_WORKLOAD_HVP) st = make_products(w, f, wrt);
    if (st == CLGRAD_OK && w->kind == CLGRAD_WORKLOAD_GNVP) st = make_gauss_newton(w, f);
    clgrad_graph_release(&f);
    clgrad_free(ctx, wrt);
    clgrad_free(ctx, samples);
    return st;
}

static clgrad_status make(clgrad_workload *w)
{
    CLGRAD_TRY(make_data(w));
    w->num_params = clgrad_model_num_parameters(w->trainer.task.model);
    switch (w->kind) {
    case CLGRAD_WORKLOAD_STEP: return clgrad_trainer_make_step(&w->trainer);
    case CLGRAD_WORKLOAD_FORWARD: return make_forward(w);
    default: return make_derivative(w);
    }
}

clgrad_status clgrad_workload_create(clgrad_device *dev, const clgrad_config *config, clgrad_workload_kind kind, clgrad_workload **out)
{
    static const clgrad_train_callbacks silent = CLGRAD_TRAIN_CALLBACKS_INIT;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    *out = NULL;
    if ((unsigned)kind > CLGRAD_WORKLOAD_GNVP) return clgrad_fail(ctx, CLGRAD_E_ARG, "there is no workload of kind %d", (int)kind);
    clgrad_workload *w = clgrad_alloc(ctx, 1, sizeof *w);
    if (!w) return CLGRAD_E_MEMORY;
    *w = (clgrad_workload){ .kind = kind, .result = CLGRAD_TRAIN_RESULT_INIT };
    w->trainer = (clgrad_trainer){ .dev = clgrad_device_retain(dev), .ctx = ctx, .config = config, .settings = &config->settings,
                                   .callbacks = &silent, .result = &w->result };
    const clgrad_status st = make(w);
    if (st == CLGRAD_OK) *out = w, w = NULL;
    clgrad_workload_release(&w);
    return st;
}

void clgrad_workload_release(clgrad_workload **address)
{
    clgrad_workload *w = *address;
    *address = NULL;
    if (!w) return;
    clgrad_context *ctx = w->trainer.ctx;
    clgrad_device *dev = w->trainer.dev;
    for (size_t i = 0; w->inputs && i < w->num_inputs; i++) clgrad_tensor_release(&w->inputs[i]);
    for (size_t i = 0; w->outputs && i < w->num_outputs; i++) clgrad_tensor_release(&w->outputs[i]);
    clgrad_free(ctx, w->inputs);
    clgrad_free(ctx, w->outputs);
    clgrad_function_release(&w->function);
    clgrad_operator_release(&w->products);
    clgrad_trainer_release(&w->trainer);
    clgrad_free(ctx, w);
    clgrad_device_release(&dev);
}

clgrad_status clgrad_workload_run(clgrad_workload *w)
{
    if (w->kind == CLGRAD_WORKLOAD_STEP) return clgrad_trainer_update(&w->trainer);
    if (w->products) return clgrad_operator_apply(w->products, w->inputs, w->outputs, 0, NULL, NULL);
    return clgrad_function_call(w->function, w->inputs, w->outputs, 0, NULL, NULL);
}

/* The parts of an operator in the order in which they matter: each product, then the point; either may be missing. */
static clgrad_function *product_part(const clgrad_workload *w, size_t i, const char **when)
{
    clgrad_function *each = clgrad_operator_function(w->products, 1), *once = clgrad_operator_function(w->products, 0);
    const bool first = i == 0 && each;
    *when = first ? "each product" : "once at a point";
    return first ? each : i == (each ? 1u : 0u) ? once : NULL;
}

clgrad_function *clgrad_workload_function(const clgrad_workload *w, size_t i, const char **when)
{
    const char *unused;
    if (!when) when = &unused;
    *when = "each call";
    if (w->products) return product_part(w, i, when);
    if (w->kind != CLGRAD_WORKLOAD_STEP) return i == 0 ? w->function : NULL;
    const bool cut = clgrad_optimizer_function(w->trainer.opt, 1) != NULL;
    *when = !cut ? "each step" : i == 0 ? "each batch" : "each update";
    return clgrad_optimizer_function(w->trainer.opt, i);
}
