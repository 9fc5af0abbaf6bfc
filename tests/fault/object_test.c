/* Functions, operators and optimizers are made and used while each allocation and each OpenCL call fails once. After a
 * positive status the same step on the same objects gives the bits of the undisturbed run; after a negative one fresh
 * objects do. */

#define _GNU_SOURCE /* setenv */

#include "fault/fault.h"

#include "clgrad/train.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 5, COLUMNS = 33, MAX_TENSORS = 8, MAX_RESULT = 2048 };

/* Whatever a program holds. Steps make what is still missing, so that they can be repeated. */
typedef struct objects {
    clgrad_graph *f, *gradient;
    clgrad_tensor *in[MAX_TENSORS], *views[MAX_TENSORS], *out[MAX_TENSORS], *again[MAX_TENSORS];
    clgrad_function *function;
    clgrad_operator *hessian, *jacobian;
    clgrad_optimizer *opt;
    clgrad_config *config;
    clgrad_workload *workload;
    clgrad_event *event;
    int steps;
    float result[MAX_RESULT];
    size_t used;
} objects;

typedef clgrad_status (*step)(fault_world *world, objects *o);

static void release(objects *o)
{
    clgrad_event_release(&o->event);
    clgrad_optimizer_release(&o->opt);
    clgrad_workload_release(&o->workload);
    clgrad_config_release(&o->config);
    clgrad_operator_release(&o->hessian);
    clgrad_operator_release(&o->jacobian);
    clgrad_function_release(&o->function);
    for (size_t i = 0; i < MAX_TENSORS; i++) {
        clgrad_tensor_release(&o->views[i]), clgrad_tensor_release(&o->in[i]);
        clgrad_tensor_release(&o->out[i]), clgrad_tensor_release(&o->again[i]);
    }
    clgrad_graph_release(&o->gradient);
    clgrad_graph_release(&o->f);
}

/* --- steps that all programs begin with --- */

/* loss = mean of (tanh(W x) - y)^2: a product, an element-wise chain, a sum. */
static clgrad_status build(fault_world *world, objects *o)
{
    clgrad_graph_release(&o->f); /* an error sticks to a graph: a new one is made */
    CLGRAD_TRY(clgrad_graph_create(world->ctx, &o->f));
    const clgrad_node w = clgrad_input(o->f, "w", CLGRAD_F32, CLGRAD_SHAPE(ROWS, COLUMNS));
    const clgrad_node x = clgrad_input(o->f, "x", CLGRAD_F32, CLGRAD_SHAPE(COLUMNS, 3));
    const clgrad_node y = clgrad_input(o->f, "y", CLGRAD_F32, CLGRAD_SHAPE(ROWS, 3));
    const clgrad_node error = clgrad_sub(o->f, clgrad_tanh(o->f, clgrad_matmul(o->f, w, x, false, false)), y);
    clgrad_output(o->f, "loss", clgrad_mean(o->f, clgrad_square(o->f, error), CLGRAD_ALL_AXES, false));
    return clgrad_graph_status(o->f);
}

/* The same without a product: fewer launches, so that what is made of it is played in a second. */
static clgrad_status build_small(fault_world *world, objects *o)
{
    clgrad_graph_release(&o->f);
    CLGRAD_TRY(clgrad_graph_create(world->ctx, &o->f));
    const clgrad_node w = clgrad_input(o->f, "w", CLGRAD_F32, CLGRAD_SHAPE(ROWS, COLUMNS));
    const clgrad_node x = clgrad_input(o->f, "x", CLGRAD_F32, CLGRAD_SHAPE(COLUMNS, 3));
    const clgrad_node y = clgrad_input(o->f, "y", CLGRAD_F32, CLGRAD_SHAPE(ROWS, 3));
    const clgrad_node column = clgrad_slice(o->f, x, (int64_t[]){ 0, 1 }, (int64_t[]){ COLUMNS, 1 }, NULL);
    const clgrad_node product = clgrad_mul(o->f, w, clgrad_transpose(o->f, column));
    const clgrad_node bias = clgrad_slice(o->f, y, (int64_t[]){ 0, 2 }, (int64_t[]){ ROWS, 1 }, NULL);
    clgrad_output(o->f, "loss", clgrad_sum(o->f, clgrad_square(o->f, clgrad_add(o->f, product, bias)), CLGRAD_ALL_AXES, false));
    return clgrad_graph_status(o->f);
}

