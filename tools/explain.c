/* clgrad explain: what a model's kernels do, move and take. */

#include "explained.h"
#include "settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TIMING_SECONDS = 0.5;

/* --- as a table --- */

static void print_results(const explained_launch *l)
{
    char text[SHAPE_BYTES];
    const char *before = " ->";
    for (size_t k = 0; k < l->info.num_operands; k++) {
        if (l->operands[k].written_bytes <= 0) continue;
        printf("%s %s", before, operand_text(&l->operands[k], text));
        before = ",";
    }
    putchar('\n');
}

static double or_none(double amount) { return amount > 0 ? amount : NAN; }

static void print_part(const explained_launch *l)
{
    char moved[SI_BYTES], flops[SI_BYTES];
    printf("%4s %8s  %-12s %8s %8s %10s %12s  . %-18s %s", "", "", "", si_text(l->info.read_bytes + l->info.written_bytes, "B", moved),
           si_text(or_none(l->info.flops), "", flops), "", "", l->info.kernel, l->info.operations);
    print_results(l);
}

static void print_kernel(const explained_function *f, size_t number)
{
    char time[SI_BYTES], share[SI_BYTES], moved[SI_BYTES], flops[SI_BYTES], speed[SI_BYTES], rate[SI_BYTES], name[SI_BYTES];
    const explained_kernel *k = &f->kernels[number];
    printf("%4zu %8s  %-12s %8s %8s %10s %12s  ", number, si_text(k->seconds, "s", time), share_text(k, share),
           si_text(k->bytes, "B", moved), si_text(or_none(k->flops), "", flops), si_text(k->bytes / k->seconds, "B/s", speed),
           si_text(or_none(k->flops) / k->seconds, "FLOP/s", rate));
    if (k->count == 1) {
        printf("%-20s %s", kernel_text(f, k, name), f->launches[k->first].info.operations);
        print_results(&f->launches[k->first]);
        return;
    }
    printf("%s\n", kernel_text(f, k, name));
    for (size_t i = 0; i < k->count; i++) print_part(&f->launches[k->first + i]);
}

static void print_totals(const explained_function *f)
{
    char a[SI_BYTES], b[SI_BYTES], c[SI_BYTES], share[SI_BYTES] = "";
    const clgrad_cost *cost = &f->cost;
    const double least = explained_least_seconds(f), seconds = explained_seconds(f);
    if (!isnan(least)) snprintf(share, sizeof share, "%.0f%%", 100 * least / seconds);
    printf("%4s %8s  %-12s %8s %8s\n", "sum", si_text(seconds, "s", a), share, si_text(cost->bytes, "B", b), si_text(or_none(cost->flops), "", c));
    if (!isnan(least)) printf("roofs      %s for these kernels by what the device was just measured to do\n", si_text(least, "s", a));
    printf("moved      %s, %.2f times the %s that any list of kernels moves\n", si_text(cost->bytes, "B", a),
           cost->least_bytes > 0 ? cost->bytes / cost->least_bytes : 1.0, si_text(cost->least_bytes, "B", b));
    printf("memory     %s of inputs and outputs, %s of scratch (%s alive at once)\n", si_text((double)cost->argument_bytes, "B", a),
           si_text((double)cost->scratch_bytes, "B", b), si_text((double)cost->least_scratch_bytes, "B", c));
    if (!isnan(f->wall)) printf("run        %s by the host's clock, queued and waited for\n", si_text(f->wall, "s", a));
}

static void print_table(const explained *e)
{
    printf("model      %s\n", e->title);
    printf("device     %s, %s, driver %s\n", e->device->name, e->device->platform, e->device->driver);
    if (*e->timer) printf("timer      %s%s\n", e->timer, isnan(e->functions[0].wall) ? ": kernels are not timed" : "");
    for (size_t i = 0; i < e->num_functions; i++) {
        const explained_function *f = &e->functions[i];
        printf("\n%zu kernel%s %s%s\n", f->num_kernels, f->num_kernels == 1 ? "" : "s", f->when,
               f->cost.repeats ? "; training has many in one launch" : "");
        printf("%4s %8s  %-12s %8s %8s %10s %12s  %-20s %s\n", "", "time", "of its roof", "moved", "FLOPs", "", "", "template",
               "operations -> results");
        for (size_t k = 0; k < f->num_kernels; k++) print_kernel(f, k);
        print_totals(f);
    }
}

