/* Which nodes are stored and which are computed where they are used. Values do not depend on these choices; speed and memory
 * do. */

#include "plan/cost.h"

enum {
    USER_NONE = -1,     /* nobody yet */
    USER_MANY = -2,
    CHEAP = 3,          /* operations worth repeating in every consumer */
    REPEATED = 24,      /* and with one repetition, when it saves a pass over memory */
    EXPANDED = 4        /* and under a broadcast */
};

typedef struct decider {
    clgrad_plan *plan;
    const clgrad_graph *g;
    int32_t *users;         /* by node: the one launch that uses it, or MANY */
    uint32_t *num_users;    /* by node: live consumers */
    clgrad_node *consumer;  /* by node: the last of them */
    uint32_t *cost;         /* operations to compute one element from what must be stored */
    uint8_t *expanded;      /* some consumer repeats its elements */
    bool pairs;             /* may two products share a launch? */
} decider;

bool clgrad_plan_is_reduction(clgrad_op op)
{
    const clgrad_family family = clgrad_op_get(op)->family;
    return family == CLGRAD_REDUCE || family == CLGRAD_OVERLAP;
}

static clgrad_family family_of(const clgrad_graph *g, clgrad_node n) { return clgrad_op_get(clgrad_at(g, n)->op)->family; }

/* --- matmul operands --- */

bool clgrad_plan_operand_view(const clgrad_plan *plan, clgrad_node operand, clgrad_node base, clgrad_ir *ir, clgrad_view *view)
{
    *view = clgrad_view_none();
    const int32_t rank = clgrad_at(plan->work, operand)->shape.rank;
    for (int32_t d = 0; d < rank; d++) view->axis[d] = clgrad_affine_variable(d);
    while (operand != base) {
        const clgrad_op_node *n = clgrad_at(plan->work, operand);
        clgrad_view inner;
        if (!clgrad_view_operand(ir, n, view, &inner) || ir->num_instrs > 0) return false;
        *view = inner;
        operand = n->in[0];
    }
    return true;
}

clgrad_status clgrad_plan_operand_base(const clgrad_plan *plan, clgrad_node operand, clgrad_node *base)
{
    const clgrad_graph *g = plan->work;
    *base = operand;
    while (family_of(g, *base) == CLGRAD_VIEW && !plan->forced[*base]) *base = clgrad_at(g, *base)->in[0];
    clgrad_ir ir;
    clgrad_view view;
    clgrad_status st = CLGRAD_OK;
    clgrad_ir_begin(&ir, g, plan->places);
    const clgrad_shape *shape = &clgrad_at(g, operand)->shape;
    for (int32_t d = 0; d < shape->rank && st == CLGRAD_OK; d++) st = clgrad_ir_add_axis(&ir, shape->dims[d], CLGRAD_IR_ROW);
    if (st == CLGRAD_OK && !clgrad_plan_operand_view(plan, operand, *base, &ir, &view)) *base = operand;
    if (st == CLGRAD_OK) st = ir.status;
    clgrad_ir_release(&ir);
    return st;
}

/* --- what must be stored --- */

static void store(decider *d, clgrad_node n)
{
    if (clgrad_at(d->g, n)->op != CLGRAD_OP_INPUT) d->plan->stored[n] = 1;
}

static bool must_store(const decider *d, clgrad_node n)
{
    if (d->plan->forced[n]) return true;
    switch (family_of(d->g, n)) {
    case CLGRAD_JOIN: case CLGRAD_SCATTER: case CLGRAD_REDUCE: case CLGRAD_SCAN: case CLGRAD_OVERLAP: case CLGRAD_PRODUCT: return true;
    case CLGRAD_MAP: case CLGRAD_GATHER: return d->plan->options.no_fusion;
    default: return false;
    }
}

static clgrad_status store_operands(decider *d, clgrad_node n)
{
    const clgrad_op_node *node = clgrad_at(d->g, n);
    if (node->op == CLGRAD_OP_MATMUL)
        for (size_t i = 0; i < 2; i++) {
            clgrad_node base;
            CLGRAD_TRY(clgrad_plan_operand_base(d->plan, node->in[i], &base));
            store(d, base);
        }
    if (node->op == CLGRAD_OP_SCATTER_ADD) { /* the sort reads its indices as one flat value */
        d->plan->forced[node->in[1]] = 1;
        store(d, node->in[1]);
    }
    /* Parts of a concatenation are computed straight into their slices, under whatever shape. */
    for (size_t i = 0; node->op == CLGRAD_OP_CONCAT && i < node->num_in; i++) {
        clgrad_node part = node->in[i];
        while (clgrad_at(d->g, part)->op == CLGRAD_OP_RESHAPE) part = clgrad_at(d->g, part)->in[0];
        if (family_of(d->g, part) == CLGRAD_MAP || family_of(d->g, part) == CLGRAD_GATHER) store(d, part);
    }
    return CLGRAD_OK;
}

