#pragma once

/* The command's own parts. It stands on public headers only. */

#include "clgrad/clgrad.h"

#include <jansson.h>
#include <stdio.h>

/* Exit codes, documented in README.md and `clgrad --help`. */
enum { EXIT_DONE = 0, EXIT_RUN_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_DEVICE = 3, EXIT_CHECK_FAILED = 4, EXIT_REGRESSION = 5 };

int exit_code_of(clgrad_status status);

/* "clgrad: sentence" on stderr, then the exit code that fits the status. */
int report_failure(clgrad_context *ctx, clgrad_status status);
/* "clgrad: ...  (see clgrad COMMAND --help)" on stderr; EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...) CLGRAD_PRINTF(2, 3);

/* One option of a sub-command. `letter` is what parsing yields; below 256 it is a short option as well. */
typedef struct command_option {
    const char *name;     /* without dashes */
    int letter;
    const char *argument; /* "FILE", or NULL for a switch */
    const char *help;
} command_option;

/* getopt_long over a table: calls `take` for every option in order; *first_operand is the index of the first non-option.
 * Returns EXIT_DONE, or EXIT_USAGE after saying why. --help prints usage and the table, and sets *helped. */
typedef int (*option_taker)(void *user, const command_option *option, const char *value);
typedef struct option_set {
    const char *command, *usage, *summary;
    const command_option *options;
    size_t count;
} option_set;
int parse_options(const option_set *set, int argc, char **argv, option_taker take, void *user, int *first_operand,
                  bool *helped);

int command_devices(int argc, char **argv);
int command_train(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_predict(int argc, char **argv);
int command_info(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_check(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_tune(int argc, char **argv);

typedef struct device_choice {
    const char *selector; /* NULL: CLGRAD_DEVICE or auto */
    bool profiling, unfused;
} device_choice;
/* Opens context and device for a run; reports and returns an exit code on failure. */
int open_device(const device_choice *choice, clgrad_context **ctx, clgrad_device **dev);
/* The same in a context that is already there. */
int open_device_in(clgrad_context *ctx, const device_choice *choice, clgrad_device **dev);
/* A context whose log goes to stderr as CLGRAD_VERBOSE asks. */
int open_context(clgrad_context **ctx);

/* JSON facts of a device, as `devices --json` and results show them. */
json_t *device_json(const clgrad_device_info *info);
/* The machine, as result files show it. */
json_t *host_json(void);
int print_json(json_t *value); /* to stdout with a newline; takes the reference */
