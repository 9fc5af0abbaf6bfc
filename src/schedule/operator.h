#pragma once

/* An operator's inside. */

#include "schedule/schedule.h"

/* One direction of application: out = A v or out = A' v. */
typedef struct clgrad_half {
    clgrad_function *known;   /* inputs of f -> kept */
    clgrad_function *unknown; /* v, residuals -> the outputs that depend on v; NULL when none does */
    clgrad_function *block;   /* the same for a block of block_columns vectors, made when first asked for */
    int64_t block_columns;
    clgrad_graph *map;        /* the whole derivative, for its shapes: inputs of f, then v -> out */
    size_t num_point, num_v, num_out;
    bool *output_known;       /* by output of map */
    clgrad_tensor **kept;     /* by output of known: known outputs first, then residuals */
    size_t num_kept, num_residuals;
    clgrad_tensor **args, **results; /* of the application in progress */
} clgrad_half;

struct clgrad_operator {
    size_t refs;
    clgrad_device *dev;
    bool symmetric;
    clgrad_half forward, backward; /* backward is unused when symmetric */
};

static inline clgrad_context *clgrad_operator_context(const clgrad_operator *op) { return clgrad_device_get_context(op->dev); }
