#pragma once

/**
 * Training from a configuration: data sets, loop, checkpoints, evaluation. What the command `clgrad` does, as calls.
 *
 * A configuration is filled by whoever comes last: defaults, then a file, the environment, the command line. The library never
 * prints: progress and log lines go to callbacks.
 */

#include "clgrad/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- configuration --- */

typedef enum clgrad_option_type {
    CLGRAD_OPTION_TEXT,
    CLGRAD_OPTION_INTEGER,
    CLGRAD_OPTION_REAL,
    CLGRAD_OPTION_FLAG,   /* true or false */
    CLGRAD_OPTION_CHOICE, /* one of clgrad_option_choice */
    CLGRAD_OPTION_LIST    /* JSON text: groups */
} clgrad_option_type;

/** One row of the option table: everything --help, the environment, JSON and checks need to know. */
typedef struct clgrad_option_info {
    size_t struct_size;
    clgrad_option_type type;
    const char *key;      /* "optimizer.lr": section.name in JSON, and what --set takes */
    const char *flag;     /* "lr" for --lr; NULL: --set only */
    const char *metavar;  /* "RATE" */
    const char *standard; /* default as text; "" for unset */
    double low, high;     /* INTEGER and REAL: range, both ends included */
    const char *help;     /* one sentence */
} clgrad_option_info;

/** Row i, NULL past the last. */
CLGRAD_API const clgrad_option_info *clgrad_option_get(size_t i);
/** CHOICE: the i-th allowed word, NULL past the last. */
CLGRAD_API const char *clgrad_option_choice(const clgrad_option_info *option, size_t i);
/** The environment variable of an option, CLGRAD_TRAIN_OPTIMIZER_LR; name has room for 64 bytes. Returns name. */
CLGRAD_API const char *clgrad_option_environment(const clgrad_option_info *option, char *name);

typedef struct clgrad_config clgrad_config;

/**
 * Configurations. Errors common to all calls that set values: CLGRAD_E_CONFIG names origin, key and what is wrong with the value,
 * with a suggestion for an unknown key; values set before it stay.
 */
CLGRAD_API clgrad_status clgrad_config_create(clgrad_context *ctx, clgrad_config **out);
CLGRAD_API void clgrad_config_release(clgrad_config **config);
/** JSON from a file. CLGRAD_E_FILE, CLGRAD_E_FORMAT (line and column in the text), CLGRAD_E_CONFIG. */
CLGRAD_API clgrad_status clgrad_config_load(clgrad_config *config, const char *path);
/** JSON from memory; `origin` names it in errors. */
CLGRAD_API clgrad_status clgrad_config_parse(clgrad_config *config, const char *json, const char *origin);
/** Every CLGRAD_TRAIN_... variable. */
CLGRAD_API clgrad_status clgrad_config_load_environment(clgrad_config *config);
/** One value as text. */
CLGRAD_API clgrad_status clgrad_config_set(clgrad_config *config, const char *key, const char *value, const char *origin);
/** "key=value", as --set takes it. */
CLGRAD_API clgrad_status clgrad_config_assign(clgrad_config *config, const char *assignment, const char *origin);
/** The configuration a model or checkpoint was trained with. Errors as reading that file. */
CLGRAD_API clgrad_status clgrad_config_load_model(clgrad_config *config, const char *path);
/** The whole configuration, resolved, as JSON. Release with clgrad_config_text_release. */
CLGRAD_API clgrad_status clgrad_config_dump(const clgrad_config *config, char **json);
CLGRAD_API void clgrad_config_text_release(clgrad_config *config, char **text);

/* --- training --- */

/** A look at a running training; values of the last interval. */
typedef struct clgrad_train_progress {
    size_t struct_size;
    int64_t epoch, epochs;   /* 1-based number of the current epoch */
    int64_t step, steps;     /* updates done and in all */
    double seconds, samples_per_second;
    double train_loss;       /* mean over the epoch so far; NAN before the first */
    double lr;
    bool epoch_end;          /* validation values are fresh; NAN where there is no validation set or the metric does not apply */
    double validation_loss, validation_metric;
} clgrad_train_progress;

/** What a run or an evaluation came to. Strings live as long as the device or the library. */
typedef struct clgrad_train_result {
    size_t struct_size;
    const char *device, *driver, *arithmetic; /* "fused, subnormals, exact division" and the like */
    const char *metric;          /* "accuracy", or "r2" for regression */
    int64_t epochs, steps, samples; /* done; training samples in the set */
    int64_t parameters;
    uint64_t memory_bytes;       /* needed on the device */
    double seconds, samples_per_second; /* of this run, from the end of its first update on: before it, programs are built */
    double train_loss, validation_loss, test_loss; /* weighted mean over the whole set at the end, without l1 and l2; NAN: no set */
    double train_metric, validation_metric, test_metric;
    bool stopped_early;
    char digest[65];             /* SHA-256 over the parameters, hexadecimal */
    const char *residency;       /* where the data were: "device", or "stream": in host memory, batch by batch to the device; "" before it is known */
} clgrad_train_result;

