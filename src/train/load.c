/* Reading checkpoints and models. */

#include "train/checkpoint.h"

#include <stdio.h>

/* --- files --- */

void clgrad_model_file_release(clgrad_model_file *f)
{
    if (!f->ctx) return;
    json_decref(f->config);
    json_decref(f->progress);
    json_decref(f->classes);
    json_decref(f->fill);
    clgrad_array_release(f->ctx, &f->mean);
    clgrad_array_release(f->ctx, &f->scale);
    clgrad_safetensors_release(&f->file);
    *f = (clgrad_model_file){ NULL };
}

static clgrad_status refuse(const clgrad_model_file *f, const char *what)
{
    return clgrad_fail(f->ctx, CLGRAD_E_FORMAT, "%s: %s", f->path, what);
}

/* A metadata entry as JSON; *out stays NULL when there is none. */
static clgrad_status parse(const clgrad_model_file *f, const char *key, json_t **out)
{
    const char *text = clgrad_safetensors_metadata(f->file, key);
    if (!text) return CLGRAD_OK;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    return *out ? CLGRAD_OK : clgrad_fail(f->ctx, CLGRAD_E_FORMAT, "%s: the metadata entry '%s' is damaged", f->path, key);
}

static bool all_are(const json_t *list, bool numbers)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (numbers ? !json_is_number(item) : !json_is_string(item)) return false;
    }
    return !list || json_is_array(list);
}

clgrad_status clgrad_model_file_values(const clgrad_model_file *f, const char *name, const clgrad_shape *shape, clgrad_array *out)
{
    const clgrad_safetensors_entry *entry = clgrad_safetensors_find(f->file, name);
    if (!entry) return clgrad_fail(f->ctx, CLGRAD_E_FORMAT, "%s: there is no tensor '%s'", f->path, name);
    if (entry->dtype != CLGRAD_F32 || (shape && !clgrad_shape_equal(&entry->shape, shape))) {
        char have[CLGRAD_SHAPE_TEXT], want[CLGRAD_SHAPE_TEXT];
        return clgrad_fail(f->ctx, CLGRAD_E_FORMAT, "%s: tensor '%s' is %s %s, needed is F32 %s", f->path, name, entry->type,
                           clgrad_shape_text(&entry->shape, have), shape ? clgrad_shape_text(shape, want) : "");
    }
    return clgrad_safetensors_read_array(f->file, entry, out);
}

static clgrad_status read_moments(clgrad_model_file *f)
{
    if (!clgrad_safetensors_find(f->file, "input.mean")) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_model_file_values(f, "input.mean", NULL, &f->mean));
    return clgrad_model_file_values(f, "input.scale", &f->mean.shape, &f->scale);
}

static clgrad_status read_metadata(clgrad_model_file *f)
{
    const char *format = clgrad_safetensors_metadata(f->file, "format");
    if (!format || strcmp(format, "clgrad") != 0) return refuse(f, "this safetensors file is no clgrad model: it has no metadata 'format': 'clgrad'");
    CLGRAD_TRY(parse(f, "config", &f->config));
    CLGRAD_TRY(parse(f, "progress", &f->progress));
    CLGRAD_TRY(parse(f, "classes", &f->classes));
    CLGRAD_TRY(parse(f, "fill", &f->fill));
    if (!json_is_object(f->config)) return refuse(f, "the model carries no configuration");
    if (!all_are(f->classes, false) || !all_are(f->fill, true)) return refuse(f, "the metadata of classes or missing values are damaged");
    return read_moments(f);
}

clgrad_status clgrad_model_file_open(clgrad_context *ctx, const char *path, clgrad_model_file *out)
{
    *out = (clgrad_model_file){ .ctx = ctx, .path = path };
    clgrad_status st = clgrad_safetensors_open(ctx, path, &out->file);
    if (st == CLGRAD_OK) st = read_metadata(out);
    if (st != CLGRAD_OK) clgrad_model_file_release(out);
    return st;
}

clgrad_status clgrad_model_file_tensor(const clgrad_model_file *f, const char *name, clgrad_tensor *to)
{
    clgrad_array values = { 0 };
    CLGRAD_TRY(clgrad_model_file_values(f, name, &to->shape, &values));
    const clgrad_status st = clgrad_tensor_write(to, values.data, clgrad_array_bytes(&values));
    clgrad_array_release(f->ctx, &values);
    return st;
}

clgrad_status clgrad_config_load_model(clgrad_config *config, const char *path)
{
    clgrad_model_file file;
    CLGRAD_TRY(clgrad_model_file_open(config->ctx, path, &file));
    const clgrad_status st = clgrad_config_apply_json(config, file.config, path);
    clgrad_model_file_release(&file);
    return st;
}

/* --- going on --- */

