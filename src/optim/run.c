/* Steps: fill the small buffer, enqueue. On CPU devices many small steps are one launch, which finds one struct behind the other. */

#include "optim/optimizer.h"

#include <stdlib.h>

static double schedule_scale(const clgrad_optimizer *opt, const clgrad_schedule *schedule, int64_t updates, size_t which)
{
    const double factor = clgrad_schedule_factor(schedule, updates);
    return schedule->kind == CLGRAD_SCHEDULE_PLATEAU ? factor * opt->plateau[which].scale : factor;
}

double clgrad_optimizer_lr(const clgrad_optimizer *opt)
{
    return opt->options.lr * schedule_scale(opt, &opt->options.lr_schedule, opt->updates, 0);
}

void clgrad_optimizer_fill_hyper(clgrad_optimizer *opt, int64_t updates)
{
    const clgrad_optimizer_options *o = &opt->options;
    clgrad_hyper *h = &opt->hyper;
    const double lr_scale = schedule_scale(opt, &o->lr_schedule, updates, 0);
    const double momentum = o->momentum * schedule_scale(opt, &o->momentum_schedule, updates, 1);
    const double t = (double)(updates + 1);
    h->step = updates;
    h->seed = (int64_t)o->seed;
    h->momentum = (float)momentum;
    h->momentum_rest = (float)(1.0 - momentum);
    h->beta2 = (float)o->beta2;
    h->beta2_rest = (float)(1.0 - o->beta2);
    h->epsilon = (float)o->epsilon;
    h->correction1 = (float)(1.0 / (1.0 - pow(momentum, t)));
    h->correction2 = (float)(1.0 / sqrt(1.0 - pow(o->beta2, t)));
    h->clip_value = (float)o->clip_value;
    h->clip_norm = (float)o->clip_norm;
    h->scale_window = (float)o->loss_scale_window;
    for (size_t i = 0; i <= o->num_groups; i++) {
        h->lr[i] = (float)(opt->groups[i].lr * lr_scale);
        h->weight_decay[i] = (float)opt->groups[i].weight_decay;
        h->l1[i] = (float)opt->groups[i].l1;
        h->l2[i] = (float)opt->groups[i].l2;
    }
}

static void fill_for(clgrad_optimizer *opt, const clgrad_micro_batch *batch, int64_t updates)
{
    clgrad_optimizer_fill_hyper(opt, updates);
    clgrad_hyper *h = &opt->hyper;
    h->sample = batch->sample;
    h->offset = batch->offset;
    h->limit = batch->limit;
    h->scale = (float)batch->scale;
    h->keep_metric = batch->fresh_metric ? 0.0f : 1.0f;
    h->keep_sum = batch->first ? 0.0f : 1.0f;
}

static clgrad_status run_part(clgrad_step_part *part, clgrad_tensor *const *data, size_t count)
{
    for (size_t i = 0; i < part->num_inputs; i++)
        if (part->data_index[i] != SIZE_MAX) part->inputs[i] = data[part->data_index[i]];
    return count == 1 ? clgrad_function_call(part->function, part->inputs, part->outputs, 0, NULL, NULL)
                      : clgrad_function_repeat(part->function, part->inputs, part->outputs, (int64_t)count);
}

size_t clgrad_optimizer_most_batches(const clgrad_optimizer *opt)
{
    const int64_t most = opt->whole.function ? clgrad_function_most_calls(opt->whole.function) : 1;
    return most < CLGRAD_HYPER_STEPS ? (size_t)most : CLGRAD_HYPER_STEPS;
}

clgrad_status clgrad_optimizer_run(clgrad_optimizer *opt, const clgrad_micro_batch *batches, size_t count)
{
    const clgrad_micro_batch *last = &batches[count - 1];
    for (size_t i = 0; i < count; i++) {
        fill_for(opt, &batches[i], opt->updates + (int64_t)i); /* several: each is an update */
        opt->hypers[i] = opt->hyper;
    }
    CLGRAD_TRY(clgrad_buffer_write(opt->hyper_buffer, 0, opt->hypers, count * sizeof *opt->hypers));
    if (opt->whole.function) {
        CLGRAD_TRY(run_part(&opt->whole, last->data, count));
    } else {
        CLGRAD_TRY(run_part(&opt->accumulate, last->data, 1));
        if (last->last) CLGRAD_TRY(clgrad_fail_midway(opt->ctx, run_part(&opt->update, last->data, 1)));
    }
    if (last->last) opt->updates += (int64_t)count;
    return CLGRAD_OK;
}

static clgrad_status check_data(const clgrad_optimizer *opt, clgrad_tensor *const *data)
{
    for (size_t i = 0; i < opt->num_data; i++)
        if (!data || !data[i]) return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer step: data tensor %zu is NULL", i);
    return CLGRAD_OK;
}

/* Several only where each is an update. */
static clgrad_status run_steps(clgrad_optimizer *opt, size_t count, clgrad_tensor *const *data)
{
    clgrad_micro_batch batches[CLGRAD_HYPER_STEPS];
    const size_t parts = opt->options.accumulate;
    for (size_t i = 0; i < count; i++)
        batches[i] = (clgrad_micro_batch){ .data = data,
                                           .sample = opt->hyper.sample,
                                           .scale = 1.0 / (double)parts,
                                           .first = opt->accumulated == 0,
                                           .last = opt->accumulated + 1 == parts,
                                           .fresh_metric = true };
    CLGRAD_TRY(clgrad_optimizer_run(opt, batches, count));
    opt->accumulated = batches[0].last ? 0 : opt->accumulated + 1;
    return CLGRAD_OK;
}

