/* What clgrad bench prints: a table, and a Markdown block made to be pasted. Both read the result file's JSON. */

#include "bench.h"

#include <math.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* NAN where it is null or missing. */
static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool is_roof(const json_t *row) { return strcmp(text_of(row, "group"), "roof") == 0; }
static bool is_ok(const json_t *row) { return strcmp(text_of(row, "status"), "ok") == 0; }

/* Rows that are no roofs. */
static size_t count_rows(const json_t *results)
{
    size_t count = 0, r;
    json_t *row;
    json_array_foreach(results, r, row) count += !is_roof(row);
    return count;
}

static const char *duration(double ns, char *text, size_t bytes)
{
    static const struct {
        double limit, unit;
        const char *name;
    } units[] = { { 1e3, 1, "ns" }, { 1e6, 1e3, "us" }, { 1e9, 1e6, "ms" }, { INFINITY, 1e9, "s" } };
    size_t i = 0;
    while (ns >= units[i].limit) i++;
    snprintf(text, bytes, "%.*f %s",
             ns / units[i].unit < 10    ? 2
             : ns / units[i].unit < 100 ? 1
                                        : 0,
             ns / units[i].unit, units[i].name);
    return text;
}

/* In the unit of the row's roof: operations where arithmetic binds, else bytes. */
static const char *rate_of_row(const json_t *row, char *text, size_t bytes)
{
    const bool compute = strncmp(text_of(json_object_get(row, "roof"), "id"), "roof.fma", 8) == 0;
    snprintf(text, bytes, "%.1f %s", number_of(row, compute ? "gflops" : "gbs"), compute ? "GFLOP/s" : "GB/s");
    return text;
}

static const char *rate_of_roof(const json_t *row, double rate, char *text, size_t bytes)
{
    const char *unit = text_of(row, "rate_unit");
    if (strcmp(unit, "1/s") == 0) return duration(1e9 / rate, text, bytes);
    snprintf(text, bytes, "%.1f %s", rate / 1e9, strcmp(unit, "B/s") == 0 ? "GB/s" : "GFLOP/s");
    return text;
}

static void print_roof(FILE *out, const json_t *row)
{
    char rate[32], intrinsics[48] = "";
    if (!is_ok(row)) {
        fprintf(out, "%-47s %-12s %s\n", text_of(row, "id"), text_of(row, "status"), text_of(row, "reason"));
        return;
    }
    const double beside = number_of(row, "intrinsics");
    if (!isnan(beside)) {
        char figure[32];
        snprintf(intrinsics, sizeof intrinsics, "  intrinsics %s", rate_of_roof(row, beside, figure, sizeof figure));
    }
    fprintf(out, "%-47s %14s%s  %s%s%s\n", text_of(row, "id"), rate_of_roof(row, number_of(row, "rate"), rate, sizeof rate),
            intrinsics, text_of(row, "form"), *text_of(row, "reason") ? "; " : "", text_of(row, "reason"));
}

static void append(char *text, size_t bytes, const char *more)
{
    const size_t length = strlen(text);
    snprintf(text + length, bytes - length, "%s%s", length ? "; " : "", more);
}

/* Everything a reader must know beside the figures. */
static const char *remarks(const json_t *row, char *text, size_t bytes)
{
    char part[96];
    *text = '\0';
    const char *timer = text_of(row, "timer");
    const double memory = number_of(json_object_get(row, "memory"), "ratio"), drift = number_of(row, "drift");
    const double median = number_of(row, "median_ns"), mad = number_of(row, "mad_ns");
    if (*text_of(row, "reason")) append(text, bytes, text_of(row, "reason"));
    if (strstr(timer, "event clock ") && !strstr(timer, "agree")) append(text, bytes, timer);
    if (strcmp(text_of(json_object_get(row, "roof"), "source"), "intrinsics") == 0) append(text, bytes, "roof by intrinsics");
    if (!isnan(memory)) snprintf(part, sizeof part, "memory %.2fx", memory), append(text, bytes, part);
    if (drift > 1.1 || drift < 0.9) snprintf(part, sizeof part, "drifts by %.2f", drift), append(text, bytes, part);
    const double bound = number_of(row, "launch_pct");
    if (bound < 95) snprintf(part, sizeof part, "multiply-adds alone, so launched: %.0f%%", bound), append(text, bytes, part);
    if (mad > 0.05 * median) append(text, bytes, "noisy");
    return text;
}

static const char *processor_share(const json_t *row, char *text, size_t bytes)
{
    const double percent = number_of(row, "processor_pct");
    text[0] = '\0';
    if (percent > 0) snprintf(text, bytes, "%.1f", percent);
    return text;
}

static void print_row(FILE *out, const json_t *row)
{
    char share[16], time[24], spread[24], rate[32], text[400];
    const double error = number_of(json_object_get(row, "err"), "rel_l2"), percent = number_of(row, "roof_pct");
    if (isnan(number_of(row, "median_ns"))) {
        fprintf(out, "%-47s %-12s %s", text_of(row, "id"), text_of(row, "status"), text_of(row, "reason"));
        if (!isnan(error)) fprintf(out, " (relative error %.2g)", error);
        fputc('\n', out);
        return;
    }
    fprintf(out, "%-47s %9s +-%8s %15s", text_of(row, "id"), duration(number_of(row, "median_ns"), time, sizeof time),
            duration(number_of(row, "mad_ns"), spread, sizeof spread), rate_of_row(row, rate, sizeof rate));
    if (is_ok(row))
        fprintf(out, " %5.1f%%", percent);
    else
        fprintf(out, " %6s", "above");
    fprintf(out, " %6.1f %6s of %-12s %8.1e  %s\n", number_of(row, "best_pct"), processor_share(row, share, sizeof share),
            text_of(json_object_get(row, "roof"), "id"), error, remarks(row, text, sizeof text));
}

