/* Streamed data give the bits of resident data, whatever is trained; data larger than the device are streamed. */

#include "train/fixture.h"

#include "clgrad/opencl.h"
#include "device/cl_device.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAPPED, WRITTEN, WAYS };

static clgrad_record real; /* what tests change in the device's record is put back */

static void setup(void)
{
    train_setup();
    if (test_device()) real = test_device()->record;
}

static void teardown(void)
{
    if (test_device()) test_device()->record = real;
    train_teardown();
}

/* The device that the way stands for, whatever the real one shares. */
static clgrad_device *device_by(int way)
{
    test_device()->record.shares_memory = way == MAPPED;
    return test_device();
}

static clgrad_config *digits(const char *settings)
{
    char list[256];
    clgrad_config *config = train_config("model.layers=64-16-10", "data.test=0.2", "train.epochs=2", "optimizer.lr=0.02", NULL);
    snprintf(list, sizeof list, "%s", settings);
    for (char *word = strtok(list, " "); word; word = strtok(NULL, " ")) train_set(config, word);
    train_set_path(config, "data.path", train_data("digits.csv.gz"));
    return config;
}

static void train(clgrad_device *dev, clgrad_config *config, const char *residency, clgrad_train_result *result)
{
    train_set_path(config, "data.residency", residency);
    ck_ok(clgrad_train(dev, config, false, NULL, result));
    if (strcmp(residency, "auto") != 0) ck_assert_str_eq(result->residency, residency);
}

static bool same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void check_same(const clgrad_train_result *a, const clgrad_train_result *b, const char *what)
{
    ck_assert_msg(strcmp(a->digest, b->digest) == 0, "%s: other parameters", what);
    ck_assert_msg(a->steps == b->steps && a->epochs == b->epochs && a->stopped_early == b->stopped_early, "%s: another end", what);
    ck_assert_msg(same(a->train_loss, b->train_loss) && same(a->train_metric, b->train_metric), "%s: on the training set", what);
    ck_assert_msg(same(a->test_loss, b->test_loss) && same(a->test_metric, b->test_metric), "%s: on the test set", what);
    ck_assert_msg(same(a->validation_loss, b->validation_loss) && same(a->validation_metric, b->validation_metric),
                  "%s: on the validation set", what);
}

static void check_both(clgrad_config *config, const char *what)
{
    clgrad_train_result resident, streamed;
    train(device_by(MAPPED), config, "device", &resident);
    for (int way = 0; way < WAYS; way++) {
        train(device_by(way), config, "stream", &streamed);
        check_same(&resident, &streamed, what);
    }
    clgrad_config_release(&config);
}

/* Slots of several batches, of one, of more than there are; ragged last batches in all. */
static const char *const variants[] = {
    "optimizer.name=momentum train.batch=500 model.dropout=0.3",
    "optimizer.name=rmsprop train.batch=48 train.accumulate=3 data.class_weights=balanced model.dropout=0.2",
    "optimizer.name=sgd train.batch=1 train.steps=700 optimizer.clip_norm=1 model.dropout=0.1",
    "optimizer.name=adamw train.batch=32 train.shuffle=false data.standardize=true data.limit=300",
    "optimizer.name=adam train.batch=5000 optimizer.l2=0.01",
    "optimizer.name=sgd optimizer.lr=3 train.batch=64 data.validation=0.3 train.patience=2 train.epochs=30 loss=cross-entropy-dense",
};

START_TEST(streamed_is_resident)
{
    if (!test_device() || test_leaves_out(_i, 3)) return;
    check_both(digits(variants[_i]), variants[_i]);
}
END_TEST

/* What the host decides is the same on every device: on llvmpipe, which is slow, in the long form. */
static bool is_elsewhere(void) { return !test_device() || test_leaves_out(1, 2); }

START_TEST(streamed_is_resident_with_weighted_numbers)
{
    static char text[64 * 3000];
    size_t n = (size_t)snprintf(text, sizeof text, "a,b,w,y\n");
    if (is_elsewhere()) return;
    for (int i = 0; i < 3000; i++) {
        const double a = i * 37 % 101 / 101.0, b = i * 53 % 97 / 97.0;
        n += (size_t)snprintf(text + n, sizeof text - n, "%.4f,%.4f,%d.5,%.4f\n", a, b, i % 4, a - 2 * b);
    }
    clgrad_config *config = train_config("model.layers=2-4-1", "loss=mse", "data.weights=w", "data.validation=0.5", "train.batch=16",
                                         "train.epochs=2", NULL);
    train_set_path(config, "data.path", train_file("weighted.csv", text, n));
    check_both(config, "weights"); /* validation in batches of 1024, the last one ragged */
}
END_TEST

