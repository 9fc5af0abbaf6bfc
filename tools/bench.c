/* clgrad bench: roofs and rows of one device or all, printed, written, compared. */

#include "bench.h"
#include "os.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int take(void *user, const command_option *option, const char *value)
{
    bench_options *o = user;
    char *end = NULL;
    switch (option->letter) {
    case 'd': o->device = value; break;
    case 'a': o->all_devices = true; break;
    case 'f': o->filter = value; break;
    case 'j': o->json = value; break;
    case 'h': o->html = value; break;
    case 'm': o->mnist = value; break;
    case 'i': o->intrinsics = value; break;
    case 'q': o->quick = true; break;
    case 'l': o->limit = strtod(value, &end); break;
    default: o->spoil = true; break;
    }
    if (end && (end == value || *end || !(o->limit >= 0 && isfinite(o->limit))))
        return report_usage("bench", "--limit %s is no number of seconds", value);
    return EXIT_DONE;
}

void bench_progress(bench_run *run, const char *id)
{
    run->done++;
    if (is_terminal(2)) fprintf(stderr, "\r%zu/%zu %-60s", run->done, run->planned, id);
}

static size_t count_selected(const bench_options *o)
{
    size_t count = bench_count_roofs(o);
    for (size_t i = 0; i < bench_num_rows; i++) count += bench_selected(o, bench_rows[i].id);
    return count;
}

/* One device; NULL after reporting. */
static json_t *run_device(const bench_options *o, const char *selector, double seconds, int *code)
{
    enum { ROWS_WORTH = 8 }; /* no row may take more than this part of the time */
    bench_run run = { .options = o, .planned = count_selected(o), .deadline = INFINITY, .allowance = INFINITY };
    if (o->limit > 0) run.deadline = monotonic_seconds() + seconds, run.allowance = seconds / ROWS_WORTH;
    *code = open_device(&(device_choice){ selector, false, false }, &run.ctx, &run.dev);
    if (*code != EXIT_DONE) return NULL;
    run.results = json_array();
    bench_measure_roofs(&run);
    bench_measure_rows(&run);
    if (is_terminal(2)) fprintf(stderr, "\r%-78s\r", "");
    json_t *result = json_pack("{s:o, s:o}", "device", device_json(clgrad_device_get_info(run.dev)), "results", run.results);
    bench_reference_release(run.ctx, &run.reference);
    clgrad_device_release(&run.dev);
    clgrad_context_release(&run.ctx);
    return result;
}

/* Every usable device in turn; one that cannot be opened is reported and left out. */
static int run_all(const bench_options *o, json_t *runs)
{
    clgrad_context *ctx = NULL;
    clgrad_device_list *list = NULL;
    int code = open_context(&ctx);
    if (code != EXIT_DONE) return code;
    const clgrad_status status = clgrad_device_list_create(ctx, &list);
    if (status != CLGRAD_OK) code = report_failure(ctx, status);
    const size_t count = clgrad_device_list_count(list);
    for (size_t i = 0; code == EXIT_DONE && i < count && !interrupted(); i++) {
        const clgrad_device_info *info = clgrad_device_list_get(list, i);
        char selector[48];
        int one;
        snprintf(selector, sizeof selector, "%d:%d", info->platform_index, info->device_index);
        json_t *run = run_device(o, selector, o->limit / (double)count, &one);
        if (run) json_array_append_new(runs, run);
    }
    clgrad_device_list_release(&list);
    clgrad_context_release(&ctx);
    return code != EXIT_DONE || json_array_size(runs) ? code : EXIT_NO_DEVICE;
}

static json_t *new_file(const bench_options *o)
{
    char started[32];
    const time_t now = time(NULL);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    return json_pack("{s:s, s:i, s:{s:s, s:s}, s:s, s:f, s:{s:s, s:s?, s:b}, s:o, s:[]}", "format", "clgrad-bench",
                     "format_version", 1, "tool", "name", "clgrad", "version", clgrad_version(), "started", started, "seconds",
                     0.0, "options", "filter", o->filter ? o->filter : "*", "mnist", o->mnist, "quick", o->quick, "host",
                     host_json(), "runs");
}

