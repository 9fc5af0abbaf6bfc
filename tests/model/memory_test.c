/* The k-th allocation fails, for every k, while a model and its loss become a graph: E_MEMORY, no result, nothing left behind. */

#include "model_test.h"
#include "support/device.h"

static clgrad_status add_loss(clgrad_graph *m)
{
    const clgrad_node y = clgrad_input(m, "y", CLGRAD_I32, CLGRAD_SHAPE(8));
    const clgrad_node loss = clgrad_loss_cross_entropy(m, clgrad_graph_output(m, 0), y);
    return clgrad_output(m, "loss", clgrad_sum(m, loss, CLGRAD_ALL_AXES, false));
}

static clgrad_status exercise(clgrad_context *c, void *unused)
{
    (void)unused;
    clgrad_model *model = NULL;
    clgrad_graph *m = NULL;
    float values[12];
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    options.layers = "4-3-2";
    options.dropout = 0.5;
    options.init = "kaiming-normal";
    clgrad_status st = clgrad_model_create(c, &options, &model);
    if (st == CLGRAD_OK) st = clgrad_model_initialize(model, 1, 0, values, CLGRAD_COUNT(values));
    if (st == CLGRAD_OK) st = clgrad_model_graph(model, 8, true, &m);
    if (st == CLGRAD_OK) st = add_loss(m);
    clgrad_graph_release(&m);
    clgrad_model_release(&model);
    return st;
}

START_TEST(every_allocation_may_fail)
{
    ck_assert_uint_gt(test_refuse_each_alone(exercise, NULL), 50);
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, every_allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite;
}
