/* Fused and unfused plans give the same bits, and those of ref: random graphs, random stacks of views, any width. */

#include "plan_case.h"
#include "plan_test.h"

#include "support/random_graph.h"

#include <stdio.h>
#include <stdlib.h>

#define SUCCEED(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(test_context()))

/* 1,000 graphs where all is asked for; otherwise 100, of which PoCL, at 0.1 s for each of their programs, gets every eighth. */
static uint64_t seed_step(void)
{
    const bool slow = strstr(clgrad_device_get_info(test_device())->quirks, "costly-binary") != NULL;
    return slow && !getenv("CLGRAD_TEST_ALL") ? 8 : 1;
}
static uint64_t num_graphs(void) { return getenv("CLGRAD_TEST_ALL") ? 1000 : 100; }

static void random_case(plan_case *c, uint64_t seed)
{
    const random_graph_options options = { .seed = seed, .storage = seed % 3 == 0, .dtype = CLGRAD_F32 };
    *c = (plan_case){ .seed = seed };
    SUCCEED(random_graph_create(test_context(), &options, &c->g));
    c->num_inputs = clgrad_graph_num_inputs(c->g);
    ck_assert(c->num_inputs <= PLAN_CASE_INPUTS);
    SUCCEED(random_inputs_create(c->g, seed, false, c->inputs));
}

START_TEST(random_graphs)
{
    if (!test_device()) return;
    static const uint32_t widths[] = { 0, 1, 2, 4, 8, 16 };
    for (uint64_t seed = 1; seed <= num_graphs(); seed += seed_step()) {
        plan_case c;
        char name[64];
        random_case(&c, seed);
        snprintf(name, sizeof name, "fused:seed=%d", (int)seed);
        const clgrad_plan_options fused = { .width = seed % 7 ? 0 : widths[seed / 7 % 6] };
        plan_case_check(&c, &fused, 2000, name);
        snprintf(name, sizeof name, "unfused:seed=%d", (int)seed);
        const clgrad_plan_options unfused = { .no_fusion = true };
        if (seed % 3 == 0) plan_case_check(&c, &unfused, 2000, name);
        plan_case_end(&c);
    }
}
END_TEST

/* Where the device's arithmetic differs from ref's, fusion may still change nothing. */
START_TEST(fusion_keeps_bits)
{
    if (!test_device() || plan_is_exact()) return;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        plan_case c;
        clgrad_array a[2], b[2];
        const clgrad_plan_options unfused = { .no_fusion = true };
        random_case(&c, seed);
        plan_case_run(&c, NULL, a);
        plan_case_run(&c, &unfused, b);
        for (size_t i = 0; i < 2; i++) {
            int64_t at = 0;
            ck_assert_msg(plan_same_bits(&a[i], &b[i], &at), "seed %d, output %d, element %d", (int)seed, (int)i, (int)at);
            clgrad_array_release(test_context(), &a[i]);
            clgrad_array_release(test_context(), &b[i]);
        }
        plan_case_end(&c);
    }
}
END_TEST

/* --- views --- */

static clgrad_node random_reshape(clgrad_graph *g, clgrad_node x, uint64_t *state)
{
    const clgrad_shape from = clgrad_node_shape(g, x);
    clgrad_shape to = { 0 };
    int64_t count = clgrad_shape_count(&from);
    for (int64_t factor = 2; count > 1 && to.rank < 4; factor++)
        while (count % factor == 0 && to.rank < 4) {
            count /= factor;
            if (to.rank > 0 && random_below(state, 2)) to.dims[to.rank - 1] *= factor;
            else to.dims[to.rank++] = factor;
        }
    if (to.rank == 0) to.dims[to.rank++] = 1;
    to.dims[random_below(state, to.rank)] *= count;
    return clgrad_reshape(g, x, to);
}