static const int64_t counts[] = { ROWS * COLUMNS, COLUMNS * 3, ROWS * 3, ROWS * COLUMNS };

static clgrad_shape shape_of(size_t i)
{
    return i == 1 ? CLGRAD_SHAPE(COLUMNS, 3) : i == 2 ? CLGRAD_SHAPE(ROWS, 3) : CLGRAD_SHAPE(ROWS, COLUMNS);
}

/* w, x, y and a direction for w; each with 7 elements in front that the first use skips. */
static clgrad_status upload(fault_world *world, objects *o)
{
    for (size_t i = 0; i < CLGRAD_COUNT(counts); i++) {
        float values[ROWS * COLUMNS + 7];
        const size_t count = (size_t)counts[i] + 7;
        for (size_t k = 0; k < count; k++) values[k] = (float)((k * 37 + i * 11) % 101) / 101.0f - 0.5f;
        if (!o->in[i])
            CLGRAD_TRY(clgrad_tensor_create_from(world->dev, CLGRAD_F32, CLGRAD_SHAPE((int64_t)count), values,
                                                 count * sizeof *values, &o->in[i]));
        if (!o->views[i]) CLGRAD_TRY(clgrad_tensor_view(o->in[i], 7, shape_of(i), &o->views[i]));
    }
    return CLGRAD_OK;
}

static clgrad_status move_views(fault_world *world, objects *o)
{
    (void)world;
    for (size_t i = 0; i < CLGRAD_COUNT(counts); i++) {
        clgrad_tensor *moved = NULL;
        CLGRAD_TRY(clgrad_tensor_view(o->in[i], 3, shape_of(i), &moved));
        clgrad_tensor_release(&o->views[i]);
        o->views[i] = moved;
    }
    return CLGRAD_OK;
}

static clgrad_status read_values(objects *o, clgrad_tensor *tensor)
{
    const size_t bytes = clgrad_tensor_bytes(tensor);
    ck_assert_uint_le(o->used + bytes / sizeof(float), MAX_RESULT);
    CLGRAD_TRY(clgrad_tensor_read(tensor, o->result + o->used, bytes));
    o->used += bytes / sizeof(float);
    return CLGRAD_OK;
}

static clgrad_status read_first(fault_world *world, objects *o)
{
    (void)world;
    o->used = 0;
    for (size_t i = 0; o->out[i]; i++) CLGRAD_TRY(read_values(o, o->out[i]));
    return CLGRAD_OK;
}

static clgrad_status read_all(fault_world *world, objects *o)
{
    CLGRAD_TRY(read_first(world, o));
    for (size_t i = 0; o->again[i]; i++) CLGRAD_TRY(read_values(o, o->again[i]));
    return CLGRAD_OK;
}

/* --- a function --- */

static clgrad_status differentiate(fault_world *world, objects *o)
{
    (void)world;
    return clgrad_gradient(o->f, 0, 2, (size_t[]){ 0, 1 }, &o->gradient);
}

static clgrad_status compile(fault_world *world, objects *o)
{
    return clgrad_function_create(world->dev, o->gradient, NULL, &o->function);
}

static clgrad_status call(fault_world *world, objects *o)
{
    (void)world;
    return clgrad_function_call(o->function, o->views, o->out, 0, NULL, &o->event);
}

static clgrad_status await_event(fault_world *world, objects *o)
{
    (void)world;
    return clgrad_event_wait(o->event);
}

static clgrad_status call_again(fault_world *world, objects *o)
{
    (void)world;
    return clgrad_function_call(o->function, o->views, o->again, 1, &o->event, NULL);
}

/* --- operators --- */

static clgrad_status make_hessian(fault_world *world, objects *o)
{
    return clgrad_hessian_create(world->dev, o->f, 0, 1, (size_t[]){ 0 }, o->views, &o->hessian);
}

static clgrad_status apply_hessian(fault_world *world, objects *o)
{
    (void)world;
    return clgrad_operator_apply(o->hessian, &o->views[3], &o->out[0], 0, NULL, NULL);
}

static clgrad_status move_point(fault_world *world, objects *o)
{
    CLGRAD_TRY(move_views(world, o));
    return clgrad_operator_set_point(o->hessian, o->views);
}

