/* clgrad-template 1 */
/* reduce_cpu.cl -- sums over trailing axes by the chunk rule of src/ref/sums.h; one work-item per chunk.
 *
 * needs   as rows.cl, the lanes running along what is reduced (N elements a row); SEGMENTS = cells x CHUNKS a row, PART elements a cell
 *         BODY_V, BODY_S compute IN_V, IN_S; VECTOR, SCALAR: type of the sum; END stores `acc`, of segment `unit`
 * launch  share i takes segments i PER .. (i + 1) PER - 1 of TOTAL, the last one all that are left
 * bits    those of reduce_gpu.cl */
#if WIDTH == 1
#define LOAD_LANES(i, p) (p)[i]
#define STORE_LANES(x, i, p) (p)[i] = (x)
#else
#define LOAD_LANES_OF(n, i, p) vload##n(i, p)
#define LOAD_LANES_AS(n, i, p) LOAD_LANES_OF(n, i, p)
#define LOAD_LANES(i, p) LOAD_LANES_AS(WIDTH, i, p)
#define STORE_LANES_OF(n, x, i, p) vstore##n(x, i, p)
#define STORE_LANES_AS(n, x, i, p) STORE_LANES_OF(n, x, i, p)
#define STORE_LANES(x, i, p) STORE_LANES_AS(WIDTH, x, i, p)
#endif

ENTRY
{
    PARAMS
    const long begin = ITEM * PER, end = ITEM + 1 == ITEMS ? TOTAL : min(begin + PER, TOTAL);
    UNIFORM
    for (long unit = begin; unit < end; unit++) {
        const long row = unit / SEGMENTS, segment = unit - row * SEGMENTS, cell = segment / CHUNKS;
        const long from = cell * PART + (segment - cell * CHUNKS) * 1024;
        const long to = min(min(from + 1024, cell * PART + PART), N), full = from + (to - from) / 64 * 64;
        SCALAR lanes[64];
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
            for (int l = 0; l < 64; l++) lanes[l] = 0;
            for (long LANE = full; LANE < to; LANE++) {
                BODY_S
                lanes[LANE - full] = IN_S;
            }
            for (int j = 0; j < 64 / WIDTH; j++) sums[j] = sums[j] + LOAD_LANES(j, lanes);
        }
        for (int j = 0; j < 64 / WIDTH; j++) STORE_LANES(sums[j], j, lanes);
        for (int h = 32; h > 0; h /= 2)
            for (int l = 0; l < h; l++) lanes[l] = lanes[l] + lanes[l + h];
        const SCALAR acc = lanes[0];
        END
    }
}
