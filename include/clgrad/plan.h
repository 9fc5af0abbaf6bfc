#pragma once

/** What a compiled graph does and costs, by counting: launches, the values between them, bytes, FLOPs, memory. */

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One launch.
 *
 * Bytes: every element that the launch reads or writes, once, however often the kernel asks for it; for an index known only in the
 * kernel, as many as there are indices. FLOPs: one for each arithmetic operation on real numbers (functions such as exp count as one),
 * two for a multiply-add of a product; none for comparisons, selections, conversions and integers.
 */
typedef struct clgrad_launch_info {
    size_t struct_size;
    size_t kernel_number; /* launches with equal numbers are parts of one kernel */
    char kernel[64];      /* template and variant: "map w16", "clblast" */
    char operations[160]; /* what it computes: reduction or product first, then what is fused with it: "matmul add max"; "+3" where more do not fit; "copy" for nothing */
    double read_bytes, written_bytes;
    double flops;
    clgrad_dtype arithmetic; /* f64 where any of it is, else f32 */
    size_t num_operands;
} clgrad_launch_info;

typedef enum clgrad_operand_kind { CLGRAD_OPERAND_SCRATCH, CLGRAD_OPERAND_INPUT, CLGRAD_OPERAND_OUTPUT } clgrad_operand_kind;

/** A value as one launch sees it. */
typedef struct clgrad_operand_info {
    size_t struct_size;
    size_t value;     /* equal numbers in other launches of the same function are the same value */
    clgrad_operand_kind kind;
    const char *name; /* of the input or output, borrowed from the function; "" for scratch */
    clgrad_dtype dtype;
    clgrad_shape shape; /* of the whole value; partial results are flat */
    double read_bytes, written_bytes; /* by this launch */
} clgrad_operand_info;

/** All launches together. */
typedef struct clgrad_cost {
    size_t struct_size;
    size_t num_launches;
    size_t num_kernels; /* enqueued by a run: launches may be parts of one kernel */
    bool repeats;       /* one launch does many runs in a row: steps of an optimizer on a CPU device */
    double bytes;       /* read and written by all launches */
    double least_bytes; /* any list of launches moves: what is read of the inputs, once, and the outputs, once */
    double flops;
    uint64_t argument_bytes; /* inputs and outputs; those in the same memory once */
    uint64_t scratch_bytes;  /* held beside them */
    uint64_t least_scratch_bytes; /* the most that is alive in one launch of this list */
} clgrad_cost;

/** A product c = a b, as tuning sees it: c has m x n elements, each a sum over k. */
typedef struct clgrad_product {
    size_t struct_size;
    clgrad_dtype a_dtype, b_dtype;
    int64_t m, n, k;
    bool a_turned, b_turned; /* stored with its columns, not its rows, one after the other */
    int64_t batches;         /* products of one launch */
    int64_t cell;            /* 0, or the length of the parts that the sum is cut into */
} clgrad_product;

#define CLGRAD_PRODUCT_INIT { sizeof(clgrad_product), CLGRAD_F32, CLGRAD_F32, 0, 0, 0, false, false, 1, 0 }
#define CLGRAD_LAUNCH_INFO_INIT { sizeof(clgrad_launch_info), 0, "", "", 0.0, 0.0, 0.0, CLGRAD_F32, 0 }
#define CLGRAD_COST_INIT { sizeof(clgrad_cost), 0, 0, 0.0, 0.0, 0.0, 0, 0, 0 }

#ifdef __cplusplus
}
#endif
