/* Reverse mode and what is made with it: vjp, gradient, Hessian-vector product. */

#include "autodiff/autodiff.h"
#include "autodiff/transform.h"

/* The numbers first, first + 1, ... of inputs. */
static size_t *number_from(clgrad_context *ctx, size_t first, size_t count)
{
    size_t *numbers = clgrad_alloc(ctx, count, sizeof *numbers);
    for (size_t k = 0; numbers && k < count; k++) numbers[k] = first + k;
    return numbers;
}

/* f's outputs, then room for the tangents to be transposed: r->from is jvp(f) and its tangent inputs are the linear ones. */
typedef struct reverse_of {
    const clgrad_graph *f;
    size_t *linear;
    clgrad_reverse r;
} reverse_of;

static clgrad_status reverse_of_begin(const clgrad_graph *f, size_t count, const size_t *wrt, const bool *sample_inputs,
                                      reverse_of *out)
{
    *out = (reverse_of){ .f = f };
    clgrad_graph *forward = NULL;
    out->linear = number_from(f->ctx, f->num_inputs, count);
    clgrad_status st = out->linear ? clgrad_jvp_build(f, count, wrt, true, &forward) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_reverse_begin(forward, count, out->linear, sample_inputs, f->num_inputs, &out->r);
    clgrad_graph_release(&forward);
    if (st != CLGRAD_OK) clgrad_free(f->ctx, out->linear);
    return st;
}

static void reverse_of_release(reverse_of *v)
{
    clgrad_reverse_release(&v->r);
    clgrad_free(v->f->ctx, v->linear);
}

/* f's output i in the graph under construction. */
static clgrad_node primal(const reverse_of *v, size_t i) { return v->r.map.node[v->r.from->outputs[i]]; }

/* Walk back, then declare: f's own outputs unless `only`, then the cotangents as <prefix><input>. */
static clgrad_status finish(reverse_of *v, size_t count, const size_t *wrt, bool only, const char *prefix, clgrad_graph **out)
{
    CLGRAD_TRY(clgrad_reverse_run(&v->r));
    for (size_t i = 0; i < v->f->num_outputs && !only; i++)
        clgrad_output_fresh(v->r.to, "", v->f->output_names[i], primal(v, i));
    for (size_t k = 0; k < count; k++)
        clgrad_output_fresh(v->r.to, prefix, v->f->input_names[wrt[k]], clgrad_reverse_result(&v->r, k));
    return clgrad_transform_finish(&v->r.to, out);
}

