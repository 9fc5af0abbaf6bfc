/* The kernels, written over: V, W (a vector of floats, of doubles), LANES (floats in V), CHAINS; LOAD, STORE, STREAM, SET, ADD, MUL, FMA
 * and the same ending in 64 for doubles; SUM, SUM64: all lanes added; KERNELS: the name of the table, NAME: of the instruction set. */

#include "roofs.h"

enum { AHEAD = 1024 }; /* floats: 4 KiB */
#define FETCH(p) __builtin_prefetch((p) + AHEAD, 0, 3)
#define NO_FETCH(p) (void)0

#define READ(name, fetch)                                                                                            \
    static float name(const float *x, size_t count)                                                                 \
    {                                                                                                                \
        V a = SET(0), b = a, c = a, d = a;                                                                           \
        for (size_t i = 0; i < count; i += 4 * LANES) {                                                              \
            for (size_t k = 0; k < 4 * LANES; k += 16) fetch(x + i + k);                                             \
            a = ADD(a, LOAD(x + i)), b = ADD(b, LOAD(x + i + LANES));                                                \
            c = ADD(c, LOAD(x + i + 2 * LANES)), d = ADD(d, LOAD(x + i + 3 * LANES));                                \
        }                                                                                                            \
        return SUM(ADD(ADD(a, b), ADD(c, d)));                                                                       \
    }
READ(read_plain, NO_FETCH)
READ(read_ahead, FETCH)

#define COPY(name, store)                                                                                            \
    static void name(float *y, const float *x, size_t count)                                                        \
    {                                                                                                                \
        for (size_t i = 0; i < count; i += LANES) store(y + i, LOAD(x + i));                                         \
    }
COPY(copy_plain, STORE)
COPY(copy_stream, STREAM)

#define TRIAD(name, store)                                                                                           \
    static void name(float *x, const float *y, const float *z, size_t count)                                        \
    {                                                                                                                \
        const V s = SET(3);                                                                                          \
        for (size_t i = 0; i < count; i += LANES) store(x + i, FMA(s, LOAD(z + i), LOAD(y + i)));                    \
    }
TRIAD(triad_plain, STORE)
TRIAD(triad_stream, STREAM)

#define INPLACE(name, fetch)                                                                                         \
    static void name(float *x, size_t count)                                                                         \
    {                                                                                                                \
        const V s = SET(-1);                                                                                         \
        for (size_t i = 0; i < count; i += 16) {                                                                     \
            fetch(x + i);                                                                                            \
            for (size_t k = 0; k < 16; k += LANES) STORE(x + i + k, MUL(LOAD(x + i + k), s));                        \
        }                                                                                                            \
    }
INPLACE(inplace_plain, NO_FETCH)
INPLACE(inplace_ahead, FETCH)

#define CHAINS_OF(name, vector, set, add, fma, sum, lanes)                                                           \
    static double name(size_t steps, double *operations)                                                            \
    {                                                                                                                \
        vector chain[CHAINS], all = set(0);                                                                          \
        const vector f = set(0.75f), o = set(0.25f);                                                                 \
        for (int c = 0; c < CHAINS; c++) chain[c] = set((float)c);                                                   \
        for (size_t i = 0; i < steps; i++)                                                                           \
            for (int c = 0; c < CHAINS; c++) chain[c] = fma(chain[c], f, o);                                         \
        for (int c = 0; c < CHAINS; c++) all = add(all, chain[c]);                                                   \
        *operations = 2.0 * (lanes) * CHAINS * (double)steps;                                                        \
        return (double)sum(all);                                                                                     \
    }
CHAINS_OF(fma_f32, V, SET, ADD, FMA, SUM, LANES)
CHAINS_OF(fma_f64, W, SET64, ADD64, FMA64, SUM64, LANES / 2)

const roof_kernels KERNELS = { NAME, read_plain, read_ahead, copy_plain, copy_stream, triad_plain, triad_stream, inplace_plain, inplace_ahead,
                               fma_f32, fma_f64 };
