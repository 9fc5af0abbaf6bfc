#pragma once

/* Many small programs, built together. A driver that reads 20,000 lines of headers for every clBuildProgram (PoCL: 0.06 s, whatever the
 * program) makes tests of many kernels slow. Such tests are played twice. While noting, programs are only written down and kernels do
 * nothing, so results are wrong and are not looked at. Then what was noted is built some two dozen at a time, when the first of them
 * is asked for: the same preambles and templates one behind the other, with names of their own.
 *
 *     test_join_note();  play();      the device of support/device.h is closed and opened by both, so play() asks for it
 *     test_join_build(); play();
 *     test_join_end();                also after a test that failed: call it from a checked fixture's teardown */

#include <stdbool.h>

void test_join_note(void);
void test_join_build(void);
void test_join_end(void);
/* Between note and build: nothing is computed. */
bool test_join_noting(void);
