/* The cache on disk: what was stored comes back; what is damaged, foreign or deadly is made anew; nothing fails a call. */

#define _GNU_SOURCE /* mkdtemp, fork */

#include "base/os.h"
#include "base/sha256.h"
#include "device/cache.h"
#include "device/cl_device.h"
#include "device_test.h"
#include "support/cl_fault.h"
#include "support/device.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], cache_dir[96];
static clgrad_context *ctx;
static char last_line[CLGRAD_MESSAGE_BYTES];

static void keep_line(void *user, clgrad_log_level level, const char *topic, const char *line)
{
    (void)user, (void)level;
    if (strcmp(topic, "cache") == 0) snprintf(last_line, sizeof last_line, "%s", line);
}

static void make_context(const char *cache)
{
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.log = keep_line;
    options.kernel_dir = dir;
    options.cache_dir = cache;
    ck_assert_int_eq(clgrad_context_create(&options, &ctx), CLGRAD_OK);
}

static void setup(void)
{
    char path[128];
    unsetenv("CLGRAD_CACHE");
    snprintf(dir, sizeof dir, "/tmp/clgrad-cache-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(cache_dir, sizeof cache_dir, "%s/a/b", dir);
    snprintf(path, sizeof path, "%s/twice.cl", dir);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fputs("/* clgrad-template 1 */\nkernel void twice(global int *x) { x[get_global_id(0)] *= 2; }\n", out);
    fclose(out);
    *last_line = '\0';
    make_context(cache_dir);
}

static void teardown(void)
{
    char command[256];
    test_cl_install(false);
    clgrad_os = clgrad_os_posix;
    clgrad_context_release(&ctx);
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", dir, dir);
    ck_assert_int_eq(system(command), 0);
}

/* --- entries --------------------------------------------------------------------------------------------------------- */

static clgrad_text make_key(const char *text)
{
    clgrad_text key = { .ctx = ctx };
    clgrad_text_append(&key, "%s", text);
    return key;
}

static bool holds(const clgrad_cache *cache, const char *key_text, const char *want)
{
    clgrad_text key = make_key(key_text);
    char *payload;
    size_t bytes;
    const bool found = clgrad_cache_get(cache, &key, &payload, &bytes);
    const bool right = found && bytes == strlen(want) && memcmp(payload, want, bytes) == 0;
    ck_assert(!found || right);
    clgrad_free(ctx, payload);
    clgrad_text_release(&key);
    return found;
}

static void put(const clgrad_cache *cache, const char *key_text, const char *payload)
{
    clgrad_text key = make_key(key_text);
    clgrad_cache_put(cache, &key, payload, strlen(payload));
    clgrad_text_release(&key);
}

static void entry_path(const char *key_text, const char *suffix, char path[256])
{
    uint8_t digest[CLGRAD_SHA256_BYTES];
    char hex[CLGRAD_SHA256_HEX];
    clgrad_sha256_of(key_text, strlen(key_text), digest);
    snprintf(path, 256, "%s/%s%s", cache_dir, clgrad_sha256_hex(digest, hex), suffix);
}

/* The entry of a key as a writable copy of its bytes. */
static size_t slurp(const char *path, char *bytes, size_t room)
{
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    const size_t count = fread(bytes, 1, room, in);
    fclose(in);
    return count;
}

static void spill(const char *path, const char *bytes, size_t count)
{
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(bytes, 1, count, out), count);
    fclose(out);
}

