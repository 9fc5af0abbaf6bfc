/* The instructions of each kind of launch. */

#include "plan/launch.h"

/* Axes of a shape, in order; the variable of axis d is first + d. */
static clgrad_status add_axes(clgrad_ir *ir, const clgrad_shape *shape, clgrad_ir_role role)
{
    for (int32_t d = 0; d < shape->rank; d++) CLGRAD_TRY(clgrad_ir_add_axis(ir, shape->dims[d], role));
    return CLGRAD_OK;
}

static clgrad_view identity(int32_t rank)
{
    clgrad_view view = clgrad_view_none();
    for (int32_t d = 0; d < rank; d++) view.axis[d] = clgrad_affine_variable(d);
    return view;
}

/* Lanes along the last row axis; a launch over one element gets an axis for them. */
static clgrad_status give_lanes(clgrad_ir *ir)
{
    if (ir->num_axes == 0) return clgrad_ir_add_axis(ir, 1, CLGRAD_IR_LANE);
    ir->axes[ir->num_axes - 1].role = CLGRAD_IR_LANE;
    return CLGRAD_OK;
}

static void begin(clgrad_plan *plan, clgrad_launch *l)
{
    clgrad_ir_begin(&l->ir, plan->work, plan->places);
    l->ir.inside = l->inside;
    l->ir.num_inside = l->num_inside;
    const size_t bytes = clgrad_device_get_info(plan->dev)->max_parameter_bytes;
    const size_t slots = (bytes < 1024 ? 1024 : bytes) / sizeof(int64_t);
    l->ir.max_leaves = slots / 6 < 40 ? slots / 6 : 40;
}

/* Stores come last, so that an input may be overwritten by an output. */
static clgrad_status store_roots(clgrad_plan *plan, clgrad_launch *l, const int32_t *reg, const clgrad_view *view)
{
    for (size_t i = 0; i < l->num_roots; i++) {
        const clgrad_op_node *n = clgrad_at(plan->work, l->root[i].node);
        if (plan->unread[l->root[i].node]) continue;
        if (!clgrad_ir_store(&l->ir, reg[i], n->dtype, &l->root[i].place, view, n->shape.rank)) break;
    }
    return l->ir.status;
}

/* --- element-wise --- */

static clgrad_status build_map(clgrad_plan *plan, clgrad_launch *l)
{
    const clgrad_shape *shape = &clgrad_at(plan->work, l->root[0].node)->shape;
    int32_t reg[CLGRAD_LAUNCH_ROOTS];
    CLGRAD_TRY(add_axes(&l->ir, shape, CLGRAD_IR_ROW));
    CLGRAD_TRY(give_lanes(&l->ir));
    const clgrad_view view = identity(shape->rank);
    for (size_t i = 0; i < l->num_roots; i++)
        if ((reg[i] = clgrad_ir_build(&l->ir, l->root[i].node, &view)) < 0) return l->ir.status;
    CLGRAD_TRY(store_roots(plan, l, reg, &view));
    return l->ir.refused ? CLGRAD_OK : clgrad_ir_finish(&l->ir, false);
}

/* --- epilogues --- */

/* The end of a reduction or product: element-wise consumers of the result, then the store. Views are over the result's axes. */
static clgrad_status build_epilogue(clgrad_plan *plan, clgrad_launch *l, const clgrad_view *result_view)
{
    clgrad_ir *ir = &l->ir;
    const clgrad_op_node *core = clgrad_at(plan->work, l->core), *end = clgrad_at(plan->work, l->root[0].node);
    int32_t reg[CLGRAD_LAUNCH_ROOTS];
    clgrad_ir_begin_epilogue(ir);
    ir->result = l->core;
    ir->second = l->second;
    ir->result_view = *result_view;
    clgrad_view view = clgrad_view_none();
    if (!clgrad_view_reshape(ir, &core->shape, result_view->axis, &end->shape, view.axis)) {
        ir->refused = true;
        ir->culprit = l->core;
        return ir->status;
    }
    for (size_t i = 0; i < l->num_roots; i++)
        if ((reg[i] = clgrad_ir_build(ir, l->root[i].node, &view)) < 0) return ir->status;
    return store_roots(plan, l, reg, &view);
}

