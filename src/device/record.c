#include "device/record.h"

#include <stdio.h>

/* Vendor queries whose headers are not always installed. */
#define DEVICE_PCI_BUS_ID_NV 0x4008
#define DEVICE_PCI_SLOT_ID_NV 0x4009
#define DEVICE_PCI_DOMAIN_ID_NV 0x400A
#define DEVICE_TOPOLOGY_AMD 0x4037

typedef struct querying {
    clgrad_context *ctx;
    const clgrad_cl_api *cl;
    clgrad_record *record;
} querying;

void clgrad_record_release(clgrad_context *ctx, clgrad_record *record)
{
    for (size_t i = 0; i < record->num_texts; i++) clgrad_free(ctx, record->texts[i]);
    *record = (clgrad_record){ 0 };
}

clgrad_status clgrad_record_set_text(clgrad_context *ctx, clgrad_record *record, const char **field, const char *text)
{
    char *copy = clgrad_strdup(ctx, text);
    if (!copy) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < record->num_texts; i++) {
        if (record->texts[i] != *field) continue;
        clgrad_free(ctx, record->texts[i]);
        *field = record->texts[i] = copy;
        return CLGRAD_OK;
    }
    *field = record->texts[record->num_texts++] = copy;
    return CLGRAD_OK;
}

static cl_int ask(const querying *q, cl_uint what, size_t room, void *value, size_t *bytes)
{
    return q->cl->GetDeviceInfo(q->record->id, what, room, value, bytes);
}

static cl_int ask_platform(const querying *q, cl_uint what, size_t room, void *value, size_t *bytes)
{
    return q->cl->GetPlatformInfo(q->record->platform, what, room, value, bytes);
}

typedef cl_int (*ask_fn)(const querying *q, cl_uint what, size_t room, void *value, size_t *bytes);

/* A driver's text in fresh memory; bytes the driver did not write stay 0. */
static clgrad_status fetch_text(const querying *q, ask_fn asked, cl_uint what, const char *call, char **out)
{
    size_t bytes = 0;
    *out = NULL;
    cl_int err = asked(q, what, 0, NULL, &bytes);
    if (err != CL_SUCCESS) return clgrad_cl_refused(q->ctx, err, call, "a device");
    char *text = clgrad_alloc(q->ctx, bytes + 1, 1);
    if (!text) return CLGRAD_E_MEMORY;
    err = asked(q, what, bytes, text, NULL);
    if (err != CL_SUCCESS) {
        clgrad_free(q->ctx, text);
        return clgrad_cl_refused(q->ctx, err, call, "a device");
    }
    *out = text;
    return CLGRAD_OK;
}

/* Leading and trailing blanks, which some drivers add, are dropped. */
static clgrad_status keep_text(const querying *q, ask_fn asked, cl_uint what, const char *call, const char **field)
{
    char *text;
    CLGRAD_TRY(fetch_text(q, asked, what, call, &text));
    char *begin = text + strspn(text, " \t"), *end = begin + strlen(begin);
    while (end > begin && (end[-1] == ' ' || end[-1] == '\n')) *--end = '\0';
    const clgrad_status status = clgrad_record_set_text(q->ctx, q->record, field, begin);
    clgrad_free(q->ctx, text);
    return status;
}

static clgrad_status query_names(const querying *q)
{
    clgrad_device_info *info = &q->record->info;
    info->also_known = info->quirks = info->pci = info->uuid = info->c_version = "";
    info->platform = info->name = info->vendor = info->driver = info->device_version = "";
    q->record->platform_version = "";
    CLGRAD_TRY(keep_text(q, ask, CL_DEVICE_NAME, "clGetDeviceInfo", &info->name));
    CLGRAD_TRY(keep_text(q, ask_platform, CL_PLATFORM_NAME, "clGetPlatformInfo", &info->platform));
    CLGRAD_TRY(keep_text(q, ask_platform, CL_PLATFORM_VERSION, "clGetPlatformInfo", &q->record->platform_version));
    CLGRAD_TRY(keep_text(q, ask, CL_DEVICE_VENDOR, "clGetDeviceInfo", &info->vendor));
    CLGRAD_TRY(keep_text(q, ask, CL_DRIVER_VERSION, "clGetDeviceInfo", &info->driver));
    return keep_text(q, ask, CL_DEVICE_VERSION, "clGetDeviceInfo", &info->device_version);
}

