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

enum { CLGRAD_SAMPLE_INPUTS = 8, CLGRAD_SAMPLE_OUTPUTS = 24, CLGRAD_LAYOUT_COUNT = 10 };
extern const clgrad_layout clgrad_layouts[CLGRAD_LAYOUT_COUNT];

/* What a sample shows: a row of the op table, or a group of element-wise rows over the same operands, one output each: one program
 * for all of them, so that types, layouts and variants of every op are affordable on devices that compile slowly. */
typedef enum clgrad_subject {
    CLGRAD_SUBJECT_UNARY = CLGRAD_OP_COUNT,
    CLGRAD_SUBJECT_BINARY,
    CLGRAD_SUBJECT_COMPARE,
    CLGRAD_SUBJECT_COUNT
} clgrad_subject;

typedef struct clgrad_sample {
    clgrad_graph *graph;
    clgrad_domain domains[CLGRAD_SAMPLE_INPUTS];
    int64_t limits[CLGRAD_SAMPLE_INPUTS]; /* for indices */
} clgrad_sample;

/* Does the subject compute anything in this type? (Leaves and views count.) */
bool clgrad_sample_applies(int subject, clgrad_dtype dtype);
/* E_UNSUPPORTED where it does not apply. The caller releases sample->graph. */
clgrad_status clgrad_sample_create(clgrad_context *ctx, int subject, clgrad_dtype dtype, const clgrad_layout *layout,
                                   clgrad_sample *sample);
/* Fill an input of the sample: a pure function of (seed, input number, element). */
void clgrad_sample_fill(const clgrad_sample *sample, size_t input, uint64_t seed, clgrad_array *array);
/* The op an output of a sample shows, and its ulp column. */
clgrad_op clgrad_sample_op(int subject, const char *output);
double clgrad_sample_ulp(clgrad_op op);
clgrad_family clgrad_sample_family(int subject);
/* "map.exp", "map.unary": the first part of problem names. */
void clgrad_sample_name(int subject, char *name, size_t bytes);
