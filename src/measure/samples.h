#pragma once

/* Sample graphs for every row of the op table: small functions that use one operation, over inputs laid out in one way. */

#include "graph/graph.h"

/* Where an operand's values come from: ops.def's `domain` column. */
typedef enum clgrad_domain {
    CLGRAD_DOMAIN_any,       /* -2..2 */
    CLGRAD_DOMAIN_exponent,  /* -20..20 */
    CLGRAD_DOMAIN_positive,  /* 0.01..100, evenly over the exponent */
    CLGRAD_DOMAIN_above_m1,  /* -0.99..20 */
    CLGRAD_DOMAIN_nonzero,   /* 0.1..4 with either sign */
    CLGRAD_DOMAIN_angle,     /* -50..50 */
    CLGRAD_DOMAIN_small,     /* -4..4 */
    CLGRAD_DOMAIN_kink0,     /* 0.05..2 with either sign: away from the kink at 0 */
    CLGRAD_DOMAIN_integers,  /* k + 0.1 .. k + 0.9: away from the steps */
    CLGRAD_DOMAIN_distinct,  /* multiples of 1/64, no two equal: no ties */
    CLGRAD_DOMAIN_power,     /* 0.2..3 */
    CLGRAD_DOMAIN_index,     /* 0..limit-1 */
    CLGRAD_DOMAIN_truth      /* 0 or 1 */
} clgrad_domain;

typedef enum clgrad_layout_kind { CLGRAD_LAYOUT_PLAIN, CLGRAD_LAYOUT_OFFSET, CLGRAD_LAYOUT_STRIDED, CLGRAD_LAYOUT_BROADCAST } clgrad_layout_kind;

typedef struct clgrad_layout {
    const char *name;
    clgrad_layout_kind kind;
    int64_t n; /* the sample's leading extent */
} clgrad_layout;

enum { CLGRAD_SAMPLE_INPUTS = 8, CLGRAD_LAYOUT_COUNT = 10 };
extern const clgrad_layout clgrad_layouts[CLGRAD_LAYOUT_COUNT];

typedef struct clgrad_sample {
    clgrad_graph *graph;
    clgrad_domain domains[CLGRAD_SAMPLE_INPUTS];
    int64_t limits[CLGRAD_SAMPLE_INPUTS]; /* for indices */
} clgrad_sample;

/* Does the op compute anything in this type? (I32 stands for the integers; leaves and views count.) */
bool clgrad_sample_applies(clgrad_op op, clgrad_dtype dtype);
/* E_UNSUPPORTED where it does not apply. The caller releases sample->graph. */
clgrad_status clgrad_sample_create(clgrad_context *ctx, clgrad_op op, clgrad_dtype dtype, const clgrad_layout *layout,
                                   clgrad_sample *sample);
/* Fill an input of the sample: a pure function of (seed, input number, element). */
void clgrad_sample_fill(const clgrad_sample *sample, size_t input, uint64_t seed, clgrad_array *array);
/* The ulp column. */
double clgrad_sample_ulp(clgrad_op op);
/* "map.exp": the first part of problem names. */
const char *clgrad_sample_family(clgrad_op op);
