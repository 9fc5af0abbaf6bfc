#pragma once

/* What the transforms share: checked input lists, fresh names, dependence, and the forward and backward pass. */

#include "autodiff/sample_axis.h"
#include "clgrad/autodiff.h"

/* E_ARG unless the indices are inputs of f, none twice; with `real`, E_DERIVATIVE when one is of an integer type. Also f's own
 * first error. `what` names the transform. */
clgrad_status clgrad_wrt_check(const clgrad_graph *f, size_t count, const size_t *wrt, bool real, const char *what);

/* Is input i in the list? */
bool clgrad_wrt_has(size_t count, const size_t *wrt, size_t i);

/* "12" into a caller's buffer of 32 bytes; returns text. */
const char *clgrad_number_text(size_t number, char *text);

/* An input or output of b called <prefix><name>, with ".2", ".3".. behind it when that is taken: derivatives nest. */
clgrad_node clgrad_input_fresh(clgrad_graph *b, const char *prefix, const char *name, clgrad_dtype dtype, clgrad_shape shape);
void clgrad_output_fresh(clgrad_graph *b, const char *prefix, const char *name, clgrad_node node);

/* dependent[n] = true for every node of g that reads one of the inputs. dependent has num_nodes entries, written whole. */
void clgrad_mark_dependent(const clgrad_graph *g, size_t count, const size_t *wrt, bool *dependent);

/* The nodes of `from` and what they became in another graph. */
typedef struct clgrad_node_map {
    clgrad_context *ctx;
    size_t count;
    clgrad_node *node;  /* CLGRAD_NONE: not there */
    size_t longest;     /* operand list */
    clgrad_node *in;    /* operands of one node, room for the longest list */
    uint8_t *live;      /* does an output depend on the node? */
} clgrad_node_map;
clgrad_status clgrad_node_map_create(const clgrad_graph *from, clgrad_node_map *out);
void clgrad_node_map_release(clgrad_node_map *map);
/* map->in filled with the images of n's operands, and returned. */
const clgrad_node *clgrad_node_map_operands(clgrad_node_map *map, const clgrad_op_node *n);

/* The result of a transform: b's own first error, or b simplified. b is released either way. */
clgrad_status clgrad_transform_finish(clgrad_graph **b, clgrad_graph **out);

/* As clgrad_jvp, but as built: not simplified, dead code left in; without f's own outputs unless `primal`. The tangents of
 * f's real outputs follow in order. */
clgrad_status clgrad_jvp_build(const clgrad_graph *f, size_t count, const size_t *wrt, bool primal, clgrad_graph **out);

/* --- the backward pass: from a graph that is linear in some inputs to its transpose --- */

typedef struct clgrad_reverse {
    clgrad_graph *from; /* the graph, calls that must be transposed written out */
    clgrad_graph *to;   /* under construction: inputs of `from` but the linear ones, and every node that is known from them */
    size_t count;
    const size_t *wrt;  /* the linear inputs of from */
    clgrad_node_map map;
    bool *linear;       /* per node of from */
    clgrad_node *ct;    /* per node of from: its cotangent so far, a node of to */
    bool *flags;        /* which operands of one node are linear */
    clgrad_node *ct_in; /* and their cotangents */
    clgrad_sample_axes axes;
} clgrad_reverse;

/* sample_inputs: for the first inputs of `from`, whether axis 0 counts samples; NULL: none does. */
clgrad_status clgrad_reverse_begin(const clgrad_graph *from, size_t count, const size_t *wrt, const bool *sample_inputs,
                                   size_t num_sample_inputs, clgrad_reverse *out);
/* ct is the cotangent of from's output i (added to what came before). */
clgrad_status clgrad_reverse_seed(clgrad_reverse *r, size_t i, clgrad_node ct);
/* Walk backwards; then the cotangent of wrt[k] is at clgrad_reverse_result(r, k), zeros where nothing arrived. */
clgrad_status clgrad_reverse_run(clgrad_reverse *r);
clgrad_node clgrad_reverse_result(clgrad_reverse *r, size_t k);
void clgrad_reverse_release(clgrad_reverse *r);
