/* Reading a selector: which device of the list it means, and the sentence that says why. */

#include "base/os.h"
#include "device/list.h"
#include "device/tuning.h"

#include <math.h>
#include <stdlib.h>

/* A selector taken apart. `fits` tells whether a device is meant; the list is best first, so the first that fits wins. */
typedef struct selection {
    bool (*fits)(const struct selection *s, const clgrad_device_info *info);
    const char *text; /* what is compared */
    unsigned long first, second;
} selection;

static bool fits_any(const selection *s, const clgrad_device_info *info) { return (void)s, (void)info, true; }

static bool fits_gpu(const selection *s, const clgrad_device_info *info)
{
    (void)s;
    return info->kind == CLGRAD_DEVICE_GPU;
}

static bool fits_cpu(const selection *s, const clgrad_device_info *info)
{
    (void)s;
    return info->kind == CLGRAD_DEVICE_CPU;
}

static bool fits_index(const selection *s, const clgrad_device_info *info)
{
    return (unsigned long)info->index == s->first;
}

static bool fits_pair(const selection *s, const clgrad_device_info *info)
{
    return (unsigned long)info->platform_index == s->first && (unsigned long)info->device_index == s->second;
}

static bool fits_pci(const selection *s, const clgrad_device_info *info)
{
    return *info->pci && clgrad_contains_nocase(info->pci, s->text);
}

static bool fits_uuid(const selection *s, const clgrad_device_info *info)
{
    return *info->uuid && clgrad_contains_nocase(info->uuid, s->text);
}

static bool fits_name(const selection *s, const clgrad_device_info *info)
{
    return clgrad_contains_nocase(info->name, s->text) || clgrad_contains_nocase(info->platform, s->text);
}

/* Digits up to the end of text or to `stop`; false when there are none or too many. */
static bool read_number(const char **text, char stop, unsigned long *out)
{
    const size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 9 || ((*text)[digits] != '\0' && (*text)[digits] != stop)) return false;
    *out = strtoul(*text, NULL, 10);
    *text += digits;
    return true;
}

static bool only_from(const char *text, const char *letters)
{
    return *text && strspn(text, letters) == strlen(text);
}

static bool parse_numbers(const char *text, selection *out)
{
    out->fits = fits_index;
    if (!read_number(&text, ':', &out->first)) return false;
    if (*text == '\0') return true;
    out->fits = fits_pair;
    text++;
    return read_number(&text, '\0', &out->second);
}

static bool parse(const char *selector, selection *out)
{
    *out = (selection){ .fits = fits_name, .text = selector };
    if (strcmp(selector, "auto") == 0) return out->fits = fits_any, true;
    if (strcmp(selector, "gpu") == 0) return out->fits = fits_gpu, true;
    if (strcmp(selector, "cpu") == 0) return out->fits = fits_cpu, true;
    if (strncmp(selector, "pci:", 4) == 0) {
        *out = (selection){ .fits = fits_pci, .text = selector + 4 };
        return only_from(out->text, "0123456789abcdefABCDEF:.");
    }
    if (strncmp(selector, "uuid:", 5) == 0) {
        *out = (selection){ .fits = fits_uuid, .text = selector + 5 };
        return only_from(out->text, "0123456789abcdefABCDEF");
    }
    if (only_from(selector, "0123456789:")) return parse_numbers(selector, out);
    return *selector != '\0';
}

static const char *kind_name(clgrad_device_kind kind)
{
    return kind == CLGRAD_DEVICE_GPU ? "GPU" : kind == CLGRAD_DEVICE_CPU ? "CPU" : "accelerator";
}

static clgrad_status explain_auto(clgrad_device_list *list)
{
    const clgrad_device_info *best = &list->records[0].info;
    size_t same_kind = 0;
    for (size_t i = 0; i < list->count; i++) same_kind += list->records[i].info.kind == best->kind;
    if (list->count == 1)
        list->reason = clgrad_format(list->ctx, "the only usable device");
    else if (same_kind == 1)
        list->reason = clgrad_format(list->ctx, "the only %s among %zu devices", kind_name(best->kind), list->count);
    else
        list->reason =
            clgrad_format(list->ctx, "most compute units x clock (%u x %u MHz) among %zu %ss%s", best->compute_units,
                          best->clock_mhz, same_kind, kind_name(best->kind), best->kind == CLGRAD_DEVICE_CPU ? "; no GPU" : "");
    return list->reason ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

/* Of measured scores the highest decides, but only where every device has one: a score says nothing about a device without. The sentence
 * stays NULL where they do not decide. */
static clgrad_status pick_by_score(clgrad_device_list *list, size_t *index)
{
    clgrad_tuning tuning;
    double best = 0, least = INFINITY;
    if (list->count < 2) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_tuning_open(list->ctx, &tuning));
    for (size_t i = 0; i < list->count && least > 0; i++) {
        const double score = clgrad_tuning_score(&tuning, &list->records[i].info);
        if (score > best) best = score, *index = i;
        if (score < least) least = score;
    }
    clgrad_tuning_close(&tuning);
    if (!(least > 0)) return CLGRAD_OK;
    list->reason = clgrad_format(list->ctx, "the highest score that clgrad tune measured (%.0f) among %zu devices", best / 1e3, list->count);
    return list->reason ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

static clgrad_status explain(clgrad_device_list *list, const selection *s, const char *selector, size_t fitting)
{
    if (s->fits == fits_any) return explain_auto(list);
    if (fitting > 1)
        list->reason = clgrad_format(list->ctx, "the best of %zu devices that fit '%s'", fitting, selector);
    else
        list->reason = clgrad_format(list->ctx, "the one that fits '%s'", selector);
    return list->reason ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

static clgrad_status nothing_fits(clgrad_device_list *list, const char *selector)
{
    clgrad_text present = { .ctx = list->ctx };
    clgrad_device_list_describe(list, &present);
    const clgrad_status status =
        present.failed ? CLGRAD_E_MEMORY
                       : clgrad_fail(list->ctx, CLGRAD_E_NO_DEVICE, "no device fits '%s'; present are: %s", selector,
                                     present.data);
    clgrad_text_release(&present);
    return status;
}

clgrad_status clgrad_device_list_select(clgrad_device_list *list, const char *selector, size_t *index,
                                        const char **reason)
{
    const bool from_environment = !selector;
    if (from_environment) selector = clgrad_os_env("CLGRAD_DEVICE");
    if (!selector || (from_environment && !*selector)) selector = "auto";
    selection s;
    if (!parse(selector, &s))
        return clgrad_fail(list->ctx, CLGRAD_E_ARG,
                           "'%s' is no device selector: auto, gpu, cpu, INDEX, PLATFORM:DEVICE, part of a name, "
                           "pci:ADDRESS or uuid:DIGITS",
                           selector);
    size_t first = list->count, fitting = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!s.fits(&s, &list->records[i].info)) continue;
        if (fitting++ == 0) first = i;
    }
    if (fitting == 0) return nothing_fits(list, selector);
    clgrad_free(list->ctx, list->reason);
    list->reason = NULL;
    size_t fastest = first;
    if (s.fits == fits_any) CLGRAD_TRY(pick_by_score(list, &fastest));
    if (list->reason) first = fastest;
    else CLGRAD_TRY(explain(list, &s, selector, fitting));
    *index = first;
    if (reason) *reason = list->reason;
    return CLGRAD_OK;
}
