#pragma once

/* The cache on disk: entries of bytes under a key, each verified whole before it is handed out. A cache that cannot be
 * used costs time only, so nothing here fails a call; the log says why. */

#include "device/device.h"

typedef struct clgrad_cache {
    clgrad_context *ctx;
    int dir; /* -1: no cache */
} clgrad_cache;

/* The context's cache_dir, else $XDG_CACHE_HOME/clgrad, else ~/.cache/clgrad; none with CLGRAD_CACHE=0. */
void clgrad_cache_open(clgrad_context *ctx, clgrad_cache *out);
void clgrad_cache_close(clgrad_cache *cache);

/* The payload stored under exactly this key (whole key material, not its digest), in fresh memory; false for none. */
bool clgrad_cache_get(const clgrad_cache *cache, const clgrad_text *key, char **payload, size_t *bytes);
void clgrad_cache_put(const clgrad_cache *cache, const clgrad_text *key, const void *payload, size_t bytes);
void clgrad_cache_remove(const clgrad_cache *cache, const clgrad_text *key);

/* Around handing a payload to a driver, which may crash on it: a marker that a crash leaves behind makes the next begin
 * drop the entry. begin is false when the entry must not be used. */
bool clgrad_cache_loading_begin(const clgrad_cache *cache, const clgrad_text *key);
void clgrad_cache_loading_end(const clgrad_cache *cache, const clgrad_text *key);