static clgrad_node random_view(clgrad_graph *g, clgrad_node x, uint64_t *state)
{
    const clgrad_shape s = clgrad_node_shape(g, x);
    int64_t a[CLGRAD_MAX_RANK], b[CLGRAD_MAX_RANK], c[CLGRAD_MAX_RANK];
    int32_t perm[CLGRAD_MAX_RANK];
    const int32_t axis = s.rank ? random_below(state, s.rank) : 0;
    const int kind = random_below(state, 7);
    for (int32_t d = 0; d < s.rank; d++) {
        perm[d] = (d + 1 + axis) % s.rank;
        a[d] = random_below(state, 3), b[d] = random_below(state, 2), c[d] = random_below(state, 4) == 0 ? 1 + random_below(state, 2) : 0;
    }
    if (s.rank == 0 || kind == 0) return random_reshape(g, x, state);
    if (kind == 1) return clgrad_permute(g, x, perm);
    if (kind == 2) return clgrad_flip(g, x, 1 + (uint32_t)random_below(state, (1 << s.rank) - 1));
    if (kind == 3 && clgrad_shape_count(&s) < 400) return clgrad_pad(g, x, a, b, c);
    if (kind == 4 && s.rank < 5) {
        clgrad_shape to = s;
        for (int32_t d = s.rank; d > axis; d--) to.dims[d] = to.dims[d - 1];
        to.rank++;
        clgrad_shape one = to;
        to.dims[axis] = 1 + random_below(state, 3);
        one.dims[axis] = 1;
        return clgrad_broadcast(g, clgrad_reshape(g, x, one), to);
    }
    if (kind == 5 && s.rank < 5 && s.dims[axis] > 1) {
        const int64_t size = 1 + random_below(state, 2);
        return clgrad_window(g, x, axis, size, 1 + random_below(state, 2), s.dims[axis] > 2 ? 1 + random_below(state, 2) : 1);
    }
    for (int32_t d = 0; d < s.rank; d++) {
        a[d] = s.dims[d] > 2 ? random_below(state, 2) : 0;
        c[d] = s.dims[d] > 5 ? 1 + random_below(state, 2) : 1;
        b[d] = (s.dims[d] - a[d] + c[d] - 1) / c[d];
    }
    return clgrad_slice(g, x, a, b, c);
}

START_TEST(stacks_of_views)
{
    if (!test_device()) return;
    for (uint64_t seed = 1; seed <= 40; seed += (seed_step() + 1) / 2) {
        plan_case c;
        char name[32];
        plan_case_begin(&c, seed);
        uint64_t state = seed * 77;
        clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(1 + random_below(&state, 4), 1 + random_below(&state, 6), 1 + random_below(&state, 18)), -1, 1);
        const int count = 1 + random_below(&state, 6);
        for (int i = 0; i < count; i++) {
            const clgrad_node y = random_view(c.g, x, &state);
            const clgrad_shape shape = clgrad_node_shape(c.g, y);
            if (clgrad_shape_count(&shape) > 5000) break;
            x = y;
            if (random_below(&state, 4) == 0) x = clgrad_offset(c.g, x, 1);
        }
        plan_case_output(&c, clgrad_offset(c.g, x, 0.5));
        plan_case_output(&c, clgrad_sum(c.g, x, CLGRAD_ALL_AXES, false));
        snprintf(name, sizeof name, "views:seed=%d", (int)seed);
        plan_case_check(&c, NULL, 2000, name);
        plan_case_end(&c);
    }
}
END_TEST

/* --- widths and work-groups --- */

START_TEST(widths_and_groups)
{
    static const uint32_t widths[] = { 1, 2, 4, 8, 16 };
    static const size_t groups[] = { 0, 1, 3, 16, 64 };
    if (!test_device()) return;
    const clgrad_plan_options options = { .width = widths[_i], .work_group = groups[_i] };
    plan_case c;
    plan_case_begin(&c, 31);
    const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(37, 53), -1, 1);
    const clgrad_node b = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(53), -1, 1);
    const clgrad_node y = clgrad_tanh(c.g, clgrad_add(c.g, clgrad_transpose(c.g, clgrad_transpose(c.g, x)), b));
    plan_case_output(&c, y);
    plan_case_output(&c, clgrad_sum(c.g, y, 1, false));
    plan_case_output(&c, clgrad_sum(c.g, y, 2, false));
    plan_case_output(&c, clgrad_cumsum(c.g, y, 0, false));
    plan_case_output(&c, clgrad_reduce_max(c.g, clgrad_transpose(c.g, y), 2, false));
    plan_case_check(&c, &options, 200, "width");
    plan_case_end(&c);
}
END_TEST

/* The check itself can fail: another seed's values are other bits. */
START_TEST(control)
{
    if (!test_device()) return;
    plan_case c;
    clgrad_array got, other;
    int64_t at;
    plan_case_begin(&c, 32);
    plan_case_output(&c, clgrad_neg(c.g, plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(5), -1, 1)));
    plan_case_run(&c, NULL, &got);
    SUCCEED(clgrad_ref_evaluate(c.g, c.inputs, &other, plan_ref_mode()));
    ck_assert(plan_same_bits(&got, &other, &at));
    clgrad_array_set(&other, 3, 0.125);
    ck_assert(!plan_same_bits(&got, &other, &at));
    ck_assert_int_eq(at, 3);
    clgrad_array_release(test_context(), &got);
    clgrad_array_release(test_context(), &other);
    plan_case_end(&c);
}
END_TEST

Suite *plan_fusion_suite(void)
{
    Suite *suite = suite_create("plan fusion");
    TCase *t = tcase_create("fusion");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, random_graphs);
    tcase_add_test(t, fusion_keeps_bits);
    tcase_add_test(t, stacks_of_views);
    tcase_add_loop_test(t, widths_and_groups, 0, 5);
    tcase_add_test(t, control);
    suite_add_tcase(suite, t);
    return suite;
}
