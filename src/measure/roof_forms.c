/* The forms of each roof: which kernels, how many work-items, how much work. */

#include "measure/roof.h"

#include <stdio.h>

enum { GPU_GROUP = 256, GPU_ITEMS_PER_UNIT = 2048 };

/* A CPU that prefers vectors has lanes inside a work-item; others run work-items side by side. */
static bool is_cpu_form(const clgrad_device_info *info) { return info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1; }

static size_t group_size(const clgrad_device_info *info)
{
    if (is_cpu_form(info)) return 1;
    return info->max_work_group < GPU_GROUP ? info->max_work_group : GPU_GROUP;
}

static size_t rounded_to_group(size_t items, size_t group) { return (items + group - 1) / group * group; }

/* Adds a form unless its kernel does not build; other failures are returned. */
static clgrad_status add_form(clgrad_roof *roof, const clgrad_kernel_source *source, const clgrad_roof_form *form)
{
    clgrad_context *ctx = clgrad_device_get_context(roof->dev);
    clgrad_kept_error kept;
    if (roof->num_forms == CLGRAD_ROOF_FORMS) return CLGRAD_OK;
    clgrad_error_keep(ctx, &kept);
    clgrad_roof_form *place = &roof->forms[roof->num_forms];
    *place = *form;
    const clgrad_status status = clgrad_kernel_create(roof->dev, source, &place->kernel);
    if (status == CLGRAD_E_BUILD) {
        clgrad_log_line(ctx, CLGRAD_LOG_INFO, "roof", "left out: %s", clgrad_error_text(ctx));
        clgrad_error_put_back(ctx, &kept);
        return CLGRAD_OK;
    }
    if (status == CLGRAD_OK) roof->num_forms++;
    return status;
}

static clgrad_status some_form(const clgrad_roof *roof)
{
    if (roof->num_forms) return CLGRAD_OK;
    return clgrad_fail(clgrad_device_get_context(roof->dev), CLGRAD_E_BUILD, "%s: no form of its kernel builds on '%s'",
                       clgrad_roof_name(roof->kind), clgrad_device_get_info(roof->dev)->name);
}

/* --- memory ------------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    size_t arrays;
    double traffic; /* bytes moved per byte of the working set */
} patterns[] = {
    [CLGRAD_ROOF_READ] = { "read", 1, 1 },
    [CLGRAD_ROOF_COPY] = { "copy", 2, 1 },
    [CLGRAD_ROOF_TRIAD] = { "triad", 3, 1 },
    [CLGRAD_ROOF_INPLACE] = { "inplace", 1, 2 },
};

static const struct {
    const char *suffix, *text;
} memory_forms[] = { { "", "" },
                     { "_ahead", ", prefetch" },
                     { "_stream", ", non-temporal store" },
                     { "_ahead_stream", ", prefetch, non-temporal store" } };

/* How a launch divides `count` vectors. */
typedef struct division {
    int64_t count, per;
    int32_t passes;
    size_t items, group;
} division;

static division divide(const clgrad_device_info *info, uint64_t working_set, int64_t count, size_t vector_bytes)
{
    enum { TILE_BYTES = 64 << 10, LONG_PASS = 32 << 20 };
    division d = { .count = count, .per = 1, .passes = 1, .group = group_size(info) };
    const int64_t units = info->compute_units ? info->compute_units : 1;
    const bool small = working_set < LONG_PASS;
    if (small) d.passes = (int32_t)(LONG_PASS / working_set + 1);
    if (is_cpu_form(info)) {
        /* Small sets: each unit keeps a part of its own, in its own caches. */
        d.per = small ? (count + units - 1) / units : (int64_t)(TILE_BYTES / vector_bytes);
        d.items = (size_t)((count + d.per - 1) / d.per);
        return d;
    }
    const int64_t most = units * GPU_ITEMS_PER_UNIT;
    d.items = rounded_to_group((size_t)(count < most ? count : most), d.group);
    return d;
}

static clgrad_status set_arguments(const clgrad_roof *roof, clgrad_kernel *kernel, const division *d)
{
    clgrad_buffer *y = roof->kind == CLGRAD_ROOF_READ ? roof->results : roof->arrays[1];
    CLGRAD_TRY(clgrad_kernel_set_buffer(kernel, 0, roof->arrays[0]));
    CLGRAD_TRY(clgrad_kernel_set_buffer(kernel, 1, y ? y : roof->arrays[0]));
    CLGRAD_TRY(clgrad_kernel_set_buffer(kernel, 2, roof->arrays[2] ? roof->arrays[2] : roof->arrays[0]));
    CLGRAD_TRY(clgrad_kernel_set_bytes(kernel, 3, &d->count, sizeof d->count));
    CLGRAD_TRY(clgrad_kernel_set_bytes(kernel, 4, &d->per, sizeof d->per));
    return clgrad_kernel_set_bytes(kernel, 5, &d->passes, sizeof d->passes);
}

