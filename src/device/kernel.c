/* Kernels: one function of a program with arguments of its own. */

#include "device/cl_device.h"

static clgrad_status make_kernel(clgrad_kernel *kernel, const char *file)
{
    clgrad_device *dev = kernel->dev;
    cl_int err = CL_SUCCESS;
    cl_uint num_args = 0;
    kernel->kernel = dev->cl.CreateKernel(kernel->program->program, kernel->name, &err);
    if (err == CL_INVALID_KERNEL_NAME)
        return clgrad_fail(dev->ctx, CLGRAD_E_BUILD, "%s has no kernel '%s'", file, kernel->name);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clCreateKernel", dev->record.info.name);
    err = dev->cl.GetKernelInfo(kernel->kernel, CL_KERNEL_NUM_ARGS, sizeof num_args, &num_args, NULL);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clGetKernelInfo", dev->record.info.name);
    kernel->args = clgrad_alloc(dev->ctx, num_args, sizeof *kernel->args);
    if (!kernel->args) return CLGRAD_E_MEMORY;
    kernel->num_args = num_args;
    return CLGRAD_OK;
}

clgrad_status clgrad_kernel_create(clgrad_device *dev, const clgrad_kernel_source *source, clgrad_kernel **out)
{
    *out = NULL;
    CLGRAD_TRY(clgrad_device_check(dev));
    char *text;
    clgrad_program *program;
    CLGRAD_TRY(clgrad_kernel_text(dev, source, &text));
    clgrad_status status = clgrad_program_get(dev, text, source->file, &program);
    clgrad_free(dev->ctx, text);
    if (status) return status;

    clgrad_kernel *kernel = clgrad_alloc(dev->ctx, 1, sizeof *kernel);
    if (!kernel) return CLGRAD_E_MEMORY;
    kernel->dev = clgrad_device_retain(dev);
    kernel->program = program;
    kernel->name = clgrad_strdup(dev->ctx, source->name);
    status = kernel->name ? make_kernel(kernel, source->file) : CLGRAD_E_MEMORY;
    if (status)
        clgrad_kernel_release(&kernel);
    else
        *out = kernel;
    return status;
}

void clgrad_kernel_release(clgrad_kernel **address)
{
    clgrad_kernel *kernel = *address;
    *address = NULL;
    if (!kernel) return;
    clgrad_device *dev = kernel->dev;
    if (kernel->kernel && clgrad_device_is_ours(dev)) dev->cl.ReleaseKernel(kernel->kernel);
    for (uint32_t i = 0; i < kernel->num_args; i++) clgrad_buffer_release(&kernel->args[i]);
    clgrad_free(dev->ctx, kernel->args);
    clgrad_free(dev->ctx, kernel->name);
    clgrad_free(dev->ctx, kernel);
    clgrad_device_release(&dev);
}

/* Sets an argument; `kept` (may be NULL) is what it refers to from now on. */
static clgrad_status set(clgrad_kernel *kernel, uint32_t index, const void *value, size_t bytes, clgrad_buffer *kept)
{
    clgrad_device *dev = kernel->dev;
    CLGRAD_TRY(clgrad_device_check(dev));
    if (index >= kernel->num_args)
        return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "kernel '%s' has %u arguments; there is no argument %u", kernel->name,
                           kernel->num_args, index);
    const cl_int err = dev->cl.SetKernelArg(kernel->kernel, index, bytes, value);
    if (err == CL_INVALID_ARG_SIZE || err == CL_INVALID_ARG_VALUE)
        return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "argument %u of kernel '%s' does not take %zu bytes%s: %s (%d)", index,
                           kernel->name, bytes, kept ? " (a buffer)" : "", clgrad_cl_error_name(err), (int)err);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clSetKernelArg", dev->record.info.name);
    clgrad_buffer_retain(kept);
    clgrad_buffer_release(&kernel->args[index]);
    kernel->args[index] = kept;
    return CLGRAD_OK;
}

clgrad_status clgrad_kernel_set_buffer(clgrad_kernel *kernel, uint32_t index, clgrad_buffer *buffer)
{
    if (buffer->dev->context != kernel->dev->context)
        return clgrad_fail(kernel->dev->ctx, CLGRAD_E_ARG, "argument %u of kernel '%s' is a buffer of another device", index,
                           kernel->name);
    return set(kernel, index, &buffer->mem, sizeof buffer->mem, buffer);
}

clgrad_status clgrad_kernel_set_bytes(clgrad_kernel *kernel, uint32_t index, const void *value, size_t bytes)
{
    return set(kernel, index, value, bytes, NULL);
}

clgrad_status clgrad_kernel_launch(clgrad_kernel *kernel, uint32_t dims, const size_t *global, const size_t *local,
                                   const char *label)
{
    clgrad_device *dev = kernel->dev;
    CLGRAD_TRY(clgrad_device_check(dev));
    cl_event event = NULL;
    const cl_int err = dev->cl.EnqueueNDRangeKernel(dev->queue, kernel->kernel, dims, NULL, global, local, 0, NULL,
                                                    dev->profiling ? &event : NULL);
    if (err != CL_SUCCESS) return clgrad_device_enqueue_failed(dev, err, "clEnqueueNDRangeKernel", label ? label : kernel->name);
    if (!kernel->program->launched) {
        kernel->program->launched = true;
        dev->programs_unstored = true;
    }
    if (dev->profiling) clgrad_profile_add(dev, event, label ? label : kernel->name);
    return CLGRAD_OK;
}
