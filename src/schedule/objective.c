/* Objectives: a model and a loss per sample joined into one scalar. */

#include "autodiff/sample_axis.h"
#include "schedule/schedule.h"

/* --- what is accepted --- */

static clgrad_status check_options(clgrad_context *ctx, const clgrad_graph *model, const clgrad_graph *loss,
                                   const clgrad_objective_options *options)
{
    if (!options || options->struct_size != sizeof *options || !options->weights)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "objective: options are missing or of another version of the library");
    if (model->num_outputs < 1 || loss->num_outputs < 1)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "objective: model and loss need an output each");
    if (options->num_parameters > model->num_inputs)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "objective: %zu parameters of a model with %zu inputs", options->num_parameters,
                           model->num_inputs);
    if (clgrad_graph_find_input(loss, model->output_names[0]) == SIZE_MAX)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "objective: the loss has no input '%s', the model's output", model->output_names[0]);
    return CLGRAD_OK;
}

static clgrad_status check_losses(const clgrad_graph *loss)
{
    const clgrad_op_node *node = clgrad_at(loss, loss->outputs[0]);
    char text[CLGRAD_SHAPE_TEXT];
    if (node->dtype != CLGRAD_F32)
        return clgrad_fail(loss->ctx, CLGRAD_E_DTYPE, "objective: losses are %s, not f32", clgrad_dtype_name(node->dtype));
    if (node->shape.rank != 1)
        return clgrad_fail(loss->ctx, CLGRAD_E_SHAPE, "objective: losses are %s, needed is one per sample",
                           clgrad_shape_text(&node->shape, text));
    return CLGRAD_OK;
}

/* Inputs behind the parameters have samples at axis 0; g holds nothing but inputs yet. */
static clgrad_status mark_samples(clgrad_sample_axes *axes, const clgrad_graph *g, size_t num_parameters)
{
    for (size_t i = num_parameters; i < g->num_inputs; i++)
        if (clgrad_at(g, g->inputs[i])->shape.rank > 0) CLGRAD_TRY(clgrad_sample_axes_set(axes, g, g->inputs[i], 0));
    return CLGRAD_OK;
}

/* What a node knows of samples: nothing, one per place along its axis, or several at once. */
enum { NO_SAMPLE, OWN_SAMPLE, MIXED_SAMPLES };

static uint8_t samples_of(const clgrad_sample_axes *axes, const clgrad_op_node *node, clgrad_node n, const uint8_t *known)
{
    uint8_t most = clgrad_sample_axes_get(axes, n) >= 0 ? OWN_SAMPLE : NO_SAMPLE;
    for (size_t i = 0; i < node->num_in; i++) {
        if (known[node->in[i]] == MIXED_SAMPLES) return MIXED_SAMPLES;
        if (known[node->in[i]] == OWN_SAMPLE && most == NO_SAMPLE) return MIXED_SAMPLES; /* the axis ends here */
    }
    return most;
}

static clgrad_status check_coupling(clgrad_sample_axes *axes, const clgrad_graph *g, clgrad_node losses)
{
    CLGRAD_TRY(clgrad_sample_axes_extend(axes, g));
    uint8_t *known = clgrad_alloc(g->ctx, g->num_nodes, sizeof *known);
    if (!known) return CLGRAD_E_MEMORY;
    for (clgrad_node n = 0; n < g->num_nodes; n++) known[n] = samples_of(axes, clgrad_at(g, n), n, known);
    const bool own = known[losses] == OWN_SAMPLE && clgrad_sample_axes_get(axes, losses) == 0;
    clgrad_free(g->ctx, known);
    if (own || clgrad_at(g, losses)->shape.dims[0] == 1) return CLGRAD_OK;
    return clgrad_fail(g->ctx, CLGRAD_E_UNSUPPORTED, "objective: the loss of a sample depends on other samples, or on none");
}

