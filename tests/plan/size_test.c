/* Expressions too large for one launch are divided, without a change of bits. */

#include "plan_case.h"
#include "plan_test.h"

/* Fifteen inputs, each read through several views of its own: more numbers than one parameter struct holds. */
START_TEST(many_views)
{
    if (!test_device()) return;
    plan_case c;
    plan_case_begin(&c, 51);
    clgrad_node total = CLGRAD_NONE;
    for (int i = 0; i < 15; i++) {
        const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(7, 5, 6, 3), -1, 1);
        const int32_t turn[] = { 3, 2, 0, 1 };
        const int64_t start[] = { i % 3, 0, i % 2, 0 }, step[] = { 1, 2, 1, 1 };
        const clgrad_node views[] = { clgrad_slice(c.g, clgrad_permute(c.g, x, turn), (int64_t[]){ 0, i % 3, i % 2, 0 }, (int64_t[]){ 3, 2, 4, 4 }, step),
                                      clgrad_slice(c.g, clgrad_reshape(c.g, clgrad_flip(c.g, x, 5), CLGRAD_SHAPE(5, 9, 7, 2)), start, (int64_t[]){ 3, 2, 4, 2 }, step) };
        const clgrad_node wide = clgrad_concat(c.g, 2, (clgrad_node[]){ views[1], views[1] }, 3);
        const clgrad_node term = clgrad_mul(c.g, views[0], wide);
        total = total == CLGRAD_NONE ? term : clgrad_add(c.g, total, term);
    }
    plan_case_output(&c, total);
    plan_case_check(&c, NULL, 1000, "many views");
    plan_case_end(&c);
}
END_TEST

/* A tree of 300 operations over one input and a chain of 400. */
START_TEST(long_expressions)
{
    if (!test_device()) return;
    plan_case c;
    plan_case_begin(&c, 52);
    const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(100), -1, 1);
    clgrad_node chain = x, parts[150];
    for (int i = 0; i < 400; i++) chain = i & 1 ? clgrad_offset(c.g, chain, 0.001 * i) : clgrad_scale(c.g, chain, 0.99);
    for (int i = 0; i < 150; i++) parts[i] = clgrad_scale(c.g, clgrad_offset(c.g, x, i), 1.0 / (i + 1));
    for (int count = 150; count > 1; count = (count + 1) / 2)
        for (int i = 0; i < (count + 1) / 2; i++)
            parts[i] = 2 * i + 1 < count ? clgrad_add(c.g, parts[2 * i], parts[2 * i + 1]) : parts[2 * i];
    plan_case_output(&c, chain);
    plan_case_output(&c, parts[0]);
    plan_case_check(&c, NULL, 1000, "long");
    plan_case_end(&c);
}
END_TEST

/* Every element used twice on each of 40 levels: 2^40 paths, one launch. */
START_TEST(shared_parts)
{
    if (!test_device()) return;
    plan_case c;
    clgrad_plan *plan;
    plan_case_begin(&c, 53);
    clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(33), -1, 1);
    for (int i = 0; i < 40; i++) x = clgrad_sub(c.g, clgrad_scale(c.g, x, 0.5), clgrad_mul(c.g, x, x));
    plan_case_output(&c, x);
    ck_assert_int_eq(clgrad_plan_create(test_device(), c.g, NULL, &plan), CLGRAD_OK);
    ck_assert_int_eq(clgrad_plan_num_launches(plan), 1);
    clgrad_plan_release(&plan);
    plan_case_check(&c, NULL, 1000, "shared");
    plan_case_end(&c);
}
END_TEST

Suite *plan_size_suite(void)
{
    Suite *suite = suite_create("plan size");
    TCase *t = tcase_create("size");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, many_views);
    tcase_add_test(t, long_expressions);
    tcase_add_test(t, shared_parts);
    suite_add_tcase(suite, t);
    return suite;
}
