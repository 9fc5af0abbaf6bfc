/* Safetensors: u64 length of the header, header (JSON), values. The header is checked as the reference implementation does
 * (safetensors/src/tensor.rs, Metadata::validate): sorted by offset, the entries cover the values without hole or overlap. */

#include "io/safetensors.h"

#include <jansson.h>
#include <stdlib.h>

#define NO_TYPE CLGRAD_DTYPE_COUNT
const clgrad_safetensors_type clgrad_safetensors_types[] = {
    { "BOOL", 8, NO_TYPE },        { "F4", 4, NO_TYPE },          { "F6_E2M3", 6, NO_TYPE },  { "F6_E3M2", 6, NO_TYPE },
    { "U8", 8, CLGRAD_U8 },        { "I8", 8, NO_TYPE },          { "F8_E5M2", 8, NO_TYPE },  { "F8_E4M3", 8, NO_TYPE },
    { "F8_E8M0", 8, NO_TYPE },     { "F8_E4M3FNUZ", 8, NO_TYPE }, { "F8_E5M2FNUZ", 8, NO_TYPE }, { "I16", 16, NO_TYPE },
    { "U16", 16, NO_TYPE },        { "F16", 16, CLGRAD_F16 },     { "BF16", 16, CLGRAD_BF16 }, { "I32", 32, CLGRAD_I32 },
    { "U32", 32, NO_TYPE },        { "F32", 32, CLGRAD_F32 },     { "C64", 64, NO_TYPE },     { "F64", 64, CLGRAD_F64 },
    { "I64", 64, CLGRAD_I64 },     { "U64", 64, NO_TYPE },
};
const size_t clgrad_safetensors_num_types = CLGRAD_COUNT(clgrad_safetensors_types);

typedef struct tensor_record {
    clgrad_safetensors_entry entry; /* first, so that a caller's entry is found again */
    char *name;
    uint64_t begin, end; /* from the first value */
} tensor_record;

struct clgrad_safetensors {
    clgrad_context *ctx;
    char *path;
    clgrad_os_file file;
    uint64_t data_offset;
    tensor_record *records;
    tensor_record **by_name;
    size_t count, record_capacity;
    clgrad_safetensors_pair *pairs;
    size_t num_pairs, pair_capacity;
};

static clgrad_status fail_tensor(const clgrad_safetensors *f, clgrad_status status, const char *name, const char *what)
{
    char shown[CLGRAD_SHOWN_BYTES];
    return clgrad_io_fail(f->ctx, status, f->path, "tensor '%s': %s", clgrad_io_show(name, shown), what);
}

/* --- one entry of the header ------------------------------------------------------------------------------------- */

static const clgrad_safetensors_type *find_type(const char *name)
{
    for (size_t i = 0; i < clgrad_safetensors_num_types; i++)
        if (strcmp(clgrad_safetensors_types[i].name, name) == 0) return &clgrad_safetensors_types[i];
    return NULL;
}

static clgrad_status parse_shape(const clgrad_safetensors *f, const json_t *value, tensor_record *r)
{
    if (!json_is_array(value)) return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "shape is no list");
    const size_t rank = json_array_size(value);
    if (rank > CLGRAD_MAX_RANK) return fail_tensor(f, CLGRAD_E_UNSUPPORTED, r->name, "its rank is over 8");
    r->entry.shape.rank = (int32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(value, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "shape is no list of whole numbers");
        r->entry.shape.dims[i] = json_integer_value(extent);
    }
    return CLGRAD_OK;
}

static clgrad_status parse_offsets(const clgrad_safetensors *f, const json_t *value, tensor_record *r)
{
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "data_offsets is no pair of growing whole numbers");
    r->begin = (uint64_t)json_integer_value(begin);
    r->end = (uint64_t)json_integer_value(end);
    return CLGRAD_OK;
}

static clgrad_status check_size(const clgrad_safetensors *f, const clgrad_safetensors_type *type, tensor_record *r)
{
    int64_t bits = clgrad_shape_count(&r->entry.shape);
    if (bits < 0 || !clgrad_mul_i64(bits, type->bits, &bits))
        return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "its extents multiply to more than fits");
    if (bits % 8) return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "it is no whole number of bytes");
    r->entry.bytes = (uint64_t)bits / 8;
    if (r->end - r->begin != r->entry.bytes)
        return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "data_offsets contradict dtype and shape");
    return CLGRAD_OK;
}

static clgrad_status parse_tensor(const clgrad_safetensors *f, const json_t *value, tensor_record *r)
{
    const json_t *dtype = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape"),
                 *offsets = json_object_get(value, "data_offsets");
    if (!json_is_object(value) || json_object_size(value) != 3 || !json_is_string(dtype) || !shape || !offsets)
        return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "not exactly dtype, shape and data_offsets");
    const clgrad_safetensors_type *type = find_type(json_string_value(dtype));
    if (!type) return fail_tensor(f, CLGRAD_E_FORMAT, r->name, "dtype is none of the format's");
    r->entry.type = type->name;
    r->entry.dtype = type->dtype;
    CLGRAD_TRY(parse_shape(f, shape, r));
    CLGRAD_TRY(parse_offsets(f, offsets, r));
    return check_size(f, type, r);
}

