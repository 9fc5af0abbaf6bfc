#pragma once

#include <stddef.h>

/* The kernels of one instruction set. count is a multiple of 64 elements; x, y, z are aligned to 64 bytes. */
typedef struct roof_kernels {
    const char *name;
    float (*read)(const float *x, size_t count);
    float (*read_ahead)(const float *x, size_t count);
    void (*copy)(float *y, const float *x, size_t count);
    void (*copy_stream)(float *y, const float *x, size_t count);
    void (*triad)(float *x, const float *y, const float *z, size_t count);
    void (*triad_stream)(float *x, const float *y, const float *z, size_t count);
    void (*inplace)(float *x, size_t count);
    void (*inplace_ahead)(float *x, size_t count);
    /* steps rounds of independent multiply-adds; *operations becomes how many operations that was. The result is of no interest. */
    double (*fma_f32)(size_t steps, double *operations);
    double (*fma_f64)(size_t steps, double *operations);
} roof_kernels;

extern const roof_kernels roof_avx512, roof_avx2, roof_neon, roof_plain;
