/* A result file as one page: device, roofline with a point a row, bars with their spread, and the figures. Its own SVG; it
 * loads nothing and runs nothing. */

#include "bench.h"

#include <math.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out); break;
        }
    }
}

static bool is_roof(const json_t *row) { return strcmp(text_of(row, "group"), "roof") == 0; }
static bool is_timed(const json_t *row) { return !isnan(number_of(row, "median_ns")); }

static const char style[] =
    ":root{--ink:#1b1f24;--soft:#5b6470;--line:#d8dee4;--page:#fff;--mark:#1f6feb;--bad:#c62f35;--fill:#dbe9ff}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4b0;--line:#343b44;--page:#0f1419;--mark:#6ea8ff;--bad:#"
    "ff7b72;--fill:#1c3557}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1000px;margin:2em "
    "auto;padding:0 1em}\n"
    "h1{font-size:1.5em;margin:0}h2{font-size:1.15em;margin:2em 0 .5em}p{margin:.4em "
    "0}.soft{color:var(--soft)}.big{font-size:1.6em;font-weight:600}\n"
    "table{border-collapse:collapse;width:100%;font-size:13px}td,th{padding:3px 8px;border-bottom:1px solid "
    "var(--line);text-align:left}\n"
    "th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.bad{"
    "color:var(--bad)}\n"
    ".wide{overflow-x:auto}svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}svg "
    ".soft{fill:var(--soft)}\n"
    "svg .grid{stroke:var(--line)}svg .roof{stroke:var(--ink);fill:none;stroke-width:1.6}svg "
    ".low{stroke:var(--soft);fill:none;stroke-dasharray:5 4}\n"
    "svg .dot{fill:var(--mark)}svg .dot text,svg .in{fill:var(--page);font-weight:600}svg .bar{fill:var(--fill)}svg "
    ".mid{fill:var(--mark)}\n"
    "svg .whisker{stroke:var(--ink);stroke-width:1.4}svg .ring{fill:var(--page);stroke:var(--mark);stroke-width:1.6}svg "
    ".limit{stroke:var(--bad);stroke-dasharray:3 3}\n";

/* --- the roofline --- */

typedef struct axes {
    double left, right, top, bottom;     /* of the plot, in the picture's units */
    double x_low, x_high, y_low, y_high; /* decades: log10 of FLOP per byte, of GFLOP/s */
} axes;

static double x_at(const axes *a, double x)
{
    return a->left + (log10(x) - a->x_low) / (a->x_high - a->x_low) * (a->right - a->left);
}
static double y_at(const axes *a, double y)
{
    return a->bottom - (log10(y) - a->y_low) / (a->y_high - a->y_low) * (a->bottom - a->top);
}

static double rate_of(const json_t *results, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach(results, i, row) if (strcmp(text_of(row, "id"), id) == 0) return number_of(row, "rate") / 1e9;
    return NAN;
}

static bool has_point(const json_t *row)
{
    return !is_roof(row) && is_timed(row) && number_of(row, "flops") > 0 && number_of(row, "bytes") > 0;
}

static void widen(double *low, double *high, double value)
{
    if (!(value > 0)) return;
    *low = fmin(*low, log10(value));
    *high = fmax(*high, log10(value));
}

static void fit_axes(axes *a, const json_t *results)
{
    size_t i;
    json_t *row;
    a->x_low = a->y_low = 1e9, a->x_high = a->y_high = -1e9;
    json_array_foreach(results, i, row)
    {
        if (!has_point(row)) continue;
        widen(&a->x_low, &a->x_high, number_of(row, "flops") / number_of(row, "bytes"));
        widen(&a->y_low, &a->y_high, number_of(row, "gflops"));
    }
    widen(&a->y_low, &a->y_high, rate_of(results, "roof.fma.f32"));
    a->x_low = floor(fmin(a->x_low, -1)), a->x_high = ceil(a->x_high + 0.1);
    a->y_low = floor(a->y_low), a->y_high = ceil(a->y_high + 0.1);
}

