#pragma once

/* Inside the model room: how layers and losses become calls. */

#include "clgrad/model.h"
#include "graph/graph.h"

/* One layer or loss: its body over operands a0, a1, ... and, where that is better than differentiating the body, its derivative. */
typedef struct clgrad_layer {
    const char *name;
    clgrad_role role;
    clgrad_node (*body)(clgrad_graph *g, const clgrad_node *in, size_t count, const void *option);
    clgrad_call_jvp jvp;
} clgrad_layer;

/* Apply a layer; an error in its body is the graph's, with the layer's name in front. */
clgrad_node clgrad_layer_apply(clgrad_graph *g, const clgrad_layer *layer, size_t count, const clgrad_node *x, const void *option);

/* False when the graph has failed, or x is none of its nodes, after reporting that. */
bool clgrad_layer_has_node(clgrad_graph *g, const clgrad_layer *layer, clgrad_node x, const char *operand);
