/* NPY: "\x93NUMPY", version, length of the header, header (a Python dict literal), values. numpy/lib/format.py is the
 * specification; its writer pads the header so that values start at a multiple of 64. */

#include "io/file.h"

#include <stdio.h>

enum { LARGEST_HEADER = 65536, ALIGNMENT = 64 };

static const char magic[] = "\x93NUMPY";

/* Types as NPY names them without byte order, and what they are read into. */
typedef struct npy_type {
    const char *name;
    size_t bytes;
    clgrad_dtype dtype;
    bool widens; /* an integer type clgrad lacks */
} npy_type;

static const npy_type types[] = {
    { "f4", 4, CLGRAD_F32, false }, { "f8", 8, CLGRAD_F64, false }, { "f2", 2, CLGRAD_F16, false },
    { "i4", 4, CLGRAD_I32, false }, { "i8", 8, CLGRAD_I64, false }, { "u1", 1, CLGRAD_U8, false },
    { "b1", 1, CLGRAD_U8, false },  { "i1", 1, CLGRAD_I32, true },  { "i2", 2, CLGRAD_I32, true },
    { "u2", 2, CLGRAD_I32, true },  { "u4", 4, CLGRAD_I64, true },  { "u8", 8, CLGRAD_I64, true },
};

typedef struct npy_reader {
    clgrad_context *ctx;
    const char *path;
    clgrad_os_file file;
    uint64_t data_offset;
    const char *next, *end; /* what is left of the header */
    char descr[32];
    const npy_type *type;
    bool big_endian, fortran, has_descr, has_order, has_shape;
    clgrad_shape shape;
} npy_reader;

static clgrad_status bad_header(const npy_reader *r, const char *what)
{
    return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "damaged NPY header: %s", what);
}

static void skip_blanks(npy_reader *r)
{
    while (r->next < r->end && (*r->next == ' ' || *r->next == '\n' || *r->next == '\t')) r->next++;
}

static bool take(npy_reader *r, char c)
{
    skip_blanks(r);
    if (r->next == r->end || *r->next != c) return false;
    r->next++;
    return true;
}

static bool take_word(npy_reader *r, const char *word)
{
    const size_t length = strlen(word);
    skip_blanks(r);
    if ((size_t)(r->end - r->next) < length || memcmp(r->next, word, length) != 0) return false;
    r->next += length;
    return true;
}

/* 'text' or "text", without escapes: no key and no type has any. */
static bool take_string(npy_reader *r, char *out, size_t bytes)
{
    const char quote = take(r, '\'') ? '\'' : take(r, '"') ? '"' : 0;
    size_t used = 0;
    if (!quote) return false;
    for (; r->next < r->end && *r->next != quote; r->next++) {
        if (*r->next == '\\' || used + 1 >= bytes) return false;
        out[used++] = *r->next;
    }
    out[used] = '\0';
    return take(r, quote);
}

static bool take_extent(npy_reader *r, int64_t *out)
{
    int64_t value = 0;
    skip_blanks(r);
    const char *first = r->next;
    for (; r->next < r->end && *r->next >= '0' && *r->next <= '9'; r->next++)
        if (!clgrad_mul_i64(value, 10, &value) || !clgrad_add_i64(value, *r->next - '0', &value)) return false;
    if (r->next == first) return false;
    take(r, 'L'); /* Python 2 wrote long integers so */
    *out = value;
    return true;
}

static clgrad_status parse_shape(npy_reader *r)
{
    if (!take(r, '(')) return bad_header(r, "the shape is no tuple");
    bool comma = true;
    while (!take(r, ')')) {
        int64_t extent = 0;
        if (!comma || !take_extent(r, &extent)) return bad_header(r, "the shape is no tuple of extents");
        if (r->shape.rank == CLGRAD_MAX_RANK)
            return clgrad_io_fail(r->ctx, CLGRAD_E_UNSUPPORTED, r->path, "rank over %d", CLGRAD_MAX_RANK);
        r->shape.dims[r->shape.rank++] = extent;
        comma = take(r, ',');
    }
    if (r->shape.rank == 1 && !comma) return bad_header(r, "the shape is no tuple"); /* (3) is a number in Python */
    return CLGRAD_OK;
}