/* "<prefix>MAJOR.MINOR...": numbers of at most four digits, 0 where there are none. sscanf is undefined for larger ones. */
static void read_version(const char *text, const char *prefix, unsigned version[2])
{
    version[0] = version[1] = 0;
    if (strncmp(text, prefix, strlen(prefix)) != 0) return;
    text += strlen(prefix);
    for (size_t part = 0; part < 2; part++, text++) {
        for (int digits = 0; *text >= '0' && *text <= '9' && digits < 4; digits++)
            version[part] = version[part] * 10 + (unsigned)(*text++ - '0');
        if (*text != '.') return;
    }
}

/* The highest OpenCL C version: an OpenCL 3 device lists all, an older one names one ("OpenCL C 1.2 vendor text"). */
static clgrad_status query_c_version(const querying *q, unsigned version[2])
{
    clgrad_device_info *info = &q->record->info;
    cl_name_version versions[16];
    size_t bytes = 0;
    read_version(info->device_version, "OpenCL ", version);
    const bool lists_all = version[0] >= 3;
    version[0] = version[1] = 0;
    if (lists_all &&
        ask(q, CL_DEVICE_OPENCL_C_ALL_VERSIONS, sizeof versions, versions, &bytes) == CL_SUCCESS) {
        cl_version highest = 0;
        for (size_t i = 0; i < bytes / sizeof *versions; i++)
            if (versions[i].version > highest) highest = versions[i].version;
        version[0] = CL_VERSION_MAJOR_KHR(highest), version[1] = CL_VERSION_MINOR_KHR(highest);
    }
    if (version[0] == 0) {
        char *text;
        CLGRAD_TRY(fetch_text(q, ask, CL_DEVICE_OPENCL_C_VERSION, "clGetDeviceInfo", &text));
        read_version(text, "OpenCL C ", version);
        clgrad_free(q->ctx, text);
    }
    char shown[32];
    snprintf(shown, sizeof shown, "%u.%u", version[0] % 100, version[1] % 100);
    return clgrad_record_set_text(q->ctx, q->record, &info->c_version, shown);
}

/* One number; a query the driver does not know leaves *value as it was. */
#define ASK(q, what, value) (void)ask(q, what, sizeof(value), &(value), NULL)

static void query_limits(const querying *q)
{
    clgrad_device_info *info = &q->record->info;
    cl_ulong memory = 0, allocation = 0, local = 0;
    cl_uint units = 1, clock = 0;
    cl_device_type type = CL_DEVICE_TYPE_DEFAULT;
    cl_bool unified = CL_FALSE;
    ASK(q, CL_DEVICE_TYPE, type);
    ASK(q, CL_DEVICE_HOST_UNIFIED_MEMORY, unified);
    ASK(q, CL_DEVICE_MAX_COMPUTE_UNITS, units);
    ASK(q, CL_DEVICE_MAX_CLOCK_FREQUENCY, clock);
    ASK(q, CL_DEVICE_GLOBAL_MEM_SIZE, memory);
    ASK(q, CL_DEVICE_MAX_MEM_ALLOC_SIZE, allocation);
    ASK(q, CL_DEVICE_LOCAL_MEM_SIZE, local);
    ASK(q, CL_DEVICE_MAX_WORK_GROUP_SIZE, info->max_work_group);
    ASK(q, CL_DEVICE_MAX_PARAMETER_SIZE, info->max_parameter_bytes);
    info->kind = type & CL_DEVICE_TYPE_GPU ? CLGRAD_DEVICE_GPU
                 : type & CL_DEVICE_TYPE_CPU ? CLGRAD_DEVICE_CPU
                                             : CLGRAD_DEVICE_OTHER;
    q->record->shares_memory = unified || info->kind == CLGRAD_DEVICE_CPU;
    info->compute_units = units, info->clock_mhz = clock;
    info->memory_bytes = memory, info->allocation_bytes = allocation ? allocation : memory;
    info->local_bytes = local;
}

static void query_arithmetic(const querying *q, const char *extensions)
{
    clgrad_device_info *info = &q->record->info;
    cl_device_fp_config single = 0, twice = 0;
    cl_uint float_width = 1, double_width = 0, sub_groups = 0;
    ASK(q, CL_DEVICE_SINGLE_FP_CONFIG, single);
    ASK(q, CL_DEVICE_DOUBLE_FP_CONFIG, twice);
    ASK(q, CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT, float_width);
    ASK(q, CL_DEVICE_PREFERRED_VECTOR_WIDTH_DOUBLE, double_width);
    ASK(q, CL_DEVICE_MAX_NUM_SUB_GROUPS, sub_groups);
    info->fma = single & CL_FP_FMA;
    info->denormals = single & CL_FP_DENORM;
    info->exact_divide = single & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    info->float_width = float_width ? float_width : 1;
    info->double_width = double_width ? double_width : 1;
    info->fp64_advertised = twice != 0 || strstr(extensions, "cl_khr_fp64") != NULL;
    info->fp16_advertised = strstr(extensions, "cl_khr_fp16") != NULL;
    info->sub_groups = sub_groups > 0 || strstr(extensions, "cl_khr_subgroups") != NULL;
}

