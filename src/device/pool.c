/* Buffers and the pool behind them. The queue is in order, so memory may be given to a new owner while work of the old
 * one is still enqueued: what the new owner does comes later. */

#include "base/os.h"
#include "device/cl_device.h"

enum { SMALLEST_CLASS = 256 };

/* Four classes per power of two: at most a quarter of a block is lost, and sizes that vary a little share a class. */
static size_t size_class(const clgrad_device *dev, size_t bytes)
{
    size_t power = SMALLEST_CLASS, rounded;
    while (power <= bytes / 2) power *= 2;
    const size_t step = power / 4 > SMALLEST_CLASS ? power / 4 : SMALLEST_CLASS;
    if (!clgrad_round_up_size(bytes, step, &rounded) || rounded > dev->record.info.allocation_bytes) return bytes;
    return rounded;
}

static bool take_pooled(clgrad_pool *pool, size_t bytes, cl_mem *mem)
{
    for (size_t i = pool->count; i-- > 0;) {
        if (pool->blocks[i].bytes != bytes) continue;
        *mem = pool->blocks[i].mem;
        pool->blocks[i] = pool->blocks[--pool->count];
        pool->held_bytes -= bytes;
        return true;
    }
    return false;
}

/* Gives all pooled memory back to the driver. */
static void trim(clgrad_device *dev)
{
    clgrad_pool *pool = &dev->pool;
    for (size_t i = 0; i < pool->count; i++)
        if (clgrad_device_is_ours(dev)) dev->cl.ReleaseMemObject(pool->blocks[i].mem);
    pool->now_bytes -= pool->held_bytes;
    pool->held_bytes = 0;
    pool->count = 0;
}

void clgrad_pool_release(clgrad_device *dev)
{
    trim(dev);
    clgrad_free(dev->ctx, dev->pool.blocks);
    dev->pool.blocks = NULL, dev->pool.capacity = 0;
}

/* Memory that is the host's, in pages of 2 MiB where the system gives them for asking: what streams gains 3 to 40 %. */
static cl_int prefer_large_pages(clgrad_device *dev, cl_mem mem, size_t bytes)
{
    cl_int err = CL_SUCCESS;
    if (dev->record.info.kind != CLGRAD_DEVICE_CPU || bytes < CLGRAD_LARGE_PAGE) return err;
    void *host = dev->cl.EnqueueMapBuffer(dev->side_queue, mem, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0, bytes, 0, NULL, NULL, &err);
    if (err != CL_SUCCESS) return err;
    clgrad_os_prefer_large_pages(host, bytes);
    return dev->cl.EnqueueUnmapMemObject(dev->side_queue, mem, host, 0, NULL, NULL);
}

/* Make the driver find the memory now: some hand out addresses first and fail in the launch that touches them. In the
 * side queue, so that this waits for itself alone. */
static cl_int touch(clgrad_device *dev, cl_mem mem, size_t bytes)
{
    const cl_uchar zero = 0;
    cl_event event = NULL;
    if (dev->record.quirks & CLGRAD_QUIRK_NO_TOUCH) return CL_SUCCESS;
    cl_int err = prefer_large_pages(dev, mem, bytes);
    if (err != CL_SUCCESS) return err;
    err = dev->cl.EnqueueFillBuffer(dev->side_queue, mem, &zero, sizeof zero, 0, bytes, 0, NULL, &event);
    if (err != CL_SUCCESS) return err;
    err = dev->cl.WaitForEvents(1, &event);
    dev->cl.ReleaseEvent(event);
    return err;
}

static cl_int allocate(clgrad_device *dev, cl_mem_flags flags, size_t bytes, cl_mem *out)
{
    cl_int err = CL_SUCCESS;
    const cl_mem mem = dev->cl.CreateBuffer(dev->context, flags, bytes, NULL, &err);
    if (err == CL_SUCCESS) err = touch(dev, mem, bytes);
    if (err == CL_SUCCESS)
        *out = mem;
    else if (mem)
        dev->cl.ReleaseMemObject(mem);
    return err;
}

