#pragma once

/* Schedule as later rooms see it: joining graphs by name, objectives, and what a function holds. */

#include "clgrad/schedule.h"
#include "graph/graph.h"
#include "plan/plan.h"

enum { CLGRAD_SAMPLE_CELL = 256 }; /* samples per cell of a sum over samples */

/* A copy of g that has only the named outputs, in that order; inputs stay all and in order. */
clgrad_status clgrad_graph_select(const clgrad_graph *g, size_t count, const size_t *outputs, clgrad_graph **out);

/* Join graphs by name. Each graph's inputs are looked up among the inputs and outputs of the graphs before it; a name not
 * found there becomes an input of the result. The result's outputs are those of the last graph. An output may carry the name of
 * an input of the result: it is that input's next value (see clgrad_function_create_updating). */
clgrad_status clgrad_graph_chain(clgrad_context *ctx, size_t count, clgrad_graph *const *graphs, clgrad_graph **out);

/* As clgrad_function_create, every input being donated to the output of the same name, if there is one, and for many calls in a row:
 * advance[i] are the bytes by which input i then moves on from call to call (NULL: none does). */
clgrad_status clgrad_function_create_updating(clgrad_device *dev, clgrad_graph *g, const size_t *advance, clgrad_function **out);
/* Calls that one launch should do at most, 1 where it can do no more. If it can: enqueue them. All outputs are given. Otherwise as
 * clgrad_function_call. */
int64_t clgrad_function_most_calls(const clgrad_function *f);
clgrad_status clgrad_function_repeat(clgrad_function *f, clgrad_tensor *const *inputs, clgrad_tensor *const *outputs, int64_t calls);
