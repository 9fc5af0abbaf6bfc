#pragma once

#include "support/suite.h"

/* With the room alone: misuse, structure, memory. */
Suite *misuse_suite(void);
Suite *structure_suite(void);
Suite *memory_suite(void);

/* With the oracle, which is a later room. */
Suite *op_suite(void);
Suite *closed_suite(void);
Suite *random_suite(void);
