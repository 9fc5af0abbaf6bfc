/* A layer is a call: a small graph of its own, made for the operands' shapes. */

#include "model/layer.h"

#include <stdio.h>

bool clgrad_layer_has_node(clgrad_graph *g, const clgrad_layer *layer, clgrad_node x, const char *operand)
{
    if (g->status != CLGRAD_OK) return false;
    if (x < g->num_nodes) return true;
    clgrad_graph_fail(g, CLGRAD_E_ARG, "%s: operand %s is not a node of this graph", layer->name, operand);
    return false;
}

/* Inputs like the operands, then what the layer computes. */
static clgrad_status fill_body(clgrad_graph *body, const clgrad_graph *g, const clgrad_layer *layer, size_t count,
                               const clgrad_node *x, const void *option)
{
    clgrad_node in[4];
    char name[24];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "a%zu", i);
        in[i] = clgrad_input(body, name, clgrad_node_dtype(g, x[i]), clgrad_node_shape(g, x[i]));
    }
    return clgrad_output(body, "y", layer->body(body, in, count, option));
}

clgrad_node clgrad_layer_apply(clgrad_graph *g, const clgrad_layer *layer, size_t count, const clgrad_node *x, const void *option)
{
    char operand[24], text[CLGRAD_MESSAGE_BYTES];
    for (size_t i = 0; i < count; i++) {
        snprintf(operand, sizeof operand, "%zu", i);
        if (!clgrad_layer_has_node(g, layer, x[i], operand)) return CLGRAD_NONE;
    }
    clgrad_graph *body = NULL;
    clgrad_node y = CLGRAD_NONE;
    clgrad_status st = clgrad_graph_create(g->ctx, &body);
    if (st == CLGRAD_OK) st = fill_body(body, g, layer, count, x, option);
    if (st == CLGRAD_OK)
        y = clgrad_call(g, layer->name, layer->role, body, count, x, layer->jvp, NULL);
    else if (st == CLGRAD_E_MEMORY)
        clgrad_graph_keep_status(g, st);
    else {
        snprintf(text, sizeof text, "%s", clgrad_error_text(g->ctx));
        clgrad_graph_fail(g, st, "%s: %s", layer->name, text);
    }
    clgrad_graph_release(&body);
    return y;
}
