/* Launches that follow each other as parts of one kernel, for devices whose work-items have SIMD lanes of their own: there a launch
 * costs some 2 us, and one of several groups up to 40 us when it has to wake a thread.
 *
 * A kernel of one group runs its parts in order, so anything may be merged that is small. In a kernel of several groups every part is
 * cut into shares, and no group may read what another writes: parts are either independent, or cut along the same rows, and each reads
 * only its own rows of what the others make. Launches may overtake others that they have nothing to do with.
 *
 * A plan that is run over and over may be one kernel altogether: of one group, or in phases, between which groups wait for each other. */

#include "plan/cost.h"

#include <math.h>
#include <stdio.h>

enum { MOST_PARTS = 32, MOST_ARGUMENTS = 96, ROW_UNIT = 16, SHARES_PER_UNIT = 4, LOOK_AHEAD = 32, MANY_RUNS = 1 << 20 };

typedef enum relation { INDEPENDENT, SAME_ROWS, CONFLICT } relation;

/* A launch as a candidate. */
typedef struct member {
    const clgrad_access *accesses;
    size_t num_accesses;
    double us;        /* of one compute unit */
    bool may_merge;
    bool has_rows;    /* may be cut along its rows */
    bool cut;         /* must be */
    bool done;        /* has its kernel */
    size_t phase;     /* when all launches are one kernel: behind all that it has to do with */
    bool serial;      /* one group does its phase, and those like it before and behind */
} member;

typedef struct merger {
    clgrad_plan *plan;
    clgrad_accesses accesses;
    member *members; /* by launch */
    uint8_t *seen;   /* by value, for counting */
    size_t *order;   /* launches as they will follow each other */
    size_t num_ordered, first; /* the first that has no kernel yet */
    int64_t units;
    double serial_us, parallel_us, launch_us, phase_us, splits_us;
} merger;

/* --- one launch --- */

static bool may_merge(const clgrad_plan *plan, const clgrad_launch *l)
{
    if (l->kind == CLGRAD_LAUNCH_COPY || l->ir.num_leaves == 0) return false;
    return l->kind != CLGRAD_LAUNCH_MATMUL || (!clgrad_launch_by_clblast(plan, l) && clgrad_matmul_is_cpu(plan->dev, &l->desc, &plan->options));
}

static bool has_rows(const clgrad_launch *l)
{
    switch (l->kind) {
    case CLGRAD_LAUNCH_MAP: case CLGRAD_LAUNCH_CHUNKS: return l->rows > 1;
    case CLGRAD_LAUNCH_CHAIN: return l->rows > 1 && l->from < 0;
    case CLGRAD_LAUNCH_MATMUL: return l->rows > 1 && l->rows == l->desc.m && l->desc.num_batch == 0;
    default: return false;
    }
}

static clgrad_status describe(merger *m)
{
    clgrad_plan *plan = m->plan;
    for (size_t i = 0; i < plan->num_launches; i++) {
        const size_t first = m->accesses.count;
        CLGRAD_TRY(clgrad_launch_accesses(plan, i, &m->accesses));
        m->members[i].num_accesses = m->accesses.count - first;
    }
    const clgrad_access *at = m->accesses.items;
    for (size_t i = 0; i < plan->num_launches; i++) {
        member *one = &m->members[i];
        one->accesses = at;
        at += one->num_accesses;
        one->may_merge = may_merge(plan, &plan->launches[i]);
        one->has_rows = one->may_merge && has_rows(&plan->launches[i]);
        one->us = clgrad_launch_rough_us(plan, &plan->launches[i], one->accesses, one->num_accesses);
    }
    return CLGRAD_OK;
}

/* --- two launches --- */

static relation relate_accesses(const merger *m, const clgrad_access *a, const clgrad_access *b, bool rows)
{
    const clgrad_value *values = m->plan->values;
    if (values[a->value].memory != values[b->value].memory || (!a->write && !b->write)) return INDEPENDENT;
    if (a->high < b->low || b->high < a->low) return INDEPENDENT;
    if (!rows || a->step <= 0 || a->step != b->step) return CONFLICT;
    return a->row_high - b->low < a->step && b->row_high - a->low < a->step ? SAME_ROWS : CONFLICT;
}

