#include "base/base.h"

#include <stdio.h>

void clgrad_text_append_bytes(clgrad_text *text, const char *data, size_t bytes)
{
    size_t need = 0;
    if (text->failed) return;
    if (!clgrad_add_size(text->bytes, bytes, &need) || !clgrad_add_size(need, 1, &need) ||
        clgrad_reserve(text->ctx, &text->data, &text->capacity, need, 1) != CLGRAD_OK) {
        text->failed = true;
        return;
    }
    if (bytes) memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
    text->data[text->bytes] = '\0';
}

void clgrad_text_append(clgrad_text *text, const char *format, ...)
{
    if (text->failed) return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const size_t room = text->capacity - text->bytes;
    const int length = vsnprintf(room ? text->data + text->bytes : NULL, room, format, args);
    va_end(args);
    if (length < 0 || clgrad_reserve(text->ctx, &text->data, &text->capacity, text->bytes + (size_t)length + 1, 1)) {
        text->failed = true;
        if (text->data) text->data[text->bytes] = '\0'; /* not half of it */
    } else {
        if ((size_t)length >= room) vsnprintf(text->data + text->bytes, (size_t)length + 1, format, again);
        text->bytes += (size_t)length;
    }
    va_end(again);
}

void clgrad_text_release(clgrad_text *text)
{
    clgrad_free(text->ctx, text->data);
    *text = (clgrad_text){ .ctx = text->ctx };
}

/* Levenshtein distance of words of at most 63 letters, one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64];
    const size_t na = strlen(a), nb = strlen(b);
    if (na >= 64 || nb >= 64) return 64;
    for (size_t j = 0; j <= nb; j++) row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

const char *clgrad_suggest(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        const size_t distance = edit_distance(word, candidates[i]);
        if (distance < best_distance) best_distance = distance, best = candidates[i];
    }
    return best;
}