static void put_power(FILE *out, double decade)
{
    if (decade >= 0)
        fprintf(out, "%.0f", pow(10, decade));
    else
        fprintf(out, "%g", pow(10, decade));
}

static void put_grid(FILE *out, const axes *a)
{
    for (double d = a->x_low; d <= a->x_high; d++) {
        const double x = x_at(a, pow(10, d));
        fprintf(out,
                "<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/><text class='soft' text-anchor='middle' x='%.1f' "
                "y='%.1f'>",
                x, x, a->top, a->bottom, x, a->bottom + 18);
        put_power(out, d);
        fputs("</text>\n", out);
    }
    for (double d = a->y_low; d <= a->y_high; d++) {
        const double y = y_at(a, pow(10, d));
        fprintf(out,
                "<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/><text class='soft' text-anchor='end' x='%.1f' "
                "y='%.1f'>",
                a->left, a->right, y, y, a->left - 6, y + 4);
        put_power(out, d);
        fputs("</text>\n", out);
    }
    fprintf(out, "<text class='soft' text-anchor='middle' x='%.1f' y='%.1f'>operations per byte that must be moved</text>\n",
            (a->left + a->right) / 2, a->bottom + 38);
    fprintf(out, "<text class='soft' x='%.1f' y='%.1f'>GFLOP/s</text>\n", a->left, a->top - 8);
}

/* min(P, B x): the slope from the left edge to where it meets P, then level. */
static void put_roof(FILE *out, const axes *a, double bandwidth, double peak, const char *name, const char *class)
{
    const double floor_x = pow(10, a->y_low) / bandwidth, left = fmax(pow(10, a->x_low), floor_x), knee = peak / bandwidth;
    if (!(bandwidth > 0) || !(peak > 0)) return;
    const double right = pow(10, a->x_high), turn = fmin(fmax(knee, left), right);
    fprintf(out, "<polyline class='%s' points='%.1f,%.1f %.1f,%.1f %.1f,%.1f'/>\n", class, x_at(a, left),
            y_at(a, fmin(left * bandwidth, peak)), x_at(a, turn), y_at(a, fmin(turn * bandwidth, peak)), a->right,
            y_at(a, fmin(right * bandwidth, peak)));
    const double at = sqrt(left * turn);
    fprintf(out, "<text class='soft' x='%.1f' y='%.1f'>%s %.0f GB/s</text>\n", x_at(a, at) + 8,
            y_at(a, fmin(at * bandwidth, peak)) + 14, name, bandwidth);
}

static void put_points(FILE *out, const axes *a, const json_t *results)
{
    size_t i, number = 0;
    json_t *row;
    json_array_foreach(results, i, row)
    {
        if (is_roof(row)) continue;
        number++;
        if (!has_point(row)) continue;
        const double x = x_at(a, number_of(row, "flops") / number_of(row, "bytes")), y = y_at(a, number_of(row, "gflops"));
        fprintf(out, "<g><title>");
        put_text(out, text_of(row, "id"));
        fprintf(out,
                ": %.1f GFLOP/s</title><circle class='dot' cx='%.1f' cy='%.1f' r='8.5'/><text class='in' text-anchor='middle' "
                "font-size='10' x='%.1f' y='%.1f'>%zu</text></g>\n",
                number_of(row, "gflops"), x, y, x, y + 3.5, number);
    }
}

