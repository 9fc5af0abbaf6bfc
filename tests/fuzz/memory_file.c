#define _GNU_SOURCE /* O_DIRECTORY */

#include "fuzz/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SLOTS = 4, FIRST_FD = 1000, DIRECTORY_FD = 1999 };

static struct slot {
    char name[64];
    uint8_t *data;
    size_t bytes;
    bool used, borrowed;
} slots[SLOTS];

static void drop(struct slot *s)
{
    if (!s->borrowed) free(s->data);
    *s = (struct slot){ 0 };
}

static struct slot *find(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].used && strcmp(slots[i].name, name) == 0) return &slots[i];
    return NULL;
}

static int memory_openat(int dir, const char *path, int flags, mode_t mode)
{
    (void)dir, (void)mode;
    if (flags & O_DIRECTORY) return DIRECTORY_FD;
    struct slot *s = find(path);
    for (size_t i = 0; !s && (flags & O_CREAT) && i < SLOTS; i++)
        if (!slots[i].used) {
            s = &slots[i];
            *s = (struct slot){ .used = true };
            snprintf(s->name, sizeof s->name, "%.63s", path);
        }
    if (!s) return errno = ENOENT, -1;
    return FIRST_FD + (int)(s - slots);
}

static ssize_t memory_pread(int fd, void *data, size_t bytes, off_t offset)
{
    const struct slot *s = &slots[fd - FIRST_FD];
    const size_t at = (size_t)offset < s->bytes ? (size_t)offset : s->bytes, left = s->bytes - at;
    if (bytes > left) bytes = left;
    if (bytes) memcpy(data, s->data + at, bytes);
    return (ssize_t)bytes;
}

static ssize_t memory_write(int fd, const void *data, size_t bytes)
{
    struct slot *s = &slots[fd - FIRST_FD];
    s->data = realloc(s->data, s->bytes + bytes + 1);
    memcpy(s->data + s->bytes, data, bytes);
    s->bytes += bytes;
    return (ssize_t)bytes;
}

static int memory_fstat(int fd, struct stat *out)
{
    memset(out, 0, sizeof *out);
    out->st_mode = fd == DIRECTORY_FD ? S_IFDIR : S_IFREG;
    if (fd != DIRECTORY_FD) out->st_size = (off_t)slots[fd - FIRST_FD].bytes;
    return 0;
}

static int memory_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    (void)from_dir, (void)to_dir;
    struct slot *s = find(from), *old = find(to);
    if (!s) return errno = ENOENT, -1;
    if (old) drop(old);
    snprintf(s->name, sizeof s->name, "%.63s", to);
    return 0;
}

static int memory_unlinkat(int dir, const char *path, int flags)
{
    (void)dir, (void)flags;
    struct slot *s = find(path);
    if (s) drop(s);
    return 0;
}

static int nothing(int fd)
{
    (void)fd;
    return 0;
}

void memory_files_install(void)
{
    clgrad_os = (clgrad_os_calls){
        .openat = memory_openat, .pread = memory_pread, .write = memory_write, .fsync = nothing, .close = nothing,
        .fstat = memory_fstat, .renameat = memory_renameat, .unlinkat = memory_unlinkat,
    };
}

void memory_files_reset(const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].used) drop(&slots[i]);
    slots[0] = (struct slot){ .name = "input", .data = (uint8_t *)(uintptr_t)data, .bytes = bytes, .used = true, .borrowed = true };
}

const uint8_t *memory_file_content(const char *name, size_t *bytes)
{
    const struct slot *s = find(name);
    *bytes = s ? s->bytes : 0;
    return s ? s->data : NULL;
}
