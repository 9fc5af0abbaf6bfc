/* Statistics of samples: spread, the rank test, the bootstrap of a ratio. */

#include "measure/stats.h"

#include "tensor/tensor.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of_sorted(const double *x, size_t count)
{
    return count % 2 ? x[count / 2] : 0.5 * (x[count / 2 - 1] + x[count / 2]);
}

/* Sorts x. */
static double median_of(double *x, size_t count)
{
    qsort(x, count, sizeof *x, ascending);
    return median_of_sorted(x, count);
}

static clgrad_status check_samples(clgrad_context *ctx, const double *samples, size_t count)
{
    if (count == 0) return clgrad_fail(ctx, CLGRAD_E_ARG, "statistics of no sample");
    for (size_t i = 0; i < count; i++)
        if (!isfinite(samples[i])) return clgrad_fail(ctx, CLGRAD_E_ARG, "statistics: sample %zu is not finite", i);
    return CLGRAD_OK;
}

/* scratch has room for a third of the samples. */
static double drift_of(const double *samples, size_t count, double *scratch)
{
    const size_t third = count / 3;
    if (count < 6) return 1;
    memcpy(scratch, samples, third * sizeof *samples);
    const double first = median_of(scratch, third);
    memcpy(scratch, samples + count - third, third * sizeof *samples);
    return median_of(scratch, third) / first;
}

clgrad_status clgrad_spread_of(clgrad_context *ctx, const double *samples, size_t count, clgrad_spread *out)
{
    if (out->struct_size != sizeof *out) return clgrad_fail(ctx, CLGRAD_E_ARG, "a spread of another library version");
    CLGRAD_TRY(check_samples(ctx, samples, count));
    double *x = clgrad_alloc(ctx, count, sizeof *x);
    if (!x) return CLGRAD_E_MEMORY;
    out->drift = drift_of(samples, count, x);
    memcpy(x, samples, count * sizeof *x);
    out->median = median_of(x, count);
    out->min = x[0];
    out->max = x[count - 1];
    out->p90 = x[(size_t)ceil(0.9 * (double)count) - 1];
    for (size_t i = 0; i < count; i++) x[i] = fabs(samples[i] - out->median);
    out->mad = median_of(x, count);
    clgrad_free(ctx, x);
    return CLGRAD_OK;
}

/* --- the rank test --- */

typedef struct ranked {
    double value;
    bool first; /* of sample a */
} ranked;

static int by_value(const void *a, const void *b)
{
    return ascending(&((const ranked *)a)->value, &((const ranked *)b)->value);
}

/* P(U <= u) without ties: the Gaussian binomial of (n, m) counts orderings by U. ways has n m + 1 elements. */
static double exact_tail(size_t n, size_t m, double u, double *ways)
{
    const size_t top = n * m;
    double below = 0, all = 0;
    memset(ways, 0, (top + 1) * sizeof *ways);
    ways[0] = 1;
    for (size_t i = 1; i <= n; i++) {
        for (size_t k = top + 1; k-- > m + i;) ways[k] -= ways[k - m - i];
        for (size_t k = i; k <= top; k++) ways[k] += ways[k - i];
    }
    for (size_t k = 0; k <= top; k++) {
        all += ways[k];
        if ((double)k <= u) below += ways[k];
    }
    return below / all;
}

/* Two-sided p from the smaller U by the normal approximation; ties is the sum of t^3 - t over groups of equal values. */
static double normal_p(double n, double m, double u, double ties)
{
    const double all = n + m, mean = n * m / 2;
    const double variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
    if (variance <= 0) return 1; /* all values are equal */
    const double z = fmax(mean - u - 0.5, 0) / sqrt(variance);
    return fmin(erfc(z / sqrt(2)), 1);
}

/* Ranks of a's values, mean ranks where values are equal, added up; ties as above. x is sorted. */
static double rank_sum(const ranked *x, size_t count, double *ties)
{
    double sum = 0;
    *ties = 0;
    for (size_t i = 0, end; i < count; i = end) {
        size_t firsts = 0;
        for (end = i; end < count && x[end].value == x[i].value; end++) firsts += x[end].first;
        const double t = (double)(end - i);
        sum += (double)firsts * ((double)i + (t + 1) / 2);
        *ties += t * t * t - t;
    }
    return sum;
}

