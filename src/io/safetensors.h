#pragma once

/* What safetensors' reader and writer share: names of element types, limits. */

#include "io/file.h"
#include "tensor/tensor.h"

enum {
    CLGRAD_SAFETENSORS_HEADER = 100000000, /* the format's own limit */
    CLGRAD_SAFETENSORS_TENSORS = 65536,
    CLGRAD_SAFETENSORS_NAME = 255,
};

#define CLGRAD_SAFETENSORS_METADATA "__metadata__"

/* In the reference implementation's order of its types: files list tensors by descending rank in it, then by name. */
typedef struct clgrad_safetensors_type {
    const char *name;
    unsigned bits;
    clgrad_dtype dtype; /* CLGRAD_DTYPE_COUNT: none of clgrad's */
} clgrad_safetensors_type;
extern const clgrad_safetensors_type clgrad_safetensors_types[];
extern const size_t clgrad_safetensors_num_types;

typedef struct clgrad_safetensors_pair {
    char *key, *value;
} clgrad_safetensors_pair;

typedef struct clgrad_safetensors_record {
    clgrad_safetensors_entry entry; /* first, so that a caller's entry is found again */
    char *name;
    uint64_t begin, end; /* from the first value */
} clgrad_safetensors_record;

struct clgrad_safetensors {
    clgrad_context *ctx;
    char *path;
    clgrad_os_file file;
    uint64_t data_offset;
    clgrad_safetensors_record *records; /* as the header has them, once opened by offset */
    clgrad_safetensors_record **by_name;
    size_t count, record_capacity;
    clgrad_safetensors_pair *pairs;
    size_t num_pairs, pair_capacity;
};

/* "PATH: tensor 'NAME': what" */
clgrad_status clgrad_safetensors_fail(const clgrad_safetensors *file, clgrad_status status, const char *name, const char *what);

/* Fill records and pairs from a header's text. What is half done stays in `file` for its release. */
clgrad_status clgrad_safetensors_parse(clgrad_safetensors *file, const char *text, size_t bytes);
