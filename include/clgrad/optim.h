#pragma once

/**
 * Optimizers: update rules, learning-rate and momentum schedules, clipping, parameter groups.
 *
 * An optimizer owns the parameters of one scalar function, compiled together with its gradient and the update into one
 * launch list. A step enqueues and returns; nothing is read back unless asked for.
 */

#include "clgrad/schedule.h"

#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- rules --- */

/** One update rule: its name, its formula in one line and where that comes from, and which options it takes. */
typedef struct clgrad_rule_info {
    size_t struct_size;
    const char *name, *formula, *source;
    double lr, momentum, beta2, epsilon, weight_decay; /* defaults; NAN for an option the rule does not take */
} clgrad_rule_info;

/** Rule number i, NULL past the last. */
CLGRAD_API const clgrad_rule_info *clgrad_rule_get(size_t i);

/* --- schedules --- */

/**
 * How a value moves over the steps, as a multiple of its base. Ticks count `unit` steps from the end of the warm-up:
 * t = floor((step - warmup) / unit).
 *
 *   CONSTANT     1
 *   STEP         factor ^ floor(t / period)
 *   EXPONENTIAL  factor ^ t
 *   COSINE       end + (1 - end) (1 + cos(pi min(t / period, 1))) / 2
 *   LINEAR       1 + (end - 1) min(t / period, 1)
 *   PLATEAU      multiplied by factor, not below end, whenever `patience` reports in a row brought no progress
 *
 * Warm-up: (step + 1) / warmup while step < warmup. Source: the schedulers of torch.optim.lr_scheduler.
 */
typedef enum clgrad_schedule_kind {
    CLGRAD_SCHEDULE_CONSTANT,
    CLGRAD_SCHEDULE_STEP,
    CLGRAD_SCHEDULE_EXPONENTIAL,
    CLGRAD_SCHEDULE_COSINE,
    CLGRAD_SCHEDULE_LINEAR,
    CLGRAD_SCHEDULE_PLATEAU,
    CLGRAD_SCHEDULE_COUNT
} clgrad_schedule_kind;

typedef struct clgrad_schedule {
    clgrad_schedule_kind kind;
    int64_t unit;     /* steps per tick; 0 counts as 1 */
    int64_t period;   /* STEP, COSINE, LINEAR: ticks, > 0 */
    int64_t warmup;   /* steps, >= 0 */
    int64_t patience; /* PLATEAU: reports without progress that are borne */
    double factor;    /* STEP, EXPONENTIAL, PLATEAU */
    double end;       /* COSINE, LINEAR: last multiple; PLATEAU: smallest multiple */
    double threshold; /* PLATEAU: progress is a metric below best - |best| threshold */
} clgrad_schedule;

#define CLGRAD_SCHEDULE_INIT { CLGRAD_SCHEDULE_CONSTANT, 1, 1, 0, 10, 0.1, 0.0, 1e-4 }

/** The multiple at a step. For PLATEAU the warm-up alone: its multiple is the optimizer's state. */
CLGRAD_API double clgrad_schedule_factor(const clgrad_schedule *schedule, int64_t step);
/** "constant", "step", ... ; NULL for none. */
CLGRAD_API const char *clgrad_schedule_name(clgrad_schedule_kind kind);

/* --- groups --- */

enum { CLGRAD_MAX_GROUPS = 15 };

/** Parameters with hyperparameters of their own; NAN: as in the options. */
typedef struct clgrad_group_options {
    const char *match; /* pattern over parameter names: * ? [a-z] [!a-z]. A parameter belongs to the first group that matches. */
    double lr, weight_decay, l1, l2;
    bool frozen;       /* never updated, no gradient is computed */
} clgrad_group_options;

#define CLGRAD_GROUP_OPTIONS_INIT { "*", NAN, NAN, NAN, NAN, false }

/** Does text match the pattern? */
CLGRAD_API bool clgrad_pattern_match(const char *pattern, const char *text);

/* --- optimizers --- */

typedef struct clgrad_optimizer clgrad_optimizer;

