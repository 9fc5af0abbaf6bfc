/* clgrad eval, predict and info: what is done with a saved model. */

#include "settings.h"

#include <stdlib.h>
#include <string.h>

/* What may differ from the training configuration when a model meets other data. */
static const char *const eval_flags[] = { "data", "format", "target", "header", "missing", "weights", "limit", "batch", "residency", NULL };
static const char *const predict_flags[] = { "data", "format", "target", "header", "missing", "weights", "limit", "batch", NULL };

typedef struct model_run {
    clgrad_context *ctx;
    clgrad_device *dev;
    clgrad_config *config;
} model_run;

static int model_open(const settings_arguments *a, model_run *run)
{
    int code = open_context(&run->ctx);
    if (code == EXIT_DONE) code = settings_resolve(run->ctx, a, a->operands[0], &run->config);
    if (code == EXIT_DONE) code = open_device_in(run->ctx, &(device_choice){ a->device, a->profile != NULL, a->unfused }, &run->dev);
    return code;
}

static int model_close(model_run *run, const settings_arguments *a, int code)
{
    if (code == EXIT_DONE && a->profile && clgrad_device_write_trace(run->dev, a->profile) != CLGRAD_OK)
        code = report_failure(run->ctx, clgrad_error_status(run->ctx));
    clgrad_device_release(&run->dev);
    clgrad_config_release(&run->config);
    clgrad_context_release(&run->ctx);
    return code;
}

static int evaluate(model_run *run, const settings_arguments *a)
{
    clgrad_train_result r = CLGRAD_TRAIN_RESULT_INIT;
    const clgrad_status status = clgrad_evaluate(run->dev, run->config, a->operands[0], &r);
    if (status != CLGRAD_OK) return report_failure(run->ctx, status);
    if (a->json) {
        char name[48];
        snprintf(name, sizeof name, "test_%s", r.metric);
        return print_json(json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:f}", "model", a->operands[0], "device", r.device, "driver",
                                    r.driver, "residency", r.residency, "samples", (json_int_t)r.samples, "test_loss", number_or_null(r.test_loss), name,
                                    number_or_null(r.test_metric), "seconds", r.seconds));
    }
    printf("device     %s, driver %s\n", r.device, r.driver);
    printf("test       %s %.4f   loss %.5f   (%lld samples)\n", r.metric, r.test_metric, r.test_loss, (long long)r.samples);
    return EXIT_DONE;
}

int command_eval(int argc, char **argv)
{
    static const settings_command command = {
        "eval", "eval MODEL --data PATH [OPTIONS]", "Loss and accuracy (or R2) of a saved model on a data set.", "sdujp", eval_flags, 1,
    };
    settings_arguments a;
    int code = settings_parse(&command, argc, argv, &a);
    if (code == EXIT_DONE && !a.helped) {
        model_run run = { NULL, NULL, NULL };
        code = model_open(&a, &run);
        if (code == EXIT_DONE) code = evaluate(&run, &a);
        code = model_close(&run, &a, code);
    }
    settings_release(&a);
    return code;
}

typedef struct predict_output {
    FILE *file;
    json_t *rows;
    bool headed;
} predict_output;

static void json_prediction(json_t *rows, int64_t sample, const float *outputs, size_t count, int64_t label)
{
    json_t *values = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(values, number_or_null((double)outputs[i]));
    json_t *row = json_pack("{s:I, s:o}", "sample", (json_int_t)sample, "outputs", values);
    if (label >= 0) json_object_set_new(row, "label", json_integer((json_int_t)label));
    json_array_append_new(rows, row);
}

static void on_prediction(void *user, int64_t sample, const float *outputs, size_t count, int64_t label)
{
    predict_output *out = user;
    if (out->rows) {
        json_prediction(out->rows, sample, outputs, count, label);
        return;
    }
    if (!out->headed) {
        fprintf(out->file, "sample%s", label >= 0 ? ",label" : "");
        for (size_t i = 0; i < count; i++) fprintf(out->file, ",y%zu", i);
        fputc('\n', out->file);
        out->headed = true;
    }
    fprintf(out->file, "%lld", (long long)sample);
    if (label >= 0) fprintf(out->file, ",%lld", (long long)label);
    for (size_t i = 0; i < count; i++) fprintf(out->file, ",%.9g", (double)outputs[i]);
    fputc('\n', out->file);
}

