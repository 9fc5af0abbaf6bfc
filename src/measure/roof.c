/* Roofs: rounds of samples over all forms that are still in the running. */

#include "measure/roof.h"

#include "base/os.h"

#include <stdio.h>

/* A sample lasts this long; a form this far behind after a round is not tried again. */
static const double sample_seconds = 0.003, hopeless = 0.85;
static const double long_sample = 0.05;          /* one of these a round is enough */
enum { SAMPLES = 3, TRANSFER_BYTES = 80 << 20 }; /* past the size at which writes are copied first */

static clgrad_status make_transfer(clgrad_roof *roof)
{
    clgrad_context *ctx = clgrad_device_get_context(roof->dev);
    roof->host_bytes = TRANSFER_BYTES;
    roof->host = clgrad_alloc(ctx, roof->host_bytes, 1);
    if (!roof->host) return CLGRAD_E_MEMORY;
    memset(roof->host, 0x3c, roof->host_bytes);
    CLGRAD_TRY(clgrad_buffer_create(roof->dev, roof->host_bytes, &roof->arrays[0]));
    roof->forms[0] = (clgrad_roof_form){ .text = "80 MiB, pageable", .work = (double)roof->host_bytes, .batch = 1 };
    roof->num_forms = 1;
    return CLGRAD_OK;
}

static const struct {
    const char *name;
    clgrad_status (*make)(clgrad_roof *roof);
} kinds[CLGRAD_ROOF_COUNT] = {
    [CLGRAD_ROOF_READ] = { "roof.read", clgrad_roof_make_memory },
    [CLGRAD_ROOF_COPY] = { "roof.copy", clgrad_roof_make_memory },
    [CLGRAD_ROOF_TRIAD] = { "roof.triad", clgrad_roof_make_memory },
    [CLGRAD_ROOF_INPLACE] = { "roof.inplace", clgrad_roof_make_memory },
    [CLGRAD_ROOF_FMA_F32] = { "roof.fma.f32", clgrad_roof_make_fma },
    [CLGRAD_ROOF_FMA_F64] = { "roof.fma.f64", clgrad_roof_make_fma },
    [CLGRAD_ROOF_FMA_F16] = { "roof.fma.f16", clgrad_roof_make_fma },
    [CLGRAD_ROOF_LAUNCH] = { "roof.launch", clgrad_roof_make_launch },
    [CLGRAD_ROOF_FINISH] = { "roof.finish", clgrad_roof_make_launch },
    [CLGRAD_ROOF_UPLOAD] = { "roof.upload", make_transfer },
    [CLGRAD_ROOF_DOWNLOAD] = { "roof.download", make_transfer },
};

const char *clgrad_roof_name(clgrad_roof_kind kind) { return (unsigned)kind < CLGRAD_ROOF_COUNT ? kinds[kind].name : NULL; }

static bool is_memory(clgrad_roof_kind kind) { return kind <= CLGRAD_ROOF_INPLACE; }

static bool is_arithmetic(clgrad_roof_kind kind) { return kind >= CLGRAD_ROOF_FMA_F32 && kind <= CLGRAD_ROOF_FMA_F16; }

clgrad_status clgrad_roof_create(clgrad_device *dev, clgrad_roof_kind kind, uint64_t working_set, clgrad_roof **out)
{
    enum { SMALLEST = 4096 };
    clgrad_context *ctx = clgrad_device_get_context(dev);
    *out = NULL;
    if (!clgrad_roof_name(kind)) return clgrad_fail(ctx, CLGRAD_E_ARG, "no roof of kind %d", (int)kind);
    if (is_memory(kind) && working_set < SMALLEST)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "%s: a working set of %llu bytes is below %d", kinds[kind].name,
                           (unsigned long long)working_set, SMALLEST);
    clgrad_roof *roof = clgrad_alloc(ctx, 1, sizeof *roof);
    if (!roof) return CLGRAD_E_MEMORY;
    roof->dev = clgrad_device_retain(dev);
    roof->kind = kind;
    roof->working_set = is_memory(kind) || is_arithmetic(kind) ? working_set : 0;
    const clgrad_status status = kinds[kind].make(roof);
    if (status)
        clgrad_roof_release(&roof);
    else
        *out = roof;
    return status;
}

