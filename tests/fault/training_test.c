/* Whole trainings with a fault at a random point, as calls and as killed processes: resumed from the last checkpoint, they end
 * with the parameters of the undisturbed run. */

#define _GNU_SOURCE /* usleep */

#include "fault/fault.h"

#include "base/os.h"
#include "clgrad/train.h"
#include "device/cl_device.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *write_data(void)
{
    const char *path = fault_path("data.csv");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("a,b,c,class\n", file);
    for (int i = 0; i < 40; i++) fprintf(file, "%d.%d,%d.25,-%d.5,%s\n", i % 3, i % 7, i * 11 % 5, i * 5 % 4, i % 3 ? "x" : "y");
    fclose(file);
    return path;
}

/* Every part of the state that a checkpoint has to carry: moments, the best parameters, standardisation, dropout, the order. */
static const char *const job[] = { "model.layers=3-4-2", "model.dropout=0.3",  "optimizer.name=adam", "data.validation=0.2",
                                   "train.patience=5",   "data.standardize=true", "train.batch=8" };

/* Where the data lie: on the device, or streamed by mapping or by writing. */
typedef enum data_place { ON_DEVICE, MAPPED, WRITTEN, DATA_PLACES } data_place;
static data_place place;

static clgrad_config *make_config(clgrad_context *ctx, const char *epochs, const char *save)
{
    clgrad_config *config = NULL;
    ck_assert_int_eq(clgrad_config_create(ctx, &config), CLGRAD_OK);
    for (size_t i = 0; i < CLGRAD_COUNT(job); i++) ck_assert_int_eq(clgrad_config_assign(config, job[i], "test"), CLGRAD_OK);
    ck_assert_int_eq(clgrad_config_set(config, "train.epochs", epochs, "test"), CLGRAD_OK);
    ck_assert_int_eq(clgrad_config_set(config, "data.path", fault_path("data.csv"), "test"), CLGRAD_OK);
    ck_assert_int_eq(clgrad_config_set(config, "save", fault_path(save), "test"), CLGRAD_OK);
    ck_assert_int_eq(clgrad_config_set(config, "data.residency", place ? "stream" : "device", "test"), CLGRAD_OK);
    return config;
}

static clgrad_status train(fault_world *world, const char *epochs, const char *save, bool resume, clgrad_train_result *result)
{
    clgrad_config *config = make_config(world->ctx, epochs, save);
    const clgrad_status status = clgrad_train(world->dev, config, resume, NULL, result);
    clgrad_config_release(&config);
    return status;
}

static bool has_checkpoint(void)
{
    return access(fault_path("model"), F_OK) == 0 || access(fault_path("model.previous"), F_OK) == 0;
}

static void forget(void)
{
    unlink(fault_path("model"));
    unlink(fault_path("model.previous"));
}

/* With its programs loaded, so that they are not what is measured and refused. */
static void open_warm(fault_world *world, clgrad_train_result *result)
{
    fault_world_open(world);
    if (place) world->dev->record.shares_memory = place == MAPPED;
    ck_assert_msg(train(world, "3", "undisturbed", false, result) == CLGRAD_OK, "%s", clgrad_error_text(world->ctx));
    fault_world_settle(world);
}

static int no_fsync(int fd)
{
    (void)fd;
    return 0;
}

static void setup(void)
{
    fault_setup();
    write_data();
    place = ON_DEVICE;
    clgrad_os.fsync = no_fsync; /* nothing here pulls the plug */
}

static void teardown(void)
{
    clgrad_os = clgrad_os_posix;
    fault_teardown();
}

static void go_on(fault_world *world, bool resume, const char *digest, const char *after)
{
    clgrad_train_result result;
    const clgrad_status status = train(world, "3", "model", resume, &result);
    ck_assert_msg(status == CLGRAD_OK, "after %s, %s: %s", after, resume ? "resumed" : "from the start",
                  clgrad_error_text(world->ctx));
    ck_assert_msg(strcmp(result.digest, digest) == 0, "after %s, %s: other parameters", after, resume ? "resumed" : "from the start");
}

