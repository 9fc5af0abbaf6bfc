/* clgrad-template 1 */
/* scan.cl -- running sums along an axis by the rule of src/ref/sums.h; lanes along the other axes.
 *
 * needs   as map.cl; STEP: index along the axis, STEPS its extent; BODY_V, BODY_S compute IN_V, IN_S; END_V, END_S store `acc`
 * launch  as map.cl
 * bits    one order, whatever WIDTH */
#define SCAN(T, BODY, IN, END)                                                              \
    {                                                                                       \
        T offset = (T)(0), run = (T)(0);                                                    \
        for (long STEP = 0; STEP < STEPS; STEP++) {                                         \
            BODY                                                                            \
            if (STEP > 0 && STEP % 1024 == 0) {                                             \
                offset = STEP == 1024 ? run : offset + run;                                 \
                run = (T)(0);                                                               \
            }                                                                               \
            run = run + IN;                                                                 \
            const T acc = STEP < 1024 ? run : offset + run;                                 \
            END                                                                             \
        }                                                                                   \
    }

ATTRIBUTES kernel void scan(const params p ARGUMENTS)
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
            SCAN(VECTOR, BODY_V, IN_V, END_V)
        }
        if (vector < last)
            for (long LANE = vector * WIDTH; LANE < N; LANE++) SCAN(SCALAR, BODY_S, IN_S, END_S)
        unit += last - first;
    }
}
