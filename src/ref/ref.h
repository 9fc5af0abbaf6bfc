#pragma once

/* The oracle: a plain C interpreter of any graph on the host, no OpenCL. One node at a time, one loop each, written for
 * being right: the twin of nothing. In f32 it follows the device's arithmetic word for word. */

#include "graph/graph.h"

typedef enum clgrad_ref_mode {
    CLGRAD_REF_F64,        /* every real node in double with libm; storage types and f32 are not rounded in between */
    CLGRAD_REF_F32,        /* types as the graph says; own polynomials (base of cl/math.cl), sums by the rule, a*b+c unfused */
    CLGRAD_REF_F32_FMA     /* the same with fmaf where the templates say MULADD */
} clgrad_ref_mode;

/* inputs[i] for every input of g, shapes and types checked; in F64 mode real inputs may also be given as f64.
 * outputs[i] are created: in F64 mode real ones as f64, else of the node's type. On failure none is left allocated. */
clgrad_status clgrad_ref_evaluate(const clgrad_graph *g, const clgrad_array *inputs, clgrad_array *outputs,
                                  clgrad_ref_mode mode);