#define CLGRAD_TRAIN_RESULT_INIT { sizeof(clgrad_train_result), "", "", "", "", 0, 0, 0, 0, 0, 0.0, 0.0, NAN, NAN, NAN, NAN, NAN, NAN, false, "", "" }

typedef struct clgrad_train_callbacks {
    size_t struct_size;
    void *user;
    /** Called a few times a second at most and at each epoch's end. Return false to stop: a checkpoint is written first. */
    bool (*progress)(void *user, const clgrad_train_progress *progress);
    /** One JSON object without a newline: the start, each epoch, the end. */
    void (*log)(void *user, const char *json);
} clgrad_train_callbacks;

#define CLGRAD_TRAIN_CALLBACKS_INIT { sizeof(clgrad_train_callbacks), NULL, NULL, NULL }

/**
 * Train as configured and save what `save` names (nothing when it is unset): parameters, optimizer state and configuration in one
 * safetensors file, written anew at each epoch's end; the generation before is kept as FILE.previous.
 *
 * resume     continue from that file; the outcome is bit for bit that of a run never interrupted. More epochs may be asked for than
 *            before; other changes to the configuration that would break this are refused.
 * callbacks  may be NULL.
 * result     filled as far as the run came, also on failure.
 *
 * CLGRAD_E_CONFIG       values that do not fit together or do not fit the data; nothing was started.
 * CLGRAD_E_FILE, CLGRAD_E_FORMAT  the data, or the file to resume from.
 * CLGRAD_E_MEMORY       the run needs more than the device has, also with its data streamed (data.residency=device: with them on the
 *                       device); the text says both.
 * CLGRAD_E_INTERRUPTED  progress returned false; a checkpoint is written where `save` is set.
 * CLGRAD_E_NOT_FINITE   the loss became NaN or infinite; the text says where; the last good checkpoint stays.
 */
CLGRAD_API clgrad_status clgrad_train(clgrad_device *dev, const clgrad_config *config, bool resume,
                                      const clgrad_train_callbacks *callbacks, clgrad_train_result *result);

/**
 * Evaluate a saved model on data.path of the configuration (usually that of clgrad_config_load_model, with another path). The whole
 * of a CSV or NPY set is the test set, and the t10k files of MNIST; result->test_loss and test_metric are filled.
 */
CLGRAD_API clgrad_status clgrad_evaluate(clgrad_device *dev, const clgrad_config *config, const char *model,
                                         clgrad_train_result *result);

/** One sample's outputs: class probabilities for cross-entropy and bce, else the model's outputs; label is the most probable class, or -1. */
typedef void (*clgrad_predict_fn)(void *user, int64_t sample, const float *outputs, size_t count, int64_t label);

/** Apply a saved model to data.path; targets may be absent from CSV and NPY files. */
CLGRAD_API clgrad_status clgrad_predict(clgrad_device *dev, const clgrad_config *config, const char *model,
                                        clgrad_predict_fn predict, void *user);

/* --- looking at what a configuration computes --- */

typedef enum clgrad_workload_kind {
    CLGRAD_WORKLOAD_STEP,     /* one training step: a batch out of resident or streamed data, gradient, update */
    CLGRAD_WORKLOAD_FORWARD,  /* what a prediction shows, for one batch */
    CLGRAD_WORKLOAD_GRADIENT, /* loss and gradient for one batch */
    CLGRAD_WORKLOAD_HVP,      /* Hessian-vector products for one batch at a kept point */
    CLGRAD_WORKLOAD_GNVP      /* Gauss-Newton products, likewise */
} clgrad_workload_kind;

typedef struct clgrad_workload clgrad_workload;

/**
 * Compile what a configuration computes, exactly as training and prediction do, on a batch of made-up data (a step: eight batches):
 * its launches can be looked at and timed (clgrad_function_launch, clgrad_function_time). config must outlive the workload; its data, epochs and files
 * do not matter.
 *
 * CLGRAD_E_CONFIG  as clgrad_train. CLGRAD_E_ARG: there is no such kind. CLGRAD_E_MEMORY, and others as clgrad_function_create.
 */
CLGRAD_API clgrad_status clgrad_workload_create(clgrad_device *dev, const clgrad_config *config, clgrad_workload_kind kind,
                                                clgrad_workload **out);
CLGRAD_API void clgrad_workload_release(clgrad_workload **workload);
/** Enqueue it once. Errors as clgrad_function_call. */
CLGRAD_API clgrad_status clgrad_workload_run(clgrad_workload *workload);
/** Borrowed: function i of it, NULL past the last. when (may be NULL): how often it runs, "each step", "once at a point". */
CLGRAD_API clgrad_function *clgrad_workload_function(const clgrad_workload *workload, size_t i, const char **when);

/** Tensors, configuration and provenance of a safetensors file as JSON. Release with clgrad_inspect_release. */
CLGRAD_API clgrad_status clgrad_inspect(clgrad_context *ctx, const char *path, char **json);
CLGRAD_API void clgrad_inspect_release(clgrad_context *ctx, char **json);

#ifdef __cplusplus
}
#endif