static void memory_preamble(const clgrad_device_info *info, unsigned width, char *text, size_t bytes)
{
    const size_t group = group_size(info);
    char vector[16];
    snprintf(vector, sizeof vector, width > 1 ? "float%u" : "float", width);
    snprintf(text, bytes,
             "#define VECTOR %s\n#define WIDTH %u\n#define CPU %d\n#define AHEAD %u\n"
             "#define ATTRIBUTES __attribute__((reqd_work_group_size(%zu, 1, 1)))",
             vector, width, is_cpu_form(info), 4096 / 4 / width, group);
}

/* The arrays get noise through the first form's program. */
static clgrad_status fill_with_noise(clgrad_roof *roof, clgrad_kernel_source source, const division *d)
{
    clgrad_kernel *noise;
    division once = *d;
    clgrad_status status = CLGRAD_OK;
    source.name = "noise";
    once.passes = 1;
    CLGRAD_TRY(clgrad_kernel_create(roof->dev, &source, &noise));
    for (size_t i = 0; !status && i < patterns[roof->kind].arrays; i++) {
        status = set_arguments(roof, noise, &once);
        if (!status) status = clgrad_kernel_set_buffer(noise, 0, roof->arrays[i]);
        if (!status) status = clgrad_kernel_launch(noise, 1, &d->items, &d->group, "noise");
    }
    clgrad_kernel_release(&noise);
    return status;
}

