#pragma once

/* Graphs as later rooms see them: nodes, attributes and the op table. */

#include "clgrad/graph.h"
#include "tensor/tensor.h"

/* How a node is computed, and by which template. */
typedef enum clgrad_family {
    CLGRAD_LEAF,   /* INPUT, CONST, IOTA */
    CLGRAD_MAP,    /* element-wise, operands of the result's shape */
    CLGRAD_VIEW,   /* BROADCAST RESHAPE PERMUTE SLICE FLIP PAD WINDOW */
    CLGRAD_JOIN,   /* CONCAT */
    CLGRAD_GATHER, /* TAKE */
    CLGRAD_SCATTER,
    CLGRAD_REDUCE, /* SUM REDUCE_MAX ARGMAX */
    CLGRAD_SCAN,
    CLGRAD_OVERLAP,
    CLGRAD_PRODUCT, /* MATMUL */
    CLGRAD_CALL_FAMILY
} clgrad_family;

typedef enum clgrad_op {
#define OP(name, ...) CLGRAD_OP_##name,
#include "graph/ops.def"
#undef OP
    CLGRAD_OP_COUNT
} clgrad_op;

/* A derivative rule, provider and role of a call; immutable, shared by copies of the node. */
typedef struct clgrad_call_info {
    size_t refs;
    char *name;
    clgrad_role role;
    clgrad_graph *body;
    clgrad_call_jvp jvp;
    void *user;
} clgrad_call_info;

typedef enum clgrad_random_kind { CLGRAD_RANDOM_UNIFORM, CLGRAD_RANDOM_NORMAL } clgrad_random_kind;

/* What a node says beyond its operands; fields an op does not name are 0, so that equal nodes are bitwise equal. */
typedef struct clgrad_attr {
    int32_t axis;     /* IOTA WINDOW OVERLAP_ADD CONCAT TAKE SCATTER_ADD ARGMAX CUMSUM */
    int32_t num_batch;/* TAKE SCATTER_ADD: leading axes shared by both operands */
    uint32_t axes;    /* SUM REDUCE_MAX FLIP: bit set */
    uint32_t kind;    /* RANDOM: clgrad_random_kind */
    uint32_t stream;  /* RANDOM */
    uint32_t reverse; /* CUMSUM */
    uint32_t trans_a, trans_b; /* MATMUL */
    int64_t cell;     /* SUM (on the first reduced axis), MATMUL (on k): 0 or 256 */
    int64_t a[CLGRAD_MAX_RANK]; /* PERMUTE: perm. SLICE: start. PAD: low. WINDOW: a[0] size. SCATTER_ADD, OVERLAP_ADD: a[0] n */
    int64_t b[CLGRAD_MAX_RANK]; /* SLICE: step. PAD: high. WINDOW, OVERLAP_ADD: b[0] stride */
    int64_t c[CLGRAD_MAX_RANK]; /* PAD: interior. WINDOW, OVERLAP_ADD: c[0] dilation */
    double value;     /* CONST of a real type */
    int64_t integer;  /* CONST of an integer type; INPUT: its number */
    clgrad_call_info *call; /* CALL */
} clgrad_attr;

typedef struct clgrad_op_node {
    clgrad_op op;
    clgrad_dtype dtype;
    clgrad_shape shape;
    size_t num_in;
    clgrad_node *in;
    clgrad_attr attr;
} clgrad_op_node;

struct clgrad_graph {
    size_t refs;
    clgrad_context *ctx;
    clgrad_status status;
    clgrad_op_node **nodes; /* each at a fixed address; operands come before their users */
    size_t num_nodes, node_capacity;
    clgrad_node *inputs, *outputs;
    char **input_names, **output_names;
    size_t num_inputs, input_capacity, input_name_capacity, num_outputs, output_capacity, output_name_capacity;
    bool frozen; /* the body of a call: no more nodes or outputs */
    uint32_t *table; /* open addressing over hashes of nodes, for equal-node merging */
    size_t table_size;
};

/* One row of the op table as graph and later rooms may read it. */
typedef struct clgrad_op_info {
    const char *name; /* "ADD" */
    int arity;        /* -1: any number */
    clgrad_family family;
    const char *expr; /* MAP: OpenCL C expression in a, b, c; NULL elsewhere */
    bool linear;      /* the result is linear in all operands together (ADD, views, SUM...), so never kinked */
} clgrad_op_info;
const clgrad_op_info *clgrad_op_get(clgrad_op op);

