/* Opening, describing and releasing a device; what every call of the room checks first. */

#include "base/os.h"
#include "device/cl_device.h"
#include "device/list.h"

bool clgrad_device_is_ours(const clgrad_device *dev) { return dev->pid == clgrad_os_pid(); }

clgrad_status clgrad_device_check(clgrad_device *dev)
{
    if (!clgrad_device_is_ours(dev))
        return clgrad_fail(dev->ctx, CLGRAD_E_FORKED,
                           "device '%s' was opened before fork() and cannot be used in the child; open it there",
                           dev->record.info.name);
    if (dev->lost)
        return clgrad_fail(dev->ctx, CLGRAD_E_DEVICE_LOST,
                           "device '%s' was lost; reload the last checkpoint on a fresh context", dev->record.info.name);
    return CLGRAD_OK;
}

static clgrad_status report(clgrad_device *dev, bool lost, cl_int code, const char *call, const char *what)
{
    if (lost) dev->lost = true;
    return clgrad_fail(dev->ctx, lost ? CLGRAD_E_DEVICE_LOST : CLGRAD_E_DEVICE, "%s of %s on '%s' returned %s (%d)%s",
                       call, what, dev->record.info.name, clgrad_cl_error_name(code), (int)code,
                       lost ? "; the device is lost" : "");
}

/* At an enqueue, CL_OUT_OF_RESOURCES may only mean a launch too large, so it does not condemn the device. */
clgrad_status clgrad_device_enqueue_failed(clgrad_device *dev, cl_int code, const char *call, const char *what)
{
    const bool lost = code == CL_DEVICE_NOT_AVAILABLE || code == CL_INVALID_COMMAND_QUEUE || code == CL_INVALID_CONTEXT;
    return report(dev, lost, code, call, what);
}

/* After enqueued work failed (a watchdog reset, a bad access) drivers may hang in any later call. -9999 is NVIDIA's
 * undocumented code for an illegal access. */
clgrad_status clgrad_device_wait_failed(clgrad_device *dev, cl_int code, const char *call, const char *what)
{
    const bool lost = code == CL_DEVICE_NOT_AVAILABLE || code == CL_INVALID_COMMAND_QUEUE || code == CL_INVALID_CONTEXT ||
                      code == CL_OUT_OF_RESOURCES || code == -9999 ||
                      (code == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST && !dev->waits_for_others);
    return report(dev, lost, code, call, what);
}

clgrad_status clgrad_device_begin(clgrad_context *ctx, const clgrad_device_options *options, clgrad_device **out)
{
    *out = NULL;
    const clgrad_device_options defaults = CLGRAD_DEVICE_OPTIONS_INIT;
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "device options of %zu bytes are not of this library's version",
                           options->struct_size);
    clgrad_device *dev = clgrad_alloc(ctx, 1, sizeof *dev);
    if (!dev) return CLGRAD_E_MEMORY;
    dev->refs = 1;
    dev->ctx = clgrad_context_retain(ctx);
    dev->pid = clgrad_os_pid();
    dev->profiling = options->profiling;
    dev->unfused = options->unfused;
    dev->cache.dir = -1;
    dev->tuning.ctx = dev->choices.ctx = ctx;
    *out = dev;
    return CLGRAD_OK;
}

clgrad_status clgrad_device_open_context(clgrad_device *dev)
{
    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)dev->record.platform, 0 };
    cl_int err = CL_SUCCESS;
    dev->context = dev->cl.CreateContext(properties, 1, &dev->record.id, NULL, NULL, &err);
    return err == CL_SUCCESS ? CLGRAD_OK : clgrad_cl_refused(dev->ctx, err, "clCreateContext", dev->record.info.name);
}

static clgrad_status make_queue(clgrad_device *dev, cl_command_queue_properties properties, cl_command_queue *out)
{
    cl_int err = CL_SUCCESS;
    *out = dev->cl.CreateCommandQueue(dev->context, dev->record.id, properties, &err);
    return err == CL_SUCCESS ? CLGRAD_OK
                             : clgrad_cl_refused(dev->ctx, err, "clCreateCommandQueue", dev->record.info.name);
}

clgrad_status clgrad_device_open_queue(clgrad_device *dev)
{
    return make_queue(dev, dev->profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &dev->queue);
}

