/* All transforms of every layer and loss: jvp against central differences, the adjoint identity, symmetry of the Hessian, Taylor
 * remainders, split, and batches of the value and of the Hessian product. */

#include "autodiff/checks.h"
#include "clgrad/autodiff.h"
#include "model_test.h"

enum { ROWS = 3, FEATURES = 4 };

static clgrad_node input(const char *name, clgrad_dtype dtype) { return clgrad_input(g, name, dtype, CLGRAD_SHAPE(ROWS, FEATURES)); }

/* One word of the tables, or a layer that is in none, of inputs of the given type. */
static void build_activation(int i, clgrad_dtype dtype)
{
    clgrad_output(g, "y", clgrad_activation_get((size_t)i)->build(g, input("x", dtype)));
}

static void build_loss(int i, clgrad_dtype dtype)
{
    const clgrad_loss_info *loss = clgrad_loss_get((size_t)i);
    const clgrad_node z = input("z", dtype);
    clgrad_output(g, "l", loss->build(g, z, loss->labels ? clgrad_input(g, "y", CLGRAD_I32, CLGRAD_SHAPE(ROWS)) : input("y", dtype)));
}

static void build_layer(int i, clgrad_dtype dtype)
{
    const clgrad_node x = input("x", dtype);
    const clgrad_node w = clgrad_input(g, "w", dtype, CLGRAD_SHAPE(2, FEATURES)), b = clgrad_input(g, "b", dtype, CLGRAD_SHAPE(2));
    switch (i) {
    case 0: clgrad_output(g, "y", clgrad_linear(g, x, w, b)); break;
    case 1: clgrad_output(g, "y", clgrad_linear(g, x, w, CLGRAD_NONE)); break;
    case 2: clgrad_output(g, "y", clgrad_softmax(g, x)); break;
    case 3: clgrad_output(g, "y", clgrad_log_softmax(g, x)); break;
    case 4: clgrad_output(g, "y", clgrad_leaky_relu(g, x, 0.2)); break;
    default: {
        const clgrad_node seed = clgrad_input(g, "seed", CLGRAD_I64, CLGRAD_SCALAR), base = clgrad_input(g, "base", CLGRAD_I64, CLGRAD_SCALAR);
        clgrad_output(g, "y", clgrad_dropout(g, x, 0.4, seed, base, 1));
    }
    }
}

/* g as a fresh graph again, since the fixture holds one. */
static void restart(void)
{
    clgrad_graph_release(&g);
    ck_assert_int_eq(clgrad_graph_create(ctx, &g), CLGRAD_OK);
}

#define MUST(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(ctx))

static void check_derivatives(void)
{
    clgrad_graph *jvp = NULL, *vjp = NULL, *hv = NULL, *scalar = scalar_of(g);
    study at, of_scalar;
    study_open(&at, g, DOMAIN_kink0, 3);
    study_open(&of_scalar, scalar, DOMAIN_kink0, 3);
    MUST(clgrad_jvp(g, at.num_real, at.real, &jvp));
    MUST(clgrad_vjp(g, at.num_real, at.real, &vjp));
    MUST(clgrad_hessian_vector(scalar, 0, at.num_real, at.real, &hv));
    ck_assert(check_jvp(&at, jvp));
    ck_assert(check_adjoint(&at, jvp, vjp));
    ck_assert(check_symmetry(&of_scalar, hv));
    ck_assert(check_taylor(&of_scalar, hv));
    ck_assert(check_split(&of_scalar, hv));
    clgrad_graph *wrong = spoil(jvp, 1);
    ck_assert(!check_jvp(&at, wrong));
    clgrad_graph_release(&wrong);
    study_close(&at);
    study_close(&of_scalar);
    clgrad_graph_release(&jvp);
    clgrad_graph_release(&vjp);
    clgrad_graph_release(&hv);
    clgrad_graph_release(&scalar);
}

static void check_batched(const clgrad_graph *single)
{
    size_t wrt[STUDY_INPUTS];
    clgrad_graph *batched = NULL;
    for (size_t i = 0; i < single->num_inputs; i++) wrt[i] = i;
    const uint32_t masks[] = { 1, (1u << single->num_inputs) - 1 };
    for (size_t m = 0; m < 2; m++) {
        MUST(clgrad_batch(single, 3, m == 0 ? 1 : single->num_inputs, wrt, &batched));
        ck_assert(check_batch(single, batched, 3, masks[m], DOMAIN_kink0, 5));
        clgrad_graph_release(&batched);
    }
}

static void check_batches(void)
{
    clgrad_graph *scalar = scalar_of(g), *hv = NULL;
    study at;
    study_open(&at, scalar, DOMAIN_kink0, 3);
    MUST(clgrad_hessian_vector(scalar, 0, at.num_real, at.real, &hv));
    check_batched(g);
    check_batched(hv);
    study_close(&at);
    clgrad_graph_release(&hv);
    clgrad_graph_release(&scalar);
}

static void check_all(void (*build)(int i, clgrad_dtype dtype), int i)
{
    build(i, CLGRAD_F64);
    check_derivatives();
    restart();
    build(i, CLGRAD_F32);
    check_batches();
}

START_TEST(activations_transform) { check_all(build_activation, _i); }
END_TEST
START_TEST(losses_transform) { check_all(build_loss, _i); }
END_TEST
START_TEST(layers_transform) { check_all(build_layer, _i); }
END_TEST

Suite *transform_suite(void)
{
    int activations = 0, losses = 0;
    while (clgrad_activation_get((size_t)activations)) activations++;
    while (clgrad_loss_get((size_t)losses)) losses++;
    Suite *suite = suite_create("model.transforms");
    TCase *tests = tcase_create("transforms");
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_loop_test(tests, activations_transform, 0, activations);
    tcase_add_loop_test(tests, losses_transform, 0, losses);
    tcase_add_loop_test(tests, layers_transform, 0, 6);
    suite_add_tcase(suite, tests);
    return suite;
}
