#define _GNU_SOURCE /* secure_getenv, dladdr */

#include "base/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int posix_openat(int dir, const char *path, int flags, mode_t mode) { return openat(dir, path, flags, mode); }

#define POSIX_CALLS                                                                                         \
    {                                                                                                       \
        .openat = posix_openat, .read = read, .pread = pread, .write = write, .fsync = fsync,               \
        .close = close, .fstat = fstat, .mkdirat = mkdirat, .renameat = renameat, .unlinkat = unlinkat,     \
    }
const clgrad_os_calls clgrad_os_posix = POSIX_CALLS;
clgrad_os_calls clgrad_os = POSIX_CALLS;

static clgrad_status fail_file(clgrad_context *ctx, const char *what, const char *shown)
{
    return clgrad_fail(ctx, CLGRAD_E_FILE, "cannot %s %s: %s", what, shown, strerror(errno));
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static clgrad_status file_open(clgrad_context *ctx, int dir, const char *name, int flags, clgrad_os_file *out)
{
    struct stat info;
    /* O_NONBLOCK: opening a pipe that nobody writes to must not hang; it means nothing for regular files. */
    *out = (clgrad_os_file){ .fd = clgrad_os.openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags, 0) };
    if (out->fd < 0) return fail_file(ctx, "open", name);
    clgrad_status status = CLGRAD_OK;
    if (clgrad_os.fstat(out->fd, &info) != 0)
        status = fail_file(ctx, "look at", name);
    else if (!S_ISREG(info.st_mode))
        status = clgrad_fail(ctx, CLGRAD_E_FILE, "%s is not a regular file", name);
    else
        out->bytes = (uint64_t)info.st_size;
    if (status) clgrad_os_file_close(out);
    return status;
}

clgrad_status clgrad_os_file_open(clgrad_context *ctx, const char *path, clgrad_os_file *out)
{
    return file_open(ctx, AT_FDCWD, path, 0, out);
}

clgrad_status clgrad_os_file_open_at(clgrad_context *ctx, int dir, const char *name, clgrad_os_file *out)
{
    return file_open(ctx, dir, name, O_NOFOLLOW, out);
}

void clgrad_os_file_close(clgrad_os_file *file)
{
    if (file->fd >= 0) clgrad_os.close(file->fd);
    *file = (clgrad_os_file){ .fd = -1 };
}

