/* Saved models at work: evaluation and prediction. */

#include "train/checkpoint.h"
#include "train/evaluator.h"

/* A saved model and the data it is to see. */
typedef struct application {
    clgrad_device *dev;
    clgrad_context *ctx;
    clgrad_model_file file;
    clgrad_dataset data;
    clgrad_task task;
    clgrad_tensor **params;
} application;

static void close_application(application *a)
{
    const size_t count = a->task.model ? clgrad_model_num_parameters(a->task.model) : 0;
    for (size_t i = 0; a->params && i < count; i++) clgrad_tensor_release(&a->params[i]);
    clgrad_free(a->ctx, a->params);
    clgrad_task_release(&a->task);
    clgrad_dataset_release(&a->data);
    clgrad_model_file_release(&a->file);
}

static clgrad_status load_parameters(application *a)
{
    const size_t count = clgrad_model_num_parameters(a->task.model);
    a->params = clgrad_alloc(a->ctx, count, sizeof(clgrad_tensor *));
    if (!a->params) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(a->task.model, i);
        CLGRAD_TRY(clgrad_tensor_create(a->dev, CLGRAD_F32, shape, &a->params[i]));
        CLGRAD_TRY(clgrad_model_file_tensor(&a->file, clgrad_model_parameter_name(a->task.model, i), a->params[i]));
    }
    return CLGRAD_OK;
}

static clgrad_status open_application(application *a, const clgrad_settings *settings, const char *model, clgrad_data_use use)
{
    CLGRAD_TRY(clgrad_model_file_open(a->ctx, model, &a->file));
    const clgrad_data_memory memory = { clgrad_layers_inputs(settings->model_layers), a->file.classes, a->file.fill };
    CLGRAD_TRY(clgrad_dataset_load(a->ctx, settings, &memory, use, &a->data));
    if (!a->data.targets && use == CLGRAD_DATA_EVALUATE)
        return clgrad_fail(a->ctx, CLGRAD_E_CONFIG, "%s: there are no targets to compare with", settings->data_path);
    if (use == CLGRAD_DATA_PREDICT) { /* unknown labels do no harm here */
        clgrad_free(a->ctx, a->data.targets);
        a->data.targets = NULL;
    }
    CLGRAD_TRY(clgrad_task_create(a->ctx, settings, &a->data, &a->task));
    if (a->file.mean.data) {
        if (clgrad_shape_count(&a->file.mean.shape) != a->data.num_features)
            return clgrad_fail(a->ctx, CLGRAD_E_FORMAT, "%s: input.mean does not fit the model", model);
        clgrad_dataset_standardise(&a->data, a->file.mean.data, a->file.scale.data);
    }
    return load_parameters(a);
}

/* --- evaluation --- */

/* Of device memory: parameters, data, scratch. */
static clgrad_status need(const application *a, bool streams, uint64_t *bytes)
{
    CLGRAD_TRY(clgrad_evaluator_scratch(a->dev, &a->task, &a->data, streams, bytes));
    *bytes += clgrad_source_bytes(&a->task, &a->data, 0, streams);
    for (size_t i = 0; i < clgrad_model_num_parameters(a->task.model); i++) *bytes += clgrad_tensor_bytes(a->params[i]);
    return CLGRAD_OK;
}

static clgrad_status evaluate(application *a, const clgrad_settings *settings, clgrad_train_result *result)
{
    clgrad_source source = { NULL };
    clgrad_evaluator evaluator = { NULL };
    /* every sample is in the one set */
    a->data.first[CLGRAD_SUBSET_VALIDATION] = a->data.first[CLGRAD_SUBSET_TEST] = 0;
    CLGRAD_TRY(need(a, false, &result->memory_bytes));
    const bool streams = clgrad_residency_streams(settings, a->dev, &a->task, &a->data, result->memory_bytes);
    if (streams) CLGRAD_TRY(need(a, true, &result->memory_bytes));
    result->residency = clgrad_residency_name(streams);
    clgrad_status st = clgrad_memory_check(a->dev, result->memory_bytes, "the evaluation");
    if (st == CLGRAD_OK) st = clgrad_source_create(a->dev, &a->task, &a->data, streams, &source);
    if (st == CLGRAD_OK) st = clgrad_evaluator_create(&source, a->params, &evaluator);
    if (st == CLGRAD_OK) st = clgrad_evaluator_run(&evaluator, CLGRAD_SUBSET_TEST, &result->test_loss, &result->test_metric);
    clgrad_evaluator_release(&evaluator);
    clgrad_source_release(&source);
    return st;
}

