#pragma once

#include "support/suite.h"

Suite *matmul_suite(void);
