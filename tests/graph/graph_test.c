#include "graph_test.h"

clgrad_context *ctx;
clgrad_graph *g;

void graph_setup(void)
{
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_create(ctx, &g), CLGRAD_OK);
}

void graph_teardown(void)
{
    if (clgrad_graph_status(g) == CLGRAD_OK)
        ck_assert_msg(clgrad_graph_verify(g) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    clgrad_graph_release(&g);
    clgrad_context_release(&ctx);
}

void check_error(clgrad_node node, clgrad_status status, const char *const *words)
{
    ck_assert_uint_eq(node, CLGRAD_NONE);
    ck_assert_msg(clgrad_graph_status(g) == status, "%s: %s", clgrad_status_name(clgrad_graph_status(g)), clgrad_error_text(ctx));
    ck_assert_int_eq(clgrad_error_status(ctx), status);
    for (; *words; words++)
        ck_assert_msg(strstr(clgrad_error_text(ctx), *words) != NULL, "'%s' is not in '%s'", *words, clgrad_error_text(ctx));
}

void check_shape(clgrad_node node, int32_t rank, const int64_t *dims)
{
    char have[CLGRAD_SHAPE_TEXT], want[CLGRAD_SHAPE_TEXT];
    ck_assert_msg(clgrad_graph_status(g) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    const clgrad_shape is = clgrad_node_shape(g, node), wanted = clgrad_shape_make(rank, dims);
    ck_assert_str_eq(clgrad_shape_text(&is, have), clgrad_shape_text(&wanted, want));
}

const test_suite test_suites[] = { { build_suite }, { misuse_suite }, { simplify_suite }, { verify_suite }, { memory_suite }, { NULL } };