static clgrad_status parse_order(npy_reader *r)
{
    r->fortran = take_word(r, "True");
    return r->fortran || take_word(r, "False") ? CLGRAD_OK : bad_header(r, "fortran_order is neither True nor False");
}

static clgrad_status parse_descr(npy_reader *r)
{
    skip_blanks(r);
    if (r->next < r->end && *r->next == '[')
        return clgrad_io_fail(r->ctx, CLGRAD_E_UNSUPPORTED, r->path, "it holds records, not numbers");
    return take_string(r, r->descr, sizeof r->descr) ? CLGRAD_OK : bad_header(r, "descr is no short string");
}

static clgrad_status parse_value(npy_reader *r, const char *key)
{
    bool *seen = strcmp(key, "descr") == 0           ? &r->has_descr
                 : strcmp(key, "fortran_order") == 0 ? &r->has_order
                 : strcmp(key, "shape") == 0         ? &r->has_shape
                                                     : NULL;
    if (!seen) return bad_header(r, "a key that is none of descr, fortran_order, shape");
    if (*seen) return bad_header(r, "a key stands twice");
    *seen = true;
    return seen == &r->has_descr ? parse_descr(r) : seen == &r->has_order ? parse_order(r) : parse_shape(r);
}

static clgrad_status parse_dict(npy_reader *r)
{
    char key[32];
    if (!take(r, '{')) return bad_header(r, "it is no dict");
    for (bool comma = true; !take(r, '}'); comma = take(r, ',')) {
        if (!comma || !take_string(r, key, sizeof key) || !take(r, ':')) return bad_header(r, "it is no dict of strings");
        CLGRAD_TRY(parse_value(r, key));
    }
    skip_blanks(r);
    if (r->next != r->end) return bad_header(r, "there is more behind the dict");
    if (!r->has_descr || !r->has_order || !r->has_shape) return bad_header(r, "descr, fortran_order or shape is missing");
    return CLGRAD_OK;
}

/* "<f4": order, kind, bytes. */
static clgrad_status resolve_type(npy_reader *r)
{
    const char order = r->descr[0];
    char shown[CLGRAD_SHOWN_BYTES];
    if (order != '<' && order != '>' && order != '|' && order != '=') return bad_header(r, "descr has no byte order");
    if (r->descr[1] == 'O')
        return clgrad_io_fail(r->ctx, CLGRAD_E_UNSUPPORTED, r->path, "it holds Python objects, which are never loaded");
    for (size_t i = 0; i < CLGRAD_COUNT(types); i++)
        if (strcmp(types[i].name, r->descr + 1) == 0) r->type = &types[i];
    if (!r->type)
        return clgrad_io_fail(r->ctx, CLGRAD_E_UNSUPPORTED, r->path, "element type '%s' is not supported",
                              clgrad_io_show(r->descr, shown));
    r->big_endian = order == '>';
    return CLGRAD_OK;
}

static clgrad_status read_prefix(npy_reader *r, size_t *header_bytes)
{
    unsigned char prefix[12] = { 0 };
    const size_t there = r->file.bytes < sizeof prefix ? (size_t)r->file.bytes : sizeof prefix;
    CLGRAD_TRY(clgrad_io_read_at(r->ctx, r->path, &r->file, 0, prefix, there));
    if (there < 10 || memcmp(prefix, magic, 6) != 0)
        return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "not an NPY file");
    if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0)
        return clgrad_io_fail(r->ctx, CLGRAD_E_UNSUPPORTED, r->path, "NPY version %d.%d; 1.0 to 3.0 are supported",
                              prefix[6], prefix[7]);
    const size_t low = prefix[8] | (size_t)prefix[9] << 8;
    *header_bytes = prefix[6] == 1 ? low : low | (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24;
    r->data_offset = (prefix[6] == 1 ? 10 : 12) + (uint64_t)*header_bytes;
    if (*header_bytes > LARGEST_HEADER)
        return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path, "a header of %zu bytes; at most %d are read",
                              *header_bytes, LARGEST_HEADER);
    if (r->data_offset > r->file.bytes) return bad_header(r, "the file ends within it");
    return CLGRAD_OK;
}

