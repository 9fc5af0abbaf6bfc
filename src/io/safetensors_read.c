/* Safetensors: u64 length of the header, header (JSON), values. The header is checked as the reference implementation does
 * (safetensors/src/tensor.rs, Metadata::validate): sorted by offset, the entries cover the values without hole or overlap. */

#include "io/safetensors.h"

#include <stdlib.h>

clgrad_status clgrad_safetensors_fail(const clgrad_safetensors *f, clgrad_status status, const char *name, const char *what)
{
    char shown[CLGRAD_SHOWN_BYTES];
    return clgrad_io_fail(f->ctx, status, f->path, "tensor '%s': %s", clgrad_io_show(name, shown), what);
}

static int compare_offsets(const void *a, const void *b)
{
    const clgrad_safetensors_record *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(clgrad_safetensors_record *const *)a)->name, (*(clgrad_safetensors_record *const *)b)->name);
}

static clgrad_status check_cover(const clgrad_safetensors *f)
{
    uint64_t at = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (f->records[i].begin != at)
            return clgrad_safetensors_fail(f, CLGRAD_E_FORMAT, f->records[i].name, "its values overlap others or leave a hole before them");
        at = f->records[i].end;
    }
    if (at == f->file.bytes - f->data_offset) return CLGRAD_OK;
    return clgrad_io_fail(f->ctx, CLGRAD_E_FORMAT, f->path, "the tensors need %llu bytes of values, the file has %llu",
                          (unsigned long long)at, (unsigned long long)(f->file.bytes - f->data_offset));
}

static clgrad_status index_records(clgrad_safetensors *f)
{
    if (f->count) qsort(f->records, f->count, sizeof *f->records, compare_offsets);
    f->by_name = clgrad_alloc(f->ctx, f->count, sizeof *f->by_name);
    if (!f->by_name) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < f->count; i++) f->by_name[i] = &f->records[i];
    qsort(f->by_name, f->count, sizeof *f->by_name, compare_names);
    for (size_t i = 1; i < f->count; i++)
        if (strcmp(f->by_name[i - 1]->name, f->by_name[i]->name) == 0)
            return clgrad_safetensors_fail(f, CLGRAD_E_FORMAT, f->by_name[i]->name, "the name stands twice");
    return check_cover(f);
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
    if (!status) status = clgrad_safetensors_parse(f, text, (size_t)bytes);
    if (!status) status = index_records(f);
    clgrad_free(f->ctx, text);
    return status;
}

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
    return strcmp(key, (*(clgrad_safetensors_record *const *)element)->name);
}

const clgrad_safetensors_entry *clgrad_safetensors_find(const clgrad_safetensors *f, const char *name)
{
    clgrad_safetensors_record *const *found = bsearch(name, f->by_name, f->count, sizeof *f->by_name, compare_key);
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
    const clgrad_safetensors_record *r = (const clgrad_safetensors_record *)entry;
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
