/* From kernels to places: layers, bends, an order in each layer with few crossings, then coordinates. */

#include "graph.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEPS = 12, BEND_WIDTH = 14, GAP = 26, LAYER_GAP = 58 };

/* --- building --- */

static void *grow(graph *g, void *items, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity) return items;
    const size_t larger = *capacity ? 2 * *capacity : 32;
    void *fresh = realloc(items, larger * bytes);
    if (fresh) *capacity = larger;
    else g->failed = true;
    return fresh ? fresh : items;
}

static int add_node(graph *g, int kernel, int layer)
{
    g->nodes = grow(g, g->nodes, g->num_nodes, &g->node_capacity, sizeof *g->nodes);
    if (g->failed) return 0;
    g->nodes[g->num_nodes] = (graph_node){ .kernel = kernel, .layer = layer, .width = kernel < 0 ? BEND_WIDTH : 0 };
    if (layer >= g->num_layers) g->num_layers = layer + 1;
    return (int)g->num_nodes++;
}

static void add_link(graph *g, int from, int to, const clgrad_operand_info *operand, bool first)
{
    g->links = grow(g, g->links, g->num_links, &g->link_capacity, sizeof *g->links);
    if (!g->failed) g->links[g->num_links++] = (graph_link){ from, to, 0, 0, operand, first };
}

/* The first of a kernel's launches that writes (or reads) a value, as its operand. */
static const clgrad_operand_info *operand_of(const explained_function *f, size_t kernel, size_t value, bool written)
{
    const explained_kernel *k = &f->kernels[kernel];
    for (const explained_launch *l = &f->launches[k->first]; l < &f->launches[k->first + k->count]; l++)
        for (size_t i = 0; i < l->info.num_operands; i++) {
            const clgrad_operand_info *o = &l->operands[i];
            if (o->value == value && (written ? o->written_bytes : o->read_bytes) > 0) return o;
        }
    return NULL;
}

static bool writes(const explained_function *f, size_t kernel, size_t value) { return operand_of(f, kernel, value, true) != NULL; }
static bool reads(const explained_function *f, size_t kernel, size_t value) { return operand_of(f, kernel, value, false) != NULL; }

/* Below every kernel that writes a part of what it reads. */
static int layer_of(const graph *g, const explained_function *f, size_t kernel)
{
    const explained_kernel *k = &f->kernels[kernel];
    int layer = 0;
    for (const explained_launch *l = &f->launches[k->first]; l < &f->launches[k->first + k->count]; l++)
        for (size_t i = 0; i < l->info.num_operands; i++)
            for (size_t w = 0; w < kernel && l->operands[i].read_bytes > 0; w++)
                if (g->nodes[w].layer >= layer && writes(f, w, l->operands[i].value)) layer = g->nodes[w].layer + 1;
    return layer;
}

/* One chain of bends down to the lowest reader serves all of a value's readers. */
static void add_value(graph *g, const explained_function *f, int writer, const clgrad_operand_info *value)
{
    int lowest = -1, at = writer;
    for (size_t r = (size_t)writer + 1; r < f->num_kernels; r++)
        if (reads(f, r, value->value) && g->nodes[r].layer > lowest) lowest = g->nodes[r].layer;
    for (int layer = g->nodes[writer].layer + 1; layer <= lowest && !g->failed; layer++) {
        for (size_t r = (size_t)writer + 1; r < f->num_kernels; r++)
            if (g->nodes[r].layer == layer && reads(f, r, value->value)) add_link(g, at, (int)r, value, at == writer);
        if (layer == lowest) return;
        const int bend = add_node(g, -1, layer);
        add_link(g, at, bend, value, at == writer);
        at = bend;
    }
}

static void add_values(graph *g, const explained_function *f, size_t kernel)
{
    const explained_kernel *k = &f->kernels[kernel];
    for (const explained_launch *l = &f->launches[k->first]; l < &f->launches[k->first + k->count]; l++)
        for (size_t i = 0; i < l->info.num_operands; i++) {
            const clgrad_operand_info *o = &l->operands[i];
            if (o == operand_of(f, kernel, o->value, true)) add_value(g, f, (int)kernel, o);
        }
}

void graph_build(graph *g, const explained_function *f)
{
    *g = (graph){ .num_layers = 0 };
    for (size_t i = 0; i < f->num_kernels && !g->failed; i++) add_node(g, (int)i, layer_of(g, f, i));
    for (size_t i = 0; i < f->num_kernels && !g->failed; i++) add_values(g, f, i);
}

void graph_release(graph *g)
{
    free(g->nodes);
    free(g->links);
    *g = (graph){ .num_layers = 0 };
}

/* --- order --- */

static double middle(const graph_node *n) { return n->x + n->width / 2; }

/* Mean of what a node is linked to on the side looked at; its own place when there is nothing. Bends pull each other straight. */
static double pull(const graph *g, int node, bool up, bool by_order)
{
    double sum = 0, weights = 0;
    for (size_t i = 0; i < g->num_links; i++) {
        const graph_link *l = &g->links[i];
        if ((up ? l->to : l->from) != node) continue;
        const graph_node *other = &g->nodes[up ? l->from : l->to];
        const double weight = other->kernel < 0 && g->nodes[node].kernel < 0 && !by_order ? 8 : 1;
        sum += weight * (by_order ? (double)other->order : middle(other));
        weights += weight;
    }
    const graph_node *n = &g->nodes[node];
    return weights > 0 ? sum / weights : by_order ? (double)n->order : middle(n);
}

typedef struct ranked {
    int node, order;
    double key;
} ranked;

