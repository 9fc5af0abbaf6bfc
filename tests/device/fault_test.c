/* The k-th OpenCL call and the k-th allocation fail, for every k, over a small whole program: a documented status, no
 * leak, and the same program succeeds right after. */

#define _GNU_SOURCE /* mkdtemp */

#include "clgrad/opencl.h"
#include "device/cl_device.h"
#include "device_test.h"
#include "support/cl_fault.h"
#include "support/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64], cache_dir[96], file[96], trace[96];
static bool with_cache, with_profile;
/* A caller's objects, for the program over adopted ones; NULL for a program that opens its own device. */
static clgrad_opencl_handles handles;
static cl_mem their_memory;

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/clgrad-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    unsetenv("CLGRAD_CACHE");
    snprintf(cache_dir, sizeof cache_dir, "%s/cache", dir);
    snprintf(file, sizeof file, "%s/twice.cl", dir);
    snprintf(trace, sizeof trace, "%s/trace.json", dir);
    with_cache = with_profile = false;
    handles = (clgrad_opencl_handles)CLGRAD_OPENCL_HANDLES_INIT;
    FILE *out = fopen(file, "w");
    ck_assert_ptr_nonnull(out);
    fputs("/* clgrad-template 1 */\nkernel void twice(global float *x) { x[get_global_id(0)] *= 2.0f; }\n", out);
    fclose(out);
}

