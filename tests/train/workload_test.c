/* What a configuration computes: the launches are those of a training, their cost what the network asks for. */

#include "train/fixture.h"

#include <stdio.h>

enum { BATCH = 32, INPUTS = 20, HIDDEN = 12, OUTPUTS = 5, PARAMETERS = HIDDEN * INPUTS + HIDDEN + OUTPUTS * HIDDEN + OUTPUTS };

static const double forward_products = 2.0 * BATCH * (INPUTS * HIDDEN + HIDDEN * OUTPUTS);

static clgrad_config *network(const char *first)
{
    return train_config("model.layers=20-12-5", "train.batch=32", first, NULL);
}

static clgrad_cost cost_of(const clgrad_workload *w, size_t i, const char *when)
{
    const char *said = NULL;
    clgrad_cost cost;
    clgrad_function *f = clgrad_workload_function(w, i, &said);
    ck_assert_ptr_nonnull(f);
    ck_assert_str_eq(said, when);
    ck_ok(clgrad_function_cost(f, &cost));
    ck_assert_uint_gt(cost.num_launches, 0);
    ck_assert(cost.bytes >= cost.least_bytes && cost.scratch_bytes >= cost.least_scratch_bytes);
    return cost;
}

static clgrad_workload *open_workload(const clgrad_config *config, clgrad_workload_kind kind)
{
    clgrad_workload *w = NULL;
    ck_ok(clgrad_workload_create(test_device(), config, kind, &w));
    ck_ok(clgrad_workload_run(w));
    ck_ok(clgrad_workload_run(w));
    ck_ok(clgrad_device_finish(test_device()));
    return w;
}

START_TEST(forward)
{
    if (!test_device()) return;
    clgrad_config *config = network("loss=mse");
    clgrad_workload *w = open_workload(config, CLGRAD_WORKLOAD_FORWARD);
    const clgrad_cost cost = cost_of(w, 0, "each call");
    ck_assert_double_eq(cost.least_bytes, 4 * (BATCH * INPUTS + PARAMETERS + BATCH * OUTPUTS));
    ck_assert_double_eq(cost.flops, forward_products + BATCH * (2 * HIDDEN + OUTPUTS)); /* biases and max */
    ck_assert_ptr_null(clgrad_workload_function(w, 1, NULL));
    clgrad_workload_release(&w), clgrad_workload_release(&w);
    clgrad_config_release(&config);
}
END_TEST

/* The gradient takes two more products a layer, but none for the first layer's input; a step reads and writes the parameters besides. */
START_TEST(gradient_and_step)
{
    if (!test_device()) return;
    clgrad_config *config = network("loss=mse");
    const double products = 2 * forward_products + 2.0 * BATCH * HIDDEN * OUTPUTS;
    clgrad_workload *w = open_workload(config, CLGRAD_WORKLOAD_GRADIENT);
    clgrad_cost cost = cost_of(w, 0, "each call");
    ck_assert(cost.flops > products && cost.flops < 1.2 * products);
    ck_assert_double_eq(cost.least_bytes, 4 * (BATCH * (INPUTS + OUTPUTS + 1) + 2 * PARAMETERS + 1));
    clgrad_workload_release(&w);

    w = open_workload(config, CLGRAD_WORKLOAD_STEP);
    cost = cost_of(w, 0, "each step");
    ck_assert(cost.flops > products && cost.flops < 1.4 * products);
    ck_assert_ptr_null(clgrad_workload_function(w, 1, NULL));
    for (int i = 0; i < 20; i++) ck_ok(clgrad_workload_run(w)); /* the data are gone through more than once */
    clgrad_workload_release(&w);

    train_set(config, "train.accumulate=3");
    w = open_workload(config, CLGRAD_WORKLOAD_STEP);
    cost_of(w, 0, "each batch"), cost_of(w, 1, "each update");
    clgrad_workload_release(&w);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(products)
{
    if (!test_device()) return;
    clgrad_config *config = network("model.activation=tanh");
    clgrad_workload *w = open_workload(config, CLGRAD_WORKLOAD_HVP);
    const clgrad_cost each = cost_of(w, 0, "each product"), once = cost_of(w, 1, "once at a point");
    ck_assert(each.flops > 2 * forward_products && once.flops > forward_products);
    ck_assert_ptr_null(clgrad_workload_function(w, 2, NULL));
    clgrad_workload_release(&w);
    w = open_workload(config, CLGRAD_WORKLOAD_GNVP);
    const clgrad_cost gauss_newton = cost_of(w, 0, "each product");
    ck_assert(gauss_newton.flops < each.flops && gauss_newton.flops > forward_products);
    clgrad_workload_release(&w);
    train_set(config, "model.dropout=0.5"); /* draws are inputs of their own */
    w = open_workload(config, CLGRAD_WORKLOAD_GRADIENT);
    clgrad_workload_release(&w);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(every_loss)
{
    if (!test_device()) return;
    clgrad_config *config = network("optimizer.name=adam");
    const clgrad_loss_info *loss;
    for (size_t i = 0; (loss = clgrad_loss_get(i)) != NULL; i++) {
        char assignment[64];
        snprintf(assignment, sizeof assignment, "loss=%s", loss->name);
        train_set(config, assignment);
        clgrad_workload *w = open_workload(config, CLGRAD_WORKLOAD_STEP);
        clgrad_workload_release(&w);
    }
    clgrad_config_release(&config);
}
END_TEST

START_TEST(bad_input)
{
    if (!test_device()) return;
    clgrad_workload *w = NULL;
    clgrad_config *config = network("loss=mse");
    train_expect(clgrad_workload_create(test_device(), config, (clgrad_workload_kind)17, &w), CLGRAD_E_ARG, "kind 17");
    train_set(config, "model.layers=20-x");
    train_expect(clgrad_workload_create(test_device(), config, CLGRAD_WORKLOAD_STEP, &w), CLGRAD_E_CONFIG, "20-x");
    train_set(config, "model.layers=");
    train_expect(clgrad_workload_create(test_device(), config, CLGRAD_WORKLOAD_FORWARD, &w), CLGRAD_E_CONFIG, "model.layers");
    train_set(config, "model.layers=20-5");
    train_set(config, "optimizer.momentum=0.5"); /* plain SGD has none */
    train_expect(clgrad_workload_create(test_device(), config, CLGRAD_WORKLOAD_STEP, &w), CLGRAD_E_CONFIG, "momentum");
    train_set(config, "model.layers=20-900000000-900000000-5");
    train_expect(clgrad_workload_create(test_device(), config, CLGRAD_WORKLOAD_GRADIENT, &w), CLGRAD_E_MEMORY, "memory");
    ck_assert_ptr_null(w);
    clgrad_config_release(&config);
}
END_TEST

Suite *workload_suite(void)
{
    Suite *suite = suite_create("workloads");
    TCase *tests = tcase_create("workloads");
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, forward);
    tcase_add_test(tests, gradient_and_step);
    tcase_add_test(tests, products);
    tcase_add_test(tests, every_loss);
    tcase_add_test(tests, bad_input);
    suite_add_tcase(suite, tests);
    return suite;
}
