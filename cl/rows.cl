/* clgrad-template 1 */
/* rows.cl -- the walk that map.cl, chain.cl and scan.cl end with: rows of N elements, WIDTH of them at a time and the rest one by one.
 *
 * needs   ENTRY: the function's head; ITEM, ITEMS: number of this share of the work, and of all
 *         PARAMS: the numbers k0, k1.. as variables (loads of an argument under divergent control flow come out wrong on Mesa's
 *         llvmpipe)    UNIFORM, ROW: statements once per share and once per `row`
 *         WIDTH lanes along the rows; LANE: name of the index of the first; STEP_V, STEP_S: statements for WIDTH lanes and for one
 *         N, VECTORS (per row), TOTAL (vectors in all), PER (vectors per share)
 * launch  share i takes vectors i PER .. (i + 1) PER - 1, row by row, and the last one all that are left
 * bits    independent of WIDTH, PER and how the shares are run */
ENTRY
{
    PARAMS
    long unit = ITEM * PER;
    const long end = ITEM + 1 == ITEMS ? TOTAL : min(unit + PER, TOTAL);
    UNIFORM
    while (unit < end) {
        const long row = unit / VECTORS, first = unit - row * VECTORS;
        const long last = min(VECTORS, first + (end - unit)), full = min(last, N / WIDTH);
        long vector = first;
        ROW
        for (; vector < full; vector++) {
            const long LANE = vector * WIDTH;
            STEP_V
        }
#if WIDTH > 1
        if (vector < last)
#ifdef __clang__ /* at most WIDTH - 1 turns: to vectorise and unroll them only costs compile time, a tenth of a small kernel's on PoCL */
#pragma clang loop vectorize(disable) interleave(disable) unroll(disable)
#endif
            for (long LANE = vector * WIDTH; LANE < N; LANE++) {
                STEP_S
            }
#endif
        unit += last - first;
    }
}
