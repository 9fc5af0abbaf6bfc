#pragma once

/* Configurations as the room uses them: plain fields, one per row of options.def. */

#include "base/base.h"
#include "clgrad/train.h"

#include <jansson.h>

typedef char *clgrad_field_TEXT; /* "" when unset, never NULL */
typedef char *clgrad_field_CHOICE;
typedef int64_t clgrad_field_INTEGER;
typedef double clgrad_field_REAL; /* NAN when unset */
typedef bool clgrad_field_FLAG;
typedef json_t *clgrad_field_LIST;

typedef struct clgrad_settings {
#define OPTION(type, field, ...) clgrad_field_##type field;
#include "train/options.def"
#undef OPTION
} clgrad_settings;

struct clgrad_config {
    clgrad_context *ctx;
    clgrad_settings settings;
};

/* One row of the table with what the public view lacks. */
typedef struct clgrad_option_row {
    clgrad_option_info info;
    size_t offset; /* bytes into clgrad_settings */
    const char *(*choice)(size_t i);
} clgrad_option_row;

extern const clgrad_option_row clgrad_option_rows[];
extern const size_t clgrad_option_row_count;
/* E_CONFIG with a suggestion when there is none. */
clgrad_status clgrad_option_find(clgrad_context *ctx, const char *key, const char *origin, const clgrad_option_row **out);

/* Parse and check `groups` into options, at most CLGRAD_MAX_GROUPS; the strings belong to list. E_CONFIG. */
clgrad_status clgrad_config_groups(clgrad_context *ctx, const json_t *list, const char *origin, clgrad_group_options *groups,
                                   size_t *count);

/* JSON of the whole configuration, owned by the caller; NULL when memory is short. */
json_t *clgrad_config_json(const clgrad_config *config);
clgrad_status clgrad_config_apply_json(clgrad_config *config, const json_t *root, const char *origin);
/* A compact or indented text of a JSON value, reals as short as they round-trip; NULL after reporting. Free with clgrad_free. */
char *clgrad_json_text(clgrad_context *ctx, const json_t *json, bool indent);
