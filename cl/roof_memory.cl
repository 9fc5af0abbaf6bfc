/* clgrad-template 1 */
/* roof_memory.cl -- how fast a device reads, copies, adds (triad) and scales in place, in several forms each.
 *
 * needs   VECTOR: vector of WIDTH floats    CPU: 1 where a work-item has a tile of its own, 0 where work-items run side by side
 *         AHEAD: how many vectors ahead the forms ending in _ahead ask for       ATTRIBUTES: the work-group size
 * launch  count vectors; CPU: work-item i takes vectors i per .. (i + 1) per - 1, else every global-size-th from i on; `passes` times
 * bits    of no interest, but every value is used, and values stay as they are in size however often a kernel runs */
#if CPU
#define BEGIN ((long)get_global_id(0) * per)
#define END min(BEGIN + per, count)
#define STEP 1
#else
#define BEGIN ((long)get_global_id(0))
#define END count
#define STEP ((long)get_global_size(0))
#endif
#define ARGUMENTS global VECTOR *x, global VECTOR *y, global VECTOR *z, const long count, const long per, const int passes
#define EACH for (int pass = 0; pass < passes; pass++) for (long i = BEGIN; i < END; i += STEP)

#define NOTHING(p)
#define PLAIN(value, p) *(p) = (value)
#ifdef __has_builtin
#if CPU && __has_builtin(__builtin_prefetch)
#define FETCH(p) __builtin_prefetch((const void *)(ulong)((p) + AHEAD), 0, 3);
#endif
#if __has_builtin(__builtin_nontemporal_store)
#define STREAM(value, p) __builtin_nontemporal_store((value), (p))
#endif
#endif

/* Four sums side by side hide the latency of their chains; at the end each work-item leaves one vector. */
#define READ(name, fetch)                                                                      \
    ATTRIBUTES kernel void name(ARGUMENTS)                                                     \
    {                                                                                          \
        VECTOR a = 0, b = 0, c = 0, d = 0;                                                     \
        for (int pass = 0; pass < passes; pass++) {                                            \
            long i = BEGIN;                                                                    \
            for (; i + 3 * STEP < END; i += 4 * STEP) {                                        \
                fetch(x + i) fetch(x + i + STEP) fetch(x + i + 2 * STEP) fetch(x + i + 3 * STEP) \
                a += x[i], b += x[i + STEP], c += x[i + 2 * STEP], d += x[i + 3 * STEP];       \
            }                                                                                  \
            for (; i < END; i += STEP) a += x[i];                                              \
        }                                                                                      \
        y[get_global_id(0)] = (a + b) + (c + d);                                               \
    }
#define COPY(name, fetch, store) ATTRIBUTES kernel void name(ARGUMENTS) { EACH { fetch(x + i) store(x[i], y + i); } }
#define TRIAD(name, fetch, store) \
    ATTRIBUTES kernel void name(ARGUMENTS) { EACH { fetch(y + i) fetch(z + i) store(y[i] + 3.0f * z[i], x + i); } }
#define INPLACE(name, fetch) ATTRIBUTES kernel void name(ARGUMENTS) { EACH { fetch(x + i) x[i] = x[i] * -1.0f; } }

READ(read, NOTHING)
COPY(copy, NOTHING, PLAIN)
TRIAD(triad, NOTHING, PLAIN)
INPLACE(inplace, NOTHING)
#ifdef FETCH
READ(read_ahead, FETCH)
COPY(copy_ahead, FETCH, PLAIN)
TRIAD(triad_ahead, FETCH, PLAIN)
INPLACE(inplace_ahead, FETCH)
#endif
#ifdef STREAM
COPY(copy_stream, NOTHING, STREAM)
TRIAD(triad_stream, NOTHING, STREAM)
#ifdef FETCH
COPY(copy_ahead_stream, FETCH, STREAM)
TRIAD(triad_ahead_stream, FETCH, STREAM)
#endif
#endif

/* Noise in 1..2, since memory that compresses is faster than memory is. Lanes of a vector hold one value. */
ATTRIBUTES kernel void noise(ARGUMENTS)
{
    EACH {
        uint h = ((uint)i ^ (uint)(i >> 32)) * 2654435761u;
        h = (h ^ (h >> 15)) * 2246822519u;
        x[i] = (VECTOR)(as_float(0x3f800000u | (h >> 9)));
    }
}

ATTRIBUTES kernel void empty(ARGUMENTS)
{
    if (count < 0) x[0] = y[0] + z[0] + (VECTOR)(per + passes);
}
