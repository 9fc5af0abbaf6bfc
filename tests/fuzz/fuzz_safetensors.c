/* Whatever opens is written, opens again with the same content, and is then written as the same bytes. */

#include "fuzz/fuzz.h"

static clgrad_status load(clgrad_context *ctx, const char *path, clgrad_safetensors **file, clgrad_array **arrays)
{
    const clgrad_status status = clgrad_safetensors_open(ctx, path, file);
    if (status) return status;
    *arrays = calloc(clgrad_safetensors_count(*file) + 1, sizeof **arrays);
    for (size_t i = 0; i < clgrad_safetensors_count(*file); i++) {
        const clgrad_safetensors_entry *entry = clgrad_safetensors_get(*file, i);
        const clgrad_status read = clgrad_safetensors_read_array(*file, entry, &(*arrays)[i]);
        REQUIRE(read == (entry->dtype == CLGRAD_DTYPE_COUNT ? CLGRAD_E_UNSUPPORTED : CLGRAD_OK));
        REQUIRE(clgrad_safetensors_find(*file, entry->name) == entry);
    }
    return CLGRAD_OK;
}

static void save(clgrad_context *ctx, const char *path, const clgrad_safetensors *file, const clgrad_array *arrays)
{
    clgrad_safetensors_writer *w;
    REQUIRE(clgrad_safetensors_writer_create(ctx, &w) == CLGRAD_OK);
    for (size_t i = 0; i < clgrad_safetensors_num_metadata(file); i++) {
        const char *key, *value;
        clgrad_safetensors_get_metadata(file, i, &key, &value);
        REQUIRE(clgrad_safetensors_writer_set(w, key, value) == CLGRAD_OK);
    }
    for (size_t i = 0; i < clgrad_safetensors_count(file); i++) {
        const clgrad_safetensors_entry *entry = clgrad_safetensors_get(file, i);
        if (!arrays[i].data) continue;
        REQUIRE(clgrad_safetensors_writer_add(w, entry->name, entry->dtype, entry->shape, arrays[i].data,
                                              clgrad_array_bytes(&arrays[i])) == CLGRAD_OK);
    }
    REQUIRE(clgrad_safetensors_writer_write(w, path) == CLGRAD_OK);
    clgrad_safetensors_writer_release(&w);
}

static void release(clgrad_context *ctx, clgrad_safetensors **file, clgrad_array *arrays)
{
    for (size_t i = 0; i < clgrad_safetensors_count(*file); i++) clgrad_array_release(ctx, &arrays[i]);
    free(arrays);
    clgrad_safetensors_release(file);
}

static void check_again(clgrad_context *ctx, const clgrad_safetensors *first, const clgrad_array *first_arrays)
{
    clgrad_safetensors *second;
    clgrad_array *arrays;
    size_t once_bytes, twice_bytes;
    save(ctx, "once", first, first_arrays);
    REQUIRE(load(ctx, "once", &second, &arrays) == CLGRAD_OK);
    for (size_t i = 0; i < clgrad_safetensors_count(first); i++) {
        if (!first_arrays[i].data) continue;
        const clgrad_safetensors_entry *found = clgrad_safetensors_find(second, clgrad_safetensors_get(first, i)->name);
        REQUIRE(found && found->dtype == first_arrays[i].dtype && clgrad_shape_equal(&found->shape, &first_arrays[i].shape));
    }
    save(ctx, "twice", second, arrays);
    const uint8_t *once = memory_file_content("once", &once_bytes), *twice = memory_file_content("twice", &twice_bytes);
    REQUIRE(once_bytes == twice_bytes && memcmp(once, twice, once_bytes) == 0);
    release(ctx, &second, arrays);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    clgrad_context *ctx;
    clgrad_safetensors *file;
    clgrad_array *arrays;
    memory_files_install();
    memory_files_reset(data, bytes);
    if (clgrad_context_create(NULL, &ctx)) return 0;
    const clgrad_status status = load(ctx, "input", &file, &arrays);
    REQUIRE_TOLD(ctx, status);
    if (status == CLGRAD_OK) {
        check_again(ctx, file, arrays);
        release(ctx, &file, arrays);
    }
    memory_files_reset(NULL, 0);
    clgrad_context_release(&ctx);
    return 0;
}
