/* CSV: separators, headers, quotes, targets, classes, missing values, real files, and everything refused. */

#include "io/fixture.h"

#include <math.h>
#include <stdlib.h>

static clgrad_csv csv;

static clgrad_status read_text(const char *text, const clgrad_csv_options *options)
{
    return clgrad_csv_read(io_ctx, io_file("t.csv", text, strlen(text)), options, &csv);
}

static double feature(size_t row, size_t column)
{
    return clgrad_array_get(&csv.features, (int64_t)(row * csv.num_features + column));
}

START_TEST(plain_numbers_are_read)
{
    /* one table in every dress */
    static const char *const texts[] = {
        "1,2,3\n4,5,6\n",     "1;2;3\n4;5;6",          "1\t2\t3\r\n4\t5\t6\r\n",   "1 2  3\n  4 5 6  \n", ("\xef\xbb\xbf" "1,2,3\n4,5,6\n"),
        "\n1,2,3\n\n4,5,6\n\n", "\"1\",2,\"3\"\n4,\"5\",6", " 1 ,\t2, 3\n4 , \"5\" ,6\n", "a,b,c\n1,2,3\n4,5,6\n", "1,2,3e0\n4.0,+5,600e-2\n",
    };
    for (size_t i = 0; i < CLGRAD_COUNT(texts); i++) {
        ck_assert_msg(read_text(texts[i], NULL) == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
        ck_assert_uint_eq(csv.num_features, 2);
        ck_assert_int_eq(csv.features.shape.dims[0], 2);
        ck_assert(feature(0, 0) == 1 && feature(0, 1) == 2 && feature(1, 0) == 4 && feature(1, 1) == 5);
        ck_assert(csv.target.dtype == CLGRAD_F32 && clgrad_array_get(&csv.target, 1) == 6);
        ck_assert_str_eq(csv.names[1], i == 8 ? "b" : "1");
        ck_assert_str_eq(csv.target_name, i == 8 ? "c" : "2");
        ck_assert_uint_eq(csv.num_classes, 0);
        clgrad_csv_release(io_ctx, &csv);
    }
    clgrad_csv_release(io_ctx, &csv);
}
END_TEST

START_TEST(targets_are_found_by_name_and_number)
{
    static const struct {
        const char *target;
        double value;
        size_t features;
    } rows[] = { { "y", 2, 2 }, { "0", 1, 2 }, { "-2", 2, 2 }, { "2", 3, 2 }, { "-3", 1, 2 }, { "", 0, 3 } };
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
        options.target = rows[i].target;
        ck_assert_int_eq(read_text("x,y,z\n1,2,3\n", &options), CLGRAD_OK);
        ck_assert_uint_eq(csv.num_features, rows[i].features);
        if (rows[i].features == 2) ck_assert(clgrad_array_get(&csv.target, 0) == rows[i].value);
        else ck_assert(csv.target.data == NULL && csv.target_name == NULL);
        clgrad_csv_release(io_ctx, &csv);
    }
    clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
    static const char *const bad[] = { "w", "3", "-4", "1x", "99999999999999999999" };
    for (size_t i = 0; i < CLGRAD_COUNT(bad); i++) {
        options.target = bad[i];
        io_expect(read_text("x,y,z\n1,2,3\n", &options), CLGRAD_E_ARG, "t.csv", "x, y, z");
    }
}
END_TEST

START_TEST(classes_become_sorted_labels)
{
    ck_assert_int_eq(read_text("1,setosa\n2,\"iris, blue\"\n3,setosa\n4,\"a \"\"b\"\"\"\n5,7\n", NULL), CLGRAD_OK);
    static const char *const classes[] = { "7", "a \"b\"", "iris, blue", "setosa" };
    static const int32_t labels[] = { 3, 2, 3, 1, 0 };
    ck_assert_uint_eq(csv.num_classes, 4);
    for (size_t i = 0; i < 4; i++) ck_assert_str_eq(csv.classes[i], classes[i]);
    ck_assert_int_eq(csv.target.dtype, CLGRAD_I32);
    ck_assert_mem_eq(csv.target.data, labels, sizeof labels);
    clgrad_csv_release(io_ctx, &csv);
}
END_TEST

START_TEST(given_classes_keep_their_order)
{
    static const char *const classes[] = { "yes", "no" };
    clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
    options.classes = classes, options.num_classes = 2;
    ck_assert_int_eq(read_text("1,no\n2,yes\n", &options), CLGRAD_OK);
    ck_assert_int_eq(((int32_t *)csv.target.data)[0], 1);
    ck_assert_str_eq(csv.classes[0], "yes");
    clgrad_csv_release(io_ctx, &csv);
    io_expect(read_text("1,no\n2,maybe\n", &options), CLGRAD_E_FORMAT, "t.csv", "line 2, column '1': 'maybe'");
}
END_TEST