typedef struct clgrad_optimizer_options {
    size_t struct_size;
    const char *rule; /* clgrad_rule_get lists them */
    double lr, momentum, beta2, epsilon, weight_decay; /* NAN: the rule's default. momentum is Adam's beta1, beta2 RMSProp's alpha */
    double l1, l2;         /* adds l1 sum |p| + l2/2 sum p^2 to the function */
    double clip_value;     /* each gradient element to [-clip_value, clip_value]; 0: off */
    double clip_norm;      /* the gradient's norm over all parameters to at most clip_norm, after clip_value; 0: off */
    size_t accumulate;     /* steps whose mean gradient makes one update; 0 counts as 1 */
    uint64_t seed;         /* what the input hyper.seed reads */
    clgrad_schedule lr_schedule, momentum_schedule;
    const clgrad_group_options *groups; /* copied */
    size_t num_groups;     /* at most CLGRAD_MAX_GROUPS */
    double loss_scale;     /* a power of two, 1 to 2^30, at first; 0: off. See clgrad_optimizer_step */
    int64_t loss_scale_window; /* updates without overflow after which the scale doubles; 0 counts as 2000 */
} clgrad_optimizer_options;

#define CLGRAD_OPTIMIZER_OPTIONS_INIT                                                                    \
    { sizeof(clgrad_optimizer_options), "sgd", NAN, NAN, NAN, NAN, NAN, 0.0, 0.0, 0.0, 0.0, 1, 0,        \
      CLGRAD_SCHEDULE_INIT, CLGRAD_SCHEDULE_INIT, NULL, 0, 0.0, 0 }

/**
 * Make an optimizer for scalar output number `output` of f.
 *
 * f            its first num_parameters inputs are the parameters (f32); the others are data, given to each step. Inputs
 *              named hyper.step, hyper.seed and hyper.sample (i64 scalars) are supplied by the optimizer: the number of the
 *              update, options->seed, and samples counted by clgrad_optimizer_set_sample: what random nodes are keyed by.
 * initial      the parameters' first values, copied.
 * options      NULL: SGD with its defaults.
 *
 * CLGRAD_E_ARG    an unknown rule (the text suggests one), an option out of its range or one the rule does not take, no
 *                 parameter that is not frozen, an output or parameters that f does not have.
 * CLGRAD_E_SHAPE, CLGRAD_E_DTYPE  an initial tensor does not match its input; the output is no real scalar.
 * Otherwise as clgrad_gradient and clgrad_function_create.
 */
CLGRAD_API clgrad_status clgrad_optimizer_create(clgrad_device *dev, const clgrad_graph *f, size_t output,
                                                 size_t num_parameters, clgrad_tensor *const *initial,
                                                 const clgrad_optimizer_options *options, clgrad_optimizer **out);
CLGRAD_API clgrad_optimizer *clgrad_optimizer_retain(clgrad_optimizer *opt);
CLGRAD_API void clgrad_optimizer_release(clgrad_optimizer **opt);

/**
 * Enqueue one step: gradient at the parameters, clip, update. With `accumulate` > 1 every so many steps update once.
 * A loss that is NaN or infinite (or, with clip_norm, such a norm) stops all updates on the device from then on: the parameters
 * stay as they were, and clgrad_optimizer_loss says so. So does an index of f that is out of range: as NaN in the loss where a take
 * of reals brings it there, by a comparison of its own elsewhere.
 *
 * With loss_scale, f is multiplied by the scale before it is differentiated and the gradient divided by it afterwards, both exact: it
 * keeps gradients that f computes in f16 from vanishing. Where a gradient overflows, the update skips itself and the scale halves, down
 * to 1, where an overflow stops all updates; the loss itself is not looked at. A skipped update counts as an update: schedules and
 * Adam's corrections move on. Source: Micikevicius et al. 2018, Mixed precision training.
 *
 * data  one tensor per input of f behind the parameters that is not supplied by the optimizer, in order.
 *
 * Errors, order, threads: as clgrad_function_call. Bits: repeat.
 */
