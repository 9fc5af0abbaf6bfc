/* A task: model, loss, and what targets mean to both. */

#include "train/network.h"

void clgrad_task_release(clgrad_task *task) { clgrad_model_release(&task->model); }

static clgrad_status create_model(clgrad_context *ctx, const clgrad_settings *settings, clgrad_model **out)
{
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    if (!*settings->model_layers)
        return clgrad_fail(ctx, CLGRAD_E_CONFIG, "model.layers is not set; 784-128-10 for example has one hidden layer of 128");
    options.layers = settings->model_layers;
    options.activation = settings->model_activation;
    options.dropout = settings->model_dropout;
    options.init = settings->model_init;
    return clgrad_model_create(ctx, &options, out);
}

/* Are all targets 0, 1, 2, ...? */
static bool whole_targets(const clgrad_dataset *data)
{
    for (int64_t i = 0; data->targets && i < data->count; i++)
        if (!(data->targets[i] >= 0 && data->targets[i] == floorf(data->targets[i]))) return false;
    return true;
}

static bool named(const clgrad_loss_info *loss, const char *name) { return strcmp(loss->name, name) == 0; }

static clgrad_status fit(const clgrad_task *task, const clgrad_settings *settings, const clgrad_dataset *data)
{
    const int64_t inputs = clgrad_model_inputs(task->model);
    if (inputs != data->num_features)
        return clgrad_fail(data->ctx, CLGRAD_E_CONFIG, "model.layers '%s' begins with %lld inputs, but %s has %lld features",
                           settings->model_layers, (long long)inputs, settings->data_path, (long long)data->num_features);
    if (data->classes && task->classes && task->outputs > 1 && data->num_classes > task->outputs)
        return clgrad_fail(data->ctx, CLGRAD_E_CONFIG, "model.layers '%s' ends with %lld outputs, but %s has %lld classes",
                           settings->model_layers, (long long)task->outputs, settings->data_path, (long long)data->num_classes);
    if (task->loss->classes || task->outputs > 1) return clgrad_dataset_check_labels(data, task->outputs);
    return task->classes ? clgrad_dataset_check_labels(data, 2) : CLGRAD_OK;
}

clgrad_status clgrad_task_create(clgrad_context *ctx, const clgrad_settings *settings, const clgrad_dataset *data, clgrad_task *out)
{
    *out = (clgrad_task){ 0 };
    CLGRAD_TRY(clgrad_loss_find(ctx, settings->loss, &out->loss));
    CLGRAD_TRY(create_model(ctx, settings, &out->model));
    out->outputs = clgrad_model_outputs(out->model);
    const bool hinge = named(out->loss, "hinge");
    out->low = hinge ? -1.0f : 0.0f;
    out->high = 1.0f;
    out->classes = out->loss->classes || hinge || out->outputs > 1 || (named(out->loss, "bce") && whole_targets(data));
    const clgrad_status st = fit(out, settings, data);
    if (st != CLGRAD_OK) clgrad_task_release(out);
    return st;
}

int64_t clgrad_layers_inputs(const char *layers)
{
    int64_t n = 0;
    for (; *layers >= '0' && *layers <= '9' && n < INT32_MAX; layers++) n = 10 * n + (*layers - '0');
    return n;
}

clgrad_status clgrad_task_draw(const clgrad_task *task, clgrad_device *dev, uint64_t seed, size_t i, clgrad_tensor **out)
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    const clgrad_shape shape = clgrad_model_parameter_shape(task->model, i);
    const size_t count = (size_t)clgrad_shape_count(&shape);
    float *values = clgrad_alloc(ctx, count, sizeof *values);
    if (!values) return CLGRAD_E_MEMORY;
    clgrad_status st = clgrad_model_initialize(task->model, seed, i, values, count);
    if (st == CLGRAD_OK) st = clgrad_tensor_create_from(dev, CLGRAD_F32, shape, values, count * sizeof *values, out);
    clgrad_free(ctx, values);
    return st;
}

/* --- targets --- */

static void encode_labels(const clgrad_dataset *data, int32_t *labels)
{
    for (int64_t i = 0; i < data->count; i++) labels[i] = (int32_t)data->targets[i];
}

static void encode_one_hot(const clgrad_task *task, const clgrad_dataset *data, float *values)
{
    for (int64_t i = 0; i < data->count; i++)
        for (int64_t o = 0; o < task->outputs; o++)
            values[i * task->outputs + o] = o == (int64_t)data->targets[i] ? task->high : task->low;
}

static void encode_single(const clgrad_task *task, const clgrad_dataset *data, float *values)
{
    for (int64_t i = 0; i < data->count; i++) {
        const float target = data->targets[i];
        values[i] = task->classes ? task->low + (task->high - task->low) * target : target;
    }
}

clgrad_status clgrad_task_encode(const clgrad_task *task, const clgrad_dataset *data, clgrad_array *out)
{
    *out = (clgrad_array){ 0 };
    if (!data->targets) return clgrad_fail(data->ctx, CLGRAD_E_CONFIG, "the data have no targets");
    const clgrad_shape shape = task->loss->labels ? CLGRAD_SHAPE(data->count) : CLGRAD_SHAPE(data->count, task->outputs);
    CLGRAD_TRY(clgrad_array_create(data->ctx, task->loss->labels ? CLGRAD_I32 : CLGRAD_F32, shape, out));
    if (task->loss->labels)
        encode_labels(data, out->data);
    else if (task->outputs > 1)
        encode_one_hot(task, data, out->data);
    else
        encode_single(task, data, out->data);
    return CLGRAD_OK;
}
