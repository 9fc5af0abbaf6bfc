/* Configurations: the option table, every way of setting a value, what is refused. */

#define _GNU_SOURCE /* setenv */

#include "train/fixture.h"

#include <stdlib.h>

static clgrad_config *fresh(void) { return train_config(NULL); }

START_TEST(the_table_is_sound)
{
    for (size_t i = 0; clgrad_option_get(i); i++) {
        const clgrad_option_info *a = clgrad_option_get(i);
        ck_assert(a->key && a->standard && a->help);
        ck_assert((a->type == CLGRAD_OPTION_CHOICE) == (clgrad_option_choice(a, 0) != NULL));
        ck_assert_msg(a->type == CLGRAD_OPTION_FLAG || a->metavar, "%s has no metavar", a->key);
        for (size_t k = 0; k < i; k++) {
            const clgrad_option_info *b = clgrad_option_get(k);
            ck_assert_str_ne(a->key, b->key);
            if (a->flag && b->flag) ck_assert_str_ne(a->flag, b->flag);
        }
    }
    char name[64];
    ck_assert_str_eq(clgrad_option_get(0)->key, "data.path");
    ck_assert_str_eq(clgrad_option_environment(clgrad_option_get(0), name), "CLGRAD_TRAIN_DATA_PATH");
}
END_TEST

START_TEST(a_dump_reads_back_as_itself)
{
    clgrad_config *a = train_config("optimizer.lr=0.1", "data.target=-3", "model.layers=3-4-2", "train.batch=7", "train.shuffle=no",
                                    "optimizer.name=adam", "groups=[{\"match\": \"*.bias\", \"lr\": 1e-3, \"frozen\": false}]", NULL);
    clgrad_config *b = fresh();
    char *first = NULL, *second = NULL;
    ck_ok(clgrad_config_dump(a, &first));
    ck_assert_ptr_nonnull(strstr(first, "\"lr\": 0.1,"));
    ck_ok(clgrad_config_parse(b, first, "dump"));
    ck_ok(clgrad_config_dump(b, &second));
    ck_assert_str_eq(first, second);
    clgrad_config_text_release(a, &first), clgrad_config_text_release(b, &second);
    clgrad_config_release(&a), clgrad_config_release(&b);
}
END_TEST