CLGRAD_API clgrad_status clgrad_optimizer_step(clgrad_optimizer *opt, clgrad_tensor *const *data, size_t num_wait,
                                               clgrad_event *const *wait, clgrad_event **event);
/**
 * Enqueue `count` steps on the same data, with the bits of so many calls of clgrad_optimizer_step. On CPU devices steps of less than some
 * milliseconds then cost no launch of their own: up to 32 are one (others: a launch or more each, as ever). hyper.sample is the same in all.
 *
 * Errors: as clgrad_optimizer_step, negative once some of the steps are enqueued. CLGRAD_E_ARG: count is 0.
 */
CLGRAD_API clgrad_status clgrad_optimizer_steps(clgrad_optimizer *opt, size_t count, clgrad_tensor *const *data, size_t num_wait,
                                                clgrad_event *const *wait, clgrad_event **event);

/** Wait and read the value of f, without l1 and l2, in the last step. CLGRAD_E_NOT_FINITE, CLGRAD_E_INDEX:
 *  updates stopped; the text names the update. */
CLGRAD_API clgrad_status clgrad_optimizer_loss(clgrad_optimizer *opt, double *loss);
/** Borrowed: with loss_scale, f32 [3]: the scale, its inverse, and the updates since it changed; else NULL. Its content changes with every
 *  update; like a state, it is written back to continue bit for bit. */
CLGRAD_API clgrad_tensor *clgrad_optimizer_scaling(const clgrad_optimizer *opt);
/** Tell the PLATEAU schedules a metric, smaller being better. */
CLGRAD_API void clgrad_optimizer_report(clgrad_optimizer *opt, double metric);
/** Set what hyper.sample reads in the next step. */
CLGRAD_API void clgrad_optimizer_set_sample(clgrad_optimizer *opt, int64_t sample);
/** Updates so far, and the learning rate of the next one (outside groups). */
CLGRAD_API int64_t clgrad_optimizer_updates(const clgrad_optimizer *opt);
CLGRAD_API double clgrad_optimizer_lr(const clgrad_optimizer *opt);

/** Borrowed: parameter i, in the shape f declares. Its content changes with every step. NULL when i is out of range. */
CLGRAD_API clgrad_tensor *clgrad_optimizer_parameter(const clgrad_optimizer *opt, size_t i);

/** Everything an optimizer holds beside the parameters and its options: write both back and it continues bit for bit. */
typedef struct clgrad_optimizer_progress {
    size_t struct_size;
    int64_t updates, sample;
    struct { double best, scale; int64_t bad; } plateau[2]; /* of the learning rate and the momentum */
} clgrad_optimizer_progress;

#define CLGRAD_OPTIMIZER_PROGRESS_INIT { sizeof(clgrad_optimizer_progress), 0, 0, { { 0.0, 0.0, 0 }, { 0.0, 0.0, 0 } } }

CLGRAD_API void clgrad_optimizer_get_progress(const clgrad_optimizer *opt, clgrad_optimizer_progress *out);
CLGRAD_API clgrad_status clgrad_optimizer_set_progress(clgrad_optimizer *opt, const clgrad_optimizer_progress *progress);
/** Borrowed: state tensor i of a parameter and its name ("momentum", "square"); NULL past the last, and for frozen parameters. */
CLGRAD_API clgrad_tensor *clgrad_optimizer_state(const clgrad_optimizer *opt, size_t parameter, size_t i, const char **name);

/** Borrowed: the functions of a step; NULL past the last. With `accumulate` > 1 function 0 runs at each step and 1 at each update. */
CLGRAD_API clgrad_function *clgrad_optimizer_function(const clgrad_optimizer *opt, size_t i);
/** The launch list of a step as text. Release with clgrad_optimizer_text_release. */
CLGRAD_API clgrad_status clgrad_optimizer_explain(const clgrad_optimizer *opt, char **text);
CLGRAD_API void clgrad_optimizer_text_release(clgrad_optimizer *opt, char **text);

#ifdef __cplusplus
}
#endif
