/* Setting and reading configurations. */

#include "train/config.h"

#include "base/os.h"

#include <stdio.h>

static void *field_of(clgrad_settings *settings, const clgrad_option_row *row) { return (char *)settings + row->offset; }

static clgrad_status refuse(clgrad_config *config, const char *origin, const clgrad_option_row *row, const char *what)
{
    return clgrad_fail(config->ctx, CLGRAD_E_CONFIG, "%s: %s %s", origin, row->info.key, what);
}

/* --- one value --- */

static clgrad_status set_text(clgrad_config *config, const clgrad_option_row *row, const char *value)
{
    char **field = field_of(&config->settings, row);
    char *copy = clgrad_strdup(config->ctx, value);
    if (!copy) return CLGRAD_E_MEMORY;
    clgrad_free(config->ctx, *field);
    *field = copy;
    return CLGRAD_OK;
}

static clgrad_status set_choice(clgrad_config *config, const clgrad_option_row *row, const char *value, const char *origin)
{
    const char *words[64];
    size_t count = 0;
    for (; count < CLGRAD_COUNT(words) && row->choice(count); count++) words[count] = row->choice(count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], value) == 0) return set_text(config, row, value);
    clgrad_text list = { .ctx = config->ctx };
    for (size_t i = 0; i < count; i++) clgrad_text_append(&list, "%s%s", i ? ", " : "", words[i]);
    const char *near_by = clgrad_suggest(value, words, count);
    const clgrad_status st =
        clgrad_fail(config->ctx, CLGRAD_E_CONFIG, "%s: %s has no choice '%s'%s%s%s; it is one of %s", origin, row->info.key, value,
                    near_by ? "; did you mean '" : "", near_by ? near_by : "", near_by ? "'?" : "", list.data ? list.data : "");
    clgrad_text_release(&list);
    return st;
}

static clgrad_status set_number(clgrad_config *config, const clgrad_option_row *row, const json_t *value, const char *origin)
{
    const bool integer = row->info.type == CLGRAD_OPTION_INTEGER;
    double *real = field_of(&config->settings, row);
    if (!integer && json_is_null(value)) {
        *real = NAN;
        return CLGRAD_OK;
    }
    if (!json_is_number(value) || (integer && !json_is_integer(value)))
        return refuse(config, origin, row, integer ? "must be an integer" : "must be a number");
    const double number = json_number_value(value);
    if (!(number >= row->info.low && number <= row->info.high))
        return clgrad_fail(config->ctx, CLGRAD_E_CONFIG, "%s: %s is %g, outside [%g, %g]", origin, row->info.key, number,
                           row->info.low, row->info.high);
    if (integer)
        *(int64_t *)field_of(&config->settings, row) = json_integer_value(value);
    else
        *real = number;
    return CLGRAD_OK;
}

static clgrad_status set_list(clgrad_config *config, const clgrad_option_row *row, const json_t *value, const char *origin)
{
    clgrad_group_options groups[CLGRAD_MAX_GROUPS];
    size_t count = 0;
    CLGRAD_TRY(clgrad_config_groups(config->ctx, value, origin, groups, &count));
    json_t **field = field_of(&config->settings, row);
    json_t *copy = json_deep_copy(value);
    if (!copy) return clgrad_fail(config->ctx, CLGRAD_E_MEMORY, "%s: no memory for %s", origin, row->info.key);
    json_decref(*field);
    *field = copy;
    return CLGRAD_OK;
}

static clgrad_status set_json(clgrad_config *config, const clgrad_option_row *row, const json_t *value, const char *origin)
{
    switch (row->info.type) {
    case CLGRAD_OPTION_INTEGER:
    case CLGRAD_OPTION_REAL: return set_number(config, row, value, origin);
    case CLGRAD_OPTION_FLAG:
        if (!json_is_boolean(value)) return refuse(config, origin, row, "must be true or false");
        *(bool *)field_of(&config->settings, row) = json_is_true(value);
        return CLGRAD_OK;
    case CLGRAD_OPTION_LIST: return set_list(config, row, value, origin);
    default: break;
    }
    if (!json_is_string(value)) return refuse(config, origin, row, "must be a string");
    if (row->info.type == CLGRAD_OPTION_CHOICE) return set_choice(config, row, json_string_value(value), origin);
    return set_text(config, row, json_string_value(value));
}

