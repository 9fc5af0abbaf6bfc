#pragma once

/* A quadratic with two parameters: f(a, b, ta, tb) = sum (a - ta)^2 / 2 + sum 3 (b - tb)^2 / 2, a [300], b [5]. Its gradient is
 * a - ta and 3 (b - tb). */

#include "base/base.h"
#include "clgrad/optim.h"

#include <check.h>

enum { NUM_A = 300, NUM_B = 5, NUM_ALL = NUM_A + NUM_B };

typedef struct quadratic {
    clgrad_device *dev;
    clgrad_context *ctx;
    clgrad_graph *f;
    clgrad_tensor *initial[2], *targets[2];
    float p[NUM_ALL], t[NUM_ALL]; /* a, then b */
} quadratic;

/* False where there is no device. */
bool quadratic_open(quadratic *q);
void quadratic_close(quadratic *q);
/* The gradient at p, in double. */
void quadratic_gradient(const quadratic *q, const double *p, double *g);
void quadratic_read(clgrad_optimizer *opt, float *p);

#define ck_ok(call) ck_assert_int_eq((call), CLGRAD_OK)

Suite *schedule_suite(void);
Suite *rule_suite(void);
Suite *optimizer_suite(void);
Suite *steps_suite(void);
Suite *index_suite(void);
Suite *scaling_suite(void);
Suite *misuse_suite(void);
