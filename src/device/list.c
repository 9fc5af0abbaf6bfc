/* Finding devices: every platform's usable devices, each physical device once, best first. */

#include "device/list.h"

enum { MAX_PLATFORMS = 64, MAX_DEVICES = 256 };

static int kind_rank(clgrad_device_kind kind)
{
    return kind == CLGRAD_DEVICE_GPU ? 0 : kind == CLGRAD_DEVICE_OTHER ? 1 : 2;
}

static uint64_t raw_speed(const clgrad_device_info *info)
{
    return (uint64_t)info->compute_units * (info->clock_mhz ? info->clock_mhz : 1);
}

static bool better(const clgrad_device_info *a, const clgrad_device_info *b)
{
    if (a->kind != b->kind) return kind_rank(a->kind) < kind_rank(b->kind);
    return raw_speed(a) > raw_speed(b);
}

static void sort_best_first(clgrad_device_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        const clgrad_record moved = list->records[i];
        size_t at = i;
        for (; at > 0 && better(&moved.info, &list->records[at - 1].info); at--)
            list->records[at] = list->records[at - 1];
        list->records[at] = moved;
    }
    for (size_t i = 0; i < list->count; i++) list->records[i].info.index = (int)i;
}

/* Two platforms may show one device; two devices of one platform are two. */
static bool same_device(const clgrad_device_info *a, const clgrad_device_info *b)
{
    if (a->platform_index == b->platform_index) return false;
    return (*a->uuid && strcmp(a->uuid, b->uuid) == 0) || (*a->pci && strcmp(a->pci, b->pci) == 0);
}

/* Of one device under two platforms the one that offers more; the platform listed first where they are equal. */
static bool offers_more(const clgrad_device_info *a, const clgrad_device_info *b)
{
    if (a->fp64_advertised != b->fp64_advertised) return a->fp64_advertised;
    if (a->fp16_advertised != b->fp16_advertised) return a->fp16_advertised;
    return strcmp(a->c_version, b->c_version) > 0;
}

static clgrad_status note_other_platform(clgrad_context *ctx, clgrad_record *kept, const clgrad_record *other)
{
    const char *known = kept->info.also_known, *more = other->info.also_known;
    char *text = clgrad_format(ctx, "%s%s%s%s%s", known, *known ? ", " : "", other->info.platform, *more ? ", " : "",
                               more);
    if (!text) return CLGRAD_E_MEMORY;
    const clgrad_status status = clgrad_record_set_text(ctx, kept, &kept->info.also_known, text);
    clgrad_free(ctx, text);
    return status;
}

/* Takes over the record, whatever it returns. */
static clgrad_status add_record(clgrad_device_list *list, clgrad_record *fresh)
{
    for (size_t i = 0; i < list->count; i++) {
        clgrad_record *kept = &list->records[i];
        if (!same_device(&kept->info, &fresh->info)) continue;
        if (offers_more(&fresh->info, &kept->info)) {
            const clgrad_record exchanged = *kept;
            *kept = *fresh, *fresh = exchanged;
        }
        const clgrad_status status = note_other_platform(list->ctx, kept, fresh);
        clgrad_record_release(list->ctx, fresh);
        return status;
    }
    const clgrad_status status =
        clgrad_reserve(list->ctx, &list->records, &list->capacity, list->count + 1, sizeof *list->records);
    if (status)
        clgrad_record_release(list->ctx, fresh);
    else
        list->records[list->count++] = *fresh;
    return status;
}

/* A driver that refuses a query loses this device, not the others. */
static clgrad_status add_device(clgrad_device_list *list, cl_platform_id platform, cl_device_id id, int platform_index,
                                int device_index)
{
    clgrad_record record;
    const char *unusable;
    clgrad_kept_error kept;
    clgrad_error_keep(list->ctx, &kept);
    const clgrad_status status = clgrad_record_query(list->ctx, &list->cl, platform, id, &record, &unusable);
    if (status == CLGRAD_E_MEMORY) return status;
    const char *between = list->skipped.bytes ? "; " : "";
    if (status) {
        clgrad_text_append(&list->skipped, "%sdevice %d:%d: %s", between, platform_index, device_index,
                           clgrad_error_text(list->ctx));
        clgrad_error_put_back(list->ctx, &kept);
        return CLGRAD_OK;
    }
    if (unusable) {
        clgrad_text_append(&list->skipped, "%s'%s' of platform '%s': %s", between, record.info.name,
                           record.info.platform, unusable);
        clgrad_record_release(list->ctx, &record);
        return CLGRAD_OK;
    }
    record.info.platform_index = platform_index, record.info.device_index = device_index;
    return add_record(list, &record);
}

