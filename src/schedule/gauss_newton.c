/* The Gauss-Newton product: the objective's Hessian with the model replaced by its linear part at the point. Three derivatives
 * meet at the model's output z: the tangent of z along the direction, the loss' Hessian in z applied to it, and the model's vjp. */

#include "autodiff/transform.h"
#include "schedule/schedule.h"

typedef struct derivatives {
    clgrad_graph *f;       /* the objective, for its inputs */
    clgrad_graph *tangent; /* model's inputs, directions -> z, d_z */
    clgrad_graph *loss;    /* z, targets, weights, d_z -> gradient, Hessian in z times d_z */
    clgrad_graph *back;    /* model's inputs, ct_z -> z, cotangents of the parameters */
} derivatives;

static void release(derivatives *d)
{
    clgrad_graph_release(&d->f);
    clgrad_graph_release(&d->tangent);
    clgrad_graph_release(&d->loss);
    clgrad_graph_release(&d->back);
}

/* z -> z, so that an objective of it is the loss alone as a function of z. */
static clgrad_status identity_of_output(const clgrad_graph *model, clgrad_graph **out)
{
    const char *name = model->output_names[0];
    const clgrad_node z = model->outputs[0];
    CLGRAD_TRY(clgrad_graph_create(model->ctx, out));
    return clgrad_output(*out, name, clgrad_input(*out, name, clgrad_node_dtype(model, z), clgrad_node_shape(model, z)));
}

static clgrad_status loss_hessian(const clgrad_graph *model, const clgrad_graph *loss, const clgrad_objective_options *options,
                                  clgrad_graph **out)
{
    static const size_t first = 0;
    clgrad_objective_options alone = *options;
    alone.num_parameters = 0; /* regularisers are functions of the parameters, not of z */
    clgrad_graph *z = NULL, *f = NULL;
    clgrad_status st = identity_of_output(model, &z);
    if (st == CLGRAD_OK) st = clgrad_objective_create(z, loss, &alone, &f);
    if (st == CLGRAD_OK) st = clgrad_hessian_vector(f, 0, 1, &first, out);
    clgrad_graph_release(&z);
    clgrad_graph_release(&f);
    return st;
}

static clgrad_status model_derivatives(const clgrad_graph *model, size_t num_parameters, derivatives *d)
{
    static const size_t first = 0;
    clgrad_graph *single = NULL;
    size_t *parameters = clgrad_alloc(model->ctx, num_parameters, sizeof *parameters);
    clgrad_status st = parameters ? clgrad_graph_select(model, 1, &first, &single) : CLGRAD_E_MEMORY;
    for (size_t i = 0; st == CLGRAD_OK && i < num_parameters; i++) parameters[i] = i;
    if (st == CLGRAD_OK) st = clgrad_jvp(single, num_parameters, parameters, &d->tangent);
    if (st == CLGRAD_OK) st = clgrad_vjp(single, num_parameters, parameters, &d->back);
    clgrad_graph_release(&single);
    clgrad_free(model->ctx, parameters);
    return st;
}

/* --- putting them together --- */

typedef struct joining {
    const derivatives *d;
    const clgrad_objective_options *options;
    size_t num_model_inputs;
    clgrad_graph *g;
    clgrad_node *in;   /* the objective's inputs in g */
    clgrad_node *v;    /* directions */
    clgrad_node *args; /* of the graph being inlined; */
    clgrad_node *outs; /* its outputs */
} joining;

