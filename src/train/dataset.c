/* Data sets: choosing a reader, cutting into sets, weights, moments. */

#include "train/dataset.h"

#include "base/os.h"

void clgrad_dataset_release(clgrad_dataset *data)
{
    clgrad_context *ctx = data->ctx;
    if (!ctx) return;
    for (int64_t i = 0; data->classes && i < data->num_classes; i++) clgrad_free(ctx, data->classes[i]);
    clgrad_free(ctx, data->classes);
    clgrad_block_release(&data->memory);
    clgrad_free(ctx, data->targets);
    clgrad_free(ctx, data->weights);
    clgrad_free(ctx, data->fill);
    clgrad_free(ctx, data->order);
    *data = (clgrad_dataset){ 0 };
}

clgrad_status clgrad_dataset_allocate(clgrad_dataset *data, size_t values)
{
    data->memory = clgrad_block_create(data->ctx, values, sizeof *data->features);
    if (!data->memory) return CLGRAD_E_MEMORY;
    data->features = data->memory->data;
    return CLGRAD_OK;
}

/* --- reading --- */

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static const char *format_of(const clgrad_settings *settings)
{
    if (strcmp(settings->data_format, "auto") != 0) return settings->data_format;
    if (ends_with(settings->data_path, ".npy")) return "npy";
    const int dir = clgrad_os_dir_open(settings->data_path);
    if (dir < 0) return "csv";
    clgrad_os_dir_close(dir);
    return "mnist";
}

static clgrad_status read_samples(clgrad_dataset *data, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                  clgrad_data_use use)
{
    if (!*settings->data_path) return clgrad_fail(data->ctx, CLGRAD_E_CONFIG, "data.path is not set: there is nothing to read");
    const char *format = format_of(settings);
    if (strcmp(format, "mnist") == 0) return clgrad_dataset_read_mnist(data, settings->data_path, use);
    if (strcmp(format, "npy") == 0) return clgrad_dataset_read_npy(data, settings, memory, use);
    return clgrad_dataset_read_csv(data, settings, memory, use);
}

/* --- sets --- */

static clgrad_status check_count(const clgrad_dataset *data, const char *path)
{
    if (data->count < 1) return clgrad_fail(data->ctx, CLGRAD_E_FORMAT, "%s: there are no samples", path);
    if (data->count > INT32_MAX)
        return clgrad_fail(data->ctx, CLGRAD_E_UNSUPPORTED, "%s: %lld samples, more than 2^31 - 1", path, (long long)data->count);
    return CLGRAD_OK;
}

static int64_t part_of(int64_t count, double part) { return (int64_t)floor((double)count * part + 0.5); }

/* Test, validation and training samples, drawn in that order so that the test set stays when only data.validation changes.
 * Within a set the samples stand in the file's order. */
static clgrad_status draw_sets(clgrad_dataset *data, const clgrad_settings *settings)
{
    const bool own_test = data->num_given_train < data->count;
    const int64_t pool = data->num_given_train;
    const int64_t limit = settings->data_limit > 0 && settings->data_limit < pool ? settings->data_limit : pool;
    const int64_t test = own_test ? 0 : part_of(limit, settings->data_test);
    const int64_t validation = part_of(limit - test, settings->data_validation);
    uint32_t *shuffled = clgrad_alloc(data->ctx, (size_t)limit, sizeof *shuffled);
    uint8_t *set = clgrad_alloc(data->ctx, (size_t)limit, sizeof *set);
    if (shuffled && set) {
        clgrad_random_permutation((uint64_t)settings->train_seed, CLGRAD_DRAW_SPLIT, 0, shuffled, (uint32_t)limit);
        for (int64_t i = 0; i < limit; i++)
            set[shuffled[i]] = i < test ? CLGRAD_SUBSET_TEST : i < test + validation ? CLGRAD_SUBSET_VALIDATION : CLGRAD_SUBSET_TRAIN;
        int64_t n = 0;
        for (int s = 0; s < CLGRAD_SUBSET_COUNT; s++) {
            data->first[s] = n;
            for (int64_t i = 0; i < limit; i++)
                if (set[i] == s) data->order[n++] = (uint32_t)i;
        }
        for (int64_t i = pool; i < data->count; i++) data->order[n++] = (uint32_t)i;
        data->first[CLGRAD_SUBSET_COUNT] = n;
    }
    const clgrad_status st = shuffled && set ? CLGRAD_OK : CLGRAD_E_MEMORY;
    clgrad_free(data->ctx, shuffled);
    clgrad_free(data->ctx, set);
    return st;
}

static clgrad_status make_sets(clgrad_dataset *data, const clgrad_settings *settings, clgrad_data_use use)
{
    data->order = clgrad_alloc(data->ctx, (size_t)data->count, sizeof *data->order);
    if (!data->order) return CLGRAD_E_MEMORY;
    if (use != CLGRAD_DATA_TRAIN) {
        for (int64_t i = 0; i < data->count; i++) data->order[i] = (uint32_t)i;
        data->first[CLGRAD_SUBSET_COUNT] = data->count;
        return CLGRAD_OK;
    }
    CLGRAD_TRY(draw_sets(data, settings));
    if (clgrad_dataset_size(data, CLGRAD_SUBSET_TRAIN) > 0) return CLGRAD_OK;
    return clgrad_fail(data->ctx, CLGRAD_E_CONFIG, "%s: no training samples are left beside validation and test set", settings->data_path);
}

