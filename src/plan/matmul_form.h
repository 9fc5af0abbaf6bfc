#pragma once

/* A product's form: all that the text of its program depends on. matmul.c decides it, matmul_write.c writes it down. */

#include "plan/matmul.h"

enum { CLGRAD_MATMUL_AXES = 6 };

/* MM_PACK of panel.cl */
typedef enum clgrad_packing { CLGRAD_PACK_IN_PLACE, CLGRAD_PACK_COPIED, CLGRAD_PACK_TRANSPOSED, CLGRAD_PACK_GATHERED } clgrad_packing;

typedef struct clgrad_matmul_form {
    bool gpu, swap, pair;
    bool narrow; /* the last columns fit one of several vectors */
    bool apart;  /* a pointer for each row of a */
    bool pad;    /* fewer columns than lanes: b is packed into whole vectors */
    bool f64;
    bool wide;   /* registers for 16 sums and more: AVX-512's */
    bool hints;  /* may ask for lines early */
    bool short_loops; /* every group does one tile */
    clgrad_packing pack;
    int64_t lanes, vectors, rows, columns; /* columns: of a register tile, lanes * vectors for the CPU form */
    int64_t depth, chunk, tiles, cell, levels; /* chunk: panels that lie side by side */
    int64_t steps; /* of a sum in one turn of its loop */
    int64_t items_i, items_j; /* GPU form: work-items of a group */
    int64_t groups;           /* CPU form: of each compute unit; 0: by the work there is */
    bool chosen;              /* by the tuning store */
} clgrad_matmul_form;

static inline int64_t clgrad_divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

static inline int64_t clgrad_matmul_batches(const clgrad_matmul_desc *d)
{
    int64_t count = 1;
    for (int32_t x = 0; x < d->num_batch; x++) count *= d->batch_dims[x];
    return count;
}

/* Of both products. */
static inline int64_t clgrad_matmul_steps(const clgrad_matmul_desc *d) { return d->k + (d->second.there ? d->second.k : 0); }

/* Preamble, parameters and sizes of a product described as its form has it (operands exchanged, batch axes joined). */
clgrad_status clgrad_matmul_write(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_matmul_form *form,
                                  clgrad_matmul_launch *out);
