#include "fault/fault.h"

const test_suite test_suites[] = { { object_suite }, { training_suite }, { NULL } };