static clgrad_status make_width(clgrad_roof *roof, unsigned width)
{
    const clgrad_device_info *info = clgrad_device_get_info(roof->dev);
    const size_t vector_bytes = 4 * (size_t)width, arrays = patterns[roof->kind].arrays;
    const int64_t count = (int64_t)(roof->working_set / arrays / vector_bytes);
    const division d = divide(info, roof->working_set, count, vector_bytes);
    char preamble[256], name[32];
    memory_preamble(info, width, preamble, sizeof preamble);
    clgrad_kernel_source source = { .file = "roof_memory.cl", .preamble = preamble, .name = name };
    for (size_t i = 0; i < arrays; i++)
        if (!roof->arrays[i]) CLGRAD_TRY(clgrad_buffer_create(roof->dev, roof->working_set / arrays, &roof->arrays[i]));
    if (!roof->results) CLGRAD_TRY(clgrad_buffer_create(roof->dev, d.items * 64, &roof->results));
    if (roof->num_forms == 0) CLGRAD_TRY(fill_with_noise(roof, source, &d));
    const double work = patterns[roof->kind].traffic * (double)(count * (int64_t)(vector_bytes * arrays)) * d.passes;
    for (size_t f = 0; f < CLGRAD_COUNT(memory_forms); f++) {
        clgrad_roof_form form = { .items = d.items, .group = d.group, .work = work };
        snprintf(name, sizeof name, "%s%s", patterns[roof->kind].name, memory_forms[f].suffix);
        snprintf(form.text, sizeof form.text, "float%u%s", width, memory_forms[f].text);
        const size_t before = roof->num_forms;
        CLGRAD_TRY(add_form(roof, &source, &form));
        if (roof->num_forms > before) CLGRAD_TRY(set_arguments(roof, roof->forms[before].kernel, &d));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_roof_make_memory(clgrad_roof *roof)
{
    const clgrad_device_info *info = clgrad_device_get_info(roof->dev);
    if (is_cpu_form(info)) {
        CLGRAD_TRY(make_width(roof, info->float_width));
    } else {
        CLGRAD_TRY(make_width(roof, 4)); /* the fewest work-items first: the room for results is made once */
        CLGRAD_TRY(make_width(roof, 1));
    }
    return some_form(roof);
}

/* --- arithmetic --------------------------------------------------------------------------------------------------------- */

typedef struct fma_type {
    const char *type;
    bool there;
    unsigned lanes; /* of a CPU's registers */
} fma_type;

static fma_type type_of(const clgrad_device_info *info, clgrad_roof_kind kind)
{
    switch (kind) {
    case CLGRAD_ROOF_FMA_F64: return (fma_type){ "double", info->fp64, info->double_width };
    case CLGRAD_ROOF_FMA_F16: return (fma_type){ "half", info->fp16, info->float_width < 16 ? 2 * info->float_width : 16 };
    default: return (fma_type){ "float", true, info->float_width };
    }
}

static clgrad_status make_fma_form(clgrad_roof *roof, const fma_type *type, unsigned width, unsigned chains, size_t items_per_unit)
{
    enum { CPU_STEPS = 20000, GPU_STEPS = 1000 };
    const clgrad_device_info *info = clgrad_device_get_info(roof->dev);
    const bool cpu = is_cpu_form(info);
    const size_t units = info->compute_units ? info->compute_units : 1;
    const float factor = 0.75f, offset = 0.25f;
    int32_t steps = cpu ? CPU_STEPS : GPU_STEPS;
    clgrad_roof_form form = { .group = group_size(info) };
    char preamble[200], vector[16];
    form.items = rounded_to_group(units * items_per_unit, form.group);
    const double step = 2.0 * (double)form.items * width * chains, asked = (double)roof->working_set / step;
    if (roof->working_set) steps = asked < 1 ? 1 : asked > INT32_MAX ? INT32_MAX : (int32_t)asked;
    form.work = step * steps;
    snprintf(vector, sizeof vector, width > 1 ? "%s%u" : "%s", type->type, width);
    snprintf(form.text, sizeof form.text, "%s, %u chains, %s", vector, chains,
             clgrad_device_fused(roof->dev) ? "fma" : "a*b+c");
    snprintf(preamble, sizeof preamble,
             "#define VECTOR %s\n#define CHAINS %u\n#define ATTRIBUTES __attribute__((reqd_work_group_size(%zu, 1, 1)))",
             vector, chains, form.group);
    const clgrad_kernel_source source = { .file = "roof_fma.cl", .preamble = preamble, .name = "roof_fma" };
    const size_t before = roof->num_forms;
    CLGRAD_TRY(add_form(roof, &source, &form));
    if (roof->num_forms == before) return CLGRAD_OK;
    clgrad_kernel *kernel = roof->forms[before].kernel;
    if (!roof->results) CLGRAD_TRY(clgrad_buffer_create(roof->dev, form.items * 128, &roof->results));
    CLGRAD_TRY(clgrad_kernel_set_buffer(kernel, 0, roof->results));
    CLGRAD_TRY(clgrad_kernel_set_bytes(kernel, 1, &factor, sizeof factor));
    CLGRAD_TRY(clgrad_kernel_set_bytes(kernel, 2, &offset, sizeof offset));
    return clgrad_kernel_set_bytes(kernel, 3, &steps, sizeof steps);
}

clgrad_status clgrad_roof_make_fma(clgrad_roof *roof)
{
    const clgrad_device_info *info = clgrad_device_get_info(roof->dev);
    const fma_type type = type_of(info, roof->kind);
    if (!type.there)
        return clgrad_fail(clgrad_device_get_context(roof->dev), CLGRAD_E_UNSUPPORTED, "'%s' has no %s", info->name, type.type);
    if (is_cpu_form(info)) {
        const unsigned lanes = type.lanes ? type.lanes : 1;
        CLGRAD_TRY(make_fma_form(roof, &type, lanes, 16, 8));
        CLGRAD_TRY(make_fma_form(roof, &type, lanes, 10, 8)); /* for register files of 16 */
        if (roof->working_set) CLGRAD_TRY(make_fma_form(roof, &type, lanes, 10, 2)); /* fewer groups are sooner begun */
    } else {
        CLGRAD_TRY(make_fma_form(roof, &type, 1, 8, GPU_ITEMS_PER_UNIT));
        CLGRAD_TRY(make_fma_form(roof, &type, 2, 8, GPU_ITEMS_PER_UNIT)); /* packed arithmetic */
    }
    return some_form(roof);
}

/* --- launches ------------------------------------------------------------------------------------------------------------ */

clgrad_status clgrad_roof_make_launch(clgrad_roof *roof)
{
    const clgrad_device_info *info = clgrad_device_get_info(roof->dev);
    char preamble[256];
    memory_preamble(info, 1, preamble, sizeof preamble);
    const clgrad_kernel_source source = { .file = "roof_memory.cl", .preamble = preamble, .name = "empty" };
    const clgrad_roof_form form = {
        .text = "empty, one group", .items = group_size(info), .group = group_size(info), .work = 1
    };
    const division d = { .count = 1, .per = 1, .passes = 1 };
    CLGRAD_TRY(clgrad_buffer_create(roof->dev, 256, &roof->arrays[0]));
    CLGRAD_TRY(add_form(roof, &source, &form));
    CLGRAD_TRY(some_form(roof));
    return set_arguments(roof, roof->forms[0].kernel, &d);
}
