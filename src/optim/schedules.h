#pragma once

/* Schedules as the room uses them. */

#include "base/base.h"
#include "clgrad/optim.h"

/* What reduce-on-plateau remembers. */
typedef struct clgrad_plateau {
    double best, scale;
    int64_t bad; /* reports without progress in a row */
} clgrad_plateau;

void clgrad_plateau_init(clgrad_plateau *plateau);
void clgrad_plateau_report(clgrad_plateau *plateau, const clgrad_schedule *schedule, double metric);
/* E_ARG naming `what` unless every field is in its range. */
clgrad_status clgrad_schedule_check(clgrad_context *ctx, const clgrad_schedule *schedule, const char *what);
