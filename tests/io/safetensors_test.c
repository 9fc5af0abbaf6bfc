/* safetensors: the reference implementation's files, byte for byte; everything that may be wrong with a file. */

#include "io/fixture.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct golden_tensor {
    const char *name;
    clgrad_dtype dtype;
    clgrad_shape shape;
    const void *data;
    size_t bytes;
} golden_tensor;

enum { GOLDEN_COUNT = 10 };

static void golden_tensors(golden_tensor out[GOLDEN_COUNT])
{
    static const float weights[] = { 1.5f, -2, 3, 4, 5, 6.25f }, another[] = { 0.5f };
    static const double scalar[] = { -0.1 };
    static const int64_t longs[] = { -1, INT64_C(1) << 62 };
    static const int32_t ints[] = { 7, -7 };
    static const uint16_t halves[] = { 0x3c00, 0x7bff, 0x0001 }, brain[] = { 0x3f80, 0x4040 };
    static const uint8_t bytes[] = { 0, 1, 255 }, nine[] = { 9 };
    const golden_tensor rows[GOLDEN_COUNT] = {
        { "weights", CLGRAD_F32, CLGRAD_SHAPE(2, 3), weights, sizeof weights },
        { "scalar", CLGRAD_F64, CLGRAD_SCALAR, scalar, sizeof scalar },
        { "longs", CLGRAD_I64, CLGRAD_SHAPE(2), longs, sizeof longs },
        { "ints", CLGRAD_I32, CLGRAD_SHAPE(2), ints, sizeof ints },
        { "halves", CLGRAD_F16, CLGRAD_SHAPE(3), halves, sizeof halves },
        { "brain", CLGRAD_BF16, CLGRAD_SHAPE(2), brain, sizeof brain },
        { "bytes", CLGRAD_U8, CLGRAD_SHAPE(3), bytes, sizeof bytes },
        { "empty", CLGRAD_F32, CLGRAD_SHAPE(0, 4), NULL, 0 },
        { "another", CLGRAD_F32, CLGRAD_SHAPE(1), another, sizeof another },
        { "name \"quoted\"\\\t\xc3\xa9", CLGRAD_U8, CLGRAD_SHAPE(1), nine, sizeof nine },
    };
    memcpy(out, rows, sizeof rows);
}

static const char golden_note[] = "line\nbreak \"\xc3\xa9\" \x01";

START_TEST(reference_files_are_read)
{
    golden_tensor want[GOLDEN_COUNT];
    clgrad_safetensors *f;
    golden_tensors(want);
    ck_assert_int_eq(clgrad_safetensors_open(io_ctx, io_golden("mixed.safetensors"), &f), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_safetensors_count(f), GOLDEN_COUNT);
    ck_assert_str_eq(clgrad_safetensors_metadata(f, "note"), golden_note);
    ck_assert_ptr_null(clgrad_safetensors_metadata(f, "nothing"));
    const char *key, *value;
    ck_assert_uint_eq(clgrad_safetensors_num_metadata(f), 1);
    clgrad_safetensors_get_metadata(f, 0, &key, &value);
    ck_assert(strcmp(key, "note") == 0 && strcmp(value, golden_note) == 0);
    clgrad_safetensors_get_metadata(f, 1, &key, &value);
    ck_assert(!key && !value);
    ck_assert_ptr_null(clgrad_safetensors_find(f, "weight"));
    ck_assert_ptr_null(clgrad_safetensors_get(f, GOLDEN_COUNT));
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        clgrad_array array;
        const clgrad_safetensors_entry *entry = clgrad_safetensors_find(f, want[i].name);
        ck_assert_ptr_nonnull(entry);
        ck_assert(entry->dtype == want[i].dtype && clgrad_shape_equal(&entry->shape, &want[i].shape));
        ck_assert_int_eq(clgrad_safetensors_read_array(f, entry, &array), CLGRAD_OK);
        ck_assert_uint_eq(clgrad_array_bytes(&array), want[i].bytes);
        if (want[i].bytes) ck_assert_mem_eq(array.data, want[i].data, want[i].bytes);
        clgrad_array_release(io_ctx, &array);
    }
    clgrad_safetensors_release(&f);
    clgrad_safetensors_release(&f);
}
END_TEST

