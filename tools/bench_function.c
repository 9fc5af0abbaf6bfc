/* Workloads that are one call of a compiled graph: products, an element-wise chain, a sum, a gradient. */

#include "bench.h"

#include <stdlib.h>

static clgrad_status run_function(void *user, size_t runs)
{
    bench_case *c = user;
    clgrad_status status = CLGRAD_OK;
    for (size_t i = 0; !status && i < runs; i++) status = clgrad_function_call(c->function, c->tensors, c->out, 0, NULL, NULL);
    return status;
}

static clgrad_status verify_function(bench_case *c)
{
    clgrad_status status = run_function(c, 1);
    if (!status) status = bench_hold_against(c, c->graph, 0, c->out, c->num_out);
    return status ? status : bench_repeat(c);
}

/* Compiles c->graph, whose inputs' values are in c->in, and uploads them. */
static clgrad_status compile(bench_case *c)
{
    clgrad_status status = clgrad_graph_status(c->graph);
    if (!status) status = bench_upload(c, clgrad_graph_num_outputs(c->graph));
    return status ? status : clgrad_function_create(c->dev, c->graph, NULL, &c->function);
}

/* An input with values between -1 and 1. */
static clgrad_node add_input(bench_case *c, const char *name, clgrad_shape shape, clgrad_status *status)
{
    if (!*status) *status = clgrad_array_create(c->ctx, CLGRAD_F32, shape, &c->in[c->num_in]);
    if (*status) return CLGRAD_NONE;
    bench_uniform(&c->in[c->num_in], c->num_in + 7, -1, 1);
    c->num_in++;
    return clgrad_input(c->graph, name, CLGRAD_F32, shape);
}

static clgrad_status begin(bench_case *c, size_t inputs)
{
    c->in = calloc(inputs, sizeof *c->in);
    return c->in ? clgrad_graph_create(c->ctx, &c->graph) : CLGRAD_E_MEMORY;
}

/* --- products --- */

static clgrad_status open_matmul(bench_case *c)
{
    const bench_row *r = c->row;
    clgrad_status status = begin(c, 2);
    if (status) return status;
    const clgrad_node a = add_input(c, "a", r->trans_a ? CLGRAD_SHAPE(r->k, r->m) : CLGRAD_SHAPE(r->m, r->k), &status);
    const clgrad_node b = add_input(c, "b", r->trans_b ? CLGRAD_SHAPE(r->n, r->k) : CLGRAD_SHAPE(r->k, r->n), &status);
    if (!status) status = clgrad_output(c->graph, "c", clgrad_matmul(c->graph, a, b, r->trans_a, r->trans_b));
    c->flops = bench_flops_of(r);
    c->bytes = 4.0 * (double)(r->m * r->k + r->k * r->n + r->m * r->n);
    c->roof = CLGRAD_ROOF_FMA_F32;
    c->launched = true;
    c->tolerance_l2 = 1e-5, c->tolerance_max = 1e-4; /* a chain of k roundings, each 2^-24 of a partial sum */
    return status ? status : compile(c);
}

const bench_family bench_matmul = { "matmul", "run", open_matmul, verify_function, run_function, NULL, NULL };

/* --- element-wise, and a sum --- */

static clgrad_status open_map(bench_case *c)
{
    clgrad_status status = begin(c, 1);
    if (status) return status;
    const clgrad_node x = add_input(c, "x", CLGRAD_SHAPE(c->row->n), &status);
    const clgrad_node y = clgrad_offset(c->graph, clgrad_scale(c->graph, clgrad_gelu(c->graph, x), 1.5), 0.25);
    if (!status) status = clgrad_output(c->graph, "y", y);
    c->bytes = 8.0 * (double)c->row->n;
    c->roof = CLGRAD_ROOF_COPY;
    c->working_set = (uint64_t)c->bytes;
    c->tolerance_l2 = 1e-6, c->tolerance_max = 1e-5;
    return status ? status : compile(c);
}

const bench_family bench_map = { "map", "run", open_map, verify_function, run_function, NULL, NULL };

static clgrad_status open_reduce(bench_case *c)
{
    clgrad_status status = begin(c, 1);
    if (status) return status;
    const clgrad_node x = add_input(c, "x", CLGRAD_SHAPE(c->row->n), &status);
    if (!status) bench_uniform(&c->in[0], 3, 0, 1); /* a sum near 0 would make any error look large */
    if (!status) status = clgrad_output(c->graph, "sum", clgrad_sum(c->graph, x, CLGRAD_ALL_AXES, false));
    c->bytes = 4.0 * (double)c->row->n;
    c->flops = (double)c->row->n;
    c->roof = CLGRAD_ROOF_READ;
    c->working_set = (uint64_t)c->bytes;
    c->tolerance_l2 = c->tolerance_max = 1e-5;
    return status ? status : compile(c);
}

const bench_family bench_reduce = { "reduce", "run", open_reduce, verify_function, run_function, NULL, NULL };

/* --- a gradient --- */

static clgrad_status open_grad(bench_case *c)
{
    bench_network net;
    clgrad_graph *objective;
    size_t wrt[32];
    bench_network_of(c->row, &net);
    clgrad_status status = bench_objective(c);
    if (status) return status;
    for (size_t i = 0; i < c->num_parameters; i++) wrt[i] = i;
    objective = c->graph;
    c->graph = NULL;
    status = clgrad_gradient(objective, 0, c->num_parameters, wrt, &c->graph);
    clgrad_graph_release(&objective);
    c->flops = bench_flops_of(c->row);
    c->bytes = 8.0 * (double)net.parameters + 4.0 * (double)(c->row->batch * net.widths[0]);
    c->roof = CLGRAD_ROOF_FMA_F32;
    c->tolerance_l2 = 2e-5, c->tolerance_max = 1e-3;
    return status ? status : compile(c);
}

const bench_family bench_grad = { "grad", "run", open_grad, verify_function, run_function, NULL, NULL };
