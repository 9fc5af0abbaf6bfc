/* Moving bytes: host to device, device to host, within the device. */

#include "base/os.h"
#include "device/cl_device.h"

/* Past this, a write waits for earlier ones rather than hold more copies; a single larger one is not copied but waited for. */
static const size_t staged_limit = (size_t)64 << 20;

static clgrad_status check_range(clgrad_buffer *buffer, size_t offset, size_t bytes, const char *what)
{
    size_t end;
    CLGRAD_TRY(clgrad_device_check(buffer->dev));
    if (!clgrad_add_size(offset, bytes, &end) || end > buffer->bytes)
        return clgrad_fail(buffer->dev->ctx, CLGRAD_E_ARG, "%s of %zu bytes at %zu in a buffer of %zu", what, bytes, offset,
                           buffer->bytes);
    return CLGRAD_OK;
}

/* --- host to device -------------------------------------------------------------------------------------------------- */

/* Frees the copies of writes that have ended. Writes end in order, so it stops at the first that has not. */
static void settle_staged(clgrad_device *dev)
{
    size_t done = 0;
    while (done < dev->num_staged && clgrad_has_ended(dev, dev->staged[done].event)) {
        dev->cl.ReleaseEvent(dev->staged[done].event);
        clgrad_free(dev->ctx, dev->staged[done].data);
        dev->staged_bytes -= dev->staged[done].bytes;
        done++;
    }
    dev->num_staged -= done;
    if (done) memmove(dev->staged, dev->staged + done, dev->num_staged * sizeof *dev->staged);
}

/* Frees the reads that were given up, those of them that have ended unless `all`. */
static void settle_given_up(clgrad_device *dev, bool all)
{
    clgrad_event **at = &dev->given_up;
    while (*at) {
        clgrad_event *event = *at;
        if (!all && !clgrad_has_ended(dev, event->event)) {
            at = &event->next;
            continue;
        }
        *at = event->next;
        if (clgrad_device_is_ours(dev)) dev->cl.ReleaseEvent(event->event);
        clgrad_free(dev->ctx, event);
    }
}

static bool is_idle(const clgrad_device *dev) { return dev->num_staged == 0 && !dev->given_up; }

/* Whether the driver reads and writes no host memory any more. A device that failed is not waited for without end. */
static bool transfers_have_ended(clgrad_device *dev)
{
    if (is_idle(dev) || !clgrad_device_is_ours(dev)) return true;
    if (!dev->lost && dev->cl.Finish(dev->queue) == CL_SUCCESS) return true;
    dev->cl.Flush(dev->queue); /* what a driver never started would never end */
    const double give_up = clgrad_os_seconds() + 1;
    while (!is_idle(dev) && clgrad_os_seconds() < give_up) {
        settle_staged(dev);
        settle_given_up(dev, false);
        clgrad_os_pause();
    }
    return is_idle(dev);
}

bool clgrad_device_is_done(clgrad_device *dev)
{
    cl_event mark = NULL;
    if (!clgrad_device_is_ours(dev) || (!dev->lost && dev->cl.Finish(dev->queue) == CL_SUCCESS)) return true;
    if (dev->cl.EnqueueMarkerWithWaitList(dev->queue, 0, NULL, &mark) != CL_SUCCESS) return false;
    dev->cl.Flush(dev->queue);
    const double give_up = clgrad_os_seconds() + 1;
    bool done;
    while (!(done = clgrad_has_ended(dev, mark)) && clgrad_os_seconds() < give_up) clgrad_os_pause();
    dev->cl.ReleaseEvent(mark);
    return done;
}

/* A driver that was lost may still use the memory: then it is left to it, since taking it away could bring the process down. */
static void leave_to_driver(clgrad_device *dev)
{
    for (size_t i = 0; i < dev->num_staged; i++) dev->cl.ReleaseEvent(dev->staged[i].event);
    for (clgrad_event *event = dev->given_up; event; event = event->next) dev->cl.ReleaseEvent(event->event);
    dev->given_up = NULL;
}

static void free_all(clgrad_device *dev)
{
    for (size_t i = 0; i < dev->num_staged; i++) {
        if (clgrad_device_is_ours(dev)) dev->cl.ReleaseEvent(dev->staged[i].event);
        clgrad_free(dev->ctx, dev->staged[i].data);
    }
    settle_given_up(dev, true);
}

void clgrad_transfers_release(clgrad_device *dev)
{
    if (transfers_have_ended(dev))
        free_all(dev);
    else
        leave_to_driver(dev);
    clgrad_free(dev->ctx, dev->staged);
    dev->staged = NULL, dev->num_staged = dev->staged_capacity = dev->staged_bytes = 0;
}

static clgrad_status make_room(clgrad_device *dev, size_t bytes)
{
    settle_staged(dev);
    if (dev->num_staged && dev->staged_bytes + bytes > staged_limit) {
        const cl_int err = dev->cl.WaitForEvents(1, &dev->staged[dev->num_staged - 1].event);
        if (err != CL_SUCCESS) return clgrad_device_wait_failed(dev, err, "clWaitForEvents", "earlier writes");
        settle_staged(dev);
    }
    return clgrad_reserve(dev->ctx, &dev->staged, &dev->staged_capacity, dev->num_staged + 1, sizeof *dev->staged);
}

static clgrad_status write_and_wait(clgrad_buffer *buffer, size_t offset, const void *src, size_t bytes)
{
    clgrad_device *dev = buffer->dev;
    const cl_int err = dev->cl.EnqueueWriteBuffer(dev->queue, buffer->mem, CL_TRUE, offset, bytes, src, 0, NULL, NULL);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_wait_failed(dev, err, "clEnqueueWriteBuffer", "a buffer");
}

