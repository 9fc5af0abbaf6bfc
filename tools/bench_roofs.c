/* Rows of roofs, OpenCL's rounds alternating with those of the intrinsics program where there is one. */

#include "bench.h"
#include "os.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3, MORE_ROUNDS = 9 };
static const double behind = 0.95; /* an OpenCL roof further behind the intrinsics than this is no roof */

static const struct {
    const char *id, *what;
    clgrad_roof_kind kind;
    uint64_t working_set;
} roofs[] = {
    { "roof.read", "sums over one array of 128 MiB", CLGRAD_ROOF_READ, 128u << 20 },
    { "roof.copy", "y = x, 128 MiB in all", CLGRAD_ROOF_COPY, 128u << 20 },
    { "roof.triad", "x = y + s z, 192 MiB in all", CLGRAD_ROOF_TRIAD, 192u << 20 },
    { "roof.inplace", "x = s x, 128 MiB", CLGRAD_ROOF_INPLACE, 128u << 20 },
    { "roof.read.8M", "the same in 8 MiB", CLGRAD_ROOF_READ, 8u << 20 },
    { "roof.copy.8M", "the same in 8 MiB", CLGRAD_ROOF_COPY, 8u << 20 },
    { "roof.inplace.8M", "the same in 8 MiB", CLGRAD_ROOF_INPLACE, 8u << 20 },
    { "roof.read.512K", "the same in 512 KiB", CLGRAD_ROOF_READ, 512u << 10 },
    { "roof.copy.512K", "the same in 512 KiB", CLGRAD_ROOF_COPY, 512u << 10 },
    { "roof.inplace.512K", "the same in 512 KiB", CLGRAD_ROOF_INPLACE, 512u << 10 },
    { "roof.fma.f32", "independent multiply-adds in registers", CLGRAD_ROOF_FMA_F32, 0 },
    { "roof.fma.f64", "independent multiply-adds in registers", CLGRAD_ROOF_FMA_F64, 0 },
    { "roof.fma.f16", "independent multiply-adds in registers", CLGRAD_ROOF_FMA_F16, 0 },
    { "roof.launch", "an empty launch, queued behind others", CLGRAD_ROOF_LAUNCH, 0 },
    { "roof.finish", "an empty launch, waited for", CLGRAD_ROOF_FINISH, 0 },
    { "roof.upload", "80 MiB from host memory", CLGRAD_ROOF_UPLOAD, 0 },
    { "roof.download", "80 MiB to host memory", CLGRAD_ROOF_DOWNLOAD, 0 },
};
static const size_t num_roofs = sizeof roofs / sizeof *roofs;

size_t bench_count_roofs(const bench_options *options)
{
    size_t count = 0;
    for (size_t i = 0; i < num_roofs; i++) count += bench_selected(options, roofs[i].id);
    return count;
}

/* One round of the program, in bytes/s or flop/s; 0 where it is not there or does not know the pattern. */
static bench_figure intrinsics_round(const bench_run *run, clgrad_roof_kind kind, uint64_t working_set)
{
    const clgrad_device_info *info = clgrad_device_get_info(run->dev);
    char threads[16], bytes[24];
    child_result child;
    bench_figure figure = { 0, 0 };
    if (!run->options->intrinsics || info->kind != CLGRAD_DEVICE_CPU || kind > CLGRAD_ROOF_FMA_F64) return figure;
    snprintf(threads, sizeof threads, "%u", info->compute_units);
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)working_set);
    const char *const arguments[] = { strchr(clgrad_roof_name(kind), '.') + 1, bytes, threads, NULL };
    if (!run_program(run->options->intrinsics, arguments, NULL, NULL, 20, &child)) return figure;
    if (child.exit_code == 0 && child.output) {
        char *end;
        figure.rate = strtod(child.output, &end);
        figure.processor = strtod(end, NULL);
    }
    free(child.output);
    const bool sound = isfinite(figure.rate) && figure.rate > 0 && isfinite(figure.processor) && figure.processor >= 0;
    return sound ? figure : (bench_figure){ 0, 0 };
}

/* By processor time where both tell it, which neighbours on a busy machine do not change; else by the clock. */
static double part_of(const bench_figure *opencl, const bench_figure *intrinsics)
{
    if (opencl->processor > 0 && intrinsics->processor > 0) return opencl->processor / intrinsics->processor;
    return opencl->rate > 0 && intrinsics->rate > 0 ? opencl->rate / intrinsics->rate : 1;
}

static bench_figure figure_of(const clgrad_roof *roof)
{
    clgrad_roof_result r = CLGRAD_ROOF_RESULT_INIT;
    clgrad_roof_get(roof, &r);
    return (bench_figure){ r.best, r.processor };
}