static void put_roofline(FILE *out, const json_t *results)
{
    axes a = { .left = 60, .right = 970, .top = 24, .bottom = 420 };
    const double peak = rate_of(results, "roof.fma.f32"), f64 = rate_of(results, "roof.fma.f64");
    size_t i, points = 0;
    json_t *row;
    json_array_foreach(results, i, row) points += has_point(row);
    if (!points || !(peak > 0)) return;
    fit_axes(&a, results);
    fputs(
        "<h2>Roofline</h2>\n<p class='soft'>Numbers are those of the table below. A slope is the roof only of rows with its "
        "access pattern and working set; the bars above "
        "show each row against its own.</p>\n<div class='wide'><svg viewBox='0 0 1000 470' role='img' aria-label='roofline'>\n",
        out);
    put_grid(out, &a);
    put_roof(out, &a, rate_of(results, "roof.copy"), peak, "copy", "roof");
    put_roof(out, &a, rate_of(results, "roof.inplace.512K"), peak, "in place, 512 KiB", "low");
    fprintf(out, "<text text-anchor='end' x='%.1f' y='%.1f'>f32 %.0f GFLOP/s</text>\n", a.right, y_at(&a, peak) - 6, peak);
    if (f64 > 0)
        fprintf(out,
                "<line class='low' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/><text class='soft' text-anchor='end' x='%.1f' "
                "y='%.1f'>f64 %.0f GFLOP/s</text>\n",
                x_at(&a, fmax(f64 / rate_of(results, "roof.copy"), pow(10, a.x_low))), a.right, y_at(&a, f64), y_at(&a, f64),
                a.right, y_at(&a, f64) - 6, f64);
    put_points(out, &a, results);
    fputs("</svg></div>\n", out);
}

/* --- bars --- */

/* The picture of the bars: where they begin, how long FULL per cent are. */
enum { LEFT = 350, WIDTH = 540, FULL = 110 };

static void put_bar(FILE *out, const json_t *row, size_t number, double y)
{
    const double share = number_of(row, "roof_pct"), median = number_of(row, "median_ns");
    fprintf(out, "<text text-anchor='end' x='%d' y='%.1f'><title>", LEFT - 10, y + 14);
    put_text(out, text_of(row, "what"));
    fprintf(out, "</title>%zu  ", number);
    put_text(out, text_of(row, "id"));
    fputs("</text>", out);
    if (!(share > 0)) {
        fprintf(out, "<text class='bad' fill='currentColor' x='%d' y='%.1f'>", LEFT + 4, y + 14);
        put_text(out, text_of(row, "status"));
        fputs("</text>\n", out);
        return;
    }
    const double processor = number_of(row, "processor_pct"); /* NAN, which fmax passes over, where it is not known */
    const double unit = (double)WIDTH / FULL, at = fmin(share, FULL);
    const double best = fmin(share * median / number_of(row, "min_ns"), FULL),
                 slow = fmin(share * median / number_of(row, "p90_ns"), FULL);
    fprintf(out,
            "<rect class='bar' x='%d' y='%.1f' width='%.1f' height='16' rx='2'/><rect class='mid' x='%.1f' y='%.1f' width='3' "
            "height='16'/>",
            LEFT, y + 1, at * unit, LEFT + at * unit - 1.5, y + 1);
    fprintf(out, "<path class='whisker' fill='none' d='M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8'/>", LEFT + slow * unit, y + 9,
            LEFT + best * unit, LEFT + slow * unit, y + 5, LEFT + best * unit, y + 5);
    if (processor > 0)
        fprintf(out, "<circle class='ring' cx='%.1f' cy='%.1f' r='4'/>", LEFT + fmin(processor, FULL) * unit, y + 9);
    fprintf(out, "<text x='%.1f' y='%.1f'>%.1f%%</text>\n", LEFT + fmin(fmax(fmax(best, at), processor), FULL) * unit + 8,
            y + 14, share);
}

