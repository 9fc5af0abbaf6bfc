/* Joining graphs by name, and picking outputs. */

#include "schedule/schedule.h"

static size_t at_least_one(size_t n) { return n ? n : 1; }

clgrad_status clgrad_graph_select(const clgrad_graph *g, size_t count, const size_t *outputs, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *result = NULL, *slim = NULL;
    clgrad_node *in = clgrad_alloc(g->ctx, at_least_one(g->num_inputs), sizeof *in);
    clgrad_node *all = clgrad_alloc(g->ctx, at_least_one(g->num_outputs), sizeof *all);
    clgrad_status st = in && all ? CLGRAD_OK : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = clgrad_graph_create(g->ctx, &result);
    if (st == CLGRAD_OK) st = clgrad_graph_copy_inputs(g, result, in);
    if (st == CLGRAD_OK) st = clgrad_graph_inline(result, g, in, all);
    for (size_t i = 0; st == CLGRAD_OK && i < count; i++)
        st = clgrad_output(result, g->output_names[outputs[i]], all[outputs[i]]);
    if (st == CLGRAD_OK) st = clgrad_graph_simplify(result, &slim);
    if (st == CLGRAD_OK) *out = slim, slim = NULL;
    clgrad_graph_release(&slim);
    clgrad_graph_release(&result);
    clgrad_free(g->ctx, in);
    clgrad_free(g->ctx, all);
    return st;
}

/* --- chain --- */

typedef struct binding {
    const char *name; /* of a graph that outlives the chain */
    clgrad_node node;
} binding;

typedef struct chain {
    clgrad_context *ctx;
    clgrad_graph *result;
    binding *known;
    size_t num_known, capacity;
} chain;

/* The latest value under a name. */
static clgrad_node look_up(const chain *c, const char *name)
{
    for (size_t i = c->num_known; i > 0; i--)
        if (strcmp(c->known[i - 1].name, name) == 0) return c->known[i - 1].node;
    return CLGRAD_NONE;
}

static clgrad_status remember(chain *c, const char *name, clgrad_node node)
{
    CLGRAD_TRY(clgrad_reserve(c->ctx, &c->known, &c->capacity, c->num_known + 1, sizeof *c->known));
    c->known[c->num_known++] = (binding){ name, node };
    return CLGRAD_OK;
}

static clgrad_status connect_input(chain *c, const clgrad_graph *g, size_t i, clgrad_node *node)
{
    const char *name = g->input_names[i];
    const clgrad_op_node *want = clgrad_at(g, g->inputs[i]);
    *node = look_up(c, name);
    if (*node == CLGRAD_NONE) {
        *node = clgrad_input(c->result, name, want->dtype, want->shape);
        CLGRAD_TRY(clgrad_graph_status(c->result));
        return remember(c, name, *node);
    }
    const clgrad_op_node *have = clgrad_at(c->result, *node);
    if (have->dtype == want->dtype && clgrad_shape_equal(&have->shape, &want->shape)) return CLGRAD_OK;
    char have_text[CLGRAD_SHAPE_TEXT], want_text[CLGRAD_SHAPE_TEXT];
    return clgrad_fail(c->ctx, CLGRAD_E_SHAPE, "joining graphs: '%s' is %s %s where %s %s is expected", name,
                       clgrad_dtype_name(have->dtype), clgrad_shape_text(&have->shape, have_text),
                       clgrad_dtype_name(want->dtype), clgrad_shape_text(&want->shape, want_text));
}

static clgrad_status add_link(chain *c, const clgrad_graph *g, bool last)
{
    clgrad_node *in = clgrad_alloc(c->ctx, at_least_one(g->num_inputs), sizeof *in);
    clgrad_node *out = clgrad_alloc(c->ctx, at_least_one(g->num_outputs), sizeof *out);
    clgrad_status st = in && out ? CLGRAD_OK : CLGRAD_E_MEMORY;
    for (size_t i = 0; st == CLGRAD_OK && i < g->num_inputs; i++) st = connect_input(c, g, i, &in[i]);
    if (st == CLGRAD_OK) st = clgrad_graph_inline(c->result, g, in, out);
    for (size_t i = 0; st == CLGRAD_OK && i < g->num_outputs; i++)
        st = last ? clgrad_output(c->result, g->output_names[i], out[i]) : remember(c, g->output_names[i], out[i]);
    clgrad_free(c->ctx, in);
    clgrad_free(c->ctx, out);
    return st;
}

clgrad_status clgrad_graph_chain(clgrad_context *ctx, size_t count, clgrad_graph *const *graphs, clgrad_graph **out)
{
    *out = NULL;
    chain c = { .ctx = ctx };
    clgrad_status st = clgrad_graph_create(ctx, &c.result);
    for (size_t i = 0; st == CLGRAD_OK && i < count; i++) st = add_link(&c, graphs[i], i + 1 == count);
    if (st == CLGRAD_OK) *out = c.result, c.result = NULL;
    clgrad_graph_release(&c.result);
    clgrad_free(ctx, c.known);
    return st;
}
