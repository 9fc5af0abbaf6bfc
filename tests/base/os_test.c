#define _GNU_SOURCE /* mkdtemp */

/* os: whole files, atomic replacement, and what stands after each file call in turn has failed. */

#include "base/os.h"
#include "base_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static clgrad_context *ctx;
static char dir[64], path[96];

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/clgrad-os-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
}

static void teardown(void)
{
    clgrad_os = clgrad_os_posix;
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0); /* no temporary file is left behind */
    clgrad_context_release(&ctx);
}

static void expect_content(const char *want)
{
    char *data;
    size_t bytes;
    ck_assert_int_eq(clgrad_os_read_file(ctx, path, 100, &data, &bytes), CLGRAD_OK);
    ck_assert_uint_eq(bytes, strlen(want));
    ck_assert_str_eq(data, want);
    clgrad_free(ctx, data);
}

START_TEST(files_are_replaced_and_read_back)
{
    ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, path, "old", 3), CLGRAD_OK);
    expect_content("old");
    const clgrad_os_piece pieces[] = { { "a", 1 }, { NULL, 0 }, { "bcd", 3 } };
    ck_assert_int_eq(clgrad_os_write_pieces_atomic(ctx, path, pieces, 3), CLGRAD_OK);
    expect_content("abcd");
}
END_TEST

START_TEST(what_cannot_be_read_is_named)
{
    char *data;
    size_t bytes;
    ck_assert_int_eq(clgrad_os_read_file(ctx, path, 100, &data, &bytes), CLGRAD_E_FILE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), path));
    ck_assert_int_eq(clgrad_os_read_file(ctx, dir, 100, &data, &bytes), CLGRAD_E_FILE);
    ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, path, "12345", 5), CLGRAD_OK);
    ck_assert_int_eq(clgrad_os_read_file(ctx, path, 4, &data, &bytes), CLGRAD_E_FILE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "limit"));
    ck_assert_ptr_null(data);
    ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, "/tmp/", "x", 1), CLGRAD_E_FILE);
    ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, "/no/such/dir/file", "x", 1), CLGRAD_E_FILE);
}
END_TEST

START_TEST(part_of_a_file)
{
    clgrad_os_file file;
    char part[4] = "";
    ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, path, "0123456", 7), CLGRAD_OK);
    ck_assert_int_eq(clgrad_os_file_open(ctx, path, &file), CLGRAD_OK);
    ck_assert_uint_eq(file.bytes, 7);
    ck_assert_int_eq(clgrad_os_file_read(ctx, &file, 2, part, 3), CLGRAD_OK);
    ck_assert_str_eq(part, "234");
    ck_assert_int_eq(clgrad_os_file_read(ctx, &file, 6, part, 3), CLGRAD_E_FILE);
    clgrad_os_file_close(&file);
}
END_TEST

static int countdown;

static bool fault(int code)
{
    if (--countdown != 0) return false;
    errno = code;
    return true;
}

static ssize_t faulty_write(int fd, const void *data, size_t bytes)
{
    if (fault(ENOSPC)) return -1;
    return clgrad_os_posix.write(fd, data, bytes > 2 ? 2 : bytes); /* short writes are normal */
}

static int faulty_openat(int at, const char *name, int flags, mode_t mode)
{
    return fault(EACCES) ? -1 : clgrad_os_posix.openat(at, name, flags, mode);
}

static int faulty_fsync(int fd) { return fault(EIO) ? -1 : clgrad_os_posix.fsync(fd); }

static int faulty_close(int fd)
{
    const int closed = clgrad_os_posix.close(fd);
    return fault(EIO) ? -1 : closed;
}

static int faulty_renameat(int a, const char *from, int b, const char *to)
{
    return fault(EIO) ? -1 : clgrad_os_posix.renameat(a, from, b, to);
}

START_TEST(large_pages_are_advice)
{
    enum { BYTES = 5 << 20 };
    unsigned char *data = malloc(BYTES);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < BYTES; i++) data[i] = (unsigned char)(i % 251);
    for (size_t start = 0; start < 3; start++) clgrad_os_prefer_large_pages(data + start, BYTES - start);
    clgrad_os_prefer_large_pages(data + 1, 0);
    clgrad_os_prefer_large_pages(data + 1, 100);
    size_t changed = 0; /* an assertion a byte takes seconds */
    for (size_t i = 0; i < BYTES; i++) changed += data[i] != i % 251;
    ck_assert_uint_eq(changed, 0);
    free(data);
}
END_TEST

START_TEST(a_failed_write_leaves_the_old_file)
{
    ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, path, "old", 3), CLGRAD_OK);
    int k = 1, failures = 0;
    for (;; k++) {
        clgrad_os.write = faulty_write, clgrad_os.openat = faulty_openat, clgrad_os.fsync = faulty_fsync;
        clgrad_os.close = faulty_close, clgrad_os.renameat = faulty_renameat;
        countdown = k;
        const clgrad_status status = clgrad_os_write_file_atomic(ctx, path, "fresh", 5);
        clgrad_os = clgrad_os_posix;
        if (countdown > 0) break; /* this run met no fault */
        if (status) {
            ck_assert_int_eq(status, CLGRAD_E_FILE);
            expect_content("old");
            failures++;
        } else {
            expect_content("fresh");
            ck_assert_int_eq(clgrad_os_write_file_atomic(ctx, path, "old", 3), CLGRAD_OK);
        }
    }
    expect_content("fresh");
    ck_assert_int_ge(failures, 8); /* two opens, three writes, fsync, close, rename */
}
END_TEST

Suite *os_suite(void)
{
    Suite *suite = suite_create("os");
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, files_are_replaced_and_read_back);
    tcase_add_test(tests, what_cannot_be_read_is_named);
    tcase_add_test(tests, part_of_a_file);
    tcase_add_test(tests, large_pages_are_advice);
    tcase_add_test(tests, a_failed_write_leaves_the_old_file);
    suite_add_tcase(suite, tests);
    return suite;
}