static void put_bars(FILE *out, const json_t *results)
{
    size_t i, number = 0, rows = 0;
    json_t *row;
    json_array_foreach(results, i, row) rows += !is_roof(row);
    if (!rows) return;
    fprintf(out,
            "<h2>Share of each row's own roof</h2>\n<p class='soft'>The mark is the median, the whisker reaches from the 90th "
            "percentile of the times to the best sample, the ring is the share by processor time; the dashed line is the "
            "roof.</p>\n<div class='wide'><svg viewBox='0 0 1000 %zu' role='img' aria-label='shares'>\n",
            22 * rows + 24);
    json_array_foreach(results, i, row)
    {
        if (is_roof(row)) continue;
        put_bar(out, row, number + 1, 22.0 * (double)number);
        number++;
    }
    const double limit = LEFT + 100.0 * WIDTH / FULL;
    fprintf(out,
            "<line class='limit' x1='%.1f' x2='%.1f' y1='0' y2='%zu'/><text class='soft' text-anchor='middle' x='%.1f' "
            "y='%zu'>100%%</text>\n</svg></div>\n",
            limit, limit, 22 * rows, limit, 22 * rows + 16);
}

/* --- tables --- */

static void put_time(FILE *out, double ns)
{
    if (ns < 1e3)
        fprintf(out, "%.0f ns", ns);
    else if (ns < 1e6)
        fprintf(out, "%.1f us", ns / 1e3);
    else
        fprintf(out, "%.2f ms", ns / 1e6);
}

static void put_row(FILE *out, const json_t *row, size_t number)
{
    fprintf(out, "<tr><td class='n'>%zu</td><td>", number);
    put_text(out, text_of(row, "id"));
    fputs("<br><span class='soft'>", out);
    put_text(out, text_of(row, "what"));
    fputs("</span></td>", out);
    if (is_timed(row)) {
        fputs("<td class='n'>", out);
        put_time(out, number_of(row, "median_ns"));
        fputs("<br><span class='soft'>&plusmn; ", out);
        put_time(out, number_of(row, "mad_ns"));
        fprintf(out, "</span></td><td class='n'>%.1f</td><td class='n'>%.1f</td><td class='n'>%.1f%%</td>",
                fmax(number_of(row, "gflops"), 0), fmax(number_of(row, "gbs"), 0), number_of(row, "roof_pct"));
    } else {
        fputs("<td colspan='4'></td>", out);
    }
    const double error = number_of(json_object_get(row, "err"), "rel_l2");
    if (isnan(error))
        fputs("<td></td>", out);
    else
        fprintf(out, "<td class='n'>%.1e</td>", error);
    fprintf(out, "<td class='%s'>", strcmp(text_of(row, "status"), "ok") == 0 ? "soft" : "bad");
    if (strcmp(text_of(row, "status"), "ok") != 0) put_text(out, text_of(row, "status")), fputs(": ", out);
    put_text(out, text_of(row, "reason"));
    if (strncmp(text_of(row, "timer"), "host clock: the device's event", 30) == 0)
        fputs("<br>", out), put_text(out, text_of(row, "timer"));
    fputs("</td></tr>\n", out);
}

static void put_rows(FILE *out, const json_t *results)
{
    size_t i, number = 0;
    json_t *row;
    fputs("<h2>Rows</h2>\n<div class='wide'><table><tr><th class='n'>#</th><th>row</th><th class='n'>median &plusmn; "
          "MAD</th><th class='n'>GFLOP/s</th>"
          "<th class='n'>GB/s</th><th class='n'>of its roof</th><th class='n'>error</th><th></th></tr>\n",
          out);
    json_array_foreach(results, i, row) if (!is_roof(row)) put_row(out, row, ++number);
    fputs("</table></div>\n", out);
}

static void put_rate(FILE *out, double rate, const char *unit)
{
    if (isnan(rate)) return;
    if (strcmp(unit, "1/s") == 0)
        put_time(out, 1e9 / rate);
    else
        fprintf(out, "%.1f %s", rate / 1e9, strcmp(unit, "B/s") == 0 ? "GB/s" : "GFLOP/s");
}

