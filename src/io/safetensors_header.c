/* The header of a safetensors file: JSON of one fixed form,
 *     {"NAME":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, ..., "__metadata__":{"KEY":"VALUE", ...}}
 * read straight into records. A general JSON reader would allocate behind the context's back and take more than is legal. */

#include "io/safetensors.h"

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

typedef struct header_scan {
    clgrad_safetensors *f;
    const char *begin, *next, *end;
    clgrad_text string; /* the string last taken, decoded */
} header_scan;

static clgrad_status bad_json(const header_scan *s, const char *what)
{
    return clgrad_io_fail(s->f->ctx, CLGRAD_E_FORMAT, s->f->path, "the header is no valid JSON: %s at its byte %zu", what,
                          (size_t)(s->next - s->begin));
}

static void skip_blanks(header_scan *s)
{
    while (s->next < s->end && (*s->next == ' ' || *s->next == '\n' || *s->next == '\r' || *s->next == '\t')) s->next++;
}

static bool take(header_scan *s, char c)
{
    skip_blanks(s);
    if (s->next == s->end || *s->next != c) return false;
    s->next++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits behind \u; UINT32_MAX when they are none. */
static uint32_t take_unit(header_scan *s)
{
    uint32_t unit = 0;
    if (s->end - s->next < 4) return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_digit(*s->next++);
        if (digit < 0) return UINT32_MAX;
        unit = unit << 4 | (uint32_t)digit;
    }
    return unit;
}

static void append_utf8(clgrad_text *text, uint32_t code)
{
    char bytes[4];
    const size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = length; i-- > 1; code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(leads[length] | code);
    clgrad_text_append_bytes(text, bytes, length);
}

/* \uXXXX, or two of them for a code point over 0xffff. A NUL would end a C string early: refused. */
static clgrad_status take_code_point(header_scan *s)
{
    uint32_t code = take_unit(s);
    if (code >= 0xd800 && code < 0xdc00 && s->end - s->next >= 6 && s->next[0] == '\\' && s->next[1] == 'u') {
        s->next += 2;
        const uint32_t low = take_unit(s);
        code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : UINT32_MAX;
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return bad_json(s, "no such character");
    append_utf8(&s->string, code);
    return CLGRAD_OK;
}

static clgrad_status take_escape(header_scan *s)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (s->next == s->end) return bad_json(s, "a string is not closed");
    const char c = *s->next++;
    if (c == 'u') return take_code_point(s);
    const char *found = c ? strchr(letters, c) : NULL;
    if (!found) return bad_json(s, "an unknown escape");
    clgrad_text_append_bytes(&s->string, &meanings[found - letters], 1);
    return CLGRAD_OK;
}

static clgrad_status take_string(header_scan *s)
{
    s->string.bytes = 0;
    clgrad_text_append_bytes(&s->string, "", 0); /* there is a text, also when it is empty */
    if (!take(s, '"')) return bad_json(s, "a string is missing");
    while (s->next < s->end && *s->next != '"' && !s->string.failed) {
        const char c = *s->next++;
        if ((unsigned char)c < 0x20) return bad_json(s, "a control character in a string");
        if (c == '\\') CLGRAD_TRY(take_escape(s));
        else clgrad_text_append_bytes(&s->string, &c, 1);
    }
    if (s->string.failed) return CLGRAD_E_MEMORY;
    if (s->next == s->end) return bad_json(s, "a string is not closed");
    s->next++;
    return clgrad_utf8_valid(s->string.data, s->string.bytes) ? CLGRAD_OK : bad_json(s, "text that is not UTF-8");
}

/* 0 or more, without leading zeros, fraction or exponent; false when it is anything else or does not fit. */
static bool take_whole(header_scan *s, int64_t *out)
{
    int64_t value = 0;
    skip_blanks(s);
    const char *first = s->next;
    for (; s->next < s->end && *s->next >= '0' && *s->next <= '9'; s->next++)
        if (!clgrad_mul_i64(value, 10, &value) || !clgrad_add_i64(value, *s->next - '0', &value)) return false;
    *out = value;
    return s->next > first && (*first != '0' || s->next == first + 1);
}

