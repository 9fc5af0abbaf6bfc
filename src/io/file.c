#include "io/file.h"

#include <stdio.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are read and written as little-endian memory");

clgrad_status clgrad_io_fail(clgrad_context *ctx, clgrad_status status, const char *path, const char *format, ...)
{
    char sentence[CLGRAD_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return clgrad_fail(ctx, status, "%s: %s", path, sentence);
}

const char *clgrad_io_show(const char *text, char *shown)
{
    const size_t length = strlen(text), room = CLGRAD_SHOWN_BYTES - 4;
    const size_t kept = length < room ? length : room;
    for (size_t i = 0; i < kept; i++) {
        const unsigned char c = (unsigned char)text[i];
        shown[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c; /* a terminal would obey control characters */
    }
    memcpy(shown + kept, length > room ? "..." : "", length > room ? 4 : 1);
    return shown;
}

/* Bytes of the sequence that starts with `first`, and the smallest code point that needs so many; 0: none starts so. */
static size_t utf8_length(unsigned char first, uint32_t *smallest)
{
    if (first < 0x80) return *smallest = 0, 1;
    if (first >= 0xc2 && first < 0xe0) return *smallest = 0x80, 2;
    if (first >= 0xe0 && first < 0xf0) return *smallest = 0x800, 3;
    if (first >= 0xf0 && first < 0xf5) return *smallest = 0x10000, 4;
    return 0;
}

bool clgrad_utf8_valid(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        uint32_t smallest = 0;
        const unsigned char first = (unsigned char)text[i];
        const size_t length = utf8_length(first, &smallest);
        if (length == 0 || length > bytes - i) return false;
        uint32_t code = length == 1 ? first : first & (0x7fu >> length);
        for (size_t k = 1; k < length; k++) {
            const unsigned char next = (unsigned char)text[i + k];
            if ((next & 0xc0) != 0x80) return false;
            code = code << 6 | (next & 0x3f);
        }
        if (code < smallest || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
        i += length;
    }
    return true;
}

clgrad_status clgrad_io_read_at(clgrad_context *ctx, const char *path, const clgrad_os_file *file, uint64_t offset,
                                void *data, size_t bytes)
{
    const clgrad_status status = clgrad_os_file_read(ctx, file, offset, data, bytes);
    if (status != CLGRAD_E_FILE) return status;
    char reason[256];
    snprintf(reason, sizeof reason, "%s", clgrad_error_text(ctx));
    return clgrad_io_fail(ctx, status, path, "%s", reason);
}

void clgrad_io_swap_bytes(void *data, size_t count, size_t bytes)
{
    unsigned char *element = data;
    for (size_t i = 0; i < count; i++, element += bytes)
        for (size_t k = 0; k < bytes / 2; k++) {
            const unsigned char swapped = element[k];
            element[k] = element[bytes - 1 - k];
            element[bytes - 1 - k] = swapped;
        }
}
