#pragma once

/**
 * Measuring: statistics of samples, timing of work on a device with two clocks, the roofs of a device, and the reference that work
 * is held against before it is timed. What `clgrad bench` is built of.
 *
 * Nothing here prints or decides what a good figure is. Everything waits for the device.
 */

#include "clgrad/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- statistics --- */

/** What a list of samples says. Two-pass, in double; a median of an even number is the mean of the middle two. */
typedef struct clgrad_spread {
    size_t struct_size;
    double median, mad;  /* mad: median of |sample - median|, not scaled */
    double min, p90, max; /* p90: the smallest sample that at least 90% do not exceed */
    double drift;        /* median of the last third over that of the first; 1 for fewer than 6 samples */
} clgrad_spread;

#define CLGRAD_SPREAD_INIT { sizeof(clgrad_spread), 0, 0, 0, 0, 0, 1 }

/** CLGRAD_E_ARG: no sample, one that is not finite, a spread of another library version. CLGRAD_E_MEMORY. */
CLGRAD_API clgrad_status clgrad_spread_of(clgrad_context *ctx, const double *samples, size_t count, clgrad_spread *out);

/** Two lists of samples against each other. */
typedef struct clgrad_comparison {
    size_t struct_size;
    double ratio;     /* median of b over median of a */
    double low, high; /* 95% interval of the ratio: percentile bootstrap of 1,000 draws, the same draws each time */
    double p;         /* two-sided Mann-Whitney test that a and b come from one distribution */
} clgrad_comparison;

#define CLGRAD_COMPARISON_INIT { sizeof(clgrad_comparison), 1, 1, 1, 1 }

/**
 * p is exact for at most 50 samples in all without ties, else from the normal approximation with corrections for ties and
 * continuity. Errors as clgrad_spread_of; also CLGRAD_E_ARG for samples <= 0. Source: Mann, Whitney 1947.
 */
CLGRAD_API clgrad_status clgrad_compare_samples(clgrad_context *ctx, const double *a, size_t num_a, const double *b, size_t num_b,
                                                clgrad_comparison *out);

/* --- roofs --- */

/** What a device can do at most, by access pattern. Bytes count what a program names: 2 per byte copied or scaled in place. */
typedef enum clgrad_roof_kind {
    CLGRAD_ROOF_READ,    /* bytes/s of sums over one array */
    CLGRAD_ROOF_COPY,    /* y = x */
    CLGRAD_ROOF_TRIAD,   /* x = y + s z, 3 bytes per byte of x */
    CLGRAD_ROOF_INPLACE, /* x = s x */
    CLGRAD_ROOF_FMA_F32, /* flop/s of independent multiply-adds, 2 each */
    CLGRAD_ROOF_FMA_F64, /* CLGRAD_E_UNSUPPORTED where the device lacks the type; f16 likewise */
    CLGRAD_ROOF_FMA_F16,
    CLGRAD_ROOF_LAUNCH,  /* empty launches per second, queued one behind the other */
    CLGRAD_ROOF_FINISH,  /* empty launches per second, each waited for */
    CLGRAD_ROOF_UPLOAD,  /* bytes/s from host memory */
    CLGRAD_ROOF_DOWNLOAD,
    CLGRAD_ROOF_COUNT
} clgrad_roof_kind;

/** "roof.read", "roof.fma.f32" ...; NULL for none. */
CLGRAD_API const char *clgrad_roof_name(clgrad_roof_kind kind);

typedef struct clgrad_roof clgrad_roof;

/**
 * Make a roof's kernels and memory. Several forms of each are tried: prefetch or none, stores that pass the caches by or not, wide or
 * narrow vectors; a form that the device's compiler refuses is left out.
 *
 * working_set  bytes of all arrays together for the memory patterns, 4,096 at least; sets smaller than the caches are passed over
 *              several times in one launch. For arithmetic the operations of a launch: what work of that size can reach, launched by itself; 0: so
 *              many that launching costs nothing. 0 for the others, where it does not count.
 *
 * CLGRAD_E_UNSUPPORTED, CLGRAD_E_MEMORY, CLGRAD_E_BUILD (no form built).
 */
CLGRAD_API clgrad_status clgrad_roof_create(clgrad_device *dev, clgrad_roof_kind kind, uint64_t working_set, clgrad_roof **out);
CLGRAD_API void clgrad_roof_release(clgrad_roof **roof);

enum { CLGRAD_ROOF_ROUNDS = 64 };

/** What a roof came to so far. form is borrowed from the roof. */
typedef struct clgrad_roof_result {
    size_t struct_size;
    double best;      /* the best sample of all rounds, in the kind's unit; 0 before the first */
    double processor; /* devices that compute in this process (CPUs): the most work per second of processor time; else 0 */
    const char *form; /* of the best: "float16, prefetch" */
    uint64_t working_set;
    size_t num_rounds;
    double rounds[CLGRAD_ROOF_ROUNDS]; /* best of each round; later rounds overwrite the last */
} clgrad_roof_result;

