/* Workloads of an optimizer: an update alone, its gradient being given, and whole training steps. */

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static clgrad_status run_steps(void *user, size_t steps)
{
    bench_case *c = user;
    return clgrad_optimizer_steps(c->optimizer, steps, c->tensors + c->num_parameters, 0, NULL, NULL);
}

static clgrad_status make_optimizer(bench_case *c, clgrad_device *dev, double lr, clgrad_tensor *const *initial,
                                    clgrad_optimizer **out)
{
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = c->row->rule;
    options.lr = lr;
    return clgrad_optimizer_create(dev, c->graph, 0, c->num_parameters, initial, &options, out);
}

/* What parameter i changed by, divided by -lr: the direction that was gone, so that a wrong gradient cannot hide behind a small
 * step. */
static clgrad_status direction_gone(bench_case *c, size_t i, double lr, clgrad_array *out)
{
    clgrad_array now = { .data = NULL };
    const clgrad_shape shape = c->in[i].shape;
    clgrad_status status = clgrad_array_create(c->ctx, CLGRAD_F64, shape, out);
    if (!status) status = bench_read(c->ctx, clgrad_optimizer_parameter(c->optimizer, i), &now);
    if (!status) {
        const float *before = c->in[i].data, *after = now.data;
        double *gone = out->data;
        const int64_t count = clgrad_shape_count(&shape);
        for (int64_t k = 0; k < count; k++) gone[k] = ((double)before[k] - (double)after[k]) / lr;
    }
    clgrad_array_release(c->ctx, &now);
    return status;
}

/* --- an update alone --- */

enum { UPDATES = 2 };
static const double update_lr = 1e-3;

/* A function whose gradient is an input: its value is one product, its tangent the whole inner product with g. */
static clgrad_node given_gradient(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx,
                                  void *user)
{
    (void)count, (void)y, (void)user;
    return clgrad_sum(g, clgrad_mul(g, dx[0], x[1]), CLGRAD_ALL_AXES, false);
}

static clgrad_status given_gradient_graph(bench_case *c)
{
    const clgrad_shape shape = CLGRAD_SHAPE(c->row->n);
    const int64_t zero = 0, one = 1;
    clgrad_graph *body = NULL;
    clgrad_status status = clgrad_graph_create(c->ctx, &body);
    if (status) return status;
    clgrad_node p = clgrad_input(body, "p", CLGRAD_F32, shape), g = clgrad_input(body, "g", CLGRAD_F32, shape);
    const clgrad_node first =
        clgrad_mul(body, clgrad_slice(body, p, &zero, &one, NULL), clgrad_slice(body, g, &zero, &one, NULL));
    status = clgrad_output(body, "f", clgrad_reshape(body, first, CLGRAD_SCALAR));
    if (!status) status = clgrad_graph_create(c->ctx, &c->graph);
    if (!status) {
        p = clgrad_input(c->graph, "p", CLGRAD_F32, shape), g = clgrad_input(c->graph, "g", CLGRAD_F32, shape);
        status = clgrad_output(
            c->graph, "f",
            clgrad_call(c->graph, "given_gradient", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ p, g }, given_gradient, NULL));
    }
    clgrad_graph_release(&body);
    return status;
}

static clgrad_status open_update(bench_case *c)
{
    const bool adam = strcmp(c->row->rule, "adam") == 0;
    c->num_parameters = 1;
    c->in = calloc(2, sizeof *c->in);
    if (!c->in) return CLGRAD_E_MEMORY;
    clgrad_status status = given_gradient_graph(c);
    for (size_t i = 0; !status && i < 2; i++) {
        status = clgrad_array_create(c->ctx, CLGRAD_F32, CLGRAD_SHAPE(c->row->n), &c->in[i]);
        if (!status) c->num_in++;
    }
    if (status) return status;
    bench_uniform(&c->in[0], 1, -0.01, 0.01);
    bench_uniform(&c->in[1], 2, -1, 1);
    c->bytes = (adam ? 28.0 : 12.0) * (double)c->row->n; /* all read, all but g written */
    c->flops = (adam ? 14.0 : 2.0) * (double)c->row->n;
    c->roof = CLGRAD_ROOF_INPLACE;
    c->working_set = (adam ? 16u : 8u) * (uint64_t)c->row->n;
    c->tolerance_l2 = 1e-4, c->tolerance_max = 1e-2;
    status = bench_upload(c, 0);
    return status ? status : make_optimizer(c, c->dev, update_lr, c->tensors, &c->optimizer);
}

