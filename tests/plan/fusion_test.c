/* Fused and unfused plans give the same bits, and those of ref: random graphs, random stacks of views, any width. */

#include "plan_case.h"
#include "plan_test.h"

#include "plan/matmul.h"
#include "support/cl_join.h"
#include "support/random_graph.h"

#include <stdio.h>
#include <stdlib.h>

#define SUCCEED(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(test_context()))

static uint64_t num_graphs(void) { return test_is_long() ? 1000 : 100; }
/* In short runs every eighth; all are noted, so that programs are joined as in a whole run. So many too where the device's arithmetic
 * differs from ref's, so that a comparison says less: fusion_keeps_bits has 30 others there. */
static uint64_t seed_step(void)
{
    if (test_is_long()) return 1;
    return (test_is_short() && !test_join_noting()) || !plan_is_exact() ? 8 : 1;
}

/* 2-30 operations (0: by the seed), but of 100 graphs most have up to 6, for what costs is the number of programs. */
static int num_ops(uint64_t seed) { return !test_is_long() && seed % 10 ? 2 + (int)(seed % 5) : 0; }

/* An unfused plan is a program for every operation. Both plans are held against ref, so that a third, every other large graph among
 * them, is enough to see ref and plans err alike; every operation alone is ops_test.c's. */
static bool unfused_too(uint64_t seed) { return test_is_long() || seed % 4 == 1 || seed % 20 == 0; }

