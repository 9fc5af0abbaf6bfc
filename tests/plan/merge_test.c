/* Launches as parts of one kernel: the same bits, however they are gathered, and nothing gathered that groups would race for. */

#include "plan_case.h"
#include "plan_test.h"

#include "plan/launch.h"
#include "support/cl_join.h"
#include "support/random_graph.h"

#include <math.h>
#include <stdio.h>

#define SUCCEED(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(test_context()))

static const clgrad_plan_options apart = { .merge = CLGRAD_MERGE_GROUPS, .reduce = CLGRAD_VARIANT_CPU, .matmul = CLGRAD_VARIANT_CPU };
static const clgrad_plan_options never = { .merge = CLGRAD_MERGE_NEVER, .reduce = CLGRAD_VARIANT_CPU, .matmul = CLGRAD_VARIANT_CPU };

/* Mesa's llvmpipe leaves long loops and reads memory wrongly where control flow diverges; kernels are merged on no such device. */
static bool can_merge(void)
{
    return test_device() && !strstr(clgrad_device_get_info(test_device())->quirks, "short-loops");
}

/* Oclgrind knows of no order that atomics bring about between groups: to it phases are races. */
static bool simulated(void) { return strstr(clgrad_device_get_info(test_device())->quirks, "simulator"); }

static clgrad_node input(plan_case *c, int64_t rows, int64_t columns)
{
    return plan_case_input(c, CLGRAD_F32, CLGRAD_SHAPE(rows, columns), -1, 1);
}

/* Two layers, a softmax over rows, and the gradients of both layers: rows that go together, then sums over them. */
static void network(plan_case *c, int64_t rows, int64_t in, int64_t hidden, int64_t out)
{
    clgrad_graph *g = c->g;
    const clgrad_node x = input(c, rows, in), w = input(c, hidden, in), v = input(c, hidden, out);
    const clgrad_node h = clgrad_tanh(g, clgrad_matmul(g, x, w, false, true));
    const clgrad_node z = clgrad_matmul(g, h, v, false, false);
    const clgrad_node shifted = clgrad_sub(g, z, clgrad_reduce_max(g, z, CLGRAD_AXIS(1), true));
    const clgrad_node e = clgrad_exp(g, shifted);
    const clgrad_node p = clgrad_div(g, e, clgrad_sum(g, e, CLGRAD_AXIS(1), true));
    const clgrad_node dh = clgrad_mul(g, clgrad_matmul(g, p, v, false, true), h);
    plan_case_output(c, clgrad_matmul(g, h, p, true, false));
    plan_case_output(c, clgrad_matmul(g, dh, x, true, false));
    plan_case_output(c, clgrad_sum(g, dh, CLGRAD_AXIS(0), false));
    plan_case_output(c, clgrad_sum(g, p, CLGRAD_ALL_AXES, false));
}

static clgrad_plan *plan_of(const plan_case *c, const clgrad_plan_options *options)
{
    clgrad_plan *plan;
    SUCCEED(clgrad_plan_create(test_device(), c->g, options, &plan));
    return plan;
}

static size_t num_cut(const clgrad_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->num_launches; i++) count += plan->launches[i].shares > 1;
    return count;
}

START_TEST(networks)
{
    static const int64_t sizes[][4] = { { 64, 20, 24, 10 }, { 100, 17, 33, 7 }, { 37, 8, 16, 16 }, { 131, 5, 9, 3 } };
    if (!can_merge()) return;
    for (size_t i = 0; i < CLGRAD_COUNT(sizes); i++) {
        plan_case c;
        char name[64];
        plan_case_begin(&c, 60 + i);
        network(&c, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
        clgrad_plan *merged = plan_of(&c, &apart), *single = plan_of(&c, &never);
        ck_assert_uint_eq(single->num_kernels, single->num_launches);
        ck_assert_uint_eq(merged->num_launches, single->num_launches);
        ck_assert_uint_lt(merged->num_kernels, merged->num_launches);
        ck_assert_uint_ge(num_cut(merged), 2);
        clgrad_plan_release(&merged);
        clgrad_plan_release(&single);
        snprintf(name, sizeof name, "merged:rows=%d", (int)sizes[i][0]);
        plan_case_check(&c, &apart, 2000, name);
        plan_case_check(&c, NULL, 2000, name);
        plan_case_end(&c);
    }
}
END_TEST

START_TEST(random_graphs)
{
    if (!can_merge()) return;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const random_graph_options options = { .seed = seed, .storage = seed == 3, .dtype = CLGRAD_F32 };
        plan_case c = { .seed = seed };
        char name[64];
        SUCCEED(random_graph_create(test_context(), &options, &c.g));
        c.num_inputs = clgrad_graph_num_inputs(c.g);
        SUCCEED(random_inputs_create(c.g, seed, false, c.inputs));
        snprintf(name, sizeof name, "merged:seed=%d", (int)seed);
        plan_case_check(&c, &apart, 2000, name);
        plan_case_end(&c);
    }
}
END_TEST

