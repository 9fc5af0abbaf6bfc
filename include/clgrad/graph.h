#pragma once

/**
 * Graphs: a graph is a pure straight-line function from input tensors to output tensors, with fixed shapes.
 *
 * Builder functions take a graph and nodes and return a node. Errors stick: the first one is kept in the graph (and in its
 * context's error text, naming operation and operand), CLGRAD_NONE is returned, and every later call given CLGRAD_NONE returns
 * CLGRAD_NONE. So an expression is written without checks, and clgrad_graph_status is asked once at the end.
 *
 * Equal nodes (same operation, operands and attributes) are one node. Element-wise binary operations broadcast as NumPy does;
 * element types must be equal (cast first). Kinks: max(a,b) is a > b || a != a ? a : b, so max(x,0)' is 0 at 0; |x|' and
 * sign are 0 at 0; reduce-max takes the first index and propagates NaN. Integers have no tangent.
 */

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clgrad_graph clgrad_graph;
typedef uint32_t clgrad_node;
#define CLGRAD_NONE UINT32_MAX

CLGRAD_API clgrad_status clgrad_graph_create(clgrad_context *ctx, clgrad_graph **out);
CLGRAD_API clgrad_graph *clgrad_graph_retain(clgrad_graph *g);
CLGRAD_API void clgrad_graph_release(clgrad_graph **g);
/** The first error of any builder call on g, or CLGRAD_OK. */
CLGRAD_API clgrad_status clgrad_graph_status(const clgrad_graph *g);

/* --- inputs, outputs, leaves --- */

/** A new input; names are unique within the graph (E_ARG otherwise) and match [A-Za-z0-9_.]+. Inputs are numbered from 0 in order. */
CLGRAD_API clgrad_node clgrad_input(clgrad_graph *g, const char *name, clgrad_dtype dtype, clgrad_shape shape);
/** Declare a node an output; one node may be several outputs. Outputs are numbered from 0 in order. */
CLGRAD_API clgrad_status clgrad_output(clgrad_graph *g, const char *name, clgrad_node node);
/** Every element equals value (rounded to dtype). */
CLGRAD_API clgrad_node clgrad_constant(clgrad_graph *g, clgrad_dtype dtype, clgrad_shape shape, double value);
/** As constant with a 64-bit integer, exact for i64. */
CLGRAD_API clgrad_node clgrad_constant_int(clgrad_graph *g, clgrad_dtype dtype, clgrad_shape shape, int64_t value);
/** Element (i0, i1, ...) equals i_axis. i32 or i64. */
CLGRAD_API clgrad_node clgrad_iota(clgrad_graph *g, clgrad_dtype dtype, clgrad_shape shape, int32_t axis);
/** Uniform in (0, 1): a pure function of (seed, stream, hi, lo), element by element (Philox 4x32-10). seed, hi, lo: i64, broadcast. f32. */
CLGRAD_API clgrad_node clgrad_random_uniform_node(clgrad_graph *g, clgrad_node seed, clgrad_node hi, clgrad_node lo, uint32_t stream);
/** Standard normal by our own polynomials (Box-Muller); otherwise as uniform. f32. */
CLGRAD_API clgrad_node clgrad_random_normal_node(clgrad_graph *g, clgrad_node seed, clgrad_node hi, clgrad_node lo, uint32_t stream);

CLGRAD_API size_t clgrad_graph_num_inputs(const clgrad_graph *g);
CLGRAD_API size_t clgrad_graph_num_outputs(const clgrad_graph *g);
CLGRAD_API size_t clgrad_graph_num_nodes(const clgrad_graph *g);
CLGRAD_API clgrad_node clgrad_graph_input(const clgrad_graph *g, size_t i);
CLGRAD_API clgrad_node clgrad_graph_output(const clgrad_graph *g, size_t i);
CLGRAD_API const char *clgrad_graph_input_name(const clgrad_graph *g, size_t i);
CLGRAD_API const char *clgrad_graph_output_name(const clgrad_graph *g, size_t i);
CLGRAD_API clgrad_shape clgrad_node_shape(const clgrad_graph *g, clgrad_node n);
CLGRAD_API clgrad_dtype clgrad_node_dtype(const clgrad_graph *g, clgrad_node n);

