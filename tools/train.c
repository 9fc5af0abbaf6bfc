/* clgrad train: configuration, progress, log, result. */

#include "os.h"
#include "settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_output {
    FILE *log;
    bool bar, plain;
    int64_t epoch_shown;
} train_output;

static void draw_bar(const clgrad_train_progress *p)
{
    char bar[24];
    const int width = (int)sizeof bar - 1;
    const double share = p->steps > 0 ? (double)p->step / (double)p->steps : 0;
    for (int i = 0; i < width; i++) bar[i] = i < (int)(share * width) ? '#' : '.';
    bar[width] = '\0';
    char line[160];
    snprintf(line, sizeof line, "epoch %lld/%lld [%s] step %lld  loss %.4f  %.0f samples/s", (long long)p->epoch,
             (long long)p->epochs, bar, (long long)p->step, p->train_loss, p->samples_per_second);
    fprintf(stderr, "\r%-*.*s", terminal_columns() - 1, terminal_columns() - 1, line);
}

static void print_epoch(const clgrad_train_progress *p)
{
    fprintf(stderr, "epoch %lld/%lld  step %lld  loss %.5f", (long long)p->epoch, (long long)p->epochs, (long long)p->step,
            p->train_loss);
    if (!isnan(p->validation_loss)) fprintf(stderr, "  validation loss %.5f", p->validation_loss);
    if (!isnan(p->validation_metric)) fprintf(stderr, " (%.4f)", p->validation_metric);
    fprintf(stderr, "  lr %g  %.0f samples/s\n", p->lr, p->samples_per_second);
}

static bool on_progress(void *user, const clgrad_train_progress *p)
{
    train_output *out = user;
    if (out->bar) draw_bar(p);
    if (out->plain && p->epoch_end && p->epoch != out->epoch_shown) {
        out->epoch_shown = p->epoch;
        print_epoch(p);
    }
    return !interrupted();
}

static void on_log(void *user, const char *json)
{
    train_output *out = user;
    if (!out->log) return;
    fprintf(out->log, "%s\n", json);
    fflush(out->log);
}

static void set_metric(json_t *object, const char *set, const char *metric, double value)
{
    char name[48];
    snprintf(name, sizeof name, "%s_%s", set, metric);
    json_object_set_new(object, name, number_or_null(value));
}

static json_t *result_json(const clgrad_train_result *r, const char *model)
{
    const char *metric = *r->metric ? r->metric : "metric";
    json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:f, s:f, s:b, s:s}", "device", r->device, "driver", r->driver,
                          "arithmetic", r->arithmetic, "epochs", (json_int_t)r->epochs, "steps", (json_int_t)r->steps, "samples",
                          (json_int_t)r->samples, "parameters", (json_int_t)r->parameters, "residency", r->residency, "memory_bytes",
                          (json_int_t)r->memory_bytes, "seconds", r->seconds, "samples_per_second", r->samples_per_second,
                          "stopped_early", r->stopped_early, "digest", r->digest);
    json_object_set_new(o, "train_loss", number_or_null(r->train_loss));
    json_object_set_new(o, "validation_loss", number_or_null(r->validation_loss));
    json_object_set_new(o, "test_loss", number_or_null(r->test_loss));
    set_metric(o, "train", metric, r->train_metric);
    set_metric(o, "validation", metric, r->validation_metric);
    set_metric(o, "test", metric, r->test_metric);
    json_object_set_new(o, "model", model && *model ? json_string(model) : json_null());
    return o;
}

static void print_measure(const char *set, const clgrad_train_result *r, double metric, double loss)
{
    if (isnan(loss)) return;
    printf("%-10s %-13s %.4f   loss %.5f\n", set, r->metric, metric, loss);
}

static void print_result(const clgrad_train_result *r, const char *model)
{
    printf("device     %s, driver %s, %s\n", r->device, r->driver, r->arithmetic);
    print_measure("train", r, r->train_metric, r->train_loss);
    print_measure("validation", r, r->validation_metric, r->validation_loss);
    print_measure("test", r, r->test_metric, r->test_loss);
    printf("speed      %.0f samples/s (%lld epochs, %lld steps in %.2f s%s%s)\n", r->samples_per_second, (long long)r->epochs,
           (long long)r->steps, r->seconds, r->stopped_early ? ", stopped early" : "", strcmp(r->residency, "stream") == 0 ? ", data streamed" : "");
    if (model && *model) printf("model      %s\n", model);
}