/* Partial results are stored by row, cell and chunk; the template knows the place. */
static clgrad_status build_end(clgrad_plan *plan, clgrad_launch *l, const clgrad_view *result_view)
{
    if (l->partial < 0) return build_epilogue(plan, l, result_view);
    clgrad_ir_begin_epilogue(&l->ir);
    l->partial_leaf = clgrad_ir_leaf_of(&l->ir, l->partial, l->acc_dtype, true);
    return l->ir.status;
}

/* --- reductions --- */

static uint32_t reduced_axes(const clgrad_op_node *core)
{
    return core->op == CLGRAD_OP_ARGMAX ? CLGRAD_AXIS(core->attr.axis) : core->attr.axes;
}

/* Kept axes first, then what is reduced; `operand` gets the view of the operand, `result` that of the result. */
static clgrad_status reduction_axes(clgrad_launch *l, const clgrad_op_node *core, const clgrad_shape *x, clgrad_view *operand,
                                    clgrad_view *result)
{
    const bool chain = l->kind == CLGRAD_LAUNCH_CHAIN;
    const uint32_t axes = reduced_axes(core);
    int32_t kept = 0;
    for (int32_t d = 0; d < x->rank; d++) {
        if (axes & CLGRAD_AXIS(d)) continue;
        operand->axis[d] = result->axis[kept++] = clgrad_affine_variable(l->ir.num_axes);
        CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, x->dims[d], CLGRAD_IR_ROW));
    }
    if (chain) CLGRAD_TRY(give_lanes(&l->ir));
    for (int32_t d = 0; d < x->rank; d++) {
        if (!(axes & CLGRAD_AXIS(d))) continue;
        operand->axis[d] = clgrad_affine_variable(l->ir.num_axes);
        CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, x->dims[d], CLGRAD_IR_LOOP));
    }
    return chain ? CLGRAD_OK : give_lanes(&l->ir);
}

/* Rows and lanes over kept axes for a launch that reduces partial results [kept.., cells, n]. */
static clgrad_status partial_axes(clgrad_launch *l, const clgrad_op_node *core, clgrad_view *result, clgrad_affine *at)
{
    const bool chain = l->kind == CLGRAD_LAUNCH_CHAIN;
    int64_t stride = l->kept_cells * l->n;
    CLGRAD_TRY(add_axes(&l->ir, &core->shape, CLGRAD_IR_ROW));
    *result = identity(core->shape.rank);
    *at = clgrad_affine_constant(0);
    for (int32_t d = core->shape.rank - 1; d >= 0; d--) {
        if (!clgrad_affine_add(at, &result->axis[d], stride)) return CLGRAD_E_UNSUPPORTED;
        stride *= core->shape.dims[d];
    }
    if (l->kept_cells > 1) {
        const clgrad_affine cell = clgrad_affine_variable(l->ir.num_axes);
        CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, l->kept_cells, CLGRAD_IR_ROW));
        if (!clgrad_affine_add(at, &cell, l->n)) return CLGRAD_E_UNSUPPORTED;
    }
    if (chain) CLGRAD_TRY(give_lanes(&l->ir));
    const clgrad_affine i = clgrad_affine_variable(l->ir.num_axes);
    if (!clgrad_affine_add(at, &i, 1)) return CLGRAD_E_UNSUPPORTED;
    return clgrad_ir_add_axis(&l->ir, l->n, chain ? CLGRAD_IR_LOOP : CLGRAD_IR_LANE);
}

