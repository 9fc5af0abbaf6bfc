/* CSV as a table: which column is what, numbers, missing values, classes. */

#include "io/csv_text.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdlib.h>

typedef struct csv_reader {
    clgrad_context *ctx;
    const char *path;
    const clgrad_csv_options *options;
    clgrad_csv_text text;
    clgrad_csv *out;
    size_t num_columns, num_rows;
    bool has_header;
    char **header;     /* num_columns texts, or "0", "1", ... */
    size_t target;     /* num_columns when there is none */
    void *values;      /* rows x features of options->dtype; NaN where missing */
    size_t value_capacity;
    char *targets;     /* the target's texts, NUL after each */
    size_t targets_bytes, targets_capacity;
    size_t *target_at; /* where each row's text begins */
    uint64_t *lines;   /* where each row begins in the file */
    size_t target_capacity, line_capacity;
} csv_reader;

static clgrad_status fail_cell(const csv_reader *r, uint64_t line, size_t column, const char *text, const char *what)
{
    char name[CLGRAD_SHOWN_BYTES], shown[CLGRAD_SHOWN_BYTES];
    return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "line %llu, column '%s': '%s' %s", (unsigned long long)line,
                          clgrad_io_show(r->header[column], name), clgrad_io_show(text, shown), what);
}

/* The columns' names for a sentence, as many as fit. */
static const char *list_columns(const csv_reader *r, char *list, size_t bytes)
{
    char name[CLGRAD_SHOWN_BYTES];
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < r->num_columns && used + CLGRAD_SHOWN_BYTES + 8 < bytes; i++) {
        const char *shown = clgrad_io_show(r->header[i], name);
        const char *before = i ? ", " : "";
        memcpy(list + used, before, strlen(before));
        memcpy(list + used + strlen(before), shown, strlen(shown) + 1);
        used += strlen(before) + strlen(shown);
    }
    return list;
}

static bool is_missing(const char *text)
{
    static const char *const marks[] = { "", "?", "NA", "na", "N/A", "nan", "NaN", "NAN" };
    for (size_t i = 0; i < CLGRAD_COUNT(marks); i++)
        if (strcmp(text, marks[i]) == 0) return true;
    return false;
}

/* Text where a number should stand. */
static bool is_text(const char *field)
{
    double value;
    return !is_missing(field) && !clgrad_number_parse(field, strlen(field), &value);
}

static bool fits(clgrad_dtype dtype, double value)
{
    return dtype == CLGRAD_F64 || (float)value - (float)value == 0; /* infinite otherwise */
}

static clgrad_status find_target(csv_reader *r, const char *target)
{
    char list[1024], *end = NULL;
    r->target = r->num_columns;
    if (!*target) return CLGRAD_OK;
    for (size_t i = 0; r->has_header && i < r->num_columns; i++)
        if (strcmp(r->header[i], target) == 0) return r->target = i, CLGRAD_OK;
    const long long number = strtoll(target, &end, 10), columns = (long long)r->num_columns;
    if (*end == '\0' && number < columns && number >= -columns)
        return r->target = (size_t)(number < 0 ? number + columns : number), CLGRAD_OK;
    char shown[CLGRAD_SHOWN_BYTES];
    return clgrad_io_fail(r->ctx, CLGRAD_E_ARG, r->path, "no column '%s' for the target among %zu: %s",
                          clgrad_io_show(target, shown), r->num_columns, list_columns(r, list, sizeof list));
}

/* Text outside the target column makes a first line a header; a target given by name asks for one. */
static bool sees_header(const csv_reader *r, const char *target)
{
    if (r->options->header != CLGRAD_CSV_HEADER_AUTO) return r->options->header == CLGRAD_CSV_HEADER_YES;
    char *end = NULL;
    const long long number = strtoll(target, &end, 10), columns = (long long)r->num_columns;
    if (*target && *end) return true;
    const long long at = !*target ? columns : number < 0 ? number + columns : number;
    for (size_t i = 0; i < r->num_columns; i++)
        if ((long long)i != at && is_text(clgrad_csv_text_field(&r->text, i))) return true;
    return false;
}

static clgrad_status take_header(csv_reader *r)
{
    r->header = clgrad_alloc(r->ctx, r->num_columns, sizeof *r->header);
    if (!r->header) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < r->num_columns; i++) {
        r->header[i] = r->has_header ? clgrad_strdup(r->ctx, clgrad_csv_text_field(&r->text, i))
                                     : clgrad_format(r->ctx, "%zu", i);
        if (!r->header[i]) return CLGRAD_E_MEMORY;
    }
    return CLGRAD_OK;
}

