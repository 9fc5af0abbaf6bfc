/* A graph's life, its error, its inputs and outputs, and what may be asked about it. */

#include "graph/rules.h"

clgrad_status clgrad_graph_create(clgrad_context *ctx, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *g = clgrad_alloc(ctx, 1, sizeof *g);
    if (!g) return CLGRAD_E_MEMORY;
    g->refs = 1;
    g->ctx = clgrad_context_retain(ctx);
    *out = g;
    return CLGRAD_OK;
}

clgrad_graph *clgrad_graph_retain(clgrad_graph *g)
{
    if (g) g->refs++;
    return g;
}

static void free_names(clgrad_context *ctx, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) clgrad_free(ctx, names[i]);
    clgrad_free(ctx, names);
}

void clgrad_graph_release(clgrad_graph **address)
{
    clgrad_graph *g = *address;
    *address = NULL;
    if (!g || --g->refs > 0) return;

    clgrad_context *ctx = g->ctx;
    for (size_t i = 0; i < g->num_nodes; i++) {
        clgrad_call_info_release(ctx, &g->nodes[i]->attr.call);
        clgrad_free(ctx, g->nodes[i]);
    }
    clgrad_free(ctx, g->nodes);
    clgrad_free(ctx, g->table);
    clgrad_free(ctx, g->inputs);
    clgrad_free(ctx, g->outputs);
    free_names(ctx, g->input_names, g->num_inputs);
    free_names(ctx, g->output_names, g->num_outputs);
    clgrad_free(ctx, g);
    clgrad_context_release(&ctx);
}

clgrad_status clgrad_graph_status(const clgrad_graph *g) { return g->status; }

clgrad_node clgrad_graph_keep_status(clgrad_graph *g, clgrad_status status)
{
    if (g->status == CLGRAD_OK) g->status = status;
    return CLGRAD_NONE;
}

clgrad_node clgrad_graph_fail(clgrad_graph *g, clgrad_status status, const char *format, ...)
{
    if (g->status != CLGRAD_OK) return CLGRAD_NONE;
    va_list args;
    va_start(args, format);
    g->status = clgrad_fail_v(g->ctx, status, format, args);
    va_end(args);
    return CLGRAD_NONE;
}

bool clgrad_graph_has_node(clgrad_graph *g, clgrad_node x, const char *operation, const char *operand)
{
    if (g->status != CLGRAD_OK) return false;
    if (x < g->num_nodes) return true;
    clgrad_graph_fail(g, CLGRAD_E_ARG, "%s: operand %s is not a node of this graph", operation, operand);
    return false;
}

/* --- inputs and outputs --- */

bool clgrad_name_valid(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    return name && *name && name[strspn(name, letters)] == '\0';
}

static size_t find_name(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return SIZE_MAX;
}

size_t clgrad_graph_find_input(const clgrad_graph *g, const char *name) { return find_name(g->input_names, g->num_inputs, name); }

size_t clgrad_graph_find_output(const clgrad_graph *g, const char *name) { return find_name(g->output_names, g->num_outputs, name); }

/* Room for one more name and node, so that nothing can fail after the node exists. */
static clgrad_status reserve_port(clgrad_graph *g, clgrad_node **nodes, size_t *capacity, char ***names,
                                  size_t *name_capacity, size_t count)
{
    CLGRAD_TRY(clgrad_reserve(g->ctx, nodes, capacity, count + 1, sizeof **nodes));
    return clgrad_reserve(g->ctx, names, name_capacity, count + 1, sizeof **names);
}

