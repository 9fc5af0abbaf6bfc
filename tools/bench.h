#pragma once

/* clgrad bench: rows, each a workload built through the library's public calls, and what is measured of them. */

#include "command.h"

/* --- a row while it is measured --- */

typedef struct bench_row bench_row;
typedef struct bench_options bench_options;

/* What the reference gave last: rows of one network differ in how they are run, not in what they compute. */
typedef struct bench_reference {
    char key[128]; /* "": nothing */
    clgrad_array *values;
    size_t count;
} bench_reference;

typedef struct bench_case {
    const bench_row *row;
    bench_reference *reference;
    const bench_options *options;
    clgrad_context *ctx;
    clgrad_device *dev;
    /* The workload, as far as its family needs it. */
    clgrad_graph *graph;
    clgrad_function *function;
    clgrad_operator *op;
    clgrad_optimizer *optimizer;
    clgrad_array *in;               /* host values of the graph's inputs; num_in of them */
    clgrad_tensor **tensors, **out; /* the same on the device, and the results */
    size_t num_in, num_out;
    size_t num_parameters; /* the first inputs */
    void *own;             /* what only the family knows; it frees it */
    /* What the family finds out. */
    double bytes, flops;
    clgrad_roof_kind roof;
    uint64_t working_set;   /* for roofs of memory */
    clgrad_deviation worst; /* against the reference */
    double tolerance_l2, tolerance_max;
    bool launched;                    /* a run is one launch */
    int deterministic;                /* 1, 0, or -1 where it was not asked */
    double processor_ns;              /* of a run, where the family brings its own samples; 0: not known */
    uint64_t peak_bytes, least_bytes; /* device memory of a training step; 0: not measured */
    char remark[160];
} bench_case;

/* How a kind of workload is built, held against the reference, run and given up. `run` is a clgrad_work. */
typedef struct bench_family {
    const char *group, *unit;
    clgrad_status (*open)(bench_case *c);
    clgrad_status (*verify)(bench_case *c);
    clgrad_status (*run)(void *c, size_t runs);
    void (*close)(bench_case *c);      /* `own` only; NULL for nothing */
    json_t *(*measure)(bench_case *c); /* NULL: time `run`; else samples as a JSON array of nanoseconds, NULL on failure */
} bench_family;

struct bench_row {
    const char *id, *what;
    const bench_family *family;
    int64_t m, n, k; /* products; elements in n */
    bool trans_a, trans_b;
    const char *layers, *activation, *rule; /* networks and updates */
    int64_t batch;
    int64_t columns; /* of a block of directions; 0 counts as 1 */
    bool scratch;    /* products: at a new point each time */
};

extern const bench_row bench_rows[];
extern const size_t bench_num_rows;
extern const bench_family bench_matmul, bench_map, bench_reduce, bench_grad, bench_hvp, bench_gnvp, bench_update, bench_step,
    bench_epoch;

/* --- the run of all rows on one device --- */

struct bench_options {
    const char *device, *filter, *json, *html, *mnist, *intrinsics;
    bool all_devices, quick, spoil;
    double limit; /* seconds for all devices; rows that would take longer are left out. 0: none */
};

/* Work per second, and per second of processor time (0 where that is not known). */
typedef struct bench_figure {
    double rate, processor;
} bench_figure;

typedef struct bench_run {
    const bench_options *options;
    clgrad_context *ctx;
    clgrad_device *dev;
    json_t *results;
    /* Best figures of the intrinsics program and of OpenCL's roof by its side; 0 where it is not there or not asked yet. */
    bench_figure intrinsics[CLGRAD_ROOF_COUNT], beside[CLGRAD_ROOF_COUNT];
    bool asked[CLGRAD_ROOF_COUNT];
    bench_reference reference;
    size_t done, planned;
    double deadline, allowance; /* on the clock, INFINITY for none; seconds a row may take */
    double flop_seconds;        /* of the slowest row whose arithmetic binds, so far */
} bench_run;

bool bench_selected(const bench_options *options, const char *id);
size_t bench_count_roofs(const bench_options *options);
/* Append a result for every selected roof, or row; failures become rows with a status. */
void bench_measure_roofs(bench_run *run);
void bench_measure_rows(bench_run *run);
/* Is the roof of that kind more than 5% below the intrinsics? The factor by which it must be raised, else 1. */
double bench_roof_factor(bench_run *run, clgrad_roof_kind kind);
void bench_progress(bench_run *run, const char *id);
json_t *bench_rounds_json(const clgrad_roof_result *roof);

/* --- parts of families (bench_values.c) --- */

/* Values between low and high, a function of the seed; labels 0 .. classes - 1. */
void bench_uniform(clgrad_array *array, uint64_t seed, double low, double high);
void bench_labels(clgrad_array *array, uint64_t seed, int32_t classes);
/* Tensors for all of c->in; room for num_out results, which the first call makes. */
clgrad_status bench_upload(bench_case *c, size_t num_out);
/* The reference over c->in of a graph, its outputs from `first` on held against the tensors. */
clgrad_status bench_hold_against(bench_case *c, const clgrad_graph *reference, size_t first, clgrad_tensor *const *got,
                                 size_t count);
void bench_reference_release(clgrad_context *ctx, bench_reference *reference);
/* Worst of what was there and `got` against `want`. */
clgrad_status bench_deviate(bench_case *c, const clgrad_array *got, const clgrad_array *want);
/* Run twice more; are the bits of c->out those of before? */
clgrad_status bench_repeat(bench_case *c);
clgrad_status bench_read(clgrad_context *ctx, clgrad_tensor *t, clgrad_array *out);
void bench_case_release(bench_case *c);

/* --- networks (bench_network.c) --- */

typedef struct bench_network {
    int64_t widths[16];
    size_t layers; /* of weights */
    int64_t parameters;
    double forward, gradient; /* FLOPs by counting */
    double hvp, gnvp, point;  /* of a product at a kept point, and of what a new point costs before */
} bench_network;

void bench_network_of(const bench_row *row, bench_network *out);
/* Operations of one run of any row whose arithmetic binds, by counting; else 0. */
double bench_flops_of(const bench_row *row);
/* The mean softmax cross-entropy of a batch: inputs parameters, x, y, weights; values in c->in, sizes in c. c->graph is it. */
clgrad_status bench_objective(bench_case *c);
/* The two graphs that bench_objective joins, and the same values. */
clgrad_status bench_model(bench_case *c, clgrad_graph **model, clgrad_graph **loss);

/* --- results --- */

json_t *bench_result(const char *id, const char *group, const char *what, const char *status, const char *reason);
void bench_print_table(FILE *out, const json_t *file);
void bench_print_markdown(FILE *out, const json_t *file);
/* Geometric mean of a share ("roof_pct") over all rows that count and have it; NAN for none. */
double bench_headline(const json_t *results, const char *share, size_t *count);
bool bench_write_html(const char *path, const json_t *file);
/* NULL after saying what is wrong with it. */
json_t *bench_load(const char *path);
int bench_compare(int argc, char **argv);
