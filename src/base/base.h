#pragma once

/* What every room uses: failing, allocating, checked sizes, growing arrays, logging. */

#include "clgrad/base.h"

#include <string.h>

enum { CLGRAD_MESSAGE_BYTES = 2048 };

struct clgrad_context {
    size_t refs;
    clgrad_allocator allocator;
    clgrad_log_fn log;
    void *log_user;
    char *kernel_dir, *cache_dir; /* NULL where the defaults hold */
    clgrad_status error_status;
    char message[CLGRAD_MESSAGE_BYTES];
};

/* Returns at once; allowed only while the function owns nothing. */
#define CLGRAD_TRY(call)                                 \
    do {                                                 \
        const clgrad_status clgrad_try_status = (call);  \
        if (clgrad_try_status != CLGRAD_OK) return clgrad_try_status; \
    } while (0)

#define CLGRAD_COUNT(array) (sizeof(array) / sizeof *(array))

/* Keeps the sentence in the context and returns `status`. ctx may be NULL. Called once per failure, at its source. */
clgrad_status clgrad_fail(clgrad_context *ctx, clgrad_status status, const char *format, ...) CLGRAD_PRINTF(3, 4);
clgrad_status clgrad_fail_v(clgrad_context *ctx, clgrad_status status, const char *format, va_list args);

/* For a failure when a part of the work is done: a positive status, which would promise that nothing changed, becomes E_DEVICE. The
 * sentence stays. */
clgrad_status clgrad_fail_midway(clgrad_context *ctx, clgrad_status status);

/* For steps whose failure is no failure of the call (a cache, a probe): keep the context's sentence, put it back after. */
typedef struct clgrad_kept_error {
    clgrad_status status;
    char message[CLGRAD_MESSAGE_BYTES];
} clgrad_kept_error;
void clgrad_error_keep(const clgrad_context *ctx, clgrad_kept_error *kept);
void clgrad_error_put_back(clgrad_context *ctx, const clgrad_kept_error *kept);

/* Zeroed memory for count elements of `bytes` each; NULL after reporting E_MEMORY. count or bytes 0 gives a unique block. */
void *clgrad_alloc(clgrad_context *ctx, size_t count, size_t bytes);
/* Grows or shrinks; on failure NULL is returned, E_MEMORY reported and the old block is untouched. New bytes are not zeroed. */
void *clgrad_resize(clgrad_context *ctx, void *block, size_t count, size_t bytes);
void clgrad_free(clgrad_context *ctx, void *block);
char *clgrad_strdup(clgrad_context *ctx, const char *text);
/* printf into a fresh block. NULL after reporting. */
char *clgrad_format(clgrad_context *ctx, const char *format, ...) CLGRAD_PRINTF(2, 3);

/* Memory with several owners, such as a data set and the device that computes on it where it lies; zeroed, on large pages where the
 * system gives them for asking. Owners share the context's thread. */
typedef struct clgrad_block {
    clgrad_context *ctx;
    size_t refs, bytes;
    void *data; /* at the start of a cache line */
    char *memory;
} clgrad_block;
/* NULL after reporting E_MEMORY. Begins with one owner. */
clgrad_block *clgrad_block_create(clgrad_context *ctx, size_t count, size_t bytes);
clgrad_block *clgrad_block_retain(clgrad_block *block);
void clgrad_block_release(clgrad_block **block);

void clgrad_log_line(clgrad_context *ctx, clgrad_log_level level, const char *topic, const char *format, ...)
    CLGRAD_PRINTF(4, 5);

/* Checked arithmetic: false when the result does not fit; *out is then untouched. */
bool clgrad_mul_size(size_t a, size_t b, size_t *out);
bool clgrad_add_size(size_t a, size_t b, size_t *out);
bool clgrad_mul_i64(int64_t a, int64_t b, int64_t *out);
bool clgrad_add_i64(int64_t a, int64_t b, int64_t *out);
bool clgrad_round_up_size(size_t value, size_t multiple, size_t *out);

/* Make room for `need` elements in a growing array: CLGRAD_TRY(clgrad_reserve(ctx, &v.items, &v.capacity, n, sizeof *v.items)). */
clgrad_status clgrad_reserve(clgrad_context *ctx, void *items_address, size_t *capacity, size_t need, size_t bytes);

/* A growing text buffer. Errors stick: once out of memory, further appends do nothing and `failed` stays. */
typedef struct clgrad_text {
    clgrad_context *ctx;
    char *data; /* NUL-terminated, NULL while empty */
    size_t bytes, capacity;
    bool failed;
} clgrad_text;
void clgrad_text_append(clgrad_text *text, const char *format, ...) CLGRAD_PRINTF(2, 3);
void clgrad_text_append_bytes(clgrad_text *text, const char *data, size_t bytes);
void clgrad_text_release(clgrad_text *text);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to suggest. */
const char *clgrad_suggest(const char *word, const char *const *candidates, size_t count);
