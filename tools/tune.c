/* clgrad tune: measures ways to compute products on a device, and keeps the best of each in the user's tuning file. */

#include "command.h"
#include "os.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PRODUCTS = 256 };

typedef struct tune_arguments {
    const char *device, *model, *batch, *shapes[MOST_PRODUCTS];
    size_t num_shapes;
    bool list, clear, again, providers, json;
} tune_arguments;

typedef struct products {
    clgrad_product items[MOST_PRODUCTS];
    size_t count;
} products;

/* --- which products --- */

static bool same(const clgrad_product *a, const clgrad_product *b)
{
    return a->a_dtype == b->a_dtype && a->b_dtype == b->b_dtype && a->m == b->m && a->n == b->n && a->k == b->k &&
           a->a_turned == b->a_turned && a->b_turned == b->b_turned && a->batches == b->batches && a->cell == b->cell;
}

static void add_product(products *list, const clgrad_product *product)
{
    for (size_t i = 0; i < list->count; i++)
        if (same(&list->items[i], product)) return;
    if (list->count < MOST_PRODUCTS) list->items[list->count++] = *product;
}

/* "128x128x784:nt": sizes of c and of the sum, then how a and b are stored; false when it cannot be read. */
static bool read_shape(const char *text, clgrad_product *out)
{
    int64_t *const sizes[] = { &out->m, &out->n, &out->k };
    *out = (clgrad_product)CLGRAD_PRODUCT_INIT;
    for (size_t i = 0; i < 3; i++) {
        char *end;
        if (*text < '1' || *text > '9' || strspn(text, "0123456789") > 7) return false;
        *sizes[i] = strtoll(text, &end, 10);
        if (i < 2 && *end != 'x') return false;
        text = end + (i < 2);
    }
    if (*text == '\0') return true;
    if (*text != ':' || !strchr("nt", text[1]) || !text[1] || !strchr("nt", text[2]) || !text[2] || text[3]) return false;
    out->a_turned = text[1] == 't', out->b_turned = text[2] == 't';
    return true;
}

/* Products of small and large networks, of their gradients, and of single samples. */
static const char *const usual[] = {
    "128x128x784:nn", "784x128x128:tn", "128x784x128:nt", "128x10x128:nn",    "128x10x128:tn",     "128x128x10:nt",     "1x128x784:nn",
    "32x128x784:nn",  "256x256x256:nn", "512x512x512:nn", "256x1024x784:nn", "256x1024x1024:nn", "1024x1024x256:tn", "256x1024x1024:nt",
    "1024x1024x1024:nn",
};

static int add_shapes(const char *const *shapes, size_t count, products *list)
{
    for (size_t i = 0; i < count; i++) {
        clgrad_product product;
        if (!read_shape(shapes[i], &product))
            return report_usage("tune", "--shape %s is not MxNxK, MxNxK:nn, nt, tn or tt", shapes[i]);
        add_product(list, &product);
    }
    return EXIT_DONE;
}

static clgrad_status add_function(const clgrad_function *f, products *list)
{
    clgrad_cost cost = CLGRAD_COST_INIT;
    const clgrad_status status = clgrad_function_cost(f, &cost);
    for (size_t i = 0; status == CLGRAD_OK && i < cost.num_launches; i++) {
        clgrad_product product;
        if (clgrad_function_product(f, i, &product)) add_product(list, &product);
    }
    return status;
}

/* All products of a model's training step. */
static clgrad_status add_model(clgrad_device *dev, const tune_arguments *a, products *list)
{
    clgrad_config *config = NULL;
    clgrad_workload *workload = NULL;
    clgrad_function *f;
    const char *when;
    clgrad_status status = clgrad_config_create(clgrad_device_get_context(dev), &config);
    if (status == CLGRAD_OK) status = clgrad_config_set(config, "model.layers", a->model, "--model");
    if (status == CLGRAD_OK && a->batch) status = clgrad_config_set(config, "train.batch", a->batch, "--batch");
    if (status == CLGRAD_OK) status = clgrad_workload_create(dev, config, CLGRAD_WORKLOAD_STEP, &workload);
    for (size_t i = 0; status == CLGRAD_OK && (f = clgrad_workload_function(workload, i, &when)); i++) status = add_function(f, list);
    clgrad_workload_release(&workload);
    clgrad_config_release(&config);
    return status;
}

