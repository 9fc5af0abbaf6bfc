/* Data in device memory; evaluation. */

#include "train/resident.h"

/* --- upload --- */

uint64_t clgrad_resident_bytes(const clgrad_task *task, const clgrad_dataset *data)
{
    const uint64_t targets = task->loss->labels ? 1 : (uint64_t)task->outputs;
    return (uint64_t)data->count * 4 * ((uint64_t)data->num_features + targets + 3); /* weight and two orders */
}

void clgrad_resident_release(clgrad_resident *r)
{
    clgrad_tensor_release(&r->features);
    clgrad_tensor_release(&r->targets);
    clgrad_tensor_release(&r->weights);
    clgrad_tensor_release(&r->order);
    clgrad_tensor_release(&r->shuffled);
}

static clgrad_status upload(clgrad_device *dev, clgrad_dtype dtype, clgrad_shape shape, const void *values, clgrad_tensor **out)
{
    const size_t bytes = (size_t)clgrad_shape_count(&shape) * clgrad_dtype_bytes(dtype);
    return clgrad_tensor_create_from(dev, dtype, shape, values, bytes, out);
}

static clgrad_status upload_targets(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, clgrad_tensor **out)
{
    clgrad_array targets = { 0 };
    CLGRAD_TRY(clgrad_task_encode(task, data, &targets));
    const clgrad_status st = upload(dev, targets.dtype, targets.shape, targets.data, out);
    clgrad_array_release(data->ctx, &targets);
    return st;
}

clgrad_status clgrad_resident_create(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, clgrad_resident *out)
{
    *out = (clgrad_resident){ NULL };
    const clgrad_shape line = CLGRAD_SHAPE(data->count);
    CLGRAD_TRY(upload(dev, CLGRAD_F32, CLGRAD_SHAPE(data->count, data->num_features), data->features, &out->features));
    CLGRAD_TRY(upload_targets(dev, task, data, &out->targets));
    CLGRAD_TRY(upload(dev, CLGRAD_I32, line, data->order, &out->order));
    CLGRAD_TRY(upload(dev, CLGRAD_I32, line, data->order, &out->shuffled));
    if (data->weights) return upload(dev, CLGRAD_F32, line, data->weights, &out->weights);
    CLGRAD_TRY(clgrad_tensor_create(dev, CLGRAD_F32, line, &out->weights));
    return clgrad_tensor_fill(out->weights, 1.0);
}

/* --- evaluation --- */

enum { EVALUATION_BATCH = 1024 };

void clgrad_evaluator_release(clgrad_evaluator *e)
{
    if (!e->dev) return;
    clgrad_function_release(&e->function);
    clgrad_tensor_release(&e->offset);
    clgrad_tensor_release(&e->limit);
    clgrad_tensor_release(&e->sums);
    clgrad_buffer_release(&e->hyper);
    clgrad_free(clgrad_device_get_context(e->dev), e->inputs);
    *e = (clgrad_evaluator){ NULL };
}

static clgrad_tensor *input_named(const clgrad_evaluator *e, const char *name, const clgrad_resident *r, clgrad_tensor *const *params)
{
    clgrad_tensor *const data[] = { r->features, r->targets, r->weights, r->order };
    if (strcmp(name, "hyper.offset") == 0) return e->offset;
    if (strcmp(name, "hyper.limit") == 0) return e->limit;
    if (name[0] == 'd' && name[1] == '.') return data[name[2] - '0'];
    size_t i = 0;
    while (strcmp(clgrad_model_parameter_name(e->task->model, i), name) != 0) i++;
    return params[i];
}

static clgrad_status bind(clgrad_evaluator *e, const clgrad_graph *g, const clgrad_resident *resident, clgrad_tensor *const *params)
{
    CLGRAD_TRY(clgrad_buffer_create(e->dev, sizeof(clgrad_hyper), &e->hyper));
    CLGRAD_TRY(clgrad_hyper_tensor(e->hyper, "hyper.offset", &e->offset));
    CLGRAD_TRY(clgrad_hyper_tensor(e->hyper, "hyper.limit", &e->limit));
    CLGRAD_TRY(clgrad_tensor_create(e->dev, CLGRAD_F32, CLGRAD_SHAPE(2), &e->sums));
    e->inputs = clgrad_alloc(g->ctx, g->num_inputs, sizeof(clgrad_tensor *));
    if (!e->inputs) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < g->num_inputs; i++) e->inputs[i] = input_named(e, g->input_names[i], resident, params);
    return CLGRAD_OK;
}

static int64_t largest_set(const clgrad_dataset *data)
{
    int64_t largest = 1;
    for (int s = 0; s < CLGRAD_SUBSET_COUNT; s++) {
        const int64_t size = clgrad_dataset_size(data, (clgrad_subset)s);
        if (size > largest) largest = size;
    }
    return largest;
}

clgrad_status clgrad_evaluator_create(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data,
                                      const clgrad_resident *resident, clgrad_tensor *const *params, clgrad_evaluator *out)
{
    const int64_t largest = largest_set(data);
    *out = (clgrad_evaluator){ .dev = dev, .task = task, .data = data };
    out->batch = largest < EVALUATION_BATCH ? largest : EVALUATION_BATCH;
    clgrad_graph *g = NULL;
    clgrad_status st = clgrad_task_evaluation(task, data->ctx, data->count, out->batch, &g);
    if (st == CLGRAD_OK) st = bind(out, g, resident, params);
    if (st == CLGRAD_OK) st = clgrad_function_create(dev, g, NULL, &out->function);
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

static clgrad_status add_batch(clgrad_evaluator *e, int64_t offset, int64_t limit, double *totals)
{
    clgrad_hyper hyper = { .offset = offset, .limit = limit };
    float sums[2];
    CLGRAD_TRY(clgrad_buffer_write(e->hyper, 0, &hyper, sizeof hyper));
    CLGRAD_TRY(clgrad_function_call(e->function, e->inputs, &e->sums, 0, NULL, NULL));
    CLGRAD_TRY(clgrad_tensor_read(e->sums, sums, sizeof sums));
    totals[0] += (double)sums[0];
    totals[1] += (double)sums[1];
    return CLGRAD_OK;
}

clgrad_status clgrad_evaluator_run(clgrad_evaluator *e, clgrad_subset set, double *loss, double *metric)
{
    const int64_t size = clgrad_dataset_size(e->data, set);
    double totals[2] = { 0, 0 };
    *loss = *metric = NAN;
    if (size == 0) return CLGRAD_OK;
    for (int64_t i = e->data->first[set]; i < e->data->first[set + 1]; i += e->batch)
        CLGRAD_TRY(add_batch(e, i, e->data->first[set + 1], totals));
    *loss = totals[0] / weight_of(e->data, set);
    *metric = e->task->classes ? totals[1] / (double)size : r_squared(e->data, set, totals[1]);
    return CLGRAD_OK;
}
