/* An epoch of training as `clgrad train` does it: shuffled batches of a set that lies on the device, ragged end included. */

#include "bench.h"
#include "os.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PIXELS = 784, CLASSES = 10, SAMPLES = 60000, FEW_SAMPLES = 1280, CHECKED_STEPS = 2 };

typedef struct epochs {
    char *directory; /* ours: noise in MNIST's files, and a model */
    const char *data;
    double last, wanted;
    clock_t first_processor, last_processor; /* at the first and the last end of an epoch */
    json_t *samples;
    size_t most;
} epochs;

/* --- noise in IDX files --- */

static bool write_idx(const char *directory, const char *name, const int32_t *dims, int rank, int values)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    size_t count = 1;
    fputc(0, file), fputc(0, file), fputc(8, file), fputc(rank, file);
    for (int i = 0; i < rank; i++) {
        for (int shift = 24; shift >= 0; shift -= 8) fputc(dims[i] >> shift & 255, file);
        count *= (size_t)dims[i];
    }
    uint32_t state = 12345u + (uint32_t)rank;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        putc((int)((state >> 16) % (uint32_t)values), file);
    }
    return fclose(file) == 0;
}

static bool write_set(const char *directory, const char *set, int32_t samples)
{
    char images[64], labels[64];
    snprintf(images, sizeof images, "%s-images-idx3-ubyte", set);
    snprintf(labels, sizeof labels, "%s-labels-idx1-ubyte", set);
    return write_idx(directory, images, (int32_t[]){ samples, 28, 28 }, 3, 256) &&
           write_idx(directory, labels, (int32_t[]){ samples }, 1, CLASSES);
}

static clgrad_status make_noise(bench_case *c, epochs *e, int32_t samples)
{
    if (!e->directory) e->directory = make_directory();
    if (e->directory && write_set(e->directory, "train", samples) && write_set(e->directory, "t10k", (int32_t)c->row->batch))
        return CLGRAD_OK;
    snprintf(c->remark, sizeof c->remark, "no room for the noise it runs on in %s", e->directory ? e->directory : "TMPDIR");
    return CLGRAD_E_FILE;
}

/* --- training --- */

static clgrad_status configure(bench_case *c, const char *data, int64_t passes, const char *save, clgrad_config **out)
{
    char number[32];
    clgrad_status status = clgrad_config_create(c->ctx, out);
    if (status) return status;
    snprintf(number, sizeof number, "%lld", (long long)passes);
    char batch[32];
    snprintf(batch, sizeof batch, "%lld", (long long)c->row->batch);
    const char *const values[][2] = { { "data.path", data },
                                      { "model.layers", c->row->layers },
                                      { "model.activation", c->row->activation },
                                      { "optimizer.name", c->row->rule },
                                      { "train.batch", batch },
                                      { "train.epochs", number },
                                      { "save", save } };
    for (size_t i = 0; !status && i < sizeof values / sizeof *values; i++)
        status = clgrad_config_set(*out, values[i][0], values[i][1], "bench");
    return status;
}

static bool on_progress(void *user, const clgrad_train_progress *p)
{
    epochs *e = user;
    if (!p->epoch_end) return !interrupted();
    const double now = monotonic_seconds();
    e->last_processor = clock();
    if (e->last == 0) e->first_processor = e->last_processor;
    if (e->last > 0) json_array_append_new(e->samples, json_real((now - e->last) * 1e9));
    e->last = now;
    const size_t count = json_array_size(e->samples);
    e->wanted -= count > 0 ? json_number_value(json_array_get(e->samples, count - 1)) * 1e-9 : 0;
    return !interrupted() && count < e->most && (count < 3 || e->wanted > 0);
}

static clgrad_status open_epoch(bench_case *c)
{
    bench_network net;
    epochs *e = c->own = calloc(1, sizeof *e);
    if (!e) return CLGRAD_E_MEMORY;
    bench_network_of(c->row, &net);
    const double samples = c->options->quick ? FEW_SAMPLES : SAMPLES;
    c->flops = net.gradient * samples / (double)c->row->batch;
    c->bytes = 28.0 * (double)net.parameters * ceil(samples / (double)c->row->batch) + 4.0 * samples * PIXELS;
    c->roof = CLGRAD_ROOF_FMA_F32;
    /* Adam's direction has the sign of the gradient: where that is nearly 0 a rounding may turn it, in one element of very
     * many. */
    c->tolerance_l2 = 1e-4, c->tolerance_max = 4;
    return make_noise(c, e, (int32_t)c->row->batch);
}