clgrad_status clgrad_evaluate(clgrad_device *dev, const clgrad_config *config, const char *model, clgrad_train_result *result)
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    application a = { .dev = dev, .ctx = clgrad_device_get_context(dev) };
    *result = (clgrad_train_result)CLGRAD_TRAIN_RESULT_INIT;
    result->device = info->name;
    result->driver = info->driver;
    result->arithmetic = clgrad_arithmetic_text(dev);
    clgrad_status st = open_application(&a, &config->settings, model, CLGRAD_DATA_EVALUATE);
    if (st == CLGRAD_OK) {
        result->metric = a.task.classes ? "accuracy" : "r2";
        result->samples = a.data.count;
        st = evaluate(&a, &config->settings, result);
    }
    close_application(&a);
    return st;
}

/* --- prediction --- */

enum { PREDICTION_BATCH = 1024 };

typedef struct prediction {
    clgrad_function *function;
    clgrad_tensor **inputs; /* by input of function */
    clgrad_tensor *x, *out;
    float *rows, *answers;  /* host side of x and out */
    int64_t batch;
} prediction;

static void release_prediction(clgrad_context *ctx, prediction *p)
{
    clgrad_function_release(&p->function);
    clgrad_tensor_release(&p->x);
    clgrad_tensor_release(&p->out);
    clgrad_free(ctx, p->inputs);
    clgrad_free(ctx, p->rows);
    clgrad_free(ctx, p->answers);
}

static clgrad_status bind_prediction(application *a, prediction *p, const clgrad_graph *g)
{
    p->inputs = clgrad_alloc(a->ctx, g->num_inputs, sizeof(clgrad_tensor *));
    p->rows = clgrad_alloc(a->ctx, (size_t)(p->batch * a->data.num_features), sizeof(float));
    p->answers = clgrad_alloc(a->ctx, (size_t)(p->batch * a->task.outputs), sizeof(float));
    if (!p->inputs || !p->rows || !p->answers) return CLGRAD_E_MEMORY;
    CLGRAD_TRY(clgrad_tensor_create(a->dev, CLGRAD_F32, CLGRAD_SHAPE(p->batch, a->data.num_features), &p->x));
    CLGRAD_TRY(clgrad_tensor_create(a->dev, CLGRAD_F32, CLGRAD_SHAPE(p->batch, a->task.outputs), &p->out));
    for (size_t i = 0; i < g->num_inputs; i++) p->inputs[i] = i + 1 < g->num_inputs ? a->params[i] : p->x;
    return CLGRAD_OK;
}

static clgrad_status make_prediction(application *a, prediction *p)
{
    clgrad_graph *g = NULL;
    p->batch = a->data.count < PREDICTION_BATCH ? a->data.count : PREDICTION_BATCH;
    clgrad_status st = clgrad_task_prediction(&a->task, p->batch, &g);
    if (st == CLGRAD_OK) st = bind_prediction(a, p, g);
    if (st == CLGRAD_OK) st = clgrad_function_create(a->dev, g, NULL, &p->function);
    clgrad_graph_release(&g);
    return st;
}

static int64_t label_of(const clgrad_task *task, const float *outputs)
{
    if (!task->classes) return -1;
    if (task->outputs == 1) return outputs[0] > (strcmp(task->loss->name, "bce") == 0 ? 0.5f : 0.0f);
    int64_t best = 0;
    for (int64_t o = 1; o < task->outputs; o++)
        if (outputs[o] > outputs[best]) best = o;
    return best;
}

/* The last batch is filled up with zeros. */
static clgrad_status predict_batch(application *a, prediction *p, int64_t first, clgrad_predict_fn predict, void *user)
{
    const int64_t n = a->data.num_features, left = a->data.count - first, count = left < p->batch ? left : p->batch;
    memset(p->rows, 0, (size_t)(p->batch * n) * sizeof(float));
    memcpy(p->rows, a->data.features + first * n, (size_t)(count * n) * sizeof(float));
    CLGRAD_TRY(clgrad_tensor_write(p->x, p->rows, (size_t)(p->batch * n) * sizeof(float)));
    CLGRAD_TRY(clgrad_function_call(p->function, p->inputs, &p->out, 0, NULL, NULL));
    CLGRAD_TRY(clgrad_tensor_read(p->out, p->answers, (size_t)(p->batch * a->task.outputs) * sizeof(float)));
    for (int64_t i = 0; i < count; i++) {
        const float *outputs = p->answers + i * a->task.outputs;
        predict(user, first + i, outputs, (size_t)a->task.outputs, label_of(&a->task, outputs));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_predict(clgrad_device *dev, const clgrad_config *config, const char *model, clgrad_predict_fn predict, void *user)
{
    application a = { .dev = dev, .ctx = clgrad_device_get_context(dev) };
    prediction p = { NULL };
    clgrad_status st = open_application(&a, &config->settings, model, CLGRAD_DATA_PREDICT);
    if (st == CLGRAD_OK) st = make_prediction(&a, &p);
    for (int64_t first = 0; st == CLGRAD_OK && first < a.data.count; first += p.batch)
        st = predict_batch(&a, &p, first, predict, user);
    release_prediction(a.ctx, &p);
    close_application(&a);
    return st;
}
