/* What tuning means for an opened device: values under keys, and which of them its plans used that change bits. */

#include "device/cl_device.h"

bool clgrad_device_is_tuned(const clgrad_device *dev) { return clgrad_tuning_knows(&dev->tuning); }

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

clgrad_status clgrad_device_forget_tuning(clgrad_device *dev)
{
    clgrad_tuning there;
    clgrad_kept_error kept;
    clgrad_error_keep(dev->ctx, &kept);
    const clgrad_status status = clgrad_tuning_read(dev->ctx, &there);
    clgrad_tuning_close(&there);
    if (status != CLGRAD_E_FILE || dev->tuning.off) return status == CLGRAD_OK ? clgrad_device_tune(dev, NULL, NULL) : status;
    clgrad_error_put_back(dev->ctx, &kept);
    clgrad_tuning_close(&dev->tuning);
    return clgrad_tuning_remove(dev->ctx);
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
