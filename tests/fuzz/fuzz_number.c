/* What our number parser takes, strtod takes whole and with the same bits. */

#include "fuzz/fuzz.h"
#include "io/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char text[600];
    double ours = 0;
    if (bytes >= sizeof text) return 0;
    if (bytes) memcpy(text, data, bytes);
    text[bytes] = '\0';
    if (!clgrad_number_parse(text, bytes, &ours)) return 0;
    char *end;
    const double theirs = strtod(text, &end);
    REQUIRE(end == text + bytes && memcmp(&ours, &theirs, sizeof ours) == 0);
    return 0;
}