static int choose_products(clgrad_device *dev, const tune_arguments *a, products *list)
{
    int code = add_shapes(a->shapes, a->num_shapes, list);
    if (code == EXIT_DONE && a->model) {
        const clgrad_status status = add_model(dev, a, list);
        if (status != CLGRAD_OK) code = report_failure(clgrad_device_get_context(dev), status);
    }
    if (code == EXIT_DONE && !a->model && a->num_shapes == 0) code = add_shapes(usual, sizeof usual / sizeof *usual, list);
    return code;
}

/* --- what came out --- */

static json_t *result_json(const clgrad_tune_result *r)
{
    return json_pack("{s:s, s:s, s:b, s:f, s:f, s:I, s:I, s:s}", "key", r->key, "choice", r->choice, "known", r->known, "rules_seconds",
                     r->rules_ns * 1e-9, "seconds", r->choice_ns * 1e-9, "candidates", (json_int_t)r->candidates, "wrong",
                     (json_int_t)r->wrong, "timer", r->timer);
}

static void print_result(const clgrad_tune_result *r)
{
    if (r->known) printf("%-44s %10s %10s %7s  %s\n", r->key, "", "", "", r->choice);
    else printf("%-44s %8.1f us %7.1f us %6.2fx  %s\n", r->key, r->rules_ns / 1e3, r->choice_ns / 1e3, r->rules_ns / r->choice_ns, r->choice);
    fflush(stdout);
}

/* Finished products are in the file: an interrupted run goes on where it stopped. */
static int tune_products(clgrad_device *dev, const tune_arguments *a, const products *list, json_t *results)
{
    clgrad_tune_options options = CLGRAD_TUNE_OPTIONS_INIT;
    options.again = a->again;
    options.providers = a->providers || clgrad_device_get_info(dev)->kind == CLGRAD_DEVICE_GPU;
    if (!a->json) printf("%-44s %11s %10s %7s  %s\n", "product", "by rules", "chosen", "", "choice");
    for (size_t i = 0; i < list->count; i++) {
        clgrad_tune_result r = CLGRAD_TUNE_RESULT_INIT;
        const clgrad_product *p = &list->items[i];
        if (interrupted()) {
            fprintf(stderr, "clgrad: interrupted; %zu of %zu products are done and kept\n", i, list->count);
            return EXIT_RUN_FAILED;
        }
        fprintf(stderr, "%zu/%zu %lldx%lldx%lld\n", i + 1, list->count, (long long)p->m, (long long)p->n, (long long)p->k);
        const clgrad_status status = clgrad_tune_product(dev, p, &options, &r);
        if (status != CLGRAD_OK) return report_failure(clgrad_device_get_context(dev), status);
        if (*r.timer && strcmp(r.timer, "host and event clocks agree") != 0) fprintf(stderr, "clgrad: timed by the %s\n", r.timer);
        if (r.wrong) fprintf(stderr, "clgrad: %s: %zu candidates gave other results and were left out\n", r.key, r.wrong);
        json_array_append_new(results, result_json(&r));
        if (!a->json) print_result(&r);
    }
    return EXIT_DONE;
}

static const char *known_score(const clgrad_device *dev)
{
    const char *key, *value;
    for (size_t i = 0; clgrad_tuning_get(dev, i, &key, &value); i++)
        if (strcmp(key, "score") == 0) return value;
    return NULL;
}

static int tune_device(clgrad_device *dev, bool again)
{
    double score;
    if (known_score(dev) && !again) return EXIT_DONE;
    fputs("roofs\n", stderr);
    const clgrad_status status = clgrad_tune_device(dev, &score);
    return status == CLGRAD_OK ? EXIT_DONE : report_failure(clgrad_device_get_context(dev), status);
}

