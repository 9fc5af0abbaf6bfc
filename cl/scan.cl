/* clgrad-template 1 */
/* scan.cl -- running sums along an axis by the rule of src/ref/sums.h; lanes along the other axes.
 *
 * needs   as rows.cl, which follows; STEP: index along the axis, STEPS its extent; BODY_V, BODY_S compute IN_V, IN_S; END_V, END_S store `acc`
 * launch  as rows.cl
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

#define STEP_V SCAN(VECTOR, BODY_V, IN_V, END_V)
#define STEP_S SCAN(SCALAR, BODY_S, IN_S, END_S)