clgrad_status clgrad_buffer_write(clgrad_buffer *buffer, size_t offset, const void *src, size_t bytes)
{
    clgrad_device *dev = buffer->dev;
    CLGRAD_TRY(check_range(buffer, offset, bytes, "write"));
    if (bytes == 0) return CLGRAD_OK;
    if (bytes > staged_limit) return write_and_wait(buffer, offset, src, bytes);
    CLGRAD_TRY(make_room(dev, bytes));
    void *copy = clgrad_resize(dev->ctx, NULL, bytes, 1);
    if (!copy) return CLGRAD_E_MEMORY;
    memcpy(copy, src, bytes);
    cl_event event = NULL;
    const cl_int err =
        dev->cl.EnqueueWriteBuffer(dev->queue, buffer->mem, CL_FALSE, offset, bytes, copy, 0, NULL, &event);
    if (err != CL_SUCCESS) {
        clgrad_free(dev->ctx, copy);
        return clgrad_device_enqueue_failed(dev, err, "clEnqueueWriteBuffer", "a buffer");
    }
    dev->staged[dev->num_staged++] = (clgrad_staged){ event, copy, bytes };
    dev->staged_bytes += bytes;
    return CLGRAD_OK;
}

/* --- device to host -------------------------------------------------------------------------------------------------- */

clgrad_status clgrad_buffer_read(clgrad_buffer *buffer, size_t offset, void *dst, size_t bytes)
{
    clgrad_device *dev = buffer->dev;
    CLGRAD_TRY(check_range(buffer, offset, bytes, "read"));
    if (bytes == 0) return clgrad_device_finish(dev);
    const cl_int err = dev->cl.EnqueueReadBuffer(dev->queue, buffer->mem, CL_TRUE, offset, bytes, dst, 0, NULL, NULL);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_wait_failed(dev, err, "clEnqueueReadBuffer", "a buffer");
}

clgrad_status clgrad_buffer_read_later(clgrad_buffer *buffer, size_t offset, size_t bytes, const void **data,
                                       clgrad_event **event)
{
    clgrad_device *dev = buffer->dev;
    *event = NULL;
    CLGRAD_TRY(check_range(buffer, offset, bytes, "read"));
    if (bytes == 0) return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "read of no bytes");
    settle_given_up(dev, false);
    clgrad_event *read; /* made first: once the read is enqueued nothing may fail */
    CLGRAD_TRY(clgrad_event_create(dev, bytes, &read));
    const cl_int err =
        dev->cl.EnqueueReadBuffer(dev->queue, buffer->mem, CL_FALSE, offset, bytes, read->data, 0, NULL, &read->event);
    if (err != CL_SUCCESS) {
        clgrad_event_release(&read);
        return clgrad_device_enqueue_failed(dev, err, "clEnqueueReadBuffer", "a buffer");
    }
    *data = read->data;
    *event = read;
    return CLGRAD_OK;
}

/* --- within the device ------------------------------------------------------------------------------------------------ */

static clgrad_status fill_by_write(clgrad_buffer *buffer, size_t offset, size_t bytes, const void *pattern, size_t pattern_bytes)
{
    unsigned char *data = clgrad_alloc(buffer->dev->ctx, bytes, 1);
    if (!data) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < bytes; i += pattern_bytes) memcpy(data + i, pattern, pattern_bytes);
    const clgrad_status status = clgrad_buffer_write(buffer, offset, data, bytes);
    clgrad_free(buffer->dev->ctx, data);
    return status;
}

clgrad_status clgrad_buffer_fill(clgrad_buffer *buffer, size_t offset, size_t bytes, const void *pattern,
                                 size_t pattern_bytes)
{
    clgrad_device *dev = buffer->dev;
    CLGRAD_TRY(check_range(buffer, offset, bytes, "fill"));
    if ((pattern_bytes != 1 && pattern_bytes != 2 && pattern_bytes != 4 && pattern_bytes != 8) ||
        offset % pattern_bytes || bytes % pattern_bytes)
        return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "fill of %zu bytes at %zu with a pattern of %zu", bytes, offset,
                           pattern_bytes);
    if (bytes == 0) return CLGRAD_OK;
    if (dev->record.quirks & CLGRAD_QUIRK_FILL_BY_WRITE) return fill_by_write(buffer, offset, bytes, pattern, pattern_bytes);
    const cl_int err =
        dev->cl.EnqueueFillBuffer(dev->queue, buffer->mem, pattern, pattern_bytes, offset, bytes, 0, NULL, NULL);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_enqueue_failed(dev, err, "clEnqueueFillBuffer", "a buffer");
}

clgrad_status clgrad_buffer_copy(clgrad_buffer *dst, size_t dst_offset, clgrad_buffer *src, size_t src_offset,
                                 size_t bytes)
{
    clgrad_device *dev = dst->dev;
    CLGRAD_TRY(check_range(dst, dst_offset, bytes, "copy"));
    CLGRAD_TRY(check_range(src, src_offset, bytes, "copy"));
    if (src->dev->context != dev->context)
        return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "copy between buffers of two devices");
    if (dst->mem == src->mem && dst_offset < src_offset + bytes && src_offset < dst_offset + bytes)
        return bytes ? clgrad_fail(dev->ctx, CLGRAD_E_ARG, "copy of %zu bytes within a buffer overlaps itself", bytes)
                     : CLGRAD_OK;
    if (bytes == 0) return CLGRAD_OK;
    const cl_int err =
        dev->cl.EnqueueCopyBuffer(dev->queue, src->mem, dst->mem, src_offset, dst_offset, bytes, 0, NULL, NULL);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_enqueue_failed(dev, err, "clEnqueueCopyBuffer", "a buffer");
}