static relation relate(const merger *m, size_t first, size_t second)
{
    const member *a = &m->members[first], *b = &m->members[second];
    const bool rows = a->has_rows && b->has_rows && m->plan->launches[first].rows == m->plan->launches[second].rows;
    relation worst = INDEPENDENT;
    for (size_t i = 0; i < a->num_accesses && worst != CONFLICT; i++)
        for (size_t k = 0; k < b->num_accesses && worst != CONFLICT; k++) {
            const relation here = relate_accesses(m, &a->accesses[i], &b->accesses[k], rows);
            if (here > worst) worst = here;
        }
    return worst;
}

/* --- one kernel --- */

/* The kernel that is being gathered. */
typedef struct gathered {
    size_t launch[MOST_PARTS];
    size_t count, arguments;
    double us;
    bool apart;   /* groups may do their shares independently of each other */
    int64_t rows; /* of the parts that are cut along them; 0: none is */
    int64_t share_rows, shares;
} gathered;

static int64_t least_common_multiple(int64_t a, int64_t b)
{
    int64_t x = a, y = b;
    while (y) {
        const int64_t rest = x % y;
        x = y, y = rest;
    }
    return a / x * b;
}

/* Shares are a multiple of ROW_UNIT rows, so that vectors of up to that many lanes never lie across two, and of the products' tiles.
 * False when there would be too few, when packing an operand in every share cost more than a launch saves, and for work so large that
 * an uneven number of shares does. */
static bool divide_rows(const merger *m, gathered *k)
{
    const clgrad_plan *plan = m->plan;
    int64_t unit = ROW_UNIT, tile;
    const double large_us = 1000;
    double us = 0, packing = 0;
    for (size_t p = 0; p < k->count; p++) {
        const size_t i = k->launch[p];
        if (!m->members[i].cut) continue;
        us += m->members[i].us;
        if (plan->launches[i].kind != CLGRAD_LAUNCH_MATMUL) continue;
        packing += clgrad_matmul_share_cost(plan->dev, &plan->launches[i].desc, &plan->options, &tile);
        unit = least_common_multiple(unit, tile);
    }
    const int64_t most = m->units * SHARES_PER_UNIT, wanted = (k->rows + most - 1) / most;
    k->share_rows = (wanted + unit - 1) / unit * unit;
    k->shares = k->rows / k->share_rows; /* the last takes the rest */
    return k->shares >= m->units && us <= large_us && packing * (double)k->shares <= 0.15 * us;
}

/* Cuts along rows what the next launch needs so; false: some group would read what another writes. */
static bool stay_apart(merger *m, gathered *k, size_t next)
{
    const int64_t rows = m->plan->launches[next].rows;
    for (size_t p = 0; p < k->count - 1; p++) {
        const size_t i = k->launch[p];
        const relation how = relate(m, i, next);
        if (how == CONFLICT || (how == SAME_ROWS && k->rows && k->rows != rows)) return false;
        if (how != SAME_ROWS) continue;
        k->rows = rows;
        m->members[i].cut = m->members[next].cut = true;
    }
    return k->rows == 0 || divide_rows(m, k);
}

/* Does the next launch join? A kernel that only one group can do takes what is small, when asked to be `serial`. */
static bool take(merger *m, gathered *k, size_t next, bool serial)
{
    const size_t arguments = m->plan->launches[next].ir.num_leaves + 2;
    bool was_cut[MOST_PARTS];
    if (!m->members[next].may_merge || k->count == MOST_PARTS || k->arguments + arguments > MOST_ARGUMENTS) return false;
    for (size_t i = 0; i < k->count; i++) was_cut[i] = m->members[k->launch[i]].cut;
    gathered more = *k;
    more.launch[more.count++] = next;
    more.arguments += arguments;
    more.us += m->members[next].us;
    more.apart = k->apart && stay_apart(m, &more, next);
    if (!more.apart && (!serial || more.us > m->serial_us || (k->apart && k->us > m->parallel_us))) {
        for (size_t i = 0; i < k->count; i++) m->members[k->launch[i]].cut = was_cut[i];
        m->members[next].cut = false;
        return false;
    }
    *k = more;
    return true;
}