/* The value of `save` in the resolved configuration. */
static char *saved_path(clgrad_config *config)
{
    char *text = NULL, *path = NULL;
    if (clgrad_config_dump(config, &text) == CLGRAD_OK) {
        json_t *all = json_loads(text, 0, NULL);
        const char *save = json_string_value(json_object_get(all, "save"));
        if (save && (path = malloc(strlen(save) + 1)) != NULL) strcpy(path, save);
        json_decref(all);
    }
    clgrad_config_text_release(config, &text);
    return path;
}

static int dump_config(clgrad_context *ctx, clgrad_config *config)
{
    char *text = NULL;
    const clgrad_status status = clgrad_config_dump(config, &text);
    if (status != CLGRAD_OK) return report_failure(ctx, status);
    printf("%s\n", text);
    clgrad_config_text_release(config, &text);
    return EXIT_DONE;
}

static int run_training(clgrad_device *dev, clgrad_config *config, const settings_arguments *a, train_output *out)
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    clgrad_train_callbacks callbacks = CLGRAD_TRAIN_CALLBACKS_INIT;
    clgrad_train_result result = CLGRAD_TRAIN_RESULT_INIT;
    callbacks.user = out;
    callbacks.progress = on_progress;
    callbacks.log = on_log;
    catch_interrupts();
    const clgrad_status status = clgrad_train(dev, config, a->resume, &callbacks, &result);
    if (out->bar) fputc('\n', stderr);
    int code = status == CLGRAD_OK ? EXIT_DONE : report_failure(ctx, status);
    char *model = saved_path(config);
    if (code == EXIT_DONE && a->json)
        code = print_json(result_json(&result, model));
    else if (code == EXIT_DONE)
        print_result(&result, model);
    free(model);
    if (a->profile && clgrad_device_write_trace(dev, a->profile) != CLGRAD_OK) code = report_failure(ctx, clgrad_error_status(ctx));
    return code;
}

static int open_output(const settings_arguments *a, train_output *out)
{
    const char *how = a->progress ? a->progress : "auto";
    const bool terminal = is_terminal(2);
    out->bar = strcmp(how, "bar") == 0 || (strcmp(how, "auto") == 0 && terminal);
    out->plain = strcmp(how, "plain") == 0 || (strcmp(how, "auto") == 0 && !terminal);
    out->log = a->log ? fopen(a->log, "a") : NULL;
    if (!a->log || out->log) return EXIT_DONE;
    fprintf(stderr, "clgrad: cannot write the log ");
    perror(a->log);
    return EXIT_RUN_FAILED;
}

static int train_with(const settings_arguments *a)
{
    clgrad_context *ctx = NULL;
    clgrad_device *dev = NULL;
    clgrad_config *config = NULL;
    train_output out = { .epoch_shown = -1 };
    int code = open_context(&ctx);
    if (code == EXIT_DONE) code = settings_resolve(ctx, a, NULL, &config);
    if (code == EXIT_DONE && a->dump_config) {
        code = dump_config(ctx, config);
    } else if (code == EXIT_DONE) {
        code = open_output(a, &out);
        if (code == EXIT_DONE) code = open_device_in(ctx, &(device_choice){ a->device, a->profile != NULL, a->unfused }, &dev);
        if (code == EXIT_DONE) code = run_training(dev, config, a, &out);
    }
    if (out.log) fclose(out.log);
    clgrad_device_release(&dev);
    clgrad_config_release(&config);
    clgrad_context_release(&ctx);
    return code;
}

int command_train(int argc, char **argv)
{
    static const settings_command command = {
        "train", "train --data PATH --model SIZES [OPTIONS]",
        "Train a model and save it. Values: defaults < --config < environment (CLGRAD_TRAIN_...) < command line.\n"
        "Ctrl-C saves a checkpoint first; --resume continues bit for bit.",
        "csCdujPlpr", NULL, 0,
    };
    settings_arguments arguments;
    int code = settings_parse(&command, argc, argv, &arguments);
    if (code == EXIT_DONE && !arguments.helped) code = train_with(&arguments);
    settings_release(&arguments);
    return code;
}
