/* statuses: each is given by some source file of the library and asked for by some test. */

#include "base/base.h"
#include "base_test.h"

#include <dirent.h>
#include <stdio.h>

static bool is_word(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/* Does text have the word, not as a part of a longer one (E_DEVICE is within E_DEVICE_LOST)? */
static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += length)
        if ((at == text || !is_word(at[-1])) && !is_word(at[length])) return true;
    return false;
}

static bool file_has_word(const char *path, const char *word)
{
    static char text[1 << 18];
    FILE *file = fopen(path, "r");
    if (!file) return false;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return has_word(text, word);
}

/* Looks through the .c and .def files of a folder and of the folders in it; `but` is left out. */
static bool tree_has_word(const char *folder, const char *word, const char *but)
{
    char path[1024];
    bool found = false;
    DIR *dir = opendir(folder);
    if (!dir) return false;
    for (struct dirent *entry; !found && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, but) == 0) continue;
        const char *end = strrchr(entry->d_name, '.');
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!end) found = tree_has_word(path, word, but);
        else if (strcmp(end, ".c") == 0 || strcmp(end, ".def") == 0) found = file_has_word(path, word);
    }
    closedir(dir);
    return found;
}

START_TEST(every_status_is_given_and_tested)
{
    static const char *const names[] = {
#define STATUS(name, value, text) "CLGRAD_" #name,
#include "clgrad/status.def"
#undef STATUS
    };
    for (size_t i = 0; i < CLGRAD_COUNT(names); i++) {
        ck_assert_msg(tree_has_word(SOURCE_ROOT "/src", names[i], ""), "nothing in src/ gives %s", names[i]);
        ck_assert_msg(tree_has_word(SOURCE_ROOT "/tests", names[i], "status_test.c"), "no test asks for %s", names[i]);
    }
    ck_assert(!tree_has_word(SOURCE_ROOT "/src", "CLGRAD_E_", "")); /* the control: a part of a name is not found */
}
END_TEST

START_TEST(statuses_say_by_their_sign_whether_anything_changed)
{
    static const clgrad_status after_work[] = { CLGRAD_E_DEVICE, CLGRAD_E_DEVICE_LOST, CLGRAD_E_NOT_FINITE, CLGRAD_E_CHECK, CLGRAD_E_INDEX };
    size_t negative = 0;
#define STATUS(name, value, text) negative += (value) < 0;
#include "clgrad/status.def"
#undef STATUS
    ck_assert_uint_eq(negative, CLGRAD_COUNT(after_work));
    for (size_t i = 0; i < CLGRAD_COUNT(after_work); i++) ck_assert_int_lt(after_work[i], 0);
}
END_TEST

Suite *status_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *tests = tcase_create("status");
    tcase_add_test(tests, every_status_is_given_and_tested);
    tcase_add_test(tests, statuses_say_by_their_sign_whether_anything_changed);
    suite_add_tcase(suite, tests);
    return suite;
}
