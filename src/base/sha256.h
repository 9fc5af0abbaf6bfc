#pragma once

/* SHA-256, FIPS 180-4. */

#include <stddef.h>
#include <stdint.h>

enum { CLGRAD_SHA256_BYTES = 32, CLGRAD_SHA256_HEX = 65 };

typedef struct clgrad_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} clgrad_sha256;

void clgrad_sha256_begin(clgrad_sha256 *hash);
void clgrad_sha256_add(clgrad_sha256 *hash, const void *data, size_t bytes);
void clgrad_sha256_end(clgrad_sha256 *hash, uint8_t digest[CLGRAD_SHA256_BYTES]);
/* All at once. */
void clgrad_sha256_of(const void *data, size_t bytes, uint8_t digest[CLGRAD_SHA256_BYTES]);
/* 64 lower-case digits and a NUL; returns text. */
char *clgrad_sha256_hex(const uint8_t digest[CLGRAD_SHA256_BYTES], char text[CLGRAD_SHA256_HEX]);