/* The comparison can fail: two samples of different batches change places. */
START_TEST(the_order_decides)
{
    static const clgrad_train_callbacks silent = CLGRAD_TRAIN_CALLBACKS_INIT;
    char digest[2][65];
    if (!test_device()) return;
    clgrad_config *config = digits("train.batch=64 train.shuffle=false data.residency=stream train.epochs=1");
    for (int swapped = 0; swapped < 2; swapped++) {
        clgrad_train_result result = CLGRAD_TRAIN_RESULT_INIT;
        clgrad_trainer t = { .dev = test_device(), .ctx = test_context(), .config = config, .settings = &config->settings,
                             .callbacks = &silent, .result = &result };
        ck_ok(clgrad_trainer_set_up(&t, false));
        const uint32_t first = t.order[0];
        if (swapped) t.order[0] = t.order[200], t.order[200] = first;
        ck_ok(clgrad_trainer_run(&t));
        memcpy(digest[swapped], result.digest, sizeof result.digest);
        clgrad_trainer_release(&t);
    }
    ck_assert_str_ne(digest[0], digest[1]);
    clgrad_config_release(&config);
}
END_TEST

/* --- going on --- */

static void resume(clgrad_config *config, const char *residency, clgrad_train_result *result)
{
    train_set_path(config, "data.residency", residency);
    ck_ok(clgrad_train(test_device(), config, true, NULL, result));
}

START_TEST(either_goes_on_where_the_other_stopped)
{
    static const char *const sides[] = { "device", "stream" };
    const char *first = sides[_i], *second = sides[1 - _i];
    const char *settings = "train.batch=16 train.accumulate=2 model.dropout=0.2 optimizer.name=adam train.epochs=3";
    if (!test_device() || test_leaves_out(_i, 2)) return;
    device_by(_i ? WRITTEN : MAPPED);
    clgrad_config *whole = digits(settings), *parts = digits(settings);
    clgrad_train_result one, other;
    train(test_device(), whole, first, &one);
    train_set_path(parts, "save", train_path("parts"));
    train_set(parts, "train.steps=58"); /* 45 updates make an epoch */
    train(test_device(), parts, first, &other);
    ck_assert_int_eq(other.steps, 58);
    train_set(parts, "train.steps=100");
    resume(parts, second, &other);
    train_set(parts, "train.steps=0");
    resume(parts, first, &other);
    check_same(&one, &other, settings);
    clgrad_config_release(&whole), clgrad_config_release(&parts);
}
END_TEST

/* --- what does not fit --- */

/* 1.1 MB of data, of which slots hold less. */
static clgrad_config *large(void)
{
    clgrad_config *config = train_config("model.layers=3-4-2", "train.epochs=1", "train.batch=512", NULL);
    train_set_path(config, "data.path", train_clouds("large.csv", 40000));
    train_set_path(config, "save", train_path("model"));
    return config;
}

static void pretend_memory(uint64_t bytes) { test_device()->record.info.memory_bytes = bytes; }

static void check_auto(clgrad_config *config, uint64_t memory_bytes, const char *residency, const char *digest)
{
    clgrad_train_result result;
    pretend_memory(memory_bytes);
    clgrad_fail(test_context(), CLGRAD_E_ARG, "before");
    train(test_device(), config, "auto", &result);
    ck_assert_str_eq(result.residency, residency);
    ck_assert_str_eq(result.digest, digest);
    ck_assert_str_eq(clgrad_error_text(test_context()), "before"); /* what was tried and did not fit leaves no sentence */
}

START_TEST(data_larger_than_the_device_are_streamed)
{
    if (is_elsewhere()) return;
    clgrad_train_result resident, streamed;
    clgrad_config *config = large();
    train(test_device(), config, "device", &resident);
    train(test_device(), config, "stream", &streamed);
    check_same(&resident, &streamed, "large");
    ck_assert_uint_lt(streamed.memory_bytes + 100000, resident.memory_bytes);
    check_auto(config, resident.memory_bytes, "device", resident.digest);
    check_auto(config, resident.memory_bytes - 1, "stream", resident.digest); /* data fit, the step beside them does not */
    check_auto(config, streamed.memory_bytes, "stream", resident.digest);
    train_set(config, "data.residency=device");
    train_expect(clgrad_train(test_device(), config, false, NULL, NULL), CLGRAD_E_MEMORY, "needs");
    train_set(config, "data.residency=auto");
    pretend_memory(streamed.memory_bytes - 1);
    train_expect(clgrad_train(test_device(), config, false, NULL, NULL), CLGRAD_E_MEMORY, "needs");
    clgrad_config_release(&config);
}
END_TEST

START_TEST(one_allocation_may_be_the_limit)
{
    if (is_elsewhere()) return;
    clgrad_train_result result;
    clgrad_config *config = large();
    test_device()->record.info.allocation_bytes = 400000; /* features are 480,000 bytes */
    train(test_device(), config, "auto", &result);
    ck_assert_str_eq(result.residency, "stream");
    train_set(config, "data.residency=device");
    train_expect(clgrad_train(test_device(), config, false, NULL, NULL), CLGRAD_E_MEMORY, "in one allocation");
    clgrad_config_release(&config);
}
END_TEST

