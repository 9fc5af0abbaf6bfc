/* The option table. */

#include "train/config.h"
#include "clgrad/model.h"

#include <ctype.h>

static const char *word(const char *const *words, size_t count, size_t i) { return i < count ? words[i] : NULL; }

#define WORDS(function, ...)                                          \
    static const char *function(size_t i)                             \
    {                                                                 \
        static const char *const words[] = { __VA_ARGS__ };           \
        return word(words, CLGRAD_COUNT(words), i);                   \
    }
WORDS(data_format, "auto", "mnist", "csv", "npy")
WORDS(data_header, "auto", "yes", "no")
WORDS(data_missing, "refuse", "mean", "median", "zero")
WORDS(data_residency, "auto", "device", "stream")
WORDS(schedule_unit, "epoch", "step")

static const char *schedule_name(size_t i) { return clgrad_schedule_name((clgrad_schedule_kind)i); }
static const char *init_name(size_t i) { return clgrad_init_get(i, NULL); }

static const char *activation_name(size_t i)
{
    const clgrad_activation_info *info = clgrad_activation_get(i);
    return info ? info->name : NULL;
}

static const char *loss_name(size_t i)
{
    const clgrad_loss_info *info = clgrad_loss_get(i);
    return info ? info->name : NULL;
}

static const char *rule_name(size_t i)
{
    const clgrad_rule_info *info = clgrad_rule_get(i);
    return info ? info->name : NULL;
}

const clgrad_option_row clgrad_option_rows[] = {
#define OPTION(type, field, key, flag, metavar, standard, low, high, choices, help)                                   \
    { { sizeof(clgrad_option_info), CLGRAD_OPTION_##type, key, flag, metavar, standard, low, high, help },             \
      offsetof(clgrad_settings, field), choices },
#include "train/options.def"
#undef OPTION
};
const size_t clgrad_option_row_count = CLGRAD_COUNT(clgrad_option_rows);

const clgrad_option_info *clgrad_option_get(size_t i)
{
    return i < clgrad_option_row_count ? &clgrad_option_rows[i].info : NULL;
}

const char *clgrad_option_choice(const clgrad_option_info *option, size_t i)
{
    for (size_t k = 0; k < clgrad_option_row_count; k++)
        if (&clgrad_option_rows[k].info == option) return clgrad_option_rows[k].choice ? clgrad_option_rows[k].choice(i) : NULL;
    return NULL;
}

const char *clgrad_option_environment(const clgrad_option_info *option, char *name)
{
    static const char prefix[] = "CLGRAD_TRAIN_";
    memcpy(name, prefix, sizeof prefix);
    size_t n = sizeof prefix - 1;
    for (const char *c = option->key; *c && n < 63; c++) name[n++] = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    name[n] = '\0';
    return name;
}

clgrad_status clgrad_option_find(clgrad_context *ctx, const char *key, const char *origin, const clgrad_option_row **out)
{
    const char *keys[CLGRAD_COUNT(clgrad_option_rows)];
    *out = NULL;
    for (size_t i = 0; i < clgrad_option_row_count; i++) {
        keys[i] = clgrad_option_rows[i].info.key;
        if (strcmp(keys[i], key) == 0) *out = &clgrad_option_rows[i];
    }
    if (*out) return CLGRAD_OK;
    const char *near_by = clgrad_suggest(key, keys, CLGRAD_COUNT(keys));
    return clgrad_fail(ctx, CLGRAD_E_CONFIG, "%s: there is no option '%s'%s%s%s", origin, key, near_by ? "; did you mean '" : "",
                       near_by ? near_by : "", near_by ? "'?" : "");
}
