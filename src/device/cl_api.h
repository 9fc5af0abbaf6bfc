#pragma once

/* OpenCL through a table of pointers: the loader library is opened at run time, never linked, and tests can put
 * themselves between clgrad and any entry point. */

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 300
#endif
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS /* clCreateCommandQueue: the one form that 1.2 drivers also have */
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include "base/base.h"

typedef struct clgrad_cl_api {
#define CL_STATUS(name, parameters, arguments) cl_int(CL_API_CALL *name) parameters;
#define CL_ENQUEUE(name, parameters, arguments) cl_int(CL_API_CALL *name) parameters;
#define CL_OBJECT(type, name, parameters, arguments) type(CL_API_CALL *name) parameters;
#define CL_MAP(name, parameters, arguments) void *(CL_API_CALL *name) parameters;
#define CL_RELEASE(name, type) cl_int(CL_API_CALL *name)(type object);
#include "device/cl_api.def"
#undef CL_STATUS
#undef CL_ENQUEUE
#undef CL_OBJECT
#undef CL_MAP
#undef CL_RELEASE
} clgrad_cl_api;

/* E_LOADER with what to install. A list or device keeps a table of its own, so a test may also change just that one. */
clgrad_status clgrad_cl_load(clgrad_context *ctx, clgrad_cl_api *out);

/* The seam: which library is opened, and what is done to every table after it was filled (NULL: nothing). */
extern const char *clgrad_cl_library;
extern void (*clgrad_cl_filter)(clgrad_cl_api *api);

/* "CL_OUT_OF_RESOURCES"; "unknown code" for others. */
const char *clgrad_cl_error_name(cl_int code);

/* For calls that create or query: E_MEMORY for refused memory, E_DEVICE_LOST for a device that went away, else E_DEVICE. */
clgrad_status clgrad_cl_refused(clgrad_context *ctx, cl_int code, const char *call, const char *device);
