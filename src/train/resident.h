#pragma once

/* A data set in device memory, and evaluation over its sets. */

#include "optim/hyper.h"
#include "train/network.h"

typedef struct clgrad_resident {
    clgrad_tensor *features, *targets, *weights;
    clgrad_tensor *order;    /* i32 [count]: the samples by set, as the data set has them */
    clgrad_tensor *shuffled; /* i32 [count]: the training set in this epoch's order */
} clgrad_resident;

uint64_t clgrad_resident_bytes(const clgrad_task *task, const clgrad_dataset *data);
/* Upload. What is made before a failure is released by clgrad_resident_release. */
clgrad_status clgrad_resident_create(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, clgrad_resident *out);
void clgrad_resident_release(clgrad_resident *resident);

typedef struct clgrad_evaluator {
    clgrad_device *dev;
    const clgrad_task *task;
    const clgrad_dataset *data;
    clgrad_function *function;
    clgrad_buffer *hyper;
    clgrad_tensor *offset, *limit, *sums;
    clgrad_tensor **inputs; /* of function; borrowed */
    int64_t batch;
} clgrad_evaluator;

/* params: one per parameter of the model, borrowed, read at each run. task, data and resident must outlive the evaluator. */
clgrad_status clgrad_evaluator_create(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data,
                                      const clgrad_resident *resident, clgrad_tensor *const *params, clgrad_evaluator *out);
void clgrad_evaluator_release(clgrad_evaluator *evaluator);
/* Weighted mean loss, and accuracy or R^2, over one set; NAN for both when it is empty. Waits. */
clgrad_status clgrad_evaluator_run(clgrad_evaluator *evaluator, clgrad_subset set, double *loss, double *metric);
