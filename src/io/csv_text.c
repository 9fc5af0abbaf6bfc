#include "io/csv_text.h"

enum { INPUT_BYTES = 65536, LARGEST_RECORD = 1 << 26, MOST_FIELDS = 1 << 20, END = -1 };

static clgrad_status refill(clgrad_csv_text *c)
{
    c->input_at = 0;
    CLGRAD_TRY(clgrad_stream_read(c->stream, c->input, INPUT_BYTES, &c->input_bytes));
    c->ended = c->input_bytes == 0;
    return CLGRAD_OK;
}

/* The next byte, left in place, or END. */
static clgrad_status peek(clgrad_csv_text *c, int *out)
{
    if (c->input_at == c->input_bytes && !c->ended) CLGRAD_TRY(refill(c));
    *out = c->ended ? END : c->input[c->input_at];
    return CLGRAD_OK;
}

static clgrad_status fail_here(const clgrad_csv_text *c, const char *what)
{
    return clgrad_io_fail(c->ctx, CLGRAD_E_FORMAT, c->path, "line %llu: %s", (unsigned long long)c->line, what);
}

static bool is_blank(int c) { return c == ' ' || c == '\t'; }

static bool is_separator(const clgrad_csv_text *c, int byte)
{
    return c->separator == ' ' ? is_blank(byte) : byte == c->separator;
}

/* The commonest of , ; tab outside quotes in the first line; blanks where there is none of them. */
static char guess_separator(const unsigned char *text, size_t bytes)
{
    static const char candidates[] = ",;\t";
    size_t counts[3] = { 0 }, best = 0;
    bool quoted = false, blank = false;
    size_t i = 0;
    while (i < bytes && (text[i] == '\n' || text[i] == '\r')) i++;
    for (; i < bytes && (quoted || text[i] != '\n'); i++) {
        const char *found = text[i] && !quoted ? strchr(candidates, text[i]) : NULL;
        if (text[i] == '"') quoted = !quoted;
        if (found) counts[found - candidates]++;
        if (text[i] == ' ' && !quoted) blank = true;
    }
    for (size_t k = 1; k < 3; k++)
        if (counts[k] > counts[best]) best = k;
    return counts[best] ? candidates[best] : blank ? ' ' : ',';
}

clgrad_status clgrad_csv_text_open(clgrad_context *ctx, const char *path, char separator, clgrad_csv_text *out)
{
    *out = (clgrad_csv_text){ .ctx = ctx, .path = path, .separator = separator, .next_line = 1 };
    clgrad_status status = clgrad_stream_open(ctx, path, &out->stream);
    if (!status) out->input = clgrad_alloc(ctx, INPUT_BYTES, 1);
    if (!status && !out->input) status = CLGRAD_E_MEMORY;
    if (!status) status = refill(out);
    if (status) {
        clgrad_csv_text_release(out);
        return status;
    }
    if (out->input_bytes >= 3 && memcmp(out->input, "\xef\xbb\xbf", 3) == 0) out->input_at = 3; /* a byte order mark */
    if (!separator) out->separator = guess_separator(out->input + out->input_at, out->input_bytes - out->input_at);
    return CLGRAD_OK;
}

void clgrad_csv_text_release(clgrad_csv_text *c)
{
    clgrad_stream_release(&c->stream);
    clgrad_free(c->ctx, c->input);
    clgrad_free(c->ctx, c->text);
    clgrad_free(c->ctx, c->fields);
    c->input = NULL, c->text = NULL, c->fields = NULL;
}

static clgrad_status append(clgrad_csv_text *c, char byte)
{
    if (c->text_bytes == LARGEST_RECORD) return fail_here(c, "a row of more than 64 MiB");
    CLGRAD_TRY(clgrad_reserve(c->ctx, &c->text, &c->text_capacity, c->text_bytes + 1, 1));
    c->text[c->text_bytes++] = byte;
    return CLGRAD_OK;
}

static clgrad_status skip_blanks(clgrad_csv_text *c, bool separators_too)
{
    for (;;) {
        int byte;
        CLGRAD_TRY(peek(c, &byte));
        if (!is_blank(byte) || (!separators_too && is_separator(c, byte))) return CLGRAD_OK;
        c->input_at++;
    }
}

