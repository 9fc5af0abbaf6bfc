/* Uploads: memory that the host fills anew while the device works on what it was filled with before.
 *
 * Note [mapped]. Where host and device share memory, the map that hands a buffer back to the host is enqueued as soon as the last
 * work that reads it is, and not when the host needs it: then it costs no wait of its own. It goes, as the unmap does, through the
 * device's one queue: in a second one each buffer's map would hold up the next one's unmap until the step before had ended, and three
 * hand-overs between queues would stand between two steps.
 *
 * Note [written]. Elsewhere the write of a buffer waits, on the device, for the work that still reads it, and the work that needs it
 * waits for the write; the host waits for neither, only for the write before it out of the same pinned memory. */

#include "base/os.h"
#include "device/cl_device.h"

struct clgrad_upload {
    clgrad_device *dev;
    clgrad_buffer *buffer;
    bool mapped;      /* by the first note, else by the second */
    cl_mem pinned;    /* mapped for life: what writes read from */
    void *host;       /* into the buffer while it is mapped, or into pinned memory; NULL: the device has it */
    cl_event awaited; /* the map, or the last write out of pinned memory: host may be written to after it; NULL: at once */
    cl_event readers; /* written: the work that still reads the buffer; NULL: none */
};

static void drop(clgrad_device *dev, cl_event *event)
{
    if (*event) dev->cl.ReleaseEvent(*event);
    *event = NULL;
}

static clgrad_status flush(clgrad_device *dev, cl_command_queue queue)
{
    const cl_int err = dev->cl.Flush(queue);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_enqueue_failed(dev, err, "clFlush", "a queue");
}

/* --- life --- */

/* In the side queue, so that this waits for itself alone. */
static clgrad_status map(clgrad_upload *u, cl_mem mem, cl_map_flags flags, size_t bytes)
{
    clgrad_device *dev = u->dev;
    cl_int err = CL_SUCCESS;
    void *host = dev->cl.EnqueueMapBuffer(dev->side_queue, mem, CL_TRUE, flags, 0, bytes, 0, NULL, NULL, &err);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clEnqueueMapBuffer", dev->record.info.name);
    u->host = host;
    return CLGRAD_OK;
}

static clgrad_status create_mapped(clgrad_upload *u, size_t bytes)
{
    CLGRAD_TRY(clgrad_buffer_create_unpooled(u->dev, CL_MEM_ALLOC_HOST_PTR, bytes, &u->buffer));
    return map(u, u->buffer->mem, CL_MAP_WRITE_INVALIDATE_REGION, bytes);
}

static clgrad_status create_written(clgrad_upload *u, size_t bytes)
{
    clgrad_device *dev = u->dev;
    cl_int err = CL_SUCCESS;
    CLGRAD_TRY(clgrad_device_open_upload_queue(dev));
    CLGRAD_TRY(clgrad_buffer_create_unpooled(dev, 0, bytes, &u->buffer));
    u->pinned = dev->cl.CreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &err);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clCreateBuffer", dev->record.info.name);
    return map(u, u->pinned, CL_MAP_READ | CL_MAP_WRITE, bytes);
}

clgrad_status clgrad_upload_create(clgrad_device *dev, size_t bytes, clgrad_upload **out)
{
    *out = NULL;
    CLGRAD_TRY(clgrad_device_check(dev));
    clgrad_upload *u = clgrad_alloc(dev->ctx, 1, sizeof *u);
    if (!u) return CLGRAD_E_MEMORY;
    *u = (clgrad_upload){ .dev = clgrad_device_retain(dev), .mapped = dev->record.shares_memory };
    const clgrad_status st = u->mapped ? create_mapped(u, bytes) : create_written(u, bytes);
    if (st == CLGRAD_OK) *out = u, u = NULL;
    clgrad_upload_release(&u);
    return st;
}

/* Whether the driver reads pinned memory no more. A device that failed is not waited for without end. */
static bool write_has_ended(const clgrad_upload *u)
{
    clgrad_device *dev = u->dev;
    if (!u->awaited || (!dev->lost && dev->cl.WaitForEvents(1, &u->awaited) == CL_SUCCESS)) return true;
    dev->cl.Flush(dev->queue);
    dev->cl.Flush(dev->upload_queue);
    const double give_up = clgrad_os_seconds() + 1;
    while (!clgrad_has_ended(dev, u->awaited)) {
        if (clgrad_os_seconds() >= give_up) return false;
        clgrad_os_pause();
    }
    return true;
}

