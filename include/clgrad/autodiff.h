#pragma once

/**
 * Derivatives: graph in, graph out. Every result is a graph like any other and can be transformed again. Results are simplified
 * (clgrad_graph_simplify). A name that is taken gets ".2", ".3".. behind it: the gradient of a gradient has "g_x" and "g_x.2".
 *
 * wrt lists inputs by number, none twice. A call with a derivative rule stays a call where it is differentiated; one without is
 * replaced by its body there, and so is every call whose operands are batched or transposed.
 *
 * Errors common to all: CLGRAD_E_ARG an index out of range or given twice; CLGRAD_E_DERIVATIVE the input or output asked for is of an integer
 * type; CLGRAD_E_SHAPE an output that must be a scalar is not; CLGRAD_E_MEMORY; for a graph that failed while it was built, its own
 * status. Nothing is changed; *out is NULL.
 */

#include "clgrad/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Forward mode. Inputs of the result: those of f, then one tangent "d_<name>" for each index in wrt (same type and shape).
 * Outputs: those of f, then the tangent "d_<name>" of each real output. Source: Griewank & Walther, ch. 3.
 */
CLGRAD_API clgrad_status clgrad_jvp(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **out);

/**
 * Reverse mode: jvp, then transpose of its linear part. Inputs: those of f, then a cotangent "ct_<name>" for each real output.
 * Outputs: those of f, then for each index in wrt the cotangent "ct_<name>" of that input.
 */
CLGRAD_API clgrad_status clgrad_vjp(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **out);

/**
 * Outputs: those of f, then the gradient "g_<name>" of output number `output`, which has one element, with respect to each input
 * in wrt.
 */
CLGRAD_API clgrad_status clgrad_gradient(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt,
                                         clgrad_graph **out);

/**
 * Hessian-vector product of scalar output number `output`: jvp of the gradient. Inputs: those of f, then a direction "d_<name>"
 * for each index in wrt. Outputs: the gradients "g_<name>", then the products "h_<name>". Source: Pearlmutter 1994.
 */
CLGRAD_API clgrad_status clgrad_hessian_vector(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt,
                                               clgrad_graph **out);

/**
 * Transpose: f must be linear in the inputs wrt (E_DERIVATIVE where it is not, naming the operation). Inputs: those of f not in
 * wrt, then a cotangent "ct_<name>" for each real output. Outputs: "ct_<name>" for each input in wrt.
 */
CLGRAD_API clgrad_status clgrad_transpose_linear(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **out);

/**
 * Add a leading axis of extent n to each input in wrt (integers too) and to every output; those that do not depend on wrt repeat
 * along it. Bits: those of n single evaluations.
 */
CLGRAD_API clgrad_status clgrad_batch(const clgrad_graph *f, int64_t n, size_t count, const size_t *wrt, clgrad_graph **out);

/**
 * Split f by what depends on the inputs in wrt ("unknown", integers too) and what does not ("known"). A residual is a known
 * value that the unknown side reads; constants, views (slices aside) and a few cheap operations on residuals are made again there.
 * known:   inputs: f's inputs not in wrt. Outputs: f's outputs that do not depend on wrt (names kept), then the residuals "r0", "r1", ...
 * unknown: inputs: the inputs in wrt, then the residuals. Outputs: f's other outputs.
 * output_known[i] tells for each output of f on which side it is; may be NULL.
 */
CLGRAD_API clgrad_status clgrad_split(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **known,
                                      clgrad_graph **unknown, bool *output_known);

#ifdef __cplusplus
}
#endif
