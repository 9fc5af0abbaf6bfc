#pragma once

#include "support/suite.h"

Suite *os_suite(void);
Suite *sha256_suite(void);
Suite *status_suite(void);
