/* Joining graphs by name. */

#include "schedule/schedule.h"
#include "schedule/suites.h"
#include "support/device.h"

/* out = in * factor, with an input "other" that stays unused when NULL */
static clgrad_graph *scaling(const char *in, const char *out, double factor, int64_t n)
{
    clgrad_graph *g = NULL;
    ck_ok(clgrad_graph_create(test_context(), &g));
    ck_ok(clgrad_output(g, out, clgrad_scale(g, clgrad_input(g, in, CLGRAD_F32, CLGRAD_SHAPE(n)), factor)));
    return g;
}

START_TEST(names_connect)
{
    clgrad_graph *links[] = { scaling("x", "y", 2, 3), scaling("y", "x", 3, 3), scaling("x", "x", 5, 3) }, *joined = NULL;
    ck_ok(clgrad_graph_chain(test_context(), 3, links, &joined));
    ck_assert_uint_eq(clgrad_graph_num_inputs(joined), 1);
    ck_assert_uint_eq(clgrad_graph_num_outputs(joined), 1);
    ck_assert_str_eq(clgrad_graph_input_name(joined, 0), "x");
    ck_assert_str_eq(clgrad_graph_output_name(joined, 0), "x"); /* its next value: 30 x */
    ck_assert_uint_eq(clgrad_graph_find_input(joined, "x"), 0);
    ck_assert_uint_eq(clgrad_graph_find_input(joined, "y"), SIZE_MAX);
    ck_assert_uint_eq(clgrad_graph_find_output(joined, "y"), SIZE_MAX);
    for (size_t i = 0; i < 3; i++) clgrad_graph_release(&links[i]);
    clgrad_graph_release(&joined);
}
END_TEST

START_TEST(unknown_names_become_inputs)
{
    clgrad_graph *links[] = { scaling("a", "b", 2, 3), scaling("c", "d", 3, 3) }, *joined = NULL;
    ck_ok(clgrad_graph_chain(test_context(), 2, links, &joined));
    ck_assert_uint_eq(clgrad_graph_num_inputs(joined), 2);
    ck_assert_str_eq(clgrad_graph_input_name(joined, 1), "c");
    for (size_t i = 0; i < 2; i++) clgrad_graph_release(&links[i]);
    clgrad_graph_release(&joined);
}
END_TEST

START_TEST(ends_of_other_shapes_do_not_join)
{
    clgrad_graph *links[] = { scaling("x", "y", 2, 3), scaling("y", "z", 3, 4) }, *joined = NULL;
    ck_assert_int_eq(clgrad_graph_chain(test_context(), 2, links, &joined), CLGRAD_E_SHAPE);
    ck_assert_ptr_null(joined);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), "'y' is f32 [3] where f32 [4]"));
    for (size_t i = 0; i < 2; i++) clgrad_graph_release(&links[i]);
}
END_TEST

START_TEST(selection_keeps_inputs_and_order)
{
    clgrad_graph *g = scaling("x", "y", 2, 3), *picked = NULL;
    ck_ok(clgrad_output(g, "z", clgrad_exp(g, clgrad_graph_input(g, 0))));
    ck_ok(clgrad_output(g, "w", clgrad_sin(g, clgrad_graph_input(g, 0))));
    clgrad_input(g, "unused", CLGRAD_F32, CLGRAD_SCALAR);
    const size_t outputs[] = { 2, 0 };
    ck_ok(clgrad_graph_select(g, 2, outputs, &picked));
    ck_assert_uint_eq(clgrad_graph_num_inputs(picked), 2);
    ck_assert_uint_eq(clgrad_graph_num_outputs(picked), 2);
    ck_assert_str_eq(clgrad_graph_output_name(picked, 0), "w");
    ck_assert_str_eq(clgrad_graph_output_name(picked, 1), "y");
    clgrad_graph_release(&g), clgrad_graph_release(&picked);
}
END_TEST

Suite *chain_suite(void)
{
    Suite *suite = suite_create("chain");
    TCase *tests = tcase_create("chain");
    tcase_add_test(tests, names_connect);
    tcase_add_test(tests, unknown_names_become_inputs);
    tcase_add_test(tests, ends_of_other_shapes_do_not_join);
    tcase_add_test(tests, selection_keeps_inputs_and_order);
    suite_add_tcase(suite, tests);
    return suite;
}
