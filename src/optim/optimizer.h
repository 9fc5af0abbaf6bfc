#pragma once

/* The optimizer's inside, and what train asks of it beyond the public calls. */

#include "optim/schedules.h"
#include "optim/tail.h"
#include "schedule/schedule.h"

/* A tensor that the step's graphs know by name. */
typedef struct clgrad_named_tensor {
    char name[48];
    clgrad_tensor *tensor;
} clgrad_named_tensor;

/* One compiled part of a step, with its operands; NULL entries of inputs are data of the caller, numbered by data_index. */
typedef struct clgrad_step_part {
    clgrad_graph *graph; /* until it is compiled */
    clgrad_function *function;
    clgrad_tensor **inputs, **outputs;
    size_t *data_index; /* SIZE_MAX where the optimizer supplies the input */
    size_t num_inputs;
} clgrad_step_part;

struct clgrad_optimizer {
    size_t refs;
    clgrad_device *dev;
    clgrad_context *ctx;
    const clgrad_rule *rule;
    clgrad_optimizer_options options; /* defaults filled in; rule and groups point nowhere else but here */
    clgrad_group_options *groups;     /* options.num_groups, then one for the rest; defaults filled in */
    clgrad_arena *arena;
    clgrad_region *regions;
    size_t num_regions, num_data;
    clgrad_arena_vector *theta, *sum, *states[CLGRAD_MAX_STATES];
    clgrad_buffer *hyper_buffer;
    clgrad_tensor *stop, *metric, *scaling; /* scaling: NULL without loss scaling */
    clgrad_named_tensor *named;
    size_t num_named, named_capacity;
    clgrad_step_part whole, accumulate, update; /* whole, or the other two */
    uint64_t need_bytes;                        /* of everything, the caller's other_bytes included */
    clgrad_hyper hyper;   /* of the next step */
    clgrad_hyper *hypers; /* of the steps of one launch: what is written to hyper_buffer */
    int64_t updates;
    size_t accumulated; /* steps since the last update */
    clgrad_plateau plateau[2]; /* learning rate, momentum */
};

/* The function to be minimised. */
typedef struct clgrad_optimizer_source {
    const clgrad_graph *f; /* inputs: parameters, then data */
    size_t output, num_parameters;
    /* One per input of f: whether its axis 0 counts samples, so that sums over samples go by cells. NULL: no cells. */
    const bool *sample_inputs;
    /* What makes f's data from other data, or NULL. Its outputs d.0, d.1, ... are f's data inputs in order; its own inputs are
     * d.0, d.1, ..., the data of each step, and fields hyper.*. */
    clgrad_graph *front;
    uint64_t *need_bytes; /* gets what it all needs, also when that is refused; may be NULL */
    uint64_t other_bytes; /* of device memory that the caller will hold besides: counted when need is compared with what is there */
} clgrad_optimizer_source;
clgrad_status clgrad_optimizer_create_from(clgrad_device *dev, const clgrad_optimizer_source *source,
                                           clgrad_tensor *const *initial, const clgrad_optimizer_options *options,
                                           clgrad_optimizer **out);

/* Check every option and fill in the rule's defaults. out->rule, options and groups are set. */
clgrad_status clgrad_optimizer_resolve(clgrad_optimizer *opt, const clgrad_optimizer_options *options);
/* The group (index into opt->groups) of a parameter. */
uint32_t clgrad_optimizer_group_of(const clgrad_optimizer *opt, const char *parameter);

/* Fill the struct for a step that has so many updates before it, from options and schedules. */
void clgrad_optimizer_fill_hyper(clgrad_optimizer *opt, int64_t updates);

/* One micro-batch: the sum of the gradient is multiplied by `scale` at the update, which happens if `last`. Used by train, which
 * counts samples itself; clgrad_optimizer_step is this with scale 1 / accumulate. */
typedef struct clgrad_micro_batch {
    clgrad_tensor *const *data;
    int64_t sample, offset, limit;
    double scale;
    bool first, last, fresh_metric; /* of the update's micro-batches; the running loss starts anew */
} clgrad_micro_batch;
/* count: at most clgrad_optimizer_most_batches. Their data are the same tensors. */
clgrad_status clgrad_optimizer_run(clgrad_optimizer *opt, const clgrad_micro_batch *batches, size_t count);
/* Steps that one launch may do, 1 to CLGRAD_HYPER_STEPS. */
size_t clgrad_optimizer_most_batches(const clgrad_optimizer *opt);

/* What the flag says happened in update number |stop|, as a status with its sentence; stop is not 0. */
clgrad_status clgrad_stop_status(int64_t stop);
const char *clgrad_stop_text(int64_t stop);

/* Bytes of device memory for parameters, state and sums. */
uint64_t clgrad_optimizer_vector_bytes(const clgrad_optimizer *opt);
/* E_MEMORY saying both when a need exceeds what the device has. */
clgrad_status clgrad_memory_check(const clgrad_device *dev, uint64_t need_bytes, const char *what);
