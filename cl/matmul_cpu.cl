/* clgrad-template 1 */
/* matmul_cpu.cl -- c[z, i, j] = sum over q of a[z, i, q] * b[z, q, j], for devices whose work-items have SIMD lanes of their own.
 * needs   panel.cl before it; for both
 *         MM_SCALAR MM_VECTOR MM_LANES: element and its vector; MM_ROWS x MM_VECTORS vectors: the register tile, no larger than the
 *         product; MM_LOAD_A, MM_LOAD_B, MM_LOADV_B: decode from a pointer; MM_A_ROW MM_A_COL: strides, 1 where that is known;
 *         MM_PACK: 0 b is read in place (unit column stride), 1 copied, 2 transposed (unit row stride), 3 gathered (any strides);
 *         MM_GROUP: lanes in 16 bytes, or MM_LANES if fewer;
 *         MM_APART: 1 for a pointer to each row of a; MM_STEPS: what unrolls the loop over q; MM_SHORT: 1 when the epilogue is;
 *         MM_DEPTH: steps of q that a packed panel holds, of which mm.chunk lie side by side; MM_TILES: tiles whose state outlives the panels, 1 when these
 *         hold all of q; MM_CELL: length of the sum's cells, a divisor of MM_DEPTH, 0 for one chain; MM_LEVELS: bits of the number
 *         of cells; MM_PAIR: 1 for two products, whose panels hold all of q; MM_SWAP: 1 when lanes run over i; MM_NARROW: 1 when the last columns fit one of several vectors; MM_PAD: 1 when all
 *         columns are fewer than one vector's;
 *         MM_EPILOGUE_ARGS, MM_EPILOGUE_S for an element, MM_EPILOGUE_V for a vector where there is one, MM_TOUCHES: what asks
 *         for the lines that it will read; mm_params, mm_a_start, mm_b_start
 *         MM_ENTRY: the function's head and first statements, which define `mm`, `e`, MM_SCRATCH vectors of local memory `scratch` and the
 *         share's numbers item_i, item_j, item_z
 * launch  share (item_j, item_i, item_z) covers mm.columns, mm.rows, mm.batches of them; the last in i takes all rows that are left
 * edges   the last tile is moved back to end with the matrix: it repeats some sums and stores only what is missing
 * bits    every sum is one chain in increasing q (a chain a cell, then pairs of neighbours), whatever the tile            */
#if MM_SWAP /* the product was transposed: its operands and indices trade places */
#define MM_BOTH(a, b) global const MM_B_TYPE *restrict b, global const MM_A_TYPE *restrict a
#define MM_I j
#define MM_J i
#else
#define MM_BOTH(a, b) global const MM_A_TYPE *restrict a, global const MM_B_TYPE *restrict b
#define MM_I i
#define MM_J j
#endif
#if MM_PAIR
#define MM_OPERANDS MM_BOTH(a, b), MM_BOTH(a2, b2)
#else
#define MM_OPERANDS MM_BOTH(a, b)
#endif
#if MM_SHORT
#define MM_SHORTLY MM_UNROLL
#else
#define MM_SHORTLY
#endif
#define MM_EACH MM_UNROLL for (int r = 0; r < MM_ROWS; r++) MM_UNROLL for (int v = 0; v < vectors; v++)

/* With few registers a pointer for each row of a: told by a volatile detour, as compilers otherwise compute one from the other, step
 * for step, which takes the issue slots of a fifth of the arithmetic. */
#if MM_APART
#define MM_ROW_POINTERS \
    global const MM_A_TYPE *volatile found[MM_ROWS], *row[MM_ROWS]; \
    MM_UNROLL for (int r = 0; r < MM_ROWS; r++) found[r] = a + r * MM_A_ROW; \
    MM_UNROLL for (int r = 0; r < MM_ROWS; r++) row[r] = found[r];
#define MM_A(r, q) MM_LOAD_A(row[r] + (q) * MM_A_COL)
#else
#define MM_ROW_POINTERS
#define MM_A(r, q) MM_LOAD_A(a + (q) * MM_A_COL + (r) * MM_A_ROW)
#endif