/* --- allocations and calls ----------------------------------------------------------------------------------------------- */

/* A run with the k-th event failing, then one without from what it left. */
static void play(fault_world *world, fault_kind kind, size_t k, const char *digest)
{
    clgrad_train_result result;
    char after[200];
    clgrad_config *config = make_config(world->ctx, "3", "model");
    forget();
    fault_arm(world, kind, k);
    const clgrad_status status = clgrad_train(world->dev, config, false, NULL, &result);
    snprintf(after, sizeof after, "%s, %s", fault_name(world, kind), clgrad_status_name(status));
    if (status != CLGRAD_OK) fault_check(world, kind, status);
    fault_disarm(world);
    clgrad_config_release(&config);
    if (status == CLGRAD_E_DEVICE_LOST) {
        fault_world_close(world);
        open_warm(world, &result);
    }
    fault_world_check(world, after);
    if (status == CLGRAD_OK) {
        ck_assert_msg(strcmp(result.digest, digest) == 0, "after %s: other parameters", after);
    } else {
        go_on(world, has_checkpoint() && (status < 0 || k % 2), digest, after);
        fault_world_check(world, after);
    }
}

static size_t count_events(fault_world *world, fault_kind kind)
{
    clgrad_train_result result;
    clgrad_config *config = make_config(world->ctx, "3", "model");
    forget();
    fault_arm(world, kind, 0);
    ck_assert_int_eq(clgrad_train(world->dev, config, false, NULL, &result), CLGRAD_OK);
    const size_t count = fault_count(world, kind);
    fault_disarm(world);
    clgrad_config_release(&config);
    return count;
}

static void check_resident(fault_world *world, const char *digest)
{
    const data_place streamed = place;
    clgrad_train_result resident;
    place = ON_DEVICE;
    ck_assert_int_eq(train(world, "3", "undisturbed", false, &resident), CLGRAD_OK);
    ck_assert_str_eq(resident.digest, digest);
    place = streamed;
    fault_world_settle(world);
}

/* Every kind at every place. Where data are streamed half as many points are played. */
START_TEST(a_run_fails_and_goes_on)
{
    if (!fault_possible()) return;
    const fault_kind kind = 1 + _i % (FAULT_KIND_COUNT - 1);
    place = _i / (FAULT_KIND_COUNT - 1);
    const size_t samples[] = { [FAULT_ALLOCATION] = 80, [FAULT_ALLOCATIONS] = 40, [FAULT_CALL] = 80 };
    fault_world world;
    clgrad_train_result undisturbed;
    open_warm(&world, &undisturbed);
    if (place) check_resident(&world, undisturbed.digest);
    const size_t count = count_events(&world, kind);
    /* refusing all that follows a point differs from refusing one in what the release may need: a fifth of the points shows that */
    const size_t every = kind == FAULT_ALLOCATIONS ? count / 5 : count;
    const size_t some = samples[kind] / (place ? 2 : 1) / (test_is_short() ? 5 : 1);
    const size_t plays = test_is_long() || some > every ? every : some;
    uint64_t seed = 1 + (uint64_t)kind;
    for (size_t i = 0; i < plays; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        /* one from each of `plays` equal parts of the run */
        play(&world, kind, 1 + (size_t)(((double)i + (double)(seed >> 40) / 16777216.0) * (double)count / (double)plays),
             undisturbed.digest);
    }
    if (getenv("CLGRAD_TEST_VERBOSE")) printf("training: data %d, fault %d, %zu of %zu points\n", (int)place, (int)kind, plays, count);
    fault_world_close(&world);
}
END_TEST

/* --- files --------------------------------------------------------------------------------------------------------------- */