/* The kernels that a graph of two launches takes when groups must stay apart. */
static size_t kernels_of(plan_case *c)
{
    clgrad_plan *plan = plan_of(c, &apart);
    ck_assert_uint_eq(plan->num_launches, 2);
    const size_t count = plan->num_kernels;
    clgrad_plan_release(&plan);
    plan_case_end(c);
    return count;
}

/* What a second product reads of the first: its own rows, all of it, its columns; or nothing. */
START_TEST(who_reads_what)
{
    enum { N = 96 };
    if (!can_merge()) return;
    plan_case c;
    plan_case_begin(&c, 1);
    clgrad_node a = clgrad_matmul(c.g, input(&c, N, N), input(&c, N, N), false, false);
    plan_case_output(&c, clgrad_matmul(c.g, a, input(&c, N, N), false, false));
    ck_assert_uint_eq(kernels_of(&c), 1);

    plan_case_begin(&c, 2);
    a = clgrad_matmul(c.g, input(&c, N, N), input(&c, N, N), false, false);
    plan_case_output(&c, clgrad_matmul(c.g, input(&c, N, N), a, false, false));
    ck_assert_uint_eq(kernels_of(&c), 2);

    plan_case_begin(&c, 3);
    a = clgrad_matmul(c.g, input(&c, N, N), input(&c, N, N), false, false);
    plan_case_output(&c, clgrad_matmul(c.g, a, input(&c, N, N), true, false));
    ck_assert_uint_eq(kernels_of(&c), 2);

    plan_case_begin(&c, 4);
    const clgrad_node x = input(&c, N, N);
    plan_case_output(&c, clgrad_matmul(c.g, x, input(&c, N, N), false, false));
    plan_case_output(&c, clgrad_matmul(c.g, x, x, true, false));
    ck_assert_uint_eq(kernels_of(&c), 1);

    plan_case_begin(&c, 5); /* each row reads the one below */
    a = clgrad_matmul(c.g, input(&c, N, N), input(&c, N, N), false, false);
    plan_case_output(&c, clgrad_tanh(c.g, clgrad_add(c.g, a, clgrad_flip(c.g, a, CLGRAD_AXIS(0)))));
    ck_assert_uint_eq(kernels_of(&c), 2);
}
END_TEST

/* In-place outputs: what reads the input must be done before, also across kernels. */
START_TEST(donated_inputs)
{
    enum { N = 48 };
    if (!can_merge() || test_join_noting()) return;
    const clgrad_plan_options *const options[] = { &apart, &never };
    clgrad_array want[2] = { { 0 } };
    for (int i = 0; i < 2; i++) {
        plan_case c;
        plan_case_begin(&c, 7);
        const clgrad_node w = input(&c, N, N), x = input(&c, N, N);
        const clgrad_node y = clgrad_matmul(c.g, x, w, false, true);
        plan_case_output(&c, clgrad_sub(c.g, w, clgrad_matmul(c.g, y, x, true, false)));
        plan_case_output(&c, clgrad_sum(c.g, y, CLGRAD_AXIS(0), false));
        clgrad_plan_options donating = *options[i];
        const uint32_t donated[] = { 1, 0 };
        donating.donated = donated;
        clgrad_plan *plan = plan_of(&c, &donating);
        ck_assert(clgrad_plan_donation_taken(plan, 0));
        clgrad_tensor *in[2], *out[2];
        for (int k = 0; k < 2; k++) SUCCEED(clgrad_tensor_create_from(test_device(), CLGRAD_F32, c.inputs[k].shape, c.inputs[k].data, clgrad_array_bytes(&c.inputs[k]), &in[k]));
        out[0] = in[0];
        SUCCEED(clgrad_tensor_create(test_device(), CLGRAD_F32, CLGRAD_SHAPE(N), &out[1]));
        SUCCEED(clgrad_plan_bind(plan, in, out));
        SUCCEED(clgrad_plan_run(plan));
        clgrad_array got;
        SUCCEED(clgrad_array_create(test_context(), CLGRAD_F32, c.inputs[0].shape, &got));
        SUCCEED(clgrad_tensor_read(out[0], got.data, clgrad_array_bytes(&got)));
        want[i] = got;
        clgrad_plan_release(&plan);
        for (int k = 0; k < 2; k++) clgrad_tensor_release(&in[k]);
        clgrad_tensor_release(&out[1]);
        plan_case_end(&c);
    }
    int64_t at = 0;
    ck_assert_msg(plan_same_bits(&want[0], &want[1], &at), "element %d", (int)at);
    ((float *)want[0].data)[5] += 1; /* the control */
    ck_assert(!plan_same_bits(&want[0], &want[1], &at));
    for (int i = 0; i < 2; i++) clgrad_array_release(test_context(), &want[i]);
}
END_TEST

