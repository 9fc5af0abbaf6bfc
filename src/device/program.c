/* Programs: the whole text of a specialised template, building it, and sharing it by equal text. */

#include "base/os.h"
#include "device/cl_device.h"

/* -w: PoCL counts warnings on the program's stderr, also of loops it does not unroll and of vectors wider than the processor's. */
#define PLAIN "-cl-std=CL1.2 -w"
#define EXACT PLAIN " -cl-fp32-correctly-rounded-divide-sqrt"
#define SHORT_HEADER " -D_OPENCL_H_ -DCLGRAD_BUILTINS=1" /* the guard of clang's header; builtins.cl stands in */

static bool has_short_header(const clgrad_device *dev)
{
    return dev->record.quirks & CLGRAD_QUIRK_LONG_HEADER && !dev->record.info.fp16; /* of which builtins.cl declares nothing */
}

static const char *options_with_whole_header(const clgrad_device *dev) { return dev->record.info.exact_divide ? EXACT : PLAIN; }

const char *clgrad_build_options(const clgrad_device *dev)
{
    if (!has_short_header(dev)) return options_with_whole_header(dev);
    return dev->record.info.exact_divide ? EXACT SHORT_HEADER : PLAIN SHORT_HEADER;
}

static void append_prologue(const clgrad_device *dev, clgrad_text *text)
{
    const clgrad_device_info *info = &dev->record.info;
    const bool fused = clgrad_device_fused(dev);
    clgrad_text_append(text, "#pragma OPENCL FP_CONTRACT OFF\n");
    if (info->fp64) clgrad_text_append(text, "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n");
    if (info->fp16) clgrad_text_append(text, "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\n");
    clgrad_text_append(text,
                       "#define CLGRAD_FMA %d\n#define CLGRAD_HAS_FP64 %d\n#define CLGRAD_HAS_FP16 %d\n"
                       "#define MULADD(a, b, c) %s\n"
                       "#ifdef __clang__\n" /* PoCL's vstore16 becomes three stores */
                       "#define STORE_VECTOR(T, bytes, store, value, p) \\\n"
                       "    { typedef T unaligned __attribute__((aligned(bytes))); *(global unaligned *)(p) = value; }\n"
                       "#else\n"
                       "#define STORE_VECTOR(T, bytes, store, value, p) store(value, 0, p);\n"
                       "#endif\n",
                       fused, info->fp64, info->fp16, fused ? "fma((a), (b), (c))" : "((a) * (b) + (c))");
}

/* Where a comment ends that begins at `from`; NULL: it does not. */
static const char *comment_end(const char *from)
{
    const char *end = strstr(from + 2, "*/");
    return end ? end + 2 : NULL;
}

/* Takes out what only people need, comments and repeated blanks, half of a template; lines stay lines. Returns what is left of `text`. */
static size_t squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        const char *end = from[0] == '/' && from[1] == '*' ? comment_end(from) : NULL;
        if (end) {
            *to++ = ' ';
            for (; from < end; from++)
                if (*from == '\n' || (*from == '\\' && from[1] == '\n')) *to++ = *from;
        } else if (*from == ' ' && (from[1] == ' ' || from[1] == '\n')) from++;
        else *to++ = *from++;
    }
    *to = '\0';
    return (size_t)(to - text);
}

static clgrad_status append_file(clgrad_context *ctx, const char *file, clgrad_text *text)
{
    char *content;
    CLGRAD_TRY(clgrad_kernel_file_read(ctx, file, &content));
    clgrad_text_append(text, "#line 1 \"%s\"\n", file);
    clgrad_text_append_bytes(text, content, squeeze(content));
    clgrad_text_append(text, "\n");
    clgrad_free(ctx, content);
    return CLGRAD_OK;
}

static const char *const math_files[] = { "constants.cl", "math.cl", "codec.cl" };

static clgrad_status append_template(clgrad_context *ctx, const char *preamble, const char *file, const char *walk, clgrad_text *text)
{
    if (preamble) clgrad_text_append(text, "#line 1 \"preamble\"\n%s\n", preamble);
    CLGRAD_TRY(append_file(ctx, file, text));
    return walk ? append_file(ctx, walk, text) : CLGRAD_OK;
}

