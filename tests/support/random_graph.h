#pragma once

/* Random graphs from a seed: the same seed gives the same graph on every machine, so a failing seed is a reproduction.
 *
 * A graph draws 2-30 operations over a pool of values that begins with the inputs; operands are mostly recent values, so that
 * graphs are deep. Magnitudes are tracked from inputs in [-1, 1] and scaled back where they could pass 4, so that every value
 * is finite and derivatives are well conditioned. Shapes have rank 0-4, extents 1-7 and at most 600 elements.
 *
 * Outputs: 0 "loss", a scalar that depends on every value that nothing else used; 1 "y", the last value drawn. */

#include "graph/graph.h"

typedef struct random_graph_options {
    uint64_t seed;
    int num_ops;        /* operations to draw; 0: 2-30, by the seed */
    bool smooth;        /* without kinks and jumps (abs, max, floor, comparisons of data): for tests of derivatives */
    bool storage;       /* some values pass through f16 or bf16 */
    clgrad_dtype dtype; /* of the inputs: f32 or f64 */
} random_graph_options;

/* A fresh graph; the status is the builder's (a graph is never half made). */
clgrad_status random_graph_create(clgrad_context *ctx, const random_graph_options *options, clgrad_graph **out);

/* Fill one array per input of any graph whose inputs are real: uniform in (-1, 1). Release each with clgrad_array_release; on
 * failure none is left allocated. In f64 when `wide`, else of the input's type. */
clgrad_status random_inputs_create(const clgrad_graph *g, uint64_t seed, bool wide, clgrad_array *inputs);

/* The generator beneath, for tests that draw more: splitmix64 (Steele, Lea, Flood 2014). */
uint64_t random_next(uint64_t *state);
int random_below(uint64_t *state, int n);     /* 0..n-1 */
double random_unit(uint64_t *state);          /* (-1, 1) */
