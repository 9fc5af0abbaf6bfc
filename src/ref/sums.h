#pragma once

/* The order of every sum: THE specification, which every device template and tuning candidate follows bit for bit.
 *
 * A reduction visits, for each kept element, the reduced elements in row-major order of the reduced index: the sequence
 * x[0], x[1], ..., x[n-1]. All adds are in the accumulator's type (f32 for f32, f16, bf16; f64 for f64; integers wrap, so
 * their order does not matter), and a result of a storage type is rounded to it once, at the end. n = 0 gives +0.
 *
 * chain      acc = +0; acc = acc + x[i] for i = 0, 1, ..., n-1.
 *
 * chunks     x is cut into chunks of 1,024 (the last may be short). Within a chunk, lane l of 64 is the chain over
 *            x[l], x[l+64], x[l+128], ... of that chunk, starting from +0; a lane without elements is +0. Then
 *            lane[l] = lane[l] + lane[l+h] for all l < h, for h = 32, 16, 8, 4, 2, 1; lane[0] is the chunk's result.
 *            While there is more than one chunk result, they are the next x and the same rule is applied to them.
 *
 * pairs      neighbours are added, x[0] + x[1], x[2] + x[3], ..., an odd last one passing through unchanged; the results
 *            are the next x, until one is left. One value is its own result; none gives +0.
 *
 * SUM        "trailing" (clgrad_axes_trailing: but for extents of 1, all reduced axes lie behind all kept ones): chunks.
 *            "leading" (everything else): chain.
 * with cell  the first reduced axis (the lowest bit of `axes`) is cut every `cell` indices, so x is cut every
 *            cell x (product of the other reduced extents) elements; each part is summed as above, then pairs over parts.
 * MATMUL     acc = +0; acc = MULADD(a[p], b[p], acc) for p = 0, 1, ..., k-1. With cell: that chain for each `cell`
 *            indices of p, then pairs over cells.
 * CUMSUM     blocks of 1,024 along the axis: y = offset + (chain within the block), where the offset of block b is
 *            offset(b-1) + total(b-1) and offset(1) = total(0); block 0 adds no offset. `reverse` is this rule on the
 *            reversed sequence.
 *
 * -0 in:     a chain of -0 gives +0, since it starts at +0; a kernel may leave out adding an absent +0, as this changes
 *            no bits of a sum that starts so. */

#include "clgrad/tensor.h"

enum { CLGRAD_SUM_CHUNK = 1024, CLGRAD_SUM_LANES = 64 };

typedef enum clgrad_sum_rule { CLGRAD_SUM_CHAIN, CLGRAD_SUM_CHUNKS } clgrad_sum_rule;

/* Real values are held in double; `single` rounds every add to f32. (An f32 add done in double and rounded is the f32 add:
 * 53 >= 2 x 24 + 2.) Nothing here allocates or can fail. */

/* x[0..n) by chain or by chunks. */
double clgrad_ref_sum(const double *x, int64_t n, clgrad_sum_rule rule, bool single);

/* `count` rows of n values each, column by column, by pairs, in place: the first row is the result. Needs count > 0. */
void clgrad_ref_pairs(double *rows, int64_t count, int64_t n, bool single);

/* y[i] for i < n, x and y with a step between elements that may be negative (reverse); they may be the same memory. */
void clgrad_ref_cumsum(const double *x, double *y, int64_t n, int64_t step, bool single);