static clgrad_status take_type(header_scan *s, clgrad_safetensors_record *r, const clgrad_safetensors_type **type)
{
    CLGRAD_TRY(take_string(s));
    for (size_t i = 0; i < clgrad_safetensors_num_types; i++)
        if (strcmp(clgrad_safetensors_types[i].name, s->string.data) == 0) *type = &clgrad_safetensors_types[i];
    if (!*type) return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, "dtype is none of the format's");
    r->entry.type = (*type)->name;
    r->entry.dtype = (*type)->dtype;
    return CLGRAD_OK;
}

static clgrad_status take_shape(header_scan *s, clgrad_safetensors_record *r)
{
    static const char what[] = "shape is no list of whole numbers";
    clgrad_shape *shape = &r->entry.shape;
    if (!take(s, '[')) return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, what);
    for (bool first = true; !take(s, ']'); first = false) {
        int64_t extent;
        if ((!first && !take(s, ',')) || !take_whole(s, &extent))
            return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, what);
        if (shape->rank == CLGRAD_MAX_RANK)
            return clgrad_safetensors_fail(s->f, CLGRAD_E_UNSUPPORTED, r->name, "its rank is over 8");
        shape->dims[shape->rank++] = extent;
    }
    return CLGRAD_OK;
}

static clgrad_status take_offsets(header_scan *s, clgrad_safetensors_record *r)
{
    int64_t begin, end;
    if (!take(s, '[') || !take_whole(s, &begin) || !take(s, ',') || !take_whole(s, &end) || !take(s, ']') || end < begin)
        return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, "data_offsets is no pair of growing whole numbers");
    r->begin = (uint64_t)begin;
    r->end = (uint64_t)end;
    return CLGRAD_OK;
}

static clgrad_status check_size(const header_scan *s, const clgrad_safetensors_type *type, clgrad_safetensors_record *r)
{
    int64_t bits = clgrad_shape_count(&r->entry.shape);
    if (bits < 0 || !clgrad_mul_i64(bits, type->bits, &bits))
        return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, "its extents multiply to more than fits");
    if (bits % 8) return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, "it is no whole number of bytes");
    r->entry.bytes = (uint64_t)bits / 8;
    if (r->end - r->begin != r->entry.bytes)
        return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, "data_offsets contradict dtype and shape");
    return CLGRAD_OK;
}

static clgrad_status take_tensor(header_scan *s, clgrad_safetensors_record *r)
{
    static const char *const fields[] = { "dtype", "shape", "data_offsets" };
    static const char what[] = "not exactly dtype, shape and data_offsets";
    const clgrad_safetensors_type *type = NULL;
    unsigned seen = 0;
    if (!take(s, '{')) return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, what);
    while (!take(s, '}')) {
        unsigned field = 0;
        if (seen && !take(s, ',')) return bad_json(s, "a comma is missing");
        CLGRAD_TRY(take_string(s));
        while (field < 3 && strcmp(fields[field], s->string.data) != 0) field++;
        if (field == 3 || seen & 1u << field) return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, what);
        if (!take(s, ':')) return bad_json(s, "a colon is missing");
        seen |= 1u << field;
        CLGRAD_TRY(field == 0 ? take_type(s, r, &type) : field == 1 ? take_shape(s, r) : take_offsets(s, r));
    }
    if (seen != 7) return clgrad_safetensors_fail(s->f, CLGRAD_E_FORMAT, r->name, what);
    return check_size(s, type, r);
}

/* The name is the string last taken. */
static clgrad_status add_tensor(header_scan *s)
{
    clgrad_safetensors *f = s->f;
    const char *name = s->string.data;
    if (s->string.bytes == 0 || s->string.bytes > CLGRAD_SAFETENSORS_NAME)
        return clgrad_safetensors_fail(f, CLGRAD_E_UNSUPPORTED, name, "the name is empty or over 255 bytes");
    if (f->count == CLGRAD_SAFETENSORS_TENSORS)
        return clgrad_io_fail(f->ctx, CLGRAD_E_UNSUPPORTED, f->path, "more than %d tensors", CLGRAD_SAFETENSORS_TENSORS);
    CLGRAD_TRY(clgrad_reserve(f->ctx, &f->records, &f->record_capacity, f->count + 1, sizeof *f->records));
    clgrad_safetensors_record *r = &f->records[f->count];
    *r = (clgrad_safetensors_record){ .name = clgrad_strdup(f->ctx, name) };
    if (!r->name) return CLGRAD_E_MEMORY;
    f->count++;
    r->entry.name = r->name;
    return take_tensor(s, r);
}

