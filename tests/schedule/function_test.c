/* Calling compiled graphs. */

#include "schedule/schedule.h"
#include "schedule/suites.h"
#include "support/device.h"

enum { N = 1000 };

/* y = a x + b, s = sum y */
static clgrad_graph *affine(clgrad_context *ctx)
{
    clgrad_graph *g = NULL;
    ck_ok(clgrad_graph_create(ctx, &g));
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(N)), a = clgrad_input(g, "a", CLGRAD_F32, CLGRAD_SCALAR);
    const clgrad_node y = clgrad_offset(g, clgrad_mul(g, a, x), 1);
    ck_ok(clgrad_output(g, "x", y));
    ck_ok(clgrad_output(g, "s", clgrad_sum(g, y, CLGRAD_ALL_AXES, false)));
    return g;
}

static clgrad_tensor *numbers(clgrad_device *dev, float value)
{
    float values[N];
    clgrad_tensor *tensor = NULL;
    for (int i = 0; i < N; i++) values[i] = value * (float)i;
    ck_ok(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(N), values, sizeof values, &tensor));
    return tensor;
}

static clgrad_tensor *scalar(clgrad_device *dev, float value)
{
    clgrad_tensor *tensor = NULL;
    ck_ok(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SCALAR, &value, sizeof value, &tensor));
    return tensor;
}

static float element(clgrad_tensor *tensor, int i)
{
    float values[N];
    ck_ok(clgrad_tensor_read(tensor, values, clgrad_tensor_bytes(tensor)));
    return values[i];
}

START_TEST(calls_write_and_create_outputs)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    clgrad_graph *g = affine(test_context());
    clgrad_function *f = NULL;
    clgrad_function_options options = CLGRAD_FUNCTION_OPTIONS_INIT;
    options.no_fusion = _i == 1;
    ck_ok(clgrad_function_create(dev, g, &options, &f));
    ck_assert_ptr_eq(clgrad_function_graph(f), g);
    clgrad_tensor *in[] = { numbers(dev, 1), scalar(dev, 2) }, *out[] = { numbers(dev, 0), NULL };
    clgrad_event *event = NULL;
    ck_ok(clgrad_function_call(f, in, out, 0, NULL, &event));
    ck_ok(clgrad_event_wait(event));
    ck_assert_float_eq(element(out[0], 7), 15);
    ck_assert_float_eq(element(out[1], 0), 2 * N * (N - 1) / 2 + N);
    ck_ok(clgrad_function_call(f, in, out, 1, &event, NULL));
    clgrad_event_release(&event);
    for (int i = 0; i < 2; i++) clgrad_tensor_release(&in[i]), clgrad_tensor_release(&out[i]);
    clgrad_function_release(&f), clgrad_graph_release(&g);
}
END_TEST

START_TEST(donated_inputs_hold_the_next_value)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    clgrad_graph *g = affine(test_context());
    clgrad_function *f = NULL;
    ck_ok(clgrad_function_create_updating(dev, g, NULL, &f));
    clgrad_tensor *in[] = { numbers(dev, 1), scalar(dev, 2) }, *out[] = { in[0], NULL };
    for (int i = 0; i < 3; i++) ck_ok(clgrad_function_call(f, in, out, 0, NULL, NULL));
    ck_assert_float_eq(element(in[0], 5), 2 * (2 * (2 * 5 + 1) + 1) + 1);
    clgrad_tensor_release(&in[0]), clgrad_tensor_release(&in[1]), clgrad_tensor_release(&out[1]);
    clgrad_function_release(&f), clgrad_graph_release(&g);
}
END_TEST

START_TEST(operands_that_do_not_fit)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    clgrad_graph *g = affine(test_context());
    clgrad_function *f = NULL;
    clgrad_function_options options = CLGRAD_FUNCTION_OPTIONS_INIT;
    options.struct_size = 1;
    ck_assert_int_eq(clgrad_function_create(dev, g, &options, &f), CLGRAD_E_ARG);
    ck_ok(clgrad_function_create(dev, g, NULL, &f));
    clgrad_tensor *x = numbers(dev, 1), *a = scalar(dev, 2), *out[] = { NULL, NULL };
    clgrad_tensor *missing[] = { x, NULL }, *swapped[] = { a, x }, *good[] = { x, a };
    ck_assert_int_eq(clgrad_function_call(f, missing, out, 0, NULL, NULL), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "'a'"));
    ck_assert_int_eq(clgrad_function_call(f, swapped, out, 0, NULL, NULL), CLGRAD_E_SHAPE);
    ck_assert(!out[0] && !out[1]);
    clgrad_tensor *overlap[] = { x, NULL };
    ck_assert_int_gt(clgrad_function_call(f, good, overlap, 0, NULL, NULL), 0); /* x is not donated to it */
    ck_assert_ptr_null(overlap[1]);
    clgrad_tensor_release(&x), clgrad_tensor_release(&a);
    clgrad_function_release(&f), clgrad_graph_release(&g);
}
END_TEST

