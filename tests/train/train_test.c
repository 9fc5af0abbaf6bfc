/* Trainings from data to a saved model. */

#include "train/fixture.h"

#include "clgrad/io.h"

#include <stdio.h>

static clgrad_config *clouds(const char *layers, const char *loss)
{
    clgrad_config *config = train_config(layers, loss, "data.test=0.25", "optimizer.lr=0.2", "optimizer.name=momentum",
                                         "train.batch=16", "train.epochs=12", NULL);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 200));
    return config;
}

static clgrad_status train(const clgrad_config *config, clgrad_train_result *result)
{
    return clgrad_train(test_device(), config, false, NULL, result);
}

START_TEST(every_classification_loss_learns)
{
    static const char *const rows[][2] = {
        { "loss=cross-entropy", "model.layers=3-8-2" }, { "loss=cross-entropy-dense", "model.layers=3-8-2" },
        { "loss=bce", "model.layers=3-8-1" },           { "loss=hinge", "model.layers=3-8-1" },
        { "loss=hinge", "model.layers=3-8-2" },         { "loss=mse", "model.layers=3-8-2" },
    };
    if (!test_device() || test_leaves_out(_i, 3)) return;
    clgrad_config *config = clouds(rows[_i][1], rows[_i][0]);
    clgrad_train_result result;
    ck_ok(train(config, &result));
    ck_assert_str_eq(result.metric, "accuracy");
    ck_assert_msg(result.test_metric >= 0.97, "%s %s: %g", rows[_i][0], rows[_i][1], result.test_metric);
    ck_assert_int_eq(result.steps, 12 * 10);
    ck_assert_int_eq(result.samples, 150);
    ck_assert(isnan(result.validation_loss));
    ck_assert_uint_eq(strlen(result.digest), 64);
    clgrad_config_release(&config);
}
END_TEST

/* y = x0 - 2 x1 + 0.5 */
static const char *plane(void)
{
    char text[8192];
    size_t n = 0;
    for (int i = 0; i < 200; i++) {
        const double a = i * 37 % 101 / 101.0, b = i * 53 % 97 / 97.0;
        n += (size_t)snprintf(text + n, sizeof text - n, "%.6f,%.6f,%.6f\n", a, b, a - 2 * b + 0.5);
    }
    return train_file("plane.csv", text, n);
}

START_TEST(every_regression_loss_learns)
{
    static const char *const losses[] = { "loss=mse", "loss=mae", "loss=huber" };
    if (!test_device() || test_leaves_out(_i, 3)) return;
    clgrad_config *config = train_config(losses[_i], "model.layers=2-1", "data.test=0.2", "optimizer.lr=0.05", "train.batch=20",
                                         "train.epochs=60", "optimizer.name=adam", "schedule.kind=cosine", NULL);
    train_set_path(config, "data.path", plane());
    clgrad_train_result result;
    ck_ok(train(config, &result));
    ck_assert_str_eq(result.metric, "r2");
    ck_assert_msg(result.test_metric > 0.98, "%s: %g", losses[_i], result.test_metric);
    ck_assert_double_lt(result.test_loss, 0.1);
    clgrad_config_release(&config);
}
END_TEST

/* A small step and a large evaluation, whose scratch is most of it, on a device of its own. The pool rounds sizes up. */
START_TEST(memory_is_known_beforehand)
{
    if (!test_device()) return;
    char selector[48];
    clgrad_device *dev = NULL;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    const clgrad_device_info *info = clgrad_device_get_info(test_device());
    snprintf(selector, sizeof selector, "%d:%d", info->platform_index, info->device_index);
    options.selector = selector;
    ck_ok(clgrad_device_open(test_context(), &options, &dev));
    clgrad_config *config = clouds("model.layers=3-512-2", "train.batch=1");
    train_set(config, "train.epochs=1");
    train_set_path(config, "data.path", train_clouds("many.csv", 2000));
    clgrad_train_result result;
    uint64_t before, peak;
    clgrad_device_memory(dev, &before, NULL);
    ck_ok(clgrad_train(dev, config, false, NULL, &result));
    clgrad_device_memory(dev, NULL, &peak);
    peak -= before;
    ck_assert_msg(result.memory_bytes > 2000000 && peak < 1.25 * (double)result.memory_bytes && peak > 0.8 * (double)result.memory_bytes,
                  "%.0f bytes announced, %.0f used", (double)result.memory_bytes, (double)peak);
    clgrad_config_release(&config);
    clgrad_device_release(&dev);
}
END_TEST

/* --- models on disk --- */

typedef struct answers {
    int count, right;
    double sums;
} answers;

static void take(void *user, int64_t sample, const float *outputs, size_t count, int64_t label)
{
    answers *a = user;
    a->count++;
    a->right += label == sample % 2;
    for (size_t i = 0; i < count; i++) a->sums += (double)outputs[i];
}