START_TEST(who_comes_last_wins)
{
    static const char json[] = "{\"optimizer\": {\"lr\": 0.2, \"momentum\": 0.5}, \"train\": {\"batch\": 3}}";
    const char *path = train_file("train.json", json, sizeof json - 1);
    clgrad_config *config = fresh();
    setenv("CLGRAD_TRAIN_OPTIMIZER_LR", "0.3", 1);
    setenv("CLGRAD_TRAIN_TRAIN_EPOCHS", "9", 1);
    ck_ok(clgrad_config_load(config, path));
    ck_ok(clgrad_config_load_environment(config));
    train_set(config, "train.epochs=11");
    unsetenv("CLGRAD_TRAIN_OPTIMIZER_LR");
    unsetenv("CLGRAD_TRAIN_TRAIN_EPOCHS");
    ck_assert_double_eq(config->settings.optimizer_lr, 0.3);
    ck_assert_double_eq(config->settings.optimizer_momentum, 0.5);
    ck_assert_int_eq(config->settings.train_batch, 3);
    ck_assert_int_eq(config->settings.train_epochs, 11);
    ck_assert_int_eq(config->settings.train_seed, 1);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(values_are_checked)
{
    static const struct {
        const char *assignment, *words;
    } rows[] = {
        { "optimizer.lrr=1", "did you mean 'optimizer.lr'" },
        { "banana=1", "no option 'banana'" },
        { "optimizer.lr", "key=value" },
        { "=3", "key=value" },
        { "optimizer.lr=fast", "no number" },
        { "optimizer.lr=0,5", "no number" },
        { "optimizer.lr=-1", "outside" },
        { "optimizer.lr=true", "must be a number" },
        { "train.batch=1.5", "must be an integer" },
        { "train.batch=0", "outside" },
        { "train.batch=99999999999999999999", "no number" },
        { "train.shuffle=maybe", "true or false" },
        { "loss=cross-entropi", "did you mean 'cross-entropy'" },
        { "optimizer.name=quantum", "one of sgd, momentum" },
        { "groups={}", "list" },
        { "groups=[1]", "match" },
        { "groups=[{\"lr\": 1}]", "match" },
        { "groups=[{\"match\": \"*\", \"freeze\": true}]", "did you mean 'frozen'" },
        { "groups=[{\"match\": \"*\", \"lr\": \"x\"}]", "lr must be" },
        { "groups=[{\"match\": \"*\", \"frozen\": 1}]", "frozen must be" },
        { "groups=[{\"match\": \"a\", \"match\": \"b\"}]", "JSON list" },
    };
    clgrad_config *config = fresh();
    char *before = NULL, *after = NULL;
    ck_ok(clgrad_config_dump(config, &before));
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        train_expect(clgrad_config_assign(config, rows[i].assignment, "here"), CLGRAD_E_CONFIG, rows[i].words);
        train_expect(CLGRAD_E_CONFIG, CLGRAD_E_CONFIG, "here: ");
    }
    ck_ok(clgrad_config_dump(config, &after));
    ck_assert_str_eq(before, after);
    clgrad_config_text_release(config, &before), clgrad_config_text_release(config, &after);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(files_are_checked)
{
    static const struct {
        const char *json;
        clgrad_status status;
        const char *words;
    } rows[] = {
        { "{\"optimizer\": {\"lr\": 1", CLGRAD_E_FORMAT, "line 1" },
        { "[1]", CLGRAD_E_FORMAT, "object" },
        { "", CLGRAD_E_FORMAT, "line" },
        { "{\"loss\": \"mse\", \"loss\": \"mae\"}", CLGRAD_E_FORMAT, "duplicate" },
        { "{\"optimiser\": {\"lr\": 1}}", CLGRAD_E_CONFIG, "did you mean 'optimizer.lr'" },
        { "{\"optimizer\": {\"lr\": \"1\"}}", CLGRAD_E_CONFIG, "optimizer.lr must be a number" },
        { "{\"optimizer\": {\"lr\": {\"x\": 1}}}", CLGRAD_E_CONFIG, "optimizer.lr must be a number" },
        { "{\"train\": {\"epochs\": null}}", CLGRAD_E_CONFIG, "integer" },
        { "{\"data\": {\"path\": 3}}", CLGRAD_E_CONFIG, "string" },
        { "{\"data\": {\"standardize\": 1}}", CLGRAD_E_CONFIG, "true or false" },
    };
    clgrad_config *config = fresh();
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        train_expect(clgrad_config_parse(config, rows[i].json, "there"), rows[i].status, rows[i].words);
        train_expect(rows[i].status, rows[i].status, "there");
        const char *path = train_file("bad.json", rows[i].json, strlen(rows[i].json));
        train_expect(clgrad_config_load(config, path), rows[i].status, "bad.json");
    }
    train_expect(clgrad_config_load(config, train_path("nowhere.json")), CLGRAD_E_FILE, "nowhere.json");
    setenv("CLGRAD_TRAIN_TRAIN_BATCH", "many", 1);
    train_expect(clgrad_config_load_environment(config), CLGRAD_E_CONFIG, "CLGRAD_TRAIN_TRAIN_BATCH");
    unsetenv("CLGRAD_TRAIN_TRAIN_BATCH");
    clgrad_config_release(&config);
}
END_TEST

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, train_setup, train_teardown);
    tcase_add_test(tests, the_table_is_sound);
    tcase_add_test(tests, a_dump_reads_back_as_itself);
    tcase_add_test(tests, who_comes_last_wins);
    tcase_add_test(tests, values_are_checked);
    tcase_add_test(tests, files_are_checked);
    suite_add_tcase(suite, tests);
    return suite;
}
