#pragma once

/* Evaluation over the sets of a data set. */

#include "optim/hyper.h"
#include "train/source.h"

typedef struct clgrad_evaluator {
    clgrad_device *dev;
    const clgrad_source *source;
    clgrad_reader reader;
    clgrad_function *function;
    clgrad_buffer *hyper;
    clgrad_tensor *offset, *limit, *sums;
    clgrad_tensor **inputs; /* of function; borrowed */
    size_t data_input[4];   /* which of them is d.0, d.1, ...; SIZE_MAX: none */
    int64_t batch;
} clgrad_evaluator;

/* Device memory that it takes beside its source and the parameters. */
clgrad_status clgrad_evaluator_scratch(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, bool streams, uint64_t *bytes);
/* params: one per parameter of the model, borrowed, read at each run. The source must outlive the evaluator. */
clgrad_status clgrad_evaluator_create(const clgrad_source *source, clgrad_tensor *const *params, clgrad_evaluator *out);
void clgrad_evaluator_release(clgrad_evaluator *evaluator);
/* Weighted mean loss, and accuracy or R^2, over one set; NAN for both when it is empty. Waits. */
clgrad_status clgrad_evaluator_run(clgrad_evaluator *evaluator, clgrad_subset set, double *loss, double *metric);