/* The golden tensors written by us, added from the last to the first. */
static clgrad_status write_golden(const char *path)
{
    golden_tensor rows[GOLDEN_COUNT];
    clgrad_safetensors_writer *w;
    golden_tensors(rows);
    clgrad_status status = clgrad_safetensors_writer_create(io_ctx, &w);
    if (!status) status = clgrad_safetensors_writer_set(w, "note", "replaced by the next");
    if (!status) status = clgrad_safetensors_writer_set(w, "note", golden_note);
    for (size_t i = GOLDEN_COUNT; !status && i-- > 0;)
        status = clgrad_safetensors_writer_add(w, rows[i].name, rows[i].dtype, rows[i].shape, rows[i].data, rows[i].bytes);
    if (!status) status = clgrad_safetensors_writer_write(w, path);
    clgrad_safetensors_writer_release(&w);
    return status;
}

START_TEST(writer_gives_the_reference_bytes)
{
    const char *path = io_path("mixed");
    size_t ours_bytes, theirs_bytes;
    ck_assert_int_eq(write_golden(path), CLGRAD_OK);
    char *ours = io_content(path, &ours_bytes), *theirs = io_content(io_golden("mixed.safetensors"), &theirs_bytes);
    ck_assert_uint_eq(ours_bytes, theirs_bytes);
    ck_assert_mem_eq(ours, theirs, ours_bytes);
    clgrad_free(io_ctx, ours);
    clgrad_free(io_ctx, theirs);
}
END_TEST

START_TEST(a_file_without_tensors_is_legal)
{
    clgrad_safetensors *f;
    clgrad_safetensors_writer *w;
    size_t bytes;
    ck_assert_int_eq(clgrad_safetensors_open(io_ctx, io_golden("none.safetensors"), &f), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_safetensors_count(f), 0);
    ck_assert_ptr_null(clgrad_safetensors_find(f, "x"));
    clgrad_safetensors_release(&f);
    ck_assert_int_eq(clgrad_safetensors_writer_create(io_ctx, &w), CLGRAD_OK);
    ck_assert_int_eq(clgrad_safetensors_writer_write(w, io_path("none")), CLGRAD_OK);
    clgrad_safetensors_writer_release(&w);
    char *data = io_content(io_path("none"), &bytes);
    ck_assert_uint_eq(bytes, 16);
    ck_assert_mem_eq(data, "\x08\0\0\0\0\0\0\0{}      ", 16);
    clgrad_free(io_ctx, data);
}
END_TEST

START_TEST(types_clgrad_lacks_are_listed_not_read)
{
    clgrad_safetensors *f;
    clgrad_array array;
    float value;
    const char *path = io_golden("foreign.safetensors");
    ck_assert_int_eq(clgrad_safetensors_open(io_ctx, path, &f), CLGRAD_OK);
    ck_assert_str_eq(clgrad_safetensors_find(f, "shorts")->type, "U16");
    ck_assert_uint_eq(clgrad_safetensors_find(f, "shorts")->bytes, 6);
    io_expect(clgrad_safetensors_read_array(f, clgrad_safetensors_find(f, "e4m3"), &array), CLGRAD_E_UNSUPPORTED, path, "F8_E4M3");
    ck_assert_ptr_null(array.data);
    const clgrad_safetensors_entry *fine = clgrad_safetensors_find(f, "fine");
    io_expect(clgrad_safetensors_read(f, fine, &value, 3), CLGRAD_E_ARG, path, "4 bytes");
    ck_assert_int_eq(clgrad_safetensors_read(f, fine, &value, 4), CLGRAD_OK);
    ck_assert(value == 2.5f);
    clgrad_safetensors_release(&f);
}
END_TEST

static const char *file_of(const char *header, size_t header_bytes, uint64_t claimed, size_t data_bytes)
{
    char *content = calloc(1, 8 + header_bytes + data_bytes);
    memcpy(content, &claimed, 8);
    memcpy(content + 8, header, header_bytes);
    const char *path = io_file("case", content, 8 + header_bytes + data_bytes);
    free(content);
    return path;
}

static clgrad_status open_and_close(const char *path)
{
    clgrad_safetensors *f;
    const clgrad_status status = clgrad_safetensors_open(io_ctx, path, &f);
    ck_assert((f != NULL) == (status == CLGRAD_OK));
    clgrad_safetensors_release(&f);
    return status;
}