MM_INLINE void mm_accumulate(MM_VECTOR acc[MM_ROWS][MM_VECTORS], global const MM_A_TYPE *a, mm_panel b, long count,
                             int vectors, const mm_params *mm)
{
    MM_ROW_POINTERS
    MM_STEPS
    for (long q = 0; q < count; q++, b += MM_B_STEP)
        MM_EACH acc[r][v] = MULADD((MM_VECTOR)(MM_A(r, q)), MM_B(b, v), acc[r][v]);
}

#if MM_CELL
/* A binary counter: level l holds the sum of 2^l neighbouring cells; cell number c joins what is full. */
MM_INLINE void mm_push(local MM_VECTOR *levels, MM_VECTOR acc[MM_ROWS][MM_VECTORS], ulong c, int vectors)
{
    for (; c & 1; c >>= 1, levels += MM_ROWS * MM_VECTORS) MM_EACH acc[r][v] = levels[r * MM_VECTORS + v] + acc[r][v];
    MM_EACH levels[r * MM_VECTORS + v] = acc[r][v];
}

/* The sum of all cells, from what the counter holds: odd ones pass through to the next level. */
MM_INLINE void mm_fold(local const MM_VECTOR *levels, MM_VECTOR acc[MM_ROWS][MM_VECTORS], ulong cells, int vectors)
{
    for (; !(cells & 1); cells >>= 1) levels += MM_ROWS * MM_VECTORS;
    MM_EACH acc[r][v] = levels[r * MM_VECTORS + v];
    while (cells >>= 1) {
        levels += MM_ROWS * MM_VECTORS;
        if (cells & 1) MM_EACH acc[r][v] = levels[r * MM_VECTORS + v] + acc[r][v];
    }
}
#endif

/* Steps q0 to q1 of one tile, `vectors` wide; true when done holds the whole sums. done is apart from acc because the epilogue
 * indexes it by variables: acc stays in registers. */
MM_INLINE bool mm_advance(MM_VECTOR done[MM_ROWS][MM_VECTORS], global const MM_A_TYPE *a, mm_panel b, long q0, long q1,
                          local MM_VECTOR *state, int vectors, const mm_params *mm)
{
    MM_VECTOR acc[MM_ROWS][MM_VECTORS];
    MM_EACH acc[r][v] = 0;
#if MM_CELL
    for (long q = q0; q < q1; q += MM_CELL) {
        MM_EACH acc[r][v] = 0;
        mm_accumulate(acc, a + q * MM_A_COL, b + (q - q0) * MM_B_STEP, min((long)MM_CELL, q1 - q), vectors, mm);
        mm_push(state, acc, q / MM_CELL, vectors);
    }
    if (q1 == mm->k) mm_fold(state, acc, (mm->k + MM_CELL - 1) / MM_CELL, vectors);
#else
#if MM_TILES > 1
    if (q0 > 0) MM_EACH acc[r][v] = state[r * MM_VECTORS + v];
#endif
    mm_accumulate(acc, a + q0 * MM_A_COL, b, q1 - q0, vectors, mm);
#if MM_TILES > 1
    if (q1 < mm->k) MM_EACH state[r * MM_VECTORS + v] = acc[r][v];
#endif
#endif
    MM_EACH done[r][v] = acc[r][v];
    return q1 == mm->k;
}

#ifdef MM_TOUCHES
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define MM_TOUCH(address) __builtin_prefetch((const void *)(size_t)(address), 0, 3)
#endif
#endif
#ifndef MM_TOUCH
#define MM_TOUCH(address)
#endif
#endif

MM_ENTRY
#if MM_PACK
    local MM_VECTOR *panel = scratch, *state = scratch + mm->chunk * MM_PANEL;
#else
    local MM_VECTOR *state = scratch;
#endif
#if MM_PAIR
    const mm_params second = mm_second(mm), *mm2 = &second;
