/* Random graphs: forward, reverse and second order, 100 seeds (1,000 under tools/test --all). A failure names its seed. */

#include "autodiff/checks.h"
#include "autodiff/fixture.h"
#include "support/random_graph.h"

#include <stdlib.h>

static uint64_t num_seeds(void) { return getenv("CLGRAD_TEST_ALL") ? 1000 : 100; }

static clgrad_graph *random_smooth(uint64_t seed)
{
    clgrad_graph *g = NULL;
    const random_graph_options options = { .seed = seed, .smooth = true, .dtype = CLGRAD_F64 };
    CHECK_OK(random_graph_create(ctx, &options, &g));
    CHECK_OK(clgrad_graph_verify(g));
    return g;
}

START_TEST(random_graphs_have_right_derivatives)
{
    for (uint64_t seed = 1; seed <= num_seeds(); seed++) {
        clgrad_graph *g = random_smooth(seed), *jvp = NULL, *vjp = NULL, *hv = NULL;
        study at;
        study_open(&at, g, DOMAIN_unit, seed);
        CHECK_OK(clgrad_jvp(g, at.num_real, at.real, &jvp));
        CHECK_OK(clgrad_vjp(g, at.num_real, at.real, &vjp));
        CHECK_OK(clgrad_hessian_vector(g, 0, at.num_real, at.real, &hv));
        CHECK_OK(clgrad_graph_verify(jvp));
        CHECK_OK(clgrad_graph_verify(vjp));
        CHECK_OK(clgrad_graph_verify(hv));
        ck_assert_msg(check_jvp(&at, jvp), "seed %d: jvp", (int)seed);
        ck_assert_msg(check_adjoint(&at, jvp, vjp), "seed %d: adjoint", (int)seed);
        ck_assert_msg(check_symmetry(&at, hv), "seed %d: symmetry", (int)seed);
        ck_assert_msg(check_taylor(&at, hv), "seed %d: Taylor", (int)seed);
        ck_assert_msg(check_split(&at, hv), "seed %d: split", (int)seed);
        clgrad_graph_release(&jvp);
        clgrad_graph_release(&vjp);
        clgrad_graph_release(&hv);
        clgrad_graph_release(&g);
        study_close(&at);
    }
}
END_TEST

/* Kinks and storage types among them: a batch needs no derivative. */
START_TEST(random_batches_are_loops)
{
    for (uint64_t seed = 1; seed <= num_seeds(); seed++) {
        clgrad_graph *g = NULL, *batched = NULL;
        const random_graph_options options = { .seed = seed, .storage = true, .dtype = CLGRAD_F32 };
        size_t wrt[8], count = 0;
        uint32_t mask = 0;
        CHECK_OK(random_graph_create(ctx, &options, &g));
        for (size_t i = 0; i < g->num_inputs; i++) {
            if (i > 0 && (seed >> i & 1)) continue;
            mask |= 1u << i;
            wrt[count++] = i;
        }
        CHECK_OK(clgrad_batch(g, 3, count, wrt, &batched));
        ck_assert_msg(check_batch(g, batched, 3, mask, DOMAIN_unit, seed), "seed %d: a batch is not the loop", (int)seed);
        clgrad_graph_release(&batched);
        clgrad_graph_release(&g);
    }
}
END_TEST

START_TEST(seeds_repeat_and_differ)
{
    char digest[3][65];
    for (size_t i = 0; i < 3; i++) {
        clgrad_graph *g = random_smooth(i == 2 ? 8 : 7);
        CHECK_OK(clgrad_graph_digest(g, digest[i]));
        clgrad_graph_release(&g);
    }
    ck_assert_str_eq(digest[0], digest[1]);
    ck_assert_str_ne(digest[0], digest[2]);
}
END_TEST

Suite *random_suite(void)
{
    Suite *suite = suite_create("autodiff.random");
    TCase *tests = tcase_create("random");
    tcase_add_checked_fixture(tests, autodiff_setup, autodiff_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, random_graphs_have_right_derivatives);
    tcase_add_test(tests, random_batches_are_loops);
    tcase_add_test(tests, seeds_repeat_and_differ);
    suite_add_tcase(suite, tests);
    return suite;
}