/* w <- tanh(w s) + sum of w / 100, s being another scalar in each run: runs in one launch against a launch and a binding each, which find
 * the scalars in the same buffer. */
enum { REPEATS = 5, VALUES = 40 };

static void repeat_case(plan_case *c)
{
    plan_case_begin(c, 11);
    const clgrad_node w = plan_case_input(c, CLGRAD_F32, CLGRAD_SHAPE(VALUES), -1, 1), s = plan_case_input(c, CLGRAD_F32, CLGRAD_SCALAR, 0.5, 1.5);
    const clgrad_node sum = clgrad_sum(c->g, w, CLGRAD_ALL_AXES, false);
    plan_case_output(c, clgrad_add(c->g, clgrad_tanh(c->g, clgrad_mul(c->g, w, s)), clgrad_scale(c->g, sum, 0.01)));
}

static void read_and_release(clgrad_tensor *t, float *values)
{
    SUCCEED(clgrad_tensor_read(t, values, VALUES * sizeof *values));
    clgrad_tensor_release(&t);
}

/* advance: bytes, as the plan is told; then all runs are one launch. SIZE_MAX: one by one. */
static void run_repeats(const plan_case *c, clgrad_merging how, clgrad_buffer *scalars, size_t advance, float *values)
{
    const bool at_once = advance != SIZE_MAX;
    const uint32_t donated[] = { 1, 0 };
    const size_t advances[] = { 0, advance };
    clgrad_plan_options options = at_once ? (clgrad_plan_options){ .merge = how, .advance = advances } : never;
    options.reduce = options.matmul = CLGRAD_VARIANT_CPU;
    options.donated = donated;
    clgrad_plan *plan = plan_of(c, &options);
    clgrad_tensor *in[2];
    SUCCEED(clgrad_tensor_create_from(test_device(), CLGRAD_F32, c->inputs[0].shape, c->inputs[0].data, clgrad_array_bytes(&c->inputs[0]), &in[0]));
    ck_assert((clgrad_plan_most_runs(plan) > 1) == at_once);
    for (int64_t i = 0; i < (at_once ? 1 : REPEATS); i++) {
        SUCCEED(clgrad_tensor_over(scalars, i, CLGRAD_F32, CLGRAD_SCALAR, &in[1]));
        SUCCEED(clgrad_plan_bind(plan, in, in));
        SUCCEED(at_once ? clgrad_plan_repeat(plan, REPEATS) : clgrad_plan_run(plan));
        clgrad_tensor_release(&in[1]);
    }
    clgrad_plan_release(&plan);
    read_and_release(in[0], values);
}

START_TEST(repeated_runs)
{
    static const float scalars[REPEATS] = { 1.5f, 0.25f, -1, 2, 0.75f };
    if (!can_merge() || test_join_noting()) return;
    plan_case c;
    clgrad_buffer *buffer;
    float single[VALUES], repeated[VALUES], still[VALUES];
    repeat_case(&c);
    SUCCEED(clgrad_buffer_create(test_device(), sizeof scalars, &buffer));
    SUCCEED(clgrad_buffer_write(buffer, 0, scalars, sizeof scalars));
    run_repeats(&c, CLGRAD_MERGE_NEVER, buffer, SIZE_MAX, single);
    for (clgrad_merging how = CLGRAD_MERGE_ONE_GROUP; how <= (simulated() ? CLGRAD_MERGE_ONE_GROUP : CLGRAD_MERGE_PHASES); how++) {
        run_repeats(&c, how, buffer, sizeof *scalars, repeated);
        run_repeats(&c, how, buffer, 0, still); /* the control: the first scalar each time */
        ck_assert_mem_eq(single, repeated, sizeof single);
        ck_assert_mem_ne(single, still, sizeof single);
    }
    clgrad_buffer_release(&buffer);
    plan_case_end(&c);
}
END_TEST

static size_t num_phases(const clgrad_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->num_launches; i++) count += plan->launches[i].first_beside == i && !plan->launches[i].follows;
    return count;
}

static size_t num_following(const clgrad_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->num_launches; i++) count += plan->launches[i].follows;
    return count;
}

