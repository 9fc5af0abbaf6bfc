#pragma once

/* What these suites share: a context around each test, and a few functions to differentiate. */

#include "autodiff/autodiff.h"
#include "autodiff/autodiff_suites.h"
#include "graph/graph.h"

extern clgrad_context *ctx;
void autodiff_setup(void);
void autodiff_teardown(void);

/* A fresh graph; the test releases it. */
clgrad_graph *graph_new(void);
clgrad_node graph_real(clgrad_graph *g, const char *name, clgrad_shape shape);

#define CHECK_OK(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(ctx))

/* The call fails with this status, its text holds `word`, and *out is NULL. */
void check_refused(clgrad_status got, clgrad_status wanted, const char *word, const clgrad_graph *out);

/* Inputs x [batch, 5], t [batch, 2], w1 [5, hidden], b1 [hidden], w2 [hidden, 2], with relu and the squared error summed over
 * samples (in cells where `cell` is 256) as output "loss", and "z" [batch, 2]. */
clgrad_graph *perceptron(clgrad_context *context, int64_t batch, int64_t hidden, int64_t cell);
enum { PERCEPTRON_WEIGHTS = 3 };
extern const size_t perceptron_weights[PERCEPTRON_WEIGHTS];

size_t count_op(const clgrad_graph *g, clgrad_op op);
/* Has the graph outputs of these names, in this order? The list ends with NULL. */
void check_outputs(const clgrad_graph *g, const char *const *names);
void check_inputs(const clgrad_graph *g, const char *const *names);
#define CHECK_OUTPUTS(g, ...) check_outputs(g, (const char *const[]){ __VA_ARGS__, NULL })
#define CHECK_INPUTS(g, ...) check_inputs(g, (const char *const[]){ __VA_ARGS__, NULL })