#define CLGRAD_ROOF_RESULT_INIT { sizeof(clgrad_roof_result), 0, 0, "", 0, 0, { 0 } }

/** One round: each form that is still in the running, three samples of about 3 ms, or a single long one. Waits. Errors of the device. */
CLGRAD_API clgrad_status clgrad_roof_round(clgrad_roof *roof);
CLGRAD_API void clgrad_roof_get(const clgrad_roof *roof, clgrad_roof_result *out);

/* --- timing --- */

/** Enqueues so many runs of the work on the device, one behind the other, and returns without waiting. */
typedef clgrad_status (*clgrad_work)(void *user, size_t runs);

enum { CLGRAD_MAX_SAMPLES = 200 };

typedef struct clgrad_timing_options {
    size_t struct_size;
    double seconds;        /* for the samples; at least min_samples are taken however long they last */
    double warm_seconds;   /* before the first sample; 3 runs at least, 2 where one lasts over a quarter of a second */
    double sample_seconds; /* runs are batched until a sample lasts this long */
    size_t min_samples, max_samples; /* in each half of the time (2 are enough of such long runs), and in all; at most
                                      CLGRAD_MAX_SAMPLES */
    double noise;          /* stop once 20 samples are there and their MAD is below this part of the median */
    clgrad_roof *roof;     /* NULL, or a roof that gets a round before, amid and behind the samples, so that drift hits both */
} clgrad_timing_options;

#define CLGRAD_TIMING_OPTIONS_INIT { sizeof(clgrad_timing_options), 0.6, 0.1, 0.005, 4, 100, 0.01, NULL }

typedef struct clgrad_timing {
    size_t struct_size;
    size_t warmups, batch, count; /* runs before the first sample, runs a sample, samples */
    double samples_ns[CLGRAD_MAX_SAMPLES]; /* per run, by the host's clock around a batch and the wait for it */
    clgrad_spread spread;
    double processor_ns;      /* as in clgrad_roof_result: processor time per run, over all samples; what a busy machine leaves alone */
    double event_ns, host_ns; /* one more batch by both clocks: the device's events, the host's */
    bool clocks_agree;
    char timer[120];          /* "host and event clocks agree", or which clock lies and how; samples are the host's either way */
} clgrad_timing;

#define CLGRAD_TIMING_INIT { sizeof(clgrad_timing), 0, 0, 0, { 0 }, CLGRAD_SPREAD_INIT, 0, 0, 0, false, "" }

/**
 * Time work: warm up, batch, sample by the host's clock, then hold the device's clock against it.
 *
 * CLGRAD_E_ARG     options outside their ranges.
 * Others           the first status that is not OK of `work`, of the device, or of the roof.
 */
CLGRAD_API clgrad_status clgrad_time_work(clgrad_device *dev, clgrad_work work, void *user, const clgrad_timing_options *options,
                                          clgrad_timing *out);

/**
 * Does a device clock tell the truth? begin_ns and end_ns are what it said, host_ns what the host saw in the same stretch. Names the lie
 * in `text` (of `bytes` bytes): zero, backwards, or further than 10% from the host's clock over more than 5 ms.
 */
CLGRAD_API bool clgrad_clock_check(uint64_t begin_ns, uint64_t end_ns, double host_ns, char *text, size_t bytes);

/* --- the reference --- */

/**
 * Evaluate a graph on the host in double precision with the C library's functions, by the plain interpreter that all tests stand on.
 * inputs: one per graph input, in its type or f64. outputs are created, real ones as f64; release each.
 *
 * Errors: CLGRAD_E_SHAPE, CLGRAD_E_DTYPE, CLGRAD_E_MEMORY; outputs then hold nothing. Cost: about 1 GFLOP a second, on one core.
 */
CLGRAD_API clgrad_status clgrad_reference_evaluate(const clgrad_graph *g, const clgrad_array *inputs, clgrad_array *outputs);

/** How far values are from what they should be. */
typedef struct clgrad_deviation {
    size_t struct_size;
    double rel_l2;  /* root of sum (got - want)^2 over root of sum want^2 */
    double max_rel; /* largest |got - want| over the root mean square of want */
    bool finite;    /* every element of got is */
} clgrad_deviation;

#define CLGRAD_DEVIATION_INIT { sizeof(clgrad_deviation), 0, 0, true }

/** Hold got against want, of equal counts and real types. Where all of want is 0 the differences themselves are told. CLGRAD_E_SHAPE,
 *  CLGRAD_E_DTYPE. */
CLGRAD_API clgrad_status clgrad_deviation_of(clgrad_context *ctx, const clgrad_array *got, const clgrad_array *want,
                                             clgrad_deviation *out);

#ifdef __cplusplus
}
#endif
