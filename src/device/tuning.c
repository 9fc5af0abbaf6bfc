#include "device/tuning.h"

#include "base/os.h"
#include "base/sha256.h"
#include "device/cl_device.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The file:   clgrad-tuning 1 templates 1
 *             [device NAME; PLATFORM; DRIVER]
 *             KEY = VALUE
 *             sha256 DIGEST of all before */
enum { FORMAT = 1, MOST_BYTES = 1 << 20, LAST_LINE = 7 + 2 * CLGRAD_SHA256_BYTES + 1 };

static bool is_off(void)
{
    const char *wish = clgrad_os_env("CLGRAD_TUNING");
    return wish && strcmp(wish, "0") == 0;
}

/* *dir: where the file lies by default, made when it is written; NULL for a file named by the user. */
static clgrad_status find_place(clgrad_context *ctx, char **dir, char **path)
{
    const char *wish = clgrad_os_env("CLGRAD_TUNING"), *base = clgrad_os_env("XDG_CONFIG_HOME"), *home = clgrad_os_env("HOME");
    *dir = *path = NULL;
    if (is_off()) return clgrad_fail(ctx, CLGRAD_E_FILE, "CLGRAD_TUNING=0: no tuning is kept");
    if (wish && *wish) return (*path = clgrad_strdup(ctx, wish)) ? CLGRAD_OK : CLGRAD_E_MEMORY;
    if (base && base[0] == '/') *dir = clgrad_format(ctx, "%s/clgrad", base);
    else if (home && home[0] == '/') *dir = clgrad_format(ctx, "%s/.config/clgrad", home);
    else return clgrad_fail(ctx, CLGRAD_E_FILE, "no place for a tuning file: set HOME, or CLGRAD_TUNING to a file");
    *path = *dir ? clgrad_format(ctx, "%s/tuning", *dir) : NULL;
    if (*path) return CLGRAD_OK;
    clgrad_free(ctx, *dir);
    *dir = NULL;
    return CLGRAD_E_MEMORY;
}

clgrad_status clgrad_tuning_path(clgrad_context *ctx, char **path)
{
    char *dir;
    const clgrad_status status = find_place(ctx, &dir, path);
    clgrad_free(ctx, dir);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

static void append_head(clgrad_text *text)
{
    clgrad_text_append(text, "clgrad-tuning %d templates %d\n", FORMAT, CLGRAD_TEMPLATE_NUMBER);
}

static void append_digest(clgrad_text *text)
{
    uint8_t digest[CLGRAD_SHA256_BYTES];
    char hex[2 * CLGRAD_SHA256_BYTES + 1];
    if (text->failed) return;
    clgrad_sha256_of(text->data, text->bytes, digest);
    clgrad_text_append(text, "sha256 %s\n", clgrad_sha256_hex(digest, hex));
}

/* Why a text is no tuning file of this library's; NULL where it is one. */
static const char *refuse(const char *data, size_t bytes)
{
    static const char head[] = "clgrad-tuning ";
    uint8_t digest[CLGRAD_SHA256_BYTES];
    char hex[2 * CLGRAD_SHA256_BYTES + 1], *end;
    if (bytes < sizeof head || memcmp(data, head, sizeof head - 1) != 0 || strlen(data) != bytes) return "it is no tuning file";
    if (strtol(data + sizeof head - 1, &end, 10) != FORMAT || strncmp(end, " templates ", 11) != 0)
        return "it is of another version of clgrad";
    if (strtol(end + 11, &end, 10) != CLGRAD_TEMPLATE_NUMBER || *end != '\n') return "it was measured with other kernel templates";
    if (bytes < LAST_LINE || data[bytes - 1] != '\n' || data[bytes - LAST_LINE - 1] != '\n') return "it is damaged: its end is missing";
    clgrad_sha256_of(data, bytes - LAST_LINE, digest);
    if (memcmp(data + bytes - LAST_LINE, "sha256 ", 7) != 0 ||
        memcmp(data + bytes - LAST_LINE + 7, clgrad_sha256_hex(digest, hex), sizeof hex - 1) != 0)
        return "it is damaged: its content does not have the checksum it names";
    return NULL;
}

static clgrad_status add_row(clgrad_tuning *t, const char *section, const char *key, const char *value)
{
    CLGRAD_TRY(clgrad_reserve(t->ctx, &t->rows, &t->capacity, t->count + 1, sizeof *t->rows));
    t->rows[t->count++] = (clgrad_tuning_row){ section, key, value };
    return CLGRAD_OK;
}

/* Cuts t->data, which was found whole, into rows. */
static clgrad_status cut(clgrad_tuning *t, size_t bytes)
{
    const char *section = "";
    char *line = strchr(t->data, '\n') + 1, *const last = t->data + bytes - LAST_LINE;
    for (char *next; line < last; line = next) {
        char *const end = strchr(line, '\n'), *const equals = strstr(line, " = ");
        next = end + 1;
        *end = '\0';
        if (line[0] == '[') {
            section = line + 1;
            if (end > line + 1) end[-1] = '\0';
        } else if (equals && equals < end) {
            *equals = '\0';
            CLGRAD_TRY(add_row(t, section, line, equals + 3));
        }
    }
    return CLGRAD_OK;
}

/* Takes over the text. */
static clgrad_status take_text(clgrad_tuning *t, char *data, size_t bytes, const char *path)
{
    t->data = data;
    const char *const reason = refuse(data, bytes);
    if (reason)
        return clgrad_fail(t->ctx, CLGRAD_E_FILE, "tuning file '%s' is refused: %s (clgrad tune --clear removes it)", path, reason);
    return cut(t, bytes);
}

static clgrad_status read_path(clgrad_tuning *t, const char *path)
{
    char *data;
    size_t bytes;
    if (!clgrad_os_exists(path)) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_os_read_file(t->ctx, path, MOST_BYTES, &data, &bytes));
    return take_text(t, data, bytes, path);
}

