/* The k-th allocation fails, for every k, while a graph of a few dozen nodes is built, called, expanded, simplified, printed
 * and checked: the status is E_MEMORY, nothing leaks, and a second try without the fault gives the same text. */

#include "graph_test.h"

#include "support/device.h"

#include <stdlib.h>

static clgrad_status build_body(clgrad_context *c, clgrad_graph **out)
{
    clgrad_graph *b = NULL;
    CLGRAD_TRY(clgrad_graph_create(c, &b));
    const clgrad_node x = clgrad_input(b, "x", CLGRAD_F32, CLGRAD_SHAPE(5, 4)), w = clgrad_input(b, "w", CLGRAD_F32, CLGRAD_SHAPE(3, 4));
    const clgrad_status st = clgrad_output(b, "z", clgrad_tanh(b, clgrad_matmul(b, x, w, false, true)));
    if (st == CLGRAD_OK) *out = clgrad_graph_retain(b);
    clgrad_graph_release(&b);
    return st;
}

static clgrad_status build_main(clgrad_graph *m, clgrad_graph *b)
{
    const clgrad_node x = clgrad_input(m, "x", CLGRAD_F32, CLGRAD_SHAPE(5, 4)), w = clgrad_input(m, "w", CLGRAD_F32, CLGRAD_SHAPE(3, 4));
    clgrad_node z = clgrad_call(m, "layer", CLGRAD_ROLE_LINEAR, b, 2, (clgrad_node[]){ x, w }, NULL, NULL);
    for (int i = 0; i < 20; i++) z = clgrad_add(m, clgrad_mul(m, z, z), clgrad_constant(m, CLGRAD_F32, CLGRAD_SCALAR, i % 3));
    z = clgrad_concat(m, 2, (clgrad_node[]){ z, clgrad_flip(m, clgrad_flip(m, z, 1), 1) }, 0);
    (void)clgrad_output(m, "loss", clgrad_sum(m, z, CLGRAD_ALL_AXES, false));
    return clgrad_graph_status(m);
}

/* The whole exercise; *text gets the expanded, simplified graph as text of the C library's memory. */
static clgrad_status exercise(clgrad_context *c, void *user)
{
    char **text = user;
    clgrad_graph *b = NULL, *m = NULL, *expanded = NULL, *small = NULL;
    char *printed = NULL;
    clgrad_status st = build_body(c, &b);
    if (st == CLGRAD_OK) st = clgrad_graph_create(c, &m);
    if (st == CLGRAD_OK) st = build_main(m, b);
    if (st == CLGRAD_OK) st = clgrad_graph_expand_calls(m, &expanded);
    if (st == CLGRAD_OK) st = clgrad_graph_simplify(expanded, &small);
    if (st == CLGRAD_OK) st = clgrad_graph_verify(small);
    if (st == CLGRAD_OK) st = clgrad_graph_print(small, &printed);
    if (st == CLGRAD_OK) *text = strcpy(malloc(strlen(printed) + 1), printed);
    if (printed) clgrad_graph_text_release(small, &printed);
    clgrad_graph_release(&small);
    clgrad_graph_release(&expanded);
    clgrad_graph_release(&m);
    clgrad_graph_release(&b);
    return st;
}

START_TEST(every_allocation_may_fail)
{
    test_memory memory = { 0 };
    clgrad_context *c = test_memory_context(&memory);
    char *first = NULL, *text = NULL;
    ck_assert_int_eq(exercise(c, &first), CLGRAD_OK);
    ck_assert_uint_gt(test_refuse_each(&memory, c, exercise, &text), 100);
    ck_assert_str_eq(text, first);
    free(first);
    free(text);
    clgrad_context_release(&c);
    ck_assert_uint_eq(memory.live, 0);
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, every_allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite;
}
