#pragma once

/* What launches and plans cost, counted on the finished launch list. */

#include "plan/launch.h"

/* Elements of a value that one part of a launch reads or writes: `count` different ones between low and high. Where step > 0, the
 * first of the launch's rows touches low .. row_high, and each next row the same `step` further. */
typedef struct clgrad_access {
    int32_t value, launch;
    bool write;
    int64_t low, high, count;
    int64_t step, row_high;
} clgrad_access;

typedef struct clgrad_accesses {
    clgrad_context *ctx;
    clgrad_access *items;
    size_t count, capacity;
} clgrad_accesses;

/* Append what launch number i touches. */
clgrad_status clgrad_launch_accesses(const clgrad_plan *plan, size_t i, clgrad_accesses *out);
/* Bring those of one value and direction together. */
void clgrad_accesses_sort(clgrad_accesses *accesses);
/* Different elements in the run of equal value and direction that begins at *at, which is moved behind it. */
int64_t clgrad_accesses_union(const clgrad_accesses *accesses, size_t *at);

/* rough_cost.c. Of an element of the result, as multiples of an addition. */
uint32_t clgrad_plan_op_cost(clgrad_op op);
/* Microseconds that one compute unit of a CPU device takes for a launch with these accesses. */
double clgrad_launch_rough_us(const clgrad_plan *plan, const clgrad_launch *l, const clgrad_access *accesses, size_t num_accesses);

/* FLOPs of one launch, and the type they are done in. */
double clgrad_launch_flops(const clgrad_plan *plan, const clgrad_launch *l, clgrad_dtype *arithmetic);