START_TEST(missing_values_are_imputed_by_choice)
{
    static const char text[] = "a,b,y\n1,,1\n3,?,2\nNA,10,3\n nan ,20,4\n8,\"\",5\n";
    static const struct {
        clgrad_csv_missing missing;
        double a, b;
    } rows[] = { { CLGRAD_CSV_MISSING_MEAN, 4, 15 }, { CLGRAD_CSV_MISSING_MEDIAN, 3, 15 }, { CLGRAD_CSV_MISSING_ZERO, 0, 0 }, { CLGRAD_CSV_MISSING_GIVEN, -1, -2 } };
    const double fill[] = { -1, -2 };
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
        options.missing = rows[i].missing;
        options.fill = fill, options.num_fill = 2;
        options.dtype = i % 2 ? CLGRAD_F64 : CLGRAD_F32;
        ck_assert_msg(read_text(text, &options) == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
        ck_assert(feature(2, 0) == rows[i].a && feature(3, 0) == rows[i].a && feature(0, 1) == rows[i].b && feature(4, 1) == rows[i].b);
        ck_assert(csv.fill[0] == rows[i].a && csv.fill[1] == rows[i].b);
        ck_assert(feature(1, 0) == 3 && feature(3, 1) == 20 && csv.features.dtype == options.dtype);
        clgrad_csv_release(io_ctx, &csv);
    }
    io_expect(read_text(text, NULL), CLGRAD_E_FORMAT, "t.csv", "line 2, column 'b': '' is a missing value");
}
END_TEST

static clgrad_csv_options with(clgrad_csv_header header, char separator, clgrad_csv_missing missing)
{
    clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
    options.header = header, options.separator = separator, options.missing = missing;
    return options;
}

START_TEST(choices_override_what_is_seen)
{
    clgrad_csv_options options = with(CLGRAD_CSV_HEADER_YES, 0, CLGRAD_CSV_MISSING_REFUSE);
    ck_assert_int_eq(read_text("1,2\n3,4\n", &options), CLGRAD_OK);
    ck_assert(csv.features.shape.dims[0] == 1 && strcmp(csv.names[0], "1") == 0);
    clgrad_csv_release(io_ctx, &csv);
    options = with(CLGRAD_CSV_HEADER_NO, 0, CLGRAD_CSV_MISSING_REFUSE);
    io_expect(read_text("a,b\n3,4\n", &options), CLGRAD_E_FORMAT, "t.csv", "line 1, column '0': 'a' is no finite number");
    options = with(CLGRAD_CSV_HEADER_AUTO, ';', CLGRAD_CSV_MISSING_REFUSE);
    io_expect(read_text("1,2;3\n", &options), CLGRAD_E_FORMAT, "t.csv", "there is no row"); /* "1,2" is text: a header */
    options = with(CLGRAD_CSV_HEADER_NO, ';', CLGRAD_CSV_MISSING_REFUSE);
    io_expect(read_text("1,2;3\n", &options), CLGRAD_E_FORMAT, "t.csv", "'1,2' is no finite number");
}
END_TEST

