/* clgrad-template 1 */
/* phases.cl -- how the groups of one kernel do many launches in their order, without a launch of the kernel for each.
 *
 * Tasks (shares of launches) are numbered: run by run, phase by phase. A group looks which is next, waits until all tasks of the phases
 * before are done, takes the next number and does that task. Nobody waits for a group that has not begun: a number is taken by a group that
 * runs, and one group alone does everything. Groups that find nothing to do leave at once, so a launch may have more of them than there are threads.
 *
 * needs   tickets: three counters, each in a cache line of its own, 0 when a launch begins and again when it has ended
 *         PHASES_PATIENCE: turns of about a nanosecond that a group waits before it has taken a task
 * edges   A group that has waited for so long leaves, since others seem to want its processor; once as many left as there are threads, those
 *         that begin leave too. Whoever has a task goes on until none is left.
 * bits    which group does a task changes none                                                                                      */
#define PHASES_LINE 16 /* ints */
#define PHASES_TAKEN(tickets) ((tickets) + 0 * PHASES_LINE)
#define PHASES_DONE(tickets) ((tickets) + 1 * PHASES_LINE)
#define PHASES_LEFT(tickets) ((tickets) + 2 * PHASES_LINE)

/* Until so many tasks are done, and what they wrote is seen. */
static inline void phases_wait(volatile global int *tickets, int tasks)
{
    while (*PHASES_DONE(tickets) < tasks) {}
    atomic_add(PHASES_DONE(tickets), 0);
}

/* The same, but not for ever: false. */
static inline bool phases_wait_a_while(volatile global int *tickets, int tasks)
{
    for (long i = 0; *PHASES_DONE(tickets) < tasks; i++)
        if (i == PHASES_PATIENCE) return false;
    return true;
}

/* Shall a group that begins take part? */
static inline bool phases_join(volatile global int *tickets, int threads) { return *PHASES_LEFT(tickets) < threads; }

static inline int phases_next(volatile global int *tickets) { return *PHASES_TAKEN(tickets); }
static inline int phases_take(volatile global int *tickets) { return atomic_add(PHASES_TAKEN(tickets), 1); }
static inline void phases_done(volatile global int *tickets) { atomic_add(PHASES_DONE(tickets), 1); }

/* The last group to leave puts the counters back. */
static inline void phases_leave(volatile global int *tickets, int groups)
{
    if (atomic_add(PHASES_LEFT(tickets), 1) + 1 < groups) return;
    atomic_xchg(PHASES_TAKEN(tickets), 0);
    atomic_xchg(PHASES_DONE(tickets), 0);
    atomic_xchg(PHASES_LEFT(tickets), 0);
}
