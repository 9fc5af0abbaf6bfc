#pragma once

/* CSV as text: records of fields. What the fields mean is csv.c's. */

#include "io/file.h"

typedef struct clgrad_csv_field {
    size_t begin, bytes; /* within the record's text; NUL-terminated there */
} clgrad_csv_field;

typedef struct clgrad_csv_text {
    clgrad_context *ctx;
    const char *path;
    clgrad_stream *stream;
    char separator; /* 0 until the first record when it is to be found out */
    uint64_t line;  /* where the record begins, from 1 */
    /* the record */
    char *text;
    size_t text_bytes, text_capacity;
    clgrad_csv_field *fields;
    size_t num_fields, field_capacity;
    /* the reader */
    uint64_t next_line;
    unsigned char *input;
    size_t input_bytes, input_at;
    bool ended;
} clgrad_csv_text;

clgrad_status clgrad_csv_text_open(clgrad_context *ctx, const char *path, char separator, clgrad_csv_text *out);
void clgrad_csv_text_release(clgrad_csv_text *csv);
/* The next record that is not empty; num_fields 0 at the end. */
clgrad_status clgrad_csv_text_next(clgrad_csv_text *csv);

static inline const char *clgrad_csv_text_field(const clgrad_csv_text *csv, size_t i)
{
    return csv->text + csv->fields[i].begin;
}
