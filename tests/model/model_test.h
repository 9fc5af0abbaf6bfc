#pragma once

/* What the model suites share: one context and one graph around each test. */

#include "graph/graph.h"
#include "model/model.h"
#include "support/suite.h"

extern clgrad_context *ctx;
extern clgrad_graph *g;

void model_setup(void);
void model_teardown(void);

Suite *describe_suite(void);
Suite *init_suite(void);
Suite *misuse_suite(void);
Suite *activation_suite(void);
Suite *loss_suite(void);
Suite *layer_suite(void);
Suite *gradient_suite(void);
Suite *memory_suite(void);
Suite *transform_suite(void);
