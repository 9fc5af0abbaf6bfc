/* Plain and gzip files through one reader. zlib sees memory only: file calls and allocations stay behind the library's seams. */

#include "io/file.h"

#include <zlib.h>

enum { INPUT_BYTES = 65536 };

struct clgrad_stream {
    clgrad_context *ctx;
    char *path;
    clgrad_os_file file;
    uint64_t position; /* bytes of the file taken so far */
    bool gzip, between_members;
    z_stream z; /* next_in and avail_in serve plain files too */
    unsigned char input[INPUT_BYTES];
};

static void *zlib_alloc(void *ctx, unsigned count, unsigned bytes) { return clgrad_alloc(ctx, count, bytes); }

static void zlib_free(void *ctx, void *block) { clgrad_free(ctx, block); }

static clgrad_status refill(clgrad_stream *s)
{
    const uint64_t left = s->file.bytes - s->position;
    const size_t bytes = left < INPUT_BYTES ? (size_t)left : INPUT_BYTES;
    CLGRAD_TRY(clgrad_io_read_at(s->ctx, s->path, &s->file, s->position, s->input, bytes));
    s->position += bytes;
    s->z.next_in = s->input;
    s->z.avail_in = (unsigned)bytes;
    return CLGRAD_OK;
}

static clgrad_status start(clgrad_stream *s, const char *path)
{
    s->path = clgrad_strdup(s->ctx, path);
    if (!s->path) return CLGRAD_E_MEMORY;
    CLGRAD_TRY(clgrad_os_file_open(s->ctx, path, &s->file));
    CLGRAD_TRY(refill(s));
    if (s->z.avail_in < 2 || s->input[0] != 0x1f || s->input[1] != 0x8b) return CLGRAD_OK;
    s->z.zalloc = zlib_alloc, s->z.zfree = zlib_free, s->z.opaque = s->ctx;
    if (inflateInit2(&s->z, 15 + 16) != Z_OK) return CLGRAD_E_MEMORY; /* 16: a gzip header; zlib_alloc has reported */
    s->gzip = true;
    return CLGRAD_OK;
}

clgrad_status clgrad_stream_open(clgrad_context *ctx, const char *path, clgrad_stream **out)
{
    *out = NULL;
    clgrad_stream *s = clgrad_alloc(ctx, 1, sizeof *s);
    if (!s) return CLGRAD_E_MEMORY;
    s->ctx = ctx;
    s->file.fd = -1;
    const clgrad_status status = start(s, path);
    if (status) clgrad_stream_release(&s);
    *out = s;
    return status;
}

void clgrad_stream_release(clgrad_stream **address)
{
    clgrad_stream *s = *address;
    *address = NULL;
    if (!s) return;
    if (s->gzip) inflateEnd(&s->z);
    clgrad_os_file_close(&s->file);
    clgrad_free(s->ctx, s->path);
    clgrad_free(s->ctx, s);
}

static clgrad_status read_plain(clgrad_stream *s, unsigned char *data, size_t bytes, size_t *got)
{
    while (*got < bytes) {
        if (s->z.avail_in == 0) CLGRAD_TRY(refill(s));
        if (s->z.avail_in == 0) return CLGRAD_OK;
        const size_t n = bytes - *got < s->z.avail_in ? bytes - *got : s->z.avail_in;
        memcpy(data + *got, s->z.next_in, n);
        s->z.next_in += n, s->z.avail_in -= (unsigned)n, *got += n;
    }
    return CLGRAD_OK;
}

/* One call of inflate. A gzip file may be several members in a row. */
static clgrad_status inflate_some(clgrad_stream *s)
{
    if (s->between_members) {
        if (inflateReset(&s->z) != Z_OK) return clgrad_io_fail(s->ctx, CLGRAD_E_FORMAT, s->path, "damaged gzip data");
        s->between_members = false;
    }
    const int result = inflate(&s->z, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) return CLGRAD_E_MEMORY;
    if (result == Z_STREAM_END) s->between_members = true;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return clgrad_io_fail(s->ctx, CLGRAD_E_FORMAT, s->path, "damaged gzip data (%s)", s->z.msg ? s->z.msg : "no detail");
    return CLGRAD_OK;
}

static clgrad_status read_gzip(clgrad_stream *s, unsigned char *data, size_t bytes, size_t *got)
{
    while (*got < bytes) {
        if (s->z.avail_in == 0) CLGRAD_TRY(refill(s));
        const bool ended = s->z.avail_in == 0; /* zlib may still hold output */
        if (ended && s->between_members) return CLGRAD_OK;
        const size_t room = bytes - *got < UINT32_MAX / 2 ? bytes - *got : UINT32_MAX / 2;
        s->z.next_out = data + *got;
        s->z.avail_out = (unsigned)room;
        CLGRAD_TRY(inflate_some(s));
        *got += room - s->z.avail_out;
        if (ended && s->z.avail_out == room && !s->between_members)
            return clgrad_io_fail(s->ctx, CLGRAD_E_FORMAT, s->path, "the gzip data ends early");
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_stream_read(clgrad_stream *s, void *data, size_t bytes, size_t *got)
{
    *got = 0;
    return s->gzip ? read_gzip(s, data, bytes, got) : read_plain(s, data, bytes, got);
}