/* The direction of UPDATES updates of one gradient in all, by the rule's formula (clgrad_rule_get): g, or for Adam
 * m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps). */
static clgrad_node direction(clgrad_graph *g, clgrad_node gradient, const char *rule)
{
    const double b1 = 0.9, b2 = 0.999, epsilon = 1e-8;
    clgrad_node all = CLGRAD_NONE, m = CLGRAD_NONE, v = CLGRAD_NONE;
    if (strcmp(rule, "adam") != 0) return clgrad_scale(g, gradient, UPDATES);
    for (int t = 1; t <= UPDATES; t++) {
        const clgrad_node fresh_m = clgrad_scale(g, gradient, 1 - b1),
                          fresh_v = clgrad_scale(g, clgrad_square(g, gradient), 1 - b2);
        m = t == 1 ? fresh_m : clgrad_add(g, clgrad_scale(g, m, b1), fresh_m);
        v = t == 1 ? fresh_v : clgrad_add(g, clgrad_scale(g, v, b2), fresh_v);
        const clgrad_node root = clgrad_sqrt(g, clgrad_scale(g, v, 1 / (1 - pow(b2, t))));
        const clgrad_node step = clgrad_div(g, clgrad_scale(g, m, 1 / (1 - pow(b1, t))), clgrad_offset(g, root, epsilon));
        all = t == 1 ? step : clgrad_add(g, all, step);
    }
    return all;
}

static clgrad_status hold_direction(bench_case *c, const clgrad_graph *g)
{
    clgrad_array got = { .data = NULL }, want = { .data = NULL };
    clgrad_status status = direction_gone(c, 0, update_lr, &got);
    if (!status) status = clgrad_reference_evaluate(g, &c->in[1], &want);
    if (!status) status = bench_deviate(c, &got, &want);
    clgrad_array_release(c->ctx, &got);
    clgrad_array_release(c->ctx, &want);
    return status;
}

static clgrad_status verify_update(bench_case *c)
{
    clgrad_graph *g = NULL;
    clgrad_status status = clgrad_graph_create(c->ctx, &g);
    if (!status) {
        const clgrad_node gradient = clgrad_input(g, "g", CLGRAD_F32, CLGRAD_SHAPE(c->row->n));
        status = clgrad_output(g, "direction", direction(g, gradient, c->row->rule));
    }
    if (!status) status = run_steps(c, UPDATES);
    if (!status) status = hold_direction(c, g);
    clgrad_graph_release(&g);
    return status;
}

const bench_family bench_update = { "update", "run", open_update, verify_update, run_steps, NULL, NULL };

/* --- a training step --- */

/* A step of rate 1 shows the gradient; many of rate 0.01 keep the loss finite. */
static const double checked_lr = 1, step_lr = 0.01;

/* Parameters, gradients, state, the batch, every hidden layer's values, and the two largest neighbours among the layers'
 * derivatives, which is what must live at once. */
static uint64_t least_memory(const bench_case *c, const bench_network *net)
{
    int64_t values = 2 * net->parameters + c->row->batch * (net->widths[0] + 1), pair = 0;
    for (size_t i = 1; i < net->layers; i++) values += c->row->batch * net->widths[i];
    for (size_t i = 1; i < net->layers; i++) {
        const int64_t two = c->row->batch * (net->widths[i] + net->widths[i + 1]);
        if (two > pair) pair = two;
    }
    return 4 * (uint64_t)(values + pair);
}

/* Two steps; *initial becomes the memory of the initial values, which the optimizer copies and a training would have given up.
 */