START_TEST(saved_models_evaluate_and_predict)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("model.layers=3-8-2", "data.standardize=true"), *loaded = train_config(NULL);
    const char *model = train_path("model.safetensors");
    clgrad_train_result result, again;
    answers a = { 0 };
    char *json = NULL;
    train_set_path(config, "save", model);
    ck_ok(train(config, &result));
    ck_ok(clgrad_config_load_model(loaded, model));
    ck_assert_str_eq(loaded->settings.model_layers, "3-8-2");
    ck_ok(clgrad_evaluate(test_device(), loaded, model, &again));
    ck_assert_int_eq(again.samples, 200);
    /* all samples are train and test set together */
    ck_assert_double_eq_tol(again.test_loss, 0.75 * result.train_loss + 0.25 * result.test_loss, 1e-6);
    ck_ok(clgrad_predict(test_device(), loaded, model, take, &a));
    ck_assert_int_eq(a.count, 200);
    ck_assert_int_eq(a.right, (int)(again.test_metric * 200 + 0.5));
    ck_assert_double_eq_tol(a.sums, 200, 1e-4); /* probabilities */
    ck_ok(clgrad_inspect(test_context(), model, &json));
    ck_assert_ptr_nonnull(strstr(json, "\"2.weight\""));
    ck_assert_ptr_nonnull(strstr(json, "\"classes\": [\"no\", \"yes\"]"));
    ck_assert_ptr_nonnull(strstr(json, result.digest));
    clgrad_inspect_release(test_context(), &json);
    clgrad_config_release(&config), clgrad_config_release(&loaded);
}
END_TEST

/* --- the loop --- */

static void digest_of(const char *assignment, char digest[65])
{
    clgrad_config *config = clouds("model.layers=3-8-2", "train.epochs=3");
    train_set(config, assignment);
    clgrad_train_result result;
    ck_ok(train(config, &result));
    memcpy(digest, result.digest, 65);
    clgrad_config_release(&config);
}

START_TEST(same_inputs_same_bits)
{
    char a[65], b[65], c[65];
    if (!test_device()) return;
    digest_of("model.dropout=0.2", a);
    digest_of("model.dropout=0.2", b);
    digest_of("train.seed=2", c);
    ck_assert_str_eq(a, b);
    ck_assert_str_ne(a, c);
}
END_TEST

START_TEST(a_batch_per_sample)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("model.layers=3-2", "loss=cross-entropy");
    train_set(config, "train.batch=1");
    train_set(config, "train.steps=200");
    train_set(config, "optimizer.clip_norm=1");
    clgrad_train_result result;
    ck_ok(train(config, &result));
    ck_assert_int_eq(result.steps, 200);
    ck_assert_double_ge(result.test_metric, 0.95);
    clgrad_config_release(&config);
}
END_TEST

/* A sample of weight 0 must have no influence, and one of weight 2 that of two. */
START_TEST(weights_count)
{
    static const char weighted[] = "x,w,y\n0.5,2,1\n0.2,1,0.3\n9,0,-7\n0.1,1,0\n";
    static const char repeated[] = "x,y\n0.5,1\n0.2,0.3\n0.5,1\n0.1,0\n";
    clgrad_train_result a, b;
    if (!test_device()) return;
    clgrad_config *config = train_config("model.layers=1-1", "loss=mse", "optimizer.lr=0.1", "train.batch=4", "train.epochs=20",
                                         "data.weights=w", "train.shuffle=false", NULL);
    train_set_path(config, "data.path", train_file("w.csv", weighted, sizeof weighted - 1));
    ck_ok(train(config, &a));
    train_set(config, "data.weights=");
    train_set_path(config, "data.path", train_file("r.csv", repeated, sizeof repeated - 1));
    ck_ok(train(config, &b));
    ck_assert_double_eq_tol(a.train_loss, b.train_loss, 1e-6 * b.train_loss);
    ck_assert_double_gt(b.train_loss, 1e-5);
    clgrad_config_release(&config);
}
END_TEST

