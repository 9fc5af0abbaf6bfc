/* A caller's OpenCL objects as a device, as buffers and as events. What is theirs is retained and released as often. */

#include "clgrad/opencl.h"
#include "base/os.h"
#include "device/cl_device.h"

static clgrad_status bad_handles(clgrad_device *dev, const char *why)
{
    return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "adopting OpenCL handles: %s", why);
}

/* --- completing the three handles ---------------------------------------------------------------------------------------- */

static clgrad_status complete_from_queue(clgrad_device *dev, clgrad_opencl_handles *h)
{
    cl_context context = NULL;
    cl_device_id device = NULL;
    if (!h->queue) return CLGRAD_OK;
    if (dev->cl.GetCommandQueueInfo(h->queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL) != CL_SUCCESS ||
        dev->cl.GetCommandQueueInfo(h->queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL) != CL_SUCCESS)
        return bad_handles(dev, "the queue does not tell its context and device");
    if (h->context && h->context != context) return bad_handles(dev, "the queue belongs to another context");
    if (h->device && h->device != device) return bad_handles(dev, "the queue belongs to another device");
    h->context = context, h->device = device;
    return CLGRAD_OK;
}

static clgrad_status complete_from_context(clgrad_device *dev, clgrad_opencl_handles *h)
{
    cl_device_id devices[64];
    size_t bytes = 0, found = 0;
    if (!h->context) return CLGRAD_OK;
    if (dev->cl.GetContextInfo(h->context, CL_CONTEXT_DEVICES, sizeof devices, devices, &bytes) != CL_SUCCESS)
        return bad_handles(dev, "the context does not tell its devices");
    const size_t count = bytes / sizeof *devices;
    if (!h->device && count != 1) return bad_handles(dev, "the context has several devices: name one");
    if (!h->device) h->device = devices[0];
    for (size_t i = 0; i < count; i++) found += devices[i] == h->device;
    return found ? CLGRAD_OK : bad_handles(dev, "the device is not one of the context's");
}

static clgrad_status describe(clgrad_device *dev, cl_device_id device)
{
    cl_platform_id platform = NULL;
    const char *unusable;
    if (dev->cl.GetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL) != CL_SUCCESS)
        return bad_handles(dev, "the device does not tell its platform");
    CLGRAD_TRY(clgrad_record_query(dev->ctx, &dev->cl, platform, device, &dev->record, &unusable));
    dev->record.info.platform_index = dev->record.info.device_index = dev->record.info.index = -1;
    if (unusable)
        return clgrad_fail(dev->ctx, CLGRAD_E_NO_DEVICE, "'%s' cannot be used: %s", dev->record.info.name, unusable);
    return CLGRAD_OK;
}

/* --- the device ---------------------------------------------------------------------------------------------------------- */

/* Whether the caller's queue can be the one clgrad works in. */
static clgrad_status judge_queue(clgrad_device *dev, cl_command_queue queue, bool *fit)
{
    cl_command_queue_properties properties = 0;
    *fit = false;
    if (!queue) return CLGRAD_OK;
    if (dev->cl.GetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL) != CL_SUCCESS)
        return bad_handles(dev, "the queue does not tell its properties");
    if (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) return CLGRAD_OK;
    if (dev->profiling && !(properties & CL_QUEUE_PROFILING_ENABLE))
        return bad_handles(dev, "profiling was asked for, and the queue was made without");
    *fit = true;
    return CLGRAD_OK;
}

static clgrad_status take_context(clgrad_device *dev, cl_context context)
{
    if (!context) return clgrad_device_open_context(dev);
    const cl_int err = dev->cl.RetainContext(context);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clRetainContext", dev->record.info.name);
    dev->context = context;
    return CLGRAD_OK;
}

static clgrad_status take_queue(clgrad_device *dev, cl_command_queue queue)
{
    bool fit;
    CLGRAD_TRY(judge_queue(dev, queue, &fit));
    if (!fit) return clgrad_device_open_queue(dev);
    const cl_int err = dev->cl.RetainCommandQueue(queue);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clRetainCommandQueue", dev->record.info.name);
    dev->queue = queue;
    return CLGRAD_OK;
}

static clgrad_status adopt(clgrad_device *dev, clgrad_opencl_handles h)
{
    CLGRAD_TRY(clgrad_cl_load(dev->ctx, &dev->cl));
    CLGRAD_TRY(complete_from_queue(dev, &h));
    CLGRAD_TRY(complete_from_context(dev, &h));
    CLGRAD_TRY(describe(dev, h.device));
    CLGRAD_TRY(take_context(dev, h.context));
    CLGRAD_TRY(take_queue(dev, h.queue));
    return clgrad_device_complete(dev);
}

