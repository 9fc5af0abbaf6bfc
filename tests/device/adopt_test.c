/* clgrad/opencl.h below tensors: a caller's handles, their reference counts, queues of both kinds, events both ways. */

#define _GNU_SOURCE /* usleep */

#include "base/os.h"
#include "clgrad/opencl.h"
#include "device/cl_device.h"
#include "device_test.h"
#include "support/device.h"

#include <stdlib.h>
#include <unistd.h>

/* The caller's side: plain OpenCL, reached through the table since the tests link no loader either. */
static clgrad_context *ctx;
static clgrad_cl_api cl;
static cl_device_id id;
static cl_context theirs;
static cl_command_queue in_order, out_of_order;
static cl_mem memory;

static void setup(void)
{
    theirs = NULL;
    ctx = clgrad_context_retain(test_context());
    if (!test_device()) return;
    cl_int err;
    ck_assert_int_eq(clgrad_cl_load(ctx, &cl), CLGRAD_OK);
    id = clgrad_device_get_cl_device(test_device());
    theirs = cl.CreateContext(NULL, 1, &id, NULL, NULL, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    in_order = cl.CreateCommandQueue(theirs, id, 0, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    out_of_order = cl.CreateCommandQueue(theirs, id, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &err);
    if (err != CL_SUCCESS) out_of_order = NULL;
    memory = cl.CreateBuffer(theirs, CL_MEM_READ_WRITE, 64, NULL, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
}

static void teardown(void)
{
    if (theirs) {
        cl.ReleaseMemObject(memory);
        cl.ReleaseCommandQueue(in_order);
        if (out_of_order) cl.ReleaseCommandQueue(out_of_order);
        cl.ReleaseContext(theirs);
    }
    clgrad_context_release(&ctx);
}

static cl_command_queue counted_queue;

static cl_uint queue_references(void)
{
    cl_uint count = 0;
    cl.GetCommandQueueInfo(counted_queue, CL_QUEUE_REFERENCE_COUNT, sizeof count, &count, NULL);
    return count;
}

static cl_uint memory_references(void)
{
    cl_uint count = 0;
    cl.GetMemObjectInfo(memory, CL_MEM_REFERENCE_COUNT, sizeof count, &count, NULL);
    return count;
}

/* Drivers let go of what a finished command used a little later, in a thread of theirs. */
static bool settles(cl_uint (*count)(void), cl_uint want)
{
    for (int i = 0; i < 1000 && count() != want; i++) usleep(1000);
    return count() == want;
}

static clgrad_status open_over(cl_command_queue queue, cl_context context, cl_device_id device, clgrad_device **dev)
{
    const clgrad_opencl_handles handles = { sizeof handles, queue, context, device };
    return clgrad_device_adopt(ctx, &handles, NULL, dev);
}

START_TEST(an_in_order_queue_is_used_and_given_back)
{
    if (!theirs) return;
    clgrad_device *dev;
    counted_queue = in_order;
    const cl_uint before = queue_references();
    ck_assert_int_eq(open_over(in_order, NULL, NULL, &dev), CLGRAD_OK);
    ck_assert_ptr_eq(clgrad_device_get_cl_queue(dev), in_order);
    ck_assert_ptr_eq(clgrad_device_get_cl_context(dev), theirs);
    ck_assert_int_eq(clgrad_device_get_info(dev)->index, -1);
    ck_assert_str_eq(clgrad_device_get_info(dev)->name, clgrad_device_get_info(test_device())->name);
    ck_assert_int_eq(clgrad_device_get_info(dev)->fp64, clgrad_device_get_info(test_device())->fp64);
    ck_assert_uint_gt(queue_references(), before);
    clgrad_device_release(&dev);
    ck_assert(settles(queue_references, before));
}
END_TEST

START_TEST(their_memory_is_read_and_written_in_place)
{
    if (!theirs) return;
    clgrad_device *dev;
    clgrad_buffer *buffer, *wrong;
    const cl_uint before = memory_references();
    uint32_t values[16], pattern = 7;
    ck_assert_int_eq(open_over(in_order, theirs, id, &dev), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_adopt(dev, memory, &buffer), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_buffer_bytes(buffer), 64);
    ck_assert_uint_eq(memory_references(), before + 1);
    ck_assert_int_eq(clgrad_buffer_fill(buffer, 0, 64, &pattern, 4), CLGRAD_OK);
    ck_assert_int_eq(cl.EnqueueReadBuffer(in_order, memory, CL_TRUE, 0, 64, values, 0, NULL, NULL), CL_SUCCESS);
    for (int i = 0; i < 16; i++) ck_assert_uint_eq(values[i], 7);
    ck_assert_int_eq(clgrad_buffer_adopt(test_device(), memory, &wrong), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_adopt(dev, NULL, &wrong), CLGRAD_E_ARG);
    clgrad_buffer_release(&buffer);
    clgrad_device_release(&dev);
    ck_assert(settles(memory_references, before));
}
END_TEST

/* The caller fills, clgrad copies behind the caller's event, the caller reads behind clgrad's. */
static void pass_through_events(cl_command_queue queue)
{
    clgrad_device *dev;
    clgrad_buffer *source, *copy;
    cl_event filled, copied;
    clgrad_event *adopted;
    uint32_t pattern = 41, values[16];
    ck_assert_int_eq(open_over(queue, theirs, id, &dev), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_adopt(dev, memory, &source), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(dev, 64, &copy), CLGRAD_OK);
    cl.EnqueueFillBuffer(out_of_order, memory, &pattern, 4, 0, 64, 0, NULL, &filled);
    cl.Flush(out_of_order);
    ck_assert_int_eq(clgrad_device_wait_for_events(dev, 1, &filled), CLGRAD_OK);
    ck_assert_int_eq(clgrad_event_adopt(dev, filled, &adopted), CLGRAD_OK);
    ck_assert_ptr_eq(clgrad_event_get_cl_event(adopted), filled);
    ck_assert_int_eq(clgrad_device_wait_for(dev, 1, &adopted), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_copy(copy, 0, source, 0, 64), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_mark_event(dev, &copied), CLGRAD_OK);
    cl.EnqueueReadBuffer(out_of_order, clgrad_buffer_get_cl_mem(copy), CL_TRUE, 0, 64, values, 1, &copied, NULL);
    for (int i = 0; i < 16; i++) ck_assert_uint_eq(values[i], 41);
    ck_assert_int_eq(clgrad_event_adopt(test_device(), filled, &(clgrad_event *){ NULL }), CLGRAD_E_ARG);
    cl.ReleaseEvent(filled);
    cl.ReleaseEvent(copied);
    clgrad_event_release(&adopted);
    clgrad_buffer_release(&source);
    clgrad_buffer_release(&copy);
    clgrad_device_release(&dev);
}

START_TEST(events_order_both_ways)
{
    if (!theirs || !out_of_order) return;
    pass_through_events(in_order);
    pass_through_events(out_of_order);
    pass_through_events(NULL);
}
END_TEST

typedef cl_event(CL_API_CALL *create_user_event)(cl_context context, cl_int *err);
typedef cl_int(CL_API_CALL *set_user_event)(cl_event event, cl_int status);

START_TEST(a_queue_that_is_held_up_holds_up_nothing_else)
{
    if (!theirs) return;
    create_user_event create;
    set_user_event set;
    void *library = clgrad_os_library(clgrad_cl_library);
    ck_assert(library && clgrad_os_symbol(library, "clCreateUserEvent", &create) &&
              clgrad_os_symbol(library, "clSetUserEventStatus", &set));
    if (getenv("LD_PRELOAD")) return; /* Oclgrind runs everything in the calling thread: its queues cannot be held up */
    clgrad_device *dev;
    clgrad_buffer *buffer;
    cl_int err, value = 3, got = 0;
    cl_event gate = create(theirs, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    ck_assert_int_eq(cl.EnqueueBarrierWithWaitList(in_order, 1, &gate, NULL), CL_SUCCESS);
    ck_assert_int_eq(open_over(in_order, NULL, NULL, &dev), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(dev, 100000, &buffer), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_write(buffer, 0, &value, sizeof value), CLGRAD_OK);
    set(gate, CL_COMPLETE);
    ck_assert_int_eq(clgrad_buffer_read(buffer, 0, &got, sizeof got), CLGRAD_OK);
    ck_assert_int_eq(got, 3);
    cl.ReleaseEvent(gate);
    clgrad_buffer_release(&buffer);
    clgrad_device_release(&dev);
}
END_TEST

START_TEST(an_out_of_order_queue_is_left_alone)
{
    if (!theirs || !out_of_order) return;
    clgrad_device *dev;
    counted_queue = out_of_order;
    const cl_uint before = queue_references();
    ck_assert_int_eq(open_over(out_of_order, NULL, NULL, &dev), CLGRAD_OK);
    ck_assert_ptr_ne(clgrad_device_get_cl_queue(dev), out_of_order);
    ck_assert_uint_eq(queue_references(), before);
    clgrad_device_release(&dev);
}
END_TEST

START_TEST(a_device_or_a_context_is_enough)
{
    if (!theirs) return;
    clgrad_device *dev;
    ck_assert_int_eq(open_over(NULL, NULL, id, &dev), CLGRAD_OK);
    ck_assert_ptr_ne(clgrad_device_get_cl_context(dev), theirs);
    clgrad_device_release(&dev);
    ck_assert_int_eq(open_over(NULL, theirs, NULL, &dev), CLGRAD_OK);
    ck_assert_ptr_eq(clgrad_device_get_cl_context(dev), theirs);
    clgrad_device_release(&dev);
}
END_TEST

START_TEST(handles_that_do_not_fit_are_refused)
{
    if (!theirs) return;
    clgrad_device *dev;
    clgrad_opencl_handles handles = CLGRAD_OPENCL_HANDLES_INIT;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    ck_assert_int_eq(clgrad_device_adopt(ctx, &handles, NULL, &dev), CLGRAD_E_ARG);
    handles.queue = in_order;
    handles.context = clgrad_device_get_cl_context(test_device());
    ck_assert_int_eq(clgrad_device_adopt(ctx, &handles, NULL, &dev), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "another context"));
    handles.context = NULL;
    options.profiling = true;
    ck_assert_int_eq(clgrad_device_adopt(ctx, &handles, &options, &dev), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "profiling"));
    options = (clgrad_device_options)CLGRAD_DEVICE_OPTIONS_INIT;
    options.selector = "auto";
    ck_assert_int_eq(clgrad_device_adopt(ctx, &handles, &options, &dev), CLGRAD_E_ARG);
    handles.struct_size = 1;
    ck_assert_int_eq(clgrad_device_adopt(ctx, &handles, NULL, &dev), CLGRAD_E_ARG);
    ck_assert_ptr_null(dev);
}
END_TEST

Suite *adopt_suite(void)
{
    Suite *suite = suite_create("adopt");
    TCase *tests = tcase_create("adopt");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_in_order_queue_is_used_and_given_back);
    tcase_add_test(tests, their_memory_is_read_and_written_in_place);
    tcase_add_test(tests, events_order_both_ways);
    tcase_add_test(tests, a_queue_that_is_held_up_holds_up_nothing_else);
    tcase_add_test(tests, an_out_of_order_queue_is_left_alone);
    tcase_add_test(tests, a_device_or_a_context_is_enough);
    tcase_add_test(tests, handles_that_do_not_fit_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
