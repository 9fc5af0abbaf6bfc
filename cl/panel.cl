/* clgrad-template 1 */
/* panel.cl -- where a product's tiles lie, and how b comes to them: in place, or packed into panels of a tile's width. matmul_cpu.cl follows
 * and says what is needed. */
#define MM_UNROLL _Pragma("unroll")
#ifdef __clang__ /* for what is rare: to vectorise and unroll it takes a compiler longer than all else */
#define MM_PLAIN _Pragma("clang loop vectorize(disable) interleave(disable) unroll(disable)")
#else
#define MM_PLAIN
#endif
#define MM_INLINE static inline __attribute__((always_inline)) /* a real call would keep the tile in memory: a third of the speed */

#define MM_WIDTH (MM_VECTORS * MM_LANES) /* columns of a tile */
#define MM_PANEL ((1 + MM_PAIR) * MM_DEPTH * MM_VECTORS) /* vectors that a tile's panels hold */

#if MM_PACK
typedef local const MM_VECTOR *mm_panel;
#define MM_B_STEP vectors
#define MM_B(q, v) (q)[v]
#else
typedef global const MM_B_TYPE *mm_panel;
#define MM_B_STEP mm->b_row
#define MM_B(q, v) MM_LOADV_B((q) + (v) * MM_LANES)
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
    for (int v = 0; v < vectors; v++)
        for (q = 0; q < count && count >= MM_LANES; q += MM_LANES) { /* along few rows, which share sets of a cache where they lie powers of two apart */
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
