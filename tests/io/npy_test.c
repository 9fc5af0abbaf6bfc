/* NPY: files written by NumPy, our own, and damaged ones. */

#include "io/fixture.h"

#include <stdlib.h>

static const struct {
    const char *name;
    clgrad_dtype dtype;
    int32_t rank;
    int64_t dims[3];
    double values[6]; /* the first ones, in C order */
} goldens[] = {
    { "f4.npy", CLGRAD_F32, 2, { 2, 3 }, { 0, 1, 2, 3, 4, 5 } },
    { "f8_big.npy", CLGRAD_F64, 2, { 2, 3 }, { 0, 1, 2, 3, 4, 5 } },
    { "i4_fortran.npy", CLGRAD_I32, 2, { 2, 3 }, { 0, 1, 2, 3, 4, 5 } },
    { "f2_v2.npy", CLGRAD_F16, 2, { 2, 3 }, { 0, 1, 2, 3, 4, 5 } },
    { "i8_v3.npy", CLGRAD_I64, 2, { 2, 3 }, { 0, 1, 2, 3, 4, 5 } },
    { "u1.npy", CLGRAD_U8, 2, { 2, 3 }, { 0, 1, 2, 3, 4, 5 } },
    { "bool.npy", CLGRAD_U8, 1, { 2 }, { 1, 0 } },
    { "i1.npy", CLGRAD_I32, 1, { 2 }, { -1, 127 } },
    { "i2_big.npy", CLGRAD_I32, 1, { 2 }, { -2, 300 } },
    { "u2.npy", CLGRAD_I32, 1, { 2 }, { 65535, 1 } },
    { "u4.npy", CLGRAD_I64, 1, { 1 }, { 4294967295.0 } },
    { "u8.npy", CLGRAD_I64, 1, { 1 }, { 9223372036854775807.0 } },
    { "scalar.npy", CLGRAD_F64, 0, { 0 }, { 2.5 } },
    { "empty.npy", CLGRAD_F32, 2, { 0, 3 }, { 0 } },
    { "fortran3.npy", CLGRAD_I32, 3, { 2, 3, 4 }, { 0, 1, 2, 3, 4, 5 } },
};

START_TEST(files_of_numpy_are_read)
{
    clgrad_array array;
    const clgrad_shape shape = clgrad_shape_make(goldens[_i].rank, goldens[_i].dims);
    ck_assert_msg(clgrad_npy_read(io_ctx, io_golden(goldens[_i].name), &array) == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
    ck_assert(array.dtype == goldens[_i].dtype && clgrad_shape_equal(&array.shape, &shape));
    for (int64_t i = 0; i < clgrad_shape_count(&shape); i++)
        ck_assert_msg(clgrad_array_get(&array, i) == (i < 6 ? goldens[_i].values[i] : (double)i), "%s", goldens[_i].name);
    clgrad_array_release(io_ctx, &array);
}
END_TEST

START_TEST(what_clgrad_lacks_is_refused_by_name)
{
    static const struct {
        const char *name, *word;
    } rows[] = { { "object.npy", "objects" }, { "record.npy", "records" }, { "text.npy", "U2" }, { "complex.npy", "c8" }, { "u8_over.npy", "2^63" } };
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        clgrad_array array;
        const char *path = io_golden(rows[i].name);
        io_expect(clgrad_npy_read(io_ctx, path, &array), CLGRAD_E_UNSUPPORTED, path, rows[i].word);
        ck_assert_ptr_null(array.data);
    }
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    const clgrad_shape shapes[] = { CLGRAD_SCALAR, CLGRAD_SHAPE(5), CLGRAD_SHAPE(2, 3), CLGRAD_SHAPE(0, 4), CLGRAD_SHAPE(1, 1, 1, 1, 1, 1, 1, 2) };
    for (int type = 0; type < CLGRAD_DTYPE_COUNT; type++)
        for (size_t s = 0; s < CLGRAD_COUNT(shapes); s++) {
            clgrad_array out, in;
            const char *path = io_path("a.npy");
            ck_assert_int_eq(clgrad_array_create(io_ctx, (clgrad_dtype)type, shapes[s], &out), CLGRAD_OK);
            for (int64_t i = 0; i < clgrad_shape_count(&shapes[s]); i++) clgrad_array_set(&out, i, (double)i + 1);
            const clgrad_status status = clgrad_npy_write(io_ctx, path, &out);
            if (type == CLGRAD_BF16) {
                io_expect(status, CLGRAD_E_UNSUPPORTED, path, "bf16");
            } else {
                ck_assert_int_eq(status, CLGRAD_OK);
                ck_assert_int_eq(clgrad_npy_read(io_ctx, path, &in), CLGRAD_OK);
                ck_assert(in.dtype == out.dtype && clgrad_shape_equal(&in.shape, &out.shape));
                ck_assert_mem_eq(in.data, out.data, clgrad_array_bytes(&out));
                clgrad_array_release(io_ctx, &in);
            }
            clgrad_array_release(io_ctx, &out);
        }
}
END_TEST

