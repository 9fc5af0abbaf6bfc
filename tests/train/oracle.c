#include "train/oracle.h"

#include "autodiff/autodiff.h"
#include "ref/ref.h"
#include "train/fixture.h"

enum { MOST_PARAMETERS = 8 };

typedef struct oracle {
    const clgrad_trainer *t;
    clgrad_graph *gradient; /* parameters, d.0, d.1, d.2 -> loss_sum, gradients */
    size_t count;
    clgrad_array in[MOST_PARAMETERS + 3], out[MOST_PARAMETERS + 1];
    clgrad_array targets;
    uint32_t *order;
} oracle;

static void array(clgrad_dtype dtype, clgrad_shape shape, clgrad_array *out)
{
    ck_ok(clgrad_array_create(test_context(), dtype, shape, out));
}

static void open_oracle(oracle *o, const clgrad_trainer *t)
{
    const int64_t batch = t->settings->train_batch;
    const size_t wrt[MOST_PARAMETERS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    clgrad_graph *objective = NULL;
    *o = (oracle){ .t = t, .count = clgrad_model_num_parameters(t->task.model) };
    ck_assert_uint_le(o->count, MOST_PARAMETERS);
    ck_ok(clgrad_task_objective(&t->task, batch, &objective));
    ck_ok(clgrad_gradient(objective, 0, o->count, wrt, &o->gradient));
    clgrad_graph_release(&objective);
    for (size_t i = 0; i < o->count; i++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(t->task.model, i);
        const size_t n = (size_t)clgrad_shape_count(&shape);
        float *values = clgrad_alloc(test_context(), n, sizeof *values);
        ck_ok(clgrad_model_initialize(t->task.model, (uint64_t)t->settings->train_seed, i, values, n));
        array(CLGRAD_F64, shape, &o->in[i]);
        for (size_t k = 0; k < n; k++) clgrad_array_set(&o->in[i], (int64_t)k, (double)values[k]);
        clgrad_free(test_context(), values);
    }
    ck_ok(clgrad_task_encode(&t->task, &t->data, &o->targets));
    clgrad_shape target = o->targets.shape;
    target.dims[0] = batch;
    array(CLGRAD_F32, CLGRAD_SHAPE(batch, t->data.num_features), &o->in[o->count]);
    array(o->targets.dtype, target, &o->in[o->count + 1]);
    array(CLGRAD_F32, CLGRAD_SHAPE(batch), &o->in[o->count + 2]);
    o->order = clgrad_alloc(test_context(), (size_t)t->num_train, sizeof *o->order);
}

static void close_oracle(oracle *o)
{
    for (size_t i = 0; i < o->count + 3; i++) clgrad_array_release(test_context(), &o->in[i]);
    clgrad_array_release(test_context(), &o->targets);
    clgrad_graph_release(&o->gradient);
    clgrad_free(test_context(), o->order);
}

/* Evaluates the batch at `first`; returns its number of samples. o->out is to be released. */
static int64_t evaluate(oracle *o, int64_t first)
{
    const clgrad_trainer *t = o->t;
    const int64_t batch = t->settings->train_batch, left = t->num_train - first, n = left < batch ? left : batch;
    for (int64_t b = 0; b < batch; b++) {
        const uint32_t sample = o->order[b < n ? first + b : t->num_train - 1];
        const int64_t row = clgrad_shape_count(&o->targets.shape) / t->data.count;
        for (int64_t f = 0; f < t->data.num_features; f++)
            ((float *)o->in[o->count].data)[b * t->data.num_features + f] = t->data.features[sample * t->data.num_features + f];
        for (int64_t k = 0; k < row; k++)
            clgrad_array_set(&o->in[o->count + 1], b * row + k, clgrad_array_get(&o->targets, sample * row + k));
        ((float *)o->in[o->count + 2].data)[b] = b < n;
    }
    ck_ok(clgrad_ref_evaluate(o->gradient, o->in, o->out, CLGRAD_REF_F64));
    return n;
}

static void release_out(oracle *o)
{
    for (size_t i = 0; i <= o->count; i++) clgrad_array_release(test_context(), &o->out[i]);
}

static void descend(oracle *o, int64_t n)
{
    const double rate = o->t->settings->optimizer_lr / (double)n;
    for (size_t i = 0; i < o->count; i++)
        for (int64_t k = 0; k < clgrad_shape_count(&o->in[i].shape); k++)
            clgrad_array_set(&o->in[i], k, clgrad_array_get(&o->in[i], k) - rate * clgrad_array_get(&o->out[i + 1], k));
}

static void draw_order(oracle *o, int64_t epoch)
{
    const clgrad_trainer *t = o->t;
    const uint32_t *samples = clgrad_dataset_order(&t->data, CLGRAD_SUBSET_TRAIN);
    clgrad_random_permutation((uint64_t)t->settings->train_seed, CLGRAD_DRAW_SHUFFLE, (uint64_t)epoch, o->order, (uint32_t)t->num_train);
    for (int64_t i = 0; i < t->num_train; i++) o->order[i] = samples[t->settings->train_shuffle ? o->order[i] : (uint32_t)i];
}

double oracle_final_loss(const clgrad_trainer *t)
{
    oracle o;
    double loss = 0;
    open_oracle(&o, t);
    for (int64_t epoch = 0; epoch < t->settings->train_epochs; epoch++) {
        draw_order(&o, epoch);
        for (int64_t first = 0; first < t->num_train; first += t->settings->train_batch) {
            descend(&o, evaluate(&o, first));
            release_out(&o);
        }
    }
    for (int64_t first = 0; first < t->num_train; first += t->settings->train_batch) {
        evaluate(&o, first);
        loss += clgrad_array_get(&o.out[0], 0);
        release_out(&o);
    }
    close_oracle(&o);
    return loss / (double)t->num_train;
}
