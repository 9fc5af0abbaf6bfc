#define _GNU_SOURCE /* open_memstream */

#include "support/cl_join.h"

#include "device/cl_api.h"
#include "support/device.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 24 };

/* A noted text. Its address stands for the cl_program. */
typedef struct part {
    char *text;
    uint64_t hash; /* texts begin alike, so that comparing them is slow */
    size_t head; /* bytes before the preamble, common to a group */
    size_t number;
    struct group *group; /* NULL until it is built */
} part;

typedef struct group {
    cl_context context;
    cl_program program;
    bool built;
} group;

static enum { OFF, NOTING, BUILDING } mode;
static clgrad_cl_api real;
static part **parts;
static size_t num_parts;
static group **groups;
static size_t num_groups;
static int no_kernel; /* its address stands for every kernel while noting */

static const char mark[] = "#line 1 \"preamble\"\n";

static part *part_of(cl_program program)
{
    for (size_t i = 0; i < num_parts; i++)
        if ((void *)parts[i] == (void *)program) return parts[i];
    return NULL;
}

/* FNV-1a */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static part *part_with(const char *text)
{
    const uint64_t hash = hash_of(text);
    for (size_t i = 0; i < num_parts; i++)
        if (parts[i]->hash == hash && strcmp(parts[i]->text, text) == 0) return parts[i];
    return NULL;
}

static part *note(const char *text)
{
    part *p = part_with(text);
    if (p) return p;
    p = calloc(1, sizeof *p);
    p->text = strdup(text);
    p->hash = hash_of(text);
    p->head = (size_t)(strstr(text, mark) - text);
    p->number = num_parts;
    parts = realloc(parts, (num_parts + 1) * sizeof *parts);
    return parts[num_parts++] = p;
}

/* --- joining texts ------------------------------------------------------------------------------------------------------ */

#define word_letters "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

/* The word that ends before `end`, which may be behind blanks. */
static size_t word_before(const char *line, const char *end, const char **word)
{
    while (end > line && end[-1] == ' ') end--;
    const char *start = end;
    while (start > line && strchr(word_letters, start[-1])) start--;
    *word = start;
    return (size_t)(end - start);
}

/* CLGRAD_EXPONENTIAL(F32, float4, int4), alone on its line, defines functions: once in a program. */
static bool defines_functions(const char *line) { return strncmp(line, "CLGRAD_", 7) == 0; }

/* What a line at file scope defines: a macro (which is undefined afterwards), a type or a function that is not void (which get names
 * of their own). Our templates put definitions in the first column and nothing else. */
static size_t defined_by(const char *line, const char *end, bool *macro, const char **word)
{
    *macro = strncmp(line, "#define ", 8) == 0;
    if (*macro) {
        *word = line + 8;
        return strspn(*word, word_letters);
    }
    if (defines_functions(line) || strncmp(line, "typedef struct", 14) == 0 || !strchr(word_letters "}", *line)) return 0;
    const bool type = strncmp(line, "typedef", 7) == 0 || *line == '}';
    const char *stop = memchr(line, type ? ';' : '(', (size_t)(end - line));
    const size_t length = stop ? word_before(line, stop, word) : 0;
    return length >= 2 && strncmp(*word, "__", 2) == 0 ? 0 : length;
}

typedef void (*on_definition)(FILE *out, bool macro, int length, const char *word, size_t number);

/* Functions that return nothing, kernels above all, have their heads anywhere: some are macros. */
static void each_void_function(const part *p, FILE *out, on_definition found)
{
    for (const char *at = p->text + p->head; (at = strstr(at, "void "));) {
        at += 5;
        const size_t length = strspn(at, word_letters);
        if (length && at[length] == '(') found(out, false, (int)length, at, p->number);
    }
}

/* `#define mm_params part0_mm_params`: a text that has a template twice names the parts itself. */
static size_t renamed_by(const char *line, const char *end, const char **word)
{
    *word = memmem(line, (size_t)(end - line), " part", 5);
    if (!*word || strncmp(line, "#define ", 8) != 0) return 0;
    *word += 1;
    const size_t length = strspn(*word, word_letters);
    return *word + length == end ? length : 0;
}

