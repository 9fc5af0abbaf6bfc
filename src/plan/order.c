/* Stored nodes into launches, in the order of the graph. Element-wise nodes of one shape share a launch where they can. */

#include "plan/launch.h"
#include "ref/sums.h"

enum { SMALL = 65536, LOOK_BACK = 32, SHARED_COST = 120 };

clgrad_status clgrad_plan_add_launch(clgrad_plan *plan, clgrad_launch_kind kind, clgrad_launch **out)
{
    CLGRAD_TRY(clgrad_reserve(plan->ctx, &plan->launches, &plan->launch_capacity, plan->num_launches + 1, sizeof *plan->launches));
    *out = &plan->launches[plan->num_launches++];
    **out = (clgrad_launch){ .kind = kind, .core = CLGRAD_NONE, .second = CLGRAD_NONE, .source = -1, .partial = -1, .partial_leaf = -1, .from = -1,
                             .to = -1, .kernel_number = (int32_t)plan->num_launches - 1, .kept_cells = 1, .cells = 1, .chunks = 1, .accumulate = CLGRAD_OP_SUM };
    clgrad_text *const texts[] = { &(*out)->helpers_text, &(*out)->params_text, &(*out)->args_text, &(*out)->vector_text,
                                   &(*out)->scalar_text, &(*out)->touches_text };
    for (size_t i = 0; i < CLGRAD_COUNT(texts); i++) texts[i]->ctx = plan->ctx;
    return CLGRAD_OK;
}

static void add_root(clgrad_plan *plan, clgrad_launch *launch, const clgrad_root *root, bool inside)
{
    launch->root[launch->num_roots++] = *root;
    if (!inside) return;
    launch->inside[launch->num_inside++] = root->node;
    plan->made[root->node] = (int32_t)(launch - plan->launches);
}

/* --- sharing a launch --- */

typedef struct reading {
    clgrad_plan *plan;
    int32_t candidate; /* launch that might take the node */
    int32_t latest;    /* the last launch whose results are read */
    bool shares;       /* reads what the candidate reads or makes */
    bool continues;    /* reads what it makes */
    bool misplaced;    /* reads the candidate's results at other elements */
    uint32_t budget;
} reading;

static void read_stored(reading *r, clgrad_node n, bool same_element)
{
    const int32_t made = r->plan->made[n];
    if (made > r->latest) r->latest = made;
    if (made == r->candidate && !same_element) r->misplaced = true;
    if (made == r->candidate) r->continues = true;
    if (made == r->candidate || r->plan->last_read[n] == r->candidate) r->shares = true;
}

/* Walk an expression down to what is stored. The budget bounds expressions that share parts. */
static void walk(reading *r, clgrad_node n, bool same_element, bool top)
{
    const clgrad_op_node *node = clgrad_at(r->plan->work, n);
    if (r->budget == 0) {
        r->misplaced = true;
        return;
    }
    r->budget--;
    if (!top && r->plan->places[n].value >= 0) {
        read_stored(r, n, same_element);
        return;
    }
    const bool map = clgrad_op_get(node->op)->family == CLGRAD_MAP;
    for (size_t i = 0; i < node->num_in; i++) walk(r, node->in[i], same_element && map, false);
}

static void note_reads(clgrad_plan *plan, clgrad_node n, int32_t launch, uint32_t *budget, bool top)
{
    if (*budget == 0) return;
    --*budget;
    if (!top && plan->places[n].value >= 0) {
        plan->last_read[n] = launch;
        return;
    }
    const clgrad_op_node *node = clgrad_at(plan->work, n);
    for (size_t i = 0; i < node->num_in; i++) note_reads(plan, node->in[i], launch, budget, false);
}

/* Element-wise launches take any of their shape that shares memory with them; reductions and products what continues them. */
static bool may_share(clgrad_plan *plan, int32_t index, const clgrad_root *root, bool inside)
{
    const clgrad_launch *launch = &plan->launches[index];
    const clgrad_shape *shape = &clgrad_at(plan->work, root->node)->shape;
    const bool map = launch->kind == CLGRAD_LAUNCH_MAP;
    if (launch->num_roots == 0 || launch->num_roots == CLGRAD_LAUNCH_ROOTS || (!map && !inside)) return false;
    if (launch->kind == CLGRAD_LAUNCH_MATMUL && plan->options.matmul == CLGRAD_VARIANT_CLBLAST) return false; /* it only stores products */
    if (!clgrad_shape_equal(&clgrad_at(plan->work, launch->root[0].node)->shape, shape)) return false;
    reading r = { .plan = plan, .candidate = index, .latest = -1, .budget = SHARED_COST };
    walk(&r, root->node, true, inside);
    if (r.misplaced || r.latest > index) return false;
    return map ? r.shares || clgrad_shape_count(shape) <= SMALL : r.continues;
}

