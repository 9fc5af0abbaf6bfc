/* Simplification changes no value: on random graphs with what it rewrites mixed in, the simplified graph gives the bits of the
 * graph as built (but for the sign of a zero), in the device's arithmetic and in f64. */

#include "ref/ref.h"
#include "ref_suites.h"
#include "support/random_graph.h"

enum { GRAPHS = 60 };

static clgrad_context *ctx;

/* Rewrite g's graph with each node wrapped in something that simplify takes away again. */
static clgrad_node wrap(clgrad_graph *g, clgrad_node x, uint64_t *state)
{
    if (!clgrad_dtype_is_real(clgrad_node_dtype(g, x))) return x;
    const clgrad_shape shape = clgrad_node_shape(g, x);
    switch (random_below(state, 7)) {
    case 0: return clgrad_scale(g, x, 1);
    case 1: return clgrad_offset(g, x, 0);
    case 2: return clgrad_neg(g, clgrad_neg(g, x));
    case 3: return clgrad_reshape(g, clgrad_reshape(g, x, CLGRAD_SHAPE(clgrad_shape_count(&shape))), shape);
    case 4: return clgrad_flip(g, clgrad_flip(g, x, 0), 0);
    case 5: return shape.rank < 2 ? x : clgrad_transpose(g, clgrad_transpose(g, x));
    default: return clgrad_add(g, clgrad_scale(g, x, 2), clgrad_neg(g, x));
    }
}

static clgrad_graph *wrapped(const clgrad_graph *f, uint64_t seed)
{
    clgrad_graph *g = NULL;
    clgrad_node map[512], in[16];
    uint64_t state = seed;
    ck_assert_int_eq(clgrad_graph_create(ctx, &g), CLGRAD_OK);
    ck_assert_uint_lt(f->num_nodes, CLGRAD_COUNT(map));
    ck_assert_int_eq(clgrad_graph_copy_inputs(f, g, in), CLGRAD_OK);
    for (size_t i = 0; i < f->num_nodes; i++) {
        const clgrad_op_node *n = f->nodes[i];
        clgrad_node operands[16];
        for (size_t k = 0; k < n->num_in; k++) operands[k] = map[n->in[k]];
        map[i] = n->op == CLGRAD_OP_INPUT ? in[n->attr.integer] : clgrad_graph_append_like(g, n, operands);
        if (random_below(&state, 3) == 0) map[i] = wrap(g, map[i], &state);
    }
    for (size_t i = 0; i < f->num_outputs; i++) clgrad_output(g, f->output_names[i], map[f->outputs[i]]);
    ck_assert_msg(clgrad_graph_status(g) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    return g;
}

/* The number of elements that differ; NaN equals NaN, 0 equals -0. */
static int64_t count_differences(const clgrad_graph *a, const clgrad_graph *b, const clgrad_array *inputs, clgrad_ref_mode mode)
{
    clgrad_array x[4], y[4];
    int64_t count = 0;
    ck_assert_msg(clgrad_ref_evaluate(a, inputs, x, mode) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    ck_assert_msg(clgrad_ref_evaluate(b, inputs, y, mode) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    for (size_t i = 0; i < a->num_outputs; i++) {
        ck_assert(clgrad_shape_equal(&x[i].shape, &y[i].shape));
        for (int64_t k = 0; k < clgrad_shape_count(&x[i].shape); k++) {
            const double p = clgrad_array_get(&x[i], k), q = clgrad_array_get(&y[i], k);
            count += !(p == q || (p != p && q != q));
        }
        clgrad_array_release(ctx, &x[i]);
        clgrad_array_release(ctx, &y[i]);
    }
    return count;
}

START_TEST(simplified_graphs_mean_the_same)
{
    clgrad_graph *f = NULL, *g = NULL, *s = NULL;
    clgrad_array inputs[16];
    const random_graph_options options = { .seed = 700 + (uint64_t)_i, .storage = _i % 4 == 0, .dtype = _i % 5 == 0 ? CLGRAD_F64 : CLGRAD_F32 };
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    ck_assert_int_eq(random_graph_create(ctx, &options, &f), CLGRAD_OK);
    g = wrapped(f, options.seed);
    ck_assert_int_eq(clgrad_graph_simplify(g, &s), CLGRAD_OK);
    ck_assert_msg(clgrad_graph_verify(s) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    ck_assert_int_eq(random_inputs_create(s, options.seed, false, inputs), CLGRAD_OK);
    ck_assert_int_eq(count_differences(g, s, inputs, CLGRAD_REF_F32), 0);
    ck_assert_int_eq(count_differences(g, s, inputs, CLGRAD_REF_F32_FMA), 0);
    for (size_t i = 0; i < s->num_inputs; i++) clgrad_array_release(ctx, &inputs[i]);
    clgrad_graph_release(&s);
    clgrad_graph_release(&g);
    clgrad_graph_release(&f);
    clgrad_context_release(&ctx);
}
END_TEST

/* Two graphs of different meaning are told apart. */
START_TEST(the_comparison_is_able_to_fail)
{
    clgrad_graph *f = NULL, *g = NULL;
    clgrad_array inputs[16];
    const random_graph_options options = { .seed = 7, .dtype = CLGRAD_F32 };
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    ck_assert_int_eq(random_graph_create(ctx, &options, &f), CLGRAD_OK);
    ck_assert_int_eq(random_graph_create(ctx, &options, &g), CLGRAD_OK);
    g->outputs[0] = clgrad_offset(g, g->outputs[0], 0x1p-20);
    ck_assert_int_eq(random_inputs_create(f, 7, false, inputs), CLGRAD_OK);
    ck_assert_int_gt(count_differences(f, g, inputs, CLGRAD_REF_F32), 0);
    for (size_t i = 0; i < f->num_inputs; i++) clgrad_array_release(ctx, &inputs[i]);
    clgrad_graph_release(&g);
    clgrad_graph_release(&f);
    clgrad_context_release(&ctx);
}
END_TEST

Suite *ref_simplify_suite(void)
{
    Suite *suite = suite_create("ref.simplify");
    TCase *tests = tcase_create("simplify");
    tcase_add_loop_test(tests, simplified_graphs_mean_the_same, 0, GRAPHS);
    tcase_add_test(tests, the_comparison_is_able_to_fail);
    suite_add_tcase(suite, tests);
    return suite;
}