static clgrad_status add_platform(clgrad_device_list *list, cl_platform_id platform, int platform_index)
{
    cl_device_id ids[MAX_DEVICES];
    cl_uint count = 0;
    const cl_int err = list->cl.GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &count);
    if (err != CL_SUCCESS) {
        clgrad_text_append(&list->skipped, "%splatform %d: %s", list->skipped.bytes ? "; " : "", platform_index,
                           err == CL_DEVICE_NOT_FOUND ? "no devices" : clgrad_cl_error_name(err));
        return CLGRAD_OK;
    }
    for (cl_uint i = 0; i < count && i < MAX_DEVICES; i++)
        CLGRAD_TRY(add_device(list, platform, ids[i], platform_index, (int)i));
    return CLGRAD_OK;
}

static clgrad_status find_devices(clgrad_device_list *list)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint count = 0;
    const cl_int err = list->cl.GetPlatformIDs(MAX_PLATFORMS, platforms, &count);
    if (err != CL_SUCCESS && err != CL_PLATFORM_NOT_FOUND_KHR)
        return clgrad_fail(list->ctx, CLGRAD_E_NO_DEVICE, "clGetPlatformIDs returned %s (%d)",
                           clgrad_cl_error_name(err), (int)err);
    if (err != CL_SUCCESS || count == 0)
        return clgrad_fail(list->ctx, CLGRAD_E_NO_DEVICE,
                           "the OpenCL loader knows no platform; install a driver (pocl-opencl-icd runs on any CPU) "
                           "or look at OCL_ICD_VENDORS");
    for (cl_uint i = 0; i < count && i < MAX_PLATFORMS; i++) CLGRAD_TRY(add_platform(list, platforms[i], (int)i));
    if (list->skipped.failed) return CLGRAD_E_MEMORY;
    if (list->skipped.bytes) clgrad_log_line(list->ctx, CLGRAD_LOG_INFO, "device", "not usable: %s", list->skipped.data);
    if (list->count == 0)
        return clgrad_fail(list->ctx, CLGRAD_E_NO_DEVICE, "no usable OpenCL device on %u platform%s: %s",
                           (unsigned)count, count == 1 ? "" : "s", list->skipped.bytes ? list->skipped.data : "none");
    sort_best_first(list);
    return CLGRAD_OK;
}

clgrad_status clgrad_device_list_create(clgrad_context *ctx, clgrad_device_list **out)
{
    *out = NULL;
    clgrad_device_list *list = clgrad_alloc(ctx, 1, sizeof *list);
    if (!list) return CLGRAD_E_MEMORY;
    list->ctx = clgrad_context_retain(ctx);
    list->skipped.ctx = ctx;
    clgrad_status status = clgrad_cl_load(ctx, &list->cl);
    if (!status) status = find_devices(list);
    if (status)
        clgrad_device_list_release(&list);
    else
        *out = list;
    return status;
}

void clgrad_device_list_release(clgrad_device_list **address)
{
    clgrad_device_list *list = *address;
    *address = NULL;
    if (!list) return;
    clgrad_context *ctx = list->ctx;
    for (size_t i = 0; i < list->count; i++) clgrad_record_release(ctx, &list->records[i]);
    clgrad_free(ctx, list->records);
    clgrad_text_release(&list->skipped);
    clgrad_free(ctx, list->reason);
    clgrad_free(ctx, list);
    clgrad_context_release(&ctx);
}

size_t clgrad_device_list_count(const clgrad_device_list *list) { return list->count; }

const clgrad_device_info *clgrad_device_list_get(const clgrad_device_list *list, size_t i)
{
    return i < list->count ? &list->records[i].info : NULL;
}

void clgrad_device_list_describe(const clgrad_device_list *list, clgrad_text *out)
{
    for (size_t i = 0; i < list->count; i++)
        clgrad_text_append(out, "%s%zu '%s' (%s)", i ? ", " : "", i, list->records[i].info.name,
                           list->records[i].info.platform);
}