clgrad_status clgrad_os_file_read(clgrad_context *ctx, const clgrad_os_file *file, uint64_t offset, void *data,
                                  size_t bytes)
{
    char *next = data;
    while (bytes > 0) {
        const ssize_t got = clgrad_os.pread(file->fd, next, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_file(ctx, "read", "a file");
        if (got == 0) return clgrad_fail(ctx, CLGRAD_E_FILE, "a file ended %zu bytes early while it was read", bytes);
        next += got, offset += (uint64_t)got, bytes -= (size_t)got;
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_os_file_read_all(clgrad_context *ctx, const clgrad_os_file *file, const char *shown, size_t limit,
                                      char **data, size_t *bytes)
{
    *data = NULL, *bytes = 0;
    if (file->bytes > limit)
        return clgrad_fail(ctx, CLGRAD_E_FILE, "%s has %llu bytes; the limit is %zu", shown,
                           (unsigned long long)file->bytes, limit);
    char *content = clgrad_resize(ctx, NULL, (size_t)file->bytes + 1, 1);
    if (!content) return CLGRAD_E_MEMORY;
    const clgrad_status status = clgrad_os_file_read(ctx, file, 0, content, (size_t)file->bytes);
    if (status) {
        clgrad_free(ctx, content);
        return status;
    }
    content[file->bytes] = '\0';
    *data = content, *bytes = (size_t)file->bytes;
    return CLGRAD_OK;
}

clgrad_status clgrad_os_read_file(clgrad_context *ctx, const char *path, size_t limit, char **data, size_t *bytes)
{
    *data = NULL, *bytes = 0;
    clgrad_os_file file;
    CLGRAD_TRY(clgrad_os_file_open(ctx, path, &file));
    const clgrad_status status = clgrad_os_file_read_all(ctx, &file, path, limit, data, bytes);
    clgrad_os_file_close(&file);
    return status;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static bool write_all(int fd, const clgrad_os_piece *piece)
{
    const char *next = piece->data;
    for (size_t left = piece->bytes; left > 0;) {
        const ssize_t done = clgrad_os.write(fd, next, left);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        next += done, left -= (size_t)done;
    }
    return true;
}

/* A fresh file next to the final one, so that the rename stays within one file system. */
static int open_temporary(int dir, const char *name, char *temporary, size_t bytes)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        const int length = snprintf(temporary, bytes, ".%s.%lld.%d.tmp", name, (long long)getpid(), attempt);
        if (length < 0 || (size_t)length >= bytes) return errno = ENAMETOOLONG, -1;
        const int fd = clgrad_os.openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

static bool fill_and_close(int fd, const clgrad_os_piece *pieces, size_t count, bool synchronise)
{
    bool good = true;
    for (size_t i = 0; good && i < count; i++) good = write_all(fd, &pieces[i]);
    if (synchronise) good = good && clgrad_os.fsync(fd) == 0;
    const int first_error = errno;
    const bool closed = clgrad_os.close(fd) == 0;
    if (!good) errno = first_error;
    return good && closed;
}

clgrad_status clgrad_os_write_pieces_at(clgrad_context *ctx, const clgrad_os_place *place,
                                        const clgrad_os_piece *pieces, size_t count)
{
    char temporary[300];
    const int fd = open_temporary(place->dir, place->name, temporary, sizeof temporary);
    if (fd < 0) return fail_file(ctx, "create a temporary file for", place->shown);
    if (!fill_and_close(fd, pieces, count, !place->volatile_ok) ||
        clgrad_os.renameat(place->dir, temporary, place->dir, place->name) != 0) {
        const clgrad_status status = fail_file(ctx, "write", place->shown);
        clgrad_os.unlinkat(place->dir, temporary, 0);
        return status;
    }
    /* The new content is in place; a directory that cannot be synchronised (some network file systems) only means that
     * a power loss in the next seconds may bring the old file back, in full. */
    if (!place->volatile_ok) clgrad_os.fsync(place->dir);
    return CLGRAD_OK;
}

clgrad_status clgrad_os_write_pieces_atomic(clgrad_context *ctx, const char *path, const clgrad_os_piece *pieces,
                                            size_t count)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!*name) return clgrad_fail(ctx, CLGRAD_E_FILE, "'%s' names no file", path);
    char *dir_path = clgrad_strdup(ctx, slash ? path : ".");
    if (!dir_path) return CLGRAD_E_MEMORY;
    if (slash) dir_path[slash == path ? 1 : slash - path] = '\0';

    clgrad_status status;
    const int dir = clgrad_os_dir_open(dir_path);
    if (dir < 0) {
        status = fail_file(ctx, "open the directory", dir_path);
    } else {
        status = clgrad_os_write_pieces_at(ctx, &(clgrad_os_place){ dir, name, path, false }, pieces, count);
        clgrad_os_dir_close(dir);
    }
    clgrad_free(ctx, dir_path);
    return status;
}

clgrad_status clgrad_os_write_file_atomic(clgrad_context *ctx, const char *path, const void *data, size_t bytes)
{
    return clgrad_os_write_pieces_atomic(ctx, path, &(clgrad_os_piece){ data, bytes }, 1);
}

/* --- the process --------------------------------------------------------------------------------------------------- */

const char *clgrad_os_env(const char *name) { return secure_getenv(name); }

int64_t clgrad_os_pid(void) { return (int64_t)getpid(); }

bool clgrad_os_process_lives(int64_t pid) { return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM); }

double clgrad_os_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double clgrad_os_processor_seconds(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return 0;
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

void clgrad_os_pause(void) { nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL); }

void clgrad_os_prefer_large_pages(void *data, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (page - (uintptr_t)data % page) % page;
    if (bytes >= CLGRAD_LARGE_PAGE) madvise((char *)data + before, (bytes - before) / page * page, MADV_HUGEPAGE);
#else
    (void)data, (void)bytes;
#endif
}

void *clgrad_os_library(const char *name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }

bool clgrad_os_symbol(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    if (!address) return false;
    memcpy(function, &address, sizeof address); /* ISO C has no cast from object to function pointers */
    return true;
}

bool clgrad_os_library_dir(char *dir, size_t bytes)
{
    Dl_info info;
    char resolved[4096];
    if (!dladdr(&clgrad_os, &info) || !info.dli_fname || !realpath(info.dli_fname, resolved)) return false;
    char *slash = strrchr(resolved, '/');
    if (!slash || (size_t)(slash - resolved) >= bytes) return false;
    *slash = '\0';
    memcpy(dir, resolved, (size_t)(slash - resolved) + 1);
    return true;
}