START_TEST(real_files_are_read)
{
    ck_assert_msg(clgrad_csv_read(io_ctx, DATA_DIR "/digits.csv.gz", NULL, &csv) == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
    ck_assert(csv.features.shape.dims[0] == 1797 && csv.num_features == 64);
    ck_assert(feature(0, 2) == 5 && clgrad_array_get(&csv.target, 1) == 1 && clgrad_array_get(&csv.target, 1796) == 8);
    clgrad_csv_release(io_ctx, &csv);
    clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
    options.dtype = CLGRAD_F64;
    ck_assert_int_eq(clgrad_csv_read(io_ctx, DATA_DIR "/breast_cancer.csv", &options, &csv), CLGRAD_OK);
    ck_assert(csv.features.shape.dims[0] == 569 && csv.num_features == 30);
    ck_assert_str_eq(csv.names[29], "worst fractal dimension");
    ck_assert(feature(568, 29) == 0.07039 && clgrad_array_get(&csv.target, 568) == 1 && clgrad_array_get(&csv.target, 0) == 0);
    clgrad_csv_release(io_ctx, &csv);
}
END_TEST

static const struct {
    const char *text;
    clgrad_csv_missing missing;
    const char *word;
} refused[] = {
    { "", 0, "empty" },
    { "\n\r\n\n", 0, "empty" },
    { "a,b\n", 0, "no row" },
    { "1,2\n3\n", 0, "line 2 has 1 fields, the first line has 2" },
    { "1,2\n3,4\n\n5,6,7\n", 0, "line 4 has 3 fields" },
    { "1,2\n3,4,\n", 0, "line 2 has 3 fields" },
    { "x,y\n1,2\n\"a\nb\",4\n", 0, "line 3, column 'x': 'a?b' is no finite number" },
    { "x,y\n\"1\n\",4\n2\n", 0, "line 2, column 'x'" },
    { "1,2\nred,4\n", 0, "line 2, column '0': 'red'" },
    { "1,2\ninf,4\n", 0, "finite" },
    { "1,2\n1e999,4\n", 0, "finite" },
    { "1,2\n1e39,4\n", 0, "does not fit f32" },
    { "1,2\n1,1e39\n", 0, "does not fit f32" },
    { "1,2\n0x10,4\n", 0, "0x10" },
    { "1,2\n1,\n", CLGRAD_CSV_MISSING_ZERO, "target cannot have" },
    { "1,2\n1,?\n", CLGRAD_CSV_MISSING_MEAN, "line 2, column '1'" },
    { "1,,3\n1,,3\n", CLGRAD_CSV_MISSING_MEAN, "no value at all" },
    { "1,,3\n1,,3\n", CLGRAD_CSV_MISSING_MEDIAN, "no value at all" },
    { "1,\"2\n3,4\n", 0, "line 1: a quote is opened and never closed" },
    { "1,\"2\"x\n", 0, "behind a closing quote" },
    { "1,2\"\n", 0, "a quote within" },
    { "1,2\r3,4\n", 0, "carriage return" },
    { "1,2\n3,\xff\n", 0, "line 2: text that is not UTF-8" },
    { "1,2\n3,\xed\xa0\x80\n", 0, "not UTF-8" },
};

START_TEST(bad_tables_are_refused)
{
    const clgrad_csv_options options = with(CLGRAD_CSV_HEADER_AUTO, 0, refused[_i].missing);
    io_expect(read_text(refused[_i].text, &options), CLGRAD_E_FORMAT, "t.csv", refused[_i].word);
    ck_assert(!csv.features.data && !csv.target.data && !csv.names && !csv.classes && !csv.fill);
    ck_assert_int_eq(read_text("1,2\n3,4\n", &options), CLGRAD_OK); /* the control */
    clgrad_csv_release(io_ctx, &csv);
}
END_TEST

START_TEST(binary_files_and_bad_options_are_refused)
{
    const char *path = io_file("b.csv", "1,2\n3,\0004\n", 10);
    io_expect(clgrad_csv_read(io_ctx, path, NULL, &csv), CLGRAD_E_FORMAT, path, "NUL");
    path = io_file("b.csv", "1,2\n3,\"\0\"\n", 10);
    io_expect(clgrad_csv_read(io_ctx, path, NULL, &csv), CLGRAD_E_FORMAT, path, "NUL");
    io_expect(clgrad_csv_read(io_ctx, io_path("none.csv"), NULL, &csv), CLGRAD_E_FILE, "none.csv", "none.csv");
    clgrad_csv_options options = with(CLGRAD_CSV_HEADER_AUTO, '|', CLGRAD_CSV_MISSING_REFUSE);
    io_expect(read_text("1,2\n", &options), CLGRAD_E_ARG, "t.csv", "separator");
    options = with(CLGRAD_CSV_HEADER_AUTO, 0, (clgrad_csv_missing)9);
    io_expect(read_text("1,2\n", &options), CLGRAD_E_ARG, "t.csv", "choice");
    options = with(CLGRAD_CSV_HEADER_AUTO, 0, CLGRAD_CSV_MISSING_GIVEN);
    io_expect(read_text("1,2\n", &options), CLGRAD_E_ARG, "t.csv", "0 values are given");
    options = with(CLGRAD_CSV_HEADER_AUTO, 0, CLGRAD_CSV_MISSING_REFUSE);
    options.dtype = CLGRAD_I32;
    io_expect(read_text("1,2\n", &options), CLGRAD_E_ARG, "t.csv", "i32");
    options.struct_size = 1;
    io_expect(read_text("1,2\n", &options), CLGRAD_E_ARG, "t.csv", "version");
}
END_TEST

START_TEST(records_cross_the_reader_s_blocks)
{
    clgrad_text text = { .ctx = io_ctx };
    for (int i = 0; i < 20000; i++) clgrad_text_append(&text, "%d.5,\"q\"\"%d\"\r\n", i, i % 3);
    ck_assert_int_eq(clgrad_csv_read(io_ctx, io_gzip_file("long.csv.gz", text.data, text.bytes), NULL, &csv), CLGRAD_OK);
    ck_assert_int_eq(csv.features.shape.dims[0], 20000);
    ck_assert_uint_eq(csv.num_classes, 3);
    for (size_t i = 0; i < 20000; i++)
        ck_assert(feature(i, 0) == (double)i + 0.5 && ((int32_t *)csv.target.data)[i] == (int32_t)(i % 3));
    clgrad_csv_release(io_ctx, &csv);
    clgrad_text_release(&text);
}
END_TEST

Suite *io_csv_suite(void)
{
    Suite *suite = suite_create("io.csv");
    TCase *tests = tcase_create("csv");
    tcase_add_checked_fixture(tests, io_setup, io_teardown);
    tcase_add_test(tests, plain_numbers_are_read);
    tcase_add_test(tests, targets_are_found_by_name_and_number);
    tcase_add_test(tests, classes_become_sorted_labels);
    tcase_add_test(tests, given_classes_keep_their_order);
    tcase_add_test(tests, missing_values_are_imputed_by_choice);
    tcase_add_test(tests, choices_override_what_is_seen);
    tcase_add_test(tests, real_files_are_read);
    tcase_add_loop_test(tests, bad_tables_are_refused, 0, (int)CLGRAD_COUNT(refused));
    tcase_add_test(tests, binary_files_and_bad_options_are_refused);
    tcase_add_test(tests, records_cross_the_reader_s_blocks);
    suite_add_tcase(suite, tests);
    return suite;
}
