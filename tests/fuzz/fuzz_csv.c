/* The first byte chooses options, the rest is the table. Whatever is read is finite, labelled within its classes, named. */

#include "fuzz/fuzz.h"
#include "tensor/tensor.h"

static clgrad_csv_options choose(uint8_t byte)
{
    static const char *const targets[] = { NULL, "", "0", "y" };
    static const char separators[] = { 0, 0, ',', ' ' };
    clgrad_csv_options options = CLGRAD_CSV_OPTIONS_INIT;
    options.target = targets[byte & 3];
    options.separator = separators[byte >> 2 & 3];
    options.missing = (clgrad_csv_missing)(byte >> 4 & 3);
    options.dtype = byte & 64 ? CLGRAD_F64 : CLGRAD_F32;
    options.header = byte & 128 ? CLGRAD_CSV_HEADER_NO : CLGRAD_CSV_HEADER_AUTO;
    return options;
}

static void check(const clgrad_csv *csv)
{
    const int64_t rows = csv->features.shape.dims[0], values = clgrad_shape_count(&csv->features.shape);
    REQUIRE(values == rows * (int64_t)csv->num_features);
    for (int64_t i = 0; i < values; i++) {
        const double value = clgrad_array_get(&csv->features, i);
        REQUIRE(value - value == 0);
    }
    for (size_t i = 0; i < csv->num_features; i++) REQUIRE(csv->names[i]);
    for (size_t i = 1; i < csv->num_classes; i++) REQUIRE(strcmp(csv->classes[i - 1], csv->classes[i]) < 0);
    if (!csv->target.data) return;
    REQUIRE(csv->target_name && csv->target.shape.dims[0] == rows);
    for (int64_t i = 0; i < rows; i++) {
        const double value = clgrad_array_get(&csv->target, i);
        REQUIRE(csv->num_classes ? value >= 0 && value < (double)csv->num_classes : value - value == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    clgrad_context *ctx;
    clgrad_csv csv;
    if (bytes == 0) return 0;
    const clgrad_csv_options options = choose(data[0]);
    memory_files_install();
    memory_files_reset(data + 1, bytes - 1);
    if (clgrad_context_create(NULL, &ctx)) return 0;
    const clgrad_status status = clgrad_csv_read(ctx, "input", &options, &csv);
    REQUIRE_TOLD(ctx, status);
    if (status == CLGRAD_OK) check(&csv);
    clgrad_csv_release(ctx, &csv);
    memory_files_reset(NULL, 0);
    clgrad_context_release(&ctx);
    return 0;
}
