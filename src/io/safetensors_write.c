/* The reference writer's exact bytes: types in its order, then names; compact JSON; header padded with blanks to 8. */

#include "io/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct pending_tensor {
    char *name;
    clgrad_shape shape;
    const void *data;
    size_t bytes, type; /* type: row of the type table */
} pending_tensor;

struct clgrad_safetensors_writer {
    clgrad_context *ctx;
    pending_tensor *tensors;
    size_t count, tensor_capacity;
    clgrad_safetensors_pair *pairs;
    size_t num_pairs, pair_capacity;
};

clgrad_status clgrad_safetensors_writer_create(clgrad_context *ctx, clgrad_safetensors_writer **out)
{
    *out = clgrad_alloc(ctx, 1, sizeof **out);
    if (!*out) return CLGRAD_E_MEMORY;
    (*out)->ctx = clgrad_context_retain(ctx);
    return CLGRAD_OK;
}

void clgrad_safetensors_writer_release(clgrad_safetensors_writer **address)
{
    clgrad_safetensors_writer *w = *address;
    *address = NULL;
    if (!w) return;
    clgrad_context *ctx = w->ctx;
    for (size_t i = 0; i < w->count; i++) clgrad_free(ctx, w->tensors[i].name);
    for (size_t i = 0; i < w->num_pairs; i++) {
        clgrad_free(ctx, w->pairs[i].key);
        clgrad_free(ctx, w->pairs[i].value);
    }
    clgrad_free(ctx, w->tensors);
    clgrad_free(ctx, w->pairs);
    clgrad_free(ctx, w);
    clgrad_context_release(&ctx);
}

static clgrad_status replace_value(clgrad_context *ctx, clgrad_safetensors_pair *pair, const char *value)
{
    char *fresh = clgrad_strdup(ctx, value);
    if (!fresh) return CLGRAD_E_MEMORY;
    clgrad_free(ctx, pair->value);
    pair->value = fresh;
    return CLGRAD_OK;
}

clgrad_status clgrad_safetensors_writer_set(clgrad_safetensors_writer *w, const char *key, const char *value)
{
    if (!clgrad_utf8_valid(key, strlen(key)) || !clgrad_utf8_valid(value, strlen(value)))
        return clgrad_fail(w->ctx, CLGRAD_E_ARG, "safetensors: a metadata string is not UTF-8");
    for (size_t i = 0; i < w->num_pairs; i++)
        if (strcmp(w->pairs[i].key, key) == 0) return replace_value(w->ctx, &w->pairs[i], value);
    CLGRAD_TRY(clgrad_reserve(w->ctx, &w->pairs, &w->pair_capacity, w->num_pairs + 1, sizeof *w->pairs));
    clgrad_safetensors_pair pair = { clgrad_strdup(w->ctx, key), clgrad_strdup(w->ctx, value) };
    if (!pair.key || !pair.value) {
        clgrad_free(w->ctx, pair.key);
        clgrad_free(w->ctx, pair.value);
        return CLGRAD_E_MEMORY;
    }
    w->pairs[w->num_pairs++] = pair;
    return CLGRAD_OK;
}

static clgrad_status check_name(const clgrad_safetensors_writer *w, const char *name)
{
    const size_t length = strlen(name);
    if (length == 0 || length > CLGRAD_SAFETENSORS_NAME || !clgrad_utf8_valid(name, length) ||
        strcmp(name, CLGRAD_SAFETENSORS_METADATA) == 0)
        return clgrad_fail(w->ctx, CLGRAD_E_ARG, "safetensors: '%.60s' cannot name a tensor", name);
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->tensors[i].name, name) == 0)
            return clgrad_fail(w->ctx, CLGRAD_E_ARG, "safetensors: tensor '%s' is added twice", name);
    return CLGRAD_OK;
}

static size_t type_row(clgrad_dtype dtype)
{
    size_t row = 0;
    while (row < clgrad_safetensors_num_types && clgrad_safetensors_types[row].dtype != dtype) row++;
    return row;
}

clgrad_status clgrad_safetensors_writer_add(clgrad_safetensors_writer *w, const char *name, clgrad_dtype dtype,
                                            clgrad_shape shape, const void *data, size_t bytes)
{
    int64_t count = 0;
    if (!clgrad_dtype_bytes(dtype)) return clgrad_fail(w->ctx, CLGRAD_E_DTYPE, "safetensors: element type %d is none", (int)dtype);
    CLGRAD_TRY(check_name(w, name));
    CLGRAD_TRY(clgrad_shape_check(w->ctx, &shape, name, &count));
    if (bytes != (size_t)count * clgrad_dtype_bytes(dtype))
        return clgrad_fail(w->ctx, CLGRAD_E_ARG, "safetensors: tensor '%s' needs %zu bytes, %zu are given", name,
                           (size_t)count * clgrad_dtype_bytes(dtype), bytes);
    if (w->count == CLGRAD_SAFETENSORS_TENSORS)
        return clgrad_fail(w->ctx, CLGRAD_E_ARG, "safetensors: more than %d tensors", CLGRAD_SAFETENSORS_TENSORS);
    CLGRAD_TRY(clgrad_reserve(w->ctx, &w->tensors, &w->tensor_capacity, w->count + 1, sizeof *w->tensors));
    char *kept = clgrad_strdup(w->ctx, name);
    if (!kept) return CLGRAD_E_MEMORY;
    w->tensors[w->count++] = (pending_tensor){ kept, shape, data, bytes, type_row(dtype) };
    return CLGRAD_OK;
}

