/* Networks of linear layers with a softmax cross-entropy behind them: graphs, values, operations by counting. */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_widths(const char *layers, bench_network *net)
{
    size_t count = 0;
    for (const char *at = layers; *at && count < sizeof net->widths / sizeof *net->widths;
         at += strcspn(at, "-"), at += *at == '-')
        net->widths[count++] = strtoll(at, NULL, 10);
    net->layers = count - 1;
}

/* Multiply-adds count 2. With F the products of one forward pass and F1 those of its first layer: the gradient needs dW of each
 * layer and dx of all but the first, 3 F - F1. At a kept point the forward tangent needs V x and, behind the first layer, W dx
 * as well; the tangent of the backward pass two products for dW (one in the first layer) and two for dx: 2 F1 + 6 (F - F1).
 * Gauss-Newton goes back with one product each: 2 F1 + 4 (F - F1). */
void bench_network_of(const bench_row *row, bench_network *net)
{
    *net = (bench_network){ .layers = 0 };
    read_widths(row->layers, net);
    for (size_t i = 0; i < net->layers; i++) {
        net->parameters += (net->widths[i] + 1) * net->widths[i + 1];
        net->forward += 2.0 * (double)(row->batch * net->widths[i]) * (double)net->widths[i + 1];
    }
    const double first = 2.0 * (double)(row->batch * net->widths[0]) * (double)net->widths[1], rest = net->forward - first;
    net->gradient = 3 * net->forward - first;
    net->hvp = 2 * first + 6 * rest;
    net->gnvp = 2 * first + 4 * rest;
    net->point = 2 * net->forward - first;
}

double bench_flops_of(const bench_row *row)
{
    bench_network net;
    if (row->family == &bench_matmul) return 2.0 * (double)(row->m * row->n) * (double)row->k;
    if (!row->layers) return 0;
    bench_network_of(row, &net);
    if (row->family != &bench_hvp && row->family != &bench_gnvp) return net.gradient;
    const double columns = row->columns > 1 ? (double)row->columns : 1;
    return columns * (row->family == &bench_hvp ? net.hvp : net.gnvp) + (row->scratch ? net.point : 0);
}

static clgrad_status describe(bench_case *c, clgrad_model **model)
{
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    options.layers = c->row->layers;
    options.activation = c->row->activation;
    return clgrad_model_create(c->ctx, &options, model);
}

/* One loss per sample, of z and y. */
static clgrad_status loss_graph(bench_case *c, int64_t classes, clgrad_graph **out)
{
    clgrad_status status = clgrad_graph_create(c->ctx, out);
    if (status) return status;
    const clgrad_node z = clgrad_input(*out, "z", CLGRAD_F32, CLGRAD_SHAPE(c->row->batch, classes));
    const clgrad_node y = clgrad_input(*out, "y", CLGRAD_I32, CLGRAD_SHAPE(c->row->batch));
    return clgrad_output(*out, "loss", clgrad_loss_cross_entropy(*out, z, y));
}

static clgrad_status fill_inputs(bench_case *c, const clgrad_model *model)
{
    const int64_t batch = c->row->batch, parameters = (int64_t)c->num_parameters;
    clgrad_status status = CLGRAD_OK;
    c->in = calloc(c->num_parameters + 3, sizeof *c->in);
    if (!c->in) return CLGRAD_E_MEMORY;
    c->num_in = c->num_parameters + 3;
    for (size_t i = 0; !status && i < c->num_parameters; i++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(model, i);
        status = clgrad_array_create(c->ctx, CLGRAD_F32, shape, &c->in[i]);
        if (!status) status = clgrad_model_initialize(model, 1, i, c->in[i].data, (size_t)clgrad_shape_count(&shape));
    }
    clgrad_array *data = c->in + parameters;
    if (!status) status = clgrad_array_create(c->ctx, CLGRAD_F32, CLGRAD_SHAPE(batch, clgrad_model_inputs(model)), &data[0]);
    if (!status) status = clgrad_array_create(c->ctx, CLGRAD_I32, CLGRAD_SHAPE(batch), &data[1]);
    if (!status) status = clgrad_array_create(c->ctx, CLGRAD_F32, CLGRAD_SHAPE(batch), &data[2]);
    if (status) return status;
    bench_uniform(&data[0], 11, 0, 1);
    bench_labels(&data[1], 12, (int32_t)clgrad_model_outputs(model));
    bench_uniform(&data[2], 13, 1, 1);
    return CLGRAD_OK;
}

clgrad_status bench_model(bench_case *c, clgrad_graph **net, clgrad_graph **loss)
{
    clgrad_model *model = NULL;
    clgrad_status status = describe(c, &model);
    if (!status) status = clgrad_model_graph(model, c->row->batch, true, net);
    if (!status) status = loss_graph(c, clgrad_model_outputs(model), loss);
    if (!status) c->num_parameters = clgrad_model_num_parameters(model);
    if (!status) status = fill_inputs(c, model);
    clgrad_model_release(&model);
    return status;
}

clgrad_status bench_objective(bench_case *c)
{
    clgrad_graph *net = NULL, *loss = NULL;
    clgrad_objective_options options = CLGRAD_OBJECTIVE_OPTIONS_INIT;
    clgrad_status status = bench_model(c, &net, &loss);
    options.num_parameters = c->num_parameters;
    if (!status) status = clgrad_objective_create(net, loss, &options, &c->graph);
    clgrad_graph_release(&net);
    clgrad_graph_release(&loss);
    return status;
}
