/* The graphs of a training. */

#include "train/network.h"

static clgrad_shape target_shape(const clgrad_task *task, int64_t n)
{
    return task->loss->labels ? CLGRAD_SHAPE(n) : CLGRAD_SHAPE(n, task->outputs);
}

static clgrad_dtype target_type(const clgrad_task *task) { return task->loss->labels ? CLGRAD_I32 : CLGRAD_F32; }

/* Gives the caller's reference to *out unless the graph is broken. */
static clgrad_status finish(clgrad_graph **g, clgrad_status st, clgrad_graph **out)
{
    if (st == CLGRAD_OK) st = clgrad_graph_status(*g);
    if (st == CLGRAD_OK) *out = *g, *g = NULL;
    clgrad_graph_release(g);
    return st;
}

/* Sum over samples, in cells. */
static clgrad_node sum_samples(clgrad_graph *g, clgrad_node per_sample)
{
    return clgrad_sum_cell(g, per_sample, CLGRAD_AXIS(0), false, CLGRAD_SAMPLE_CELL);
}

/* --- one graph per purpose, joined by name --- */

/* z, d.1 -> losses */
static clgrad_status loss_graph(const clgrad_task *task, clgrad_context *ctx, int64_t batch, clgrad_graph **out)
{
    clgrad_graph *g = NULL;
    CLGRAD_TRY(clgrad_graph_create(ctx, &g));
    const clgrad_node z = clgrad_input(g, "z", CLGRAD_F32, CLGRAD_SHAPE(batch, task->outputs));
    const clgrad_node y = clgrad_input(g, "d.1", target_type(task), target_shape(task, batch));
    return finish(&g, clgrad_output(g, "losses", task->loss->build(g, z, y)), out);
}

/* The model with its input named d.0, so that a front can stand before it. */
static clgrad_status model_graph(const clgrad_task *task, int64_t batch, bool train, clgrad_graph **out)
{
    clgrad_graph *model = NULL, *g = NULL;
    CLGRAD_TRY(clgrad_model_graph(task->model, batch, train, &model));
    clgrad_node *in = clgrad_alloc(model->ctx, model->num_inputs, sizeof *in), z = CLGRAD_NONE;
    clgrad_status st = in ? clgrad_graph_create(model->ctx, &g) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) {
        for (size_t i = 0; i < model->num_inputs; i++) {
            const char *name = model->input_names[i];
            const clgrad_op_node *input = clgrad_at(model, model->inputs[i]);
            in[i] = clgrad_input(g, strcmp(name, "x") == 0 ? "d.0" : name, input->dtype, input->shape);
        }
        st = clgrad_graph_inline(g, model, in, &z);
    }
    if (st == CLGRAD_OK) st = clgrad_output(g, "z", z);
    clgrad_free(model->ctx, in);
    clgrad_graph_release(&model);
    return finish(&g, st, out);
}

clgrad_status clgrad_task_parts(const clgrad_task *task, int64_t batch, clgrad_graph **model, clgrad_graph **loss,
                                clgrad_objective_options *options)
{
    *model = *loss = NULL;
    *options = (clgrad_objective_options)CLGRAD_OBJECTIVE_OPTIONS_INIT;
    options->num_parameters = clgrad_model_num_parameters(task->model);
    options->sum = true;
    options->weights = "d.2";
    CLGRAD_TRY(model_graph(task, batch, true, model));
    const clgrad_status st = loss_graph(task, (*model)->ctx, batch, loss);
    if (st != CLGRAD_OK) clgrad_graph_release(model);
    return st;
}

clgrad_status clgrad_task_objective(const clgrad_task *task, int64_t batch, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *model, *loss;
    clgrad_objective_options options;
    clgrad_status st = clgrad_task_parts(task, batch, &model, &loss, &options);
    if (st == CLGRAD_OK) st = clgrad_objective_create(model, loss, &options, out);
    clgrad_graph_release(&model);
    clgrad_graph_release(&loss);
    return st;
}

/* --- the batch --- */

static clgrad_node broadcast_int(clgrad_graph *g, int64_t value, int64_t n)
{
    return clgrad_constant_int(g, CLGRAD_I64, CLGRAD_SHAPE(n), value);
}

clgrad_status clgrad_task_front(const clgrad_task *task, clgrad_context *ctx, const clgrad_front *front, clgrad_graph **out)
{
    const int64_t count = front->count, batch = front->batch;
    *out = NULL;
    clgrad_graph *g = NULL;
    CLGRAD_TRY(clgrad_graph_create(ctx, &g));
    const bool whole = !front->ordered && count == batch;
    clgrad_node data[3] = { CLGRAD_NONE, CLGRAD_NONE };
    if (!whole) data[0] = clgrad_input(g, "d.0", CLGRAD_F32, CLGRAD_SHAPE(count, clgrad_model_inputs(task->model)));
    if (!whole) data[1] = clgrad_input(g, "d.1", target_type(task), target_shape(task, count));
    data[2] = clgrad_input(g, "d.2", CLGRAD_F32, CLGRAD_SHAPE(count));
    const clgrad_node order = front->ordered ? clgrad_input(g, "d.3", CLGRAD_I32, CLGRAD_SHAPE(count)) : CLGRAD_NONE;
    const clgrad_node offset = clgrad_input(g, "hyper.offset", CLGRAD_I64, CLGRAD_SCALAR);
    const clgrad_node limit = clgrad_input(g, "hyper.limit", CLGRAD_I64, CLGRAD_SCALAR);

    const clgrad_node place = clgrad_add(g, offset, clgrad_iota(g, CLGRAD_I64, CLGRAD_SHAPE(batch), 0));
    const clgrad_node last = clgrad_sub(g, limit, broadcast_int(g, 1, batch));
    clgrad_node sample = clgrad_min(g, place, last);
    if (front->ordered) sample = clgrad_take(g, order, sample, 0);
    for (size_t i = 0; i < 3 && !whole; i++) data[i] = clgrad_take(g, data[i], sample, 0);
    const clgrad_node real = clgrad_cast(g, clgrad_lt(g, place, limit), CLGRAD_F32);
    clgrad_status st = whole ? CLGRAD_OK : clgrad_output(g, "d.0", data[0]);
    if (st == CLGRAD_OK && !whole) st = clgrad_output(g, "d.1", data[1]);
    if (st == CLGRAD_OK) st = clgrad_output(g, "d.2", clgrad_mul(g, real, data[2]));
    if (st == CLGRAD_OK && front->mask) st = clgrad_output(g, "d.3", real);
    return finish(&g, st, out);
}

