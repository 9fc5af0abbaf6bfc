/* clgrad_train: set up, run, evaluate; progress and log. */

#include "train/trainer.h"

#include "base/os.h"

static double rate_of(const clgrad_trainer *t, double seconds) { return seconds > 0 ? (double)(t->samples - t->untimed) / seconds : 0.0; }

static clgrad_status write_checkpoint(clgrad_trainer *t, const char *path)
{
    const clgrad_checkpoint what = { .dev = t->dev, .config = t->config, .task = &t->task, .data = &t->data, .opt = t->opt,
                                     .best = t->has_best ? t->best : NULL, .mean = t->mean, .scale = t->scale, .state = &t->state };
    return clgrad_checkpoint_save(&what, path, t->result->digest);
}

static clgrad_status digest(clgrad_trainer *t) { return write_checkpoint(t, NULL); }

clgrad_status clgrad_trainer_save(clgrad_trainer *t)
{
    CLGRAD_TRY(write_checkpoint(t, *t->settings->save ? t->settings->save : NULL));
    t->saved = true;
    return CLGRAD_OK;
}

/* --- progress and log --- */

bool clgrad_trainer_report(clgrad_trainer *t, bool epoch_end)
{
    const double now = clgrad_os_seconds(), pause = 0.2;
    if (!t->callbacks->progress || (!epoch_end && now - t->last_progress < pause)) return true;
    t->last_progress = now;
    const int64_t epochs = (t->steps + t->steps_per_epoch - 1) / t->steps_per_epoch;
    const double running = t->state.weight_sum > 0 ? t->state.loss_sum / t->state.weight_sum : NAN;
    const clgrad_train_progress progress = { .struct_size = sizeof progress,
                                             .epoch = t->state.epoch + !epoch_end,
                                             .epochs = epochs,
                                             .step = clgrad_optimizer_updates(t->opt),
                                             .steps = t->steps,
                                             .seconds = now - t->started,
                                             .samples_per_second = rate_of(t, now - t->started),
                                             .train_loss = epoch_end ? t->epoch_loss : running,
                                             .lr = clgrad_optimizer_lr(t->opt),
                                             .epoch_end = epoch_end,
                                             .validation_loss = epoch_end ? t->validation_loss : NAN,
                                             .validation_metric = epoch_end ? t->validation_metric : NAN };
    return t->callbacks->progress(t->callbacks->user, &progress);
}

