#pragma once

/* One training: everything it holds, and its parts in the order they act. */

#include "train/checkpoint.h"
#include "train/evaluator.h"

/* Running loss and stop flag of one window of updates, on their way to the host. */
typedef struct clgrad_late_read {
    clgrad_event *loss_event, *stop_event; /* NULL: nothing on its way */
    const float *loss;                     /* in the events' memory, as is stop */
    const int64_t *stop;
    double weight;
} clgrad_late_read;

typedef struct clgrad_trainer {
    clgrad_device *dev;
    clgrad_context *ctx;
    const clgrad_config *config;
    const clgrad_settings *settings;
    const clgrad_train_callbacks *callbacks; /* never NULL */
    clgrad_train_result *result;

    clgrad_dataset data;
    clgrad_task task;
    bool streams; /* the data do, from host memory */
    bool evaluates; /* not where only the step is looked at */
    clgrad_source source;
    clgrad_reader reader; /* of the training set */
    clgrad_optimizer *opt;
    clgrad_micro_batch pending[CLGRAD_HYPER_STEPS]; /* gathered for one launch, not enqueued yet */
    size_t num_pending;
    clgrad_tensor **params; /* borrowed from opt */
    clgrad_evaluator evaluator;
    float *mean, *scale; /* NULL: inputs as they are */
    clgrad_array *best;  /* by parameter; contents only when has_best */
    bool has_best;

    int64_t num_train, steps_per_epoch, steps, window;
    uint32_t *order, *permutation; /* the training set in this epoch's order; room for its making */
    int64_t order_epoch;           /* which epoch order stands for; -1: none */
    clgrad_run_state state;
    clgrad_late_read late[2];
    size_t next_late;
    double window_weight;

    double started, last_progress; /* started: when the first update of this run had ended */
    int64_t samples, untimed; /* of this run; those of its first update */
    double epoch_loss, validation_loss, validation_metric;
    bool saved; /* the file holds this very state */
} clgrad_trainer;

/* Read the data, make everything, load the checkpoint if resume. On failure the trainer is to be released all the same. */
clgrad_status clgrad_trainer_set_up(clgrad_trainer *t, bool resume);
void clgrad_trainer_release(clgrad_trainer *t);
/* From data and task to the compiled step and the data on the device, without evaluation. */
clgrad_status clgrad_trainer_make_step(clgrad_trainer *t);
/* Enqueue one update with the next samples; from the first again where they have come to an end. */
clgrad_status clgrad_trainer_update(clgrad_trainer *t);

/* At any time: what has not arrived goes on arriving in memory of the device's. */
void clgrad_late_read_release(clgrad_late_read *late);

/* All epochs that are left. */
clgrad_status clgrad_trainer_run(clgrad_trainer *t);
/* Write the checkpoint, where a file is asked for. */
clgrad_status clgrad_trainer_save(clgrad_trainer *t);
/* Call back; false when the training shall stop. */
bool clgrad_trainer_report(clgrad_trainer *t, bool epoch_end);
/* One line for the log, from "event" on. */
clgrad_status clgrad_trainer_log(clgrad_trainer *t, const char *event);
