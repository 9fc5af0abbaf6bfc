#include "base/base.h"

#include "base/os.h"

#include <stdio.h>
#include <stdlib.h>

static void *default_resize(void *user, void *block, size_t bytes)
{
    (void)user;
    return realloc(block, bytes);
}

static void default_release(void *user, void *block)
{
    (void)user;
    free(block);
}

const char *clgrad_version(void) { return CLGRAD_VERSION; }

static const struct {
    clgrad_status status;
    const char *name, *text;
} status_table[] = {
#define STATUS(name, value, text) { CLGRAD_##name, #name, text },
#include "clgrad/status.def"
#undef STATUS
};

const char *clgrad_status_name(clgrad_status status)
{
    for (size_t i = 0; i < CLGRAD_COUNT(status_table); i++)
        if (status_table[i].status == status) return status_table[i].name;
    return "?";
}

const char *clgrad_status_text(clgrad_status status)
{
    for (size_t i = 0; i < CLGRAD_COUNT(status_table); i++)
        if (status_table[i].status == status) return status_table[i].text;
    return "unknown status";
}

clgrad_status clgrad_context_create(const clgrad_context_options *options, clgrad_context **out)
{
    *out = NULL;
    const clgrad_context_options defaults = CLGRAD_CONTEXT_OPTIONS_INIT;
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options) return CLGRAD_E_ARG;

    const clgrad_allocator allocator =
        options->allocator ? *options->allocator : (clgrad_allocator){ NULL, default_resize, default_release };
    if (!allocator.resize || !allocator.release) return CLGRAD_E_ARG;
    clgrad_context *ctx = allocator.resize(allocator.user, NULL, sizeof *ctx);
    if (!ctx) return CLGRAD_E_MEMORY;
    memset(ctx, 0, sizeof *ctx);
    ctx->refs = 1;
    ctx->allocator = allocator;
    ctx->log = options->log;
    ctx->log_user = options->log_user;
    if (options->kernel_dir) ctx->kernel_dir = clgrad_strdup(ctx, options->kernel_dir);
    if (options->cache_dir) ctx->cache_dir = clgrad_strdup(ctx, options->cache_dir);
    if ((options->kernel_dir && !ctx->kernel_dir) || (options->cache_dir && !ctx->cache_dir)) {
        clgrad_context_release(&ctx);
        return CLGRAD_E_MEMORY;
    }
    *out = ctx;
    return CLGRAD_OK;
}

clgrad_context *clgrad_context_retain(clgrad_context *ctx)
{
    if (ctx) ctx->refs++;
    return ctx;
}

void clgrad_context_release(clgrad_context **address)
{
    clgrad_context *ctx = *address;
    *address = NULL;
    if (!ctx || --ctx->refs > 0) return;
    clgrad_free(ctx, ctx->kernel_dir);
    clgrad_free(ctx, ctx->cache_dir);
    ctx->allocator.release(ctx->allocator.user, ctx);
}

const char *clgrad_error_text(const clgrad_context *ctx) { return ctx ? ctx->message : ""; }

clgrad_status clgrad_error_status(const clgrad_context *ctx) { return ctx ? ctx->error_status : CLGRAD_OK; }

clgrad_status clgrad_fail_v(clgrad_context *ctx, clgrad_status status, const char *format, va_list args)
{
    if (!ctx) return status;
    ctx->error_status = status;
    vsnprintf(ctx->message, sizeof ctx->message, format, args);
    return status;
}

clgrad_status clgrad_fail(clgrad_context *ctx, clgrad_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    clgrad_fail_v(ctx, status, format, args);
    va_end(args);
    return status;
}

clgrad_status clgrad_fail_midway(clgrad_context *ctx, clgrad_status status)
{
    if (status <= CLGRAD_OK) return status;
    if (ctx) ctx->error_status = CLGRAD_E_DEVICE;
    return CLGRAD_E_DEVICE;
}

