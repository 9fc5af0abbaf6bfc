#pragma once

/* What the graph suites share: one context and one graph around each test, checks of errors. */

#include "graph/graph.h"
#include "support/suite.h"

extern clgrad_context *ctx;
extern clgrad_graph *g;

/* Fixture: a fresh context and graph; the graph's checker runs on graphs without an error. */
void graph_setup(void);
void graph_teardown(void);

/* f32 input with the given extents. */
#define INPUT(name, ...) clgrad_input(g, name, CLGRAD_F32, CLGRAD_SHAPE(__VA_ARGS__))

/* The node is CLGRAD_NONE, the graph has failed with `status`, and the text holds each word of a list ended by NULL. */
void check_error(clgrad_node node, clgrad_status status, const char *const *words);
#define CHECK_ERROR(node, status, ...) check_error(node, status, (const char *const[]){ __VA_ARGS__, NULL })

/* The node's shape, and that the graph is well. */
void check_shape(clgrad_node node, int32_t rank, const int64_t *dims);
#define CHECK_SHAPE(node, ...) \
    check_shape(node, (int32_t)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]){ __VA_ARGS__ })

Suite *build_suite(void);
Suite *misuse_suite(void);
Suite *simplify_suite(void);
Suite *verify_suite(void);
Suite *memory_suite(void);