static int truth(const char *value)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
    for (size_t i = 0; i < CLGRAD_COUNT(words); i++)
        if (strcmp(value, words[i]) == 0) return (int)(i % 2);
    return -1;
}

/* Numbers and lists are JSON, so that no locale changes them. */
static clgrad_status set_parsed(clgrad_config *config, const clgrad_option_row *row, const char *value, const char *origin)
{
    json_error_t error;
    json_t *json = *value ? json_loads(value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error) : json_null();
    if (!json)
        return clgrad_fail(config->ctx, CLGRAD_E_CONFIG, "%s: %s: '%s' is no %s", origin, row->info.key, value,
                           row->info.type == CLGRAD_OPTION_LIST ? "JSON list" : "number");
    const clgrad_status st = set_json(config, row, json, origin);
    json_decref(json);
    return st;
}

static clgrad_status set_value(clgrad_config *config, const clgrad_option_row *row, const char *value, const char *origin)
{
    if (row->info.type == CLGRAD_OPTION_TEXT) return set_text(config, row, value);
    if (row->info.type == CLGRAD_OPTION_CHOICE) return set_choice(config, row, value, origin);
    if (row->info.type != CLGRAD_OPTION_FLAG) return set_parsed(config, row, value, origin);
    const int yes = truth(value);
    if (yes < 0) return refuse(config, origin, row, "must be true or false");
    *(bool *)field_of(&config->settings, row) = yes;
    return CLGRAD_OK;
}

/* --- groups --- */

static clgrad_status read_group(clgrad_context *ctx, json_t *object, const char *origin, clgrad_group_options *group)
{
    static const char *const keys[] = { "match", "lr", "weight_decay", "l1", "l2", "frozen" };
    double *const reals[] = { NULL, &group->lr, &group->weight_decay, &group->l1, &group->l2, NULL };
    const char *key = NULL;
    json_t *value = NULL;
    *group = (clgrad_group_options)CLGRAD_GROUP_OPTIONS_INIT;
    if (!json_is_object(object) || !json_is_string(json_object_get(object, "match")))
        return clgrad_fail(ctx, CLGRAD_E_CONFIG, "%s: groups: each group is an object with a \"match\" pattern", origin);
    json_object_foreach(object, key, value) {
        size_t i = 0;
        while (i < CLGRAD_COUNT(keys) && strcmp(keys[i], key) != 0) i++;
        if (i == CLGRAD_COUNT(keys)) {
            const char *near_by = clgrad_suggest(key, keys, CLGRAD_COUNT(keys));
            return clgrad_fail(ctx, CLGRAD_E_CONFIG, "%s: groups: there is no option '%s'%s%s%s", origin, key,
                               near_by ? "; did you mean '" : "", near_by ? near_by : "", near_by ? "'?" : "");
        }
        if (reals[i] && !(json_is_number(value) && json_number_value(value) >= 0))
            return clgrad_fail(ctx, CLGRAD_E_CONFIG, "%s: groups: %s must be a number >= 0", origin, key);
        if (reals[i]) *reals[i] = json_number_value(value);
        if (i == 5 && !json_is_boolean(value))
            return clgrad_fail(ctx, CLGRAD_E_CONFIG, "%s: groups: frozen must be true or false", origin);
        if (i == 5) group->frozen = json_is_true(value);
    }
    group->match = json_string_value(json_object_get(object, "match"));
    return CLGRAD_OK;
}

clgrad_status clgrad_config_groups(clgrad_context *ctx, const json_t *list, const char *origin, clgrad_group_options *groups,
                                   size_t *count)
{
    *count = 0;
    if (!json_is_array(list) || json_array_size(list) > CLGRAD_MAX_GROUPS)
        return clgrad_fail(ctx, CLGRAD_E_CONFIG, "%s: groups must be a list of at most %d groups", origin, CLGRAD_MAX_GROUPS);
    for (size_t i = 0; i < json_array_size(list); i++) CLGRAD_TRY(read_group(ctx, json_array_get(list, i), origin, &groups[i]));
    *count = json_array_size(list);
    return CLGRAD_OK;
}

/* --- whole configurations --- */