static clgrad_status store_all(decider *d)
{
    for (clgrad_node n = 0; n < d->g->num_nodes; n++) {
        if (!d->plan->live[n]) continue;
        if (must_store(d, n)) store(d, n);
        CLGRAD_TRY(store_operands(d, n));
    }
    for (size_t i = 0; i < d->g->num_outputs; i++) store(d, d->g->outputs[i]);
    return CLGRAD_OK;
}

/* --- what is worth storing --- */

static void find_costs(decider *d)
{
    for (clgrad_node n = 0; n < d->g->num_nodes; n++) {
        const clgrad_op_node *node = clgrad_at(d->g, n);
        const clgrad_family family = family_of(d->g, n);
        uint64_t cost = family == CLGRAD_MAP ? clgrad_plan_op_cost(node->op) : family == CLGRAD_GATHER ? 2 : 0;
        for (size_t i = 0; i < node->num_in; i++)
            if (!d->plan->stored[node->in[i]]) cost += d->cost[node->in[i]];
        d->cost[n] = cost > UINT32_MAX ? UINT32_MAX : (uint32_t)cost;
        if (!d->plan->live[n]) continue;
        for (size_t i = 0; i < node->num_in; i++) {
            if (d->consumer[node->in[i]] == n && d->num_users[node->in[i]]) continue;
            d->num_users[node->in[i]]++;
            d->consumer[node->in[i]] = n;
        }
    }
}

/* Element-wise results of one shape will share a launch (order.c): for its parts they are one user. */
static int32_t launch_of(const decider *d, clgrad_node n)
{
    const clgrad_shape *shape = &clgrad_at(d->g, n)->shape;
    if (d->plan->options.no_fusion || family_of(d->g, n) != CLGRAD_MAP) return (int32_t)n;
    for (clgrad_node first = 0; first < n; first++)
        if (d->plan->stored[first] && d->plan->live[first] && family_of(d->g, first) == CLGRAD_MAP &&
            clgrad_shape_equal(&clgrad_at(d->g, first)->shape, shape))
            return (int32_t)first;
    return (int32_t)n;
}

static bool worth_storing(const decider *d, clgrad_node n)
{
    const clgrad_family family = family_of(d->g, n);
    if (family != CLGRAD_MAP && family != CLGRAD_GATHER) return false;
    const int64_t count = clgrad_shape_count(&clgrad_at(d->g, n)->shape);
    if (d->expanded[n] && count > 1 && d->cost[n] > EXPANDED) return true;
    if (d->users[n] != USER_MANY) return false;
    return d->cost[n] > (d->num_users[n] <= 2 ? REPEATED : CHEAP);
}

static void use(decider *d, clgrad_node n, int32_t user, bool expanded)
{
    d->users[n] = d->users[n] == USER_NONE || d->users[n] == user ? user : USER_MANY;
    d->expanded[n] |= expanded;
}

static void store_worthwhile(decider *d)
{
    for (clgrad_node n = (clgrad_node)d->g->num_nodes; n-- > 0;) {
        const clgrad_op_node *node = clgrad_at(d->g, n);
        if (!d->plan->live[n]) continue;
        if (!d->plan->stored[n] && worth_storing(d, n)) store(d, n);
        const bool stored = d->plan->stored[n];
        const int32_t user = stored ? launch_of(d, n) : d->users[n];
        for (size_t i = 0; i < node->num_in; i++) {
            const int64_t from = clgrad_shape_count(&clgrad_at(d->g, node->in[i])->shape), to = clgrad_shape_count(&node->shape);
            const bool view = family_of(d->g, n) == CLGRAD_VIEW || node->op == CLGRAD_OP_TAKE;
            use(d, node->in[i], user, (!stored && d->expanded[n]) || (view && to / 2 >= from));
        }
    }
}

/* --- epilogues --- */

static bool takes_epilogue(const decider *d, clgrad_node n)
{
    const clgrad_plan *plan = d->plan;
    if (!plan->live[n] || plan->options.no_fusion || plan->plain[n] || plan->core[n] != CLGRAD_NONE) return false;
    if (family_of(d->g, n) == CLGRAD_PRODUCT) return plan->options.matmul != CLGRAD_VARIANT_CLBLAST; /* it only stores products */
    return clgrad_plan_is_reduction(clgrad_at(d->g, n)->op);
}

static bool is_output(const clgrad_graph *g, clgrad_node n)
{
    for (size_t i = 0; i < g->num_outputs; i++)
        if (g->outputs[i] == n) return true;
    return false;
}

