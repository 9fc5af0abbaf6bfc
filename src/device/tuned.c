/* What tuning means for an opened device: values under keys, and which of them its plans used that change bits. */

#include "device/cl_device.h"

const char *clgrad_device_tuned(const clgrad_device *dev, const char *key, const char **from)
{
    return clgrad_tuning_find(&dev->tuning, &dev->record.info, key, from);
}

clgrad_status clgrad_device_tune(clgrad_device *dev, const char *key, const char *value)
{
    char section[CLGRAD_TUNING_SECTION];
    clgrad_tuning_section(&dev->record.info, section);
    return clgrad_tuning_put(&dev->tuning, &(clgrad_tuning_row){ section, key, value });
}

const char *clgrad_device_tuned_row(const clgrad_device *dev, size_t i, const char **key)
{
    char section[CLGRAD_TUNING_SECTION];
    clgrad_tuning_section(&dev->record.info, section);
    for (size_t r = 0; r < dev->tuning.count; r++) {
        if (strcmp(dev->tuning.rows[r].section, section) != 0 || i-- > 0) continue;
        *key = dev->tuning.rows[r].key;
        return dev->tuning.rows[r].value;
    }
    return NULL;
}

clgrad_status clgrad_device_note_choice(clgrad_device *dev, const char *choice)
{
    if (strstr(clgrad_device_choices(dev), choice)) return CLGRAD_OK;
    clgrad_text_append(&dev->choices, "%s%s", dev->choices.bytes ? ", " : "", choice);
    const bool failed = dev->choices.failed;
    dev->choices.failed = false;
    return failed ? CLGRAD_E_MEMORY : CLGRAD_OK;
}

const char *clgrad_device_choices(const clgrad_device *dev) { return dev->choices.data ? dev->choices.data : ""; }
