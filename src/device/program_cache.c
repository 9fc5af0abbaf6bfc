/* Programs in the cache on disk: loading before a build, storing after the first launch. */

#include "base/os.h"
#include "device/cache.h"
#include "device/cl_device.h"

enum { MOST_STORE_SECONDS = 1 };

/* Everything that the binary depends on. */
static void append_key(const clgrad_device *dev, const char *text, clgrad_text *key)
{
    const clgrad_device_info *info = &dev->record.info;
    clgrad_text_append(key, "clgrad %s program\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n", CLGRAD_VERSION, info->platform,
                       dev->record.platform_version, info->vendor, info->name, info->device_version, info->driver,
                       clgrad_build_options(dev));
    clgrad_text_append_bytes(key, text, strlen(text));
}

bool clgrad_programs_are_stored(const clgrad_device *dev)
{
    return dev->cache.dir >= 0 && !(dev->record.quirks & CLGRAD_QUIRK_NO_BINARY);
}

static cl_program from_binary(clgrad_device *dev, const char *payload, size_t bytes)
{
    const unsigned char *binary = (const unsigned char *)payload;
    cl_int err = CL_SUCCESS, binary_status = CL_SUCCESS;
    cl_program program =
        dev->cl.CreateProgramWithBinary(dev->context, 1, &dev->record.id, &bytes, &binary, &binary_status, &err);
    if (err == CL_SUCCESS && binary_status == CL_SUCCESS)
        err = dev->cl.BuildProgram(program, 1, &dev->record.id, clgrad_build_options(dev), NULL, NULL);
    if (err == CL_SUCCESS && binary_status == CL_SUCCESS) return program;
    if (program) dev->cl.ReleaseProgram(program);
    return NULL;
}

bool clgrad_program_load(clgrad_device *dev, const char *text, cl_program *out)
{
    if (!clgrad_programs_are_stored(dev)) return false;
    clgrad_kept_error kept;
    clgrad_error_keep(dev->ctx, &kept);
    clgrad_text key = { .ctx = dev->ctx };
    char *payload;
    size_t bytes;
    cl_program program = NULL;
    append_key(dev, text, &key);
    if (clgrad_cache_get(&dev->cache, &key, &payload, &bytes) && clgrad_cache_loading_begin(&dev->cache, &key)) {
        program = from_binary(dev, payload, bytes);
        clgrad_cache_loading_end(&dev->cache, &key);
        if (!program) clgrad_cache_remove(&dev->cache, &key);
    }
    clgrad_free(dev->ctx, payload);
    clgrad_text_release(&key);
    clgrad_error_put_back(dev->ctx, &kept);
    *out = program;
    return program != NULL;
}

/* Whether an earlier run compiled this program too; if not, leaves word for the next. */
static bool seen_before(clgrad_device *dev, const clgrad_program *program)
{
    clgrad_text full = { .ctx = dev->ctx }, key = { .ctx = dev->ctx };
    uint8_t digest[CLGRAD_SHA256_BYTES];
    char hex[CLGRAD_SHA256_HEX], *payload;
    size_t bytes;
    append_key(dev, program->text, &full);
    if (!full.failed) {
        clgrad_sha256_of(full.data, full.bytes, digest);
        clgrad_text_append(&key, "clgrad %s seen %s", CLGRAD_VERSION, clgrad_sha256_hex(digest, hex));
    }
    const bool seen = !full.failed && clgrad_cache_get(&dev->cache, &key, &payload, &bytes);
    if (seen)
        clgrad_free(dev->ctx, payload);
    else if (!full.failed)
        clgrad_cache_put(&dev->cache, &key, "", 0);
    clgrad_text_release(&full);
    clgrad_text_release(&key);
    return seen;
}

static void store_binary(clgrad_device *dev, clgrad_program *program)
{
    size_t bytes = 0;
    if (dev->cl.GetProgramInfo(program->program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS ||
        bytes == 0)
        return;
    unsigned char *binary = clgrad_alloc(dev->ctx, bytes, 1);
    if (!binary) return;
    clgrad_text key = { .ctx = dev->ctx };
    append_key(dev, program->text, &key);
    if (dev->cl.GetProgramInfo(program->program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        clgrad_cache_put(&dev->cache, &key, binary, bytes);
    clgrad_text_release(&key);
    clgrad_free(dev->ctx, binary);
}

/* Where a binary takes compiling once more, a run begins no more of them once that has taken a second: the rest is left to later ones. */
static void store(clgrad_device *dev, clgrad_program *program)
{
    const bool costly = dev->record.quirks & CLGRAD_QUIRK_COSTLY_BINARY;
    if (costly && (!seen_before(dev, program) || dev->store_seconds > MOST_STORE_SECONDS)) return;
    const double begin = clgrad_os_seconds();
    store_binary(dev, program);
    if (costly) dev->store_seconds += clgrad_os_seconds() - begin;
}

void clgrad_programs_store(clgrad_device *dev)
{
    if (!dev->programs_unstored || !clgrad_device_is_ours(dev) || dev->lost) return;
    clgrad_kept_error kept;
    clgrad_error_keep(dev->ctx, &kept);
    for (size_t i = 0; i < dev->num_programs; i++) {
        clgrad_program *program = dev->programs[i];
        if (!program->text || !program->launched) continue;
        store(dev, program);
        clgrad_free(dev->ctx, program->text);
        program->text = NULL;
    }
    dev->programs_unstored = false;
    clgrad_error_put_back(dev->ctx, &kept);
}