clgrad_status clgrad_device_adopt(clgrad_context *ctx, const clgrad_opencl_handles *handles,
                                  const clgrad_device_options *options, clgrad_device **out)
{
    *out = NULL;
    if (handles->struct_size != sizeof *handles)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "OpenCL handles of %zu bytes are not of this library's version",
                           handles->struct_size);
    if (!handles->queue && !handles->context && !handles->device)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "adopting OpenCL handles: none was given");
    if (options && options->selector)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "adopting OpenCL handles: they name the device, so no selector may");
    clgrad_device *dev;
    CLGRAD_TRY(clgrad_device_begin(ctx, options, &dev));
    const clgrad_status status = adopt(dev, *handles);
    if (status)
        clgrad_device_release(&dev);
    else
        *out = dev;
    return status;
}

cl_context clgrad_device_get_cl_context(const clgrad_device *dev) { return dev->context; }

cl_device_id clgrad_device_get_cl_device(const clgrad_device *dev) { return dev->record.id; }

cl_command_queue clgrad_device_get_cl_queue(const clgrad_device *dev) { return dev->queue; }

/* --- buffers -------------------------------------------------------------------------------------------------------------- */

clgrad_status clgrad_buffer_adopt(clgrad_device *dev, cl_mem mem, clgrad_buffer **out)
{
    cl_mem_object_type type = 0;
    cl_context context = NULL;
    size_t bytes = 0;
    *out = NULL;
    CLGRAD_TRY(clgrad_device_check(dev));
    if (!mem || dev->cl.GetMemObjectInfo(mem, CL_MEM_TYPE, sizeof type, &type, NULL) != CL_SUCCESS ||
        type != CL_MEM_OBJECT_BUFFER)
        return bad_handles(dev, "the cl_mem is not a buffer");
    if (dev->cl.GetMemObjectInfo(mem, CL_MEM_CONTEXT, sizeof context, &context, NULL) != CL_SUCCESS ||
        context != dev->context)
        return bad_handles(dev, "the cl_mem belongs to another context");
    if (dev->cl.GetMemObjectInfo(mem, CL_MEM_SIZE, sizeof bytes, &bytes, NULL) != CL_SUCCESS)
        return bad_handles(dev, "the cl_mem does not tell its size");
    clgrad_buffer *buffer = clgrad_alloc(dev->ctx, 1, sizeof *buffer);
    if (!buffer) return CLGRAD_E_MEMORY;
    const cl_int err = dev->cl.RetainMemObject(mem);
    if (err != CL_SUCCESS) {
        clgrad_free(dev->ctx, buffer);
        return clgrad_cl_refused(dev->ctx, err, "clRetainMemObject", dev->record.info.name);
    }
    *buffer = (clgrad_buffer){ .refs = 1, .dev = clgrad_device_retain(dev), .mem = mem, .bytes = bytes };
    *out = buffer;
    return CLGRAD_OK;
}

cl_mem clgrad_buffer_get_cl_mem(const clgrad_buffer *buffer) { return buffer->mem; }

/* --- events --------------------------------------------------------------------------------------------------------------- */

static clgrad_status check_event(clgrad_device *dev, cl_event event)
{
    cl_context context = NULL;
    if (!event || dev->cl.GetEventInfo(event, CL_EVENT_CONTEXT, sizeof context, &context, NULL) != CL_SUCCESS)
        return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "the cl_event is not valid");
    if (context != dev->context) return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "the cl_event belongs to another context");
    return CLGRAD_OK;
}

clgrad_status clgrad_event_adopt(clgrad_device *dev, cl_event event, clgrad_event **out)
{
    clgrad_event *adopted;
    *out = NULL;
    CLGRAD_TRY(clgrad_device_check(dev));
    CLGRAD_TRY(check_event(dev, event));
    CLGRAD_TRY(clgrad_event_create(dev, 0, &adopted));
    const cl_int err = dev->cl.RetainEvent(event);
    if (err != CL_SUCCESS) {
        clgrad_event_release(&adopted);
        return clgrad_cl_refused(dev->ctx, err, "clRetainEvent", dev->record.info.name);
    }
    adopted->event = event;
    *out = adopted;
    return CLGRAD_OK;
}

cl_event clgrad_event_get_cl_event(const clgrad_event *event) { return event->event; }

clgrad_status clgrad_device_wait_for_events(clgrad_device *dev, cl_uint num_wait, const cl_event *wait)
{
    CLGRAD_TRY(clgrad_device_check(dev));
    if (num_wait == 0) return CLGRAD_OK;
    if (!wait) return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "wait list: %u events but no list", (unsigned)num_wait);
    for (cl_uint i = 0; i < num_wait; i++) CLGRAD_TRY(check_event(dev, wait[i]));
    return clgrad_device_enqueue_wait(dev, num_wait, wait);
}

clgrad_status clgrad_device_mark_event(clgrad_device *dev, cl_event *event)
{
    clgrad_event *mark;
    *event = NULL;
    CLGRAD_TRY(clgrad_device_mark(dev, &mark));
    *event = mark->event;
    mark->event = NULL; /* handed over with its one reference */
    clgrad_event_release(&mark);
    return CLGRAD_OK;
}