/* --- as JSON --- */

static json_t *operand_json(const clgrad_operand_info *o)
{
    static const char *const kinds[] = { "scratch", "input", "output" };
    json_t *shape = json_array();
    for (int32_t d = 0; d < o->shape.rank; d++) json_array_append_new(shape, json_integer(o->shape.dims[d]));
    return json_pack("{s:I, s:s, s:s, s:s, s:o, s:f, s:f}", "value", (json_int_t)o->value, "kind", kinds[o->kind], "name", o->name,
                     "dtype", clgrad_dtype_name(o->dtype), "shape", shape, "read_bytes", o->read_bytes, "written_bytes", o->written_bytes);
}

static json_t *launch_json(const explained_launch *l)
{
    json_t *operands = json_array();
    for (size_t k = 0; k < l->info.num_operands; k++) json_array_append_new(operands, operand_json(&l->operands[k]));
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:s, s:o}", "template", l->info.kernel, "operations", l->info.operations, "read_bytes",
                     l->info.read_bytes, "written_bytes", l->info.written_bytes, "flops", l->info.flops, "arithmetic",
                     clgrad_dtype_name(l->info.arithmetic), "operands", operands);
}

static json_t *kernel_json(const explained_function *f, const explained_kernel *k)
{
    json_t *launches = json_array();
    for (size_t i = 0; i < k->count; i++) json_array_append_new(launches, launch_json(&f->launches[k->first + i]));
    return json_pack("{s:f, s:f, s:o, s:s, s:o, s:o, s:o}", "bytes", k->bytes, "flops", k->flops, "seconds", number_or_null(k->seconds), "roof",
                     k->roof, "roof_rate", number_or_null(*k->roof ? k->roof_rate : NAN), "least_seconds", number_or_null(k->least_seconds),
                     "launches", launches);
}

static json_t *function_json(const explained_function *f)
{
    const clgrad_cost *c = &f->cost;
    json_t *kernels = json_array();
    for (size_t i = 0; i < f->num_kernels; i++) json_array_append_new(kernels, kernel_json(f, &f->kernels[i]));
    return json_pack("{s:s, s:o, s:b, s:f, s:f, s:f, s:I, s:I, s:I, s:o, s:o, s:o}", "when", f->when, "kernels", kernels, "repeats", c->repeats, "bytes", c->bytes,
                     "least_bytes", c->least_bytes, "flops", c->flops, "argument_bytes", (json_int_t)c->argument_bytes, "scratch_bytes",
                     (json_int_t)c->scratch_bytes, "least_scratch_bytes", (json_int_t)c->least_scratch_bytes, "seconds",
                     number_or_null(explained_seconds(f)), "least_seconds", number_or_null(explained_least_seconds(f)), "wall_seconds",
                     number_or_null(f->wall));
}

static json_t *explained_json(const explained *e)
{
    json_t *functions = json_array();
    for (size_t i = 0; i < e->num_functions; i++) json_array_append_new(functions, function_json(&e->functions[i]));
    return json_pack("{s:s, s:s, s:o, s:s, s:o}", "version", clgrad_version(), "model", e->title, "device", device_json(e->device), "timer", e->timer, "functions",
                     functions);
}

/* --- the command --- */

static const char *text_at(const json_t *config, const char *section, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(config, section), key));
    return text ? text : "";
}