static int64_t alive_loops(const clgrad_ir *ir)
{
    int64_t count = 0;
    for (int32_t d = 0; d < ir->num_axes; d++) count += !ir->axes[d].dead && ir->axes[d].role == CLGRAD_IR_LOOP;
    return count;
}

static clgrad_status build_reduction(clgrad_plan *plan, clgrad_launch *l)
{
    const clgrad_op_node *core = clgrad_at(plan->work, l->core);
    clgrad_view operand = clgrad_view_none(), result = clgrad_view_none();
    if (l->source >= 0) {
        clgrad_affine at;
        CLGRAD_TRY(partial_axes(l, core, &result, &at));
        l->body = clgrad_ir_load(&l->ir, l->source, l->acc_dtype, &at, CLGRAD_IR_NONE);
    } else {
        CLGRAD_TRY(reduction_axes(l, core, &clgrad_at(plan->work, core->in[0])->shape, &operand, &result));
        l->body = clgrad_ir_build(&l->ir, core->in[0], &operand);
    }
    if (l->body < 0) return l->ir.status;
    CLGRAD_TRY(build_end(plan, l, &result));
    if (l->ir.refused) return CLGRAD_OK;
    const bool lane_reduced = l->kind == CLGRAD_LAUNCH_CHUNKS;
    CLGRAD_TRY(clgrad_ir_finish(&l->ir, lane_reduced));
    if (lane_reduced && alive_loops(&l->ir) > 0) { /* lanes need one flat axis: a stored operand has it */
        l->ir.refused = true;
        l->ir.culprit = core->in[0];
    }
    return CLGRAD_OK;
}

/* y[.., i, ..] = sum over k of x[.., (i - k * dilation) / stride, .., k] where that is a whole number in range. */
static clgrad_status build_overlap(clgrad_plan *plan, clgrad_launch *l)
{
    const clgrad_op_node *core = clgrad_at(plan->work, l->core);
    const clgrad_shape *x = &clgrad_at(plan->work, core->in[0])->shape;
    const int32_t axis = core->attr.axis, last = x->rank - 1;
    const int64_t stride = core->attr.b[0], span = (x->dims[axis] - 1) * stride + 1;
    CLGRAD_TRY(add_axes(&l->ir, &core->shape, CLGRAD_IR_ROW));
    CLGRAD_TRY(give_lanes(&l->ir));
    const clgrad_view result = identity(core->shape.rank);
    const clgrad_affine k = clgrad_affine_variable(l->ir.num_axes);
    CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, x->dims[last], CLGRAD_IR_LOOP));

    clgrad_view operand = result;
    clgrad_affine at = result.axis[axis];
    operand.axis[last] = k;
    if (!clgrad_affine_add(&at, &k, -core->attr.c[0])) return CLGRAD_E_UNSUPPORTED;
    operand.cond = clgrad_ir_condition(&l->ir, CLGRAD_IR_NONE, &at, span, stride);
    if (operand.cond == CLGRAD_IR_FAILED) return l->ir.status;
    const int32_t var = stride == 1 ? 0 : clgrad_ir_divide(&l->ir, &at, stride, 0);
    if (var < 0) return l->ir.status;
    operand.axis[axis] = stride == 1 ? at : clgrad_affine_variable(var);
    const int32_t reg = clgrad_ir_build(&l->ir, core->in[0], &operand);
    if (reg < 0) return l->ir.status;
    l->body = clgrad_ir_mask(&l->ir, reg, operand.cond);
    if (l->body < 0) return l->ir.status;
    CLGRAD_TRY(build_end(plan, l, &result));
    return l->ir.refused ? CLGRAD_OK : clgrad_ir_finish(&l->ir, false);
}

/* --- scans and scatters --- */

