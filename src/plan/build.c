/* From graph nodes under views to instructions. */

#include "plan/ir.h"

#include <assert.h>
#include <math.h>

enum { MAX_DEPTH = 96, MAX_VARS = 200 };

void clgrad_ir_begin(clgrad_ir *ir, const clgrad_graph *g, const clgrad_place *places)
{
    *ir = (clgrad_ir){ .ctx = g->ctx, .g = g, .places = places, .result = CLGRAD_NONE, .second = CLGRAD_NONE, .culprit = CLGRAD_NONE,
                       .max_instrs = 360, .max_leaves = 24 };
    for (size_t i = 0; i < CLGRAD_IR_BUCKETS; i++) ir->bucket[i] = CLGRAD_IR_NONE;
}

void clgrad_ir_release(clgrad_ir *ir)
{
    if (!ir->ctx) return;
    clgrad_free(ir->ctx, ir->vars);
    clgrad_free(ir->ctx, ir->ranges);
    clgrad_free(ir->ctx, ir->instrs);
    clgrad_free(ir->ctx, ir->leaves);
    clgrad_free(ir->ctx, ir->memo);
    clgrad_free(ir->ctx, ir->params);
    *ir = (clgrad_ir){ 0 };
}

static int32_t failed(clgrad_ir *ir, clgrad_status status)
{
    if (ir->status == CLGRAD_OK) ir->status = status;
    return CLGRAD_IR_FAILED;
}

static int32_t refuse(clgrad_ir *ir, clgrad_node culprit)
{
    if (!ir->refused) ir->refused = true, ir->culprit = culprit;
    return CLGRAD_IR_FAILED;
}

static clgrad_status add_var(clgrad_ir *ir, int32_t instr, int32_t axis, int64_t min, int64_t max)
{
    CLGRAD_TRY(clgrad_reserve(ir->ctx, &ir->vars, &ir->var_capacity, ir->num_vars + 1, sizeof *ir->vars));
    CLGRAD_TRY(clgrad_reserve(ir->ctx, &ir->ranges, &ir->range_capacity, ir->num_vars + 1, sizeof *ir->ranges));
    ir->vars[ir->num_vars] = (clgrad_ir_var){ instr, axis };
    ir->ranges[ir->num_vars++] = (clgrad_range){ min, max };
    return CLGRAD_OK;
}

clgrad_status clgrad_ir_add_axis(clgrad_ir *ir, int64_t extent, clgrad_ir_role role)
{
    assert(ir->num_axes < CLGRAD_IR_AXES && ir->num_instrs == 0);
    CLGRAD_TRY(add_var(ir, CLGRAD_IR_NONE, ir->num_axes, 0, extent > 0 ? extent - 1 : 0));
    ir->axes[ir->num_axes++] = (clgrad_ir_axis){ .extent = extent, .role = role };
    return CLGRAD_OK;
}

static clgrad_ir_instr instr_of(clgrad_ir_kind kind, clgrad_dtype dtype)
{
    return (clgrad_ir_instr){ .kind = kind, .dtype = dtype, .arg = { -1, -1, -1 }, .cond = CLGRAD_IR_NONE, .leaf = -1, .var = -1,
                              .at = clgrad_affine_constant(0) };
}

static int32_t append(clgrad_ir *ir, const clgrad_ir_instr *instr)
{
    const clgrad_status st = clgrad_reserve(ir->ctx, &ir->instrs, &ir->instr_capacity, ir->num_instrs + 1, sizeof *ir->instrs);
    if (st != CLGRAD_OK) return failed(ir, st);
    ir->instrs[ir->num_instrs] = *instr;
    return (int32_t)ir->num_instrs++;
}

/* An earlier instruction that computes the same index arithmetic, in the same scope. */
static int32_t find_equal(const clgrad_ir *ir, const clgrad_ir_instr *want)
{
    for (size_t i = ir->epilogue; i < ir->num_instrs; i++) {
        const clgrad_ir_instr *have = &ir->instrs[i];
        if (have->kind == want->kind && have->arg[0] == want->arg[0] && have->cond == want->cond && have->div == want->div && have->mod == want->mod &&
            clgrad_affine_equal(&have->at, &want->at))
            return (int32_t)i;
    }
    return CLGRAD_IR_NONE;
}

static int32_t define_var(clgrad_ir *ir, clgrad_ir_instr *instr, int64_t min, int64_t max)
{
    if (ir->num_vars >= MAX_VARS) return refuse(ir, CLGRAD_NONE);
    instr->var = (int32_t)ir->num_vars;
    const int32_t at = append(ir, instr);
    if (at < 0) return at;
    const clgrad_status st = add_var(ir, at, -1, min, max);
    return st == CLGRAD_OK ? instr->var : failed(ir, st);
}

