/* Indices out of range: each either makes the loss NaN or is watched; a bad one stops the updates. */

#include "optim/fixture.h"
#include "optim/indices.h"
#include "ref/ref.h"
#include "support/device.h"
#include "tensor/tensor.h"

#include <string.h>

/* --- which are watched --- */

enum { NUM_X = 6, NUM_INDICES = 4 };

/* A loss of x [6] f32 and i [4] i32. */
typedef clgrad_node (*build_loss)(clgrad_graph *g, clgrad_node x, clgrad_node i);

static clgrad_node total(clgrad_graph *g, clgrad_node x) { return clgrad_sum(g, x, CLGRAD_ALL_AXES, false); }
static clgrad_node taken(clgrad_graph *g, clgrad_node x, clgrad_node i) { return clgrad_take(g, x, i, 0); }

static clgrad_node zeros(clgrad_graph *g, clgrad_node like)
{
    return clgrad_constant(g, CLGRAD_F32, clgrad_node_shape(g, like), 0);
}

static clgrad_node plain(clgrad_graph *g, clgrad_node x, clgrad_node i) { return total(g, taken(g, x, i)); }

static clgrad_node through_maps(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node t = clgrad_tanh(g, clgrad_offset(g, taken(g, x, i), 1));
    const clgrad_node m = clgrad_min(g, clgrad_max(g, t, zeros(g, t)), clgrad_exp(g, t));
    return total(g, clgrad_cast(g, clgrad_div(g, clgrad_abs(g, m), clgrad_offset(g, m, 2)), CLGRAD_F16));
}

static clgrad_node through_zero_weights(clgrad_graph *g, clgrad_node x, clgrad_node i) { return clgrad_scale(g, plain(g, x, i), 0); }

static clgrad_node through_views(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const int64_t low[] = { 1, 0 }, high[] = { 0, 2 };
    const clgrad_node square = clgrad_reshape(g, taken(g, x, i), CLGRAD_SHAPE(2, 2));
    const clgrad_node padded = clgrad_pad(g, clgrad_flip(g, clgrad_transpose(g, square), 1), low, high, NULL);
    const clgrad_node pair[] = { padded, padded };
    const clgrad_node wide = clgrad_broadcast(g, clgrad_concat(g, 2, pair, 1), CLGRAD_SHAPE(3, 3, 8));
    return total(g, clgrad_cumsum(g, clgrad_reduce_max(g, wide, CLGRAD_AXIS(0), false), 1, true));
}

static clgrad_node through_matmul(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node row = clgrad_reshape(g, taken(g, x, i), CLGRAD_SHAPE(2, 2));
    return total(g, clgrad_matmul(g, row, zeros(g, row), false, true));
}

static clgrad_node same_for_labels(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node labels = clgrad_iota(g, CLGRAD_I32, CLGRAD_SHAPE(NUM_X), 0);
    return clgrad_add(g, plain(g, x, i), total(g, clgrad_cast(g, taken(g, labels, i), CLGRAD_F32)));
}

static clgrad_node within_call(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    clgrad_graph *body = NULL;
    ck_ok(clgrad_graph_create(test_context(), &body));
    const clgrad_node a = clgrad_input(body, "a", CLGRAD_F32, CLGRAD_SHAPE(NUM_X));
    const clgrad_node b = clgrad_input(body, "b", CLGRAD_I32, CLGRAD_SHAPE(NUM_INDICES));
    ck_ok(clgrad_output(body, "y", taken(body, a, b)));
    const clgrad_node y = clgrad_call(g, "lookup", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ x, i }, NULL, NULL);
    clgrad_graph_release(&body);
    return total(g, y);
}

static clgrad_node sliced(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    return total(g, clgrad_slice(g, taken(g, x, i), (const int64_t[]){ 0 }, (const int64_t[]){ 1 }, NULL));
}

static clgrad_node masked(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node t = taken(g, x, i);
    return total(g, clgrad_select(g, clgrad_lt(g, t, clgrad_offset(g, t, 1)), t, zeros(g, t)));
}