static clgrad_status bad_metadata(const header_scan *s, const char *what)
{
    return clgrad_io_fail(s->f->ctx, CLGRAD_E_FORMAT, s->f->path, "__metadata__ %s", what);
}

static clgrad_status take_pair(header_scan *s)
{
    clgrad_safetensors *f = s->f;
    CLGRAD_TRY(clgrad_reserve(f->ctx, &f->pairs, &f->pair_capacity, f->num_pairs + 1, sizeof *f->pairs));
    clgrad_safetensors_pair *pair = &f->pairs[f->num_pairs++];
    *pair = (clgrad_safetensors_pair){ NULL, NULL };
    CLGRAD_TRY(take_string(s));
    pair->key = clgrad_strdup(f->ctx, s->string.data);
    if (!pair->key) return CLGRAD_E_MEMORY;
    if (!take(s, ':')) return bad_json(s, "a colon is missing");
    skip_blanks(s);
    if (s->next < s->end && *s->next != '"') return bad_metadata(s, "is no table of strings");
    CLGRAD_TRY(take_string(s));
    pair->value = clgrad_strdup(f->ctx, s->string.data);
    return pair->value ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static clgrad_status check_keys(const header_scan *s)
{
    const clgrad_safetensors *f = s->f;
    bool twice = false;
    const char **keys = clgrad_alloc(f->ctx, f->num_pairs, sizeof *keys);
    if (!keys) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < f->num_pairs; i++) keys[i] = f->pairs[i].key;
    qsort(keys, f->num_pairs, sizeof *keys, compare_texts);
    for (size_t i = 1; i < f->num_pairs; i++) twice = twice || strcmp(keys[i - 1], keys[i]) == 0;
    clgrad_free(f->ctx, keys);
    return twice ? bad_metadata(s, "has a key twice") : CLGRAD_OK;
}

static clgrad_status add_metadata(header_scan *s)
{
    if (!take(s, '{')) return bad_metadata(s, "is no table of strings");
    for (bool first = true; !take(s, '}'); first = false) {
        if (!first && !take(s, ',')) return bad_json(s, "a comma is missing");
        CLGRAD_TRY(take_pair(s));
    }
    return check_keys(s);
}

static clgrad_status take_header(header_scan *s)
{
    bool metadata = false;
    if (s->next == s->end || *s->next++ != '{')
        return clgrad_io_fail(s->f->ctx, CLGRAD_E_FORMAT, s->f->path, "the header does not start with {");
    for (bool first = true; !take(s, '}'); first = false) {
        if (!first && !take(s, ',')) return bad_json(s, "a comma is missing");
        CLGRAD_TRY(take_string(s));
        if (!take(s, ':')) return bad_json(s, "a colon is missing");
        if (strcmp(s->string.data, CLGRAD_SAFETENSORS_METADATA) != 0) {
            CLGRAD_TRY(add_tensor(s));
        } else {
            if (metadata) return bad_metadata(s, "stands twice");
            metadata = true;
            CLGRAD_TRY(add_metadata(s));
        }
    }
    skip_blanks(s);
    return s->next == s->end ? CLGRAD_OK : bad_json(s, "more behind its end");
}

clgrad_status clgrad_safetensors_parse(clgrad_safetensors *f, const char *text, size_t bytes)
{
    header_scan scan = { .f = f, .begin = text, .next = text, .end = text + bytes, .string = { .ctx = f->ctx } };
    const clgrad_status status = take_header(&scan);
    clgrad_text_release(&scan.string);
    return status;
}
