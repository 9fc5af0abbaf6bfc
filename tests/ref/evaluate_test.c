/* ref: whole evaluations: orders of sums through graphs, calls, wrong inputs, and every allocation refused once. */

#include "ref/sums.h"
#include "ref_case.h"
#include "ref_suites.h"

#include <math.h>
#include <stdlib.h>

/* Values on which the order and form of f32 adds show. */
static void fill(double *x, int64_t n)
{
    uint32_t seed = 12345;
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int32_t)seed * 0x1p-31 * (1 + (seed >> 8) % 1000));
    }
}

enum { ROWS = 700, COLUMNS = 5, CELL = 256 };

/* [ROWS, COLUMNS] summed over rows (leading: a chain per column), or over both (trailing: chunks), by cells of 256 rows. */
static float direct_sum(const double *x, int column, bool cells)
{
    float part[3] = { 0 };
    for (int i = 0; i < ROWS; i++) {
        float *acc = &part[cells ? i / CELL : 0];
        *acc = *acc + (float)x[i * COLUMNS + column];
    }
    return cells ? (part[0] + part[1]) + part[2] : part[0];
}

START_TEST(sums_of_graphs_follow_the_rule)
{
    static double x[ROWS * COLUMNS];
    double got[COLUMNS], want[COLUMNS];
    int differs = 0;
    fill(x, ROWS * COLUMNS);
    for (int cells = 0; cells < 2; cells++) {
        ref_case c;
        ref_case_begin(&c);
        const clgrad_node in = ref_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(ROWS, COLUMNS), x);
        ref_case_end(&c, clgrad_sum_cell(c.g, in, CLGRAD_AXIS(0), false, cells ? CELL : 0), CLGRAD_REF_F32, got, COLUMNS);
        for (int j = 0; j < COLUMNS; j++) {
            want[j] = direct_sum(x, j, cells);
            differs += want[j] != direct_sum(x, j, !cells);
        }
        ref_expect(got, want, COLUMNS);

        ref_case_begin(&c);
        const clgrad_node all = ref_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(ROWS, COLUMNS), x);
        ref_case_end(&c, clgrad_sum_cell(c.g, all, CLGRAD_ALL_AXES, false, cells ? CELL : 0), CLGRAD_REF_F32, got, 1);
        double part[3];
        for (int p = 0; p < 3; p++) {
            const int64_t n = p < 2 ? CELL : ROWS - 2 * CELL;
            part[p] = clgrad_ref_sum(x + p * CELL * COLUMNS, n * COLUMNS, CLGRAD_SUM_CHUNKS, true);
        }
        const float whole = (float)clgrad_ref_sum(x, ROWS * COLUMNS, CLGRAD_SUM_CHUNKS, true);
        ck_assert_float_eq((float)got[0], cells ? ((float)part[0] + (float)part[1]) + (float)part[2] : whole);
    }
    ck_assert_int_gt(differs, 0);
}
END_TEST

static float direct_product(const double *a, const double *b, bool fused, bool cells)
{
    float part[3] = { 0 };
    for (int p = 0; p < ROWS; p++) {
        float *acc = &part[cells ? p / CELL : 0];
        *acc = fused ? fmaf((float)a[p], (float)b[p], *acc) : (float)a[p] * (float)b[p] + *acc;
    }
    return cells ? (part[0] + part[1]) + part[2] : part[0];
}

/* x x' of a [4, ROWS] matrix, every element against a direct loop. */
START_TEST(products_are_chains_fused_or_not)
{
    static double x[4 * ROWS];
    double got[16];
    int told_apart[4] = { 0 };
    fill(x, 4 * ROWS);
    for (int form = 0; form < 4; form++) {
        const bool fused = form & 1, cells = form & 2;
        ref_case c;
        ref_case_begin(&c);
        const clgrad_node in = ref_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(4, ROWS), x);
        ref_case_end(&c, clgrad_matmul_cell(c.g, in, in, false, true, cells ? CELL : 0), fused ? CLGRAD_REF_F32_FMA : CLGRAD_REF_F32,
                     got, 16);
        for (int i = 0; i < 16; i++) {
            const double *a = x + i / 4 * ROWS, *b = x + i % 4 * ROWS;
            ck_assert_float_eq((float)got[i], direct_product(a, b, fused, cells));
            for (int other = 0; other < 4; other++) told_apart[other] += other != form && (float)got[i] != direct_product(a, b, other & 1, other & 2);
        }
    }
    for (int form = 0; form < 4; form++) ck_assert_int_gt(told_apart[form], 5); /* negative control */
}
END_TEST

