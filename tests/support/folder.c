#define _GNU_SOURCE /* mkdtemp */

#include "support/folder.h"

#include "base/os.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[128];

static int no_fsync(int fd)
{
    (void)fd;
    return 0;
}

void test_folder_restore_calls(void)
{
    clgrad_os = clgrad_os_posix;
    clgrad_os.fsync = no_fsync;
}

void test_folder_make(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.80s/clgrad-test-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    test_folder_restore_calls();
}

void test_folder_remove(bool temporaries_expected)
{
    clgrad_os = clgrad_os_posix;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        const bool temporary = strstr(entry->d_name, ".tmp") || strstr(entry->d_name, ".next");
        ck_assert_msg(temporaries_expected || !temporary, "left behind: %s", entry->d_name);
        unlinkat(dirfd(listing), entry->d_name, 0);
    }
    closedir(listing);
    rmdir(folder);
}

const char *test_path(const char *directory, const char *name)
{
    static char paths[10][512];
    static unsigned next;
    char *path = paths[next++ % 10];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *test_folder_path(const char *name) { return test_path(folder, name); }

const char *test_folder_file(const char *name, const void *data, size_t bytes)
{
    const char *path = test_folder_path(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}
