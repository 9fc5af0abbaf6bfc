/* clgrad: the command. One row per sub-command. */

#include "command.h"

#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "train", command_train, "train a model from a data file, save it, resume it" },
    { "eval", command_eval, "loss and accuracy of a saved model on a data set" },
    { "predict", command_predict, "a saved model's outputs for every sample" },
    { "info", command_info, "tensors, configuration and provenance of a file" },
    { "explain", command_explain, "what a model's kernels do, move and take; drawn as a graph" },
    { "devices", command_devices, "list OpenCL devices, what works on them, and which one is chosen" },
    { "bench", command_bench, "measure a device: its roofs, and work as shares of them; compare result files" },
    { "tune", command_tune, "measure ways to compute products and keep the best for later runs" },
    { "check", command_check, "check a device: every operation against the reference, derivatives, determinism" },
};

static void print_usage(FILE *out)
{
    fputs("usage: clgrad COMMAND [OPTIONS]\n\n"
          "Gradients, curvature and quantized updates on any OpenCL device.\n\ncommands:\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nclgrad COMMAND --help lists a command's options; clgrad --version prints the version.\n"
          "Results go to stdout; progress and messages to stderr.\n"
          "exit codes: 0 done, 1 the run failed, 2 usage, 3 no usable device, 4 a numerical check failed,\n            5 slower than allowed\n"
          "environment: CLGRAD_DEVICE (default device), CLGRAD_KERNEL_PATH, CLGRAD_CACHE=0, CLGRAD_TUNING=FILE (or 0),\n"
          "             CLGRAD_DUMP_KERNELS=DIR, CLGRAD_VERBOSE=0..2 (log to stderr)\n", out);
}

static int unknown_command(const char *name)
{
    const char *best = NULL;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strncmp(name, commands[i].name, 2) == 0) best = commands[i].name;
    if (best)
        fprintf(stderr, "clgrad: unknown command %s; did you mean %s? (see clgrad --help)\n", name, best);
    else
        fprintf(stderr, "clgrad: unknown command %s (see clgrad --help)\n", name);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) return print_usage(stderr), EXIT_USAGE;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return print_usage(stdout), EXIT_DONE;
    if (strcmp(argv[1], "--version") == 0) return printf("clgrad %s\n", clgrad_version()), EXIT_DONE;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
