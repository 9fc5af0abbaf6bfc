#pragma once

/* OpenCL with faults: every entry point counted, the chosen one refused, objects and references counted. */

#include "device/cl_api.h"

typedef struct test_cl {
    size_t calls;   /* so far; releases are not counted, they cannot fail usefully */
    size_t fail_at; /* number of the call that is refused; 0: none */
    cl_int code;    /* what it returns */
    cl_int (*code_for)(const char *name); /* the same by the name of the call; NULL: code */
    const char *failed; /* name of the call that was refused, NULL while none was */
    const char *only;   /* count only calls of this name ("clFinish"); NULL: all */
    bool persistent;    /* so are all after it */
    long live;          /* references that clgrad holds: created and retained minus released */
} test_cl;
extern test_cl test_cl_state;

/* Every table filled from now on goes through the faults; off again with false. Resets test_cl_state. */
void test_cl_install(bool on);
