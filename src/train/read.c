/* Readers of data sets: MNIST's four files, CSV, NPY. */

#include "train/dataset.h"

#include "base/os.h"
#include "clgrad/io.h"

/* Room for count samples. */
static clgrad_status allocate(clgrad_dataset *data, int64_t count, int64_t num_features, bool targets)
{
    data->count = count;
    data->num_features = num_features;
    size_t values = 0;
    if (count < 0 || num_features < 0 || !clgrad_mul_size((size_t)count, (size_t)num_features, &values))
        return clgrad_fail(data->ctx, CLGRAD_E_MEMORY, "a data set of %lld x %lld values does not fit", (long long)count,
                           (long long)num_features);
    CLGRAD_TRY(clgrad_dataset_allocate(data, values));
    if (targets) data->targets = clgrad_alloc(data->ctx, (size_t)count, sizeof *data->targets);
    return data->targets || !targets ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

/* Elements per entry of the first axis. */
static int64_t row_size(const clgrad_array *array)
{
    int64_t n = 1;
    for (int32_t i = 1; i < array->shape.rank; i++) n *= array->shape.dims[i];
    return n;
}

/* --- MNIST --- */

/* The four usual spellings: with '-' or '.', plain or in gzip. NULL when there is none, or no memory. */
static char *find_idx(clgrad_context *ctx, int dir, const char *directory, const char *set, const char *kind)
{
    static const char *const endings[] = { "", ".gz" };
    for (size_t i = 0; i < 4; i++) {
        char name[64] = { 0 };
        const char *const parts[] = { set, "-", kind, "-ubyte", endings[i % 2] };
        for (size_t p = 0; p < CLGRAD_COUNT(parts); p++) strncat(name, parts[p], sizeof name - strlen(name) - 1);
        if (i >= 2) name[strlen(set) + 1 + strcspn(name + strlen(set) + 1, "-")] = '.';
        if (clgrad_os_exists_at(dir, name)) return clgrad_format(ctx, "%s/%s", directory, name);
    }
    return NULL;
}

typedef struct idx_pair {
    clgrad_array images, labels;
} idx_pair;

static clgrad_status read_idx(clgrad_context *ctx, int dir, const char *directory, const char *set, const char *kind,
                              clgrad_array *out)
{
    char *path = find_idx(ctx, dir, directory, set, kind);
    if (!path) return clgrad_fail(ctx, CLGRAD_E_FILE, "%s: there is no %s-%s-ubyte, plain or .gz", directory, set, kind);
    const clgrad_status st = clgrad_idx_read(ctx, path, out);
    clgrad_free(ctx, path);
    return st;
}

static clgrad_status read_pair(clgrad_context *ctx, const char *directory, const char *set, idx_pair *out)
{
    const int dir = clgrad_os_dir_open(directory);
    if (dir < 0) return clgrad_fail(ctx, CLGRAD_E_FILE, "%s: not a directory that can be read", directory);
    clgrad_status st = read_idx(ctx, dir, directory, set, "images-idx3", &out->images);
    if (st == CLGRAD_OK) st = read_idx(ctx, dir, directory, set, "labels-idx1", &out->labels);
    clgrad_os_dir_close(dir);
    if (st != CLGRAD_OK) return st;
    const bool fits = out->images.shape.rank >= 2 && out->labels.shape.rank == 1 &&
                      out->images.shape.dims[0] == out->labels.shape.dims[0];
    if (fits) return CLGRAD_OK;
    return clgrad_fail(ctx, CLGRAD_E_FORMAT, "%s: the %s images and labels do not belong together: %lld and %lld entries", directory,
                       set, (long long)out->images.shape.dims[0], (long long)out->labels.shape.dims[0]);
}

/* Grey levels of u8 become 0 .. 1. */
static void copy_pair(clgrad_dataset *data, int64_t first, const idx_pair *pair)
{
    const int64_t count = pair->images.shape.dims[0], n = data->num_features;
    float *features = data->features + first * n;
    clgrad_convert(CLGRAD_F32, features, pair->images.dtype, pair->images.data, (size_t)(count * n));
    if (pair->images.dtype == CLGRAD_U8)
        for (int64_t i = 0; i < count * n; i++) features[i] *= 1.0f / 255.0f;
    clgrad_convert(CLGRAD_F32, data->targets + first, pair->labels.dtype, pair->labels.data, (size_t)count);
}

static clgrad_status join_pairs(clgrad_dataset *data, const char *directory, const idx_pair *train, const idx_pair *test)
{
    const int64_t num_train = train ? train->images.shape.dims[0] : 0, num_test = test->images.shape.dims[0];
    if (train && row_size(&train->images) != row_size(&test->images))
        return clgrad_fail(data->ctx, CLGRAD_E_FORMAT, "%s: train and test images differ in size", directory);
    CLGRAD_TRY(allocate(data, num_train + num_test, row_size(&test->images), true));
    data->num_given_train = num_train;
    if (train) copy_pair(data, 0, train);
    copy_pair(data, num_train, test);
    for (int64_t i = 0; i < data->count; i++)
        if (data->targets[i] >= (float)data->num_classes) data->num_classes = (int64_t)data->targets[i] + 1;
    return CLGRAD_OK;
}

clgrad_status clgrad_dataset_read_mnist(clgrad_dataset *data, const char *directory, clgrad_data_use use)
{
    idx_pair train = { { 0 }, { 0 } }, test = { { 0 }, { 0 } };
    const bool both = use == CLGRAD_DATA_TRAIN;
    clgrad_status st = both ? read_pair(data->ctx, directory, "train", &train) : CLGRAD_OK;
    if (st == CLGRAD_OK) st = read_pair(data->ctx, directory, "t10k", &test);
    if (st == CLGRAD_OK) st = join_pairs(data, directory, both ? &train : NULL, &test);
    clgrad_array *arrays[] = { &train.images, &train.labels, &test.images, &test.labels };
    for (size_t i = 0; i < CLGRAD_COUNT(arrays); i++) clgrad_array_release(data->ctx, arrays[i]);
    return st;
}

/* --- CSV --- */

static clgrad_status find_weights(const clgrad_dataset *data, const clgrad_csv *csv, const clgrad_settings *settings, size_t *column)
{
    *column = SIZE_MAX;
    if (!*settings->data_weights) return CLGRAD_OK;
    for (size_t i = 0; i < csv->num_features; i++)
        if (strcmp(csv->names[i], settings->data_weights) == 0) *column = i;
    if (*column != SIZE_MAX) return CLGRAD_OK;
    const char *near_by = clgrad_suggest(settings->data_weights, (const char *const *)csv->names, csv->num_features);
    return clgrad_fail(data->ctx, CLGRAD_E_CONFIG, "%s: there is no column '%s' for data.weights%s%s%s", settings->data_path,
                       settings->data_weights, near_by ? "; did you mean '" : "", near_by ? near_by : "", near_by ? "'?" : "");
}

static clgrad_status take_weights(clgrad_dataset *data, const clgrad_csv *csv, size_t column, const char *path)
{
    data->weights = clgrad_alloc(data->ctx, (size_t)data->count, sizeof *data->weights);
    if (!data->weights) return CLGRAD_E_MEMORY;
    for (int64_t i = 0; i < data->count; i++) {
        data->weights[i] = ((const float *)csv->features.data)[(size_t)i * csv->num_features + column];
        if (!(data->weights[i] >= 0))
            return clgrad_fail(data->ctx, CLGRAD_E_FORMAT, "%s: the weight of sample %lld is %g, below 0", path, (long long)i,
                               (double)data->weights[i]);
    }
    return CLGRAD_OK;
}

static void copy_columns(clgrad_dataset *data, const clgrad_csv *csv, size_t skip)
{
    const float *from = csv->features.data;
    float *to = data->features;
    for (int64_t i = 0; i < data->count; i++, from += csv->num_features)
        for (size_t f = 0; f < csv->num_features; f++)
            if (f != skip) *to++ = from[f];
}

static clgrad_status copy_fill(clgrad_dataset *data, const clgrad_csv *csv, size_t skip)
{
    data->fill = clgrad_alloc(data->ctx, csv->num_features, sizeof *data->fill);
    if (!data->fill) return CLGRAD_E_MEMORY;
    size_t n = 0;
    for (size_t f = 0; f < csv->num_features; f++)
        if (f != skip) data->fill[n++] = csv->fill[f];
    return CLGRAD_OK;
}

static clgrad_status take_table(clgrad_dataset *data, clgrad_csv *csv, const clgrad_settings *settings)
{
    size_t weights = SIZE_MAX;
    CLGRAD_TRY(find_weights(data, csv, settings, &weights));
    const int64_t rows = csv->features.shape.dims[0];
    const bool targets = csv->target.data != NULL;
    CLGRAD_TRY(allocate(data, rows, (int64_t)csv->num_features - (weights != SIZE_MAX), targets));
    copy_columns(data, csv, weights);
    if (weights != SIZE_MAX) CLGRAD_TRY(take_weights(data, csv, weights, settings->data_path));
    if (strcmp(settings->data_missing, "refuse") != 0) CLGRAD_TRY(copy_fill(data, csv, weights));
    if (!targets) return CLGRAD_OK;
    clgrad_convert(CLGRAD_F32, data->targets, csv->target.dtype, csv->target.data, (size_t)rows);
    data->num_classes = (int64_t)csv->num_classes;
    data->classes = csv->classes; /* handed over */
    csv->classes = NULL;
    csv->num_classes = 0;
    return CLGRAD_OK;
}

typedef struct csv_memory {
    const char **classes;
    double *fill;
} csv_memory;

static clgrad_status recall(clgrad_context *ctx, const clgrad_data_memory *memory, csv_memory *out, clgrad_csv_options *options)
{
    options->num_classes = json_array_size(memory->classes);
    options->num_fill = json_array_size(memory->fill);
    out->classes = clgrad_alloc(ctx, options->num_classes, sizeof *out->classes);
    out->fill = clgrad_alloc(ctx, options->num_fill, sizeof *out->fill);
    if (!out->classes || !out->fill) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < options->num_classes; i++) out->classes[i] = json_string_value(json_array_get(memory->classes, i));
    for (size_t i = 0; i < options->num_fill; i++) out->fill[i] = json_number_value(json_array_get(memory->fill, i));
    if (options->num_classes) options->classes = out->classes;
    if (options->num_fill) options->fill = out->fill, options->missing = CLGRAD_CSV_MISSING_GIVEN;
    return CLGRAD_OK;
}

