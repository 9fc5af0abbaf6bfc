#pragma once

/* Element-wise arithmetic of the oracle: libm, or the device's own in two precisions and two forms of MULADD. */

#include "graph/graph.h"

typedef struct clgrad_ref_arithmetic {
    /* A MAP node with real operands by its formula in ops.def (column `ref`); comparisons give 0 or 1. */
    double (*map)(clgrad_op op, double a, double b);
    /* acc[j] = MULADD(a, b[j], acc[j]) for j < n. */
    void (*add_scaled)(double a, const double *b, double *acc, int64_t n);
    /* Box-Muller from two uniforms, the sine where odd. */
    double (*normal)(double u1, double u2, bool odd);
    bool single; /* values are f32 held in double; every result is rounded to f32 */
} clgrad_ref_arithmetic;

extern const clgrad_ref_arithmetic clgrad_ref_libm;
extern const clgrad_ref_arithmetic clgrad_ref_f32_fused, clgrad_ref_f32_unfused;
extern const clgrad_ref_arithmetic clgrad_ref_f64_fused, clgrad_ref_f64_unfused;
