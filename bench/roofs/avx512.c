/* AVX-512: 32 registers of 16 floats. */

#include <immintrin.h>

#define V __m512
#define W __m512d
#define LANES 16
#define CHAINS 16
#define LOAD(p) _mm512_load_ps(p)
#define STORE(p, v) _mm512_store_ps(p, v)
#define STREAM(p, v) _mm512_stream_ps(p, v)
#define SET(s) _mm512_set1_ps(s)
#define ADD(a, b) _mm512_add_ps(a, b)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define SUM(v) _mm512_reduce_add_ps(v)
#define SET64(s) _mm512_set1_pd(s)
#define ADD64(a, b) _mm512_add_pd(a, b)
#define FMA64(a, b, c) _mm512_fmadd_pd(a, b, c)
#define SUM64(v) _mm512_reduce_add_pd(v)
#define KERNELS roof_avx512
#define NAME "avx512f"
#include "kernels.h"
