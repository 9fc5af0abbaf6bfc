/* The tuning store: what was put comes back, in this process and in the next; what is damaged or of another version is refused with
 * path and reason, and a run goes on without it; the shipped table serves where the file knows nothing. */

#define _GNU_SOURCE /* mkdtemp, setenv */

#include "base/os.h"
#include "device/cl_device.h"
#include "device_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[64], file[96], last_line[CLGRAD_MESSAGE_BYTES];
static clgrad_context *ctx;
static clgrad_tuning tuning;
static const clgrad_device_info one = { .name = "One", .platform = "P", .driver = "1.0", .vendor = "V", .kind = CLGRAD_DEVICE_CPU,
                                        .float_width = 16 };

static void keep_line(void *user, clgrad_log_level level, const char *topic, const char *line)
{
    (void)user, (void)level;
    if (strcmp(topic, "tuning") == 0) snprintf(last_line, sizeof last_line, "%s", line);
}

static void setup(void)
{
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.log = keep_line;
    snprintf(dir, sizeof dir, "/tmp/clgrad-tuning-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/tuning", dir);
    setenv("CLGRAD_TUNING", file, 1);
    *last_line = '\0';
    ck_assert_int_eq(clgrad_context_create(&options, &ctx), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tuning_read(ctx, &tuning), CLGRAD_OK);
}

static void teardown(void)
{
    char command[192];
    clgrad_os = clgrad_os_posix;
    clgrad_tuning_close(&tuning);
    clgrad_context_release(&ctx);
    setenv("CLGRAD_TUNING", "0", 1);
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", dir, dir);
    ck_assert_int_eq(system(command), 0);
}

static clgrad_status put(const clgrad_device_info *info, const char *key, const char *value)
{
    char section[CLGRAD_TUNING_SECTION];
    clgrad_tuning_section(info, section);
    return clgrad_tuning_put(&tuning, &(clgrad_tuning_row){ section, key, value });
}

static void reread(void)
{
    clgrad_tuning_close(&tuning);
    ck_assert_int_eq(clgrad_tuning_read(ctx, &tuning), CLGRAD_OK);
}

static const char *find(const clgrad_device_info *info, const char *key)
{
    const char *value = clgrad_tuning_find(&tuning, info, key, NULL);
    return value ? value : "";
}

START_TEST(values_come_back_for_their_device_and_driver)
{
    const char *from = NULL;
    clgrad_device_info newer = one;
    newer.driver = "1.1";
    ck_assert_ptr_null(clgrad_tuning_find(&tuning, &one, "matmul x", NULL));
    ck_assert_int_eq(put(&one, "matmul x", "cpu rows=8"), CLGRAD_OK);
    ck_assert_int_eq(put(&newer, "matmul x", "cpu rows=6"), CLGRAD_OK);
    ck_assert_int_eq(put(&one, "matmul y", "clblast"), CLGRAD_OK);
    ck_assert_int_eq(put(&one, "matmul x", "cpu rows=12"), CLGRAD_OK);
    for (int again = 0; again < 2; again++) {
        ck_assert_str_eq(clgrad_tuning_find(&tuning, &one, "matmul x", &from), "cpu rows=12");
        ck_assert_str_eq(from, "measured on this device");
        ck_assert_str_eq(find(&newer, "matmul x"), "cpu rows=6");
        ck_assert_str_eq(find(&one, "matmul y"), "clblast");
        ck_assert_uint_eq(tuning.count, 3);
        reread();
    }
    ck_assert_int_eq(put(&one, "matmul y", NULL), CLGRAD_OK);
    ck_assert_ptr_null(clgrad_tuning_find(&tuning, &one, "matmul y", NULL));
    ck_assert_int_eq(put(&one, NULL, NULL), CLGRAD_OK);
    reread();
    ck_assert_uint_eq(tuning.count, 1);
    ck_assert_str_eq(find(&newer, "matmul x"), "cpu rows=6");
}
END_TEST

/* Changes the file's text, without or with a checksum that fits. */
static void rewrite(const char *from, const char *to, bool right_checksum)
{
    char *data;
    size_t bytes;
    clgrad_text text = { .ctx = ctx };
    uint8_t digest[CLGRAD_SHA256_BYTES];
    char hex[65];
    ck_assert_int_eq(clgrad_os_read_file(ctx, file, 4096, &data, &bytes), CLGRAD_OK);
    char *const at = strstr(data, from), *const sum = strstr(data, "sha256 ");
    ck_assert_ptr_nonnull(at);
    clgrad_text_append(&text, "%.*s%s", (int)(at - data), data, to);
    clgrad_text_append(&text, "%.*s", (int)(sum - at - (long)strlen(from)), at + strlen(from));
    clgrad_sha256_of(text.data, text.bytes, digest);
    clgrad_text_append(&text, "sha256 %s\n", right_checksum ? clgrad_sha256_hex(digest, hex) : (sum[71] = '\0', sum + 7));
    ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, file, text.data, text.bytes), CLGRAD_OK);
    clgrad_text_release(&text);
    clgrad_free(ctx, data);
}

static void expect_refusal(const char *reason)
{
    clgrad_tuning_close(&tuning);
    ck_assert_int_eq(clgrad_tuning_read(ctx, &tuning), CLGRAD_E_FILE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), file));
    ck_assert_msg(strstr(clgrad_error_text(ctx), reason) != NULL, "%s", clgrad_error_text(ctx));
    ck_assert_int_eq(clgrad_tuning_open(ctx, &tuning), CLGRAD_OK);
    ck_assert_uint_eq(tuning.count, 0);
    ck_assert_msg(strstr(last_line, reason) && strstr(last_line, file), "%s", last_line);
}

