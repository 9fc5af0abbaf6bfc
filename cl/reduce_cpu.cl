/* clgrad-template 1 */
/* reduce_cpu.cl -- sums over trailing axes by the chunk rule of src/ref/sums.h; one work-item per chunk.
 *
 * needs   as rows.cl, the lanes running along what is reduced (N elements a row); SEGMENTS = cells x CHUNKS a row, PART elements a cell
 *         BODY_V, BODY_S compute IN_V, IN_S; VECTOR, SCALAR: type of the sum; END stores `acc`, of segment `unit`
 * launch  share i takes segments i PER .. (i + 1) PER - 1 of TOTAL, the last one all that are left
 * bits    those of reduce_gpu.cl */
#if WIDTH == 1
#define LOAD_LANES(i, p) (p)[i]
#define FOLD(v) (v)
#else
#define LOAD_LANES_OF(n, i, p) vload##n(i, p)
#define LOAD_LANES_AS(n, i, p) LOAD_LANES_OF(n, i, p)
#define LOAD_LANES(i, p) LOAD_LANES_AS(WIDTH, i, p)
#define FOLD2(v) ((v).lo + (v).hi)
#define FOLD4(v) FOLD2((v).lo + (v).hi)
#define FOLD8(v) FOLD4((v).lo + (v).hi)
#define FOLD16(v) FOLD8((v).lo + (v).hi)
#define FOLD_OF(n, v) FOLD##n(v)
#define FOLD_AS(n, v) FOLD_OF(n, v)
#define FOLD(v) FOLD_AS(WIDTH, v)
#endif

ENTRY
{
    PARAMS
    const long begin = ITEM * PER, end = ITEM + 1 == ITEMS ? TOTAL : min(begin + PER, TOTAL);
    UNIFORM
    long row = begin / SEGMENTS, cell = (begin - row * SEGMENTS) / CHUNKS, chunk = begin - row * SEGMENTS - cell * CHUNKS;
    const long cells = SEGMENTS / CHUNKS;
    for (long unit = begin; unit < end; unit++) {
        const long from = cell * PART + chunk * 1024;
        const long to = min(min(from + 1024, cell * PART + PART), N), full = from + (to - from) / 64 * 64;
        VECTOR sums[64 / WIDTH];
        ROW
        for (int j = 0; j < 64 / WIDTH; j++) sums[j] = (VECTOR)(0);
        for (long block = from; block < full; block += 64)
            for (int j = 0; j < 64 / WIDTH; j++) {
                const long LANE = block + j * WIDTH;
                BODY_V
                sums[j] = sums[j] + IN_V;
            }
        if (full < to) {
            SCALAR lanes[64];
            for (int l = 0; l < 64; l++) lanes[l] = 0;
            for (long LANE = full; LANE < to; LANE++) {
                BODY_S
                lanes[LANE - full] = IN_S;
            }
            for (int j = 0; j < 64 / WIDTH; j++) sums[j] = sums[j] + LOAD_LANES(j, lanes);
        }
        /* In registers: through memory LLVM makes of it loads across two stores, and each 4 KiB wait for them. */
        for (int h = 32 / WIDTH; h > 0; h /= 2)
            for (int j = 0; j < h; j++) sums[j] = sums[j] + sums[j + h];
        const SCALAR acc = FOLD(sums[0]);
        END
        if (++chunk < CHUNKS) continue;
        chunk = 0;
        if (++cell < cells) continue;
        cell = 0, row++;
    }
}
