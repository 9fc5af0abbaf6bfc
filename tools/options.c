/* Option tables: parsing by getopt_long and help from the same rows; exit codes; opening a device. */

#include "command.h"
#include "os.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

int exit_code_of(clgrad_status status)
{
    switch (status) {
    case CLGRAD_OK: return EXIT_DONE;
    case CLGRAD_E_CONFIG: return EXIT_USAGE;
    case CLGRAD_E_LOADER:
    case CLGRAD_E_NO_DEVICE: return EXIT_NO_DEVICE;
    case CLGRAD_E_CHECK: return EXIT_CHECK_FAILED;
    default: return EXIT_RUN_FAILED;
    }
}

int report_failure(clgrad_context *ctx, clgrad_status status)
{
    const char *text = clgrad_error_text(ctx);
    fprintf(stderr, "clgrad: %s\n", *text ? text : clgrad_status_text(status));
    return exit_code_of(status);
}

int report_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("clgrad: ", stderr);
    vfprintf(stderr, format, args);
    fprintf(stderr, " (see clgrad %s --help)\n", command);
    va_end(args);
    return EXIT_USAGE;
}

static void print_help(const option_set *set)
{
    printf("usage: clgrad %s\n\n%s\n\noptions:\n", set->usage, set->summary);
    for (size_t i = 0; i < set->count; i++) {
        const command_option *o = &set->options[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        printf("  %-30s %s\n", left, o->help);
    }
    printf("  %-30s %s\n", "--help", "this text");
}

/* A mistyped long option: name the nearest one. getopt has already said what it did not know when opterr is on, so it is off. */
static int unknown_option(const option_set *set, const char *given)
{
    const char *word = given + strspn(given, "-");
    const char *best = NULL;
    size_t best_common = 2;
    for (size_t i = 0; i < set->count; i++) {
        size_t common = 0;
        while (word[common] && word[common] == set->options[i].name[common]) common++;
        if (common > best_common) best_common = common, best = set->options[i].name;
    }
    if (best) return report_usage(set->command, "unknown option %s; did you mean --%s?", given, best);
    return report_usage(set->command, "unknown option %s", given);
}

int parse_options(const option_set *set, int argc, char **argv, option_taker take, void *user, int *first_operand,
                  bool *helped)
{
    struct option *table = calloc(set->count + 2, sizeof *table);
    if (!table) return fputs("clgrad: out of memory\n", stderr), EXIT_RUN_FAILED;
    for (size_t i = 0; i < set->count; i++)
        table[i] = (struct option){ set->options[i].name, set->options[i].argument ? required_argument : no_argument,
                                    NULL, (int)i + 256 };
    table[set->count] = (struct option){ "help", no_argument, NULL, 'h' };
    int code = EXIT_DONE, found;
    *helped = false;
    opterr = 0;
    optind = 1;
    while (code == EXIT_DONE && !*helped && (found = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        if (found == 'h')
            print_help(set), *helped = true;
        else if (found == ':')
            code = report_usage(set->command, "%s needs a value", argv[optind - 1]);
        else if (found == '?')
            code = unknown_option(set, argv[optind - 1]);
        else
            code = take(user, &set->options[found - 256], optarg);
    }
    *first_operand = optind;
    free(table);
    return code;
}

static void log_to_stderr(void *user, clgrad_log_level level, const char *topic, const char *line)
{
    if ((int)level <= *(const int *)user) fprintf(stderr, "clgrad: [%s] %s\n", topic, line);
}

int open_context(clgrad_context **ctx)
{
    static int verbosity;
    const char *verbose = getenv("CLGRAD_VERBOSE");
    verbosity = verbose ? (int)strtol(verbose, NULL, 10) : 0;
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.log = log_to_stderr;
    options.log_user = &verbosity;
    const clgrad_status status = clgrad_context_create(&options, ctx);
    return status == CLGRAD_OK ? EXIT_DONE : report_failure(NULL, status);
}

int open_device_in(clgrad_context *ctx, const device_choice *choice, clgrad_device **dev)
{
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    options.selector = choice->selector;
    options.profiling = choice->profiling;
    options.unfused = choice->unfused;
    const clgrad_status status = clgrad_device_open(ctx, &options, dev);
    if (status == CLGRAD_OK) return EXIT_DONE;
    report_failure(ctx, status);
    return EXIT_NO_DEVICE;
}

int open_device(const device_choice *choice, clgrad_context **ctx, clgrad_device **dev)
{
    int code = open_context(ctx);
    if (code == EXIT_DONE) code = open_device_in(*ctx, choice, dev);
    if (code != EXIT_DONE) clgrad_context_release(ctx);
    return code;
}

json_t *host_json(void)
{
    machine m;
    describe_machine(&m);
    return json_pack("{s:s, s:s, s:i, s:I}", "system", m.system, "cpu", m.cpu, "cores", m.cores, "memory_bytes", (json_int_t)m.memory_bytes);
}

int print_json(json_t *value)
{
    const int code = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    fputc('\n', stdout);
    json_decref(value);
    return code ? EXIT_RUN_FAILED : EXIT_DONE;
}
