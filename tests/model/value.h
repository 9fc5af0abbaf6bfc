#pragma once

/* Running a graph of the test's f64 numbers on the interpreter, and comparing. */

#include "model_test.h"
#include "ref/ref.h"

/* Evaluate with one array of doubles per input (integers converted); out[i] gets output i as doubles, from malloc. */
void value_evaluate(const clgrad_graph *f, clgrad_ref_mode mode, const double *const *in, double **out);

/* Value of output 0 and gradient of output 0 (a scalar) by input 0. Input 0 has `count` elements. */
double value_gradient(const clgrad_graph *f, clgrad_ref_mode mode, const double *const *in, size_t count, double *gradient);

/* |a - b| <= tolerance max(1, |b|), both NaN, or the same infinity. */
bool value_near(double a, double b, double tolerance);
