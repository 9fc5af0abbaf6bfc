/* Every allocation and every file call of every format fails in turn: the right status, nothing leaked, old or new file whole. */

#include "io/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const float old_values[] = { 1, 2, 3 }, new_values[] = { 4, 5, 6, 7, 8 };

static clgrad_status save_safetensors(const char *path, const float *values, int64_t n)
{
    clgrad_safetensors_writer *w;
    clgrad_status status = clgrad_safetensors_writer_create(io_ctx, &w);
    if (status) return status;
    status = clgrad_safetensors_writer_set(w, "step", "12");
    if (!status) status = clgrad_safetensors_writer_add(w, "b", CLGRAD_F32, CLGRAD_SHAPE(n), values, (size_t)n * 4);
    if (!status) status = clgrad_safetensors_writer_add(w, "a", CLGRAD_U8, CLGRAD_SHAPE(2), "xy", 2);
    if (!status) status = clgrad_safetensors_writer_write(w, path);
    clgrad_safetensors_writer_release(&w);
    return status;
}

static clgrad_status load_safetensors(const char *path)
{
    clgrad_safetensors *f;
    clgrad_array array;
    clgrad_status status = clgrad_safetensors_open(io_ctx, path, &f);
    if (status) return status;
    status = clgrad_safetensors_read_array(f, clgrad_safetensors_find(f, "b"), &array);
    clgrad_array_release(io_ctx, &array);
    clgrad_safetensors_release(&f);
    return status;
}

static clgrad_status save_npy(const char *path, const float *values, int64_t n)
{
    clgrad_array array;
    clgrad_status status = clgrad_array_create(io_ctx, CLGRAD_F32, CLGRAD_SHAPE(n), &array);
    if (status) return status;
    memcpy(array.data, values, (size_t)n * 4);
    status = clgrad_npy_write(io_ctx, path, &array);
    clgrad_array_release(io_ctx, &array);
    return status;
}

static clgrad_status load_npy(const char *path)
{
    clgrad_array array;
    const clgrad_status status = clgrad_npy_read(io_ctx, path, &array);
    clgrad_array_release(io_ctx, &array);
    return status;
}

static clgrad_status load_idx(const char *path)
{
    clgrad_array array;
    const clgrad_status status = clgrad_idx_read(io_ctx, path, &array);
    clgrad_array_release(io_ctx, &array);
    return status;
}

static clgrad_status load_csv(const char *path)
{
    clgrad_csv csv;
    clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
    options.missing = CLGRAD_CSV_MISSING_MEDIAN;
    const clgrad_status status = clgrad_csv_read(io_ctx, path, &options, &csv);
    clgrad_csv_release(io_ctx, &csv);
    return status;
}

typedef struct format {
    clgrad_status (*save)(const char *path, const float *values, int64_t n); /* NULL: golden or given */
    clgrad_status (*load)(const char *path);
    const char *golden;
} format;

static const format formats[] = {
    { save_safetensors, load_safetensors, NULL }, { save_npy, load_npy, NULL },
    { NULL, load_npy, "fortran3.npy" },           { NULL, load_idx, "u8.idx.gz" },
    { NULL, load_idx, "i16.idx" },                { NULL, load_csv, NULL },
};
enum { FORMATS = CLGRAD_COUNT(formats) };

static const char *source_of(const format *f)
{
    static const char table[] = "x,\"y\",class\n1,,red\n2,5,blue\n3,4,red\n";
    return f->golden ? io_golden(f->golden) : f->save ? io_path("f") : io_file("t.csv", table, sizeof table - 1);
}

static clgrad_status save_and_load(const format *f, const char *path)
{
    const clgrad_status status = f->save ? f->save(path, new_values, 5) : CLGRAD_OK;
    return status ? status : f->load(path);
}

