/* ref: the sum rules against direct formulations that share no code with them, and against wrong orders. */

#include "ref/sums.h"
#include "ref_suites.h"

#include <stdlib.h>

/* A sequence on which the order of f32 adds shows in the last bits. */
static float *sequence(int64_t n, uint32_t seed)
{
    float *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int32_t)seed) * 0x1p-31f * (float)(1 + (seed >> 8) % 1000);
    }
    return x;
}

static double *widen(const float *x, int64_t n)
{
    double *y = malloc((size_t)(n ? n : 1) * sizeof *y);
    for (int64_t i = 0; i < n; i++) y[i] = x[i];
    return y;
}

static float direct_chain(const float *x, int64_t n)
{
    volatile float acc = 0;
    for (int64_t i = 0; i < n; i++) acc = acc + x[i];
    return acc;
}

/* In place, level by level, on a zero-padded copy: 1,024 -> 64 by adding rows of 64, then halves. */
static float direct_chunks(const float *x, int64_t n)
{
    int64_t count = n;
    float *v = malloc((size_t)(n + 2048) * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = x[i];
    do {
        const int64_t num_chunks = count ? (count + 1023) / 1024 : 1;
        for (int64_t c = 0; c < num_chunks; c++) {
            float padded[1024] = { 0 };
            for (int64_t i = 0; i < 1024 && c * 1024 + i < count; i++) padded[i] = v[c * 1024 + i];
            float lane[64] = { 0 };
            for (int row = 0; row < 16; row++)
                for (int l = 0; l < 64; l++) lane[l] += padded[row * 64 + l];
            for (int h = 32; h >= 1; h /= 2)
                for (int l = 0; l < h; l++) lane[l] += lane[l + h];
            v[c] = lane[0];
        }
        count = num_chunks;
    } while (count > 1);
    const float result = v[0];
    free(v);
    return result;
}

/* By the binary digits of the count, as a running sum would do it: equal levels merge, what is left merges from the right. */
static float direct_pairs(const float *v, int64_t n)
{
    float held[64];
    int64_t size[64];
    int depth = 0;
    for (int64_t i = 0; i < n; i++) {
        held[depth] = v[i], size[depth++] = 1;
        while (depth > 1 && size[depth - 2] == size[depth - 1]) {
            held[depth - 2] += held[depth - 1], size[depth - 2] *= 2;
            depth--;
        }
    }
    for (; depth > 1; depth--) held[depth - 2] += held[depth - 1];
    return n ? held[0] : 0;
}

static const int64_t lengths[] = { 0, 1, 2, 63, 64, 65, 1023, 1024, 1025, 4097, 100003, 1024 * 1024 + 5 };

START_TEST(sums_follow_the_rule)
{
    int differs = 0;
    for (size_t t = 0; t < sizeof lengths / sizeof *lengths; t++) {
        const int64_t n = lengths[t];
        float *x = sequence(n, 7u + (uint32_t)t);
        double *wide = widen(x, n);
        const float by_chain = direct_chain(x, n), by_chunks = direct_chunks(x, n);
        ck_assert_float_eq((float)clgrad_ref_sum(wide, n, CLGRAD_SUM_CHAIN, true), by_chain);
        ck_assert_float_eq((float)clgrad_ref_sum(wide, n, CLGRAD_SUM_CHUNKS, true), by_chunks);
        differs += by_chain != by_chunks; /* negative control: the two orders can be told apart */
        free(x), free(wide);
    }
    ck_assert_int_ge(differs, 3);
}
END_TEST

START_TEST(parts_are_added_in_neighbouring_pairs)
{
    int differs = 0;
    for (int64_t count = 1; count <= 37; count++) {
        float *x = sequence(3 * count, 99u), column[64];
        double *wide = widen(x, 3 * count);
        clgrad_ref_pairs(wide, count, 3, true);
        for (int64_t i = 0; i < 3; i++) {
            for (int64_t c = 0; c < count; c++) column[c] = x[3 * c + i];
            ck_assert_float_eq((float)wide[i], direct_pairs(column, count));
            differs += (float)wide[i] != direct_chain(column, count);
        }
        free(x), free(wide);
    }
    ck_assert_int_ge(differs, 10);
}
END_TEST

START_TEST(cumulative_sums_carry_block_offsets)
{
    const int64_t n = 3 * 1024 + 100;
    float *x = sequence(n, 5u);
    double *wide = widen(x, n), *forward = malloc((size_t)n * sizeof *forward), *backward = malloc((size_t)n * sizeof *backward);
    clgrad_ref_cumsum(wide, forward, n, 1, true);
    float offset = 0;
    for (int64_t b = 0; b * 1024 < n; b++) {
        volatile float running = 0;
        for (int64_t i = b * 1024; i < n && i < (b + 1) * 1024; i++) {
            running = running + x[i];
            const float expected = b ? offset + running : running;
            ck_assert_float_eq((float)forward[i], expected);
        }
        offset = b ? offset + running : running;
    }
    clgrad_ref_cumsum(wide + n - 1, backward + n - 1, n, -1, true);
    for (int64_t i = 0; i < n / 2; i++) {
        const double t = wide[i];
        wide[i] = wide[n - 1 - i], wide[n - 1 - i] = t;
    }
    clgrad_ref_cumsum(wide, forward, n, 1, true);
    for (int64_t i = 0; i < n; i++) ck_assert_double_eq(forward[i], backward[n - 1 - i]);
    free(x), free(wide), free(forward), free(backward);
}
END_TEST

Suite *ref_sums_suite(void)
{
    Suite *suite = suite_create("ref.sums");
    TCase *tests = tcase_create("sums");
    tcase_add_test(tests, sums_follow_the_rule);
    tcase_add_test(tests, parts_are_added_in_neighbouring_pairs);
    tcase_add_test(tests, cumulative_sums_carry_block_offsets);
    suite_add_tcase(suite, tests);
    return suite;
}
