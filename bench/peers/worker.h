/* The loop of a peer written in C: the protocol of worker.py, one mode a row. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum kind { MATMUL, AXPY, SUM };

struct row {
    enum kind kind;
    bool a_transposed, b_transposed; /* a is k x m, b is n x k in memory */
    size_t m, n, k;                  /* n: columns, or elements */
};

#define LEARNING_RATE 1e-2f

/* What a peer supplies. x and y are a and b of a product, g and p of p -= LEARNING_RATE g, x alone of a sum. */
struct peer {
    const char *name;
    const char *(*mode)(const struct row *row);                                /* NULL: nothing to run for this row */
    const char *(*open)(const struct row *row, const float *x, const float *y); /* NULL, or why not */
    bool (*run)(const struct row *row, size_t count);                          /* that often; returns when all have ended */
    bool (*result)(const struct row *row, float *out);
    void (*close)(void);
};

/* The first line, then one answer a command until stdin ends. `about` is JSON without braces. */
int worker_serve(const struct peer *peer, const char *about);
/* A worker that cannot run says so and exits with 0. */
int worker_absent(const char *name, const char *reason);
int worker_threads(void);

size_t row_x_count(const struct row *row);
size_t row_y_count(const struct row *row);
size_t row_out_count(const struct row *row);
