#pragma once

/* Between the plan's code generator and the matmul templates. The plan describes the product and gives the epilogue as text; this
 * part chooses template and tile, writes the preamble, packs the by-value parameter struct and says how to launch. */

#include "plan/plan.h"

/* Another product of the same shape, batch axes and types, in the same launch: the epilogue finds its sums as acc2. */
typedef struct clgrad_matmul_second {
    bool there;
    int64_t k, a_row, a_col, a_offset, b_row, b_col, b_offset, a_batch[CLGRAD_MAX_RANK], b_batch[CLGRAD_MAX_RANK];
} clgrad_matmul_second;

typedef struct clgrad_matmul_desc {
    clgrad_dtype a_dtype, b_dtype; /* storage of the operands: f32, f64, f16, bf16; arithmetic in f32, or f64 when both are f64 */
    int64_t m, n, k;               /* c[i, j] = sum over p of a[i, p] * b[p, j], one chain in increasing p (per cell) */
    int64_t a_row, a_col, a_offset;/* element strides of a[i, p]; may be 0 or negative */
    int64_t b_row, b_col, b_offset;/* element strides of b[p, j] */
    int32_t num_batch;             /* batch axes, slowest first; the batch index z counts them row-major */
    int64_t batch_dims[CLGRAD_MAX_RANK], a_batch[CLGRAD_MAX_RANK], b_batch[CLGRAD_MAX_RANK];
    int64_t cell;                  /* 0, or p is cut every `cell` and the partial chains are added in neighbouring pairs */
    clgrad_matmul_second second;   /* the same cells: none beyond a shorter k */
    /* Epilogue, from the plan's generator. Names visible to it: ulong z, i, j (batch, row, first column of the lanes), struct
     * `epilogue` e (fields as epilogue_params declares), its buffers. Statements must be valid exactly for the lane count:
     * text for `width` lanes (epilogue_v: acc is floatW/doubleW) and for one lane (epilogue_s: acc is float/double). They store
     * every output themselves, once, and read nothing but their own operands. They become the bodies of macros: no // comments,
     * no directives, `return` or `continue`. Names beginning with mm_ and MM_ are the templates'. */
    const char *helpers;         /* functions and macros used by the epilogue, "" if none */
    const char *epilogue_params; /* text of the struct: "typedef struct { long s0; ... } epilogue;" */
    const char *epilogue_args;   /* kernel parameters after e: ", global float *arg0, global const float *arg1" */
    size_t num_epilogue_args;
    const char *epilogue_v, *epilogue_s;
    const char *function;        /* name of the function as part of a kernel; NULL: a kernel of its own */
    bool awake;                  /* as part: threads to share it with are awake */
    int64_t share_rows, shares;  /* as part: rows of each share and number of shares; 0: as it likes */
    const char *touches;         /* MM_TOUCH(address); for what epilogue_v reads at z, i, j, to be asked for early; NULL: nothing */
    uint32_t width;              /* lanes of epilogue_v: what clgrad_matmul_width says; with others epilogue_s serves alone */
} clgrad_matmul_desc;

/* For the functions that kernels of the CPU forms call. PoCL compiles each kernel three times over, with all that is inlined: of long ones
 * that is most of the time that a first run takes. Local memory goes in behind a volatile pointer: a compiler that sees one address go
 * into a function puts it there in place of the argument, where PoCL does not find it, and all threads share the memory. */
#define CLGRAD_NOINLINE "__attribute__((noinline))"

/* us of work that pay to be shared where threads are awake; waking one costs more. */
#define CLGRAD_SHARED_US 3.0

typedef struct clgrad_matmul_launch {
    const char *file, *walk;     /* as in clgrad_kernel_source; static */
    char *preamble;
    unsigned char params[512];   /* kernel argument 0, by value */
    size_t params_bytes;         /* arguments: 0 params, 1 epilogue struct by value, 2 a, 3 b, then a and b of the second, epilogue_args */
    uint32_t dims;
    size_t global[3], local[3];
    char vector[12];             /* the type it computes in: "float16" */
    size_t local_bytes;          /* as part: local memory that its kernel lends it, aligned to 64 bytes */
    char variant[48];            /* "matmul_cpu 8x32", for explain */
} clgrad_matmul_launch;

/* Lanes worth writing epilogue_v for; 1: epilogue_s alone is used. Looks at everything in desc but the epilogue. */
uint32_t clgrad_matmul_width(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options);

/* The CPU form, and so able to be part of a kernel? */
bool clgrad_matmul_is_cpu(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options);
/* What cutting the rows into shares would cost in each share, in us, and of how many rows each must be a multiple. */
double clgrad_matmul_share_cost(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options, int64_t *multiple);
/* The second product alone. */
clgrad_matmul_desc clgrad_matmul_second_of(const clgrad_matmul_desc *desc);

/* Is CLBlast what the tuning store, or the options' choice, has for this product, and can it serve it? Its bits are others. */
bool clgrad_matmul_by_clblast(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options);

/* May products on this device have a second beside them; and can this one with this second? */
bool clgrad_matmul_pairs(clgrad_device *dev, const clgrad_plan_options *options);
bool clgrad_matmul_can_pair(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options);

/* Choose and specialise. k may be 0; m, n and the batch are not empty. tile_m x tile_n: sums in one work-item's registers.
 * E_UNSUPPORTED: a forced variant that cannot serve this product. E_DTYPE, E_ARG: not a product of reals, or an empty one. */
clgrad_status clgrad_matmul_choose(clgrad_device *dev, const clgrad_matmul_desc *desc,
                                   const clgrad_plan_options *options, clgrad_matmul_launch *out);
void clgrad_matmul_launch_release(clgrad_context *ctx, clgrad_matmul_launch *launch);

/* src/plan/providers/clblast.c: is CLBlast there and can it serve the product (unit row or column strides, no cell beyond k, f32/f64,
 * no epilogue beyond storing c)? Then run it: c[z] row-major with row stride n at element c_offset. */
bool clgrad_clblast_can(clgrad_device *dev, const clgrad_matmul_desc *desc);
clgrad_status clgrad_clblast_run(clgrad_device *dev, const clgrad_matmul_desc *desc, clgrad_buffer *a, clgrad_buffer *b,
                                 clgrad_buffer *c, int64_t c_offset);
