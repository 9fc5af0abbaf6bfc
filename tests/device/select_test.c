/* Discovery and selectors over a made-up loader: the real ones cannot be asked to show a GPU twice. */

#define _GNU_SOURCE /* setenv, mkstemp */

#include "device/cl_api.h"
#include "device/device.h"
#include "device/tuning.h"
#include "device_test.h"
#include "support/device.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct fake {
    int platform; /* 1.. */
    const char *name, *version, *c_version;
    cl_device_type type;
    cl_uint units, clock;
    unsigned char uuid; /* repeated 16 times; 0: no UUID */
    cl_uint bus;        /* PCI bus; 0: no PCI information */
    bool unavailable, no_compiler, refuses, fp64;
} fake;

static const fake *fakes;
static size_t num_fakes;
static cl_uint num_platforms;
static clgrad_context *ctx;

static const fake two_platforms[] = {
    { 1, "Slow Host", "OpenCL 1.2 x", "OpenCL C 1.2 x", CL_DEVICE_TYPE_CPU, 4, 1000 },
    { 1, "Radiant 1", "OpenCL 2.0 x", "OpenCL C 2.0 x", CL_DEVICE_TYPE_GPU, 10, 1000, .uuid = 7, .fp64 = true },
    { 2, "radiant (mesa)", "OpenCL 3.0 x", "OpenCL C 1.2 x", CL_DEVICE_TYPE_GPU, 10, 900, .uuid = 7 },
    { 2, "Radiant 2", "OpenCL 1.2 x", "OpenCL C 1.2 x", CL_DEVICE_TYPE_GPU, 12, 1000, .bus = 0x65 },
    { 2, "Ancient", "OpenCL 1.1 x", "OpenCL C 1.1 x", CL_DEVICE_TYPE_GPU, 99, 9999 },
    { 2, "Vague", "OpenCL 1.2 x", "OpenCL C .2", CL_DEVICE_TYPE_GPU, 99, 9999 },
    { 2, "Asleep", "OpenCL 1.2 x", "OpenCL C 1.2 x", CL_DEVICE_TYPE_GPU, 99, 9999, .unavailable = true },
    { 2, "Wordless", "OpenCL 1.2 x", "OpenCL C 1.2 x", CL_DEVICE_TYPE_GPU, 99, 9999, .no_compiler = true },
    { 2, "Broken", "OpenCL 1.2 x", "OpenCL C 1.2 x", CL_DEVICE_TYPE_GPU, 99, 9999, .refuses = true },
};

static cl_int answer(const void *value, size_t bytes, size_t room, void *out, size_t *told)
{
    if (told) *told = bytes;
    if (out && room < bytes) return CL_INVALID_VALUE;
    if (out) memcpy(out, value, bytes);
    return CL_SUCCESS;
}

static cl_int answer_text(const char *text, size_t room, void *out, size_t *told)
{
    return answer(text, strlen(text) + 1, room, out, told);
}

