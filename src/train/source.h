#pragma once

/* Where batches come from: the data set on the device whole, or streamed from host memory. Both have the same bits. */

#include "schedule/feed.h"
#include "train/resident.h"

/* "device" or "stream", as data.residency has them. */
const char *clgrad_residency_name(bool streams);
/* Shall a run stream that needs so many bytes with its data on the device? */
bool clgrad_residency_streams(const clgrad_settings *settings, const clgrad_device *dev, const clgrad_task *task,
                              const clgrad_dataset *data, uint64_t need_bytes);

typedef struct clgrad_source {
    clgrad_device *dev;
    const clgrad_task *task;
    const clgrad_dataset *data;
    bool streams;
    clgrad_resident resident; /* unless it streams */
    clgrad_array targets;     /* if it streams: as the loss takes them */
} clgrad_source;

/* task and data must outlive the source. What is made before a failure is released by clgrad_source_release. */
clgrad_status clgrad_source_create(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, bool streams, clgrad_source *out);
void clgrad_source_release(clgrad_source *source);

/* Samples that evaluation takes at once. */
int64_t clgrad_evaluation_batch(const clgrad_dataset *data);
/* How graphs take batches out of what a reader gives them. */
clgrad_front clgrad_source_front(const clgrad_task *task, const clgrad_dataset *data, int64_t batch, bool streams);
/* Device memory of source and readers: one for training, in batches of that size (0: none), and one for evaluation. */
uint64_t clgrad_source_bytes(const clgrad_task *task, const clgrad_dataset *data, int64_t batch, bool streams);

/* A walk through an order of samples. */
typedef struct clgrad_reader {
    const clgrad_source *source;
    clgrad_tensor *data[4]; /* inputs d.0, d.1, ... of the front; the last only where samples are looked up in an order */
    int64_t offset, limit;  /* hyper.offset and hyper.limit of the batch that was asked for */
    clgrad_feed *feed;      /* NULL unless it streams */
    int64_t rows;           /* samples that a slot of the feed has room for */
    int64_t begin, end;     /* which of the order it has now */
} clgrad_reader;

/* order: the device's copy of the order that will be read, where data are resident. */
clgrad_status clgrad_reader_create(const clgrad_source *source, int64_t batch, clgrad_tensor *order, clgrad_reader *out);
void clgrad_reader_release(clgrad_reader *reader);
/* The order is another one from here on. */
void clgrad_reader_restart(clgrad_reader *reader);
/* Is the sample order[first] among those that the reader has now? */
bool clgrad_reader_holds(const clgrad_reader *reader, int64_t first);
/* Make a batch ready for work enqueued from here on: the samples from order[first] on, of which those from order[limit] on do not count.
 * All work on the batch before is enqueued. Streaming, it waits only when all slots are in use. */
clgrad_status clgrad_reader_seek(clgrad_reader *reader, const uint32_t *order, int64_t first, int64_t limit);
