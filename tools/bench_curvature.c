/* Curvature: products with the Hessian and the Gauss-Newton matrix of a network, of one vector or a block, at a kept point or
 * from scratch. */

#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PARAMETERS = 32 };

/* A block's directions and results have the columns in front; the first column is c->in's, which the reference sees. */
typedef struct block {
    clgrad_graph *model, *loss;
    clgrad_tensor *v[MOST_PARAMETERS];
} block;

static int64_t columns_of(const bench_case *c) { return c->row->columns > 1 ? c->row->columns : 1; }

static void all_parameters(const bench_case *c, size_t *wrt)
{
    for (size_t i = 0; i < c->num_parameters; i++) wrt[i] = i;
}

/* Directions behind c->in; c->num_in counts them afterwards. */
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

/* Columns of direction i: c->in's first, then others. */
static clgrad_status make_columns(bench_case *c, size_t i, clgrad_tensor **out)
{
    const clgrad_array *first = &c->in[c->num_in - c->num_parameters + i];
    clgrad_shape shape = first->shape;
    clgrad_array all = { .data = NULL };
    memmove(shape.dims + 1, shape.dims, (size_t)shape.rank * sizeof *shape.dims);
    shape.dims[0] = columns_of(c);
    shape.rank++;
    clgrad_status status = clgrad_array_create(c->ctx, CLGRAD_F32, shape, &all);
    if (status) return status;
    bench_uniform(&all, 200 + i, -1, 1);
    memcpy(all.data, first->data, clgrad_array_bytes(first));
    status = clgrad_tensor_create_from(c->dev, CLGRAD_F32, shape, all.data, clgrad_array_bytes(&all), out);
    clgrad_array_release(c->ctx, &all);
    return status;
}

static clgrad_status run_one(bench_case *c)
{
    const block *b = c->own;
    clgrad_status status = c->row->scratch ? clgrad_operator_set_point(c->op, c->tensors) : CLGRAD_OK;
    if (status) return status;
    return columns_of(c) > 1 ? clgrad_operator_apply_block(c->op, columns_of(c), b->v, c->out, 0, NULL, NULL)
                             : clgrad_operator_apply(c->op, b->v, c->out, 0, NULL, NULL);
}

static clgrad_status run_product(void *user, size_t runs)
{
    clgrad_status status = CLGRAD_OK;
    for (size_t i = 0; !status && i < runs; i++) status = run_one(user);
    return status;
}

static void set_costs(bench_case *c, const bench_network *net)
{
    const double columns = (double)columns_of(c), size = 4.0 * (double)net->parameters;
    c->flops = bench_flops_of(c->row);
    c->bytes =
        (1 + 2 * columns) * size + 4.0 * (double)(c->row->batch * net->widths[0]); /* parameters, directions, products, x */
    c->roof = c->row->batch >= 16 ? CLGRAD_ROOF_FMA_F32 : CLGRAD_ROOF_READ;
    c->working_set = (uint64_t)c->bytes;
    c->tolerance_l2 = 5e-5, c->tolerance_max = 2e-3;
}

/* Directions and tensors; c->op is made by the caller behind it. */
static clgrad_status prepare(bench_case *c)
{
    block *b = c->own;
    clgrad_status status = add_directions(c);
    if (!status) status = bench_upload(c, c->num_parameters);
    for (size_t i = 0; !status && i < c->num_parameters; i++) {
        if (columns_of(c) > 1)
            status = make_columns(c, i, &b->v[i]);
        else
            b->v[i] = clgrad_tensor_retain(c->tensors[c->num_in - c->num_parameters + i]);
    }
    return status;
}

/* Single applications to each column give the block's bits, column by column. */
static clgrad_status hold_columns(bench_case *c, size_t column, clgrad_tensor *const *got)
{
    const block *b = c->own;
    clgrad_tensor *v[MOST_PARAMETERS] = { NULL }, *single[MOST_PARAMETERS] = { NULL };
    clgrad_status status = CLGRAD_OK;
    for (size_t i = 0; !status && i < c->num_parameters; i++) {
        const clgrad_shape shape = c->in[i].shape;
        status = clgrad_tensor_view(b->v[i], (int64_t)column * clgrad_shape_count(&shape), shape, &v[i]);
    }
    if (!status) status = clgrad_operator_apply(c->op, v, single, 0, NULL, NULL);
    for (size_t i = 0; !status && i < c->num_parameters; i++) {
        clgrad_array one = { .data = NULL }, all = { .data = NULL };
        status = bench_read(c->ctx, single[i], &one);
        if (!status) status = bench_read(c->ctx, got[i], &all);
        const size_t bytes = clgrad_array_bytes(&one);
        if (!status && memcmp(one.data, (const char *)all.data + column * bytes, bytes) != 0) c->deterministic = 0;
        clgrad_array_release(c->ctx, &one);
        clgrad_array_release(c->ctx, &all);
    }
    for (size_t i = 0; i < c->num_parameters; i++) clgrad_tensor_release(&v[i]), clgrad_tensor_release(&single[i]);
    return status;
}

