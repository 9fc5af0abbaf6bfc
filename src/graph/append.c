/* Appending nodes: the row's rules give type and shape, and a node equal to an earlier one is that one. */

#include "graph/rules.h"

/* PROBE_linear puts `true` second; any other rule leaves the `false` there. */
#define SECOND(first, second, ...) second
#define PICK(...) SECOND(__VA_ARGS__)
#define PROBE_linear ~, true
#define IS_LINEAR(jvp) PICK(PROBE_##jvp, false, ~)

static const clgrad_op_info op_table[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) \
    { #name, arity, CLGRAD_##family, sizeof(expr) > 1 ? expr : NULL, IS_LINEAR(jvp) },
#include "graph/ops.def"
#undef OP
};
_Static_assert(CLGRAD_COUNT(op_table) == CLGRAD_OP_COUNT, "every operation has its row");

const clgrad_op_info *clgrad_op_get(clgrad_op op) { return (unsigned)op < CLGRAD_OP_COUNT ? &op_table[op] : NULL; }

const char *clgrad_op_text(clgrad_op op, char *text)
{
    const char *name = op_table[op].name;
    size_t i = 0;
    for (; name[i] && i + 1 < CLGRAD_OP_TEXT; i++) text[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    text[i] = '\0';
    return text;
}

/* --- equal nodes --- */

static bool calls_equal(const clgrad_call_info *a, const clgrad_call_info *b)
{
    if (a == b) return true;
    return a && b && a->role == b->role && a->body == b->body && a->jvp == b->jvp && a->user == b->user &&
           strcmp(a->name, b->name) == 0;
}

/* FNV-1a over words of 64 bits, the high half folded in, since the low bits of a product know nothing of it. */
static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static uint64_t hash_words(uint64_t hash, const void *data, size_t bytes)
{
    uint64_t word = 0;
    for (; bytes >= sizeof word; bytes -= sizeof word, data = (const char *)data + sizeof word) {
        memcpy(&word, data, sizeof word);
        hash = hash_word(hash, word);
    }
    word = 0;
    memcpy(&word, data, bytes);
    return bytes ? hash_word(hash, word) : hash;
}

/* A call's address is left out of the hash: calls are compared by content. */
static uint64_t hash_node(const clgrad_op_node *n)
{
    uint64_t hash = hash_word(0xcbf29ce484222325u, (uint64_t)n->op << 32 | (uint64_t)n->dtype << 16 | (uint64_t)n->shape.rank);
    hash = hash_words(hash, n->shape.dims, sizeof n->shape.dims);
    if (n->num_in) hash = hash_words(hash, n->in, n->num_in * sizeof *n->in);
    return hash_words(hash, &n->attr, offsetof(clgrad_attr, call));
}

static bool nodes_equal(const clgrad_op_node *a, const clgrad_op_node *b)
{
    return a->op == b->op && a->dtype == b->dtype && a->num_in == b->num_in && clgrad_shape_equal(&a->shape, &b->shape) &&
           (a->num_in == 0 || memcmp(a->in, b->in, a->num_in * sizeof *a->in) == 0) &&
           memcmp(&a->attr, &b->attr, offsetof(clgrad_attr, call)) == 0 && calls_equal(a->attr.call, b->attr.call);
}

/* The slot of an equal node, or the free slot where it belongs. The table always has free slots. */
static uint32_t *find_slot(const clgrad_graph *g, uint32_t *table, size_t size, const clgrad_op_node *n)
{
    size_t i = hash_node(n) & (size - 1);
    while (table[i] != CLGRAD_NONE && !nodes_equal(g->nodes[table[i]], n)) i = (i + 1) & (size - 1);
    return &table[i];
}

static clgrad_status grow_table(clgrad_graph *g)
{
    if (g->table_size && g->num_nodes < g->table_size / 2) return CLGRAD_OK;
    const size_t size = g->table_size ? g->table_size * 2 : 64;
    uint32_t *table = clgrad_alloc(g->ctx, size, sizeof *table);
    if (!table) return CLGRAD_E_MEMORY;
    memset(table, 0xff, size * sizeof *table);
    for (size_t i = 0; i < g->num_nodes; i++) *find_slot(g, table, size, g->nodes[i]) = (uint32_t)i;
    clgrad_free(g->ctx, g->table);
    g->table = table;
    g->table_size = size;
    return CLGRAD_OK;
}

/* --- appending --- */

/* Keep a node of the given content, which owns nothing yet; one block holds the node and its operands. */
static clgrad_status store(clgrad_graph *g, const clgrad_op_node *content, uint32_t *index)
{
    CLGRAD_TRY(grow_table(g));
    uint32_t *slot = find_slot(g, g->table, g->table_size, content);
    if (*slot != CLGRAD_NONE) {
        *index = *slot;
        return CLGRAD_OK;
    }
    CLGRAD_TRY(clgrad_reserve(g->ctx, &g->nodes, &g->node_capacity, g->num_nodes + 1, sizeof *g->nodes));
    clgrad_op_node *n = clgrad_alloc(g->ctx, 1, sizeof *n + content->num_in * sizeof *n->in);
    if (!n) return CLGRAD_E_MEMORY;
    *n = *content;
    n->in = (clgrad_node *)(n + 1);
    if (n->num_in) memcpy(n->in, content->in, n->num_in * sizeof *n->in);
    if (n->attr.call) n->attr.call->refs++;
    *index = *slot = (uint32_t)g->num_nodes;
    g->nodes[g->num_nodes++] = n;
    return CLGRAD_OK;
}

static bool operands_valid(clgrad_graph *g, const clgrad_rule_query *q)
{
    const int arity = clgrad_op_get(q->op)->arity;
    if (arity >= 0 && q->num_in != (size_t)arity) {
        clgrad_graph_fail(g, CLGRAD_E_ARG, "%s: %zu operands given, %d needed", q->name, q->num_in, arity);
        return false;
    }
    for (size_t i = 0; i < q->num_in; i++)
        if (q->in[i] >= g->num_nodes) {
            clgrad_graph_fail(g, CLGRAD_E_ARG, "%s: operand %zu is not a node of this graph", q->name, i);
            return false;
        }
    return true;
}

clgrad_node clgrad_graph_append(clgrad_graph *g, clgrad_op op, size_t num_in, const clgrad_node *in,
                                const clgrad_attr *attr, clgrad_dtype dtype, const clgrad_shape *shape)
{
    static const clgrad_attr none = { 0 };
    if (g->status != CLGRAD_OK) return CLGRAD_NONE;
    if (!clgrad_op_get(op)) return clgrad_graph_fail(g, CLGRAD_E_ARG, "operation %d is not in the table", (int)op);

    clgrad_op_node n = { .op = op, .num_in = num_in, .in = (clgrad_node *)in, .attr = attr ? *attr : none };
    clgrad_rule_query q = { .g = g, .op = op, .num_in = num_in, .in = in, .attr = &n.attr, .dtype = dtype, .shape = shape };
    clgrad_op_text(op, q.name);
    if (g->frozen) return clgrad_graph_fail(g, CLGRAD_E_ARG, "%s: the graph is the body of a call and cannot change", q.name);
    if (g->num_nodes >= CLGRAD_NONE - 1) return clgrad_graph_fail(g, CLGRAD_E_MEMORY, "%s: the graph is full", q.name);
    if (!operands_valid(g, &q)) return CLGRAD_NONE;

    uint32_t index = CLGRAD_NONE;
    clgrad_status st = clgrad_rule_dtype(&q, &n.dtype);
    if (st == CLGRAD_OK) st = clgrad_rule_shape(&q, &n.shape);
    if (st == CLGRAD_OK) st = store(g, &n, &index);
    return st == CLGRAD_OK ? index : clgrad_graph_keep_status(g, st);
}

clgrad_node clgrad_graph_append_like(clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in)
{
    if (n->op == CLGRAD_OP_INPUT) return clgrad_graph_fail(g, CLGRAD_E_ARG, "input: inputs are declared, not copied");
    return clgrad_graph_append(g, n->op, n->num_in, in, &n->attr, n->dtype, &n->shape);
}
