/* base: statuses, contexts, checked arithmetic, text, suggestions. */

#include "base/base.h"
#include "base_test.h"

#include <stdlib.h>

START_TEST(statuses_have_names_and_texts)
{
    ck_assert_str_eq(clgrad_status_name(CLGRAD_E_SHAPE), "E_SHAPE");
    ck_assert_str_eq(clgrad_status_name((clgrad_status)999), "?");
    ck_assert_int_gt((int)strlen(clgrad_status_text(CLGRAD_E_MEMORY)), 5);
}
END_TEST

START_TEST(context_keeps_the_last_failure)
{
    clgrad_context *ctx = NULL;
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    ck_assert_str_eq(clgrad_error_text(ctx), "");
    ck_assert_int_eq(clgrad_fail(ctx, CLGRAD_E_SHAPE, "operand %d", 2), CLGRAD_E_SHAPE);
    ck_assert_str_eq(clgrad_error_text(ctx), "operand 2");
    ck_assert_int_eq(clgrad_error_status(ctx), CLGRAD_E_SHAPE);
    clgrad_context_release(&ctx);
    ck_assert_ptr_null(ctx);
    clgrad_context_release(&ctx);
}
END_TEST

START_TEST(options_of_another_size_are_refused)
{
    clgrad_context *ctx = NULL;
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.struct_size = 3;
    ck_assert_int_eq(clgrad_context_create(&options, &ctx), CLGRAD_E_ARG);
    ck_assert_ptr_null(ctx);
}
END_TEST

START_TEST(sizes_are_checked)
{
    size_t out = 7;
    ck_assert(!clgrad_mul_size(SIZE_MAX, 2, &out));
    ck_assert(!clgrad_add_size(SIZE_MAX, 1, &out));
    ck_assert(!clgrad_round_up_size(SIZE_MAX, 8, &out));
    ck_assert_uint_eq(out, 7);
    ck_assert(clgrad_round_up_size(9, 8, &out));
    ck_assert_uint_eq(out, 16);
}
END_TEST

START_TEST(blocks_have_owners)
{
    static const size_t sizes[] = { 0, 1, 1000, 5 << 20 };
    clgrad_context *ctx;
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    for (size_t i = 0; i < CLGRAD_COUNT(sizes); i++) {
        clgrad_block *block = clgrad_block_create(ctx, sizes[i], 1), *other = clgrad_block_retain(block);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq(block->bytes, sizes[i]);
        ck_assert_uint_eq((uintptr_t)block->data % 64, 0);
        unsigned any = 0;
        for (size_t b = 0; b < sizes[i]; b++) any |= ((unsigned char *)block->data)[b];
        ck_assert_uint_eq(any, 0);
        clgrad_block_release(&block);
        ck_assert_ptr_null(block);
        memset(other->data, 1, other->bytes);
        clgrad_block_release(&other);
    }
    ck_assert_ptr_null(clgrad_block_create(ctx, SIZE_MAX / 2, 3));
    ck_assert_int_eq(clgrad_error_status(ctx), CLGRAD_E_MEMORY);
    ck_assert_ptr_null(clgrad_block_create(ctx, SIZE_MAX - 3, 1));
    clgrad_context_release(&ctx);
}
END_TEST

START_TEST(text_grows_and_words_are_suggested)
{
    clgrad_context *ctx = NULL;
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    clgrad_text text = { .ctx = ctx };
    for (int i = 0; i < 100; i++) clgrad_text_append(&text, "%d,", i);
    ck_assert(!text.failed);
    ck_assert_uint_eq(text.bytes, strlen(text.data));
    clgrad_text_release(&text);
    const char *const words[] = { "momentum", "adam", "sgd" };
    ck_assert_str_eq(clgrad_suggest("momentun", words, 3), "momentum");
    ck_assert_ptr_null(clgrad_suggest("quantile", words, 3));
    clgrad_context_release(&ctx);
}
END_TEST

static Suite *base_suite(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, statuses_have_names_and_texts);
    tcase_add_test(tests, context_keeps_the_last_failure);
    tcase_add_test(tests, options_of_another_size_are_refused);
    tcase_add_test(tests, sizes_are_checked);
    tcase_add_test(tests, blocks_have_owners);
    tcase_add_test(tests, text_grows_and_words_are_suggested);
    suite_add_tcase(suite, tests);
    return suite;
}

const test_suite test_suites[] = { { base_suite }, { os_suite }, { sha256_suite }, { status_suite }, { NULL } };
