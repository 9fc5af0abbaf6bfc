#pragma once

/* A file system of a few files in memory behind the table of file calls, so that a fuzzer reads and writes without a disk. */

#include "base/os.h"

void memory_files_install(void);
/* Drop all files, then hold one named "input". The data is borrowed. */
void memory_files_reset(const uint8_t *data, size_t bytes);
/* Content of a file that was written; NULL when it is not there. */
const uint8_t *memory_file_content(const char *name, size_t *bytes);
