#pragma once

/* Small whole programs, played once for each point at which something can fail. */

#include "base/base.h"
#include "clgrad/device.h"
#include "support/device.h"
#include "support/suite.h"

/* A context and a device of their own over the counting allocator and the counting OpenCL table. */
typedef struct fault_world {
    test_memory memory;
    clgrad_context *ctx;
    clgrad_device *dev;
    size_t base_memory; /* live when fault_world_settle was called */
    long base_cl;
} fault_world;

typedef enum fault_kind {
    FAULT_NONE,
    FAULT_ALLOCATION,  /* one is refused */
    FAULT_ALLOCATIONS, /* it and all after it, also while everything is released */
    FAULT_CALL,        /* one OpenCL call returns one of the codes the specification gives it */
    FAULT_KIND_COUNT
} fault_kind;

/* False where the machine has no device. */
bool fault_possible(void);
/* tcase_add_checked_fixture(tests, fault_setup, fault_teardown): a directory with one program cache for all worlds. */
void fault_setup(void);
void fault_teardown(void);
/* A path in that directory; the text stands until the fourth next. */
const char *fault_path(const char *name);

void fault_world_open(fault_world *world);
/* Of what lives now: what the device keeps for itself. It gives up its pool and its staged writes first. */
void fault_world_settle(fault_world *world);
/* Asserts that no more than that lives. */
void fault_world_check(fault_world *world, const char *after);
/* Asserts that neither memory nor OpenCL references are left. */
void fault_world_close(fault_world *world);

/* The k-th event from now on fails. */
void fault_arm(fault_world *world, fault_kind kind, size_t k);
void fault_disarm(fault_world *world);
/* Whether the armed fault happened. */
bool fault_struck(const fault_world *world, fault_kind kind);
/* Allocations or calls since arming. */
size_t fault_count(const fault_world *world, fault_kind kind);
/* Asserts that a failure under a fault is a documented one: its status, and a sentence that says what was refused. */
void fault_check(const fault_world *world, fault_kind kind, clgrad_status status);
/* "call 17 (clEnqueueNDRangeKernel, CL_OUT_OF_RESOURCES)": for messages. */
const char *fault_name(const fault_world *world, fault_kind kind);

Suite *object_suite(void);
Suite *training_suite(void);