static void teardown(void)
{
    test_cl_install(false);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static clgrad_status run_kernel(clgrad_device *dev, clgrad_buffer *x)
{
    const clgrad_kernel_source source = { .file = "twice.cl", .preamble = "#define UNUSED 1", .name = "twice" };
    clgrad_kernel *kernel;
    clgrad_event *event = NULL;
    CLGRAD_TRY(clgrad_kernel_create(dev, &source, &kernel));
    clgrad_status status = clgrad_kernel_set_buffer(kernel, 0, x);
    if (!status) status = clgrad_kernel_launch(kernel, 1, &(size_t){ 4 }, &(size_t){ 1 }, "twice");
    if (!status) status = clgrad_device_mark(dev, &event);
    if (!status) status = clgrad_device_wait_for(dev, 1, &event);
    if (!status) status = clgrad_event_wait(event);
    clgrad_event_release(&event);
    clgrad_kernel_release(&kernel);
    return status;
}

static clgrad_status time_kernel(clgrad_device *dev, clgrad_buffer *x)
{
    clgrad_span *span;
    clgrad_span_times times;
    CLGRAD_TRY(clgrad_span_begin(dev, &span));
    return clgrad_span_end(&span, run_kernel(dev, x), &times);
}

static void expect_values(const float *got, float a, float b, float c, float d)
{
    ck_assert_msg(got[0] == a && got[1] == b && got[2] == c && got[3] == d, "call %zu (%s) failed, then %g %g %g %g",
                  test_cl_state.fail_at, test_cl_state.failed ? test_cl_state.failed : "none", got[0], got[1], got[2],
                  got[3]);
}

static clgrad_status use_device(clgrad_device *dev)
{
    float values[4] = { 1, 2, 3, 4 }, zero = 0;
    const void *later = NULL;
    clgrad_buffer *x, *y;
    clgrad_event *read = NULL;
    CLGRAD_TRY(clgrad_buffer_create(dev, sizeof values, &x));
    clgrad_status status = clgrad_buffer_create(dev, 3 << 20, &y); /* for which large pages are asked */
    if (!status) status = clgrad_buffer_write(x, 0, values, sizeof values);
    if (!status) status = run_kernel(dev, x);
    if (!status) status = clgrad_buffer_fill(y, 0, sizeof values, &zero, sizeof zero);
    if (!status) status = clgrad_buffer_copy(y, 0, x, 0, 8);
    if (!status) status = clgrad_buffer_read_later(y, 0, sizeof values, &later, &read);
    if (!status) status = clgrad_event_wait(read);
    if (!status) expect_values(later, 2, 4, 0, 0);
    if (!status) status = clgrad_buffer_read(x, 0, values, sizeof values);
    if (!status) expect_values(values, 2, 4, 6, 8);
    if (!status) status = clgrad_device_finish(dev);
    if (!status) status = time_kernel(dev, x);
    clgrad_event_release(&read);
    clgrad_buffer_release(&x);
    clgrad_buffer_release(&y);
    return status;
}

/* Round twice, by mapping or by writing. */
static clgrad_status use_upload(clgrad_device *dev, bool mapped)
{
    float values[4];
    clgrad_upload *upload;
    dev->record.shares_memory = mapped;
    CLGRAD_TRY(clgrad_upload_create(dev, sizeof values, &upload));
    clgrad_status status = CLGRAD_OK;
    for (int round = 1; !status && round <= 2; round++) {
        void *host = NULL;
        const float v = (float)round;
        status = clgrad_upload_open(upload, &host);
        if (!status) memcpy(host, (float[]){ v, 2 * v, 3 * v, 4 * v }, sizeof values);
        if (!status) status = clgrad_upload_send(upload, sizeof values);
        if (!status) status = run_kernel(dev, clgrad_upload_buffer(upload));
        if (!status) status = clgrad_buffer_read(clgrad_upload_buffer(upload), 0, values, sizeof values);
        if (!status) expect_values(values, 2 * v, 4 * v, 6 * v, 8 * v);
        if (!status) status = clgrad_upload_recall(upload);
    }
    clgrad_upload_release(&upload);
    return status;
}

/* What only a program with a caller's objects does. */
static clgrad_status use_theirs(clgrad_device *dev)
{
    clgrad_buffer *buffer;
    clgrad_event *adopted = NULL;
    cl_event mark = NULL;
    CLGRAD_TRY(clgrad_buffer_adopt(dev, their_memory, &buffer));
    clgrad_status status = clgrad_buffer_fill(buffer, 0, 8, &(uint32_t){ 5 }, 4);
    if (!status) status = clgrad_device_mark_event(dev, &mark);
    if (!status) status = clgrad_device_wait_for_events(dev, 1, &mark);
    if (!status) status = clgrad_event_adopt(dev, mark, &adopted);
    if (!status) status = clgrad_event_wait(adopted);
    if (mark) dev->cl.ReleaseEvent(mark);
    clgrad_event_release(&adopted);
    clgrad_buffer_release(&buffer);
    return status;
}

static clgrad_status open_device(clgrad_context *ctx, clgrad_device **dev)
{
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    options.profiling = with_profile;
    return handles.queue ? clgrad_device_adopt(ctx, &handles, &options, dev) : clgrad_device_open(ctx, &options, dev);
}

static clgrad_status run_program(test_memory *memory, char *text, size_t bytes)
{
    const clgrad_allocator allocator = test_memory_allocator(memory);
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    clgrad_context *ctx;
    clgrad_device *dev = NULL;
    options.allocator = &allocator;
    options.kernel_dir = dir;
    options.cache_dir = with_cache ? cache_dir : "";
    CLGRAD_TRY(clgrad_context_create(&options, &ctx));
    clgrad_status status = open_device(ctx, &dev);
    if (!status) status = use_device(dev);
    if (!status) status = use_upload(dev, true);
    if (!status) status = use_upload(dev, false);
    if (!status && with_profile) status = clgrad_device_write_trace(dev, trace);
    if (!status && handles.queue) status = use_theirs(dev);
    clgrad_device_release(&dev);
    snprintf(text, bytes, "%s", clgrad_error_text(ctx));
    /* a failure has a sentence and is kept; what was tolerated leaves no trace */
    if (status) ck_assert_int_gt((int)strlen(clgrad_error_text(ctx)), 10);
    ck_assert_int_eq(clgrad_error_status(ctx), status);
    clgrad_context_release(&ctx);
    return status;
}

static void expect_clean(const test_memory *memory, const char *what, size_t k, const char *text)
{
    ck_assert_msg(memory->live == 0, "%s %zu: %zu host blocks leak (%s)", what, k, memory->live, text);
    ck_assert_msg(test_cl_state.live == 0, "%s %zu: %ld OpenCL references leak (%s)", what, k, test_cl_state.live, text);
}

static bool no_device(void)
{
    if (!test_device()) return true;
    test_device_close();
    return false;
}

/* In short runs every third point. */
static size_t stride(void) { return test_is_short() ? 3 : 1; }

static void fail_each_call(void)
{
    static const cl_int codes[] = { CL_OUT_OF_HOST_MEMORY, CL_OUT_OF_RESOURCES, CL_INVALID_VALUE, CL_DEVICE_NOT_AVAILABLE };
    static const clgrad_status allowed[] = { CLGRAD_E_MEMORY, CLGRAD_E_MEMORY, CLGRAD_E_DEVICE, CLGRAD_E_DEVICE_LOST };
    char text[CLGRAD_MESSAGE_BYTES];
    size_t failures = 0;
    for (size_t k = 1;; k += stride()) {
        const size_t code = k % CLGRAD_COUNT(codes);
        test_memory memory = { 0 };
        test_cl_install(true);
        test_cl_state.fail_at = k, test_cl_state.code = codes[code];
        const clgrad_status status = run_program(&memory, text, sizeof text);
        expect_clean(&memory, "call", k, text);
        if (!test_cl_state.failed) {
            ck_assert_int_eq(status, CLGRAD_OK);
            break;
        }
        failures += status != CLGRAD_OK;
        ck_assert_msg(status == CLGRAD_OK || status == allowed[code] || status == CLGRAD_E_DEVICE ||
                          status == CLGRAD_E_DEVICE_LOST || status == CLGRAD_E_NO_DEVICE || status == CLGRAD_E_BUILD ||
                          (handles.queue && status == CLGRAD_E_ARG), /* handles that do not answer */
                      "call %zu (%s) returning %d gave %s: %s", k, test_cl_state.failed, codes[code],
                      clgrad_status_name(status), text);
    }
    ck_assert_uint_ge(failures, 20 / stride());
}

static void fail_each_allocation(bool persistent)
{
    char text[CLGRAD_MESSAGE_BYTES];
    size_t failures = 0;
    for (size_t k = 1;; k += stride()) {
        test_memory memory = { .fail_at = k, .persistent = persistent };
        test_cl_install(true);
        const clgrad_status status = run_program(&memory, text, sizeof text);
        expect_clean(&memory, "allocation", k, text);
        if (memory.requests < k) {
            ck_assert_int_eq(status, CLGRAD_OK);
            break;
        }
        failures += status != CLGRAD_OK;
        ck_assert_msg(status == CLGRAD_OK || status == CLGRAD_E_MEMORY, "allocation %zu gave %s: %s", k,
                      clgrad_status_name(status), text);
        memory = (test_memory){ 0 };
    }
    ck_assert_uint_ge(failures, 20 / stride());
}

START_TEST(each_opencl_call_fails)
{
    if (no_device()) return;
    fail_each_call();
}
END_TEST

START_TEST(each_opencl_call_fails_while_profiling)
{
    if (no_device()) return;
    with_profile = true;
    fail_each_call();
    fail_each_allocation(false);
}
END_TEST

START_TEST(each_opencl_call_fails_over_their_objects)
{
    if (!test_device()) return;
    cl_int err;
    clgrad_device *owner = test_device();
    handles.context = owner->context;
    handles.queue = owner->cl.CreateCommandQueue(owner->context, owner->record.id, 0, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    their_memory = owner->cl.CreateBuffer(owner->context, CL_MEM_READ_WRITE, 64, NULL, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    fail_each_call();
    fail_each_allocation(false);
    owner->cl.ReleaseMemObject(their_memory);
    owner->cl.ReleaseCommandQueue(handles.queue);
    test_device_close();
}
END_TEST

START_TEST(each_opencl_call_fails_with_a_cache)
{
    if (no_device()) return;
    char text[CLGRAD_MESSAGE_BYTES];
    test_memory memory = { 0 };
    with_cache = true;
    for (int run = 0; run < 2; run++) ck_assert_msg(run_program(&memory, text, sizeof text) == CLGRAD_OK, "%s", text);
    fail_each_call();
}
END_TEST

START_TEST(each_allocation_fails)
{
    if (no_device()) return;
    with_cache = true;
    fail_each_allocation(false);
    fail_each_allocation(true);
}
END_TEST

START_TEST(a_failed_wait_loses_the_device)
{
    if (no_device()) return;
    clgrad_context *ctx;
    clgrad_device *dev;
    clgrad_buffer *buffer, *more;
    char byte = 0;
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    test_cl_install(true);
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(dev, 16, &buffer), CLGRAD_OK);
    test_cl_state = (test_cl){ .fail_at = 1, .code = CL_OUT_OF_RESOURCES, .only = "clFinish", .live = test_cl_state.live };
    ck_assert_int_eq(clgrad_device_finish(dev), CLGRAD_E_DEVICE_LOST);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "CL_OUT_OF_RESOURCES"));
    const size_t calls = test_cl_state.calls;
    ck_assert_int_eq(clgrad_device_finish(dev), CLGRAD_E_DEVICE_LOST);
    ck_assert_int_eq(clgrad_buffer_read(buffer, 0, &byte, 1), CLGRAD_E_DEVICE_LOST);
    ck_assert_int_eq(clgrad_buffer_create(dev, 16, &more), CLGRAD_E_DEVICE_LOST);
    ck_assert_uint_eq(test_cl_state.calls, calls); /* drivers may hang in any call after that: there is none */
    clgrad_buffer_release(&buffer);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
    ck_assert_int_eq(test_cl_state.live, 0);
}
END_TEST

