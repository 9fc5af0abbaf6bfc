/* Curvature at a kept point: the Hessian as an operator, and the Gauss-Newton matrix put together from the transforms. */

#include "bench.h"

#include <stdlib.h>

enum { MOST_PARAMETERS = 32 };

static const double tolerance_l2 = 5e-5, tolerance_max = 2e-3;

/* Directions like the parameters, behind c->in; c->num_in counts them afterwards. */
static clgrad_status add_directions(bench_case *c)
{
    const size_t first = c->num_in;
    clgrad_array *larger = realloc(c->in, (first + c->num_parameters) * sizeof *larger);
    if (!larger) return CLGRAD_E_MEMORY;
    c->in = larger;
    for (size_t i = 0; i < c->num_parameters; i++) {
        const clgrad_status status = clgrad_array_create(c->ctx, CLGRAD_F32, c->in[i].shape, &c->in[first + i]);
        if (status) return status;
        c->num_in++;
        bench_uniform(&c->in[first + i], 100 + i, -1, 1);
    }
    return CLGRAD_OK;
}

static void all_parameters(const bench_case *c, size_t *wrt)
{
    for (size_t i = 0; i < c->num_parameters; i++) wrt[i] = i;
}

static void set_costs(bench_case *c, double flops, const bench_network *net)
{
    c->flops = flops;
    c->bytes = 12.0 * (double)net->parameters + 4.0 * (double)(c->row->batch * net->widths[0]);
    c->roof = c->row->batch >= 16 ? CLGRAD_ROOF_FMA_F32 : CLGRAD_ROOF_READ;
    c->working_set = (uint64_t)c->bytes;
    c->tolerance_l2 = tolerance_l2, c->tolerance_max = tolerance_max;
}

/* --- the Hessian --- */

static clgrad_tensor *const *directions(const bench_case *c) { return c->tensors + c->num_in - c->num_parameters; }

static clgrad_status run_hvp(void *user)
{
    bench_case *c = user;
    return clgrad_operator_apply(c->op, directions(c), c->out, 0, NULL, NULL);
}

static clgrad_status open_hvp(bench_case *c)
{
    bench_network net;
    size_t wrt[MOST_PARAMETERS];
    bench_network_of(c->row, &net);
    clgrad_status status = bench_objective(c);
    if (!status) status = add_directions(c);
    if (!status) status = bench_upload(c, c->num_parameters);
    if (status) return status;
    all_parameters(c, wrt);
    set_costs(c, net.hvp, &net);
    return clgrad_hessian_create(c->dev, c->graph, 0, c->num_parameters, wrt, c->tensors, &c->op);
}

static clgrad_status verify_hvp(bench_case *c)
{
    size_t wrt[MOST_PARAMETERS];
    clgrad_graph *products = NULL;
    all_parameters(c, wrt);
    clgrad_status status = run_hvp(c);
    if (!status) status = clgrad_hessian_vector(c->graph, 0, c->num_parameters, wrt, &products);
    if (!status)
        status =
            bench_hold_against(c, products, clgrad_graph_num_outputs(products) - c->num_parameters, c->out, c->num_parameters);
    clgrad_graph_release(&products);
    return status ? status : bench_repeat(c);
}

const bench_family bench_hvp = { "hvp", "run", open_hvp, verify_hvp, run_hvp, NULL, NULL };

/* --- Gauss-Newton: G v = J' H_L J v, J the model's Jacobian, H_L the loss' Hessian with respect to its outputs --- */

/* What depends on the direction, and what its function reads and writes beside it. */
typedef struct kept_point {
    clgrad_function *known, *unknown;
    clgrad_tensor **kept, **arguments;
    size_t num_kept;
} kept_point;

/* Three transforms, inlined one behind the other. Inputs: parameters, x, y, directions; outputs: the products. */
static clgrad_status join(bench_case *c, const clgrad_graph *tangent, const clgrad_graph *curvature, const clgrad_graph *back)
{
    const size_t p = c->num_parameters;
    clgrad_node in[2 * MOST_PARAMETERS + 2], part[MOST_PARAMETERS + 4], out[MOST_PARAMETERS + 4];
    clgrad_graph *g = c->graph;
    char name[24];
    for (size_t i = 0; i < 2 * p + 2; i++) {
        snprintf(name, sizeof name, "in%zu", i);
        const clgrad_array *value = &c->in[i < p + 2 ? i : i + 1]; /* the sample weights in c->in are the objective's alone */
        in[i] = clgrad_input(g, name, value->dtype, value->shape);
    }
    clgrad_node jvp_in[2 * MOST_PARAMETERS + 1];
    for (size_t i = 0; i <= p; i++) jvp_in[i] = in[i];
    for (size_t i = 0; i < p; i++) jvp_in[p + 1 + i] = in[p + 2 + i];
    clgrad_status status = clgrad_graph_inline(g, tangent, jvp_in, part); /* z, dz */
    if (!status)
        status = clgrad_graph_inline(g, curvature, (clgrad_node[]){ part[0], in[p + 1], part[1] }, out); /* gradient, H dz */
    jvp_in[p + 1] = out[1];
    if (!status) status = clgrad_graph_inline(g, back, jvp_in, out); /* z, products */
    for (size_t i = 0; !status && i < p; i++) {
        snprintf(name, sizeof name, "h%zu", i);
        status = clgrad_output(g, name, out[1 + i]);
    }
    return status;
}

