/* Where a driver's answers are not the whole truth. A row applies when all its patterns are part of the device's texts. */

#include "device/record.h"

static const struct {
    const char *name, *platform, *device, *driver; /* NULL: any */
    unsigned quirks;
} quirk_table[] = {
    /* Oclgrind's reports quote the program's source, which a binary has not. */
    { "simulator", "oclgrind", NULL, NULL, CLGRAD_QUIRK_NO_TOUCH | CLGRAD_QUIRK_NO_BINARY | CLGRAD_QUIRK_FILL_BY_WRITE },
    /* PoCL compiles every kernel once more, for any work-group size (0.06 to 0.6 s), and has a cache of its own from
     * which a program costs 18 ms; from ours 1 ms. */
    { "costly-binary", "portable computing language", NULL, NULL, CLGRAD_QUIRK_COSTLY_BINARY },
    /* clang's opencl-c.h, 18,000 lines, is 0.24 of the 0.27 s that a small program takes. */
    { "long-header", "portable computing language", NULL, NULL, CLGRAD_QUIRK_LONG_HEADER },
    /* NVIDIA's "binaries" are PTX, compiled again at load, and its driver keeps a cache of its own. */
    { "own-program-cache", "nvidia cuda", NULL, NULL, CLGRAD_QUIRK_NO_BINARY },
    /* Loops of a work-item end after 65,535 turns in all, without a word: plan gives each work-item less to do. */
    { "short-loops", "rusticl", "llvmpipe", NULL, 0 },
    { "silent-half", "nvidia cuda", NULL, NULL, CLGRAD_QUIRK_TRY_FP16 },
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

bool clgrad_contains_nocase(const char *text, const char *part)
{
    for (;; text++) {
        size_t i = 0;
        while (part[i] && lower(text[i]) == lower(part[i])) i++;
        if (!part[i]) return true;
        if (!*text) return false;
    }
}

static bool matches(const char *text, const char *pattern) { return !pattern || clgrad_contains_nocase(text, pattern); }

clgrad_status clgrad_record_apply_quirks(clgrad_context *ctx, clgrad_record *record)
{
    const clgrad_device_info *info = &record->info;
    clgrad_text names = { .ctx = ctx };
    for (size_t i = 0; i < CLGRAD_COUNT(quirk_table); i++) {
        if (!matches(info->platform, quirk_table[i].platform) || !matches(info->name, quirk_table[i].device) ||
            !matches(info->driver, quirk_table[i].driver))
            continue;
        record->quirks |= quirk_table[i].quirks;
        clgrad_text_append(&names, "%s%s", names.bytes ? "," : "", quirk_table[i].name);
    }
    clgrad_status status = names.failed ? CLGRAD_E_MEMORY : CLGRAD_OK;
    if (names.bytes && !status) status = clgrad_record_set_text(ctx, record, &record->info.quirks, names.data);
    clgrad_text_release(&names);
    return status;
}