static clgrad_status build_scan(clgrad_plan *plan, clgrad_launch *l)
{
    const clgrad_op_node *core = clgrad_at(plan->work, l->core);
    const clgrad_shape *shape = &core->shape;
    const int32_t axis = core->attr.axis;
    clgrad_view view = clgrad_view_none();
    for (int32_t d = 0; d < shape->rank; d++) {
        if (d == axis) continue;
        view.axis[d] = clgrad_affine_variable(l->ir.num_axes);
        CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, shape->dims[d], CLGRAD_IR_ROW));
    }
    CLGRAD_TRY(give_lanes(&l->ir));
    const clgrad_affine step = clgrad_affine_variable(l->ir.num_axes);
    CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, shape->dims[axis], CLGRAD_IR_LOOP));
    view.axis[axis] = clgrad_affine_constant(core->attr.reverse ? shape->dims[axis] - 1 : 0);
    if (!clgrad_affine_add(&view.axis[axis], &step, core->attr.reverse ? -1 : 1)) return CLGRAD_E_UNSUPPORTED;
    l->body = clgrad_ir_build(&l->ir, core->in[0], &view);
    if (l->body < 0) return l->ir.status;
    CLGRAD_TRY(build_epilogue(plan, l, &view));
    return l->ir.refused ? CLGRAD_OK : clgrad_ir_finish(&l->ir, false);
}

static int32_t load_start(clgrad_launch *l, const clgrad_affine *batch, const clgrad_affine *row, int64_t plus)
{
    clgrad_affine at = clgrad_affine_constant(plus);
    if (!clgrad_affine_add(&at, batch, l->sort_n + 2) || !clgrad_affine_add(&at, row, 1)) return CLGRAD_IR_FAILED;
    return clgrad_ir_load(&l->ir, l->sorted[0], CLGRAD_I64, &at, CLGRAD_IR_NONE);
}

/* The updates of one row, in the order of their indices: k counts through the sorted list. */
static clgrad_status build_scatter(clgrad_plan *plan, clgrad_launch *l)
{
    const clgrad_op_node *core = clgrad_at(plan->work, l->core), *index = clgrad_at(plan->work, core->in[1]);
    const clgrad_shape *out = &core->shape;
    const int32_t axis = core->attr.axis, shared = core->attr.num_batch, width = index->shape.rank - shared;
    /* Rows differ in length, so lanes must not run along them: where nothing lies behind, an axis of extent 1 before all others. */
    int32_t first = 1;
    for (int32_t d = axis + 1; d < out->rank; d++) first &= out->dims[d] == 1;
    if (first) CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, 1, CLGRAD_IR_LANE));
    CLGRAD_TRY(add_axes(&l->ir, out, CLGRAD_IR_ROW));
    if (!first) CLGRAD_TRY(give_lanes(&l->ir));
    const clgrad_affine k = clgrad_affine_variable(l->ir.num_axes);
    CLGRAD_TRY(clgrad_ir_add_axis(&l->ir, l->sort_count, CLGRAD_IR_LOOP));
    clgrad_view result = clgrad_view_none();
    for (int32_t d = 0; d < out->rank; d++) result.axis[d] = clgrad_affine_variable(first + d);
    clgrad_affine batch = clgrad_affine_constant(0), at = k;
    int64_t stride = 1;
    for (int32_t d = shared - 1; d >= 0; d--) {
        if (!clgrad_affine_add(&batch, &result.axis[d], stride)) return CLGRAD_E_UNSUPPORTED;
        stride *= out->dims[d];
    }
    l->from = load_start(l, &batch, &result.axis[axis], 0);
    l->to = load_start(l, &batch, &result.axis[axis], 1);
    if (l->from < 0 || l->to < 0 || !clgrad_affine_add(&at, &batch, l->sort_count)) return l->ir.status;
    const int32_t place = clgrad_ir_load(&l->ir, l->sorted[1], CLGRAD_I64, &at, CLGRAD_IR_NONE);
    const int32_t var = place < 0 ? place : clgrad_ir_index_of(&l->ir, place, l->sort_count);
    if (var < 0) return l->ir.status;

    clgrad_shape flat = clgrad_shape_make(1, &l->sort_count), j = { .rank = width };
    for (int32_t d = 0; d < width; d++) j.dims[d] = index->shape.dims[shared + d];
    const clgrad_affine update = clgrad_affine_variable(var);
    clgrad_view operand = clgrad_view_none();
    for (int32_t d = 0; d < axis; d++) operand.axis[d] = result.axis[d];
    if (!clgrad_view_reshape(&l->ir, &flat, &update, &j, &operand.axis[axis])) return l->ir.status;
    for (int32_t d = axis + 1; d < out->rank; d++) operand.axis[d + width - 1] = result.axis[d];
    l->body = clgrad_ir_build(&l->ir, core->in[0], &operand);
    if (l->body < 0) return l->ir.status;
    CLGRAD_TRY(build_end(plan, l, &result));
    return l->ir.refused ? CLGRAD_OK : clgrad_ir_finish(&l->ir, false);
}

