/* Whatever is read is written and read again as the same array. */

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    clgrad_context *ctx;
    clgrad_array first, second;
    memory_files_install();
    memory_files_reset(data, bytes);
    if (clgrad_context_create(NULL, &ctx)) return 0;
    const clgrad_status status = clgrad_npy_read(ctx, "input", &first);
    REQUIRE_TOLD(ctx, status);
    REQUIRE((first.data != NULL) == (status == CLGRAD_OK));
    if (status == CLGRAD_OK) {
        REQUIRE(clgrad_npy_write(ctx, "once", &first) == CLGRAD_OK);
        REQUIRE(clgrad_npy_read(ctx, "once", &second) == CLGRAD_OK);
        REQUIRE(first.dtype == second.dtype && clgrad_shape_equal(&first.shape, &second.shape));
        REQUIRE(memcmp(first.data, second.data, clgrad_array_bytes(&first)) == 0);
        clgrad_array_release(ctx, &second);
        clgrad_array_release(ctx, &first);
    }
    memory_files_reset(NULL, 0);
    clgrad_context_release(&ctx);
    return 0;
}
