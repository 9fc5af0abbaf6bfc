/* The k-th allocation fails, for every k: the right status, no result, nothing left behind. */

#include "autodiff/fixture.h"
#include "support/device.h"
#include "support/random_graph.h"

typedef clgrad_status transform_fn(const clgrad_graph *f, clgrad_graph **out, clgrad_graph **second);

static clgrad_status run_hessian_vector(const clgrad_graph *f, clgrad_graph **out, clgrad_graph **second)
{
    (void)second;
    return clgrad_hessian_vector(f, 0, PERCEPTRON_WEIGHTS, perceptron_weights, out);
}

static clgrad_status run_vjp_cells(const clgrad_graph *f, clgrad_graph **out, clgrad_graph **second)
{
    static const bool samples[] = { true, true, false, false, false };
    (void)second;
    return clgrad_vjp_cells(f, PERCEPTRON_WEIGHTS, perceptron_weights, samples, out);
}

static clgrad_status run_batch(const clgrad_graph *f, clgrad_graph **out, clgrad_graph **second)
{
    (void)second;
    return clgrad_batch(f, 3, 2, (size_t[]){ 0, 2 }, out);
}

static clgrad_status run_split(const clgrad_graph *f, clgrad_graph **out, clgrad_graph **second)
{
    return clgrad_split(f, 1, (size_t[]){ 4 }, out, second, NULL);
}

static clgrad_node call_rule(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)y, (void)user;
    return clgrad_call(g, "twice", CLGRAD_ROLE_USER, clgrad_at(g, y)->attr.call->body, count, dx[0] == CLGRAD_NONE ? x : dx, NULL, NULL);
}

/* x -> 2 x, whose rule is itself a call, so that transposition writes it out. */
static clgrad_status run_call(const clgrad_graph *f, clgrad_graph **out, clgrad_graph **second)
{
    clgrad_graph *g = NULL, *body = NULL;
    (void)second;
    clgrad_status st = clgrad_graph_create(f->ctx, &g);
    if (st == CLGRAD_OK) st = clgrad_graph_create(f->ctx, &body);
    if (st == CLGRAD_OK) {
        const clgrad_node x = graph_real(body, "x", CLGRAD_SHAPE(3)), in = graph_real(g, "x", CLGRAD_SHAPE(3));
        clgrad_output(body, "y", clgrad_concat(body, 1, (clgrad_node[]){ clgrad_add(body, x, x) }, 0));
        st = clgrad_graph_status(body);
        if (st == CLGRAD_OK) clgrad_output(g, "y", clgrad_call(g, "twice", CLGRAD_ROLE_USER, body, 1, &in, call_rule, NULL));
        if (st == CLGRAD_OK) st = clgrad_vjp(g, 1, (size_t[]){ 0 }, out);
    }
    clgrad_graph_release(&body);
    clgrad_graph_release(&g);
    return st;
}

/* Most operations once: the transforms of a random graph. */
static clgrad_status run_random(const clgrad_graph *f, clgrad_graph **out, clgrad_graph **second)
{
    const random_graph_options options = { .seed = 12, .num_ops = 20, .dtype = CLGRAD_F32 };
    clgrad_graph *g = NULL;
    clgrad_status st = random_graph_create(f->ctx, &options, &g);
    if (st == CLGRAD_OK) st = clgrad_vjp(g, 1, (size_t[]){ 0 }, out);
    if (st == CLGRAD_OK) st = clgrad_batch(*out, 2, 1, (size_t[]){ 0 }, second);
    if (st != CLGRAD_OK) clgrad_graph_release(out);
    clgrad_graph_release(&g);
    return st;
}

typedef struct transform {
    transform_fn *run;
    const clgrad_graph *f;
} transform;

/* Results only with success. */
static clgrad_status run_once(clgrad_context *own, void *user)
{
    const transform *t = user;
    clgrad_graph *out = NULL, *second = NULL;
    (void)own;
    const clgrad_status status = t->run(t->f, &out, &second);
    ck_assert(status == CLGRAD_OK || (!out && !second));
    clgrad_graph_release(&out);
    clgrad_graph_release(&second);
    return status;
}

static void fail_every_allocation(transform_fn *run)
{
    test_memory memory = { 0 };
    clgrad_context *own = test_memory_context(&memory);
    clgrad_graph *f = perceptron(own, 4, 3, 0);
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_gt(test_refuse_each(&memory, own, run_once, &(transform){ run, f }), 20);
    clgrad_graph_release(&f);
    clgrad_context_release(&own);
    ck_assert_uint_eq(memory.live, 0);
}

START_TEST(hessian_vector_survives_every_failure) { fail_every_allocation(run_hessian_vector); }
END_TEST
START_TEST(vjp_survives_every_failure) { fail_every_allocation(run_vjp_cells); }
END_TEST
START_TEST(batch_survives_every_failure) { fail_every_allocation(run_batch); }
END_TEST
START_TEST(split_survives_every_failure) { fail_every_allocation(run_split); }
END_TEST
START_TEST(calls_survive_every_failure) { fail_every_allocation(run_call); }
END_TEST
START_TEST(random_graphs_survive_every_failure) { fail_every_allocation(run_random); }
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("autodiff.memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, hessian_vector_survives_every_failure);
    tcase_add_test(tests, vjp_survives_every_failure);
    tcase_add_test(tests, batch_survives_every_failure);
    tcase_add_test(tests, split_survives_every_failure);
    tcase_add_test(tests, calls_survive_every_failure);
    tcase_add_test(tests, random_graphs_survive_every_failure);
    suite_add_tcase(suite, tests);
    return suite;
}