START_TEST(every_refused_allocation_is_reported)
{
    const format *f = &formats[_i % FORMATS];
    const char *path = source_of(f);
    const size_t live = io_memory.live;
    size_t k = 0;
    clgrad_status status;
    io_memory.persistent = _i >= FORMATS;
    do {
        io_memory.fail_at = io_memory.requests + ++k;
        status = save_and_load(f, path);
        ck_assert_msg(status == CLGRAD_OK || status == CLGRAD_E_MEMORY, "%s", clgrad_error_text(io_ctx));
        ck_assert_uint_eq(io_memory.live, live);
    } while (status != CLGRAD_OK);
    ck_assert_uint_gt(k, 4);
}
END_TEST

/* Instead of an errno: half of what was asked for is done; the process ends before the call. */
enum { SHORT = -1, CRASH = -2 };

static struct {
    size_t calls, fail_at;
    int error;
    bool hit;
} fault;

static bool strikes(void)
{
    if (++fault.calls != fault.fail_at) return false;
    fault.hit = true;
    if (fault.error == CRASH) _exit(7);
    if (fault.error != SHORT) errno = fault.error;
    return true;
}

static size_t portion(size_t bytes, bool *failed)
{
    const bool now = strikes();
    *failed = now && fault.error != SHORT;
    return now && bytes > 1 ? bytes / 2 : bytes;
}

static int fault_openat(int dir, const char *path, int flags, mode_t mode)
{
    return strikes() && fault.error != SHORT ? -1 : clgrad_os_posix.openat(dir, path, flags, mode);
}

static ssize_t fault_pread(int fd, void *data, size_t bytes, off_t offset)
{
    bool failed;
    bytes = portion(bytes, &failed);
    return failed ? -1 : clgrad_os_posix.pread(fd, data, bytes, offset);
}

static ssize_t fault_write(int fd, const void *data, size_t bytes)
{
    bool failed;
    bytes = portion(bytes, &failed);
    return failed ? -1 : clgrad_os_posix.write(fd, data, bytes);
}

static int fault_fsync(int fd)
{
    (void)fd;
    return strikes() && fault.error != SHORT ? -1 : 0;
}

static int fault_close(int fd)
{
    const int result = clgrad_os_posix.close(fd); /* the descriptor is gone even when close fails */
    return strikes() && fault.error != SHORT ? -1 : result;
}

static int fault_fstat(int fd, struct stat *out) { return strikes() && fault.error != SHORT ? -1 : clgrad_os_posix.fstat(fd, out); }

static int fault_renameat(int from, const char *a, int to, const char *b)
{
    return strikes() && fault.error != SHORT ? -1 : clgrad_os_posix.renameat(from, a, to, b);
}

static void arm(size_t k, int error)
{
    fault.calls = 0, fault.fail_at = k, fault.error = error, fault.hit = false;
    clgrad_os = clgrad_os_posix;
    clgrad_os.openat = fault_openat, clgrad_os.pread = fault_pread, clgrad_os.write = fault_write;
    clgrad_os.fsync = fault_fsync, clgrad_os.close = fault_close, clgrad_os.fstat = fault_fstat;
    clgrad_os.renameat = fault_renameat;
}

static const int errors[] = { ENOSPC, EIO, EINTR, SHORT };

static bool same_content(const char *path, const char *data, size_t bytes)
{
    size_t now_bytes;
    char *now = io_content(path, &now_bytes);
    const bool same = now_bytes == bytes && memcmp(now, data, bytes) == 0;
    clgrad_free(io_ctx, now);
    return same;
}

START_TEST(after_a_failed_save_the_old_or_the_new_file_is_whole)
{
    const format *f = &formats[_i];
    const char *path = io_path("f");
    size_t old_bytes, new_bytes, k = 0;
    ck_assert_int_eq(f->save(path, new_values, 5), CLGRAD_OK);
    char *new_data = io_content(path, &new_bytes);
    ck_assert_int_eq(f->save(path, old_values, 3), CLGRAD_OK);
    char *old_data = io_content(path, &old_bytes);
    for (size_t e = 0; e < CLGRAD_COUNT(errors); e++)
        for (k = 1, fault.hit = true; fault.hit; k++) {
            arm(k, errors[e]);
            const clgrad_status status = f->save(path, new_values, 5);
            io_restore_calls();
            ck_assert_msg(status == CLGRAD_OK || status == CLGRAD_E_FILE, "%s", clgrad_error_text(io_ctx));
            if (status) ck_assert_ptr_nonnull(strstr(clgrad_error_text(io_ctx), "clgrad-test-")); /* file or directory */
            if (!fault.hit || errors[e] == SHORT) ck_assert_int_eq(status, CLGRAD_OK);
            ck_assert(same_content(path, status ? old_data : new_data, status ? old_bytes : new_bytes));
            ck_assert_int_eq(f->load(path), CLGRAD_OK);
            ck_assert_int_eq(f->save(path, old_values, 3), CLGRAD_OK);
        }
    ck_assert_uint_gt(k, 5);
    clgrad_free(io_ctx, new_data);
    clgrad_free(io_ctx, old_data);
}
END_TEST