static cl_int CL_API_CALL fake_platforms(cl_uint room, cl_platform_id *ids, cl_uint *count)
{
    if (num_platforms == 0) return CL_PLATFORM_NOT_FOUND_KHR;
    for (cl_uint i = 0; i < num_platforms && i < room; i++) ids[i] = (cl_platform_id)(uintptr_t)(i + 1);
    *count = num_platforms;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL fake_platform_info(cl_platform_id id, cl_platform_info what, size_t room, void *out, size_t *told)
{
    if (what == CL_PLATFORM_VERSION) return answer_text("OpenCL 1.2", room, out, told);
    return answer_text((uintptr_t)id == 1 ? "First Platform" : "Second Platform", room, out, told);
}

static cl_int CL_API_CALL fake_devices(cl_platform_id id, cl_device_type type, cl_uint room, cl_device_id *ids, cl_uint *count)
{
    (void)type;
    *count = 0;
    for (size_t i = 0; i < num_fakes; i++)
        if (fakes[i].platform == (int)(uintptr_t)id && *count < room) ids[(*count)++] = (cl_device_id)(uintptr_t)&fakes[i];
    return *count ? CL_SUCCESS : CL_DEVICE_NOT_FOUND;
}

static cl_int answer_number(const fake *f, cl_device_info what, size_t room, void *out, size_t *told)
{
    const cl_ulong memory = (cl_ulong)1 << 32;
    const size_t group = 256;
    const cl_bool available = !f->unavailable, compiler = !f->no_compiler;
    const cl_device_fp_config single = CL_FP_FMA, twice = f->fp64 ? CL_FP_FMA : 0;
    switch (what) {
    case CL_DEVICE_TYPE: return answer(&f->type, sizeof f->type, room, out, told);
    case CL_DEVICE_MAX_COMPUTE_UNITS: return answer(&f->units, sizeof f->units, room, out, told);
    case CL_DEVICE_MAX_CLOCK_FREQUENCY: return answer(&f->clock, sizeof f->clock, room, out, told);
    case CL_DEVICE_GLOBAL_MEM_SIZE: return answer(&memory, sizeof memory, room, out, told);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: return answer(&group, sizeof group, room, out, told);
    case CL_DEVICE_AVAILABLE: return answer(&available, sizeof available, room, out, told);
    case CL_DEVICE_COMPILER_AVAILABLE: return answer(&compiler, sizeof compiler, room, out, told);
    case CL_DEVICE_SINGLE_FP_CONFIG: return answer(&single, sizeof single, room, out, told);
    case CL_DEVICE_DOUBLE_FP_CONFIG: return answer(&twice, sizeof twice, room, out, told);
    default: return CL_INVALID_VALUE;
    }
}

static cl_int CL_API_CALL fake_device_info(cl_device_id id, cl_device_info what, size_t room, void *out, size_t *told)
{
    const fake *f = (const fake *)(uintptr_t)id;
    unsigned char uuid[CL_UUID_SIZE_KHR];
    const cl_device_pci_bus_info_khr place = { .pci_bus = f->bus };
    if (f->refuses) return CL_INVALID_DEVICE;
    switch (what) {
    case CL_DEVICE_NAME: return answer_text(f->name, room, out, told);
    case CL_DEVICE_VENDOR: return answer_text("vendor", room, out, told);
    case CL_DRIVER_VERSION: return answer_text(" 1.0 ", room, out, told);
    case CL_DEVICE_VERSION: return answer_text(f->version, room, out, told);
    case CL_DEVICE_OPENCL_C_VERSION: return answer_text(f->c_version, room, out, told);
    case CL_DEVICE_EXTENSIONS:
        return answer_text(f->uuid ? "cl_khr_device_uuid" : f->bus ? "cl_khr_pci_bus_info" : "", room, out, told);
    case CL_DEVICE_UUID_KHR: memset(uuid, f->uuid, sizeof uuid); return answer(uuid, sizeof uuid, room, out, told);
    case CL_DEVICE_PCI_BUS_INFO_KHR: return answer(&place, sizeof place, room, out, told);
    default: return answer_number(f, what, room, out, told);
    }
}

static void put_fakes(clgrad_cl_api *api)
{
    api->GetPlatformIDs = fake_platforms;
    api->GetPlatformInfo = fake_platform_info;
    api->GetDeviceIDs = fake_devices;
    api->GetDeviceInfo = fake_device_info;
}

static void show(const fake *first, size_t count, cl_uint platforms)
{
    fakes = first, num_fakes = count, num_platforms = platforms;
}

static char *outer_choice;

static void setup(void)
{
    const char *choice = getenv("CLGRAD_DEVICE");
    outer_choice = choice ? strdup(choice) : NULL;
    unsetenv("CLGRAD_DEVICE");
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    show(two_platforms, CLGRAD_COUNT(two_platforms), 2);
    clgrad_cl_filter = put_fakes;
}

static void teardown(void)
{
    clgrad_cl_filter = NULL;
    if (outer_choice) setenv("CLGRAD_DEVICE", outer_choice, 1);
    free(outer_choice);
    clgrad_context_release(&ctx);
}

/* The fakes stand behind a real loader; without one there is nothing to test here. */
static bool list_devices(clgrad_device_list **list)
{
    const clgrad_status status = clgrad_device_list_create(ctx, list);
    ck_assert_msg(status == CLGRAD_OK || status == CLGRAD_E_LOADER, "%s", clgrad_error_text(ctx));
    return status == CLGRAD_OK;
}

START_TEST(each_device_is_listed_once_best_first)
{
    clgrad_device_list *list;
    if (!list_devices(&list)) return;
    ck_assert_uint_eq(clgrad_device_list_count(list), 3);
    const clgrad_device_info *first = clgrad_device_list_get(list, 0), *second = clgrad_device_list_get(list, 1);
    ck_assert_str_eq(first->name, "Radiant 2");
    ck_assert_str_eq(first->pci, "0000:65:00.0");
    ck_assert_str_eq(first->driver, "1.0");
    ck_assert_int_eq(first->platform_index, 1);
    ck_assert_int_eq(first->device_index, 1);
    ck_assert_str_eq(second->name, "Radiant 1"); /* kept over its twin, which has no fp64 */
    ck_assert_str_eq(second->also_known, "Second Platform");
    ck_assert_str_eq(second->uuid, "07070707070707070707070707070707");
    ck_assert_int_eq(second->index, 1);
    ck_assert(!second->probed);
    ck_assert_str_eq(clgrad_device_list_get(list, 2)->name, "Slow Host");
    ck_assert_ptr_null(clgrad_device_list_get(list, 3));
    clgrad_device_list_release(&list);
}
END_TEST

START_TEST(selectors_pick)
{
    static const struct {
        const char *selector;
        size_t index;
        const char *reason;
    } picks[] = {
        { "auto", 0, "most compute units x clock (12 x 1000 MHz) among 2 GPUs" },
        { NULL, 0, "most compute units" },
        { "gpu", 0, "the best of 2 devices that fit 'gpu'" },
        { "cpu", 2, "the one that fits 'cpu'" },
        { "2", 2, "the one" },
        { "0:1", 1, "the one" },
        { "radiant", 0, "the best of 2" },
        { "radiant 1", 1, "the one" },
        { "first plat", 1, "the best of 2" },
        { "pci:65:00.0", 0, "the one" },
        { "uuid:0707", 1, "the one" },
    };
    clgrad_device_list *list;
    if (!list_devices(&list)) return;
    for (size_t i = 0; i < CLGRAD_COUNT(picks); i++) {
        size_t index = 99;
        const char *reason;
        ck_assert_int_eq(clgrad_device_list_select(list, picks[i].selector, &index, &reason), CLGRAD_OK);
        ck_assert_msg(index == picks[i].index, "%s picks %zu", picks[i].selector, index);
        ck_assert_msg(strncmp(reason, picks[i].reason, strlen(picks[i].reason)) == 0, "%s: %s", picks[i].selector, reason);
    }
    clgrad_device_list_release(&list);
}
END_TEST

/* Scores of all devices decide over kind and clock; those of some decide nothing, since they cannot be compared. */
START_TEST(auto_goes_by_scores_where_all_devices_have_one)
{
    char path[] = "/tmp/clgrad-scores-XXXXXX", section[CLGRAD_TUNING_SECTION];
    const char *reason = NULL;
    size_t index = 99, fastest = 0;
    clgrad_tuning tuning = { .ctx = ctx };
    close(mkstemp(path));
    unlink(path);
    setenv("CLGRAD_TUNING", path, 1);
    clgrad_device_list *list;
    if (!list_devices(&list)) return;
    for (size_t i = 0; i < clgrad_device_list_count(list); i++) {
        const clgrad_device_info *info = clgrad_device_list_get(list, i);
        const bool host = strcmp(info->name, "Slow Host") == 0;
        ck_assert_int_eq(clgrad_device_list_select(list, "auto", &index, &reason), CLGRAD_OK);
        ck_assert_ptr_null(strstr(reason, "score"));
        ck_assert_uint_eq(index, 0);
        if (host) fastest = i;
        clgrad_tuning_section(info, section);
        ck_assert_int_eq(clgrad_tuning_put(&tuning, &(clgrad_tuning_row){ section, "score", host ? "fma=900 read=900" : "fma=90 read=90" }), CLGRAD_OK);
    }
    ck_assert_int_eq(clgrad_device_list_select(list, "auto", &index, &reason), CLGRAD_OK);
    ck_assert_uint_eq(index, fastest);
    ck_assert_uint_ne(index, 0);
    ck_assert_ptr_nonnull(strstr(reason, "the highest score"));
    ck_assert_int_eq(clgrad_device_list_select(list, "gpu", &index, &reason), CLGRAD_OK);
    ck_assert_uint_eq(index, 0);
    clgrad_tuning_close(&tuning);
    clgrad_device_list_release(&list);
    setenv("CLGRAD_TUNING", "0", 1);
    unlink(path);
}
END_TEST

START_TEST(selectors_that_pick_nothing_list_what_is_there)
{
    static const char *const absent[] = { "7", "1:9", "9:0", "no such name", "pci:12", "uuid:99", "4294967" };
    static const char *const unreadable[] = { "", "1:", ":1", "1:2:3", "12345678901", "pci:", "uuid:xyz", "pci:zz" };
    clgrad_device_list *list;
    size_t index = 99;
    if (!list_devices(&list)) return;
    for (size_t i = 0; i < CLGRAD_COUNT(absent); i++) {
        ck_assert_msg(clgrad_device_list_select(list, absent[i], &index, NULL) == CLGRAD_E_NO_DEVICE, "%s", absent[i]);
        ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "'Radiant 2'"));
        ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "'Slow Host'"));
    }
    for (size_t i = 0; i < CLGRAD_COUNT(unreadable); i++)
        ck_assert_msg(clgrad_device_list_select(list, unreadable[i], &index, NULL) == CLGRAD_E_ARG, "%s", unreadable[i]);
    ck_assert_uint_eq(index, 99);
    clgrad_device_list_release(&list);
}
END_TEST

