/* Where stored nodes live. An output's memory is written directly; the parts of a concatenation are computed straight into
 * their slices, so that gradients land in a flat arena without a copy. */

#include "plan/launch.h"

clgrad_place clgrad_place_dense(int32_t value, const clgrad_shape *shape)
{
    clgrad_place place = { .value = value };
    int64_t stride = 1;
    for (int32_t d = shape->rank - 1; d >= 0; d--) {
        place.stride[d] = stride;
        stride *= shape->dims[d];
    }
    return place;
}

clgrad_status clgrad_plan_add_value(clgrad_plan *plan, clgrad_value_kind kind, size_t number, clgrad_dtype dtype, int64_t count,
                                    int32_t *out)
{
    CLGRAD_TRY(clgrad_reserve(plan->ctx, &plan->values, &plan->value_capacity, plan->num_values + 1, sizeof *plan->values));
    *out = (int32_t)plan->num_values;
    plan->values[plan->num_values++] =
        (clgrad_value){ .memory = *out, .kind = kind, .number = number, .node = CLGRAD_NONE, .dtype = dtype, .count = count, .first = INT32_MAX, .last = -1 };
    return CLGRAD_OK;
}

static clgrad_status add_node_value(clgrad_plan *plan, clgrad_node n, clgrad_value_kind kind, size_t number, int32_t *out)
{
    const clgrad_op_node *node = clgrad_at(plan->work, n);
    CLGRAD_TRY(clgrad_plan_add_value(plan, kind, number, node->dtype, clgrad_shape_count(&node->shape), out));
    plan->values[*out].node = n;
    return CLGRAD_OK;
}

static clgrad_status give_value(clgrad_plan *plan, clgrad_node n, clgrad_value_kind kind, size_t number)
{
    int32_t value;
    CLGRAD_TRY(add_node_value(plan, n, kind, number, &value));
    plan->places[n] = clgrad_place_dense(value, &clgrad_at(plan->work, n)->shape);
    return CLGRAD_OK;
}

/* --- matrices that products read down their columns --- */

enum { CACHE_LINE = 64, CLOSE_ROWS = 512 }; /* bytes */

/* Rows that lie a multiple of this apart share few sets of a CPU's caches: down a column each line throws out another. */
static bool rows_collide(const clgrad_op_node *node)
{
    const clgrad_shape *s = &node->shape;
    if (s->rank < 2 || !clgrad_dtype_is_real(node->dtype)) return false;
    return s->dims[s->rank - 2] > 1 && s->dims[s->rank - 1] > 0 && s->dims[s->rank - 1] * (int64_t)clgrad_dtype_bytes(node->dtype) % CLOSE_ROWS == 0;
}

/* Scratch that products read, on devices that take their time from caches. Whoever needs a flat copy says so (`forced`). */
static clgrad_status find_spread(clgrad_plan *plan)
{
    const clgrad_device_info *info = clgrad_device_get_info(plan->dev);
    memset(plan->spread, 0, plan->work->num_nodes);
    if (info->kind != CLGRAD_DEVICE_CPU || info->float_width == 1 || plan->options.matmul == CLGRAD_VARIANT_CLBLAST) return CLGRAD_OK;
    for (clgrad_node n = 0; n < plan->work->num_nodes; n++) {
        const clgrad_op_node *node = clgrad_at(plan->work, n);
        for (size_t i = 0; i < node->num_in && plan->live[n] && clgrad_op_get(node->op)->family == CLGRAD_PRODUCT; i++) {
            clgrad_node base;
            CLGRAD_TRY(clgrad_plan_operand_base(plan, node->in[i], &base));
            plan->spread[base] = !plan->forced[base] && rows_collide(clgrad_at(plan->work, base));
        }
    }
    return CLGRAD_OK;
}

/* Row by row with a line between. */
static clgrad_status give_scratch(clgrad_plan *plan, clgrad_node n)
{
    CLGRAD_TRY(give_value(plan, n, CLGRAD_VALUE_SCRATCH, 0));
    if (!plan->spread[n]) return CLGRAD_OK;
    const clgrad_op_node *node = clgrad_at(plan->work, n);
    clgrad_shape apart = node->shape;
    apart.dims[apart.rank - 1] += CACHE_LINE / (int64_t)clgrad_dtype_bytes(node->dtype);
    plan->places[n] = clgrad_place_dense(plan->places[n].value, &apart);
    plan->values[plan->places[n].value].count = clgrad_shape_count(&apart);
    return CLGRAD_OK;
}

/* --- outputs and concatenations --- */

static clgrad_status add_copy(clgrad_plan *plan, clgrad_node n, const clgrad_place *place, clgrad_node whole)
{
    CLGRAD_TRY(clgrad_reserve(plan->ctx, &plan->copies, &plan->copy_capacity, plan->num_copies + 1, sizeof *plan->copies));
    plan->copies[plan->num_copies++] = (clgrad_copy){ .root = { n, *place }, .whole = whole };
    return CLGRAD_OK;
}

/* May this node be computed into memory that another one prescribes? */
static bool is_free(const clgrad_plan *plan, clgrad_node n)
{
    return plan->stored[n] && plan->places[n].value < 0 && clgrad_at(plan->work, n)->op != CLGRAD_OP_INPUT;
}

