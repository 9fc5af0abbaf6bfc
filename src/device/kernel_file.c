/* The kernel search: where a template's text comes from. Never the working directory, never a relative path. */

#include "base/os.h"
#include "device/cl_device.h"
#include "device/embedded.h"

#include <stdio.h>
#include <stdlib.h>

enum { LARGEST_TEMPLATE = 1 << 20, MARKER_WITHIN = 400 };

static bool is_template_name(const char *file)
{
    const size_t stem = strspn(file, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return stem > 0 && strcmp(file + stem, ".cl") == 0;
}

static clgrad_status check_marker(clgrad_context *ctx, const char *file, const char *from, const char *text)
{
    static const char marker[] = "clgrad-template ";
    const char *found = strstr(text, marker);
    if (!found || found - text > MARKER_WITHIN)
        return clgrad_fail(ctx, CLGRAD_E_KERNEL_FILE,
                           "kernel file %s from %s does not say which template number it has: its first lines need "
                           "/* clgrad-template %d */",
                           file, from, CLGRAD_TEMPLATE_NUMBER);
    const long number = strtol(found + sizeof marker - 1, NULL, 10);
    if (number != CLGRAD_TEMPLATE_NUMBER)
        return clgrad_fail(ctx, CLGRAD_E_KERNEL_FILE,
                           "kernel file %s from %s has template number %ld; this library (%s) needs %d", file, from,
                           number, CLGRAD_VERSION, CLGRAD_TEMPLATE_NUMBER);
    return CLGRAD_OK;
}

/* Reads the file once, relative to an open directory; what was read is what is checked and compiled. *out stays NULL
 * where the directory has no such file. */
static clgrad_status read_from(clgrad_context *ctx, int dir, const char *dir_path, const char *file, char **out)
{
    clgrad_os_file opened;
    char *text = NULL;
    size_t bytes;
    if (!clgrad_os_exists_at(dir, file)) return CLGRAD_OK;
    clgrad_status status = clgrad_os_file_open_at(ctx, dir, file, &opened);
    if (!status) {
        status = clgrad_os_file_read_all(ctx, &opened, file, LARGEST_TEMPLATE, &text, &bytes);
        clgrad_os_file_close(&opened);
    }
    if (status == CLGRAD_E_FILE) {
        char why[256];
        snprintf(why, sizeof why, "%s", clgrad_error_text(ctx));
        return clgrad_fail(ctx, CLGRAD_E_KERNEL_FILE, "kernel directory %s: %s", dir_path, why);
    }
    if (!status) status = check_marker(ctx, file, dir_path, text);
    if (status)
        clgrad_free(ctx, text);
    else
        *out = text;
    return status;
}

/* A directory that the caller or the environment asked for: not being able to look there is an error. */
static clgrad_status search_asked(clgrad_context *ctx, const char *dir_path, const char *file, char **out)
{
    if (dir_path[0] != '/')
        return clgrad_fail(ctx, CLGRAD_E_KERNEL_FILE, "kernel directory '%s' is not an absolute path", dir_path);
    const int dir = clgrad_os_dir_open(dir_path);
    if (dir < 0) return clgrad_fail(ctx, CLGRAD_E_KERNEL_FILE, "kernel directory %s cannot be opened", dir_path);
    const clgrad_status status = read_from(ctx, dir, dir_path, file, out);
    clgrad_os_dir_close(dir);
    return status;
}

/* CLGRAD_KERNEL_PATH: directories with colons between them. */
static clgrad_status search_environment(clgrad_context *ctx, const char *file, char **out)
{
    const char *path = clgrad_os_env("CLGRAD_KERNEL_PATH");
    if (!path) return CLGRAD_OK;
    char *copy = clgrad_strdup(ctx, path);
    if (!copy) return CLGRAD_E_MEMORY;
    clgrad_status status = CLGRAD_OK;
    char *dir = copy;
    while (dir && !status && !*out) {
        char *colon = strchr(dir, ':');
        if (colon) *colon = '\0';
        if (*dir) status = search_asked(ctx, dir, file, out);
        dir = colon ? colon + 1 : NULL;
    }
    clgrad_free(ctx, copy);
    return status;
}

/* PREFIX/share/clgrad/cl for a library in PREFIX/lib or PREFIX/lib/ARCHITECTURE. */
static clgrad_status search_installed(clgrad_context *ctx, const char *file, char **out)
{
    static const char *const from_library[] = { "/../share/clgrad/cl", "/../../share/clgrad/cl" };
    char library_dir[4000], path[4096];
    if (!clgrad_os_library_dir(library_dir, sizeof library_dir)) return CLGRAD_OK;
    for (size_t i = 0; i < CLGRAD_COUNT(from_library) && !*out; i++) {
        snprintf(path, sizeof path, "%s%s", library_dir, from_library[i]);
        const int dir = clgrad_os_dir_open(path);
        if (dir < 0) continue;
        const clgrad_status status = read_from(ctx, dir, path, file, out);
        clgrad_os_dir_close(dir);
        if (status) return status;
    }
    return CLGRAD_OK;
}

static clgrad_status search_embedded(clgrad_context *ctx, const char *file, char **out)
{
    for (const clgrad_embedded_kernel *k = clgrad_embedded_kernels; k->file; k++) {
        if (strcmp(k->file, file) != 0) continue;
        CLGRAD_TRY(check_marker(ctx, file, "the library", k->text));
        *out = clgrad_strdup(ctx, k->text);
        return *out ? CLGRAD_OK : CLGRAD_E_MEMORY;
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_kernel_file_read(clgrad_context *ctx, const char *file, char **out)
{
    *out = NULL;
    if (!is_template_name(file))
        return clgrad_fail(ctx, CLGRAD_E_KERNEL_FILE, "'%s' is not a kernel file's name: letters, digits, _ and .cl", file);
    if (ctx->kernel_dir) CLGRAD_TRY(search_asked(ctx, ctx->kernel_dir, file, out));
    if (!*out) CLGRAD_TRY(search_environment(ctx, file, out));
    if (!*out) CLGRAD_TRY(search_installed(ctx, file, out));
    if (!*out) CLGRAD_TRY(search_embedded(ctx, file, out));
    if (!*out) return clgrad_fail(ctx, CLGRAD_E_KERNEL_FILE, "there is no kernel file %s", file);
    return CLGRAD_OK;
}