static clgrad_status take_first_record(csv_reader *r)
{
    const char *target = r->options->target ? r->options->target : "-1";
    CLGRAD_TRY(clgrad_csv_text_next(&r->text));
    r->num_columns = r->text.num_fields;
    if (r->num_columns == 0) return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "the file is empty");
    r->has_header = sees_header(r, target);
    CLGRAD_TRY(take_header(r));
    CLGRAD_TRY(find_target(r, target));
    r->out->num_features = r->num_columns - (r->target < r->num_columns);
    if (r->options->missing == CLGRAD_CSV_MISSING_GIVEN && r->options->num_fill != r->out->num_features)
        return clgrad_io_fail(r->ctx, CLGRAD_E_ARG, r->path, "%zu values are given to fill %zu features",
                              r->options->num_fill, r->out->num_features);
    return r->has_header ? clgrad_csv_text_next(&r->text) : CLGRAD_OK;
}

static clgrad_status take_feature(csv_reader *r, size_t column, size_t at)
{
    const char *field = clgrad_csv_text_field(&r->text, column);
    const bool missing = is_missing(field);
    double value = NAN;
    if (missing && r->options->missing == CLGRAD_CSV_MISSING_REFUSE)
        return fail_cell(r, r->text.line, column, field, "is a missing value");
    if (!missing && !clgrad_number_parse(field, r->text.fields[column].bytes, &value))
        return fail_cell(r, r->text.line, column, field, "is no finite number");
    if (!missing && !fits(r->options->dtype, value))
        return fail_cell(r, r->text.line, column, field, "does not fit f32");
    if (r->options->dtype == CLGRAD_F64) ((double *)r->values)[at] = value;
    else ((float *)r->values)[at] = (float)value;
    return CLGRAD_OK;
}

static clgrad_status take_target(csv_reader *r)
{
    const clgrad_csv_field *field = &r->text.fields[r->target];
    if (is_missing(clgrad_csv_text_field(&r->text, r->target)))
        return fail_cell(r, r->text.line, r->target, clgrad_csv_text_field(&r->text, r->target),
                         "is a missing value, which a target cannot have");
    const size_t begin = r->targets_bytes;
    CLGRAD_TRY(clgrad_reserve(r->ctx, &r->targets, &r->targets_capacity, begin + field->bytes + 1, 1));
    CLGRAD_TRY(clgrad_reserve(r->ctx, &r->target_at, &r->target_capacity, r->num_rows + 1, sizeof *r->target_at));
    memcpy(r->targets + begin, clgrad_csv_text_field(&r->text, r->target), field->bytes + 1);
    r->targets_bytes = begin + field->bytes + 1;
    r->target_at[r->num_rows] = begin;
    return CLGRAD_OK;
}

static clgrad_status take_row(csv_reader *r)
{
    const size_t bytes = clgrad_dtype_bytes(r->options->dtype);
    size_t at = 0, need = 0;
    if (r->text.num_fields != r->num_columns)
        return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "line %llu has %zu fields, the first line has %zu",
                              (unsigned long long)r->text.line, r->text.num_fields, r->num_columns);
    if (!clgrad_mul_size(r->num_rows, r->out->num_features, &at) || !clgrad_add_size(at, r->out->num_features, &need))
        return clgrad_io_fail(r->ctx, CLGRAD_E_MEMORY, r->path, "more values than fit");
    CLGRAD_TRY(clgrad_reserve(r->ctx, &r->values, &r->value_capacity, need, bytes));
    CLGRAD_TRY(clgrad_reserve(r->ctx, &r->lines, &r->line_capacity, r->num_rows + 1, sizeof *r->lines));
    r->lines[r->num_rows] = r->text.line;
    for (size_t i = 0; i < r->num_columns; i++)
        if (i != r->target) CLGRAD_TRY(take_feature(r, i, at++));
    if (r->target < r->num_columns) CLGRAD_TRY(take_target(r));
    r->num_rows++;
    return CLGRAD_OK;
}

static clgrad_status take_rows(csv_reader *r)
{
    while (r->text.num_fields) {
        CLGRAD_TRY(take_row(r));
        CLGRAD_TRY(clgrad_csv_text_next(&r->text));
    }
    return r->num_rows ? CLGRAD_OK : clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "there is no row of values");
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 ? values[n / 2] : values[n / 2 - 1] / 2 + values[n / 2] / 2;
}

static double mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += values[i] / (double)n;
    return sum;
}

/* The column's present values; *n of them. */
static void gather(const csv_reader *r, size_t feature, double *values, size_t *n)
{
    *n = 0;
    for (size_t row = 0; row < r->num_rows; row++) {
        const double value = clgrad_array_get(&r->out->features, (int64_t)(row * r->out->num_features + feature));
        if (!isnan(value)) values[(*n)++] = value;
    }
}

