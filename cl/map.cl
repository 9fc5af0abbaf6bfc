/* clgrad-template 1 */
/* map.cl -- an element-wise expression over an index space of rows of N elements, several results at once.
 *
 * needs   params, ARGUMENTS: the parameter struct and the buffers    PARAMS: its fields k0, k1.. as variables (loads of an argument
 *         under divergent control flow come out wrong on Mesa's llvmpipe)    UNIFORM, ROW: statements once per work-item and `row`
 *         WIDTH lanes along the rows; LANE: name of the index of the first; BODY_V, BODY_S: statements for WIDTH lanes and for one
 *         N, VECTORS (per row), TOTAL (vectors in all), PER (vectors per work-item)       ATTRIBUTES: the work-group size
 * launch  work-item i takes vectors i PER .. (i + 1) PER - 1, row by row
 * bits    independent of WIDTH, PER and the work-group size */
ATTRIBUTES kernel void map(const params p ARGUMENTS)
{
    PARAMS
    long unit = (long)get_global_id(0) * PER;
    const long end = min(unit + PER, TOTAL);
    UNIFORM
    while (unit < end) {
        const long row = unit / VECTORS, first = unit - row * VECTORS;
        const long last = min(VECTORS, first + (end - unit)), full = min(last, N / WIDTH);
        long vector = first;
        ROW
        for (; vector < full; vector++) {
            const long LANE = vector * WIDTH;
            BODY_V
        }
        if (vector < last)
            for (long LANE = vector * WIDTH; LANE < N; LANE++) {
                BODY_S
            }
        unit += last - first;
    }
}
