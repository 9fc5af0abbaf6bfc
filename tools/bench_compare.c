/* clgrad bench compare: rows of several result files side by side, each judged by all of its samples. */

#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 32 };
static const double significant = 0.01; /* two-sided p of the rank test */

/* A run of a file; the first is what the others are held against. */
typedef struct column {
    const char *path;
    const json_t *run, *base; /* base: the run it is held against, NULL for the first */
} column;

typedef struct comparison {
    clgrad_context *ctx;
    column columns[MOST_COLUMNS];
    size_t num_columns;
    double fail_above; /* a part, 0.05; INFINITY: never */
    size_t regressions, slower, faster, equal, lost, gained;
} comparison;

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const json_t *find_row(const json_t *run, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(run, "results"), i, row) if (strcmp(text_of(row, "id"), id) == 0) return row;
    return NULL;
}

static bool is_timed(const json_t *row)
{
    return row && strcmp(text_of(row, "status"), "ok") == 0 && json_array_size(json_object_get(row, "samples_ns")) > 0;
}

/* --- columns --- */

static bool same_device(const json_t *a, const json_t *b)
{
    const json_t *x = json_object_get(a, "device"), *y = json_object_get(b, "device");
    return strcmp(text_of(x, "device"), text_of(y, "device")) == 0 &&
           strcmp(text_of(x, "platform"), text_of(y, "platform")) == 0;
}

/* The first file's run of the same device, or its first run. */
static const json_t *base_of(const json_t *first, const json_t *run)
{
    size_t i;
    json_t *candidate;
    json_array_foreach(json_object_get(first, "runs"), i, candidate) if (same_device(candidate, run)) return candidate;
    return json_array_get(json_object_get(first, "runs"), 0);
}

static void add_columns(comparison *c, const char *path, const json_t *file, const json_t *first)
{
    size_t i;
    json_t *run;
    json_array_foreach(json_object_get(file, "runs"), i, run)
    {
        if (c->num_columns == MOST_COLUMNS) return;
        c->columns[c->num_columns] =
            (column){ path, run,
                      file == first ? (i ? json_array_get(json_object_get(first, "runs"), 0) : NULL) : base_of(first, run) };
        c->num_columns++;
    }
}

static void print_columns(const comparison *c)
{
    for (size_t i = 0; i < c->num_columns; i++) {
        const json_t *device = json_object_get(c->columns[i].run, "device");
        printf("%c  %s: %s, %s, driver %s\n", (int)('A' + i % 26), c->columns[i].path, text_of(device, "device"),
               text_of(device, "platform"), text_of(device, "driver"));
    }
    putchar('\n');
}

/* --- one row in one column --- */

static double *samples_of(const json_t *row, size_t *count)
{
    const json_t *samples = json_object_get(row, "samples_ns");
    *count = json_array_size(samples);
    double *values = malloc((*count + 1) * sizeof *values);
    for (size_t i = 0; values && i < *count; i++) values[i] = json_number_value(json_array_get(samples, i));
    return values;
}

static clgrad_status compare_rows(comparison *c, const json_t *a, const json_t *b, clgrad_comparison *out)
{
    size_t num_a, num_b;
    double *x = samples_of(a, &num_a), *y = samples_of(b, &num_b);
    const clgrad_status status = x && y ? clgrad_compare_samples(c->ctx, x, num_a, y, num_b, out) : CLGRAD_E_MEMORY;
    free(x), free(y);
    return status;
}

static const char *judge(comparison *c, const clgrad_comparison *x)
{
    const bool certain = x->p < significant;
    if (certain && x->ratio > 1 + c->fail_above) return c->regressions++, "REGRESSION";
    if (!certain || (x->ratio > 0.98 && x->ratio < 1.02)) return c->equal++, "same";
    if (x->ratio > 1) return c->slower++, "slower";
    return c->faster++, "faster";
}

/* A row that only one side has timed. One that has begun to fail is a regression, however fast it is. */
static void print_lonely(comparison *c, size_t i, const json_t *a, const json_t *b)
{
    const char letter = (char)('A' + i % 26), *status = b ? text_of(b, "status") : "not in this file";
    const bool broken = is_timed(a) && (strcmp(status, "failed-check") == 0 || strcmp(status, "error") == 0 ||
                                        strcmp(status, "above-roof") == 0);
    if (broken) {
        printf("  %c: REGRESSION: %s, %s\n", letter, status, text_of(b, "reason"));
        if (isfinite(c->fail_above)) c->regressions++;
    } else if (is_timed(a)) {
        printf("  %c: no partner: %s\n", letter, status);
        c->lost++;
    } else if (is_timed(b)) {
        printf("  %c: no partner: %s\n", letter, a ? text_of(a, "status") : "not in the first file");
        c->gained++;
    } else {
        printf("  %c: timed on neither side\n", letter);
    }
}

