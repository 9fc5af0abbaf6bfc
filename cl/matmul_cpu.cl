/* clgrad-template 1 */
/* matmul_cpu.cl -- c[z, i, j] = sum over q of a[z, i, q] * b[z, q, j], for devices whose work-items have SIMD lanes of their own.
 * needs   MM_SCALAR MM_VECTOR MM_LANES: element and its vector; MM_ROWS x MM_VECTORS vectors: the register tile, no larger than the
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
#define MM_WIDTH (MM_VECTORS * MM_LANES) /* columns of a tile */
#define MM_PANEL ((1 + MM_PAIR) * MM_DEPTH * MM_VECTORS) /* vectors that a tile's panels hold */
#define MM_UNROLL _Pragma("unroll")
#ifdef __clang__ /* for what is rare: to vectorise and unroll it takes a compiler longer than all else */
#define MM_PLAIN _Pragma("clang loop vectorize(disable) interleave(disable) unroll(disable)")
#else
#define MM_PLAIN
#endif
#if MM_SHORT
#define MM_SHORTLY MM_UNROLL
#else
#define MM_SHORTLY
#endif
#define MM_INLINE static inline __attribute__((always_inline)) /* a real call would keep the tile in memory: a third of the speed */
#define MM_EACH MM_UNROLL for (int r = 0; r < MM_ROWS; r++) MM_UNROLL for (int v = 0; v < vectors; v++)

#if MM_PACK
typedef local const MM_VECTOR *mm_panel;
#define MM_B_STEP vectors
#define MM_B(q, v) (q)[v]
#else
typedef global const MM_B_TYPE *mm_panel;
#define MM_B_STEP mm->b_row
#define MM_B(q, v) MM_LOADV_B((q) + (v) * MM_LANES)
#endif

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

/* Lane by lane, by constructors or by swizzles, shuffles of several stages melt into single elements on their way through LLVM. */
#ifdef __has_builtin
#define MM_SQUARES (MM_PACK == 2 && MM_LANES > 1 && __has_builtin(__builtin_shufflevector))
#else
#define MM_SQUARES 0
#endif

#if MM_SQUARES
#define MM_LIST2(at, size, first) at(0, size, first), at(1, size, first)
#define MM_LIST4(at, size, first) MM_LIST2(at, size, first), at(2, size, first), at(3, size, first)
#define MM_LIST8(at, size, first) MM_LIST4(at, size, first), at(4, size, first), at(5, size, first), at(6, size, first), at(7, size, first)
#define MM_LIST16(at, size, first) MM_LIST8(at, size, first), at(8, size, first), at(9, size, first), at(10, size, first), at(11, size, first), \
    at(12, size, first), at(13, size, first), at(14, size, first), at(15, size, first)
#define MM_PASTE(a, b) a##b
#define MM_LIST(lanes) MM_PASTE(MM_LIST, lanes)
#define MM_SHUFFLE(x, y, at, size, first) __builtin_shufflevector(x, y, MM_LIST(MM_LANES)(at, size, first))
/* Blocks of `size` lanes of x and of y in turn, the even ones or (first = size) the odd ones. */
#define MM_BLOCKS(l, size, first) (((l) & (size) ? MM_LANES : 0) + ((l) & ~(size)) + (first))
/* x[first], y[first], x[first + 1], y[first + 1], ... of each group of `size` lanes. */
#define MM_RIFFLE(l, size, first) (((l) % 2 ? MM_LANES : 0) + (l) / (size) * (size) + (first) + (l) % (size) / 2)

/* Blocks trade places across the diagonal of a square of rows. */
#define MM_TRADE(size) \
    MM_UNROLL for (int r = 0; r < MM_LANES; r++) { \
        if (r & (size)) continue; \
        const MM_VECTOR x = square[r], y = square[r + (size)]; \
        square[r] = MM_SHUFFLE(x, y, MM_BLOCKS, size, 0); \
        square[r + (size)] = MM_SHUFFLE(x, y, MM_BLOCKS, size, size); \
    }

/* A square of rows becomes its columns: large blocks trade places, then smaller ones, down to groups of 16 bytes, within which processors
 * shuffle cheapest; the squares within groups are riffled log2(MM_GROUP) times. */
