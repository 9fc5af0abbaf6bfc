#pragma once

#include "support/suite.h"

Suite *kernel_suite(void);
