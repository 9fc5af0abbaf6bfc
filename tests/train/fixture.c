#define _GNU_SOURCE /* mkdtemp */

#include "train/fixture.h"

#include "base/os.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[128];

static int no_fsync(int fd)
{
    (void)fd;
    return 0;
}

void train_setup(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.80s/clgrad-train-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    clgrad_os.fsync = no_fsync;
}

void train_teardown(void)
{
    clgrad_os = clgrad_os_posix;
    DIR *listing = opendir(dir);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        ck_assert_msg(!strstr(entry->d_name, ".tmp") && !strstr(entry->d_name, ".next"), "left behind: %s", entry->d_name);
        unlinkat(dirfd(listing), entry->d_name, 0);
    }
    closedir(listing);
    rmdir(dir);
}

static const char *join(const char *directory, const char *name)
{
    static char paths[10][512];
    static unsigned next;
    char *path = paths[next++ % 10];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *train_path(const char *name) { return join(dir, name); }
const char *train_data(const char *name) { return join(DATA_DIR, name); }
const char *train_example(const char *name) { return join(EXAMPLE_DIR, name); }

const char *train_file(const char *name, const void *data, size_t bytes)
{
    const char *path = train_path(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
    return path;
}

void train_set(clgrad_config *config, const char *assignment) { ck_ok(clgrad_config_assign(config, assignment, "test")); }

void train_set_path(clgrad_config *config, const char *key, const char *path) { ck_ok(clgrad_config_set(config, key, path, "test")); }

clgrad_config *train_config(const char *first, ...)
{
    clgrad_config *config = NULL;
    ck_ok(clgrad_config_create(test_context(), &config));
    va_list args;
    va_start(args, first);
    for (const char *assignment = first; assignment; assignment = va_arg(args, const char *)) train_set(config, assignment);
    va_end(args);
    return config;
}

const char *train_clouds(const char *name, int rows)
{
    char *text = malloc((size_t)rows * 80 + 80);
    size_t n = (size_t)sprintf(text, "a,b,c,class\n");
    for (int i = 0; i < rows; i++) {
        const double side = i % 2 ? 1 : -1, u = i * 37 % 101 / 101.0 - 0.5, v = i * 53 % 97 / 97.0 - 0.5;
        n += (size_t)sprintf(text + n, "%.4f,%.4f,%.4f,%s\n", side + u, 2 * v - side, u * v, i % 2 ? "yes" : "no");
    }
    const char *path = train_file(name, text, n);
    free(text);
    return path;
}

void train_expect(clgrad_status got, clgrad_status want, const char *words)
{
    const char *text = clgrad_error_text(test_context());
    ck_assert_msg(got == want, "%s, not %s: %s", clgrad_status_name(got), clgrad_status_name(want), text);
    ck_assert_msg(strstr(text, words) != NULL, "'%s' lacks '%s'", text, words);
}
