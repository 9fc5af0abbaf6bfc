#include "model_test.h"

clgrad_context *ctx;
clgrad_graph *g;

void model_setup(void)
{
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    ck_assert_int_eq(clgrad_graph_create(ctx, &g), CLGRAD_OK);
}

void model_teardown(void)
{
    if (clgrad_graph_status(g) == CLGRAD_OK)
        ck_assert_msg(clgrad_graph_verify(g) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    clgrad_graph_release(&g);
    clgrad_context_release(&ctx);
}

const test_suite test_suites[] = { { describe_suite }, { init_suite }, { misuse_suite },     { memory_suite },
                                     { layer_suite },    { activation_suite }, { loss_suite }, { transform_suite },
                                     { gradient_suite }, { NULL } };
