/* Patterns over parameter names: the shell's * ? [..], nothing quoted. */

#include "clgrad/optim.h"

#include <string.h>

/* pattern points behind '['. Sets *end behind the closing bracket, or to NULL when there is none. */
static bool in_class(const char *pattern, char c, const char **end)
{
    const bool inverted = *pattern == '!' || *pattern == '^';
    bool found = false;
    if (inverted) pattern++;
    const char *first = pattern;
    for (; *pattern && (*pattern != ']' || pattern == first); pattern++) {
        const bool range = pattern[1] == '-' && pattern[2] && pattern[2] != ']';
        if (range ? pattern[0] <= c && c <= pattern[2] : *pattern == c) found = true;
        if (range) pattern += 2;
    }
    *end = *pattern ? pattern + 1 : NULL;
    return found != inverted;
}

/* Does the pattern's next element match c? *next is what follows it. A bracket without its end is itself. */
static bool match_one(const char *pattern, char c, const char **next)
{
    if (*pattern == '[') {
        const bool in = in_class(pattern + 1, c, next);
        if (*next) return in;
    }
    *next = pattern + 1;
    return *pattern == '?' || *pattern == c;
}

/* One star is ever tried again: the last one. */
bool clgrad_pattern_match(const char *pattern, const char *text)
{
    const char *star = NULL, *star_text = NULL, *next = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            star_text = text;
        } else if (*pattern && match_one(pattern, *text, &next)) {
            pattern = next;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++star_text;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}
