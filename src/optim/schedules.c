/* Schedules: values over steps, in double on the host. */

#include "optim/schedules.h"

static const char *const schedule_names[CLGRAD_SCHEDULE_COUNT] = {
    "constant", "step", "exponential", "cosine", "linear", "plateau",
};

const char *clgrad_schedule_name(clgrad_schedule_kind kind)
{
    return (unsigned)kind < CLGRAD_SCHEDULE_COUNT ? schedule_names[kind] : NULL;
}

static int64_t positive(int64_t n) { return n > 0 ? n : 1; }

double clgrad_schedule_factor(const clgrad_schedule *s, int64_t step)
{
    static const double pi = 3.14159265358979323846;
    if (step < s->warmup) return (double)(step + 1) / (double)s->warmup;
    const int64_t ticks = (step - s->warmup) / positive(s->unit);
    const int64_t period = positive(s->period);
    const double way = ticks < period ? (double)ticks / (double)period : 1.0;
    switch (s->kind) {
    case CLGRAD_SCHEDULE_STEP: return pow(s->factor, (double)(ticks / period));
    case CLGRAD_SCHEDULE_EXPONENTIAL: return pow(s->factor, (double)ticks);
    case CLGRAD_SCHEDULE_COSINE: return s->end + (1.0 - s->end) * (1.0 + cos(pi * way)) / 2.0;
    case CLGRAD_SCHEDULE_LINEAR: return 1.0 + (s->end - 1.0) * way;
    default: return 1.0;
    }
}

clgrad_status clgrad_schedule_check(clgrad_context *ctx, const clgrad_schedule *s, const char *what)
{
    if ((unsigned)s->kind >= CLGRAD_SCHEDULE_COUNT)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "%s: schedule kind %d is none", what, (int)s->kind);
    if (s->unit < 0 || s->period < 1 || s->warmup < 0 || s->patience < 0)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "%s: a schedule's unit, warmup and patience are >= 0 and its period is >= 1", what);
    if (!(s->factor >= 0 && isfinite(s->factor)) || !(s->end >= 0 && isfinite(s->end)))
        return clgrad_fail(ctx, CLGRAD_E_ARG, "%s: a schedule's factor and end are finite and >= 0", what);
    return CLGRAD_OK;
}

void clgrad_plateau_init(clgrad_plateau *p) { *p = (clgrad_plateau){ .best = INFINITY, .scale = 1.0 }; }

void clgrad_plateau_report(clgrad_plateau *p, const clgrad_schedule *s, double metric)
{
    if (s->kind != CLGRAD_SCHEDULE_PLATEAU) return;
    if (p->best == INFINITY ? metric < p->best : metric < p->best - fabs(p->best) * s->threshold) {
        p->best = metric;
        p->bad = 0;
        return;
    }
    if (++p->bad <= s->patience) return;
    p->bad = 0;
    p->scale = fmax(p->scale * s->factor, s->end);
}