/* The sort has no instructions, only arguments. */
static clgrad_status build_sort(clgrad_plan *plan, clgrad_launch *l)
{
    const clgrad_node index = clgrad_at(plan->work, l->core)->in[1];
    if (clgrad_ir_leaf_of(&l->ir, plan->places[index].value, l->index_dtype, false) < 0 ||
        clgrad_ir_leaf_of(&l->ir, l->sorted[0], CLGRAD_I64, true) < 0 || clgrad_ir_leaf_of(&l->ir, l->sorted[1], CLGRAD_I64, true) < 0)
        return l->ir.status;
    return clgrad_ir_finish(&l->ir, false);
}

/* --- products --- */

static clgrad_status operand_strides(clgrad_plan *plan, clgrad_launch *l, clgrad_node operand, clgrad_affine *at)
{
    clgrad_node base;
    CLGRAD_TRY(clgrad_plan_operand_base(plan, operand, &base));
    clgrad_ir ir;
    clgrad_view view;
    clgrad_ir_begin(&ir, plan->work, plan->places);
    clgrad_status st = add_axes(&ir, &clgrad_at(plan->work, operand)->shape, CLGRAD_IR_ROW);
    bool fits = st == CLGRAD_OK && clgrad_plan_operand_view(plan, operand, base, &ir, &view);
    const clgrad_place *place = &plan->places[base];
    *at = clgrad_affine_constant(place->offset);
    for (int32_t d = 0; fits && d < clgrad_at(plan->work, base)->shape.rank; d++)
        fits = clgrad_affine_add(at, &view.axis[d], place->stride[d]);
    if (st == CLGRAD_OK && !fits) l->ir.refused = true, l->ir.culprit = operand;
    l->operand_value[l->num_operands++] = place->value;
    clgrad_ir_release(&ir);
    return st;
}

static void fill_product(const clgrad_op_node *core, const clgrad_affine *a, const clgrad_affine *b, int64_t k, clgrad_matmul_desc *desc)
{
    const int32_t last = core->shape.rank - 1;
    const int32_t a_row = core->attr.trans_a ? last : last - 1, b_row = core->attr.trans_b ? last : last - 1;
    desc->m = core->shape.dims[last - 1], desc->n = core->shape.dims[last], desc->k = k;
    desc->a_offset = a->base, desc->b_offset = b->base;
    desc->a_row = clgrad_affine_coefficient(a, a_row);
    desc->a_col = clgrad_affine_coefficient(a, 2 * last - 1 - a_row);
    desc->b_row = clgrad_affine_coefficient(b, b_row);
    desc->b_col = clgrad_affine_coefficient(b, 2 * last - 1 - b_row);
    desc->num_batch = last - 1;
    for (int32_t d = 0; d < last - 1; d++) {
        desc->batch_dims[d] = core->shape.dims[d];
        desc->a_batch[d] = clgrad_affine_coefficient(a, d);
        desc->b_batch[d] = clgrad_affine_coefficient(b, d);
    }
    desc->cell = core->attr.cell > 0 && k > core->attr.cell ? core->attr.cell : 0;
}

