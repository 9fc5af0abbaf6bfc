/* Graphs as text and as Graphviz source. Locale-independent; every attribute that is not 0 is shown, so that graphs that
 * print alike are alike. */

#include "base/sha256.h"
#include "graph/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* How the attribute arrays a, b, c are called where an operation uses them. */
static const struct {
    clgrad_op op;
    const char *label[3];
} array_labels[] = {
    { CLGRAD_OP_PERMUTE, { "perm" } },
    { CLGRAD_OP_SLICE, { "start", "step" } },
    { CLGRAD_OP_PAD, { "low", "high", "interior" } },
    { CLGRAD_OP_WINDOW, { "size", "stride", "dilation" } },
    { CLGRAD_OP_OVERLAP_ADD, { "n", "stride", "dilation" } },
    { CLGRAD_OP_SCATTER_ADD, { "n" } },
};

static void print_arrays(clgrad_text *text, const clgrad_op_node *n, int32_t operand_rank)
{
    const int64_t *const arrays[3] = { n->attr.a, n->attr.b, n->attr.c };
    const bool single = n->op == CLGRAD_OP_WINDOW || n->op == CLGRAD_OP_OVERLAP_ADD || n->op == CLGRAD_OP_SCATTER_ADD;
    for (size_t row = 0; row < CLGRAD_COUNT(array_labels); row++) {
        for (int k = 0; array_labels[row].op == n->op && k < 3 && array_labels[row].label[k]; k++) {
            clgrad_text_append(text, " %s=%" PRId64, array_labels[row].label[k], arrays[k][0]);
            for (int32_t i = 1; i < operand_rank && !single; i++) clgrad_text_append(text, ",%" PRId64, arrays[k][i]);
        }
    }
}

/* The shortest decimal that reads back as the same double, with a point whatever the locale; NaN with its bits' sign dropped. */
static void print_real(clgrad_text *text, double value)
{
    char digits[64];
    if (value != value) {
        clgrad_text_append(text, "nan");
        return;
    }
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    const size_t sign = digits[0] == '-';
    const size_t at = sign + strspn(digits + sign, "0123456789");
    if (digits[at] && !strchr("ein", digits[at])) { /* the locale's decimal point, of one byte or more */
        const size_t width = strcspn(digits + at, "0123456789");
        clgrad_text_append(text, "%.*s.%s", (int)at, digits, digits + at + width);
    } else
        clgrad_text_append(text, "%s", digits);
}

static void print_attr(clgrad_text *text, const clgrad_graph *g, const clgrad_op_node *n)
{
    const clgrad_attr *a = &n->attr;
    if (n->op == CLGRAD_OP_INPUT) clgrad_text_append(text, " %s", g->input_names[a->integer]);
    if (n->op == CLGRAD_OP_CONST) {
        clgrad_text_append(text, " ");
        if (clgrad_dtype_is_real(n->dtype))
            print_real(text, a->value);
        else
            clgrad_text_append(text, "%" PRId64, a->integer);
    }
    if (n->op == CLGRAD_OP_RANDOM)
        clgrad_text_append(text, " %s stream=%" PRIu32, a->kind == CLGRAD_RANDOM_NORMAL ? "normal" : "uniform", a->stream);
    if (a->call) clgrad_text_append(text, " %s role=%d%s", a->call->name, (int)a->call->role, a->call->jvp ? " jvp" : "");
    if (a->axis) clgrad_text_append(text, " axis=%" PRId32, a->axis);
    if (a->num_batch) clgrad_text_append(text, " num_batch=%" PRId32, a->num_batch);
    if (a->axes) clgrad_text_append(text, " axes=0x%" PRIx32, a->axes);
    if (a->reverse) clgrad_text_append(text, " reverse");
    if (a->trans_a) clgrad_text_append(text, " trans_a");
    if (a->trans_b) clgrad_text_append(text, " trans_b");
    if (a->cell) clgrad_text_append(text, " cell=%" PRId64, a->cell);
    print_arrays(text, n, n->num_in ? clgrad_at(g, n->in[0])->shape.rank : 0);
}

static void print_graph(clgrad_text *text, const clgrad_graph *g, int indent)
{
    char name[CLGRAD_OP_TEXT], shape[CLGRAD_SHAPE_TEXT];
    for (size_t i = 0; i < g->num_nodes; i++) {
        const clgrad_op_node *n = g->nodes[i];
        clgrad_text_append(text, "%*sn%zu = %s", indent, "", i, clgrad_op_text(n->op, name));
        for (size_t k = 0; k < n->num_in; k++) clgrad_text_append(text, "%sn%" PRIu32, k ? ", " : " ", n->in[k]);
        print_attr(text, g, n);
        clgrad_text_append(text, " : %s %s\n", clgrad_dtype_name(n->dtype), clgrad_shape_text(&n->shape, shape));
        if (n->attr.call) print_graph(text, n->attr.call->body, indent + 4);
    }
    for (size_t i = 0; i < g->num_outputs; i++)
        clgrad_text_append(text, "%*soutput %s = n%" PRIu32 "\n", indent, "", g->output_names[i], g->outputs[i]);
}

static clgrad_status hand_over(clgrad_text *text, char **out)
{
    *out = NULL;
    if (text->failed) {
        clgrad_text_release(text);
        return CLGRAD_E_MEMORY;
    }
    *out = text->data;
    return CLGRAD_OK;
}

clgrad_status clgrad_graph_print(const clgrad_graph *g, char **out)
{
    clgrad_text text = { .ctx = g->ctx };
    clgrad_text_append(&text, "graph %zu inputs, %zu nodes, %zu outputs\n", g->num_inputs, g->num_nodes, g->num_outputs);
    print_graph(&text, g, 2);
    return hand_over(&text, out);
}

clgrad_status clgrad_graph_print_dot(const clgrad_graph *g, char **out)
{
    clgrad_text text = { .ctx = g->ctx };
    char name[CLGRAD_OP_TEXT], shape[CLGRAD_SHAPE_TEXT];
    clgrad_text_append(&text, "digraph clgrad {\n  node [shape=box, fontname=monospace];\n");
    for (size_t i = 0; i < g->num_nodes; i++) {
        const clgrad_op_node *n = g->nodes[i];
        clgrad_text_append(&text, "  n%zu [label=\"%s", i, clgrad_op_text(n->op, name));
        print_attr(&text, g, n);
        clgrad_text_append(&text, "\\n%s %s\"];\n", clgrad_dtype_name(n->dtype), clgrad_shape_text(&n->shape, shape));
        for (size_t k = 0; k < n->num_in; k++) clgrad_text_append(&text, "  n%" PRIu32 " -> n%zu;\n", n->in[k], i);
    }
    for (size_t i = 0; i < g->num_outputs; i++)
        clgrad_text_append(&text, "  o%zu [label=\"%s\", shape=ellipse];\n  n%" PRIu32 " -> o%zu;\n", i, g->output_names[i],
                           g->outputs[i], i);
    clgrad_text_append(&text, "}\n");
    return hand_over(&text, out);
}

void clgrad_graph_text_release(clgrad_graph *g, char **text)
{
    clgrad_free(g->ctx, *text);
    *text = NULL;
}

clgrad_status clgrad_graph_digest(const clgrad_graph *g, char out[65])
{
    char *text = NULL;
    uint8_t digest[CLGRAD_SHA256_BYTES];
    CLGRAD_TRY(clgrad_graph_print(g, &text));
    clgrad_sha256_of(text, strlen(text), digest);
    clgrad_sha256_hex(digest, out);
    clgrad_free(g->ctx, text);
    return CLGRAD_OK;
}
