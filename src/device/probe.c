/* Does arithmetic in fp64 and fp16 work here? Extension lists say too much and too little, so a small kernel is built,
 * run, and its results compared bit by bit. */

#include "device/cl_device.h"

#include <stdio.h>

/* Sum and product of values whose exact results need rounding in the type that is probed. */
static const char fp64_probe[] = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
                                 "#pragma OPENCL FP_CONTRACT OFF\n"
                                 "kernel void probe(global double *x)\n"
                                 "{\n"
                                 "    const double a = x[0], b = x[1];\n"
                                 "    x[2] = a + b;\n"
                                 "    x[3] = a * b;\n"
                                 "}\n";
static const char fp16_probe[] = "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\n"
                                 "#pragma OPENCL FP_CONTRACT OFF\n"
                                 "kernel void probe(global half *x)\n"
                                 "{\n"
                                 "    const half a = x[0], b = x[1];\n"
                                 "    x[2] = a + b;\n"
                                 "    x[3] = a * b;\n"
                                 "}\n";

/* 1 + 2^-10 and 3 + 2^-9 in binary16; sum and product both need rounding, up by a quarter and by nearly a half. */
static const uint16_t fp16_values[4] = { 0x3c01, 0x4201, 0x4401, 0x4203 };

static clgrad_status run_kernel(clgrad_device *dev, const clgrad_program *program, clgrad_buffer *buffer)
{
    static const size_t one = 1;
    cl_int err = CL_SUCCESS;
    const cl_kernel kernel = dev->cl.CreateKernel(program->program, "probe", &err);
    if (err != CL_SUCCESS) return clgrad_cl_refused(dev->ctx, err, "clCreateKernel", dev->record.info.name);
    err = dev->cl.SetKernelArg(kernel, 0, sizeof buffer->mem, &buffer->mem);
    if (err == CL_SUCCESS)
        err = dev->cl.EnqueueNDRangeKernel(dev->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL);
    dev->cl.ReleaseKernel(kernel);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_cl_refused(dev->ctx, err, "the probe's launch", dev->record.info.name);
}

/* values: two operands, then the results that prove the arithmetic. */
static clgrad_status run_probe(clgrad_device *dev, const char *text, const void *values, size_t bytes, bool *works)
{
    unsigned char got[64] = { 0 };
    clgrad_program *program;
    clgrad_buffer *buffer;
    CLGRAD_TRY(clgrad_program_get(dev, text, "probe", &program));
    CLGRAD_TRY(clgrad_buffer_create(dev, bytes, &buffer));
    clgrad_status status = clgrad_buffer_write(buffer, 0, values, bytes / 2);
    if (!status) status = run_kernel(dev, program, buffer);
    if (!status) status = clgrad_buffer_read(buffer, 0, got, bytes);
    *works = !status && memcmp(got, values, bytes) == 0;
    clgrad_buffer_release(&buffer);
    return status;
}

/* A driver that refuses the program or the launch has answered: no. Only memory and a lost device are failures here. */
static clgrad_status verdict(clgrad_device *dev, const char *text, const void *values, size_t bytes, bool *works)
{
    *works = false;
    clgrad_kept_error kept;
    clgrad_error_keep(dev->ctx, &kept);
    const clgrad_status status = run_probe(dev, text, values, bytes, works);
    if (status == CLGRAD_OK || status == CLGRAD_E_MEMORY || status == CLGRAD_E_DEVICE_LOST) return status;
    clgrad_log_line(dev->ctx, CLGRAD_LOG_INFO, "device", "probe: %s", clgrad_error_text(dev->ctx));
    clgrad_error_put_back(dev->ctx, &kept);
    return CLGRAD_OK;
}

static clgrad_status probe(clgrad_device *dev)
{
    clgrad_device_info *info = &dev->record.info;
    const double a = 1.0 + 0x1p-52, b = 3.0 + 0x1p-51;
    const double fp64_values[4] = { a, b, a + b, a * b };
    if (info->fp64_advertised) CLGRAD_TRY(verdict(dev, fp64_probe, fp64_values, sizeof fp64_values, &info->fp64));
    if (info->fp16_advertised || dev->record.quirks & CLGRAD_QUIRK_TRY_FP16)
        CLGRAD_TRY(verdict(dev, fp16_probe, fp16_values, sizeof fp16_values, &info->fp16));
    return CLGRAD_OK;
}

/* The verdict holds for a driver on a device, and is kept in the cache on disk: "64", "16", both or neither. */
clgrad_status clgrad_device_probe(clgrad_device *dev)
{
    clgrad_device_info *info = &dev->record.info;
    clgrad_text key = { .ctx = dev->ctx };
    char *known, fresh[8];
    size_t bytes;
    clgrad_status status = CLGRAD_OK;
    clgrad_text_append(&key, "clgrad %s probe\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s", CLGRAD_VERSION, info->platform,
                       dev->record.platform_version, info->vendor, info->name, info->device_version, info->driver,
                       fp64_probe, fp16_probe);
    if (key.failed) {
        clgrad_text_release(&key);
        return CLGRAD_E_MEMORY;
    }
    if (clgrad_cache_get(&dev->cache, &key, &known, &bytes)) {
        info->fp64 = strstr(known, "64") != NULL;
        info->fp16 = strstr(known, "16") != NULL;
    } else {
        status = probe(dev);
        if (!status) {
            const int length = snprintf(fresh, sizeof fresh, "%s%s", info->fp64 ? "64" : "", info->fp16 ? "16" : "");
            clgrad_cache_put(&dev->cache, &key, fresh, (size_t)length);
        }
    }
    info->probed = !status;
    clgrad_free(dev->ctx, known);
    clgrad_text_release(&key);
    return status;
}
