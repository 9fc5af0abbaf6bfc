#include "ref/sums.h"

#include <string.h>

static double add(double a, double b, bool single)
{
    return single ? (double)(float)(a + b) : a + b;
}

static double chain(const double *x, int64_t n, bool single)
{
    double acc = 0;
    for (int64_t i = 0; i < n; i++) acc = add(acc, x[i], single);
    return acc;
}

/* Value i of a level of the chunk rule: level 0 is x itself, level L holds the chunk results over level L-1. */
static double chunk_value(const double *x, int64_t n, int level, int64_t i, bool single)
{
    if (level == 0) return x[i];
    int64_t below = n;
    for (int l = 1; l < level; l++) below = (below + CLGRAD_SUM_CHUNK - 1) / CLGRAD_SUM_CHUNK;

    double lane[CLGRAD_SUM_LANES] = { 0 };
    const int64_t first = i * CLGRAD_SUM_CHUNK;
    const int64_t count = below - first < CLGRAD_SUM_CHUNK ? below - first : CLGRAD_SUM_CHUNK;
    for (int64_t j = 0; j < count; j++) {
        double *l = &lane[j % CLGRAD_SUM_LANES];
        *l = add(*l, chunk_value(x, n, level - 1, first + j, single), single);
    }
    for (int h = CLGRAD_SUM_LANES / 2; h > 0; h /= 2)
        for (int l = 0; l < h; l++) lane[l] = add(lane[l], lane[l + h], single);
    return lane[0];
}

static double chunks(const double *x, int64_t n, bool single)
{
    int level = 1;
    for (int64_t count = n; count > CLGRAD_SUM_CHUNK; level++) count = (count + CLGRAD_SUM_CHUNK - 1) / CLGRAD_SUM_CHUNK;
    return chunk_value(x, n, level, 0, single);
}

double clgrad_ref_sum(const double *x, int64_t n, clgrad_sum_rule rule, bool single)
{
    return rule == CLGRAD_SUM_CHUNKS ? chunks(x, n, single) : chain(x, n, single);
}

void clgrad_ref_pairs(double *rows, int64_t count, int64_t n, bool single)
{
    for (; count > 1; count = (count + 1) / 2) {
        for (int64_t c = 0; c < count / 2; c++)
            for (int64_t i = 0; i < n; i++) rows[c * n + i] = add(rows[2 * c * n + i], rows[(2 * c + 1) * n + i], single);
        if (count % 2) memmove(rows + count / 2 * n, rows + (count - 1) * n, (size_t)n * sizeof *rows);
    }
}

void clgrad_ref_cumsum(const double *x, double *y, int64_t n, int64_t step, bool single)
{
    double offset = 0, running = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && i % CLGRAD_SUM_CHUNK == 0) {
            offset = i == CLGRAD_SUM_CHUNK ? running : add(offset, running, single);
            running = 0;
        }
        running = add(running, x[i * step], single);
        y[i * step] = i < CLGRAD_SUM_CHUNK ? running : add(offset, running, single);
    }
}
