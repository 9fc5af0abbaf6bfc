/* clgrad check: the table to attach to a bug report. */

#include "command.h"
#include "os.h"

#include "clgrad/measure.h"

#include <string.h>

typedef struct check_arguments {
    const char *device, *profile;
    bool json, verbose, all, small, unfused;
} check_arguments;

static int take(void *user, const command_option *option, const char *value)
{
    check_arguments *a = user;
    switch (option->letter) {
    case 'd': a->device = value; break;
    case 'p': a->profile = value; break;
    case 'j': a->json = true; break;
    case 'a': a->all = true; break;
    case 's': a->small = true; break;
    case 'u': a->unfused = true; break;
    default: a->verbose = true; break;
    }
    return EXIT_DONE;
}

typedef struct check_output {
    const check_arguments *arguments;
    json_t *rows;
    size_t count;
    double shown_at;
} check_output;

static void on_row(void *user, const clgrad_check_row *row)
{
    static const char *const words[] = { "ok", "FAILED", "skipped" };
    check_output *out = user;
    out->count++;
    if (out->rows)
        json_array_append_new(out->rows, json_pack("{s:s, s:s, s:f, s:s}", "name", row->name, "verdict", words[row->verdict],
                                                   "error", row->error < 1e300 ? row->error : 1e300, "detail", row->detail));
    else if (out->arguments->verbose || row->verdict == CLGRAD_CHECK_FAILED)
        printf("%-8s %-48s %9.3g of its bound  %s\n", words[row->verdict], row->name, row->error, row->detail);
    if (is_terminal(2) && monotonic_seconds() > out->shown_at + 0.2) {
        fprintf(stderr, "\r%zu checks, %-60s", out->count, row->name);
        out->shown_at = monotonic_seconds();
    }
}

static void print_summary(const clgrad_device_info *info, const clgrad_check_summary *s)
{
    printf("clgrad %s on %s, %s, driver %s\n", clgrad_version(), info->name, info->platform, info->driver);
    printf("%zu passed, %zu failed, %zu skipped\n", s->passed, s->failed, s->skipped);
    if (*s->digest) printf("determinism digest %s (%s)\n", s->digest, s->digest_class);
}

static int finish(clgrad_device *dev, clgrad_status status, check_output *out, const clgrad_check_summary *summary)
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    clgrad_context *ctx = clgrad_device_get_context(dev);
    if (is_terminal(2)) fprintf(stderr, "\r%-90s\r", "");
    if (status != CLGRAD_OK && status != CLGRAD_E_CHECK) return report_failure(ctx, status);
    if (out->rows) {
        json_t *result = json_pack("{s:s, s:o, s:I, s:I, s:I, s:s, s:s}", "version", clgrad_version(), "device", device_json(info),
                                   "passed", (json_int_t)summary->passed, "failed", (json_int_t)summary->failed, "skipped",
                                   (json_int_t)summary->skipped, "digest", summary->digest, "digest_class", summary->digest_class);
        json_object_set(result, "rows", out->rows);
        print_json(result);
    } else {
        print_summary(info, summary);
    }
    if (out->arguments->profile && clgrad_device_write_trace(dev, out->arguments->profile) != CLGRAD_OK)
        return report_failure(ctx, clgrad_error_status(ctx));
    return exit_code_of(status);
}

int command_check(int argc, char **argv)
{
    static const command_option options[] = {
        { "device", 'd', "DEVICE", "auto, gpu, cpu, an index, platform:device, part of a name, pci:..., uuid:..." },
        { "json", 'j', NULL, "print one JSON object with every row" },
        { "verbose", 'v', NULL, "print every row, not only failures" },
        { "all", 'a', NULL, "every type in every layout and variant: a third more programs" },
        { "small", 's', NULL, "small sizes and three types only, for simulators" },
        { "unfused", 'u', NULL, "a*b+c instead of fma, as devices without fma compute" },
        { "profile", 'p', "FILE", "write a Chrome trace of every launch" },
    };
    static const option_set set = { "check", "check [OPTIONS] [NAME]",
                                    "Check a device: every operation in every variant against the reference, derivatives, determinism.\n"
                                    "NAME is a problem or a pattern such as 'reduce.*:f32:*'; a failing row prints its name.",
                                    options, sizeof options / sizeof *options };
    check_arguments arguments = { .device = NULL };
    int first;
    bool helped;
    int code = parse_options(&set, argc, argv, take, &arguments, &first, &helped);
    if (code != EXIT_DONE || helped) return code;
    if (first + 1 < argc) return report_usage("check", "unexpected argument %s", argv[first + 1]);

    clgrad_context *ctx = NULL;
    clgrad_device *dev = NULL;
    code = open_device(&(device_choice){ arguments.device, arguments.profile != NULL, arguments.unfused }, &ctx, &dev);
    if (code != EXIT_DONE) return code;
    check_output out = { .arguments = &arguments, .rows = arguments.json ? json_array() : NULL };
    clgrad_check_options how = CLGRAD_CHECK_OPTIONS_INIT;
    clgrad_check_summary summary;
    how.filter = first < argc ? argv[first] : NULL;
    how.all = arguments.all;
    how.small = arguments.small;
    how.row = on_row;
    how.user = &out;
    code = finish(dev, clgrad_check(dev, &how, &summary), &out, &summary);
    json_decref(out.rows);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
    return code;
}
