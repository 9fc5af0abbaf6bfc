#pragma once

/* A roof: several forms of one kernel (or a transfer), of which the fastest counts. */

#include "clgrad/bench.h"
#include "device/device.h"

enum { CLGRAD_ROOF_FORMS = 8, CLGRAD_ROOF_ARRAYS = 3 };

typedef struct clgrad_roof_form {
    clgrad_kernel *kernel; /* NULL for transfers */
    char text[48];
    size_t items, group;
    double work;  /* bytes, operations or launches in one launch */
    size_t batch; /* launches a sample; 0 until the first round */
    double best;
    double processor; /* the most work per second of processor time */
} clgrad_roof_form;

struct clgrad_roof {
    clgrad_device *dev;
    clgrad_roof_kind kind;
    uint64_t working_set;
    clgrad_roof_form forms[CLGRAD_ROOF_FORMS];
    size_t num_forms, num_rounds;
    double rounds[CLGRAD_ROOF_ROUNDS];
    clgrad_buffer *arrays[CLGRAD_ROOF_ARRAYS], *results; /* results: a vector for each work-item */
    void *host; /* what transfers move */
    size_t host_bytes;
};

/* Fill in the forms and the memory they need. Forms that do not build are left out; none at all is E_BUILD. */
clgrad_status clgrad_roof_make_memory(clgrad_roof *roof);
clgrad_status clgrad_roof_make_fma(clgrad_roof *roof);
clgrad_status clgrad_roof_make_launch(clgrad_roof *roof);