START_TEST(the_environment_is_only_a_default)
{
    clgrad_device_list *list;
    size_t index;
    if (!list_devices(&list)) return;
    setenv("CLGRAD_DEVICE", "cpu", 1);
    ck_assert_int_eq(clgrad_device_list_select(list, NULL, &index, NULL), CLGRAD_OK);
    ck_assert_uint_eq(index, 2);
    ck_assert_int_eq(clgrad_device_list_select(list, "gpu", &index, NULL), CLGRAD_OK);
    ck_assert_uint_eq(index, 0);
    setenv("CLGRAD_DEVICE", "", 1);
    ck_assert_int_eq(clgrad_device_list_select(list, NULL, &index, NULL), CLGRAD_OK);
    ck_assert_uint_eq(index, 0);
    unsetenv("CLGRAD_DEVICE");
    clgrad_device_list_release(&list);
}
END_TEST

START_TEST(nothing_usable_says_what_was_seen)
{
    clgrad_device_list *list;
    if (!list_devices(&list)) return;
    clgrad_device_list_release(&list);
    show(two_platforms + 4, 5, 2);
    ck_assert_int_eq(clgrad_device_list_create(ctx, &list), CLGRAD_E_NO_DEVICE);
    ck_assert_ptr_null(list);
    static const char *const seen[] = { "'Ancient'", "OpenCL C older than 1.2", "'Vague'", "'Asleep'", "not available", "'Wordless'",
                                        "no compiler", "CL_INVALID_DEVICE", "no devices" };
    for (size_t i = 0; i < CLGRAD_COUNT(seen); i++)
        ck_assert_msg(strstr(clgrad_error_text(ctx), seen[i]) != NULL, "%s: %s", seen[i], clgrad_error_text(ctx));
    show(NULL, 0, 0);
    ck_assert_int_eq(clgrad_device_list_create(ctx, &list), CLGRAD_E_NO_DEVICE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "pocl-opencl-icd"));
    clgrad_device *dev;
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_E_NO_DEVICE);
    ck_assert_ptr_null(dev);
}
END_TEST

