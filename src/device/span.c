/* Stretches of work timed by the device's own clock: a queue that keeps times stands in for the device's queue, and a small
 * fill at either end carries them. Markers would do, but some drivers keep no times for them. */

#include "device/cl_device.h"

struct clgrad_span {
    clgrad_device *dev;
    cl_command_queue main_queue, queue; /* queue is NULL where the main one keeps times itself */
    cl_mem mark;
    cl_event first, last;
};

static void span_release(clgrad_span *span)
{
    clgrad_device *dev = span->dev;
    dev->queue = span->main_queue;
    if (clgrad_device_is_ours(dev)) {
        if (span->first) dev->cl.ReleaseEvent(span->first);
        if (span->last) dev->cl.ReleaseEvent(span->last);
        if (span->mark) dev->cl.ReleaseMemObject(span->mark);
        if (span->queue) dev->cl.ReleaseCommandQueue(span->queue);
    }
    clgrad_free(dev->ctx, span);
    clgrad_device_release(&dev);
}

static clgrad_status enqueue_mark(clgrad_span *span, cl_event *event)
{
    clgrad_device *dev = span->dev;
    const cl_uint zero = 0;
    const cl_int err = dev->cl.EnqueueFillBuffer(dev->queue, span->mark, &zero, sizeof zero, 0, sizeof zero, 0, NULL, event);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_enqueue_failed(dev, err, "clEnqueueFillBuffer", "a time mark");
}

static clgrad_status make_queue_and_mark(clgrad_span *span)
{
    clgrad_device *dev = span->dev;
    cl_int err = CL_SUCCESS;
    if (!dev->profiling)
        span->queue = dev->cl.CreateCommandQueue(dev->context, dev->record.id, CL_QUEUE_PROFILING_ENABLE, &err);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clCreateCommandQueue", dev->record.info.name);
    span->mark = dev->cl.CreateBuffer(dev->context, CL_MEM_READ_WRITE, sizeof(cl_uint), NULL, &err);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_cl_refused(dev->ctx, err, "clCreateBuffer", dev->record.info.name);
}

clgrad_status clgrad_span_begin(clgrad_device *dev, clgrad_span **out)
{
    *out = NULL;
    CLGRAD_TRY(clgrad_device_finish(dev));
    clgrad_span *span = clgrad_alloc(dev->ctx, 1, sizeof *span);
    if (!span) return CLGRAD_E_MEMORY;
    *span = (clgrad_span){ .dev = clgrad_device_retain(dev), .main_queue = dev->queue };
    clgrad_status status = make_queue_and_mark(span);
    if (!status && span->queue) dev->queue = span->queue;
    if (!status) status = enqueue_mark(span, &span->first);
    if (status)
        span_release(span);
    else
        *out = span;
    return status;
}

static uint64_t time_of(const clgrad_device *dev, cl_event event, cl_profiling_info what)
{
    cl_ulong time = 0;
    return dev->cl.GetEventProfilingInfo(event, what, sizeof time, &time, NULL) == CL_SUCCESS ? time : 0;
}

clgrad_status clgrad_span_end(clgrad_span **address, clgrad_status status, clgrad_span_times *times)
{
    clgrad_span *span = *address;
    *address = NULL;
    clgrad_device *dev = span->dev;
    if (!status) status = enqueue_mark(span, &span->last);
    /* Waits in any case: nothing may stay behind in a queue that goes away. */
    const clgrad_status waited = clgrad_device_finish(dev);
    if (!status) status = waited;
    *times = (clgrad_span_times){ 0, 0 };
    if (!status)
        *times = (clgrad_span_times){ time_of(dev, span->first, CL_PROFILING_COMMAND_END),
                                      time_of(dev, span->last, CL_PROFILING_COMMAND_END) };
    span_release(span);
    return status;
}