/* The first column against the reference, the others against single applications. */
static clgrad_status verify_products(bench_case *c, const clgrad_graph *reference)
{
    clgrad_tensor *first[MOST_PARAMETERS] = { NULL };
    clgrad_status status = run_one(c);
    for (size_t i = 0; !status && i < c->num_parameters; i++)
        status = clgrad_tensor_view(c->out[i], 0, c->in[i].shape, &first[i]);
    if (!status)
        status =
            bench_hold_against(c, reference, clgrad_graph_num_outputs(reference) - c->num_parameters, first, c->num_parameters);
    for (size_t i = 0; i < c->num_parameters; i++) clgrad_tensor_release(&first[i]);
    if (!status) status = bench_repeat(c);
    for (size_t column = 1; !status && column < (size_t)columns_of(c); column++) status = hold_columns(c, column, c->out);
    return status;
}

static void close_products(bench_case *c)
{
    block *b = c->own;
    if (!b) return;
    for (size_t i = 0; i < MOST_PARAMETERS; i++) clgrad_tensor_release(&b->v[i]);
    clgrad_graph_release(&b->model);
    clgrad_graph_release(&b->loss);
    free(b);
}

/* --- the Hessian --- */

static clgrad_status open_hvp(bench_case *c)
{
    bench_network net;
    size_t wrt[MOST_PARAMETERS];
    c->own = calloc(1, sizeof(block));
    bench_network_of(c->row, &net);
    clgrad_status status = c->own ? bench_objective(c) : CLGRAD_E_MEMORY;
    if (!status) status = prepare(c);
    if (status) return status;
    all_parameters(c, wrt);
    set_costs(c, &net);
    return clgrad_hessian_create(c->dev, c->graph, 0, c->num_parameters, wrt, c->tensors, &c->op);
}

static clgrad_status verify_hvp(bench_case *c)
{
    size_t wrt[MOST_PARAMETERS];
    clgrad_graph *products = NULL;
    all_parameters(c, wrt);
    clgrad_status status = clgrad_hessian_vector(c->graph, 0, c->num_parameters, wrt, &products);
    if (!status) status = verify_products(c, products);
    clgrad_graph_release(&products);
    return status;
}

const bench_family bench_hvp = { "hvp", "run", open_hvp, verify_hvp, run_product, close_products, NULL };

/* --- the Gauss-Newton matrix --- */

static clgrad_objective_options objective_options(const bench_case *c)
{
    clgrad_objective_options options = CLGRAD_OBJECTIVE_OPTIONS_INIT;
    options.num_parameters = c->num_parameters;
    return options;
}

static clgrad_status open_gnvp(bench_case *c)
{
    bench_network net;
    block *b = c->own = calloc(1, sizeof *b);
    bench_network_of(c->row, &net);
    clgrad_status status = b ? bench_model(c, &b->model, &b->loss) : CLGRAD_E_MEMORY;
    if (!status) status = prepare(c);
    if (status) return status;
    set_costs(c, &net);
    const clgrad_objective_options options = objective_options(c);
    return clgrad_gauss_newton_create(c->dev, b->model, b->loss, &options, c->tensors, &c->op);
}

static clgrad_status verify_gnvp(bench_case *c)
{
    const block *b = c->own;
    const clgrad_objective_options options = objective_options(c);
    clgrad_graph *products = NULL;
    clgrad_status status = clgrad_gauss_newton_vector(b->model, b->loss, &options, &products);
    if (!status) status = verify_products(c, products);
    clgrad_graph_release(&products);
    return status;
}

const bench_family bench_gnvp = { "gnvp", "run", open_gnvp, verify_gnvp, run_product, close_products, NULL };