static clgrad_status add_map(clgrad_plan *plan, const clgrad_root *root, bool inside)
{
    clgrad_launch *launch = NULL;
    const int32_t count = (int32_t)plan->num_launches;
    for (int32_t i = count - 1; i >= 0 && i >= count - LOOK_BACK && !launch && !plan->options.no_fusion && !plan->alone[root->node]; i--)
        if (may_share(plan, i, root, inside)) launch = &plan->launches[i];
    if (!launch) CLGRAD_TRY(clgrad_plan_add_launch(plan, CLGRAD_LAUNCH_MAP, &launch));
    add_root(plan, launch, root, inside);
    uint32_t budget = 4 * SHARED_COST;
    note_reads(plan, root->node, (int32_t)(launch - plan->launches), &budget, inside);
    return CLGRAD_OK;
}

/* --- reductions --- */

static clgrad_dtype accumulator(clgrad_dtype dtype)
{
    return dtype == CLGRAD_F16 || dtype == CLGRAD_BF16 ? CLGRAD_F32 : dtype;
}

static void describe(clgrad_plan *plan, clgrad_launch *launch, clgrad_node core)
{
    const clgrad_op_node *node = clgrad_at(plan->work, core);
    launch->core = core;
    if (clgrad_op_get(node->op)->family == CLGRAD_REDUCE) launch->accumulate = node->op;
    launch->acc_dtype = accumulator(clgrad_at(plan->work, node->in[0])->dtype);
}

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* A launch that reduces n elements, `part` at a time, of the operand or of earlier partial results. */
static clgrad_status add_level(clgrad_plan *plan, clgrad_launch_kind kind, clgrad_node core, int32_t source, int64_t n,
                               clgrad_launch **out)
{
    CLGRAD_TRY(clgrad_plan_add_launch(plan, kind, out));
    describe(plan, *out, core);
    (*out)->source = source;
    (*out)->n = n;
    return CLGRAD_OK;
}

static clgrad_status keep_partials(clgrad_plan *plan, clgrad_launch *launch, int64_t kept)
{
    return clgrad_plan_add_value(plan, CLGRAD_VALUE_SCRATCH, 0, launch->acc_dtype,
                                 kept * launch->kept_cells * launch->cells * launch->chunks, &launch->partial);
}

static clgrad_status add_chunks(clgrad_plan *plan, clgrad_node core, int64_t n, int64_t part, clgrad_launch **last)
{
    const int64_t kept = clgrad_shape_count(&clgrad_at(plan->work, core)->shape);
    int64_t cells = part && n > part ? ceil_div(n, part) : 1;
    int32_t source = -1;
    for (int64_t here = n, kept_cells = 1;;) {
        clgrad_launch *l;
        CLGRAD_TRY(add_level(plan, CLGRAD_LAUNCH_CHUNKS, core, source, here, &l));
        l->part = source < 0 && cells > 1 ? part : here;
        l->cells = source < 0 ? cells : 1;
        l->kept_cells = kept_cells;
        l->chunks = l->part > CLGRAD_SUM_CHUNK ? ceil_div(l->part, CLGRAD_SUM_CHUNK) : 1;
        *last = l;
        if (l->chunks == 1 && cells == 1) return CLGRAD_OK;
        CLGRAD_TRY(keep_partials(plan, l, kept));
        source = l->partial;
        if (l->chunks == 1) break;
        here = l->chunks;
        kept_cells = cells;
    }
    CLGRAD_TRY(add_level(plan, CLGRAD_LAUNCH_CHAIN, core, source, cells, last));
    (*last)->part = 1; /* cells of one element: neighbouring pairs */
    return CLGRAD_OK;
}

static int64_t reduced_count(const clgrad_op_node *node, const clgrad_shape *x, int64_t *first)
{
    const uint32_t axes = node->op == CLGRAD_OP_ARGMAX ? CLGRAD_AXIS(node->attr.axis) : node->attr.axes;
    int64_t n = 1;
    *first = 0;
    for (int32_t d = x->rank - 1; d >= 0; d--)
        if (axes & CLGRAD_AXIS(d)) n *= x->dims[d], *first = x->dims[d];
    return n;
}

static clgrad_status add_reduction(clgrad_plan *plan, clgrad_node core, clgrad_launch **last)
{
    const clgrad_op_node *node = clgrad_at(plan->work, core);
    const clgrad_shape *x = &clgrad_at(plan->work, node->in[0])->shape;
    if (node->op == CLGRAD_OP_OVERLAP_ADD)
        return add_level(plan, CLGRAD_LAUNCH_CHAIN, core, -1, x->dims[x->rank - 1], last);
    int64_t first;
    const int64_t n = reduced_count(node, x, &first);
    const int64_t part = node->attr.cell > 0 && first > node->attr.cell ? n / first * node->attr.cell : 0;
    if (node->op == CLGRAD_OP_SUM && clgrad_axes_trailing(x, node->attr.axes)) return add_chunks(plan, core, n, part, last);
    CLGRAD_TRY(add_level(plan, CLGRAD_LAUNCH_CHAIN, core, -1, n, last));
    (*last)->part = part;
    return CLGRAD_OK;
}

/* --- the rest --- */