static clgrad_status apply_again(fault_world *world, objects *o)
{
    (void)world;
    return clgrad_operator_apply(o->hessian, &o->views[3], &o->again[0], 0, NULL, NULL);
}

static clgrad_status make_jacobian(fault_world *world, objects *o)
{
    return clgrad_jacobian_create(world->dev, o->f, 0, 1, (size_t[]){ 0 }, o->views, &o->jacobian);
}

static clgrad_status apply_jacobian(fault_world *world, objects *o)
{
    (void)world;
    CLGRAD_TRY(clgrad_operator_apply(o->jacobian, &o->views[3], &o->out[1], 0, NULL, NULL));
    return clgrad_operator_apply_transpose(o->jacobian, &o->out[1], &o->out[2], 0, NULL, NULL);
}

static clgrad_status move_jacobian(fault_world *world, objects *o)
{
    CLGRAD_TRY(move_views(world, o));
    CLGRAD_TRY(clgrad_operator_set_point(o->jacobian, o->views));
    return clgrad_operator_apply_transpose(o->jacobian, &o->out[1], &o->again[1], 0, NULL, NULL);
}

static clgrad_status apply_block(fault_world *world, objects *o)
{
    (void)world;
    const clgrad_shape shape = clgrad_tensor_shape(o->views[3]);
    clgrad_shape block = { .rank = shape.rank + 1, .dims = { 1 } };
    for (int32_t d = 0; d < shape.rank; d++) block.dims[d + 1] = shape.dims[d];
    if (!o->views[4]) CLGRAD_TRY(clgrad_tensor_view(o->views[3], 0, block, &o->views[4]));
    return clgrad_operator_apply_block(o->hessian, 1, &o->views[4], &o->again[2], 0, NULL, NULL);
}

/* --- optimizers --- */

static clgrad_status make_optimizer(fault_world *world, objects *o)
{
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = "adam";
    options.clip_norm = 0.01;
    return clgrad_optimizer_create(world->dev, o->f, 0, 1, o->views, &options, &o->opt);
}

static clgrad_status make_accumulating(fault_world *world, objects *o)
{
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = "momentum";
    options.accumulate = 2;
    options.loss_scale = 1024;
    return clgrad_optimizer_create(world->dev, o->f, 0, 1, o->views, &options, &o->opt);
}

static clgrad_status make_steps(fault_world *world, objects *o)
{
    (void)world;
    for (; o->steps < 4; o->steps += 2) {
        clgrad_event_release(&o->event);
        CLGRAD_TRY(clgrad_optimizer_steps(o->opt, 2, &o->views[1], 0, NULL, &o->event));
    }
    return CLGRAD_OK;
}

static clgrad_status read_optimizer(fault_world *world, objects *o)
{
    (void)world;
    double loss = 0;
    o->used = 0;
    CLGRAD_TRY(clgrad_optimizer_loss(o->opt, &loss));
    o->result[o->used++] = (float)loss;
    o->result[o->used++] = (float)clgrad_optimizer_updates(o->opt);
    CLGRAD_TRY(read_values(o, clgrad_optimizer_parameter(o->opt, 0)));
    for (size_t i = 0; clgrad_optimizer_state(o->opt, 0, i, NULL); i++)
        CLGRAD_TRY(read_values(o, clgrad_optimizer_state(o->opt, 0, i, NULL)));
    return clgrad_optimizer_scaling(o->opt) ? read_values(o, clgrad_optimizer_scaling(o->opt)) : CLGRAD_OK;
}

/* --- what functions say of themselves --- */

static clgrad_status ask_about(clgrad_function *f, objects *o)
{
    clgrad_cost cost;
    clgrad_launch_info launch;
    clgrad_operand_info operand;
    char *text = NULL;
    CLGRAD_TRY(clgrad_function_explain(f, &text));
    clgrad_function_text_release(f, &text);
    CLGRAD_TRY(clgrad_function_cost(f, &cost));
    CLGRAD_TRY(clgrad_function_launch(f, cost.num_launches - 1, &launch));
    CLGRAD_TRY(clgrad_function_operand(f, cost.num_launches - 1, launch.num_operands - 1, &operand));
    o->result[o->used++] = (float)cost.bytes;
    o->result[o->used++] = (float)launch.flops;
    o->result[o->used++] = (float)(operand.read_bytes + operand.written_bytes);
    return CLGRAD_OK;
}