/* --- two steps of one whole batch against the reference, whatever order it is shuffled into --- */

/* state: mean and square of each parameter. Source: Kingma, Ba 2015; torch.optim.Adam's defaults. */
static void adam(double *p, const double *g, double *m, double *v, int64_t count, int t)
{
    const double lr = 1e-3, b1 = 0.9, b2 = 0.999, epsilon = 1e-8;
    for (int64_t i = 0; i < count; i++) {
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        p[i] -= lr * (m[i] / (1 - pow(b1, t))) / (sqrt(v[i] / (1 - pow(b2, t))) + epsilon);
    }
}

/* The batch of the noise files into c->in. */
static clgrad_status read_batch(bench_case *c, const epochs *e)
{
    char path[512];
    clgrad_array images = { .data = NULL }, labels = { .data = NULL };
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", e->directory);
    clgrad_status status = clgrad_idx_read(c->ctx, path, &images);
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte", e->directory);
    if (!status) status = clgrad_idx_read(c->ctx, path, &labels);
    if (!status) {
        float *x = c->in[c->num_parameters].data;
        int32_t *y = c->in[c->num_parameters + 1].data;
        for (int64_t i = 0; i < c->row->batch * PIXELS; i++) x[i] = (float)((const uint8_t *)images.data)[i] / 255.0f;
        for (int64_t i = 0; i < c->row->batch; i++) y[i] = ((const uint8_t *)labels.data)[i];
    }
    clgrad_array_release(c->ctx, &images);
    clgrad_array_release(c->ctx, &labels);
    return status;
}

/* Parameter i in double precision, in the place of c->in[i]; mean and square behind each other. */
static clgrad_status widen(bench_case *c, size_t i, clgrad_array *state)
{
    clgrad_array wide = { .data = NULL };
    const int64_t count = clgrad_shape_count(&c->in[i].shape);
    clgrad_status status = clgrad_array_create(c->ctx, CLGRAD_F64, c->in[i].shape, &wide);
    if (!status) status = clgrad_array_create(c->ctx, CLGRAD_F64, CLGRAD_SHAPE(2, count), state);
    if (status) return clgrad_array_release(c->ctx, &wide), status;
    clgrad_convert(CLGRAD_F64, wide.data, CLGRAD_F32, c->in[i].data, (size_t)count);
    clgrad_array_release(c->ctx, &c->in[i]);
    c->in[i] = wide;
    return CLGRAD_OK;
}

static clgrad_status train_by_reference(bench_case *c, const clgrad_graph *gradient, clgrad_array *state)
{
    clgrad_status status = CLGRAD_OK;
    for (int t = 1; !status && t <= CHECKED_STEPS; t++) {
        clgrad_array g[32] = { { .data = NULL } };
        status = clgrad_reference_evaluate(gradient, c->in, g);
        for (size_t i = 0; i <= c->num_parameters; i++) {
            if (!status && i < c->num_parameters) {
                const int64_t count = clgrad_shape_count(&c->in[i].shape);
                adam(c->in[i].data, g[1 + i].data, state[i].data, (double *)state[i].data + count, count, t);
            }
            if (i) clgrad_array_release(c->ctx, &g[i]);
        }
        clgrad_array_release(c->ctx, &g[0]);
    }
    return status;
}

/* Both as what was added since the beginning. */
static clgrad_status compare_changes(bench_case *c, const clgrad_safetensors *file, size_t i, const char *name,
                                     const clgrad_array *begin)
{
    const clgrad_safetensors_entry *entry = clgrad_safetensors_find(file, name);
    clgrad_array saved = { .data = NULL }, got = { .data = NULL };
    if (!entry) return CLGRAD_E_FORMAT;
    clgrad_status status = clgrad_safetensors_read_array(file, entry, &saved);
    if (!status) status = clgrad_array_create(c->ctx, CLGRAD_F64, begin->shape, &got);
    if (!status) {
        const int64_t count = clgrad_shape_count(&begin->shape);
        double *want = c->in[i].data, *difference = got.data;
        const float *first = begin->data, *last = saved.data;
        for (int64_t k = 0; k < count; k++) difference[k] = (double)last[k] - (double)first[k], want[k] -= (double)first[k];
        status = bench_deviate(c, &got, &c->in[i]);
    }
    clgrad_array_release(c->ctx, &saved);
    clgrad_array_release(c->ctx, &got);
    return status;
}

