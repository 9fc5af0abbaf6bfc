#include "settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const command_option own_options[] = {
    { "config", 'c', "FILE", "JSON with any of the options below; the environment and the command line win over it" },
    { "set", 's', "KEY=VALUE", "set one configuration value by its JSON name, such as optimizer.lr=0.1" },
    { "dump-config", 'C', NULL, "print the whole configuration as it would be used, and stop" },
    { "device", 'd', "DEVICE", "auto, gpu, cpu, an index, platform:device, part of a name, pci:..., uuid:..." },
    { "unfused", 'u', NULL, "a*b+c instead of fma, for equal bits with devices without fma" },
    { "json", 'j', NULL, "print the result as one JSON object" },
    { "progress", 'P', "HOW", "auto, bar, plain or none (auto: a bar on a terminal, else a line an epoch)" },
    { "log", 'l', "FILE", "append one JSON object a line: the start, each epoch, the end" },
    { "profile", 'p', "FILE", "write a Chrome trace of every launch" },
    { "resume", 'r', NULL, "continue from the file that --save names, bit for bit as if never interrupted" },
    { "output", 'o', "FILE", "write predictions there as CSV instead of to stdout" },
    { "forward", 'F', NULL, "explain a prediction's forward pass" },
    { "gradient", 'G', NULL, "explain loss and gradient alone" },
    { "hvp", 'H', NULL, "explain a Hessian-vector product at a kept point" },
    { "gnvp", 'W', NULL, "explain a Gauss-Newton product at a kept point" },
    { "graph", 'g', "FILE.svg", "draw the launches and the values between them" },
    { "no-time", 'n', NULL, "do not run and time the launches" },
};

enum { MAX_OPTIONS = 160, FROM_TABLE = 'T', FROM_TABLE_NEGATED = 'N' };

typedef struct settings_parse_state {
    settings_arguments *arguments;
    const command_option *table;
    const clgrad_option_info *rows[MAX_OPTIONS]; /* the table row behind each option, NULL for the command's own */
    bool failed;
} settings_parse_state;

static void assign(settings_parse_state *state, const char *key, const char *value)
{
    settings_arguments *a = state->arguments;
    void *larger = realloc(a->assignments, (a->num_assignments + 1) * sizeof *a->assignments);
    if (!larger) {
        state->failed = true;
        return;
    }
    a->assignments = larger;
    a->assignments[a->num_assignments].key = key;
    a->assignments[a->num_assignments++].value = value;
}

static int take(void *user, const command_option *option, const char *value)
{
    settings_parse_state *state = user;
    settings_arguments *a = state->arguments;
    const clgrad_option_info *row = state->rows[option - state->table];
    switch (option->letter) {
    case 'c': a->config_file = value; break;
    case 's': assign(state, NULL, value); break;
    case 'C': a->dump_config = true; break;
    case 'd': a->device = value; break;
    case 'u': a->unfused = true; break;
    case 'j': a->json = true; break;
    case 'P': a->progress = value; break;
    case 'l': a->log = value; break;
    case 'p': a->profile = value; break;
    case 'r': a->resume = true; break;
    case 'o': a->predictions = value; break;
    case 'F': a->workload = CLGRAD_WORKLOAD_FORWARD; break;
    case 'G': a->workload = CLGRAD_WORKLOAD_GRADIENT; break;
    case 'H': a->workload = CLGRAD_WORKLOAD_HVP; break;
    case 'W': a->workload = CLGRAD_WORKLOAD_GNVP; break;
    case 'g': a->graph = value; break;
    case 'n': a->no_time = true; break;
    case FROM_TABLE: assign(state, row->key, value ? value : "true"); break;
    case FROM_TABLE_NEGATED: assign(state, row->key, "false"); break;
    default: break;
    }
    if (state->failed) return fputs("clgrad: out of memory\n", stderr), EXIT_RUN_FAILED;
    return EXIT_DONE;
}

static bool listed(const char *const *flags, const char *flag)
{
    if (!flags) return true;
    for (size_t i = 0; flags[i]; i++)
        if (strcmp(flags[i], flag) == 0) return true;
    return false;
}

