#pragma once

/* Indices out of range that nothing else would show. */

#include "graph/graph.h"

/* f's output `loss` is a real scalar that stops updates when it is NaN; SIZE_MAX: there is none such. A take of reals gives NaN where an index is out of range, which in most functions makes the
 * loss NaN; one of integers gives 0 and a scatter-add drops the update. *out is NULL where every index of f is in range for certain
 * or makes the loss NaN, else f with one more output, "index", i32: 1 where one of the others is out of range, 0 where none is. */
clgrad_status clgrad_watch_indices(const clgrad_graph *f, size_t loss, clgrad_graph **out);
