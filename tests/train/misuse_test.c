/* Configurations that do not fit the data or the device, and losses that run away. */

#include "train/fixture.h"

#include "base/os.h"
#include "clgrad/io.h"

#include <stdio.h>

static clgrad_config *clouds(const char *first, const char *second)
{
    clgrad_config *config = train_config("model.layers=3-8-2", "train.epochs=3", first, second, NULL);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 60));
    return config;
}

START_TEST(what_does_not_fit_is_refused)
{
    static const struct {
        const char *first, *second;
        clgrad_status status;
        const char *words;
    } rows[] = {
        { "model.layers=4-2", NULL, CLGRAD_E_CONFIG, "begins with 4 inputs" },
        { "model.layers=3-1", NULL, CLGRAD_E_CONFIG, "not one of 0 .. 0" },
        { "model.layers=3-x-2", NULL, CLGRAD_E_CONFIG, "3-x-2" },
        { "model.layers=", NULL, CLGRAD_E_CONFIG, "model.layers is not set" },
        { "optimizer.momentum=0.5", NULL, CLGRAD_E_CONFIG, "takes no momentum" },
        { "optimizer.name=momentum", "optimizer.momentum=1", CLGRAD_E_CONFIG, "momentum" },
        { "groups=[{\"match\": \"*\", \"frozen\": true}]", NULL, CLGRAD_E_CONFIG, "every parameter is frozen" },
        { "train.patience=2", NULL, CLGRAD_E_CONFIG, "data.validation" },
        { "data.class_weights=1,2,3", NULL, CLGRAD_E_CONFIG, "2 numbers" },
        { "data.target=colour", NULL, CLGRAD_E_CONFIG, "colour" },
        { "data.limit=4", "data.test=0.9", CLGRAD_E_CONFIG, "no training samples" },
        { "data.path=/nowhere/at/all.csv", NULL, CLGRAD_E_FILE, "/nowhere/at/all.csv" },
        { "save=/nowhere/at/all.safetensors", NULL, CLGRAD_E_FILE, "/nowhere/at" },
    };
    if (!test_device()) return;
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        clgrad_config *config = clouds("train.batch=8", NULL);
        train_set(config, rows[i].first);
        if (rows[i].second) train_set(config, rows[i].second);
        train_expect(clgrad_train(test_device(), config, false, NULL, NULL), rows[i].status, rows[i].words);
        clgrad_config_release(&config);
    }
}
END_TEST

START_TEST(class_weights_need_classes)
{
    static const char text[] = "1,2.5\n2,3.5\n3,1.5\n";
    if (!test_device()) return;
    clgrad_config *config = train_config("model.layers=1-1", "loss=mse", "data.class_weights=1,2", NULL);
    train_set_path(config, "data.path", train_file("n.csv", text, sizeof text - 1));
    train_expect(clgrad_train(test_device(), config, false, NULL, NULL), CLGRAD_E_CONFIG, "not a class");
    train_set(config, "loss=cross-entropy");
    train_set(config, "model.layers=1-3");
    train_expect(clgrad_train(test_device(), config, false, NULL, NULL), CLGRAD_E_CONFIG, "label 2.5");
    clgrad_config_release(&config);
}
END_TEST

START_TEST(more_memory_than_there_is)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("model.layers=3-900000000-900000000-2", NULL);
    train_expect(clgrad_train(test_device(), config, false, NULL, NULL), CLGRAD_E_MEMORY, "needs");
    clgrad_config_release(&config);
}
END_TEST