static int tune(clgrad_device *dev, const tune_arguments *a)
{
    static products list;
    int code = choose_products(dev, a, &list);
    catch_interrupts();
    if (code == EXIT_DONE) code = tune_device(dev, a->again);
    if (code != EXIT_DONE) return code;
    json_t *results = json_array();
    code = tune_products(dev, a, &list, results);
    if (a->json)
        print_json(json_pack("{s:s, s:s, s:s, s:O}", "device", clgrad_device_get_info(dev)->name, "driver",
                             clgrad_device_get_info(dev)->driver, "score", known_score(dev), "products", results));
    else
        printf("%-44s %s\n", "score", known_score(dev));
    json_decref(results);
    return code;
}

static int list_rows(const clgrad_device *dev, bool json)
{
    const char *key, *value;
    json_t *rows = json_object();
    for (size_t i = 0; clgrad_tuning_get(dev, i, &key, &value); i++) {
        if (json) json_object_set_new(rows, key, json_string(value));
        else printf("%-44s %s\n", key, value);
    }
    if (json) return print_json(rows);
    json_decref(rows);
    return EXIT_DONE;
}

/* --- the command line --- */

static int take(void *user, const command_option *option, const char *value)
{
    tune_arguments *a = user;
    switch (option->letter) {
    case 'd': a->device = value; break;
    case 'm': a->model = value; break;
    case 'b': a->batch = value; break;
    case 'l': a->list = true; break;
    case 'c': a->clear = true; break;
    case 'a': a->again = true; break;
    case 'p': a->providers = true; break;
    case 'j': a->json = true; break;
    default:
        if (a->num_shapes == MOST_PRODUCTS) return report_usage("tune", "more than %d shapes", MOST_PRODUCTS);
        a->shapes[a->num_shapes++] = value;
    }
    return EXIT_DONE;
}

static int run(const tune_arguments *a)
{
    clgrad_context *ctx = NULL;
    clgrad_device *dev = NULL;
    int code = open_device(&(device_choice){ a->device, false, false }, &ctx, &dev);
    if (code != EXIT_DONE) return code;
    if (a->clear) {
        const clgrad_status status = clgrad_tuning_clear(dev);
        if (status != CLGRAD_OK) code = report_failure(ctx, status);
    } else {
        code = a->list ? list_rows(dev, a->json) : tune(dev, a);
    }
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
    return code;
}

int command_tune(int argc, char **argv)
{
    static const command_option options[] = {
        { "shape", 's', "MxNxK[:nt]", "a product of M x N sums over K; which of its operands are stored turned (may be repeated)" },
        { "model", 'm', "SIZES", "every product of a model's training step, 784-128-10" },
        { "batch", 'b', "N", "samples of that step (default: that of train)" },
        { "device", 'd', "DEVICE", "which device (see clgrad devices)" },
        { "again", 'a', NULL, "measure what is known already, too" },
        { "clblast", 'p', NULL, "CLBlast may win, with other bits; on GPUs it may anyway" },
        { "list", 'l', NULL, "print what is known of the device" },
        { "clear", 'c', NULL, "forget what is known of the device" },
        { "json", 'j', NULL, "print one JSON object" },
    };
    static const option_set set = { "tune", "tune [OPTIONS]",
                                    "Measure ways to compute products and keep the best in the tuning file, which every later run takes them\n"
                                    "from. Without --shape or --model: the usual sizes.", options, sizeof options / sizeof *options };
    tune_arguments a = { .device = NULL };
    int first;
    bool helped;
    const int code = parse_options(&set, argc, argv, take, &a, &first, &helped);
    if (code != EXIT_DONE || helped) return code;
    if (first < argc) return report_usage("tune", "unexpected argument %s", argv[first]);
    if (a.batch && !a.model) return report_usage("tune", "--batch needs --model");
    return run(&a);
}
