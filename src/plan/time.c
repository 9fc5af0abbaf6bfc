/* How long each launch runs. */

#include "base/os.h"
#include "plan/launch.h"

#include <math.h>
#include <stdlib.h>

/* Samples of one run follow those of the run before; a row holds the launches, then the whole. */
typedef struct timing {
    clgrad_plan *plan;
    size_t runs, columns;
    size_t *first; /* by launch: its first record of this run, and behind the last one the end */
    double *samples, *sorted;
} timing;

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* NAN where any sample is missing. */
static double median(timing *t, size_t column)
{
    for (size_t r = 0; r < t->runs; r++) {
        t->sorted[r] = t->samples[r * t->columns + column];
        if (isnan(t->sorted[r])) return (double)NAN;
    }
    qsort(t->sorted, t->runs, sizeof *t->sorted, ascending);
    return 0.5 * (t->sorted[(t->runs - 1) / 2] + t->sorted[t->runs / 2]);
}

/* A launch may enqueue several kernels (CLBlast) or none that is recorded (copies). The first part of a kernel has its time. */
static clgrad_status launch_seconds(const timing *t, size_t launch, double *seconds)
{
    const clgrad_launch *l = &t->plan->launches[launch];
    *seconds = 0;
    if (t->plan->kernels[l->kernel_number].first != launch) return CLGRAD_OK;
    *seconds = t->first[launch] < t->first[launch + 1] ? 0 : (double)NAN;
    for (size_t i = t->first[launch]; i < t->first[launch + 1]; i++) {
        double one;
        CLGRAD_TRY(clgrad_device_timed_seconds(t->plan->dev, i, &one));
        *seconds += one;
    }
    return CLGRAD_OK;
}

static clgrad_status time_run(timing *t, double *row)
{
    const clgrad_plan *plan = t->plan;
    const double start = clgrad_os_seconds();
    for (size_t i = 0; i < plan->num_launches; i++) {
        t->first[i] = clgrad_device_num_timed(plan->dev);
        CLGRAD_TRY(clgrad_launch_run(plan, &plan->launches[i]));
    }
    t->first[plan->num_launches] = clgrad_device_num_timed(plan->dev);
    CLGRAD_TRY(clgrad_device_finish(plan->dev));
    row[plan->num_launches] = clgrad_os_seconds() - start;
    for (size_t i = 0; i < plan->num_launches; i++) CLGRAD_TRY(launch_seconds(t, i, &row[i]));
    return CLGRAD_OK;
}

static clgrad_status check(const clgrad_plan *plan, size_t runs)
{
    if (runs == 0) return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "timing needs at least one run");
    if (!plan->bound) return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "timing runs the last call again, and there was none");
    if (!clgrad_device_profiles(plan->dev))
        return clgrad_fail(plan->ctx, CLGRAD_E_ARG, "timing launches needs a device opened with `profiling`");
    return CLGRAD_OK;
}

static clgrad_status time_all(timing *t, double *seconds, double *wall)
{
    CLGRAD_TRY(clgrad_plan_run(t->plan)); /* drivers finish compiling at the first launch */
    CLGRAD_TRY(clgrad_device_finish(t->plan->dev));
    for (size_t r = 0; r < t->runs; r++) CLGRAD_TRY(time_run(t, t->samples + r * t->columns));
    for (size_t i = 0; i < t->plan->num_launches; i++) seconds[i] = median(t, i);
    if (wall) *wall = median(t, t->plan->num_launches);
    return CLGRAD_OK;
}

clgrad_status clgrad_plan_time(clgrad_plan *plan, size_t runs, double *seconds, double *wall)
{
    CLGRAD_TRY(check(plan, runs));
    timing t = { .plan = plan, .runs = runs, .columns = plan->num_launches + 1 };
    size_t samples = 0;
    const bool fits = clgrad_mul_size(runs, t.columns, &samples);
    t.first = clgrad_alloc(plan->ctx, t.columns, sizeof *t.first);
    t.samples = clgrad_alloc(plan->ctx, fits ? samples : SIZE_MAX, sizeof *t.samples);
    t.sorted = clgrad_alloc(plan->ctx, runs, sizeof *t.sorted);
    const clgrad_status st = t.first && t.samples && t.sorted ? time_all(&t, seconds, wall) : CLGRAD_E_MEMORY;
    clgrad_free(plan->ctx, t.first);
    clgrad_free(plan->ctx, t.samples);
    clgrad_free(plan->ctx, t.sorted);
    return st;
}
