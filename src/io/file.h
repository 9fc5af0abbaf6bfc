#pragma once

/* What the formats share: messages that begin with the path, strings that are safe to show, reading plain and gzip files. */

#include "base/os.h"
#include "clgrad/io.h"

/* "PATH: sentence." */
clgrad_status clgrad_io_fail(clgrad_context *ctx, clgrad_status status, const char *path, const char *format, ...)
    CLGRAD_PRINTF(4, 5);

/* A string from a file, shortened and without control characters, into a buffer of CLGRAD_SHOWN_BYTES; returns shown. */
enum { CLGRAD_SHOWN_BYTES = 64 };
const char *clgrad_io_show(const char *text, char *shown);

bool clgrad_utf8_valid(const char *text, size_t bytes);

/* clgrad_os_file_read with the path in its message. */
clgrad_status clgrad_io_read_at(clgrad_context *ctx, const char *path, const clgrad_os_file *file, uint64_t offset,
                                void *data, size_t bytes);

/* Reverse the bytes of each of count elements: formats that are not little-endian. */
void clgrad_io_swap_bytes(void *data, size_t count, size_t bytes);

/* A file read from front to end, unpacked when it is in gzip. */
typedef struct clgrad_stream clgrad_stream;
clgrad_status clgrad_stream_open(clgrad_context *ctx, const char *path, clgrad_stream **out);
/* *got < bytes only at the end. E_FORMAT: damaged gzip data. */
clgrad_status clgrad_stream_read(clgrad_stream *stream, void *data, size_t bytes, size_t *got);
void clgrad_stream_release(clgrad_stream **stream);

/* Decimal text "-1.5e3", all of it, correctly rounded in every locale; false when it is no number or not finite. */
bool clgrad_number_parse(const char *text, size_t bytes, double *out);