/* A child saves and ends before its k-th file call; true while there is a k-th one. */
static bool save_and_crash(const format *f, const char *path, size_t k)
{
    int state = 0;
    const pid_t child = fork();
    if (child == 0) {
        arm(k, CRASH);
        f->save(path, new_values, 5);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state) && (WEXITSTATUS(state) == 7 || WEXITSTATUS(state) == 0));
    return WEXITSTATUS(state) == 7;
}

START_TEST(after_a_crash_the_old_or_the_new_file_is_whole)
{
    const format *f = &formats[_i];
    const char *path = io_path("f");
    size_t old_bytes, new_bytes, k = 0, old_seen = 0, new_seen = 0;
    ck_assert_int_eq(f->save(path, new_values, 5), CLGRAD_OK);
    char *new_data = io_content(path, &new_bytes);
    ck_assert_int_eq(f->save(path, old_values, 3), CLGRAD_OK);
    char *old_data = io_content(path, &old_bytes);
    while (save_and_crash(f, path, ++k)) {
        const bool old = same_content(path, old_data, old_bytes);
        ck_assert(old || same_content(path, new_data, new_bytes));
        old ? old_seen++ : new_seen++;
        ck_assert_int_eq(f->save(path, old_values, 3), CLGRAD_OK);
    }
    ck_assert(old_seen > 2 && new_seen > 0);
    io_forget_temporaries();
    clgrad_free(io_ctx, new_data);
    clgrad_free(io_ctx, old_data);
}
END_TEST

START_TEST(a_failed_read_is_reported_with_the_path)
{
    const format *f = &formats[_i];
    const char *path = source_of(f);
    size_t failures = 0;
    if (f->save) ck_assert_int_eq(f->save(path, new_values, 5), CLGRAD_OK);
    const size_t live = io_memory.live;
    for (size_t e = 0; e < CLGRAD_COUNT(errors); e++) {
        fault.hit = true;
        for (size_t k = 1; fault.hit; k++) {
            arm(k, errors[e]);
            const clgrad_status status = f->load(path);
            io_restore_calls();
            ck_assert_msg(status == CLGRAD_OK || status == CLGRAD_E_FILE, "%s", clgrad_error_text(io_ctx));
            if (status) ck_assert_ptr_nonnull(strstr(clgrad_error_text(io_ctx), path));
            if (errors[e] == SHORT) ck_assert_int_eq(status, CLGRAD_OK);
            failures += status != CLGRAD_OK;
            ck_assert_uint_eq(io_memory.live, live);
        }
    }
    ck_assert_uint_gt(failures, 5); /* the control: failing calls do show */
}
END_TEST

Suite *io_fault_suite(void)
{
    Suite *suite = suite_create("io.fault");
    TCase *tests = tcase_create("fault");
    tcase_add_checked_fixture(tests, io_setup, io_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_refused_allocation_is_reported, 0, 2 * FORMATS);
    tcase_add_loop_test(tests, after_a_failed_save_the_old_or_the_new_file_is_whole, 0, 2);
    tcase_add_loop_test(tests, after_a_crash_the_old_or_the_new_file_is_whole, 0, 2);
    tcase_add_loop_test(tests, a_failed_read_is_reported_with_the_path, 0, FORMATS);
    suite_add_tcase(suite, tests);
    return suite;
}
