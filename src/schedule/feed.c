/* Batches out of host memory, slot by slot. */

#include "schedule/feed.h"

enum { ALIGNMENT = 256 }; /* bytes; of columns within a slot, for vectors of any width */

/* All slots have their columns at the same places, so that going from one to the next changes arguments of kernels and no more. */
typedef struct slot {
    clgrad_upload *upload;
    clgrad_tensor *tensors[CLGRAD_FEED_COLUMNS];
} slot;

typedef struct placed_column {
    clgrad_feed_column desc;
    size_t row_bytes, offset; /* offset: of its first row in a slot */
} placed_column;

struct clgrad_feed {
    clgrad_device *dev;
    size_t num_columns;
    placed_column columns[CLGRAD_FEED_COLUMNS];
    int64_t rows;
    size_t slot_bytes;
    slot slots[CLGRAD_FEED_SLOTS];
    size_t next;
    slot *current; /* NULL: none is loaded */
};

/* --- life --- */

static size_t row_bytes(const clgrad_feed_column *column)
{
    return (size_t)clgrad_shape_count(&column->shape) * clgrad_dtype_bytes(column->dtype);
}

/* Where column i begins in a slot; i = num_columns: where it ends. */
static uint64_t offset_of(const clgrad_feed_column *columns, size_t i, int64_t rows)
{
    uint64_t offset = 0;
    for (size_t c = 0; c < i; c++)
        offset += ((uint64_t)rows * row_bytes(&columns[c]) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
}

uint64_t clgrad_feed_bytes(size_t num_columns, const clgrad_feed_column *columns, int64_t rows)
{
    return CLGRAD_FEED_SLOTS * offset_of(columns, num_columns, rows);
}

static clgrad_status create_slot(clgrad_feed *feed, slot *s)
{
    CLGRAD_TRY(clgrad_upload_create(feed->dev, feed->slot_bytes, &s->upload));
    for (size_t c = 0; c < feed->num_columns; c++) {
        const clgrad_feed_column *desc = &feed->columns[c].desc;
        clgrad_shape shape = { .rank = desc->shape.rank + 1, .dims = { feed->rows } };
        for (int32_t i = 0; i < desc->shape.rank; i++) shape.dims[i + 1] = desc->shape.dims[i];
        const int64_t offset = (int64_t)(feed->columns[c].offset / clgrad_dtype_bytes(desc->dtype));
        CLGRAD_TRY(clgrad_tensor_over(clgrad_upload_buffer(s->upload), offset, desc->dtype, shape, &s->tensors[c]));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_feed_create(clgrad_device *dev, size_t num_columns, const clgrad_feed_column *columns, int64_t rows,
                                 clgrad_feed **out)
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    const uint64_t bytes = offset_of(columns, num_columns, rows);
    *out = NULL;
    if (bytes > SIZE_MAX) return clgrad_fail(ctx, CLGRAD_E_MEMORY, "batches of %lld rows are more than memory can hold", (long long)rows);
    clgrad_feed *feed = clgrad_alloc(ctx, 1, sizeof *feed);
    if (!feed) return CLGRAD_E_MEMORY;
    *feed = (clgrad_feed){ .dev = clgrad_device_retain(dev), .num_columns = num_columns, .rows = rows, .slot_bytes = (size_t)bytes };
    for (size_t c = 0; c < num_columns; c++)
        feed->columns[c] = (placed_column){ columns[c], row_bytes(&columns[c]), (size_t)offset_of(columns, c, rows) };
    clgrad_status st = CLGRAD_OK;
    for (size_t i = 0; st == CLGRAD_OK && i < CLGRAD_FEED_SLOTS; i++) st = create_slot(feed, &feed->slots[i]);
    if (st == CLGRAD_OK) *out = feed, feed = NULL;
    clgrad_feed_release(&feed);
    return st;
}

void clgrad_feed_release(clgrad_feed **address)
{
    clgrad_feed *feed = *address;
    *address = NULL;
    if (!feed) return;
    for (size_t i = 0; i < CLGRAD_FEED_SLOTS; i++) {
        for (size_t c = 0; c < feed->num_columns; c++) clgrad_tensor_release(&feed->slots[i].tensors[c]);
        clgrad_upload_release(&feed->slots[i].upload);
    }
    clgrad_device *dev = feed->dev;
    clgrad_free(clgrad_device_get_context(dev), feed);
    clgrad_device_release(&dev);
}

/* --- loading --- */

static void gather_words(uint32_t *to, const uint32_t *from, const uint32_t *numbers, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = from[numbers[i]];
}

static void gather_rows(char *to, const char *from, size_t bytes, const uint32_t *numbers, int64_t count)
{
    for (int64_t i = 0; i < count; i++) memcpy(to + (size_t)i * bytes, from + numbers[i] * bytes, bytes);
}

static void gather(const clgrad_feed *feed, const placed_column *column, char *to, const uint32_t *numbers, int64_t count)
{
    const size_t bytes = column->row_bytes;
    if (!column->desc.rows) {
        for (int64_t i = 0; i < feed->rows; i++) ((float *)to)[i] = 1.0f;
        return;
    }
    if (bytes == sizeof(uint32_t))
        gather_words((uint32_t *)to, column->desc.rows, numbers, count);
    else
        gather_rows(to, column->desc.rows, bytes, numbers, count);
    for (int64_t i = count; i < feed->rows; i++) memcpy(to + (size_t)i * bytes, to + (size_t)(count - 1) * bytes, bytes);
}

clgrad_status clgrad_feed_load(clgrad_feed *feed, const uint32_t *numbers, int64_t count, clgrad_tensor *const **tensors)
{
    slot *s = &feed->slots[feed->next];
    void *host = NULL;
    if (feed->current) CLGRAD_TRY(clgrad_upload_recall(feed->current->upload));
    feed->current = NULL;
    CLGRAD_TRY(clgrad_upload_open(s->upload, &host));
    for (size_t c = 0; c < feed->num_columns; c++)
        gather(feed, &feed->columns[c], (char *)host + feed->columns[c].offset, numbers, count);
    CLGRAD_TRY(clgrad_upload_send(s->upload, feed->slot_bytes));
    feed->current = s;
    feed->next = (feed->next + 1) % CLGRAD_FEED_SLOTS;
    *tensors = s->tensors;
    return CLGRAD_OK;
}
