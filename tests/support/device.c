#include "support/device.h"

#include "device/cl_device.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool test_is_long(void) { return getenv("CLGRAD_TEST_ALL") != NULL; }
bool test_is_short(void) { return getenv("CLGRAD_TEST_SHORT") != NULL; }

static clgrad_context *shared_context;
static clgrad_device *shared_device;
static bool refused;

/* A text that uses more than cl/builtins.cl declares would build, slowly, and nobody would notice: it ends the run. */
static void log_line(void *user, clgrad_log_level level, const char *topic, const char *line)
{
    (void)user;
    const bool slow_build = strstr(line, CLGRAD_LONG_BUILD) != NULL;
    if (slow_build || level == CLGRAD_LOG_WARNING || getenv("CLGRAD_TEST_VERBOSE")) fprintf(stderr, "%s: %s\n", topic, line);
    if (slow_build) exit(1);
}

clgrad_context *test_context(void)
{
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.log = log_line;
    if (!shared_context) ck_assert_int_eq(clgrad_context_create(&options, &shared_context), CLGRAD_OK);
    return shared_context;
}

clgrad_device *test_device(void)
{
    if (shared_device || refused) return shared_device;
    const clgrad_status status = clgrad_device_open(test_context(), NULL, &shared_device);
    if (status) {
        fprintf(stderr, "skipped: %s\n", clgrad_error_text(shared_context));
        refused = status == CLGRAD_E_LOADER || status == CLGRAD_E_NO_DEVICE;
        ck_assert_msg(refused, "opening the test device: %s", clgrad_error_text(shared_context));
    }
    return shared_device;
}

bool test_leaves_out(int variant, int stride)
{
    return !test_is_long() && variant % stride != 0 && strstr(clgrad_device_get_info(test_device())->name, "llvmpipe");
}

void test_device_close(void)
{
    clgrad_device_release(&shared_device);
    clgrad_context_release(&shared_context);
    refused = false;
}

static void *counting_resize(void *user, void *block, size_t bytes)
{
    test_memory *memory = user;
    memory->requests++;
    if (memory->fail_at &&
        (memory->requests == memory->fail_at || (memory->persistent && memory->requests > memory->fail_at)))
        return NULL;
    void *fresh = realloc(block, bytes);
    if (fresh && !block) memory->live++;
    return fresh;
}

static void counting_release(void *user, void *block)
{
    test_memory *memory = user;
    if (block) memory->live--;
    free(block);
}

clgrad_allocator test_memory_allocator(test_memory *memory)
{
    return (clgrad_allocator){ memory, counting_resize, counting_release };
}

clgrad_context *test_memory_context(test_memory *memory)
{
    const clgrad_allocator allocator = test_memory_allocator(memory);
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    clgrad_context *ctx = NULL;
    options.allocator = &allocator;
    ck_assert_int_eq(clgrad_context_create(&options, &ctx), CLGRAD_OK);
    return ctx;
}

size_t test_refuse_each(test_memory *memory, clgrad_context *ctx, test_work work, void *user)
{
    const size_t live = memory->live;
    for (size_t k = 1;; k++) {
        memory->requests = 0, memory->fail_at = k;
        const clgrad_status status = work(ctx, user);
        const bool refused_one = memory->requests >= k;
        memory->fail_at = 0;
        ck_assert_msg(status == (refused_one ? CLGRAD_E_MEMORY : CLGRAD_OK), "allocation %zu: %s (%s)", k, clgrad_status_name(status),
                      clgrad_error_text(ctx));
        ck_assert_msg(memory->live == live, "allocation %zu leaves %zu blocks", k, memory->live - live);
        if (!refused_one) return k - 1;
    }
}

size_t test_refuse_each_alone(test_work work, void *user)
{
    test_memory memory = { 0 };
    clgrad_context *ctx = test_memory_context(&memory);
    const size_t needed = test_refuse_each(&memory, ctx, work, user);
    clgrad_context_release(&ctx);
    ck_assert_uint_eq(memory.live, 0);
    return needed;
}