static clgrad_status describe_product(clgrad_plan *plan, clgrad_launch *l, clgrad_node n, clgrad_matmul_desc *desc)
{
    const clgrad_op_node *core = clgrad_at(plan->work, n), *x = clgrad_at(plan->work, core->in[0]);
    const int32_t last = x->shape.rank - 1;
    clgrad_affine a, b;
    CLGRAD_TRY(operand_strides(plan, l, core->in[0], &a));
    CLGRAD_TRY(operand_strides(plan, l, core->in[1], &b));
    if (l->ir.refused) return CLGRAD_OK;
    desc->a_dtype = x->dtype;
    desc->b_dtype = clgrad_at(plan->work, core->in[1])->dtype;
    fill_product(core, &a, &b, x->shape.dims[core->attr.trans_a ? last - 1 : last], desc);
    return CLGRAD_OK;
}

/* Refused where the two cannot be computed by one text: then the second is stored. */
static clgrad_status describe_second(clgrad_plan *plan, clgrad_launch *l)
{
    clgrad_matmul_desc d = { 0 };
    CLGRAD_TRY(describe_product(plan, l, l->second, &d));
    if (l->ir.refused) return CLGRAD_OK;
    clgrad_matmul_second *own = &l->desc.second;
    *own = (clgrad_matmul_second){ .there = true, .k = d.k, .a_row = d.a_row, .a_col = d.a_col, .a_offset = d.a_offset,
                                   .b_row = d.b_row, .b_col = d.b_col, .b_offset = d.b_offset };
    memcpy(own->a_batch, d.a_batch, sizeof own->a_batch);
    memcpy(own->b_batch, d.b_batch, sizeof own->b_batch);
    const int64_t cell = d.cell ? d.cell : l->desc.cell; /* a chain no longer than a cell is one */
    const bool same_cells = (d.cell == cell || d.k <= cell) && (l->desc.cell == cell || l->desc.k <= cell);
    l->desc.cell = cell;
    if (same_cells && clgrad_matmul_can_pair(plan->dev, &l->desc, &plan->options)) return CLGRAD_OK;
    l->ir.refused = true;
    l->ir.culprit = l->second;
    return CLGRAD_OK;
}

static clgrad_status build_matmul(clgrad_plan *plan, clgrad_launch *l)
{
    const clgrad_op_node *core = clgrad_at(plan->work, l->core);
    CLGRAD_TRY(describe_product(plan, l, l->core, &l->desc));
    if (l->second != CLGRAD_NONE && !l->ir.refused) CLGRAD_TRY(describe_second(plan, l));
    if (l->ir.refused) return CLGRAD_OK;
    CLGRAD_TRY(add_axes(&l->ir, &core->shape, CLGRAD_IR_ROW));
    CLGRAD_TRY(give_lanes(&l->ir));
    const clgrad_view result = identity(core->shape.rank);
    CLGRAD_TRY(build_epilogue(plan, l, &result));
    return l->ir.refused ? CLGRAD_OK : clgrad_ir_finish_fixed(&l->ir);
}

static int64_t first_extent(const clgrad_shape *shape)
{
    for (int32_t d = 0; d < shape->rank; d++)
        if (shape->dims[d] != 1) return shape->dims[d];
    return 1;
}

