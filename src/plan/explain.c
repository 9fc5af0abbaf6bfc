/* A plan as text: one line a launch. */

#include "plan/cost.h"

#include <inttypes.h>

static void append_shape(const clgrad_plan *plan, const clgrad_launch *l, clgrad_text *out)
{
    char shape[CLGRAD_SHAPE_TEXT];
    for (size_t i = 0; i < l->num_roots; i++) {
        const clgrad_op_node *n = clgrad_at(plan->work, l->root[i].node);
        clgrad_text_append(out, " %s%s", clgrad_dtype_name(n->dtype), clgrad_shape_text(&n->shape, shape));
    }
    if (l->partial >= 0) clgrad_text_append(out, " %" PRId64 " partial results", plan->values[l->partial].count);
}

static clgrad_status append_launch(const clgrad_plan *plan, size_t i, clgrad_text *out)
{
    clgrad_launch_info info;
    CLGRAD_TRY(clgrad_plan_launch_info(plan, i, &info));
    const clgrad_launch *l = &plan->launches[i];
    const clgrad_plan_kernel *k = &plan->kernels[l->kernel_number];
    if (k->count > 1 && i == k->first)
        clgrad_text_append(out, "%3" PRId32 " %zu parts, %" PRId64 " group%s%s%s\n", l->kernel_number, k->count, k->groups, k->groups == 1 ? "" : "s",
                           k->phased ? ", in phases" : "", k->repeats ? ", many runs in a launch" : "");
    if (k->count > 1) clgrad_text_append(out, "    %-18s %s ->", info.kernel, info.operations);
    else clgrad_text_append(out, "%3" PRId32 " %-18s %s ->", l->kernel_number, info.kernel, info.operations);
    append_shape(plan, l, out);
    clgrad_text_append(out, ": %.0f bytes read, %.0f written, %.0f flops\n", info.read_bytes, info.written_bytes, info.flops);
    return CLGRAD_OK;
}

static clgrad_status append_all(const clgrad_plan *plan, clgrad_text *out)
{
    clgrad_cost cost;
    for (size_t i = 0; i < plan->num_launches; i++) CLGRAD_TRY(append_launch(plan, i, out));
    CLGRAD_TRY(clgrad_plan_cost(plan, &cost));
    clgrad_text_append(out, "%zu kernels for %zu launches, %.0f bytes of at least %.0f, %.0f flops, %" PRIu64 " bytes of scratch\n", cost.num_kernels, cost.num_launches,
                       cost.bytes, cost.least_bytes, cost.flops, cost.scratch_bytes);
    return out->failed ? CLGRAD_E_MEMORY : CLGRAD_OK;
}

clgrad_status clgrad_plan_explain(const clgrad_plan *plan, char **text)
{
    clgrad_text out = { .ctx = plan->ctx };
    const clgrad_status st = append_all(plan, &out);
    *text = st == CLGRAD_OK ? out.data : NULL;
    if (st != CLGRAD_OK) clgrad_text_release(&out);
    return st;
}
