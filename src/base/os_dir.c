#define _GNU_SOURCE /* O_PATH */

#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int clgrad_os_dir_open(const char *path)
{
    return clgrad_os.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

void clgrad_os_dir_close(int dir)
{
    if (dir >= 0) clgrad_os.close(dir);
}

bool clgrad_os_exists_at(int dir, const char *name)
{
    const int fd = clgrad_os.openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    clgrad_os_dir_close(fd);
    return fd >= 0;
}

bool clgrad_os_exists(const char *path) { return clgrad_os_exists_at(AT_FDCWD, path); }

clgrad_status clgrad_os_rename(clgrad_context *ctx, const char *from, const char *to)
{
    if (clgrad_os.renameat(AT_FDCWD, from, AT_FDCWD, to) == 0) return CLGRAD_OK;
    return clgrad_fail(ctx, CLGRAD_E_FILE, "cannot rename %s to %s: %s", from, to, strerror(errno));
}

void clgrad_os_remove(const char *path) { clgrad_os.unlinkat(AT_FDCWD, path, 0); }

void clgrad_os_remove_at(int dir, const char *name) { clgrad_os.unlinkat(dir, name, 0); }

void clgrad_os_touch_at(int dir, const char *name) { (void)utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW); }

/* Makes path and its missing parents, each with mode 0700 whatever the umask. */
static void make_dirs(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        clgrad_os.mkdirat(AT_FDCWD, path, 0700);
        *slash = '/';
    }
    clgrad_os.mkdirat(AT_FDCWD, path, 0700);
}

/* What is wrong with an open directory as a place that only this user can change; NULL for nothing. */
static const char *why_not_private(int dir)
{
    struct stat own, parent;
    if (clgrad_os.fstat(dir, &own) != 0) return strerror(errno);
    if (own.st_uid != geteuid()) return "it belongs to another user";
    if (own.st_mode & (S_IWGRP | S_IWOTH)) return "others may write to it";
    const int up = clgrad_os.openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (up < 0) return "its parent cannot be looked at";
    const bool known = clgrad_os.fstat(up, &parent) == 0;
    clgrad_os.close(up);
    if (!known) return "its parent cannot be looked at";
    /* in a sticky directory such as /tmp nobody can replace another user's entries */
    if ((parent.st_mode & S_IWOTH) && !(parent.st_mode & S_ISVTX)) return "others may replace it, through its parent";
    return NULL;
}

clgrad_status clgrad_os_private_dir_open(clgrad_context *ctx, const char *path, int *dir)
{
    *dir = -1;
    if (path[0] != '/') return clgrad_fail(ctx, CLGRAD_E_FILE, "directory '%s' is not an absolute path", path);
    char *copy = clgrad_strdup(ctx, path);
    if (!copy) return CLGRAD_E_MEMORY;
    make_dirs(copy);
    clgrad_free(ctx, copy);
    const int opened = clgrad_os.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (opened < 0) return clgrad_fail(ctx, CLGRAD_E_FILE, "cannot open the directory %s: %s", path, strerror(errno));
    const char *wrong = why_not_private(opened);
    if (wrong) {
        clgrad_os.close(opened);
        return clgrad_fail(ctx, CLGRAD_E_FILE, "the directory %s is not used: %s", path, wrong);
    }
    *dir = opened;
    return CLGRAD_OK;
}

void clgrad_os_dir_visit(int dir, clgrad_os_visit_fn visit, void *user)
{
    const int again = clgrad_os.openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); /* closedir closes it */
    DIR *stream = again < 0 ? NULL : fdopendir(again);
    if (!stream) {
        clgrad_os_dir_close(again);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream));) {
        struct stat info;
        if (fstatat(dir, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
            visit(user, entry->d_name, (uint64_t)info.st_size, (int64_t)info.st_mtime);
    }
    closedir(stream);
}