/* What stands between quotes; a doubled quote is one. Lines may end within. */
static clgrad_status take_quoted(clgrad_csv_text *c)
{
    int byte;
    for (c->input_at++;; c->input_at++) {
        CLGRAD_TRY(peek(c, &byte));
        if (byte == END) return fail_here(c, "a quote is opened and never closed");
        if (byte == '"') {
            c->input_at++;
            CLGRAD_TRY(peek(c, &byte));
            if (byte != '"') break;
        }
        if (byte == '\n') c->next_line++;
        if (byte == 0) return fail_here(c, "a NUL byte: this is no text");
        CLGRAD_TRY(append(c, (char)byte));
    }
    CLGRAD_TRY(skip_blanks(c, false));
    CLGRAD_TRY(peek(c, &byte));
    if (byte != END && byte != '\n' && byte != '\r' && !is_separator(c, byte))
        return fail_here(c, "text behind a closing quote");
    return CLGRAD_OK;
}

static clgrad_status take_plain(clgrad_csv_text *c)
{
    const size_t begin = c->text_bytes;
    for (;; c->input_at++) {
        int byte;
        CLGRAD_TRY(peek(c, &byte));
        if (byte == END || byte == '\n' || byte == '\r' || is_separator(c, byte)) break;
        if (byte == '"') return fail_here(c, "a quote within a field that does not start with one");
        if (byte == 0) return fail_here(c, "a NUL byte: this is no text");
        CLGRAD_TRY(append(c, (char)byte));
    }
    while (c->text_bytes > begin && is_blank(c->text[c->text_bytes - 1])) c->text_bytes--;
    return CLGRAD_OK;
}

static clgrad_status take_field(clgrad_csv_text *c)
{
    int byte;
    if (c->num_fields == MOST_FIELDS) return fail_here(c, "more than 1,048,576 fields");
    CLGRAD_TRY(clgrad_reserve(c->ctx, &c->fields, &c->field_capacity, c->num_fields + 1, sizeof *c->fields));
    const size_t begin = c->text_bytes;
    CLGRAD_TRY(skip_blanks(c, false));
    CLGRAD_TRY(peek(c, &byte));
    CLGRAD_TRY(byte == '"' ? take_quoted(c) : take_plain(c));
    const size_t bytes = c->text_bytes - begin;
    c->fields[c->num_fields++] = (clgrad_csv_field){ begin, bytes };
    CLGRAD_TRY(append(c, '\0'));
    return clgrad_utf8_valid(c->text + begin, bytes) ? CLGRAD_OK : fail_here(c, "text that is not UTF-8");
}

/* Step over the end of a line; *more says whether another field follows. */
static clgrad_status end_field(clgrad_csv_text *c, bool *more)
{
    int byte;
    if (c->separator == ' ') CLGRAD_TRY(skip_blanks(c, true));
    CLGRAD_TRY(peek(c, &byte));
    const bool line_ends = byte == END || byte == '\n' || byte == '\r';
    *more = !line_ends;
    if (byte != END && (line_ends || c->separator != ' ')) c->input_at++;
    if (byte == '\r') {
        CLGRAD_TRY(peek(c, &byte));
        if (byte != '\n') return fail_here(c, "a carriage return without a line feed");
        c->input_at++;
    }
    if (byte == '\n') c->next_line++;
    return CLGRAD_OK;
}

static clgrad_status take_record(clgrad_csv_text *c)
{
    bool more = true;
    c->num_fields = 0, c->text_bytes = 0;
    c->line = c->next_line;
    if (c->separator == ' ') CLGRAD_TRY(skip_blanks(c, true));
    while (more) {
        CLGRAD_TRY(take_field(c));
        CLGRAD_TRY(end_field(c, &more));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_csv_text_next(clgrad_csv_text *c)
{
    for (;;) {
        int byte;
        c->num_fields = 0;
        CLGRAD_TRY(peek(c, &byte));
        if (byte == END) return CLGRAD_OK;
        CLGRAD_TRY(take_record(c));
        if (c->num_fields > 1 || c->fields[0].bytes > 0) return CLGRAD_OK;
    }
}
