/* IDX: 00 00, type, rank, big-endian extents, big-endian values; nothing after them. */

#include "io/file.h"

typedef struct idx_type {
    unsigned char code;
    unsigned char bytes;
    clgrad_dtype dtype;
} idx_type;

static const idx_type types[] = {
    { 0x08, 1, CLGRAD_U8 },  { 0x09, 1, CLGRAD_I32 }, { 0x0b, 2, CLGRAD_I32 },
    { 0x0c, 4, CLGRAD_I32 }, { 0x0d, 4, CLGRAD_F32 }, { 0x0e, 8, CLGRAD_F64 },
};

typedef struct idx_reader {
    clgrad_context *ctx;
    const char *path;
    clgrad_stream *stream;
    const idx_type *type;
    clgrad_shape shape;
} idx_reader;

static clgrad_status read_fully(idx_reader *r, void *data, size_t bytes, const char *what)
{
    size_t got = 0;
    CLGRAD_TRY(clgrad_stream_read(r->stream, data, bytes, &got));
    if (got == bytes) return CLGRAD_OK;
    return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "the file ends within its %s: %zu bytes of %zu are there",
                          what, got, bytes);
}

static clgrad_status read_type(idx_reader *r)
{
    unsigned char magic[4];
    CLGRAD_TRY(read_fully(r, magic, sizeof magic, "first four bytes"));
    for (size_t i = 0; i < CLGRAD_COUNT(types); i++)
        if (types[i].code == magic[2]) r->type = &types[i];
    if (magic[0] || magic[1] || !r->type)
        return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "not an IDX file: it starts with %02x %02x %02x %02x",
                              magic[0], magic[1], magic[2], magic[3]);
    if (magic[3] > CLGRAD_MAX_RANK)
        return clgrad_io_fail(r->ctx, CLGRAD_E_UNSUPPORTED, r->path, "rank %d; at most %d is supported", magic[3],
                              CLGRAD_MAX_RANK);
    r->shape.rank = magic[3];
    return CLGRAD_OK;
}

static clgrad_status read_shape(idx_reader *r, size_t *bytes)
{
    for (int32_t i = 0; i < r->shape.rank; i++) {
        unsigned char extent[4];
        CLGRAD_TRY(read_fully(r, extent, sizeof extent, "extents"));
        r->shape.dims[i] = (int64_t)extent[0] << 24 | extent[1] << 16 | extent[2] << 8 | extent[3];
    }
    const int64_t count = clgrad_shape_count(&r->shape);
    if (count < 0 || count > INT64_MAX / 8)
        return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "its extents multiply to more than fits");
    *bytes = (size_t)count * r->type->bytes;
    return CLGRAD_OK;
}

/* In doubling pieces: a packed file's real size shows only by reading it, and the header may lie. */
static clgrad_status read_values(idx_reader *r, size_t bytes, unsigned char **data)
{
    size_t have = 0, room = 0;
    do {
        const size_t next = room ? room * 2 : 1 << 20;
        room = next < bytes ? next : bytes;
        unsigned char *larger = clgrad_resize(r->ctx, *data, room, 1);
        if (!larger) return CLGRAD_E_MEMORY;
        *data = larger;
        CLGRAD_TRY(read_fully(r, larger + have, room - have, "values"));
        have = room;
    } while (have < bytes);
    return CLGRAD_OK;
}

static clgrad_status refuse_more(idx_reader *r)
{
    char byte;
    size_t got = 0;
    CLGRAD_TRY(clgrad_stream_read(r->stream, &byte, 1, &got));
    return got ? clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "there is more behind the last value") : CLGRAD_OK;
}

static void decode(const idx_type *type, unsigned char *data, clgrad_array *out)
{
    const size_t count = (size_t)clgrad_shape_count(&out->shape);
    clgrad_io_swap_bytes(data, count, type->bytes);
    if (type->bytes == clgrad_dtype_bytes(type->dtype)) {
        memcpy(out->data, data, count * type->bytes);
        return;
    }
    int32_t *values = out->data;
    for (size_t i = 0; i < count; i++) {
        int16_t two = 0;
        if (type->bytes == 2) memcpy(&two, data + 2 * i, 2);
        values[i] = type->bytes == 2 ? two : (int8_t)data[i];
    }
}

static clgrad_status read_array(idx_reader *r, clgrad_array *out)
{
    size_t bytes = 0;
    unsigned char *data = NULL;
    CLGRAD_TRY(read_type(r));
    CLGRAD_TRY(read_shape(r, &bytes));
    clgrad_status status = read_values(r, bytes, &data);
    if (!status) status = refuse_more(r);
    if (!status) status = clgrad_array_create(r->ctx, r->type->dtype, r->shape, out);
    if (!status) decode(r->type, data, out);
    clgrad_free(r->ctx, data);
    return status;
}

clgrad_status clgrad_idx_read(clgrad_context *ctx, const char *path, clgrad_array *out)
{
    idx_reader r = { .ctx = ctx, .path = path };
    *out = (clgrad_array){ .dtype = CLGRAD_U8 };
    CLGRAD_TRY(clgrad_stream_open(ctx, path, &r.stream));
    const clgrad_status status = read_array(&r, out);
    clgrad_stream_release(&r.stream);
    return status;
}