static void run_network(const plan_case *c, clgrad_plan *plan, int64_t runs, clgrad_array *out)
{
    clgrad_tensor *in[PLAN_CASE_INPUTS], *result[4];
    const size_t num_out = clgrad_graph_num_outputs(c->g);
    for (size_t i = 0; i < c->num_inputs; i++)
        SUCCEED(clgrad_tensor_create_from(test_device(), CLGRAD_F32, c->inputs[i].shape, c->inputs[i].data, clgrad_array_bytes(&c->inputs[i]), &in[i]));
    for (size_t i = 0; i < num_out; i++) {
        const clgrad_shape shape = clgrad_node_shape(c->g, clgrad_graph_output(c->g, i));
        SUCCEED(clgrad_tensor_create(test_device(), CLGRAD_F32, shape, &result[i]));
        SUCCEED(clgrad_tensor_fill(result[i], NAN));
        SUCCEED(clgrad_array_create(test_context(), CLGRAD_F32, shape, &out[i]));
    }
    SUCCEED(clgrad_plan_bind(plan, in, result));
    SUCCEED(runs > 1 ? clgrad_plan_repeat(plan, runs) : clgrad_plan_run(plan));
    for (size_t i = 0; i < num_out; i++) SUCCEED(clgrad_tensor_read(result[i], out[i].data, clgrad_array_bytes(&out[i])));
    for (size_t i = 0; i < num_out; i++) clgrad_tensor_release(&result[i]);
    for (size_t i = 0; i < c->num_inputs; i++) clgrad_tensor_release(&in[i]);
}

static const struct {
    int64_t rows, in, hidden, out;
} phased[] = { { 600, 120, 200, 40 }, { 8, 700, 120, 10 } /* with small launches that one group does in a row */ };

/* Groups that wait for each other, and groups that leave instead, many times over: the bits of launches one by one. `patient` is what plans
 * decide by themselves for work of this size when it is run over and over. tools/test runs this with more threads than processors too. */
START_TEST(phases)
{
    enum { TIMES = 30, RUNS = 20, OUT = 4 };
    if (!can_merge() || test_join_noting() || simulated()) return;
    plan_case c;
    plan_case_begin(&c, 31);
    network(&c, phased[_i].rows, phased[_i].in, phased[_i].hidden, phased[_i].out);
    const size_t none[PLAN_CASE_INPUTS] = { 0 };
    clgrad_plan_options patient = { .advance = none }, hasty = { .merge = CLGRAD_MERGE_PHASES, .advance = none };
    patient.reduce = patient.matmul = hasty.reduce = hasty.matmul = CLGRAD_VARIANT_CPU;
    clgrad_plan *plans[] = { plan_of(&c, &never), plan_of(&c, &hasty), plan_of(&c, &patient) };
    ck_assert(plans[1]->kernels[0].phased && num_phases(plans[1]) > (_i == 0 ? 3 : 2) && num_phases(plans[1]) < plans[1]->num_launches);
    if (_i == 1) ck_assert_uint_gt(num_following(plans[1]), 1);
    const clgrad_device_info *info = clgrad_device_get_info(test_device());
    if (info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1 && info->compute_units > 1) ck_assert(plans[2]->kernels[0].phased);
    clgrad_array want[OUT], got[OUT];
    int64_t at = 0;
    run_network(&c, plans[0], 1, want);
    for (int i = 0; i < 2 * TIMES; i++) {
        clgrad_plan *plan = plans[1 + i % 2];
        run_network(&c, plan, clgrad_plan_most_runs(plan) >= RUNS && i % 4 < 2 ? RUNS : 1, got);
        for (int k = 0; k < OUT; k++) {
            ck_assert_msg(plan_same_bits(&want[k], &got[k], &at), "time %d, output %d, element %d", i, k, (int)at);
            clgrad_array_release(test_context(), &got[k]);
        }
    }
    for (int k = 0; k < OUT; k++) clgrad_array_release(test_context(), &want[k]);
    for (int k = 0; k < 3; k++) clgrad_plan_release(&plans[k]);
    plan_case_end(&c);
}
END_TEST

Suite *plan_merge_suite(void)
{
    Suite *s = suite_create("plan merge");
    TCase *t = tcase_create("merge");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, networks);
    tcase_add_test(t, random_graphs);
    tcase_add_test(t, who_reads_what);
    tcase_add_test(t, donated_inputs);
    tcase_add_test(t, repeated_runs);
    suite_add_tcase(s, t);
    t = tcase_create("phases");
    tcase_set_timeout(t, 0);
    tcase_add_loop_test(t, phases, 0, (int)CLGRAD_COUNT(phased));
    suite_add_tcase(s, t);
    return s;
}