MM_INLINE void mm_transpose(MM_VECTOR *square)
{
#if MM_LANES / 2 >= MM_GROUP
    MM_TRADE((MM_LANES / 2))
#endif
#if MM_LANES / 4 >= MM_GROUP
    MM_TRADE((MM_LANES / 4))
#endif
#if MM_LANES / 8 >= MM_GROUP
    MM_TRADE((MM_LANES / 8))
#endif
    MM_UNROLL for (int stage = 1; stage < MM_GROUP; stage *= 2) {
        MM_VECTOR next[MM_LANES];
        MM_UNROLL for (int r = 0; r < MM_LANES; r += 2) {
            const int pair = r / MM_GROUP * MM_GROUP + r % MM_GROUP / 2;
            next[r] = MM_SHUFFLE(square[pair], square[pair + MM_GROUP / 2], MM_RIFFLE, MM_GROUP, 0);
            next[r + 1] = MM_SHUFFLE(square[pair], square[pair + MM_GROUP / 2], MM_RIFFLE, MM_GROUP, MM_GROUP / 2);
        }
        MM_UNROLL for (int r = 0; r < MM_LANES; r++) square[r] = next[r];
    }
}
#endif

#if MM_PACK
#if MM_PAD /* lanes behind the last column repeat it, or hold what lies behind it: nobody looks at them */
#define MM_COLUMN(l) min((long)(l), mm->n - 1)
#else
#define MM_COLUMN(l) (l)
#endif
MM_INLINE void mm_pack(local MM_VECTOR *panel, global const MM_B_TYPE *b, long count, int vectors, const mm_params *mm)
{
    long q = 0;
#if MM_PACK == 1
    long inside = count; /* rows of which a whole vector can be read */
    if (MM_PAD) inside = mm->b_row > 0 ? count - (MM_LANES - mm->n + mm->b_row - 1) / mm->b_row : 0;
    for (; q < inside; q++)
        MM_UNROLL for (int v = 0; v < vectors; v++) panel[q * vectors + v] = MM_LOADV_B(b + q * mm->b_row + v * MM_LANES);
#elif MM_SQUARES
    for (; q < count && count >= MM_LANES; q += MM_LANES)
        for (int v = 0; v < vectors; v++) {
            const long top = min(q, count - MM_LANES);
            MM_VECTOR square[MM_LANES];
            MM_UNROLL for (int l = 0; l < MM_LANES; l++) square[l] = MM_LOADV_B(b + top + MM_COLUMN(v * MM_LANES + l) * mm->b_col);
            mm_transpose(square);
            MM_UNROLL for (int l = 0; l < MM_LANES; l++) panel[(top + l) * vectors + v] = square[l];
        }
#endif
    MM_PLAIN
    for (; q < count; q++)
        MM_PLAIN
        for (int l = 0; l < vectors * MM_LANES; l++)
            ((local MM_SCALAR *)panel)[q * vectors * MM_LANES + l] = MM_LOAD_B(b + q * mm->b_row + MM_COLUMN(l) * mm->b_col);
}
#endif

/* The tile that begins at a column: `left` where it is computed, `first` to `end` of it what is missing there. */
typedef struct {
    long left, first, end, width;
    bool narrow; /* one vector does for the last columns */
} mm_columns;

MM_INLINE mm_columns mm_place(long column, long n)
{
    mm_columns c;
    c.narrow = MM_NARROW && n - column <= MM_LANES;
    c.width = c.narrow ? MM_LANES : MM_WIDTH;
    c.left = MM_PAD ? column : min(column, n - c.width);
    c.first = column - c.left;
    c.end = MM_PAD ? n : c.width;
    return c;
}

#if MM_PACK
/* Steps of b for the tiles of a chunk. Copied rows are taken some at a time for all tiles, since each may lie on a page of its own. */
MM_INLINE void mm_pack_tiles(local MM_VECTOR *panel, global const MM_B_TYPE *b, long chunk, int tiles, long count, const mm_params *mm)
{
    const long step = MM_PACK == 1 && tiles > 1 ? 16 : count;
    for (long q = 0; q < count; q += step)
        for (int t = 0; t < tiles; t++) {
            const mm_columns c = mm_place(chunk + t * MM_WIDTH, mm->n);
            global const MM_B_TYPE *corner = b + q * mm->b_row + c.left * mm->b_col;
            local MM_VECTOR *to = panel + t * MM_PANEL;
            if (c.narrow) mm_pack(to + q, corner, min(step, count - q), 1, mm);
            else mm_pack(to + q * MM_VECTORS, corner, min(step, count - q), MM_VECTORS, mm);
        }
}
#endif

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