/* The cotangent of each real output as an input; its samples lie where the output's do. */
static clgrad_status declare_cotangents(reverse_of *v)
{
    clgrad_reverse *r = &v->r;
    size_t tangent = v->f->num_outputs;
    CLGRAD_TRY(clgrad_sample_axes_extend(&r->axes, r->to));
    for (size_t i = 0; i < v->f->num_outputs; i++) {
        const clgrad_op_node *y = clgrad_at(v->f, v->f->outputs[i]);
        if (!clgrad_dtype_is_real(y->dtype)) continue;
        const clgrad_node ct = clgrad_input_fresh(r->to, "ct_", v->f->output_names[i], y->dtype, y->shape);
        CLGRAD_TRY(clgrad_sample_axes_set(&r->axes, r->to, ct, clgrad_sample_axes_get(&r->axes, primal(v, i))));
        CLGRAD_TRY(clgrad_reverse_seed(r, tangent++, ct));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_vjp_cells(const clgrad_graph *f, size_t count, const size_t *wrt, const bool *sample_inputs,
                               clgrad_graph **out)
{
    *out = NULL;
    reverse_of v;
    CLGRAD_TRY(clgrad_wrt_check(f, count, wrt, true, "vjp"));
    CLGRAD_TRY(reverse_of_begin(f, count, wrt, sample_inputs, &v));
    clgrad_status st = declare_cotangents(&v);
    if (st == CLGRAD_OK) st = finish(&v, count, wrt, false, "ct_", out);
    reverse_of_release(&v);
    return st;
}

clgrad_status clgrad_vjp(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **out)
{
    return clgrad_vjp_cells(f, count, wrt, NULL, out);
}

/* --- of a scalar --- */

static clgrad_status check_scalar(const clgrad_graph *f, size_t output, const char *what)
{
    char text[CLGRAD_SHAPE_TEXT];
    if (output >= f->num_outputs)
        return clgrad_fail(f->ctx, CLGRAD_E_ARG, "%s: output %zu asked for, the graph has %zu", what, output, f->num_outputs);
    const clgrad_op_node *y = clgrad_at(f, f->outputs[output]);
    if (!clgrad_dtype_is_real(y->dtype))
        return clgrad_fail(f->ctx, CLGRAD_E_DERIVATIVE, "%s: output '%s' is of the integer type %s and has no derivative", what,
                           f->output_names[output], clgrad_dtype_name(y->dtype));
    if (clgrad_shape_count(&y->shape) != 1)
        return clgrad_fail(f->ctx, CLGRAD_E_SHAPE, "%s: output '%s' has shape %s, a scalar is needed", what,
                           f->output_names[output], clgrad_shape_text(&y->shape, text));
    return CLGRAD_OK;
}

/* Where jvp put the tangent of output i: behind f's outputs, integers left out. */
static size_t tangent_output(const clgrad_graph *f, size_t i)
{
    size_t place = f->num_outputs;
    for (size_t k = 0; k < i; k++) place += clgrad_dtype_is_real(clgrad_at(f, f->outputs[k])->dtype);
    return place;
}

/* With `only` the gradients are the only outputs. */
static clgrad_status gradient(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt, const bool *sample_inputs,
                              bool only, clgrad_graph **out)
{
    reverse_of v;
    CLGRAD_TRY(reverse_of_begin(f, count, wrt, sample_inputs, &v));
    const clgrad_op_node *y = clgrad_at(f, f->outputs[output]);
    clgrad_status st = clgrad_reverse_seed(&v.r, tangent_output(f, output), clgrad_constant(v.r.to, y->dtype, y->shape, 1));
    if (st == CLGRAD_OK) st = finish(&v, count, wrt, only, "g_", out);
    reverse_of_release(&v);
    return st;
}

clgrad_status clgrad_gradient_cells(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt,
                                    const bool *sample_inputs, clgrad_graph **out)
{
    *out = NULL;
    CLGRAD_TRY(clgrad_wrt_check(f, count, wrt, true, "gradient"));
    CLGRAD_TRY(check_scalar(f, output, "gradient"));
    return gradient(f, output, count, wrt, sample_inputs, false, out);
}

clgrad_status clgrad_gradient(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt, clgrad_graph **out)
{
    return clgrad_gradient_cells(f, output, count, wrt, NULL, out);
}

/* A copy of g under other output names: outputs k >= count are called h_<input> instead of d_g_<input>. */
static clgrad_status name_products(const clgrad_graph *f, const clgrad_graph *g, size_t count, const size_t *wrt,
                                   clgrad_graph **out)
{
    clgrad_graph *b = NULL;
    clgrad_node *inputs = clgrad_alloc(g->ctx, g->num_inputs, sizeof *inputs);
    clgrad_node *outputs = clgrad_alloc(g->ctx, g->num_outputs, sizeof *outputs);
    clgrad_status st = inputs && outputs ? clgrad_graph_create(g->ctx, &b) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_graph_copy_inputs(g, b, inputs);
    if (st == CLGRAD_OK) st = clgrad_graph_inline(b, g, inputs, outputs);
    for (size_t k = 0; k < g->num_outputs && st == CLGRAD_OK; k++)
        clgrad_output_fresh(b, k < count ? "g_" : "h_", f->input_names[wrt[k % count]], outputs[k]);
    if (st == CLGRAD_OK) st = clgrad_transform_finish(&b, out);
    clgrad_graph_release(&b);
    clgrad_free(g->ctx, inputs);
    clgrad_free(g->ctx, outputs);
    return st;
}

clgrad_status clgrad_hessian_vector_cells(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt,
                                          const bool *sample_inputs, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *slope = NULL, *both = NULL;
    CLGRAD_TRY(clgrad_wrt_check(f, count, wrt, true, "hessian_vector"));
    CLGRAD_TRY(check_scalar(f, output, "hessian_vector"));
    clgrad_status st = gradient(f, output, count, wrt, sample_inputs, true, &slope);
    if (st == CLGRAD_OK) st = clgrad_jvp_build(slope, count, wrt, true, &both);
    if (st == CLGRAD_OK) st = name_products(f, both, count, wrt, out);
    clgrad_graph_release(&slope);
    clgrad_graph_release(&both);
    return st;
}

clgrad_status clgrad_hessian_vector(const clgrad_graph *f, size_t output, size_t count, const size_t *wrt, clgrad_graph **out)
{
    return clgrad_hessian_vector_cells(f, output, count, wrt, NULL, out);
}