static clgrad_status add_scatter(clgrad_plan *plan, clgrad_node n, clgrad_launch **last)
{
    const clgrad_op_node *node = clgrad_at(plan->work, n), *index = clgrad_at(plan->work, node->in[1]);
    int64_t batches = 1;
    for (int32_t d = 0; d < node->attr.num_batch; d++) batches *= index->shape.dims[d];
    const int64_t total = clgrad_shape_count(&index->shape), count = batches ? total / batches : 0;
    const int64_t rows = node->shape.dims[node->attr.axis];
    int32_t starts, order;
    CLGRAD_TRY(clgrad_plan_add_value(plan, CLGRAD_VALUE_SCRATCH, 0, CLGRAD_I64, batches * (rows + 2), &starts));
    CLGRAD_TRY(clgrad_plan_add_value(plan, CLGRAD_VALUE_SCRATCH, 0, CLGRAD_I64, total > 0 ? total : 1, &order));
    for (int pass = 0; pass < 2; pass++) {
        CLGRAD_TRY(clgrad_plan_add_launch(plan, pass ? CLGRAD_LAUNCH_CHAIN : CLGRAD_LAUNCH_SORT, last));
        clgrad_launch *l = *last;
        l->core = n;
        l->acc_dtype = accumulator(node->dtype);
        l->sorted[0] = starts, l->sorted[1] = order;
        l->sort_batches = batches, l->sort_count = count, l->sort_n = rows;
        l->index_dtype = index->dtype;
    }
    return CLGRAD_OK;
}

static clgrad_status add_scan(clgrad_plan *plan, clgrad_node n, clgrad_launch **last)
{
    const clgrad_op_node *node = clgrad_at(plan->work, n);
    CLGRAD_TRY(add_level(plan, CLGRAD_LAUNCH_SCAN, n, -1, node->shape.dims[node->attr.axis], last));
    (*last)->acc_dtype = accumulator(node->dtype);
    return CLGRAD_OK;
}

static clgrad_status add_core(clgrad_plan *plan, clgrad_node core, clgrad_launch **last)
{
    switch (clgrad_op_get(clgrad_at(plan->work, core)->op)->family) {
    case CLGRAD_PRODUCT:
        CLGRAD_TRY(clgrad_plan_add_launch(plan, CLGRAD_LAUNCH_MATMUL, last));
        (*last)->core = core;
        (*last)->second = plan->second[core];
        return CLGRAD_OK;
    case CLGRAD_SCATTER: return add_scatter(plan, core, last);
    case CLGRAD_SCAN: return add_scan(plan, core, last);
    default: return add_reduction(plan, core, last);
    }
}

static bool has_core(clgrad_op op)
{
    switch (clgrad_op_get(op)->family) {
    case CLGRAD_PRODUCT: case CLGRAD_SCATTER: case CLGRAD_SCAN: case CLGRAD_REDUCE: case CLGRAD_OVERLAP: return true;
    default: return false;
    }
}

static clgrad_status add_concat(clgrad_plan *plan, clgrad_node n)
{
    for (size_t i = 0; i < plan->num_copies; i++)
        if (plan->copies[i].whole == n) CLGRAD_TRY(add_map(plan, &plan->copies[i].root, false));
    plan->made[n] = (int32_t)plan->num_launches - 1; /* its parts are all behind us */
    return CLGRAD_OK;
}

static clgrad_status add_node(clgrad_plan *plan, clgrad_node n)
{
    const clgrad_op op = clgrad_at(plan->work, n)->op;
    const clgrad_root root = { n, plan->places[n] };
    if (clgrad_shape_count(&clgrad_at(plan->work, n)->shape) == 0) return CLGRAD_OK;
    if (plan->alias[n] != CLGRAD_NONE) {
        plan->made[n] = plan->made[plan->alias[n]];
        return CLGRAD_OK;
    }
    if (op == CLGRAD_OP_CONCAT) return add_concat(plan, n);
    const clgrad_node core = plan->core[n] != CLGRAD_NONE ? plan->core[n] : n;
    if (!has_core(clgrad_at(plan->work, core)->op)) return add_map(plan, &root, true);
    clgrad_launch *last;
    CLGRAD_TRY(add_core(plan, core, &last));
    add_root(plan, last, &root, true);
    return CLGRAD_OK;
}

clgrad_status clgrad_plan_order(clgrad_plan *plan)
{
    const clgrad_graph *g = plan->work;
    for (size_t n = 0; n < g->num_nodes; n++) plan->made[n] = plan->last_read[n] = -1;
    for (clgrad_node n = 0; n < g->num_nodes; n++)
        if (plan->live[n] && plan->stored[n]) CLGRAD_TRY(add_node(plan, n));
    for (size_t i = 0; i < plan->num_copies; i++)
        if (plan->copies[i].whole == CLGRAD_NONE && plan->values[plan->copies[i].root.place.value].count > 0)
            CLGRAD_TRY(add_map(plan, &plan->copies[i].root, false));
    return CLGRAD_OK;
}