static clgrad_status add_tensor(clgrad_safetensors *f, const char *name, const json_t *value)
{
    if (!*name || strlen(name) > CLGRAD_SAFETENSORS_NAME)
        return fail_tensor(f, CLGRAD_E_UNSUPPORTED, name, "the name is empty or over 255 bytes");
    if (f->count == CLGRAD_SAFETENSORS_TENSORS)
        return clgrad_io_fail(f->ctx, CLGRAD_E_UNSUPPORTED, f->path, "more than %d tensors", CLGRAD_SAFETENSORS_TENSORS);
    CLGRAD_TRY(clgrad_reserve(f->ctx, &f->records, &f->record_capacity, f->count + 1, sizeof *f->records));
    tensor_record *r = &f->records[f->count];
    *r = (tensor_record){ .name = clgrad_strdup(f->ctx, name) };
    if (!r->name) return CLGRAD_E_MEMORY;
    f->count++;
    r->entry.name = r->name;
    return parse_tensor(f, value, r);
}

static clgrad_status add_metadata(clgrad_safetensors *f, json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "__metadata__ is no table of strings");
    json_object_foreach(object, key, value) {
        if (!json_is_string(value))
            return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "__metadata__ is no table of strings");
        CLGRAD_TRY(clgrad_reserve(f->ctx, &f->pairs, &f->pair_capacity, f->num_pairs + 1, sizeof *f->pairs));
        clgrad_safetensors_pair *pair = &f->pairs[f->num_pairs++];
        pair->key = clgrad_strdup(f->ctx, key);
        pair->value = clgrad_strdup(f->ctx, json_string_value(value));
        if (!pair->key || !pair->value) return CLGRAD_E_MEMORY;
    }
    return CLGRAD_OK;
}

/* --- the whole header ---------------------------------------------------------------------------------------------- */

static int compare_offsets(const void *a, const void *b)
{
    const tensor_record *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(tensor_record *const *)a)->name, (*(tensor_record *const *)b)->name);
}

static clgrad_status check_cover(const clgrad_safetensors *f)
{
    uint64_t at = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (f->records[i].begin != at)
            return fail_tensor(f, CLGRAD_E_FORMAT, f->records[i].name, "its values overlap others or leave a hole before them");
        at = f->records[i].end;
    }
    if (at == f->file.bytes - f->data_offset) return CLGRAD_OK;
    return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "the tensors need %llu bytes of values, the file has %llu",
                          (unsigned long long)at, (unsigned long long)(f->file.bytes - f->data_offset));
}

static clgrad_status index_records(clgrad_safetensors *f)
{
    if (f->count) qsort(f->records, f->count, sizeof *f->records, compare_offsets);
    CLGRAD_TRY(check_cover(f));
    f->by_name = clgrad_alloc(f->ctx, f->count, sizeof *f->by_name);
    if (!f->by_name) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < f->count; i++) f->by_name[i] = &f->records[i];
    qsort(f->by_name, f->count, sizeof *f->by_name, compare_names);
    return CLGRAD_OK;
}

static clgrad_status take_header(clgrad_safetensors *f, json_t *header)
{
    const char *key;
    json_t *value;
    if (!json_is_object(header)) return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "the header is no table");
    json_object_foreach(header, key, value) {
        if (strcmp(key, CLGRAD_SAFETENSORS_METADATA) == 0) CLGRAD_TRY(add_metadata(f, value));
        else CLGRAD_TRY(add_tensor(f, key, value));
    }
    return index_records(f);
}

static clgrad_status parse_header(clgrad_safetensors *f, const char *text, size_t bytes)
{
    json_error_t error;
    if (text[0] != '{') return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "the header does not start with {");
    json_t *header = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!header && json_error_code(&error) == json_error_out_of_memory)
        return clgrad_io_fail(f->ctx, CLGRAD_E_MEMORY, f->path, "out of host memory while the header was read");
    if (!header) {
        char shown[CLGRAD_SHOWN_BYTES];
        return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "the header is no valid JSON: %s at byte %d",
                              clgrad_io_show(error.text, shown), error.position);
    }
    const clgrad_status status = take_header(f, header);
    json_decref(header);
    return status;
}

static clgrad_status read_header(clgrad_safetensors *f)
{
    unsigned char prefix[8];
    uint64_t bytes = 0;
    if (f->file.bytes < sizeof prefix)
        return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "too short for a safetensors file");
    CLGRAD_TRY(clgrad_io_read_at(f->ctx, f->path, &f->file, 0, prefix, sizeof prefix));
    for (int i = 7; i >= 0; i--) bytes = bytes << 8 | prefix[i];
    if (bytes > CLGRAD_SAFETENSORS_HEADER || bytes > f->file.bytes - sizeof prefix || bytes == 0)
        return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path,
                              "not a safetensors file, or cut short: a header of %llu bytes in a file of %llu",
                              (unsigned long long)bytes, (unsigned long long)f->file.bytes);
    f->data_offset = sizeof prefix + bytes;
    char *text = clgrad_resize(f->ctx, NULL, (size_t)bytes, 1);
    if (!text) return CLGRAD_E_MEMORY;
    clgrad_status status = clgrad_io_read_at(f->ctx, f->path, &f->file, sizeof prefix, text, (size_t)bytes);
    if (!status) status = parse_header(f, text, (size_t)bytes);
    clgrad_free(f->ctx, text);
    return status;
}

