/* Events: marks in a device's queue, and waiting for marks of others. */

#include "device/cl_device.h"

clgrad_status clgrad_event_create(clgrad_device *dev, size_t data_bytes, clgrad_event **out)
{
    size_t bytes;
    if (!clgrad_add_size(sizeof(clgrad_event), data_bytes, &bytes))
        return clgrad_fail(dev->ctx, CLGRAD_E_MEMORY, "a read of %zu bytes is more than memory can hold", data_bytes);
    clgrad_event *event = clgrad_alloc(dev->ctx, bytes, 1);
    if (!event) return CLGRAD_E_MEMORY;
    *event = (clgrad_event){ .refs = 1, .dev = clgrad_device_retain(dev), .has_data = data_bytes > 0 };
    *out = event;
    return CLGRAD_OK;
}

clgrad_event *clgrad_event_retain(clgrad_event *event)
{
    if (event) event->refs++;
    return event;
}

bool clgrad_has_ended(const clgrad_device *dev, cl_event event)
{
    cl_int state = CL_QUEUED;
    const cl_int err = dev->cl.GetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    return err == CL_SUCCESS && state <= CL_COMPLETE;
}

/* Of a lost device nothing is asked: its driver may hang. */
static bool may_be_written(const clgrad_event *event)
{
    const clgrad_device *dev = event->dev;
    if (!event->has_data || event->ended || !event->event || !clgrad_device_is_ours(dev)) return false;
    return dev->lost || !clgrad_has_ended(dev, event->event);
}

void clgrad_event_release(clgrad_event **address)
{
    clgrad_event *event = *address;
    *address = NULL;
    if (!event || --event->refs > 0) return;
    clgrad_device *dev = event->dev;
    if (may_be_written(event)) {
        event->next = dev->given_up;
        dev->given_up = event;
    } else {
        if (event->event && clgrad_device_is_ours(dev)) dev->cl.ReleaseEvent(event->event);
        clgrad_free(dev->ctx, event);
    }
    clgrad_device_release(&dev);
}

clgrad_status clgrad_event_wait(clgrad_event *event)
{
    CLGRAD_TRY(clgrad_device_check(event->dev));
    const cl_int err = event->dev->cl.WaitForEvents(1, &event->event);
    event->ended = event->ended || err == CL_SUCCESS;
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_wait_failed(event->dev, err, "clWaitForEvents", "an event");
}

/* Barriers take lists of any length; a fixed block of them needs no memory. */
enum { WAIT_BLOCK = 32 };

static clgrad_status check_wait_list(clgrad_device *dev, size_t num_wait, clgrad_event *const *wait)
{
    if (num_wait > 0 && !wait) return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "wait list: %zu events but no list", num_wait);
    for (size_t i = 0; i < num_wait; i++) {
        if (!wait[i]) return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "wait list: event %zu is NULL", i);
        if (wait[i]->dev->context != dev->context)
            return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "wait list: event %zu belongs to another device", i);
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_device_enqueue_wait(clgrad_device *dev, cl_uint count, const cl_event *events)
{
    dev->waits_for_others = true;
    const cl_int err = dev->cl.EnqueueBarrierWithWaitList(dev->queue, count, events, NULL);
    return err == CL_SUCCESS ? CLGRAD_OK
                             : clgrad_device_enqueue_failed(dev, err, "clEnqueueBarrierWithWaitList", "the wait list");
}

clgrad_status clgrad_device_wait_for(clgrad_device *dev, size_t num_wait, clgrad_event *const *wait)
{
    CLGRAD_TRY(clgrad_device_check(dev));
    CLGRAD_TRY(check_wait_list(dev, num_wait, wait));
    for (size_t begin = 0; begin < num_wait; begin += WAIT_BLOCK) {
        cl_event events[WAIT_BLOCK];
        cl_uint count = 0;
        while (count < WAIT_BLOCK && begin + count < num_wait) {
            events[count] = wait[begin + count]->event;
            count++;
        }
        CLGRAD_TRY(clgrad_device_enqueue_wait(dev, count, events));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_device_mark_begin(clgrad_device *dev, clgrad_event **event)
{
    if (!event) return CLGRAD_OK;
    *event = NULL;
    CLGRAD_TRY(clgrad_device_check(dev));
    return clgrad_event_create(dev, 0, event);
}

static clgrad_status enqueue_mark(clgrad_device *dev, clgrad_event *mark)
{
    cl_int err = dev->cl.EnqueueMarkerWithWaitList(dev->queue, 0, NULL, &mark->event);
    if (err != CL_SUCCESS) return clgrad_device_enqueue_failed(dev, err, "clEnqueueMarkerWithWaitList", "the queue");
    err = dev->cl.Flush(dev->queue);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_enqueue_failed(dev, err, "clFlush", "the queue");
}

clgrad_status clgrad_device_mark_end(clgrad_device *dev, clgrad_status status, clgrad_event **event)
{
    if (!event) return status;
    if (!status) status = enqueue_mark(dev, *event);
    if (status) clgrad_event_release(event);
    return status;
}

clgrad_status clgrad_device_mark(clgrad_device *dev, clgrad_event **event)
{
    CLGRAD_TRY(clgrad_device_mark_begin(dev, event));
    return clgrad_device_mark_end(dev, CLGRAD_OK, event);
}