static json_t *real_json(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static void log_start(const clgrad_trainer *t, json_t *line)
{
    json_object_set_new(line, "clgrad", json_string(clgrad_version()));
    json_object_set_new(line, "device", json_string(t->result->device));
    json_object_set_new(line, "driver", json_string(t->result->driver));
    json_object_set_new(line, "arithmetic", json_string(t->result->arithmetic));
    json_object_set_new(line, "parameters", json_integer(t->result->parameters));
    json_object_set_new(line, "samples", json_integer(t->num_train));
    json_object_set_new(line, "residency", json_string(t->result->residency));
    json_object_set_new(line, "memory_bytes", json_integer((json_int_t)t->result->memory_bytes));
    json_object_set_new(line, "config", clgrad_config_json(t->config));
}

static void log_epoch(const clgrad_trainer *t, json_t *line)
{
    const double seconds = clgrad_os_seconds() - t->started;
    json_object_set_new(line, "epoch", json_integer(t->state.epoch));
    json_object_set_new(line, "step", json_integer(clgrad_optimizer_updates(t->opt)));
    json_object_set_new(line, "seconds", real_json(seconds));
    json_object_set_new(line, "samples_per_second", real_json(rate_of(t, seconds)));
    json_object_set_new(line, "lr", real_json(clgrad_optimizer_lr(t->opt)));
    json_object_set_new(line, "train_loss", real_json(t->epoch_loss));
    json_object_set_new(line, "validation_loss", real_json(t->validation_loss));
    json_object_set_new(line, "validation_metric", real_json(t->validation_metric));
}

static void log_end(const clgrad_trainer *t, json_t *line)
{
    const clgrad_train_result *r = t->result;
    json_object_set_new(line, "epochs", json_integer(r->epochs));
    json_object_set_new(line, "steps", json_integer(r->steps));
    json_object_set_new(line, "seconds", real_json(r->seconds));
    json_object_set_new(line, "metric", json_string(r->metric));
    json_object_set_new(line, "train_loss", real_json(r->train_loss));
    json_object_set_new(line, "test_loss", real_json(r->test_loss));
    json_object_set_new(line, "test_metric", real_json(r->test_metric));
    json_object_set_new(line, "digest", json_string(r->digest));
}

clgrad_status clgrad_trainer_log(clgrad_trainer *t, const char *event)
{
    if (!t->callbacks->log) return CLGRAD_OK;
    json_t *line = json_object();
    json_object_set_new(line, "event", json_string(event));
    if (strcmp(event, "start") == 0) log_start(t, line);
    if (strcmp(event, "epoch") == 0) log_epoch(t, line);
    if (strcmp(event, "end") == 0) log_end(t, line);
    char *text = clgrad_json_text(t->ctx, line, false);
    json_decref(line);
    if (!text) return CLGRAD_E_MEMORY;
    t->callbacks->log(t->callbacks->user, text);
    clgrad_free(t->ctx, text);
    return CLGRAD_OK;
}

/* --- the whole run --- */

static void fill_counters(clgrad_trainer *t)
{
    clgrad_train_result *r = t->result;
    r->seconds = clgrad_os_seconds() - t->started;
    r->samples_per_second = rate_of(t, r->seconds);
    r->epochs = t->state.epoch;
    r->steps = clgrad_optimizer_updates(t->opt);
    r->stopped_early = t->state.stopped_early;
}

/* Of the parameters to use: the best ones, where such are kept. The training is over and its state saved. */
static clgrad_status evaluate_all(clgrad_trainer *t)
{
    clgrad_train_result *r = t->result;
    for (size_t i = 0; t->has_best && i < clgrad_model_num_parameters(t->task.model); i++)
        CLGRAD_TRY(clgrad_tensor_write(t->params[i], t->best[i].data, clgrad_array_bytes(&t->best[i])));
    CLGRAD_TRY(clgrad_evaluator_run(&t->evaluator, CLGRAD_SUBSET_TRAIN, &r->train_loss, &r->train_metric));
    CLGRAD_TRY(clgrad_evaluator_run(&t->evaluator, CLGRAD_SUBSET_VALIDATION, &r->validation_loss, &r->validation_metric));
    return clgrad_evaluator_run(&t->evaluator, CLGRAD_SUBSET_TEST, &r->test_loss, &r->test_metric);
}

static clgrad_status run(clgrad_trainer *t, bool resume)
{
    CLGRAD_TRY(clgrad_trainer_set_up(t, resume));
    t->result->metric = t->task.classes ? "accuracy" : "r2";
    CLGRAD_TRY(clgrad_device_finish(t->dev));
    t->started = t->last_progress = clgrad_os_seconds();
    CLGRAD_TRY(clgrad_trainer_log(t, "start"));
    const clgrad_status st = clgrad_trainer_run(t);
    fill_counters(t);
    CLGRAD_TRY(st);
    if (!*t->result->digest) CLGRAD_TRY(digest(t)); /* a resumed training with nothing left to do */
    CLGRAD_TRY(evaluate_all(t));
    return clgrad_trainer_log(t, "end");
}

clgrad_status clgrad_train(clgrad_device *dev, const clgrad_config *config, bool resume, const clgrad_train_callbacks *callbacks,
                           clgrad_train_result *result)
{
    static const clgrad_train_callbacks silent = CLGRAD_TRAIN_CALLBACKS_INIT;
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    clgrad_train_result own;
    if (!result) result = &own;
    *result = (clgrad_train_result)CLGRAD_TRAIN_RESULT_INIT;
    result->device = info->name;
    result->driver = info->driver;
    result->arithmetic = clgrad_arithmetic_text(dev);
    clgrad_trainer t = { .dev = dev,
                         .ctx = clgrad_device_get_context(dev),
                         .config = config,
                         .settings = &config->settings,
                         .callbacks = callbacks ? callbacks : &silent,
                         .result = result,
                         .epoch_loss = NAN,
                         .validation_loss = NAN,
                         .validation_metric = NAN };
    if (t.callbacks->struct_size != sizeof *t.callbacks)
        return clgrad_fail(t.ctx, CLGRAD_E_ARG, "train callbacks: struct_size %zu is not one this library knows", t.callbacks->struct_size);
    const clgrad_status st = run(&t, resume);
    clgrad_trainer_release(&t);
    return st;
}