static clgrad_status get_fresh(clgrad_device *dev, cl_mem_flags flags, size_t bytes, cl_mem *out)
{
    clgrad_pool *pool = &dev->pool;
    cl_int err = allocate(dev, flags, bytes, out);
    if (err != CL_SUCCESS && pool->count > 0) {
        trim(dev);
        err = allocate(dev, flags, bytes, out);
    }
    if (err != CL_SUCCESS) {
        const clgrad_status status = clgrad_cl_refused(dev->ctx, err, "allocation", dev->record.info.name);
        if (status != CLGRAD_E_MEMORY) return status;
        return clgrad_fail(dev->ctx, status, "'%s' refused %zu bytes with %llu in use: %s (%d)", dev->record.info.name,
                           bytes, (unsigned long long)pool->now_bytes, clgrad_cl_error_name(err), (int)err);
    }
    pool->now_bytes += bytes;
    if (pool->now_bytes > pool->peak_bytes) pool->peak_bytes = pool->now_bytes;
    return CLGRAD_OK;
}

static clgrad_status get_memory(clgrad_device *dev, size_t bytes, cl_mem *out)
{
    /* Oclgrind takes memory that had another owner for never written, whatever is written to it: it gets fresh memory each time. */
    if (!(dev->record.quirks & CLGRAD_QUIRK_NO_TOUCH) && take_pooled(&dev->pool, bytes, out)) return CLGRAD_OK;
    return get_fresh(dev, CL_MEM_READ_WRITE, bytes, out);
}

static void return_memory(clgrad_device *dev, cl_mem mem, size_t bytes)
{
    if (clgrad_device_is_ours(dev)) dev->cl.ReleaseMemObject(mem);
    dev->pool.now_bytes -= bytes;
}

/* Keeps the memory if there is room in the pool's list and it holds less than an eighth of the device's memory. */
static void give_memory(clgrad_device *dev, cl_mem mem, size_t bytes)
{
    clgrad_pool *pool = &dev->pool;
    if (pool->count < pool->capacity && pool->held_bytes + bytes <= dev->record.info.memory_bytes / 8) {
        pool->blocks[pool->count++] = (clgrad_pool_block){ mem, bytes };
        pool->held_bytes += bytes;
        return;
    }
    return_memory(dev, mem, bytes);
}

static clgrad_status check_size(clgrad_device *dev, size_t bytes)
{
    CLGRAD_TRY(clgrad_device_check(dev));
    if (bytes == 0) return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "a buffer needs at least one byte");
    if (bytes > dev->record.info.allocation_bytes)
        return clgrad_fail(dev->ctx, CLGRAD_E_MEMORY, "%zu bytes are more than '%s' allows in one allocation (%llu)",
                           bytes, dev->record.info.name, (unsigned long long)dev->record.info.allocation_bytes);
    return CLGRAD_OK;
}

/* A buffer without memory; `finish` completes it once memory was found, or gives it up. */
static clgrad_status begin(clgrad_device *dev, size_t bytes, clgrad_buffer **out)
{
    CLGRAD_TRY(check_size(dev, bytes));
    *out = clgrad_alloc(dev->ctx, 1, sizeof **out);
    if (!*out) return CLGRAD_E_MEMORY;
    **out = (clgrad_buffer){ .refs = 1, .bytes = bytes };
    return CLGRAD_OK;
}

static clgrad_status finish(clgrad_device *dev, clgrad_status found, clgrad_buffer *buffer, clgrad_buffer **out)
{
    if (found) {
        clgrad_free(dev->ctx, buffer);
        return found;
    }
    buffer->dev = clgrad_device_retain(dev);
    *out = buffer;
    return CLGRAD_OK;
}

