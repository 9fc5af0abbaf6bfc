/* Configurations and other values as JSON text. */

#include "train/config.h"

static json_t *value_of(const clgrad_config *config, const clgrad_option_row *row)
{
    const void *field = (const char *)&config->settings + row->offset;
    switch (row->info.type) {
    case CLGRAD_OPTION_INTEGER: return json_integer(*(const int64_t *)field);
    case CLGRAD_OPTION_REAL: return isnan(*(const double *)field) ? json_null() : json_real(*(const double *)field);
    case CLGRAD_OPTION_FLAG: return json_boolean(*(const bool *)field);
    case CLGRAD_OPTION_LIST: return json_deep_copy(*(json_t *const *)field);
    default: return json_string(*(char *const *)field);
    }
}

/* The object a key lives in, made when it is not there yet; *name is the key without its section. */
static json_t *section_of(json_t *root, const char *key, const char **name)
{
    const char *dot = strchr(key, '.');
    *name = dot ? dot + 1 : key;
    if (!dot) return root;
    char section[64] = { 0 };
    memcpy(section, key, (size_t)(dot - key));
    json_t *object = json_object_get(root, section);
    if (object) return object;
    return json_object_set_new(root, section, json_object()) == 0 ? json_object_get(root, section) : NULL;
}

json_t *clgrad_config_json(const clgrad_config *config)
{
    json_t *root = json_object();
    for (size_t i = 0; root && i < clgrad_option_row_count; i++) {
        const char *name = NULL;
        json_t *object = section_of(root, clgrad_option_rows[i].info.key, &name);
        if (object && json_object_set_new(object, name, value_of(config, &clgrad_option_rows[i])) == 0) continue;
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* --- text --- */

typedef struct writer {
    clgrad_text text;
    bool indent, failed;
} writer;

static int collect(const char *data, size_t bytes, void *user)
{
    clgrad_text_append_bytes(user, data, bytes);
    return ((clgrad_text *)user)->failed ? -1 : 0;
}

static void write_plain(writer *w, const json_t *json, size_t flags)
{
    if (json_dump_callback(json, collect, &w->text, flags | JSON_ENCODE_ANY) != 0) w->failed = true;
}

/* The fewest digits that read back as the same double; jansson's texts know no locale. */
static void write_real(writer *w, const json_t *json)
{
    const double value = json_real_value(json);
    for (size_t digits = 6; digits < 17; digits++) {
        char text[40] = { 0 };
        const size_t bytes = json_dumpb(json, text, sizeof text - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_t *back = bytes < sizeof text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
        const bool same = back && json_number_value(back) == value;
        json_decref(back);
        if (!same) continue;
        clgrad_text_append_bytes(&w->text, text, bytes);
        return;
    }
    write_plain(w, json, JSON_REAL_PRECISION(17));
}

static void new_line(writer *w, int depth)
{
    if (w->indent) clgrad_text_append(&w->text, "\n%*s", 2 * depth, "");
}

static void write_value(writer *w, const json_t *json, int depth);

static void write_object(writer *w, const json_t *json, int depth)
{
    const char *key = NULL;
    json_t *value = NULL;
    bool first = true;
    clgrad_text_append(&w->text, "{");
    json_object_foreach((json_t *)json, key, value) {
        json_t *name = json_string(key);
        clgrad_text_append(&w->text, first ? "" : ",");
        new_line(w, depth + 1);
        write_plain(w, name, 0);
        clgrad_text_append(&w->text, w->indent ? ": " : ":");
        write_value(w, value, depth + 1);
        json_decref(name);
        first = false;
    }
    if (!first) new_line(w, depth);
    clgrad_text_append(&w->text, "}");
}

static void write_array(writer *w, const json_t *json, int depth)
{
    clgrad_text_append(&w->text, "[");
    for (size_t i = 0; i < json_array_size(json); i++) {
        clgrad_text_append(&w->text, i ? (w->indent ? ", " : ",") : "");
        write_value(w, json_array_get(json, i), depth);
    }
    clgrad_text_append(&w->text, "]");
}

static void write_value(writer *w, const json_t *json, int depth)
{
    if (json_is_object(json))
        write_object(w, json, depth);
    else if (json_is_array(json))
        write_array(w, json, depth);
    else if (json_is_real(json))
        write_real(w, json);
    else
        write_plain(w, json, 0);
}

char *clgrad_json_text(clgrad_context *ctx, const json_t *json, bool indent)
{
    writer w = { .text = { .ctx = ctx }, .indent = indent };
    if (json) write_value(&w, json, 0);
    if (json && !w.failed && !w.text.failed) return w.text.data;
    clgrad_fail(ctx, CLGRAD_E_MEMORY, "no memory for a JSON text");
    clgrad_text_release(&w.text);
    return NULL;
}

clgrad_status clgrad_config_dump(const clgrad_config *config, char **out)
{
    json_t *root = clgrad_config_json(config);
    *out = clgrad_json_text(config->ctx, root, true);
    json_decref(root);
    return *out ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

void clgrad_config_text_release(clgrad_config *config, char **text)
{
    if (*text) clgrad_free(config->ctx, *text);
    *text = NULL;
}
