#include "device/cl_api.h"

#include "base/os.h"

const char *clgrad_cl_library = "libOpenCL.so.1";
void (*clgrad_cl_filter)(clgrad_cl_api *api);

static const char install_hint[] =
    "install the loader (Debian, Ubuntu: ocl-icd-libopencl1) and a driver (pocl-opencl-icd runs on any CPU)";

/* What the process already carries comes first: the application's own loader, or a tool that stands in for it
 * (Oclgrind preloads its run-time library). */
static void *open_loader(void)
{
    void *probe, *process = clgrad_os_library(NULL);
    if (process && clgrad_os_symbol(process, "clGetPlatformIDs", &probe)) return process;
    return clgrad_os_library(clgrad_cl_library);
}

clgrad_status clgrad_cl_load(clgrad_context *ctx, clgrad_cl_api *out)
{
    *out = (clgrad_cl_api){ 0 };
    void *library = open_loader();
    if (!library)
        return clgrad_fail(ctx, CLGRAD_E_LOADER, "no OpenCL loader: %s could not be opened; %s", clgrad_cl_library,
                           install_hint);
    const char *missing = NULL;
#define LOOK_UP(name) \
    if (!clgrad_os_symbol(library, "cl" #name, &out->name)) missing = "cl" #name;
#define CL_STATUS(name, parameters, arguments) LOOK_UP(name)
#define CL_ENQUEUE(name, parameters, arguments) LOOK_UP(name)
#define CL_OBJECT(type, name, parameters, arguments) LOOK_UP(name)
#define CL_MAP(name, parameters, arguments) LOOK_UP(name)
#define CL_RELEASE(name, type) LOOK_UP(name)
#include "device/cl_api.def"
#undef CL_STATUS
#undef CL_ENQUEUE
#undef CL_OBJECT
#undef CL_MAP
#undef CL_RELEASE
#undef LOOK_UP
    if (missing)
        return clgrad_fail(ctx, CLGRAD_E_LOADER, "the OpenCL loader has no %s, so it is older than OpenCL 1.2; %s",
                           missing, install_hint);
    if (clgrad_cl_filter) clgrad_cl_filter(out);
    return CLGRAD_OK;
}

static const struct {
    cl_int code;
    const char *name;
} error_names[] = {
#define ROW(name) { CL_##name, "CL_" #name }
    ROW(SUCCESS),
    ROW(DEVICE_NOT_FOUND),
    ROW(DEVICE_NOT_AVAILABLE),
    ROW(COMPILER_NOT_AVAILABLE),
    ROW(MEM_OBJECT_ALLOCATION_FAILURE),
    ROW(OUT_OF_RESOURCES),
    ROW(OUT_OF_HOST_MEMORY),
    ROW(PROFILING_INFO_NOT_AVAILABLE),
    ROW(MEM_COPY_OVERLAP),
    ROW(BUILD_PROGRAM_FAILURE),
    ROW(MAP_FAILURE),
    ROW(MISALIGNED_SUB_BUFFER_OFFSET),
    ROW(EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    ROW(COMPILE_PROGRAM_FAILURE),
    ROW(LINKER_NOT_AVAILABLE),
    ROW(LINK_PROGRAM_FAILURE),
    ROW(INVALID_VALUE),
    ROW(INVALID_DEVICE_TYPE),
    ROW(INVALID_PLATFORM),
    ROW(INVALID_DEVICE),
    ROW(INVALID_CONTEXT),
    ROW(INVALID_QUEUE_PROPERTIES),
    ROW(INVALID_COMMAND_QUEUE),
    ROW(INVALID_HOST_PTR),
    ROW(INVALID_MEM_OBJECT),
    ROW(INVALID_BINARY),
    ROW(INVALID_BUILD_OPTIONS),
    ROW(INVALID_PROGRAM),
    ROW(INVALID_PROGRAM_EXECUTABLE),
    ROW(INVALID_KERNEL_NAME),
    ROW(INVALID_KERNEL_DEFINITION),
    ROW(INVALID_KERNEL),
    ROW(INVALID_ARG_INDEX),
    ROW(INVALID_ARG_VALUE),
    ROW(INVALID_ARG_SIZE),
    ROW(INVALID_KERNEL_ARGS),
    ROW(INVALID_WORK_DIMENSION),
    ROW(INVALID_WORK_GROUP_SIZE),
    ROW(INVALID_WORK_ITEM_SIZE),
    ROW(INVALID_GLOBAL_OFFSET),
    ROW(INVALID_EVENT_WAIT_LIST),
    ROW(INVALID_EVENT),
    ROW(INVALID_OPERATION),
    ROW(INVALID_BUFFER_SIZE),
    ROW(INVALID_GLOBAL_WORK_SIZE),
    ROW(INVALID_PROPERTY),
    ROW(PLATFORM_NOT_FOUND_KHR),
#undef ROW
};

const char *clgrad_cl_error_name(cl_int code)
{
    for (size_t i = 0; i < CLGRAD_COUNT(error_names); i++)
        if (error_names[i].code == code) return error_names[i].name;
    return "unknown code";
}

clgrad_status clgrad_cl_refused(clgrad_context *ctx, cl_int code, const char *call, const char *device)
{
    clgrad_status status = CLGRAD_E_DEVICE;
    if (code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_RESOURCES || code == CL_OUT_OF_HOST_MEMORY)
        status = CLGRAD_E_MEMORY;
    else if (code == CL_DEVICE_NOT_AVAILABLE)
        status = CLGRAD_E_DEVICE_LOST;
    return clgrad_fail(ctx, status, "%s on %s returned %s (%d)", call, device, clgrad_cl_error_name(code), (int)code);
}
