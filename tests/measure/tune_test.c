/* The tuner: what is faster and right is stored and then used; what is wrong, or only lucky, is not. Times are made up where they
 * decide, since the machine's own differ. */

#define _GNU_SOURCE /* setenv */

#include "device/cl_device.h"
#include "measure/tune.h"
#include "measure/bench_test.h"
#include "support/device.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char file[64];

static void setup(void)
{
    snprintf(file, sizeof file, "/tmp/clgrad-tune-%d", (int)getpid());
    unlink(file);
    setenv("CLGRAD_TUNING", file, 1);
}

static void teardown(void)
{
    if (test_device()) ck_assert_int_eq(clgrad_tuning_clear(test_device()), CLGRAD_OK);
    setenv("CLGRAD_TUNING", "0", 1);
    unlink(file);
}

/* Few rows: few candidates, and so few programs to build. */
static clgrad_product small_product(void)
{
    clgrad_product p = CLGRAD_PRODUCT_INIT;
    p.m = 4, p.n = 40, p.k = 24;
    return p;
}

/* A made-up race: one candidate is fast, and what it or CLBlast computes may be wrong. */
typedef struct race {
    char fast[CLGRAD_TUNE_TEXT];
    double fast_ns;
    const char *spoiled; /* text, or its first word, of who computes something else */
    double by;
    size_t times;
} race;

static void spoil(void *user, const char *choice, clgrad_array *result)
{
    const race *r = user;
    float *values = result->data;
    if (r->spoiled && strncmp(choice, r->spoiled, strlen(r->spoiled)) == 0) values[clgrad_shape_count(&result->shape) / 2] += (float)r->by;
}

static double made_up(void *user, const char *choice, double ns)
{
    race *r = user;
    (void)ns;
    const double jitter = 1 + 1e-3 * (double)(r->times++ % 7);
    return jitter * (strcmp(choice, r->fast) == 0 ? r->fast_ns : 100);
}

static clgrad_tune_result run_race(race *r, bool providers, bool again)
{
    const clgrad_product p = small_product();
    const clgrad_tune_hooks hooks = { spoil, made_up, r };
    clgrad_tune_options o = CLGRAD_TUNE_OPTIONS_INIT;
    clgrad_tune_result result = CLGRAD_TUNE_RESULT_INIT;
    o.providers = providers, o.again = again, o.seconds = 20;
    const clgrad_status status = clgrad_tune_with(test_device(), &p, &o, &hooks, &result);
    ck_assert_msg(status == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
    return result;
}

/* The first candidate after the rules that this device can run. */
static race race_of_second(double ns)
{
    const clgrad_product p = small_product();
    clgrad_tune_text list[CLGRAD_TUNE_CANDIDATES];
    race r = { .fast_ns = ns };
    ck_assert_uint_ge(clgrad_tune_list(test_device(), &p, false, list), 2);
    ck_assert_str_eq(list[0], "rules");
    memcpy(r.fast, list[1], sizeof r.fast);
    return r;
}

START_TEST(the_fastest_right_one_is_stored)
{
    if (!test_device()) return;
    race r = race_of_second(50);
    clgrad_tune_result result = run_race(&r, false, false);
    ck_assert_str_eq(result.key, "matmul f32 nn 4x32x32");
    ck_assert_str_eq(result.choice, r.fast);
    ck_assert(result.choice_ns < 0.6 * result.rules_ns && result.wrong == 0 && !result.known);
    const char *stored = clgrad_device_tuned(test_device(), result.key, NULL);
    ck_assert_msg(strncmp(stored, r.fast, strlen(r.fast)) == 0 && strstr(stored, "; 200% of"), "%s", stored);
    result = run_race(&r, false, false);
    ck_assert(result.known && result.candidates == 0);
    ck_assert_str_eq(result.choice, r.fast);
    r.fast_ns = 98; /* better, but by less than counts */
    result = run_race(&r, false, true);
    ck_assert_str_eq(result.choice, "rules");
    ck_assert_str_eq(clgrad_device_tuned(test_device(), result.key, NULL), "rules");
}
END_TEST

START_TEST(a_wrong_candidate_never_wins)
{
    if (!test_device()) return;
    race r = race_of_second(1);
    r.spoiled = r.fast, r.by = 1e-6;
    const clgrad_tune_result result = run_race(&r, false, false);
    ck_assert_uint_ge(result.wrong, 1);
    ck_assert_str_eq(result.choice, "rules");
}
END_TEST

START_TEST(rules_that_differ_from_the_reference_are_an_error)
{
    if (!test_device()) return;
    race r = race_of_second(1);
    const clgrad_product p = small_product();
    const clgrad_tune_hooks hooks = { spoil, made_up, &r };
    clgrad_tune_result result = CLGRAD_TUNE_RESULT_INIT;
    r.spoiled = "rules", r.by = 1e-6;
    ck_assert_int_eq(clgrad_tune_with(test_device(), &p, NULL, &hooks, &result), CLGRAD_E_CHECK);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), result.key));
    ck_assert_ptr_null(clgrad_device_tuned(test_device(), result.key, NULL));
}
END_TEST

