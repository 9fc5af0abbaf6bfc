/* Asking a workload what it does. */

#include "explained.h"

#include "clgrad/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double explained_seconds(const explained_function *f)
{
    double sum = 0;
    for (size_t i = 0; i < f->num_kernels; i++) sum += f->kernels[i].seconds;
    return sum;
}

double explained_least_seconds(const explained_function *f)
{
    double sum = 0;
    for (size_t i = 0; i < f->num_kernels; i++) sum += f->kernels[i].least_seconds;
    return sum;
}

void explained_release(explained *e)
{
    for (size_t f = 0; f < e->num_functions; f++) {
        explained_launch *launches = e->functions[f].launches;
        for (size_t i = 0; launches && i < e->functions[f].cost.num_launches; i++) free(launches[i].operands);
        free(launches);
        free(e->functions[f].kernels);
    }
    e->num_functions = 0;
}

static clgrad_status fill_launch(explained_launch *l, const clgrad_function *f, size_t number)
{
    clgrad_status st = clgrad_function_launch(f, number, &l->info);
    if (st != CLGRAD_OK) return st;
    l->operands = calloc(l->info.num_operands + 1, sizeof *l->operands);
    if (!l->operands) return CLGRAD_E_MEMORY;
    for (size_t k = 0; k < l->info.num_operands && st == CLGRAD_OK; k++) st = clgrad_function_operand(f, number, k, &l->operands[k]);
    return st;
}

/* Launches of one kernel follow each other. */
static void gather_kernels(explained_function *f)
{
    for (size_t i = 0; i < f->cost.num_launches; i++) {
        const clgrad_launch_info *l = &f->launches[i].info;
        if (i == 0 || l->kernel_number != f->launches[i - 1].info.kernel_number)
            f->kernels[f->num_kernels++] = (explained_kernel){ .first = i, .seconds = NAN, .roof = "", .least_seconds = NAN };
        explained_kernel *k = &f->kernels[f->num_kernels - 1];
        k->count++;
        k->bytes += l->read_bytes + l->written_bytes;
        k->flops += l->flops;
    }
}

static clgrad_status fill_function(explained_function *out, const clgrad_function *f)
{
    out->wall = NAN;
    clgrad_status st = clgrad_function_cost(f, &out->cost);
    if (st != CLGRAD_OK) return st;
    out->launches = calloc(out->cost.num_launches + 1, sizeof *out->launches);
    out->kernels = calloc(out->cost.num_launches + 1, sizeof *out->kernels);
    if (!out->launches || !out->kernels) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < out->cost.num_launches && st == CLGRAD_OK; i++) st = fill_launch(&out->launches[i], f, i);
    if (st == CLGRAD_OK) gather_kernels(out);
    return st;
}

/* As many runs as fit the time by the first few, an odd number. */
static clgrad_status measure(explained_function *out, clgrad_function *f, double budget)
{
    enum { FEW = 3, MOST = 101 };
    double *seconds = calloc(out->cost.num_launches + 1, sizeof *seconds);
    if (!seconds) return CLGRAD_E_MEMORY;
    clgrad_status st = clgrad_function_time(f, FEW, seconds, &out->wall);
    const double fit = out->wall > 0 ? budget / out->wall : MOST;
    const size_t runs = fit < FEW ? FEW : fit > MOST ? MOST : (size_t)fit | 1;
    if (st == CLGRAD_OK) st = clgrad_function_time(f, runs, seconds, &out->wall);
    for (size_t i = 0; st == CLGRAD_OK && i < out->num_kernels; i++) out->kernels[i].seconds = seconds[out->kernels[i].first];
    free(seconds);
    return st;
}

static clgrad_status run_workload(void *user, size_t runs)
{
    clgrad_status st = CLGRAD_OK;
    for (size_t i = 0; st == CLGRAD_OK && i < runs; i++) st = clgrad_workload_run(user);
    return st;
}

static clgrad_status check_clock(explained *e, clgrad_device *dev, clgrad_workload *workload, bool *agrees)
{
    clgrad_timing_options options = CLGRAD_TIMING_OPTIONS_INIT;
    clgrad_timing timing = CLGRAD_TIMING_INIT;
    options.seconds = options.warm_seconds = 0.02;
    const clgrad_status st = clgrad_time_work(dev, run_workload, workload, &options, &timing);
    *agrees = timing.clocks_agree;
    snprintf(e->timer, sizeof e->timer, "%s", timing.timer);
    return st;
}

clgrad_status explained_fill(explained *e, clgrad_device *dev, clgrad_workload *workload, double seconds)
{
    clgrad_function *f;
    bool timed = false;
    clgrad_status st = seconds > 0 ? check_clock(e, dev, workload, &timed) : CLGRAD_OK;
    for (size_t i = 0; st == CLGRAD_OK && i < EXPLAINED_FUNCTIONS; i++) {
        explained_function *out = &e->functions[i];
        f = clgrad_workload_function(workload, i, &out->when);
        if (!f) break;
        e->num_functions = i + 1;
        st = fill_function(out, f);
        if (st == CLGRAD_OK && timed) st = measure(out, f, seconds);
    }
    return st;
}

const char *si_text(double value, const char *unit, char text[SI_BYTES])
{
    static const char *const prefixes[] = { "n", "u", "m", "", "k", "M", "G", "T", "P" };
    size_t i = 3;
    if (isnan(value)) return strcpy(text, "-");
    while (value >= 999.5 && i + 1 < sizeof prefixes / sizeof *prefixes) value /= 1000, i++;
    while (value > 0 && value < 0.9995 && i > 0) value *= 1000, i--;
    const int decimals = value >= 99.95 || (i == 3 && value == floor(value)) ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, SI_BYTES, "%.*f %s%s", decimals, value, prefixes[i], unit);
    return text;
}

const char *share_text(const explained_kernel *k, char text[SI_BYTES])
{
    const double share = k->least_seconds / k->seconds;
    *text = '\0';
    if (!isnan(share)) snprintf(text, SI_BYTES, "%.0f%% %s", 100 * share, k->roof);
    return text;
}

const char *kernel_text(const explained_function *f, const explained_kernel *k, char text[SI_BYTES])
{
    if (k->count > 1) snprintf(text, SI_BYTES, "%zu parts", k->count);
    else snprintf(text, SI_BYTES, "%.*s", SI_BYTES - 1, f->launches[k->first].info.kernel);
    return text;
}

const char *operand_text(const clgrad_operand_info *operand, char text[SHAPE_BYTES])
{
    size_t used = (size_t)snprintf(text, SHAPE_BYTES, "%s[", clgrad_dtype_name(operand->dtype));
    for (int32_t d = 0; d < operand->shape.rank; d++)
        used += (size_t)snprintf(text + used, SHAPE_BYTES - used, d ? ",%lld" : "%lld", (long long)operand->shape.dims[d]);
    snprintf(text + used, SHAPE_BYTES - used, "]");
    return text;
}
