/* What optimizers refuse, and with which words. */

#include "optim/fixture.h"

#include <string.h>

static void refuse(quadratic *q, const clgrad_optimizer_options *options, clgrad_status status, const char *words)
{
    clgrad_optimizer *opt = NULL;
    ck_assert_int_eq(clgrad_optimizer_create(q->dev, q->f, 0, 2, q->initial, options, &opt), status);
    ck_assert_ptr_null(opt);
    ck_assert_msg(strstr(clgrad_error_text(q->ctx), words) != NULL, "'%s' lacks '%s'", clgrad_error_text(q->ctx), words);
}

#define WITH(statement, status, words)                                        \
    do {                                                                      \
        clgrad_optimizer_options o = CLGRAD_OPTIMIZER_OPTIONS_INIT;           \
        statement;                                                            \
        refuse(&q, &o, CLGRAD_##status, words);                               \
    } while (0)

START_TEST(options_outside_their_range)
{
    quadratic q;
    clgrad_group_options groups[CLGRAD_MAX_GROUPS + 1] = { CLGRAD_GROUP_OPTIONS_INIT };
    if (!quadratic_open(&q)) return;
    WITH(o.rule = "adamm", E_ARG, "did you mean 'adam'");
    WITH(o.rule = NULL, E_ARG, "no optimizer");
    WITH(o.struct_size = 3, E_ARG, "struct_size");
    WITH(o.lr = -1, E_ARG, "lr");
    WITH(o.lr = INFINITY, E_ARG, "lr");
    WITH(o.momentum = 0.5, E_ARG, "'sgd' takes no momentum");
    WITH((o.rule = "momentum", o.momentum = 1.5), E_ARG, "momentum");
    WITH(o.clip_norm = -1, E_ARG, "clip_norm");
    WITH(o.clip_value = NAN, E_ARG, "clip_value");
    WITH(o.loss_scale = 3, E_ARG, "loss_scale is 3");
    WITH(o.loss_scale = 0x1p31, E_ARG, "loss_scale");
    WITH(o.loss_scale = -2, E_ARG, "loss_scale");
    WITH((o.loss_scale = 2, o.loss_scale_window = -1), E_ARG, "loss_scale_window");
    WITH(o.lr_schedule.period = 0, E_ARG, "learning rate");
    WITH(o.momentum_schedule.factor = -1, E_ARG, "momentum");
    WITH(o.lr_schedule.kind = CLGRAD_SCHEDULE_COUNT, E_ARG, "schedule kind");
    WITH((o.groups = groups, o.num_groups = CLGRAD_MAX_GROUPS + 1), E_ARG, "groups");
    groups[0].lr = -3;
    WITH((o.groups = groups, o.num_groups = 1), E_ARG, "group");
    groups[0] = (clgrad_group_options)CLGRAD_GROUP_OPTIONS_INIT;
    groups[0].frozen = true;
    WITH((o.groups = groups, o.num_groups = 1), E_ARG, "frozen");
    groups[0].match = NULL;
    WITH((o.groups = groups, o.num_groups = 1), E_ARG, "pattern");
    quadratic_close(&q);
}
END_TEST

START_TEST(operands_that_do_not_fit)
{
    quadratic q;
    clgrad_optimizer *opt = NULL;
    if (!quadratic_open(&q)) return;
    clgrad_tensor *swapped[] = { q.initial[1], q.initial[0] }, *missing[] = { q.initial[0], NULL };
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, q.f, 0, 2, swapped, NULL, &opt), CLGRAD_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(q.ctx), "layer.a"));
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, q.f, 0, 2, missing, NULL, &opt), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, q.f, 1, 2, q.initial, NULL, &opt), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, q.f, 0, 0, q.initial, NULL, &opt), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, q.f, 0, 5, q.initial, NULL, &opt), CLGRAD_E_ARG);
    ck_ok(clgrad_optimizer_create(q.dev, q.f, 0, 2, q.initial, NULL, &opt));
    ck_assert_int_eq(clgrad_optimizer_step(opt, missing, 0, NULL, NULL), CLGRAD_E_ARG);
    clgrad_tensor *wrong[] = { q.targets[0], q.targets[0] };
    ck_assert_int_eq(clgrad_optimizer_step(opt, wrong, 0, NULL, NULL), CLGRAD_E_SHAPE);
    ck_ok(clgrad_optimizer_step(opt, q.targets, 0, NULL, NULL));
    clgrad_optimizer_release(&opt);
    quadratic_close(&q);
}
END_TEST

START_TEST(functions_that_cannot_be_minimised)
{
    quadratic q;
    clgrad_optimizer *opt = NULL;
    if (!quadratic_open(&q)) return;
    clgrad_graph *g = NULL;
    ck_ok(clgrad_graph_create(q.ctx, &g));
    const clgrad_node p = clgrad_input(g, "p", CLGRAD_F32, CLGRAD_SHAPE(NUM_A));
    const clgrad_node step = clgrad_input(g, "hyper.stepp", CLGRAD_I64, CLGRAD_SCALAR);
    ck_ok(clgrad_output(g, "vector", p));
    ck_ok(clgrad_output(g, "integer", step));
    const clgrad_node sum = clgrad_sum(g, clgrad_square(g, p), CLGRAD_ALL_AXES, false);
    ck_ok(clgrad_output(g, "sum", clgrad_mul(g, sum, clgrad_cast(g, step, CLGRAD_F32))));
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, g, 0, 1, q.initial, NULL, &opt), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, g, 1, 1, q.initial, NULL, &opt), CLGRAD_E_DTYPE);
    ck_assert_int_eq(clgrad_optimizer_create(q.dev, g, 2, 1, q.initial, NULL, &opt), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(q.ctx), "hyper.stepp"));
    clgrad_graph_release(&g);
    quadratic_close(&q);
}
END_TEST

Suite *misuse_suite(void)
{
    Suite *suite = suite_create("misuse");
    TCase *tests = tcase_create("misuse");
    tcase_add_test(tests, options_outside_their_range);
    tcase_add_test(tests, operands_that_do_not_fit);
    tcase_add_test(tests, functions_that_cannot_be_minimised);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
