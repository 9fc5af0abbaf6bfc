/* Timing of work by the host's clock, in batches that the finish at their end does not show in, held against the device's
 * clock. */

#include "base/os.h"
#include "clgrad/bench.h"
#include "device/device.h"

#include <stdio.h>

static const double clock_tolerance = 0.1, clock_shortest_ns = 5e6;
static const double long_run = 0.25; /* seconds of one run from which on fewer are made */

typedef struct stopwatch {
    clgrad_device *dev;
    clgrad_work work;
    void *user;
} stopwatch;

/* Seconds that a batch takes, the wait for it included. */
static clgrad_status time_batch(const stopwatch *w, size_t batch, double *seconds)
{
    const double begin = clgrad_os_seconds();
    CLGRAD_TRY(w->work(w->user, batch));
    CLGRAD_TRY(clgrad_device_finish(w->dev));
    *seconds = clgrad_os_seconds() - begin;
    return CLGRAD_OK;
}

/* Runs until warm_seconds are over and batches last sample_seconds. */
static clgrad_status warm_up(const stopwatch *w, const clgrad_timing_options *o, clgrad_timing *out)
{
    enum { FEWEST = 3, MOST_RUNS = 1 << 20 };
    const double end = clgrad_os_seconds() + o->warm_seconds;
    double seconds;
    CLGRAD_TRY(time_batch(w, 1, &seconds)); /* programs are built, memory is touched */
    out->warmups = 1;
    out->batch = 1;
    do {
        CLGRAD_TRY(time_batch(w, out->batch, &seconds));
        out->warmups += out->batch;
        if (seconds < o->sample_seconds && out->batch < MOST_RUNS) {
            const double wanted = o->sample_seconds / (seconds > 1e-9 ? seconds : 1e-9) * (double)out->batch * 1.1;
            const size_t most = out->batch * 8;
            out->batch = wanted > (double)most ? most : (size_t)wanted + 1;
        }
    } while (seconds < long_run && (clgrad_os_seconds() < end || out->warmups < FEWEST ||
                                    (seconds < 0.5 * o->sample_seconds && out->batch < MOST_RUNS)));
    return CLGRAD_OK;
}

static bool quiet(clgrad_context *ctx, const clgrad_timing_options *o, clgrad_timing *out)
{
    return out->count >= 20 && clgrad_spread_of(ctx, out->samples_ns, out->count, &out->spread) == CLGRAD_OK &&
           out->spread.mad < o->noise * out->spread.median;
}

static clgrad_status take_samples(const stopwatch *w, const clgrad_timing_options *o, double seconds, size_t most,
                                  clgrad_timing *out)
{
    const double end = clgrad_os_seconds() + seconds, used = clgrad_os_processor_seconds();
    enum { LEAST_OF_LONG = 2 };
    const size_t first = out->count;
    size_t least = o->min_samples;
    while (out->count < most && (out->count - first < least || clgrad_os_seconds() < end)) {
        double taken;
        CLGRAD_TRY(time_batch(w, out->batch, &taken));
        if (taken > long_run && least > LEAST_OF_LONG) least = LEAST_OF_LONG;
        out->samples_ns[out->count++] = taken * 1e9 / (double)out->batch;
        if (quiet(clgrad_device_get_context(w->dev), o, out)) break;
    }
    out->processor_ns += (clgrad_os_processor_seconds() - used) * 1e9; /* of all runs, until the last sample is in */
    return CLGRAD_OK;
}

bool clgrad_clock_check(uint64_t begin_ns, uint64_t end_ns, double host_ns, char *text, size_t bytes)
{
    const double event_ns = end_ns > begin_ns ? (double)(end_ns - begin_ns) : 0;
    text[0] = '\0';
    if (begin_ns == 0 || end_ns == 0)
        snprintf(text, bytes, "host clock: the device's event clock reads zero");
    else if (end_ns < begin_ns)
        snprintf(text, bytes, "host clock: the device's event clock runs backwards");
    else if (event_ns == 0)
        snprintf(text, bytes, "host clock: the device's event clock stands still");
    else if (host_ns > clock_shortest_ns &&
             (event_ns < host_ns * (1 - clock_tolerance) || event_ns > host_ns * (1 + clock_tolerance)))
        snprintf(text, bytes, "host clock: the device's event clock shows %.3g times its time", event_ns / host_ns);
    if (text[0]) return false;
    snprintf(text, bytes, "host and event clocks agree");
    return true;
}

