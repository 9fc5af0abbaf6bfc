#pragma once

#include "support/suite.h"

Suite *os_suite(void);