static void put_roofs(FILE *out, const json_t *results)
{
    size_t i;
    json_t *row;
    fputs("<h2>Roofs</h2>\n<div class='wide'><table><tr><th>roof</th><th class='n'>OpenCL</th><th "
          "class='n'>intrinsics</th><th>form</th></tr>\n",
          out);
    json_array_foreach(results, i, row)
    {
        if (!is_roof(row)) continue;
        fputs("<tr><td>", out);
        put_text(out, text_of(row, "id"));
        fputs("</td><td class='n'>", out);
        put_rate(out, number_of(row, "rate"), text_of(row, "rate_unit"));
        fputs("</td><td class='n'>", out);
        put_rate(out, number_of(row, "intrinsics"), text_of(row, "rate_unit"));
        fputs("</td><td class='soft'>", out);
        put_text(out, *text_of(row, "form") ? text_of(row, "form") : text_of(row, "reason"));
        fputs("</td></tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

/* --- facts --- */

static void put_fact(FILE *out, const char *name, const char *value)
{
    if (!*value) return;
    fprintf(out, "<tr><th>%s</th><td>", name);
    put_text(out, value);
    fputs("</td></tr>\n", out);
}

static void put_facts(FILE *out, const json_t *file, const json_t *device)
{
    const json_t *host = json_object_get(file, "host");
    char text[160];
    fputs("<h2>Device</h2>\n<div class='wide'><table>\n", out);
    put_fact(out, "device", text_of(device, "device"));
    put_fact(out, "platform", text_of(device, "platform"));
    put_fact(out, "driver", text_of(device, "driver"));
    put_fact(out, "OpenCL", text_of(device, "device_version"));
    snprintf(text, sizeof text, "%.0f units, %.1f GiB, fp64 %s, fp16 %s, %s multiply-add", number_of(device, "compute_units"),
             number_of(device, "memory_bytes") / 1073741824.0,
             json_is_true(json_object_get(device, "fp64_probed")) ? "yes" : "no",
             json_is_true(json_object_get(device, "fp16_probed")) ? "yes" : "no",
             json_is_true(json_object_get(device, "fused")) ? "fused" : "unfused");
    put_fact(out, "can do", text);
    put_fact(out, "PCI", text_of(device, "pci"));
    put_fact(out, "quirks", text_of(device, "quirks"));
    snprintf(text, sizeof text, "%s, %s, %.0f cores", text_of(host, "cpu"), text_of(host, "system"), number_of(host, "cores"));
    put_fact(out, "host", text);
    snprintf(text, sizeof text, "clgrad %s, %s, %.0f s", text_of(json_object_get(file, "tool"), "version"),
             text_of(file, "started"), number_of(file, "seconds"));
    put_fact(out, "measured by", text);
    fputs("</table></div>\n", out);
}

static void put_run(FILE *out, const json_t *file, const json_t *run)
{
    size_t count;
    const json_t *device = json_object_get(run, "device"), *results = json_object_get(run, "results");
    const double mean = bench_headline(results, "roof_pct", &count);
    fputs("<h1>", out);
    put_text(out, text_of(device, "device"));
    fputs("</h1>\n<p class='soft'>", out);
    put_text(out, text_of(device, "platform"));
    fputs(", driver ", out);
    put_text(out, text_of(device, "driver"));
    fputs("</p>\n", out);
    if (count)
        fprintf(out, "<p><span class='big'>%.1f%%</span> of the device's own measured roofs, geometric mean of %zu rows</p>\n",
                mean, count);
    put_bars(out, results);
    put_roofline(out, results);
    put_rows(out, results);
    put_roofs(out, results);
    put_facts(out, file, device);
}

bool bench_write_html(const char *path, const json_t *file)
{
    size_t i;
    json_t *run;
    FILE *out = fopen(path, "w");
    if (!out) return false;
    fprintf(out,
            "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
            "content='width=device-width'>\n<title>clgrad bench</title>\n"
            "<style>\n%s</style></head><body>\n",
            style);
    json_array_foreach(json_object_get(file, "runs"), i, run) put_run(out, file, run);
    fputs("</body></html>\n", out);
    return fclose(out) == 0;
}
