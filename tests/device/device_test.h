#pragma once

#include "support/suite.h"

Suite *adopt_suite(void);
Suite *cache_suite(void);
Suite *fault_suite(void);
Suite *kernel_suite(void);
Suite *select_suite(void);
Suite *tuning_suite(void);
Suite *upload_suite(void);
