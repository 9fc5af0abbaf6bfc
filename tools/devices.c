/* clgrad devices: what is there, what was probed, which one `auto` picks and why.
 *
 * Drivers crash while being loaded, so nothing is loaded here: the command runs itself once for every .icd file (a crash is a
 * line of the table), then once more with all healthy drivers together, where the library lists, merges and chooses. */

#include "command.h"
#include "os.h"

#include <stdlib.h>
#include <string.h>

enum { PROBE_SECONDS = 60 };

static const char *const list_arguments[] = { "devices", "--list", NULL };

json_t *device_json(const clgrad_device_info *info)
{
    static const char *const kinds[] = { "cpu", "gpu", "other" };
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b, "
                     "s:b, s:b, s:b, s:b, s:b, s:b, s:s, s:i, s:i}",
                     "index", info->index, "platform", info->platform, "device", info->name, "vendor", info->vendor,
                     "driver", info->driver, "device_version", info->device_version, "opencl_c", info->c_version, "pci",
                     info->pci, "uuid", info->uuid, "also_known", info->also_known, "kind", kinds[info->kind],
                     "compute_units", (json_int_t)info->compute_units, "clock_mhz", (json_int_t)info->clock_mhz,
                     "memory_bytes", (json_int_t)info->memory_bytes, "allocation_bytes",
                     (json_int_t)info->allocation_bytes, "local_bytes", (json_int_t)info->local_bytes, "max_work_group",
                     (json_int_t)info->max_work_group, "fp16_advertised", info->fp16_advertised, "fp64_advertised",
                     info->fp64_advertised, "sub_groups", info->sub_groups, "probed", info->probed, "fp16_probed",
                     info->fp16, "fp64_probed", info->fp64, "fused", info->fma, "denormals", info->denormals,
                     "exact_divide", info->exact_divide, "quirks", info->quirks, "platform_index", info->platform_index,
                     "device_index", info->device_index);
}

/* Open a listed device so that fp16 and fp64 are probed; the listed facts stand where that fails. */
static json_t *probed_json(clgrad_context *ctx, const clgrad_device_info *listed)
{
    char selector[32];
    clgrad_device *dev = NULL;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    snprintf(selector, sizeof selector, "%d", listed->index);
    options.selector = selector;
    const clgrad_status status = clgrad_device_open(ctx, &options, &dev);
    json_t *value = device_json(status == CLGRAD_OK ? clgrad_device_get_info(dev) : listed);
    if (status != CLGRAD_OK && value) json_object_set_new(value, "problem", json_string(clgrad_error_text(ctx)));
    clgrad_device_release(&dev);
    return value;
}

/* The child: everything the loader shows, as one JSON object on stdout. */
static int list_as_json(void)
{
    clgrad_context *ctx = NULL;
    clgrad_device_list *list = NULL;
    int code = open_context(&ctx);
    if (code != EXIT_DONE) return code;
    json_t *result = json_object(), *devices = json_array();
    const clgrad_status status = clgrad_device_list_create(ctx, &list);
    if (status == CLGRAD_OK) {
        size_t chosen = 0;
        const char *reason = "";
        for (size_t i = 0; i < clgrad_device_list_count(list); i++)
            json_array_append_new(devices, probed_json(ctx, clgrad_device_list_get(list, i)));
        if (clgrad_device_list_select(list, "auto", &chosen, &reason) == CLGRAD_OK) {
            json_object_set_new(result, "auto", json_integer((json_int_t)chosen));
            json_object_set_new(result, "auto_reason", json_string(reason));
        }
    } else {
        json_object_set_new(result, "problem", json_string(clgrad_error_text(ctx)));
        code = exit_code_of(status);
    }
    json_object_set_new(result, "devices", devices);
    print_json(result);
    clgrad_device_list_release(&list);
    clgrad_context_release(&ctx);
    return code;
}

/* What is wrong with a driver, NULL when it may be loaded. */
static const char *verdict(const child_result *child, char *text, size_t bytes)
{
    if (child->timed_out)
        snprintf(text, bytes, "does not answer within %d s", PROBE_SECONDS);
    else if (child->signal)
        snprintf(text, bytes, "crashes while being probed (%s)", signal_text(child->signal));
    else if (child->exit_code < 0)
        snprintf(text, bytes, "could not be probed");
    else
        return NULL;
    return text;
}

/* Probe each driver alone. Healthy ones stay in `files`; the others become rows of `crashed`. */
static void probe_each(char **files, json_t *crashed)
{

    size_t kept = 0;
    for (size_t i = 0; files[i]; i++) {
        child_result child;
        char text[96];
        run_self(list_arguments, "OCL_ICD_VENDORS", files[i], PROBE_SECONDS, &child);
        const char *problem = verdict(&child, text, sizeof text);
        free(child.output);
        if (problem) {
            json_array_append_new(crashed, json_pack("{s:s, s:s}", "icd", files[i], "problem", problem));
            free(files[i]);
        } else {
            files[kept++] = files[i];
        }
    }
    files[kept] = NULL;
}