void clgrad_roof_release(clgrad_roof **address)
{
    clgrad_roof *roof = *address;
    *address = NULL;
    if (!roof) return;
    clgrad_device *dev = roof->dev;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    for (size_t i = 0; i < roof->num_forms; i++) clgrad_kernel_release(&roof->forms[i].kernel);
    for (size_t i = 0; i < CLGRAD_ROOF_ARRAYS; i++) clgrad_buffer_release(&roof->arrays[i]);
    clgrad_buffer_release(&roof->results);
    clgrad_free(ctx, roof->host);
    clgrad_free(ctx, roof);
    clgrad_device_release(&dev);
}

static clgrad_status launch(clgrad_roof *roof, const clgrad_roof_form *form)
{
    switch (roof->kind) {
    case CLGRAD_ROOF_UPLOAD: return clgrad_buffer_write(roof->arrays[0], 0, roof->host, roof->host_bytes);
    case CLGRAD_ROOF_DOWNLOAD: return clgrad_buffer_read(roof->arrays[0], 0, roof->host, roof->host_bytes);
    default: break;
    }
    CLGRAD_TRY(clgrad_kernel_launch(form->kernel, 1, &form->items, &form->group, kinds[roof->kind].name));
    return roof->kind == CLGRAD_ROOF_FINISH ? clgrad_device_finish(roof->dev) : CLGRAD_OK;
}

/* Seconds of a batch, and the processor's. */
static clgrad_status time_form(clgrad_roof *roof, const clgrad_roof_form *form, size_t batch, double *seconds,
                               double *processor)
{
    const double begin = clgrad_os_seconds(), used = clgrad_os_processor_seconds();
    for (size_t i = 0; i < batch; i++) CLGRAD_TRY(launch(roof, form));
    CLGRAD_TRY(clgrad_device_finish(roof->dev));
    *seconds = clgrad_os_seconds() - begin;
    *processor = clgrad_os_processor_seconds() - used;
    return CLGRAD_OK;
}

static clgrad_status calibrate(clgrad_roof *roof, clgrad_roof_form *form)
{
    enum { MOST = 1 << 16 };
    double seconds, processor;
    CLGRAD_TRY(time_form(roof, form, 1, &seconds, &processor)); /* compiled and touched */
    for (form->batch = 1; form->batch < MOST; form->batch *= 2) {
        CLGRAD_TRY(time_form(roof, form, form->batch, &seconds, &processor));
        if (seconds >= sample_seconds / 2) break;
    }
    return CLGRAD_OK;
}

static clgrad_status sample_form(clgrad_roof *roof, clgrad_roof_form *form, double *best)
{
    if (form->batch == 0) CLGRAD_TRY(calibrate(roof, form));
    for (size_t i = 0; i < SAMPLES; i++) {
        double seconds, processor;
        CLGRAD_TRY(time_form(roof, form, form->batch, &seconds, &processor));
        const double work = form->work * (double)form->batch, rate = work / (seconds > 1e-9 ? seconds : 1e-9);
        if (processor > 0 && work / processor > form->processor) form->processor = work / processor;
        if (rate > form->best) form->best = rate;
        if (rate > *best) *best = rate;
        if (seconds > long_sample) break;
    }
    return CLGRAD_OK;
}

static double best_of(const clgrad_roof *roof, size_t *which)
{
    double best = 0;
    for (size_t i = 0; i < roof->num_forms; i++)
        if (roof->forms[i].best > best) best = roof->forms[i].best, *which = i;
    return best;
}

clgrad_status clgrad_roof_round(clgrad_roof *roof)
{
    double best = 0;
    size_t which = 0;
    const double so_far = best_of(roof, &which);
    for (size_t i = 0; i < roof->num_forms; i++)
        if (roof->forms[i].batch == 0 || roof->forms[i].best >= hopeless * so_far)
            CLGRAD_TRY(sample_form(roof, &roof->forms[i], &best));
    const size_t place = roof->num_rounds < CLGRAD_ROOF_ROUNDS ? roof->num_rounds++ : CLGRAD_ROOF_ROUNDS - 1;
    roof->rounds[place] = best;
    return CLGRAD_OK;
}

void clgrad_roof_get(const clgrad_roof *roof, clgrad_roof_result *out)
{
    size_t which = 0;
    out->best = best_of(roof, &which);
    out->processor = 0;
    for (size_t i = 0; i < roof->num_forms && clgrad_device_get_info(roof->dev)->kind == CLGRAD_DEVICE_CPU; i++)
        if (roof->forms[i].processor > out->processor) out->processor = roof->forms[i].processor;
    out->form = roof->forms[which].text;
    out->working_set = roof->working_set;
    out->num_rounds = roof->num_rounds;
    memcpy(out->rounds, roof->rounds, sizeof out->rounds);
}
