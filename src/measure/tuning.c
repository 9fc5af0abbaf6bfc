/* The tuning store as the public sees it, and a device's score. */

#include "clgrad/bench.h"
#include "clgrad/measure.h"
#include "device/device.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { ROUNDS = 3 };
static const uint64_t WORKING_SET = (uint64_t)64 << 20;

static clgrad_status measure_roof(clgrad_device *dev, clgrad_roof_kind kind, uint64_t working_set, double *rate)
{
    clgrad_roof *roof;
    clgrad_roof_result result = CLGRAD_ROOF_RESULT_INIT;
    CLGRAD_TRY(clgrad_roof_create(dev, kind, working_set, &roof));
    clgrad_status status = CLGRAD_OK;
    for (int i = 0; i < ROUNDS && status == CLGRAD_OK; i++) status = clgrad_roof_round(roof);
    clgrad_roof_get(roof, &result);
    *rate = result.best;
    clgrad_roof_release(&roof);
    return status;
}

clgrad_status clgrad_tune_device(clgrad_device *dev, double *score)
{
    char value[64];
    double flops, bytes;
    CLGRAD_TRY(measure_roof(dev, CLGRAD_ROOF_FMA_F32, 0, &flops));
    CLGRAD_TRY(measure_roof(dev, CLGRAD_ROOF_READ, WORKING_SET, &bytes));
    snprintf(value, sizeof value, "fma=%" PRIu64 " read=%" PRIu64, (uint64_t)(flops / 1e6), (uint64_t)(bytes / 1e6));
    *score = sqrt(flops / 1e6 * (bytes / 1e6));
    return clgrad_device_tune(dev, "score", value);
}

bool clgrad_tuning_get(const clgrad_device *dev, size_t i, const char **key, const char **value)
{
    *value = clgrad_device_tuned_row(dev, i, key);
    return *value != NULL;
}

clgrad_status clgrad_tuning_clear(clgrad_device *dev) { return clgrad_device_forget_tuning(dev); }
