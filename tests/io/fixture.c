#define _GNU_SOURCE /* mkdtemp */

#include "io/fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

clgrad_context *io_ctx;
test_memory io_memory;
static char dir[128];
static bool temporaries_expected;

void io_forget_temporaries(void) { temporaries_expected = true; }

static int no_fsync(int fd)
{
    (void)fd;
    return 0;
}

void io_restore_calls(void)
{
    clgrad_os = clgrad_os_posix;
    clgrad_os.fsync = no_fsync;
}

void io_setup(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.80s/clgrad-io-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    io_restore_calls();
    temporaries_expected = false;
    io_memory = (test_memory){ 0 };
    const clgrad_allocator allocator = test_memory_allocator(&io_memory);
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.allocator = &allocator;
    ck_assert_int_eq(clgrad_context_create(&options, &io_ctx), CLGRAD_OK);
}

void io_teardown(void)
{
    clgrad_os = clgrad_os_posix;
    DIR *listing = opendir(dir);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.')) continue;
        ck_assert_msg(temporaries_expected || !strstr(entry->d_name, ".tmp"), "left behind: %s", entry->d_name);
        unlinkat(dirfd(listing), entry->d_name, 0);
    }
    closedir(listing);
    rmdir(dir);
    clgrad_context_release(&io_ctx);
    ck_assert_uint_eq(io_memory.live, 0);
}

static const char *join(const char *directory, const char *name)
{
    static char paths[10][512];
    static unsigned next;
    char *path = paths[next++ % 10];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *io_path(const char *name) { return join(dir, name); }

const char *io_golden(const char *name) { return join(GOLDEN_DIR, name); }

const char *io_file(const char *name, const void *data, size_t bytes)
{
    const char *path = io_path(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

const char *io_gzip_file(const char *name, const void *data, size_t bytes)
{
    const char *path = io_path(name);
    gzFile file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, data, (unsigned)bytes), (int)bytes);
    ck_assert_int_eq(gzclose(file), Z_OK);
    return path;
}

char *io_content(const char *path, size_t *bytes)
{
    char *data = NULL;
    ck_assert_int_eq(clgrad_os_read_file(io_ctx, path, SIZE_MAX, &data, bytes), CLGRAD_OK);
    return data;
}

void io_expect(clgrad_status got, clgrad_status want, const char *path, const char *word)
{
    const char *text = clgrad_error_text(io_ctx);
    ck_assert_msg(got == want, "%s where %s was due: %s", clgrad_status_name(got), clgrad_status_name(want), text);
    ck_assert_msg(strstr(text, path) && strstr(text, word), "'%s' names not '%s' and '%s'", text, path, word);
}
