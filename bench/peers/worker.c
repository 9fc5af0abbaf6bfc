#define _POSIX_C_SOURCE 200809L
#include "worker.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLE_SECONDS 5e-3 /* as in worker.py */
#define CHECKED_STEPS 3
#define MEGA ((size_t)1 << 20)

struct opened {
    struct row row;
    char id[128];
    bool ready;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int worker_threads(void)
{
    const char *text = getenv("PEERS_THREADS");
    return text ? atoi(text) : 1;
}

int worker_absent(const char *name, const char *reason)
{
    printf("{\"peer\": \"%s\", \"absent\": \"%s\"}\n", name, reason);
    return 0;
}

size_t row_x_count(const struct row *row) { return row->kind == MATMUL ? row->m * row->k : row->n; }
size_t row_y_count(const struct row *row) { return row->kind == MATMUL ? row->k * row->n : row->kind == AXPY ? row->n : 0; }
size_t row_out_count(const struct row *row) { return row->kind == MATMUL ? row->m * row->n : row->kind == AXPY ? row->n : 1; }

static bool ends(const char *id, int length) { return length > 0 && id[length] == '\0'; }

static bool parse(const char *id, struct row *row)
{
    char a, b;
    int length = 0;
    *row = (struct row){ .kind = MATMUL };
    if (sscanf(id, "matmul.f32.%c%c.%zux%zux%zu%n", &a, &b, &row->m, &row->n, &row->k, &length) == 5 && ends(id, length)) {
        row->a_transposed = a == 't';
        row->b_transposed = b == 't';
        return true;
    }
    length = 0;
    if (sscanf(id, "update.sgd.f32.%zuM%n", &row->n, &length) == 1 && ends(id, length)) {
        row->kind = AXPY;
        row->n *= MEGA;
        return true;
    }
    length = 0;
    if (sscanf(id, "reduce.sum.%zuM%n", &row->n, &length) == 1 && ends(id, length)) {
        row->kind = SUM;
        row->n *= MEGA;
        return true;
    }
    return false;
}

/* Uniform in [low, 1). */
static float *noise(size_t count, uint64_t seed, float low)
{
    float *values = malloc((count ? count : 1) * sizeof *values);
    uint64_t state = seed;
    for (size_t i = 0; values && i < count; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values[i] = low + (1.0f - low) * (float)(state >> 40) * 0x1p-24f;
    }
    return values;
}

static bool reference_product(const struct row *row, const float *a, const float *b, double *out)
{
    double *line = malloc(row->k * row->n * sizeof *line); /* b as k x n */
    if (!line) return false;
    for (size_t k = 0; k < row->k; ++k)
        for (size_t j = 0; j < row->n; ++j) line[k * row->n + j] = row->b_transposed ? b[j * row->k + k] : b[k * row->n + j];
    memset(out, 0, row->m * row->n * sizeof *out);
    for (size_t i = 0; i < row->m; ++i)
        for (size_t k = 0; k < row->k; ++k) {
            const double factor = row->a_transposed ? a[k * row->m + i] : a[i * row->k + k];
            for (size_t j = 0; j < row->n; ++j) out[i * row->n + j] += factor * line[k * row->n + j];
        }
    free(line);
    return true;
}

/* What the result must be near; of updates the way p went, and `actual` is made into that as well. */
static bool reference(const struct row *row, const float *x, const float *y, double *out, float *actual)
{
    if (row->kind == MATMUL) return reference_product(row, x, y, out);
    if (row->kind == SUM) out[0] = 0;
    for (size_t i = 0; i < row->n; ++i) {
        if (row->kind == SUM) {
            out[0] += x[i];
        } else {
            out[i] = -CHECKED_STEPS * (double)LEARNING_RATE * x[i];
            actual[i] -= y[i];
        }
    }
    return true;
}

static double relative_error(const float *actual, const double *wanted, size_t count)
{
    const char *spoil = getenv("PEERS_SPOIL");
    const double factor = spoil ? atof(spoil) : 1;
    double distance = 0, size = 0;
    for (size_t i = 0; i < count; ++i) {
        const double w = factor * wanted[i];
        distance += (actual[i] - w) * (actual[i] - w);
        size += w * w;
    }
    return sqrt(distance / size);
}

/* Prints the object of a mode: its error, or why it is not timed. */
static bool check(const struct peer *peer, const struct row *row, const float *x, const float *y)
{
    const size_t count = row_out_count(row);
    const double tolerance = row->kind == AXPY ? 1e-3 : 1e-4; /* as in reference.py */
    float *actual = malloc(count * sizeof *actual);
    double *wanted = malloc(count * sizeof *wanted);
    const char *reason = actual && wanted ? peer->open(row, x, y) : "no memory";
    if (!reason && !(peer->run(row, row->kind == AXPY ? CHECKED_STEPS : 1) && peer->result(row, actual))) reason = "run failed";
    if (!reason && !reference(row, x, y, wanted, actual)) reason = "no memory";
    const double error = reason ? INFINITY : relative_error(actual, wanted, count);
    if (reason)
        printf("{\"mode\": \"%s\", \"reason\": \"%s\"}", peer->mode(row), reason);
    else if (!(error <= tolerance))
        printf("{\"mode\": \"%s\", \"reason\": \"result is off by %.2g, more than %g\"}", peer->mode(row), error, tolerance);
    else
        printf("{\"mode\": \"%s\", \"error\": %.3g}", peer->mode(row), error);
    free(actual);
    free(wanted);
    return error <= tolerance;
}

static void open_row(const struct peer *peer, struct opened *opened, const char *id)
{
    struct row *row = &opened->row;
    opened->ready = false;
    printf("{\"modes\": [");
    if (parse(id, row) && peer->mode(row)) {
        float *x = noise(row_x_count(row), 20, row->kind == SUM ? 0.0f : -1.0f);
        float *y = noise(row_y_count(row), 21, -1.0f);
        opened->ready = x && y && check(peer, row, x, y);
        free(x);
        free(y);
        snprintf(opened->id, sizeof opened->id, "%s", id);
    }
    printf("]}\n");
}

static double batch_seconds(const struct peer *peer, const struct row *row, size_t count)
{
    const double start = seconds();
    return peer->run(row, count) ? seconds() - start : -1;
}

static size_t runs_per_sample(const struct peer *peer, const struct row *row)
{
    size_t count = 1;
    double taken = fmin(batch_seconds(peer, row, 1), batch_seconds(peer, row, 1)); /* the first may be late */
    while (taken >= 0 && taken < SAMPLE_SECONDS) {
        count *= 2;
        taken = fmin(batch_seconds(peer, row, count), batch_seconds(peer, row, count));
    }
    return taken < 0 ? 0 : count;
}

static void time_row(const struct peer *peer, const struct opened *opened, const char *id, double wanted)
{
    const bool known = opened->ready && strcmp(id, opened->id) == 0;
    const size_t count = known ? runs_per_sample(peer, &opened->row) : 0;
    if (count == 0) {
        printf("{\"failed\": \"%s\"}\n", known ? "run failed" : "row is not open");
        return;
    }
    printf("{\"samples\": [");
    const double end = seconds() + wanted;
    for (int i = 0; i == 0 || seconds() < end; ++i) printf("%s%.5g", i ? ", " : "", batch_seconds(peer, &opened->row, count) / (double)count);
    printf("]}\n");
}

int worker_serve(const struct peer *peer, const char *about)
{
    struct opened opened = { .ready = false };
    char line[512], command[16], id[128], mode[64];
    printf("{\"peer\": \"%s\", %s}\n", peer->name, about);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        double wanted = 0;
        const int words = sscanf(line, "%15s %127s %63s %lf", command, id, mode, &wanted);
        if (words >= 2 && strcmp(command, "open") == 0) {
            open_row(peer, &opened, id);
        } else if (words == 4 && strcmp(command, "time") == 0) {
            time_row(peer, &opened, id, wanted);
        } else {
            peer->close();
            opened.ready = false;
            printf("{}\n");
        }
        fflush(stdout);
    }
    return 0;
}