static clgrad_status configure(fault_world *world, objects *o)
{
    static const char *const rows[] = { "model.layers=3-2", "loss=mse", "train.batch=4" };
    clgrad_config_release(&o->config);
    CLGRAD_TRY(clgrad_config_create(world->ctx, &o->config));
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) CLGRAD_TRY(clgrad_config_assign(o->config, rows[i], "test"));
    return CLGRAD_OK;
}

static clgrad_status make_workload(fault_world *world, objects *o)
{
    return clgrad_workload_create(world->dev, o->config, CLGRAD_WORKLOAD_HVP, &o->workload);
}

static clgrad_status run_workload(fault_world *world, objects *o)
{
    (void)world;
    return clgrad_workload_run(o->workload);
}

static clgrad_status ask_workload(fault_world *world, objects *o)
{
    clgrad_function *f;
    o->used = 0;
    for (size_t i = 0; (f = clgrad_workload_function(o->workload, i, NULL)) != NULL; i++) CLGRAD_TRY(ask_about(f, o));
    return clgrad_device_finish(world->dev);
}

/* --- playing them --- */

static const struct program {
    const char *name;
    step steps[12];
} programs[] = {
    { "function", { build, differentiate, upload, compile, call, await_event, read_first, move_views, call_again, read_all } },
    { "operators",
      { build_small, upload, make_hessian, apply_hessian, make_jacobian, apply_jacobian, move_point, apply_again, move_jacobian,
        apply_block, read_all } },
    { "optimizer", { build_small, upload, make_optimizer, make_steps, read_optimizer } },
    { "workload", { configure, make_workload, run_workload, ask_workload } },
    { "accumulating", { build_small, upload, make_accumulating, make_steps, read_optimizer } },
};

/* To the end without a fault, from step `first` on. */
static void finish(fault_world *world, const struct program *p, objects *o, size_t first, const char *after)
{
    for (size_t i = first; p->steps[i]; i++) {
        const clgrad_status status = p->steps[i](world, o);
        ck_assert_msg(status == CLGRAD_OK, "%s after %s: step %zu gave %s: %s", p->name, after, i, clgrad_status_name(status),
                      clgrad_error_text(world->ctx));
    }
}

/* Programs are loaded once for a device, so that a world that lasts costs a tenth. */
static void open_warm(fault_world *world, const struct program *p, objects *o)
{
    fault_world_open(world);
    *o = (objects){ 0 };
    finish(world, p, o, 0, "nothing");
    release(o);
    fault_world_settle(world);
}

static void begin_anew(fault_world *world, const struct program *p, objects *o, clgrad_status status, const char *after)
{
    release(o);
    if (status == CLGRAD_E_DEVICE_LOST) {
        fault_world_close(world);
        open_warm(world, p, o);
    } else {
        fault_world_check(world, after);
    }
    fault_disarm(world);
    *o = (objects){ 0 };
}

/* False once k is past the last event. */
static bool play(fault_world *world, const struct program *p, fault_kind kind, size_t k, const objects *want)
{
    objects o = { 0 };
    char after[200];
    clgrad_status status = CLGRAD_OK;
    size_t i = 0;
    fault_arm(world, kind, k);
    for (; p->steps[i]; i++)
        if ((status = p->steps[i](world, &o)) != CLGRAD_OK) break;
    const bool struck = fault_struck(world, kind);
    snprintf(after, sizeof after, "%s in step %zu, %s", fault_name(world, kind), i, clgrad_status_name(status));
    if (status != CLGRAD_OK) {
        fault_check(world, kind, status);
        if (status < 0 || kind == FAULT_ALLOCATIONS) begin_anew(world, p, &o, status, after), i = 0;
        fault_disarm(world);
        finish(world, p, &o, i, after);
    }
    fault_disarm(world);
    ck_assert_uint_eq(o.used, want->used);
    ck_assert_msg(memcmp(o.result, want->result, o.used * sizeof *o.result) == 0, "%s: other bits after %s", p->name, after);
    release(&o);
    fault_world_check(world, after);
    return struck;
}

