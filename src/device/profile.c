/* Launch times, and writing them as a Chrome trace. */

#include "base/os.h"
#include "device/cl_device.h"

#include <math.h>

/* Drivers slow down with many living events, so times are fetched whenever this many launches have gathered. */
enum { UNSETTLED_LAUNCHES = 4096 };

static void fetch_times(clgrad_device *dev, clgrad_launch_record *launch)
{
    const struct {
        cl_profiling_info what;
        cl_ulong *time;
    } times[] = { { CL_PROFILING_COMMAND_QUEUED, &launch->queued },
                  { CL_PROFILING_COMMAND_START, &launch->start },
                  { CL_PROFILING_COMMAND_END, &launch->end } };
    for (size_t i = 0; i < CLGRAD_COUNT(times); i++)
        dev->cl.GetEventProfilingInfo(launch->event, times[i].what, sizeof(cl_ulong), times[i].time, NULL);
    dev->cl.ReleaseEvent(launch->event);
    launch->event = NULL;
}

static void settle(clgrad_device *dev)
{
    while (dev->launches_settled < dev->num_launches) fetch_times(dev, &dev->launches[dev->launches_settled++]);
}

void clgrad_profile_add(clgrad_device *dev, cl_event taken, const char *label)
{
    if (dev->num_launches - dev->launches_settled >= UNSETTLED_LAUNCHES && dev->cl.Finish(dev->queue) == CL_SUCCESS)
        settle(dev);
    clgrad_kept_error kept;
    clgrad_error_keep(dev->ctx, &kept);
    char *copy = clgrad_strdup(dev->ctx, label);
    if (!copy || clgrad_reserve(dev->ctx, &dev->launches, &dev->launches_capacity, dev->num_launches + 1,
                                sizeof *dev->launches)) {
        clgrad_free(dev->ctx, copy); /* the launch itself was fine; the profile misses one line */
        clgrad_error_put_back(dev->ctx, &kept);
        dev->cl.ReleaseEvent(taken);
        return;
    }
    dev->launches[dev->num_launches++] = (clgrad_launch_record){ .event = taken, .label = copy };
}

bool clgrad_device_profiles(const clgrad_device *dev) { return dev->profiling; }
size_t clgrad_device_num_timed(const clgrad_device *dev) { return dev->num_launches; }

clgrad_status clgrad_device_timed_seconds(clgrad_device *dev, size_t i, double *seconds)
{
    *seconds = NAN;
    if (i >= dev->num_launches)
        return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "the time of launch %zu was asked for, %zu were kept", i, dev->num_launches);
    if (i >= dev->launches_settled) {
        CLGRAD_TRY(clgrad_device_finish(dev));
        settle(dev);
    }
    const clgrad_launch_record *launch = &dev->launches[i];
    if (launch->end > launch->start) *seconds = (double)(launch->end - launch->start) * 1e-9;
    return CLGRAD_OK;
}

void clgrad_profile_release(clgrad_device *dev)
{
    for (size_t i = 0; i < dev->num_launches; i++) {
        if (dev->launches[i].event && clgrad_device_is_ours(dev)) dev->cl.ReleaseEvent(dev->launches[i].event);
        clgrad_free(dev->ctx, dev->launches[i].label);
    }
    clgrad_free(dev->ctx, dev->launches);
    dev->launches = NULL, dev->num_launches = 0;
}

static void append_json_string(clgrad_text *out, const char *text)
{
    clgrad_text_append(out, "\"");
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            clgrad_text_append(out, "\\%c", c);
        else if (c < 0x20)
            clgrad_text_append(out, "\\u%04x", c);
        else
            clgrad_text_append_bytes(out, text, 1);
    }
    clgrad_text_append(out, "\"");
}

/* Nanoseconds as microseconds with three decimals, without the locale's decimal point. */
static void append_us(clgrad_text *out, const char *key, cl_ulong ns)
{
    clgrad_text_append(out, ",\"%s\":%llu.%03u", key, (unsigned long long)(ns / 1000), (unsigned)(ns % 1000));
}

static void append_launch(clgrad_text *out, const clgrad_launch_record *launch, cl_ulong zero)
{
    clgrad_text_append(out, ",\n{\"ph\":\"X\",\"pid\":0,\"tid\":0,\"name\":");
    append_json_string(out, launch->label);
    append_us(out, "ts", launch->start - zero);
    append_us(out, "dur", launch->end > launch->start ? launch->end - launch->start : 0);
    clgrad_text_append(out, ",\"args\":{\"queued_ns\":%llu}}",
                       (unsigned long long)(launch->start > launch->queued ? launch->start - launch->queued : 0));
}

clgrad_status clgrad_device_write_trace(clgrad_device *dev, const char *path)
{
    if (!dev->profiling)
        return clgrad_fail(dev->ctx, CLGRAD_E_ARG, "a trace needs a device opened with `profiling`");
    CLGRAD_TRY(clgrad_device_finish(dev));
    settle(dev);
    cl_ulong zero = dev->num_launches ? dev->launches[0].start : 0;
    for (size_t i = 1; i < dev->num_launches; i++)
        if (dev->launches[i].start < zero) zero = dev->launches[i].start;
    clgrad_text out = { .ctx = dev->ctx };
    clgrad_text_append(&out, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":0,\"name\":\"process_name\","
                             "\"args\":{\"name\":");
    append_json_string(&out, dev->record.info.name);
    clgrad_text_append(&out, "}}");
    for (size_t i = 0; i < dev->num_launches; i++) append_launch(&out, &dev->launches[i], zero);
    clgrad_text_append(&out, "\n]}\n");
    const clgrad_status status = out.failed ? CLGRAD_E_MEMORY : clgrad_os_write_file_atomic(dev->ctx, path, out.data, out.bytes);
    clgrad_text_release(&out);
    return status;
}