clgrad_status clgrad_tuning_read(clgrad_context *ctx, clgrad_tuning *out)
{
    char *path;
    *out = (clgrad_tuning){ .ctx = ctx, .off = is_off() };
    CLGRAD_TRY(clgrad_tuning_path(ctx, &path));
    const clgrad_status status = read_path(out, path);
    clgrad_free(ctx, path);
    if (status != CLGRAD_OK) clgrad_tuning_close(out);
    return status;
}

clgrad_status clgrad_tuning_open(clgrad_context *ctx, clgrad_tuning *out)
{
    clgrad_kept_error kept;
    char *dir, *path;
    *out = (clgrad_tuning){ .ctx = ctx, .off = is_off() };
    if (out->off) return CLGRAD_OK;
    clgrad_error_keep(ctx, &kept);
    clgrad_status status = find_place(ctx, &dir, &path);
    if (status == CLGRAD_OK) {
        status = read_path(out, path);
        if (status == CLGRAD_E_FILE)
            clgrad_log_line(ctx, CLGRAD_LOG_WARNING, "tuning", "running by rules alone: %s", clgrad_error_text(ctx));
    }
    clgrad_free(ctx, dir);
    clgrad_free(ctx, path);
    if (status != CLGRAD_OK) clgrad_tuning_close(out);
    if (status == CLGRAD_E_MEMORY) return status;
    clgrad_error_put_back(ctx, &kept);
    return CLGRAD_OK;
}

void clgrad_tuning_close(clgrad_tuning *t)
{
    clgrad_free(t->ctx, t->rows);
    clgrad_free(t->ctx, t->data);
    *t = (clgrad_tuning){ .ctx = t->ctx, .off = t->off };
}

/* --- finding ---------------------------------------------------------------------------------------------------------- */

static const clgrad_tuning_row shipped[] = {
    { "", "", "" },
#define TUNED(scope, key, value) { scope, key, value },
#include "device/tuning.def"
#undef TUNED
};

void clgrad_tuning_section(const clgrad_device_info *info, char section[CLGRAD_TUNING_SECTION])
{
    snprintf(section, CLGRAD_TUNING_SECTION, "device %s; %s; %s", info->name, info->platform, info->driver);
    for (char *c = section; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
}

/* The names of a device in the shipped table, nearest first. */
enum { SCOPES = 4, SCOPE_BYTES = 280 };
static void name_scopes(const clgrad_device_info *info, char scopes[SCOPES][SCOPE_BYTES])
{
    static const char *const kinds[] = { "cpu", "gpu", "other" };
    snprintf(scopes[0], SCOPE_BYTES, "device %.256s", info->name);
    if (info->kind == CLGRAD_DEVICE_CPU)
        snprintf(scopes[1], SCOPE_BYTES, "architecture cpu-%" PRIu32, info->float_width);
    else /* AMD's name is the architecture, then features */
        snprintf(scopes[1], SCOPE_BYTES, "architecture %.*s", (int)strcspn(info->name, ":"), info->name);
    snprintf(scopes[2], SCOPE_BYTES, "vendor %.256s", info->vendor);
    snprintf(scopes[3], SCOPE_BYTES, "kind %s", kinds[info->kind]);
}

static const char *find_in(const clgrad_tuning_row *rows, size_t count, const char *section, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].key, key) == 0 && strcmp(rows[i].section, section) == 0) return rows[i].value;
    return NULL;
}

const char *clgrad_tuning_find_shipped(const clgrad_tuning_row *rows, size_t count, const clgrad_device_info *info, const char *key,
                                       const char **from)
{
    static const char *const names[SCOPES] = { "shipped for the device", "shipped for the architecture", "shipped for the vendor",
                                               "shipped for the kind of device" };
    char scopes[SCOPES][SCOPE_BYTES];
    const char *found = NULL;
    if (count == 0) return NULL;
    name_scopes(info, scopes);
    for (size_t i = 0; i < SCOPES && !found; i++) {
        found = find_in(rows, count, scopes[i], key);
        if (found && from) *from = names[i];
    }
    return found;
}

