/* Linear operators at a point: the derivative graph is split into what the point alone decides, computed once and kept, and
 * what depends on the direction, computed at each application. */

#include "schedule/operator.h"

static void release_half(clgrad_context *ctx, clgrad_half *h)
{
    for (size_t i = 0; i < h->num_kept && h->kept; i++) clgrad_tensor_release(&h->kept[i]);
    clgrad_function_release(&h->known);
    clgrad_function_release(&h->unknown);
    clgrad_function_release(&h->block);
    clgrad_graph_release(&h->map);
    clgrad_free(ctx, h->output_known);
    clgrad_free(ctx, h->kept);
    clgrad_free(ctx, h->args);
    clgrad_free(ctx, h->results);
}

clgrad_operator *clgrad_operator_retain(clgrad_operator *op)
{
    if (op) op->refs++;
    return op;
}

void clgrad_operator_release(clgrad_operator **address)
{
    clgrad_operator *op = *address;
    *address = NULL;
    if (!op || --op->refs > 0) return;
    clgrad_context *ctx = clgrad_operator_context(op);
    clgrad_device *dev = op->dev;
    release_half(ctx, &op->forward);
    release_half(ctx, &op->backward);
    clgrad_free(ctx, op);
    clgrad_device_release(&dev);
}

/* --- making --- */