/* Did every row that was timed or checked come out as it should? Skipped and unsupported rows are no failure. */
static int verdict(const json_t *file)
{
    int code = EXIT_DONE;
    size_t i, r;
    json_t *run, *row;
    json_array_foreach(json_object_get(file, "runs"), i, run) json_array_foreach(json_object_get(run, "results"), r, row)
    {
        const char *status = json_string_value(json_object_get(row, "status"));
        if (strcmp(status, "failed-check") == 0 || strcmp(status, "above-roof") == 0) return EXIT_CHECK_FAILED;
        if (strcmp(status, "error") == 0) code = EXIT_RUN_FAILED;
    }
    return code;
}

static int write_results(const bench_options *o, const json_t *file)
{
    bench_print_table(stdout, file);
    bench_print_markdown(stdout, file);
    if (o->json && json_dump_file(file, o->json, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12)) != 0) {
        fprintf(stderr, "clgrad: cannot write %s\n", o->json);
        return EXIT_RUN_FAILED;
    }
    if (o->json) printf("\nall samples: %s\n", o->json);
    if (o->html && !bench_write_html(o->html, file)) {
        fprintf(stderr, "clgrad: cannot write %s\n", o->html);
        return EXIT_RUN_FAILED;
    }
    if (o->html) printf("%spage: %s\n", o->json ? "" : "\n", o->html);
    return verdict(file);
}

static int bench(bench_options *o)
{
    const double begin = monotonic_seconds();
    int code = EXIT_DONE;
    if (o->limit < 0) o->limit = o->filter ? 0 : 100;
    if (count_selected(o) == 0) return report_usage("bench", "no row matches %s", o->filter);
    char *found = o->intrinsics ? NULL : find_beside("bench/roofs/clgrad-roofs", "libexec/clgrad/clgrad-roofs");
    if (!o->intrinsics) o->intrinsics = found;
    catch_interrupts();
    json_t *file = new_file(o), *runs = json_object_get(file, "runs");
    if (o->all_devices) {
        code = run_all(o, runs);
    } else {
        json_t *run = run_device(o, o->device, o->limit, &code);
        if (run) json_array_append_new(runs, run);
    }
    json_object_set_new(file, "seconds", json_real(monotonic_seconds() - begin));
    if (code == EXIT_DONE) code = write_results(o, file);
    if (code == EXIT_DONE && interrupted()) code = EXIT_RUN_FAILED;
    json_decref(file);
    free(found);
    return code;
}

int command_bench(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "compare") == 0) return bench_compare(argc - 1, argv + 1);
    static const command_option options[] = {
        { "device", 'd', "DEVICE", "auto, gpu, cpu, an index, platform:device, part of a name, pci:..., uuid:..." },
        { "all-devices", 'a', NULL, "every usable device, one after the other" },
        { "filter", 'f', "GLOB", "only rows whose id matches, such as 'matmul.*'" },
        { "json", 'j', "FILE", "write everything, every sample included (docs/result-file.md)" },
        { "html", 'h', "FILE", "write one page that shows it: roofline, shares with their spread, device" },
        { "mnist", 'm', "DIR", "MNIST's IDX files for the epoch row; without, it runs on noise of that shape" },
        { "intrinsics", 'i', "PROGRAM", "bench/roofs' program; without, it is looked for beside the command" },
        { "limit", 'l', "SECONDS", "leave out what does not fit into so many; 0: no limit, as with --filter; unset: 100" },
        { "quick", 'q', NULL, "a few short samples, to see that rows run; the figures mean little" },
        { "spoil", 's', NULL, "negative control: every check fails, so no row may be timed" },
    };
    static const option_set set = {
        "bench", "bench [OPTIONS]\n       clgrad bench compare A.json B.json... [--fail-above PERCENT]",
        "Measure a device: its roofs, and rows of work held against the reference before they are timed and shown as\n"
        "shares of the roof of their own access pattern. Without options under two minutes.",
        options, sizeof options / sizeof *options
    };
    bench_options o = { .limit = -1 };
    int first;
    bool helped;
    const int code = parse_options(&set, argc, argv, take, &o, &first, &helped);
    if (code != EXIT_DONE || helped) return code;
    if (first < argc) return report_usage("bench", "unexpected argument %s", argv[first]);
    return bench(&o);
}
