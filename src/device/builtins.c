/* Which declarations of cl/builtins.cl a text needs: those of the types that it names, in every width that it names. */

#include "device/cl_device.h"

static const struct {
    const char *type, *line;
} declared[] = {
    { "char", "CLGRAD_VECTOR_CHAR" }, { "short", "CLGRAD_VECTOR_SHORT" }, { "int", "CLGRAD_VECTOR_INT" },
    { "long", "CLGRAD_VECTOR_LONG" }, { "float", "CLGRAD_VECTOR_FLOAT" }, { "double", "CLGRAD_VECTOR_DOUBLE" },
};

static const char *const widths[] = { "2", "4", "8", "16" };

typedef struct {
    bool type[CLGRAD_COUNT(declared)], width[CLGRAD_COUNT(widths)];
} needs;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; }

static bool is(const char *word, size_t n, const char *other) { return strlen(other) == n && memcmp(word, other, n) == 0; }

/* float, float8, uint4 (signed and unsigned types go together); and vload8. */
static void note_word(const char *word, size_t n, needs *need)
{
    size_t letters = n;
    while (letters > 0 && is_digit(word[letters - 1])) letters--;
    const size_t sign = *word == 'u' && letters > 1;
    bool known = is(word, letters, "vload") || is(word, letters, "vstore");
    for (size_t t = 0; t < CLGRAD_COUNT(declared); t++)
        if (is(word + sign, letters - sign, declared[t].type)) known = need->type[t] = true;
    for (size_t w = 0; known && w < CLGRAD_COUNT(widths); w++)
        if (is(word + letters, n - letters, widths[w])) need->width[w] = true;
}

void clgrad_builtins_declare(const char *body, clgrad_text *text)
{
    needs need = { { false }, { false } };
    for (const char *at = body; *at;) {
        size_t n = 0;
        while (is_letter(at[n])) n++;
        if (n > 0) note_word(at, n, &need);
        at += n > 0 ? n : 1;
    }
    for (size_t t = 0; t < CLGRAD_COUNT(declared); t++)
        for (size_t w = 0; w < CLGRAD_COUNT(widths); w++)
            if (need.type[t] && need.width[w]) clgrad_text_append(text, "%s(%s)\n", declared[t].line, widths[w]);
}
