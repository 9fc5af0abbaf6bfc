#include "device/cache.h"

#include "base/os.h"
#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRY_NAME = 64 + 8 };
static const char magic[8] = "clgradC1";
static const size_t largest_entry = (size_t)64 << 20;
static const uint64_t largest_cache = (uint64_t)256 << 20;

/* An entry: this, the key material, the payload, and nothing after. */
typedef struct entry_head {
    char magic[8];
    uint64_t key_bytes, payload_bytes;
    uint8_t digest[CLGRAD_SHA256_BYTES]; /* of the payload */
} entry_head;

static void name_entry(const clgrad_text *key, const char *suffix, char name[ENTRY_NAME])
{
    uint8_t digest[CLGRAD_SHA256_BYTES];
    clgrad_sha256_of(key->data, key->bytes, digest);
    clgrad_sha256_hex(digest, name);
    snprintf(name + 64, ENTRY_NAME - 64, "%s", suffix);
}

/* --- where it is ------------------------------------------------------------------------------------------------------ */

/* In fresh memory; NULL where no place is known. */
static char *cache_path(clgrad_context *ctx)
{
    if (ctx->cache_dir) return clgrad_strdup(ctx, ctx->cache_dir);
    const char *base = clgrad_os_env("XDG_CACHE_HOME"), *home = clgrad_os_env("HOME");
    if (base && base[0] == '/') return clgrad_format(ctx, "%s/clgrad", base);
    if (home && home[0] == '/') return clgrad_format(ctx, "%s/.cache/clgrad", home);
    return NULL;
}

void clgrad_cache_open(clgrad_context *ctx, clgrad_cache *out)
{
    const char *wish = clgrad_os_env("CLGRAD_CACHE");
    *out = (clgrad_cache){ ctx, -1 };
    if ((wish && strcmp(wish, "0") == 0) || (ctx->cache_dir && !*ctx->cache_dir)) return;
    clgrad_kept_error kept;
    clgrad_error_keep(ctx, &kept);
    char *path = cache_path(ctx);
    if (path && clgrad_os_private_dir_open(ctx, path, &out->dir) != CLGRAD_OK)
        clgrad_log_line(ctx, CLGRAD_LOG_WARNING, "cache", "running without a program cache: %s", clgrad_error_text(ctx));
    clgrad_free(ctx, path);
    clgrad_error_put_back(ctx, &kept);
}

void clgrad_cache_close(clgrad_cache *cache)
{
    clgrad_os_dir_close(cache->dir);
    cache->dir = -1;
}

/* --- getting ---------------------------------------------------------------------------------------------------------- */

/* Whether content is an intact entry for key; *payload then points into it. */
static bool verify(const char *content, size_t bytes, const clgrad_text *key, const char **payload,
                   size_t *payload_bytes)
{
    entry_head head;
    uint8_t digest[CLGRAD_SHA256_BYTES];
    if (bytes < sizeof head) return false;
    memcpy(&head, content, sizeof head);
    const size_t rest = bytes - sizeof head;
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.key_bytes != key->bytes || key->bytes > rest ||
        head.payload_bytes != rest - key->bytes || memcmp(content + sizeof head, key->data, key->bytes) != 0)
        return false;
    *payload = content + sizeof head + key->bytes;
    *payload_bytes = (size_t)head.payload_bytes;
    clgrad_sha256_of(*payload, *payload_bytes, digest);
    return memcmp(digest, head.digest, sizeof digest) == 0;
}

static bool read_entry(const clgrad_cache *cache, const char *name, char **content, size_t *bytes)
{
    clgrad_os_file file;
    *content = NULL;
    if (!clgrad_os_exists_at(cache->dir, name) || clgrad_os_file_open_at(cache->ctx, cache->dir, name, &file)) return false;
    const clgrad_status status = clgrad_os_file_read_all(cache->ctx, &file, name, largest_entry, content, bytes);
    clgrad_os_file_close(&file);
    return status == CLGRAD_OK;
}

static bool get(const clgrad_cache *cache, const clgrad_text *key, char **payload, size_t *bytes)
{
    char name[ENTRY_NAME], *content;
    const char *inside;
    size_t content_bytes;
    name_entry(key, ".entry", name);
    if (!read_entry(cache, name, &content, &content_bytes)) return false;
    const bool intact = verify(content, content_bytes, key, &inside, bytes);
    char *copy = intact ? clgrad_alloc(cache->ctx, *bytes + 1, 1) : NULL;
    if (copy) memcpy(copy, inside, *bytes);
    clgrad_free(cache->ctx, content);
    if (intact) {
        clgrad_os_touch_at(cache->dir, name); /* the least recently used go first when the cache is full */
    } else {
        clgrad_log_line(cache->ctx, CLGRAD_LOG_WARNING, "cache", "entry %s is damaged or of another program: made anew", name);
        clgrad_os_remove_at(cache->dir, name);
    }
    *payload = copy;
    return copy != NULL;
}

