#include "plan/choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The power of two next to a size, by ratio, without roots: 1448 is 1024, 1449 is 2048. */
static int64_t bucket(int64_t size)
{
    int64_t power = 1;
    while (power <= size / 2) power *= 2;
    return (double)size * (double)size > 2.0 * (double)power * (double)power ? 2 * power : power;
}

void clgrad_product_key(const clgrad_product *p, char key[CLGRAD_MATMUL_KEY])
{
    const bool mixed = p->a_dtype != p->b_dtype;
    int used = snprintf(key, CLGRAD_MATMUL_KEY, "matmul %s%s%s %c%c %" PRId64 "x%" PRId64 "x%" PRId64, clgrad_dtype_name(p->a_dtype),
                        mixed ? "*" : "", mixed ? clgrad_dtype_name(p->b_dtype) : "", p->a_turned ? 't' : 'n', p->b_turned ? 't' : 'n',
                        bucket(p->m), bucket(p->n), bucket(p->k));
    if (p->batches > 1) used += snprintf(key + used, (size_t)(CLGRAD_MATMUL_KEY - used), " batch=%" PRId64, bucket(p->batches));
    if (p->cell && p->k > p->cell) snprintf(key + used, (size_t)(CLGRAD_MATMUL_KEY - used), " cell=%" PRId64, p->cell);
}

/* Which way an operand lies; false where neither of its axes has its elements side by side. */
static bool turned(int64_t rows, int64_t row, int64_t cols, int64_t col, bool *out)
{
    *out = col != 1 && cols > 1;
    return !*out || row == 1 || rows == 1;
}

bool clgrad_matmul_product(const clgrad_matmul_desc *d, clgrad_product *p)
{
    *p = (clgrad_product){ sizeof *p, d->a_dtype, d->b_dtype, d->m, d->n, d->k, false, false, 1, d->cell };
    for (int32_t x = 0; x < d->num_batch; x++) p->batches *= d->batch_dims[x];
    return !d->second.there && d->k > 0 && turned(d->m, d->a_row, d->k, d->a_col, &p->a_turned) &&
           turned(d->k, d->b_row, d->n, d->b_col, &p->b_turned);
}

/* --- text --- */

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
    { "rows", offsetof(clgrad_matmul_choice, rows) },       { "columns", offsetof(clgrad_matmul_choice, columns) },
    { "items_i", offsetof(clgrad_matmul_choice, items_i) }, { "items_j", offsetof(clgrad_matmul_choice, items_j) },
    { "depth", offsetof(clgrad_matmul_choice, depth) },     { "pack", offsetof(clgrad_matmul_choice, pack) },
    { "groups", offsetof(clgrad_matmul_choice, groups) },
};

static int64_t *field_of(clgrad_matmul_choice *choice, size_t i) { return (int64_t *)(void *)((char *)choice + fields[i].offset); }

/* One "name=number" at *text, which moves on. */
static bool read_field(const char **text, clgrad_matmul_choice *out)
{
    enum { LARGEST = 4096 };
    for (size_t i = 0; i < CLGRAD_COUNT(fields); i++) {
        const size_t length = strlen(fields[i].name);
        char *end;
        if (strncmp(*text, fields[i].name, length) != 0 || (*text)[length] != '=') continue;
        if ((*text)[length + 1] < '0' || (*text)[length + 1] > '9') return false;
        const long value = strtol(*text + length + 1, &end, 10);
        *field_of(out, i) = value;
        *text = end;
        return value <= LARGEST;
    }
    return false;
}

bool clgrad_matmul_choice_read(const char *text, clgrad_matmul_choice *out)
{
    static const struct { const char *name; clgrad_variant form; } forms[] = {
        { "rules", CLGRAD_VARIANT_AUTO }, { "clblast", CLGRAD_VARIANT_CLBLAST }, { "cpu", CLGRAD_VARIANT_CPU }, { "gpu", CLGRAD_VARIANT_GPU },
    };
    const size_t length = strcspn(text, " ;");
    size_t i = 0;
    while (i < CLGRAD_COUNT(forms) && (strlen(forms[i].name) != length || memcmp(forms[i].name, text, length) != 0)) i++;
    if (i == CLGRAD_COUNT(forms)) return false;
    *out = (clgrad_matmul_choice){ .form = forms[i].form, .pack = -1 };
    for (text += length; *text && *text != ';';)
        if (*text == ' ') text++;
        else if (!read_field(&text, out)) return false;
    const bool cpu = out->form == CLGRAD_VARIANT_CPU, gpu = out->form == CLGRAD_VARIANT_GPU;
    return (!cpu && !gpu) || (out->rows > 0 && out->columns > 0 && (cpu || (out->items_i > 0 && out->items_j > 0 && out->depth > 0)));
}

void clgrad_matmul_choice_write(const clgrad_matmul_choice *choice, char text[CLGRAD_MATMUL_TEXT])
{
    static const char *const names[] = { "rules", "cpu", "gpu", "clblast" };
    clgrad_matmul_choice c = *choice;
    int used = snprintf(text, CLGRAD_MATMUL_TEXT, "%s", names[c.form]);
    for (size_t i = 0; i < CLGRAD_COUNT(fields); i++) {
        const bool pack = fields[i].offset == offsetof(clgrad_matmul_choice, pack);
        if ((pack ? c.form == CLGRAD_VARIANT_CPU && c.pack >= 0 : *field_of(&c, i) > 0) && used < CLGRAD_MATMUL_TEXT)
            used += snprintf(text + used, (size_t)(CLGRAD_MATMUL_TEXT - used), " %s=%" PRId64, fields[i].name, *field_of(&c, i));
    }
}

/* --- finding --- */

void clgrad_matmul_choice_find(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options,
                               clgrad_matmul_choice *out)
{
    char key[CLGRAD_MATMUL_KEY];
    clgrad_product product;
    const bool said = options->matmul != CLGRAD_VARIANT_AUTO || options->tile_m || options->tile_n || options->width;
    const char *text = NULL;
    *out = (clgrad_matmul_choice){ .pack = -1 };
    if (said || (!options->matmul_choice && !clgrad_device_is_tuned(dev)) || !clgrad_matmul_product(desc, &product)) return;
    if (options->matmul_choice) {
        text = options->matmul_choice;
    } else {
        clgrad_product_key(&product, key);
        text = clgrad_device_tuned(dev, key, NULL);
    }
    if (text && !clgrad_matmul_choice_read(text, out)) *out = (clgrad_matmul_choice){ .pack = -1 };
}
