/* Interrupted and resumed is bit for bit uninterrupted; files old or new, never torn. */

#include "train/fixture.h"

#include "base/os.h"
#include "clgrad/io.h"
#include "device/device.h"

#include <errno.h>
#include <stdio.h>

/* Says stop at the n-th call. */
typedef struct stopper {
    int left;
} stopper;

static bool stop_later(void *user, const clgrad_train_progress *progress)
{
    stopper *s = user;
    (void)progress;
    return s->left-- > 0;
}

static clgrad_config *job(const char *variant, const char *file)
{
    clgrad_config *config = train_config("model.layers=3-8-2", "data.test=0.2", "data.validation=0.2", "train.batch=8",
                                         "train.epochs=6", "optimizer.lr=0.01", NULL);
    char list[256];
    snprintf(list, sizeof list, "%s", variant);
    for (char *word = strtok(list, " "); word; word = strtok(NULL, " ")) train_set(config, word);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 150));
    train_set_path(config, "save", train_path(file));
    return config;
}

/* Tensors and metadata of two files are the same. */
static void check_same_files(const char *a, const char *b)
{
    size_t bytes[2];
    char *content[2];
    ck_ok(clgrad_os_read_file(test_context(), a, 1 << 20, &content[0], &bytes[0]));
    ck_ok(clgrad_os_read_file(test_context(), b, 1 << 20, &content[1], &bytes[1]));
    /* only the name of the file itself may differ: "a" and "b" */
    ck_assert_uint_eq(bytes[0], bytes[1]);
    size_t different = 0;
    for (size_t i = 0; i < bytes[0]; i++) different += content[0][i] != content[1][i];
    ck_assert_uint_le(different, 1);
    clgrad_free(test_context(), content[0]), clgrad_free(test_context(), content[1]);
}

static const char *const variants[] = {
    "optimizer.name=momentum",
    "optimizer.name=adam model.dropout=0.3 schedule.kind=cosine",
    "optimizer.name=rmsprop train.accumulate=3 data.class_weights=balanced schedule.warmup=20",
    "optimizer.name=nesterov train.patience=5 schedule.kind=plateau schedule.patience=0 optimizer.l2=0.01",
    "optimizer.name=adamw train.shuffle=false optimizer.clip_norm=0.5 data.standardize=true",
};

START_TEST(resumed_is_uninterrupted)
{
    if (!test_device() || test_leaves_out(_i, 2)) return;
    clgrad_config *whole = job(variants[_i], "a"), *parts = job(variants[_i], "b");
    clgrad_train_callbacks callbacks = CLGRAD_TRAIN_CALLBACKS_INIT;
    clgrad_train_result one, other;
    ck_ok(clgrad_train(test_device(), whole, false, NULL, &one));
    stopper s = { .left = 2 };
    callbacks.user = &s;
    callbacks.progress = stop_later;
    train_expect(clgrad_train(test_device(), parts, false, &callbacks, &other), CLGRAD_E_INTERRUPTED, "resumed from");
    ck_assert_int_gt(one.steps, other.steps);
    s.left = 1;
    train_expect(clgrad_train(test_device(), parts, true, &callbacks, &other), CLGRAD_E_INTERRUPTED, "resumed from");
    ck_ok(clgrad_train(test_device(), parts, true, NULL, &other));
    ck_assert_str_eq(one.digest, other.digest);
    ck_assert_double_eq(one.test_loss, other.test_loss);
    check_same_files(train_path("a"), train_path("b"));
    clgrad_config_release(&whole), clgrad_config_release(&parts);
}
END_TEST