START_TEST(what_was_put_comes_back)
{
    clgrad_cache cache;
    struct stat info;
    clgrad_cache_open(ctx, &cache);
    ck_assert_int_ge(cache.dir, 0);
    ck_assert_int_eq(stat(cache_dir, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0700);
    ck_assert(!holds(&cache, "key", ""));
    put(&cache, "key", "payload");
    put(&cache, "empty", "");
    ck_assert(holds(&cache, "key", "payload"));
    ck_assert(holds(&cache, "empty", ""));
    put(&cache, "key", "newer");
    ck_assert(holds(&cache, "key", "newer"));
    ck_assert(!holds(&cache, "other", ""));
    clgrad_cache_close(&cache);
}
END_TEST

START_TEST(damage_of_any_byte_is_found)
{
    clgrad_cache cache;
    char path[256], intact[512], damaged[512];
    clgrad_cache_open(ctx, &cache);
    put(&cache, "key", "payload");
    entry_path("key", ".entry", path);
    const size_t count = slurp(path, intact, sizeof intact);
    for (size_t i = 0; i < count; i++) {
        memcpy(damaged, intact, count);
        damaged[i] ^= 0x10;
        spill(path, damaged, count);
        ck_assert_msg(!holds(&cache, "key", "payload"), "byte %zu", i);
        ck_assert_int_ne(access(path, F_OK), 0); /* a damaged entry is gone */
        spill(path, intact, i);
        ck_assert_msg(!holds(&cache, "key", "payload"), "cut to %zu bytes", i);
    }
    memcpy(damaged, intact, count);
    damaged[count] = 0;
    spill(path, damaged, count + 1);
    ck_assert(!holds(&cache, "key", "payload"));
    ck_assert_ptr_nonnull(strstr(last_line, "damaged"));
    spill(path, intact, count);
    ck_assert(holds(&cache, "key", "payload")); /* the control: unharmed it is accepted */
    clgrad_cache_close(&cache);
}
END_TEST

START_TEST(an_entry_under_the_wrong_name_is_not_taken)
{
    clgrad_cache cache;
    char path[256], other[256];
    clgrad_cache_open(ctx, &cache);
    put(&cache, "key", "payload");
    entry_path("key", ".entry", path);
    entry_path("kez", ".entry", other);
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert(!holds(&cache, "kez", "payload"));
    put(&cache, "key", "payload");
    ck_assert_int_eq(symlink(path, other), 0);
    ck_assert(!holds(&cache, "kez", "payload"));
    clgrad_cache_close(&cache);
}
END_TEST

START_TEST(a_place_that_others_can_change_is_not_used)
{
    clgrad_cache cache;
    char parent[96];
    snprintf(parent, sizeof parent, "%s/a", dir);
    clgrad_cache_open(ctx, &cache);
    clgrad_cache_close(&cache);
    ck_assert_int_eq(chmod(cache_dir, 0770), 0);
    clgrad_cache_open(ctx, &cache);
    ck_assert_int_lt(cache.dir, 0);
    ck_assert_ptr_nonnull(strstr(last_line, "others may write"));
    ck_assert_str_eq(clgrad_error_text(ctx), ""); /* a cache that is not used is no error */
    ck_assert_int_eq(chmod(cache_dir, 0700), 0);
    ck_assert_int_eq(chmod(parent, 0777), 0);
    clgrad_cache_open(ctx, &cache);
    ck_assert_int_lt(cache.dir, 0);
    ck_assert_ptr_nonnull(strstr(last_line, "parent"));
    ck_assert_int_eq(chmod(parent, 0700), 0);
    clgrad_cache_open(ctx, &cache);
    ck_assert_int_ge(cache.dir, 0);
    clgrad_cache_close(&cache);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(cache_dir, 12345, 12345), 0);
        clgrad_cache_open(ctx, &cache);
        ck_assert_int_lt(cache.dir, 0);
        ck_assert_ptr_nonnull(strstr(last_line, "another user"));
        ck_assert_int_eq(chown(cache_dir, 0, 0), 0);
    }
}
END_TEST

START_TEST(places_that_cannot_be_are_no_error)
{
    clgrad_cache cache;
    char file[128];
    snprintf(file, sizeof file, "%s/twice.cl", dir);
    const char *const places[] = { "relative/place", "/proc/nowhere/clgrad", file };
    for (size_t i = 0; i < CLGRAD_COUNT(places); i++) {
        clgrad_context_release(&ctx);
        make_context(places[i]);
        *last_line = '\0';
        clgrad_cache_open(ctx, &cache);
        ck_assert_msg(cache.dir < 0 && *last_line, "%s", places[i]);
        ck_assert(!holds(&cache, "key", ""));
        put(&cache, "key", "payload");
        ck_assert_str_eq(clgrad_error_text(ctx), "");
    }
    clgrad_context_release(&ctx);
    make_context("");
    *last_line = '\0';
    clgrad_cache_open(ctx, &cache);
    ck_assert(cache.dir < 0 && !*last_line); /* switched off, not failed */
    clgrad_context_release(&ctx);
    make_context(cache_dir);
    setenv("CLGRAD_CACHE", "0", 1);
    clgrad_cache_open(ctx, &cache);
    ck_assert(cache.dir < 0 && !*last_line);
    unsetenv("CLGRAD_CACHE");
}
END_TEST

