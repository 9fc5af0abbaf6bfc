/* CLBlast alone, with its own parameters for the device: products, axpy as the SGD update, sums.
 * The device is the first one whose name contains CLGRAD_DEVICE, or the first of all. */
#include "worker.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <clblast_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_mem x, y, out;
} cl;

static bool matches(cl_device_id device)
{
    const char *wanted = getenv("CLGRAD_DEVICE");
    char name[256] = "";
    clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof name, name, NULL);
    return !wanted || strstr(name, wanted) != NULL;
}

static bool find_device(void)
{
    cl_platform_id platforms[16];
    cl_device_id devices[16];
    cl_uint num_platforms = 0, num_devices;
    clGetPlatformIDs(16, platforms, &num_platforms);
    for (cl_uint p = 0; p < num_platforms && p < 16; ++p) {
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 16, devices, &num_devices) != CL_SUCCESS) continue;
        for (cl_uint d = 0; d < num_devices && d < 16; ++d) {
            if (!matches(devices[d])) continue;
            cl.device = devices[d];
            return true;
        }
    }
    return false;
}

static const char *mode(const struct row *row)
{
    return row->kind == MATMUL ? "CLBlastSgemm" : row->kind == AXPY ? "CLBlastSaxpy" : "CLBlastSsum";
}

static void release(cl_mem *buffer)
{
    if (*buffer) clReleaseMemObject(*buffer);
    *buffer = NULL;
}

static void close_row(void)
{
    release(&cl.x);
    release(&cl.y);
    release(&cl.out);
}

static cl_mem buffer(const float *values, size_t count)
{
    if (count == 0) return NULL;
    return clCreateBuffer(cl.context, CL_MEM_READ_WRITE | (values ? CL_MEM_COPY_HOST_PTR : 0), count * sizeof *values, (void *)values, NULL);
}

static const char *open_row(const struct row *row, const float *x, const float *y)
{
    close_row();
    cl.x = buffer(x, row_x_count(row));
    cl.y = buffer(y, row_y_count(row));
    cl.out = buffer(NULL, row_out_count(row));
    return cl.x && (cl.y || row_y_count(row) == 0) && cl.out ? NULL : "no device memory";
}

static CLBlastStatusCode once(const struct row *row)
{
    if (row->kind == AXPY) return CLBlastSaxpy(row->n, -LEARNING_RATE, cl.x, 0, 1, cl.y, 0, 1, &cl.queue, NULL);
    if (row->kind == SUM) return CLBlastSsum(row->n, cl.out, 0, cl.x, 0, 1, &cl.queue, NULL);
    return CLBlastSgemm(CLBlastLayoutRowMajor, row->a_transposed ? CLBlastTransposeYes : CLBlastTransposeNo,
                        row->b_transposed ? CLBlastTransposeYes : CLBlastTransposeNo, row->m, row->n, row->k, 1.0f,
                        cl.x, 0, row->a_transposed ? row->m : row->k, cl.y, 0, row->b_transposed ? row->k : row->n, 0.0f,
                        cl.out, 0, row->n, &cl.queue, NULL);
}

static bool run(const struct row *row, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (once(row) != CLBlastSuccess) return false;
    return clFinish(cl.queue) == CL_SUCCESS;
}

static bool result(const struct row *row, float *out)
{
    cl_mem from = row->kind == AXPY ? cl.y : cl.out;
    return clEnqueueReadBuffer(cl.queue, from, CL_TRUE, 0, row_out_count(row) * sizeof *out, out, 0, NULL, NULL) == CL_SUCCESS;
}

int main(void)
{
    static const struct peer peer = { "CLBlast", mode, open_row, run, result, close_row };
    char name[256] = "", driver[128] = "", about[768];
    cl_uint units = 0;
    cl_int error = CL_SUCCESS;
    if (!find_device()) return worker_absent("CLBlast", "no OpenCL device");
    clGetDeviceInfo(cl.device, CL_DEVICE_NAME, sizeof name, name, NULL);
    clGetDeviceInfo(cl.device, CL_DRIVER_VERSION, sizeof driver, driver, NULL);
    clGetDeviceInfo(cl.device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    cl.context = clCreateContext(NULL, 1, &cl.device, NULL, NULL, &error);
    if (error == CL_SUCCESS) cl.queue = clCreateCommandQueue(cl.context, cl.device, 0, &error);
    if (error != CL_SUCCESS) return worker_absent("CLBlast", "the OpenCL device gives no queue");
    snprintf(about, sizeof about, "\"version\": \"%d.%d.%d\", \"threads\": %u, \"core\": \"own kernels, driver %s\", \"device\": \"%s\"",
             CLBLAST_VERSION_MAJOR, CLBLAST_VERSION_MINOR, CLBLAST_VERSION_PATCH, units, driver, name);
    return worker_serve(&peer, about);
}