static clgrad_status read_header(npy_reader *r)
{
    size_t bytes = 0;
    CLGRAD_TRY(read_prefix(r, &bytes));
    char *header = clgrad_alloc(r->ctx, bytes, 1);
    if (!header) return CLGRAD_E_MEMORY;
    r->next = header, r->end = header + bytes;
    clgrad_status status = clgrad_io_read_at(r->ctx, r->path, &r->file, r->data_offset - bytes, header, bytes);
    if (!status) status = parse_dict(r);
    if (!status) status = resolve_type(r);
    r->next = r->end = NULL;
    clgrad_free(r->ctx, header);
    return status;
}

static clgrad_status check_size(const npy_reader *r)
{
    char text[32];
    const uint64_t have = r->file.bytes - r->data_offset;
    const int64_t count = clgrad_shape_count(&r->shape);
    if (count >= 0 && (uint64_t)count <= UINT64_MAX / r->type->bytes && (uint64_t)count * r->type->bytes == have)
        return CLGRAD_OK;
    snprintf(text, sizeof text, count < 0 ? "more than fits" : "%lld", (long long)count);
    return clgrad_io_fail(r->ctx, CLGRAD_E_FORMAT, r->path,
                          "the shape asks for %s elements of %zu bytes, the file has %llu bytes of values", text,
                          r->type->bytes, (unsigned long long)have);
}

static int64_t integer_at(const npy_type *type, const unsigned char *p)
{
    uint64_t bits = 0;
    memcpy(&bits, p, type->bytes);
    if (type->name[0] == 'u') return (int64_t)bits;
    return type->bytes == 1 ? (int8_t)bits : (int16_t)bits;
}

/* Types clgrad has not: each integer into the wider one. */
static clgrad_status widen(const npy_reader *r, const unsigned char *data, clgrad_array *out)
{
    const int64_t count = clgrad_shape_count(&out->shape);
    for (int64_t i = 0; i < count; i++) {
        const int64_t value = integer_at(r->type, data + (size_t)i * r->type->bytes);
        if (value < 0 && r->type->name[0] == 'u')
            return clgrad_io_fail(r->ctx, CLGRAD_E_UNSUPPORTED, r->path, "element %lld is over 2^63 - 1", (long long)i);
        if (out->dtype == CLGRAD_I32) ((int32_t *)out->data)[i] = (int32_t)value;
        else ((int64_t *)out->data)[i] = value;
    }
    return CLGRAD_OK;
}

/* Fortran order runs the first axis fastest. Odometer over the result's axes, last fastest; `from` follows in the source. */
static void transpose(const clgrad_shape *shape, size_t bytes, const char *src, char *dst)
{
    int64_t index[CLGRAD_MAX_RANK] = { 0 }, stride[CLGRAD_MAX_RANK], from = 0;
    const int64_t count = clgrad_shape_count(shape);
    for (int32_t axis = 0; axis < shape->rank; axis++)
        stride[axis] = axis ? stride[axis - 1] * shape->dims[axis - 1] : 1;
    for (int64_t i = 0; i < count; i++) {
        memcpy(dst + (size_t)i * bytes, src + (size_t)from * bytes, bytes);
        for (int32_t axis = shape->rank - 1; axis >= 0; axis--) {
            from += stride[axis];
            if (++index[axis] < shape->dims[axis]) break;
            from -= stride[axis] * shape->dims[axis];
            index[axis] = 0;
        }
    }
}

static clgrad_status reorder(const npy_reader *r, unsigned char **data, size_t bytes)
{
    unsigned char *rows = clgrad_alloc(r->ctx, bytes, 1);
    if (!rows) return CLGRAD_E_MEMORY;
    transpose(&r->shape, r->type->bytes, (const char *)*data, (char *)rows);
    clgrad_free(r->ctx, *data);
    *data = rows;
    return CLGRAD_OK;
}