START_TEST(an_entry_that_killed_a_process_is_dropped)
{
    clgrad_cache cache;
    char path[256], marker[256];
    clgrad_cache_open(ctx, &cache);
    clgrad_text key = make_key("key");
    entry_path("key", ".entry", path);
    entry_path("key", ".load", marker);
    put(&cache, "key", "payload");
    ck_assert(clgrad_cache_loading_begin(&cache, &key));
    ck_assert_int_eq(access(marker, F_OK), 0);
    clgrad_cache_loading_end(&cache, &key);
    ck_assert_int_ne(access(marker, F_OK), 0);

    const pid_t child = fork(); /* no OpenCL is open in this context: the child writes a file and dies */
    if (child == 0) {
        clgrad_cache_loading_begin(&cache, &key);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(access(marker, F_OK), 0);
    ck_assert(!clgrad_cache_loading_begin(&cache, &key));
    ck_assert_ptr_nonnull(strstr(last_line, "driver died"));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_ne(access(marker, F_OK), 0);
    clgrad_text_release(&key);
    clgrad_cache_close(&cache);
}
END_TEST

static ssize_t full_disk(int fd, const void *data, size_t bytes) { return (void)fd, (void)data, (void)bytes, -1; }

START_TEST(a_full_disk_costs_nothing_but_time)
{
    clgrad_cache cache;
    clgrad_cache_open(ctx, &cache);
    clgrad_os.write = full_disk;
    put(&cache, "key", "payload");
    clgrad_os = clgrad_os_posix;
    ck_assert_ptr_nonnull(strstr(last_line, "cannot write"));
    ck_assert_str_eq(clgrad_error_text(ctx), "");
    ck_assert(!holds(&cache, "key", "payload"));
    clgrad_cache_close(&cache);
}
END_TEST

/* --- programs -------------------------------------------------------------------------------------------------------- */

/* Opens a device, runs the kernel, checks its result; how often was the compiler given source? */
static size_t run_counting_compiles(double spent_on_storing)
{
    const clgrad_kernel_source source = { .file = "twice.cl", .preamble = "", .name = "twice" };
    clgrad_device *dev;
    clgrad_kernel *kernel;
    clgrad_buffer *x;
    int32_t values[4] = { 1, 2, 3, 4 };
    test_cl_install(true);
    test_cl_state.only = "clCreateProgramWithSource";
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
    dev->store_seconds = spent_on_storing;
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &kernel), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(dev, sizeof values, &x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_write(x, 0, values, sizeof values), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(kernel, 0, x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_launch(kernel, 1, &(size_t){ 4 }, &(size_t){ 2 }, NULL), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_read(x, 0, values, sizeof values), CLGRAD_OK);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(values[i], 2 * (i + 1));
    clgrad_buffer_release(&x);
    clgrad_kernel_release(&kernel);
    clgrad_device_release(&dev);
    ck_assert_int_eq(test_cl_state.live, 0);
    return test_cl_state.calls;
}

/* Damages the largest entry, which is a program's; returns how many entries there are. */
static size_t damage_programs(void)
{
    size_t count = 0;
    DIR *stream = opendir(cache_dir);
    ck_assert_ptr_nonnull(stream);
    for (struct dirent *entry; (entry = readdir(stream));) {
        char path[400];
        static char bytes[1 << 20];
        if (!strstr(entry->d_name, ".entry")) continue;
        snprintf(path, sizeof path, "%s/%s", cache_dir, entry->d_name);
        const size_t length = slurp(path, bytes, sizeof bytes);
        spill(path, bytes, length - 3);
        count++;
    }
    closedir(stream);
    return count;
}

START_TEST(programs_are_compiled_once)
{
    if (!test_device()) return;
    const char *quirks = clgrad_device_get_info(test_device())->quirks;
    const bool never = strstr(quirks, "simulator") || strstr(quirks, "own-program-cache");
    const bool second_time = strstr(quirks, "costly-binary") != NULL;
    test_device_close();
    ck_assert_uint_ge(run_counting_compiles(0), 1);
    if (second_time) ck_assert_uint_eq(run_counting_compiles(0), 1);
    ck_assert_uint_eq(run_counting_compiles(0), never ? 1 : 0);
    ck_assert_uint_ge(damage_programs(), never ? 1 : 2);
    ck_assert_uint_ge(run_counting_compiles(0), 1);
    if (second_time) ck_assert_uint_eq(run_counting_compiles(0), 1);
    ck_assert_uint_eq(run_counting_compiles(0), never ? 1 : 0);
}
END_TEST

START_TEST(storing_costly_binaries_has_a_budget)
{
    if (!test_device()) return;
    const bool costly = strstr(clgrad_device_get_info(test_device())->quirks, "costly-binary") != NULL;
    test_device_close();
    if (!costly) return;
    ck_assert_uint_ge(run_counting_compiles(0), 1); /* seen */
    ck_assert_uint_eq(run_counting_compiles(10), 1); /* would be stored, but the run has spent its time */
    ck_assert_uint_eq(run_counting_compiles(0), 1);
    ck_assert_uint_eq(run_counting_compiles(10), 0); /* was stored; loading costs nothing */
}
END_TEST

Suite *cache_suite(void)
{
    Suite *suite = suite_create("cache");
    TCase *tests = tcase_create("cache");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_was_put_comes_back);
    tcase_add_test(tests, damage_of_any_byte_is_found);
    tcase_add_test(tests, an_entry_under_the_wrong_name_is_not_taken);
    tcase_add_test(tests, a_place_that_others_can_change_is_not_used);
    tcase_add_test(tests, places_that_cannot_be_are_no_error);
    tcase_add_test(tests, an_entry_that_killed_a_process_is_dropped);
    tcase_add_test(tests, a_full_disk_costs_nothing_but_time);
    tcase_add_test(tests, programs_are_compiled_once);
    tcase_add_test(tests, storing_costly_binaries_has_a_budget);
    suite_add_tcase(suite, tests);
    return suite;
}
