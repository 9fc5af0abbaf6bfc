/* Stored choices for products: keys that like products share, texts that are read or refused, plans that follow them with the bits they
 * always had, and CLBlast, which has others, named wherever it is used. */

#define _GNU_SOURCE /* setenv */

#include "plan/choice.h"
#include "plan_case.h"
#include "plan_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char file[64];

static void setup(void)
{
    snprintf(file, sizeof file, "/tmp/clgrad-choices-%d", (int)getpid());
    unlink(file);
    setenv("CLGRAD_TUNING", file, 1);
}

static void teardown(void)
{
    if (test_device()) ck_assert_int_eq(clgrad_device_tune(test_device(), NULL, NULL), CLGRAD_OK);
    setenv("CLGRAD_TUNING", "0", 1);
    unlink(file);
}

static const char *key_of(int64_t m, int64_t n, int64_t k, bool a, bool b, int64_t batches, int64_t cell)
{
    static char key[CLGRAD_MATMUL_KEY];
    clgrad_product_key(&(clgrad_product){ sizeof(clgrad_product), CLGRAD_F32, CLGRAD_F32, m, n, k, a, b, batches, cell }, key);
    return key;
}

START_TEST(products_that_are_alike_share_a_key)
{
    ck_assert_str_eq(key_of(128, 128, 784, false, false, 1, 0), "matmul f32 nn 128x128x1024");
    ck_assert_str_eq(key_of(120, 100, 1000, false, false, 1, 0), "matmul f32 nn 128x128x1024");
    ck_assert_str_eq(key_of(1, 90, 91, true, false, 3, 0), "matmul f32 tn 1x64x128 batch=4");
    ck_assert_str_eq(key_of(1448, 1449, 3, false, true, 1, 256), "matmul f32 nt 1024x2048x4");
    ck_assert_str_eq(key_of(8, 8, 512, false, true, 1, 256), "matmul f32 nt 8x8x512 cell=256");
}
END_TEST

START_TEST(texts_come_back_and_others_are_refused)
{
    static const char *const good[] = { "rules", "clblast", "cpu rows=12 columns=2 pack=0", "cpu rows=4 columns=4 pack=1 groups=16",
                                        "gpu rows=4 columns=8 items_i=16 items_j=8 depth=32" };
    static const char *const bad[] = { "", "fast", "cpu", "cpu rows=8", "cpu rows=0 columns=2", "cpu rows=-1 columns=2", "cpu rows= columns=2",
                                       "cpu rows=8 columns=2 speed=3", "cpu rows=99999999999999999999 columns=1", "gpu rows=4 columns=4",
                                       "cpurows=8 columns=2", "cpu rows=8 columns=2x" };
    clgrad_matmul_choice choice;
    char text[CLGRAD_MATMUL_TEXT];
    for (size_t i = 0; i < CLGRAD_COUNT(good); i++) {
        ck_assert_msg(clgrad_matmul_choice_read(good[i], &choice), "%s", good[i]);
        clgrad_matmul_choice_write(&choice, text);
        ck_assert_str_eq(text, good[i]);
    }
    ck_assert(clgrad_matmul_choice_read("cpu rows=8 columns=2; 110% of the rules' speed", &choice) && choice.rows == 8);
    for (size_t i = 0; i < CLGRAD_COUNT(bad); i++) ck_assert_msg(!clgrad_matmul_choice_read(bad[i], &choice), "%s", bad[i]);
}
END_TEST

static clgrad_node product(plan_case *c, int64_t m, int64_t n, int64_t k, bool b_turned)
{
    const clgrad_node a = plan_case_input(c, CLGRAD_F32, CLGRAD_SHAPE(m, k), -1, 1);
    const clgrad_node b = plan_case_input(c, CLGRAD_F32, b_turned ? CLGRAD_SHAPE(n, k) : CLGRAD_SHAPE(k, n), -1, 1);
    return clgrad_matmul(c->g, a, b, false, b_turned);
}

static bool explains(const plan_case *c, const char *words)
{
    clgrad_plan *plan;
    char *text;
    ck_assert_int_eq(clgrad_plan_create(test_device(), c->g, NULL, &plan), CLGRAD_OK);
    ck_assert_int_eq(clgrad_plan_explain(plan, &text), CLGRAD_OK);
    const bool found = strstr(text, words) != NULL;
    clgrad_free(test_context(), text);
    clgrad_plan_release(&plan);
    return found;
}

static void store(const char *key, const char *value) { ck_assert_int_eq(clgrad_device_tune(test_device(), key, value), CLGRAD_OK); }

static bool has_cpu_form(void)
{
    const clgrad_device_info *info = clgrad_device_get_info(test_device());
    return info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1;
}

