/* Whatever is read has the values its extents ask for; plain and gzip come through the same door. */

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    clgrad_context *ctx;
    clgrad_array array;
    memory_files_install();
    memory_files_reset(data, bytes);
    if (clgrad_context_create(NULL, &ctx)) return 0;
    const clgrad_status status = clgrad_idx_read(ctx, "input", &array);
    REQUIRE_TOLD(ctx, status);
    REQUIRE((array.data != NULL) == (status == CLGRAD_OK));
    if (status == CLGRAD_OK) {
        unsigned sum = 0;
        for (size_t i = 0; i < clgrad_array_bytes(&array); i++) sum += ((const uint8_t *)array.data)[i];
        REQUIRE(sum <= 255 * clgrad_array_bytes(&array));
    }
    clgrad_array_release(ctx, &array);
    memory_files_reset(NULL, 0);
    clgrad_context_release(&ctx);
    return 0;
}