START_TEST(evaluation_streams_what_does_not_fit)
{
    if (is_elsewhere()) return;
    clgrad_train_result trained, resident, streamed;
    clgrad_config *config = large();
    const char *model = train_path("model");
    train(test_device(), config, "device", &trained);
    train_set(config, "data.residency=auto");
    ck_ok(clgrad_evaluate(test_device(), config, model, &resident));
    pretend_memory(resident.memory_bytes - 1);
    ck_ok(clgrad_evaluate(test_device(), config, model, &streamed));
    ck_assert_str_eq(resident.residency, "device");
    ck_assert_str_eq(streamed.residency, "stream");
    ck_assert_uint_lt(streamed.memory_bytes, resident.memory_bytes);
    ck_assert_double_eq(resident.test_loss, streamed.test_loss);
    ck_assert_double_eq(resident.test_metric, streamed.test_metric);
    train_set(config, "data.residency=device");
    train_expect(clgrad_evaluate(test_device(), config, model, &streamed), CLGRAD_E_MEMORY, "the evaluation needs");
    clgrad_config_release(&config);
}
END_TEST

/* --- the option --- */

static void on_log(void *user, const char *json)
{
    if (strstr(json, "\"start\"")) *(bool *)user = strstr(json, "\"residency\":\"stream\"") != NULL;
}

START_TEST(the_option_is_checked_and_logged)
{
    bool logged = false;
    if (!test_device()) return;
    clgrad_config *config = digits("train.batch=64 train.steps=3 data.residency=stream");
    clgrad_train_callbacks callbacks = CLGRAD_TRAIN_CALLBACKS_INIT;
    callbacks.user = &logged;
    callbacks.log = on_log;
    ck_ok(clgrad_train(test_device(), config, false, &callbacks, NULL));
    ck_assert(logged);
    train_expect(clgrad_config_set(config, "data.residency", "steam", "test"), CLGRAD_E_CONFIG, "did you mean 'stream'");
    clgrad_config_release(&config);
}
END_TEST

START_TEST(workloads_stream_as_trainings_do)
{
    if (!test_device()) return;
    clgrad_config *config = digits("train.batch=64 data.residency=stream");
    clgrad_workload *workload;
    ck_ok(clgrad_workload_create(test_device(), config, CLGRAD_WORKLOAD_STEP, &workload));
    for (int i = 0; i < 20; i++) ck_ok(clgrad_workload_run(workload)); /* eight batches, again and again */
    ck_ok(clgrad_device_finish(test_device()));
    clgrad_workload_release(&workload);
    clgrad_config_release(&config);
}
END_TEST

/* --- a caller's queue --- */

static cl_uint references(const clgrad_cl_api *cl, cl_command_queue queue)
{
    cl_uint count = 0;
    cl->GetCommandQueueInfo(queue, CL_QUEUE_REFERENCE_COUNT, sizeof count, &count, NULL);
    return count;
}

START_TEST(a_callers_queue_is_left_as_it_was)
{
    if (!test_device()) return;
    clgrad_device *owner = test_device(), *dev;
    clgrad_config *config = digits("train.batch=64");
    clgrad_train_result resident, streamed;
    train(owner, config, "device", &resident);
    for (int way = 0; way < WAYS; way++) {
        cl_int err;
        const cl_command_queue queue = owner->cl.CreateCommandQueue(owner->context, owner->record.id, 0, &err);
        const clgrad_opencl_handles handles = { sizeof handles, queue, NULL, NULL };
        ck_ok(clgrad_device_adopt(test_context(), &handles, NULL, &dev));
        dev->record.shares_memory = way == MAPPED;
        const cl_uint before = references(&owner->cl, queue);
        train(dev, config, "stream", &streamed);
        check_same(&resident, &streamed, "adopted");
        ck_ok(clgrad_device_finish(dev));
        ck_assert_uint_le(references(&owner->cl, queue), before + 64); /* drivers let go of ended commands later */
        ck_assert_ptr_eq(clgrad_device_get_cl_queue(dev), queue);
        clgrad_device_release(&dev);
        ck_assert_int_eq(owner->cl.Finish(queue), CL_SUCCESS); /* nothing waits there for what is gone */
        owner->cl.ReleaseCommandQueue(queue);
    }
    clgrad_config_release(&config);
}
END_TEST

Suite *stream_suite(void)
{
    Suite *suite = suite_create("streaming");
    TCase *tests = tcase_create("streaming");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, streamed_is_resident, 0, (int)CLGRAD_COUNT(variants));
    tcase_add_test(tests, streamed_is_resident_with_weighted_numbers);
    tcase_add_test(tests, the_order_decides);
    tcase_add_loop_test(tests, either_goes_on_where_the_other_stopped, 0, 2);
    tcase_add_test(tests, data_larger_than_the_device_are_streamed);
    tcase_add_test(tests, one_allocation_may_be_the_limit);
    tcase_add_test(tests, evaluation_streams_what_does_not_fit);
    tcase_add_test(tests, the_option_is_checked_and_logged);
    tcase_add_test(tests, workloads_stream_as_trainings_do);
    tcase_add_test(tests, a_callers_queue_is_left_as_it_was);
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    return suite;
}