clgrad_status clgrad_buffer_create(clgrad_device *dev, size_t bytes, clgrad_buffer **out)
{
    clgrad_buffer *buffer = NULL;
    *out = NULL;
    CLGRAD_TRY(begin(dev, bytes, &buffer));
    buffer->class_bytes = size_class(dev, bytes);
    /* Releasing must not need memory, so the pool's list grows here; when it is full, memory goes back to the driver. */
    clgrad_status found = clgrad_reserve(dev->ctx, &dev->pool.blocks, &dev->pool.capacity, dev->pool.count + 64, sizeof *dev->pool.blocks);
    if (!found) found = get_memory(dev, buffer->class_bytes, &buffer->mem);
    return finish(dev, found, buffer, out);
}

clgrad_status clgrad_buffer_create_unpooled(clgrad_device *dev, cl_mem_flags flags, size_t bytes, clgrad_buffer **out)
{
    clgrad_buffer *buffer = NULL;
    *out = NULL;
    CLGRAD_TRY(begin(dev, bytes, &buffer));
    buffer->class_bytes = bytes, buffer->unpooled = true;
    return finish(dev, get_fresh(dev, CL_MEM_READ_WRITE | flags, bytes, &buffer->mem), buffer, out);
}

/* Of memory that is not the driver's: such a buffer holds nothing of the pool's. */
static clgrad_status create_lent(clgrad_device *dev, clgrad_block *block, size_t bytes, clgrad_buffer **out)
{
    cl_int err = CL_SUCCESS;
    clgrad_buffer *buffer = NULL;
    CLGRAD_TRY(begin(dev, bytes, &buffer));
    buffer->mem = dev->cl.CreateBuffer(dev->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, bytes, block->data, &err);
    if (err == CL_SUCCESS) buffer->lent = clgrad_block_retain(block);
    const clgrad_status found = err == CL_SUCCESS ? CLGRAD_OK : clgrad_cl_refused(dev->ctx, err, "clCreateBuffer", dev->record.info.name);
    return finish(dev, found, buffer, out);
}

static clgrad_status create_copy(clgrad_device *dev, const clgrad_block *block, size_t bytes, clgrad_buffer **out)
{
    clgrad_buffer *buffer = NULL;
    CLGRAD_TRY(clgrad_buffer_create(dev, bytes, &buffer));
    const clgrad_status status = clgrad_buffer_write(buffer, 0, block->data, bytes);
    if (status == CLGRAD_OK) *out = buffer;
    else clgrad_buffer_release(&buffer);
    return status;
}

clgrad_status clgrad_buffer_create_over(clgrad_device *dev, clgrad_block *block, size_t bytes, clgrad_buffer **out)
{
    *out = NULL;
    if (bytes > block->bytes) return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "a buffer of %zu bytes over %zu of the host's", bytes, block->bytes);
    const bool lends = dev->record.info.kind == CLGRAD_DEVICE_CPU && dev->record.shares_memory;
    return lends ? create_lent(dev, block, bytes, out) : create_copy(dev, block, bytes, out);
}

clgrad_buffer *clgrad_buffer_retain(clgrad_buffer *buffer)
{
    if (buffer) buffer->refs++;
    return buffer;
}

void clgrad_buffer_release(clgrad_buffer **address)
{
    clgrad_buffer *buffer = *address;
    *address = NULL;
    if (!buffer || --buffer->refs > 0) return;
    clgrad_device *dev = buffer->dev;
    const bool done = buffer->lent && clgrad_device_is_done(dev);
    if (buffer->unpooled)
        return_memory(dev, buffer->mem, buffer->class_bytes);
    else if (buffer->class_bytes)
        give_memory(dev, buffer->mem, buffer->class_bytes);
    else if (clgrad_device_is_ours(dev))
        dev->cl.ReleaseMemObject(buffer->mem);
    /* What a lost driver may still read is left to it. */
    if (done) clgrad_block_release(&buffer->lent);
    clgrad_free(dev->ctx, buffer);
    clgrad_device_release(&dev);
}

size_t clgrad_buffer_bytes(const clgrad_buffer *buffer) { return buffer->bytes; }

clgrad_device *clgrad_buffer_device(const clgrad_buffer *buffer) { return buffer->dev; }
