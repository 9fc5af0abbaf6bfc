#pragma once

/* Small graphs for each operation of the table: what the checks of derivatives run on. A row with a new word in the column
 * `shape` does not compile until it has samples here. */

#include "graph/graph.h"
#include "support/domain.h"

typedef struct sample {
    char name[64]; /* "MATMUL.3" */
    clgrad_op op;
    domain domain;
    clgrad_graph *g;
} sample;

/* Variant 0, 1, ... of an operation; false past the last. Inputs are of the real type given or, for indices and counters, integers that take
 * values 0 to 2. Every output is real. Release s->g. */
bool sample_create(clgrad_context *ctx, clgrad_op op, int variant, clgrad_dtype dtype, sample *s);
