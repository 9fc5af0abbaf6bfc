#pragma once

/* Models on disk: parameters, and what a training needs to go on, in one safetensors file.
 *
 * Tensors    <parameter>, the ones to use; train.<parameter>, those the training is at, where they differ (early stopping keeps the
 *            best); state.<state>.<parameter>; input.mean and input.scale, where inputs are standardised.
 * Metadata   format, version, device, driver, arithmetic, digest; config, progress, classes, fill as JSON texts. */

#include "clgrad/io.h"
#include "optim/optimizer.h"
#include "train/network.h"

/* Where a training is, beside what the optimizer holds. */
typedef struct clgrad_run_state {
    int64_t epoch;  /* completed ones */
    int64_t offset; /* samples of the current epoch done */
    int64_t window; /* updates since the running loss was read; always 0 in a file */
    double loss_sum, weight_sum; /* of the current epoch */
    double best_loss;
    int64_t bad_epochs;
    bool stopped_early;
} clgrad_run_state;

typedef struct clgrad_checkpoint {
    clgrad_device *dev;
    const clgrad_config *config;
    const clgrad_task *task;
    const clgrad_dataset *data;
    const clgrad_optimizer *opt;
    const clgrad_array *best; /* by parameter, or NULL */
    const float *mean, *scale; /* NULL: inputs as they are */
    const clgrad_run_state *state;
} clgrad_checkpoint;

/* Write path (nothing when it is NULL); a file there before becomes path.previous. digest gets the hexadecimal SHA-256 of the parameters to use. E_FILE:
 * the files are as before. */
clgrad_status clgrad_checkpoint_save(const clgrad_checkpoint *what, const char *path, char digest[65]);

/* An opened file and its metadata. */
typedef struct clgrad_model_file {
    clgrad_context *ctx;
    const char *path; /* borrowed */
    clgrad_safetensors *file;
    json_t *config, *progress, *classes, *fill; /* progress, classes and fill may be NULL */
    clgrad_array mean, scale;                   /* data NULL when inputs are not standardised */
} clgrad_model_file;

/* E_FILE, E_FORMAT: no clgrad model, or damaged. */
clgrad_status clgrad_model_file_open(clgrad_context *ctx, const char *path, clgrad_model_file *out);
void clgrad_model_file_release(clgrad_model_file *file);
/* Read an f32 tensor of exactly this shape into a tensor on a device. E_FORMAT when it is missing or another. */
clgrad_status clgrad_model_file_tensor(const clgrad_model_file *file, const char *name, clgrad_tensor *to);
/* Into fresh host memory of count values. */
clgrad_status clgrad_model_file_values(const clgrad_model_file *file, const char *name, const clgrad_shape *shape, clgrad_array *out);

/* Parameters, optimizer state, progress and best parameters of a file into a training. best: by parameter, made where the file has
 * them. E_CONFIG: the file was trained with a configuration that cannot be continued with this one. */
clgrad_status clgrad_checkpoint_load(const clgrad_model_file *file, const clgrad_config *config, clgrad_optimizer *opt,
                                     const clgrad_task *task, clgrad_run_state *state, clgrad_array *best, bool *has_best);

/* "fused, subnormals kept, exact division": what decides bits. Static. */
const char *clgrad_arithmetic_text(const clgrad_device *dev);