static clgrad_status close_kernel(merger *m, const gathered *k)
{
    clgrad_plan *plan = m->plan;
    CLGRAD_TRY(clgrad_reserve(plan->ctx, &plan->kernels, &plan->kernel_capacity, plan->num_kernels + 1, sizeof *plan->kernels));
    clgrad_plan_kernel *kernel = &plan->kernels[plan->num_kernels];
    *kernel = (clgrad_plan_kernel){ .first = m->num_ordered, .count = k->count, .most_runs = MANY_RUNS, .groups = k->us <= m->parallel_us || !k->apart ? 1 : 0 };
    for (size_t i = 0; i < k->count; i++) {
        clgrad_launch *l = &plan->launches[k->launch[i]];
        const bool cut = kernel->groups != 1 && m->members[k->launch[i]].cut;
        l->kernel_number = (int32_t)plan->num_kernels;
        l->share_rows = cut ? k->share_rows : 0;
        l->shares = cut ? k->shares : 0;
        l->first_beside = kernel->groups == 1 ? m->num_ordered : kernel->first;
        l->end_beside = kernel->groups == 1 ? m->num_ordered + 1 : kernel->first + k->count;
        if (k->count > 1) snprintf(l->function, sizeof l->function, "part%u", (unsigned)(i % MOST_PARTS));
        m->order[m->num_ordered++] = k->launch[i];
    }
    plan->num_kernels++;
    return CLGRAD_OK;
}

/* Has a launch nothing to do with those before it that have no kernel yet? */
static bool is_ready(const merger *m, size_t launch)
{
    for (size_t i = m->first; i < launch; i++)
        if (!m->members[i].done && (!m->members[i].may_merge || relate(m, i, launch) != INDEPENDENT)) return false;
    return true;
}

static clgrad_status gather_kernel(merger *m)
{
    const size_t count = m->plan->num_launches, end = m->first + LOOK_AHEAD < count ? m->first + LOOK_AHEAD : count;
    const size_t first = m->first;
    gathered k = { .launch = { first }, .count = 1, .arguments = m->plan->launches[first].ir.num_leaves + 2, .us = m->members[first].us,
                   .apart = true };
    m->members[first].done = true;
    for (int serial = 0; serial < 2 && m->members[first].may_merge; serial++)
        for (size_t i = first + 1; i < end; i++)
            if (!m->members[i].done && is_ready(m, i) && take(m, &k, i, serial)) m->members[i].done = true;
    while (m->first < count && m->members[m->first].done) m->first++;
    return close_kernel(m, &k);
}

/* Values that any launch has as an argument: what several have counts once. */
static size_t num_arguments(const merger *m)
{
    size_t count = 0;
    memset(m->seen, 0, m->plan->num_values);
    for (size_t i = 0; i < m->accesses.count; i++) {
        uint8_t *seen = &m->seen[m->accesses.items[i].value];
        count += !*seen;
        *seen = 1;
    }
    return count;
}

/* All launches, where they can be parts of one kernel. */
static bool take_all(const merger *m, gathered *k)
{
    const size_t count = m->plan->num_launches;
    *k = (gathered){ .count = count };
    if (count < 2 || count > MOST_PARTS) return false;
    for (size_t i = 0; i < count; i++) {
        if (!m->members[i].may_merge) return false;
        k->launch[i] = i;
        k->us += m->members[i].us;
    }
    return num_arguments(m) <= MOST_ARGUMENTS;
}