/* Keys that may differ between a run and its continuation. */
static bool may_change(const char *key)
{
    static const char *const keys[] = { "train.epochs", "train.steps", "train.checkpoint", "train.patience", "data.path", "data.residency",
                                        "save" };
    for (size_t i = 0; i < CLGRAD_COUNT(keys); i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static const json_t *value_at(const json_t *root, const char *key)
{
    const char *dot = strchr(key, '.');
    char section[64] = { 0 };
    if (!dot) return json_object_get(root, key);
    memcpy(section, key, (size_t)(dot - key));
    return json_object_get(json_object_get(root, section), dot + 1);
}

static clgrad_status compare_configs(const clgrad_model_file *f, const clgrad_config *config)
{
    clgrad_status st = CLGRAD_OK;
    json_t *now = clgrad_config_json(config);
    if (!now) return clgrad_fail(f->ctx, CLGRAD_E_MEMORY, "no memory to compare configurations");
    for (size_t i = 0; st == CLGRAD_OK && i < clgrad_option_row_count; i++) {
        const char *key = clgrad_option_rows[i].info.key;
        const json_t *before = value_at(f->config, key), *after = value_at(now, key);
        if (may_change(key) || json_equal(before, after)) continue;
        if (json_is_number(before) && json_is_number(after) && json_number_value(before) == json_number_value(after)) continue;
        char *was = before ? clgrad_json_text(f->ctx, before, false) : NULL, *is = clgrad_json_text(f->ctx, after, false);
        st = clgrad_fail(f->ctx, CLGRAD_E_CONFIG, "%s was trained with %s = %s and cannot be continued with %s", f->path, key,
                         was ? was : "unset", is ? is : "?");
        clgrad_free(f->ctx, was);
        clgrad_free(f->ctx, is);
    }
    json_decref(now);
    return st;
}

static bool read_integer(const json_t *object, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = json_integer_value(value);
    return true;
}

static bool read_bits(const json_t *object, const char *key, double *out)
{
    const char *text = json_string_value(json_object_get(object, key));
    uint64_t bits = 0;
    if (!text || strlen(text) != 16) return false;
    for (size_t i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, text[i]);
        if (!digit) return false;
        bits = bits << 4 | (uint64_t)(digit - digits);
    }
    memcpy(out, &bits, sizeof bits);
    return true;
}

static bool read_plateau(const json_t *object, clgrad_optimizer_progress *progress, size_t i)
{
    return read_integer(object, "bad", &progress->plateau[i].bad) && read_bits(object, "best", &progress->plateau[i].best) &&
           read_bits(object, "scale", &progress->plateau[i].scale);
}

static bool read_progress(const json_t *object, clgrad_optimizer_progress *progress, clgrad_run_state *state)
{
    *state = (clgrad_run_state){ 0 };
    *progress = (clgrad_optimizer_progress)CLGRAD_OPTIMIZER_PROGRESS_INIT;
    state->stopped_early = json_is_true(json_object_get(object, "stopped_early"));
    return read_integer(object, "epoch", &state->epoch) && read_integer(object, "offset", &state->offset) &&
           read_integer(object, "bad_epochs", &state->bad_epochs) && read_bits(object, "loss_sum", &state->loss_sum) &&
           read_bits(object, "weight_sum", &state->weight_sum) && read_bits(object, "best_loss", &state->best_loss) &&
           read_integer(object, "updates", &progress->updates) &&
           read_plateau(json_object_get(object, "lr_plateau"), progress, 0) &&
           read_plateau(json_object_get(object, "momentum_plateau"), progress, 1);
}

static clgrad_status load_parameter(const clgrad_model_file *f, clgrad_optimizer *opt, size_t i, const char *name, clgrad_array *best,
                                    bool has_best)
{
    clgrad_tensor *parameter = clgrad_optimizer_parameter(opt, i);
    char full[160];
    snprintf(full, sizeof full, "%s%s", has_best ? "train." : "", name);
    CLGRAD_TRY(clgrad_model_file_tensor(f, full, parameter));
    if (has_best) {
        clgrad_array_release(f->ctx, best);
        CLGRAD_TRY(clgrad_model_file_values(f, name, &parameter->shape, best));
    }
    const char *state = NULL;
    for (size_t s = 0; clgrad_optimizer_state(opt, i, s, &state); s++) {
        snprintf(full, sizeof full, "state.%s.%s", state, name);
        CLGRAD_TRY(clgrad_model_file_tensor(f, full, clgrad_optimizer_state(opt, i, s, NULL)));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_checkpoint_load(const clgrad_model_file *f, const clgrad_config *config, clgrad_optimizer *opt,
                                     const clgrad_task *task, clgrad_run_state *state, clgrad_array *best, bool *has_best)
{
    clgrad_optimizer_progress progress;
    CLGRAD_TRY(compare_configs(f, config));
    if (!read_progress(f->progress, &progress, state)) return refuse(f, "the state of the training is missing or damaged");
    *has_best = false;
    for (size_t i = 0; i < clgrad_model_num_parameters(task->model); i++) {
        const char *name = clgrad_model_parameter_name(task->model, i);
        char full[160];
        snprintf(full, sizeof full, "train.%s", name);
        *has_best = *has_best || clgrad_safetensors_find(f->file, full);
        CLGRAD_TRY(load_parameter(f, opt, i, name, &best[i], *has_best));
    }
    return clgrad_optimizer_set_progress(opt, &progress);
}
