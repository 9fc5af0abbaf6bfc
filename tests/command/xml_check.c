/* xml_check FILE: is the file well-formed XML, as far as the files written here go: a declaration, elements that close in order, quoted
 * attributes given once, entities that exist, one root? Says the line of the first fault; exit 0 when there is none. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 24, DEPTH = 64, NAMES = 64 };

static const char *text, *at;

static int fault(const char *what)
{
    int line = 1;
    for (const char *c = text; c < at; c++) line += *c == '\n';
    return printf("line %d: %s\n", line, what), 1;
}

static size_t name_length(const char *s)
{
    size_t n = 0;
    if (isalpha((unsigned char)*s) || *s == '_')
        while (isalnum((unsigned char)s[n]) || strchr("_-.:", s[n] ? s[n] : ' ')) n++;
    return n;
}

static int entity(void)
{
    static const char *const known[] = { "&lt;", "&gt;", "&amp;", "&quot;", "&apos;" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(at, known[i], strlen(known[i])) == 0) return at += strlen(known[i]), 0;
    return fault("an entity that XML does not know");
}

static int character(void)
{
    if (*at == '&') return entity();
    if ((unsigned char)*at < 0x20 && !isspace((unsigned char)*at)) return fault("a control character");
    at++;
    return 0;
}

static int attribute(const char *seen[NAMES], size_t *count)
{
    const size_t length = name_length(at);
    if (length == 0) return fault("an attribute without a name");
    for (size_t i = 0; i < *count; i++)
        if (name_length(seen[i]) == length && strncmp(seen[i], at, length) == 0) return fault("an attribute given twice");
    if (*count < NAMES) seen[(*count)++] = at;
    at += length;
    if (at[0] != '=' || (at[1] != '"' && at[1] != '\'')) return fault("an attribute without a quoted value");
    const char quote = at[1];
    for (at += 2; *at != quote;)
        if (*at == '\0' || *at == '<' || character()) return *at == '\0' || *at == '<' ? fault("an attribute that does not end") : 1;
    at++;
    return 0;
}

/* Behind the name up to and with '>'; *empty: it ends in '/>'. */
static int attributes(int *empty)
{
    const char *seen[NAMES];
    size_t count = 0;
    for (*empty = 0;;) {
        const int space = isspace((unsigned char)*at);
        while (isspace((unsigned char)*at)) at++;
        if (*at == '>') return at++, 0;
        if (at[0] == '/' && at[1] == '>') return *empty = 1, at += 2, 0;
        if (!space) return fault("no space before an attribute");
        if (attribute(seen, &count)) return 1;
    }
}

static int check(void)
{
    const char *open[DEPTH];
    int depth = 0, roots = 0, empty = 0;
    if (strncmp(at, "<?xml ", 6) == 0 && strstr(at, "?>")) at = strstr(at, "?>") + 2;
    while (*at) {
        if (*at != '<') {
            if (depth == 0 && !isspace((unsigned char)*at)) return fault("text outside the root");
            if (character()) return 1;
            continue;
        }
        const int closing = at[1] == '/';
        at += 1 + closing;
        const size_t length = name_length(at);
        if (length == 0) return fault("a tag without a name");
        if (closing) {
            if (depth == 0 || name_length(open[depth - 1]) != length || strncmp(open[depth - 1], at, length) != 0)
                return fault("an end that nothing began");
            depth--, at += length;
            if (*at++ != '>') return fault("an end tag that does not end");
            continue;
        }
        if (depth == 0 && roots++ > 0) return fault("a second root");
        if (depth == DEPTH) return fault("too deep");
        open[depth] = at;
        at += length;
        if (attributes(&empty)) return 1;
        depth += !empty;
    }
    return depth > 0 ? fault("an element that does not end") : roots == 0 ? fault("no element") : 0;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    char *buffer = calloc(MOST_BYTES + 1, 1);
    if (!file || !buffer) return fprintf(stderr, "usage: xml_check FILE\n"), 2;
    const size_t bytes = fread(buffer, 1, MOST_BYTES, file);
    fclose(file);
    text = at = buffer;
    const int code = bytes == MOST_BYTES ? fault("too large") : strlen(text) != bytes ? fault("a zero byte") : check();
    free(buffer);
    return code;
}
