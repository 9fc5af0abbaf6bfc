/* AArch64 Advanced SIMD: 32 registers of 4 floats. There is no non-temporal store of its own; STNP needs two registers. */

#include <arm_neon.h>

#define V float32x4_t
#define W float64x2_t
#define LANES 4
#define CHAINS 16
#define LOAD(p) vld1q_f32(p)
#define STORE(p, v) vst1q_f32(p, v)
#define STREAM(p, v) vst1q_f32(p, v)
#define SET(s) vdupq_n_f32(s)
#define ADD(a, b) vaddq_f32(a, b)
#define MUL(a, b) vmulq_f32(a, b)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define SUM(v) vaddvq_f32(v)
#define SET64(s) vdupq_n_f64(s)
#define ADD64(a, b) vaddq_f64(a, b)
#define FMA64(a, b, c) vfmaq_f64(c, a, b)
#define SUM64(v) vaddvq_f64(v)
#define KERNELS roof_neon
#define NAME "neon"
#include "kernels.h"
