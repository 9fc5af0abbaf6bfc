#pragma once

/* The body of one kernel: what is computed for one point of a launch's index space, as a list of instructions in single
 * assignment. It is built from graph nodes under views (build.c, view.c), its index space is then made as flat as its
 * addresses allow (collapse.c), and it is printed for any number of lanes (print.c). */

#include "plan/affine.h"

/* How a launch walks an axis of its index space. */
typedef enum clgrad_ir_role {
    CLGRAD_IR_ROW,  /* outer: decoded once per row */
    CLGRAD_IR_LANE, /* the lanes of a vector run along it; at most one */
    CLGRAD_IR_LOOP  /* a loop inside the work-item */
} clgrad_ir_role;

typedef struct clgrad_ir_axis {
    int64_t extent;
    clgrad_ir_role role;
    bool dead; /* of extent 1, or merged into the axis after it */
} clgrad_ir_axis;

/* Where a materialised node lives: a value (the plan's unit of memory) and element strides. value < 0: computed where it is used. */
typedef struct clgrad_place {
    int32_t value;
    int64_t offset, stride[CLGRAD_MAX_RANK];
} clgrad_place;

/* A node's index as a function of the launch's variables, and the condition under which it exists. */
typedef struct clgrad_view {
    int32_t cond; /* COND instruction or CLGRAD_IR_NONE */
    clgrad_affine axis[CLGRAD_MAX_RANK];
} clgrad_view;

typedef enum clgrad_ir_kind {
    CLGRAD_IR_VAR,    /* variable `var` = (at / div) % mod (mod 0: none); div 0: the integer register arg[0] */
    CLGRAD_IR_COND,   /* cond && 0 <= at < div && at % mod == 0 */
    CLGRAD_IR_LOAD,   /* leaf[at], +0 where cond does not hold */
    CLGRAD_IR_CONST,
    CLGRAD_IR_INDEX,  /* at, as an integer */
    CLGRAD_IR_MAP,    /* an element-wise node */
    CLGRAD_IR_FILL,   /* cond ? arg[0] : value */
    CLGRAD_IR_RESULT, /* what the template accumulated, in an epilogue; integer 1: for the second of two products */
    CLGRAD_IR_STORE   /* leaf[at] = arg[0] */
} clgrad_ir_kind;

enum { CLGRAD_IR_NONE = -1, CLGRAD_IR_FAILED = -2, CLGRAD_IR_AXES = 10 };

/* Slots of the parameter struct that hold an affine's numbers; -1 where the text needs none. */
typedef struct clgrad_ir_slots {
    int32_t base, coef[CLGRAD_AFFINE_TERMS];
} clgrad_ir_slots;

typedef struct clgrad_ir_instr {
    clgrad_ir_kind kind;
    clgrad_dtype dtype;
    int32_t arg[3], num_args;
    int32_t cond, leaf, var;
    clgrad_affine at;
    int64_t div, mod;
    const clgrad_op_node *node; /* MAP */
    double value;
    int64_t integer;
    /* Set by clgrad_ir_finish. */
    bool lane;     /* differs between the lanes of a vector */
    uint8_t level; /* CLGRAD_IR_UNIFORM.. */
    clgrad_ir_slots slots;
    int32_t div_slot, mod_slot;
} clgrad_ir_instr;

/* Where an instruction is printed: once per work-item, once per row, or for every vector. */
enum { CLGRAD_IR_UNIFORM, CLGRAD_IR_ROWS, CLGRAD_IR_BODY };

typedef struct clgrad_ir_var {
    int32_t instr; /* the VAR instruction; NONE for an axis */
    int32_t axis;
} clgrad_ir_var;

/* A buffer argument. */
typedef struct clgrad_ir_leaf {
    int32_t value;
    clgrad_dtype dtype;
    bool read, written;
    bool shared;         /* another argument may be the same memory (donation): no `restrict` */
    int32_t offset_slot; /* parameter that holds the element offset of the value in its buffer */
} clgrad_ir_leaf;

typedef struct clgrad_ir_memo {
    clgrad_node node;
    int32_t instr, size; /* size: instructions that this node's expression took */
    int32_t next;
    clgrad_view view;
} clgrad_ir_memo;

enum { CLGRAD_IR_BUCKETS = 64 };

typedef struct clgrad_ir {
    clgrad_context *ctx;
    const clgrad_graph *g;
    const clgrad_place *places;

    clgrad_ir_axis axes[CLGRAD_IR_AXES];
    int32_t num_axes;
    clgrad_ir_var *vars; /* the first num_axes are the axes */
    clgrad_range *ranges;
    size_t num_vars, var_capacity, range_capacity;
    clgrad_ir_instr *instrs;
    size_t num_instrs, instr_capacity;
    size_t epilogue; /* first instruction of the epilogue */
    clgrad_ir_leaf *leaves;
    size_t num_leaves, leaf_capacity;
    clgrad_ir_memo *memo;
    size_t num_memo, memo_capacity;
    int32_t bucket[CLGRAD_IR_BUCKETS];
    int64_t *params;
    size_t num_params, param_capacity;

    /* Nodes this kernel computes although they have a place; results are stored as well as used. */
    const clgrad_node *inside;
    size_t num_inside;
    clgrad_node result, second; /* the nodes CLGRAD_IR_RESULT stands for, or CLGRAD_NONE */
    clgrad_view result_view;

    bool ahead; /* loads of whole vectors ask for what follows: AHEAD(pointer) is defined */
    size_t max_instrs, max_leaves;
    int32_t depth;
    clgrad_status status;
    bool refused;        /* too large, or not expressible: materialise `culprit` and try again */
    clgrad_node culprit;
} clgrad_ir;

