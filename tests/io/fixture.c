#include "io/fixture.h"

#include "support/folder.h"

#include <zlib.h>

clgrad_context *io_ctx;
test_memory io_memory;
static bool temporaries_expected;

void io_forget_temporaries(void) { temporaries_expected = true; }

void io_restore_calls(void) { test_folder_restore_calls(); }

void io_setup(void)
{
    test_folder_make();
    temporaries_expected = false;
    io_memory = (test_memory){ 0 };
    io_ctx = test_memory_context(&io_memory);
}

void io_teardown(void)
{
    test_folder_remove(temporaries_expected);
    clgrad_context_release(&io_ctx);
    ck_assert_uint_eq(io_memory.live, 0);
}

const char *io_path(const char *name) { return test_folder_path(name); }

const char *io_golden(const char *name) { return test_path(GOLDEN_DIR, name); }

const char *io_file(const char *name, const void *data, size_t bytes) { return test_folder_file(name, data, bytes); }

const char *io_gzip_file(const char *name, const void *data, size_t bytes)
{
    const char *path = io_path(name);
    gzFile file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, data, (unsigned)bytes), (int)bytes);
    ck_assert_int_eq(gzclose(file), Z_OK);
    return path;
}

char *io_content(const char *path, size_t *bytes)
{
    char *data = NULL;
    ck_assert_int_eq(clgrad_os_read_file(io_ctx, path, SIZE_MAX, &data, bytes), CLGRAD_OK);
    return data;
}

void io_expect(clgrad_status got, clgrad_status want, const char *path, const char *word)
{
    const char *text = clgrad_error_text(io_ctx);
    ck_assert_msg(got == want, "%s where %s was due: %s", clgrad_status_name(got), clgrad_status_name(want), text);
    ck_assert_msg(strstr(text, path) && strstr(text, word), "'%s' names not '%s' and '%s'", text, path, word);
}