static int compare_tensors(const void *a, const void *b)
{
    const pending_tensor *x = a, *y = b;
    if (x->type != y->type) return x->type > y->type ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void append_string(clgrad_text *text, const char *s)
{
    static const char short_escapes[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    clgrad_text_append_bytes(text, "\"", 1);
    for (; *s; s++) {
        const char *escape = strchr(short_escapes, *s);
        if (escape) clgrad_text_append(text, "\\%c", letters[escape - short_escapes]);
        else if ((unsigned char)*s < 0x20) clgrad_text_append(text, "\\u%04x", (unsigned)*s);
        else clgrad_text_append_bytes(text, s, 1);
    }
    clgrad_text_append_bytes(text, "\"", 1);
}

static void append_metadata(clgrad_text *text, const clgrad_safetensors_writer *w)
{
    clgrad_text_append(text, "\"" CLGRAD_SAFETENSORS_METADATA "\":{");
    for (size_t i = 0; i < w->num_pairs; i++) {
        if (i) clgrad_text_append(text, ",");
        append_string(text, w->pairs[i].key);
        clgrad_text_append(text, ":");
        append_string(text, w->pairs[i].value);
    }
    clgrad_text_append(text, "}");
}

static void append_tensor(clgrad_text *text, const pending_tensor *t, uint64_t begin)
{
    append_string(text, t->name);
    clgrad_text_append(text, ":{\"dtype\":\"%s\",\"shape\":[", clgrad_safetensors_types[t->type].name);
    for (int32_t i = 0; i < t->shape.rank; i++) clgrad_text_append(text, i ? ",%lld" : "%lld", (long long)t->shape.dims[i]);
    clgrad_text_append(text, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, begin + t->bytes);
}

static void append_header(clgrad_text *text, const clgrad_safetensors_writer *w)
{
    uint64_t begin = 0;
    clgrad_text_append_bytes(text, "\0\0\0\0\0\0\0\0{", 9);
    if (w->num_pairs) append_metadata(text, w);
    for (size_t i = 0; i < w->count; i++) {
        if (i || w->num_pairs) clgrad_text_append(text, ",");
        append_tensor(text, &w->tensors[i], begin);
        begin += w->tensors[i].bytes;
    }
    clgrad_text_append(text, "}");
    while (!text->failed && text->bytes % 8) clgrad_text_append_bytes(text, " ", 1);
    const uint64_t header_bytes = text->failed ? 0 : text->bytes - 8;
    if (!text->failed) memcpy(text->data, &header_bytes, 8);
}

static clgrad_status write_pieces(clgrad_safetensors_writer *w, const char *path, const clgrad_text *header)
{
    clgrad_os_piece *pieces = clgrad_alloc(w->ctx, w->count + 1, sizeof *pieces);
    if (!pieces) return CLGRAD_E_MEMORY;
    pieces[0] = (clgrad_os_piece){ header->data, header->bytes };
    for (size_t i = 0; i < w->count; i++) pieces[i + 1] = (clgrad_os_piece){ w->tensors[i].data, w->tensors[i].bytes };
    const clgrad_status status = clgrad_os_write_pieces_atomic(w->ctx, path, pieces, w->count + 1);
    clgrad_free(w->ctx, pieces);
    return status;
}

clgrad_status clgrad_safetensors_writer_write(clgrad_safetensors_writer *w, const char *path)
{
    clgrad_text header = { .ctx = w->ctx };
    if (w->count) qsort(w->tensors, w->count, sizeof *w->tensors, compare_tensors);
    append_header(&header, w);
    clgrad_status status = header.failed ? CLGRAD_E_MEMORY : CLGRAD_OK;
    if (!status && header.bytes - 8 > CLGRAD_SAFETENSORS_HEADER)
        status = clgrad_io_fail(w->ctx, CLGRAD_E_UNSUPPORTED, path, "names and metadata need a header over %d bytes",
                                CLGRAD_SAFETENSORS_HEADER);
    if (!status) status = write_pieces(w, path, &header);
    clgrad_text_release(&header);
    return status;
}
