/* clgrad-roofs PATTERN BYTES THREADS: one pattern on all threads at once, the best of some samples. */

#define _GNU_SOURCE

#include "roofs.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 1024, SAMPLES = 5, BLOCK = 64 };
static const double sample_seconds = 0.006;

/* What each thread does in one pass over its part; returns bytes moved or operations done. */
typedef struct part part;
typedef struct pattern {
    const char *name;
    int arrays;
    double (*pass[2])(const roof_kernels *k, part *p); /* two forms, of which the faster counts; NULL: one */
} pattern;

struct part {
    float *x, *y, *z;
    size_t count; /* floats of each array */
    volatile double kept;
};

static double bytes_of(const part *p, int arrays) { return 4.0 * (double)p->count * arrays; }

#define PASS(name, arrays, call)                                                                                               \
    static double name(const roof_kernels *k, part *p)                                                                         \
    {                                                                                                                          \
        call;                                                                                                                  \
        return bytes_of(p, arrays);                                                                                            \
    }
PASS(read_plain, 1, p->kept = (double)k->read(p->x, p->count))
PASS(read_ahead, 1, p->kept = (double)k->read_ahead(p->x, p->count))
PASS(copy_plain, 2, k->copy(p->y, p->x, p->count))
PASS(copy_stream, 2, k->copy_stream(p->y, p->x, p->count))
PASS(triad_plain, 3, k->triad(p->x, p->y, p->z, p->count))
PASS(triad_stream, 3, k->triad_stream(p->x, p->y, p->z, p->count))
PASS(inplace_plain, 2, k->inplace(p->x, p->count))
PASS(inplace_ahead, 2, k->inplace_ahead(p->x, p->count))

enum { STEPS = 20000 };
static double fma_f32(const roof_kernels *k, part *p)
{
    double operations;
    p->kept = k->fma_f32(STEPS, &operations);
    return operations;
}

static double fma_f64(const roof_kernels *k, part *p)
{
    double operations;
    p->kept = k->fma_f64(STEPS, &operations);
    return operations;
}

static const pattern patterns[] = {
    { "read", 1, { read_plain, read_ahead } },     { "copy", 2, { copy_plain, copy_stream } },
    { "triad", 3, { triad_plain, triad_stream } }, { "inplace", 1, { inplace_plain, inplace_ahead } },
    { "fma.f32", 0, { fma_f32, NULL } },           { "fma.f64", 0, { fma_f64, NULL } },
};

/* --- threads --- */

typedef struct job {
    const roof_kernels *kernels;
    const pattern *pattern;
    size_t bytes, threads;
    pthread_barrier_t barrier;
    double best, best_processor; /* work per second, and per second of processor time */
} job;

typedef struct worker {
    job *job;
    size_t index;
    part part;
    pthread_t thread;
    double work, begin, end, used; /* of the sample in progress; used: processor time */
} worker;

static worker workers[MOST_THREADS];

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Noise in 1..2, written by the thread that will use it. */
static float *make_array(size_t count, uint32_t seed)
{
    float *x = aligned_alloc(64, 4 * count);
    for (size_t i = 0; x && i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        const uint32_t bits = 0x3f800000u | (seed >> 9);
        memcpy(&x[i], &bits, sizeof bits);
    }
    return x;
}

static void make_part(worker *w)
{
    const int arrays = w->job->pattern->arrays;
    part *p = &w->part;
    if (arrays == 0) return;
    p->count = w->job->bytes / 4 / (size_t)arrays / w->job->threads / BLOCK * BLOCK;
    if (p->count == 0) p->count = BLOCK;
    p->x = make_array(p->count, 1);
    p->y = arrays > 1 ? make_array(p->count, 2) : p->x;
    p->z = arrays > 2 ? make_array(p->count, 3) : p->x;
    if (!p->x || !p->y || !p->z) exit(1);
}

/* From the first thread's start to the last one's end: where threads share cores they need not start together. */
static void keep_best(job *j)
{
    double work = 0, used = 0, begin = workers[0].begin, end = workers[0].end;
    for (size_t i = 0; i < j->threads; i++) {
        work += workers[i].work;
        used += workers[i].used;
        if (workers[i].begin < begin) begin = workers[i].begin;
        if (workers[i].end > end) end = workers[i].end;
    }
    if (work / (end - begin) > j->best) j->best = work / (end - begin);
    if (work / used > j->best_processor) j->best_processor = work / used;
}

/* `passes` passes of all threads at once; the first thread keeps the best rate. */
static void sample(worker *w, size_t form, size_t passes)
{
    job *j = w->job;
    w->work = 0;
    pthread_barrier_wait(&j->barrier);
    w->begin = seconds(CLOCK_MONOTONIC);
    w->used = -seconds(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < passes; i++) w->work += j->pattern->pass[form](j->kernels, &w->part);
    w->used += seconds(CLOCK_THREAD_CPUTIME_ID);
    w->end = seconds(CLOCK_MONOTONIC);
    pthread_barrier_wait(&j->barrier);
    if (w->index == 0) keep_best(j);
    pthread_barrier_wait(&j->barrier);
}

static void *run_worker(void *user)
{
    worker *w = user;
    make_part(w);
    for (size_t form = 0; form < 2 && w->job->pattern->pass[form]; form++) {
        sample(w, form, 1); /* the first one wakes caches and clocks; every thread then knows how long a pass is */
        const double begin = seconds(CLOCK_MONOTONIC);
        w->job->pattern->pass[form](w->job->kernels, &w->part);
        static size_t passes; /* the first thread's view, between two barriers */
        pthread_barrier_wait(&w->job->barrier);
        if (w->index == 0) passes = (size_t)(sample_seconds / (seconds(CLOCK_MONOTONIC) - begin + 1e-9)) + 1;
        pthread_barrier_wait(&w->job->barrier);
        for (size_t i = 0; i < SAMPLES; i++) sample(w, form, passes);
    }
    return NULL;
}

static const roof_kernels *best_kernels(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return &roof_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &roof_avx2;
    return &roof_plain;
#elif defined(__aarch64__)
    return &roof_neon;
#else
    return &roof_plain;
#endif
}

int main(int argc, char **argv)
{
    job j = { .kernels = best_kernels() };
    for (size_t i = 0; argc == 4 && i < sizeof patterns / sizeof *patterns; i++)
        if (strcmp(argv[1], patterns[i].name) == 0) j.pattern = &patterns[i];
    j.bytes = argc == 4 ? (size_t)strtoull(argv[2], NULL, 10) : 0;
    j.threads = argc == 4 ? (size_t)strtoull(argv[3], NULL, 10) : 0;
    if (!j.pattern || j.threads < 1 || j.threads > MOST_THREADS) {
        fprintf(stderr, "usage: clgrad-roofs read|copy|triad|inplace|fma.f32|fma.f64 BYTES THREADS   (%s)\n", j.kernels->name);
        return 2;
    }
    pthread_barrier_init(&j.barrier, NULL, (unsigned)j.threads);
    for (size_t i = 0; i < j.threads; i++) {
        workers[i] = (worker){ .job = &j, .index = i };
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i])) return 1;
    }
    for (size_t i = 0; i < j.threads; i++) pthread_join(workers[i].thread, NULL);
    printf("%.6e %.6e\n", j.best, j.best_processor);
    return 0;
}
