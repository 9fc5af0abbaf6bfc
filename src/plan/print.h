#pragma once

/* Between the printers of instructions: print.c for index arithmetic, memory and values, print_map.c for element-wise nodes. */

#include "plan/ir.h"

typedef struct clgrad_printer {
    const clgrad_ir *ir;
    clgrad_text *out;
    const char *end; /* of each line */
    uint32_t width;
} clgrad_printer;

/* The signed integer type of a register's size: what vector comparisons give and `select` takes. */
const char *clgrad_mask_type(clgrad_dtype dtype);
/* A type's name, with the number of lanes behind it. */
void clgrad_print_type(clgrad_printer *p, const char *name, bool vector);
/* A register, as a vector where one is wanted. */
void clgrad_print_operand(clgrad_printer *p, int32_t reg, bool vector);
/* "const float16 r5 = " */
void clgrad_print_register(clgrad_printer *p, int32_t at, const clgrad_ir_instr *in, bool vector);
/* A codec's function and its bracket; a bracket alone for types that are computed in as they are stored. */
void clgrad_print_codec(clgrad_printer *p, const char *verb, clgrad_dtype dtype, bool vector);
/* The statement of an element-wise node. */
void clgrad_print_map(clgrad_printer *p, int32_t at, const clgrad_ir_instr *in, bool vector);
