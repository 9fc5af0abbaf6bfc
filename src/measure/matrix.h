#pragma once

/* The operation matrix: one problem is one op (or group) in one type, layout and variant, run on a device and held against ref. */

#include "clgrad/measure.h"
#include "measure/samples.h"
#include "plan/plan.h"

enum { CLGRAD_PROBLEM_NAME = 96, CLGRAD_DETAIL_TEXT = 200 };

typedef struct clgrad_problem {
    int subject; /* clgrad_op or clgrad_subject */
    clgrad_dtype dtype;
    const clgrad_layout *layout;
    const char *variant; /* "" or one of clgrad_variants */
} clgrad_problem;

typedef struct clgrad_verdict {
    clgrad_check_verdict verdict;
    double error, bound;
    char detail[CLGRAD_DETAIL_TEXT];
} clgrad_verdict;

typedef struct clgrad_variant_row {
    const char *name;
    bool (*applies)(clgrad_family family);
    clgrad_plan_options options;
} clgrad_variant_row;
extern const clgrad_variant_row clgrad_variants[];
extern const size_t clgrad_variant_count;

void clgrad_problem_name(const clgrad_problem *problem, char name[CLGRAD_PROBLEM_NAME]);
/* A failing device (not a failing comparison) is a status. `negative` flips a bit of each result first. */
clgrad_status clgrad_problem_run(clgrad_device *dev, const clgrad_problem *problem, bool negative, clgrad_verdict *out);

/* derivatives.c: adjoint identity on the device, central differences against the reference's jvp. */
clgrad_status clgrad_derivative_run(clgrad_device *dev, clgrad_op op, bool negative, clgrad_verdict *out);
/* Has this op a derivative at all? */
bool clgrad_derivative_applies(clgrad_op op);

/* digest.c: 50 steps of momentum on a relu/MSE network, then SHA-256 over the parameters' bytes. */
clgrad_status clgrad_digest_run(clgrad_device *dev, const clgrad_plan_options *options, char digest[65]);
/* The same by the reference interpreter. */
clgrad_status clgrad_digest_ref(clgrad_context *ctx, bool fused, char digest[65]);