/* Three rounds of each, and more while OpenCL is behind: one of the two may just have been unlucky. */
static clgrad_status alternate(bench_run *run, clgrad_roof *roof, clgrad_roof_kind kind, uint64_t working_set,
                               bench_figure *best)
{
    const int rounds = run->options->quick ? 1 : ROUNDS, most = run->options->quick ? 1 : MORE_ROUNDS;
    bench_figure opencl = { 0, 0 };
    for (int i = 0; i < rounds || (i < most && part_of(&opencl, best) < behind); i++) {
        const clgrad_status status = clgrad_roof_round(roof);
        if (status) return status;
        opencl = figure_of(roof);
        const bench_figure round = i < rounds ? intrinsics_round(run, kind, working_set) : (bench_figure){ 0, 0 };
        if (round.rate > best->rate) best->rate = round.rate;
        if (round.processor > best->processor) best->processor = round.processor;
    }
    return CLGRAD_OK;
}

static void remember(bench_run *run, clgrad_roof_kind kind, bench_figure opencl, bench_figure intrinsics)
{
    run->asked[kind] = true;
    run->beside[kind] = opencl;
    run->intrinsics[kind] = intrinsics;
}

double bench_roof_factor(bench_run *run, clgrad_roof_kind kind)
{
    if (run->options->quick || (kind != CLGRAD_ROOF_FMA_F32 && kind != CLGRAD_ROOF_FMA_F64)) return 1;
    if (!run->asked[kind]) {
        clgrad_roof *roof = NULL;
        bench_figure opencl = { 0, 0 }, intrinsics = { 0, 0 };
        if (clgrad_roof_create(run->dev, kind, 0, &roof) == CLGRAD_OK &&
            alternate(run, roof, kind, 0, &intrinsics) == CLGRAD_OK)
            opencl = figure_of(roof);
        clgrad_roof_release(&roof);
        remember(run, kind, opencl, intrinsics);
    }
    const double part = part_of(&run->beside[kind], &run->intrinsics[kind]);
    return part < behind ? 1 / part : 1;
}

static const char *unit_of(clgrad_roof_kind kind)
{
    if (kind == CLGRAD_ROOF_LAUNCH || kind == CLGRAD_ROOF_FINISH) return "1/s";
    return kind >= CLGRAD_ROOF_FMA_F32 && kind <= CLGRAD_ROOF_FMA_F16 ? "flop/s" : "B/s";
}

static void put_roof(json_t *result, const clgrad_roof_result *r, clgrad_roof_kind kind, const bench_figure *intrinsics)
{
    const bench_figure opencl = { r->best, r->processor };
    const bool compute = kind == CLGRAD_ROOF_FMA_F32 || kind == CLGRAD_ROOF_FMA_F64;
    json_object_set_new(result, "rate", json_real(r->best));
    json_object_set_new(result, "rate_processor", r->processor > 0 ? json_real(r->processor) : json_null());
    json_object_set_new(result, "rate_unit", json_string(unit_of(kind)));
    json_object_set_new(result, "form", json_string(r->form));
    json_object_set_new(result, "working_set", json_integer((json_int_t)r->working_set));
    json_object_set_new(result, "rounds", bench_rounds_json(r));
    json_object_set_new(result, "intrinsics", intrinsics->rate > 0 ? json_real(intrinsics->rate) : json_null());
    json_object_set_new(result, "intrinsics_processor",
                        intrinsics->processor > 0 ? json_real(intrinsics->processor) : json_null());
    if (part_of(&opencl, intrinsics) < behind)
        json_object_set_new(result, "reason",
                            json_string(compute ? "more than 5% below the intrinsics, whose figure is the roof"
                                                : "more than 5% below the intrinsics"));
}

static json_t *measure_roof(bench_run *run, size_t i)
{
    json_t *result = bench_result(roofs[i].id, "roof", roofs[i].what, "ok", "");
    clgrad_roof *roof = NULL;
    clgrad_roof_result r = CLGRAD_ROOF_RESULT_INIT;
    bench_figure intrinsics = { 0, 0 };
    if (monotonic_seconds() > run->deadline) {
        json_object_set_new(result, "status", json_string("skipped"));
        json_object_set_new(result, "reason", json_string("out of time; --limit gives more, --filter runs it alone"));
        return result;
    }
    clgrad_status status = clgrad_roof_create(run->dev, roofs[i].kind, roofs[i].working_set, &roof);
    if (!status) status = alternate(run, roof, roofs[i].kind, roofs[i].working_set, &intrinsics);
    if (!status) {
        clgrad_roof_get(roof, &r);
        if (roofs[i].kind >= CLGRAD_ROOF_FMA_F32) remember(run, roofs[i].kind, figure_of(roof), intrinsics);
        put_roof(result, &r, roofs[i].kind, &intrinsics);
    } else {
        json_object_set_new(result, "status", json_string(status == CLGRAD_E_UNSUPPORTED ? "unsupported" : "error"));
        json_object_set_new(result, "reason", json_string(clgrad_error_text(run->ctx)));
    }
    clgrad_roof_release(&roof);
    return result;
}

void bench_measure_roofs(bench_run *run)
{
    for (size_t i = 0; i < num_roofs && !interrupted(); i++) {
        if (!bench_selected(run->options, roofs[i].id)) continue;
        bench_progress(run, roofs[i].id);
        json_array_append_new(run->results, measure_roof(run, i));
    }
}