static int set_title(explained *e, clgrad_context *ctx, clgrad_config *config, const char *what)
{
    char *text = NULL;
    const clgrad_status status = clgrad_config_dump(config, &text);
    if (status != CLGRAD_OK) return report_failure(ctx, status);
    json_t *all = json_loads(text, 0, NULL);
    const char *loss = json_string_value(json_object_get(all, "loss"));
    snprintf(e->title, sizeof e->title, "%s, %s, %s, %s, batch %lld: %s", text_at(all, "model", "layers"), text_at(all, "model", "activation"),
             loss ? loss : "", text_at(all, "optimizer", "name"),
             (long long)json_integer_value(json_object_get(json_object_get(all, "train"), "batch")), what);
    json_decref(all);
    clgrad_config_text_release(config, &text);
    return EXIT_DONE;
}

static int show(const explained *e, const settings_arguments *a)
{
    if (!a->json) print_table(e);
    const int code = a->json ? print_json(explained_json(e)) : EXIT_DONE;
    return code == EXIT_DONE && a->graph ? explained_draw(e, a->graph) : code;
}

static int explain(clgrad_device *dev, clgrad_config *config, const settings_arguments *a)
{
    static const char *const names[] = { "training step", "forward", "gradient", "Hessian-vector product", "Gauss-Newton product" };
    clgrad_context *ctx = clgrad_device_get_context(dev);
    clgrad_workload *workload = NULL;
    explained e = { .device = clgrad_device_get_info(dev) };
    int code = set_title(&e, ctx, config, names[a->workload]);
    if (code != EXIT_DONE) return code;
    clgrad_status status = clgrad_workload_create(dev, config, a->workload, &workload);
    if (status == CLGRAD_OK) status = explained_fill(&e, dev, workload, a->no_time ? 0 : TIMING_SECONDS);
    if (status == CLGRAD_OK && !isnan(e.functions[0].wall)) status = explained_find_roofs(&e, dev);
    code = status == CLGRAD_OK ? show(&e, a) : report_failure(ctx, status);
    explained_release(&e);
    clgrad_workload_release(&workload);
    return code;
}

/* 784-128-10 is a model by its text, anything else a file. */
static bool is_text(const char *model) { return model[strspn(model, "0123456789-")] == '\0'; }

static int explain_with(const settings_arguments *a)
{
    const bool text = is_text(a->operands[0]);
    clgrad_context *ctx = NULL;
    clgrad_device *dev = NULL;
    clgrad_config *config = NULL;
    int code = open_context(&ctx);
    if (code == EXIT_DONE) code = settings_resolve(ctx, a, text ? NULL : a->operands[0], &config);
    if (code == EXIT_DONE && text) {
        const clgrad_status status = clgrad_config_set(config, "model.layers", a->operands[0], "the command line");
        if (status != CLGRAD_OK) code = report_failure(ctx, status);
    }
    if (code == EXIT_DONE) code = open_device_in(ctx, &(device_choice){ a->device, !a->no_time, a->unfused }, &dev);
    if (code == EXIT_DONE) code = explain(dev, config, a);
    clgrad_device_release(&dev);
    clgrad_config_release(&config);
    clgrad_context_release(&ctx);
    return code;
}

int command_explain(int argc, char **argv)
{
    static const char *const flags[] = { "activation", "dropout", "loss",     "optimizer",  "lr",        "momentum", "beta2", "epsilon",
                                         "weight-decay", "l1",    "l2",       "clip-value", "clip-norm", "batch",    "accumulate",
                                         "groups",  "seed",       "residency", NULL };
    static const settings_command command = {
        "explain", "explain MODEL [OPTIONS]",
        "What a model's kernels do, move and take. MODEL is its layers, 784-128-10, or a saved file; what is explained is one\n"
        "training step, on made-up data, unless another is asked for.",
        "csduFGHWgnj", flags, 1, "a model",
    };
    settings_arguments a;
    int code = settings_parse(&command, argc, argv, &a);
    if (code == EXIT_DONE && !a.helped) code = explain_with(&a);
    settings_release(&a);
    return code;
}