static clgrad_status run_all_steps(clgrad_optimizer *opt, size_t count, clgrad_tensor *const *data)
{
    const size_t most = clgrad_optimizer_most_batches(opt);
    for (size_t done = 0, now; done < count; done += now) {
        now = count - done < most ? count - done : most;
        const clgrad_status status = run_steps(opt, now, data);
        if (status != CLGRAD_OK) return done ? clgrad_fail_midway(opt->ctx, status) : status;
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_optimizer_steps(clgrad_optimizer *opt, size_t count, clgrad_tensor *const *data, size_t num_wait,
                                     clgrad_event *const *wait, clgrad_event **event)
{
    if (event) *event = NULL;
    if (count == 0) return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer steps: none are asked for");
    CLGRAD_TRY(check_data(opt, data));
    CLGRAD_TRY(clgrad_device_wait_for(opt->dev, num_wait, wait));
    CLGRAD_TRY(clgrad_device_mark_begin(opt->dev, event));
    return clgrad_device_mark_end(opt->dev, run_all_steps(opt, count, data), event);
}

clgrad_status clgrad_optimizer_step(clgrad_optimizer *opt, clgrad_tensor *const *data, size_t num_wait,
                                    clgrad_event *const *wait, clgrad_event **event)
{
    return clgrad_optimizer_steps(opt, 1, data, num_wait, wait, event);
}

clgrad_status clgrad_stop_status(int64_t stop) { return stop < 0 ? CLGRAD_E_INDEX : CLGRAD_E_NOT_FINITE; }

const char *clgrad_stop_text(int64_t stop) { return stop < 0 ? "an index was out of range" : "the loss became NaN or infinite"; }

clgrad_status clgrad_optimizer_loss(clgrad_optimizer *opt, double *loss)
{
    int64_t stop = 0;
    float value = 0;
    CLGRAD_TRY(clgrad_tensor_read(opt->stop, &stop, sizeof stop));
    CLGRAD_TRY(clgrad_tensor_read(opt->metric, &value, sizeof value));
    *loss = value;
    if (stop == 0) return CLGRAD_OK;
    return clgrad_fail(opt->ctx, clgrad_stop_status(stop), "%s in update %lld; updates stopped before it", clgrad_stop_text(stop),
                       llabs((long long)stop));
}

void clgrad_optimizer_report(clgrad_optimizer *opt, double metric)
{
    clgrad_plateau_report(&opt->plateau[0], &opt->options.lr_schedule, metric);
    clgrad_plateau_report(&opt->plateau[1], &opt->options.momentum_schedule, metric);
}

void clgrad_optimizer_set_sample(clgrad_optimizer *opt, int64_t sample) { opt->hyper.sample = sample; }
int64_t clgrad_optimizer_updates(const clgrad_optimizer *opt) { return opt->updates; }

/* --- what a checkpoint keeps --- */

void clgrad_optimizer_get_progress(const clgrad_optimizer *opt, clgrad_optimizer_progress *out)
{
    *out = (clgrad_optimizer_progress)CLGRAD_OPTIMIZER_PROGRESS_INIT;
    out->updates = opt->updates;
    out->sample = opt->hyper.sample;
    for (size_t i = 0; i < 2; i++) {
        out->plateau[i].best = opt->plateau[i].best;
        out->plateau[i].scale = opt->plateau[i].scale;
        out->plateau[i].bad = opt->plateau[i].bad;
    }
}

clgrad_status clgrad_optimizer_set_progress(clgrad_optimizer *opt, const clgrad_optimizer_progress *progress)
{
    if (progress->struct_size != sizeof *progress || progress->updates < 0)
        return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer progress: struct_size or updates is outside its range");
    const int64_t zero = 0;
    CLGRAD_TRY(clgrad_tensor_write(opt->stop, &zero, sizeof zero));
    opt->updates = progress->updates;
    opt->hyper.sample = progress->sample;
    opt->accumulated = 0;
    for (size_t i = 0; i < 2; i++)
        opt->plateau[i] = (clgrad_plateau){ progress->plateau[i].best, progress->plateau[i].scale, progress->plateau[i].bad };
    return CLGRAD_OK;
}

clgrad_tensor *clgrad_optimizer_parameter(const clgrad_optimizer *opt, size_t i)
{
    return i < opt->arena->num_segments ? opt->theta->views[i] : NULL;
}

clgrad_tensor *clgrad_optimizer_scaling(const clgrad_optimizer *opt) { return opt->scaling; }

clgrad_tensor *clgrad_optimizer_state(const clgrad_optimizer *opt, size_t parameter, size_t i, const char **name)
{
    if (parameter >= opt->arena->num_segments || i >= clgrad_rule_num_states(opt->rule)) return NULL;
    if (opt->groups[opt->arena->segments[parameter].group].frozen) return NULL;
    if (name) *name = opt->rule->states[i];
    return opt->states[i]->views[parameter];
}