/* A context and a device over the counting allocator and OpenCL table, with a buffer of 5s and a read of it on its way. */
typedef struct late_read {
    test_memory memory;
    clgrad_context *ctx;
    clgrad_device *dev;
    clgrad_buffer *buffer;
    clgrad_event *event;
    const void *data;
} late_read;

enum { LATE_BYTES = 1 << 22 };

static void late_read_begin(late_read *late)
{
    *late = (late_read){ .data = NULL };
    const clgrad_allocator allocator = test_memory_allocator(&late->memory);
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.allocator = &allocator;
    options.cache_dir = "";
    test_cl_install(true);
    ck_assert_int_eq(clgrad_context_create(&options, &late->ctx), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_open(late->ctx, NULL, &late->dev), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(late->dev, LATE_BYTES, &late->buffer), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_fill(late->buffer, 0, LATE_BYTES, &(uint8_t){ 5 }, 1), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_read_later(late->buffer, 0, LATE_BYTES, &late->data, &late->event), CLGRAD_OK);
}

static void fail_from_now_on(const char *name, cl_int code)
{
    test_cl_state = (test_cl){ .fail_at = 1, .code = code, .only = name, .persistent = true, .live = test_cl_state.live };
}

/* Returns how many host blocks are left for good. */
static size_t late_read_end(late_read *late)
{
    clgrad_event_release(&late->event);
    clgrad_buffer_release(&late->buffer);
    clgrad_device_release(&late->dev);
    clgrad_context_release(&late->ctx);
    ck_assert_int_eq(test_cl_state.live, 0);
    return late->memory.live;
}

