/* IDX: every type, plain and packed, and damaged files. */

#include "io/fixture.h"

#include <stdlib.h>

static const struct {
    const char *name;
    clgrad_dtype dtype;
    double first, second;
} goldens[] = {
    { "u8.idx", CLGRAD_U8, 0, 1 },          { "u8.idx.gz", CLGRAD_U8, 0, 1 },    { "i8.idx", CLGRAD_I32, -1, 5 },
    { "i16.idx", CLGRAD_I32, -300, 5 },     { "i32.idx", CLGRAD_I32, -70000, 5 }, { "f32.idx", CLGRAD_F32, -0.5, 5 },
    { "f64.idx", CLGRAD_F64, -0.1, 5 },
};

START_TEST(every_type_is_read)
{
    clgrad_array array;
    const clgrad_shape three = CLGRAD_SHAPE(2, 3, 2), one = CLGRAD_SHAPE(2);
    ck_assert_int_eq(clgrad_idx_read(io_ctx, io_golden(goldens[_i].name), &array), CLGRAD_OK);
    ck_assert_int_eq(array.dtype, goldens[_i].dtype);
    ck_assert(clgrad_shape_equal(&array.shape, _i < 2 ? &three : &one));
    ck_assert(clgrad_array_get(&array, 0) == goldens[_i].first && clgrad_array_get(&array, 1) == goldens[_i].second);
    if (_i < 2) ck_assert(clgrad_array_get(&array, 11) == 11);
    clgrad_array_release(io_ctx, &array);
}
END_TEST

static clgrad_status read_and_release(const char *path)
{
    clgrad_array array;
    const clgrad_status status = clgrad_idx_read(io_ctx, path, &array);
    ck_assert((array.data != NULL) == (status == CLGRAD_OK));
    clgrad_array_release(io_ctx, &array);
    return status;
}

static const struct {
    const char *content;
    size_t bytes;
    clgrad_status status;
    const char *word;
} cases[] = {
    /* the controls */
    { "\0\0\x08\1\0\0\0\2ab", 10, CLGRAD_OK, "" },
    { "\0\0\x08\0a", 5, CLGRAD_OK, "" },
    { "\0\0\x08\2\0\0\0\0\0\0\0\7", 12, CLGRAD_OK, "" },
    { "\0\0\x08\1\0\0\0\2abc", 11, CLGRAD_E_FORMAT, "behind" },
    { "\0\0\x08\1\0\0\0\2a", 9, CLGRAD_E_FORMAT, "1 bytes of 2" },
    { "\0\0\x08\1\0\0\0", 7, CLGRAD_E_FORMAT, "extents" },
    { "\0\0\x08", 3, CLGRAD_E_FORMAT, "first four" },
    { "", 0, CLGRAD_E_FORMAT, "first four" },
    { "\0\1\x08\1\0\0\0\2ab", 10, CLGRAD_E_FORMAT, "not an IDX" },
    { "\1\0\x08\1\0\0\0\2ab", 10, CLGRAD_E_FORMAT, "not an IDX" },
    { "\0\0\x0a\1\0\0\0\2ab", 10, CLGRAD_E_FORMAT, "not an IDX" },
    { "\0\0\x08\x09\0\0\0\2ab", 10, CLGRAD_E_UNSUPPORTED, "rank 9" },
    { "\0\0\x08\xff", 4, CLGRAD_E_UNSUPPORTED, "rank 255" },
    { "\0\0\x0e\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, CLGRAD_E_FORMAT, "more than fits" },
    { "\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff" "abc", 15, CLGRAD_E_FORMAT, "more than fits" },
    { "\0\0\x08\2\x7f\xff\xff\xff\x00\xff\xff\xff" "abc", 15, CLGRAD_E_FORMAT, "3 bytes of" },
};

START_TEST(contents_are_checked)
{
    const char *path = io_file("case.idx", cases[_i].content, cases[_i].bytes);
    clgrad_status status = read_and_release(path);
    if (cases[_i].status) io_expect(status, cases[_i].status, path, cases[_i].word);
    else ck_assert_msg(status == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
    path = io_gzip_file("case.idx.gz", cases[_i].content, cases[_i].bytes);
    status = read_and_release(path);
    if (cases[_i].status) io_expect(status, cases[_i].status, path, cases[_i].word);
    else ck_assert_msg(status == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
}
END_TEST

START_TEST(larger_files_come_in_pieces)
{
    enum { N = 3 << 20 };
    unsigned char *content = malloc(8 + N);
    memcpy(content, "\0\0\x08\1\0\x30\0\0", 8);
    for (size_t i = 0; i < N; i++) content[8 + i] = (unsigned char)(i % 251);
    clgrad_array array;
    ck_assert_int_eq(clgrad_idx_read(io_ctx, io_gzip_file("large.idx.gz", content, 8 + N), &array), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_array_bytes(&array), N);
    ck_assert_mem_eq(array.data, content + 8, N);
    clgrad_array_release(io_ctx, &array);
    free(content);
}
END_TEST

Suite *io_idx_suite(void)
{
    Suite *suite = suite_create("io.idx");
    TCase *tests = tcase_create("idx");
    tcase_add_checked_fixture(tests, io_setup, io_teardown);
    tcase_add_loop_test(tests, every_type_is_read, 0, (int)CLGRAD_COUNT(goldens));
    tcase_add_loop_test(tests, contents_are_checked, 0, (int)CLGRAD_COUNT(cases));
    tcase_add_test(tests, larger_files_come_in_pieces);
    suite_add_tcase(suite, tests);
    return suite;
}
