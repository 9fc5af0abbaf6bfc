#pragma once

/* Kernels as a layered drawing: a kernel stands below all that it reads from, values run downwards. A value that passes a layer
 * has a bend there, so that lines go around boxes. Sugiyama, Tagawa, Toda 1981. */

#include "explained.h"

typedef struct graph_node {
    int kernel; /* -1: a bend */
    int layer, order;
    double x, y, width, height; /* x, y: the left upper corner */
} graph_node;

/* A piece of a value's way, from one layer to the next. */
typedef struct graph_link {
    int from, to;                      /* nodes */
    double from_x, to_x;               /* where it leaves and arrives */
    const clgrad_operand_info *operand; /* as its writer has it */
    bool first;                        /* it leaves the kernel that writes the value */
} graph_link;

typedef struct graph {
    graph_node *nodes;
    graph_link *links;
    size_t num_nodes, num_links, node_capacity, link_capacity;
    int num_layers;
    double width, height;
    bool failed; /* out of memory */
} graph;

/* Node i stands for kernel i. */
void graph_build(graph *g, const explained_function *f);
/* Once nodes of kernels have their sizes: where everything goes. */
void graph_place(graph *g);
void graph_release(graph *g);