static void random_case(plan_case *c, uint64_t seed)
{
    const random_graph_options options = { .seed = seed, .num_ops = num_ops(seed), .storage = seed % 3 == 0, .dtype = CLGRAD_F32 };
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
        const clgrad_plan_options unfused = { .no_fusion = true };
        snprintf(name, sizeof name, "unfused:seed=%d", (int)seed);
        if (unfused_too(seed)) plan_case_check(&c, &unfused, 2000, name);
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

/* --- two products in one launch --- */

typedef struct meeting {
    const char *name;
    int64_t m, n, k, k2, batch;
    bool ta, tb;
    clgrad_dtype dtype;
    clgrad_plan_options options;
    bool apart; /* they cannot share a launch */
    int64_t cell;
} meeting;

static const meeting meetings[] = {
    { "nn", 37, 45, 29, 29, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "nt", 40, 64, 33, 33, 0, false, true, CLGRAD_F32, { 0 }, false },
    { "tn", 48, 33, 20, 20, 0, true, false, CLGRAD_F32, { 0 }, false },
    { "tt", 17, 40, 9, 9, 0, true, true, CLGRAD_F32, { 0 }, false },
    { "other lengths", 30, 70, 300, 7, 0, false, true, CLGRAD_F32, { 0 }, false },
    { "packed", 300, 40, 11, 130, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "long", 16, 32, 2060, 3, 0, false, true, CLGRAD_F32, { 0 }, true }, /* no room for the panel */
    { "long in place", 16, 32, 2060, 3, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "narrow columns", 100, 40, 12, 5, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "padded columns", 64, 10, 30, 7, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "padded columns, transposed", 64, 10, 30, 70, 2, false, true, CLGRAD_F32, { 0 }, false },
    { "cells", 30, 40, 600, 600, 0, true, false, CLGRAD_F32, { 0 }, false, 256 },
    { "cells of the first", 16, 33, 1000, 100, 0, false, true, CLGRAD_F32, { 0 }, false, 256 },
    { "cells of the second", 20, 12, 256, 257, 0, false, false, CLGRAD_F32, { 0 }, false, 256 },
    { "few columns", 50, 2, 12, 5, 0, false, true, CLGRAD_F32, { 0 }, false },
    { "one row", 1, 200, 31, 31, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "one element", 1, 1, 31, 2, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "nothing to sum", 20, 20, 4, 0, 0, false, false, CLGRAD_F32, { 0 }, false },
    { "batches", 9, 18, 7, 6, 3, false, true, CLGRAD_F32, { 0 }, false },
    { "f64", 20, 30, 10, 11, 0, false, true, CLGRAD_F64, { 0 }, false },
    { "bf16", 20, 30, 10, 11, 0, false, false, CLGRAD_BF16, { 0 }, false },
    { "small tiles", 30, 50, 13, 14, 0, true, false, CLGRAD_F32, { .tile_m = 3, .tile_n = 8, .width = 4 }, false },
    { "lanes of one", 11, 13, 14, 15, 0, false, true, CLGRAD_F32, { .width = 1 }, false },
    { "GPU form", 30, 50, 13, 14, 0, false, false, CLGRAD_F32, { .matmul = CLGRAD_VARIANT_GPU }, true },
};

static clgrad_node product(plan_case *c, const meeting *p, int64_t k)
{
    const int64_t a[] = { p->batch, p->ta ? k : p->m, p->ta ? p->m : k }, b[] = { p->batch, p->tb ? p->n : k, p->tb ? k : p->n };
    const int32_t first = p->batch == 0, rank = 3 - first;
    const clgrad_node x = plan_case_input(c, p->dtype, clgrad_shape_make(rank, a + first), -1, 1);
    const clgrad_node y = plan_case_input(c, p->dtype, clgrad_shape_make(rank, b + first), -1, 1);
    return clgrad_matmul_cell(c->g, x, y, p->ta, p->tb, p->cell);
}

static size_t count_launches(const plan_case *c, const clgrad_plan_options *options)
{
    clgrad_plan *plan = NULL;
    SUCCEED(clgrad_plan_create(test_device(), c->g, options, &plan));
    const size_t count = clgrad_plan_num_launches(plan);
    clgrad_plan_release(&plan);
    return count;
}

/* y = tanh(a b + bias - c d): the epilogue starts between the two. */
START_TEST(products_that_meet)
{
    if (!test_device()) return;
    const meeting *p = &meetings[_i];
    plan_case c;
    if (p->dtype == CLGRAD_F64 && !plan_has_f64()) return;
    plan_case_begin(&c, 40 + (uint64_t)_i);
    const clgrad_node one = product(&c, p, p->k), other = product(&c, p, p->k2);
    const clgrad_node bias = plan_case_input(&c, p->dtype, CLGRAD_SHAPE(p->n), -1, 1);
    plan_case_output(&c, clgrad_tanh(c.g, clgrad_sub(c.g, clgrad_add(c.g, one, bias), other)));
    clgrad_plan_options forced = p->options;
    if (!forced.matmul) forced.matmul = CLGRAD_VARIANT_CPU;
    plan_case_check(&c, &forced, 200, p->name);
    if (!clgrad_matmul_pairs(test_device(), &p->options)) plan_case_check(&c, &p->options, 200, p->name);
    ck_assert_uint_eq(count_launches(&c, &forced), p->apart ? 2 : 1);
    forced.no_fusion = true;
    ck_assert_uint_gt(count_launches(&c, &forced), 3);
    plan_case_end(&c);
}
END_TEST

/* Products that something else reads, sums in cells and factors laid out differently stay apart. */
START_TEST(products_that_do_not_meet)
{
    if (!test_device()) return;
    const clgrad_plan_options options = { .matmul = CLGRAD_VARIANT_CPU };
    plan_case c;
    plan_case_begin(&c, 80 + (uint64_t)_i);
    const clgrad_node a = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(24, 300), -1, 1);
    const clgrad_node b = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(300, 24), -1, 1);
    const clgrad_node d = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(24, 300), -1, 1);
    const clgrad_node one = clgrad_matmul(c.g, a, b, false, false);
    const clgrad_node other = _i == 0   ? clgrad_matmul(c.g, a, d, false, true)
                              : _i == 1 ? clgrad_matmul_cell(c.g, d, b, false, false, 256)
                                        : clgrad_matmul(c.g, d, b, false, false);
    plan_case_output(&c, clgrad_add(c.g, one, other));
    if (_i == 2) plan_case_output(&c, other);
    plan_case_check(&c, &options, 200, "apart");
    ck_assert_uint_eq(count_launches(&c, &options), 2);
    plan_case_end(&c);
}
END_TEST

/* The check itself can fail: another seed's values are other bits. */
START_TEST(control)
{
    if (!test_device() || test_join_noting()) return;
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
    tcase_add_loop_test(t, products_that_meet, 0, (int)CLGRAD_COUNT(meetings));
    tcase_add_loop_test(t, products_that_do_not_meet, 0, 3);
    tcase_add_test(t, control);
    suite_add_tcase(suite, t);
    return suite;
}
