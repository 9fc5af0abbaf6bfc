#pragma once

/* The small device buffer a step reads: one fixed struct, each field an input of the step's graph by the name "hyper.<field>"
 * (group fields "hyper.<field>.<group>"), so that no kernel argument changes between steps. */

#include "clgrad/optim.h"
#include "tensor/tensor.h"

enum {
    CLGRAD_HYPER_GROUPS = CLGRAD_MAX_GROUPS + 1,
    CLGRAD_HYPER_STEPS = 32 /* structs in the buffer, one behind the other: one for each step of a launch */
};

/* INTEGER(field) and REAL(field) are scalars, GROUP(field) one real per group. */
#define CLGRAD_HYPER_FIELDS(INTEGER, REAL, GROUP)                                                          \
    INTEGER(step)          /* updates before this one */                                                   \
    INTEGER(seed)                                                                                          \
    INTEGER(sample)        /* number of the batch's first sample, counted since training began */          \
    INTEGER(offset)        /* position of the batch's first sample in the permutation */                   \
    INTEGER(limit)         /* samples in the permutation; those past it have weight 0 */                   \
    REAL(scale)            /* the summed gradient becomes a mean */                                        \
    REAL(keep_metric)      /* 0: the running loss starts anew */                                           \
    REAL(keep_sum)         /* 0: the summed gradient starts anew */                                        \
    REAL(momentum)                                                                                         \
    REAL(momentum_rest)    /* 1 - momentum, subtracted in double */                                        \
    REAL(beta2)                                                                                            \
    REAL(beta2_rest)                                                                                       \
    REAL(epsilon)                                                                                          \
    REAL(correction1)      /* 1 / (1 - momentum^t), t = step + 1 */                                        \
    REAL(correction2)      /* 1 / sqrt(1 - beta2^t) */                                                     \
    REAL(clip_value)                                                                                       \
    REAL(clip_norm)                                                                                        \
    REAL(scale_window)     /* updates without overflow after which the loss scale doubles */               \
    GROUP(lr)                                                                                              \
    GROUP(weight_decay)                                                                                    \
    GROUP(l1)                                                                                              \
    GROUP(l2)

typedef struct clgrad_hyper {
#define INTEGER(field) int64_t field;
#define REAL(field) float field;
#define GROUP(field) float field[CLGRAD_HYPER_GROUPS];
    CLGRAD_HYPER_FIELDS(INTEGER, REAL, GROUP)
#undef INTEGER
#undef REAL
#undef GROUP
} clgrad_hyper;

typedef enum clgrad_hyper_field {
#define ROW(field) CLGRAD_HYPER_##field,
    CLGRAD_HYPER_FIELDS(ROW, ROW, ROW)
#undef ROW
    CLGRAD_HYPER_COUNT
} clgrad_hyper_field;

/* A field as a graph input: made at the first call of a graph and found again later. nodes holds CLGRAD_HYPER_COUNT times
 * CLGRAD_HYPER_GROUPS entries, CLGRAD_NONE at first. group is 0 for scalars. */
typedef struct clgrad_hyper_nodes {
    clgrad_graph *g;
    clgrad_node nodes[CLGRAD_HYPER_COUNT][CLGRAD_HYPER_GROUPS];
} clgrad_hyper_nodes;
void clgrad_hyper_nodes_init(clgrad_hyper_nodes *nodes, clgrad_graph *g);
clgrad_node clgrad_hyper_node(clgrad_hyper_nodes *nodes, clgrad_hyper_field field, size_t group);

bool clgrad_hyper_name(const char *input_name); /* begins with "hyper." */
/* The field's place in a buffer that begins with a clgrad_hyper. E_ARG: no such field. */
clgrad_status clgrad_hyper_tensor(clgrad_buffer *buffer, const char *input_name, clgrad_tensor **out);
