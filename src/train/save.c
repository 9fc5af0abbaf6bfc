/* Writing checkpoints. */

#include "train/checkpoint.h"

#include "base/os.h"
#include "base/sha256.h"

#include <stdio.h>

const char *clgrad_arithmetic_text(const clgrad_device *dev)
{
    static const char *const texts[8] = {
        "unfused, subnormals flushed, inexact division", "unfused, subnormals flushed, exact division",
        "unfused, subnormals kept, inexact division",    "unfused, subnormals kept, exact division",
        "fused, subnormals flushed, inexact division",   "fused, subnormals flushed, exact division",
        "fused, subnormals kept, inexact division",      "fused, subnormals kept, exact division",
    };
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    return texts[4 * clgrad_device_fused(dev) + 2 * info->denormals + info->exact_divide];
}

/* --- tensors: read from the device, kept until the file is written --- */

typedef struct save {
    const clgrad_checkpoint *what;
    clgrad_context *ctx;
    clgrad_safetensors_writer *writer;
    clgrad_array *kept;
    size_t num_kept, capacity;
} save;

static clgrad_status add_array(save *s, const char *name, const clgrad_array *array)
{
    return clgrad_safetensors_writer_add(s->writer, name, array->dtype, array->shape, array->data, clgrad_array_bytes(array));
}

static clgrad_status add_tensor(save *s, const char *name, clgrad_tensor *tensor)
{
    CLGRAD_TRY(clgrad_reserve(s->ctx, &s->kept, &s->capacity, s->num_kept + 1, sizeof *s->kept));
    clgrad_array *array = &s->kept[s->num_kept];
    CLGRAD_TRY(clgrad_array_create(s->ctx, tensor->dtype, tensor->shape, array));
    s->num_kept++;
    CLGRAD_TRY(clgrad_tensor_read(tensor, array->data, clgrad_array_bytes(array)));
    return add_array(s, name, array);
}

/* A runaway update may leave such values behind one loss that was still finite: they must not take the good file's place. */
static clgrad_status check_finite(const save *s, const char *name, const clgrad_array *array)
{
    const float *values = array->data;
    for (int64_t i = 0; i < clgrad_shape_count(&array->shape); i++)
        if (!isfinite(values[i]))
            return clgrad_fail(s->ctx, CLGRAD_E_NOT_FINITE, "parameter '%s' became NaN or infinite by step %lld; nothing was saved", name,
                               (long long)clgrad_optimizer_updates(s->what->opt));
    return CLGRAD_OK;
}

static clgrad_status add_states(save *s, size_t parameter, const char *name)
{
    const char *state = NULL;
    for (size_t i = 0; clgrad_optimizer_state(s->what->opt, parameter, i, &state); i++) {
        char full[160];
        snprintf(full, sizeof full, "state.%s.%s", state, name);
        CLGRAD_TRY(add_tensor(s, full, clgrad_optimizer_state(s->what->opt, parameter, i, NULL)));
    }
    return CLGRAD_OK;
}

static clgrad_status add_parameters(save *s, clgrad_sha256 *hash)
{
    const clgrad_checkpoint *what = s->what;
    for (size_t i = 0; i < clgrad_model_num_parameters(what->task->model); i++) {
        const char *name = clgrad_model_parameter_name(what->task->model, i);
        char current[160];
        snprintf(current, sizeof current, "%s%s", what->best ? "train." : "", name);
        CLGRAD_TRY(add_tensor(s, current, clgrad_optimizer_parameter(what->opt, i)));
        CLGRAD_TRY(check_finite(s, name, &s->kept[s->num_kept - 1]));
        if (what->best) CLGRAD_TRY(add_array(s, name, &what->best[i]));
        const clgrad_array *used = what->best ? &what->best[i] : &s->kept[s->num_kept - 1];
        clgrad_sha256_add(hash, used->data, clgrad_array_bytes(used));
        CLGRAD_TRY(add_states(s, i, name));
    }
    return CLGRAD_OK;
}

static clgrad_status add_moments(save *s)
{
    const clgrad_checkpoint *what = s->what;
    if (!what->mean) return CLGRAD_OK;
    const clgrad_shape shape = CLGRAD_SHAPE(what->data->num_features);
    const size_t bytes = (size_t)what->data->num_features * sizeof(float);
    CLGRAD_TRY(clgrad_safetensors_writer_add(s->writer, "input.mean", CLGRAD_F32, shape, what->mean, bytes));
    return clgrad_safetensors_writer_add(s->writer, "input.scale", CLGRAD_F32, shape, what->scale, bytes);
}

/* --- metadata --- */

/* Takes over json. */
static clgrad_status set_json(save *s, const char *key, json_t *json)
{
    char *text = clgrad_json_text(s->ctx, json, false);
    json_decref(json);
    if (!text) return CLGRAD_E_MEMORY;
    const clgrad_status st = clgrad_safetensors_writer_set(s->writer, key, text);
    clgrad_free(s->ctx, text);
    return st;
}

/* Doubles as their bits, so that infinities and every last digit come back. */
static void set_bits(json_t *object, const char *key, double value)
{
    uint64_t bits = 0;
    char text[24];
    memcpy(&bits, &value, sizeof bits);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)bits);
    json_object_set_new(object, key, json_string(text));
}