static void each_definition(const part *p, FILE *out, on_definition found)
{
    bool continued = false; /* inside a macro */
    for (const char *line = p->text + p->head; *line;) {
        const char *end = line + strcspn(line, "\n"), *word;
        bool macro;
        const size_t length = continued ? 0 : defined_by(line, end, &macro, &word);
        if (length) found(out, macro, (int)length, word, p->number);
        const size_t own = continued ? 0 : renamed_by(line, end, &word);
        if (own) found(out, false, (int)own, word, p->number);
        continued = end > line && end[-1] == '\\';
        line = end + (*end == '\n');
    }
    each_void_function(p, out, found);
}

static void rename_it(FILE *out, bool macro, int length, const char *word, size_t number)
{
    if (!macro) fprintf(out, "#define %.*s %.*s_%zu\n", length, word, length, word, number);
}

static void forget(FILE *out, bool macro, int length, const char *word, size_t number)
{
    (void)macro, (void)number;
    fprintf(out, "#undef %.*s\n", length, word);
}

static void write_part(const part *p, FILE *out, char *const *text, const size_t *bytes)
{
    each_definition(p, out, rename_it);
    for (const char *line = p->text + p->head; *line;) {
        const size_t length = strcspn(line, "\n") + 1;
        const bool functions = defines_functions(line);
        if (functions) fflush(out); /* which brings text and bytes up to date */
        const bool again = functions && memmem(*text + p->head, *bytes - p->head, line, length);
        if (!again) fwrite(line, 1, length, out);
        line += length;
    }
    each_definition(p, out, forget);
}

static bool same_head(const part *a, const part *b) { return a->head == b->head && memcmp(a->text, b->text, a->head) == 0; }

/* p's place among those that begin as it does. */
static size_t place_of(const part *p)
{
    size_t place = 0;
    for (size_t i = 0; i < p->number; i++) place += same_head(p, parts[i]);
    return place;
}

/* p and its neighbours: what is together does not depend on who is asked for first, so that a run of fewer tests finds in the driver's
 * cache what a whole run has built. */
static char *joined(const part *p, group *g)
{
    char *text = NULL;
    size_t bytes = 0, place = 0;
    const size_t first = place_of(p) / GROUP * GROUP;
    FILE *out = open_memstream(&text, &bytes);
    ck_assert_ptr_nonnull(out);
    fprintf(out, "%.*s", (int)p->head, p->text);
    for (size_t i = 0; i < num_parts; i++) {
        if (!same_head(p, parts[i]) || place++ / GROUP * GROUP != first) continue;
        parts[i]->group = g;
        write_part(parts[i], out, &text, &bytes);
    }
    fclose(out);
    return text;
}

static void make_group(const part *p, cl_context context, cl_int *err)
{
    group *g = calloc(1, sizeof *g);
    groups = realloc(groups, (num_groups + 1) * sizeof *groups);
    groups[num_groups++] = g;
    char *text = joined(p, g);
    g->context = context;
    g->program = real.CreateProgramWithSource(context, 1, (const char *[]){ text }, NULL, err);
    free(text);
}

/* --- the entry points that see programs and kernels ----------------------------------------------------------------------- */

static cl_program CL_API_CALL create_program(cl_context context, cl_uint count, const char **texts, const size_t *lengths, cl_int *err)
{
    part *p = mode != OFF && strstr(texts[0], mark) ? part_with(texts[0]) : NULL;
    if (!p && mode == NOTING && strstr(texts[0], mark)) p = note(texts[0]);
    *err = CL_SUCCESS;
    if (p && mode == BUILDING && !p->group) make_group(p, context, err);
    if (!p || (p->group && p->group->context != context)) return real.CreateProgramWithSource(context, count, texts, lengths, err);
    return *err == CL_SUCCESS ? (cl_program)(void *)p : NULL;
}