bool clgrad_tuning_knows(const clgrad_tuning *t) { return !t->off && (t->count > 0 || CLGRAD_COUNT(shipped) > 1); }

const char *clgrad_tuning_find(const clgrad_tuning *t, const clgrad_device_info *info, const char *key, const char **from)
{
    char section[CLGRAD_TUNING_SECTION];
    if (!clgrad_tuning_knows(t)) return NULL;
    clgrad_tuning_section(info, section);
    const char *const found = find_in(t->rows, t->count, section, key);
    if (!found) return clgrad_tuning_find_shipped(shipped + 1, CLGRAD_COUNT(shipped) - 1, info, key, from);
    if (from) *from = "measured on this device";
    return found;
}

/* --- putting ---------------------------------------------------------------------------------------------------------- */

static bool is_replaced(const clgrad_tuning_row *old, const clgrad_tuning_row *row)
{
    return strcmp(old->section, row->section) == 0 && (!row->key || strcmp(old->key, row->key) == 0);
}

/* All rows, those of a section behind each other. */
static void compose(const clgrad_tuning *t, const clgrad_tuning_row *row, clgrad_text *text)
{
    const char *section = "";
    bool placed = !row->key || !row->value;
    append_head(text);
    for (size_t i = 0; i <= t->count; i++) {
        const bool last = i == t->count, leaves = last || strcmp(t->rows[i].section, section) != 0;
        if (leaves && !placed && (last || strcmp(section, row->section) == 0)) {
            if (strcmp(section, row->section) != 0) clgrad_text_append(text, "[%s]\n", row->section);
            clgrad_text_append(text, "%s = %s\n", row->key, row->value);
            placed = true;
        }
        if (last || is_replaced(&t->rows[i], row)) continue;
        if (leaves) clgrad_text_append(text, "[%s]\n", t->rows[i].section);
        section = t->rows[i].section;
        clgrad_text_append(text, "%s = %s\n", t->rows[i].key, t->rows[i].value);
    }
    append_digest(text);
}

static clgrad_status write_place(clgrad_context *ctx, const char *dir_path, const char *path, const clgrad_text *text)
{
    int dir;
    if (text->failed) return CLGRAD_E_MEMORY;
    if (!dir_path) return clgrad_os_write_file_atomic(ctx, path, text->data, text->bytes);
    CLGRAD_TRY(clgrad_os_private_dir_open(ctx, dir_path, &dir));
    const clgrad_status status = clgrad_os_write_pieces_at(ctx, &(clgrad_os_place){ dir, "tuning", path, false },
                                                           &(clgrad_os_piece){ text->data, text->bytes }, 1);
    clgrad_os_dir_close(dir);
    return status;
}

clgrad_status clgrad_tuning_put(clgrad_tuning *t, const clgrad_tuning_row *row)
{
    clgrad_tuning there = { .ctx = t->ctx }, fresh = { .ctx = t->ctx };
    clgrad_text text = { .ctx = t->ctx };
    char *dir, *path;
    CLGRAD_TRY(find_place(t->ctx, &dir, &path));
    clgrad_status status = read_path(&there, path);
    if (status != CLGRAD_OK) goto done;
    compose(&there, row, &text);
    fresh.data = text.failed ? NULL : clgrad_strdup(t->ctx, text.data);
    status = fresh.data ? cut(&fresh, text.bytes) : CLGRAD_E_MEMORY;
    if (status == CLGRAD_OK) status = write_place(t->ctx, dir, path, &text);
    if (status == CLGRAD_OK) {
        clgrad_tuning_close(t);
        *t = fresh;
        fresh = (clgrad_tuning){ .ctx = t->ctx };
    }
done:
    clgrad_tuning_close(&fresh);
    clgrad_tuning_close(&there);
    clgrad_text_release(&text);
    clgrad_free(t->ctx, dir);
    clgrad_free(t->ctx, path);
    return status;
}

clgrad_status clgrad_tuning_remove(clgrad_context *ctx)
{
    char *path;
    CLGRAD_TRY(clgrad_tuning_path(ctx, &path));
    clgrad_os_remove(path);
    const bool there = clgrad_os_exists(path);
    const clgrad_status status = there ? clgrad_fail(ctx, CLGRAD_E_FILE, "tuning file '%s' cannot be removed", path) : CLGRAD_OK;
    clgrad_free(ctx, path);
    return status;
}

/* --- the score -------------------------------------------------------------------------------------------------------- */

double clgrad_tuning_score(const clgrad_tuning *t, const clgrad_device_info *info)
{
    const char *const value = clgrad_tuning_find(t, info, "score", NULL);
    char *end;
    if (!value || strncmp(value, "fma=", 4) != 0) return 0;
    const double flops = (double)strtoull(value + 4, &end, 10);
    return strncmp(end, " read=", 6) == 0 ? sqrt(flops * (double)strtoull(end + 6, NULL, 10)) : 0;
}
