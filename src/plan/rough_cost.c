/* What decisions are made by before anything runs: rough costs. Nothing is timed, so that the same plan comes out every time. */

#include "plan/cost.h"

uint32_t clgrad_plan_op_cost(clgrad_op op)
{
    switch (op) {
    case CLGRAD_OP_EXP: case CLGRAD_OP_LOG: case CLGRAD_OP_EXPM1: case CLGRAD_OP_LOG1P: case CLGRAD_OP_SIGMOID: return 10;
    case CLGRAD_OP_SIN: case CLGRAD_OP_COS: case CLGRAD_OP_TANH: case CLGRAD_OP_ERF: return 15;
    case CLGRAD_OP_POW: case CLGRAD_OP_RANDOM: return 30;
    case CLGRAD_OP_DIV: case CLGRAD_OP_SQRT: case CLGRAD_OP_RSQRT: case CLGRAD_OP_RECIPROCAL: return 3;
    default: return 1;
    }
}

/* Instructions of the innermost loop, two a cycle, over the points where they run. */
static double lanes_of_work(const clgrad_launch *l)
{
    double points = 1, work = 1;
    for (int32_t d = 0; d < l->ir.num_axes; d++) points *= l->ir.axes[d].dead ? 1 : (double)l->ir.axes[d].extent;
    if (l->kind == CLGRAD_LAUNCH_SORT) points = (double)(l->sort_count * l->sort_batches);
    for (size_t i = 0; i < l->ir.num_instrs; i++)
        if (l->ir.instrs[i].level == CLGRAD_IR_BODY)
            work += l->ir.instrs[i].kind == CLGRAD_IR_MAP ? 3 * (double)clgrad_plan_op_cost(l->ir.instrs[i].node->op) - 2 : 1;
    return points * work;
}

double clgrad_launch_rough_us(const clgrad_plan *plan, const clgrad_launch *l, const clgrad_access *accesses, size_t num_accesses)
{
    const double width = clgrad_device_get_info(plan->dev)->float_width;
    const double flops_per_us = 12.5e3 * width, lanes_per_us = 5e3 * width, scalars_per_us = 1250, bytes_per_us = 50e3;
    const bool scalar = l->kind == CLGRAD_LAUNCH_SCAN || l->kind == CLGRAD_LAUNCH_SORT || l->from >= 0;
    clgrad_dtype arithmetic;
    double bytes = 0;
    for (size_t i = 0; i < num_accesses; i++)
        bytes += (double)accesses[i].count * (double)clgrad_dtype_bytes(plan->values[accesses[i].value].dtype);
    const double work = l->kind == CLGRAD_LAUNCH_MATMUL ? clgrad_launch_flops(plan, l, &arithmetic) / flops_per_us
                                                        : lanes_of_work(l) / (scalar ? scalars_per_us : lanes_per_us);
    return work + bytes / bytes_per_us;
}