/* --- evaluation --- */

/* Is the answer right? u8 [batch]. One output: is it on the target's side of the middle; several: is the largest the target's. */
static clgrad_node hits(const clgrad_task *task, clgrad_graph *g, clgrad_node z, clgrad_node y, int64_t batch)
{
    if (task->loss->labels) return clgrad_eq(g, clgrad_argmax(g, z, 1), y);
    if (task->outputs > 1) return clgrad_eq(g, clgrad_argmax(g, z, 1), clgrad_argmax(g, y, 1));
    /* of bce and hinge the decision is at 0, since both see the value before the sigmoid */
    const clgrad_node zero = clgrad_constant(g, CLGRAD_F32, CLGRAD_SHAPE(batch, 1), 0.0);
    const clgrad_node middle = clgrad_constant(g, CLGRAD_F32, CLGRAD_SHAPE(batch, 1), 0.5 * (task->low + task->high));
    const clgrad_node same = clgrad_eq(g, clgrad_gt(g, z, zero), clgrad_gt(g, y, middle));
    return clgrad_reshape(g, same, CLGRAD_SHAPE(batch));
}

static clgrad_node squared_errors(clgrad_graph *g, clgrad_node z, clgrad_node y)
{
    return clgrad_sum(g, clgrad_square(g, clgrad_sub(g, z, y)), CLGRAD_AXIS(1), false);
}

/* z, losses, d.1, d.2, d.3 -> sums */
static clgrad_status sums_graph(const clgrad_task *task, clgrad_context *ctx, int64_t batch, clgrad_graph **out)
{
    clgrad_graph *g = NULL;
    CLGRAD_TRY(clgrad_graph_create(ctx, &g));
    const clgrad_node z = clgrad_input(g, "z", CLGRAD_F32, CLGRAD_SHAPE(batch, task->outputs));
    const clgrad_node y = clgrad_input(g, "d.1", target_type(task), target_shape(task, batch));
    const clgrad_node real = clgrad_input(g, "d.3", CLGRAD_F32, CLGRAD_SHAPE(batch));
    const clgrad_node losses = clgrad_input(g, "losses", CLGRAD_F32, CLGRAD_SHAPE(batch));
    const clgrad_node weights = clgrad_input(g, "d.2", CLGRAD_F32, CLGRAD_SHAPE(batch));
    const clgrad_node loss = sum_samples(g, clgrad_mul(g, weights, losses));
    const clgrad_node each =
        task->classes ? clgrad_cast(g, hits(task, g, z, y, batch), CLGRAD_F32) : squared_errors(g, z, y);
    const clgrad_node metric = sum_samples(g, clgrad_mul(g, real, each));
    const clgrad_node pair[] = { clgrad_reshape(g, loss, CLGRAD_SHAPE(1)), clgrad_reshape(g, metric, CLGRAD_SHAPE(1)) };
    return finish(&g, clgrad_output(g, "sums", clgrad_concat(g, 2, pair, 0)), out);
}

clgrad_status clgrad_task_evaluation(const clgrad_task *task, clgrad_context *ctx, const clgrad_front *front, clgrad_graph **out)
{
    const clgrad_front masked = { front->count, front->batch, front->ordered, true };
    const int64_t batch = front->batch;
    *out = NULL;
    clgrad_graph *links[4] = { NULL, NULL, NULL, NULL };
    clgrad_status st = clgrad_task_front(task, ctx, &masked, &links[0]);
    if (st == CLGRAD_OK) st = model_graph(task, batch, false, &links[1]);
    if (st == CLGRAD_OK) st = loss_graph(task, ctx, batch, &links[2]);
    if (st == CLGRAD_OK) st = sums_graph(task, ctx, batch, &links[3]);
    if (st == CLGRAD_OK) st = clgrad_graph_chain(ctx, 4, links, out);
    for (size_t i = 0; i < 4; i++) clgrad_graph_release(&links[i]);
    return st;
}

clgrad_status clgrad_task_prediction(const clgrad_task *task, int64_t batch, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *links[2] = { NULL, NULL };
    CLGRAD_TRY(model_graph(task, batch, false, &links[0]));
    clgrad_context *ctx = links[0]->ctx;
    clgrad_status st = clgrad_graph_create(ctx, &links[1]);
    if (st == CLGRAD_OK) {
        clgrad_node z = clgrad_input(links[1], "z", CLGRAD_F32, CLGRAD_SHAPE(batch, task->outputs));
        if (task->loss->classes) z = clgrad_softmax(links[1], z);
        if (strcmp(task->loss->name, "bce") == 0) z = clgrad_sigmoid(links[1], z);
        st = clgrad_output(links[1], "prediction", z);
    }
    if (st == CLGRAD_OK) st = clgrad_graph_chain(ctx, 2, links, out);
    clgrad_graph_release(&links[0]);
    clgrad_graph_release(&links[1]);
    return st;
}
