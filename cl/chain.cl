/* clgrad-template 1 */
/* chain.cl -- one accumulator per kept element, in increasing order of what is reduced; lanes along the kept elements.
 *
 * needs   as rows.cl, which follows; LOOPS: nested loops over what is reduced; BODY_V, BODY_S compute IN_V, IN_S inside them; END_V, END_S store `acc`
 *         VECTOR, SCALAR: type of the accumulator
 *         ACCUMULATE(T, M, IN): one step; BEGIN(T): declarations before the first
 *         CELLS 1: FIRST, its extent OUTER and LOOPS inside it; the sum is cut every CUT of FIRST and the parts are added in pairs
 * launch  as rows.cl
 * bits    the order of the sums is that of src/ref/sums.h: chain, and pairs over cells */
#if CELLS
#define CHAIN(T, M, BODY, IN, END)                                                  \
    {                                                                               \
        T stack[48], acc = (T)(0);                                                  \
        int top = 0;                                                                \
        long cell = 0;                                                              \
        for (long from = 0; from < OUTER; from += CUT, cell++) {                    \
            const long to = min(from + CUT, OUTER);                                 \
            acc = (T)(0);                                                           \
            for (long FIRST = from; FIRST < to; FIRST++) LOOPS {                    \
                BODY                                                                \
                ACCUMULATE(T, M, IN)                                                \
            }                                                                       \
            for (long c = cell; c & 1; c >>= 1) acc = stack[--top] + acc;           \
            stack[top++] = acc;                                                     \
        }                                                                           \
        acc = stack[--top];                                                         \
        while (top > 0) acc = stack[--top] + acc;                                   \
        END                                                                         \
    }
#else
#define CHAIN(T, M, BODY, IN, END)                                                  \
    {                                                                               \
        BEGIN(T, M)                                                                 \
        LOOPS {                                                                     \
            BODY                                                                    \
            ACCUMULATE(T, M, IN)                                                    \
        }                                                                           \
        END                                                                         \
    }
#endif

#define STEP_V CHAIN(VECTOR, VECTOR_MASK, BODY_V, IN_V, END_V)
#define STEP_S CHAIN(SCALAR, SCALAR_MASK, BODY_S, IN_S, END_S)
