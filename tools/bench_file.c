/* Reading result files: whatever a file says is checked before anything is made of it. */

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_VERSION = 1 };

static json_t *refuse(json_t *file, const char *path, const char *reason, const char *detail)
{
    fprintf(stderr, "clgrad: %s: %s%s%s\n", path, reason, *detail ? ": " : "", detail);
    json_decref(file);
    return NULL;
}

static bool all_positive(const json_t *samples)
{
    size_t i;
    json_t *value;
    json_array_foreach(samples, i, value) if (!json_is_number(value) || !(json_number_value(value) > 0) ||
                                              !isfinite(json_number_value(value))) return false;
    return true;
}

/* What is wrong with a row, or NULL. */
static const char *fault_of(const json_t *row)
{
    static const char *const texts[] = { "id", "group", "status", "reason" };
    if (!json_is_object(row)) return "a result is no object";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!json_is_string(json_object_get(row, texts[i]))) return "a result without id, group, status or reason";
    const json_t *samples = json_object_get(row, "samples_ns");
    if (!json_is_array(samples)) return "a result without samples_ns";
    return all_positive(samples) ? NULL : "a sample that is no positive number";
}

static const char *fault_of_run(const json_t *run)
{
    size_t i;
    json_t *row;
    const json_t *device = json_object_get(run, "device"), *results = json_object_get(run, "results");
    if (!json_is_object(device) || !json_is_string(json_object_get(device, "device")) ||
        !json_is_string(json_object_get(device, "driver")))
        return "a run without its device";
    if (!json_is_array(results)) return "a run without results";
    json_array_foreach(results, i, row)
    {
        const char *fault = fault_of(row);
        if (fault) return fault;
    }
    return NULL;
}

json_t *bench_load(const char *path)
{
    json_error_t error;
    char version[64];
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *run;
    if (!file && error.line <= 0) return refuse(NULL, path, "cannot be read", error.text);
    if (!file) {
        fprintf(stderr, "clgrad: %s: damaged: %s (line %d, column %d)\n", path, error.text, error.line, error.column);
        return NULL;
    }
    const char *format = json_string_value(json_object_get(file, "format"));
    if (!format || strcmp(format, "clgrad-bench") != 0) return refuse(file, path, "not a result file of clgrad bench", "");
    const json_t *number = json_object_get(file, "format_version");
    snprintf(version, sizeof version, "version %lld, this command reads %d", (long long)json_integer_value(number),
             FORMAT_VERSION);
    if (!json_is_integer(number) || json_integer_value(number) != FORMAT_VERSION)
        return refuse(file, path, "of another format version", version);
    const json_t *runs = json_object_get(file, "runs");
    if (!json_is_array(runs) || json_array_size(runs) == 0) return refuse(file, path, "damaged", "it holds no run");
    size_t i;
    json_array_foreach(runs, i, run)
    {
        const char *fault = fault_of_run(run);
        if (fault) return refuse(file, path, "damaged", fault);
    }
    return file;
}