START_TEST(clblast_wins_only_within_its_bound)
{
    if (!test_device() || strstr(clgrad_device_get_info(test_device())->platform, "Oclgrind")) return;
    race r = { .fast = "clblast", .fast_ns = 10, .spoiled = "clblast", .by = 1e-3 };
    clgrad_tune_result result = run_race(&r, true, true);
    ck_assert_str_eq(result.choice, "rules");
    const bool there = result.wrong > 0;
    r.by = 0;
    result = run_race(&r, true, true);
    ck_assert_str_eq(result.choice, there ? "clblast" : "rules");
    result = run_race(&r, false, true);
    ck_assert_str_eq(result.choice, "rules");
}
END_TEST

START_TEST(real_clocks_and_scores_are_stored)
{
    if (!test_device()) return;
    const clgrad_product p = small_product();
    clgrad_tune_result result = CLGRAD_TUNE_RESULT_INIT;
    const char *key = "", *value;
    double score = 0;
    ck_assert_int_eq(clgrad_tune_product(test_device(), &p, NULL, &result), CLGRAD_OK);
    ck_assert(result.rules_ns > 0 && result.choice_ns > 0 && *result.timer);
    if (clgrad_device_get_info(test_device())->float_width > 1) {
        ck_assert_int_eq(clgrad_tune_device(test_device(), &score), CLGRAD_OK);
        ck_assert(isfinite(score) && score > 0);
        ck_assert(clgrad_tuning_get(test_device(), 1, &key, &value));
        ck_assert_str_eq(key, "score");
    }
    ck_assert(!clgrad_tuning_get(test_device(), 2, &key, &value));
    ck_assert_int_eq(clgrad_tuning_clear(test_device()), CLGRAD_OK);
    ck_assert(!clgrad_tuning_get(test_device(), 0, &key, &value));
}
END_TEST

START_TEST(what_cannot_be_tuned_is_refused)
{
    if (!test_device()) return;
    clgrad_product p = small_product();
    clgrad_tune_result result = CLGRAD_TUNE_RESULT_INIT;
    p.k = 0;
    ck_assert_int_eq(clgrad_tune_product(test_device(), &p, NULL, &result), CLGRAD_E_ARG);
    p = small_product();
    p.struct_size = 1;
    ck_assert_int_eq(clgrad_tune_product(test_device(), &p, NULL, &result), CLGRAD_E_ARG);
    p = small_product();
    p.a_dtype = CLGRAD_I32;
    ck_assert_int_ne(clgrad_tune_product(test_device(), &p, NULL, &result), CLGRAD_OK);
    FILE *out = fopen(file, "w"); /* a file that is refused stands until it is cleared */
    fputs("anything\n", out);
    fclose(out);
    p = small_product();
    ck_assert_int_eq(clgrad_tune_product(test_device(), &p, NULL, &result), CLGRAD_E_FILE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(test_context()), file));
    ck_assert_int_eq(clgrad_tuning_clear(test_device()), CLGRAD_OK);
    ck_assert_int_ne(access(file, F_OK), 0);
}
END_TEST

static clgrad_status tune_once(clgrad_context *ctx, void *user)
{
    const clgrad_product p = small_product();
    race r = { .fast = "none" };
    const clgrad_tune_hooks hooks = { spoil, made_up, &r };
    clgrad_tune_options o = CLGRAD_TUNE_OPTIONS_INIT;
    clgrad_tune_result result = CLGRAD_TUNE_RESULT_INIT;
    (void)ctx;
    o.again = true, o.seconds = 1e-9; /* the rules alone: the same number of allocations each time */
    clgrad_device *dev = *(clgrad_device **)user;
    const clgrad_status status = clgrad_tune_with(dev, &p, &o, &hooks, &result);
    clgrad_device_finish(dev);
    clgrad_transfers_release(dev); /* copies of what was written stay until then */
    return status;
}

START_TEST(tuning_without_memory_says_so)
{
    test_memory memory = { 0 };
    clgrad_device *dev = NULL;
    if (!test_device()) return;
    clgrad_context *ctx = test_memory_context(&memory);
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
    ck_assert_int_eq(tune_once(ctx, &dev), CLGRAD_OK); /* the device keeps programs and a pool from now on */
    ck_assert_uint_ge(test_refuse_each(&memory, ctx, tune_once, &dev), 50);
    ck_assert_int_eq(clgrad_tuning_clear(dev), CLGRAD_OK);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
}
END_TEST

Suite *tune_suite(void)
{
    Suite *suite = suite_create("tune");
    TCase *tests = tcase_create("tune");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_fastest_right_one_is_stored);
    tcase_add_test(tests, a_wrong_candidate_never_wins);
    tcase_add_test(tests, rules_that_differ_from_the_reference_are_an_error);
    tcase_add_test(tests, clblast_wins_only_within_its_bound);
    tcase_add_test(tests, real_clocks_and_scores_are_stored);
    tcase_add_test(tests, what_cannot_be_tuned_is_refused);
    tcase_add_test(tests, tuning_without_memory_says_so);
    suite_add_tcase(suite, tests);
    return suite;
}