#endif
    const long rows0 = item_i * mm->rows, rows1 = item_i + 1 == mm->row_items ? mm->m : rows0 + mm->rows;
    const long columns0 = item_j * mm->columns, columns1 = min(columns0 + mm->columns, mm->n);
    const long batch0 = item_z * mm->batches, batch1 = min(batch0 + mm->batches, mm->num_batches);
    for (long batch = batch0; batch < batch1; batch++) {
        global const MM_A_TYPE *az = a + mm_a_start(mm, batch);
        global const MM_B_TYPE *bz = b + mm_b_start(mm, batch);
#if MM_PAIR
        global const MM_A_TYPE *az2 = a2 + mm_a_start(mm2, batch);
        global const MM_B_TYPE *bz2 = b2 + mm_b_start(mm2, batch);
#endif
        for (long chunk = columns0; chunk < columns1; chunk += mm->chunk * MM_WIDTH) {
            const int tiles = (int)((min(columns1 - chunk, mm->chunk * MM_WIDTH) + MM_WIDTH - 1) / MM_WIDTH);
            long q0 = 0, q1 = mm->k;
            do {
#if MM_PACK
                q1 = min(q0 + MM_DEPTH, mm->k);
                mm_pack_tiles(panel, bz + q0 * mm->b_row, chunk, tiles, q1 - q0, mm);
#if MM_PAIR
                mm_pack_tiles(panel + MM_DEPTH * MM_VECTORS, bz2, chunk, tiles, mm2->k, mm2);
#endif
#endif
                for (long row = rows0, at = 0; row < rows1; row += MM_ROWS) for (int t = 0; t < tiles; t++, at++) {
                    const mm_columns c = mm_place(chunk + t * MM_WIDTH, mm->n);
                    const long top = min(row, mm->m - MM_ROWS);
                    global const MM_A_TYPE *corner = az + top * mm->a_row;
                    local MM_VECTOR *kept = state + at % MM_TILES * MM_LEVELS * MM_ROWS * MM_VECTORS;
#if MM_PACK
                    mm_panel source = panel + t * MM_PANEL;
#else
                    mm_panel source = bz + c.left;
#endif
#ifdef MM_TOUCHES
                    MM_PLAIN
                    for (long r = row - top; r < MM_ROWS && q1 == mm->k; r++)
                        MM_PLAIN
                        for (long l = 0; l < c.width; l += MM_LANES) {
                            const ulong z = batch, i = top + r, j = c.left + l;
                            MM_TOUCHES
                        }
#endif
                    MM_VECTOR done[MM_ROWS][MM_VECTORS];
#if MM_PAIR
                    MM_VECTOR done2[MM_ROWS][MM_VECTORS];
#if MM_PACK
                    mm_panel source2 = source + MM_DEPTH * MM_VECTORS;
#else
                    mm_panel source2 = bz2 + c.left;
#endif
                    if (c.narrow) mm_advance(done2, az2 + top * mm2->a_row, source2, 0, mm2->k, kept, 1, mm2);
                    else mm_advance(done2, az2 + top * mm2->a_row, source2, 0, mm2->k, kept, MM_VECTORS, mm2);
#endif
                    const bool whole = c.narrow ? mm_advance(done, corner, source, q0, q1, kept, 1, mm)
                                                : mm_advance(done, corner, source, q0, q1, kept, MM_VECTORS, mm);
                    if (!whole) continue;
#ifdef MM_EPILOGUE_V
                    if (row == top && c.first == 0 && c.width == MM_WIDTH) { /* the rule: most of the time of short sums is spent here */
                        MM_SHORTLY for (int r = 0; r < MM_ROWS; r++)
                            MM_UNROLL for (int v = 0; v < MM_VECTORS; v++) {
                                const ulong z = batch, MM_I = top + r, MM_J = c.left + v * MM_LANES;
                                MM_VECTOR acc = done[r][v];
#if MM_PAIR
                                MM_VECTOR acc2 = done2[r][v];
#endif
                                MM_EPILOGUE_V
                            }
                        continue;
                    }
#endif
                    MM_PLAIN
                    for (long r = row - top; r < MM_ROWS; r++)
                        MM_PLAIN
                        for (long l = c.first; l < c.end;) {
                            const ulong z = batch, MM_I = top + r, MM_J = c.left + l;
#ifdef MM_EPILOGUE_V
                            if (l % MM_LANES == 0) {
                                MM_VECTOR acc = done[r][l / MM_LANES];
#if MM_PAIR
                                MM_VECTOR acc2 = done2[r][l / MM_LANES];
#endif
                                MM_EPILOGUE_V
                                l += MM_LANES;
                                continue;
                            }
#endif
#if MM_PAIR
                            MM_SCALAR acc2 = ((MM_SCALAR *)done2[r])[l];
#endif
                            MM_SCALAR acc = ((MM_SCALAR *)done[r])[l++];
                            MM_EPILOGUE_S
                        }
                }
            } while ((q0 = q1) < mm->k);
        }
    }
}
