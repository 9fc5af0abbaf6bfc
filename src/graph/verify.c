/* The checker: every node must follow from its operands by the rules that made it. */

#include "graph/rules.h"

#include <stdio.h>

static clgrad_status broken(const clgrad_graph *g, size_t node, const char *sentence)
{
    return clgrad_fail(g->ctx, CLGRAD_E_CHECK, "graph check: node %zu %s", node, sentence);
}

/* What the rules say about the node's operands, against what the node says. */
static clgrad_status check_rules(const clgrad_graph *g, size_t i, const clgrad_op_node *n)
{
    clgrad_rule_query q = { .g = g, .op = n->op, .num_in = n->num_in, .in = n->in, .attr = &n->attr };
    q.dtype = n->dtype;
    q.shape = &n->shape;
    char sentence[CLGRAD_MESSAGE_BYTES / 2];
    clgrad_dtype dtype = CLGRAD_F32;
    clgrad_shape shape = { 0 };
    clgrad_op_text(n->op, q.name);
    clgrad_status st = clgrad_rule_dtype(&q, &dtype);
    if (st == CLGRAD_OK) st = clgrad_rule_shape(&q, &shape);
    if (st != CLGRAD_OK) {
        snprintf(sentence, sizeof sentence, "breaks its rule: %s", clgrad_error_text(g->ctx));
        return broken(g, i, sentence);
    }
    if (dtype != n->dtype) return broken(g, i, "has another element type than its operands give");
    if (!clgrad_shape_equal(&shape, &n->shape)) return broken(g, i, "has another shape than its operands give");
    return CLGRAD_OK;
}

static clgrad_status check_node(const clgrad_graph *g, size_t i)
{
    const clgrad_op_node *n = g->nodes[i];
    const clgrad_op_info *info = clgrad_op_get(n->op);
    if (!info) return broken(g, i, "is of no operation of the table");
    if (info->arity >= 0 && n->num_in != (size_t)info->arity) return broken(g, i, "has the wrong number of operands");
    for (size_t k = 0; k < n->num_in; k++)
        if (n->in[k] >= i) return broken(g, i, "has an operand that does not come before it");
    if ((n->op == CLGRAD_OP_CALL) != (n->attr.call != NULL)) return broken(g, i, "has a body and is no call, or the reverse");
    if (n->op == CLGRAD_OP_INPUT) {
        const int64_t number = n->attr.integer;
        if (number < 0 || (size_t)number >= g->num_inputs || g->inputs[number] != i)
            return broken(g, i, "is an input that the list of inputs does not have");
    }
    CLGRAD_TRY(check_rules(g, i, n));
    return n->attr.call ? clgrad_graph_verify(n->attr.call->body) : CLGRAD_OK;
}

clgrad_status clgrad_graph_verify(const clgrad_graph *g)
{
    for (size_t i = 0; i < g->num_nodes; i++) CLGRAD_TRY(check_node(g, i));
    for (size_t i = 0; i < g->num_inputs; i++)
        if (g->inputs[i] >= g->num_nodes || clgrad_at(g, g->inputs[i])->op != CLGRAD_OP_INPUT)
            return clgrad_fail(g->ctx, CLGRAD_E_CHECK, "graph check: input '%s' is not an input node", g->input_names[i]);
    for (size_t i = 0; i < g->num_outputs; i++)
        if (g->outputs[i] >= g->num_nodes)
            return clgrad_fail(g->ctx, CLGRAD_E_CHECK, "graph check: output '%s' is no node", g->output_names[i]);
    return CLGRAD_OK;
}