/* The words of data.header and data.missing stand in the order of io's enumerations. */
static void choose(const clgrad_settings *settings, clgrad_csv_options *options)
{
    static const char *const headers[] = { "auto", "yes", "no" }, *const missing[] = { "refuse", "mean", "median", "zero" };
    for (size_t i = 0; i < CLGRAD_COUNT(headers); i++)
        if (strcmp(settings->data_header, headers[i]) == 0) options->header = (clgrad_csv_header)i;
    for (size_t i = 0; i < CLGRAD_COUNT(missing); i++)
        if (strcmp(settings->data_missing, missing[i]) == 0) options->missing = (clgrad_csv_missing)i;
    if (*settings->data_target) options->target = settings->data_target;
}

/* For prediction a table of features alone will do: one that has no target column, or as many columns as the model has inputs. */
static clgrad_status read_table(clgrad_dataset *data, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                clgrad_data_use use, clgrad_csv_options *options, clgrad_csv *csv)
{
    clgrad_status st = clgrad_csv_read(data->ctx, settings->data_path, options, csv);
    if (use != CLGRAD_DATA_PREDICT || memory->num_features == 0) return st;
    const int64_t columns = memory->num_features + (*settings->data_weights ? 1 : 0);
    if (st == CLGRAD_OK && (int64_t)csv->num_features == columns) return CLGRAD_OK;
    if (st != CLGRAD_OK && st != CLGRAD_E_ARG && st != CLGRAD_E_FORMAT) return st;
    if (st == CLGRAD_OK) clgrad_csv_release(data->ctx, csv);
    options->target = "";
    return clgrad_csv_read(data->ctx, settings->data_path, options, csv);
}

