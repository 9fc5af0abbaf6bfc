#pragma once

/**
 * Checking a device against the reference interpreter: the operation matrix behind `clgrad check` and the tests.
 *
 * A problem has a name that says all: family.operation:type:layout[:variant], for example reduce.sum:f32:n=4097:gpu or
 * map.exp:f16:strided. Failures print their name, and the name runs that problem alone.
 */

#include "clgrad/device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clgrad_check_verdict { CLGRAD_CHECK_PASSED, CLGRAD_CHECK_FAILED, CLGRAD_CHECK_SKIPPED } clgrad_check_verdict;

typedef struct clgrad_check_row {
    const char *name;
    clgrad_check_verdict verdict;
    double error, bound; /* worst error seen and what is allowed, in the check's own unit (ulp, or relative) */
    const char *detail;  /* why skipped, or the first wrong element; "" otherwise */
} clgrad_check_row;

typedef struct clgrad_check_options {
    size_t struct_size;
    const char *filter; /* glob over names, NULL: all */
    bool small;         /* at most 100 rows, in f32, bf16 and i32, without derivatives: every template, for slow devices such as simulators */
    bool negative;      /* negative control: one bit of every result is flipped before comparing, so every row must fail */
    void (*row)(void *user, const clgrad_check_row *row); /* called for each problem in order; may be NULL */
    void *user;
} clgrad_check_options;

#define CLGRAD_CHECK_OPTIONS_INIT { sizeof(clgrad_check_options), NULL, false, false, NULL, NULL }

typedef struct clgrad_check_summary {
    size_t passed, failed, skipped;
    char digest[65];       /* SHA-256 of the parameters after 50 training steps of a relu/MSE/momentum network, or "" */
    char digest_class[48]; /* "fused, subnormals kept, exact divide" and so on: equal classes have equal digests */
} clgrad_check_summary;

/**
 * Run the matrix on a device: every operation in every type and layout against the reference, every variant of every template,
 * derivatives of every operation (adjoint identity on the device, central differences), and the determinism digest.
 *
 * CLGRAD_E_CHECK   at least one row failed; summary is filled.
 * CLGRAD_E_CONFIG  the filter matches nothing.
 * Others           the device failed in a way that stops the run.
 * Cost: 1 to 3 minutes where programs are built for the first time, seconds from the cache. Waits.
 */
CLGRAD_API clgrad_status clgrad_check(clgrad_device *dev, const clgrad_check_options *options,
                                      clgrad_check_summary *summary);

#ifdef __cplusplus
}
#endif
