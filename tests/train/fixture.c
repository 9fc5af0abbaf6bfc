#include "train/fixture.h"

#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>

void train_setup(void) { test_folder_make(); }
void train_teardown(void) { test_folder_remove(false); }

const char *train_path(const char *name) { return test_folder_path(name); }
const char *train_data(const char *name) { return test_path(DATA_DIR, name); }
const char *train_example(const char *name) { return test_path(EXAMPLE_DIR, name); }
const char *train_file(const char *name, const void *data, size_t bytes) { return test_folder_file(name, data, bytes); }

void train_set(clgrad_config *config, const char *assignment) { ck_ok(clgrad_config_assign(config, assignment, "test")); }

void train_set_path(clgrad_config *config, const char *key, const char *path) { ck_ok(clgrad_config_set(config, key, path, "test")); }

clgrad_config *train_config(const char *first, ...)
{
    clgrad_config *config = NULL;
    ck_ok(clgrad_config_create(test_context(), &config));
    va_list args;
    va_start(args, first);
    for (const char *assignment = first; assignment; assignment = va_arg(args, const char *)) train_set(config, assignment);
    va_end(args);
    return config;
}

const char *train_clouds(const char *name, int rows)
{
    const size_t room = (size_t)rows * 80 + 80;
    char *text = malloc(room);
    size_t n = (size_t)snprintf(text, room, "a,b,c,class\n");
    for (int i = 0; i < rows; i++) {
        const double side = i % 2 ? 1 : -1, u = i * 37 % 101 / 101.0 - 0.5, v = i * 53 % 97 / 97.0 - 0.5;
        n += (size_t)snprintf(text + n, room - n, "%.4f,%.4f,%.4f,%s\n", side + u, 2 * v - side, u * v, i % 2 ? "yes" : "no");
    }
    const char *path = train_file(name, text, n);
    free(text);
    return path;
}

void train_expect(clgrad_status got, clgrad_status want, const char *words)
{
    const char *text = clgrad_error_text(test_context());
    ck_assert_msg(got == want, "%s, not %s: %s", clgrad_status_name(got), clgrad_status_name(want), text);
    ck_assert_msg(strstr(text, words) != NULL, "'%s' lacks '%s'", text, words);
}
