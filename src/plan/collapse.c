/* Making an index space as flat as its addresses allow, then deciding for every instruction how often it is computed. */

#include "plan/ir.h"

static void drop_axis(clgrad_ir *ir, int32_t axis)
{
    for (size_t i = 0; i < ir->num_instrs; i++) clgrad_affine_drop(&ir->instrs[i].at, axis);
    ir->axes[axis].dead = true;
}

/* Does every affine step over `outer` as over `extent` steps of `inner`? */
static bool can_merge(const clgrad_ir *ir, int32_t outer, int32_t inner)
{
    const int64_t extent = ir->axes[inner].extent;
    for (size_t i = 0; i < ir->num_instrs; i++) {
        const clgrad_affine *at = &ir->instrs[i].at;
        int64_t step = 0;
        if (!clgrad_mul_i64(clgrad_affine_coefficient(at, inner), extent, &step) || clgrad_affine_coefficient(at, outer) != step)
            return false;
    }
    return true;
}

/* Which role may be merged into the lane axis: loops where the lanes are what is reduced, rows elsewhere. */
static clgrad_ir_role lane_feeder(bool lane_reduced) { return lane_reduced ? CLGRAD_IR_LOOP : CLGRAD_IR_ROW; }

static bool same_class(clgrad_ir_role outer, clgrad_ir_role inner, bool lane_reduced)
{
    return outer == inner || (inner == CLGRAD_IR_LANE && outer == lane_feeder(lane_reduced));
}

/* The inner axis takes the outer one in: its variable then counts over both. */
static void merge(clgrad_ir *ir, int32_t outer, int32_t inner)
{
    ir->axes[inner].extent *= ir->axes[outer].extent;
    ir->ranges[inner].max = ir->axes[inner].extent > 0 ? ir->axes[inner].extent - 1 : 0;
    drop_axis(ir, outer);
}

static int32_t next_alive(const clgrad_ir *ir, int32_t axis)
{
    do axis++;
    while (axis < ir->num_axes && ir->axes[axis].dead);
    return axis;
}

/* Lanes along an axis of extent 1 are of no use: let the nearest axis before it that may be merged have them. */
static void move_lanes(clgrad_ir *ir, int32_t lane, bool lane_reduced)
{
    for (int32_t d = lane - 1; d >= 0; d--) {
        if (ir->axes[d].dead) continue;
        if (ir->axes[d].role != lane_feeder(lane_reduced)) return;
        ir->axes[d].role = CLGRAD_IR_LANE;
        ir->axes[lane].role = lane_feeder(lane_reduced);
        drop_axis(ir, lane);
        return;
    }
}

static void drop_ones(clgrad_ir *ir, bool lane_reduced)
{
    int32_t lane = CLGRAD_IR_NONE;
    for (int32_t d = 0; d < ir->num_axes; d++) {
        if (ir->axes[d].extent != 1) continue;
        if (ir->axes[d].role == CLGRAD_IR_LANE) lane = d;
        else drop_axis(ir, d);
    }
    if (lane >= 0) move_lanes(ir, lane, lane_reduced);
}

static void flatten(clgrad_ir *ir, bool lane_reduced)
{
    drop_ones(ir, lane_reduced);
    for (int32_t outer = -1;;) {
        outer = next_alive(ir, outer);
        const int32_t inner = outer < ir->num_axes ? next_alive(ir, outer) : ir->num_axes;
        if (inner >= ir->num_axes) return;
        if (!same_class(ir->axes[outer].role, ir->axes[inner].role, lane_reduced) || !can_merge(ir, outer, inner)) continue;
        merge(ir, outer, inner);
        outer = -1; /* what did not merge before may do so now */
    }
}

static uint8_t max_level(uint8_t a, uint8_t b) { return a > b ? a : b; }

static void depend_on(const clgrad_ir *ir, clgrad_ir_instr *instr, int32_t on)
{
    if (on < 0) return;
    instr->level = max_level(instr->level, ir->instrs[on].level);
    instr->lane |= ir->instrs[on].lane;
}

static void depend_on_affine(const clgrad_ir *ir, clgrad_ir_instr *instr)
{
    for (int32_t t = 0; t < instr->at.num_terms; t++) {
        const clgrad_ir_var *var = &ir->vars[instr->at.term[t].var];
        if (var->axis < 0) {
            depend_on(ir, instr, var->instr);
            continue;
        }
        const clgrad_ir_role role = ir->axes[var->axis].role;
        instr->level = max_level(instr->level, role == CLGRAD_IR_ROW ? CLGRAD_IR_ROWS : CLGRAD_IR_BODY);
        instr->lane |= role == CLGRAD_IR_LANE;
    }
}

static void set_levels(clgrad_ir *ir)
{
    for (size_t i = 0; i < ir->num_instrs; i++) {
        clgrad_ir_instr *instr = &ir->instrs[i];
        instr->lane = instr->kind == CLGRAD_IR_RESULT;
        instr->level = instr->kind == CLGRAD_IR_RESULT || instr->kind == CLGRAD_IR_STORE ? CLGRAD_IR_BODY : CLGRAD_IR_UNIFORM;
        depend_on_affine(ir, instr);
        for (int32_t a = 0; a < instr->num_args; a++) depend_on(ir, instr, instr->arg[a]);
        depend_on(ir, instr, instr->cond);
    }
}

int32_t clgrad_ir_param(clgrad_ir *ir, int64_t value)
{
    const clgrad_status st = clgrad_reserve(ir->ctx, &ir->params, &ir->param_capacity, ir->num_params + 1, sizeof *ir->params);
    if (st != CLGRAD_OK) {
        if (ir->status == CLGRAD_OK) ir->status = st;
        return CLGRAD_IR_NONE;
    }
    ir->params[ir->num_params] = value;
    return (int32_t)ir->num_params++;
}

static bool is_textual(int64_t value) { return value == 0 || value == 1 || value == -1; }

static void set_slots(clgrad_ir *ir)
{
    for (size_t i = 0; i < ir->num_leaves; i++) ir->leaves[i].offset_slot = clgrad_ir_param(ir, 0);
    for (size_t i = 0; i < ir->num_instrs; i++) {
        clgrad_ir_instr *instr = &ir->instrs[i];
        instr->slots.base = is_textual(instr->at.base) ? CLGRAD_IR_NONE : clgrad_ir_param(ir, instr->at.base);
        for (int32_t t = 0; t < instr->at.num_terms; t++)
            instr->slots.coef[t] = is_textual(instr->at.term[t].coef) ? CLGRAD_IR_NONE : clgrad_ir_param(ir, instr->at.term[t].coef);
        instr->div_slot = is_textual(instr->div) ? CLGRAD_IR_NONE : clgrad_ir_param(ir, instr->div);
        instr->mod_slot = is_textual(instr->mod) ? CLGRAD_IR_NONE : clgrad_ir_param(ir, instr->mod);
    }
}

clgrad_status clgrad_ir_finish_fixed(clgrad_ir *ir)
{
    set_levels(ir);
    set_slots(ir);
    return ir->status;
}

clgrad_status clgrad_ir_finish(clgrad_ir *ir, bool lane_reduced)
{
    flatten(ir, lane_reduced);
    return clgrad_ir_finish_fixed(ir);
}
