/* OpenBLAS alone, opened at run time, so that any build can be measured: openblas LIBRARY.
 * cblas_sgemm; cblas_saxpy is the SGD update; cblas_ssum. NumPy's own copy prefixes its names and has 64-bit integers. */
#include "worker.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

typedef void sgemm32(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
typedef void sgemm64(int, int, int, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t, float, float *, int64_t);
typedef void saxpy32(int, float, const float *, int, float *, int);
typedef void saxpy64(int64_t, float, const float *, int64_t, float *, int64_t);
typedef float ssum32(int, const float *, int);
typedef float ssum64(int64_t, const float *, int64_t);

typedef void any_function(void);

static struct {
    void *handle;
    const char *prefix, *suffix;
    bool wide;
    any_function *sgemm, *saxpy, *ssum;
    float *x, *y, *out;
} blas;

static any_function *symbol(const char *name)
{
    char full[96];
    any_function *function;
    snprintf(full, sizeof full, "%s%s%s", blas.prefix, name, blas.suffix);
    *(void **)&function = dlsym(blas.handle, full); /* as POSIX has it; C has no conversion */
    return function;
}

static bool find_functions(const char *library)
{
    static const struct { const char *prefix, *suffix; bool wide; } names[] = {
        { "", "", false }, { "scipy_", "", false }, { "", "64_", true }, { "scipy_", "64_", true },
    };
    blas.handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; blas.handle && i < sizeof names / sizeof *names; ++i) {
        blas.prefix = names[i].prefix;
        blas.suffix = names[i].suffix;
        blas.wide = names[i].wide;
        if (symbol("openblas_get_corename") && symbol("cblas_sgemm")) break;
    }
    if (!blas.handle) return false;
    blas.sgemm = symbol("cblas_sgemm");
    blas.saxpy = symbol("cblas_saxpy");
    blas.ssum = symbol("cblas_ssum");
    return blas.sgemm && blas.saxpy;
}

static const char *mode(const struct row *row)
{
    return row->kind == MATMUL ? "cblas_sgemm" : row->kind == AXPY ? "cblas_saxpy" : blas.ssum ? "cblas_ssum" : NULL;
}

static void close_row(void)
{
    free(blas.x);
    free(blas.y);
    free(blas.out);
    blas.x = blas.y = blas.out = NULL;
}

static float *copy(const float *values, size_t count)
{
    float *own = malloc((count ? count : 1) * sizeof *own);
    if (own) memcpy(own, values, count * sizeof *own);
    return own;
}

static const char *open_row(const struct row *row, const float *x, const float *y)
{
    close_row();
    blas.x = copy(x, row_x_count(row));
    blas.y = copy(y, row_y_count(row));
    blas.out = calloc(row_out_count(row), sizeof *blas.out);
    return blas.x && blas.y && blas.out ? NULL : "no memory";
}

static void multiply(const struct row *row)
{
    const int ta = row->a_transposed ? TRANSPOSED : PLAIN, tb = row->b_transposed ? TRANSPOSED : PLAIN;
    const size_t lda = row->a_transposed ? row->m : row->k, ldb = row->b_transposed ? row->k : row->n;
    if (blas.wide)
        ((sgemm64 *)blas.sgemm)(ROW_MAJOR, ta, tb, (int64_t)row->m, (int64_t)row->n, (int64_t)row->k, 1.0f, blas.x, (int64_t)lda,
                                blas.y, (int64_t)ldb, 0.0f, blas.out, (int64_t)row->n);
    else
        ((sgemm32 *)blas.sgemm)(ROW_MAJOR, ta, tb, (int)row->m, (int)row->n, (int)row->k, 1.0f, blas.x, (int)lda,
                                blas.y, (int)ldb, 0.0f, blas.out, (int)row->n);
}

static void once(const struct row *row)
{
    const size_t n = row->n;
    if (row->kind == MATMUL)
        multiply(row);
    else if (row->kind == AXPY && blas.wide)
        ((saxpy64 *)blas.saxpy)((int64_t)n, -LEARNING_RATE, blas.x, 1, blas.y, 1);
    else if (row->kind == AXPY)
        ((saxpy32 *)blas.saxpy)((int)n, -LEARNING_RATE, blas.x, 1, blas.y, 1);
    else
        blas.out[0] = blas.wide ? ((ssum64 *)blas.ssum)((int64_t)n, blas.x, 1) : ((ssum32 *)blas.ssum)((int)n, blas.x, 1);
}

static bool run(const struct row *row, size_t count)
{
    for (size_t i = 0; i < count; ++i) once(row);
    return true;
}

static bool result(const struct row *row, float *out)
{
    memcpy(out, row->kind == AXPY ? blas.y : blas.out, row_out_count(row) * sizeof *out);
    return true;
}

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ... MAX_THREADS=64": the second word is the version. */
static void say_about(char *about, size_t bytes)
{
    typedef char *text_function(void);
    typedef void set_function(int);
    typedef int get_function(void);
    text_function *config = (text_function *)symbol("openblas_get_config"), *core = (text_function *)symbol("openblas_get_corename");
    set_function *set_threads = (set_function *)symbol("openblas_set_num_threads");
    get_function *get_threads = (get_function *)symbol("openblas_get_num_threads");
    char version[64] = "?";
    if (config) sscanf(config(), "OpenBLAS %63s", version);
    if (set_threads) set_threads(worker_threads());
    snprintf(about, bytes, "\"version\": \"%s\", \"threads\": %d, \"core\": \"%s\", \"device\": \"cpu\"", version,
             get_threads ? get_threads() : 0, core ? core() : "?");
}

int main(int argc, char **argv)
{
    static const struct peer peer = { "OpenBLAS", mode, open_row, run, result, close_row };
    char about[512];
    if (!find_functions(argc > 1 ? argv[1] : "libopenblas.so.0"))
        return worker_absent("OpenBLAS", "no libopenblas.so.0 (apt install libopenblas0-pthread, or --openblas FILE)");
    say_about(about, sizeof about);
    return worker_serve(&peer, about);
}