START_TEST(without_a_loader_the_text_says_what_to_install)
{
    const char *library = clgrad_cl_library;
    clgrad_device_list *list;
    clgrad_device *dev;
    if (getenv("LD_PRELOAD")) return; /* a tool that stands in for the loader */
    clgrad_cl_library = "libNoSuchLoader.so.9";
    ck_assert_int_eq(clgrad_device_list_create(ctx, &list), CLGRAD_E_LOADER);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "ocl-icd-libopencl1"));
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_E_LOADER);
    clgrad_cl_library = "libz.so.1"; /* a library, but no loader */
    ck_assert_int_eq(clgrad_device_list_create(ctx, &list), CLGRAD_E_LOADER);
    clgrad_cl_library = library;
}
END_TEST

START_TEST(options_of_another_version_are_refused)
{
    clgrad_device *dev;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    options.struct_size = 1;
    ck_assert_int_eq(clgrad_device_open(ctx, &options, &dev), CLGRAD_E_ARG);
    ck_assert_ptr_null(dev);
}
END_TEST

Suite *select_suite(void)
{
    Suite *suite = suite_create("device choice");
    TCase *tests = tcase_create("choice");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_device_is_listed_once_best_first);
    tcase_add_test(tests, selectors_pick);
    tcase_add_test(tests, auto_goes_by_scores_where_all_devices_have_one);
    tcase_add_test(tests, selectors_that_pick_nothing_list_what_is_there);
    tcase_add_test(tests, the_environment_is_only_a_default);
    tcase_add_test(tests, nothing_usable_says_what_was_seen);
    tcase_add_test(tests, without_a_loader_the_text_says_what_to_install);
    tcase_add_test(tests, options_of_another_version_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
