#pragma once

/* What io's tests share: a context that counts its memory, a directory of their own, golden files. */

#include "io/file.h"
#include "support/device.h"
#include "support/suite.h"
#include "tensor/tensor.h"

extern clgrad_context *io_ctx;
extern test_memory io_memory;

/* tcase_add_checked_fixture(tests, io_setup, io_teardown): teardown fails the test on any leak or file left behind. */
void io_setup(void);
void io_teardown(void);

/* The system's file calls, but for fsync: thousands of those take seconds and change nothing that a test sees. */
void io_restore_calls(void);

/* A crashed process leaves its temporary file behind; teardown is told that this is expected. */
void io_forget_temporaries(void);

/* A path in the test's directory; NAME is created, and removed by teardown. Each call's text stands until the tenth next. */
const char *io_path(const char *name);
const char *io_golden(const char *name);
/* The same with content. */
const char *io_file(const char *name, const void *data, size_t bytes);
/* As io_file, packed with gzip. */
const char *io_gzip_file(const char *name, const void *data, size_t bytes);

/* The file's bytes; free them with clgrad_free(io_ctx, ...). */
char *io_content(const char *path, size_t *bytes);

/* Asserts status and that the sentence names the path and holds `word`. */
void io_expect(clgrad_status got, clgrad_status want, const char *path, const char *word);

Suite *io_file_suite(void);
Suite *io_safetensors_suite(void);
Suite *io_npy_suite(void);
Suite *io_idx_suite(void);
Suite *io_csv_suite(void);
Suite *io_fault_suite(void);
