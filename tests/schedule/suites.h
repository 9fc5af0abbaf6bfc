#pragma once

#include "support/suite.h"

#define ck_ok(call) ck_assert_int_eq((call), CLGRAD_OK)

Suite *chain_suite(void);
Suite *feed_suite(void);
Suite *function_suite(void);
Suite *gauss_newton_suite(void);
Suite *objective_suite(void);
Suite *operator_suite(void);