/* A positive status means that nothing changed, also where an input is overwritten and an event is wanted at the end. */
START_TEST(refused_memory_enqueues_nothing)
{
    if (!test_device()) return;
    test_memory memory = { 0 };
    clgrad_context *ctx = test_memory_context(&memory);
    clgrad_device *dev = NULL;
    ck_ok(clgrad_device_open(ctx, NULL, &dev));
    clgrad_graph *g = affine(ctx);
    clgrad_function *f = NULL;
    clgrad_function_options options = CLGRAD_FUNCTION_OPTIONS_INIT;
    options.donated = (const uint32_t[]){ 1, 0 };
    ck_ok(clgrad_function_create(dev, g, &options, &f));
    clgrad_tensor *in[] = { numbers(dev, 1), scalar(dev, 2) }, *room[] = { scalar(dev, 0), scalar(dev, 0) };
    clgrad_tensor_release(&room[0]), clgrad_tensor_release(&room[1]); /* the pool has grown: each try asks alike */
    size_t k = 0;
    for (clgrad_status status = CLGRAD_E_MEMORY; status != CLGRAD_OK;) {
        clgrad_tensor *out[] = { in[0], NULL };
        clgrad_event *event = NULL;
        memory.fail_at = memory.requests + ++k;
        status = clgrad_function_call(f, in, out, 0, NULL, &event);
        memory.fail_at = 0;
        ck_assert_msg(status == CLGRAD_OK || status == CLGRAD_E_MEMORY, "%s", clgrad_error_text(ctx));
        ck_assert_float_eq(element(in[0], 7), status == CLGRAD_OK ? 15 : 7);
        ck_assert((event != NULL) == (status == CLGRAD_OK) && (out[1] != NULL) == (status == CLGRAD_OK));
        clgrad_event_release(&event), clgrad_tensor_release(&out[1]);
    }
    ck_assert_uint_gt(k, 3); /* the output, its buffer, the event */
    clgrad_tensor_release(&in[0]), clgrad_tensor_release(&in[1]);
    clgrad_function_release(&f), clgrad_graph_release(&g);
    clgrad_device_release(&dev), clgrad_context_release(&ctx);
    ck_assert_uint_eq(memory.live, 0);
}
END_TEST

/* A refusal while the times are kept costs one time, not the run. */
START_TEST(refused_memory_while_timing)
{
    if (!test_device()) return;
    test_memory memory = { 0 };
    clgrad_context *ctx = test_memory_context(&memory);
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    options.profiling = true;
    clgrad_device *dev = NULL;
    ck_ok(clgrad_device_open(ctx, &options, &dev));
    clgrad_graph *g = affine(ctx);
    clgrad_function *f = NULL;
    clgrad_tensor *in[] = { numbers(dev, 1), scalar(dev, 2) }, *out[] = { NULL, NULL };
    ck_ok(clgrad_function_create(dev, g, NULL, &f));
    ck_ok(clgrad_function_call(f, in, out, 0, NULL, NULL));
    size_t refusals = 0;
    for (size_t k = 1, struck = 1; struck; k++) {
        double seconds[16], wall = 0;
        memory.fail_at = memory.requests + k;
        const clgrad_status status = clgrad_function_time(f, 2, seconds, &wall);
        struck = memory.requests >= memory.fail_at;
        memory.fail_at = 0;
        ck_assert_msg(status == (k <= 3 ? CLGRAD_E_MEMORY : CLGRAD_OK), "refusal %d: %s", (int)k, clgrad_error_text(ctx));
        ck_assert(struck || (seconds[0] >= 0 && wall > 0));
        refusals += struck;
    }
    ck_assert_uint_gt(refusals, 3);
    for (int i = 0; i < 2; i++) clgrad_tensor_release(&in[i]), clgrad_tensor_release(&out[i]);
    clgrad_function_release(&f), clgrad_graph_release(&g);
    clgrad_device_release(&dev), clgrad_context_release(&ctx);
    ck_assert_uint_eq(memory.live, 0);
}
END_TEST