/* Pinned memory that a lost driver may still read is left to it. */
static void give_back(clgrad_upload *u)
{
    clgrad_device *dev = u->dev;
    if (u->mapped) {
        if (u->host && !dev->lost) dev->cl.EnqueueUnmapMemObject(dev->queue, u->buffer->mem, u->host, 0, NULL, NULL);
    } else if (u->pinned && write_has_ended(u)) {
        if (u->host && !dev->lost) dev->cl.EnqueueUnmapMemObject(dev->upload_queue, u->pinned, u->host, 0, NULL, NULL);
        dev->cl.ReleaseMemObject(u->pinned);
    }
    drop(dev, &u->awaited);
    drop(dev, &u->readers);
}

void clgrad_upload_release(clgrad_upload **address)
{
    clgrad_upload *u = *address;
    *address = NULL;
    if (!u) return;
    clgrad_device *dev = u->dev;
    if (clgrad_device_is_ours(dev)) give_back(u);
    clgrad_buffer_release(&u->buffer);
    clgrad_free(dev->ctx, u);
    clgrad_device_release(&dev);
}

clgrad_buffer *clgrad_upload_buffer(const clgrad_upload *u) { return u->buffer; }

/* --- going round --- */

clgrad_status clgrad_upload_open(clgrad_upload *u, void **host)
{
    clgrad_device *dev = u->dev;
    CLGRAD_TRY(clgrad_device_check(dev));
    if (u->awaited) {
        const cl_int err = dev->cl.WaitForEvents(1, &u->awaited);
        if (err != CL_SUCCESS) return clgrad_device_wait_failed(dev, err, "clWaitForEvents", "memory for an upload");
        drop(dev, &u->awaited);
    }
    *host = u->host;
    return CLGRAD_OK;
}

static clgrad_status unmap(clgrad_upload *u)
{
    clgrad_device *dev = u->dev;
    const cl_int err = dev->cl.EnqueueUnmapMemObject(dev->queue, u->buffer->mem, u->host, 0, NULL, NULL);
    if (err != CL_SUCCESS) return clgrad_device_enqueue_failed(dev, err, "clEnqueueUnmapMemObject", "an upload");
    u->host = NULL;
    return CLGRAD_OK;
}

/* A barrier of its own: events of the device's own queues leave no doubt about whose fault a failed wait is. */
static clgrad_status let_work_wait(clgrad_upload *u)
{
    clgrad_device *dev = u->dev;
    const cl_int err = dev->cl.EnqueueBarrierWithWaitList(dev->queue, 1, &u->awaited, NULL);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_enqueue_failed(dev, err, "clEnqueueBarrierWithWaitList", "an upload");
}

static clgrad_status write(clgrad_upload *u, size_t bytes)
{
    clgrad_device *dev = u->dev;
    const cl_int err = dev->cl.EnqueueWriteBuffer(dev->upload_queue, u->buffer->mem, CL_FALSE, 0, bytes, u->host, u->readers ? 1 : 0,
                                                  u->readers ? &u->readers : NULL, &u->awaited);
    if (err != CL_SUCCESS) return clgrad_device_enqueue_failed(dev, err, "clEnqueueWriteBuffer", "an upload");
    drop(dev, &u->readers);
    CLGRAD_TRY(flush(dev, dev->upload_queue));
    return let_work_wait(u);
}

clgrad_status clgrad_upload_send(clgrad_upload *u, size_t bytes)
{
    CLGRAD_TRY(clgrad_device_check(u->dev));
    if (bytes == 0 || bytes > u->buffer->bytes || !u->host || u->awaited)
        return clgrad_fail(u->dev->ctx, CLGRAD_E_ARG, "upload of %zu bytes, room for %zu%s", bytes, u->buffer->bytes,
                           u->host && !u->awaited ? "" : ", not opened");
    return u->mapped ? unmap(u) : write(u, bytes);
}

static clgrad_status ask_back(clgrad_upload *u)
{
    clgrad_device *dev = u->dev;
    cl_int err = CL_SUCCESS;
    void *host = dev->cl.EnqueueMapBuffer(dev->queue, u->buffer->mem, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, 0, u->buffer->bytes, 0, NULL,
                                          &u->awaited, &err);
    if (err != CL_SUCCESS) return clgrad_device_enqueue_failed(dev, err, "clEnqueueMapBuffer", "an upload");
    u->host = host;
    return CLGRAD_OK;
}

static clgrad_status mark_readers(clgrad_upload *u)
{
    clgrad_device *dev = u->dev;
    drop(dev, &u->readers);
    const cl_int err = dev->cl.EnqueueMarkerWithWaitList(dev->queue, 0, NULL, &u->readers);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_device_enqueue_failed(dev, err, "clEnqueueMarkerWithWaitList", "an upload");
}

clgrad_status clgrad_upload_recall(clgrad_upload *u)
{
    clgrad_device *dev = u->dev;
    CLGRAD_TRY(clgrad_device_check(dev));
    if (u->mapped && u->host) return CLGRAD_OK; /* it is back, or on its way */
    CLGRAD_TRY(u->mapped ? ask_back(u) : mark_readers(u));
    return flush(dev, dev->queue);
}
