#pragma once

/* The library's only POSIX calls: files, environment, time, shared libraries. Every file call goes through the table
 * clgrad_os, a seam: tests replace its members to make the k-th call fail. */

#include "base/base.h"

#include <sys/types.h>

struct stat;

/* Members have the contracts of the POSIX functions of the same names. */
typedef struct clgrad_os_calls {
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *data, size_t bytes);
    ssize_t (*pread)(int fd, void *data, size_t bytes, off_t offset);
    ssize_t (*write)(int fd, const void *data, size_t bytes);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*fstat)(int fd, struct stat *out);
    int (*mkdirat)(int dir, const char *path, mode_t mode);
    int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
    int (*unlinkat)(int dir, const char *path, int flags);
} clgrad_os_calls;
extern clgrad_os_calls clgrad_os;
extern const clgrad_os_calls clgrad_os_posix; /* what clgrad_os starts as */

/* --- whole files ----------------------------------------------------------------------------------------------- */

/* The content of a regular file of at most `limit` bytes, followed by a NUL that *bytes does not count. Release with
 * clgrad_free. E_FILE: not there, not readable, not a regular file, larger than limit. */
clgrad_status clgrad_os_read_file(clgrad_context *ctx, const char *path, size_t limit, char **data, size_t *bytes);

/* Replace path by the given content: a reader, also after a crash, sees the old file or the new one in full. Mode 0600.
 * E_FILE: nothing changed, the old file stands. */
clgrad_status clgrad_os_write_file_atomic(clgrad_context *ctx, const char *path, const void *data, size_t bytes);

/* As above, for content that lies in several places. */
typedef struct clgrad_os_piece {
    const void *data;
    size_t bytes;
} clgrad_os_piece;
clgrad_status clgrad_os_write_pieces_atomic(clgrad_context *ctx, const char *path, const clgrad_os_piece *pieces,
                                            size_t count);
/* The same for a name in an open directory. */
typedef struct clgrad_os_place {
    int dir;
    const char *name;
    const char *shown; /* how messages call the file */
    bool volatile_ok;  /* may be damaged by a power loss: no synchronisation */
} clgrad_os_place;
clgrad_status clgrad_os_write_pieces_at(clgrad_context *ctx, const clgrad_os_place *place,
                                        const clgrad_os_piece *pieces, size_t count);

/* --- directories -------------------------------------------------------------------------------------------------- */

/* A descriptor for the calls that end in _at, or -1. */
int clgrad_os_dir_open(const char *path);
void clgrad_os_dir_close(int dir);
/* A directory that nobody else can write to, made (0700) where it is missing, as are missing parents: really a
 * directory, owned by this user, not writable by group or others, nor replaceable through its parent. E_FILE says what
 * is wrong with it. */
clgrad_status clgrad_os_private_dir_open(clgrad_context *ctx, const char *path, int *dir);
/* Calls visit for every regular file of dir; times in seconds since 1970. */
typedef void (*clgrad_os_visit_fn)(void *user, const char *name, uint64_t bytes, int64_t modified);
void clgrad_os_dir_visit(int dir, clgrad_os_visit_fn visit, void *user);
void clgrad_os_remove_at(int dir, const char *name);
/* Sets the time of last change to now. */
void clgrad_os_touch_at(int dir, const char *name);
/* Whether dir has an entry of that name, of whatever kind. */
bool clgrad_os_exists_at(int dir, const char *name);
bool clgrad_os_exists(const char *path);
/* Rename, replacing a file of the new name. E_FILE: both are as before. */
clgrad_status clgrad_os_rename(clgrad_context *ctx, const char *from, const char *to);
void clgrad_os_remove(const char *path); /* nothing is said of a failure */

/* --- parts of files ---------------------------------------------------------------------------------------------- */

typedef struct clgrad_os_file {
    int fd; /* -1: none */
    uint64_t bytes;
} clgrad_os_file;
/* A regular file for reading; path must outlive nothing. */
clgrad_status clgrad_os_file_open(clgrad_context *ctx, const char *path, clgrad_os_file *out);
/* As open, for a name in an open directory; the last component may not be a symbolic link. */
clgrad_status clgrad_os_file_open_at(clgrad_context *ctx, int dir, const char *name, clgrad_os_file *out);
/* Exactly `bytes` bytes from `offset`; E_FILE when the file ends before. */
clgrad_status clgrad_os_file_read(clgrad_context *ctx, const clgrad_os_file *file, uint64_t offset, void *data,
                                  size_t bytes);
/* All of it, if at most `limit` bytes; as clgrad_os_read_file. */
clgrad_status clgrad_os_file_read_all(clgrad_context *ctx, const clgrad_os_file *file, const char *shown, size_t limit,
                                      char **data, size_t *bytes);
void clgrad_os_file_close(clgrad_os_file *file);

/* --- the process --------------------------------------------------------------------------------------------------- */

/* NULL for unset and in programs that run with raised privileges. */
const char *clgrad_os_env(const char *name);
int64_t clgrad_os_pid(void);
bool clgrad_os_process_lives(int64_t pid);
/* Seconds on a clock that only goes forward; the zero is arbitrary. */
double clgrad_os_seconds(void);
/* Processor time of all of the process' threads; 0 where the system does not tell. */
double clgrad_os_processor_seconds(void);
/* Lets other threads run for a millisecond. */
void clgrad_os_pause(void);
/* Advice to the system, before the memory is first written: pages as large as it has, for CLGRAD_LARGE_PAGE and more. Says nothing where it has
 * none. */
enum { CLGRAD_LARGE_PAGE = 2 << 20 };
void clgrad_os_prefer_large_pages(void *data, size_t bytes);

/* A shared library by name, NULL when it cannot be opened; it is never closed again. */
void *clgrad_os_library(const char *name);
/* Copies the address of a symbol into *function (a pointer to a function pointer); false when there is none. */
bool clgrad_os_symbol(void *library, const char *name, void *function);
/* The directory of the file that holds clgrad's code, without a final slash; false when unknown or too long. */
bool clgrad_os_library_dir(char *dir, size_t bytes);