clgrad_status clgrad_device_open_upload_queue(clgrad_device *dev)
{
    return dev->upload_queue ? CLGRAD_OK : make_queue(dev, 0, &dev->upload_queue);
}

/* The probe runs in the side queue, so that a caller's queue sees nothing of it and cannot hold it up. */
clgrad_status clgrad_device_complete(clgrad_device *dev)
{
    CLGRAD_TRY(make_queue(dev, 0, &dev->side_queue));
    clgrad_cache_open(dev->ctx, &dev->cache);
    CLGRAD_TRY(clgrad_tuning_open(dev->ctx, &dev->tuning));
    const cl_command_queue main_queue = dev->queue;
    dev->queue = dev->side_queue;
    const clgrad_status status = clgrad_device_probe(dev);
    clgrad_transfers_release(dev);
    dev->queue = main_queue;
    return status;
}

/* Takes the chosen record out of the list. */
static clgrad_status choose(clgrad_device *dev, const char *selector)
{
    clgrad_device_list *list;
    size_t index = 0;
    const char *reason;
    CLGRAD_TRY(clgrad_device_list_create(dev->ctx, &list));
    const clgrad_status status = clgrad_device_list_select(list, selector, &index, &reason);
    if (!status) {
        dev->cl = list->cl;
        dev->record = list->records[index];
        list->records[index] = (clgrad_record){ 0 };
        clgrad_log_line(dev->ctx, CLGRAD_LOG_INFO, "device", "'%s' of platform '%s': %s", dev->record.info.name,
                   dev->record.info.platform, reason);
    }
    clgrad_device_list_release(&list);
    return status;
}

clgrad_status clgrad_device_open(clgrad_context *ctx, const clgrad_device_options *options, clgrad_device **out)
{
    clgrad_device *dev;
    *out = NULL;
    CLGRAD_TRY(clgrad_device_begin(ctx, options, &dev));
    clgrad_status status = choose(dev, options ? options->selector : NULL);
    if (!status) status = clgrad_device_open_context(dev);
    if (!status) status = clgrad_device_open_queue(dev);
    if (!status) status = clgrad_device_complete(dev);
    if (status)
        clgrad_device_release(&dev);
    else
        *out = dev;
    return status;
}

clgrad_device *clgrad_device_retain(clgrad_device *dev)
{
    if (dev) dev->refs++;
    return dev;
}

void clgrad_device_release(clgrad_device **address)
{
    clgrad_device *dev = *address;
    *address = NULL;
    if (!dev || --dev->refs > 0) return;
    clgrad_context *ctx = dev->ctx;
    clgrad_profile_release(dev);
    clgrad_transfers_release(dev);
    clgrad_programs_store(dev);
    clgrad_programs_release(dev);
    clgrad_cache_close(&dev->cache);
    clgrad_tuning_close(&dev->tuning);
    clgrad_text_release(&dev->choices);
    clgrad_pool_release(dev);
    if (clgrad_device_is_ours(dev)) {
        if (dev->side_queue) dev->cl.ReleaseCommandQueue(dev->side_queue);
        if (dev->upload_queue) dev->cl.ReleaseCommandQueue(dev->upload_queue);
        if (dev->queue) dev->cl.ReleaseCommandQueue(dev->queue);
        if (dev->context) dev->cl.ReleaseContext(dev->context);
    }
    clgrad_record_release(ctx, &dev->record);
    clgrad_free(ctx, dev);
    clgrad_context_release(&ctx);
}

const clgrad_device_info *clgrad_device_get_info(const clgrad_device *dev) { return &dev->record.info; }

clgrad_context *clgrad_device_get_context(const clgrad_device *dev) { return dev->ctx; }

bool clgrad_device_fused(const clgrad_device *dev) { return dev->record.info.fma && !dev->unfused; }

void clgrad_device_memory(const clgrad_device *dev, uint64_t *now_bytes, uint64_t *peak_bytes)
{
    if (now_bytes) *now_bytes = dev->pool.now_bytes;
    if (peak_bytes) *peak_bytes = dev->pool.peak_bytes;
}

clgrad_status clgrad_device_finish(clgrad_device *dev)
{
    CLGRAD_TRY(clgrad_device_check(dev));
    const cl_int err = dev->cl.Finish(dev->queue);
    if (err != CL_SUCCESS) return clgrad_device_wait_failed(dev, err, "clFinish", "the queue");
    clgrad_programs_store(dev);
    return CLGRAD_OK;
}
