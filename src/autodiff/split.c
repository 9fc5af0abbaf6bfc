/* Splitting a function by what depends on some of its inputs. What does not ("known") is computed once; the values of it that
 * the rest reads are its further outputs, the residuals.
 *
 * Leaves are cheaper to write down again than to keep. Views of a known value stay with the unknown side, so that one buffer is
 * kept and not its copies; a slice is kept as it is, since the rest of what it was cut from may be large. A few cheap operations on
 * a value that is kept anyway, as 1 - y y, are repeated: reading both would cost more. */

#include "autodiff/rules.h"
#include "autodiff/transform.h"

typedef struct splitting {
    const clgrad_graph *f;
    clgrad_graph *known, *unknown;
    bool *depends;               /* per node: on the inputs named */
    bool *residual;              /* per node: known, and handed over */
    clgrad_node_map left, right; /* f's nodes in known and in unknown */
} splitting;

static bool is_leaf(const clgrad_op_node *n) { return n->op == CLGRAD_OP_CONST || n->op == CLGRAD_OP_IOTA; }

static bool is_kept_view(const clgrad_op_node *n)
{
    return clgrad_op_get(n->op)->family == CLGRAD_VIEW && n->op != CLGRAD_OP_SLICE;
}

/* Mark what node n of f, wanted on the unknown side though known, is rebuilt from. */
static void mark_residual(splitting *s, clgrad_node n)
{
    const clgrad_op_node *node = clgrad_at(s->f, n);
    while (is_kept_view(node)) {
        n = node->in[0];
        node = clgrad_at(s->f, n);
    }
    if (!is_leaf(node)) s->residual[n] = true;
}

static void mark_residuals(splitting *s)
{
    for (size_t n = 0; n < s->f->num_nodes; n++) {
        const clgrad_op_node *node = clgrad_at(s->f, (clgrad_node)n);
        if (!s->left.live[n] || !s->depends[n]) continue;
        for (size_t i = 0; i < node->num_in; i++)
            if (!s->depends[node->in[i]]) mark_residual(s, node->in[i]);
    }
}

enum { REPEATED = 3 };

static bool is_cheap(const clgrad_op_node *n)
{
    return n->op == CLGRAD_OP_ADD || n->op == CLGRAD_OP_SUB || n->op == CLGRAD_OP_MUL || n->op == CLGRAD_OP_NEG;
}

/* Does n follow from leaves and the one residual *source (NONE: not met yet) by at most *budget cheap operations? */
static bool follows(const splitting *s, clgrad_node n, clgrad_node *source, uint32_t *budget)
{
    const clgrad_op_node *node = clgrad_at(s->f, n);
    if (is_leaf(node)) return true;
    if (s->residual[n] && *budget < REPEATED) {
        const bool one = *source == CLGRAD_NONE || *source == n;
        *source = n;
        return one;
    }
    if (!is_kept_view(node) && (!is_cheap(node) || (*budget)-- == 0)) return false;
    for (size_t i = 0; i < node->num_in; i++)
        if (!follows(s, node->in[i], source, budget)) return false;
    return true;
}

/* Sources come first, so that what was given up is followed to what is kept. */
static void give_up_cheap(splitting *s)
{
    for (size_t n = 0; n < s->f->num_nodes; n++) {
        clgrad_node source = CLGRAD_NONE;
        uint32_t budget = REPEATED;
        if (!s->residual[n] || !is_cheap(clgrad_at(s->f, (clgrad_node)n))) continue;
        if (!follows(s, (clgrad_node)n, &source, &budget) || source == CLGRAD_NONE) continue;
        if (clgrad_shape_equal(&clgrad_at(s->f, source)->shape, &clgrad_at(s->f, (clgrad_node)n)->shape)) s->residual[n] = false;
    }
}

static clgrad_node declare_input(const clgrad_graph *f, clgrad_graph *to, size_t i)
{
    const clgrad_op_node *x = clgrad_at(f, f->inputs[i]);
    return clgrad_input(to, f->input_names[i], x->dtype, x->shape);
}

static void build_known(splitting *s, size_t count, const size_t *wrt)
{
    const clgrad_graph *f = s->f;
    char name[32];
    size_t residuals = 0;
    for (size_t i = 0; i < f->num_inputs; i++)
        if (!clgrad_wrt_has(count, wrt, i)) s->left.node[f->inputs[i]] = declare_input(f, s->known, i);
    for (size_t n = 0; n < f->num_nodes; n++) {
        const clgrad_op_node *node = clgrad_at(f, (clgrad_node)n);
        if (s->left.live[n] && !s->depends[n] && node->op != CLGRAD_OP_INPUT)
            s->left.node[n] = clgrad_graph_append_like(s->known, node, clgrad_node_map_operands(&s->left, node));
    }
    for (size_t i = 0; i < f->num_outputs; i++)
        if (!s->depends[f->outputs[i]]) clgrad_output_fresh(s->known, "", f->output_names[i], s->left.node[f->outputs[i]]);
    for (size_t n = 0; n < f->num_nodes; n++)
        if (s->residual[n]) clgrad_output_fresh(s->known, "r", clgrad_number_text(residuals++, name), s->left.node[n]);
}

