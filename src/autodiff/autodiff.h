#pragma once

/* Derivatives as later rooms take them: those of clgrad/autodiff.h for a function of samples. */

#include "autodiff/sample_axis.h"
#include "clgrad/autodiff.h"

/* As the public functions without `_cells`. sample_inputs, one per input of f, says which carry samples at axis 0; the sums
 * over samples that transposition makes get the attribute cell (see docs/design.md, Sums). NULL: none, no cells. */
clgrad_status clgrad_vjp_cells(const clgrad_graph *f, size_t count, const size_t *wrt, const bool *sample_inputs,
                               clgrad_graph **out);
clgrad_status clgrad_gradient_cells(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt,
                                    const bool *sample_inputs, clgrad_graph **out);
clgrad_status clgrad_hessian_vector_cells(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt,
                                          const bool *sample_inputs, clgrad_graph **out);
