#include "optim/fixture.h"
#include "support/suite.h"

const test_suite test_suites[] = { { schedule_suite }, { rule_suite }, { optimizer_suite }, { steps_suite }, { index_suite }, { scaling_suite }, { misuse_suite }, { NULL } };
