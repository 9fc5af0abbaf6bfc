#pragma once

/* What stands around the gradient in a step: parameters taken out of the arena before it; scaling, clipping and the update rule
 * behind it. Names: theta.<region>, sum.<region>, state.<region>.<state>, p.<parameter>, g_p.<parameter>, loss, index,
 * stop, metric, scaling. */

#include "optim/rules.h"
#include "tensor/arena.h"

/* A group's contiguous range in one slab: one launch of the rule. */
typedef struct clgrad_region {
    uint32_t group;
    size_t slab;
    int64_t offset, extent; /* elements */
    bool frozen;
} clgrad_region;

typedef struct clgrad_tail_desc {
    const clgrad_arena *arena;
    const clgrad_region *regions;
    size_t num_regions;
    const clgrad_rule *rule;
    bool regularised, clip_value, clip_norm;
    bool scaled; /* gradients are those of the loss times a scale; see scaling.h */
    bool watch_index; /* the gradient's graph has an output "index" that is not 0 where an index was out of range */
} clgrad_tail_desc;

typedef enum clgrad_tail_part {
    CLGRAD_TAIL_WHOLE,      /* loss, gradients -> parameters */
    CLGRAD_TAIL_ACCUMULATE, /* loss, gradients -> sum */
    CLGRAD_TAIL_UPDATE      /* sum -> parameters */
} clgrad_tail_part;

/* theta.* -> p.* */
clgrad_status clgrad_unpack_graph(clgrad_context *ctx, const clgrad_tail_desc *desc, clgrad_graph **out);
/* Outputs carry the names of the inputs they replace: theta, state, sum, stop, metric as the part has them. */
clgrad_status clgrad_tail_graph(clgrad_context *ctx, const clgrad_tail_desc *desc, clgrad_tail_part part, clgrad_graph **out);