static clgrad_status build_products(bench_case *c)
{
    size_t wrt[MOST_PARAMETERS];
    clgrad_graph *model = NULL, *loss = NULL, *tangent = NULL, *curvature = NULL, *back = NULL;
    clgrad_status status = bench_model(c, &model, &loss);
    if (!status) status = add_directions(c);
    all_parameters(c, wrt);
    if (!status) status = clgrad_jvp(model, c->num_parameters, wrt, &tangent);
    if (!status) status = clgrad_hessian_vector(loss, 0, 1, &(size_t){ 0 }, &curvature);
    if (!status) status = clgrad_vjp(model, c->num_parameters, wrt, &back);
    if (!status) status = clgrad_graph_create(c->ctx, &c->graph);
    if (!status) status = join(c, tangent, curvature, back);
    if (!status) status = clgrad_graph_status(c->graph);
    clgrad_graph *const all[] = { model, loss, tangent, curvature, back };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) clgrad_graph_release(&(clgrad_graph *){ all[i] });
    return status;
}

/* Gives up the sample weights, which these graphs have no use for: c->in is then one array per input of c->graph. */
static void drop_weights(bench_case *c)
{
    const size_t at = c->num_parameters + 2;
    clgrad_array_release(c->ctx, &c->in[at]);
    for (size_t i = at; i + 1 < c->num_in; i++) c->in[i] = c->in[i + 1];
    c->num_in--;
}

static clgrad_status split_and_compile(bench_case *c, kept_point *k)
{
    size_t wrt[MOST_PARAMETERS];
    clgrad_graph *known = NULL, *unknown = NULL;
    for (size_t i = 0; i < c->num_parameters; i++) wrt[i] = c->num_parameters + 2 + i;
    clgrad_status status = clgrad_split(c->graph, c->num_parameters, wrt, &known, &unknown, NULL);
    if (!status) status = clgrad_function_create(c->dev, known, NULL, &k->known);
    if (!status) status = clgrad_function_create(c->dev, unknown, NULL, &k->unknown);
    if (!status) {
        k->num_kept = clgrad_graph_num_outputs(known);
        k->kept = calloc(k->num_kept, sizeof *k->kept);
        k->arguments = calloc(c->num_parameters + k->num_kept, sizeof *k->arguments);
        if (!k->kept || !k->arguments) status = CLGRAD_E_MEMORY;
    }
    clgrad_graph_release(&known);
    clgrad_graph_release(&unknown);
    return status;
}

static clgrad_status run_gnvp(void *user)
{
    bench_case *c = user;
    const kept_point *k = c->own;
    return clgrad_function_call(k->unknown, k->arguments, c->out, 0, NULL, NULL);
}

static clgrad_status open_gnvp(bench_case *c)
{
    bench_network net;
    kept_point *k = c->own = calloc(1, sizeof *k);
    bench_network_of(c->row, &net);
    clgrad_status status = k ? build_products(c) : CLGRAD_E_MEMORY;
    if (status) return status;
    drop_weights(c);
    status = bench_upload(c, c->num_parameters);
    if (!status) status = split_and_compile(c, k);
    if (!status) status = clgrad_function_call(k->known, c->tensors, k->kept, 0, NULL, NULL);
    if (status) return status;
    for (size_t i = 0; i < c->num_parameters; i++) k->arguments[i] = directions(c)[i];
    for (size_t i = 0; i < k->num_kept; i++) k->arguments[c->num_parameters + i] = k->kept[i];
    set_costs(c, net.gnvp, &net);
    return CLGRAD_OK;
}

static clgrad_status verify_gnvp(bench_case *c)
{
    clgrad_status status = run_gnvp(c);
    if (!status) status = bench_hold_against(c, c->graph, 0, c->out, c->num_parameters);
    return status ? status : bench_repeat(c);
}

static void close_gnvp(bench_case *c)
{
    kept_point *k = c->own;
    if (!k) return;
    for (size_t i = 0; k->kept && i < k->num_kept; i++) clgrad_tensor_release(&k->kept[i]);
    clgrad_function_release(&k->known);
    clgrad_function_release(&k->unknown);
    free(k->kept), free(k->arguments), free(k);
}

const bench_family bench_gnvp = { "gnvp", "run", open_gnvp, verify_gnvp, run_gnvp, close_gnvp, NULL };
