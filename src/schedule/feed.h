#pragma once

/* Batches out of host memory: rows gathered into one of a few slots of device memory while the device works on the slots before. */

#include "tensor/tensor.h"

enum { CLGRAD_FEED_COLUMNS = 4, CLGRAD_FEED_SLOTS = 3 };

/* One value, vector or whatever of each row of a table in host memory. */
typedef struct clgrad_feed_column {
    clgrad_dtype dtype;
    clgrad_shape shape; /* of one row; CLGRAD_SCALAR for a number */
    const void *rows;   /* row by row, outliving the feed; NULL: every row is 1 (f32) */
} clgrad_feed_column;

typedef struct clgrad_feed clgrad_feed;

/* Device memory of a feed whose slots have room for that many rows. */
uint64_t clgrad_feed_bytes(size_t num_columns, const clgrad_feed_column *columns, int64_t rows);
/* E_MEMORY: also when a slot is more than the device allows in one allocation. */
clgrad_status clgrad_feed_create(clgrad_device *dev, size_t num_columns, const clgrad_feed_column *columns, int64_t rows,
                                 clgrad_feed **out);
void clgrad_feed_release(clgrad_feed **feed);

/* Rows `numbers[0] .. numbers[count - 1]`, 0 < count <= rows, into the next slot, the last one again where the slot has room for more.
 * *tensors: by column, [rows, shape of a row], borrowed until the next load; by then all work that reads them must be enqueued. What is
 * enqueued later finds them there. Waits only when all slots are in use. */
clgrad_status clgrad_feed_load(clgrad_feed *feed, const uint32_t *numbers, int64_t count, clgrad_tensor *const **tensors);