/* Help texts of table rows carry the default and, for switches, nothing else. texts[] keeps what must live through parsing. */
static size_t add_row(const clgrad_option_info *row, command_option *options, char **texts)
{
    char *help = malloc(strlen(row->help) + strlen(row->standard) + 32), *negated = NULL;
    if (!help) return 0;
    if (*row->standard)
        sprintf(help, "%s [%s]", row->help, row->standard);
    else
        strcpy(help, row->help);
    texts[0] = help;
    options[0] = (command_option){ row->flag, FROM_TABLE, row->type == CLGRAD_OPTION_FLAG ? NULL : row->metavar, help };
    if (row->type != CLGRAD_OPTION_FLAG || !(negated = malloc(strlen(row->flag) + 4))) return 1;
    sprintf(negated, "no-%s", row->flag);
    texts[1] = negated;
    options[1] = (command_option){ negated, FROM_TABLE_NEGATED, NULL, "the opposite" };
    return 2;
}

static size_t make_options(const settings_command *command, command_option *options, char **texts,
                           const clgrad_option_info **rows)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof own_options / sizeof *own_options; i++)
        if (strchr(command->own, own_options[i].letter)) options[count++] = own_options[i];
    const clgrad_option_info *row;
    for (size_t i = 0; (row = clgrad_option_get(i)) != NULL && count + 2 <= MAX_OPTIONS; i++) {
        if (!row->flag || !listed(command->option_flags, row->flag)) continue;
        const size_t added = add_row(row, options + count, texts + count);
        for (size_t k = 0; k < added; k++) rows[count + k] = row;
        count += added;
    }
    return count;
}

static int check_operands(const settings_command *command, int argc, char **argv, int first, settings_arguments *out)
{
    for (int i = first; i < argc; i++) {
        if (out->num_operands == command->num_operands) return report_usage(command->name, "unexpected argument %s", argv[i]);
        out->operands[out->num_operands++] = argv[i];
    }
    if (out->num_operands < command->num_operands) return report_usage(command->name, "%s is missing", command->operand ? command->operand : "a file");
    static const char *const ways[] = { "auto", "bar", "plain", "none" };
    bool known = !out->progress;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) known = known || strcmp(out->progress, ways[i]) == 0;
    return known ? EXIT_DONE : report_usage(command->name, "--progress is auto, bar, plain or none, not %s", out->progress);
}

int settings_parse(const settings_command *command, int argc, char **argv, settings_arguments *out)
{
    command_option options[MAX_OPTIONS];
    char *texts[MAX_OPTIONS] = { NULL };
    settings_parse_state state = { out, options, { NULL }, false };
    *out = (settings_arguments){ .config_file = NULL };
    const option_set set = { command->name, command->usage, command->summary, options,
                             make_options(command, options, texts, state.rows) };
    int first = 0;
    int code = parse_options(&set, argc, argv, take, &state, &first, &out->helped);
    if (code == EXIT_DONE && !out->helped) code = check_operands(command, argc, argv, first, out);
    for (size_t i = 0; i < MAX_OPTIONS; i++) free(texts[i]);
    return code;
}

void settings_release(settings_arguments *arguments) { free(arguments->assignments); }

static clgrad_status apply_all(clgrad_config *config, const settings_arguments *a, const char *model)
{
    clgrad_status status = model ? clgrad_config_load_model(config, model) : CLGRAD_OK;
    if (status == CLGRAD_OK && a->config_file) status = clgrad_config_load(config, a->config_file);
    if (status == CLGRAD_OK) status = clgrad_config_load_environment(config);
    for (size_t i = 0; status == CLGRAD_OK && i < a->num_assignments; i++) {
        const char *key = a->assignments[i].key, *value = a->assignments[i].value;
        status = key ? clgrad_config_set(config, key, value, "the command line") : clgrad_config_assign(config, value, "--set");
    }
    return status;
}

int settings_resolve(clgrad_context *ctx, const settings_arguments *arguments, const char *model, clgrad_config **out)
{
    clgrad_status status = clgrad_config_create(ctx, out);
    if (status == CLGRAD_OK) status = apply_all(*out, arguments, model);
    if (status == CLGRAD_OK) return EXIT_DONE;
    const int code = report_failure(ctx, status);
    clgrad_config_release(out);
    return code;
}

json_t *number_or_null(double value) { return isfinite(value) ? json_real(value) : json_null(); }