clgrad_status clgrad_rank_test(clgrad_context *ctx, const double *a, size_t num_a, const double *b, size_t num_b, double *p)
{
    const size_t count = num_a + num_b;
    clgrad_status status = CLGRAD_OK;
    ranked *x = clgrad_alloc(ctx, count, sizeof *x);
    double *ways = NULL;
    if (!x) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < count; i++) x[i] = i < num_a ? (ranked){ a[i], true } : (ranked){ b[i - num_a], false };
    qsort(x, count, sizeof *x, by_value);
    double ties;
    const double n = (double)num_a, m = (double)num_b, ua = rank_sum(x, count, &ties) - n * (n + 1) / 2;
    const double u = fmin(ua, n * m - ua);
    if (ties == 0 && count <= CLGRAD_EXACT_SAMPLES) {
        ways = clgrad_alloc(ctx, num_a * num_b + 1, sizeof *ways);
        status = ways ? CLGRAD_OK : CLGRAD_E_MEMORY;
        if (ways) *p = fmin(2 * exact_tail(num_a, num_b, u, ways), 1);
    } else {
        *p = normal_p(n, m, u, ties);
    }
    clgrad_free(ctx, ways);
    clgrad_free(ctx, x);
    return status;
}

/* --- the bootstrap --- */

enum { DRAWS = 1000 };

static double drawn_median(const double *samples, size_t count, uint32_t stream, uint64_t draw, double *scratch)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = samples[(size_t)((double)clgrad_random_uniform(1, stream, draw, i) * (double)count) % count];
    return median_of(scratch, count);
}

static clgrad_status bootstrap(clgrad_context *ctx, const double *a, size_t num_a, const double *b, size_t num_b,
                               clgrad_comparison *out)
{
    double *ratios = clgrad_alloc(ctx, DRAWS + (num_a > num_b ? num_a : num_b), sizeof *ratios);
    if (!ratios) return CLGRAD_E_MEMORY;
    double *scratch = ratios + DRAWS;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double below = drawn_median(a, num_a, 0, i, scratch);
        ratios[i] = drawn_median(b, num_b, 1, i, scratch) / below;
    }
    qsort(ratios, DRAWS, sizeof *ratios, ascending);
    out->low = ratios[DRAWS / 40];
    out->high = ratios[DRAWS - 1 - DRAWS / 40];
    clgrad_free(ctx, ratios);
    return CLGRAD_OK;
}

static clgrad_status check_positive(clgrad_context *ctx, const double *samples, size_t count)
{
    CLGRAD_TRY(check_samples(ctx, samples, count));
    for (size_t i = 0; i < count; i++)
        if (samples[i] <= 0) return clgrad_fail(ctx, CLGRAD_E_ARG, "comparison: sample %zu is not positive", i);
    return CLGRAD_OK;
}

clgrad_status clgrad_compare_samples(clgrad_context *ctx, const double *a, size_t num_a, const double *b, size_t num_b,
                                     clgrad_comparison *out)
{
    if (out->struct_size != sizeof *out) return clgrad_fail(ctx, CLGRAD_E_ARG, "a comparison of another library version");
    CLGRAD_TRY(check_positive(ctx, a, num_a));
    CLGRAD_TRY(check_positive(ctx, b, num_b));
    clgrad_spread of_a = CLGRAD_SPREAD_INIT, of_b = CLGRAD_SPREAD_INIT;
    CLGRAD_TRY(clgrad_spread_of(ctx, a, num_a, &of_a));
    CLGRAD_TRY(clgrad_spread_of(ctx, b, num_b, &of_b));
    out->ratio = of_b.median / of_a.median;
    CLGRAD_TRY(clgrad_rank_test(ctx, a, num_a, b, num_b, &out->p));
    return bootstrap(ctx, a, num_a, b, num_b, out);
}
