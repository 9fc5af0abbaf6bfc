#pragma once

/**
 * OpenCL devices: finding, choosing, opening, describing; and events.
 *
 * OpenCL does not survive fork(): in a child every call given a device of the parent, or what was made on it, returns
 * CLGRAD_E_FORKED. Releasing is safe there and leaves OpenCL alone. After a device was lost, every call given it returns
 * CLGRAD_E_DEVICE_LOST.
 */

#include "clgrad/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clgrad_device clgrad_device;
typedef struct clgrad_event clgrad_event;

typedef enum clgrad_device_kind { CLGRAD_DEVICE_CPU, CLGRAD_DEVICE_GPU, CLGRAD_DEVICE_OTHER } clgrad_device_kind;

/** What one device is and can do. Strings live as long as the object that gave them. */
typedef struct clgrad_device_info {
    size_t struct_size;
    int platform_index, device_index; /* as `platform:device` selects it */
    int index;                        /* position in the list of usable devices, as a bare number selects it */
    const char *platform, *name, *vendor, *driver, *device_version, *c_version; /* c_version: highest OpenCL C, "1.2" */
    const char *pci, *uuid;   /* "0000:65:00.0", 32 hex digits; "" where the driver tells neither */
    const char *also_known;   /* platforms that show the same device again, comma separated; "" for none */
    clgrad_device_kind kind;
    uint32_t compute_units, clock_mhz;
    uint64_t memory_bytes, allocation_bytes, local_bytes;
    size_t max_work_group, max_parameter_bytes;
    uint32_t float_width, double_width; /* preferred vector widths, in elements */
    bool fp16_advertised, fp64_advertised, sub_groups;
    bool fp16, fp64;   /* probed: a small kernel built, ran and gave the right values. False until the device is opened. */
    bool probed;
    bool fma;          /* CL_FP_FMA (or the quirk table): `fma` is one instruction; the fused class */
    bool denormals;    /* CL_FP_DENORM: subnormals are kept */
    bool exact_divide; /* CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT */
    const char *quirks; /* names of quirk rows that apply, comma separated; "" for none */
} clgrad_device_info;

/** A list of what is present. Opening nothing: no context and no queue is made. */
typedef struct clgrad_device_list clgrad_device_list;

/**
 * List usable devices, each once, best first for `auto` where no scores were measured (clgrad_tune_device). A device is usable when it is available, has a compiler and
 * speaks OpenCL C 1.2 or later.
 *
 * CLGRAD_E_LOADER     no OpenCL loader library; the text says which package to install.
 * CLGRAD_E_NO_DEVICE  a loader, but no platform or no usable device; the text says what was seen.
 * CLGRAD_E_MEMORY     no host memory.
 * Cost: loads every driver. A driver that crashes takes the process with it; the command probes in children.
 */
CLGRAD_API clgrad_status clgrad_device_list_create(clgrad_context *ctx, clgrad_device_list **out);
CLGRAD_API void clgrad_device_list_release(clgrad_device_list **list);
CLGRAD_API size_t clgrad_device_list_count(const clgrad_device_list *list);
/** Borrowed; NULL when i is out of range. */
CLGRAD_API const clgrad_device_info *clgrad_device_list_get(const clgrad_device_list *list, size_t i);
/** Which entry the selector (as in clgrad_device_options) picks, and why in one sentence; reason is borrowed from list until its
 *  next selection and may be NULL. CLGRAD_E_ARG, CLGRAD_E_NO_DEVICE, CLGRAD_E_MEMORY as clgrad_device_open. */
CLGRAD_API clgrad_status clgrad_device_list_select(clgrad_device_list *list, const char *selector, size_t *index,
                                                   const char **reason);

/** How a device is opened. */
typedef struct clgrad_device_options {
    size_t struct_size;
    const char *selector; /* auto, gpu, cpu, 0, platform:device, part of a name, pci:..., uuid:...; NULL: CLGRAD_DEVICE or auto */
    bool profiling;       /* launches keep their times; needed for clgrad_device_write_trace */
    bool unfused;         /* a*b+c instead of fma everywhere, for equal bits with devices without fma */
} clgrad_device_options;

#define CLGRAD_DEVICE_OPTIONS_INIT { sizeof(clgrad_device_options), NULL, false, false }

/**
 * Open a device: one OpenCL context, one in-order queue, a probe of fp16 and fp64 (a verdict is cached per driver).
 *
 * CLGRAD_E_LOADER, CLGRAD_E_NO_DEVICE  as clgrad_device_list_create; also when the selector matches nothing: the text
 *                                      lists what is there. Nothing falls back silently.
 * CLGRAD_E_ARG                         a selector that cannot be read; options of another library version.
 * CLGRAD_E_MEMORY, CLGRAD_E_DEVICE     the driver refused a context, a queue or what the probe needs.
 * Cost: the drivers' own start; two small programs the first time.
 */
CLGRAD_API clgrad_status clgrad_device_open(clgrad_context *ctx, const clgrad_device_options *options,
                                            clgrad_device **out);
CLGRAD_API clgrad_device *clgrad_device_retain(clgrad_device *dev);
CLGRAD_API void clgrad_device_release(clgrad_device **dev);

/** Borrowed for the life of dev. */
CLGRAD_API const clgrad_device_info *clgrad_device_get_info(const clgrad_device *dev);
CLGRAD_API clgrad_context *clgrad_device_get_context(const clgrad_device *dev);

/** Wait until all enqueued work has ended. CLGRAD_E_DEVICE, CLGRAD_E_DEVICE_LOST: work failed; its outputs are undefined. */
CLGRAD_API clgrad_status clgrad_device_finish(clgrad_device *dev);

/** Bytes of device memory held by tensors, plans and the pool; the most there ever was. */
CLGRAD_API void clgrad_device_memory(const clgrad_device *dev, uint64_t *now_bytes, uint64_t *peak_bytes);

/** Write every launch since the device was opened with `profiling` as a Chrome trace (chrome://tracing, Perfetto). Waits.
 *  CLGRAD_E_ARG: opened without; CLGRAD_E_FILE; else as clgrad_device_finish. */
CLGRAD_API clgrad_status clgrad_device_write_trace(clgrad_device *dev, const char *path);

CLGRAD_API clgrad_event *clgrad_event_retain(clgrad_event *event);
CLGRAD_API void clgrad_event_release(clgrad_event **event);
/** Wait for one event. CLGRAD_E_DEVICE, CLGRAD_E_DEVICE_LOST: the work behind it failed. */
CLGRAD_API clgrad_status clgrad_event_wait(clgrad_event *event);

#ifdef __cplusplus
}
#endif