static clgrad_status choose_fill(const csv_reader *r, size_t feature, double *column, double *fill)
{
    size_t n = 0;
    gather(r, feature, column, &n);
    *fill = 0;
    if (r->options->missing == CLGRAD_CSV_MISSING_GIVEN) *fill = r->options->fill[feature];
    else if (r->options->missing == CLGRAD_CSV_MISSING_ZERO) return CLGRAD_OK;
    else if (n) *fill = r->options->missing == CLGRAD_CSV_MISSING_MEAN ? mean(column, n) : median(column, n);
    else {
        char name[CLGRAD_SHOWN_BYTES];
        return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "column '%s' has no value at all to impute from",
                              clgrad_io_show(r->out->names[feature], name));
    }
    return CLGRAD_OK;
}

static clgrad_status impute(const csv_reader *r)
{
    clgrad_array *features = &r->out->features;
    if (r->options->missing == CLGRAD_CSV_MISSING_REFUSE) return CLGRAD_OK;
    double *column = clgrad_alloc(r->ctx, r->num_rows, sizeof *column);
    clgrad_status status = column ? CLGRAD_OK : CLGRAD_E_MEMORY;
    for (size_t f = 0; !status && f < r->out->num_features; f++) {
        status = choose_fill(r, f, column, &r->out->fill[f]);
        for (size_t row = 0; !status && row < r->num_rows; row++) {
            const int64_t at = (int64_t)(row * r->out->num_features + f);
            if (isnan(clgrad_array_get(features, at))) clgrad_array_set(features, at, r->out->fill[f]);
        }
    }
    clgrad_free(r->ctx, column);
    return status;
}

static const char *target_text(const csv_reader *r, size_t row) { return r->targets + r->target_at[row]; }

static bool target_is_numeric(const csv_reader *r)
{
    for (size_t row = 0; row < r->num_rows; row++)
        if (is_text(target_text(r, row))) return false;
    return true;
}

static clgrad_status take_numbers(const csv_reader *r)
{
    for (size_t row = 0; row < r->num_rows; row++) {
        double value = 0;
        clgrad_number_parse(target_text(r, row), strlen(target_text(r, row)), &value);
        if (!fits(r->options->dtype, value))
            return fail_cell(r, r->lines[row], r->target, target_text(r, row), "does not fit f32");
        clgrad_array_set(&r->out->target, (int64_t)row, value);
    }
    return CLGRAD_OK;
}

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Every different text once, sorted. */
static clgrad_status collect_classes(csv_reader *r)
{
    const char **all = clgrad_alloc(r->ctx, r->num_rows, sizeof *all);
    if (!all) return CLGRAD_E_MEMORY;
    for (size_t row = 0; row < r->num_rows; row++) all[row] = target_text(r, row);
    qsort(all, r->num_rows, sizeof *all, compare_texts);
    size_t n = 0;
    for (size_t row = 0; row < r->num_rows; row++)
        if (n == 0 || strcmp(all[n - 1], all[row]) != 0) all[n++] = all[row];
    r->out->classes = clgrad_alloc(r->ctx, n, sizeof *r->out->classes);
    for (size_t i = 0; r->out->classes && i < n; i++, r->out->num_classes++)
        if (!(r->out->classes[i] = clgrad_strdup(r->ctx, all[i]))) break;
    clgrad_free(r->ctx, all);
    return r->out->num_classes == n ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

static clgrad_status copy_classes(csv_reader *r)
{
    const size_t n = r->options->num_classes;
    r->out->classes = clgrad_alloc(r->ctx, n, sizeof *r->out->classes);
    if (!r->out->classes) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < n; i++, r->out->num_classes++)
        if (!(r->out->classes[i] = clgrad_strdup(r->ctx, r->options->classes[i]))) return CLGRAD_E_MEMORY;
    return CLGRAD_OK;
}

/* Classes found in the file are sorted; those given are in their model's order. num_classes: none of them. */
static size_t label_of(const csv_reader *r, const char *text)
{
    const clgrad_csv *csv = r->out;
    size_t i = 0;
    if (!r->options->classes) {
        char **found = bsearch(&text, csv->classes, csv->num_classes, sizeof *csv->classes, compare_texts);
        return found ? (size_t)(found - csv->classes) : csv->num_classes;
    }
    while (i < csv->num_classes && strcmp(csv->classes[i], text) != 0) i++;
    return i;
}

static clgrad_status take_labels(csv_reader *r)
{
    CLGRAD_TRY(r->options->classes ? copy_classes(r) : collect_classes(r));
    for (size_t row = 0; row < r->num_rows; row++) {
        const size_t label = label_of(r, target_text(r, row));
        if (label == r->out->num_classes)
            return fail_cell(r, r->lines[row], r->target, target_text(r, row), "is none of the known classes");
        ((int32_t *)r->out->target.data)[row] = (int32_t)label;
    }
    return CLGRAD_OK;
}