static inline const clgrad_op_node *clgrad_at(const clgrad_graph *g, clgrad_node n) { return g->nodes[n]; }

/* Keep an error in the graph and its context; returns CLGRAD_NONE. */
clgrad_node clgrad_graph_fail(clgrad_graph *g, clgrad_status status, const char *format, ...) CLGRAD_PRINTF(3, 4);

/* The graph's status becomes `status` unless it has failed before; returns CLGRAD_NONE. For a failure reported elsewhere. */
clgrad_node clgrad_graph_keep_status(clgrad_graph *g, clgrad_status status);

/* Append a node (or find its equal): computes dtype and shape by the op's rule and checks operands, types and attributes.
 * For leaves `dtype` and `shape` are given; elsewhere pass the attr and operands alone (CAST: dtype; BROADCAST,
 * RESHAPE, SLICE: shape). */
clgrad_node clgrad_graph_append(clgrad_graph *g, clgrad_op op, size_t num_in, const clgrad_node *in,
                                const clgrad_attr *attr, clgrad_dtype dtype, const clgrad_shape *shape);

/* Append the node `n` of another graph with operands replaced: what inline, simplify and every transform use. */
clgrad_node clgrad_graph_append_like(clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in);

/* A fresh graph with the inputs and outputs of g, in which `copy` stands for each live node, operands first. */
typedef clgrad_node (*clgrad_copy_fn)(clgrad_graph *g, const clgrad_op_node *n, const clgrad_node *in);
clgrad_status clgrad_graph_copy(const clgrad_graph *g, clgrad_copy_fn copy, clgrad_graph **out);

/* SUM with an explicit cell; axes must be as the node invariant says: after dropping extents of 1, either all reduced axes lie
 * behind all kept ones ("trailing": chunk rule) or the last axis is kept ("leading": one chain). clgrad_sum splits the rest. */
clgrad_node clgrad_sum_cell(clgrad_graph *g, clgrad_node x, uint32_t axes, bool keep, int64_t cell);
clgrad_node clgrad_matmul_cell(clgrad_graph *g, clgrad_node a, clgrad_node b, bool trans_a, bool trans_b, int64_t cell);
/* TAKE and SCATTER_ADD with shared leading axes: x [B.., .., n, ..], index [B.., j..]; axis counts from x's first axis, >= num_batch. */
clgrad_node clgrad_take_batched(clgrad_graph *g, clgrad_node x, clgrad_node index, int32_t axis, int32_t num_batch);
clgrad_node clgrad_scatter_add_batched(clgrad_graph *g, clgrad_node updates, clgrad_node index, int32_t axis, int64_t n, int32_t num_batch);

/* Is a SUM of this shape over these axes trailing (chunk rule) or leading (chain)? See clgrad_sum_cell. */
bool clgrad_axes_trailing(const clgrad_shape *shape, uint32_t axes);

/* Replace calls by their bodies, everywhere, to any depth. */
clgrad_status clgrad_graph_expand_calls(const clgrad_graph *g, clgrad_graph **out);

/* The number of the input or output of that name; SIZE_MAX when there is none. */
size_t clgrad_graph_find_input(const clgrad_graph *g, const char *name);
size_t clgrad_graph_find_output(const clgrad_graph *g, const char *name);

/* Declare the same inputs (names, types, shapes) in a fresh graph; nodes[i] gets input i. */
clgrad_status clgrad_graph_copy_inputs(const clgrad_graph *g, clgrad_graph *to, clgrad_node *nodes);

/* live[n] = 1 for every node an output depends on. live has num_nodes bytes. */
void clgrad_graph_mark_live(const clgrad_graph *g, uint8_t *live);

/* A graph's checker, run after each transform in debug builds and by tests: every node's shape and type follow from its
 * operands. E_CHECK with a sentence. */
clgrad_status clgrad_graph_verify(const clgrad_graph *g);

/* A stable 64-hex digest of the graph's structure (SHA-256 over its printed form). */
clgrad_status clgrad_graph_digest(const clgrad_graph *g, char out[65]);
