#pragma once

/* A plan's inside: values (units of memory), launches, and the steps that make them.
 *
 *   lower     calls expanded, simplified; products over one term            lower.c
 *   decide    which nodes are stored, which computed where they are used     decide.c
 *   place     where stored nodes live: values, slices of a concatenation     place.c
 *   order     stored nodes into launches                                     order.c
 *   build     each launch's instructions                                     build_*.c through launch.c
 *   memory    donations proven, scratch values laid out by lifetime          memory.c
 *   emit      text, kernel, arguments                                        emit.c
 *
 * A launch that cannot be built as decided names a node to store, and the steps from decide on run again. */

#include "plan/ir.h"
#include "plan/matmul.h"

typedef enum clgrad_value_kind { CLGRAD_VALUE_SCRATCH, CLGRAD_VALUE_INPUT, CLGRAD_VALUE_OUTPUT } clgrad_value_kind;

typedef struct clgrad_value {
    clgrad_value_kind kind;
    size_t number; /* of the input or output */
    clgrad_node node; /* whose elements fill it; NONE: partial results and the like */
    clgrad_dtype dtype;
    int64_t count;
    int32_t first, last; /* launches that touch it */
    size_t arena, offset; /* scratch: which arena, bytes from its start */
    int32_t memory;       /* equal for values in the same memory (donation) */
} clgrad_value;

typedef enum clgrad_launch_kind {
    CLGRAD_LAUNCH_MAP,
    CLGRAD_LAUNCH_CHAIN,  /* one accumulator per kept element, in order */
    CLGRAD_LAUNCH_CHUNKS, /* sums over trailing axes, by chunks of 1,024 */
    CLGRAD_LAUNCH_SCAN,
    CLGRAD_LAUNCH_SORT,   /* stable counting sort of a scatter's indices */
    CLGRAD_LAUNCH_MATMUL,
    CLGRAD_LAUNCH_COPY    /* a whole value into another */
} clgrad_launch_kind;


/* A node to be computed and where its elements go. */
typedef struct clgrad_root {
    clgrad_node node;
    clgrad_place place;
} clgrad_root;

enum { CLGRAD_LAUNCH_ROOTS = 8 };

/* A root that is not its node's own place: part of the concatenation `whole`, or (NONE) a second output. */
typedef struct clgrad_copy {
    clgrad_root root;
    clgrad_node whole;
} clgrad_copy;

typedef struct clgrad_launch {
    clgrad_launch_kind kind;
    clgrad_root root[CLGRAD_LAUNCH_ROOTS];
    size_t num_roots;
    clgrad_node inside[CLGRAD_LAUNCH_ROOTS]; /* roots that this launch computes; others are copied from where they are stored */
    size_t num_inside;
    clgrad_node core; /* the reduction or product in a launch with an epilogue */
    clgrad_node second; /* the other product, or NONE */
    clgrad_ir ir;
    /* CHUNKS, CHAIN and SCAN */
    int32_t source;             /* value of partial results that are reduced here; -1: the operand itself */
    int32_t partial;            /* value that takes partial results, by row, cell and chunk; -1 in the last launch */
    int64_t n;                  /* elements reduced for each kept one */
    int64_t kept_cells;         /* cells that `source` keeps apart; 1: none */
    int64_t part, cells, chunks;/* n is cut every `part` elements into cells, and those (CHUNKS) into chunks */
    clgrad_op accumulate;       /* SUM, REDUCE_MAX or ARGMAX */
    clgrad_dtype acc_dtype;
    int32_t body;               /* register that is accumulated */
    int32_t from, to;           /* registers that bound a chain's loop (scatter); -1: the axis' extent */
    int32_t partial_leaf;
    int32_t sorted[2];          /* values of a scatter: where each row starts, and the order of the updates */
    /* SORT */
    int64_t sort_count, sort_n, sort_batches;
    clgrad_dtype index_dtype;
    /* MATMUL */
    clgrad_matmul_desc desc;
    int32_t batch_slot[CLGRAD_MAX_RANK];
    int32_t operand_value[4];   /* COPY: destination, source; of a second product the last two */
    size_t num_operands;
    bool clblast;               /* the product is CLBlast's; there is no kernel */
    clgrad_text helpers_text, params_text, args_text, vector_text, scalar_text, touches_text;
    clgrad_matmul_launch matmul;
    int64_t operand_offset[4];
    clgrad_kernel_source program;

    /* Sharing a kernel (merge.c) */
    int32_t kernel_number;
    int64_t rows;               /* extent of the first axis of the results that is not 1 */
    char function[16];          /* its name as a part of a kernel; "": a kernel of its own */
    int64_t share_rows, shares; /* rows of each share, and shares: those of the other parts; 0: cut as this launch likes */
    size_t first_beside, end_beside; /* launches that may run at the same time, this one among them */
    bool awake;                 /* in phases: threads to share it with wait for it, so that small shares pay */
    bool follows;               /* in phases: the group that did the launch before goes on with this one */

    char *preamble;
    clgrad_kernel *kernel;
    clgrad_buffer **bound;      /* by leaf; then a product's operands */
    bool params_set;
    uint32_t width;
    uint32_t dims;
    size_t global[3], local[3];
    char label[64];
} clgrad_launch;

