#pragma once

/* A graph on the test device against the same graph in `ref`. */

#include "plan/plan.h"
#include "ref/ref.h"
#include "support/device.h"

#include <check.h>

enum { PLAN_CASE_INPUTS = 16 };

typedef struct plan_case {
    clgrad_graph *g;
    clgrad_array inputs[PLAN_CASE_INPUTS];
    size_t num_inputs;
    uint64_t seed;
} plan_case;

void plan_case_begin(plan_case *c, uint64_t seed);
void plan_case_end(plan_case *c);
/* An input with values drawn between low and high (integers: whole numbers). */
clgrad_node plan_case_input(plan_case *c, clgrad_dtype dtype, clgrad_shape shape, double low, double high);
/* An input with these values. */
clgrad_node plan_case_values(plan_case *c, clgrad_dtype dtype, clgrad_shape shape, const double *values);
void plan_case_output(plan_case *c, clgrad_node n);

/* Runs the graph on the device, output memory filled with NaN or -1 before. Each array is released by the caller. */
void plan_case_run(const plan_case *c, const clgrad_plan_options *options, clgrad_array *outputs);
/* Bits equal to ref's where the device keeps denormals and divides exactly, else within `ulp`; `name` begins the message. */
void plan_case_check(plan_case *c, const clgrad_plan_options *options, double ulp, const char *name);

/* Bits of two arrays; NaN equals NaN. */
bool plan_same_bits(const clgrad_array *a, const clgrad_array *b, int64_t *where);
/* The mode of ref that has the test device's arithmetic. */
clgrad_ref_mode plan_ref_mode(void);
/* Does the device's arithmetic equal ref's bit for bit? */
bool plan_is_exact(void);
bool plan_has_f64(void);