/* --- the public face ------------------------------------------------------------------------------------------------ */

clgrad_status clgrad_safetensors_open(clgrad_context *ctx, const char *path, clgrad_safetensors **out)
{
    *out = NULL;
    clgrad_safetensors *f = clgrad_alloc(ctx, 1, sizeof *f);
    if (!f) return CLGRAD_E_MEMORY;
    *f = (clgrad_safetensors){ .ctx = clgrad_context_retain(ctx), .file.fd = -1, .path = clgrad_strdup(ctx, path) };
    clgrad_status status = f->path ? clgrad_os_file_open(ctx, path, &f->file) : CLGRAD_E_MEMORY;
    if (!status) status = read_header(f);
    if (status) clgrad_safetensors_release(&f);
    *out = f;
    return status;
}

void clgrad_safetensors_release(clgrad_safetensors **address)
{
    clgrad_safetensors *f = *address;
    *address = NULL;
    if (!f) return;
    clgrad_context *ctx = f->ctx;
    clgrad_os_file_close(&f->file);
    for (size_t i = 0; i < f->count; i++) clgrad_free(ctx, f->records[i].name);
    for (size_t i = 0; i < f->num_pairs; i++) {
        clgrad_free(ctx, f->pairs[i].key);
        clgrad_free(ctx, f->pairs[i].value);
    }
    clgrad_free(ctx, f->records);
    clgrad_free(ctx, f->by_name);
    clgrad_free(ctx, f->pairs);
    clgrad_free(ctx, f->path);
    clgrad_free(ctx, f);
    clgrad_context_release(&ctx);
}

size_t clgrad_safetensors_count(const clgrad_safetensors *f) { return f->count; }

const clgrad_safetensors_entry *clgrad_safetensors_get(const clgrad_safetensors *f, size_t i)
{
    return i < f->count ? &f->records[i].entry : NULL;
}

static int compare_key(const void *key, const void *element)
{
    return strcmp(key, (*(tensor_record *const *)element)->name);
}

const clgrad_safetensors_entry *clgrad_safetensors_find(const clgrad_safetensors *f, const char *name)
{
    tensor_record *const *found = bsearch(name, f->by_name, f->count, sizeof *f->by_name, compare_key);
    return found ? &(*found)->entry : NULL;
}

size_t clgrad_safetensors_num_metadata(const clgrad_safetensors *f) { return f->num_pairs; }

void clgrad_safetensors_get_metadata(const clgrad_safetensors *f, size_t i, const char **key, const char **value)
{
    *key = i < f->num_pairs ? f->pairs[i].key : NULL;
    *value = i < f->num_pairs ? f->pairs[i].value : NULL;
}

const char *clgrad_safetensors_metadata(const clgrad_safetensors *f, const char *key)
{
    for (size_t i = 0; i < f->num_pairs; i++)
        if (strcmp(f->pairs[i].key, key) == 0) return f->pairs[i].value;
    return NULL;
}

clgrad_status clgrad_safetensors_read(const clgrad_safetensors *f, const clgrad_safetensors_entry *entry, void *data,
                                      size_t bytes)
{
    const tensor_record *r = (const tensor_record *)entry;
    if (entry->dtype == CLGRAD_DTYPE_COUNT)
        return clgrad_io_fail(f->ctx, CLGRAD_E_UNSUPPORTED, f->path, "tensor '%s' has the element type %s, which clgrad lacks",
                              entry->name, entry->type);
    if (bytes != entry->bytes)
        return clgrad_io_fail(f->ctx, CLGRAD_E_ARG, f->path, "tensor '%s' has %llu bytes, not %zu", entry->name,
                              (unsigned long long)entry->bytes, bytes);
    return clgrad_io_read_at(f->ctx, f->path, &f->file, f->data_offset + r->begin, data, bytes);
}

clgrad_status clgrad_safetensors_read_array(const clgrad_safetensors *f, const clgrad_safetensors_entry *entry,
                                            clgrad_array *out)
{
    *out = (clgrad_array){ .dtype = CLGRAD_U8 };
    if (entry->dtype != CLGRAD_DTYPE_COUNT) CLGRAD_TRY(clgrad_array_create(f->ctx, entry->dtype, entry->shape, out));
    const clgrad_status status = clgrad_safetensors_read(f, entry, out->data, (size_t)entry->bytes);
    if (status) clgrad_array_release(f->ctx, out);
    return status;
}