/* The known node n of f on the unknown side: a residual already there, or leaves, views and cheap operations down to one. */
static clgrad_node rebuild(splitting *s, clgrad_node n)
{
    if (s->right.node[n] != CLGRAD_NONE) return s->right.node[n];
    const clgrad_op_node *node = clgrad_at(s->f, n);
    clgrad_node in[2] = { CLGRAD_NONE, CLGRAD_NONE };
    for (size_t i = 0; i < node->num_in; i++) {
        in[i] = rebuild(s, node->in[i]);
        if (in[i] == CLGRAD_NONE) return CLGRAD_NONE;
    }
    return s->right.node[n] = clgrad_graph_append_like(s->unknown, node, in);
}

static void build_unknown(splitting *s, size_t count, const size_t *wrt)
{
    const clgrad_graph *f = s->f;
    char name[32];
    size_t residuals = 0;
    for (size_t k = 0; k < count; k++) s->right.node[f->inputs[wrt[k]]] = declare_input(f, s->unknown, wrt[k]);
    for (size_t n = 0; n < f->num_nodes; n++) {
        const clgrad_op_node *node = clgrad_at(f, (clgrad_node)n);
        if (s->residual[n])
            s->right.node[n] = clgrad_input_fresh(s->unknown, "r", clgrad_number_text(residuals++, name), node->dtype, node->shape);
    }
    for (size_t n = 0; n < f->num_nodes; n++) {
        const clgrad_op_node *node = clgrad_at(f, (clgrad_node)n);
        if (!s->right.live[n] || !s->depends[n] || node->op == CLGRAD_OP_INPUT) continue;
        for (size_t i = 0; i < node->num_in; i++)
            s->right.in[i] = s->depends[node->in[i]] ? s->right.node[node->in[i]] : rebuild(s, node->in[i]);
        s->right.node[n] = clgrad_graph_append_like(s->unknown, node, s->right.in);
    }
    for (size_t i = 0; i < f->num_outputs; i++)
        if (s->depends[f->outputs[i]]) clgrad_output_fresh(s->unknown, "", f->output_names[i], s->right.node[f->outputs[i]]);
}

static clgrad_status splitting_create(const clgrad_graph *f, splitting *out)
{
    *out = (splitting){ .f = f };
    out->depends = clgrad_alloc(f->ctx, f->num_nodes, sizeof *out->depends);
    out->residual = clgrad_alloc(f->ctx, f->num_nodes, sizeof *out->residual);
    if (!out->depends || !out->residual) return CLGRAD_E_MEMORY;
    CLGRAD_TRY(clgrad_node_map_create(f, &out->left));
    CLGRAD_TRY(clgrad_node_map_create(f, &out->right));
    CLGRAD_TRY(clgrad_graph_create(f->ctx, &out->known));
    return clgrad_graph_create(f->ctx, &out->unknown);
}

static void splitting_release(splitting *s)
{
    clgrad_context *ctx = s->f->ctx;
    clgrad_free(ctx, s->depends);
    clgrad_free(ctx, s->residual);
    if (s->left.ctx) clgrad_node_map_release(&s->left);
    if (s->right.ctx) clgrad_node_map_release(&s->right);
    clgrad_graph_release(&s->known);
    clgrad_graph_release(&s->unknown);
}

clgrad_status clgrad_split(const clgrad_graph *f, size_t count, const size_t *wrt, clgrad_graph **known,
                           clgrad_graph **unknown, bool *output_known)
{
    *known = *unknown = NULL;
    splitting s;
    CLGRAD_TRY(clgrad_wrt_check(f, count, wrt, false, "split"));
    clgrad_status st = splitting_create(f, &s);
    if (st != CLGRAD_OK) goto done;
    clgrad_mark_dependent(f, count, wrt, s.depends);
    mark_residuals(&s);
    give_up_cheap(&s);
    build_known(&s, count, wrt);
    build_unknown(&s, count, wrt);
    st = clgrad_graph_status(s.known);
    if (st == CLGRAD_OK) st = clgrad_graph_status(s.unknown);
    if (st != CLGRAD_OK) goto done;
    for (size_t i = 0; i < f->num_outputs && output_known; i++) output_known[i] = !s.depends[f->outputs[i]];
    *known = clgrad_graph_retain(s.known);
    *unknown = clgrad_graph_retain(s.unknown);
done:
    splitting_release(&s);
    return st;
}