static clgrad_status allocate(joining *j)
{
    clgrad_context *ctx = j->d->f->ctx;
    const size_t most = j->d->f->num_inputs + j->options->num_parameters + 2;
    j->in = clgrad_alloc(ctx, most, sizeof *j->in);
    j->v = clgrad_alloc(ctx, most, sizeof *j->v);
    j->args = clgrad_alloc(ctx, most, sizeof *j->args);
    j->outs = clgrad_alloc(ctx, most, sizeof *j->outs);
    return j->in && j->v && j->args && j->outs ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

static void deallocate(joining *j)
{
    clgrad_context *ctx = j->d->f->ctx;
    clgrad_free(ctx, j->in);
    clgrad_free(ctx, j->v);
    clgrad_free(ctx, j->args);
    clgrad_free(ctx, j->outs);
    clgrad_graph_release(&j->g);
}

static clgrad_status declare(joining *j)
{
    const clgrad_graph *f = j->d->f;
    CLGRAD_TRY(clgrad_graph_create(f->ctx, &j->g));
    CLGRAD_TRY(clgrad_graph_copy_inputs(f, j->g, j->in));
    for (size_t i = 0; i < j->options->num_parameters; i++) {
        const clgrad_op_node *p = clgrad_at(f, f->inputs[i]);
        j->v[i] = clgrad_input_fresh(j->g, "d_", f->input_names[i], p->dtype, p->shape);
    }
    return clgrad_graph_status(j->g);
}

/* z comes first and its tangent last; what is between them are inputs of the objective. */
static clgrad_node loss_input(const joining *j, size_t i, clgrad_node z, clgrad_node dz)
{
    const clgrad_graph *loss = j->d->loss;
    if (i == 0) return z;
    if (i + 1 == loss->num_inputs) return dz;
    return j->in[clgrad_graph_find_input(j->d->f, loss->input_names[i])];
}

static clgrad_status join(joining *j)
{
    const size_t num_parameters = j->options->num_parameters;
    CLGRAD_TRY(declare(j));
    memcpy(j->args, j->in, j->num_model_inputs * sizeof *j->args);
    memcpy(j->args + j->num_model_inputs, j->v, num_parameters * sizeof *j->args);
    CLGRAD_TRY(clgrad_graph_inline(j->g, j->d->tangent, j->args, j->outs));
    const clgrad_node z = j->outs[0], dz = j->outs[1];
    for (size_t i = 0; i < j->d->loss->num_inputs; i++) j->args[i] = loss_input(j, i, z, dz);
    CLGRAD_TRY(clgrad_graph_inline(j->g, j->d->loss, j->args, j->outs));
    memcpy(j->args, j->in, j->num_model_inputs * sizeof *j->args);
    j->args[j->num_model_inputs] = j->outs[1];
    CLGRAD_TRY(clgrad_graph_inline(j->g, j->d->back, j->args, j->outs));
    for (size_t i = 0; i < num_parameters; i++) {
        clgrad_node h = j->outs[1 + i];
        if (j->options->l2 > 0 && !j->options->sum) h = clgrad_add(j->g, h, clgrad_scale(j->g, j->v[i], j->options->l2));
        clgrad_output_fresh(j->g, "h_", j->d->f->input_names[i], h);
    }
    return clgrad_graph_status(j->g);
}

clgrad_status clgrad_gauss_newton_vector(const clgrad_graph *model, const clgrad_graph *loss, const clgrad_objective_options *options,
                                         clgrad_graph **out)
{
    *out = NULL;
    derivatives d = { 0 };
    joining j = { .d = &d, .options = options, .num_model_inputs = model->num_inputs };
    CLGRAD_TRY(clgrad_objective_create(model, loss, options, &d.f));
    clgrad_graph *expanded = NULL;
    clgrad_status st = model_derivatives(model, options->num_parameters, &d);
    if (st == CLGRAD_OK) st = loss_hessian(model, loss, options, &d.loss);
    if (st == CLGRAD_OK) st = allocate(&j);
    if (st == CLGRAD_OK) st = join(&j);
    /* Forward pass and vjp compute the model's values both; written out, they are the same nodes. */
    if (st == CLGRAD_OK) st = clgrad_graph_expand_calls(j.g, &expanded);
    if (st == CLGRAD_OK) st = clgrad_graph_simplify(expanded, out);
    clgrad_graph_release(&expanded);
    deallocate(&j);
    release(&d);
    return st;
}