START_TEST(damaged_and_foreign_files_are_refused_with_path_and_reason)
{
    static const struct { const char *from, *to, *reason; bool right_checksum; } cases[] = {
        { "rows=8", "rows=9", "damaged", false },
        { "clgrad-tuning 1", "clgrad-tuning 2", "another version", true },
        { "templates 1", "templates 99", "other kernel templates", true },
        { "clgrad-tuning", "<html>", "no tuning file", true },
    };
    for (size_t i = 0; i < CLGRAD_COUNT(cases); i++) {
        ck_assert_int_eq(put(&one, "matmul x", "cpu rows=8"), CLGRAD_OK);
        rewrite(cases[i].from, cases[i].to, cases[i].right_checksum);
        expect_refusal(cases[i].reason);
        ck_assert_int_eq(put(&one, "matmul x", "cpu rows=8"), CLGRAD_E_FILE); /* what is not understood is not overwritten */
        ck_assert_int_eq(clgrad_tuning_remove(ctx), CLGRAD_OK);
    }
    ck_assert_int_eq(put(&one, "matmul x", "cpu rows=8"), CLGRAD_OK);
    rewrite("rows=8", "rows=6", true); /* negative control: a right checksum is what makes it right */
    reread();
    ck_assert_str_eq(find(&one, "matmul x"), "cpu rows=6");
}
END_TEST

START_TEST(every_shortened_file_is_refused)
{
    char *data;
    size_t bytes;
    ck_assert_int_eq(put(&one, "matmul x", "cpu rows=8"), CLGRAD_OK);
    ck_assert_int_eq(clgrad_os_read_file(ctx, file, 4096, &data, &bytes), CLGRAD_OK);
    for (size_t k = 0; k < bytes; k += k < bytes - 70 ? 13 : 1) {
        ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, file, data, k), CLGRAD_OK);
        clgrad_tuning_close(&tuning);
        ck_assert_int_eq(clgrad_tuning_read(ctx, &tuning), CLGRAD_E_FILE);
    }
    clgrad_free(ctx, data);
}
END_TEST

START_TEST(a_refused_write_changes_nothing)
{
    ck_assert_int_eq(put(&one, "matmul x", "cpu rows=8"), CLGRAD_OK);
    setenv("CLGRAD_TUNING", "/proc/tuning", 1);
    ck_assert_int_eq(put(&one, "matmul x", "cpu rows=6"), CLGRAD_E_FILE);
    ck_assert_str_eq(find(&one, "matmul x"), "cpu rows=8");
    setenv("CLGRAD_TUNING", "0", 1);
    ck_assert_int_eq(put(&one, "matmul x", "cpu rows=6"), CLGRAD_E_FILE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "CLGRAD_TUNING=0"));
    unsetenv("CLGRAD_TUNING");
    setenv("XDG_CONFIG_HOME", dir, 1);
    ck_assert_int_eq(put(&one, "matmul z", "clblast"), CLGRAD_OK);
    reread();
    ck_assert_str_eq(find(&one, "matmul z"), "clblast");
    unsetenv("XDG_CONFIG_HOME");
    struct stat made;
    snprintf(file, sizeof file, "%s/clgrad", dir);
    ck_assert_int_eq(stat(file, &made), 0);
    ck_assert_uint_eq(made.st_mode & 0777, 0700);
}
END_TEST

START_TEST(the_shipped_table_is_asked_from_near_to_far)
{
    static const clgrad_tuning_row rows[] = {
        { "kind cpu", "k", "kind" }, { "vendor V", "k", "vendor" }, { "architecture cpu-16", "k", "architecture" },
        { "device One", "k", "device" }, { "kind cpu", "kind alone", "kind" },
    };
    static const char *const order[] = { "device", "architecture", "vendor", "kind" };
    const char *from = NULL;
    for (size_t left = 4; left > 0; left--) {
        ck_assert_str_eq(clgrad_tuning_find_shipped(rows, left, &one, "k", &from), order[4 - left]);
        ck_assert_ptr_nonnull(strstr(from, order[4 - left]));
    }
    ck_assert_str_eq(clgrad_tuning_find_shipped(rows, 5, &one, "kind alone", NULL), "kind");
    ck_assert_ptr_null(clgrad_tuning_find_shipped(rows, 5, &one, "other", NULL));
    clgrad_device_info gpu = one;
    gpu.kind = CLGRAD_DEVICE_GPU, gpu.vendor = "W", gpu.name = "Two";
    ck_assert_ptr_null(clgrad_tuning_find_shipped(rows, 5, &gpu, "k", NULL));
}
END_TEST

START_TEST(scores_are_read_from_whole_numbers)
{
    ck_assert_double_eq(clgrad_tuning_score(&tuning, &one), 0);
    ck_assert_int_eq(put(&one, "score", "fma=40000 read=10000"), CLGRAD_OK);
    ck_assert_double_eq(clgrad_tuning_score(&tuning, &one), 20000);
    ck_assert_int_eq(put(&one, "score", "fast"), CLGRAD_OK);
    ck_assert_double_eq(clgrad_tuning_score(&tuning, &one), 0);
}
END_TEST

Suite *tuning_suite(void)
{
    Suite *suite = suite_create("tuning");
    TCase *tests = tcase_create("tuning");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, values_come_back_for_their_device_and_driver);
    tcase_add_test(tests, damaged_and_foreign_files_are_refused_with_path_and_reason);
    tcase_add_test(tests, every_shortened_file_is_refused);
    tcase_add_test(tests, a_refused_write_changes_nothing);
    tcase_add_test(tests, the_shipped_table_is_asked_from_near_to_far);
    tcase_add_test(tests, scores_are_read_from_whole_numbers);
    suite_add_tcase(suite, tests);
    return suite;
}
