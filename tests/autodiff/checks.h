#pragma once

/* Checks of derivative graphs by the oracle, all in f64 but the last. Each takes the derivative as an argument, so that a test
 * can also hand in a wrong one and see it refused. */

#include "ref/ref.h"
#include "support/domain.h"

enum { STUDY_INPUTS = 12 };

/* A function at a point: its real inputs concatenated, integers 0 to 2. */
typedef struct study {
    const clgrad_graph *f;
    uint64_t seed;
    size_t num_real, real[STUDY_INPUTS]; /* numbers of the real inputs: what derivatives are taken with respect to */
    int64_t num_x;                       /* elements of those */
    double *x;
} study;
void study_open(study *s, const clgrad_graph *f, domain d, uint64_t seed);
void study_close(study *s);

/* jvp against central differences. */
bool check_jvp(const study *s, const clgrad_graph *jvp);
/* <u, J v> = <J' u, v> to 1e-12. */
bool check_adjoint(const study *s, const clgrad_graph *jvp, const clgrad_graph *vjp);
/* u' H v = v' H u to 1e-10, for a function with a scalar output 0. */
bool check_symmetry(const study *s, const clgrad_graph *hessian_vector);
/* What is left of output 0 after the Taylor polynomials of degree 1 and 2 falls at rates 2 and 3. */
bool check_taylor(const study *s, const clgrad_graph *hessian_vector);
/* g, whose inputs are f's and then directions, split by its directions and put together again, has the same bits. */
bool check_split(const study *s, const clgrad_graph *g);
/* A batch of n is the loop over its samples, bit for bit in f32; `mask` names the inputs batched. `batched` is made from a graph
 * with the inputs of `single`. */
bool check_batch(const clgrad_graph *single, const clgrad_graph *batched, int64_t n, uint32_t mask, domain d, uint64_t seed);

/* One scalar of all real outputs: the sum of the means of their sines. */
clgrad_graph *scalar_of(const clgrad_graph *f);
/* g with output number i multiplied by 1.01, 1.02, ... along its elements: a wrong derivative. */
clgrad_graph *spoil(const clgrad_graph *g, size_t i);

/* Every real output of g from number `first` on, concatenated into a block that the caller frees. g's inputs are f's, then real
 * ones taken from `more`. */
double *study_outputs(const study *s, const clgrad_graph *g, size_t first, const double *x, const double *more, int64_t *count);