void clgrad_ir_begin(clgrad_ir *ir, const clgrad_graph *g, const clgrad_place *places);
void clgrad_ir_release(clgrad_ir *ir);
/* Axes come first; their variables are numbered as they are. */
clgrad_status clgrad_ir_add_axis(clgrad_ir *ir, int64_t extent, clgrad_ir_role role);
/* A derived variable: (of / div) % mod. NONE on failure (ir->status or refused is set). */
int32_t clgrad_ir_divide(clgrad_ir *ir, const clgrad_affine *of, int64_t div, int64_t mod);
/* The condition `parent` and 0 <= at < extent and at a multiple of step; parent itself where it always holds. */
int32_t clgrad_ir_condition(clgrad_ir *ir, int32_t parent, const clgrad_affine *at, int64_t extent, int64_t step);
/* The argument for a value, as one element type; < 0 on failure. */
int32_t clgrad_ir_leaf_of(clgrad_ir *ir, int32_t value, clgrad_dtype dtype, bool written);
int32_t clgrad_ir_load(clgrad_ir *ir, int32_t value, clgrad_dtype dtype, const clgrad_affine *at, int32_t cond);
/* The register of node n under a view; < 0: failed or refused. */
int32_t clgrad_ir_build(clgrad_ir *ir, clgrad_node n, const clgrad_view *view);
/* cond ? reg : 0. */
int32_t clgrad_ir_mask(clgrad_ir *ir, int32_t reg, int32_t cond);
/* The integer register reg, known to lie in [0, extent), as a variable. */
int32_t clgrad_ir_index_of(clgrad_ir *ir, int32_t reg, int64_t extent);
bool clgrad_ir_store(clgrad_ir *ir, int32_t reg, clgrad_dtype dtype, const clgrad_place *place, const clgrad_view *view,
                     int32_t rank);
/* The largest part of the expression that makes up at most about half of it and could be stored; NONE when there is none. */
clgrad_node clgrad_ir_cut(const clgrad_ir *ir);
/* What follows belongs to the epilogue: earlier registers that depend on a lane or loop are out of scope. */
void clgrad_ir_begin_epilogue(clgrad_ir *ir);

/* view.c: the view of operand `operand` of a view node (or TAKE's table, given its index variable) from the node's own view. */
bool clgrad_view_operand(clgrad_ir *ir, const clgrad_op_node *n, const clgrad_view *view, clgrad_view *out);
/* The view that renames an index of shape `from` to the same element of shape `to`. */
bool clgrad_view_reshape(clgrad_ir *ir, const clgrad_shape *from, const clgrad_affine *axis, const clgrad_shape *to,
                         clgrad_affine *out);
clgrad_view clgrad_view_none(void);

/* collapse.c: drop axes of extent 1, merge neighbours of one role where every affine allows; rows are merged into the lane axis
 * too, or loops where the lanes run along what is reduced. Then compute levels and parameter slots. */
clgrad_status clgrad_ir_finish(clgrad_ir *ir, bool lane_reduced);
/* The same with the axes left as they are. */
clgrad_status clgrad_ir_finish_fixed(clgrad_ir *ir);
/* A parameter slot. */
int32_t clgrad_ir_param(clgrad_ir *ir, int64_t value);

/* print.c */
enum { CLGRAD_PRINT_UNIFORM = 1, CLGRAD_PRINT_ROWS = 2, CLGRAD_PRINT_BODY = 4 };
/* Statements of instructions first <= i < end whose level is in `levels`, for `width` lanes, each line ended by `end_of_line`. */
void clgrad_ir_print(const clgrad_ir *ir, size_t first, size_t end, uint32_t levels, uint32_t width, const char *end_of_line,
                     clgrad_text *out);
/* function(address) for each load from an address that the axes alone decide and that differs between rows; false: there is none. */
bool clgrad_ir_print_touches(const clgrad_ir *ir, const char *function, uint32_t width, const char *end_of_line, clgrad_text *out);
/* helpers.c: the functions that printed statements may call, gathered over kernels of one text. */
typedef struct clgrad_ir_needs {
    uint32_t f32, f64; /* families of math.cl, a bit each */
    bool i32, i64, codec, random, odd_int, odd_long, odd_double;
} clgrad_ir_needs;
typedef struct clgrad_ir_helpers {
    clgrad_ir_needs of[5]; /* for 1, 2, 4, 8 and 16 lanes */
} clgrad_ir_helpers;
void clgrad_ir_add_helpers(clgrad_ir_helpers *helpers, const clgrad_ir *ir, uint32_t width);
void clgrad_ir_print_helpers(const clgrad_ir_helpers *helpers, clgrad_text *out);
bool clgrad_ir_need_math(const clgrad_ir_helpers *helpers);
/* ", global const float *restrict x0, ..." and the statements that apply the leaves' offsets. */
void clgrad_ir_print_arguments(const clgrad_ir *ir, clgrad_text *out);
void clgrad_ir_print_offsets(const clgrad_ir *ir, const char *end_of_line, clgrad_text *out);
const char *clgrad_register_type(clgrad_dtype dtype);
const char *clgrad_storage_type(clgrad_dtype dtype);
