/* clgrad-template 1 */
/* phases.cl -- how the groups of one kernel do many launches in their order, without a launch of the kernel for each.
 *
 * Tasks (shares of launches) lie in queues, one for each thread; a queue has a like part of the shares of each launch, run by run, phase by
 * phase, so that a thread comes back to the rows that it had in the phases before, which are in its cache. A group takes the next task of its
 * own queue, or of another, once all tasks of the phases before it are done. Nobody waits for a group that has not begun, since a task is taken
 * only to be done at once, by whoever runs: one group alone does everything. Groups that find nothing left, or as many others at work as there are
 * queues, leave at once, so a launch may have more of them than there are threads.
 *
 * needs   tickets: counters, each in a cache line of its own, 0 when a launch begins and again when it has ended
 *         PHASES_QUEUES, PHASES_PARTS: queues, and parts of a run; PHASES_GROUPS: groups for each thread
 *         PHASES_PATIENCE: turns of some 13 nanoseconds (2 queues, 2.4 GHz) in which a group finds nothing to do
 * edges   A group that found nothing for so long leaves, since others seem to want its processor; once as many left as there are threads, those
 *         that begin leave too. Whoever did the last task that is done looks through all queues after it: someone stays while tasks are left.
 * bits    which group does a task changes none                                                                                      */
#define PHASES_LINE 16 /* ints */
#define PHASES_LOYALTY 256 /* turns in which a group leaves the tasks of other queues to those whose caches have their rows, while these come for them */
#define PHASES_DONE(tickets) ((tickets) + 0 * PHASES_LINE)
#define PHASES_JOINED(tickets) ((tickets) + 1 * PHASES_LINE)
#define PHASES_LEFT(tickets) ((tickets) + 2 * PHASES_LINE)
#define PHASES_ACTIVE(tickets) ((tickets) + 3 * PHASES_LINE)
#define PHASES_TAKEN(tickets, queue) ((tickets) + (4 + (queue)) * PHASES_LINE)

enum { PHASES_WAITING = -1, PHASES_OVER = -2 };

/* The tasks of a run, by part. */
typedef struct phases_plan {
    int count[PHASES_PARTS], before[PHASES_PARTS], all; /* tasks; those of the phases before it, which have to be done; those of a run */
} phases_plan;

/* Where a queue has got to: its next task, the part and run of that, and how many of the queue came before that part. */
typedef struct phases_place {
    int task, part, run, start;
} phases_place;

/* Tasks of a part in the queues before this one. */
static inline int phases_first(int count, int queue) { return count * queue / PHASES_QUEUES; }

/* The number of a queue's next task if that may be done now. */
static inline int phases_next(volatile global int *tickets, const phases_plan *plan, phases_place *place, int queue, int runs)
{
    const int task = place->task = *PHASES_TAKEN(tickets, queue);
    while (place->run < runs) {
        const int count = plan->count[place->part], size = phases_first(count, queue + 1) - phases_first(count, queue);
        if (task < place->start + size)
            return *PHASES_DONE(tickets) < place->run * plan->all + plan->before[place->part] ? PHASES_WAITING : task;
        place->start += size;
        if (++place->part == PHASES_PARTS) place->part = 0, place->run++;
    }
    return PHASES_OVER;
}

/* False: another group was quicker. What the tasks before wrote is seen. */
static inline bool phases_take(volatile global int *tickets, int queue, int task)
{
    if (atomic_cmpxchg(PHASES_TAKEN(tickets, queue), task, task + 1) != task) return false;
    atomic_add(PHASES_DONE(tickets), 0);
    return true;
}

static inline void phases_done(volatile global int *tickets) { atomic_add(PHASES_DONE(tickets), 1); }

/* A group, and the task that it has: a part, a share of it, and the run. */
typedef struct phases_group {
    phases_place places[PHASES_QUEUES];
    int own, other, loyalty, part, run, share;
} phases_group;

/* False: it is not needed. */
static inline bool phases_enter(volatile global int *tickets, phases_group *me, int groups)
{
    if (*PHASES_LEFT(tickets) >= groups / PHASES_GROUPS || *PHASES_ACTIVE(tickets) >= PHASES_QUEUES) return false;
    atomic_add(PHASES_ACTIVE(tickets), 1);
    me->own = me->other = atomic_add(PHASES_JOINED(tickets), 1) % PHASES_QUEUES;
    for (int queue = 0; queue < PHASES_QUEUES; queue++)
        me->places[queue].task = me->places[queue].part = me->places[queue].run = me->places[queue].start = 0;
    me->loyalty = 0;
    return true;
}

/* The next task, from the group's own queue or from the others in turn. False: none is left, or others should have the processor. */
static inline bool phases_get(volatile global int *tickets, const phases_plan *plan, phases_group *me, int runs)
{
    for (int idle = 0, over = 0; over <= PHASES_QUEUES && idle <= PHASES_LOYALTY + PHASES_PATIENCE + PHASES_QUEUES;) {
        int queue = me->own, task = phases_next(tickets, plan, &me->places[queue], queue, runs);
        if (task < 0) {
            me->other = me->other + 1 < PHASES_QUEUES ? me->other + 1 : 0;
            phases_place *const place = &me->places[me->other];
            const int before = place->task, others = phases_next(tickets, plan, place, me->other, runs);
            if (place->task != before) me->loyalty = PHASES_LOYALTY;
            over = task == PHASES_OVER && others == PHASES_OVER ? over + 1 : 0;
            if (++idle <= me->loyalty || others < 0) continue;
            task = phases_next(tickets, plan, &me->places[queue], queue, runs); /* a phase may have ended in between */
            if (task < 0) queue = me->other, task = others;
        }
        if (!phases_take(tickets, queue, task)) continue;
        if (queue != me->own) me->places[queue].task++, me->loyalty = 0;
        const phases_place place = me->places[queue];
        me->part = place.part, me->run = place.run, me->share = phases_first(plan->count[place.part], queue) + task - place.start;
        return true;
    }
    atomic_add(PHASES_ACTIVE(tickets), -1);
    return false;
}

/* The last group to leave puts the counters back. */
static inline void phases_leave(volatile global int *tickets, int groups)
{
    if (atomic_add(PHASES_LEFT(tickets), 1) + 1 < groups) return;
    for (int queue = 0; queue < PHASES_QUEUES; queue++) atomic_xchg(PHASES_TAKEN(tickets, queue), 0);
    atomic_xchg(PHASES_DONE(tickets), 0);
    atomic_xchg(PHASES_JOINED(tickets), 0);
    atomic_xchg(PHASES_LEFT(tickets), 0);
}
