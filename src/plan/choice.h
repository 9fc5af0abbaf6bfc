#pragma once

/* Choices for products as the tuning store has them: a key for products that are alike, and a text for how to compute them. */

#include "plan/matmul.h"

enum { CLGRAD_MATMUL_KEY = 96, CLGRAD_MATMUL_TEXT = 96 };

typedef struct clgrad_matmul_choice {
    clgrad_variant form; /* AUTO: by the rules */
    int64_t rows, columns;      /* of sums in registers; columns: of vectors for the CPU form */
    int64_t items_i, items_j, depth; /* GPU form */
    int64_t pack;               /* CPU form: of the packed operand; -1: by the rules */
    int64_t groups;             /* CPU form: of each compute unit; 0: by the rules */
} clgrad_matmul_choice;

/* "matmul f32 nn 128x128x1024": types, which operands are stored turned, sizes rounded to powers of two, then batches and cells. */
void clgrad_product_key(const clgrad_product *product, char key[CLGRAD_MATMUL_KEY]);
/* What a described product is to the store. False: nothing, since it is two in one, or strided in some other way. */
bool clgrad_matmul_product(const clgrad_matmul_desc *desc, clgrad_product *product);

/* "rules", "clblast", "cpu rows=12 columns=2 pack=1 groups=8", "gpu rows=4 columns=4 items_i=16 items_j=16 depth=16"; what follows a
 * semicolon is a remark. False: not of this kind. */
bool clgrad_matmul_choice_read(const char *text, clgrad_matmul_choice *out);
void clgrad_matmul_choice_write(const clgrad_matmul_choice *choice, char text[CLGRAD_MATMUL_TEXT]);

/* The choice for a product of a plan: what its options force, else what the store has. AUTO where there is none, and where other options
 * already say how. */
void clgrad_matmul_choice_find(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options,
                               clgrad_matmul_choice *out);