/* One listing with all healthy drivers; with none excluded the environment stays as it is. */
static json_t *list_together(char **files, bool excluded)
{

    char *directory = excluded ? make_link_directory(files) : NULL;
    child_result child;
    run_self(list_arguments, directory ? "OCL_ICD_VENDORS" : NULL, directory, 2 * PROBE_SECONDS, &child);
    remove_directory(directory);
    json_t *result = child.output ? json_loads(child.output, 0, NULL) : NULL;
    free(child.output);
    if (!result) result = json_pack("{s:s, s:[]}", "problem", "the drivers crash when loaded together", "devices");
    return result;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool flag_of(const json_t *object, const char *key) { return json_is_true(json_object_get(object, key)); }

static double number_of(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static const char *half_or_double(const json_t *d, const char *advertised, const char *probed)
{
    if (flag_of(d, probed)) return flag_of(d, advertised) ? "yes" : "yes (works, not advertised)";
    return flag_of(d, advertised) ? "no (advertised, but the probe failed)" : "no";
}

static void print_device(const json_t *d, bool chosen)
{
    const double gib = 1024.0 * 1024 * 1024;
    printf("%c %d  %s  [%s, platform %.0f:%.0f %s]\n", chosen ? '*' : ' ', (int)number_of(d, "index"), text_of(d, "device"),
           text_of(d, "kind"), number_of(d, "platform_index"), number_of(d, "device_index"), text_of(d, "platform"));
    printf("     driver %s, %s, OpenCL C %s\n", text_of(d, "driver"), text_of(d, "device_version"), text_of(d, "opencl_c"));
    printf("     %.0f compute units at %.0f MHz, %.1f GiB memory, %.1f GiB largest allocation, %.0f KiB local\n",
           number_of(d, "compute_units"), number_of(d, "clock_mhz"), number_of(d, "memory_bytes") / gib,
           number_of(d, "allocation_bytes") / gib, number_of(d, "local_bytes") / 1024);
    printf("     probed: fp64 %s; fp16 %s\n", half_or_double(d, "fp64_advertised", "fp64_probed"),
           half_or_double(d, "fp16_advertised", "fp16_probed"));
    printf("     arithmetic: %s, subnormals %s, divide and sqrt %s; sub-groups %s\n",
           flag_of(d, "fused") ? "fused multiply-add" : "unfused", flag_of(d, "denormals") ? "kept" : "flushed",
           flag_of(d, "exact_divide") ? "correctly rounded" : "approximate", flag_of(d, "sub_groups") ? "yes" : "no");
    if (*text_of(d, "pci")) printf("     pci:%s\n", text_of(d, "pci"));
    if (*text_of(d, "uuid")) printf("     uuid:%s\n", text_of(d, "uuid"));
    if (*text_of(d, "also_known")) printf("     the same device again under: %s\n", text_of(d, "also_known"));
    if (*text_of(d, "quirks")) printf("     quirks: %s\n", text_of(d, "quirks"));
    if (*text_of(d, "problem")) printf("     cannot be opened: %s\n", text_of(d, "problem"));
}

static void print_table(const json_t *result)
{
    const json_t *chosen = json_object_get(result, "auto");
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(result, "devices"), i, row)
        print_device(row, chosen && (size_t)json_integer_value(chosen) == i);
    json_array_foreach(json_object_get(result, "broken_drivers"), i, row)
        printf("!    driver %s %s; other drivers can be used with OCL_ICD_VENDORS set to their .icd file\n",
               text_of(row, "icd"), text_of(row, "problem"));
    if (chosen) printf("auto picks %d: %s\n", (int)json_integer_value(chosen), text_of(result, "auto_reason"));
    fflush(stdout);
    if (*text_of(result, "problem")) fprintf(stderr, "clgrad: %s\n", text_of(result, "problem"));
}

typedef struct devices_arguments {
    bool json, list;
} devices_arguments;

static int take(void *user, const command_option *option, const char *value)
{
    devices_arguments *arguments = user;
    (void)value;
    if (option->letter == 'j') arguments->json = true;
    if (option->letter == 'l') arguments->list = true;
    return EXIT_DONE;
}

int command_devices(int argc, char **argv)
{
    static const command_option options[] = {
        { "json", 'j', NULL, "print one JSON object" },
        { "list", 'l', NULL, "load all drivers in this process and print JSON; what the probe runs" },
    };
    static const option_set set = { "devices", "devices [--json]",
                                    "List OpenCL devices. Each driver is first probed in a process of its own.", options,
                                    sizeof options / sizeof *options };
    devices_arguments arguments = { false, false };
    int first;
    bool helped;
    const int code = parse_options(&set, argc, argv, take, &arguments, &first, &helped);
    if (code != EXIT_DONE || helped) return code;
    if (first < argc) return report_usage("devices", "unexpected argument %s", argv[first]);
    if (arguments.list) return list_as_json();

    char **files = list_icd_files();
    json_t *crashed = json_array();
    if (files) probe_each(files, crashed);
    json_t *result = list_together(files, json_array_size(crashed) > 0);
    free_list(files);
    json_object_set_new(result, "broken_drivers", crashed);
    const bool any = json_array_size(json_object_get(result, "devices")) > 0;
    if (arguments.json)
        print_json(json_incref(result));
    else
        print_table(result);
    json_decref(result);
    return any ? EXIT_DONE : EXIT_NO_DEVICE;
}
