/* AVX2 with FMA: 16 registers of 8 floats. */

#include <immintrin.h>

static inline float sum_lanes(__m256 v)
{
    float x[8], sum = 0;
    _mm256_storeu_ps(x, v);
    for (int i = 0; i < 8; i++) sum += x[i];
    return sum;
}

static inline double sum_lanes_f64(__m256d v)
{
    double x[4];
    _mm256_storeu_pd(x, v);
    return (x[0] + x[1]) + (x[2] + x[3]);
}

#define V __m256
#define W __m256d
#define LANES 8
#define CHAINS 10
#define LOAD(p) _mm256_load_ps(p)
#define STORE(p, v) _mm256_store_ps(p, v)
#define STREAM(p, v) _mm256_stream_ps(p, v)
#define SET(s) _mm256_set1_ps(s)
#define ADD(a, b) _mm256_add_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define SUM(v) sum_lanes(v)
#define SET64(s) _mm256_set1_pd(s)
#define ADD64(a, b) _mm256_add_pd(a, b)
#define FMA64(a, b, c) _mm256_fmadd_pd(a, b, c)
#define SUM64(v) sum_lanes_f64(v)
#define KERNELS roof_avx2
#define NAME "avx2"
#include "kernels.h"