START_TEST(the_written_header_is_exact)
{
    clgrad_array array;
    size_t bytes;
    ck_assert_int_eq(clgrad_array_create(io_ctx, CLGRAD_F32, CLGRAD_SHAPE(3), &array), CLGRAD_OK);
    ck_assert_int_eq(clgrad_npy_write(io_ctx, io_path("a.npy"), &array), CLGRAD_OK);
    char *data = io_content(io_path("a.npy"), &bytes);
    static const char want[] = "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    ck_assert_uint_eq(bytes, 128 + 12);
    ck_assert_mem_eq(data, want, sizeof want - 1);
    ck_assert_int_eq(data[127], '\n');
    clgrad_free(io_ctx, data);
    array.dtype = (clgrad_dtype)99;
    ck_assert_int_eq(clgrad_npy_write(io_ctx, io_path("a.npy"), &array), CLGRAD_E_UNSUPPORTED);
    clgrad_array_release(io_ctx, &array);
}
END_TEST

#define REST "'fortran_order': False, 'shape': (2,)}"
static const struct {
    const char *header;
    size_t data_bytes;
    clgrad_status status;
    const char *word;
} headers[] = {
    /* the controls: other order of keys, other quotes, no blanks, a long integer of Python 2 */
    { "{'descr':'<f4'," REST, 8, CLGRAD_OK, "" },
    { "{\"shape\" : (2 , ), 'fortran_order':True,'descr':'=f4' , }\n", 8, CLGRAD_OK, "" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L)}", 6, CLGRAD_OK, "" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, CLGRAD_OK, "" },
    /* sizes that lie */
    { "{'descr':'<f4'," REST, 7, CLGRAD_E_FORMAT, "7 bytes" },
    { "{'descr':'<f4'," REST, 9, CLGRAD_E_FORMAT, "9 bytes" },
    { "{'descr':'<f4','fortran_order':False,'shape':(4611686018427387905,4)}", 16, CLGRAD_E_FORMAT, "more than fits" },
    { "{'descr':'<f8','fortran_order':False,'shape':(2305843009213693953,)}", 8, CLGRAD_E_FORMAT, "elements" },
    { "{'descr':'<f4','fortran_order':False,'shape':(99999999999999999999,)}", 8, CLGRAD_E_FORMAT, "shape" },
    { "{'descr':'<f4','fortran_order':False,'shape':(-2,)}", 8, CLGRAD_E_FORMAT, "shape" },
    { "{'descr':'<f4','fortran_order':False,'shape':(1,1,1,1,1,1,1,1,1)}", 4, CLGRAD_E_UNSUPPORTED, "rank" },
    { "{'descr':'<f4','fortran_order':False,'shape':(2)}", 8, CLGRAD_E_FORMAT, "tuple" },
    { "{'descr':'<f4','fortran_order':False,'shape':(2 3)}", 24, CLGRAD_E_FORMAT, "tuple" },
    { "{'descr':'<f4','fortran_order':False,'shape':[2]}", 8, CLGRAD_E_FORMAT, "tuple" },
    { "{'descr':'<f4','fortran_order':False,'shape':(2,", 8, CLGRAD_E_FORMAT, "tuple" },
    /* structure */
    { "{'descr':'<f4','descr':'<f4'," REST, 8, CLGRAD_E_FORMAT, "twice" },
    { "{'more':1,'descr':'<f4'," REST, 8, CLGRAD_E_FORMAT, "key" },
    { "{'fortran_order': False, 'shape': (2,)}", 8, CLGRAD_E_FORMAT, "missing" },
    { "{'descr':'<f4','shape':(2,)}", 8, CLGRAD_E_FORMAT, "missing" },
    { "{'descr':'<f4','fortran_order':False}", 8, CLGRAD_E_FORMAT, "missing" },
    { "{'descr':'<f4','fortran_order':0,'shape':(2,)}", 8, CLGRAD_E_FORMAT, "fortran_order" },
    { "{'descr':4," REST, 8, CLGRAD_E_FORMAT, "descr" },
    { "{'descr':'<f\\x34'," REST, 8, CLGRAD_E_FORMAT, "descr" },
    { "{'descr':'f4'," REST, 8, CLGRAD_E_FORMAT, "byte order" },
    { "{'descr':''," REST, 8, CLGRAD_E_FORMAT, "byte order" },
    { "{'descr':'<'," REST, 8, CLGRAD_E_UNSUPPORTED, "'<'" },
    { "{'descr':'<f16'," REST, 32, CLGRAD_E_UNSUPPORTED, "f16" },
    { "{'descr':'<M8[ns]'," REST, 16, CLGRAD_E_UNSUPPORTED, "M8" },
    { "{'descr':'<f4'," REST "x", 8, CLGRAD_E_FORMAT, "behind" },
    { "{'descr':'<f4' " REST, 8, CLGRAD_E_FORMAT, "dict" },
    { "('descr')", 8, CLGRAD_E_FORMAT, "dict" },
    { "", 8, CLGRAD_E_FORMAT, "dict" },
    { "{", 8, CLGRAD_E_FORMAT, "dict" },
    { "{'descr", 8, CLGRAD_E_FORMAT, "dict" },
};