/* Stops in the middle of an epoch: the trainer's own calls, a window at a time. */
START_TEST(resumed_within_an_epoch)
{
    if (!test_device()) return;
    clgrad_config *whole = job("optimizer.name=adam model.dropout=0.2 train.batch=1 train.epochs=2", "a");
    clgrad_config *parts = job("optimizer.name=adam model.dropout=0.2 train.batch=1 train.epochs=2", "b");
    clgrad_train_result one, other;
    ck_ok(clgrad_train(test_device(), whole, false, NULL, &one));
    train_set(parts, "train.steps=45"); /* 96 steps make an epoch, 32 a window */
    ck_ok(clgrad_train(test_device(), parts, false, NULL, &other));
    ck_assert_int_eq(other.steps, 45);
    train_set(parts, "train.steps=0");
    ck_ok(clgrad_train(test_device(), parts, true, NULL, &other));
    ck_assert_str_eq(one.digest, other.digest);
    clgrad_config_release(&whole), clgrad_config_release(&parts);
}
END_TEST

START_TEST(more_epochs_may_be_asked_for)
{
    if (!test_device()) return;
    clgrad_config *whole = job("optimizer.name=momentum", "a"), *parts = job("optimizer.name=momentum train.epochs=2", "b");
    clgrad_train_result one, other;
    ck_ok(clgrad_train(test_device(), whole, false, NULL, &one));
    ck_ok(clgrad_train(test_device(), parts, false, NULL, &other));
    ck_assert_str_ne(one.digest, other.digest);
    train_set(parts, "train.epochs=6");
    ck_ok(clgrad_train(test_device(), parts, true, NULL, &other));
    ck_assert_str_eq(one.digest, other.digest);
    clgrad_config_release(&whole), clgrad_config_release(&parts);
}
END_TEST

START_TEST(other_changes_are_refused)
{
    static const struct {
        const char *assignment, *words;
    } rows[] = {
        { "optimizer.lr=0.02", "optimizer.lr = 0.01 and cannot be continued with 0.02" },
        { "train.seed=7", "train.seed" },
        { "train.batch=4", "train.batch" },
        { "model.activation=tanh", "model.activation" },
        { "optimizer.name=adam", "optimizer.name" },
        { "groups=[{\"match\": \"*\"}]", "groups" },
    };
    if (!test_device()) return;
    clgrad_config *config = job("train.epochs=1", "a");
    ck_ok(clgrad_train(test_device(), config, false, NULL, NULL));
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        clgrad_config *changed = job("train.epochs=2", "a");
        train_set(changed, rows[i].assignment);
        train_expect(clgrad_train(test_device(), changed, true, NULL, NULL), CLGRAD_E_CONFIG, rows[i].words);
        clgrad_config_release(&changed);
    }
    clgrad_config_release(&config);
}
END_TEST

START_TEST(the_generation_before_is_kept)
{
    if (!test_device()) return;
    clgrad_config *config = job("train.epochs=2", "a");
    clgrad_safetensors *file = NULL;
    ck_ok(clgrad_train(test_device(), config, false, NULL, NULL));
    ck_ok(clgrad_safetensors_open(test_context(), train_path("a.previous"), &file));
    ck_assert_ptr_nonnull(strstr(clgrad_safetensors_metadata(file, "progress"), "\"epoch\":1"));
    clgrad_safetensors_release(&file);
    ck_ok(clgrad_safetensors_open(test_context(), train_path("a"), &file));
    ck_assert_ptr_nonnull(strstr(clgrad_safetensors_metadata(file, "progress"), "\"epoch\":2"));
    clgrad_safetensors_release(&file);
    clgrad_config_release(&config);
}
END_TEST

/* What a plan notes when it follows a stored choice that changes bits. */
START_TEST(stored_choices_with_other_bits_are_named)
{
    if (!test_device()) return;
    clgrad_config *config = job("train.epochs=1", "a");
    for (int noted = 0; noted < 2; noted++) {
        clgrad_safetensors *file = NULL;
        if (noted) ck_ok(clgrad_device_note_choice(test_device(), "matmul f32 nn 8x8x8 by CLBlast"));
        ck_ok(clgrad_train(test_device(), config, false, NULL, NULL));
        ck_ok(clgrad_safetensors_open(test_context(), train_path("a"), &file));
        const char *choices = clgrad_safetensors_metadata(file, "choices");
        if (noted) ck_assert_str_eq(choices, "matmul f32 nn 8x8x8 by CLBlast");
        else ck_assert_ptr_null(choices);
        clgrad_safetensors_release(&file);
    }
    clgrad_config_release(&config);
    test_device_close(); /* other tests have a device without choices */
}
END_TEST