static clgrad_status print_cell(comparison *c, size_t i, const char *id)
{
    const column *at = &c->columns[i];
    const json_t *a = at->base ? find_row(at->base, id) : NULL, *b = find_row(at->run, id);
    clgrad_comparison x = CLGRAD_COMPARISON_INIT;
    if (!at->base) return CLGRAD_OK;
    if (!is_timed(a) || !is_timed(b)) return print_lonely(c, i, a, b), CLGRAD_OK;
    const clgrad_status status = compare_rows(c, a, b, &x);
    if (status) return status;
    printf("  %c: %5.2fx the time (%.2f..%.2f, p %.1e)  %s\n", (int)('A' + i % 26), x.ratio, x.low, x.high, x.p, judge(c, &x));
    return CLGRAD_OK;
}

static bool in_columns_before(const comparison *c, size_t end, const char *id)
{
    for (size_t i = 0; i < end; i++)
        if (find_row(c->columns[i].run, id)) return true;
    return false;
}

/* Every row that any file has, in order of appearance. */
static clgrad_status print_rows(comparison *c)
{
    for (size_t i = 0; i < c->num_columns; i++) {
        size_t r;
        json_t *row;
        json_array_foreach(json_object_get(c->columns[i].run, "results"), r, row)
        {
            const char *id = text_of(row, "id");
            if (strcmp(text_of(row, "group"), "roof") == 0 || in_columns_before(c, i, id)) continue;
            printf("%s\n", id);
            for (size_t k = 0; k < c->num_columns; k++) {
                const clgrad_status status = print_cell(c, k, id);
                if (status) return status;
            }
        }
    }
    return CLGRAD_OK;
}

/* --- the command --- */

static int take(void *user, const command_option *option, const char *value)
{
    comparison *c = user;
    char *end;
    (void)option;
    errno = 0;
    const double percent = strtod(value, &end);
    if (end == value || (*end && strcmp(end, "%") != 0) || errno || !(percent >= 0))
        return report_usage("bench compare", "--fail-above %s is no percentage", value);
    c->fail_above = percent / 100;
    return EXIT_DONE;
}

static int compare(comparison *c, json_t **files, char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        files[i] = bench_load(paths[i]);
        if (!files[i]) return EXIT_RUN_FAILED;
    }
    for (size_t i = 0; i < count; i++) add_columns(c, paths[i], files[i], files[0]);
    print_columns(c);
    const clgrad_status status = print_rows(c);
    if (status) return report_failure(c->ctx, status);
    printf("\n%zu faster, %zu the same, %zu slower, %zu regressions", c->faster, c->equal, c->slower, c->regressions);
    if (c->lost || c->gained) printf("; without a partner: %zu of the first file, %zu of the others", c->lost, c->gained);
    putchar('\n');
    return c->regressions ? EXIT_REGRESSION : EXIT_DONE;
}

int bench_compare(int argc, char **argv)
{
    static const command_option options[] = {
        { "fail-above", 'f', "PERCENT",
          "exit code 5 where a row takes more than so much longer, and its samples differ (rank test, p < 0.01)" },
    };
    static const option_set set = {
        "bench compare", "bench compare A.json B.json... [--fail-above PERCENT]",
        "Hold the rows of result files against those of the first: ratio of the medians, its 95% interval, and the rank\n"
        "test over all samples. Runs of the same device are held against each other.",
        options, sizeof options / sizeof *options
    };
    comparison c = { .fail_above = INFINITY };
    int first;
    bool helped;
    int code = parse_options(&set, argc, argv, take, &c, &first, &helped);
    if (code != EXIT_DONE || helped) return code;
    if (argc - first < 2) return report_usage("bench compare", "two files or more are needed");
    const size_t count = (size_t)(argc - first);
    json_t **files = calloc(count, sizeof *files);
    if (!files) return fputs("clgrad: out of memory\n", stderr), EXIT_RUN_FAILED;
    code = open_context(&c.ctx);
    if (code == EXIT_DONE) code = compare(&c, files, argv + first, count);
    for (size_t i = 0; i < count; i++) json_decref(files[i]);
    free(files);
    clgrad_context_release(&c.ctx);
    return code;
}