static clgrad_status steps_on_fresh_device(bench_case *c, clgrad_device *dev, uint64_t *initial)
{
    clgrad_tensor **tensors = calloc(c->num_in, sizeof *tensors);
    clgrad_optimizer *optimizer = NULL;
    clgrad_status status = tensors ? CLGRAD_OK : CLGRAD_E_MEMORY;
    for (size_t i = 0; !status && i < c->num_in; i++) {
        if (i == c->num_parameters) clgrad_device_memory(dev, initial, NULL);
        status = clgrad_tensor_create_from(dev, c->in[i].dtype, c->in[i].shape, c->in[i].data, clgrad_array_bytes(&c->in[i]),
                                           &tensors[i]);
    }
    if (!status) status = make_optimizer(c, dev, step_lr, tensors, &optimizer);
    if (!status) status = clgrad_optimizer_steps(optimizer, 2, tensors + c->num_parameters, 0, NULL, NULL);
    if (!status) status = clgrad_device_finish(dev);
    for (size_t i = 0; tensors && i < c->num_in; i++) clgrad_tensor_release(&tensors[i]);
    clgrad_optimizer_release(&optimizer);
    free(tensors);
    return status;
}

/* On a device of its own, whose peak is that of these steps alone. */
static clgrad_status measure_memory(bench_case *c, const bench_network *net)
{
    char selector[48];
    clgrad_device *dev = NULL;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    const clgrad_device_info *info = clgrad_device_get_info(c->dev);
    snprintf(selector, sizeof selector, "%d:%d", info->platform_index, info->device_index);
    options.selector = selector;
    clgrad_status status = clgrad_device_open(c->ctx, &options, &dev);
    uint64_t initial = 0;
    if (!status) status = steps_on_fresh_device(c, dev, &initial);
    if (!status) clgrad_device_memory(dev, NULL, &c->peak_bytes);
    if (!status) c->peak_bytes -= initial;
    c->least_bytes = least_memory(c, net);
    clgrad_device_release(&dev);
    return status;
}

static clgrad_status open_step(bench_case *c)
{
    bench_network net;
    bench_network_of(c->row, &net);
    clgrad_status status = bench_objective(c);
    if (!status) status = bench_upload(c, 0);
    if (!status) status = make_optimizer(c, c->dev, checked_lr, c->tensors, &c->optimizer);
    if (!status) status = measure_memory(c, &net);
    c->flops = bench_flops_of(c->row);
    c->bytes =
        12.0 * (double)net.parameters + 4.0 * (double)(c->row->batch * net.widths[0]); /* read forward and back, written once */
    c->roof = c->row->batch >= 16 ? CLGRAD_ROOF_FMA_F32 : CLGRAD_ROOF_INPLACE;
    c->working_set = 4 * (uint64_t)net.parameters;
    c->tolerance_l2 = 5e-5, c->tolerance_max = 5e-3; /* of the change; the parameter itself is rounded to 2^-24 */
    return status;
}

static clgrad_status hold_gradients(bench_case *c, const clgrad_graph *gradient)
{
    clgrad_array *want = calloc(clgrad_graph_num_outputs(gradient), sizeof *want);
    if (!want) return CLGRAD_E_MEMORY;
    clgrad_status status = clgrad_reference_evaluate(gradient, c->in, want);
    for (size_t i = 0; !status && i < c->num_parameters; i++) {
        clgrad_array got = { .data = NULL };
        status = direction_gone(c, i, checked_lr, &got);
        if (!status) status = bench_deviate(c, &got, &want[1 + i]);
        clgrad_array_release(c->ctx, &got);
    }
    for (size_t i = 0; i < clgrad_graph_num_outputs(gradient); i++) clgrad_array_release(c->ctx, &want[i]);
    free(want);
    return status;
}

/* After one step of SGD; the timed optimizer starts afresh behind it. */
static clgrad_status verify_step(bench_case *c)
{
    size_t wrt[32];
    clgrad_graph *gradient = NULL;
    for (size_t i = 0; i < c->num_parameters; i++) wrt[i] = i;
    clgrad_status status = run_steps(c, 1);
    if (!status) status = clgrad_gradient(c->graph, 0, c->num_parameters, wrt, &gradient);
    if (!status) status = hold_gradients(c, gradient);
    clgrad_graph_release(&gradient);
    clgrad_optimizer_release(&c->optimizer);
    return status ? status : make_optimizer(c, c->dev, step_lr, c->tensors, &c->optimizer);
}

const bench_family bench_step = { "step", "run", open_step, verify_step, run_steps, NULL, NULL };
