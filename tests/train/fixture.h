#pragma once

/* What train's tests share: a device, a directory of their own, configurations from lines of text. */

#include "support/device.h"
#include "support/suite.h"
#include "train/trainer.h"

#define ck_ok(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(test_context()))

/* tcase_add_checked_fixture(tests, train_setup, train_teardown): the directory goes with everything in it. */
void train_setup(void);
void train_teardown(void);
/* A path in the test's directory; the text stands until the tenth next. */
const char *train_path(const char *name);
/* The same with content. */
const char *train_file(const char *name, const void *data, size_t bytes);
/* The repository's data/ and examples/. */
const char *train_data(const char *name);
const char *train_example(const char *name);

/* Defaults, then every "key=value"; NULL ends the list. */
clgrad_config *train_config(const char *first, ...);
/* Set further values; each must be good. */
void train_set(clgrad_config *config, const char *assignment);
void train_set_path(clgrad_config *config, const char *key, const char *path);

/* Two separable clouds of points as CSV: columns a, b, c, and the class "yes" or "no". */
const char *train_clouds(const char *name, int rows);

/* Asserts the status and that the sentence holds the words. */
void train_expect(clgrad_status got, clgrad_status want, const char *words);

Suite *config_suite(void);
Suite *dataset_suite(void);
Suite *train_suite(void);
Suite *resume_suite(void);
Suite *misuse_suite(void);
Suite *digest_suite(void);
Suite *job_suite(void);
Suite *stream_suite(void);
Suite *workload_suite(void);
