#pragma once

/* Loss scaling: the loss is multiplied by a power of two before it is differentiated, so that gradients in a small storage type do not
 * vanish. An update whose gradients overflow is skipped and halves the scale; a window of others doubles it. All on the device. */

#include "graph/graph.h"

/* Elements of the f32 vector that carries it from update to update. */
enum {
    CLGRAD_SCALING_SCALE,
    CLGRAD_SCALING_INVERSE, /* 1 / scale, exact: both are powers of two */
    CLGRAD_SCALING_GOOD,    /* updates since the scale last changed */
    CLGRAD_SCALING_COUNT
};

#define CLGRAD_SCALING_LARGEST 0x1p30f

clgrad_node clgrad_scaling_field(clgrad_graph *g, clgrad_node scaling, int64_t field);
/* The vector after an update; fine: u8, 1 where no gradient overflowed; window: f32. */
clgrad_node clgrad_scaling_next(clgrad_graph *g, clgrad_node scaling, clgrad_node fine, clgrad_node window);
