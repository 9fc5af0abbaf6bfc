/* What the formats share: numbers, UTF-8, shown strings, plain and gzip streams. */

#include "io/fixture.h"

#include <locale.h>
#include <stdlib.h>
#include <zlib.h>

START_TEST(numbers_are_read_exactly)
{
    static const char *const good[] = { "0", "-0", "1", "+1.5", "-2.5e3", ".5", "5.", "1e22", "1e23", "123456789012345678901234567890",
                                        "0.1", "3.141592653589793238462643383279502884197", "1.7976931348623157e308", "4.9e-324",
                                        "2.2250738585072011e-308", "1e-400", "9007199254740993", "0e99999999", "00012", "1E+2" };
    static const char *const bad[] = { "", "-", ".", "e5", "1e", "1e+", "1.2.3", "1,5", "0x10", "inf", "nan", "1 2", " 1", "1 ", "1e999", "--1" };
    double value;
    for (size_t i = 0; i < CLGRAD_COUNT(good); i++) {
        ck_assert_msg(clgrad_number_parse(good[i], strlen(good[i]), &value), "%s", good[i]);
        ck_assert_msg(value == strtod(good[i], NULL), "%s gave %a", good[i], value);
    }
    for (size_t i = 0; i < CLGRAD_COUNT(bad); i++)
        ck_assert_msg(!clgrad_number_parse(bad[i], strlen(bad[i]), &value), "%s was taken", bad[i]);
}
END_TEST

START_TEST(numbers_do_not_depend_on_the_locale)
{
    static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "C.UTF-8" };
    for (size_t i = 0; i < CLGRAD_COUNT(locales); i++) {
        double value = 0;
        if (!setlocale(LC_NUMERIC, locales[i])) continue;
        ck_assert(clgrad_number_parse("0.12345678901234567890123", 25, &value));
        ck_assert(!clgrad_number_parse("0,5", 3, &value));
        setlocale(LC_NUMERIC, "C");
        ck_assert(value == 0.12345678901234567890123);
    }
}
END_TEST

START_TEST(utf8_is_checked)
{
    static const char *const good[] = { "", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe2\x82" };
    for (size_t i = 0; i < CLGRAD_COUNT(good); i++) ck_assert(clgrad_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < CLGRAD_COUNT(bad); i++) ck_assert_msg(!clgrad_utf8_valid(bad[i], strlen(bad[i])), "%zu", i);
}
END_TEST

START_TEST(shown_strings_are_short_and_printable)
{
    char shown[CLGRAD_SHOWN_BYTES], lengthy[300];
    ck_assert_str_eq(clgrad_io_show("red\x1b[2J", shown), "red?[2J");
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    ck_assert_uint_lt(strlen(clgrad_io_show(lengthy, shown)), CLGRAD_SHOWN_BYTES);
}
END_TEST

/* All of a stream, in reads of `step` bytes. */
static clgrad_status drain(const char *path, char *out, size_t room, size_t step, size_t *bytes)
{
    clgrad_stream *stream;
    size_t got = 1;
    *bytes = 0;
    clgrad_status status = clgrad_stream_open(io_ctx, path, &stream);
    while (!status && got && *bytes + step <= room) {
        status = clgrad_stream_read(stream, out + *bytes, step, &got);
        *bytes += got;
    }
    clgrad_stream_release(&stream);
    return status;
}

START_TEST(streams_read_plain_and_packed_alike)
{
    enum { N = 200000 };
    char *data = malloc(N), *out = malloc(N + 70000);
    size_t got;
    for (size_t i = 0; i < N; i++) data[i] = (char)(i * i >> 7);
    const size_t steps[] = { 1, 1000, 65536, 70000 };
    for (size_t s = 0; s < CLGRAD_COUNT(steps); s++) {
        ck_assert_int_eq(drain(io_file("plain", data, N), out, N + 70000, steps[s], &got), CLGRAD_OK);
        ck_assert_uint_eq(got, N);
        ck_assert_mem_eq(out, data, N);
        ck_assert_int_eq(drain(io_gzip_file("packed.gz", data, N), out, N + 70000, steps[s], &got), CLGRAD_OK);
        ck_assert_uint_eq(got, N);
        ck_assert_mem_eq(out, data, N);
    }
    memset(data, 0, N); /* packs into fewer bytes than zlib's window can hold back */
    ck_assert_int_eq(drain(io_gzip_file("zeros.gz", data, N), out, N + 70000, 7, &got), CLGRAD_OK);
    ck_assert_uint_eq(got, N);
    ck_assert_int_eq(drain(io_file("empty", "", 0), out, 10, 5, &got), CLGRAD_OK);
    ck_assert_uint_eq(got, 0);
    free(data);
    free(out);
}
END_TEST

START_TEST(damaged_gzip_is_refused)
{
    char out[4096], joined[8192];
    size_t bytes, got;
    char *packed = io_content(io_gzip_file("a.gz", "some text, some text, some text", 31), &bytes);
    for (size_t cut = 2; cut < bytes; cut++) { /* every truncation; the whole is the control */
        const char *path = io_file("cut.gz", packed, cut);
        io_expect(drain(path, out, sizeof out, 100, &got), CLGRAD_E_FORMAT, path, "gzip");
    }
    memcpy(joined, packed, bytes);
    memcpy(joined + bytes, packed, bytes);
    ck_assert_int_eq(drain(io_file("two.gz", joined, 2 * bytes), out, sizeof out, 100, &got), CLGRAD_OK);
    ck_assert_uint_eq(got, 62);
    joined[bytes] = 'x';
    const char *path = io_file("tail.gz", joined, bytes + 5);
    io_expect(drain(path, out, sizeof out, 100, &got), CLGRAD_E_FORMAT, path, "gzip");
    packed[bytes - 6] ^= 1; /* the checksum */
    path = io_file("sum.gz", packed, bytes);
    io_expect(drain(path, out, sizeof out, 100, &got), CLGRAD_E_FORMAT, path, "gzip");
    clgrad_free(io_ctx, packed);
    io_expect(drain(io_path("none"), out, sizeof out, 1, &got), CLGRAD_E_FILE, "none", "none");
}
END_TEST

Suite *io_file_suite(void)
{
    Suite *suite = suite_create("io.file");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, io_setup, io_teardown);
    tcase_add_test(tests, numbers_are_read_exactly);
    tcase_add_test(tests, numbers_do_not_depend_on_the_locale);
    tcase_add_test(tests, utf8_is_checked);
    tcase_add_test(tests, shown_strings_are_short_and_printable);
    tcase_add_test(tests, streams_read_plain_and_packed_alike);
    tcase_add_test(tests, damaged_gzip_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
