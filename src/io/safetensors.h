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
