#pragma once

/* What fuzz targets share. A target defines LLVMFuzzerTestOneInput; a broken property ends the process, so that libFuzzer and
 * the replay both see it. */

#include "clgrad/io.h"
#include "fuzz/memory_file.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define REQUIRE(property)                                                             \
    do {                                                                              \
        if (!(property)) {                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #property);    \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* A failure must say what failed. */
#define REQUIRE_TOLD(ctx, status) REQUIRE((status) == CLGRAD_OK || clgrad_error_text(ctx)[0])
