/* The table of rules, and what several of them share. */

#include "autodiff/rules.h"

static const clgrad_rules rule_table[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) \
    { clgrad_jvp_rule_##jvp, clgrad_transpose_rule_##transpose, clgrad_batch_rule_##batch },
#include "graph/ops.def"
#undef OP
};
_Static_assert(CLGRAD_COUNT(rule_table) == CLGRAD_OP_COUNT, "every operation has its rules");

const clgrad_rules *clgrad_rules_get(clgrad_op op) { return &rule_table[op]; }

clgrad_node clgrad_filled_like(clgrad_graph *b, clgrad_node x, double value)
{
    if (x == CLGRAD_NONE) return CLGRAD_NONE;
    return clgrad_constant(b, clgrad_node_dtype(b, x), clgrad_node_shape(b, x), value);
}

clgrad_node clgrad_add_tangents(clgrad_graph *b, clgrad_node x, clgrad_node y)
{
    if (x == CLGRAD_NONE) return y;
    return y == CLGRAD_NONE ? x : clgrad_add(b, x, y);
}

bool clgrad_constant_value(const clgrad_graph *g, clgrad_node n, double *value)
{
    if (n == CLGRAD_NONE) return false;
    const clgrad_op_node *node = clgrad_at(g, n);
    while (node->op == CLGRAD_OP_BROADCAST || node->op == CLGRAD_OP_RESHAPE || node->op == CLGRAD_OP_PERMUTE ||
           node->op == CLGRAD_OP_SLICE || node->op == CLGRAD_OP_FLIP)
        node = clgrad_at(g, node->in[0]);
    if (node->op != CLGRAD_OP_CONST || !clgrad_dtype_is_real(node->dtype)) return false;
    *value = node->attr.value;
    return true;
}

bool clgrad_is_zero(const clgrad_graph *g, clgrad_node n)
{
    const clgrad_op_node *node = clgrad_at(g, n);
    while (node->num_in == 1 && (clgrad_op_get(node->op)->linear || node->op == CLGRAD_OP_CAST)) node = clgrad_at(g, node->in[0]);
    return node->op == CLGRAD_OP_CONST && node->attr.value == 0 && node->attr.integer == 0;
}

clgrad_shape clgrad_shape_prepend(int64_t n, const clgrad_shape *shape)
{
    clgrad_shape out = { .rank = shape->rank + 1, .dims = { n } };
    for (int32_t i = 0; i < shape->rank && i + 1 < CLGRAD_MAX_RANK; i++) out.dims[i + 1] = shape->dims[i];
    return out;
}

clgrad_node clgrad_repeat(clgrad_graph *b, clgrad_node x, int64_t n)
{
    if (x == CLGRAD_NONE) return CLGRAD_NONE;
    const clgrad_shape shape = clgrad_node_shape(b, x);
    return clgrad_broadcast(b, x, clgrad_shape_prepend(n, &shape));
}

clgrad_node clgrad_sum_to(clgrad_graph *b, clgrad_node x, const clgrad_shape *shape, int32_t sample_axis)
{
    if (x == CLGRAD_NONE) return CLGRAD_NONE;
    const clgrad_shape from = clgrad_node_shape(b, x);
    const int32_t added = from.rank - shape->rank;
    uint32_t axes = 0;
    for (int32_t i = 0; i < from.rank; i++)
        if (i < added || (shape->dims[i - added] == 1 && from.dims[i] != 1)) axes |= CLGRAD_AXIS(i);
    if (!axes) return x;
    const uint32_t sample = sample_axis < 0 ? 0 : axes & CLGRAD_AXIS(sample_axis);
    /* each sample's own sum first, then the samples in cells */
    if (axes != sample) x = clgrad_sum(b, x, axes & ~sample, true);
    if (sample) x = clgrad_sum_cell(b, x, sample, true, CLGRAD_CELL);
    return clgrad_reshape(b, x, *shape);
}

void clgrad_refuse_transpose(clgrad_graph *b, const clgrad_linear_node *at, const char *why)
{
    clgrad_graph_fail(b, CLGRAD_E_DERIVATIVE, "%s is not linear in what it is transposed for: %s",
                      clgrad_op_get(at->node->op)->name, why);
}
