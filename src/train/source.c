/* Batches out of resident data, or streamed. */

#include "train/source.h"

/* A slot holds one batch, or as many as make it this large: small batches would else pay for a slot's turn each. */
enum { SLOT_BYTES = 128 << 10 };

enum { EVALUATION_BATCH = 1024 };

int64_t clgrad_evaluation_batch(const clgrad_dataset *data)
{
    const int64_t largest = clgrad_dataset_largest(data);
    return largest < EVALUATION_BATCH ? largest : EVALUATION_BATCH;
}

const char *clgrad_residency_name(bool streams) { return streams ? "stream" : "device"; }

bool clgrad_residency_streams(const clgrad_settings *settings, const clgrad_device *dev, const clgrad_task *task,
                              const clgrad_dataset *data, uint64_t need_bytes)
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    if (strcmp(settings->data_residency, "auto") != 0) return strcmp(settings->data_residency, "stream") == 0;
    return need_bytes > info->memory_bytes || clgrad_resident_largest(task, data) > info->allocation_bytes;
}

/* --- what a slot looks like --- */

enum { COLUMNS = 3 };

static void describe(const clgrad_task *task, const clgrad_dataset *data, const void *targets, clgrad_feed_column *columns)
{
    const bool labels = task->loss->labels;
    columns[0] = (clgrad_feed_column){ CLGRAD_F32, CLGRAD_SHAPE(data->num_features), data->features };
    columns[1] = (clgrad_feed_column){ labels ? CLGRAD_I32 : CLGRAD_F32, labels ? CLGRAD_SCALAR : CLGRAD_SHAPE(task->outputs), targets };
    columns[2] = (clgrad_feed_column){ CLGRAD_F32, CLGRAD_SCALAR, data->weights };
}

static int64_t slot_rows(const clgrad_task *task, const clgrad_dataset *data, int64_t batch)
{
    const int64_t all = (clgrad_dataset_largest(data) + batch - 1) / batch;
    const int64_t bytes = 4 * (data->num_features + (task->loss->labels ? 1 : task->outputs) + 1);
    const int64_t batches = SLOT_BYTES / bytes / batch;
    return batch * (batches < 1 ? 1 : batches < all ? batches : all);
}

clgrad_front clgrad_source_front(const clgrad_task *task, const clgrad_dataset *data, int64_t batch, bool streams)
{
    return (clgrad_front){ .count = streams ? slot_rows(task, data, batch) : data->count, .batch = batch, .ordered = !streams };
}

static uint64_t reader_bytes(const clgrad_task *task, const clgrad_dataset *data, int64_t batch)
{
    clgrad_feed_column columns[COLUMNS];
    describe(task, data, NULL, columns);
    return clgrad_feed_bytes(COLUMNS, columns, slot_rows(task, data, batch));
}

uint64_t clgrad_source_bytes(const clgrad_task *task, const clgrad_dataset *data, int64_t batch, bool streams)
{
    if (!streams) return clgrad_resident_bytes(task, data);
    return (batch ? reader_bytes(task, data, batch) : 0) + reader_bytes(task, data, clgrad_evaluation_batch(data));
}

/* --- the source --- */

clgrad_status clgrad_source_create(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, bool streams, clgrad_source *out)
{
    *out = (clgrad_source){ .dev = dev, .task = task, .data = data, .streams = streams };
    return streams ? clgrad_task_encode(task, data, &out->targets) : clgrad_resident_create(dev, task, data, &out->resident);
}

void clgrad_source_release(clgrad_source *source)
{
    if (!source->dev) return;
    clgrad_resident_release(&source->resident);
    clgrad_array_release(clgrad_device_get_context(source->dev), &source->targets);
    *source = (clgrad_source){ NULL };
}

/* --- readers --- */

clgrad_status clgrad_reader_create(const clgrad_source *source, int64_t batch, clgrad_tensor *order, clgrad_reader *out)
{
    const clgrad_resident *r = &source->resident;
    *out = (clgrad_reader){ .source = source, .data = { r->features, r->targets, r->weights, order } };
    if (!source->streams) return CLGRAD_OK;
    clgrad_feed_column columns[COLUMNS];
    describe(source->task, source->data, source->targets.data, columns);
    out->rows = slot_rows(source->task, source->data, batch);
    return clgrad_feed_create(source->dev, COLUMNS, columns, out->rows, &out->feed);
}

void clgrad_reader_release(clgrad_reader *reader)
{
    clgrad_feed_release(&reader->feed);
    *reader = (clgrad_reader){ NULL };
}

void clgrad_reader_restart(clgrad_reader *reader) { reader->begin = reader->end = 0; }

static clgrad_status load(clgrad_reader *reader, const uint32_t *order, int64_t first, int64_t limit)
{
    const int64_t count = limit - first < reader->rows ? limit - first : reader->rows;
    clgrad_tensor *const *tensors = NULL;
    clgrad_reader_restart(reader);
    CLGRAD_TRY(clgrad_feed_load(reader->feed, order + first, count, &tensors));
    memcpy(reader->data, tensors, COLUMNS * sizeof *tensors);
    reader->begin = first;
    reader->end = first + count;
    return CLGRAD_OK;
}

bool clgrad_reader_holds(const clgrad_reader *reader, int64_t first)
{
    return !reader->feed || (first >= reader->begin && first < reader->end);
}

clgrad_status clgrad_reader_seek(clgrad_reader *reader, const uint32_t *order, int64_t first, int64_t limit)
{
    if (!clgrad_reader_holds(reader, first)) CLGRAD_TRY(load(reader, order, first, limit));
    reader->offset = first - reader->begin;
    reader->limit = (reader->feed ? reader->end : limit) - reader->begin;
    return CLGRAD_OK;
}
