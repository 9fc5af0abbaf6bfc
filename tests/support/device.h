#pragma once

/* The device that a test run uses, and an allocator that counts and can refuse. */

#include "clgrad/device.h"

/* CLGRAD_TEST_ALL: everything that is sampled by default. CLGRAD_TEST_SHORT, for runs under the sanitizers: the same code on fewer
 * numbers, in programs that the run before has compiled. */
bool test_is_long(void);
bool test_is_short(void);

/* CLGRAD_DEVICE or `auto`, opened at the first call and shared by all tests of the program. NULL where the machine has no
 * usable device, with one line on stderr saying why; a test then does nothing: if (!test_device()) return; */
clgrad_device *test_device(void);
/* Whether a default run leaves this variant out: on llvmpipe, all but every stride-th. Its compiler takes 0.5 to 3 s a program, and what the
 * variants of such a test differ in is host code, or kernels that the matrix of operations has. */
bool test_leaves_out(int variant, int stride);
/* The context test_device belongs to; there is one also without a device. */
clgrad_context *test_context(void);
/* Gives both up, so that a test may look for leaks or open a device of its own; the next test_device opens again. */
void test_device_close(void);

/* Live blocks, and the number of the request that is refused (0: none). `persistent`: so are all after it. */
typedef struct test_memory {
    size_t live, requests, fail_at;
    bool persistent;
} test_memory;
clgrad_allocator test_memory_allocator(test_memory *memory);
/* A context over that allocator. */
clgrad_context *test_memory_context(test_memory *memory);

/* Call `work` with its first, second, ... allocation refused until it needs no more: E_MEMORY each time and then OK, and no block
 * more than before. Returns how many allocations it needs. */
typedef clgrad_status (*test_work)(clgrad_context *ctx, void *user);
size_t test_refuse_each(test_memory *memory, clgrad_context *ctx, test_work work, void *user);
/* The same in a context of its own, of which nothing may be left. */
size_t test_refuse_each_alone(test_work work, void *user);