/* Instead of an errno: half of the bytes are written, and the rest by the next call. */
enum { SHORT_WRITE = -1 };

static struct {
    size_t calls, fail_at;
    int error;
} file_fault;

static bool file_call_fails(void)
{
    if (++file_fault.calls != file_fault.fail_at) return false;
    if (file_fault.error != SHORT_WRITE) errno = file_fault.error;
    return file_fault.error != SHORT_WRITE;
}

static int fault_openat(int dir, const char *path, int flags, mode_t mode)
{
    return (flags & O_CREAT) && file_call_fails() ? -1 : clgrad_os_posix.openat(dir, path, flags, mode);
}

static ssize_t fault_write(int fd, const void *data, size_t bytes)
{
    if (file_call_fails()) return -1;
    const bool cut = file_fault.calls == file_fault.fail_at && bytes > 1;
    return clgrad_os_posix.write(fd, data, cut ? bytes / 2 : bytes);
}

static int fault_fsync(int fd)
{
    (void)fd;
    return file_call_fails() ? -1 : 0;
}

static int fault_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return file_call_fails() ? -1 : clgrad_os_posix.renameat(from_dir, from, to_dir, to);
}

static void install_file_faults(size_t k, int error)
{
    clgrad_os.openat = fault_openat, clgrad_os.write = fault_write;
    clgrad_os.fsync = fault_fsync, clgrad_os.renameat = fault_renameat;
    file_fault.calls = 0, file_fault.fail_at = k, file_fault.error = error;
}

static void remove_file_faults(void)
{
    clgrad_os = clgrad_os_posix;
    clgrad_os.fsync = no_fsync;
}

static size_t read_model(fault_world *world, char **content)
{
    size_t bytes = 0;
    ck_assert_msg(clgrad_os_read_file(world->ctx, fault_path("model"), 1 << 20, content, &bytes) == CLGRAD_OK, "%s",
                  clgrad_error_text(world->ctx));
    return bytes;
}

/* False once k is past the last call. */
static bool play_file_fault(fault_world *world, size_t k, int error, const char *digest)
{
    static const char *const words[] = { "No space left", "Input/output error" };
    clgrad_train_result result;
    char after[80], *before, *now;
    forget();
    ck_assert_int_eq(train(world, "1", "model", false, &result), CLGRAD_OK);
    const size_t bytes = read_model(world, &before);
    install_file_faults(k, error);
    const clgrad_status status = train(world, "2", "model", true, &result); /* one save */
    const bool struck = file_fault.calls >= k;
    remove_file_faults();
    snprintf(after, sizeof after, "file call %zu, error %d", k, error);
    ck_assert_msg(status == CLGRAD_OK || (status == CLGRAD_E_FILE && struck && error != SHORT_WRITE), "%s gave %s: %s", after,
                  clgrad_status_name(status), clgrad_error_text(world->ctx));
    if (status != CLGRAD_OK) {
        ck_assert_ptr_nonnull(strstr(clgrad_error_text(world->ctx), words[error == EIO]));
        ck_assert_msg(read_model(world, &now) == bytes && memcmp(now, before, bytes) == 0, "%s: another checkpoint", after);
        clgrad_free(world->ctx, now);
    }
    clgrad_free(world->ctx, before);
    go_on(world, true, digest, after);
    return struck;
}

START_TEST(a_save_fails_and_the_checkpoint_stays)
{
    if (!fault_possible()) return;
    static const int errors[] = { ENOSPC, EIO, SHORT_WRITE };
    fault_world world;
    clgrad_train_result undisturbed;
    size_t k = 1;
    open_warm(&world, &undisturbed);
    while (play_file_fault(&world, k, errors[_i], undisturbed.digest)) k++;
    ck_assert_uint_ge(k, 5); /* open, write, synchronise, twice rename */
    fault_world_close(&world);
}
END_TEST

/* --- killed processes ---------------------------------------------------------------------------------------------------- */