/* "0000:65:00.0" by the extension that the driver has, or nothing. */
static clgrad_status query_pci(const querying *q, const char *extensions)
{
    cl_uint domain = 0, bus = 0, device = 0, function = 0;
    if (strstr(extensions, "cl_khr_pci_bus_info")) {
        cl_device_pci_bus_info_khr place = { 0 };
        if (ask(q, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof place, &place, NULL) != CL_SUCCESS) return CLGRAD_OK;
        domain = place.pci_domain, bus = place.pci_bus, device = place.pci_device, function = place.pci_function;
    } else if (strstr(extensions, "cl_nv_device_attribute_query")) {
        cl_uint slot = 0;
        if (ask(q, DEVICE_PCI_BUS_ID_NV, sizeof bus, &bus, NULL) != CL_SUCCESS) return CLGRAD_OK;
        ASK(q, DEVICE_PCI_SLOT_ID_NV, slot);
        ASK(q, DEVICE_PCI_DOMAIN_ID_NV, domain);
        device = slot >> 3, function = slot & 7;
    } else if (strstr(extensions, "cl_amd_device_attribute_query")) {
        unsigned char topology[24] = { 0 }; /* uint32 type, then bus, device, function in the last three bytes */
        if (ask(q, DEVICE_TOPOLOGY_AMD, sizeof topology, topology, NULL) != CL_SUCCESS) return CLGRAD_OK;
        bus = topology[21], device = topology[22], function = topology[23];
    } else {
        return CLGRAD_OK;
    }
    char text[48];
    snprintf(text, sizeof text, "%04x:%02x:%02x.%x", domain, bus, device, function);
    return clgrad_record_set_text(q->ctx, q->record, &q->record->info.pci, text);
}

/* A UUID of zeros is what drivers say that have none. */
static clgrad_status query_uuid(const querying *q, const char *extensions)
{
    unsigned char uuid[CL_UUID_SIZE_KHR] = { 0 }, any = 0;
    char text[2 * CL_UUID_SIZE_KHR + 1];
    if (!strstr(extensions, "cl_khr_device_uuid") ||
        ask(q, CL_DEVICE_UUID_KHR, sizeof uuid, uuid, NULL) != CL_SUCCESS)
        return CLGRAD_OK;
    for (size_t i = 0; i < sizeof uuid; i++) {
        snprintf(text + 2 * i, 3, "%02x", uuid[i]);
        any |= uuid[i];
    }
    return any ? clgrad_record_set_text(q->ctx, q->record, &q->record->info.uuid, text) : CLGRAD_OK;
}

static clgrad_status query_rest(const querying *q)
{
    char *extensions;
    CLGRAD_TRY(fetch_text(q, ask, CL_DEVICE_EXTENSIONS, "clGetDeviceInfo", &extensions));
    query_limits(q);
    query_arithmetic(q, extensions);
    clgrad_status status = query_pci(q, extensions);
    if (!status) status = query_uuid(q, extensions);
    clgrad_free(q->ctx, extensions);
    return status ? status : clgrad_record_apply_quirks(q->ctx, q->record);
}

static const char *why_unusable(const querying *q, const unsigned version[2])
{
    cl_bool available = CL_FALSE, compiler = CL_FALSE;
    ASK(q, CL_DEVICE_AVAILABLE, available);
    ASK(q, CL_DEVICE_COMPILER_AVAILABLE, compiler);
    if (!available) return "not available";
    if (!compiler) return "no compiler";
    if (version[0] < 1 || (version[0] == 1 && version[1] < 2)) return "OpenCL C older than 1.2";
    return NULL;
}

clgrad_status clgrad_record_query(clgrad_context *ctx, const clgrad_cl_api *cl, cl_platform_id platform,
                                  cl_device_id id, clgrad_record *out, const char **unusable)
{
    unsigned version[2];
    *out = (clgrad_record){ .info.struct_size = sizeof out->info, .platform = platform, .id = id };
    *unusable = NULL;
    const querying q = { ctx, cl, out };
    clgrad_status status = query_names(&q);
    if (!status) status = query_c_version(&q, version);
    if (!status) *unusable = why_unusable(&q, version);
    if (!status) status = query_rest(&q);
    if (status) clgrad_record_release(ctx, out);
    return status;
}