clgrad_status clgrad_dataset_load(clgrad_context *ctx, const clgrad_settings *settings, const clgrad_data_memory *memory,
                                  clgrad_data_use use, clgrad_dataset *out)
{
    static const clgrad_data_memory nothing = { 0, NULL, NULL };
    *out = (clgrad_dataset){ .ctx = ctx };
    clgrad_status st = read_samples(out, settings, memory ? memory : &nothing, use);
    if (st == CLGRAD_OK) st = check_count(out, settings->data_path);
    if (st == CLGRAD_OK) {
        if (out->num_given_train == 0) out->num_given_train = out->count;
        st = make_sets(out, settings, use);
    }
    if (st != CLGRAD_OK) clgrad_dataset_release(out);
    return st;
}

int64_t clgrad_dataset_largest(const clgrad_dataset *data)
{
    int64_t largest = 1;
    for (int s = 0; s < CLGRAD_SUBSET_COUNT; s++) {
        const int64_t size = clgrad_dataset_size(data, (clgrad_subset)s);
        if (size > largest) largest = size;
    }
    return largest;
}

/* --- labels and weights --- */

clgrad_status clgrad_dataset_check_labels(const clgrad_dataset *data, int64_t num_classes)
{
    for (int64_t i = 0; data->targets && i < data->count; i++) {
        const float label = data->targets[i];
        if (!(label >= 0 && label < (float)num_classes && label == floorf(label)))
            return clgrad_fail(data->ctx, CLGRAD_E_CONFIG, "label %g of sample %lld is not one of 0 .. %lld", (double)label,
                               (long long)i, (long long)num_classes - 1);
    }
    return CLGRAD_OK;
}

/* "1,2.5,1" into values; the numbers are JSON's. */
static clgrad_status parse_class_weights(clgrad_context *ctx, const char *text, double *values, int64_t count)
{
    char *list = clgrad_format(ctx, "[%s]", text);
    if (!list) return CLGRAD_E_MEMORY;
    json_t *json = json_loads(list, 0, NULL);
    clgrad_free(ctx, list);
    bool fits = json && (int64_t)json_array_size(json) == count;
    for (int64_t i = 0; fits && i < count; i++) {
        values[i] = json_number_value(json_array_get(json, (size_t)i));
        fits = json_is_number(json_array_get(json, (size_t)i)) && values[i] >= 0;
    }
    json_decref(json);
    if (fits) return CLGRAD_OK;
    return clgrad_fail(ctx, CLGRAD_E_CONFIG, "data.class_weights: '%s' is not %lld numbers >= 0 with commas between, nor balanced",
                       text, (long long)count);
}

static void balance(const clgrad_dataset *data, double *values, int64_t count)
{
    const int64_t size = clgrad_dataset_size(data, CLGRAD_SUBSET_TRAIN);
    const uint32_t *order = clgrad_dataset_order(data, CLGRAD_SUBSET_TRAIN);
    for (int64_t i = 0; i < size; i++) values[(int64_t)data->targets[order[i]]] += 1.0;
    for (int64_t c = 0; c < count; c++) values[c] = values[c] > 0 ? (double)size / ((double)count * values[c]) : 0.0;
}

clgrad_status clgrad_dataset_weigh_classes(clgrad_dataset *data, const char *text, int64_t num_classes)
{
    double *values = clgrad_alloc(data->ctx, (size_t)num_classes, sizeof *values);
    if (!values) return CLGRAD_E_MEMORY;
    clgrad_status st = CLGRAD_OK;
    if (strcmp(text, "balanced") == 0)
        balance(data, values, num_classes);
    else
        st = parse_class_weights(data->ctx, text, values, num_classes);
    if (st == CLGRAD_OK && !data->weights) {
        data->weights = clgrad_alloc(data->ctx, (size_t)data->count, sizeof *data->weights);
        if (!data->weights) st = CLGRAD_E_MEMORY;
        for (int64_t i = 0; st == CLGRAD_OK && i < data->count; i++) data->weights[i] = 1.0f;
    }
    for (int64_t i = 0; st == CLGRAD_OK && i < data->count; i++) data->weights[i] *= (float)values[(int64_t)data->targets[i]];
    clgrad_free(data->ctx, values);
    return st;
}

clgrad_status clgrad_dataset_moments(const clgrad_dataset *data, float *mean, float *inverse_deviation)
{
    const int64_t size = clgrad_dataset_size(data, CLGRAD_SUBSET_TRAIN), n = data->num_features;
    const uint32_t *order = clgrad_dataset_order(data, CLGRAD_SUBSET_TRAIN);
    double *sums = clgrad_alloc(data->ctx, 2 * (size_t)n, sizeof *sums);
    if (!sums) return CLGRAD_E_MEMORY;
    double *squares = sums + n;
    for (int64_t i = 0; i < size; i++)
        for (int64_t f = 0; f < n; f++) sums[f] += (double)data->features[order[i] * n + f];
    for (int64_t i = 0; i < size; i++)
        for (int64_t f = 0; f < n; f++) {
            const double d = (double)data->features[order[i] * n + f] - sums[f] / (double)size;
            squares[f] += d * d;
        }
    for (int64_t f = 0; f < n; f++) {
        const double deviation = sqrt(squares[f] / (double)size);
        mean[f] = (float)(sums[f] / (double)size);
        inverse_deviation[f] = deviation > 0 ? (float)(1.0 / deviation) : 1.0f;
    }
    clgrad_free(data->ctx, sums);
    return CLGRAD_OK;
}

void clgrad_dataset_standardise(clgrad_dataset *data, const float *mean, const float *scale)
{
    const int64_t n = data->num_features;
    for (int64_t i = 0; i < data->count; i++)
        for (int64_t f = 0; f < n; f++) data->features[i * n + f] = (data->features[i * n + f] - mean[f]) * scale[f];
}
