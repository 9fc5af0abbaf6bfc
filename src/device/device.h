#pragma once

/* The device room as later rooms see it: buffers, kernels and events of one device; no OpenCL types.
 * All work of a device goes through one in-order queue (uploads may have a second, ordered with it by events); nothing here waits unless its comment says so. */

#include "base/base.h"
#include "clgrad/device.h"

typedef struct clgrad_buffer clgrad_buffer;
typedef struct clgrad_kernel clgrad_kernel;

/* --- memory --------------------------------------------------------------------------------------------------- */

/* Uninitialised device memory, rounded up and pooled by size class; bytes > 0. E_MEMORY when it exceeds the device's
 * allocation limit or is refused. The memory is touched (a fill of nothing but its first bytes is not enough on lazy
 * drivers: see the room's README), so that a refusal shows here. */
clgrad_status clgrad_buffer_create(clgrad_device *dev, size_t bytes, clgrad_buffer **out);
/* A buffer of a block's first bytes, for the device to read: on a CPU device the block's memory itself, which nobody writes until the buffer is released,
 * elsewhere a copy. E_MEMORY. */
clgrad_status clgrad_buffer_create_over(clgrad_device *dev, clgrad_block *block, size_t bytes, clgrad_buffer **out);
clgrad_buffer *clgrad_buffer_retain(clgrad_buffer *buffer);
/* Back to the pool once work already enqueued cannot be harmed (the queue is in order, so at once). */
void clgrad_buffer_release(clgrad_buffer **buffer);
size_t clgrad_buffer_bytes(const clgrad_buffer *buffer);
clgrad_device *clgrad_buffer_device(const clgrad_buffer *buffer);

/* Copies between host and device; offsets and sizes in bytes, checked. `write` copies `src` first, so that the caller may
 * reuse it at once (over 64 MiB it waits instead); `read` always waits. */
clgrad_status clgrad_buffer_write(clgrad_buffer *buffer, size_t offset, const void *src, size_t bytes);
clgrad_status clgrad_buffer_read(clgrad_buffer *buffer, size_t offset, void *dst, size_t bytes);
/* Enqueued read into memory of the event's own: *data, of `bytes` > 0, may be looked at once a wait for the event succeeded, until the
 * event is released. That may be at any time: where the read has not ended, its memory stays until it has. */
clgrad_status clgrad_buffer_read_later(clgrad_buffer *buffer, size_t offset, size_t bytes, const void **data,
                                       clgrad_event **event);
/* pattern_bytes is 1, 2, 4 or 8; offset and bytes are multiples of it. */
clgrad_status clgrad_buffer_fill(clgrad_buffer *buffer, size_t offset, size_t bytes, const void *pattern,
                                 size_t pattern_bytes);
/* src and dst may be one buffer if the ranges do not overlap. */
clgrad_status clgrad_buffer_copy(clgrad_buffer *dst, size_t dst_offset, clgrad_buffer *src, size_t src_offset,
                                 size_t bytes);

/* --- memory that the host fills anew while the device works --- */

/* A buffer for what the host has and the device needs soon. Its life goes round: open, send, work that reads it, recall. Where the device
 * shares memory with the host, the host writes into the buffer itself (mapped and unmapped in the device's queue: nothing is copied);
 * elsewhere into pinned memory, from which a second queue writes the buffer beside the device's work, ordered by events.
 * Nothing is allocated after create. */
typedef struct clgrad_upload clgrad_upload;
/* bytes > 0; of device memory that is not pooled, touched like any other. */
clgrad_status clgrad_upload_create(clgrad_device *dev, size_t bytes, clgrad_upload **out);
/* Waits for a write that is on its way. */
void clgrad_upload_release(clgrad_upload **upload);
clgrad_buffer *clgrad_upload_buffer(const clgrad_upload *upload); /* borrowed */
/* *host: `bytes` to write into, all undefined. Waits until the device has done with what was sent there before. */
clgrad_status clgrad_upload_open(clgrad_upload *upload, void **host);
/* What is enqueued later finds the first `bytes` in the buffer; the rest is undefined. The host's memory is the host's no more. */
clgrad_status clgrad_upload_send(clgrad_upload *upload, size_t bytes);
/* What was enqueued so far is all that reads what was sent. Flushes. */
clgrad_status clgrad_upload_recall(clgrad_upload *upload);

/* --- programs and kernels ---------------------------------------------------------------------------------------- */

/* A template as one of several in a text. Its macros and its preamble's end with it; other names must differ between parts. */
typedef struct clgrad_kernel_part {
    const char *preamble, *file, *walk; /* as in clgrad_kernel_source */
} clgrad_kernel_part;

/* One kernel of one specialised template, or of several as parts. */
typedef struct clgrad_kernel_source {
    const char *file;     /* template under cl/, "map.cl"; found by the kernel search. With parts: a name for messages */
    const char *preamble; /* #defines and generated functions, put before the template's text */
    const char *name;     /* kernel function */
    bool with_math;       /* put constants.cl, math.cl, codec.cl (macros of our own functions) between prologue and preamble */
    const char *walk;     /* template that the first one needs behind it, "rows.cl"; NULL: none */
    const clgrad_kernel_part *parts; /* instead of file and walk */
    size_t num_parts;
    const char *closing;  /* put behind the parts: the kernel that calls them */
} clgrad_kernel_source;