START_TEST(a_read_that_arrived_is_freed_with_its_event)
{
    if (no_device()) return;
    late_read late;
    late_read_begin(&late);
    ck_assert_int_eq(clgrad_event_wait(late.event), CLGRAD_OK);
    const unsigned char *bytes = late.data;
    ck_assert_uint_eq(bytes[0], 5);
    ck_assert_uint_eq(bytes[LATE_BYTES - 1], 5);
    const size_t before = late.memory.live;
    clgrad_event_release(&late.event);
    ck_assert_uint_eq(late.memory.live, before - 1);
    ck_assert_uint_eq(late_read_end(&late), 0);
}
END_TEST

/* The wait says that the device is lost, while the read is still to come, as PoCL then shows under the sanitizers: its memory stays. */
START_TEST(a_read_of_a_lost_device_keeps_its_memory)
{
    if (no_device()) return;
    late_read late;
    late_read_begin(&late);
    fail_from_now_on("clWaitForEvents", CL_OUT_OF_RESOURCES);
    ck_assert_int_eq(clgrad_event_wait(late.event), CLGRAD_E_DEVICE_LOST);
    const size_t before = late.memory.live;
    clgrad_event_release(&late.event);
    ck_assert_uint_eq(late.memory.live, before);
    ck_assert_uint_eq(late_read_end(&late), 0); /* here the driver did end it */
}
END_TEST

