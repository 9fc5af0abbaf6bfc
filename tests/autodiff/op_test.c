/* Every operation of the table, in every variant: forward, reverse, second order, batches. */

#include "autodiff/autodiff_suites.h"
#include "autodiff/checks.h"
#include "autodiff/samples.h"
#include "clgrad/autodiff.h"

#include <stdlib.h>

static clgrad_context *ctx;

static void setup(void) { ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK); }
static void teardown(void) { clgrad_context_release(&ctx); }

#define MUST(call) ck_assert_msg((call) == CLGRAD_OK, "%s: %s", s->name, clgrad_error_text(ctx))

static void verify(const sample *s, const clgrad_graph *g, const char *what)
{
    ck_assert_msg(clgrad_graph_verify(g) == CLGRAD_OK, "%s %s: %s", s->name, what, clgrad_error_text(ctx));
}

static bool holds_op(const clgrad_graph *g, clgrad_op op)
{
    for (size_t n = 0; n < g->num_nodes; n++)
        if (g->nodes[n]->op == op) return true;
    return false;
}

static void for_every_sample(clgrad_dtype dtype, void (*check)(const sample *s))
{
    for (int op = 0; op < CLGRAD_OP_COUNT; op++) {
        sample s;
        int variants = 0;
        for (; sample_create(ctx, (clgrad_op)op, variants, dtype, &s); variants++) {
            if (s.op != CLGRAD_OP_STOP) ck_assert_msg(holds_op(s.g, s.op), "%s does not hold its operation", s.name);
            check(&s);
            clgrad_graph_release(&s.g);
        }
        ck_assert_msg(variants > 0, "%s has no sample", clgrad_op_get((clgrad_op)op)->name);
    }
}

static void check_first_order(const sample *s)
{
    study at;
    clgrad_graph *jvp = NULL, *vjp = NULL;
    study_open(&at, s->g, s->domain, 1);
    MUST(clgrad_jvp(s->g, at.num_real, at.real, &jvp));
    MUST(clgrad_vjp(s->g, at.num_real, at.real, &vjp));
    verify(s, jvp, "jvp");
    verify(s, vjp, "vjp");
    if (s->op != CLGRAD_OP_STOP) ck_assert_msg(check_jvp(&at, jvp), "%s: jvp is not the central difference", s->name);
    ck_assert_msg(check_adjoint(&at, jvp, vjp), "%s: vjp is not the adjoint of jvp", s->name);
    ck_assert_msg(check_split(&at, jvp), "%s: jvp is not what its sides make", s->name);
    clgrad_graph_release(&jvp);
    clgrad_graph_release(&vjp);
    study_close(&at);
}

static void check_second_order(const sample *s)
{
    study at;
    clgrad_graph *scalar = scalar_of(s->g), *hv = NULL;
    study_open(&at, scalar, s->domain, 2);
    MUST(clgrad_hessian_vector(scalar, 0, at.num_real, at.real, &hv));
    verify(s, hv, "hessian_vector");
    ck_assert_msg(check_symmetry(&at, hv), "%s: the Hessian is not symmetric", s->name);
    if (s->op != CLGRAD_OP_STOP) ck_assert_msg(check_taylor(&at, hv), "%s: Taylor remainders do not fall", s->name);
    clgrad_graph_release(&hv);
    clgrad_graph_release(&scalar);
    study_close(&at);
}

static void check_batches_of(const sample *s, const clgrad_graph *g, const char *what)
{
    const uint32_t all = (1u << g->num_inputs) - 1, masks[] = { all, 1, 1u << (g->num_inputs - 1), all & ~1u };
    for (size_t m = 0; m < CLGRAD_COUNT(masks); m++) {
        size_t wrt[STUDY_INPUTS], count = 0;
        clgrad_graph *batched = NULL;
        for (size_t i = 0; i < g->num_inputs; i++)
            if (masks[m] >> i & 1) wrt[count++] = i;
        MUST(clgrad_batch(g, 3, count, wrt, &batched));
        verify(s, batched, what);
        ck_assert_msg(check_batch(g, batched, 3, masks[m], s->domain, 5), "%s %s: a batch over inputs %x is not the loop", s->name,
                      what, masks[m]);
        clgrad_graph_release(&batched);
    }
}

static void check_batches(const sample *s)
{
    study at;
    clgrad_graph *jvp = NULL, *vjp = NULL;
    study_open(&at, s->g, s->domain, 3);
    MUST(clgrad_jvp(s->g, at.num_real, at.real, &jvp));
    MUST(clgrad_vjp(s->g, at.num_real, at.real, &vjp));
    check_batches_of(s, s->g, "value");
    check_batches_of(s, jvp, "jvp");
    check_batches_of(s, vjp, "vjp");
    clgrad_graph_release(&jvp);
    clgrad_graph_release(&vjp);
    study_close(&at);
}

START_TEST(first_derivatives_hold) { for_every_sample(CLGRAD_F64, check_first_order); }
END_TEST

START_TEST(second_derivatives_hold) { for_every_sample(CLGRAD_F64, check_second_order); }
END_TEST

START_TEST(batches_are_loops) { for_every_sample(CLGRAD_F32, check_batches); }
END_TEST

/* --- the checks themselves can fail --- */

START_TEST(wrong_derivatives_are_refused)
{
    sample made, *s = &made;
    study at, of_scalar;
    clgrad_graph *jvp = NULL, *vjp = NULL, *hv = NULL, *batched = NULL, *wrong = NULL;
    ck_assert(sample_create(ctx, CLGRAD_OP_MUL, 0, CLGRAD_F32, s));
    clgrad_graph *scalar = scalar_of(s->g);
    study_open(&at, s->g, s->domain, 1);
    study_open(&of_scalar, scalar, s->domain, 2);
    MUST(clgrad_jvp(s->g, 2, at.real, &jvp));
    MUST(clgrad_vjp(s->g, 2, at.real, &vjp));
    MUST(clgrad_hessian_vector(scalar, 0, 2, at.real, &hv));
    MUST(clgrad_batch(s->g, 3, 2, at.real, &batched));

    wrong = spoil(jvp, 1);
    ck_assert(!check_jvp(&at, wrong));
    ck_assert(!check_adjoint(&at, wrong, vjp));
    clgrad_graph_release(&wrong);
    wrong = spoil(vjp, 1);
    ck_assert(!check_adjoint(&at, jvp, wrong));
    clgrad_graph_release(&wrong);
    wrong = spoil(hv, 0); /* a gradient */
    ck_assert(!check_taylor(&of_scalar, wrong));
    clgrad_graph_release(&wrong);
    wrong = spoil(hv, 2); /* a Hessian product */
    ck_assert(!check_symmetry(&of_scalar, wrong));
    ck_assert(!check_taylor(&of_scalar, wrong));
    clgrad_graph_release(&wrong);
    wrong = spoil(batched, 0);
    ck_assert(!check_batch(s->g, wrong, 3, 3, s->domain, 5));
    clgrad_graph_release(&wrong);

    study_close(&at);
    study_close(&of_scalar);
    clgrad_graph_release(&jvp);
    clgrad_graph_release(&vjp);
    clgrad_graph_release(&hv);
    clgrad_graph_release(&batched);
    clgrad_graph_release(&scalar);
    clgrad_graph_release(&s->g);
}
END_TEST

Suite *op_suite(void)
{
    Suite *suite = suite_create("autodiff.operations");
    TCase *tests = tcase_create("operations");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, first_derivatives_hold);
    tcase_add_test(tests, second_derivatives_hold);
    tcase_add_test(tests, batches_are_loops);
    tcase_add_test(tests, wrong_derivatives_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
