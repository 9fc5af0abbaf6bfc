#pragma once

/* What is known about one device: the public description with its texts, and the driver's handles. */

#include "clgrad/device.h"
#include "device/cl_api.h"

enum { CLGRAD_RECORD_TEXTS = 12 };

/* What clgrad does differently for some drivers; quirks.c has the table. */
typedef enum clgrad_quirk {
    CLGRAD_QUIRK_NO_TOUCH = 1,  /* memory is there at once; touching it would hide reads of uninitialised elements */
    CLGRAD_QUIRK_NO_BINARY = 2, /* program binaries are not worth keeping */
    CLGRAD_QUIRK_COSTLY_BINARY = 4, /* asking for a binary compiles again: only for programs seen in an earlier run */
    CLGRAD_QUIRK_TRY_FP16 = 8,  /* half precision may be there although it is not advertised */
    CLGRAD_QUIRK_LONG_HEADER = 32, /* reads a header of all of OpenCL C for every program; -D_OPENCL_H_ makes it skip that */
    CLGRAD_QUIRK_FILL_BY_WRITE = 16, /* clEnqueueFillBuffer leaves elements marked as never written, whoever writes them later */
} clgrad_quirk;

typedef struct clgrad_record {
    clgrad_device_info info;
    cl_platform_id platform;
    cl_device_id id;
    const char *platform_version;
    unsigned quirks; /* clgrad_quirk, combined */
    bool shares_memory; /* with the host: what is mapped is not copied */
    char *texts[CLGRAD_RECORD_TEXTS]; /* what info's strings point at */
    size_t num_texts;
} clgrad_record;

/* Fill a record from the driver. *unusable gets a reason in words where clgrad cannot use the device (the record may be
 * incomplete then, but is named), else NULL. Fails only for memory and when the driver refuses a basic query. */
clgrad_status clgrad_record_query(clgrad_context *ctx, const clgrad_cl_api *cl, cl_platform_id platform,
                                  cl_device_id id, clgrad_record *out, const char **unusable);
void clgrad_record_release(clgrad_context *ctx, clgrad_record *record);
/* Replace the text that *field (a member of record->info) shows. */
clgrad_status clgrad_record_set_text(clgrad_context *ctx, clgrad_record *record, const char **field, const char *text);

/* Apply the quirk table to a filled record. */
clgrad_status clgrad_record_apply_quirks(clgrad_context *ctx, clgrad_record *record);

/* Whether text holds part, letters compared without case. */
bool clgrad_contains_nocase(const char *text, const char *part);
