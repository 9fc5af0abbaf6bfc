#include "optim/indices.h"

typedef struct watching {
    clgrad_graph *g;  /* the function, calls written out and dead code left out */
    size_t num_nodes; /* before the condition is built */
    bool *shown;      /* per node: a NaN in any of its elements makes the loss NaN */
} watching;

/* --- what a NaN reaches --- */

/* Is the result NaN somewhere when a real operand has a NaN anywhere? */
static bool passes_nan(clgrad_op op)
{
    switch (op) {
    case CLGRAD_OP_NEG: case CLGRAD_OP_EXP: case CLGRAD_OP_LOG: case CLGRAD_OP_LOG1P: case CLGRAD_OP_EXPM1:
    case CLGRAD_OP_SQRT: case CLGRAD_OP_RSQRT: case CLGRAD_OP_RECIPROCAL: case CLGRAD_OP_SIN: case CLGRAD_OP_COS:
    case CLGRAD_OP_TANH: case CLGRAD_OP_ERF: case CLGRAD_OP_SIGMOID: case CLGRAD_OP_ABS: case CLGRAD_OP_STOP: case CLGRAD_OP_CAST:
    case CLGRAD_OP_ADD: case CLGRAD_OP_SUB: case CLGRAD_OP_MUL: case CLGRAD_OP_DIV: case CLGRAD_OP_MAX: case CLGRAD_OP_MIN:
    case CLGRAD_OP_BROADCAST: case CLGRAD_OP_RESHAPE: case CLGRAD_OP_PERMUTE: case CLGRAD_OP_FLIP: case CLGRAD_OP_PAD:
    case CLGRAD_OP_CONCAT: case CLGRAD_OP_OVERLAP_ADD: case CLGRAD_OP_SUM: case CLGRAD_OP_REDUCE_MAX: case CLGRAD_OP_CUMSUM:
    case CLGRAD_OP_MATMUL: return true;
    default: return false; /* what picks or drops elements, compares, or makes a number of a NaN */
    }
}

static void find_shown(watching *w, clgrad_node loss)
{
    w->shown[loss] = true;
    for (size_t i = w->num_nodes; i-- > 0;) {
        const clgrad_op_node *n = clgrad_at(w->g, (clgrad_node)i);
        if (!w->shown[i] || clgrad_shape_count(&n->shape) == 0 || !passes_nan(n->op)) continue;
        for (size_t k = 0; k < n->num_in; k++)
            if (clgrad_dtype_is_real(clgrad_at(w->g, n->in[k])->dtype)) w->shown[n->in[k]] = true;
    }
}

/* --- which indices are to be watched --- */

static bool has_indices(const clgrad_op_node *n) { return n->op == CLGRAD_OP_TAKE || n->op == CLGRAD_OP_SCATTER_ADD; }

/* Indices are from 0 to one less than this. */
static int64_t extent_of(const watching *w, const clgrad_op_node *n)
{
    const clgrad_shape *whole = n->op == CLGRAD_OP_TAKE ? &clgrad_at(w->g, n->in[0])->shape : &n->shape;
    return whole->dims[n->attr.axis];
}

/* Elements that come from nowhere else than one operand. */
static bool is_selection(clgrad_op op)
{
    return op == CLGRAD_OP_BROADCAST || op == CLGRAD_OP_RESHAPE || op == CLGRAD_OP_PERMUTE || op == CLGRAD_OP_SLICE ||
           op == CLGRAD_OP_FLIP || op == CLGRAD_OP_WINDOW;
}

static bool in_range_for_certain(const watching *w, clgrad_node index, int64_t extent)
{
    const clgrad_op_node *n = clgrad_at(w->g, index);
    if (clgrad_shape_count(&n->shape) == 0) return true;
    while (is_selection(n->op)) n = clgrad_at(w->g, n->in[0]);
    if (n->op == CLGRAD_OP_CONST) return n->attr.integer >= 0 && n->attr.integer < extent;
    if (n->op == CLGRAD_OP_IOTA) return n->shape.dims[n->attr.axis] <= extent;
    return n->op == CLGRAD_OP_ARGMAX && clgrad_at(w->g, n->in[0])->shape.dims[n->attr.axis] <= extent;
}

/* Does some take of reals show that these indices are out of range, or was the node before `last` that has the same ones? */
static bool is_known(const watching *w, clgrad_node index, int64_t extent, size_t last)
{
    for (size_t i = 0; i < w->num_nodes; i++) {
        const clgrad_op_node *n = clgrad_at(w->g, (clgrad_node)i);
        if (!has_indices(n) || n->in[1] != index || extent_of(w, n) != extent) continue;
        const bool shows = n->op == CLGRAD_OP_TAKE && clgrad_dtype_is_real(n->dtype) && w->shown[i] && clgrad_shape_count(&n->shape) > 0;
        if (shows || i < last) return true;
    }
    return false;
}

/* 1 where one of the indices is out of range, else 0; i32. */
static clgrad_node out_of_range(clgrad_graph *g, clgrad_node index, int64_t extent)
{
    const clgrad_shape shape = clgrad_node_shape(g, index);
    const clgrad_node place = clgrad_cast(g, index, CLGRAD_I64); /* an extent need not fit into i32 */
    const clgrad_node one = clgrad_constant_int(g, CLGRAD_I32, shape, 1), zero = clgrad_constant_int(g, CLGRAD_I32, shape, 0);
    const clgrad_node low = clgrad_lt(g, place, clgrad_constant_int(g, CLGRAD_I64, shape, 0));
    const clgrad_node high = clgrad_gt(g, place, clgrad_constant_int(g, CLGRAD_I64, shape, extent - 1));
    return clgrad_reduce_max(g, clgrad_select(g, low, one, clgrad_select(g, high, one, zero)), CLGRAD_ALL_AXES, false);
}

/* CLGRAD_NONE where nothing is to be watched. */
static clgrad_node condition(watching *w)
{
    clgrad_node all = CLGRAD_NONE;
    for (size_t i = 0; i < w->num_nodes; i++) {
        const clgrad_op_node *n = clgrad_at(w->g, (clgrad_node)i);
        if (!has_indices(n)) continue;
        const int64_t extent = extent_of(w, n);
        if (in_range_for_certain(w, n->in[1], extent) || is_known(w, n->in[1], extent, i)) continue;
        const clgrad_node bad = out_of_range(w->g, n->in[1], extent);
        all = all == CLGRAD_NONE ? bad : clgrad_max(w->g, all, bad);
    }
    return all;
}

clgrad_status clgrad_watch_indices(const clgrad_graph *f, size_t loss, clgrad_graph **out)
{
    *out = NULL;
    watching w = { .g = NULL };
    CLGRAD_TRY(clgrad_graph_expand_calls(f, &w.g));
    w.num_nodes = w.g->num_nodes;
    w.shown = clgrad_alloc(f->ctx, w.num_nodes, sizeof *w.shown);
    clgrad_status st = w.shown ? CLGRAD_OK : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) {
        if (loss != SIZE_MAX) find_shown(&w, w.g->outputs[loss]);
        const clgrad_node bad = condition(&w);
        if (bad != CLGRAD_NONE && clgrad_output(w.g, "index", bad) == CLGRAD_OK) *out = clgrad_graph_retain(w.g);
        st = clgrad_graph_status(w.g);
    }
    clgrad_free(f->ctx, w.shown);
    clgrad_graph_release(&w.g);
    return st;
}
