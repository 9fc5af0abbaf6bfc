#pragma once

/* A folder of a test's own, for files, behind a table of file calls that synchronises nothing. */

#include <stdbool.h>
#include <stddef.h>

/* Under TMPDIR or /tmp; clgrad_os with fsync left out. */
void test_folder_make(void);
/* Removes the folder and what is in it, and puts the file calls back. A temporary file left behind is a failure unless expected. */
void test_folder_remove(bool temporaries_expected);
/* The file calls as test_folder_make set them. */
void test_folder_restore_calls(void);

/* directory/name, and name in the folder; one of ten buffers that take turns. */
const char *test_path(const char *directory, const char *name);
const char *test_folder_path(const char *name);
/* Writes a file into the folder; its path. */
const char *test_folder_file(const char *name, const void *data, size_t bytes);
