#pragma once

/** Running graphs on a device: functions, and linear operators such as Hessians. */

#include "clgrad/autodiff.h"
#include "clgrad/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clgrad_function clgrad_function;

typedef struct clgrad_function_options {
    size_t struct_size;
    bool no_fusion; /* one launch per operation; same bits, slower */
    /* For each input, 1 + the output that may take over its memory (same type and shape), or 0. NULL: none. After a call the
     * donated tensor holds the output. */
    const uint32_t *donated;
} clgrad_function_options;

#define CLGRAD_FUNCTION_OPTIONS_INIT { sizeof(clgrad_function_options), false, NULL }

/**
 * Compile a graph for a device. g is retained and must not be changed afterwards.
 *
 * CLGRAD_E_ARG          options of another library version; a donation to an output that is not there or is given two inputs.
 * CLGRAD_E_SHAPE        a donation to an output of another type or shape.
 * CLGRAD_E_UNSUPPORTED  the graph uses f64 and the device has none, or needs a launch beyond the device's limits.
 * CLGRAD_E_MEMORY       scratch does not fit; the text says bytes needed and there.
 * CLGRAD_E_BUILD, CLGRAD_E_KERNEL_FILE  a program did not build; the text has the log.
 * Cost: builds programs, 0.1 s each at first and about 1 ms from the cache.
 */
CLGRAD_API clgrad_status clgrad_function_create(clgrad_device *dev, clgrad_graph *g,
                                                const clgrad_function_options *options, clgrad_function **out);
CLGRAD_API clgrad_function *clgrad_function_retain(clgrad_function *f);
CLGRAD_API void clgrad_function_release(clgrad_function **f);
CLGRAD_API clgrad_graph *clgrad_function_graph(const clgrad_function *f);

/**
 * Enqueue outputs = f(inputs).
 *
 * inputs   one tensor per graph input, type and shape as declared.
 * outputs  one per graph output; NULL entries are created (the caller releases them), others are written. An output must not
 *          overlap an input, unless that input is donated to it and is the same tensor.
 *
 * CLGRAD_E_SHAPE, CLGRAD_E_DTYPE  an operand does not match; nothing was enqueued.
 * CLGRAD_E_ARG                    an input is NULL or on another device, tensors overlap, a bad wait list; nothing was enqueued.
 * CLGRAD_E_MEMORY                 an output or the event was refused; nothing was enqueued.
 * CLGRAD_E_DEVICE                 a launch failed; outputs are undefined, and so are donated inputs.
 * Order: waits (on the device) for `wait`, returns before the work ends; `event` (may be NULL) covers all of it.
 * Threads: one call at a time per context. Bits: repeat.
 */
CLGRAD_API clgrad_status clgrad_function_call(clgrad_function *f, clgrad_tensor *const *inputs, clgrad_tensor **outputs,
                                              size_t num_wait, clgrad_event *const *wait, clgrad_event **event);

/** The launch list as text. Release with clgrad_function_text_release. */
CLGRAD_API clgrad_status clgrad_function_explain(const clgrad_function *f, char **text);
CLGRAD_API void clgrad_function_text_release(clgrad_function *f, char **text);

/** Launch number i, its operand number k, and all launches together, by counting (clgrad/plan.h). CLGRAD_E_ARG: there is no such
 *  launch or operand. CLGRAD_E_MEMORY. */
CLGRAD_API clgrad_status clgrad_function_launch(const clgrad_function *f, size_t i, clgrad_launch_info *out);
CLGRAD_API clgrad_status clgrad_function_operand(const clgrad_function *f, size_t i, size_t k, clgrad_operand_info *out);
/** The product that launch number i computes; false where it computes none, or two at once. */
CLGRAD_API bool clgrad_function_product(const clgrad_function *f, size_t i, clgrad_product *out);
CLGRAD_API clgrad_status clgrad_function_cost(const clgrad_function *f, clgrad_cost *out);

/**
 * Run the launches of the last call again, `runs` times after one run that is not counted, with the operands of that call (what is
 * donated moves on), and time them. Waits.
 *
 * seconds  one for each launch: the median by the device's clock; NAN where it tells none, as of copies.
 * wall     median seconds of a whole run by the host's clock, waiting included; may be NULL.
 *
 * CLGRAD_E_ARG     f was not called yet; the device was not opened with `profiling`; runs is 0; nothing was enqueued.
 * CLGRAD_E_MEMORY  nothing was enqueued.
 * CLGRAD_E_DEVICE  a launch failed.
 */