START_TEST(a_runaway_loss_ends_with_the_last_good_file)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("loss=mse", "model.layers=3-2");
    clgrad_train_result result, good;
    char words[64];
    train_set(config, "train.batch=8");
    train_set(config, "train.epochs=1");
    train_set(config, "optimizer.lr=3"); /* diverges, but one epoch stays finite */
    train_set_path(config, "save", train_path("model"));
    ck_ok(clgrad_train(test_device(), config, false, NULL, &good));
    train_set(config, "train.epochs=500");
    const clgrad_status st = clgrad_train(test_device(), config, true, NULL, &result);
    snprintf(words, sizeof words, "in epoch ");
    train_expect(st, CLGRAD_E_NOT_FINITE, words);
    train_expect(st, CLGRAD_E_NOT_FINITE, "step ");
    clgrad_model_file file;
    ck_ok(clgrad_model_file_open(test_context(), train_path("model"), &file));
    for (size_t i = 0; i < clgrad_safetensors_count(file.file); i++) {
        clgrad_array values = { 0 };
        ck_ok(clgrad_safetensors_read_array(file.file, clgrad_safetensors_get(file.file, i), &values));
        for (int64_t k = 0; k < clgrad_shape_count(&values.shape); k++) ck_assert(isfinite(clgrad_array_get(&values, k)));
        clgrad_array_release(test_context(), &values);
    }
    clgrad_model_file_release(&file);
    clgrad_config_release(&config);
}
END_TEST

/* One update, after a loss that was finite: what it leaves is not saved. */
START_TEST(parameters_that_are_not_finite_are_not_saved)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("optimizer.lr=1e30", "optimizer.l1=1e30");
    train_set(config, "train.batch=60");
    train_set(config, "train.epochs=1");
    train_set_path(config, "save", train_path("model"));
    train_expect(clgrad_train(test_device(), config, false, NULL, NULL), CLGRAD_E_NOT_FINITE, "parameter '0.weight'");
    ck_assert(!clgrad_os_exists(train_path("model")));
    clgrad_config_release(&config);
}
END_TEST

START_TEST(files_that_are_no_models)
{
    if (!test_device()) return;
    clgrad_config *config = clouds(NULL, NULL);
    clgrad_safetensors_writer *writer = NULL;
    clgrad_train_result result;
    const char *plain = train_path("plain.safetensors");
    const float value = 1;
    ck_ok(clgrad_safetensors_writer_create(test_context(), &writer));
    ck_ok(clgrad_safetensors_writer_add(writer, "w", CLGRAD_F32, CLGRAD_SCALAR, &value, sizeof value));
    ck_ok(clgrad_safetensors_writer_write(writer, plain));
    train_expect(clgrad_evaluate(test_device(), config, plain, &result), CLGRAD_E_FORMAT, "no clgrad model");
    train_expect(clgrad_config_load_model(config, plain), CLGRAD_E_FORMAT, "no clgrad model");
    ck_ok(clgrad_safetensors_writer_set(writer, "format", "clgrad"));
    ck_ok(clgrad_safetensors_writer_set(writer, "config", "{\"loss\": "));
    ck_ok(clgrad_safetensors_writer_write(writer, plain));
    train_expect(clgrad_evaluate(test_device(), config, plain, &result), CLGRAD_E_FORMAT, "damaged");
    ck_ok(clgrad_safetensors_writer_set(writer, "config", "{}"));
    ck_ok(clgrad_safetensors_writer_write(writer, plain));
    train_expect(clgrad_evaluate(test_device(), config, plain, &result), CLGRAD_E_FORMAT, "no tensor '0.weight'");
    clgrad_safetensors_writer_release(&writer);
    train_expect(clgrad_evaluate(test_device(), config, train_path("none"), &result), CLGRAD_E_FILE, "none");
    char *json = NULL;
    train_expect(clgrad_inspect(test_context(), train_path("none"), &json), CLGRAD_E_FILE, "none");
    clgrad_config_release(&config);
}
END_TEST

Suite *misuse_suite(void)
{
    Suite *suite = suite_create("misuse");
    TCase *tests = tcase_create("misuse");
    tcase_add_checked_fixture(tests, train_setup, train_teardown);
    tcase_add_test(tests, what_does_not_fit_is_refused);
    tcase_add_test(tests, class_weights_need_classes);
    tcase_add_test(tests, more_memory_than_there_is);
    tcase_add_test(tests, a_runaway_loss_ends_with_the_last_good_file);
    tcase_add_test(tests, parameters_that_are_not_finite_are_not_saved);
    tcase_add_test(tests, files_that_are_no_models);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