clgrad_status clgrad_dataset_read_csv(clgrad_dataset *data, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                      clgrad_data_use use)
{
    clgrad_csv csv = { { 0 } };
    csv_memory recalled = { NULL, NULL };
    clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
    choose(settings, &options);
    clgrad_status st = recall(data->ctx, memory, &recalled, &options);
    if (st == CLGRAD_OK) st = read_table(data, settings, memory, use, &options, &csv);
    if (st == CLGRAD_OK) st = take_table(data, &csv, settings);
    if (st == CLGRAD_E_ARG) st = CLGRAD_E_CONFIG;
    clgrad_csv_release(data->ctx, &csv);
    clgrad_free(data->ctx, recalled.classes);
    clgrad_free(data->ctx, recalled.fill);
    return st;
}

/* --- NPY --- */

/* Targets in the last column of the array itself. */
static void cut_last_column(clgrad_dataset *data, const float *values, int64_t row)
{
    for (int64_t i = 0; i < data->count; i++) {
        memcpy(data->features + i * (row - 1), values + i * row, (size_t)(row - 1) * sizeof(float));
        data->targets[i] = values[i * row + row - 1];
    }
}

static clgrad_status take_array(clgrad_dataset *data, const clgrad_array *array, const clgrad_settings *settings, bool cut)
{
    const int64_t row = row_size(array), count = array->shape.dims[0];
    CLGRAD_TRY(allocate(data, count, cut ? row - 1 : row, cut || *settings->data_target));
    if (!cut) {
        clgrad_convert(CLGRAD_F32, data->features, array->dtype, array->data, (size_t)(count * row));
        return CLGRAD_OK;
    }
    float *values = clgrad_alloc(data->ctx, (size_t)(count * row), sizeof *values);
    if (!values) return CLGRAD_E_MEMORY;
    clgrad_convert(CLGRAD_F32, values, array->dtype, array->data, (size_t)(count * row));
    cut_last_column(data, values, row);
    clgrad_free(data->ctx, values);
    return CLGRAD_OK;
}