/* Into a slice, too? Some launch may have asked for a flat copy. */
static bool may_be_part(const clgrad_plan *plan, clgrad_node n) { return is_free(plan, n) && !plan->forced[n]; }

/* The stored node of which n is a reshape. */
static clgrad_node under_reshapes(const clgrad_plan *plan, clgrad_node n)
{
    while (clgrad_at(plan->work, n)->op == CLGRAD_OP_RESHAPE && plan->core[n] == CLGRAD_NONE) {
        n = clgrad_at(plan->work, n)->in[0];
        if (plan->stored[n]) return n;
    }
    return n;
}

static clgrad_status place_output(clgrad_plan *plan, size_t number)
{
    const clgrad_graph *g = plan->work;
    const clgrad_node n = g->outputs[number];
    if (!is_free(plan, n)) {
        int32_t value;
        const clgrad_op_node *node = clgrad_at(g, n);
        if (node->op == CLGRAD_OP_INPUT && plan->donated[node->attr.integer] == number + 1) {
            plan->donation_taken[node->attr.integer] = true; /* it is there already */
            return CLGRAD_OK;
        }
        CLGRAD_TRY(add_node_value(plan, n, CLGRAD_VALUE_OUTPUT, number, &value));
        const clgrad_place place = clgrad_place_dense(value, &node->shape);
        return add_copy(plan, n, &place, CLGRAD_NONE);
    }
    CLGRAD_TRY(give_value(plan, n, CLGRAD_VALUE_OUTPUT, number));
    const clgrad_node under = under_reshapes(plan, n);
    if (under == n || !is_free(plan, under)) return CLGRAD_OK;
    plan->places[under] = clgrad_place_dense(plan->places[n].value, &clgrad_at(g, under)->shape);
    plan->alias[n] = under;
    return CLGRAD_OK;
}

static bool is_dense(const clgrad_place *place, const clgrad_shape *shape)
{
    int64_t stride = 1;
    for (int32_t d = shape->rank - 1; d >= 0; d--) {
        if (shape->dims[d] != 1 && place->stride[d] != stride) return false;
        stride *= shape->dims[d];
    }
    return true;
}

static clgrad_status place_part(clgrad_plan *plan, clgrad_node whole, clgrad_node part, const clgrad_place *slice)
{
    if (clgrad_shape_count(&clgrad_at(plan->work, part)->shape) == 0) return CLGRAD_OK;
    if (may_be_part(plan, part)) {
        plan->places[part] = *slice;
        return CLGRAD_OK;
    }
    const clgrad_node under = plan->stored[part] ? part : under_reshapes(plan, part);
    if (under != part && may_be_part(plan, under) && is_dense(slice, &clgrad_at(plan->work, part)->shape)) {
        plan->places[under] = clgrad_place_dense(slice->value, &clgrad_at(plan->work, under)->shape);
        plan->places[under].offset = slice->offset;
        return CLGRAD_OK;
    }
    return add_copy(plan, part, slice, whole);
}

static clgrad_status place_parts(clgrad_plan *plan, clgrad_node n)
{
    const clgrad_op_node *node = clgrad_at(plan->work, n);
    const int32_t axis = node->attr.axis;
    clgrad_place slice = plan->places[n];
    for (size_t i = 0; i < node->num_in; i++) {
        CLGRAD_TRY(place_part(plan, n, node->in[i], &slice));
        slice.offset += slice.stride[axis] * clgrad_at(plan->work, node->in[i])->shape.dims[axis];
    }
    return CLGRAD_OK;
}

static clgrad_status place_inputs(clgrad_plan *plan)
{
    const clgrad_graph *g = plan->work;
    for (size_t i = 0; i < g->num_inputs; i++) CLGRAD_TRY(give_value(plan, g->inputs[i], CLGRAD_VALUE_INPUT, i));
    return CLGRAD_OK;
}

clgrad_status clgrad_plan_place(clgrad_plan *plan)
{
    const clgrad_graph *g = plan->work;
    plan->num_values = plan->num_copies = 0;
    for (size_t n = 0; n < g->num_nodes; n++) plan->places[n].value = -1, plan->alias[n] = CLGRAD_NONE;
    CLGRAD_TRY(find_spread(plan));
    CLGRAD_TRY(place_inputs(plan));
    for (size_t i = 0; i < g->num_outputs; i++) CLGRAD_TRY(place_output(plan, i));
    for (clgrad_node n = (clgrad_node)g->num_nodes; n-- > 0;) { /* an outer concatenation before its parts */
        if (!plan->live[n] || clgrad_at(g, n)->op != CLGRAD_OP_CONCAT) continue;
        if (plan->places[n].value < 0) CLGRAD_TRY(give_value(plan, n, CLGRAD_VALUE_SCRATCH, 0));
        CLGRAD_TRY(place_parts(plan, n));
    }
    for (clgrad_node n = 0; n < g->num_nodes; n++)
        if (plan->live[n] && is_free(plan, n)) CLGRAD_TRY(give_scratch(plan, n));
    return CLGRAD_OK;
}
