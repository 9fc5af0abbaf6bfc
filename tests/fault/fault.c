#define _GNU_SOURCE /* mkdtemp */

#include "fault/fault.h"

#include "device/cl_device.h"
#include "support/cl_fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[128], cache_dir[160];

bool fault_possible(void)
{
    const bool possible = test_device() != NULL;
    test_device_close();
    return possible;
}

void fault_setup(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.80s/clgrad-fault-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(cache_dir, sizeof cache_dir, "%s/cache", dir);
    unsetenv("CLGRAD_CACHE");
}

void fault_teardown(void)
{
    char command[160];
    test_cl_install(false);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

const char *fault_path(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % CLGRAD_COUNT(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* --- worlds --- */

void fault_world_open(fault_world *world)
{
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    const clgrad_allocator allocator = test_memory_allocator(&world->memory);
    options.allocator = &allocator;
    options.cache_dir = cache_dir;
    *world = (fault_world){ 0 };
    test_cl_install(true);
    ck_assert_int_eq(clgrad_context_create(&options, &world->ctx), CLGRAD_OK);
    ck_assert_msg(clgrad_device_open(world->ctx, NULL, &world->dev) == CLGRAD_OK, "%s", clgrad_error_text(world->ctx));
}

/* What waits for a later moment to be freed is freed now. */
static void give_up_caches(fault_world *world)
{
    clgrad_transfers_release(world->dev);
    clgrad_pool_release(world->dev);
}

void fault_world_settle(fault_world *world)
{
    ck_assert_int_eq(clgrad_device_finish(world->dev), CLGRAD_OK); /* which stores programs and frees their texts */
    give_up_caches(world);
    world->base_memory = world->memory.live;
    world->base_cl = test_cl_state.live;
}

void fault_world_check(fault_world *world, const char *after)
{
    give_up_caches(world);
    ck_assert_msg(world->memory.live == world->base_memory, "after %s: %zu host blocks, %zu before", after, world->memory.live,
                  world->base_memory);
    ck_assert_msg(test_cl_state.live == world->base_cl, "after %s: %ld OpenCL references, %ld before", after,
                  test_cl_state.live, world->base_cl);
}

void fault_world_close(fault_world *world)
{
    clgrad_device_release(&world->dev);
    clgrad_context_release(&world->ctx);
    ck_assert_msg(world->memory.live == 0, "allocation %zu, call %zu: %zu host blocks leak", world->memory.fail_at,
                  test_cl_state.fail_at, world->memory.live);
    ck_assert_msg(test_cl_state.live == 0, "allocation %zu, call %zu: %ld OpenCL references leak", world->memory.fail_at,
                  test_cl_state.fail_at, test_cl_state.live);
}

/* --- faults --- */

/* What the specification lets a call answer when nothing is wrong with its arguments; which one, by the number of the call. */
static cl_int code_for(const char *name)
{
    static const struct {
        const char *prefix;
        cl_int code;
    } special[] = {
        { "clCreateBuffer", CL_MEM_OBJECT_ALLOCATION_FAILURE },
        { "clEnqueue", CL_MEM_OBJECT_ALLOCATION_FAILURE },
        { "clBuildProgram", CL_BUILD_PROGRAM_FAILURE },
        { "clCreateProgramWithBinary", CL_INVALID_BINARY },
        { "clWaitForEvents", CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST },
        { "clFinish", CL_DEVICE_NOT_AVAILABLE },
    };
    cl_int codes[3] = { CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY };
    size_t count = 2;
    for (size_t i = 0; i < CLGRAD_COUNT(special); i++)
        if (strncmp(name, special[i].prefix, strlen(special[i].prefix)) == 0) codes[count++] = special[i].code;
    return codes[test_cl_state.fail_at % count];
}

void fault_disarm(fault_world *world)
{
    world->memory.fail_at = 0;
    world->memory.persistent = false;
    test_cl_state.fail_at = 0;
}

void fault_arm(fault_world *world, fault_kind kind, size_t k)
{
    fault_disarm(world);
    world->memory.requests = test_cl_state.calls = 0;
    test_cl_state.failed = NULL;
    test_cl_state.code_for = code_for;
    if (kind == FAULT_CALL)
        test_cl_state.fail_at = k;
    else if (kind != FAULT_NONE)
        world->memory.fail_at = k;
    world->memory.persistent = kind == FAULT_ALLOCATIONS;
}

bool fault_struck(const fault_world *world, fault_kind kind)
{
    if (kind == FAULT_CALL) return test_cl_state.failed != NULL;
    return kind != FAULT_NONE && world->memory.fail_at && world->memory.requests >= world->memory.fail_at;
}

size_t fault_count(const fault_world *world, fault_kind kind)
{
    return kind == FAULT_CALL ? test_cl_state.calls : world->memory.requests;
}

const char *fault_name(const fault_world *world, fault_kind kind)
{
    static char text[160];
    if (kind == FAULT_CALL)
        snprintf(text, sizeof text, "call %zu (%s, %s)", test_cl_state.fail_at,
                 test_cl_state.failed ? test_cl_state.failed : "none", clgrad_cl_error_name(test_cl_state.code));
    else
        snprintf(text, sizeof text, "allocation %zu%s", world->memory.fail_at, world->memory.persistent ? " and all after it" : "");
    return text;
}

void fault_check(const fault_world *world, fault_kind kind, clgrad_status status)
{
    const char *text = clgrad_error_text(world->ctx), *name = fault_name(world, kind);
    const char *words = kind == FAULT_CALL ? clgrad_cl_error_name(test_cl_state.code) : "memory";
    ck_assert_msg(fault_struck(world, kind), "%s without a fault: %s", clgrad_status_name(status), text);
    ck_assert_int_eq(clgrad_error_status(world->ctx), status);
    ck_assert_msg(strstr(text, words) != NULL, "%s: '%s' does not say '%s'", name, text, words);
    const bool of_driver = status == CLGRAD_E_BUILD || status == CLGRAD_E_DEVICE_LOST;
    /* E_DEVICE for memory too, where part of the work was done when it was refused */
    const bool documented = status == CLGRAD_E_MEMORY || status == CLGRAD_E_DEVICE || (kind == FAULT_CALL && of_driver);
    ck_assert_msg(documented, "%s gave %s: %s", name, clgrad_status_name(status), text);
}
