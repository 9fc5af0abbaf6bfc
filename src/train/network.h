#pragma once

/* The graphs of a training: what is minimised, how a batch is taken out of what lies on the device, what an evaluation counts. */

#include "model/model.h"
#include "schedule/schedule.h"
#include "train/dataset.h"

/* What the target means to the loss and to the metric. */
typedef struct clgrad_task {
    clgrad_model *model;
    const clgrad_loss_info *loss;
    int64_t outputs;
    bool classes; /* the metric is accuracy, else R^2 */
    float low, high; /* what stands for "no" and "yes" in targets that are no labels */
} clgrad_task;

/* Make the model and see that it fits the data. num_classes 0: unknown; targets are checked. E_CONFIG. */
clgrad_status clgrad_task_create(clgrad_context *ctx, const clgrad_settings *settings, const clgrad_dataset *data, clgrad_task *out);
void clgrad_task_release(clgrad_task *task);
/* The width of the first of model.layers. */
int64_t clgrad_layers_inputs(const char *layers);
/* The first values of parameter i, on a device. */
clgrad_status clgrad_task_draw(const clgrad_task *task, clgrad_device *dev, uint64_t seed, size_t i, clgrad_tensor **out);

/* Targets as the loss takes them: i32 labels [count], or f32 [count, outputs]. E_CONFIG. */
clgrad_status clgrad_task_encode(const clgrad_task *task, const clgrad_dataset *data, clgrad_array *out);

/* What the objective joins: model and loss, and how. */
clgrad_status clgrad_task_parts(const clgrad_task *task, int64_t batch, clgrad_graph **model, clgrad_graph **loss,
                                clgrad_objective_options *options);
/* Parameters, x, y, w (and hyper.*) -> the sum over samples of w * loss, summed by cells. */
clgrad_status clgrad_task_objective(const clgrad_task *task, int64_t batch, clgrad_graph **out);
/* How a batch is taken out of what lies on the device. */
typedef struct clgrad_front {
    int64_t count; /* samples that lie there */
    int64_t batch;
    bool ordered;  /* they are looked up in an order, else taken as they lie: when they are one batch, without a copy */
    bool mask;     /* say which samples of the batch are real */
} clgrad_front;
/* features, targets, weights, order (named d.0 .. d.3) and hyper.offset, hyper.limit -> x, y, w (d.0 .. d.2), and, with mask, 1 for
 * each real sample (d.3). Samples from limit on have weight 0. Of one batch as it lies x and y are the inputs themselves. */
clgrad_status clgrad_task_front(const clgrad_task *task, clgrad_context *ctx, const clgrad_front *front, clgrad_graph **out);
/* As front joined with the model without dropout: parameters, d.0 .. d.3 -> "sums" [2]: w * loss; hits, or squared errors. */
clgrad_status clgrad_task_evaluation(const clgrad_task *task, clgrad_context *ctx, const clgrad_front *front, clgrad_graph **out);
/* Parameters, x -> what a prediction shows: softmax, sigmoid, or the outputs themselves. */
clgrad_status clgrad_task_prediction(const clgrad_task *task, int64_t batch, clgrad_graph **out);