static cl_int CL_API_CALL build_program(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                                        void(CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    const part *p = part_of(program);
    if (!p) return real.BuildProgram(program, count, ids, options, notify, user);
    if (mode == NOTING || p->group->built) return CL_SUCCESS;
    const cl_int code = real.BuildProgram(p->group->program, count, ids, options, NULL, NULL);
    p->group->built = code == CL_SUCCESS;
    return code;
}

static cl_int CL_API_CALL program_info(cl_program program, cl_program_info what, size_t room, void *value, size_t *bytes)
{
    return part_of(program) ? CL_INVALID_PROGRAM : real.GetProgramInfo(program, what, room, value, bytes);
}

static cl_int CL_API_CALL build_info(cl_program program, cl_device_id id, cl_program_build_info what, size_t room, void *value,
                                     size_t *bytes)
{
    const part *p = part_of(program);
    return real.GetProgramBuildInfo(p ? p->group->program : program, id, what, room, value, bytes);
}

static cl_int CL_API_CALL release_program(cl_program program)
{
    return part_of(program) ? CL_SUCCESS : real.ReleaseProgram(program);
}

static cl_kernel CL_API_CALL create_kernel(cl_program program, const char *name, cl_int *err)
{
    const part *p = part_of(program);
    char own[80];
    *err = CL_SUCCESS;
    if (!p) return real.CreateKernel(program, name, err);
    if (mode == NOTING) return (cl_kernel)(void *)&no_kernel;
    snprintf(own, sizeof own, "%s_%zu", name, p->number);
    return real.CreateKernel(p->group->program, own, err);
}

static bool is_none(cl_kernel kernel) { return (void *)kernel == (void *)&no_kernel; }

static cl_int CL_API_CALL kernel_info(cl_kernel kernel, cl_kernel_info what, size_t room, void *value, size_t *bytes)
{
    if (!is_none(kernel)) return real.GetKernelInfo(kernel, what, room, value, bytes);
    *(cl_uint *)value = 64; /* arguments: more than any has */
    return CL_SUCCESS;
}

static cl_int CL_API_CALL set_argument(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
    return is_none(kernel) ? CL_SUCCESS : real.SetKernelArg(kernel, index, bytes, value);
}

static cl_int CL_API_CALL release_kernel(cl_kernel kernel) { return is_none(kernel) ? CL_SUCCESS : real.ReleaseKernel(kernel); }

static cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset, const size_t *global,
                                 const size_t *local, cl_uint num_wait, const cl_event *wait, cl_event *event)
{
    if (is_none(kernel)) return CL_SUCCESS;
    return real.EnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, num_wait, wait, event);
}

static void put_between(clgrad_cl_api *api)
{
    real = *api;
    api->CreateProgramWithSource = create_program;
    api->BuildProgram = build_program;
    api->GetProgramInfo = program_info;
    api->GetProgramBuildInfo = build_info;
    api->ReleaseProgram = release_program;
    api->CreateKernel = create_kernel;
    api->GetKernelInfo = kernel_info;
    api->SetKernelArg = set_argument;
    api->ReleaseKernel = release_kernel;
    api->EnqueueNDRangeKernel = launch;
}

/* --- modes ------------------------------------------------------------------------------------------------------------------ */

void test_join_note(void)
{
    test_device_close();
    clgrad_cl_filter = put_between;
    test_device(); /* what it builds while it is opened answers questions, so that is built now */
    mode = NOTING;
}

void test_join_build(void)
{
    test_device_close();
    mode = BUILDING;
}

bool test_join_noting(void) { return mode == NOTING; }

void test_join_end(void)
{
    test_device_close();
    mode = OFF;
    clgrad_cl_filter = NULL;
    for (size_t i = 0; i < num_groups; i++) {
        if (groups[i]->program) real.ReleaseProgram(groups[i]->program);
        free(groups[i]);
    }
    for (size_t i = 0; i < num_parts; i++) {
        free(parts[i]->text);
        free(parts[i]);
    }
    free(groups), free(parts);
    groups = NULL, parts = NULL;
    num_groups = num_parts = 0;
}