static clgrad_node to_the_zeroth(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node t = taken(g, x, i);
    return total(g, clgrad_pow(g, t, zeros(g, t)));
}

static clgrad_node taken_twice(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node places = clgrad_cast(g, taken(g, clgrad_cast(g, x, CLGRAD_I32), i), CLGRAD_F32);
    return total(g, clgrad_mul(g, places, clgrad_slice(g, x, (const int64_t[]){ 0 }, (const int64_t[]){ NUM_INDICES }, NULL)));
}

static clgrad_node scattered(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node updates = clgrad_slice(g, x, (const int64_t[]){ 1 }, (const int64_t[]){ NUM_INDICES }, NULL);
    return total(g, clgrad_square(g, clgrad_scatter_add(g, updates, i, 0, NUM_X)));
}

static clgrad_node scattered_as_taken(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    return total(g, clgrad_scatter_add(g, taken(g, x, i), i, 0, NUM_X));
}

static clgrad_node of_two_extents(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    return clgrad_add(g, plain(g, x, i), total(g, clgrad_scatter_add(g, taken(g, x, i), i, 0, NUM_X + 3)));
}

static clgrad_node constant_index(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    const clgrad_node five = clgrad_constant_int(g, CLGRAD_I32, CLGRAD_SHAPE(2), NUM_X - 1);
    const clgrad_node all = clgrad_flip(g, clgrad_iota(g, CLGRAD_I64, CLGRAD_SHAPE(NUM_X), 0), 1);
    const clgrad_node largest = clgrad_argmax(g, clgrad_reshape(g, x, CLGRAD_SHAPE(2, 3)), 1);
    const clgrad_node sum = clgrad_add(g, sliced(g, x, five), sliced(g, x, all));
    (void)i;
    return clgrad_add(g, sum, sliced(g, x, largest));
}

static clgrad_node constant_beyond(clgrad_graph *g, clgrad_node x, clgrad_node i)
{
    (void)i;
    return sliced(g, x, clgrad_iota(g, CLGRAD_I32, CLGRAD_SHAPE(NUM_X + 1), 0));
}

enum { SHOWN, WATCHED, CERTAIN, ALWAYS_BAD };

static const struct {
    const char *name;
    build_loss build;
    int kind;
} rows[] = {
    { "plain", plain, SHOWN },
    { "through maps", through_maps, SHOWN },
    { "through zero weights", through_zero_weights, SHOWN },
    { "through views", through_views, SHOWN },
    { "through a product", through_matmul, SHOWN },
    { "integers taken alike", same_for_labels, SHOWN },
    { "within a call", within_call, SHOWN },
    { "sliced", sliced, WATCHED },
    { "masked", masked, WATCHED },
    { "to the zeroth power", to_the_zeroth, WATCHED },
    { "integers", taken_twice, WATCHED },
    { "scattered", scattered, WATCHED },
    { "scattered as taken", scattered_as_taken, WATCHED },
    { "of two extents", of_two_extents, WATCHED },
    { "constants", constant_index, CERTAIN },
    { "constants out of range", constant_beyond, ALWAYS_BAD },
};

/* Output `name` of g, by ref, with index 2 of i set to `third`. */
static double evaluate(const clgrad_graph *g, const char *name, int32_t third)
{
    clgrad_array in[2], out[3];
    ck_ok(clgrad_array_create(test_context(), CLGRAD_F32, CLGRAD_SHAPE(NUM_X), &in[0]));
    ck_ok(clgrad_array_create(test_context(), CLGRAD_I32, CLGRAD_SHAPE(NUM_INDICES), &in[1]));
    for (int k = 0; k < NUM_X; k++) clgrad_array_set(&in[0], k, 0.5 + k);
    for (int k = 0; k < NUM_INDICES; k++) clgrad_array_set(&in[1], k, k == 2 ? third : k + 1);
    ck_ok(clgrad_ref_evaluate(g, in, out, CLGRAD_REF_F32));
    const size_t place = clgrad_graph_find_output(g, name);
    ck_assert_uint_lt(place, g->num_outputs);
    const double value = clgrad_array_get(&out[place], 0);
    for (int k = 0; k < 2; k++) clgrad_array_release(test_context(), &in[k]);
    for (size_t k = 0; k < g->num_outputs; k++) clgrad_array_release(test_context(), &out[k]);
    return value;
}