/* A batch by both clocks. */
static clgrad_status time_by_both(const stopwatch *w, size_t batch, clgrad_timing *out)
{
    clgrad_span *span;
    clgrad_span_times times;
    CLGRAD_TRY(clgrad_span_begin(w->dev, &span));
    clgrad_status status = clgrad_device_finish(w->dev); /* the first mark is over: both clocks start here */
    const double begin = clgrad_os_seconds();
    if (!status) status = w->work(w->user, batch);
    CLGRAD_TRY(clgrad_span_end(&span, status, &times));
    out->host_ns = (clgrad_os_seconds() - begin) * 1e9;
    out->event_ns = (double)times.end_ns - (double)times.begin_ns;
    out->clocks_agree = clgrad_clock_check(times.begin_ns, times.end_ns, out->host_ns, out->timer, sizeof out->timer);
    return CLGRAD_OK;
}

/* A clock that lies does so over any stretch; on a busy machine the host may see the end of a short one late. So what disagrees
 * is tried again over twice the time, up to a length at which lateness does not show, and what was too short to be compared as
 * well. */
static clgrad_status cross_check(const stopwatch *w, clgrad_timing *out)
{
    enum { MOST = 1 << 24 };
    const double wanted = 1.5 * clock_shortest_ns / (double)out->batch / out->spread.median, longest_ns = 1e8;
    size_t batch = out->batch * (wanted > 1 ? (size_t)wanted + 1 : 1);
    do {
        CLGRAD_TRY(time_by_both(w, batch, out));
        batch *= 2;
    } while (batch <= MOST && (out->host_ns <= clock_shortest_ns || (!out->clocks_agree && out->host_ns < longest_ns)));
    return CLGRAD_OK;
}

static clgrad_status check_options(clgrad_context *ctx, const clgrad_timing_options *o, const clgrad_timing *out)
{
    if (o->struct_size != sizeof *o || out->struct_size != sizeof *out)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "timing options or results of another library version");
    if (!(o->seconds >= 0 && o->warm_seconds >= 0 && o->sample_seconds > 0) || o->min_samples == 0 ||
        o->max_samples < o->min_samples || o->max_samples > CLGRAD_MAX_SAMPLES)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "timing: seconds must not be negative, samples must be 1..%d",
                           CLGRAD_MAX_SAMPLES);
    return CLGRAD_OK;
}

clgrad_status clgrad_time_work(clgrad_device *dev, clgrad_work work, void *user, const clgrad_timing_options *options,
                               clgrad_timing *out)
{
    const clgrad_timing_options defaults = CLGRAD_TIMING_OPTIONS_INIT, *o = options ? options : &defaults;
    const stopwatch w = { dev, work, user };
    CLGRAD_TRY(check_options(clgrad_device_get_context(dev), o, out));
    out->count = 0;
    out->processor_ns = 0;
    CLGRAD_TRY(warm_up(&w, o, out));
    for (size_t part = 1; part <= 2; part++) {
        if (o->roof) CLGRAD_TRY(clgrad_roof_round(o->roof));
        CLGRAD_TRY(take_samples(&w, o, o->seconds / 2, o->max_samples * part / 2, out));
    }
    if (o->roof) CLGRAD_TRY(clgrad_roof_round(o->roof));
    const bool in_process = clgrad_device_get_info(dev)->kind == CLGRAD_DEVICE_CPU;
    out->processor_ns = in_process ? out->processor_ns / (double)(out->count * out->batch) : 0;
    CLGRAD_TRY(clgrad_spread_of(clgrad_device_get_context(dev), out->samples_ns, out->count, &out->spread));
    return cross_check(&w, out);
}
