#pragma once

#include <check.h>

Suite *bench_suite(void);
Suite *tune_suite(void);