/* The element-wise node, or for reductions the reshape, that alone consumes n. */
static clgrad_node next_in_epilogue(const decider *d, clgrad_node core, clgrad_node n)
{
    if (d->num_users[n] != 1 || is_output(d->g, n) || d->plan->forced[n]) return CLGRAD_NONE;
    const clgrad_node c = d->consumer[n];
    const clgrad_op op = clgrad_at(d->g, c)->op;
    if (d->plan->core[c] != CLGRAD_NONE || d->cost[c] > 60) return CLGRAD_NONE;
    if (op == CLGRAD_OP_RESHAPE && clgrad_plan_is_reduction(clgrad_at(d->g, core)->op)) return c;
    return clgrad_op_get(op)->family == CLGRAD_MAP ? c : CLGRAD_NONE;
}

static bool is_plain_product(const decider *d, clgrad_node n)
{
    const clgrad_op_node *node = clgrad_at(d->g, n);
    return node->op == CLGRAD_OP_MATMUL && d->plan->stored[n] && d->plan->core[n] == CLGRAD_NONE && d->plan->epilogue[n] == n &&
           d->num_users[n] == 1 && !d->plan->forced[n] && !d->plan->plain[n] && !is_output(d->g, n);
}

/* Two products that meet in an epilogue, as x dw + dx w, need one launch, and neither is stored. */
static void choose_second(decider *d, clgrad_node core, clgrad_node at)
{
    clgrad_plan *plan = d->plan;
    const clgrad_op_node *node = clgrad_at(d->g, at), *first = clgrad_at(d->g, core);
    for (size_t i = 0; i < node->num_in && d->pairs && first->op == CLGRAD_OP_MATMUL && plan->second[core] == CLGRAD_NONE; i++) {
        const clgrad_node other = node->in[i];
        const clgrad_op_node *x = clgrad_at(d->g, other);
        if (other == core || !is_plain_product(d, other) || !clgrad_shape_equal(&x->shape, &first->shape)) continue;
        if (clgrad_at(d->g, x->in[0])->dtype != clgrad_at(d->g, first->in[0])->dtype ||
            clgrad_at(d->g, x->in[1])->dtype != clgrad_at(d->g, first->in[1])->dtype)
            continue;
        plan->second[core] = other;
        plan->core[other] = core;
        plan->stored[other] = 0;
    }
}

static void choose_epilogue(decider *d, clgrad_node core)
{
    clgrad_plan *plan = d->plan;
    clgrad_node end = core;
    for (clgrad_node n = next_in_epilogue(d, core, core); n != CLGRAD_NONE; n = next_in_epilogue(d, core, n)) {
        if (clgrad_at(d->g, n)->op != CLGRAD_OP_RESHAPE || plan->stored[n]) end = n;
        if (plan->stored[n]) break;
    }
    plan->epilogue[core] = end;
    if (end == core) return;
    plan->stored[core] = 0;
    plan->stored[end] = 1;
    for (clgrad_node n = core; n != end; n = d->consumer[n]) {
        plan->core[d->consumer[n]] = core;
        choose_second(d, core, d->consumer[n]);
    }
}

static void choose_epilogues(decider *d)
{
    for (int products = 1; products >= 0; products--)
        for (clgrad_node n = 0; n < d->g->num_nodes; n++)
            if (takes_epilogue(d, n) && products == (family_of(d->g, n) == CLGRAD_PRODUCT)) choose_epilogue(d, n);
}

static void release(decider *d)
{
    clgrad_context *ctx = d->plan->ctx;
    clgrad_free(ctx, d->users);
    clgrad_free(ctx, d->num_users);
    clgrad_free(ctx, d->consumer);
    clgrad_free(ctx, d->cost);
    clgrad_free(ctx, d->expanded);
}

static clgrad_status decide(decider *d)
{
    clgrad_plan *plan = d->plan;
    for (size_t n = 0; n < d->g->num_nodes; n++) {
        d->users[n] = USER_NONE;
        plan->stored[n] = 0;
        plan->epilogue[n] = (clgrad_node)n;
        plan->core[n] = plan->second[n] = CLGRAD_NONE;
    }
    CLGRAD_TRY(store_all(d));
    find_costs(d);
    store_worthwhile(d);
    choose_epilogues(d);
    return CLGRAD_OK;
}

clgrad_status clgrad_plan_decide(clgrad_plan *plan)
{
    const size_t n = plan->work->num_nodes;
    clgrad_context *ctx = plan->ctx;
    decider d = { .plan = plan, .g = plan->work, .pairs = clgrad_matmul_pairs(plan->dev, &plan->options) };
    clgrad_status st = CLGRAD_E_MEMORY;
    if ((d.users = clgrad_alloc(ctx, n, sizeof *d.users)) && (d.num_users = clgrad_alloc(ctx, n, sizeof *d.num_users)) &&
        (d.consumer = clgrad_alloc(ctx, n, sizeof *d.consumer)) && (d.cost = clgrad_alloc(ctx, n, sizeof *d.cost)) &&
        (d.expanded = clgrad_alloc(ctx, n, sizeof *d.expanded)))
        st = decide(&d);
    release(&d);
    return st;
}
