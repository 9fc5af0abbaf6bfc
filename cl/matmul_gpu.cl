/* clgrad-template 1 */
/* matmul_gpu.cl -- c[z, i, j] = sum over q of a[z, i, q] * b[z, q, j], for devices that run work-items side by side.
 * needs   MM_SCALAR; MM_LOAD_A, MM_LOAD_B: decode from a pointer; MM_ROWS x MM_COLUMNS: sums of one work-item; MM_ITEMS_I x MM_ITEMS_J
 *         work-items a group; MM_DEPTH: steps of q held in local memory; MM_A_ALONG_Q, MM_B_ALONG_Q: 1 when neighbours in memory are
 *         neighbours in q; MM_CELL: length of the sum's cells, a multiple of MM_DEPTH, 0 for one chain; MM_LEVELS: bits of the
 *         number of cells; MM_EPILOGUE_ARGS, MM_EPILOGUE_S for an element; mm_params, mm_a_start, mm_b_start
 * launch  groups (columns, rows, batches) of MM_ITEMS_J x MM_ITEMS_I work-items; a batch group takes every num_groups-th batch
 * bits    every sum is one chain in increasing q (a chain a cell, then pairs of neighbours), whatever the tile            */
#define MM_BLOCK_I (MM_ROWS * MM_ITEMS_I)
#define MM_BLOCK_J (MM_COLUMNS * MM_ITEMS_J)
#define MM_A_LINE (MM_A_ALONG_Q ? MM_DEPTH : MM_BLOCK_I) /* elements that follow each other in memory */
#define MM_B_LINE (MM_B_ALONG_Q ? MM_DEPTH : MM_BLOCK_J)
#define MM_ITEMS (MM_ITEMS_I * MM_ITEMS_J)
#define MM_UNROLL _Pragma("unroll")
#define MM_INLINE static inline __attribute__((always_inline))
#define MM_EACH MM_UNROLL for (int r = 0; r < MM_ROWS; r++) MM_UNROLL for (int s = 0; s < MM_COLUMNS; s++)

/* One step of q. Work-items take every MM_ITEMS_I-th row and MM_ITEMS_J-th column, so that neighbours touch neighbouring memory. */
MM_INLINE void mm_step(MM_SCALAR acc[MM_ROWS][MM_COLUMNS], local const MM_SCALAR *a, local const MM_SCALAR *b)
{
    MM_SCALAR row[MM_COLUMNS];
    MM_UNROLL for (int s = 0; s < MM_COLUMNS; s++) row[s] = b[s * MM_ITEMS_J];
    MM_UNROLL for (int r = 0; r < MM_ROWS; r++) {
        const MM_SCALAR x = a[r * MM_ITEMS_I];
        MM_UNROLL for (int s = 0; s < MM_COLUMNS; s++) acc[r][s] = MULADD(x, row[s], acc[r][s]);
    }
}

#if MM_CELL
/* A binary counter: level l holds the sum of 2^l neighbouring cells; cell number c joins what is full. */
MM_INLINE void mm_push(MM_SCALAR levels[MM_LEVELS][MM_ROWS][MM_COLUMNS], MM_SCALAR acc[MM_ROWS][MM_COLUMNS], ulong c)
{
    int l = 0;
    for (; c & 1; c >>= 1, l++) MM_EACH acc[r][s] = levels[l][r][s] + acc[r][s];
    MM_EACH levels[l][r][s] = acc[r][s], acc[r][s] = 0;
}

/* The sum of all cells, from what the counter holds: odd ones pass through to the next level. */
MM_INLINE void mm_fold(MM_SCALAR levels[MM_LEVELS][MM_ROWS][MM_COLUMNS], MM_SCALAR acc[MM_ROWS][MM_COLUMNS], ulong cells)
{
    int l = 0;
    for (; !(cells & 1); cells >>= 1) l++;
    MM_EACH acc[r][s] = levels[l][r][s];
    while (cells >>= 1) {
        l++;
        if (cells & 1) MM_EACH acc[r][s] = levels[l][r][s] + acc[r][s];
    }
}
#endif

kernel __attribute__((reqd_work_group_size(MM_ITEMS_J, MM_ITEMS_I, 1)))
void matmul(const mm_params params, const epilogue e, global const MM_A_TYPE *restrict a, global const MM_B_TYPE *restrict b
            MM_EPILOGUE_ARGS)
{
    const mm_params *mm = &params;
    local MM_SCALAR a_block[MM_DEPTH][MM_BLOCK_I + 1], b_block[MM_DEPTH][MM_BLOCK_J + 1]; /* + 1: off the bank conflicts */
    const int item_i = get_local_id(1), item_j = get_local_id(0), item = item_i * MM_ITEMS_J + item_j;
    const long top = (long)get_group_id(1) * MM_BLOCK_I, left = (long)get_group_id(0) * MM_BLOCK_J;
    for (long batch = get_group_id(2); batch < mm->num_batches; batch += get_num_groups(2)) {
        global const MM_A_TYPE *az = a + mm_a_start(mm, batch) + top * mm->a_row;
        global const MM_B_TYPE *bz = b + mm_b_start(mm, batch) + left * mm->b_col;
        MM_SCALAR sum[MM_ROWS][MM_COLUMNS];
        MM_EACH sum[r][s] = 0;
#if MM_CELL
        MM_SCALAR levels[MM_LEVELS][MM_ROWS][MM_COLUMNS];
#endif
        for (long q = 0; q < mm->k; q += MM_DEPTH) {
            const int depth = (int)min((long)MM_DEPTH, mm->k - q);
            for (int t = item; t < MM_DEPTH * MM_BLOCK_I; t += MM_ITEMS) { /* no %: LLVM freezes its operand, Oclgrind stumbles */
                const int line = t / MM_A_LINE, place = t - line * MM_A_LINE;
                const int i = MM_A_ALONG_Q ? line : place, d = MM_A_ALONG_Q ? place : line;
                a_block[d][i] = d < depth && top + i < mm->m ? MM_LOAD_A(az + i * mm->a_row + (q + d) * mm->a_col) : 0;
            }
            for (int t = item; t < MM_DEPTH * MM_BLOCK_J; t += MM_ITEMS) {
                const int line = t / MM_B_LINE, place = t - line * MM_B_LINE;
                const int j = MM_B_ALONG_Q ? line : place, d = MM_B_ALONG_Q ? place : line;
                b_block[d][j] = d < depth && left + j < mm->n ? MM_LOAD_B(bz + (q + d) * mm->b_row + j * mm->b_col) : 0;
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int d = 0; d < depth; d++) mm_step(sum, a_block[d] + item_i, b_block[d] + item_j);
            barrier(CLK_LOCAL_MEM_FENCE);
#if MM_CELL
            if ((q + depth) % MM_CELL == 0 || q + depth == mm->k) mm_push(levels, sum, q / MM_CELL);
#endif
        }
#if MM_CELL
        mm_fold(levels, sum, (mm->k + MM_CELL - 1) / MM_CELL);
#endif
        MM_SCALAR done[MM_ROWS][MM_COLUMNS];
        MM_EACH done[r][s] = sum[r][s]; /* indexed by variables below: sum itself stays in registers */
        for (int r = 0; r < MM_ROWS; r++)
            for (int s = 0; s < MM_COLUMNS; s++) {
                const ulong z = batch, i = top + item_i + r * MM_ITEMS_I, j = left + item_j + s * MM_ITEMS_J;
                if (i >= (ulong)mm->m || j >= (ulong)mm->n) continue;
                MM_SCALAR acc = done[r][s];
                MM_EPILOGUE_S
            }
    }
}