/* What a phase takes when groups share it; *one_us: one group alone. */
static double phase_us(const merger *m, size_t phase, double *one_us)
{
    double longest = 0;
    *one_us = 0;
    for (size_t i = 0; i < m->plan->num_launches; i++) {
        if (m->members[i].phase != phase) continue;
        *one_us += m->members[i].us;
        if (m->members[i].us < m->splits_us) longest = fmax(longest, m->members[i].us);
    }
    return fmax(longest, *one_us / (double)m->units);
}

/* Returns their number. What one group does nearly as soon as several is left to one, and phases of that kind that follow each other are one. */
static size_t find_phases(merger *m)
{
    const size_t count = m->plan->num_launches;
    size_t last = 0, joined = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = m->members[i].phase = 0; k < i; k++)
            if (m->members[k].phase >= m->members[i].phase && relate(m, k, i) != INDEPENDENT) m->members[i].phase = m->members[k].phase + 1;
        if (m->members[i].phase > last) last = m->members[i].phase;
    }
    bool before = false;
    for (size_t phase = 0; phase <= last; phase++) {
        double one_us;
        const double shared_us = phase_us(m, phase, &one_us);
        const bool serial = one_us - shared_us < m->phase_us;
        joined += serial && before;
        before = serial;
        for (size_t i = 0; i < count; i++)
            if (m->members[i].phase == phase) m->members[i].serial = serial;
    }
    return last + 1 - joined;
}

/* Turns of some 13 nanoseconds: as long as the longest launch takes one unit, a power of two so that few texts differ by it. For tests: none. */
static int64_t patience(const merger *m)
{
    double most_us = 60;
    int64_t turns = 1;
    if (m->plan->options.merge == CLGRAD_MERGE_PHASES) return 0;
    for (size_t i = 0; i < m->plan->num_launches; i++) most_us = fmax(most_us, m->members[i].us);
    while (13 * (double)turns < 1e3 * most_us) turns *= 2;
    return turns;
}

/* In some milliseconds: a thread that left for another process comes back with the next launch. */
static int64_t most_runs(const merger *m, const gathered *k)
{
    const double launch_us = 4000, runs = launch_us * (double)m->units / k->us;
    return m->plan->options.merge != CLGRAD_MERGE_AUTO || runs >= MANY_RUNS ? MANY_RUNS : runs < 1 ? 1 : (int64_t)runs;
}

/* In the order of their phases; what is in one may run at the same time. */
static clgrad_status close_in_phases(merger *m, gathered *k)
{
    clgrad_plan *plan = m->plan;
    size_t count = 0;
    for (size_t phase = 0; count < k->count; phase++)
        for (size_t i = 0; i < k->count; i++)
            if (m->members[i].phase == phase) k->launch[count++] = i;
    k->apart = true; /* of several groups */
    CLGRAD_TRY(close_kernel(m, k));
    plan->kernels[0].phased = true;
    plan->kernels[0].patience = patience(m);
    plan->kernels[0].groups = 0;
    for (size_t i = 0, end; i < count; i = end) {
        const bool serial = m->members[k->launch[i]].serial;
        for (end = i + 1; !serial && end < count && m->members[k->launch[end]].phase == m->members[k->launch[i]].phase;) end++;
        for (size_t at = i; at < end; at++) {
            clgrad_launch *l = &plan->launches[k->launch[at]];
            l->first_beside = i, l->end_beside = end;
            l->share_rows = l->shares = 0;
            l->awake = true;
            l->follows = serial && i > 0 && m->members[k->launch[i - 1]].serial;
        }
    }
    return CLGRAD_OK;
}

/* What other compute units save of one's time, and what waiting for each other costs, about. */
static bool phases_pay(const merger *m, size_t phases)
{
    double saved = 0;
    for (size_t i = 0; i < m->plan->num_launches; i++)
        if (m->members[i].us >= m->splits_us) saved += m->members[i].us * (1 - 1 / (double)m->units);
    return saved > m->phase_us * (double)phases;
}

/* A plan that is run many times in a row needs no launch for each run where it is one kernel: of one group, or in phases. Where launches take
 * little of the time it stays several. */