bool clgrad_cache_get(const clgrad_cache *cache, const clgrad_text *key, char **payload, size_t *bytes)
{
    *payload = NULL, *bytes = 0;
    if (cache->dir < 0 || key->failed) return false;
    clgrad_kept_error kept;
    clgrad_error_keep(cache->ctx, &kept);
    const bool found = get(cache, key, payload, bytes);
    clgrad_error_put_back(cache->ctx, &kept);
    return found;
}

/* --- putting ---------------------------------------------------------------------------------------------------------- */

typedef struct usage {
    uint64_t bytes;
    int64_t oldest_time;
    char oldest[ENTRY_NAME];
} usage;

static void count_entry(void *user, const char *name, uint64_t bytes, int64_t modified)
{
    usage *u = user;
    u->bytes += bytes;
    if (strlen(name) >= sizeof u->oldest || (*u->oldest && modified >= u->oldest_time)) return;
    u->oldest_time = modified;
    memcpy(u->oldest, name, strlen(name) + 1);
}

static void make_room(const clgrad_cache *cache, uint64_t fresh_bytes)
{
    for (int removed = 0; removed < 1000; removed++) {
        usage u = { 0 };
        clgrad_os_dir_visit(cache->dir, count_entry, &u);
        if (u.bytes + fresh_bytes <= largest_cache || !*u.oldest) return;
        clgrad_os_remove_at(cache->dir, u.oldest);
    }
}

void clgrad_cache_put(const clgrad_cache *cache, const clgrad_text *key, const void *payload, size_t bytes)
{
    char name[ENTRY_NAME];
    entry_head head = { .key_bytes = key->bytes, .payload_bytes = bytes };
    if (cache->dir < 0 || key->failed || bytes > largest_entry - key->bytes - sizeof head) return;
    memcpy(head.magic, magic, sizeof magic);
    clgrad_sha256_of(payload, bytes, head.digest);
    name_entry(key, ".entry", name);
    make_room(cache, sizeof head + key->bytes + bytes);
    clgrad_kept_error kept;
    clgrad_error_keep(cache->ctx, &kept);
    const clgrad_os_piece pieces[] = { { &head, sizeof head }, { key->data, key->bytes }, { payload, bytes } };
    if (clgrad_os_write_pieces_at(cache->ctx, &(clgrad_os_place){ cache->dir, name, "a cache entry", true }, pieces, 3))
        clgrad_log_line(cache->ctx, CLGRAD_LOG_WARNING, "cache", "%s", clgrad_error_text(cache->ctx));
    clgrad_error_put_back(cache->ctx, &kept);
}

void clgrad_cache_remove(const clgrad_cache *cache, const clgrad_text *key)
{
    char name[ENTRY_NAME];
    if (cache->dir < 0 || key->failed) return;
    name_entry(key, ".entry", name);
    clgrad_os_remove_at(cache->dir, name);
}

/* --- drivers that crash ----------------------------------------------------------------------------------------------- */

/* What an earlier process left: the entry goes if that process died while it loaded. */
static bool judge_marker(const clgrad_cache *cache, const clgrad_text *key, const char *name)
{
    char *content;
    size_t bytes;
    if (!read_entry(cache, name, &content, &bytes)) return true;
    const int64_t pid = strtoll(content, NULL, 10);
    clgrad_free(cache->ctx, content);
    if (pid != clgrad_os_pid() && clgrad_os_process_lives(pid)) return true; /* it is loading right now */
    clgrad_log_line(cache->ctx, CLGRAD_LOG_WARNING, "cache", "the driver died on entry %s: made anew", name);
    clgrad_cache_remove(cache, key);
    clgrad_os_remove_at(cache->dir, name);
    return false;
}

bool clgrad_cache_loading_begin(const clgrad_cache *cache, const clgrad_text *key)
{
    char name[ENTRY_NAME], pid[24];
    clgrad_kept_error kept;
    clgrad_error_keep(cache->ctx, &kept);
    name_entry(key, ".load", name);
    bool good = judge_marker(cache, key, name);
    const int length = snprintf(pid, sizeof pid, "%lld", (long long)clgrad_os_pid());
    good = good && clgrad_os_write_pieces_at(cache->ctx, &(clgrad_os_place){ cache->dir, name, "a cache marker", true },
                                             &(clgrad_os_piece){ pid, (size_t)length }, 1) == CLGRAD_OK;
    clgrad_error_put_back(cache->ctx, &kept);
    return good;
}

void clgrad_cache_loading_end(const clgrad_cache *cache, const clgrad_text *key)
{
    char name[ENTRY_NAME];
    name_entry(key, ".load", name);
    clgrad_os_remove_at(cache->dir, name);
}
