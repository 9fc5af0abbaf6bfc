#pragma once

/**
 * Contexts, statuses, allocation and messages: what every other part of clgrad stands on.
 *
 * Conventions of all headers: a function that can fail returns clgrad_status and writes results through its last
 * parameters. Handles are opaque and counted: _create gives one reference, _retain adds one, _release takes the
 * address of a handle, drops one and sets the handle to NULL; NULL is accepted. A context and everything made
 * from it is used by one thread at a time. The library never prints, aborts, exits or installs signal handlers.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CLGRAD_API __attribute__((visibility("default")))
#define CLGRAD_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CLGRAD_API
#define CLGRAD_PRINTF(text, first)
#endif

#define CLGRAD_VERSION_MAJOR 0
#define CLGRAD_VERSION_MINOR 1
#define CLGRAD_VERSION_PATCH 0
#define CLGRAD_VERSION "0.1.0"

/** The library's version at run time, "major.minor.patch"; compare with CLGRAD_VERSION. */
CLGRAD_API const char *clgrad_version(void);

typedef enum clgrad_status {
#define STATUS(name, value, text) CLGRAD_##name = value,
#include "clgrad/status.def"
#undef STATUS
} clgrad_status;

/** The name of a status, "E_SHAPE", or "?" for a number that is none. Never NULL. */
CLGRAD_API const char *clgrad_status_name(clgrad_status status);

/** One sentence for a status. Never NULL. */
CLGRAD_API const char *clgrad_status_text(clgrad_status status);

typedef struct clgrad_context clgrad_context;

/** Where host memory comes from. Called from one thread at a time. */
typedef struct clgrad_allocator {
    void *user;
    void *(*resize)(void *user, void *block, size_t bytes); /* realloc's contract; block may be NULL, bytes > 0 */
    void (*release)(void *user, void *block);               /* free's contract; block may be NULL */
} clgrad_allocator;

typedef enum clgrad_log_level { CLGRAD_LOG_WARNING, CLGRAD_LOG_INFO, CLGRAD_LOG_DEBUG } clgrad_log_level;

/** Receives one line without a newline; topic is one word such as "device", "cache" or "plan". */
typedef void (*clgrad_log_fn)(void *user, clgrad_log_level level, const char *topic, const char *line);

typedef struct clgrad_context_options {
    size_t struct_size;
    const clgrad_allocator *allocator; /* copied; NULL: the C library's */
    clgrad_log_fn log;                 /* NULL: silence */
    void *log_user;
    const char *kernel_dir; /* NULL: CLGRAD_KERNEL_PATH, then the installed directory, then the built-in copy */
    const char *cache_dir;  /* NULL: $XDG_CACHE_HOME/clgrad or ~/.cache/clgrad; "": no program cache */
} clgrad_context_options;

#define CLGRAD_CONTEXT_OPTIONS_INIT { sizeof(clgrad_context_options), NULL, NULL, NULL, NULL, NULL }

/**
 * Make a context: error text, allocator, log and cache place. Touches no OpenCL and no file.
 *
 * options  NULL for the defaults; strings are copied.
 *
 * CLGRAD_E_ARG     options->struct_size is not one this library knows.
 * CLGRAD_E_MEMORY  no memory for the context.
 */
CLGRAD_API clgrad_status clgrad_context_create(const clgrad_context_options *options, clgrad_context **out);
CLGRAD_API clgrad_context *clgrad_context_retain(clgrad_context *ctx);
CLGRAD_API void clgrad_context_release(clgrad_context **ctx);

/** The sentence of the last failure in this context, "" when there was none. Valid until the next failing call. */
CLGRAD_API const char *clgrad_error_text(const clgrad_context *ctx);

/** The status of the last failure in this context. */
CLGRAD_API clgrad_status clgrad_error_status(const clgrad_context *ctx);

#ifdef __cplusplus
}
#endif