/* #undef for every #define that the text has from `from` on. */
static void append_undefs(clgrad_text *text, size_t from)
{
    static const char word[] = "#define ";
    for (size_t at = from; !text->failed;) {
        const char *line = strstr(text->data + at, word);
        if (!line) return;
        const bool begins = line == text->data || line[-1] == '\n';
        char name[64];
        at = (size_t)(line - text->data) + sizeof word - 1;
        const size_t n = strcspn(text->data + at, " (\n\\");
        if (!begins || n >= sizeof name) continue;
        memcpy(name, text->data + at, n);
        name[n] = '\0';
        clgrad_text_append(text, "#undef %s\n", name);
    }
}

static clgrad_status append_parts(clgrad_context *ctx, const clgrad_kernel_source *source, clgrad_text *text)
{
    if (source->preamble) clgrad_text_append(text, "#line 1 \"preamble\"\n%s\n", source->preamble);
    for (size_t i = 0; i < source->num_parts; i++) {
        const clgrad_kernel_part *part = &source->parts[i];
        const size_t from = text->bytes;
        CLGRAD_TRY(append_template(ctx, part->preamble, part->file, part->walk, text));
        append_undefs(text, from);
    }
    clgrad_text_append(text, "#line 1 \"%s\"\n%s", source->file, source->closing);
    return CLGRAD_OK;
}

/* What stands before a body, which says what has to be declared for it. */
static clgrad_status append_head(clgrad_device *dev, bool with_math, const char *body, clgrad_text *text)
{
    append_prologue(dev, text);
    if (has_short_header(dev)) CLGRAD_TRY(append_file(dev->ctx, "builtins.cl", text));
    for (size_t i = 0; with_math && i < CLGRAD_COUNT(math_files); i++) CLGRAD_TRY(append_file(dev->ctx, math_files[i], text));
    if (!has_short_header(dev)) return CLGRAD_OK;
    clgrad_text_append(text, "#line 1 \"preamble\"\n");
    clgrad_builtins_declare(body, text);
    return CLGRAD_OK;
}

clgrad_status clgrad_kernel_text(clgrad_device *dev, const clgrad_kernel_source *source, char **out)
{
    clgrad_text text = { .ctx = dev->ctx }, body = { .ctx = dev->ctx };
    *out = NULL;
    clgrad_status status = source->num_parts ? append_parts(dev->ctx, source, &body)
                                             : append_template(dev->ctx, source->preamble, source->file, source->walk, &body);
    if (!status && body.failed) status = CLGRAD_E_MEMORY;
    if (!status) status = append_head(dev, source->with_math, body.data, &text);
    if (!status) clgrad_text_append_bytes(&text, body.data, body.bytes);
    if (!status && text.failed) status = CLGRAD_E_MEMORY;
    clgrad_text_release(&body);
    if (status)
        clgrad_text_release(&text);
    else
        *out = text.data;
    return status;
}

/* CLGRAD_DUMP_KERNELS=DIR gets every text that is built; failing to write one is only logged. */
static void dump(clgrad_device *dev, const clgrad_program *program, const char *shown, const char *text)
{
    char hex[CLGRAD_SHA256_HEX];
    const char *dir = clgrad_os_env("CLGRAD_DUMP_KERNELS");
    if (!dir || !*dir) return;
    clgrad_sha256_hex(program->digest, hex);
    clgrad_kept_error kept;
    clgrad_error_keep(dev->ctx, &kept);
    char *path = clgrad_format(dev->ctx, "%s/%s-%.16s.cl", dir, shown, hex);
    if (path && clgrad_os_write_file_atomic(dev->ctx, path, text, strlen(text)) != CLGRAD_OK)
        clgrad_log_line(dev->ctx, CLGRAD_LOG_WARNING, "dump", "%s", clgrad_error_text(dev->ctx));
    clgrad_free(dev->ctx, path);
    clgrad_error_put_back(dev->ctx, &kept);
}

/* The compiler's words in fresh memory; NULL where there are none. */
static char *build_log(clgrad_device *dev, cl_program program)
{
    size_t bytes = 0;
    const cl_device_id id = dev->record.id;
    if (dev->cl.GetProgramBuildInfo(program, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) != CL_SUCCESS) return NULL;
    char *log = clgrad_alloc(dev->ctx, bytes + 1, 1);
    if (log && dev->cl.GetProgramBuildInfo(program, id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL) != CL_SUCCESS) *log = '\0';
    return log;
}