/* Micro-batches of 8 twice are a batch of 16, but for the order of sums. */
START_TEST(accumulated_batches_are_one_batch)
{
    clgrad_train_result a, b;
    if (!test_device()) return;
    clgrad_config *config = clouds("model.layers=3-8-2", "loss=cross-entropy");
    train_set(config, "train.epochs=2");
    ck_ok(train(config, &a));
    train_set(config, "train.batch=8");
    train_set(config, "train.accumulate=2");
    ck_ok(train(config, &b));
    ck_assert_int_eq(a.steps, b.steps);
    ck_assert_double_eq_tol(a.train_loss, b.train_loss, 1e-5 * a.train_loss);
    train_set(config, "train.accumulate=1");
    ck_ok(train(config, &b));
    ck_assert_double_gt(fabs(a.train_loss - b.train_loss), 1e-4 * a.train_loss);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(training_stops_early_and_keeps_the_best)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("model.layers=3-8-2", "data.validation=0.2");
    const char *model = train_path("best.safetensors");
    train_set(config, "optimizer.lr=5"); /* jumps about */
    train_set(config, "train.patience=3");
    train_set(config, "train.epochs=200");
    train_set_path(config, "save", model);
    clgrad_train_result result, again;
    ck_ok(train(config, &result));
    ck_assert(result.stopped_early);
    ck_assert_int_lt(result.epochs, 200);
    ck_ok(clgrad_train(test_device(), config, true, NULL, &again)); /* nothing is left to do */
    ck_assert_str_eq(again.digest, result.digest);
    ck_assert_double_eq(again.validation_loss, result.validation_loss);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(groups_freeze_by_name)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("model.layers=3-8-2", "groups=[{\"match\": \"0.*\", \"frozen\": true}]");
    clgrad_array before = { 0 }, after = { 0 };
    const char *first = train_path("a.safetensors"), *second = train_path("b.safetensors");
    const char *const paths[] = { first, second }, *const epochs[] = { "train.epochs=1", "train.epochs=3" };
    clgrad_array *const arrays[] = { &before, &after };
    for (int i = 0; i < 2; i++) {
        clgrad_safetensors *file = NULL;
        train_set(config, epochs[i]);
        train_set_path(config, "save", paths[i]);
        ck_ok(train(config, NULL));
        ck_ok(clgrad_safetensors_open(test_context(), paths[i], &file));
        ck_ok(clgrad_safetensors_read_array(file, clgrad_safetensors_find(file, "0.weight"), arrays[i]));
        clgrad_safetensors_release(&file);
    }
    ck_assert_mem_eq(before.data, after.data, clgrad_array_bytes(&before));
    clgrad_array_release(test_context(), &before), clgrad_array_release(test_context(), &after);
    clgrad_config_release(&config);
}
END_TEST

/* --- callbacks --- */

typedef struct witness {
    int progress, ends, starts, epochs, finishes;
    double last_loss;
} witness;

static bool on_progress(void *user, const clgrad_train_progress *p)
{
    witness *w = user;
    w->progress++;
    w->ends += p->epoch_end;
    ck_assert_int_le(p->step, p->steps);
    ck_assert_int_eq(p->epochs, 4);
    if (p->epoch_end) w->last_loss = p->train_loss;
    return true;
}

static void on_log(void *user, const char *json)
{
    witness *w = user;
    json_t *line = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_null(strchr(json, '\n'));
    const char *event = json_string_value(json_object_get(line, "event"));
    w->starts += strcmp(event, "start") == 0;
    w->epochs += strcmp(event, "epoch") == 0;
    w->finishes += strcmp(event, "end") == 0;
    json_decref(line);
}

START_TEST(callbacks_tell_what_happens)
{
    if (!test_device()) return;
    clgrad_config *config = clouds("model.layers=3-8-2", "data.validation=0.2");
    train_set(config, "train.epochs=4");
    witness w = { 0 };
    clgrad_train_callbacks callbacks = CLGRAD_TRAIN_CALLBACKS_INIT;
    callbacks.user = &w;
    callbacks.progress = on_progress;
    callbacks.log = on_log;
    clgrad_train_result result;
    ck_ok(clgrad_train(test_device(), config, false, &callbacks, &result));
    ck_assert_int_eq(w.ends, 4);
    ck_assert_int_eq(w.starts, 1);
    ck_assert_int_eq(w.epochs, 4);
    ck_assert_int_eq(w.finishes, 1);
    ck_assert_double_lt(result.train_loss, w.last_loss * 1.5);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(real_digits_are_learnt)
{
    if (!test_device()) return;
    clgrad_config *config = train_config("model.layers=64-32-10", "optimizer.name=momentum", "optimizer.lr=0.05", "data.test=0.2",
                                         "train.batch=64", "train.epochs=6", "data.standardize=true", NULL);
    train_set_path(config, "data.path", train_data("digits.csv.gz"));
    clgrad_train_result result;
    ck_ok(train(config, &result));
    ck_assert_double_ge(result.test_metric, 0.94);
    clgrad_config_release(&config);
}
END_TEST

Suite *train_suite(void)
{
    Suite *suite = suite_create("train");
    TCase *tests = tcase_create("train");
    tcase_add_checked_fixture(tests, train_setup, train_teardown);
    tcase_add_loop_test(tests, every_classification_loss_learns, 0, 6);
    tcase_add_loop_test(tests, every_regression_loss_learns, 0, 3);
    tcase_add_test(tests, memory_is_known_beforehand);
    tcase_add_test(tests, saved_models_evaluate_and_predict);
    tcase_add_test(tests, same_inputs_same_bits);
    tcase_add_test(tests, a_batch_per_sample);
    tcase_add_test(tests, weights_count);
    tcase_add_test(tests, accumulated_batches_are_one_batch);
    tcase_add_test(tests, training_stops_early_and_keeps_the_best);
    tcase_add_test(tests, groups_freeze_by_name);
    tcase_add_test(tests, callbacks_tell_what_happens);
    tcase_add_test(tests, real_digits_are_learnt);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return suite;
}