/* --- element-wise, one operand --- */
#define CLGRAD_UNARY(name) CLGRAD_API clgrad_node clgrad_##name(clgrad_graph *g, clgrad_node x);
CLGRAD_UNARY(neg)
CLGRAD_UNARY(exp)
CLGRAD_UNARY(log)
CLGRAD_UNARY(log1p)
CLGRAD_UNARY(expm1)
CLGRAD_UNARY(sqrt)
CLGRAD_UNARY(rsqrt)
CLGRAD_UNARY(reciprocal)
CLGRAD_UNARY(sin)
CLGRAD_UNARY(cos)
CLGRAD_UNARY(tanh)
CLGRAD_UNARY(erf)
CLGRAD_UNARY(sigmoid)
CLGRAD_UNARY(abs)
CLGRAD_UNARY(sign)
CLGRAD_UNARY(floor)
CLGRAD_UNARY(square)         /* x * x */
CLGRAD_UNARY(stop_gradient)  /* x, with a zero tangent */
#undef CLGRAD_UNARY
/** Convert element by element: reals to integers truncate and saturate (NaN: 0), to storage types round to nearest even. */
CLGRAD_API clgrad_node clgrad_cast(clgrad_graph *g, clgrad_node x, clgrad_dtype dtype);

/* --- element-wise, two operands, broadcasting --- */
#define CLGRAD_BINARY(name) CLGRAD_API clgrad_node clgrad_##name(clgrad_graph *g, clgrad_node a, clgrad_node b);
CLGRAD_BINARY(add)
CLGRAD_BINARY(sub)
CLGRAD_BINARY(mul)
CLGRAD_BINARY(div) /* integers: E_DTYPE */
CLGRAD_BINARY(max)
CLGRAD_BINARY(min)
CLGRAD_BINARY(pow)
CLGRAD_BINARY(eq) /* comparisons give u8: 1 or 0; NaN compares false but for ne */
CLGRAD_BINARY(ne)
CLGRAD_BINARY(lt)
CLGRAD_BINARY(le)
CLGRAD_BINARY(gt)
CLGRAD_BINARY(ge)
#undef CLGRAD_BINARY
/** cond != 0 ? a : b, element by element, broadcasting; cond is u8. */
CLGRAD_API clgrad_node clgrad_select(clgrad_graph *g, clgrad_node cond, clgrad_node a, clgrad_node b);
/** x * value and x + value with value of x's type. */
CLGRAD_API clgrad_node clgrad_scale(clgrad_graph *g, clgrad_node x, double value);
CLGRAD_API clgrad_node clgrad_offset(clgrad_graph *g, clgrad_node x, double value);

/* --- views: no arithmetic, folded into the consumer's indexing --- */

/** NumPy broadcasting to `shape`: missing leading axes are added, extents of 1 repeat. */
CLGRAD_API clgrad_node clgrad_broadcast(clgrad_graph *g, clgrad_node x, clgrad_shape shape);
CLGRAD_API clgrad_node clgrad_reshape(clgrad_graph *g, clgrad_node x, clgrad_shape shape);
/** Axis i of the result is axis perm[i] of x. */
CLGRAD_API clgrad_node clgrad_permute(clgrad_graph *g, clgrad_node x, const int32_t *perm);
/** The last two axes exchanged. */
CLGRAD_API clgrad_node clgrad_transpose(clgrad_graph *g, clgrad_node x);
/** size[i] elements from start[i] in steps of step[i] > 0 (step NULL: 1), one entry per axis. */
CLGRAD_API clgrad_node clgrad_slice(clgrad_graph *g, clgrad_node x, const int64_t *start, const int64_t *size, const int64_t *step);
/** Reverse along every axis whose bit is set. */
CLGRAD_API clgrad_node clgrad_flip(clgrad_graph *g, clgrad_node x, uint32_t axes);
/** Zeros around and between: low[i] before, high[i] after, interior[i] between neighbours (NULL: 0). All >= 0. */
CLGRAD_API clgrad_node clgrad_pad(clgrad_graph *g, clgrad_node x, const int64_t *low, const int64_t *high, const int64_t *interior);
/** Sliding blocks along axis: y[.., o, .., k] = x[.., o*stride + k*dilation, ..]; k is a new last axis of extent size. */
CLGRAD_API clgrad_node clgrad_window(clgrad_graph *g, clgrad_node x, int32_t axis, int64_t size, int64_t stride, int64_t dilation);
/** The adjoint of window: axis regains extent n, overlapping blocks are added in increasing k. */
CLGRAD_API clgrad_node clgrad_overlap_add(clgrad_graph *g, clgrad_node y, int32_t axis, int64_t n, int64_t stride, int64_t dilation);
/** Join 1 to 4096 tensors along axis. */
CLGRAD_API clgrad_node clgrad_concat(clgrad_graph *g, size_t count, const clgrad_node *x, int32_t axis);