static clgrad_status allocate_half(clgrad_context *ctx, clgrad_half *h)
{
    h->kept = clgrad_alloc(ctx, h->num_kept, sizeof *h->kept);
    h->args = clgrad_alloc(ctx, h->num_v + h->num_residuals, sizeof *h->args);
    h->results = clgrad_alloc(ctx, h->num_out, sizeof *h->results);
    return h->kept && h->args && h->results ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

/* map's inputs from num_point on are the direction. */
static clgrad_status compile_half(clgrad_operator *op, clgrad_half *h)
{
    clgrad_context *ctx = clgrad_operator_context(op);
    clgrad_graph *known = NULL, *unknown = NULL;
    size_t *wrt = clgrad_alloc(ctx, h->num_v, sizeof *wrt);
    h->output_known = clgrad_alloc(ctx, h->num_out, sizeof *h->output_known);
    clgrad_status st = wrt && h->output_known ? CLGRAD_OK : CLGRAD_E_MEMORY;
    for (size_t i = 0; st == CLGRAD_OK && i < h->num_v; i++) wrt[i] = h->num_point + i;
    if (st == CLGRAD_OK) st = clgrad_split(h->map, h->num_v, wrt, &known, &unknown, h->output_known);
    if (st == CLGRAD_OK) {
        h->num_kept = known->num_outputs;
        h->num_residuals = unknown->num_inputs - h->num_v;
        st = allocate_half(ctx, h);
    }
    if (st == CLGRAD_OK && h->num_kept) st = clgrad_function_create(op->dev, known, NULL, &h->known);
    if (st == CLGRAD_OK && unknown->num_outputs) st = clgrad_function_create(op->dev, unknown, NULL, &h->unknown);
    clgrad_graph_release(&known);
    clgrad_graph_release(&unknown);
    clgrad_free(ctx, wrt);
    return st;
}

/* Takes over *derivative and keeps its outputs first .. first + count - 1. */
static clgrad_status make_half(clgrad_operator *op, clgrad_half *h, clgrad_graph **derivative, size_t num_point, size_t first,
                               size_t count)
{
    clgrad_context *ctx = clgrad_operator_context(op);
    size_t *outputs = clgrad_alloc(ctx, count, sizeof *outputs);
    clgrad_status st = outputs ? CLGRAD_OK : CLGRAD_E_MEMORY;
    for (size_t i = 0; st == CLGRAD_OK && i < count; i++) outputs[i] = first + i;
    if (st == CLGRAD_OK) st = clgrad_graph_select(*derivative, count, outputs, &h->map);
    clgrad_graph_release(derivative);
    clgrad_free(ctx, outputs);
    if (st != CLGRAD_OK) return st;
    h->num_point = num_point;
    h->num_v = h->map->num_inputs - num_point;
    h->num_out = count;
    return compile_half(op, h);
}

static clgrad_status set_half(clgrad_half *h, clgrad_tensor *const *inputs)
{
    return h->known ? clgrad_function_call(h->known, inputs, h->kept, 0, NULL, NULL) : CLGRAD_OK;
}

clgrad_status clgrad_operator_set_point(clgrad_operator *op, clgrad_tensor *const *inputs)
{
    CLGRAD_TRY(set_half(&op->forward, inputs));
    return clgrad_fail_midway(clgrad_operator_context(op), set_half(&op->backward, inputs));
}

static clgrad_status new_operator(clgrad_device *dev, bool symmetric, clgrad_operator **out)
{
    clgrad_operator *op = clgrad_alloc(clgrad_device_get_context(dev), 1, sizeof *op);
    if (!op) return CLGRAD_E_MEMORY;
    *op = (clgrad_operator){ .refs = 1, .dev = clgrad_device_retain(dev), .symmetric = symmetric };
    *out = op;
    return CLGRAD_OK;
}

static clgrad_status check_output(const clgrad_graph *f, size_t output)
{
    if (output < f->num_outputs) return CLGRAD_OK;
    return clgrad_fail(f->ctx, CLGRAD_E_ARG, "operator: output %zu of a graph with %zu outputs", output, f->num_outputs);
}

clgrad_status clgrad_hessian_create(clgrad_device *dev, const clgrad_graph *f, size_t output, size_t count,
                                    const size_t *wrt, clgrad_tensor *const *inputs, clgrad_operator **out)
{
    *out = NULL;
    CLGRAD_TRY(check_output(f, output));
    clgrad_operator *op = NULL;
    clgrad_graph *products = NULL;
    CLGRAD_TRY(new_operator(dev, true, &op));
    clgrad_status st = clgrad_hessian_vector(f, output, count, wrt, &products);
    if (st == CLGRAD_OK) st = make_half(op, &op->forward, &products, f->num_inputs, count, count);
    if (st == CLGRAD_OK) st = clgrad_operator_set_point(op, inputs);
    if (st == CLGRAD_OK) *out = op, op = NULL;
    clgrad_operator_release(&op);
    return st;
}

clgrad_status clgrad_gauss_newton_create(clgrad_device *dev, const clgrad_graph *model, const clgrad_graph *loss,
                                         const clgrad_objective_options *options, clgrad_tensor *const *inputs,
                                         clgrad_operator **out)
{
    *out = NULL;
    clgrad_operator *op = NULL;
    clgrad_graph *products = NULL;
    CLGRAD_TRY(new_operator(dev, true, &op));
    clgrad_status st = clgrad_gauss_newton_vector(model, loss, options, &products);
    if (st == CLGRAD_OK) {
        const size_t count = products->num_outputs;
        st = make_half(op, &op->forward, &products, products->num_inputs - count, 0, count);
    }
    if (st == CLGRAD_OK) st = clgrad_operator_set_point(op, inputs);
    if (st == CLGRAD_OK) *out = op, op = NULL;
    clgrad_operator_release(&op);
    return st;
}

static clgrad_status make_jacobian(clgrad_operator *op, const clgrad_graph *f, size_t count, const size_t *wrt)
{
    clgrad_graph *derivative = NULL;
    CLGRAD_TRY(clgrad_jvp(f, count, wrt, &derivative));
    CLGRAD_TRY(make_half(op, &op->forward, &derivative, f->num_inputs, 1, 1));
    CLGRAD_TRY(clgrad_vjp(f, count, wrt, &derivative));
    return make_half(op, &op->backward, &derivative, f->num_inputs, 1, count);
}

clgrad_status clgrad_jacobian_create(clgrad_device *dev, const clgrad_graph *f, size_t output, size_t count,
                                     const size_t *wrt, clgrad_tensor *const *inputs, clgrad_operator **out)
{
    *out = NULL;
    CLGRAD_TRY(check_output(f, output));
    if (!clgrad_dtype_is_real(clgrad_node_dtype(f, f->outputs[output])))
        return clgrad_fail(f->ctx, CLGRAD_E_DERIVATIVE, "jacobian: output '%s' is %s; integers have no tangent",
                           f->output_names[output], clgrad_dtype_name(clgrad_node_dtype(f, f->outputs[output])));
    clgrad_operator *op = NULL;
    clgrad_graph *single = NULL;
    CLGRAD_TRY(new_operator(dev, false, &op));
    clgrad_status st = clgrad_graph_select(f, 1, &output, &single);
    if (st == CLGRAD_OK) st = make_jacobian(op, single, count, wrt);
    if (st == CLGRAD_OK) st = clgrad_operator_set_point(op, inputs);
    if (st == CLGRAD_OK) *out = op, op = NULL;
    clgrad_operator_release(&op);
    clgrad_graph_release(&single);
    return st;
}

clgrad_function *clgrad_operator_function(const clgrad_operator *op, size_t i)
{
    const clgrad_half *h = i < 3 ? &op->forward : &op->backward;
    return i > 5 ? NULL : i % 3 == 0 ? h->known : i % 3 == 1 ? h->unknown : h->block;
}

/* --- shapes --- */

size_t clgrad_operator_domain_count(const clgrad_operator *op) { return op->forward.num_v; }
size_t clgrad_operator_range_count(const clgrad_operator *op) { return op->forward.num_out; }

clgrad_shape clgrad_operator_domain_shape(const clgrad_operator *op, size_t i)
{
    const clgrad_half *h = &op->forward;
    return clgrad_node_shape(h->map, h->map->inputs[h->num_point + i]);
}

clgrad_shape clgrad_operator_range_shape(const clgrad_operator *op, size_t i)
{
    return clgrad_node_shape(op->forward.map, op->forward.map->outputs[i]);
}

int64_t clgrad_operator_columns(const clgrad_operator *op)
{
    int64_t sum = 0;
    for (size_t i = 0; i < clgrad_operator_domain_count(op); i++) {
        const clgrad_shape shape = clgrad_operator_domain_shape(op, i);
        sum += clgrad_shape_count(&shape);
    }
    return sum;
}

int64_t clgrad_operator_rows(const clgrad_operator *op)
{
    int64_t sum = 0;
    for (size_t i = 0; i < clgrad_operator_range_count(op); i++) {
        const clgrad_shape shape = clgrad_operator_range_shape(op, i);
        sum += clgrad_shape_count(&shape);
    }
    return sum;
}
