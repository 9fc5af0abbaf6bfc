#pragma once

/* The insides of an opened device, for this room and for providers that need OpenCL handles. */

#include "base/sha256.h"
#include "device/cache.h"
#include "device/device.h"
#include "device/record.h"
#include "device/tuning.h"

#include <stddef.h>

/* --- the pool: freed memory kept by size class ------------------------------------------------------------------ */

typedef struct clgrad_pool_block {
    cl_mem mem;
    size_t bytes;
} clgrad_pool_block;

typedef struct clgrad_pool {
    clgrad_pool_block *blocks;
    size_t count, capacity;
    uint64_t held_bytes; /* in blocks */
    uint64_t now_bytes, peak_bytes; /* in blocks and in buffers */
} clgrad_pool;

/* Host copies that an enqueued write still reads. */
typedef struct clgrad_staged {
    cl_event event;
    void *data;
    size_t bytes;
} clgrad_staged;

typedef struct clgrad_program {
    uint8_t digest[CLGRAD_SHA256_BYTES]; /* of text */
    cl_program program;
    char *text;    /* of a program that is not in the cache on disk yet, else NULL */
    bool launched; /* drivers that compile late have done so now */
} clgrad_program;

/* A launch with its times, or with the event that will tell them. */
typedef struct clgrad_launch_record {
    cl_event event; /* NULL once the times are in */
    char *label;
    cl_ulong queued, start, end; /* ns on the device's clock */
} clgrad_launch_record;

struct clgrad_device {
    size_t refs;
    clgrad_context *ctx;
    clgrad_cl_api cl;
    clgrad_record record;
    cl_context context;
    cl_command_queue queue; /* in order; its own or the caller's */
    cl_command_queue side_queue; /* its own: for work that is waited for at once, whatever `queue` is held up by */
    cl_command_queue upload_queue; /* its own: for writes beside the work of `queue`; NULL until there is something to upload */
    int64_t pid;            /* of the process that opened it; OpenCL does not survive fork */
    bool lost, unfused, profiling;
    bool waits_for_others; /* events of other queues were waited for, so a failed wait need not be this device's fault */

    clgrad_pool pool;
    clgrad_staged *staged;
    size_t num_staged, staged_capacity, staged_bytes;
    clgrad_event *given_up; /* released while the driver may still write into their memory */
    clgrad_program **programs;
    size_t num_programs, programs_capacity;
    bool programs_unstored; /* some launched program waits to be stored */
    double store_seconds;   /* spent on costly binaries */
    size_t num_long_builds; /* programs that needed more than builtins.cl declares */
    clgrad_cache cache;
    clgrad_tuning tuning;
    clgrad_text choices; /* noted, one clause each */
    clgrad_launch_record *launches;
    size_t num_launches, launches_capacity, launches_settled;
};

struct clgrad_buffer {
    size_t refs;
    clgrad_device *dev;
    cl_mem mem;
    size_t bytes;       /* asked for */
    size_t class_bytes; /* held; 0 for a caller's buffer, which never enters the pool */
    bool unpooled;      /* held, but goes back to the driver */
    clgrad_block *lent; /* the host's memory that this is; NULL: the driver's own */
};

/* Of an enqueued read, also the memory it writes into: an event that is given up before its read has ended is kept by the device. */
struct clgrad_event {
    size_t refs;
    clgrad_device *dev;
    cl_event event;
    bool has_data, ended;  /* ended: nothing writes into data any more */
    clgrad_event *next;    /* of those the device keeps */
    max_align_t data[];
};

struct clgrad_kernel {
    clgrad_device *dev;
    cl_kernel kernel;
    clgrad_program *program;
    char *name;
    clgrad_buffer **args; /* what each argument keeps alive */
    uint32_t num_args;
};

/* --- between the files of this room ------------------------------------------------------------------------------ */