int32_t clgrad_ir_divide(clgrad_ir *ir, const clgrad_affine *of, int64_t div, int64_t mod)
{
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_VAR, CLGRAD_I64);
    instr.at = *of, instr.div = div, instr.mod = mod;
    const int32_t known = find_equal(ir, &instr);
    if (known >= 0) return ir->instrs[known].var;
    clgrad_range r;
    if (!clgrad_affine_range(of, ir->ranges, &r)) return refuse(ir, CLGRAD_NONE);
    /* A negative index is guarded by a condition; its range must still cover what C's division gives. */
    r = (clgrad_range){ r.min / div, r.max / div };
    if (mod) r = (clgrad_range){ r.min < 0 ? 1 - mod : 0, r.max < mod && r.min >= 0 ? r.max : mod - 1 };
    return define_var(ir, &instr, r.min, r.max);
}

int32_t clgrad_ir_condition(clgrad_ir *ir, int32_t parent, const clgrad_affine *at, int64_t extent, int64_t step)
{
    clgrad_range r;
    if (step == 1 && clgrad_affine_range(at, ir->ranges, &r) && r.min >= 0 && r.max < extent) return parent;
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_COND, CLGRAD_I64);
    instr.cond = parent, instr.at = *at, instr.div = extent, instr.mod = step;
    const int32_t known = find_equal(ir, &instr);
    return known >= 0 ? known : append(ir, &instr);
}

int32_t clgrad_ir_leaf_of(clgrad_ir *ir, int32_t value, clgrad_dtype dtype, bool written)
{
    for (size_t i = 0; i < ir->num_leaves; i++) {
        clgrad_ir_leaf *leaf = &ir->leaves[i];
        if (leaf->value != value || leaf->dtype != dtype) continue;
        if (written) leaf->written = true;
        else leaf->read = true;
        return (int32_t)i;
    }
    if (ir->num_leaves >= ir->max_leaves && !written) return refuse(ir, CLGRAD_NONE);
    const clgrad_status st = clgrad_reserve(ir->ctx, &ir->leaves, &ir->leaf_capacity, ir->num_leaves + 1, sizeof *ir->leaves);
    if (st != CLGRAD_OK) return failed(ir, st);
    ir->leaves[ir->num_leaves] = (clgrad_ir_leaf){ .value = value, .dtype = dtype, .read = !written, .written = written };
    return (int32_t)ir->num_leaves++;
}

int32_t clgrad_ir_load(clgrad_ir *ir, int32_t value, clgrad_dtype dtype, const clgrad_affine *at, int32_t cond)
{
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_LOAD, dtype);
    instr.leaf = clgrad_ir_leaf_of(ir, value, dtype, false);
    instr.at = *at, instr.cond = cond;
    return instr.leaf < 0 ? instr.leaf : append(ir, &instr);
}

/* The element of a materialised node that a view picks. */
static bool address(const clgrad_place *place, const clgrad_view *view, int32_t rank, clgrad_affine *out)
{
    *out = clgrad_affine_constant(place->offset);
    for (int32_t d = 0; d < rank; d++)
        if (!clgrad_affine_add(out, &view->axis[d], place->stride[d])) return false;
    return true;
}

static int32_t load_node(clgrad_ir *ir, clgrad_node n, const clgrad_view *view)
{
    const clgrad_op_node *node = clgrad_at(ir->g, n);
    clgrad_affine at;
    if (!address(&ir->places[n], view, node->shape.rank, &at)) return refuse(ir, CLGRAD_NONE);
    return clgrad_ir_load(ir, ir->places[n].value, node->dtype, &at, view->cond);
}

bool clgrad_ir_store(clgrad_ir *ir, int32_t reg, clgrad_dtype dtype, const clgrad_place *place, const clgrad_view *view,
                     int32_t rank)
{
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_STORE, dtype);
    if (!address(place, view, rank, &instr.at)) return refuse(ir, CLGRAD_NONE), false;
    instr.leaf = clgrad_ir_leaf_of(ir, place->value, dtype, true);
    instr.arg[0] = reg, instr.num_args = 1;
    return instr.leaf >= 0 && append(ir, &instr) >= 0;
}

static int32_t fill(clgrad_ir *ir, int32_t reg, int32_t cond, double value)
{
    if (cond == CLGRAD_IR_NONE) return reg;
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_FILL, ir->instrs[reg].dtype);
    instr.cond = cond, instr.arg[0] = reg, instr.num_args = 1, instr.value = value;
    return append(ir, &instr);
}

int32_t clgrad_ir_mask(clgrad_ir *ir, int32_t reg, int32_t cond) { return fill(ir, reg, cond, 0); }

