/* The reference jobs: configurations under examples/, run to their promised outcome. */

#include "train/fixture.h"

#include "clgrad/io.h"
#include "train/oracle.h"

#include <stdlib.h>

static clgrad_config *example(const char *name, const char *data)
{
    clgrad_config *config = train_config(NULL);
    ck_ok(clgrad_config_load(config, train_example(name)));
    train_set_path(config, "data.path", data);
    train_set(config, "save=");
    return config;
}

/* Runs the training, and the oracle on the very same data and first parameters. */
static void compare_with_oracle(const clgrad_config *config)
{
    static const clgrad_train_callbacks silent = CLGRAD_TRAIN_CALLBACKS_INIT;
    clgrad_train_result result = CLGRAD_TRAIN_RESULT_INIT;
    clgrad_trainer t = { .dev = test_device(), .ctx = test_context(), .config = config, .settings = &config->settings,
                         .callbacks = &silent, .result = &result };
    ck_ok(clgrad_trainer_set_up(&t, false));
    const double want = oracle_final_loss(&t);
    clgrad_trainer_release(&t);
    ck_ok(clgrad_train(test_device(), config, false, NULL, &result));
    ck_assert_msg(fabs(result.train_loss - want) <= 1e-4 * want, "loss %.9g, oracle %.9g", result.train_loss, want);
}

START_TEST(a_line_is_fitted)
{
    if (!test_device()) return;
    clgrad_config *config = example("line.json", train_example("line.csv"));
    const char *model = train_path("line.safetensors");
    clgrad_dataset data;
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    train_set_path(config, "save", model);
    ck_assert_int_eq(config->settings.train_epochs, 1000);
    ck_ok(clgrad_train(test_device(), config, false, NULL, NULL));
    ck_ok(clgrad_dataset_load(test_context(), &config->settings, NULL, CLGRAD_DATA_TRAIN, &data));
    for (int64_t i = 0; i < data.count; i++) {
        const double x = (double)data.features[i], y = (double)data.targets[i];
        n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    const double slope = (n * sxy - sx * sy) / (n * sxx - sx * sx), offset = (sy - slope * sx) / n;
    clgrad_safetensors *file = NULL;
    float have[2];
    ck_ok(clgrad_safetensors_open(test_context(), model, &file));
    ck_ok(clgrad_safetensors_read(file, clgrad_safetensors_find(file, "0.weight"), &have[0], sizeof have[0]));
    ck_ok(clgrad_safetensors_read(file, clgrad_safetensors_find(file, "0.bias"), &have[1], sizeof have[1]));
    ck_assert_double_eq_tol((double)have[0], slope, 1e-3);
    ck_assert_double_eq_tol((double)have[1], offset, 1e-3);
    ck_assert_double_eq_tol(slope, 2, 0.1);
    ck_assert_double_eq_tol(offset, 1, 0.1);
    clgrad_safetensors_release(&file);
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(a_small_network_follows_the_oracle)
{
    if (!test_device() || test_is_short()) return;
    clgrad_config *config = example("points.json", train_example("points.csv"));
    ck_assert_str_eq(config->settings.model_layers, "10-5-1");
    ck_assert_int_eq(config->settings.train_epochs, 1000);
    compare_with_oracle(config);
    clgrad_config_release(&config);
}
END_TEST

/* 784 features uniform in (0, 1) and a label, drawn by Philox. */
static const char *random_images(int64_t count)
{
    clgrad_array array = { 0 };
    ck_ok(clgrad_array_create(test_context(), CLGRAD_F32, CLGRAD_SHAPE(count, 785), &array));
    float *values = array.data;
    for (int64_t i = 0; i < count; i++)
        for (int64_t f = 0; f < 785; f++) {
            const float u = clgrad_random_uniform(7, 1, (uint64_t)i, (uint64_t)f);
            values[i * 785 + f] = f < 784 ? u : floorf(10 * u);
        }
    ck_ok(clgrad_npy_write(test_context(), train_path("images.npy"), &array));
    clgrad_array_release(test_context(), &array);
    return train_path("images.npy");
}

START_TEST(random_images_follow_the_oracle)
{
    if (!test_device()) return;
    clgrad_config *config = example("random-images.json", random_images(test_is_long() ? 60000 : test_is_short() ? 300 : 1500));
    ck_assert_str_eq(config->settings.model_layers, "784-128-10");
    compare_with_oracle(config);
    clgrad_config_release(&config);
}
END_TEST

/* CLGRAD_MNIST names a directory with MNIST's files; they are not in the repository. */
START_TEST(mnist_one_sample_at_a_time)
{
    const char *mnist = getenv("CLGRAD_MNIST");
    if (!test_device() || !mnist) return;
    clgrad_config *config = example("mnist-single.json", mnist);
    clgrad_train_result result;
    ck_assert_int_eq(config->settings.train_steps, 10000);
    ck_ok(clgrad_train(test_device(), config, false, NULL, &result));
    ck_assert_double_ge(result.test_metric, 0.90);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(every_example_is_a_good_configuration)
{
    static const char *const names[] = { "line.json", "points.json", "random-images.json", "mnist.json", "mnist-single.json", "digits.json" };
    for (size_t i = 0; i < CLGRAD_COUNT(names); i++) {
        clgrad_config *config = example(names[i], "x");
        clgrad_model *model = NULL;
        clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
        options.layers = config->settings.model_layers;
        ck_ok(clgrad_model_create(test_context(), &options, &model));
        clgrad_model_release(&model);
        clgrad_config_release(&config);
    }
}
END_TEST

Suite *job_suite(void)
{
    Suite *suite = suite_create("jobs");
    TCase *tests = tcase_create("jobs");
    tcase_add_checked_fixture(tests, train_setup, train_teardown);
    tcase_add_test(tests, a_line_is_fitted);
    tcase_add_test(tests, a_small_network_follows_the_oracle);
    tcase_add_test(tests, random_images_follow_the_oracle);
    tcase_add_test(tests, mnist_one_sample_at_a_time);
    tcase_add_test(tests, every_example_is_a_good_configuration);
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    return suite;
}
