#pragma once

/* Inside the graph room: arithmetic on constants. */

#include "graph/graph.h"

/* The constant that node n (NEG, ADD, SUB, MUL; on integers ABS, SIGN, MAX, MIN and comparisons too) gives for operands a and b
 * (b = a for one operand). False when an operand is no constant or the operation is not one of these. */
bool clgrad_fold(const clgrad_op_node *n, const clgrad_op_node *a, const clgrad_op_node *b, clgrad_attr *out);