clgrad_node clgrad_input(clgrad_graph *g, const char *name, clgrad_dtype dtype, clgrad_shape shape)
{
    if (g->status != CLGRAD_OK) return CLGRAD_NONE;
    if (!clgrad_name_valid(name))
        return clgrad_graph_fail(g, CLGRAD_E_ARG, "input: the name '%s' is not made of letters, digits, _ and .", name ? name : "");
    const size_t same = clgrad_graph_find_input(g, name);
    if (same != SIZE_MAX)
        return clgrad_graph_fail(g, CLGRAD_E_ARG, "input: the name '%s' is taken by input %zu", name, same);
    if (reserve_port(g, &g->inputs, &g->input_capacity, &g->input_names, &g->input_name_capacity, g->num_inputs))
        return clgrad_graph_keep_status(g, CLGRAD_E_MEMORY);

    char *copy = clgrad_strdup(g->ctx, name);
    if (!copy) return clgrad_graph_keep_status(g, CLGRAD_E_MEMORY);
    const clgrad_attr attr = { .integer = (int64_t)g->num_inputs };
    const clgrad_node node = clgrad_graph_append(g, CLGRAD_OP_INPUT, 0, NULL, &attr, dtype, &shape);
    if (node == CLGRAD_NONE) {
        clgrad_free(g->ctx, copy);
        return CLGRAD_NONE;
    }
    g->inputs[g->num_inputs] = node;
    g->input_names[g->num_inputs++] = copy;
    return node;
}

clgrad_status clgrad_output(clgrad_graph *g, const char *name, clgrad_node node)
{
    if (g->status == CLGRAD_OK && g->frozen)
        clgrad_graph_fail(g, CLGRAD_E_ARG, "output: the graph is the body of a call and cannot change");
    if (g->status == CLGRAD_OK && !clgrad_name_valid(name))
        clgrad_graph_fail(g, CLGRAD_E_ARG, "output: the name '%s' is not made of letters, digits, _ and .", name ? name : "");
    if (!clgrad_graph_has_node(g, node, "output", name)) return g->status;

    char *copy = NULL;
    if (!reserve_port(g, &g->outputs, &g->output_capacity, &g->output_names, &g->output_name_capacity, g->num_outputs))
        copy = clgrad_strdup(g->ctx, name);
    if (!copy) {
        clgrad_graph_keep_status(g, CLGRAD_E_MEMORY);
        return g->status;
    }
    g->outputs[g->num_outputs] = node;
    g->output_names[g->num_outputs++] = copy;
    return CLGRAD_OK;
}

clgrad_status clgrad_graph_copy_inputs(const clgrad_graph *g, clgrad_graph *to, clgrad_node *nodes)
{
    for (size_t i = 0; i < g->num_inputs; i++) {
        const clgrad_op_node *n = clgrad_at(g, g->inputs[i]);
        nodes[i] = clgrad_input(to, g->input_names[i], n->dtype, n->shape);
    }
    return to->status;
}

/* --- questions --- */

size_t clgrad_graph_num_inputs(const clgrad_graph *g) { return g->num_inputs; }
size_t clgrad_graph_num_outputs(const clgrad_graph *g) { return g->num_outputs; }
size_t clgrad_graph_num_nodes(const clgrad_graph *g) { return g->num_nodes; }
clgrad_node clgrad_graph_input(const clgrad_graph *g, size_t i) { return i < g->num_inputs ? g->inputs[i] : CLGRAD_NONE; }
clgrad_node clgrad_graph_output(const clgrad_graph *g, size_t i) { return i < g->num_outputs ? g->outputs[i] : CLGRAD_NONE; }
const char *clgrad_graph_input_name(const clgrad_graph *g, size_t i) { return i < g->num_inputs ? g->input_names[i] : NULL; }
const char *clgrad_graph_output_name(const clgrad_graph *g, size_t i) { return i < g->num_outputs ? g->output_names[i] : NULL; }

clgrad_shape clgrad_node_shape(const clgrad_graph *g, clgrad_node n)
{
    return n < g->num_nodes ? clgrad_at(g, n)->shape : (clgrad_shape){ 0 };
}

clgrad_dtype clgrad_node_dtype(const clgrad_graph *g, clgrad_node n)
{
    return n < g->num_nodes ? clgrad_at(g, n)->dtype : CLGRAD_F32;
}

void clgrad_graph_mark_live(const clgrad_graph *g, uint8_t *live)
{
    if (g->num_nodes) memset(live, 0, g->num_nodes);
    for (size_t i = 0; i < g->num_outputs; i++) live[g->outputs[i]] = 1;
    for (size_t i = g->num_nodes; i-- > 0;) {
        const clgrad_op_node *n = g->nodes[i];
        for (size_t k = 0; live[i] && k < n->num_in; k++) live[n->in[k]] = 1;
    }
}
