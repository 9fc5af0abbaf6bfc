/* The loop: batches, updates, epochs. Nothing in it waits for the step just enqueued: the running loss and the stop flag of a window
 * of updates are read while the next window runs. */

#include "train/trainer.h"

#include "base/os.h"

/* --- the order of an epoch --- */

static clgrad_status shuffle(clgrad_trainer *t)
{
    if (t->order_epoch == t->state.epoch) return CLGRAD_OK;
    t->order_epoch = t->state.epoch;
    if (!t->settings->train_shuffle) return CLGRAD_OK;
    const uint32_t *samples = clgrad_dataset_order(&t->data, CLGRAD_SUBSET_TRAIN);
    clgrad_random_permutation((uint64_t)t->settings->train_seed, CLGRAD_DRAW_SHUFFLE, (uint64_t)t->state.epoch, t->permutation,
                              (uint32_t)t->num_train);
    for (int64_t i = 0; i < t->num_train; i++) t->order[i] = samples[t->permutation[i]];
    clgrad_reader_restart(&t->reader);
    if (t->streams) return CLGRAD_OK;
    return clgrad_tensor_write(t->source.resident.shuffled, t->order, (size_t)t->data.count * sizeof *t->order);
}

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

static double weight_between(const clgrad_trainer *t, int64_t first, int64_t end)
{
    double sum = 0;
    for (int64_t i = first; i < end; i++) sum += (double)clgrad_dataset_weight(&t->data, t->order[i]);
    return sum;
}

/* --- enqueueing --- */

static clgrad_status enqueue(clgrad_trainer *t)
{
    const size_t count = t->num_pending;
    t->num_pending = 0;
    return count ? clgrad_optimizer_run(t->opt, t->pending, count) : CLGRAD_OK;
}

/* Updates that one launch may do are gathered until it is full. What they read must stay until they are enqueued. */
static clgrad_status gather(clgrad_trainer *t, const clgrad_micro_batch *batch)
{
    t->pending[t->num_pending++] = *batch;
    return t->num_pending == clgrad_optimizer_most_batches(t->opt) ? enqueue(t) : CLGRAD_OK;
}

/* --- reading late --- */

static clgrad_status read_scalar_later(clgrad_tensor *tensor, const void **data, clgrad_event **event)
{
    const size_t bytes = clgrad_dtype_bytes(tensor->dtype);
    return clgrad_buffer_read_later(tensor->buffer, (size_t)tensor->offset * bytes, bytes, data, event);
}

void clgrad_late_read_release(clgrad_late_read *late)
{
    clgrad_event_release(&late->loss_event);
    clgrad_event_release(&late->stop_event);
}

static clgrad_status begin_read(clgrad_trainer *t)
{
    clgrad_late_read *late = &t->late[t->next_late];
    const void *loss = NULL, *stop = NULL;
    late->weight = t->window_weight;
    t->window_weight = 0;
    t->state.window = 0;
    clgrad_status st = read_scalar_later(t->opt->metric, &loss, &late->loss_event);
    if (st == CLGRAD_OK) st = read_scalar_later(t->opt->stop, &stop, &late->stop_event);
    late->loss = loss;
    late->stop = stop;
    if (st == CLGRAD_OK)
        t->next_late = 1 - t->next_late;
    else
        clgrad_late_read_release(late);
    return st;
}

static clgrad_status stopped(clgrad_trainer *t, int64_t stop)
{
    const int64_t step = (stop < 0 ? -stop : stop) - 1;
    return clgrad_fail(t->ctx, clgrad_stop_status(stop), "%s in epoch %lld, step %lld; no update was made from there on%s%s",
                       clgrad_stop_text(stop), (long long)(step / t->steps_per_epoch + 1), (long long)(step + 1),
                       *t->settings->save ? "; the last good state, if an epoch was completed, is in " : "", t->settings->save);
}

static clgrad_status settle(clgrad_trainer *t, clgrad_late_read *late)
{
    if (!late->stop_event) return CLGRAD_OK;
    clgrad_status st = clgrad_event_wait(late->loss_event);
    if (st == CLGRAD_OK) st = clgrad_event_wait(late->stop_event);
    if (st == CLGRAD_OK && *late->stop != 0) st = stopped(t, *late->stop);
    if (st == CLGRAD_OK) {
        t->state.loss_sum += (double)*late->loss;
        t->state.weight_sum += late->weight;
    }
    clgrad_late_read_release(late);
    return st;
}

/* Ends a window: enqueues what is left of it; what is on its way from the one before is waited for, which bounds how far the host runs ahead. */
static clgrad_status close_window(clgrad_trainer *t)
{
    CLGRAD_TRY(enqueue(t));
    CLGRAD_TRY(begin_read(t));
    return settle(t, &t->late[t->next_late]);
}

static clgrad_status settle_all(clgrad_trainer *t)
{
    if (t->state.window > 0) CLGRAD_TRY(close_window(t));
    CLGRAD_TRY(settle(t, &t->late[t->next_late]));
    return settle(t, &t->late[1 - t->next_late]);
}

/* --- one update --- */