void clgrad_error_keep(const clgrad_context *ctx, clgrad_kept_error *kept)
{
    kept->status = ctx->error_status;
    memcpy(kept->message, ctx->message, sizeof kept->message);
}

void clgrad_error_put_back(clgrad_context *ctx, const clgrad_kept_error *kept)
{
    ctx->error_status = kept->status;
    memcpy(ctx->message, kept->message, sizeof ctx->message);
}

void clgrad_log_line(clgrad_context *ctx, clgrad_log_level level, const char *topic, const char *format, ...)
{
    if (!ctx || !ctx->log) return;
    char line[CLGRAD_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ctx->log(ctx->log_user, level, topic, line);
}

void *clgrad_resize(clgrad_context *ctx, void *block, size_t count, size_t bytes)
{
    size_t total = 0;
    void *fresh = NULL;
    if (clgrad_mul_size(count, bytes, &total)) fresh = ctx->allocator.resize(ctx->allocator.user, block, total ? total : 1);
    if (!fresh) clgrad_fail(ctx, CLGRAD_E_MEMORY, "out of host memory: %zu x %zu bytes refused", count, bytes);
    return fresh;
}

void *clgrad_alloc(clgrad_context *ctx, size_t count, size_t bytes)
{
    void *block = clgrad_resize(ctx, NULL, count, bytes);
    if (block) memset(block, 0, count * bytes);
    return block;
}

void clgrad_free(clgrad_context *ctx, void *block)
{
    if (block) ctx->allocator.release(ctx->allocator.user, block);
}

enum { LINE = 64 };

clgrad_block *clgrad_block_create(clgrad_context *ctx, size_t count, size_t bytes)
{
    size_t all = SIZE_MAX; /* stays, and is refused, where it overflows */
    clgrad_block *block = clgrad_alloc(ctx, 1, sizeof *block);
    if (!block) return NULL;
    clgrad_mul_size(count, bytes, &all);
    *block = (clgrad_block){ .ctx = ctx, .refs = 1, .bytes = all, .memory = clgrad_resize(ctx, NULL, all / LINE + 2, LINE) };
    if (!block->memory) return clgrad_free(ctx, block), NULL;
    block->data = block->memory + (LINE - (uintptr_t)block->memory % LINE) % LINE;
    clgrad_os_prefer_large_pages(block->data, block->bytes);
    memset(block->data, 0, block->bytes);
    return block;
}

clgrad_block *clgrad_block_retain(clgrad_block *block)
{
    if (block) block->refs++;
    return block;
}

void clgrad_block_release(clgrad_block **address)
{
    clgrad_block *block = *address;
    *address = NULL;
    if (!block || --block->refs > 0) return;
    clgrad_free(block->ctx, block->memory);
    clgrad_free(block->ctx, block);
}

char *clgrad_strdup(clgrad_context *ctx, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = clgrad_resize(ctx, NULL, bytes, 1);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

char *clgrad_format(clgrad_context *ctx, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : clgrad_resize(ctx, NULL, (size_t)length + 1, 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

bool clgrad_mul_size(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

bool clgrad_add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

bool clgrad_mul_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }

bool clgrad_add_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }

bool clgrad_round_up_size(size_t value, size_t multiple, size_t *out)
{
    const size_t rest = value % multiple;
    return clgrad_add_size(value, rest ? multiple - rest : 0, out);
}

clgrad_status clgrad_reserve(clgrad_context *ctx, void *items_address, size_t *capacity, size_t need, size_t bytes)
{
    if (need <= *capacity) return CLGRAD_OK;
    size_t larger = *capacity ? *capacity : 8;
    while (larger < need)
        if (!clgrad_mul_size(larger, 2, &larger)) return clgrad_fail(ctx, CLGRAD_E_MEMORY, "array too large");
    void *items;
    memcpy(&items, items_address, sizeof items);
    items = clgrad_resize(ctx, items, larger, bytes);
    if (!items) return CLGRAD_E_MEMORY;
    memcpy(items_address, &items, sizeof items);
    *capacity = larger;
    return CLGRAD_OK;
}