static clgrad_status read_targets(clgrad_dataset *data, const char *path)
{
    clgrad_array targets = { 0 };
    CLGRAD_TRY(clgrad_npy_read(data->ctx, path, &targets));
    clgrad_status st = CLGRAD_OK;
    if (clgrad_shape_count(&targets.shape) != data->count)
        st = clgrad_fail(data->ctx, CLGRAD_E_FORMAT, "%s: %lld targets for %lld samples", path,
                         (long long)clgrad_shape_count(&targets.shape), (long long)data->count);
    else
        clgrad_convert(CLGRAD_F32, data->targets, targets.dtype, targets.data, (size_t)data->count);
    clgrad_array_release(data->ctx, &targets);
    return st;
}

clgrad_status clgrad_dataset_read_npy(clgrad_dataset *data, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                      clgrad_data_use use)
{
    clgrad_array array = { 0 };
    CLGRAD_TRY(clgrad_npy_read(data->ctx, settings->data_path, &array));
    const bool features_alone = use == CLGRAD_DATA_PREDICT && row_size(&array) == memory->num_features;
    const bool cut = !*settings->data_target && !features_alone;
    clgrad_status st = CLGRAD_OK;
    if (array.shape.rank < 1 || (cut && row_size(&array) < 2))
        st = clgrad_fail(data->ctx, CLGRAD_E_FORMAT, "%s: an array of samples has a row per sample%s", settings->data_path,
                         cut ? " and the target as its last column; or name a file of targets by data.target" : "");
    if (st == CLGRAD_OK) st = take_array(data, &array, settings, cut);
    if (st == CLGRAD_OK && *settings->data_target && use != CLGRAD_DATA_PREDICT) st = read_targets(data, settings->data_target);
    clgrad_array_release(data->ctx, &array);
    return st;
}