int32_t clgrad_ir_index_of(clgrad_ir *ir, int32_t reg, int64_t extent)
{
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_VAR, CLGRAD_I64);
    instr.arg[0] = reg, instr.num_args = 1;
    for (size_t i = ir->epilogue; i < ir->num_instrs; i++)
        if (ir->instrs[i].kind == CLGRAD_IR_VAR && ir->instrs[i].div == 0 && ir->instrs[i].arg[0] == reg) return ir->instrs[i].var;
    return define_var(ir, &instr, 0, extent > 0 ? extent - 1 : 0);
}

static int32_t build_view(clgrad_ir *ir, clgrad_node n, const clgrad_view *view)
{
    const clgrad_op_node *node = clgrad_at(ir->g, n);
    clgrad_view inner;
    if (!clgrad_view_operand(ir, node, view, &inner)) return ir->status == CLGRAD_OK ? refuse(ir, node->in[0]) : CLGRAD_IR_FAILED;
    const int32_t reg = clgrad_ir_build(ir, node->in[0], &inner);
    if (reg < 0 || inner.cond == view->cond) return reg;
    return fill(ir, reg, inner.cond, 0);
}

/* y[.., j.., ..] = x[.., index[j..], ..]: the index is a variable of its own, known only in the kernel. */
static int32_t build_take(clgrad_ir *ir, clgrad_node n, const clgrad_view *view)
{
    const clgrad_op_node *node = clgrad_at(ir->g, n), *x = clgrad_at(ir->g, node->in[0]), *index = clgrad_at(ir->g, node->in[1]);
    const int32_t axis = node->attr.axis, shared = node->attr.num_batch, width = index->shape.rank - shared;
    const int64_t extent = x->shape.dims[axis];
    clgrad_view at = clgrad_view_none();
    at.cond = view->cond;
    for (int32_t d = 0; d < shared; d++) at.axis[d] = view->axis[d];
    for (int32_t d = 0; d < width; d++) at.axis[shared + d] = view->axis[axis + d];
    const int32_t number = clgrad_ir_build(ir, node->in[1], &at);
    const int32_t var = number < 0 ? number : clgrad_ir_index_of(ir, number, extent);
    if (var < 0) return var;

    clgrad_view inner = clgrad_view_none();
    const clgrad_affine row = clgrad_affine_variable(var);
    ir->ranges[var] = (clgrad_range){ INT64_MIN / 4, INT64_MAX / 4 }; /* whatever the index holds */
    inner.cond = clgrad_ir_condition(ir, view->cond, &row, extent, 1);
    if (inner.cond < 0) return inner.cond;
    ir->ranges[var] = (clgrad_range){ 0, extent > 0 ? extent - 1 : 0 }; /* from here on guarded */
    for (int32_t d = 0; d < axis; d++) inner.axis[d] = view->axis[d];
    inner.axis[axis] = row;
    for (int32_t d = axis + 1; d < x->shape.rank; d++) inner.axis[d] = view->axis[d + width - 1];
    const int32_t reg = clgrad_ir_build(ir, node->in[0], &inner);
    return reg < 0 ? reg : fill(ir, reg, inner.cond, clgrad_dtype_is_real(node->dtype) ? (double)NAN : 0);
}

static int32_t build_map(clgrad_ir *ir, clgrad_node n, const clgrad_view *view)
{
    const clgrad_op_node *node = clgrad_at(ir->g, n);
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_MAP, node->dtype);
    instr.node = node, instr.num_args = (int32_t)node->num_in;
    for (size_t i = 0; i < node->num_in; i++) {
        instr.arg[i] = clgrad_ir_build(ir, node->in[i], view);
        if (instr.arg[i] < 0) return instr.arg[i];
    }
    return append(ir, &instr);
}

static int32_t build_constant(clgrad_ir *ir, const clgrad_op_node *node)
{
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_CONST, node->dtype);
    instr.value = node->attr.value, instr.integer = node->attr.integer;
    return append(ir, &instr);
}

static int32_t build_iota(clgrad_ir *ir, const clgrad_op_node *node, const clgrad_view *view)
{
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_INDEX, node->dtype);
    instr.at = view->axis[node->attr.axis];
    return append(ir, &instr);
}

static int32_t build_result(clgrad_ir *ir, clgrad_node n, const clgrad_view *view)
{
    const clgrad_op_node *node = clgrad_at(ir->g, n);
    for (int32_t d = 0; d < node->shape.rank; d++)
        if (node->shape.dims[d] != 1 && !clgrad_affine_equal(&view->axis[d], &ir->result_view.axis[d])) return refuse(ir, n);
    clgrad_ir_instr instr = instr_of(CLGRAD_IR_RESULT, node->dtype);
    instr.integer = n == ir->second;
    return append(ir, &instr);
}

