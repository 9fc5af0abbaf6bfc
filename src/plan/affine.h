#pragma once

/* Index arithmetic known when a plan is made: sums of a constant and of variables times constants. A variable is an axis of a
 * launch's index space or a value derived inside the kernel (see ir.h). */

#include "graph/graph.h"

enum { CLGRAD_AFFINE_TERMS = 12 };

typedef struct clgrad_affine {
    int64_t base;
    int32_t num_terms; /* sorted by variable, no coefficient 0; entries past num_terms are 0: equal values are equal bytes */
    struct {
        int32_t var;
        int64_t coef;
    } term[CLGRAD_AFFINE_TERMS];
} clgrad_affine;

/* What a variable can be, both ends included. */
typedef struct clgrad_range {
    int64_t min, max;
} clgrad_range;

clgrad_affine clgrad_affine_constant(int64_t base);
clgrad_affine clgrad_affine_variable(int32_t var);
bool clgrad_affine_equal(const clgrad_affine *a, const clgrad_affine *b);
/* The coefficient of a variable, 0 where it does not occur. */
int64_t clgrad_affine_coefficient(const clgrad_affine *a, int32_t var);
/* *a += factor * b. False, and *a undefined, when it does not fit. */
bool clgrad_affine_add(clgrad_affine *a, const clgrad_affine *b, int64_t factor);
/* Remove a variable. */
void clgrad_affine_drop(clgrad_affine *a, int32_t var);
/* All values a can take, over-estimated; false on overflow. */
bool clgrad_affine_range(const clgrad_affine *a, const clgrad_range *vars, clgrad_range *out);
/* Split a = n * quotient + rest with 0 <= rest < n for all values of the variables; false where no affine split is found. */
bool clgrad_affine_divide(const clgrad_affine *a, int64_t n, const clgrad_range *vars, clgrad_affine *quotient,
                          clgrad_affine *rest);