static int by_key(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->order - b->order;
}

/* The nodes of a layer from left to right. */
static size_t list_layer(const graph *g, int layer, ranked *out)
{
    size_t count = 0;
    for (size_t i = 0; i < g->num_nodes; i++)
        if (g->nodes[i].layer == layer) out[count++] = (ranked){ (int)i, g->nodes[i].order, (double)g->nodes[i].order };
    qsort(out, count, sizeof *out, by_key);
    return count;
}

static void order_layer(graph *g, int layer, bool up, ranked *list)
{
    const size_t count = list_layer(g, layer, list);
    for (size_t i = 0; i < count; i++) list[i].key = pull(g, list[i].node, up, true);
    qsort(list, count, sizeof *list, by_key);
    for (size_t i = 0; i < count; i++) g->nodes[list[i].node].order = (int)i;
}

static void order_layers(graph *g, ranked *list)
{
    for (int layer = 0; layer < g->num_layers; layer++) {
        const size_t count = list_layer(g, layer, list);
        for (size_t i = 0; i < count; i++) g->nodes[list[i].node].order = (int)i;
    }
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int layer = 1; layer < g->num_layers; layer++) order_layer(g, layer, true, list);
        for (int layer = g->num_layers - 2; layer >= 0; layer--) order_layer(g, layer, false, list);
    }
}

/* --- coordinates --- */

/* As near to the wanted middles (keys) as order and gaps allow: the mean of pushing from the left and from the right. */
static void spread(graph *g, ranked *list, size_t count)
{
    double edge = 0;
    for (size_t i = 0; i < count; i++) {
        graph_node *n = &g->nodes[list[i].node];
        const double wanted = list[i].key - n->width / 2;
        n->x = i > 0 && wanted < edge ? edge : wanted;
        edge = n->x + n->width + GAP;
    }
    for (size_t i = count; i-- > 0;) {
        graph_node *n = &g->nodes[list[i].node];
        const double wanted = list[i].key - n->width / 2, left = i + 1 < count && wanted + n->width + GAP > edge ? edge - GAP - n->width : wanted;
        n->x = (n->x + left) / 2;
        edge = left;
    }
}

static void place_layer(graph *g, int layer, int side, ranked *list)
{
    const size_t count = list_layer(g, layer, list);
    for (size_t i = 0; i < count; i++) {
        const double above = pull(g, list[i].node, true, false), below = pull(g, list[i].node, false, false);
        list[i].key = side < 0 ? above : side > 0 ? below : (above + below) / 2;
    }
    spread(g, list, count);
}

static void place_columns(graph *g, ranked *list)
{
    for (int layer = 0; layer < g->num_layers; layer++) {
        const size_t count = list_layer(g, layer, list);
        double x = 0;
        for (size_t i = 0; i < count; i++) {
            g->nodes[list[i].node].x = x;
            x += g->nodes[list[i].node].width + GAP;
        }
    }
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int layer = 1; layer < g->num_layers; layer++) place_layer(g, layer, -1, list);
        for (int layer = g->num_layers - 2; layer >= 0; layer--) place_layer(g, layer, sweep + 1 < SWEEPS ? 1 : 0, list);
    }
    double left = 1e300;
    for (size_t i = 0; i < g->num_nodes; i++)
        if (g->nodes[i].x < left) left = g->nodes[i].x;
    for (size_t i = 0; i < g->num_nodes; i++) {
        graph_node *n = &g->nodes[i];
        n->x -= left;
        if (n->x + n->width > g->width) g->width = n->x + n->width;
    }
}

static void place_rows(graph *g)
{
    double y = 0;
    for (int layer = 0; layer < g->num_layers; layer++) {
        double height = 0;
        for (size_t i = 0; i < g->num_nodes; i++) {
            if (g->nodes[i].layer != layer) continue;
            g->nodes[i].y = y;
            if (g->nodes[i].height > height) height = g->nodes[i].height;
        }
        for (size_t i = 0; i < g->num_nodes; i++)
            if (g->nodes[i].layer == layer && g->nodes[i].kernel < 0) g->nodes[i].height = height; /* a bend passes the layer straight */
        y += height + LAYER_GAP;
    }
    g->height = y - LAYER_GAP;
}

/* Where links meet a box, in the order of where they lead. */
static void place_ends(graph *g, int node, bool up, ranked *list)
{
    const graph_node *n = &g->nodes[node];
    size_t count = 0;
    for (size_t i = 0; i < g->num_links; i++) {
        const graph_link *l = &g->links[i];
        if ((up ? l->to : l->from) == node) list[count++] = (ranked){ (int)i, (int)i, middle(&g->nodes[up ? l->from : l->to]) };
    }
    qsort(list, count, sizeof *list, by_key);
    for (size_t i = 0; i < count; i++) {
        const double x = n->x + n->width * ((double)i + 1) / ((double)count + 1);
        *(up ? &g->links[list[i].node].to_x : &g->links[list[i].node].from_x) = n->kernel < 0 ? middle(n) : x;
    }
}

void graph_place(graph *g)
{
    const size_t most = g->num_nodes > g->num_links ? g->num_nodes : g->num_links;
    ranked *list = calloc(most + 1, sizeof *list);
    g->failed = g->failed || !list;
    if (g->failed) {
        free(list);
        return;
    }
    order_layers(g, list);
    place_columns(g, list);
    place_rows(g);
    for (size_t i = 0; i < g->num_nodes; i++) {
        place_ends(g, (int)i, true, list);
        place_ends(g, (int)i, false, list);
    }
    free(list);
}