static clgrad_status compare_model(bench_case *c, const char *path, const clgrad_array *begin)
{
    clgrad_model *model = NULL;
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    clgrad_safetensors *file = NULL;
    options.layers = c->row->layers;
    options.activation = c->row->activation;
    clgrad_status status = clgrad_model_create(c->ctx, &options, &model);
    if (!status) status = clgrad_safetensors_open(c->ctx, path, &file);
    for (size_t i = 0; !status && i < c->num_parameters; i++)
        status = compare_changes(c, file, i, clgrad_model_parameter_name(model, i), &begin[i]);
    clgrad_safetensors_release(&file);
    clgrad_model_release(&model);
    return status;
}

static clgrad_status train_few(bench_case *c, const epochs *e, const char *path)
{
    clgrad_config *config = NULL;
    clgrad_status status = configure(c, e->directory, CHECKED_STEPS, path, &config);
    if (!status) status = clgrad_train(c->dev, config, false, NULL, NULL);
    clgrad_config_release(&config);
    return status;
}

static clgrad_status train_both(bench_case *c, const epochs *e, const char *path, clgrad_array *begin, clgrad_array *state)
{
    size_t wrt[32];
    clgrad_graph *gradient = NULL;
    clgrad_status status = train_few(c, e, path);
    for (size_t i = 0; i < c->num_parameters; i++) wrt[i] = i;
    if (!status) status = clgrad_gradient(c->graph, 0, c->num_parameters, wrt, &gradient);
    for (size_t i = 0; !status && i < c->num_parameters; i++) {
        status = clgrad_array_create(c->ctx, CLGRAD_F32, c->in[i].shape, &begin[i]);
        if (!status) memcpy(begin[i].data, c->in[i].data, clgrad_array_bytes(&begin[i]));
        if (!status) status = widen(c, i, &state[i]);
    }
    if (!status) status = train_by_reference(c, gradient, state);
    clgrad_graph_release(&gradient);
    return status;
}

static clgrad_status verify_epoch(bench_case *c)
{
    epochs *e = c->own;
    char path[512];
    clgrad_array begin[32] = { { .data = NULL } }, state[32] = { { .data = NULL } };
    snprintf(path, sizeof path, "%s/model.safetensors", e->directory);
    clgrad_status status = bench_objective(c);
    if (!status) status = read_batch(c, e);
    if (!status) status = train_both(c, e, path, begin, state);
    if (!status) status = compare_model(c, path, begin);
    for (size_t i = 0; i < c->num_parameters; i++)
        clgrad_array_release(c->ctx, &begin[i]), clgrad_array_release(c->ctx, &state[i]);
    if (!status && !c->options->mnist) status = make_noise(c, e, c->options->quick ? FEW_SAMPLES : SAMPLES);
    e->data = c->options->mnist ? c->options->mnist : e->directory;
    if (!c->options->mnist) snprintf(c->remark, sizeof c->remark, "noise in MNIST's shape; --mnist DIR for the real one");
    return status;
}

/* --- samples --- */

static json_t *measure_epochs(bench_case *c)
{
    epochs *e = c->own;
    clgrad_config *config = NULL;
    clgrad_train_callbacks callbacks = CLGRAD_TRAIN_CALLBACKS_INIT;
    e->most = c->options->quick ? 5 : 30;
    e->wanted = c->options->quick ? 0.1 : 2;
    e->samples = json_array();
    callbacks.user = e;
    callbacks.progress = on_progress;
    clgrad_status status = configure(c, e->data, 1000, "", &config);
    if (!status) status = clgrad_train(c->dev, config, false, &callbacks, NULL);
    clgrad_config_release(&config);
    const size_t count = json_array_size(e->samples);
    if (status == CLGRAD_E_INTERRUPTED && count > 0) {
        if (clgrad_device_get_info(c->dev)->kind == CLGRAD_DEVICE_CPU)
            c->processor_ns = (double)(e->last_processor - e->first_processor) / CLOCKS_PER_SEC * 1e9 / (double)count;
        return e->samples;
    }
    json_decref(e->samples);
    return NULL;
}

static void close_epoch(bench_case *c)
{
    epochs *e = c->own;
    if (!e) return;
    remove_directory(e->directory);
    free(e);
}

const bench_family bench_epoch = { "epoch", "epoch", open_epoch, verify_epoch, NULL, close_epoch, measure_epochs };
