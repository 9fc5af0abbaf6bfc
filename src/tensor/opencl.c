/* Tensors over a caller's cl_mem. */

#include "clgrad/opencl.h"
#include "device/cl_device.h"
#include "tensor/tensor.h"

clgrad_status clgrad_tensor_adopt(clgrad_device *dev, cl_mem mem, size_t byte_offset, clgrad_dtype dtype,
                                  clgrad_shape shape, clgrad_tensor **out)
{
    const size_t element = clgrad_dtype_bytes(dtype);
    clgrad_buffer *buffer;
    *out = NULL;
    if (element && byte_offset % element)
        return clgrad_fail(clgrad_device_get_context(dev), CLGRAD_E_ARG,
                           "adopting a cl_mem: byte offset %zu is not a multiple of the size of %s", byte_offset,
                           clgrad_dtype_name(dtype));
    CLGRAD_TRY(clgrad_buffer_adopt(dev, mem, &buffer));
    const clgrad_status status =
        clgrad_tensor_over(buffer, element ? (int64_t)(byte_offset / element) : 0, dtype, shape, out);
    clgrad_buffer_release(&buffer);
    return status;
}

cl_mem clgrad_tensor_get_cl_mem(const clgrad_tensor *t, size_t *byte_offset)
{
    if (byte_offset) *byte_offset = (size_t)t->offset * clgrad_dtype_bytes(t->dtype);
    return clgrad_buffer_get_cl_mem(t->buffer);
}