static bool is_inside(const clgrad_ir *ir, clgrad_node n)
{
    for (size_t i = 0; i < ir->num_inside; i++)
        if (ir->inside[i] == n) return true;
    return false;
}

static bool is_stored(const clgrad_ir *ir, clgrad_node n) { return ir->places[n].value >= 0 && !is_inside(ir, n); }

static int32_t build_new(clgrad_ir *ir, clgrad_node n, const clgrad_view *view)
{
    const clgrad_op_node *node = clgrad_at(ir->g, n);
    if (n == ir->result || n == ir->second) return build_result(ir, n, view);
    if (is_stored(ir, n)) return load_node(ir, n, view);
    switch (clgrad_op_get(node->op)->family) {
    case CLGRAD_MAP: return build_map(ir, n, view);
    case CLGRAD_VIEW: return build_view(ir, n, view);
    case CLGRAD_GATHER: return build_take(ir, n, view);
    case CLGRAD_LEAF: return node->op == CLGRAD_OP_CONST ? build_constant(ir, node) : build_iota(ir, node, view);
    default: return refuse(ir, n);
    }
}

clgrad_node clgrad_ir_cut(const clgrad_ir *ir)
{
    clgrad_node cut = CLGRAD_NONE;
    int32_t best = 1;
    for (size_t i = 0; i < ir->num_memo; i++) {
        const clgrad_ir_memo *m = &ir->memo[i];
        const clgrad_family family = clgrad_op_get(clgrad_at(ir->g, m->node)->op)->family;
        const bool may = (family == CLGRAD_MAP || family == CLGRAD_GATHER) && m->node != ir->result && m->node != ir->second && !is_inside(ir, m->node);
        if (may && !is_stored(ir, m->node) && m->size > best && (size_t)m->size <= ir->num_instrs / 2 + 1)
            best = m->size, cut = m->node;
    }
    return cut;
}

/* What to store so that the expression at hand gets smaller; n itself when nothing before it will do. */
static clgrad_node cut_or(const clgrad_ir *ir, clgrad_node n)
{
    const clgrad_node cut = clgrad_ir_cut(ir);
    return cut == CLGRAD_NONE ? n : cut;
}

static int32_t remember(clgrad_ir *ir, clgrad_node n, const clgrad_view *view, int32_t reg, int32_t size)
{
    const clgrad_status st = clgrad_reserve(ir->ctx, &ir->memo, &ir->memo_capacity, ir->num_memo + 1, sizeof *ir->memo);
    if (st != CLGRAD_OK) return failed(ir, st);
    int32_t *bucket = &ir->bucket[n % CLGRAD_IR_BUCKETS];
    ir->memo[ir->num_memo] = (clgrad_ir_memo){ .node = n, .instr = reg, .size = size, .next = *bucket, .view = *view };
    *bucket = (int32_t)ir->num_memo++;
    return reg;
}

static bool view_equal(const clgrad_view *a, const clgrad_view *b, int32_t rank)
{
    if (a->cond != b->cond) return false;
    for (int32_t d = 0; d < rank; d++)
        if (!clgrad_affine_equal(&a->axis[d], &b->axis[d])) return false;
    return true;
}

int32_t clgrad_ir_build(clgrad_ir *ir, clgrad_node n, const clgrad_view *view)
{
    const int32_t rank = clgrad_at(ir->g, n)->shape.rank;
    for (int32_t i = ir->bucket[n % CLGRAD_IR_BUCKETS]; i >= 0; i = ir->memo[i].next)
        if (ir->memo[i].node == n && view_equal(&ir->memo[i].view, view, rank)) return ir->memo[i].instr;
    const bool full = ir->depth >= MAX_DEPTH || ir->num_instrs >= ir->max_instrs;
    if (full && !is_stored(ir, n)) return refuse(ir, cut_or(ir, n));
    const size_t before = ir->num_instrs;
    ir->depth++;
    const int32_t reg = build_new(ir, n, view);
    ir->depth--;
    if (reg == CLGRAD_IR_FAILED && ir->refused && ir->culprit == CLGRAD_NONE && !is_stored(ir, n)) ir->culprit = cut_or(ir, n);
    return reg < 0 ? reg : remember(ir, n, view, reg, (int32_t)(ir->num_instrs - before));
}

void clgrad_ir_begin_epilogue(clgrad_ir *ir)
{
    ir->epilogue = ir->num_instrs;
    ir->num_memo = 0;
    for (size_t i = 0; i < CLGRAD_IR_BUCKETS; i++) ir->bucket[i] = CLGRAD_IR_NONE;
}