/* y = sum(tanh(x) * x) with the product in a call. */
static clgrad_graph *sample_graph(clgrad_context *ctx)
{
    clgrad_graph *body = NULL, *g = NULL;
    if (clgrad_graph_create(ctx, &body)) return NULL;
    const clgrad_node p = clgrad_input(body, "p", CLGRAD_F32, CLGRAD_SHAPE(2, 3)), q = clgrad_input(body, "q", CLGRAD_F32, CLGRAD_SHAPE(2, 3));
    clgrad_output(body, "r", clgrad_mul(body, p, q));
    if (clgrad_graph_status(body) || clgrad_graph_create(ctx, &g)) {
        clgrad_graph_release(&body);
        return NULL;
    }
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(2, 3));
    const clgrad_node product = clgrad_call(g, "product", CLGRAD_ROLE_USER, body, 2, ((clgrad_node[]){ clgrad_tanh(g, x), x }), NULL, NULL);
    clgrad_output(g, "y", clgrad_sum(g, product, CLGRAD_ALL_AXES, false));
    clgrad_output(g, "m", clgrad_matmul(g, x, x, false, true));
    clgrad_output(g, "c", clgrad_cumsum(g, clgrad_take(g, x, clgrad_argmax(g, x, 1), 0), 0, true));
    clgrad_graph_release(&body);
    return g;
}

static const double six[] = { 0.5, -1, 2, 0.25, 3, -0.125 };

static void sample_input(clgrad_array *array, clgrad_dtype dtype)
{
    ck_assert_int_eq(clgrad_array_create(test_context(), dtype, CLGRAD_SHAPE(2, 3), array), CLGRAD_OK);
    for (int i = 0; i < 6; i++) clgrad_array_set(array, i, six[i]);
}

START_TEST(calls_are_expanded_and_f64_inputs_kept)
{
    clgrad_graph *g = sample_graph(test_context());
    clgrad_array x, y[3];
    double want = 0;
    for (int i = 0; i < 6; i++) want += tanh(six[i]) * six[i];
    sample_input(&x, CLGRAD_F64);
    ck_assert_int_eq(clgrad_ref_evaluate(g, &x, y, CLGRAD_REF_F64), CLGRAD_OK);
    ck_assert_int_eq(y[0].dtype, CLGRAD_F64);
    ck_assert_double_le(fabs(clgrad_array_get(&y[0], 0) - want), 1e-14);
    for (int i = 0; i < 3; i++) clgrad_array_release(test_context(), &y[i]);
    clgrad_array_release(test_context(), &x);
    clgrad_graph_release(&g);
}
END_TEST

START_TEST(wrong_inputs_are_named)
{
    clgrad_graph *g = sample_graph(test_context());
    clgrad_array x, y[3];
    sample_input(&x, CLGRAD_F64);
    ck_assert_int_eq(clgrad_ref_evaluate(g, &x, y, CLGRAD_REF_F32), CLGRAD_E_DTYPE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "input 0 (x) is f64, not f32"));
    ck_assert_ptr_null(y[0].data);
    x.shape = CLGRAD_SHAPE(3, 2);
    ck_assert_int_eq(clgrad_ref_evaluate(g, &x, y, CLGRAD_REF_F64), CLGRAD_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "[3, 2], not [2, 3]"));
    clgrad_array_release(test_context(), &x);
    clgrad_graph_release(&g);
}
END_TEST

typedef struct evaluation {
    const clgrad_graph *g;
    clgrad_array x;
} evaluation;

/* Results only with success. */
static clgrad_status evaluate_once(clgrad_context *ctx, void *user)
{
    const evaluation *e = user;
    clgrad_array y[3];
    const clgrad_status status = clgrad_ref_evaluate(e->g, &e->x, y, CLGRAD_REF_F32_FMA);
    for (int i = 0; i < 3; i++) {
        ck_assert(status == CLGRAD_OK || !y[i].data);
        clgrad_array_release(ctx, &y[i]);
    }
    return status;
}

START_TEST(refused_memory_leaks_nothing)
{
    test_memory memory = { 0 };
    clgrad_context *ctx = test_memory_context(&memory);
    clgrad_graph *g = sample_graph(ctx);
    evaluation e = { .g = g };
    sample_input(&e.x, CLGRAD_F32);
    ck_assert_uint_gt(test_refuse_each(&memory, ctx, evaluate_once, &e), 20);
    clgrad_graph_release(&g);
    clgrad_context_release(&ctx);
    ck_assert_uint_eq(memory.live, 0);
    clgrad_array_release(test_context(), &e.x);
}
END_TEST

Suite *ref_evaluate_suite(void)
{
    Suite *suite = suite_create("ref.evaluate");
    TCase *tests = tcase_create("evaluate");
    tcase_add_test(tests, sums_of_graphs_follow_the_rule);
    tcase_add_test(tests, products_are_chains_fused_or_not);
    tcase_add_test(tests, calls_are_expanded_and_f64_inputs_kept);
    tcase_add_test(tests, wrong_inputs_are_named);
    tcase_add_test(tests, refused_memory_leaks_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