/* Drivers finish compiling at the first launch of a kernel, so the first update is waited for and left out of the speed. */
static clgrad_status start_clock(clgrad_trainer *t)
{
    CLGRAD_TRY(enqueue(t));
    CLGRAD_TRY(clgrad_device_finish(t->dev));
    t->untimed = t->samples;
    t->started = clgrad_os_seconds();
    return CLGRAD_OK;
}

static clgrad_status run_update(clgrad_trainer *t)
{
    const int64_t batch = t->settings->train_batch, first = t->state.offset;
    const int64_t end = min_i64(first + batch * t->settings->train_accumulate, t->num_train);
    const double weight = weight_between(t, first, end);
    for (int64_t offset = first; offset < end; offset += batch) {
        if (!clgrad_reader_holds(&t->reader, offset)) CLGRAD_TRY(enqueue(t));
        CLGRAD_TRY(clgrad_reader_seek(&t->reader, t->order, offset, t->num_train));
        const clgrad_micro_batch micro = { .data = t->reader.data,
                                           .sample = t->state.epoch * t->num_train + offset,
                                           .offset = t->reader.offset,
                                           .limit = t->reader.limit,
                                           .scale = weight > 0 ? 1.0 / weight : 0.0,
                                           .first = offset == first,
                                           .last = offset + batch >= end,
                                           .fresh_metric = t->state.window == 0 && offset == first };
        CLGRAD_TRY(gather(t, &micro));
    }
    t->saved = false;
    t->state.offset = end;
    t->state.window++;
    t->window_weight += weight;
    t->samples += end - first;
    return t->untimed == 0 ? start_clock(t) : CLGRAD_OK;
}

clgrad_status clgrad_trainer_update(clgrad_trainer *t)
{
    if (t->state.offset >= t->num_train) t->state.offset = 0;
    CLGRAD_TRY(run_update(t));
    return enqueue(t);
}

static clgrad_status interrupted(clgrad_trainer *t)
{
    CLGRAD_TRY(settle_all(t));
    CLGRAD_TRY(clgrad_trainer_save(t));
    return clgrad_fail(t->ctx, CLGRAD_E_INTERRUPTED, "stopped on request in epoch %lld after %lld steps%s%s",
                       (long long)(t->state.epoch + 1), (long long)clgrad_optimizer_updates(t->opt),
                       *t->settings->save ? "; the training can be resumed from " : "", t->settings->save);
}

static bool done(const clgrad_trainer *t)
{
    return clgrad_optimizer_updates(t->opt) + (int64_t)t->num_pending >= t->steps || t->state.stopped_early;
}

static clgrad_status run_batches(clgrad_trainer *t)
{
    CLGRAD_TRY(shuffle(t));
    while (t->state.offset < t->num_train && !done(t)) {
        CLGRAD_TRY(run_update(t));
        if (t->state.window < t->window) continue;
        CLGRAD_TRY(close_window(t));
        if (!clgrad_trainer_report(t, false)) return interrupted(t);
    }
    return settle_all(t);
}

/* --- the end of an epoch --- */

static clgrad_status keep_best(clgrad_trainer *t)
{
    for (size_t i = 0; i < clgrad_model_num_parameters(t->task.model); i++) {
        clgrad_array *best = &t->best[i];
        if (!best->data) CLGRAD_TRY(clgrad_array_create(t->ctx, CLGRAD_F32, t->params[i]->shape, best));
        CLGRAD_TRY(clgrad_tensor_read(t->params[i], best->data, clgrad_array_bytes(best)));
    }
    t->has_best = true;
    return CLGRAD_OK;
}

static clgrad_status judge(clgrad_trainer *t)
{
    const int64_t patience = t->settings->train_patience;
    if (patience == 0 || isnan(t->validation_loss)) return CLGRAD_OK;
    if (t->validation_loss < t->state.best_loss) {
        t->state.best_loss = t->validation_loss;
        t->state.bad_epochs = 0;
        return keep_best(t);
    }
    t->state.stopped_early = ++t->state.bad_epochs >= patience;
    return CLGRAD_OK;
}

static clgrad_status end_epoch(clgrad_trainer *t)
{
    t->epoch_loss = t->state.loss_sum / t->state.weight_sum;
    CLGRAD_TRY(clgrad_evaluator_run(&t->evaluator, CLGRAD_SUBSET_VALIDATION, &t->validation_loss, &t->validation_metric));
    clgrad_optimizer_report(t->opt, isnan(t->validation_loss) ? t->epoch_loss : t->validation_loss);
    CLGRAD_TRY(judge(t));
    t->state.epoch++;
    t->state.offset = 0;
    t->state.loss_sum = t->state.weight_sum = 0;
    CLGRAD_TRY(clgrad_trainer_log(t, "epoch"));
    const bool save = t->state.epoch % t->settings->train_checkpoint == 0 || done(t);
    return save ? clgrad_trainer_save(t) : CLGRAD_OK;
}

clgrad_status clgrad_trainer_run(clgrad_trainer *t)
{
    while (!done(t)) {
        CLGRAD_TRY(run_batches(t));
        if (t->state.offset < t->num_train) break; /* train.steps ends within an epoch */
        CLGRAD_TRY(end_epoch(t));
        if (!clgrad_trainer_report(t, true) && !done(t)) return interrupted(t);
    }
    return t->saved ? CLGRAD_OK : clgrad_trainer_save(t);
}
