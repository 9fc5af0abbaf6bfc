#pragma once

#include "support/suite.h"

Suite *digest_suite(void);
