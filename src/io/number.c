#include "io/file.h"

#include <float.h>
#include <locale.h>
#include <stdlib.h>

/* A decimal number taken apart: digits * 10^exponent. */
typedef struct decimal {
    bool negative, exact; /* exact: all digits are in `digits` */
    uint64_t digits;
    int64_t exponent;
} decimal;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void take_digit(decimal *d, char c, bool fraction)
{
    if (d->digits < UINT64_C(1000000000000000000)) {
        d->digits = d->digits * 10 + (uint64_t)(c - '0');
        d->exponent -= fraction;
    } else {
        d->exact = d->exact && c == '0';
        d->exponent += !fraction;
    }
}

/* [+-]digits[.digits][e[+-]digits] with a digit on at least one side of the point. */
static bool scan(const char *text, const char *end, decimal *d)
{
    size_t digits = 0;
    int64_t power = 0;
    if (text < end && (*text == '-' || *text == '+')) d->negative = *text++ == '-';
    for (; text < end && is_digit(*text); text++, digits++) take_digit(d, *text, false);
    if (text < end && *text == '.')
        for (text++; text < end && is_digit(*text); text++, digits++) take_digit(d, *text, true);
    if (digits == 0) return false;
    if (text < end && (*text == 'e' || *text == 'E')) {
        bool negative = false;
        if (++text < end && (*text == '-' || *text == '+')) negative = *text++ == '-';
        if (text == end) return false;
        for (; text < end && is_digit(*text); text++)
            if (power < 1000000) power = power * 10 + (*text - '0');
        d->exponent += negative ? -power : power;
    }
    return text == end;
}

/* strtod reads the point of the program's locale; the text is put into that form first. */
static bool parse_slowly(const char *text, size_t bytes, double *out)
{
    char copy[512];
    const char *point = localeconv()->decimal_point;
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        const size_t n = text[i] == '.' ? strlen(point) : 1;
        if (used + n >= sizeof copy) return false;
        memcpy(copy + used, text[i] == '.' ? point : text + i, n);
        used += n;
    }
    copy[used] = '\0';
    char *end = NULL;
    *out = strtod(copy, &end);
    return end == copy + used && *out >= -DBL_MAX && *out <= DBL_MAX;
}

bool clgrad_number_parse(const char *text, size_t bytes, double *out)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    decimal d = { .exact = true };
    if (!scan(text, text + bytes, &d)) return false;
    /* Both factors are exact doubles, so one rounding is the right one (Clinger 1990). */
    if (!d.exact || d.digits > UINT64_C(1) << 53 || d.exponent < -22 || d.exponent > 22) return parse_slowly(text, bytes, out);
    const double magnitude = d.exponent < 0 ? (double)d.digits / powers[-d.exponent] : (double)d.digits * powers[d.exponent];
    *out = d.negative ? -magnitude : magnitude;
    return true;
}
