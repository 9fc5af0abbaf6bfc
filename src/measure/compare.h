#pragma once

/* Holding a result against the reference, element by element; never averaged. */

#include "measure/matrix.h"

typedef struct clgrad_tolerance {
    double ulp;          /* units in the last place of f32 (f64 for f64), of the element's scale */
    double floor;        /* absolute error always allowed: smallest normal where subnormals are flushed */
} clgrad_tolerance;

/* got is of the device's type; want and scale (NULL: |want|) are f64 for reals. Updates the verdict's worst error, and turns it to
 * FAILED with the first wrong element named. */
void clgrad_compare(const char *what, const clgrad_array *got, const clgrad_array *want, const clgrad_array *scale,
                    const clgrad_tolerance *tolerance, clgrad_verdict *verdict);
/* Bitwise; NaNs are equal to each other. */
void clgrad_compare_bits(const char *what, const clgrad_array *got, const clgrad_array *want, clgrad_verdict *verdict);
