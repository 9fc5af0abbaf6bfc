#pragma once

/* Each test program defines test_suites, ended by a row with make NULL. */

#include <check.h>

typedef struct test_suite {
    Suite *(*make)(void);
} test_suite;
extern const test_suite test_suites[];