static clgrad_graph *gradient_of(build_loss build)
{
    clgrad_graph *f = NULL, *g = NULL;
    ck_ok(clgrad_graph_create(test_context(), &f));
    const clgrad_node x = clgrad_input(f, "x", CLGRAD_F32, CLGRAD_SHAPE(NUM_X));
    const clgrad_node i = clgrad_input(f, "i", CLGRAD_I32, CLGRAD_SHAPE(NUM_INDICES));
    ck_ok(clgrad_output(f, "loss", build(f, x, i)));
    ck_assert_msg(clgrad_gradient(f, 0, 1, &(size_t){ 0 }, &g) == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
    clgrad_graph_release(&f);
    return g;
}

static void check_watched(const char *name, const clgrad_graph *watched, bool always)
{
    static const int32_t bad[] = { NUM_X + 3, -1, INT32_MAX, INT32_MIN }, good[] = { 0, NUM_X - 1 };
    for (size_t k = 0; k < CLGRAD_COUNT(bad); k++)
        ck_assert_msg(evaluate(watched, "index", bad[k]) == 1, "%s: %d went unnoticed", name, (int)bad[k]);
    for (size_t k = 0; k < CLGRAD_COUNT(good); k++)
        ck_assert_msg(evaluate(watched, "index", good[k]) == always, "%s: %d", name, (int)good[k]);
    ck_assert_int_eq(isnan(evaluate(watched, "loss", 0)), 0);
}

START_TEST(an_index_shows_in_the_loss_or_is_watched)
{
    clgrad_graph *g = gradient_of(rows[_i].build), *watched = NULL;
    const bool is_watched = rows[_i].kind == WATCHED || rows[_i].kind == ALWAYS_BAD;
    ck_ok(clgrad_watch_indices(g, 0, &watched));
    ck_assert_msg((watched != NULL) == is_watched, "%s", rows[_i].name);
    if (watched) check_watched(rows[_i].name, watched, rows[_i].kind == ALWAYS_BAD);
    if (rows[_i].kind == SHOWN) {
        ck_assert_msg(isnan(evaluate(g, "loss", -1)) && isnan(evaluate(g, "loss", NUM_X)), "%s", rows[_i].name);
        ck_assert(!isnan(evaluate(g, "loss", 3)));
    }
    clgrad_graph_release(&g), clgrad_graph_release(&watched);
}
END_TEST

static clgrad_status watch(clgrad_context *ctx, void *user)
{
    clgrad_graph *f = NULL, *watched = NULL;
    (void)user;
    CLGRAD_TRY(clgrad_graph_create(ctx, &f));
    const clgrad_node x = clgrad_input(f, "x", CLGRAD_F32, CLGRAD_SHAPE(NUM_X));
    const clgrad_node i = clgrad_input(f, "i", CLGRAD_I32, CLGRAD_SHAPE(NUM_INDICES));
    clgrad_status st = clgrad_output(f, "loss", of_two_extents(f, x, i));
    if (st == CLGRAD_OK) st = clgrad_watch_indices(f, 0, &watched);
    if (st == CLGRAD_OK) ck_assert_ptr_nonnull(watched);
    clgrad_graph_release(&f), clgrad_graph_release(&watched);
    return st;
}

START_TEST(every_allocation_may_fail)
{
    ck_assert_uint_gt(test_refuse_each_alone(watch, NULL), 20);
}
END_TEST

/* --- that they stop the updates --- */

typedef struct lookup {
    clgrad_graph *f;
    clgrad_tensor *initial, *index;
    clgrad_optimizer *opt;
} lookup;

static void set_index(lookup *l, int32_t third)
{
    const int32_t values[NUM_INDICES] = { 1, 2, third, 4 };
    ck_ok(clgrad_tensor_write(l->index, values, sizeof values));
}

static void lookup_open(lookup *l, build_loss build, size_t accumulate, double loss_scale)
{
    static const float values[NUM_X] = { 1, 2, 3, 4, 5, 6 };
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.125;
    options.accumulate = accumulate;
    options.loss_scale = loss_scale;
    *l = (lookup){ NULL };
    ck_ok(clgrad_graph_create(test_context(), &l->f));
    const clgrad_node x = clgrad_input(l->f, "x", CLGRAD_F32, CLGRAD_SHAPE(NUM_X));
    const clgrad_node i = clgrad_input(l->f, "i", CLGRAD_I32, CLGRAD_SHAPE(NUM_INDICES));
    ck_ok(clgrad_output(l->f, "loss", build(l->f, x, i)));
    ck_ok(clgrad_tensor_create_from(test_device(), CLGRAD_F32, CLGRAD_SHAPE(NUM_X), values, sizeof values, &l->initial));
    ck_ok(clgrad_tensor_create(test_device(), CLGRAD_I32, CLGRAD_SHAPE(NUM_INDICES), &l->index));
    set_index(l, 3);
    const clgrad_status st = clgrad_optimizer_create(test_device(), l->f, 0, 1, &l->initial, &options, &l->opt);
    ck_assert_msg(st == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
}

static void lookup_close(lookup *l)
{
    clgrad_optimizer_release(&l->opt);
    clgrad_tensor_release(&l->initial), clgrad_tensor_release(&l->index);
    clgrad_graph_release(&l->f);
}

static void lookup_steps(lookup *l, int32_t third, size_t count, float *x)
{
    set_index(l, third);
    for (size_t i = 0; i < count; i++) ck_ok(clgrad_optimizer_step(l->opt, &l->index, 0, NULL, NULL));
    ck_ok(clgrad_tensor_read(clgrad_optimizer_parameter(l->opt, 0), x, NUM_X * sizeof *x));
}

static void check_stops(build_loss build, size_t accumulate, double loss_scale, int32_t bad, clgrad_status status)
{
    float before[NUM_X], after[NUM_X];
    double loss;
    lookup l;
    const char *words = status == CLGRAD_E_INDEX ? "an index was out of range" : "NaN";
    lookup_open(&l, build, accumulate, loss_scale);
    lookup_steps(&l, 3, accumulate, before);
    lookup_steps(&l, 0, accumulate, after);
    ck_ok(clgrad_optimizer_loss(l.opt, &loss));
    ck_assert_mem_ne(before, after, sizeof before);
    lookup_steps(&l, bad, 1, before);
    lookup_steps(&l, 3, accumulate - 1, before); /* the other parts of the bad one's update */
    lookup_steps(&l, 3, 2 * accumulate, before); /* good again, but the flag stays */
    ck_assert_mem_eq(before, after, sizeof before);
    ck_assert_int_eq(clgrad_optimizer_loss(l.opt, &loss), status);
    ck_assert_msg(strstr(clgrad_error_text(test_context()), words) && strstr(clgrad_error_text(test_context()), "update 3"), "%s",
                  clgrad_error_text(test_context()));
    lookup_close(&l);
}

START_TEST(a_bad_index_stops_for_good)
{
    if (!test_device()) return;
    check_stops(scattered, 1, 0, NUM_X, CLGRAD_E_INDEX);
    check_stops(scattered, 3, 0, -1, CLGRAD_E_INDEX);
    check_stops(plain, 1, 0, NUM_X, CLGRAD_E_NOT_FINITE); /* the loss shows it */
    check_stops(plain, 1, 1024, NUM_X, CLGRAD_E_INDEX);   /* and would only skip updates */
}
END_TEST

Suite *index_suite(void)
{
    Suite *suite = suite_create("indices");
    TCase *tests = tcase_create("indices");
    tcase_add_loop_test(tests, an_index_shows_in_the_loss_or_is_watched, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, a_bad_index_stops_for_good);
    suite_add_tcase(suite, tests);
    return suite;
}