/* Build, or fetch from the program cache, and make a kernel with arguments of its own (two kernels of one program share
 * nothing mutable). Programs are kept per device and shared by equal text. The device adds to every text, in this order: a
 * prologue (`#pragma OPENCL FP_CONTRACT OFF`, extension pragmas for fp64/fp16 where probed, `#define CLGRAD_FMA 0/1`,
 * `#define CLGRAD_HAS_FP64/FP16`, `#define MULADD(a,b,c)` as fma(a,b,c) or ((a)*(b)+(c)) by class or `unfused`, STORE_VECTOR for a vector to
 * wherever an element may lie), the files of
 * with_math if asked for, the preamble, `#line 1 "<file>"`, the template, or the parts and what closes them. E_KERNEL_FILE, E_BUILD (log, device and options in the text). */
clgrad_status clgrad_kernel_create(clgrad_device *dev, const clgrad_kernel_source *source, clgrad_kernel **out);
void clgrad_kernel_release(clgrad_kernel **kernel);
/* Arguments keep the buffer alive until replaced or the kernel is released. */
clgrad_status clgrad_kernel_set_buffer(clgrad_kernel *kernel, uint32_t index, clgrad_buffer *buffer);
clgrad_status clgrad_kernel_set_bytes(clgrad_kernel *kernel, uint32_t index, const void *value, size_t bytes);
/* global[d] a multiple of local[d], which the templates state as reqd_work_group_size; local NULL only where the kernel fixes it.
 * `label` names the launch in a profile. */
clgrad_status clgrad_kernel_launch(clgrad_kernel *kernel, uint32_t dims, const size_t *global, const size_t *local,
                                   const char *label);
/* The whole text of a kernel source as it would be built; for explain, dumps and digests. Release with clgrad_free. */
clgrad_status clgrad_kernel_text(clgrad_device *dev, const clgrad_kernel_source *source, char **out);

/* --- order --------------------------------------------------------------------------------------------------------- */

/* What is enqueued later runs after these events. They may come from other queues of the same context. */
clgrad_status clgrad_device_wait_for(clgrad_device *dev, size_t num_wait, clgrad_event *const *wait);
/* An event that covers everything enqueued so far; event NULL does nothing. Also flushes. */
clgrad_status clgrad_device_mark(clgrad_device *dev, clgrad_event **event);
/* The same for a call that enqueues work before the mark and must not be refused memory after it: begin makes the event, end
 * fills it, or releases it when the work before it failed (`status`, which is then returned). event NULL does nothing. */
clgrad_status clgrad_device_mark_begin(clgrad_device *dev, clgrad_event **event);
clgrad_status clgrad_device_mark_end(clgrad_device *dev, clgrad_status status, clgrad_event **event);

/* Launches whose times a device opened with `profiling` has kept, and how long one ran by the device's clock: NAN where the driver
 * tells nothing that could be a time. Waits. */
bool clgrad_device_profiles(const clgrad_device *dev);
size_t clgrad_device_num_timed(const clgrad_device *dev);
clgrad_status clgrad_device_timed_seconds(clgrad_device *dev, size_t i, double *seconds);

/* Work timed by the device's own clock, whatever that clock is worth. What is enqueued between begin and end goes through a queue
 * that keeps times (the device's own where it was opened with `profiling`); both calls wait for all work before them. end takes the
 * status of the work in between and passes it on; times are those between the two marks, 0 where the driver tells none. */
typedef struct clgrad_span clgrad_span;
typedef struct clgrad_span_times {
    uint64_t begin_ns, end_ns;
} clgrad_span_times;
clgrad_status clgrad_span_begin(clgrad_device *dev, clgrad_span **out);
clgrad_status clgrad_span_end(clgrad_span **span, clgrad_status status, clgrad_span_times *times);

bool clgrad_device_fused(const clgrad_device *dev); /* MULADD is fma */

/* --- tuning (see tuning.h) ------------------------------------------------------------------------------------------ */

/* Is anything known of any device? Quick, for those who would have to make a key. */
bool clgrad_device_is_tuned(const clgrad_device *dev);
/* What was measured for this device under a key, borrowed until the next change; NULL: nothing. `from` may be NULL. */
const char *clgrad_device_tuned(const clgrad_device *dev, const char *key, const char **from);
/* Keep a value in the user's file and for plans to come; NULL: forget it; key NULL: forget all of this device. E_FILE, E_MEMORY: nothing
 * changed. */
clgrad_status clgrad_device_tune(clgrad_device *dev, const char *key, const char *value);
/* Forget all of this device; a file that is refused is removed. */
clgrad_status clgrad_device_forget_tuning(clgrad_device *dev);
/* Rows of the user's file for this device, in its order; NULL behind the last. */
const char *clgrad_device_tuned_row(const clgrad_device *dev, size_t i, const char **key);

/* A stored choice that changes bits is noted once where a plan makes use of it, for what names the origin of results. */
clgrad_status clgrad_device_note_choice(clgrad_device *dev, const char *choice);
/* All that were noted, comma separated; "" for none. */
const char *clgrad_device_choices(const clgrad_device *dev);