#define TENSOR(dtype, shape, begin, end) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static const struct {
    const char *header;
    size_t data_bytes;
    clgrad_status status;
    const char *word;
} headers[] = {
    /* the controls */
    { "{\"a\":" TENSOR("F32", "[2]", 0, 8) "}", 8, CLGRAD_OK, "" },
    { "{\"a\":" TENSOR("F32", "[]", 0, 4) ",\"b\":" TENSOR("U8", "[0]", 4, 4) ",\"c\":" TENSOR("U8", "[3,1]", 4, 7) "}  ", 7, CLGRAD_OK, "" },
    { "{\"__metadata__\":{\"k\":\"v\"},\"a\":" TENSOR("F4", "[2]", 0, 1) "}", 1, CLGRAD_OK, "" },
    { "{\"a\":" TENSOR("F32", "[1,1,1,1,1,1,1,1]", 0, 4) "}", 4, CLGRAD_OK, "" },
    /* sizes that lie */
    { "{\"a\":" TENSOR("F32", "[2]", 0, 8) "}", 7, CLGRAD_E_FORMAT, "8 bytes" },
    { "{\"a\":" TENSOR("F32", "[2]", 0, 8) "}", 9, CLGRAD_E_FORMAT, "9" },
    { "{\"a\":" TENSOR("F32", "[2]", 0, 4) "}", 4, CLGRAD_E_FORMAT, "contradict" },
    { "{\"a\":" TENSOR("F32", "[2]", 8, 0) "}", 8, CLGRAD_E_FORMAT, "data_offsets" },
    { "{\"a\":" TENSOR("F32", "[2]", -8, 0) "}", 8, CLGRAD_E_FORMAT, "data_offsets" },
    { "{\"a\":" TENSOR("F32", "[-2]", 0, 8) "}", 8, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":" TENSOR("F32", "[9223372036854775807,4]", 0, 8) "}", 8, CLGRAD_E_FORMAT, "more than fits" },
    { "{\"a\":" TENSOR("F32", "[4611686018427387904]", 0, 0) "}", 0, CLGRAD_E_FORMAT, "more than fits" },
    { "{\"a\":" TENSOR("F32", "[0,9223372036854775807,4]", 0, 0) "}", 0, CLGRAD_E_FORMAT, "more than fits" },
    { "{\"a\":" TENSOR("F32", "[18446744073709551616]", 0, 8) "}", 8, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":" TENSOR("F32", "[2]", 0, 99999999999999999999) "}", 8, CLGRAD_E_FORMAT, "data_offsets" },
    { "{\"a\":" TENSOR("F4", "[3]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "whole number of bytes" },
    /* layout */
    { "{\"a\":" TENSOR("U8", "[2]", 1, 3) "}", 3, CLGRAD_E_FORMAT, "hole" },
    { "{\"a\":" TENSOR("U8", "[2]", 0, 2) ",\"b\":" TENSOR("U8", "[2]", 3, 5) "}", 5, CLGRAD_E_FORMAT, "hole" },
    { "{\"a\":" TENSOR("U8", "[2]", 0, 2) ",\"b\":" TENSOR("U8", "[2]", 1, 3) "}", 3, CLGRAD_E_FORMAT, "overlap" },
    { "{\"a\":" TENSOR("U8", "[2]", 0, 2) ",\"b\":" TENSOR("U8", "[2]", 0, 2) "}", 2, CLGRAD_E_FORMAT, "overlap" },
    /* structure */
    { "{\"a\":" TENSOR("U8", "[1]", 0, 1) ",\"a\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "twice" },
    { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, CLGRAD_E_FORMAT, "exactly" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, CLGRAD_E_FORMAT, "exactly" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":1}}", 1, CLGRAD_E_FORMAT, "exactly" },
    { "{\"a\":5}", 0, CLGRAD_E_FORMAT, "exactly" },
    { "{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, CLGRAD_E_FORMAT, "JSON" }, /* dtype is a number */
    { "{\"a\":" TENSOR("U9", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "dtype" },
    { "{\"a\":" TENSOR("U8", "1", 0, 1) "}", 1, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":" TENSOR("U8", "[1.0]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":" TENSOR("U8", "[[1]]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, CLGRAD_E_FORMAT, "data_offsets" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":\"0,1\"}}", 1, CLGRAD_E_FORMAT, "data_offsets" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0.0,1]}}", 1, CLGRAD_E_FORMAT, "data_offsets" },
    { "{\"a\":" TENSOR("U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, CLGRAD_E_UNSUPPORTED, "rank" },
    { "{\"\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_UNSUPPORTED, "name" },
    { "{\"__metadata__\":{\"k\":1}}", 0, CLGRAD_E_FORMAT, "__metadata__" },
    { "{\"__metadata__\":[]}", 0, CLGRAD_E_FORMAT, "__metadata__" },
    { "{\"__metadata__\":{\"k\":\"v\",\"k\":\"w\"}}", 0, CLGRAD_E_FORMAT, "twice" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, CLGRAD_E_FORMAT, "twice" },
    { "{\"__metadata__\":{\"k\":\"v\"", 0, CLGRAD_E_FORMAT, "JSON" },
    { "{\"__metadata__\":{\"k\" \"v\"}}", 0, CLGRAD_E_FORMAT, "colon" },
    { "{\"__metadata__\":{\"k\":\"v\" \"l\":\"w\"}}", 0, CLGRAD_E_FORMAT, "comma" },
    { "{\"__metadata__\":{\"k\":", 0, CLGRAD_E_FORMAT, "JSON" },
    /* text */
    { "[]", 0, CLGRAD_E_FORMAT, "{" },
    { " {}", 0, CLGRAD_E_FORMAT, "{" },
    { "{", 0, CLGRAD_E_FORMAT, "JSON" },
    { "{}x", 0, CLGRAD_E_FORMAT, "JSON" },
    { "{\"a\xff\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "JSON" },
    { "{\"a\\ud800\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "JSON" },
    { "{\"a\\u0000b\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "JSON" },
    { "{\"a\":" TENSOR("U8", "[NaN]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":" TENSOR("U8", "[01]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":" TENSOR("U8", "[1 1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\":" TENSOR("U8", "[1,]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "shape" },
    { "{\"a\" " TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "colon" },
    { "{\"a\":" TENSOR("U8", "[1]", 0, 1) " \"b\":" TENSOR("U8", "[0]", 1, 1) "}", 1, CLGRAD_E_FORMAT, "comma" },
    { "{\"a\":" TENSOR("U8", "[1]", 0, 1) ",}", 1, CLGRAD_E_FORMAT, "JSON" },
    { "{\"a\":{\"dtype\":\"U8\" \"shape\":[1],\"data_offsets\":[0,1]}}", 1, CLGRAD_E_FORMAT, "comma" },
    { "{\"a\":{\"dtype\" \"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, CLGRAD_E_FORMAT, "colon" },
    { "{\"a\\x\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "escape" },
    { "{\"a\\", 0, CLGRAD_E_FORMAT, "JSON" },
    { "{\"a\\u12", 0, CLGRAD_E_FORMAT, "JSON" },
    { "{\"a\\u12g4\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "character" },
    { "{\"a\\ud83d\\u0041\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "character" },
    { "{\"a\n\":" TENSOR("U8", "[1]", 0, 1) "}", 1, CLGRAD_E_FORMAT, "control" },
};

START_TEST(headers_are_checked)
{
    const char *path = file_of(headers[_i].header, strlen(headers[_i].header), strlen(headers[_i].header), headers[_i].data_bytes);
    const clgrad_status status = open_and_close(path);
    if (headers[_i].status) io_expect(status, headers[_i].status, path, headers[_i].word);
    else ck_assert_msg(status == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
}
END_TEST

START_TEST(escapes_are_decoded)
{
    static const char header[] = "{ \"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\\\"\" : " TENSOR("U8", "[ 1 , 1 ]", 0, 1) " }\n";
    clgrad_safetensors *f;
    ck_assert_msg(clgrad_safetensors_open(io_ctx, file_of(header, strlen(header), strlen(header), 1), &f) == CLGRAD_OK, "%s",
                  clgrad_error_text(io_ctx));
    ck_assert_str_eq(clgrad_safetensors_get(f, 0)->name, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\b\f\n\r\t\\\"");
    clgrad_safetensors_release(&f);
}
END_TEST

START_TEST(lengths_of_the_header_are_checked_before_memory_is_taken)
{
    static const uint64_t claims[] = { 0, 1, 100, 100000000, 100000001, UINT64_C(1) << 63, UINT64_MAX };
    const size_t before = io_memory.requests;
    for (size_t i = 0; i < CLGRAD_COUNT(claims); i++) {
        const char *path = file_of("{}", 2, claims[i], 0);
        io_expect(open_and_close(path), CLGRAD_E_FORMAT, path, claims[i] == 1 ? "JSON" : "header");
    }
    ck_assert_uint_lt(io_memory.requests, before + 60);
    ck_assert_int_eq(open_and_close(file_of("{}", 2, 2, 0)), CLGRAD_OK);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    size_t bytes;
    char *whole = io_content(io_golden("mixed.safetensors"), &bytes);
    for (size_t cut = 0; cut < bytes; cut++) {
        const char *path = io_file("cut", whole, cut);
        io_expect(open_and_close(path), CLGRAD_E_FORMAT, path, "");
    }
    ck_assert_int_eq(open_and_close(io_file("cut", whole, bytes)), CLGRAD_OK);
    clgrad_free(io_ctx, whole);
}
END_TEST

START_TEST(deep_and_long_headers_are_refused)
{
    enum { DEEP = 100000 };
    char *header = malloc(DEEP + 1);
    memset(header, '[', DEEP);
    memcpy(header, "{\"a\":", 5);
    const char *path = file_of(header, DEEP, DEEP, 0);
    io_expect(open_and_close(path), CLGRAD_E_FORMAT, path, "exactly");
    const int used = snprintf(header, DEEP, "{\"%0256d\":" TENSOR("U8", "[1]", 0, 1) "}", 0);
    path = file_of(header, (size_t)used, (size_t)used, 1);
    io_expect(open_and_close(path), CLGRAD_E_UNSUPPORTED, path, "255");
    free(header);
}
END_TEST

START_TEST(too_many_tensors_are_refused)
{
    clgrad_text text = { .ctx = io_ctx };
    clgrad_text_append(&text, "{");
    for (int i = 0; i <= 65536; i++) clgrad_text_append(&text, "%s\"%d\":" TENSOR("U8", "[0]", 0, 0), i ? "," : "", i);
    clgrad_text_append(&text, "}");
    const char *path = file_of(text.data, text.bytes, text.bytes, 0);
    io_expect(open_and_close(path), CLGRAD_E_UNSUPPORTED, path, "65536");
    clgrad_text_release(&text);
}
END_TEST

START_TEST(writer_refuses_what_no_reader_takes)
{
    clgrad_safetensors_writer *w;
    char lengthy[300] = { 0 };
    const float one = 1;
    memset(lengthy, 'n', 256);
    ck_assert_int_eq(clgrad_safetensors_writer_create(io_ctx, &w), CLGRAD_OK);
    ck_assert_int_eq(clgrad_safetensors_writer_add(w, "a", CLGRAD_F32, CLGRAD_SCALAR, &one, 4), CLGRAD_OK);
    static const char *const names[] = { "a", "", "__metadata__", "\xff" };
    for (size_t i = 0; i < CLGRAD_COUNT(names); i++)
        ck_assert_int_eq(clgrad_safetensors_writer_add(w, names[i], CLGRAD_F32, CLGRAD_SCALAR, &one, 4), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_safetensors_writer_add(w, lengthy, CLGRAD_F32, CLGRAD_SCALAR, &one, 4), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_safetensors_writer_add(w, "b", CLGRAD_F32, CLGRAD_SHAPE(2), &one, 4), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_safetensors_writer_add(w, "b", CLGRAD_F32, CLGRAD_SHAPE(-1), &one, 4), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_safetensors_writer_add(w, "b", CLGRAD_DTYPE_COUNT, CLGRAD_SCALAR, &one, 4), CLGRAD_E_DTYPE);
    ck_assert_int_eq(clgrad_safetensors_writer_set(w, "k", "\xc3"), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_safetensors_writer_set(w, "\xc3", "v"), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_safetensors_writer_write(w, io_path("one")), CLGRAD_OK); /* refusals changed nothing */
    ck_assert_int_eq(clgrad_safetensors_writer_write(w, io_path("no/such/place")), CLGRAD_E_FILE);
    clgrad_safetensors_writer_release(&w);
    ck_assert_int_eq(open_and_close(io_path("one")), CLGRAD_OK);
}
END_TEST

START_TEST(a_file_that_shrinks_while_open_is_reported)
{
    clgrad_safetensors *f;
    clgrad_array array;
    const char *path = file_of(headers[0].header, strlen(headers[0].header), strlen(headers[0].header), 8);
    ck_assert_int_eq(clgrad_safetensors_open(io_ctx, path, &f), CLGRAD_OK);
    io_file("case", "short", 5);
    io_expect(clgrad_safetensors_read_array(f, clgrad_safetensors_get(f, 0), &array), CLGRAD_E_FILE, path, "early");
    clgrad_safetensors_release(&f);
}
END_TEST

Suite *io_safetensors_suite(void)
{
    Suite *suite = suite_create("io.safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, io_setup, io_teardown);
    tcase_add_test(tests, reference_files_are_read);
    tcase_add_test(tests, writer_gives_the_reference_bytes);
    tcase_add_test(tests, a_file_without_tensors_is_legal);
    tcase_add_test(tests, types_clgrad_lacks_are_listed_not_read);
    tcase_add_loop_test(tests, headers_are_checked, 0, (int)CLGRAD_COUNT(headers));
    tcase_add_test(tests, escapes_are_decoded);
    tcase_add_test(tests, lengths_of_the_header_are_checked_before_memory_is_taken);
    tcase_add_test(tests, every_truncation_is_refused);
    tcase_add_test(tests, deep_and_long_headers_are_refused);
    tcase_add_test(tests, too_many_tensors_are_refused);
    tcase_add_test(tests, writer_refuses_what_no_reader_takes);
    tcase_add_test(tests, a_file_that_shrinks_while_open_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