/* On a copy without calls, so that none hides a coupling; marked while it holds nothing but inputs. */
static clgrad_status check_samples(const clgrad_graph *joined, size_t num_parameters)
{
    clgrad_sample_axes axes = { .ctx = joined->ctx };
    clgrad_graph *plain = NULL, *g = NULL;
    clgrad_node losses = CLGRAD_NONE, *in = clgrad_alloc(joined->ctx, joined->num_inputs, sizeof *in);
    clgrad_status st = in ? clgrad_graph_expand_calls(joined, &plain) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_graph_create(joined->ctx, &g);
    if (st == CLGRAD_OK) st = clgrad_graph_copy_inputs(plain, g, in);
    if (st == CLGRAD_OK) st = mark_samples(&axes, g, num_parameters);
    if (st == CLGRAD_OK) st = clgrad_graph_inline(g, plain, in, &losses);
    if (st == CLGRAD_OK) st = check_coupling(&axes, g, losses);
    clgrad_sample_axes_release(&axes);
    clgrad_graph_release(&g);
    clgrad_graph_release(&plain);
    clgrad_free(joined->ctx, in);
    return st;
}

/* --- building --- */

/* Model and loss, with the losses as output 0. */
static clgrad_status join(const clgrad_graph *model, const clgrad_graph *loss, clgrad_graph **out)
{
    static const size_t first = 0;
    clgrad_graph *links[2] = { NULL, NULL };
    clgrad_status st = clgrad_graph_select(model, 1, &first, &links[0]);
    if (st == CLGRAD_OK) st = clgrad_graph_select(loss, 1, &first, &links[1]);
    if (st == CLGRAD_OK) st = clgrad_graph_chain(model->ctx, 2, links, out);
    clgrad_graph_release(&links[0]);
    clgrad_graph_release(&links[1]);
    return st;
}

static clgrad_node regularised(clgrad_graph *g, clgrad_node f, const clgrad_node *p, const clgrad_objective_options *o)
{
    for (size_t i = 0; i < o->num_parameters; i++) {
        if (o->l1 > 0) f = clgrad_add(g, f, clgrad_scale(g, clgrad_sum(g, clgrad_abs(g, p[i]), CLGRAD_ALL_AXES, false), o->l1));
        if (o->l2 > 0) f = clgrad_add(g, f, clgrad_scale(g, clgrad_sum(g, clgrad_square(g, p[i]), CLGRAD_ALL_AXES, false), o->l2 / 2));
    }
    return f;
}

static clgrad_status add_up(const clgrad_graph *joined, clgrad_graph *g, clgrad_node *in, const clgrad_objective_options *o)
{
    clgrad_node losses = CLGRAD_NONE;
    CLGRAD_TRY(clgrad_graph_copy_inputs(joined, g, in));
    CLGRAD_TRY(clgrad_graph_inline(g, joined, in, &losses));
    const clgrad_node weights = clgrad_input(g, o->weights, CLGRAD_F32, clgrad_node_shape(g, losses));
    clgrad_node f = clgrad_sum_cell(g, clgrad_mul(g, weights, losses), CLGRAD_AXIS(0), false, CLGRAD_SAMPLE_CELL);
    if (!o->sum) {
        f = clgrad_div(g, f, clgrad_sum_cell(g, weights, CLGRAD_AXIS(0), false, CLGRAD_SAMPLE_CELL));
        f = regularised(g, f, in, o);
    }
    return clgrad_output(g, "f", f);
}

clgrad_status clgrad_objective_create(const clgrad_graph *model, const clgrad_graph *loss, const clgrad_objective_options *options,
                                      clgrad_graph **out)
{
    *out = NULL;
    clgrad_context *ctx = model->ctx;
    CLGRAD_TRY(check_options(ctx, model, loss, options));
    CLGRAD_TRY(check_losses(loss));
    clgrad_graph *joined = NULL, *g = NULL;
    clgrad_status st = join(model, loss, &joined);
    if (st == CLGRAD_OK) st = check_samples(joined, options->num_parameters);
    clgrad_node *in = st == CLGRAD_OK ? clgrad_alloc(ctx, joined->num_inputs, sizeof *in) : NULL;
    if (st == CLGRAD_OK && !in) st = CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_graph_create(ctx, &g);
    if (st == CLGRAD_OK) st = add_up(joined, g, in, options);
    if (st == CLGRAD_OK) *out = g, g = NULL;
    clgrad_graph_release(&g);
    clgrad_graph_release(&joined);
    clgrad_free(ctx, in);
    return st;
}