START_TEST(a_read_that_never_ends_is_left_to_the_driver)
{
    if (no_device()) return;
    static const void *still_reachable;
    late_read late;
    late_read_begin(&late);
    still_reachable = late.data;
    ck_assert_int_eq(clgrad_device_finish(late.dev), CLGRAD_OK);
    fail_from_now_on("clGetEventInfo", CL_INVALID_EVENT);
    late.dev->lost = true;
    ck_assert_uint_eq(late_read_end(&late), 1);
    ck_assert_ptr_nonnull(still_reachable);
}
END_TEST

START_TEST(a_read_given_up_is_freed_once_it_has_ended)
{
    if (no_device()) return;
    late_read late;
    late_read_begin(&late);
    fail_from_now_on("clGetEventInfo", CL_OUT_OF_RESOURCES); /* so that nobody knows of its end */
    const size_t before = late.memory.live;
    clgrad_event_release(&late.event);
    ck_assert_uint_eq(late.memory.live, before);
    ck_assert_int_eq(clgrad_device_finish(late.dev), CLGRAD_OK);
    test_cl_state.fail_at = 0;
    ck_assert_int_eq(clgrad_buffer_read_later(late.buffer, 0, 1, &late.data, &late.event), CLGRAD_OK);
    ck_assert_uint_eq(late.memory.live, before);
    ck_assert_uint_eq(late_read_end(&late), 0);
}
END_TEST

START_TEST(a_failed_event_of_another_is_no_loss)
{
    if (no_device()) return;
    clgrad_context *ctx;
    clgrad_device *dev;
    clgrad_event *event;
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    test_cl_install(true);
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_mark(dev, &event), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_wait_for(dev, 1, &event), CLGRAD_OK);
    test_cl_state.calls = 0, test_cl_state.fail_at = 1, test_cl_state.only = "clWaitForEvents";
    test_cl_state.code = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    ck_assert_int_eq(clgrad_event_wait(event), CLGRAD_E_DEVICE);
    ck_assert_int_eq(clgrad_device_finish(dev), CLGRAD_OK);
    clgrad_event_release(&event);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
}
END_TEST

START_TEST(pooled_memory_is_given_up_when_the_driver_has_none)
{
    if (no_device()) return;
    clgrad_context *ctx;
    clgrad_device *dev;
    clgrad_buffer *buffer;
    uint64_t now;
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    test_cl_install(true);
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(dev, 5000, &buffer), CLGRAD_OK);
    clgrad_buffer_release(&buffer);
    test_cl_state.calls = 0, test_cl_state.fail_at = 1, test_cl_state.only = "clCreateBuffer";
    test_cl_state.code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    ck_assert_int_eq(clgrad_buffer_create(dev, 70000, &buffer), CLGRAD_OK);
    ck_assert_uint_eq(test_cl_state.calls, 2);
    clgrad_device_memory(dev, &now, NULL);
    ck_assert_uint_lt(now, 75000 + 16384);
    clgrad_buffer_release(&buffer);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
}
END_TEST

Suite *fault_suite(void)
{
    Suite *suite = suite_create("device faults");
    TCase *tests = tcase_create("faults");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_opencl_call_fails);
    tcase_add_test(tests, each_opencl_call_fails_with_a_cache);
    tcase_add_test(tests, each_opencl_call_fails_while_profiling);
    tcase_add_test(tests, each_opencl_call_fails_over_their_objects);
    tcase_add_test(tests, each_allocation_fails);
    tcase_add_test(tests, a_failed_wait_loses_the_device);
    tcase_add_test(tests, a_read_that_arrived_is_freed_with_its_event);
    tcase_add_test(tests, a_read_of_a_lost_device_keeps_its_memory);
    tcase_add_test(tests, a_read_that_never_ends_is_left_to_the_driver);
    tcase_add_test(tests, a_read_given_up_is_freed_once_it_has_ended);
    tcase_add_test(tests, a_failed_event_of_another_is_no_loss);
    tcase_add_test(tests, pooled_memory_is_given_up_when_the_driver_has_none);
    suite_add_tcase(suite, tests);
    return suite;
}
