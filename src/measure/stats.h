#pragma once

#include "base/base.h"
#include "clgrad/bench.h"

/* Up to so many samples in all, without ties, the rank test counts orderings instead of approximating. */
enum { CLGRAD_EXACT_SAMPLES = 50 };

/* Two-sided p of the Mann-Whitney test; both samples hold finite values and at least one. E_MEMORY. */
clgrad_status clgrad_rank_test(clgrad_context *ctx, const double *a, size_t num_a, const double *b, size_t num_b, double *p);