static const char *file_of(const char *prefix, size_t prefix_bytes, const char *header, size_t data_bytes)
{
    const size_t header_bytes = strlen(header);
    char *content = calloc(1, prefix_bytes + header_bytes + data_bytes + 1);
    memcpy(content, prefix, prefix_bytes);
    memcpy(content + prefix_bytes, header, header_bytes);
    const char *path = io_file("case.npy", content, prefix_bytes + header_bytes + data_bytes);
    free(content);
    return path;
}

static clgrad_status read_and_release(const char *path)
{
    clgrad_array array;
    const clgrad_status status = clgrad_npy_read(io_ctx, path, &array);
    ck_assert((array.data != NULL) == (status == CLGRAD_OK));
    clgrad_array_release(io_ctx, &array);
    return status;
}

START_TEST(headers_are_checked)
{
    const char prefix[] = { '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)strlen(headers[_i].header), 0 };
    const char *path = file_of(prefix, sizeof prefix, headers[_i].header, headers[_i].data_bytes);
    const clgrad_status status = read_and_release(path);
    if (headers[_i].status) io_expect(status, headers[_i].status, path, headers[_i].word);
    else ck_assert_msg(status == CLGRAD_OK, "%s", clgrad_error_text(io_ctx));
}
END_TEST

START_TEST(prefixes_are_checked)
{
    static const struct {
        const char *prefix;
        size_t bytes;
        clgrad_status status;
        const char *word;
    } rows[] = {
        { "\x93NUMPX\1\0\0\0", 10, CLGRAD_E_FORMAT, "not an NPY" },
        { "\x93NUMPY\1\0\0", 9, CLGRAD_E_FORMAT, "not an NPY" },
        { "", 0, CLGRAD_E_FORMAT, "not an NPY" },
        { "\x93NUMPY\0\0\0\0", 10, CLGRAD_E_UNSUPPORTED, "version 0" },
        { "\x93NUMPY\4\0\0\0", 10, CLGRAD_E_UNSUPPORTED, "version 4" },
        { "\x93NUMPY\1\1\0\0", 10, CLGRAD_E_UNSUPPORTED, "version 1.1" },
        { "\x93NUMPY\1\0\1\0", 10, CLGRAD_E_FORMAT, "ends within" },
        { "\x93NUMPY\2\0\0\0", 10, CLGRAD_E_FORMAT, "ends within" },
        { "\x93NUMPY\2\0\xff\xff\xff\xff", 12, CLGRAD_E_FORMAT, "at most" },
        { "\x93NUMPY\3\0\0\0\1\1", 12, CLGRAD_E_FORMAT, "at most" },
    };
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        const char *path = file_of(rows[i].prefix, rows[i].bytes, "", 0);
        io_expect(read_and_release(path), rows[i].status, path, rows[i].word);
    }
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    static const char *const names[] = { "f8_big.npy", "f2_v2.npy" };
    for (size_t n = 0; n < CLGRAD_COUNT(names); n++) {
        size_t bytes;
        char *whole = io_content(io_golden(names[n]), &bytes);
        for (size_t cut = 0; cut < bytes; cut++) {
            const char *path = io_file("cut.npy", whole, cut);
            io_expect(read_and_release(path), CLGRAD_E_FORMAT, path, "");
        }
        clgrad_free(io_ctx, whole);
    }
}
END_TEST

Suite *io_npy_suite(void)
{
    Suite *suite = suite_create("io.npy");
    TCase *tests = tcase_create("npy");
    tcase_add_checked_fixture(tests, io_setup, io_teardown);
    tcase_add_loop_test(tests, files_of_numpy_are_read, 0, (int)CLGRAD_COUNT(goldens));
    tcase_add_test(tests, what_clgrad_lacks_is_refused_by_name);
    tcase_add_test(tests, what_is_written_is_read_back);
    tcase_add_test(tests, the_written_header_is_exact);
    tcase_add_loop_test(tests, headers_are_checked, 0, (int)CLGRAD_COUNT(headers));
    tcase_add_test(tests, prefixes_are_checked);
    tcase_add_test(tests, every_truncation_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