/* E_FORKED in a child of the process that opened dev, E_DEVICE_LOST after a loss, else OK. */
clgrad_status clgrad_device_check(clgrad_device *dev);
/* False in a forked child, where releasing must leave OpenCL alone. */
bool clgrad_device_is_ours(const clgrad_device *dev);
/* Waits until all that was enqueued has ended, so that the driver uses no memory of the host's; false after a second where a failed device has not. */
bool clgrad_device_is_done(clgrad_device *dev);
/* An enqueue or a wait failed: E_DEVICE, or E_DEVICE_LOST after marking the device. `what` names the operand or launch. */
clgrad_status clgrad_device_enqueue_failed(clgrad_device *dev, cl_int code, const char *call, const char *what);
clgrad_status clgrad_device_wait_failed(clgrad_device *dev, cl_int code, const char *call, const char *what);

/* The steps of opening, for clgrad_device_open and clgrad_device_adopt. begin makes a device without OpenCL objects;
 * open_context and open_queue make one from the record; complete proves what the device can do. */
clgrad_status clgrad_device_begin(clgrad_context *ctx, const clgrad_device_options *options, clgrad_device **out);
clgrad_status clgrad_device_open_context(clgrad_device *dev);
clgrad_status clgrad_device_open_queue(clgrad_device *dev);
clgrad_status clgrad_device_complete(clgrad_device *dev);
/* Makes the upload queue, once. */
clgrad_status clgrad_device_open_upload_queue(clgrad_device *dev);

/* Memory that nobody had before and nobody gets after, with these flags beside CL_MEM_READ_WRITE. */
clgrad_status clgrad_buffer_create_unpooled(clgrad_device *dev, cl_mem_flags flags, size_t bytes, clgrad_buffer **out);
/* A caller's memory as a buffer: retained, never pooled. */
clgrad_status clgrad_buffer_adopt(clgrad_device *dev, cl_mem mem, clgrad_buffer **out);
cl_mem clgrad_buffer_get_cl_mem(const clgrad_buffer *buffer);

/* What is enqueued later runs after these. */
clgrad_status clgrad_device_enqueue_wait(clgrad_device *dev, cl_uint count, const cl_event *events);

/* An event whose cl_event is still NULL; made before the enqueue that fills it, so that nothing can fail after. data_bytes: of
 * memory for a read, or 0. */
clgrad_status clgrad_event_create(clgrad_device *dev, size_t data_bytes, clgrad_event **out);
bool clgrad_has_ended(const clgrad_device *dev, cl_event event);

void clgrad_pool_release(clgrad_device *dev);
/* Frees what the driver reads and writes on the host, once it has ended. */
void clgrad_transfers_release(clgrad_device *dev);
void clgrad_programs_release(clgrad_device *dev);
void clgrad_profile_release(clgrad_device *dev);

/* What a template must carry in its first lines: clgrad-template N. Raised when templates and library change together. */
enum { CLGRAD_TEMPLATE_NUMBER = 1 };
/* The text of a template by the kernel search; E_KERNEL_FILE. Release with clgrad_free. */
clgrad_status clgrad_kernel_file_read(clgrad_context *ctx, const char *file, char **out);

/* A program of the given whole text, shared within the device and owned by it; `shown` names it in messages. */
clgrad_status clgrad_program_get(clgrad_device *dev, const char *text, const char *shown, clgrad_program **out);
const char *clgrad_build_options(const clgrad_device *dev);
/* Lines that declare, by macros of builtins.cl, what vectors of the types take that a text names. */
void clgrad_builtins_declare(const char *body, clgrad_text *text);
/* What is logged of a program that uses more than builtins.cl declares; test runs look for it. */
#define CLGRAD_LONG_BUILD "needs the compiler's whole header"

/* The cache on disk: fetch a program; store those that were built and launched since, at moments that wait anyway. */
bool clgrad_programs_are_stored(const clgrad_device *dev);
bool clgrad_program_load(clgrad_device *dev, const char *text, cl_program *out);
void clgrad_programs_store(clgrad_device *dev);

/* Take over the event of a launch (may be NULL); only called with profiling on. */
void clgrad_profile_add(clgrad_device *dev, cl_event taken, const char *label);

/* Does arithmetic in fp64 and fp16 work? Sets the two verdicts of the record. */
clgrad_status clgrad_device_probe(clgrad_device *dev);