static json_t *plateau_json(const clgrad_optimizer_progress *progress, size_t i)
{
    json_t *object = json_object();
    json_object_set_new(object, "bad", json_integer(progress->plateau[i].bad));
    set_bits(object, "best", progress->plateau[i].best);
    set_bits(object, "scale", progress->plateau[i].scale);
    return object;
}

static json_t *progress_json(const clgrad_checkpoint *what)
{
    clgrad_optimizer_progress progress;
    clgrad_optimizer_get_progress(what->opt, &progress);
    json_t *object = json_object();
    json_object_set_new(object, "epoch", json_integer(what->state->epoch));
    json_object_set_new(object, "offset", json_integer(what->state->offset));
    json_object_set_new(object, "updates", json_integer(progress.updates));
    json_object_set_new(object, "bad_epochs", json_integer(what->state->bad_epochs));
    json_object_set_new(object, "stopped_early", json_boolean(what->state->stopped_early));
    set_bits(object, "loss_sum", what->state->loss_sum);
    set_bits(object, "weight_sum", what->state->weight_sum);
    set_bits(object, "best_loss", what->state->best_loss);
    json_object_set_new(object, "lr_plateau", plateau_json(&progress, 0));
    json_object_set_new(object, "momentum_plateau", plateau_json(&progress, 1));
    return object;
}

static clgrad_status set_lists(save *s)
{
    const clgrad_dataset *data = s->what->data;
    if (data->classes) {
        json_t *list = json_array();
        for (int64_t i = 0; i < data->num_classes; i++) json_array_append_new(list, json_string(data->classes[i]));
        CLGRAD_TRY(set_json(s, "classes", list));
    }
    if (!data->fill) return CLGRAD_OK;
    json_t *list = json_array();
    for (int64_t i = 0; i < data->num_features; i++) json_array_append_new(list, json_real(data->fill[i]));
    return set_json(s, "fill", list);
}

static clgrad_status set_metadata(save *s, const char *digest)
{
    const clgrad_device_info *info = clgrad_device_get_info(s->what->dev);
    const char *const texts[][2] = {
        { "format", "clgrad" }, { "version", clgrad_version() }, { "device", info->name }, { "driver", info->driver },
        { "arithmetic", clgrad_arithmetic_text(s->what->dev) }, { "digest", digest },
    };
    for (size_t i = 0; i < CLGRAD_COUNT(texts); i++) CLGRAD_TRY(clgrad_safetensors_writer_set(s->writer, texts[i][0], texts[i][1]));
    const char *const choices = clgrad_device_choices(s->what->dev);
    if (*choices) CLGRAD_TRY(clgrad_safetensors_writer_set(s->writer, "choices", choices));
    CLGRAD_TRY(set_json(s, "config", clgrad_config_json(s->what->config)));
    CLGRAD_TRY(set_json(s, "progress", progress_json(s->what)));
    return set_lists(s);
}

/* --- the file --- */

/* The new file is complete on the disk before the old one gives way. */
static clgrad_status replace(clgrad_context *ctx, const char *next, const char *path, const char *previous)
{
    const bool had = clgrad_os_exists(path);
    if (had) CLGRAD_TRY(clgrad_os_rename(ctx, path, previous));
    const clgrad_status st = clgrad_os_rename(ctx, next, path);
    if (st != CLGRAD_OK && had) clgrad_os_rename(NULL, previous, path);
    return st;
}

static clgrad_status write_file(save *s, const char *path)
{
    char *next = clgrad_format(s->ctx, "%s.next", path), *previous = clgrad_format(s->ctx, "%s.previous", path);
    clgrad_status st = next && previous ? CLGRAD_OK : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_safetensors_writer_write(s->writer, next);
    if (st == CLGRAD_OK) {
        st = replace(s->ctx, next, path, previous);
        if (st != CLGRAD_OK) clgrad_os_remove(next);
    }
    clgrad_free(s->ctx, next);
    clgrad_free(s->ctx, previous);
    return st;
}

static clgrad_status fill(save *s, char *digest)
{
    clgrad_sha256 hash;
    uint8_t bytes[CLGRAD_SHA256_BYTES];
    clgrad_sha256_begin(&hash);
    CLGRAD_TRY(add_parameters(s, &hash));
    CLGRAD_TRY(add_moments(s));
    clgrad_sha256_end(&hash, bytes);
    return set_metadata(s, clgrad_sha256_hex(bytes, digest));
}

clgrad_status clgrad_checkpoint_save(const clgrad_checkpoint *what, const char *path, char digest[65])
{
    save s = { .what = what, .ctx = clgrad_device_get_context(what->dev) };
    clgrad_status st = clgrad_safetensors_writer_create(s.ctx, &s.writer);
    if (st == CLGRAD_OK) st = fill(&s, digest);
    if (st == CLGRAD_OK && path) st = write_file(&s, path);
    clgrad_safetensors_writer_release(&s.writer);
    for (size_t i = 0; i < s.num_kept; i++) clgrad_array_release(s.ctx, &s.kept[i]);
    clgrad_free(s.ctx, s.kept);
    return st;
}
