#pragma once

/* A data set in device memory. */

#include "train/network.h"

typedef struct clgrad_resident {
    clgrad_tensor *features, *targets, *weights;
    clgrad_tensor *order;    /* i32 [count]: the samples by set, as the data set has them */
    clgrad_tensor *shuffled; /* i32 [count]: the training set in this epoch's order */
} clgrad_resident;

uint64_t clgrad_resident_bytes(const clgrad_task *task, const clgrad_dataset *data);
/* Of the largest array, which is one allocation. */
uint64_t clgrad_resident_largest(const clgrad_task *task, const clgrad_dataset *data);
/* Upload. What is made before a failure is released by clgrad_resident_release. */
clgrad_status clgrad_resident_create(clgrad_device *dev, const clgrad_task *task, const clgrad_dataset *data, clgrad_resident *out);
void clgrad_resident_release(clgrad_resident *resident);