/* --- indexing --- */

/** y[.., j.., ..] = x[.., index[j..], ..] along axis; index i32 or i64 of any rank. Out of range gives NaN (0 for integers). */
CLGRAD_API clgrad_node clgrad_take(clgrad_graph *g, clgrad_node x, clgrad_node index, int32_t axis);
/** The adjoint of take: zeros with extent n along axis, plus updates at index, equal indices added in increasing order; an update
 *  at an index out of range is dropped, and its derivative is NaN. */
CLGRAD_API clgrad_node clgrad_scatter_add(clgrad_graph *g, clgrad_node updates, clgrad_node index, int32_t axis, int64_t n);

/* --- reductions and products --- */

#define CLGRAD_AXIS(i) (1u << (i))
#define CLGRAD_ALL_AXES 0xffu
/** Bits of axes past the rank are ignored; keep leaves reduced axes as extent 1. Order of sums: docs/design.md, Sums. */
CLGRAD_API clgrad_node clgrad_sum(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep);
CLGRAD_API clgrad_node clgrad_mean(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep);
CLGRAD_API clgrad_node clgrad_reduce_max(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep);
/** The first index of the largest element along axis (a NaN counts as largest), i32; the axis is removed. */
CLGRAD_API clgrad_node clgrad_argmax(clgrad_graph *g, clgrad_node x, int32_t axis);
/** Running sums along axis, from its end when reverse. */
CLGRAD_API clgrad_node clgrad_cumsum(clgrad_graph *g, clgrad_node x, int32_t axis, bool reverse);
/** [batch.., M, K] x [batch.., K, N]; trans_a: a is [.., K, M]; trans_b: b is [.., N, K]. Leading axes broadcast. */
CLGRAD_API clgrad_node clgrad_matmul(clgrad_graph *g, clgrad_node a, clgrad_node b, bool trans_a, bool trans_b);

/* --- calls --- */

/** Why a call stands in a graph: what K-FAC, providers and printing look for. */
typedef enum clgrad_role { CLGRAD_ROLE_NONE, CLGRAD_ROLE_LINEAR, CLGRAD_ROLE_ACTIVATION, CLGRAD_ROLE_SOFTMAX, CLGRAD_ROLE_LOSS, CLGRAD_ROLE_USER } clgrad_role;

/**
 * Builds the derivative of a call: given its operands, its result y and the tangents dx (CLGRAD_NONE where zero), return the
 * tangent of y, linear in dx. Everything it builds can be differentiated again.
 */
typedef clgrad_node (*clgrad_call_jvp)(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y,
                                       const clgrad_node *dx, void *user);

/**
 * Apply a named sub-graph (one output) to operands whose shapes and types match its inputs. body is of the same context, is
 * retained and cannot change from then on. jvp may be NULL: the body is differentiated. user must outlive the graph and what is
 * derived from it.
 */
CLGRAD_API clgrad_node clgrad_call(clgrad_graph *g, const char *name, clgrad_role role, clgrad_graph *body,
                                   size_t count, const clgrad_node *x, clgrad_call_jvp jvp, void *user);

/* --- whole graphs --- */

/**
 * Copy every live node of `body`, a graph of the same context, but its inputs into g, with inputs replaced; outputs[i] gets the
 * node of body's output i. Errors are g's and stick: CLGRAD_E_SHAPE, CLGRAD_E_DTYPE an input does not match.
 */
CLGRAD_API clgrad_status clgrad_graph_inline(clgrad_graph *g, const clgrad_graph *body, const clgrad_node *inputs,
                                             clgrad_node *outputs);
/** A new graph without dead code, calls kept; constants folded for + - * and integers, x*1, x+0, views of views merged. */
CLGRAD_API clgrad_status clgrad_graph_simplify(const clgrad_graph *g, clgrad_graph **out);
/** Text, one node a line. Release with clgrad_graph_text_release. */
CLGRAD_API clgrad_status clgrad_graph_print(const clgrad_graph *g, char **text);
/** Graphviz source. */
CLGRAD_API clgrad_status clgrad_graph_print_dot(const clgrad_graph *g, char **text);
CLGRAD_API void clgrad_graph_text_release(clgrad_graph *g, char **text);

#ifdef __cplusplus
}
#endif