CLGRAD_API clgrad_status clgrad_function_time(clgrad_function *f, size_t runs, double *seconds, double *wall);

/* --- objectives --- */

typedef struct clgrad_objective_options {
    size_t struct_size;
    size_t num_parameters; /* the model's first inputs */
    double l1, l2;         /* adds l1 sum |p| + l2/2 sum p^2 over all parameters */
    bool sum;              /* the sum over samples instead of the mean, without l1 and l2 */
    const char *weights;   /* name of the input with sample weights */
} clgrad_objective_options;

#define CLGRAD_OBJECTIVE_OPTIONS_INIT { sizeof(clgrad_objective_options), 0, 0.0, 0.0, false, "weights" }

/**
 * A function of samples as one scalar graph: f = sum_i w_i loss_i / sum_i w_i + l1 sum |p| + l2/2 sum p^2.
 *
 * model  inputs: parameters, then data with samples at axis 0, and any scalars. Output 0 is what the loss looks at.
 * loss   has an input named as the model's output 0; its other inputs are targets with samples at axis 0. Output 0: one loss
 *        per sample, f32 [B].
 *
 * The result's inputs: the model's, the loss's others, then the weights, f32 [B]; its output is "f". A last batch that is not full is
 * run with weights of 0. Sums over samples go by cells of 256 (docs/design.md, Sums).
 *
 * CLGRAD_E_SHAPE, CLGRAD_E_DTYPE  output and input of that name differ; the losses are not f32 [B].
 * CLGRAD_E_ARG         num_parameters is larger than the model's number of inputs; the loss has no such input.
 * CLGRAD_E_UNSUPPORTED a loss that couples samples: its value for one depends on others.
 */
CLGRAD_API clgrad_status clgrad_objective_create(const clgrad_graph *model, const clgrad_graph *loss,
                                                 const clgrad_objective_options *options, clgrad_graph **out);

/**
 * Gauss-Newton product of the objective that clgrad_objective_create makes of the same arguments, as a graph: J' L J v, J being the
 * Jacobian of the model's output 0, z, in the parameters and L the Hessian in z of the weighted losses; l2 adds l2 v, l1 nothing.
 *
 * Inputs: the objective's, then a direction "d_<name>" for each parameter. Outputs: the products "h_<name>". A loss that reads a
 * parameter itself is taken as if it did not depend on it. Errors as clgrad_objective_create; CLGRAD_E_DERIVATIVE a parameter or
 * z of an integer type. Source: Schraudolph 2002, Fast curvature matrix-vector products for second-order gradient descent.
 */
CLGRAD_API clgrad_status clgrad_gauss_newton_vector(const clgrad_graph *model, const clgrad_graph *loss,
                                                    const clgrad_objective_options *options, clgrad_graph **out);

/* --- operators --- */

typedef struct clgrad_operator clgrad_operator;

/**
 * The Hessian of scalar output number `output` of f with respect to the inputs wrt, at a point.
 *
 * inputs  all inputs of f; their values are read now (what does not depend on a direction is computed and kept).
 *
 * Errors as clgrad_hessian_vector and clgrad_function_create. The operator is symmetric.
 */
CLGRAD_API clgrad_status clgrad_hessian_create(clgrad_device *dev, const clgrad_graph *f, size_t output, size_t count,
                                               const size_t *wrt, clgrad_tensor *const *inputs, clgrad_operator **out);
/**
 * The Gauss-Newton matrix of clgrad_gauss_newton_vector at a point; inputs: all inputs of the objective, read now. Symmetric, and
 * positive semidefinite where the losses are convex in z. Errors as clgrad_gauss_newton_vector and clgrad_function_create.
 */
CLGRAD_API clgrad_status clgrad_gauss_newton_create(clgrad_device *dev, const clgrad_graph *model, const clgrad_graph *loss,
                                                    const clgrad_objective_options *options, clgrad_tensor *const *inputs,
                                                    clgrad_operator **out);
/** The Jacobian of output number `output` of f with respect to the inputs wrt, at a point. Transpose-apply is the vjp. */
CLGRAD_API clgrad_status clgrad_jacobian_create(clgrad_device *dev, const clgrad_graph *f, size_t output, size_t count,
                                                const size_t *wrt, clgrad_tensor *const *inputs, clgrad_operator **out);
