/* Evaluation over the sets of a data set. */

#include "train/evaluator.h"

void clgrad_evaluator_release(clgrad_evaluator *e)
{
    if (!e->dev) return;
    clgrad_reader_release(&e->reader);
    clgrad_function_release(&e->function);
    clgrad_tensor_release(&e->offset);
    clgrad_tensor_release(&e->limit);
    clgrad_tensor_release(&e->sums);
    clgrad_buffer_release(&e->hyper);
    clgrad_free(clgrad_device_get_context(e->dev), e->inputs);
    *e = (clgrad_evaluator){ NULL };
}

/* Of data NULL: the reader has them. */
static clgrad_tensor *input_named(clgrad_evaluator *e, const char *name, size_t index, clgrad_tensor *const *params)
{
    if (strcmp(name, "hyper.offset") == 0) return e->offset;
    if (strcmp(name, "hyper.limit") == 0) return e->limit;
    if (name[0] == 'd' && name[1] == '.') {
        e->data_input[name[2] - '0'] = index;
        return NULL;
    }
    size_t i = 0;
    while (strcmp(clgrad_model_parameter_name(e->source->task->model, i), name) != 0) i++;
    return params[i];
}

static clgrad_status bind(clgrad_evaluator *e, const clgrad_graph *g, clgrad_tensor *const *params)
{
    CLGRAD_TRY(clgrad_buffer_create(e->dev, sizeof(clgrad_hyper), &e->hyper));
    CLGRAD_TRY(clgrad_hyper_tensor(e->hyper, "hyper.offset", &e->offset));
    CLGRAD_TRY(clgrad_hyper_tensor(e->hyper, "hyper.limit", &e->limit));
    CLGRAD_TRY(clgrad_tensor_create(e->dev, CLGRAD_F32, CLGRAD_SHAPE(2), &e->sums));
    e->inputs = clgrad_alloc(g->ctx, g->num_inputs, sizeof(clgrad_tensor *));
    if (!e->inputs) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < CLGRAD_COUNT(e->data_input); i++) e->data_input[i] = SIZE_MAX;
    for (size_t i = 0; i < g->num_inputs; i++) e->inputs[i] = input_named(e, g->input_names[i], i, params);
    return clgrad_reader_create(e->source, e->batch, e->source->resident.order, &e->reader);
}

static clgrad_status graph_of(const clgrad_task *task, const clgrad_dataset *data, bool streams, clgrad_graph **out)
{
    const clgrad_front front = clgrad_source_front(task, data, clgrad_evaluation_batch(data), streams);
    return clgrad_task_evaluation(task, data->ctx, &front, out);
}

clgrad_status clgrad_evaluator_scratch(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, bool streams, uint64_t *bytes)
{
    clgrad_graph *g = NULL;
    *bytes = 0;
    clgrad_status st = graph_of(task, data, streams, &g);
    if (st == CLGRAD_OK) st = clgrad_plan_estimate(dev, g, NULL, bytes);
    clgrad_graph_release(&g);
    return st;
}

clgrad_status clgrad_evaluator_create(const clgrad_source *source, clgrad_tensor *const *params, clgrad_evaluator *out)
{
    *out = (clgrad_evaluator){ .dev = source->dev, .source = source, .batch = clgrad_evaluation_batch(source->data) };
    clgrad_graph *g = NULL;
    clgrad_status st = graph_of(source->task, source->data, source->streams, &g);
    if (st == CLGRAD_OK) st = bind(out, g, params);
    if (st == CLGRAD_OK) st = clgrad_function_create(source->dev, g, NULL, &out->function);
    clgrad_graph_release(&g);
    if (st != CLGRAD_OK) clgrad_evaluator_release(out);
    return st;
}

/* 1 - errors / spread around the mean of the targets. */
static double r_squared(const clgrad_dataset *data, clgrad_subset set, double errors)
{
    const int64_t size = clgrad_dataset_size(data, set);
    const uint32_t *order = clgrad_dataset_order(data, set);
    double mean = 0, spread = 0;
    for (int64_t i = 0; i < size; i++) mean += (double)data->targets[order[i]];
    mean /= (double)size;
    for (int64_t i = 0; i < size; i++) {
        const double d = (double)data->targets[order[i]] - mean;
        spread += d * d;
    }
    return spread > 0 ? 1.0 - errors / spread : NAN;
}

static double weight_of(const clgrad_dataset *data, clgrad_subset set)
{
    double sum = 0;
    for (int64_t i = 0; i < clgrad_dataset_size(data, set); i++)
        sum += (double)clgrad_dataset_weight(data, clgrad_dataset_order(data, set)[i]);
    return sum;
}

static clgrad_status seek(clgrad_evaluator *e, int64_t first, int64_t limit)
{
    const clgrad_dataset *data = e->source->data;
    return first < limit ? clgrad_reader_seek(&e->reader, data->order, first, limit) : CLGRAD_OK;
}

static clgrad_status enqueue_batch(clgrad_evaluator *e)
{
    const clgrad_hyper hyper = { .offset = e->reader.offset, .limit = e->reader.limit };
    for (size_t i = 0; i < CLGRAD_COUNT(e->data_input); i++)
        if (e->data_input[i] != SIZE_MAX) e->inputs[e->data_input[i]] = e->reader.data[i];
    CLGRAD_TRY(clgrad_buffer_write(e->hyper, 0, &hyper, sizeof hyper));
    return clgrad_function_call(e->function, e->inputs, &e->sums, 0, NULL, NULL);
}

static clgrad_status read_batch(clgrad_evaluator *e, double *totals)
{
    float sums[2];
    CLGRAD_TRY(clgrad_tensor_read(e->sums, sums, sizeof sums));
    totals[0] += (double)sums[0];
    totals[1] += (double)sums[1];
    return CLGRAD_OK;
}

clgrad_status clgrad_evaluator_run(clgrad_evaluator *e, clgrad_subset set, double *loss, double *metric)
{
    const clgrad_dataset *data = e->source->data;
    const int64_t size = clgrad_dataset_size(data, set), limit = data->first[set + 1];
    double totals[2] = { 0, 0 };
    *loss = *metric = NAN;
    if (size == 0) return CLGRAD_OK;
    clgrad_reader_restart(&e->reader);
    CLGRAD_TRY(seek(e, data->first[set], limit));
    for (int64_t i = data->first[set]; i < limit; i += e->batch) {
        CLGRAD_TRY(enqueue_batch(e));
        CLGRAD_TRY(seek(e, i + e->batch, limit)); /* streaming, the next batch is gathered while the device works on this one */
        CLGRAD_TRY(read_batch(e, totals));
    }
    *loss = totals[0] / weight_of(data, set);
    *metric = e->source->task->classes ? totals[1] / (double)size : r_squared(data, set, totals[1]);
    return CLGRAD_OK;
}