static clgrad_status gather_kernels(merger *m)
{
    gathered all;
    clgrad_plan *plan = m->plan;
    const clgrad_merging how = plan->options.merge;
    while (m->first < plan->num_launches) CLGRAD_TRY(gather_kernel(m));
    const bool wanted = how == CLGRAD_MERGE_AUTO ? plan->options.advance != NULL : how >= CLGRAD_MERGE_ONE_GROUP;
    if (!wanted || !take_all(m, &all)) return CLGRAD_OK;
    const size_t phases = find_phases(m);
    const bool in_phases = how == CLGRAD_MERGE_PHASES || (how != CLGRAD_MERGE_ONE_GROUP && phases_pay(m, phases));
    const double launches_us = m->launch_us * (double)plan->num_kernels;
    if (how == CLGRAD_MERGE_AUTO && in_phases && launches_us < 0.02 * all.us / (double)m->units) return CLGRAD_OK;
    plan->num_kernels = m->num_ordered = 0;
    CLGRAD_TRY(in_phases ? close_in_phases(m, &all) : close_kernel(m, &all));
    plan->kernels[0].most_runs = most_runs(m, &all);
    return CLGRAD_OK;
}

static clgrad_status put_in_order(merger *m)
{
    clgrad_plan *plan = m->plan;
    clgrad_launch *launches = clgrad_alloc(plan->ctx, plan->num_launches + 1, sizeof *launches);
    if (!launches) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < plan->num_launches; i++) launches[i] = plan->launches[m->order[i]];
    memcpy(plan->launches, launches, plan->num_launches * sizeof *launches);
    clgrad_free(plan->ctx, launches);
    return CLGRAD_OK;
}

static bool merges(const clgrad_plan *plan)
{
    const clgrad_device_info *info = clgrad_device_get_info(plan->dev);
    const clgrad_plan_options *o = &plan->options;
    if (o->merge >= CLGRAD_MERGE_GROUPS) return true;
    return o->merge == CLGRAD_MERGE_AUTO && !o->no_fusion && !o->work_group && o->reduce != CLGRAD_VARIANT_GPU &&
           info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1 && !strstr(info->quirks, "short-loops");
}

static clgrad_status merge(merger *m)
{
    clgrad_plan *plan = m->plan;
    plan->num_kernels = 0;
    if (plan->num_launches == 0) return CLGRAD_OK;
    if (merges(plan)) CLGRAD_TRY(describe(m));
    CLGRAD_TRY(gather_kernels(m));
    clgrad_plan_kernel *only = &plan->kernels[0];
    only->repeats = plan->options.advance && plan->num_kernels == 1 && only->count > 1 && (only->groups == 1 || only->phased);
    return put_in_order(m);
}

clgrad_status clgrad_plan_merge(clgrad_plan *plan)
{
    /* Waking a second thread takes 5 to 40 us: work that one group does as soon, and work that is worth several groups where the parts
     * allow it. In phases a launch of less than splits_us has one share. */
    merger m = { .plan = plan, .accesses = { .ctx = plan->ctx }, .units = clgrad_device_get_info(plan->dev)->compute_units,
                 .serial_us = 40, .parallel_us = 15, .launch_us = 20, .phase_us = 1.5, .splits_us = CLGRAD_SHARED_US };
    if (plan->options.merge == CLGRAD_MERGE_GROUPS) m.units = 2, m.serial_us = m.parallel_us = 0;
    m.members = clgrad_alloc(plan->ctx, plan->num_launches + 1, sizeof *m.members);
    m.order = clgrad_alloc(plan->ctx, plan->num_launches + 1, sizeof *m.order);
    m.seen = clgrad_alloc(plan->ctx, plan->num_values + 1, sizeof *m.seen);
    const clgrad_status st = m.members && m.order && m.seen ? merge(&m) : CLGRAD_E_MEMORY;
    clgrad_free(plan->ctx, m.accesses.items);
    clgrad_free(plan->ctx, m.seen);
    clgrad_free(plan->ctx, m.order);
    clgrad_free(plan->ctx, m.members);
    return st;
}