static clgrad_status finish_target(csv_reader *r)
{
    if (r->target == r->num_columns) return CLGRAD_OK;
    const bool numeric = !r->options->classes && target_is_numeric(r);
    CLGRAD_TRY(clgrad_array_create(r->ctx, numeric ? r->options->dtype : CLGRAD_I32, CLGRAD_SHAPE((int64_t)r->num_rows),
                                   &r->out->target));
    return numeric ? take_numbers(r) : take_labels(r);
}

/* The header's texts become the result's names. */
static clgrad_status hand_over_names(csv_reader *r)
{
    size_t n = 0;
    r->out->names = clgrad_alloc(r->ctx, r->out->num_features, sizeof *r->out->names);
    r->out->fill = clgrad_alloc(r->ctx, r->out->num_features, sizeof *r->out->fill);
    if (!r->out->names || !r->out->fill) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < r->num_columns; i++) {
        char *name = clgrad_strdup(r->ctx, r->header[i]);
        if (!name) return CLGRAD_E_MEMORY;
        *(i == r->target ? &r->out->target_name : &r->out->names[n++]) = name;
    }
    return CLGRAD_OK;
}

static clgrad_status hand_over_values(csv_reader *r)
{
    const clgrad_shape shape = CLGRAD_SHAPE((int64_t)r->num_rows, (int64_t)r->out->num_features);
    if (!r->values) return clgrad_array_create(r->ctx, r->options->dtype, shape, &r->out->features); /* no feature */
    r->out->features = (clgrad_array){ r->options->dtype, shape, r->values };
    r->values = NULL;
    return CLGRAD_OK;
}

static clgrad_status read_table(csv_reader *r)
{
    CLGRAD_TRY(clgrad_csv_text_open(r->ctx, r->path, r->options->separator, &r->text));
    CLGRAD_TRY(take_first_record(r));
    CLGRAD_TRY(hand_over_names(r));
    CLGRAD_TRY(take_rows(r));
    CLGRAD_TRY(hand_over_values(r));
    CLGRAD_TRY(impute(r));
    return finish_target(r);
}

static void release_reader(csv_reader *r)
{
    clgrad_csv_text_release(&r->text);
    for (size_t i = 0; r->header && i < r->num_columns; i++) clgrad_free(r->ctx, r->header[i]);
    clgrad_free(r->ctx, r->header);
    clgrad_free(r->ctx, r->values);
    clgrad_free(r->ctx, r->targets);
    clgrad_free(r->ctx, r->target_at);
    clgrad_free(r->ctx, r->lines);
}

static clgrad_status check_options(clgrad_context *ctx, const char *path, const clgrad_csv_options *options)
{
    if (options->struct_size != sizeof *options)
        return clgrad_io_fail(ctx, CLGRAD_E_ARG, path, "clgrad_csv_options of another library version");
    if (options->dtype != CLGRAD_F32 && options->dtype != CLGRAD_F64)
        return clgrad_io_fail(ctx, CLGRAD_E_ARG, path, "a table is read as f32 or f64, not %s", clgrad_dtype_name(options->dtype));
    if (options->separator && !strchr(",;\t ", options->separator))
        return clgrad_io_fail(ctx, CLGRAD_E_ARG, path, "the separator is none of comma, semicolon, tab and blank");
    if (options->header > CLGRAD_CSV_HEADER_NO || options->missing > CLGRAD_CSV_MISSING_GIVEN)
        return clgrad_io_fail(ctx, CLGRAD_E_ARG, path, "no such choice for header or missing values");
    return CLGRAD_OK;
}

clgrad_status clgrad_csv_read(clgrad_context *ctx, const char *path, const clgrad_csv_options *options, clgrad_csv *out)
{
    const clgrad_csv_options defaults = CLGRAD_CSV_OPTIONS_INIT;
    *out = (clgrad_csv){ 0 };
    if (!options) options = &defaults;
    CLGRAD_TRY(check_options(ctx, path, options));
    csv_reader r = { .ctx = ctx, .path = path, .options = options, .out = out, .text = { .ctx = ctx } };
    const clgrad_status status = read_table(&r);
    release_reader(&r);
    if (status) clgrad_csv_release(ctx, out);
    return status;
}

void clgrad_csv_release(clgrad_context *ctx, clgrad_csv *csv)
{
    clgrad_array_release(ctx, &csv->features);
    clgrad_array_release(ctx, &csv->target);
    for (size_t i = 0; csv->names && i < csv->num_features; i++) clgrad_free(ctx, csv->names[i]);
    for (size_t i = 0; csv->classes && i < csv->num_classes; i++) clgrad_free(ctx, csv->classes[i]);
    clgrad_free(ctx, csv->names);
    clgrad_free(ctx, csv->classes);
    clgrad_free(ctx, csv->target_name);
    clgrad_free(ctx, csv->fill);
    *csv = (clgrad_csv){ 0 };
}
