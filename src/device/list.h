#pragma once

#include "device/record.h"

struct clgrad_device_list {
    clgrad_context *ctx;
    clgrad_cl_api cl;
    clgrad_record *records; /* usable devices, best first */
    size_t count, capacity;
    clgrad_text skipped; /* what was seen and cannot be used, one clause each */
    char *reason;        /* of the last selection */
};

/* A device's line in messages: "0 'llvmpipe' (platform rusticl)", comma separated. */
void clgrad_device_list_describe(const clgrad_device_list *list, clgrad_text *out);
