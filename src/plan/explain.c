/* A plan as text: one line a launch. */

#include "plan/launch.h"

#include <inttypes.h>

static void append_ops(const clgrad_launch *l, clgrad_text *out)
{
    size_t shown = 0, total = 0;
    for (size_t i = 0; i < l->ir.num_instrs; i++) {
        if (l->ir.instrs[i].kind != CLGRAD_IR_MAP) continue;
        if (++total > 8) continue;
        clgrad_text_append(out, "%s%s", shown++ ? " " : " (", clgrad_op_get(l->ir.instrs[i].node->op)->name);
    }
    if (total > shown) clgrad_text_append(out, " +%zu", total - shown);
    if (shown) clgrad_text_append(out, ")");
}

static double leaf_bytes(const clgrad_plan *plan, const clgrad_launch *l)
{
    double bytes = 0;
    for (size_t i = 0; i < l->ir.num_leaves; i++) {
        const clgrad_ir_leaf *leaf = &l->ir.leaves[i];
        bytes += (double)plan->values[leaf->value].count * (double)clgrad_dtype_bytes(leaf->dtype);
    }
    return bytes;
}

static double index_points(const clgrad_ir *ir)
{
    double points = 1;
    for (int32_t d = 0; d < ir->num_axes; d++)
        if (!ir->axes[d].dead) points *= (double)ir->axes[d].extent;
    return points;
}

static double flops(const clgrad_launch *l)
{
    double per_point = l->kind == CLGRAD_LAUNCH_MAP ? 0 : 1;
    for (size_t i = 0; i < l->ir.num_instrs; i++) per_point += l->ir.instrs[i].kind == CLGRAD_IR_MAP;
    double batch = 1;
    for (int32_t d = 0; d < l->desc.num_batch; d++) batch *= (double)l->desc.batch_dims[d];
    if (l->kind == CLGRAD_LAUNCH_MATMUL) return 2 * batch * (double)l->desc.m * (double)l->desc.n * (double)l->desc.k;
    return per_point * index_points(&l->ir);
}

static void append_shape(const clgrad_plan *plan, const clgrad_launch *l, clgrad_text *out)
{
    char shape[CLGRAD_SHAPE_TEXT];
    for (size_t i = 0; i < l->num_roots; i++) {
        const clgrad_op_node *n = clgrad_at(plan->work, l->root[i].node);
        clgrad_text_append(out, " %s%s", clgrad_dtype_name(n->dtype), clgrad_shape_text(&n->shape, shape));
    }
    if (l->partial >= 0) clgrad_text_append(out, " %" PRId64 " partial results", plan->values[l->partial].count);
}

static void append_launch(const clgrad_plan *plan, size_t i, clgrad_text *out)
{
    const clgrad_launch *l = &plan->launches[i];
    clgrad_text_append(out, "%3zu %-18s", i, l->kind == CLGRAD_LAUNCH_COPY ? "copy" : l->label);
    if (l->core != CLGRAD_NONE) clgrad_text_append(out, " %s", clgrad_op_get(clgrad_at(plan->work, l->core)->op)->name);
    append_shape(plan, l, out);
    append_ops(l, out);
    if (l->kind == CLGRAD_LAUNCH_MATMUL)
        clgrad_text_append(out, " m=%" PRId64 " n=%" PRId64 " k=%" PRId64, l->desc.m, l->desc.n, l->desc.k);
    clgrad_text_append(out, ": %.0f bytes, %.0f flops\n", leaf_bytes(plan, l), flops(l));
}

clgrad_status clgrad_plan_explain(const clgrad_plan *plan, char **text)
{
    clgrad_text out = { .ctx = plan->ctx };
    for (size_t i = 0; i < plan->num_launches; i++) append_launch(plan, i, &out);
    clgrad_text_append(&out, "%zu launches, %" PRIu64 " bytes of scratch\n", plan->num_launches, clgrad_plan_scratch_bytes(plan));
    *text = out.failed ? NULL : out.data;
    if (out.failed) clgrad_text_release(&out);
    return *text ? CLGRAD_OK : CLGRAD_E_MEMORY;
}
