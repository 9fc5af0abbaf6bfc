#pragma once

/* Data sets in host memory: samples read from files, cut into training, validation and test set. */

#include "tensor/tensor.h"
#include "train/config.h"

/* Random streams beside the model room's (CLGRAD_DRAW_INIT, _DROPOUT), so that no two uses of one seed share draws. */
enum { CLGRAD_DRAW_SPLIT = 0x02000000, CLGRAD_DRAW_SHUFFLE = 0x02000001, CLGRAD_DRAW_MADE_UP = 0x02000002 };

typedef enum clgrad_subset { CLGRAD_SUBSET_TRAIN, CLGRAD_SUBSET_VALIDATION, CLGRAD_SUBSET_TEST, CLGRAD_SUBSET_COUNT } clgrad_subset;

/* What a saved model knows about its data: without it the data set finds out for itself. */
typedef struct clgrad_data_memory {
    int64_t num_features;      /* 0: unknown */
    json_t *classes;           /* texts of the labels; NULL: the target holds numbers, or unknown */
    json_t *fill;              /* what stands for missing values; NULL: none */
} clgrad_data_memory;

typedef struct clgrad_dataset {
    clgrad_context *ctx;
    int64_t count, num_features, num_classes; /* num_classes 0: the target is a number */
    clgrad_block *memory;  /* of the features, which a device may compute on where they lie */
    float *features;       /* [count, num_features] */
    float *targets;        /* [count]: label or number; NULL without targets */
    float *weights;        /* [count]; NULL: all 1 */
    char **classes;        /* num_classes texts; NULL where labels are numbers */
    double *fill;          /* num_features; NULL unless imputed */
    uint32_t *order;       /* all samples, by set */
    int64_t first[CLGRAD_SUBSET_COUNT + 1]; /* of each set in order */
    int64_t num_given_train; /* MNIST: samples of the train files, test files behind them; else count */
} clgrad_dataset;

typedef enum clgrad_data_use { CLGRAD_DATA_TRAIN, CLGRAD_DATA_EVALUATE, CLGRAD_DATA_PREDICT } clgrad_data_use;

/* Read what data.path names. For evaluation all samples (of MNIST: the test files) are the test set; for prediction likewise, and
 * targets may be missing. E_FILE, E_FORMAT, E_CONFIG, E_MEMORY. */
clgrad_status clgrad_dataset_load(clgrad_context *ctx, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                  clgrad_data_use use, clgrad_dataset *out);
void clgrad_dataset_release(clgrad_dataset *data);
/* Memory for `values` features of a data set that has none; data->ctx is set. */
clgrad_status clgrad_dataset_allocate(clgrad_dataset *data, size_t values);

/* Labels must be whole numbers 0 .. num_classes-1. E_CONFIG names the sample. */
clgrad_status clgrad_dataset_check_labels(const clgrad_dataset *data, int64_t num_classes);
/* Multiply sample weights by the weight of their class: "1,2,1", or "balanced": count / (classes * count of the class) over the
 * training set. E_CONFIG. */
clgrad_status clgrad_dataset_weigh_classes(clgrad_dataset *data, const char *text, int64_t num_classes);

static inline int64_t clgrad_dataset_size(const clgrad_dataset *data, clgrad_subset split)
{
    return data->first[split + 1] - data->first[split];
}
/* Samples of the largest set, at least 1. */
int64_t clgrad_dataset_largest(const clgrad_dataset *data);
static inline const uint32_t *clgrad_dataset_order(const clgrad_dataset *data, clgrad_subset split)
{
    return data->order + data->first[split];
}
static inline float clgrad_dataset_weight(const clgrad_dataset *data, uint32_t sample)
{
    return data->weights ? data->weights[sample] : 1.0f;
}

/* Mean and 1 / deviation of each feature over the training set, [num_features] each; a constant feature gets 1. */
clgrad_status clgrad_dataset_moments(const clgrad_dataset *data, float *mean, float *inverse_deviation);

/* feature = (feature - mean) * scale, in place. */
void clgrad_dataset_standardise(clgrad_dataset *data, const float *mean, const float *scale);

/* --- readers: fill features, targets, weights, classes, counts --- */

clgrad_status clgrad_dataset_read_mnist(clgrad_dataset *data, const char *directory, clgrad_data_use use);
clgrad_status clgrad_dataset_read_csv(clgrad_dataset *data, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                      clgrad_data_use use);
clgrad_status clgrad_dataset_read_npy(clgrad_dataset *data, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                      clgrad_data_use use);