/* What builtins.cl leaves out is declared by the compiler's own header. */
static cl_int build_with_whole_header(clgrad_device *dev, cl_program program, const char *shown)
{
    char *log = build_log(dev, program);
    const cl_int err = dev->cl.BuildProgram(program, 1, &dev->record.id, options_with_whole_header(dev), NULL, NULL);
    if (err == CL_SUCCESS) {
        clgrad_log_line(dev->ctx, CLGRAD_LOG_INFO, "build", "%s " CLGRAD_LONG_BUILD ": %s", shown, log ? log : "");
        dev->num_long_builds++;
    }
    clgrad_free(dev->ctx, log);
    return err;
}

static clgrad_status build_failed(clgrad_device *dev, cl_program program, cl_int code, const char *shown)
{
    const char *options = options_with_whole_header(dev);
    if (code == CL_OUT_OF_HOST_MEMORY) return clgrad_cl_refused(dev->ctx, code, "clBuildProgram", dev->record.info.name);
    char *log = build_log(dev, program);
    if (log) clgrad_log_line(dev->ctx, CLGRAD_LOG_WARNING, "build", "%s: %s", shown, log);
    const clgrad_status status = clgrad_fail(
        dev->ctx, CLGRAD_E_BUILD, "%s did not build on '%s' (driver %s, options %s): %s (%d)\n%s", shown,
        dev->record.info.name, dev->record.info.driver, options, clgrad_cl_error_name(code), (int)code, log ? log : "");
    clgrad_free(dev->ctx, log);
    return status;
}

static clgrad_status build(clgrad_device *dev, const char *text, const char *shown, cl_program *out)
{
    cl_int err = CL_SUCCESS;
    cl_program program = dev->cl.CreateProgramWithSource(dev->context, 1, &text, NULL, &err);
    if (err != CL_SUCCESS)
        return clgrad_cl_refused(dev->ctx, err, "clCreateProgramWithSource", dev->record.info.name);
    err = dev->cl.BuildProgram(program, 1, &dev->record.id, clgrad_build_options(dev), NULL, NULL);
    if (err == CL_BUILD_PROGRAM_FAILURE && has_short_header(dev)) err = build_with_whole_header(dev, program, shown);
    if (err != CL_SUCCESS) {
        const clgrad_status status = build_failed(dev, program, err, shown);
        dev->cl.ReleaseProgram(program);
        return status;
    }
    *out = program;
    return CLGRAD_OK;
}

static clgrad_program *find_program(clgrad_device *dev, const uint8_t *digest)
{
    for (size_t i = 0; i < dev->num_programs; i++)
        if (memcmp(dev->programs[i]->digest, digest, CLGRAD_SHA256_BYTES) == 0) return dev->programs[i];
    return NULL;
}

static void program_release(clgrad_device *dev, clgrad_program *program)
{
    if (program->program && clgrad_device_is_ours(dev)) dev->cl.ReleaseProgram(program->program);
    clgrad_free(dev->ctx, program->text);
    clgrad_free(dev->ctx, program);
}

/* From the cache on disk or by the compiler; a built program keeps its text until it is stored. */
static clgrad_status fill_program(clgrad_device *dev, clgrad_program *program, const char *text, const char *shown)
{
    if (clgrad_program_load(dev, text, &program->program)) return CLGRAD_OK;
    if (clgrad_programs_are_stored(dev) && !(program->text = clgrad_strdup(dev->ctx, text))) return CLGRAD_E_MEMORY;
    return build(dev, text, shown, &program->program);
}

clgrad_status clgrad_program_get(clgrad_device *dev, const char *text, const char *shown, clgrad_program **out)
{
    uint8_t digest[CLGRAD_SHA256_BYTES];
    clgrad_sha256_of(text, strlen(text), digest);
    clgrad_program *program = find_program(dev, digest);
    if (program) return *out = program, CLGRAD_OK;
    CLGRAD_TRY(clgrad_reserve(dev->ctx, &dev->programs, &dev->programs_capacity, dev->num_programs + 1,
                              sizeof *dev->programs));
    program = clgrad_alloc(dev->ctx, 1, sizeof *program);
    if (!program) return CLGRAD_E_MEMORY;
    memcpy(program->digest, digest, sizeof digest);
    dump(dev, program, shown, text);
    const clgrad_status status = fill_program(dev, program, text, shown);
    if (status) {
        program_release(dev, program);
        return status;
    }
    dev->programs[dev->num_programs++] = program;
    *out = program;
    return CLGRAD_OK;
}

void clgrad_programs_release(clgrad_device *dev)
{
    for (size_t i = 0; i < dev->num_programs; i++) program_release(dev, dev->programs[i]);
    clgrad_free(dev->ctx, dev->programs);
    dev->programs = NULL, dev->num_programs = 0;
}
