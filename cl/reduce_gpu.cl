/* clgrad-template 1 */
/* reduce_gpu.cl -- sums over trailing axes by the chunk rule of src/ref/sums.h; one work-group of 64 per chunk, a lane each.
 *
 * needs   as reduce_cpu.cl, WIDTH 1
 * launch  group g sums segment g of TOTAL
 * bits    those of reduce_cpu.cl */
ENTRY
{
    PARAMS
    local SCALAR lanes[64];
    const int lane = (int)get_local_id(0);
    const long unit = (long)get_group_id(0), row = unit / SEGMENTS, segment = unit - row * SEGMENTS, cell = segment / CHUNKS;
    const long from = cell * PART + (segment - cell * CHUNKS) * 1024, to = min(min(from + 1024, cell * PART + PART), N);
    SCALAR sum = 0;
    UNIFORM
    ROW
    for (long LANE = from + lane; LANE < to; LANE += 64) {
        BODY_S
        sum = sum + IN_S;
    }
    lanes[lane] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int h = 32; h > 0; h /= 2) {
        if (lane < h) lanes[lane] = lanes[lane] + lanes[lane + h];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (lane == 0) {
        const SCALAR acc = lanes[0];
        END
    }
}