START_TEST(broken_graphs_are_refused)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    clgrad_graph *g = affine(test_context());
    clgrad_function *f = NULL;
    clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SCALAR); /* the name is taken */
    ck_assert_int_eq(clgrad_function_create(dev, g, NULL, &f), CLGRAD_E_ARG);
    ck_assert_ptr_null(f);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(functions_explain_themselves)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    clgrad_graph *g = affine(test_context());
    clgrad_function *f = NULL;
    char *text = NULL;
    ck_ok(clgrad_function_create(dev, g, NULL, &f));
    ck_ok(clgrad_function_explain(f, &text));
    ck_assert_uint_gt(strlen(text), 0);
    clgrad_function_text_release(f, &text);
    ck_assert_ptr_null(text);
    clgrad_cost cost;
    clgrad_launch_info launch;
    clgrad_operand_info operand;
    ck_ok(clgrad_function_cost(f, &cost));
    ck_ok(clgrad_function_launch(f, cost.num_launches - 1, &launch));
    ck_ok(clgrad_function_operand(f, cost.num_launches - 1, launch.num_operands - 1, &operand));
    ck_assert(cost.bytes >= launch.read_bytes + launch.written_bytes && launch.written_bytes >= operand.written_bytes);
    ck_assert_int_eq(clgrad_function_launch(f, cost.num_launches, &launch), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_function_operand(f, 0, SIZE_MAX, &operand), CLGRAD_E_ARG);
    clgrad_function *second = clgrad_function_retain(f);
    clgrad_function_release(&f), clgrad_function_release(&second);
    clgrad_graph_release(&g);
}
END_TEST

/* In place, x doubles and grows by 1 with each run: one that is not counted, then three. */
START_TEST(functions_time_their_launches)
{
    if (!test_device()) return;
    clgrad_device_options device_options = CLGRAD_DEVICE_OPTIONS_INIT;
    device_options.profiling = true;
    clgrad_device *dev = NULL;
    ck_ok(clgrad_device_open(test_context(), &device_options, &dev));
    clgrad_graph *g = affine(test_context());
    clgrad_function *f = NULL;
    clgrad_function_options options = CLGRAD_FUNCTION_OPTIONS_INIT;
    options.donated = (uint32_t[]){ 1, 0 };
    ck_ok(clgrad_function_create(dev, g, &options, &f));
    clgrad_cost cost;
    ck_ok(clgrad_function_cost(f, &cost));
    double seconds[16], wall = 0, sum = 0;
    ck_assert_uint_le(cost.num_launches, 16);
    ck_assert_int_eq(clgrad_function_time(f, 3, seconds, &wall), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "last call"));
    clgrad_tensor *in[] = { numbers(dev, 1), scalar(dev, 2) }, *out[] = { in[0], NULL };
    ck_ok(clgrad_function_call(f, in, out, 0, NULL, NULL));
    ck_assert_int_eq(clgrad_function_time(f, 0, seconds, &wall), CLGRAD_E_ARG);
    ck_ok(clgrad_function_time(f, 3, seconds, &wall));
    for (size_t i = 0; i < cost.num_launches; i++) sum += seconds[i];
    ck_assert_msg(sum > 0 && sum < 2 * wall, "launches take %g s of %g s", sum, wall);
    ck_assert_float_eq(element(in[0], 3), 32 * 3 + 31);
    clgrad_tensor_release(&in[0]), clgrad_tensor_release(&in[1]), clgrad_tensor_release(&out[1]);
    clgrad_function_release(&f);
    clgrad_device_release(&dev);

    clgrad_tensor *plain[] = { numbers(test_device(), 1), scalar(test_device(), 2) }, *made[] = { NULL, NULL };
    ck_ok(clgrad_function_create(test_device(), g, NULL, &f));
    ck_ok(clgrad_function_call(f, plain, made, 0, NULL, NULL));
    ck_assert_int_eq(clgrad_function_time(f, 3, seconds, &wall), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "profiling"));
    for (int i = 0; i < 2; i++) clgrad_tensor_release(&plain[i]), clgrad_tensor_release(&made[i]);
    clgrad_function_release(&f);
    clgrad_graph_release(&g);
}
END_TEST

Suite *function_suite(void)
{
    Suite *suite = suite_create("function");
    TCase *tests = tcase_create("function");
    tcase_add_loop_test(tests, calls_write_and_create_outputs, 0, 2);
    tcase_add_test(tests, donated_inputs_hold_the_next_value);
    tcase_add_test(tests, operands_that_do_not_fit);
    tcase_add_test(tests, refused_memory_enqueues_nothing);
    tcase_add_test(tests, refused_memory_while_timing);
    tcase_add_test(tests, broken_graphs_are_refused);
    tcase_add_test(tests, functions_explain_themselves);
    tcase_add_test(tests, functions_time_their_launches);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
