#pragma once

/* A graph under test: built in place, evaluated on values given as doubles, its only output compared. */

#include "ref/ref.h"
#include "support/device.h"

#include <check.h>

typedef struct ref_case {
    clgrad_graph *g;
    clgrad_array inputs[4];
    size_t num_inputs;
} ref_case;

void ref_case_begin(ref_case *c);
/* An input with values of its type, row-major. */
clgrad_node ref_case_input(ref_case *c, clgrad_dtype dtype, clgrad_shape shape, const double *values);
/* Evaluates with `node` as output into out[0..count), then gives everything up. */
void ref_case_end(ref_case *c, clgrad_node node, clgrad_ref_mode mode, double *out, int64_t count);

/* An expectation: bitwise but for NaN, which equals NaN. */
void ref_expect(const double *got, const double *want, int64_t count);