static void print_heading(FILE *out, const json_t *file, const json_t *run)
{
    const json_t *device = json_object_get(run, "device"), *host = json_object_get(file, "host");
    fprintf(out, "clgrad %s on %s, %s, driver %s, %d units\nhost %s, %s, %d cores\n\n",
            text_of(json_object_get(file, "tool"), "version"), text_of(device, "device"), text_of(device, "platform"),
            text_of(device, "driver"), (int)json_integer_value(json_object_get(device, "compute_units")), text_of(host, "cpu"),
            text_of(host, "system"), (int)json_integer_value(json_object_get(host, "cores")));
}

double bench_headline(const json_t *results, const char *share, size_t *count)
{
    double sum = 0;
    size_t i;
    json_t *row;
    *count = 0;
    json_array_foreach(results, i, row)
    {
        const double percent = number_of(row, share);
        if (is_ok(row) && percent > 0) sum += log(percent), ++*count;
    }
    return *count ? exp(sum / (double)*count) : NAN;
}

void bench_print_table(FILE *out, const json_t *file)
{
    size_t i, r, count;
    json_t *run, *row;
    json_array_foreach(json_object_get(file, "runs"), i, run)
    {
        const json_t *results = json_object_get(run, "results");
        print_heading(out, file, run);
        json_array_foreach(results, r, row) if (is_roof(row)) print_roof(out, row);
        if (count_rows(results))
            fprintf(out, "\n%-47s %9s   %8s %15s %6s %6s %6s %-15s %8s\n", "row", "median", "MAD", "rate", "share", "best",
                    "cpu", "of its roof", "error");
        json_array_foreach(results, r, row) if (!is_roof(row)) print_row(out, row);
        const double processor = bench_headline(results, "processor_pct", &count),
                     mean = bench_headline(results, "roof_pct", &count);
        if (count) fprintf(out, "\n%.1f%% of its own roofs, geometric mean of %zu rows", mean, count);
        if (processor > 0) fprintf(out, " (%.1f%% by processor time)", processor);
        fputs(count ? "\n\n" : "\n", out);
    }
}

/* --- Markdown --- */

static void print_markdown_row(FILE *out, const json_t *row)
{
    char time[24], spread[24], rate[32], text[400];
    if (isnan(number_of(row, "median_ns"))) {
        fprintf(out, "| %s | %s | | | %s |\n", text_of(row, "id"), text_of(row, "status"), text_of(row, "reason"));
        return;
    }
    fprintf(out, "| %s | %s ± %s | %s | ", text_of(row, "id"), duration(number_of(row, "median_ns"), time, sizeof time),
            duration(number_of(row, "mad_ns"), spread, sizeof spread), rate_of_row(row, rate, sizeof rate));
    if (is_ok(row))
        fprintf(out, "%.1f%%", number_of(row, "roof_pct"));
    else
        fputs(text_of(row, "status"), out);
    fprintf(out, " of %s | %s |\n", text_of(json_object_get(row, "roof"), "id"), remarks(row, text, sizeof text));
}

static void print_markdown_roofs(FILE *out, const json_t *results)
{
    static const char *const shown[] = { "roof.read",    "roof.copy",   "roof.inplace", "roof.fma.f32",
                                         "roof.fma.f64", "roof.launch", "roof.finish" };
    const char *before = "Roofs: ";
    size_t r;
    json_t *row;
    char rate[32];
    json_array_foreach(results, r, row) for (size_t i = 0; i < sizeof shown / sizeof *shown;
                                             i++) if (is_ok(row) && strcmp(text_of(row, "id"), shown[i]) == 0)
    {
        fprintf(out, "%s%s %s", before, shown[i] + 5, rate_of_roof(row, number_of(row, "rate"), rate, sizeof rate));
        before = ", ";
    }
    if (*before == ',') fputs("\n\n", out);
}

void bench_print_markdown(FILE *out, const json_t *file)
{
    size_t i, r, count;
    json_t *run, *row;
    json_array_foreach(json_object_get(file, "runs"), i, run)
    {
        const json_t *device = json_object_get(run, "device"), *results = json_object_get(run, "results");
        fprintf(out, "**clgrad %s** on %s (%s, driver %s)\n\n", text_of(json_object_get(file, "tool"), "version"),
                text_of(device, "device"), text_of(device, "platform"), text_of(device, "driver"));
        print_markdown_roofs(out, results);
        if (count_rows(results)) fputs("| row | median ± MAD | rate | share of its roof | |\n|---|---|---|---|---|\n", out);
        json_array_foreach(results, r, row) if (!is_roof(row)) print_markdown_row(out, row);
        const double mean = bench_headline(results, "roof_pct", &count);
        if (count) fprintf(out, "\n**%.1f%%** of the device's own roofs (geometric mean of %zu rows)\n", mean, count);
    }
}
