#pragma once

/* Which axis of each value counts samples.
 *
 * An objective adds up over samples in cells of 256, so that the same bits come out however the work is cut. Its own sums carry
 * the attribute `cell`; sums that transposition makes (of a bias, of a weight) must carry it too, and for that one has to know
 * whether the axis they run over is the samples'. Given the inputs that have samples at some axis, the axis is followed through
 * the graph: element-wise operations keep it, views move it, sums over it end it. Where an operation cuts it, mixes it with
 * others or merges it into another axis, it is unknown, which is the same as none. */

#include "graph/graph.h"

typedef struct clgrad_sample_axes {
    clgrad_context *ctx;
    int8_t *axis; /* per node: the axis, or -1 */
    size_t count, capacity;
    const struct clgrad_sample_axes *outer; /* inside a call: the axes around it, */
    const clgrad_op_node *call;             /* and the call, whose operands the inputs are */
} clgrad_sample_axes;

/* Follow the axes through nodes that were appended to g since the last call. Inputs start with -1: see clgrad_sample_axes_set. */
clgrad_status clgrad_sample_axes_extend(clgrad_sample_axes *s, const clgrad_graph *g);

/* State a node's axis (-1: none), for inputs and where the builder knows more; call before what reads the node is followed. */
clgrad_status clgrad_sample_axes_set(clgrad_sample_axes *s, const clgrad_graph *g, clgrad_node n, int32_t axis);

/* The axis of a node that was followed; -1 for CLGRAD_NONE. */
int32_t clgrad_sample_axes_get(const clgrad_sample_axes *s, clgrad_node n);

void clgrad_sample_axes_release(clgrad_sample_axes *s);