static clgrad_status build(clgrad_plan *plan, clgrad_launch *l)
{
    begin(plan, l);
    l->rows = first_extent(&clgrad_at(plan->work, l->core != CLGRAD_NONE ? l->core : l->root[0].node)->shape);
    switch (l->kind) {
    case CLGRAD_LAUNCH_MAP: return build_map(plan, l);
    case CLGRAD_LAUNCH_CHAIN:
        if (clgrad_at(plan->work, l->core)->op == CLGRAD_OP_SCATTER_ADD) return build_scatter(plan, l);
        if (clgrad_at(plan->work, l->core)->op == CLGRAD_OP_OVERLAP_ADD) return build_overlap(plan, l);
        return build_reduction(plan, l);
    case CLGRAD_LAUNCH_CHUNKS: return build_reduction(plan, l);
    case CLGRAD_LAUNCH_SCAN: return build_scan(plan, l);
    case CLGRAD_LAUNCH_SORT: return build_sort(plan, l);
    case CLGRAD_LAUNCH_MATMUL: return build_matmul(plan, l);
    default: return CLGRAD_OK;
    }
}

/* What a refusal asks for: an epilogue that does not fit is given up, anything else is stored on its own. */
static clgrad_status force(clgrad_plan *plan, const clgrad_launch *l)
{
    const clgrad_node n = l->ir.culprit != CLGRAD_NONE ? l->ir.culprit : clgrad_ir_cut(&l->ir);
    if (l->num_roots > 1) { /* first try it without company */
        for (size_t i = 1; i < l->num_roots; i++) plan->alone[l->root[i].node] = 1;
        return CLGRAD_OK;
    }
    if (n != CLGRAD_NONE && !plan->forced[n] && n != l->root[0].node && n != l->core) {
        plan->forced[n] = 1;
        return CLGRAD_OK;
    }
    if (l->core != CLGRAD_NONE && !plan->plain[l->core]) {
        plan->plain[l->core] = 1;
        return CLGRAD_OK;
    }
    return clgrad_fail(plan->ctx, CLGRAD_E_UNSUPPORTED, "%s is too complex for one launch and cannot be divided",
                       clgrad_op_get(clgrad_at(plan->work, l->root[0].node)->op)->name);
}

static bool is_read(const clgrad_plan *plan, int32_t value)
{
    for (size_t i = 0; i < plan->num_launches; i++) {
        const clgrad_launch *l = &plan->launches[i];
        for (size_t k = 0; k < l->num_operands; k++)
            if (l->operand_value[k] == value) return true;
        for (size_t k = 0; k < l->ir.num_leaves; k++)
            if (l->ir.leaves[k].value == value && (l->ir.leaves[k].read || l->kind == CLGRAD_LAUNCH_SORT)) return true;
    }
    return false;
}

/* Results among several of a launch that no other launch reads. True when there are new ones. */
static bool find_unread(clgrad_plan *plan)
{
    bool found = false;
    for (size_t i = 0; i < plan->num_launches; i++) {
        const clgrad_launch *l = &plan->launches[i];
        for (size_t k = 0; k < l->num_inside && l->num_roots > 1; k++) {
            const int32_t value = plan->places[l->inside[k]].value;
            if (plan->unread[l->inside[k]] || plan->values[value].kind != CLGRAD_VALUE_SCRATCH || is_read(plan, value)) continue;
            plan->unread[l->inside[k]] = 1;
            found = true;
        }
    }
    return found;
}

clgrad_status clgrad_plan_build(clgrad_plan *plan, bool *again)
{
    const size_t limit = clgrad_device_get_info(plan->dev)->max_parameter_bytes;
    *again = false;
    for (size_t i = 0; i < plan->num_launches; i++) {
        clgrad_launch *l = &plan->launches[i];
        CLGRAD_TRY(build(plan, l));
        const size_t bytes = (l->ir.num_params + (l->second == CLGRAD_NONE ? 20 : 40)) * sizeof(int64_t) + l->ir.num_leaves * 8;
        if (!l->ir.refused && l->ir.num_instrs > 0 && bytes > (limit < 1024 ? 1024 : limit)) l->ir.refused = true;
        if (!l->ir.refused) continue;
        *again = true;
        memset(plan->unread, 0, plan->work->num_nodes);
        return force(plan, l);
    }
    *again = find_unread(plan);
    return CLGRAD_OK;
}