static ssize_t disk_is_full(int fd, const void *data, size_t bytes)
{
    (void)fd, (void)data, (void)bytes;
    errno = ENOSPC;
    return -1;
}

START_TEST(a_full_disk_loses_nothing)
{
    if (!test_device()) return;
    clgrad_config *config = job("train.epochs=1", "a");
    clgrad_train_result before, after;
    size_t bytes[2];
    char *content[2];
    ck_ok(clgrad_train(test_device(), config, false, NULL, &before));
    ck_ok(clgrad_os_read_file(test_context(), train_path("a"), 1 << 20, &content[0], &bytes[0]));
    train_set(config, "train.epochs=2");
    clgrad_os.write = disk_is_full;
    train_expect(clgrad_train(test_device(), config, true, NULL, &after), CLGRAD_E_FILE, "No space");
    clgrad_os.write = clgrad_os_posix.write;
    ck_ok(clgrad_os_read_file(test_context(), train_path("a"), 1 << 20, &content[1], &bytes[1]));
    ck_assert_uint_eq(bytes[0], bytes[1]);
    ck_assert_mem_eq(content[0], content[1], bytes[0]);
    ck_ok(clgrad_train(test_device(), config, true, NULL, &after)); /* and it goes on from there */
    clgrad_free(test_context(), content[0]), clgrad_free(test_context(), content[1]);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(damaged_checkpoints_are_refused)
{
    if (!test_device()) return;
    clgrad_config *config = job("train.epochs=1", "a"), *other = job("train.epochs=2 model.layers=3-9-2", "a");
    char *content = NULL;
    size_t bytes = 0;
    train_expect(clgrad_train(test_device(), config, true, NULL, NULL), CLGRAD_E_FILE, "a");
    ck_ok(clgrad_train(test_device(), config, false, NULL, NULL));
    train_expect(clgrad_train(test_device(), other, true, NULL, NULL), CLGRAD_E_CONFIG, "model.layers");
    ck_ok(clgrad_os_read_file(test_context(), train_path("a"), 1 << 20, &content, &bytes));
    train_file("a", content, bytes - 1);
    train_expect(clgrad_train(test_device(), config, true, NULL, NULL), CLGRAD_E_FORMAT, "a");
    char *progress = strstr(content + 8, "loss_sum"); /* a key that is not there any more */
    ck_assert_ptr_nonnull(progress);
    progress[0] = 'x';
    train_file("a", content, bytes);
    train_expect(clgrad_train(test_device(), config, true, NULL, NULL), CLGRAD_E_FORMAT, "state of the training");
    clgrad_free(test_context(), content);
    train_set(config, "save=");
    train_expect(clgrad_train(test_device(), config, true, NULL, NULL), CLGRAD_E_CONFIG, "save");
    clgrad_config_release(&config), clgrad_config_release(&other);
}
END_TEST

Suite *resume_suite(void)
{
    Suite *suite = suite_create("resume");
    TCase *tests = tcase_create("resume");
    tcase_add_checked_fixture(tests, train_setup, train_teardown);
    tcase_add_loop_test(tests, resumed_is_uninterrupted, 0, (int)CLGRAD_COUNT(variants));
    tcase_add_test(tests, resumed_within_an_epoch);
    tcase_add_test(tests, more_epochs_may_be_asked_for);
    tcase_add_test(tests, stored_choices_with_other_bits_are_named);
    tcase_add_test(tests, other_changes_are_refused);
    tcase_add_test(tests, the_generation_before_is_kept);
    tcase_add_test(tests, a_full_disk_loses_nothing);
    tcase_add_test(tests, damaged_checkpoints_are_refused);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return suite;
}