static int predict(model_run *run, const settings_arguments *a)
{
    predict_output out = { a->predictions ? fopen(a->predictions, "w") : stdout, a->json ? json_array() : NULL, false };
    if (!out.file) return fputs("clgrad: cannot write ", stderr), perror(a->predictions), EXIT_RUN_FAILED;
    const clgrad_status status = clgrad_predict(run->dev, run->config, a->operands[0], on_prediction, &out);
    int code = status == CLGRAD_OK ? EXIT_DONE : report_failure(run->ctx, status);
    if (out.rows && code == EXIT_DONE) json_dumpf(out.rows, out.file, JSON_REAL_PRECISION(9)), fputc('\n', out.file);
    json_decref(out.rows);
    const bool written = !ferror(out.file) && fflush(out.file) == 0;
    if (a->predictions && (fclose(out.file) != 0 || !written) && code == EXIT_DONE)
        code = (fputs("clgrad: cannot write ", stderr), perror(a->predictions), EXIT_RUN_FAILED);
    return code;
}

int command_predict(int argc, char **argv)
{
    static const settings_command command = {
        "predict", "predict MODEL --data PATH [OPTIONS]",
        "A saved model's outputs for every sample, as CSV: class probabilities and the most probable class, or values.", "sdujpo",
        predict_flags, 1,
    };
    settings_arguments a;
    int code = settings_parse(&command, argc, argv, &a);
    if (code == EXIT_DONE && !a.helped) {
        model_run run = { NULL, NULL, NULL };
        code = model_open(&a, &run);
        if (code == EXIT_DONE) code = predict(&run, &a);
        code = model_close(&run, &a, code);
    }
    settings_release(&a);
    return code;
}

/* --- info ------------------------------------------------------------------------------------------------------------- */

static void print_tensors(const json_t *tensors)
{
    size_t i;
    json_t *t;
    json_array_foreach(tensors, i, t)
    {
        char *shape = json_dumps(json_object_get(t, "shape"), JSON_COMPACT);
        printf("  %-32s %-5s %-16s %lld bytes\n", json_string_value(json_object_get(t, "name")),
               json_string_value(json_object_get(t, "dtype")), shape ? shape : "", (long long)json_integer_value(json_object_get(t, "bytes")));
        free(shape);
    }
}

static void print_section(const json_t *all, const char *name)
{
    const json_t *section = json_object_get(all, name);
    char *text = section ? json_dumps(section, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY) : NULL;
    if (text) printf("%s\n%s\n", name, text);
    free(text);
}

static int info(const char *path, bool as_json)
{
    clgrad_context *ctx = NULL;
    char *text = NULL;
    int code = open_context(&ctx);
    if (code != EXIT_DONE) return code;
    const clgrad_status status = clgrad_inspect(ctx, path, &text);
    json_t *all = status == CLGRAD_OK ? json_loads(text, 0, NULL) : NULL;
    if (status != CLGRAD_OK) {
        code = report_failure(ctx, status);
    } else if (as_json || !all) {
        printf("%s\n", text);
    } else {
        const char *key;
        json_t *value;
        printf("tensors\n");
        print_tensors(json_object_get(all, "tensors"));
        json_object_foreach(all, key, value)
            if (strcmp(key, "tensors") != 0) print_section(all, key);
    }
    json_decref(all);
    clgrad_inspect_release(ctx, &text);
    clgrad_context_release(&ctx);
    return code;
}

int command_info(int argc, char **argv)
{
    static const char *const none[] = { NULL };
    static const settings_command command = { "info", "info FILE [--json]",
                                              "Tensors, configuration and provenance of a safetensors file.", "j", none, 1 };
    settings_arguments a;
    int code = settings_parse(&command, argc, argv, &a);
    if (code == EXIT_DONE && !a.helped) code = info(a.operands[0], a.json);
    settings_release(&a);
    return code;
}
