#include "ref/sums.h"

#include <assert.h>

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

/* Value i of a level of the pair tree over `count` parts. */
static double pair_value(int64_t count, int level, int64_t i, double (*part)(void *, int64_t), void *user, bool single)
{
    if (level == 0) return part(user, i);
    const int64_t below = ((count - 1) >> (level - 1)) + 1; /* values on the level below */
    const double left = pair_value(count, level - 1, 2 * i, part, user, single);
    if (2 * i + 1 >= below) return left;
    return add(left, pair_value(count, level - 1, 2 * i + 1, part, user, single), single);
}

double clgrad_ref_pairs(int64_t count, double (*part)(void *user, int64_t i), void *user, bool single)
{
    if (count == 0) return 0;
    int level = 0;
    while (((count - 1) >> level) > 0) level++;
    return pair_value(count, level, 0, part, user, single);
}

typedef struct cut {
    const double *x;
    int64_t n, part;
    clgrad_sum_rule rule;
    bool single;
} cut;

static double cut_part(void *user, int64_t i)
{
    const cut *c = user;
    const int64_t first = i * c->part, left = c->n - first;
    return clgrad_ref_sum(c->x + first, left < c->part ? left : c->part, c->rule, 0, c->single);
}

double clgrad_ref_sum(const double *x, int64_t n, clgrad_sum_rule rule, int64_t part, bool single)
{
    assert(n >= 0 && part >= 0);
    if (part > 0 && n > part) {
        cut c = { .x = x, .n = n, .part = part, .rule = rule, .single = single };
        return clgrad_ref_pairs((n + part - 1) / part, cut_part, &c, single);
    }
    return rule == CLGRAD_SUM_CHUNKS ? chunks(x, n, single) : chain(x, n, single);
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
