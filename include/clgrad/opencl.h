#pragma once

/**
 * clgrad inside an OpenCL program: give it your context, queue, buffers and events, and take its own.
 *
 * The only header with OpenCL types; not part of clgrad/clgrad.h. Ownership: what you hand over stays yours. clgrad
 * retains it while it uses it and releases it exactly as often; functions whose name has _get_cl_ return handles that
 * are borrowed: retain them to keep them longer than the object you asked. clgrad never waits on your queue except in
 * calls that say they wait (reads, writes over 64 MiB, finish, event_wait), and when a device with unfinished writes is
 * released.
 */

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#if defined(__APPLE__)
#include <OpenCL/opencl.h>
#else
#include <CL/cl.h>
#endif

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Your OpenCL objects; give at least one of queue, context and device. */
typedef struct clgrad_opencl_handles {
    size_t struct_size;
    cl_command_queue queue; /* NULL: clgrad makes one. Also tells context and device. */
    cl_context context;     /* NULL: the queue's, or a new one for `device` */
    cl_device_id device;    /* NULL: the queue's, or the context's only one */
} clgrad_opencl_handles;

#define CLGRAD_OPENCL_HANDLES_INIT { sizeof(clgrad_opencl_handles), NULL, NULL, NULL }

/**
 * Open a device over your OpenCL objects.
 *
 * An in-order queue is used as it is: clgrad's work and yours run in the order in which they were enqueued. Where your
 * queue is out of order, or none was given, clgrad works in an in-order queue of its own in your context; order its work
 * and yours by events: clgrad_device_wait_for_events before, clgrad_device_mark_event after.
 *
 * options  selector must be NULL; profiling needs a queue that was made for it (or one of clgrad's own); NULL: defaults.
 *
 * CLGRAD_E_ARG         no handle given, handles that do not belong together, a context of several devices with none
 *                      named, profiling on a queue without it, a selector.
 * CLGRAD_E_LOADER      no OpenCL loader library.
 * CLGRAD_E_NO_DEVICE   the device cannot be used (OpenCL C older than 1.2, no compiler); the text says why.
 * CLGRAD_E_MEMORY, CLGRAD_E_DEVICE  the driver refused a queue.
 * Cost: as clgrad_device_open. Nothing is enqueued on your queue.
 */
CLGRAD_API clgrad_status clgrad_device_adopt(clgrad_context *ctx, const clgrad_opencl_handles *handles,
                                             const clgrad_device_options *options, clgrad_device **out);

/** Borrowed handles of an opened device, adopted or not. */
CLGRAD_API cl_context clgrad_device_get_cl_context(const clgrad_device *dev);
CLGRAD_API cl_device_id clgrad_device_get_cl_device(const clgrad_device *dev);
/** The in-order queue that clgrad enqueues to: yours, or its own. */
CLGRAD_API cl_command_queue clgrad_device_get_cl_queue(const clgrad_device *dev);

/**
 * A tensor over your buffer: row-major elements from byte_offset on.
 *
 * mem          a buffer (or sub-buffer) of the device's context, retained while the tensor or a view of it lives.
 *
 * CLGRAD_E_ARG    mem is no buffer or of another context; byte_offset is not a multiple of the element's size.
 * CLGRAD_E_SHAPE, CLGRAD_E_DTYPE  as clgrad_tensor_create; also when the buffer is too small.
 */
CLGRAD_API clgrad_status clgrad_tensor_adopt(clgrad_device *dev, cl_mem mem, size_t byte_offset, clgrad_dtype dtype,
                                             clgrad_shape shape, clgrad_tensor **out);
/** Borrowed: the memory of a tensor and where in it the first element lies (byte_offset may be NULL). The memory may be
 *  larger than the tensor; once the tensor is released, clgrad uses it for others. */
CLGRAD_API cl_mem clgrad_tensor_get_cl_mem(const clgrad_tensor *t, size_t *byte_offset);

/**
 * Your event as one of clgrad's, to be waited for by calls that take a wait list. Retained.
 *
 * CLGRAD_E_ARG  the event is of another context.
 */
CLGRAD_API clgrad_status clgrad_event_adopt(clgrad_device *dev, cl_event event, clgrad_event **out);
/** Borrowed: wait on it, or put it into your wait lists; valid while the clgrad_event lives. */
CLGRAD_API cl_event clgrad_event_get_cl_event(const clgrad_event *event);

/** What clgrad enqueues later runs after these events of yours (flush the queues they come from). */
CLGRAD_API clgrad_status clgrad_device_wait_for_events(clgrad_device *dev, cl_uint num_wait, const cl_event *wait);
/** An event that covers all work clgrad has enqueued so far. Yours: release it with clReleaseEvent. Flushes. */
CLGRAD_API clgrad_status clgrad_device_mark_event(clgrad_device *dev, cl_event *event);

#ifdef __cplusplus
}
#endif