/* Launches first .. first + count - 1 as one kernel (merge.c, parts.c); a single one has its own. */
typedef struct clgrad_plan_kernel {
    size_t first, count;
    int64_t groups;         /* 1: one does everything in order */
    bool phased;            /* groups do the parts phase by phase (cl/phases.cl) */
    int64_t patience;       /* turns that they wait */
    bool repeats;           /* does any number of runs; the plan has no other kernel */
    int64_t most_runs;      /* that it should do in a launch */
    int64_t runs;           /* what its argument says, 0: nothing yet */
    clgrad_buffer *tickets; /* of a phased kernel */
    clgrad_kernel *kernel;
    clgrad_buffer *numbers; /* device memory: what the parts would have as arguments by value */
    int64_t *words, *written; /* its content as it should be and as it is */
    size_t num_words;
    bool numbers_set;
    int32_t *values;        /* by argument behind the numbers */
    size_t num_values, value_capacity;
    clgrad_buffer **bound;
    char label[32];
} clgrad_plan_kernel;

struct clgrad_plan {
    clgrad_device *dev;
    clgrad_context *ctx;
    clgrad_graph *graph; /* as given */
    clgrad_graph *work;  /* lowered; same inputs and outputs */
    clgrad_plan_options options;
    uint32_t *donated;     /* by input: 1 + output, or 0 */
    bool *donation_taken;  /* by input */
    size_t *advance;       /* by input: bytes */

    uint8_t *live, *stored, *forced, *plain; /* by node; plain: its launch may not take an epilogue */
    clgrad_node *epilogue;                   /* by reduction or product: the node its launch ends with */
    clgrad_node *second;                     /* by product: another that its launch computes too, or NONE */
    clgrad_node *core;                       /* by node: the reduction or product whose launch computes it, or NONE */
    clgrad_node *alias;                      /* by node: the stored node of which it is a reshape in the same memory, or NONE */
    clgrad_place *places;
    int32_t *made, *last_read;               /* by node: launch that stores it, the last map that reads it; -1 */
    uint8_t *alone;                          /* by node: may not share a launch */
    uint8_t *unread;                         /* by node: only its own launch uses it, so that it need not be stored */
    uint8_t *spread;                         /* by node: a matrix of products whose rows lie a little apart */
    clgrad_copy *copies;                     /* stored nodes that go to a second place */
    size_t num_copies, copy_capacity;

    clgrad_value *values;
    size_t num_values, value_capacity;
    clgrad_launch *launches;
    size_t num_launches, launch_capacity;
    clgrad_plan_kernel *kernels;
    size_t num_kernels, kernel_capacity;

    size_t *arena_bytes;
    clgrad_buffer **arenas;
    size_t num_arenas, arena_capacity, buffer_capacity;
    clgrad_tensor **inputs, **outputs;
    bool bound;
};

/* lower.c */
clgrad_status clgrad_plan_lower(const clgrad_graph *g, clgrad_graph **out);

/* decide.c */
clgrad_status clgrad_plan_decide(clgrad_plan *plan);
bool clgrad_plan_is_reduction(clgrad_op op);
/* The stored node a matmul operand reads, when the views between only permute, slice, flip or repeat; else the operand itself. */
clgrad_status clgrad_plan_operand_base(const clgrad_plan *plan, clgrad_node operand, clgrad_node *base);
/* base's strides along the operand's axes. False when the views between are not affine. */
bool clgrad_plan_operand_view(const clgrad_plan *plan, clgrad_node operand, clgrad_node base, clgrad_ir *ir, clgrad_view *view);

/* place.c */
clgrad_status clgrad_plan_place(clgrad_plan *plan);
clgrad_status clgrad_plan_add_value(clgrad_plan *plan, clgrad_value_kind kind, size_t number, clgrad_dtype dtype, int64_t count,
                                    int32_t *out);
clgrad_place clgrad_place_dense(int32_t value, const clgrad_shape *shape);

/* order.c */
clgrad_status clgrad_plan_order(clgrad_plan *plan);
clgrad_status clgrad_plan_add_launch(clgrad_plan *plan, clgrad_launch_kind kind, clgrad_launch **out);

/* build_launch.c: instructions of every launch. *again: something was refused and is now forced; start over from decide. */
clgrad_status clgrad_plan_build(clgrad_plan *plan, bool *again);

/* memory.c */
clgrad_status clgrad_plan_donate(clgrad_plan *plan);
clgrad_status clgrad_plan_layout(clgrad_plan *plan);
clgrad_status clgrad_plan_allocate(clgrad_plan *plan);

/* merge.c: which launches share a kernel */
clgrad_status clgrad_plan_merge(clgrad_plan *plan);

/* parts.c: kernels */
clgrad_status clgrad_plan_kernel_emit(clgrad_plan *plan, clgrad_plan_kernel *kernel);
clgrad_status clgrad_plan_kernel_bind(clgrad_plan *plan, clgrad_plan_kernel *kernel);
clgrad_status clgrad_plan_kernel_run(clgrad_plan_kernel *kernel, int64_t runs);
void clgrad_plan_kernel_release(clgrad_plan *plan, clgrad_plan_kernel *kernel);

/* plan.c: the memory of a value of a bound plan, and where it begins there, in elements */
clgrad_buffer *clgrad_plan_value_buffer(const clgrad_plan *plan, int32_t value, int64_t *offset);
/* Enqueue one launch of a bound plan; of several in one kernel the first stands for all. */
clgrad_status clgrad_launch_run(const clgrad_plan *plan, const clgrad_launch *l);

/* emit.c and emit_matmul.c: text of one launch, as a kernel or as a part; then its kernel */
clgrad_status clgrad_launch_write(clgrad_plan *plan, clgrad_launch *launch);
clgrad_status clgrad_launch_write_matmul(clgrad_plan *plan, clgrad_launch *launch);
/* Is this launch a product that CLBlast computes? */
bool clgrad_launch_by_clblast(const clgrad_plan *plan, const clgrad_launch *launch);
clgrad_status clgrad_launch_emit(clgrad_plan *plan, clgrad_launch *launch);
void clgrad_launch_release(clgrad_plan *plan, clgrad_launch *launch);
