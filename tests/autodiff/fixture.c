#include "autodiff/fixture.h"

clgrad_context *ctx;
const size_t perceptron_weights[PERCEPTRON_WEIGHTS] = { 2, 3, 4 };

void autodiff_setup(void) { ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK); }
void autodiff_teardown(void) { clgrad_context_release(&ctx); }

clgrad_graph *graph_new(void)
{
    clgrad_graph *g = NULL;
    CHECK_OK(clgrad_graph_create(ctx, &g));
    return g;
}

clgrad_node graph_real(clgrad_graph *g, const char *name, clgrad_shape shape) { return clgrad_input(g, name, CLGRAD_F32, shape); }

void check_refused(clgrad_status got, clgrad_status wanted, const char *word, const clgrad_graph *out)
{
    ck_assert_msg(got == wanted, "%s instead of %s: %s", clgrad_status_name(got), clgrad_status_name(wanted), clgrad_error_text(ctx));
    ck_assert_msg(strstr(clgrad_error_text(ctx), word) != NULL, "'%s' is not in: %s", word, clgrad_error_text(ctx));
    ck_assert_ptr_null(out);
}

clgrad_graph *perceptron(clgrad_context *context, int64_t batch, int64_t hidden, int64_t cell)
{
    clgrad_graph *g = NULL;
    if (clgrad_graph_create(context, &g) != CLGRAD_OK) return NULL;
    const clgrad_node x = graph_real(g, "x", CLGRAD_SHAPE(batch, 5)), t = graph_real(g, "t", CLGRAD_SHAPE(batch, 2)),
                      w1 = graph_real(g, "w1", CLGRAD_SHAPE(5, hidden)), b1 = graph_real(g, "b1", CLGRAD_SHAPE(hidden)),
                      w2 = graph_real(g, "w2", CLGRAD_SHAPE(hidden, 2));
    const clgrad_node zero = clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, 0);
    const clgrad_node h = clgrad_max(g, clgrad_add(g, clgrad_matmul(g, x, w1, false, false), b1), zero);
    const clgrad_node z = clgrad_matmul(g, h, w2, false, false);
    const clgrad_node each = clgrad_sum(g, clgrad_square(g, clgrad_sub(g, z, t)), CLGRAD_AXIS(1), false);
    clgrad_output(g, "loss", clgrad_sum_cell(g, each, CLGRAD_AXIS(0), false, cell));
    clgrad_output(g, "z", z);
    return g;
}

size_t count_op(const clgrad_graph *g, clgrad_op op)
{
    size_t count = 0;
    for (size_t n = 0; n < g->num_nodes; n++) count += g->nodes[n]->op == op;
    return count;
}

static void check_names(char *const *have, size_t count, const char *const *names)
{
    size_t i = 0;
    for (; names[i]; i++) {
        ck_assert_uint_lt(i, count);
        ck_assert_str_eq(have[i], names[i]);
    }
    ck_assert_uint_eq(i, count);
}

void check_outputs(const clgrad_graph *g, const char *const *names) { check_names(g->output_names, g->num_outputs, names); }
void check_inputs(const clgrad_graph *g, const char *const *names) { check_names(g->input_names, g->num_inputs, names); }