extern char **environ;

/* Never fork() alone: PoCL's threads do not survive it. */
static pid_t start(bool resume)
{
    char set[CLGRAD_COUNT(job)][64];
    const char *args[40] = { COMMAND, "train", "--json", "--epochs", "300", "--data", fault_path("data.csv"), "--save", fault_path("model") };
    size_t n = 9;
    for (size_t i = 0; i < CLGRAD_COUNT(job); i++) {
        snprintf(set[i], sizeof set[i], "%s", strncmp(job[i], "train.patience", 14) == 0 ? "train.patience=300" : job[i]);
        args[n++] = "--set", args[n++] = set[i];
    }
    if (resume) args[n++] = "--resume";
    posix_spawn_file_actions_t files;
    pid_t child = 0;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, fault_path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, fault_path("err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int error = posix_spawn(&child, COMMAND, &files, NULL, (char *const *)args, environ);
    posix_spawn_file_actions_destroy(&files);
    ck_assert_msg(error == 0, "%s: %s", COMMAND, strerror(error));
    return child;
}

static void finish_with_digest(pid_t child, char digest[65])
{
    int state = 0;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_msg(WIFEXITED(state) && WEXITSTATUS(state) == 0, "the command ended with state %d; see %s", state, fault_path("err"));
    json_t *result = json_load_file(fault_path("out"), 0, NULL);
    const char *text = json_string_value(json_object_get(result, "digest"));
    ck_assert_ptr_nonnull(text);
    snprintf(digest, 65, "%s", text);
    json_decref(result);
}

static ino_t checkpoint_number(void)
{
    struct stat info;
    return stat(fault_path("model"), &info) == 0 ? info.st_ino : 0;
}

/* Between two and some checkpoints later: while it trains, however slow the machine is. True when it had not ended by itself. */
static bool kill_later(pid_t child, unsigned microseconds)
{
    int state = 0;
    bool ended = false;
    for (int change = 0; change < 2; change++) {
        const ino_t before = checkpoint_number();
        while (!ended && checkpoint_number() == before) {
            usleep(200);
            ended = waitpid(child, &state, WNOHANG) == child;
        }
    }
    usleep(microseconds);
    if (!ended) kill(child, SIGKILL), waitpid(child, &state, 0);
    ck_assert_msg(WIFSIGNALED(state) || WEXITSTATUS(state) == 0, "the command ended with state %d", state);
    return WIFSIGNALED(state);
}

START_TEST(a_killed_process_is_resumed)
{
    if (!fault_possible()) return;
    char undisturbed[65], resumed[65];
    uint64_t seed = 7;
    const int kills = test_is_long() ? 50 : test_is_short() ? 2 : 5;
    int killed = 0;
    setenv("XDG_CACHE_HOME", fault_path("xdg"), 1);
    finish_with_digest(start(false), undisturbed);
    forget();
    for (int i = 0; i < kills; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        if (kill_later(start(has_checkpoint()), (unsigned)(seed >> 48) / 4)) killed++;
        else forget();
    }
    ck_assert_int_ge(killed, kills / 2);
    finish_with_digest(start(has_checkpoint()), resumed);
    ck_assert_str_eq(resumed, undisturbed);
}
END_TEST

Suite *training_suite(void)
{
    Suite *suite = suite_create("training faults");
    TCase *tests = tcase_create("training");
    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_run_fails_and_goes_on, 0, DATA_PLACES * (FAULT_KIND_COUNT - 1));
    tcase_add_loop_test(tests, a_save_fails_and_the_checkpoint_stays, 0, 3);
    suite_add_tcase(suite, tests);
    TCase *killed = tcase_create("killed");
    tcase_set_timeout(killed, 600);
    tcase_add_checked_fixture(killed, setup, teardown);
    tcase_add_test(killed, a_killed_process_is_resumed);
    suite_add_tcase(suite, killed);
    return suite;
}