START_TEST(each_point_fails)
{
    if (!fault_possible()) return;
    const struct program *p = &programs[_i / FAULT_KIND_COUNT];
    const fault_kind kind = _i % FAULT_KIND_COUNT;
    fault_world world;
    objects want;
    /* Without the retry, refusing all that follows finds little that refusing one does not. */
    const size_t stride = test_is_long() || kind == FAULT_CALL ? 1 : (kind == FAULT_ALLOCATIONS ? 7 : 1) * (test_is_short() ? 5 : 1);
    size_t k = 1;
    open_warm(&world, p, &want);
    while (play(&world, p, kind, k, &want)) k += stride;
    fault_world_close(&world);
    if (getenv("CLGRAD_TEST_VERBOSE")) printf("%s: fault %d, %zu points\n", p->name, (int)kind, k / stride);
    ck_assert_uint_ge(k, 30);
}
END_TEST

/* --- the first use of a program --- */

static clgrad_status compile_value(fault_world *world, objects *o)
{
    return clgrad_function_create(world->dev, o->f, NULL, &o->function);
}

enum { FIRST_FAILING = 2 }; /* step: graph and tensors are there */
static const struct program first_use = { "first use", { build_small, upload, compile_value, call, await_event, read_first } };

/* On a device that has no program yet. False once k is past the last event. */
static bool play_first_use(fault_kind kind, size_t k, objects *o)
{
    const struct program *p = &first_use;
    fault_world world;
    char after[200];
    clgrad_status status = CLGRAD_OK;
    size_t i = 0;
    fault_world_open(&world);
    *o = (objects){ 0 };
    for (; p->steps[i] && status == CLGRAD_OK; i++) {
        if (i == FIRST_FAILING) fault_arm(&world, kind, k);
        status = p->steps[i](&world, o);
    }
    const bool struck = fault_struck(&world, kind);
    snprintf(after, sizeof after, "%s in step %zu, %s", fault_name(&world, kind), i - 1, clgrad_status_name(status));
    if (status != CLGRAD_OK) fault_check(&world, kind, status);
    fault_disarm(&world);
    if (status > 0) finish(&world, p, o, i - 1, after);
    release(o);
    fault_world_close(&world);
    if (status < 0) play_first_use(FAULT_NONE, 0, o);
    return struck;
}

/* Programs come from the cache, or from the compiler where nothing may be stored. */
START_TEST(each_point_of_a_first_use_fails)
{
    if (!fault_possible()) return;
    const fault_kind kind = _i % FAULT_KIND_COUNT;
    const bool stored = _i / FAULT_KIND_COUNT;
    const size_t strides[FAULT_KIND_COUNT] = { [FAULT_ALLOCATION] = 3, [FAULT_ALLOCATIONS] = 13, [FAULT_CALL] = 1 };
    const size_t stride = test_is_long() ? 1 : strides[kind] * (test_is_short() ? 5 : 1);
    objects want, o;
    size_t k = 1;
    if (kind == FAULT_NONE) return;
    if (!stored) setenv("CLGRAD_CACHE", "0", 1);
    for (int i = 0; i < 3; i++) play_first_use(FAULT_NONE, 0, &want); /* a driver's costly binaries are stored when seen again */
    for (bool more = true; more; k += stride) {
        more = play_first_use(kind, k, &o);
        ck_assert_uint_eq(o.used, want.used);
        ck_assert_msg(memcmp(o.result, want.result, o.used * sizeof *o.result) == 0, "fault %d, point %zu: other bits", (int)kind, k);
    }
    unsetenv("CLGRAD_CACHE");
    if (getenv("CLGRAD_TEST_VERBOSE")) printf("first use%s: fault %d, %zu points\n", stored ? ", stored" : "", (int)kind, k / stride);
    ck_assert_uint_ge(k, 15);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 0);
    tcase_add_unchecked_fixture(tests, fault_setup, fault_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

Suite *object_suite(void)
{
    Suite *suite = suite_create("object faults");
    for (int i = 0; i < (int)CLGRAD_COUNT(programs); i++) {
        TCase *tests = add_case(suite, programs[i].name);
        tcase_add_loop_test(tests, each_point_fails, i * FAULT_KIND_COUNT + 1, (i + 1) * FAULT_KIND_COUNT);
    }
    tcase_add_loop_test(add_case(suite, first_use.name), each_point_of_a_first_use_fails, 1, 2 * FAULT_KIND_COUNT);
    return suite;
}