void clgrad_config_release(clgrad_config **address)
{
    clgrad_config *config = *address;
    *address = NULL;
    if (!config) return;
    for (size_t i = 0; i < clgrad_option_row_count; i++) {
        const clgrad_option_row *row = &clgrad_option_rows[i];
        void *field = field_of(&config->settings, row);
        if (row->info.type == CLGRAD_OPTION_TEXT || row->info.type == CLGRAD_OPTION_CHOICE)
            clgrad_free(config->ctx, *(char **)field);
        if (row->info.type == CLGRAD_OPTION_LIST) json_decref(*(json_t **)field);
    }
    clgrad_context *ctx = config->ctx;
    clgrad_free(ctx, config);
    clgrad_context_release(&ctx);
}

clgrad_status clgrad_config_create(clgrad_context *ctx, clgrad_config **out)
{
    *out = NULL;
    clgrad_config *config = clgrad_alloc(ctx, 1, sizeof *config);
    if (!config) return CLGRAD_E_MEMORY;
    config->ctx = clgrad_context_retain(ctx);
    clgrad_status st = CLGRAD_OK;
    for (size_t i = 0; st == CLGRAD_OK && i < clgrad_option_row_count; i++)
        st = set_value(config, &clgrad_option_rows[i], clgrad_option_rows[i].info.standard, "defaults");
    if (st == CLGRAD_OK) *out = config, config = NULL;
    clgrad_config_release(&config);
    return st;
}

clgrad_status clgrad_config_set(clgrad_config *config, const char *key, const char *value, const char *origin)
{
    const clgrad_option_row *row = NULL;
    CLGRAD_TRY(clgrad_option_find(config->ctx, key, origin, &row));
    return set_value(config, row, value, origin);
}

clgrad_status clgrad_config_assign(clgrad_config *config, const char *assignment, const char *origin)
{
    const char *equals = strchr(assignment, '=');
    char key[64];
    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof key)
        return clgrad_fail(config->ctx, CLGRAD_E_CONFIG, "%s: '%s' is not of the form key=value", origin, assignment);
    memcpy(key, assignment, (size_t)(equals - assignment));
    key[equals - assignment] = '\0';
    return clgrad_config_set(config, key, equals + 1, origin);
}

clgrad_status clgrad_config_load_environment(clgrad_config *config)
{
    for (size_t i = 0; i < clgrad_option_row_count; i++) {
        char name[64];
        const char *value = clgrad_os_env(clgrad_option_environment(&clgrad_option_rows[i].info, name));
        if (value) CLGRAD_TRY(set_value(config, &clgrad_option_rows[i], value, name));
    }
    return CLGRAD_OK;
}

/* section is "" at the top, else "optimizer". */
static clgrad_status apply_object(clgrad_config *config, const json_t *object, const char *section, const char *origin)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)object, name, value) {
        char key[128];
        snprintf(key, sizeof key, "%s%s%s", section, *section ? "." : "", name);
        if (json_is_object(value) && !*section) {
            CLGRAD_TRY(apply_object(config, value, name, origin));
            continue;
        }
        const clgrad_option_row *row = NULL;
        CLGRAD_TRY(clgrad_option_find(config->ctx, key, origin, &row));
        CLGRAD_TRY(set_json(config, row, value, origin));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_config_apply_json(clgrad_config *config, const json_t *root, const char *origin)
{
    if (!json_is_object(root)) return clgrad_fail(config->ctx, CLGRAD_E_FORMAT, "%s: the configuration is no JSON object", origin);
    return apply_object(config, root, "", origin);
}

static clgrad_status apply_loaded(clgrad_config *config, json_t *root, const json_error_t *error, const char *origin)
{
    if (!root)
        return clgrad_fail(config->ctx, CLGRAD_E_FORMAT, "%s: line %d, column %d: %s", origin, error->line, error->column, error->text);
    const clgrad_status st = clgrad_config_apply_json(config, root, origin);
    json_decref(root);
    return st;
}

clgrad_status clgrad_config_parse(clgrad_config *config, const char *json, const char *origin)
{
    json_error_t error;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    return apply_loaded(config, root, &error, origin);
}

clgrad_status clgrad_config_load(clgrad_config *config, const char *path)
{
    enum { LARGEST = 1 << 20 };
    json_error_t error;
    char *text = NULL;
    size_t bytes = 0;
    CLGRAD_TRY(clgrad_os_read_file(config->ctx, path, LARGEST, &text, &bytes));
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    clgrad_free(config->ctx, text);
    return apply_loaded(config, root, &error, path);
}
