#pragma once

/* Update rules: element-wise graphs from (parameter, gradient, state, hyperparameters) to (parameter, state). A new rule is one
 * function and one row in rules.c. */

#include "graph/graph.h"
#include "optim/hyper.h"

enum { CLGRAD_MAX_STATES = 2 };

/* What a rule computes with; it replaces p and state by their next values. All flat f32 of one shape, hyperparameters through
 * clgrad_hyper_node. */
typedef struct clgrad_rule_step {
    clgrad_graph *g;
    clgrad_hyper_nodes *hyper;
    size_t group;
    clgrad_node p, grad, state[CLGRAD_MAX_STATES];
} clgrad_rule_step;

typedef struct clgrad_rule {
    clgrad_rule_info info;
    const char *states[CLGRAD_MAX_STATES]; /* names; NULL past the last. States start at 0 and stay 0 where p and g are 0. */
    void (*build)(clgrad_rule_step *step);
} clgrad_rule;

/* E_ARG with a suggestion when there is none of that name. */
clgrad_status clgrad_rule_find(clgrad_context *ctx, const char *name, const clgrad_rule **out);
size_t clgrad_rule_num_states(const clgrad_rule *rule);