static clgrad_status read_values(const npy_reader *r, clgrad_array *out)
{
    const size_t count = (size_t)clgrad_shape_count(&r->shape), bytes = count * r->type->bytes;
    unsigned char *data = clgrad_alloc(r->ctx, bytes, 1);
    if (!data) return CLGRAD_E_MEMORY;
    clgrad_status status = clgrad_io_read_at(r->ctx, r->path, &r->file, r->data_offset, data, bytes);
    if (!status && r->big_endian) clgrad_io_swap_bytes(data, count, r->type->bytes);
    if (!status && r->fortran && r->shape.rank > 1) status = reorder(r, &data, bytes);
    if (!status) status = clgrad_array_create(r->ctx, r->type->dtype, r->shape, out);
    if (!status && r->type->widens) status = widen(r, data, out);
    else if (!status) memcpy(out->data, data, bytes);
    clgrad_free(r->ctx, data);
    if (status) clgrad_array_release(r->ctx, out);
    return status;
}

clgrad_status clgrad_npy_read(clgrad_context *ctx, const char *path, clgrad_array *out)
{
    npy_reader r = { .ctx = ctx, .path = path };
    *out = (clgrad_array){ .dtype = CLGRAD_U8 };
    CLGRAD_TRY(clgrad_os_file_open(ctx, path, &r.file));
    clgrad_status status = read_header(&r);
    if (!status) status = check_size(&r);
    if (!status) status = read_values(&r, out);
    clgrad_os_file_close(&r.file);
    return status;
}

static const char *descr_of(clgrad_dtype dtype)
{
    static const char *const names[CLGRAD_DTYPE_COUNT] = {
        [CLGRAD_F32] = "<f4", [CLGRAD_F64] = "<f8", [CLGRAD_F16] = "<f2",
        [CLGRAD_I32] = "<i4", [CLGRAD_I64] = "<i8", [CLGRAD_U8] = "|u1",
    };
    return (unsigned)dtype < CLGRAD_DTYPE_COUNT ? names[dtype] : NULL;
}

static void append_header(clgrad_text *text, const clgrad_array *array)
{
    const int32_t rank = array->shape.rank;
    clgrad_text_append(text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr_of(array->dtype));
    for (int32_t i = 0; i < rank; i++) clgrad_text_append(text, i ? ", %lld" : "%lld", (long long)array->shape.dims[i]);
    clgrad_text_append(text, rank == 1 ? ",), }" : "), }");
    while (!text->failed && (text->bytes + 1) % ALIGNMENT) clgrad_text_append_bytes(text, " ", 1);
    clgrad_text_append_bytes(text, "\n", 1);
}

clgrad_status clgrad_npy_write(clgrad_context *ctx, const char *path, const clgrad_array *array)
{
    clgrad_text text = { .ctx = ctx };
    if (!descr_of(array->dtype))
        return clgrad_io_fail(ctx, CLGRAD_E_UNSUPPORTED, path, "NPY has no element type %s", clgrad_dtype_name(array->dtype));
    clgrad_text_append_bytes(&text, magic, 6);
    clgrad_text_append_bytes(&text, "\1\0", 2);
    clgrad_text_append_bytes(&text, "\0\0", 2);
    append_header(&text, array);
    clgrad_status status = text.failed ? CLGRAD_E_MEMORY : CLGRAD_OK;
    if (!status) {
        text.data[8] = (char)((text.bytes - 10) & 0xff);
        text.data[9] = (char)((text.bytes - 10) >> 8);
        const clgrad_os_piece pieces[] = { { text.data, text.bytes }, { array->data, clgrad_array_bytes(array) } };
        status = clgrad_os_write_pieces_atomic(ctx, path, pieces, CLGRAD_COUNT(pieces));
    }
    clgrad_text_release(&text);
    return status;
}
