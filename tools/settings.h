#pragma once

/* Command lines of the commands that take a configuration: every row of the library's option table is an option here, beside the
 * command's own. Values are collected first and set last, so that file < environment < command line. */

#include "command.h"

#include "clgrad/train.h"

typedef struct settings_arguments {
    const char *config_file, *device, *log, *profile, *progress, *predictions, *graph;
    bool json, resume, dump_config, unfused, no_time, helped;
    clgrad_workload_kind workload;
    struct { const char *key, *value; } *assignments; /* key NULL: value is KEY=VALUE, from --set */
    size_t num_assignments;
    const char *operands[2];
    size_t num_operands;
} settings_arguments;

typedef struct settings_command {
    const char *name, *usage, *summary;
    const char *own;                 /* letters of the command's own options (see settings.c) */
    const char *const *option_flags; /* NULL: all of the option table; else a NULL-ended list of flags */
    size_t num_operands;             /* how many operands are required */
    const char *operand;             /* what each is, for a message; NULL: "a file" */
} settings_command;

int settings_parse(const settings_command *command, int argc, char **argv, settings_arguments *out);
void settings_release(settings_arguments *arguments);

/* Defaults or those of `model` (when not NULL), then the file, the environment, the command line. Reports failures. */
int settings_resolve(clgrad_context *ctx, const settings_arguments *arguments, const char *model, clgrad_config **out);

/* A number, or null where it is NaN. */
json_t *number_or_null(double value);
