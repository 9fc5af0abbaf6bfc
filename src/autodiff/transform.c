#include "autodiff/transform.h"

clgrad_status clgrad_wrt_check(const clgrad_graph *f, size_t count, const size_t *wrt, bool real, const char *what)
{
    CLGRAD_TRY(clgrad_graph_status(f));
    for (size_t k = 0; k < count; k++) {
        if (wrt[k] >= f->num_inputs)
            return clgrad_fail(f->ctx, CLGRAD_E_ARG, "%s: input %zu asked for, the graph has %zu", what, wrt[k], f->num_inputs);
        if (clgrad_wrt_has(k, wrt, wrt[k]))
            return clgrad_fail(f->ctx, CLGRAD_E_ARG, "%s: input '%s' is asked for twice", what, f->input_names[wrt[k]]);
        const clgrad_dtype dtype = clgrad_at(f, f->inputs[wrt[k]])->dtype;
        if (real && !clgrad_dtype_is_real(dtype))
            return clgrad_fail(f->ctx, CLGRAD_E_DERIVATIVE, "%s: input '%s' is of the integer type %s and has no derivative", what,
                               f->input_names[wrt[k]], clgrad_dtype_name(dtype));
    }
    return CLGRAD_OK;
}

bool clgrad_wrt_has(size_t count, const size_t *wrt, size_t i)
{
    for (size_t k = 0; k < count; k++)
        if (wrt[k] == i) return true;
    return false;
}

/* --- names --- */

const char *clgrad_number_text(size_t number, char *text)
{
    char digits[32];
    size_t count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    for (size_t i = 0; i < count; i++) text[i] = digits[count - 1 - i];
    text[count] = '\0';
    return text;
}

static bool name_taken(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* NULL after failing the graph. */
static char *fresh_name(clgrad_graph *b, char *const *taken, size_t count, const char *prefix, const char *name)
{
    char *fresh = clgrad_format(b->ctx, "%s%s", prefix, name);
    for (size_t k = 2; fresh && name_taken(taken, count, fresh); k++) {
        clgrad_free(b->ctx, fresh);
        fresh = clgrad_format(b->ctx, "%s%s.%zu", prefix, name, k);
    }
    if (!fresh) clgrad_graph_fail(b, CLGRAD_E_MEMORY, "no memory for the name %s%s", prefix, name);
    return fresh;
}

clgrad_node clgrad_input_fresh(clgrad_graph *b, const char *prefix, const char *name, clgrad_dtype dtype, clgrad_shape shape)
{
    char *fresh = fresh_name(b, b->input_names, b->num_inputs, prefix, name);
    const clgrad_node node = fresh ? clgrad_input(b, fresh, dtype, shape) : CLGRAD_NONE;
    clgrad_free(b->ctx, fresh);
    return node;
}

void clgrad_output_fresh(clgrad_graph *b, const char *prefix, const char *name, clgrad_node node)
{
    char *fresh = fresh_name(b, b->output_names, b->num_outputs, prefix, name);
    if (fresh) clgrad_output(b, fresh, node);
    clgrad_free(b->ctx, fresh);
}

/* --- dependence and copies --- */

void clgrad_mark_dependent(const clgrad_graph *g, size_t count, const size_t *wrt, bool *dependent)
{
    memset(dependent, 0, g->num_nodes * sizeof *dependent);
    for (size_t k = 0; k < count; k++) dependent[g->inputs[wrt[k]]] = true;
    for (size_t n = 0; n < g->num_nodes; n++) {
        const clgrad_op_node *node = clgrad_at(g, (clgrad_node)n);
        for (size_t i = 0; i < node->num_in && !dependent[n]; i++) dependent[n] = dependent[node->in[i]];
    }
}

static size_t longest_operand_list(const clgrad_graph *g)
{
    size_t most = 1;
    for (size_t n = 0; n < g->num_nodes; n++)
        if (g->nodes[n]->num_in > most) most = g->nodes[n]->num_in;
    return most;
}

clgrad_status clgrad_node_map_create(const clgrad_graph *from, clgrad_node_map *out)
{
    *out = (clgrad_node_map){ .ctx = from->ctx, .count = from->num_nodes, .longest = longest_operand_list(from) };
    out->node = clgrad_alloc(from->ctx, out->count, sizeof *out->node);
    out->in = clgrad_alloc(from->ctx, out->longest, sizeof *out->in);
    out->live = clgrad_alloc(from->ctx, out->count, 1);
    if (!out->node || !out->in || !out->live) {
        clgrad_node_map_release(out);
        return CLGRAD_E_MEMORY;
    }
    for (size_t n = 0; n < out->count; n++) out->node[n] = CLGRAD_NONE;
    clgrad_graph_mark_live(from, out->live);
    return CLGRAD_OK;
}

void clgrad_node_map_release(clgrad_node_map *map)
{
    clgrad_free(map->ctx, map->node);
    clgrad_free(map->ctx, map->in);
    clgrad_free(map->ctx, map->live);
    *map = (clgrad_node_map){ 0 };
}

const clgrad_node *clgrad_node_map_operands(clgrad_node_map *map, const clgrad_op_node *n)
{
    for (size_t i = 0; i < n->num_in; i++) map->in[i] = map->node[n->in[i]];
    return map->in;
}

clgrad_status clgrad_transform_finish(clgrad_graph **b, clgrad_graph **out)
{
    clgrad_status status = clgrad_graph_status(*b);
    if (status == CLGRAD_OK) status = clgrad_graph_simplify(*b, out);
    clgrad_graph_release(b);
    return status;
}