/** Move the operator to another point: same shapes, the kept values are computed again. Errors as clgrad_function_call; after a
 *  negative status the operator is at neither point until the next call that succeeds. */
CLGRAD_API clgrad_status clgrad_operator_set_point(clgrad_operator *op, clgrad_tensor *const *inputs);
CLGRAD_API clgrad_operator *clgrad_operator_retain(clgrad_operator *op);
CLGRAD_API void clgrad_operator_release(clgrad_operator **op);

/** Tensors in a domain vector (apply's v) and in a range vector (apply's out), and the shape of each. */
CLGRAD_API size_t clgrad_operator_domain_count(const clgrad_operator *op);
CLGRAD_API size_t clgrad_operator_range_count(const clgrad_operator *op);
CLGRAD_API clgrad_shape clgrad_operator_domain_shape(const clgrad_operator *op, size_t i);
CLGRAD_API clgrad_shape clgrad_operator_range_shape(const clgrad_operator *op, size_t i);
/** Borrowed: what an operator runs; NULL where it has none. 0: at each new point, 1: at each application, 2: at each application to a
 *  block as wide as the last one; 3 to 5: the same for the transpose of an operator that is not symmetric. */
CLGRAD_API clgrad_function *clgrad_operator_function(const clgrad_operator *op, size_t i);

/** Elements in all: columns and rows of the matrix. */
CLGRAD_API int64_t clgrad_operator_columns(const clgrad_operator *op);
CLGRAD_API int64_t clgrad_operator_rows(const clgrad_operator *op);

/**
 * Apply an operator to a vector: out = A v.
 *
 * v    one tensor per domain entry, shapes as clgrad_operator_domain_shape.
 * out  one per range entry; NULL entries are created; must not overlap v.
 *
 * CLGRAD_E_SHAPE, CLGRAD_E_DTYPE  v or out does not match; nothing was enqueued.
 * CLGRAD_E_ARG, CLGRAD_E_MEMORY   as clgrad_function_call.
 * CLGRAD_E_DEVICE  a launch failed; out is then undefined, op and v are intact.
 * Order: as clgrad_function_call. Threads: one call at a time per context. Bits: repeat.
 * Cost: at a kept point, of dense layers: a Hessian under two gradient evaluations, a Gauss-Newton matrix under one and a half.
 * Source: Pearlmutter 1994, Fast exact multiplication by the Hessian.
 */
CLGRAD_API clgrad_status clgrad_operator_apply(const clgrad_operator *op, clgrad_tensor *const *v, clgrad_tensor **out,
                                               size_t num_wait, clgrad_event *const *wait, clgrad_event **event);
/** out = A' v, v in the range, out in the domain. */
CLGRAD_API clgrad_status clgrad_operator_apply_transpose(const clgrad_operator *op, clgrad_tensor *const *v,
                                                         clgrad_tensor **out, size_t num_wait,
                                                         clgrad_event *const *wait, clgrad_event **event);

/**
 * Apply an operator to a block of vectors at once: out[c] = A v[c] for c < columns, with the bits of single applications. Meant
 * for up to 32 columns: what the point keeps is read once for all of them, and scratch grows with their number.
 *
 * v, out   as in clgrad_operator_apply, with an axis of extent `columns` in front of every tensor.
 *
 * Errors as clgrad_operator_apply and clgrad_function_create; CLGRAD_E_ARG columns < 1, CLGRAD_E_SHAPE no room for one more axis.
 * Cost: the first call for a number of columns compiles; its plan is kept until another number is asked for.
 */
CLGRAD_API clgrad_status clgrad_operator_apply_block(const clgrad_operator *op, int64_t columns, clgrad_tensor *const *v,
                                                     clgrad_tensor **out, size_t num_wait, clgrad_event *const *wait,
                                                     clgrad_event **event);
/** out[c] = A' v[c]. */
CLGRAD_API clgrad_status clgrad_operator_apply_transpose_block(const clgrad_operator *op, int64_t columns, clgrad_tensor *const *v,
                                                               clgrad_tensor **out, size_t num_wait, clgrad_event *const *wait,
                                                               clgrad_event **event);

#ifdef __cplusplus
}
#endif
