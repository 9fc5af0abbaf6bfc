#pragma once

/* Inside the graph room: the dtype and shape rules of the op table, and constants. */

#include "graph/graph.h"

/* "matmul" for MATMUL, into a caller's buffer of CLGRAD_OP_TEXT bytes; returns text. */
enum { CLGRAD_OP_TEXT = 24 };
const char *clgrad_op_text(clgrad_op op, char *text);

/* What the rules of a row see of a node that is to be appended or checked. */
typedef struct clgrad_rule_query {
    const clgrad_graph *g;
    clgrad_op op;
    char name[CLGRAD_OP_TEXT]; /* "matmul", for messages */
    size_t num_in;
    const clgrad_node *in;
    const clgrad_attr *attr;
    clgrad_dtype dtype;        /* as asked: leaves and CAST */
    const clgrad_shape *shape; /* as asked: leaves, BROADCAST and RESHAPE; may be NULL elsewhere */
} clgrad_rule_query;

/* The result's type by the row's dtypes column; its shape by the row's shape column. Failures name operation and operand. */
clgrad_status clgrad_rule_dtype(const clgrad_rule_query *q, clgrad_dtype *out);
clgrad_status clgrad_rule_shape(const clgrad_rule_query *q, clgrad_shape *out);

/* False when x is none of g's nodes, after reporting that (unless g failed before, which is why x is none). */
bool clgrad_graph_has_node(clgrad_graph *g, clgrad_node x, const char *operation, const char *operand);

/* [A-Za-z0-9_.]+ */
bool clgrad_name_valid(const char *name);

void clgrad_call_info_release(clgrad_context *ctx, clgrad_call_info **info);

/* Broadcast up to nine operands to their common shape; false when one is no node or they do not match, after reporting. */
bool clgrad_broadcast_all(clgrad_graph *g, const char *operation, size_t count, clgrad_node *in);

/* a with every axis in `axes` taken out. */
clgrad_shape clgrad_shape_without(const clgrad_shape *a, uint32_t axes);
/* The NumPy broadcast of two shapes; false when they do not match. */
bool clgrad_shape_broadcast(const clgrad_shape *a, const clgrad_shape *b, clgrad_shape *out);
