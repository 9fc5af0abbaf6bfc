#pragma once

/* The three rule columns of graph/ops.def as functions. A rule builds nodes in `b` and launches nothing, so what it builds
 * transforms again. Errors stick in b (see clgrad/graph.h); a rule returns what it has. */

#include "graph/graph.h"

/* Tangent of a node: in, out and din are nodes of b; out is the node's value, din[i] the tangent of operand i or CLGRAD_NONE
 * where it is zero. Called only when some tangent is there and the result is real. Returns CLGRAD_NONE for a zero tangent. */
typedef clgrad_node clgrad_jvp_fn(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, clgrad_node out,
                                  const clgrad_node *din);

/* A node that is linear in the operands whose `linear` is set, as its transpose rule sees it. */
typedef struct clgrad_linear_node {
    const clgrad_graph *source;
    const clgrad_op_node *node; /* of source */
    const clgrad_node *in;      /* nodes of b; CLGRAD_NONE for linear operands */
    const bool *linear;
    int32_t sample_axis;        /* the cotangent's axis of samples, or -1; sums over it go in cells */
} clgrad_linear_node;

/* Cotangents of the linear operands: sets ct_in[i], which arrives as CLGRAD_NONE. */
typedef void clgrad_transpose_fn(clgrad_graph *b, const clgrad_linear_node *at, clgrad_node ct, clgrad_node *ct_in);

/* The node with operands that carry a new axis 0 of extent n where `batched` is set (one of them is): returns the result with
 * that axis in front. */
typedef clgrad_node clgrad_batch_fn(clgrad_graph *b, const clgrad_op_node *node, const clgrad_node *in, const bool *batched,
                                    int64_t n);

typedef struct clgrad_rules {
    clgrad_jvp_fn *jvp;
    clgrad_transpose_fn *transpose;
    clgrad_batch_fn *batch;
} clgrad_rules;
const clgrad_rules *clgrad_rules_get(clgrad_op op);

#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref)        \
    clgrad_jvp_fn clgrad_jvp_rule_##jvp;                                                             \
    clgrad_transpose_fn clgrad_transpose_rule_##transpose;                                           \
    clgrad_batch_fn clgrad_batch_rule_##batch;
#include "graph/ops.def"
#undef OP

enum { CLGRAD_CELL = 256 }; /* samples added up as one cell, see docs/design.md, Sums */

/* The shape of operand i, linear or not. */
static inline const clgrad_shape *clgrad_operand_shape(const clgrad_linear_node *at, size_t i)
{
    return &clgrad_at(at->source, at->node->in[i])->shape;
}

/* `value` in every element. */
clgrad_node clgrad_filled_like(clgrad_graph *b, clgrad_node x, double value);

/* a + b where either may be CLGRAD_NONE for zero. */
clgrad_node clgrad_add_tangents(clgrad_graph *b, clgrad_node x, clgrad_node y);

/* Is the node zero in every element by construction: a zero constant, perhaps seen through views? */
bool clgrad_is_zero(const clgrad_graph *g, clgrad_node n);

/* The number that fills a constant, perhaps seen through views that only repeat or reorder; false where n is none. */
bool clgrad_constant_value(const clgrad_graph *g, clgrad_node n, double *value);

/* [n, shape..]; of rank 9, which every builder refuses, when there is no room. */
clgrad_shape clgrad_shape_prepend(int64_t n, const clgrad_shape *shape);

/* Repeat x along a new axis 0. */
clgrad_node clgrad_repeat(clgrad_graph *b, clgrad_node x, int64_t n);

/* The transpose of broadcasting from `shape`: sums over the axes that were repeated. sample_axis as in clgrad_linear_node. */
clgrad_node clgrad_sum_to(clgrad_graph *b, clgrad_node x, const clgrad_shape *shape, int32_t sample_axis);

/* Reports that the node is not linear in what it is transposed for. */
void clgrad_refuse_transpose(clgrad_graph *b, const clgrad_linear_node *at, const char *why);