START_TEST(a_stored_tile_is_used_and_has_the_same_bits)
{
    static const char *const cpu[] = { "cpu rows=5 columns=1 pack=0", "cpu rows=3 columns=2 pack=1 groups=2", "cpu rows=7 columns=1 pack=2" };
    static const char *const gpu[] = { "gpu rows=3 columns=2 items_i=4 items_j=4 depth=8", "gpu rows=2 columns=5 items_i=2 items_j=8 depth=4",
                                       "gpu rows=3 columns=3 items_i=4 items_j=4 depth=3" };
    static const char *const tiles[] = { " 5x", " 3x", " 7x" }, *const gpu_tiles[] = { " 3x2 ", " 2x5 ", " 3x3 " };
    if (!test_device()) return;
    for (size_t i = 0; i < CLGRAD_COUNT(cpu); i++) {
        const bool turned = i == 2;
        plan_case c;
        plan_case_begin(&c, 7 + i);
        plan_case_output(&c, product(&c, 37, 67, 50, turned));
        ck_assert(!explains(&c, "tuned"));
        store(key_of(37, 67, 50, false, turned, 1, 0), has_cpu_form() ? cpu[i] : gpu[i]);
        ck_assert(explains(&c, " tuned") && explains(&c, has_cpu_form() ? tiles[i] : gpu_tiles[i]));
        plan_case_check(&c, NULL, 0, "tuned");
        store(key_of(37, 67, 50, false, turned, 1, 0), "rules");
        ck_assert(!explains(&c, "tuned"));
        plan_case_end(&c);
    }
}
END_TEST

/* Tiles for 16 GiB of registers, forms of another kind of operand, plain nonsense: the rules serve. */
START_TEST(a_stored_choice_that_cannot_be_is_passed_over)
{
    static const char *const odd[] = { "cpu rows=4000 columns=4000", "gpu rows=4 columns=4 items_i=4096 items_j=4096 depth=16", "nonsense",
                                       "cpu rows=8 columns=2 pack=77" };
    if (!test_device()) return;
    plan_case c;
    plan_case_begin(&c, 3);
    plan_case_output(&c, product(&c, 33, 65, 20, false));
    for (size_t i = 0; i < CLGRAD_COUNT(odd) - !has_cpu_form(); i++) {
        store(key_of(33, 65, 20, false, false, 1, 0), odd[i]);
        if (i < 3) ck_assert_msg(!explains(&c, "tuned"), "%s", odd[i]);
        plan_case_check(&c, NULL, 0, odd[i]);
    }
    plan_case_end(&c);
}
END_TEST

/* Two layers share a kernel, whose groups take rows of both: tiles that do not fit their shares give way. */
START_TEST(tiles_of_products_in_one_kernel_keep_to_its_shares)
{
    static const char *const choices[] = { "cpu rows=12 columns=2 pack=0", "cpu rows=16 columns=1 pack=1", "cpu rows=5 columns=4 pack=1 groups=1" };
    if (!test_device() || !has_cpu_form()) return;
    plan_case c;
    plan_case_begin(&c, 11);
    const clgrad_node x = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(256, 64), -1, 1);
    const clgrad_node v = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(64, 128), -1, 1), w = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(128, 10), -1, 1);
    plan_case_output(&c, clgrad_matmul(c.g, clgrad_tanh(c.g, clgrad_matmul(c.g, x, v, false, false)), w, false, false));
    for (size_t i = 0; i < CLGRAD_COUNT(choices); i++) {
        store(key_of(256, 128, 64, false, false, 1, 0), choices[i]);
        store(key_of(256, 10, 128, false, false, 1, 0), choices[i]);
        plan_case_check(&c, NULL, 0, choices[i]);
    }
    plan_case_end(&c);
}
END_TEST

START_TEST(clblast_as_a_stored_choice_is_named)
{
    if (!test_device() || strstr(clgrad_device_get_info(test_device())->platform, "Oclgrind")) return;
    clgrad_array got = { 0 }, want = { 0 };
    plan_case c;
    plan_case_begin(&c, 5);
    plan_case_output(&c, product(&c, 24, 40, 30, false));
    const clgrad_matmul_desc d = { .a_dtype = CLGRAD_F32, .b_dtype = CLGRAD_F32, .m = 24, .n = 40, .k = 30, .a_row = 30, .a_col = 1, .b_row = 40, .b_col = 1 };
    ck_assert_str_eq(clgrad_device_choices(test_device()), "");
    store(key_of(24, 40, 30, false, false, 1, 0), "clblast");
    const bool there = clgrad_clblast_can(test_device(), &d);
    ck_assert(explains(&c, "clblast tuned") == there);
    if (there) {
        ck_assert_str_eq(clgrad_device_choices(test_device()), "matmul f32 nn 32x32x32 by CLBlast");
        plan_case_run(&c, NULL, &got);
        ck_assert_int_eq(clgrad_ref_evaluate(c.g, c.inputs, &want, CLGRAD_REF_F64), CLGRAD_OK);
        for (int64_t i = 0; i < 24 * 40; i++) ck_assert_double_eq_tol(clgrad_array_get(&got, i), clgrad_array_get(&want, i), 1e-5);
    }
    clgrad_array_release(test_context(), &got);
    clgrad_array_release(test_context(), &want);
    plan_case_end(&c);
}
END_TEST

Suite *plan_choice_suite(void)
{
    Suite *suite = suite_create("plan choice");
    TCase *tests = tcase_create("choice");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, products_that_are_alike_share_a_key);
    tcase_add_test(tests, texts_come_back_and_others_are_refused);
    tcase_add_test(tests, a_stored_tile_is_used_and_has_the_same_bits);
    tcase_add_test(tests, a_stored_choice_that_cannot_be_is_passed_over);
    tcase_add_test(tests, tiles_of_products_in_one_kernel_keep_to_its_shares);
    tcase_add_test(tests, clblast_as_a_stored_choice_is_named);
    suite_add_tcase(suite, tests);
    return suite;
}
