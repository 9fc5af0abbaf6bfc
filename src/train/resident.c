/* Data in device memory. */

#include "train/resident.h"

uint64_t clgrad_resident_bytes(const clgrad_task *task, const clgrad_dataset *data)
{
    const uint64_t targets = task->loss->labels ? 1 : (uint64_t)task->outputs;
    return (uint64_t)data->count * 4 * ((uint64_t)data->num_features + targets + 3); /* weight and two orders */
}

uint64_t clgrad_resident_largest(const clgrad_task *task, const clgrad_dataset *data)
{
    const int64_t outputs = task->loss->labels ? 1 : task->outputs;
    return (uint64_t)data->count * 4 * (uint64_t)(outputs > data->num_features ? outputs : data->num_features);
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

/* What is most of a data set is used where it lies, if the device can. */
static clgrad_status lend_features(clgrad_device *dev, const clgrad_dataset *data, clgrad_tensor **out)
{
    clgrad_buffer *buffer = NULL;
    const clgrad_shape shape = CLGRAD_SHAPE(data->count, data->num_features);
    CLGRAD_TRY(clgrad_buffer_create_over(dev, data->memory, (size_t)clgrad_shape_count(&shape) * sizeof *data->features, &buffer));
    const clgrad_status st = clgrad_tensor_over(buffer, 0, CLGRAD_F32, shape, out);
    clgrad_buffer_release(&buffer);
    return st;
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
    CLGRAD_TRY(lend_features(dev, data, &out->features));
    CLGRAD_TRY(upload_targets(dev, task, data, &out->targets));
    CLGRAD_TRY(upload(dev, CLGRAD_I32, line, data->order, &out->order));
    CLGRAD_TRY(upload(dev, CLGRAD_I32, line, data->order, &out->shuffled));
    if (data->weights) return upload(dev, CLGRAD_F32, line, data->weights, &out->weights);
    CLGRAD_TRY(clgrad_tensor_create(dev, CLGRAD_F32, line, &out->weights));
    return clgrad_tensor_fill(out->weights, 1.0);
}
