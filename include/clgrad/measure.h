#pragma once

/**
 * Checking a device against the reference interpreter: the operation matrix behind `clgrad check` and the tests.
 *
 * A problem has a name that says all: family.operation:type:layout[:variant], for example reduce.sum:f32:n=4097:gpu or
 * map.exp:f16:strided. Failures print their name, and the name runs that problem alone.
 *
 * Tuning, behind `clgrad tune`: what was measured goes into the user's file (CLGRAD_TUNING, $XDG_CONFIG_HOME/clgrad/tuning), from which
 * plans take it. Nothing is timed but in these calls.
 */

#include "clgrad/plan.h"

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
    bool all;           /* every type in every layout and variant, a third more programs; so too with a filter. Otherwise layouts that
                           need programs of their own are run in f32 and, in turns, in one other type of each operation */
    bool small;         /* at most 100 rows, in f32, bf16 and i32, without derivatives: every template, for slow devices such as simulators */
    bool negative;      /* negative control: one bit of every result is flipped before comparing, so every row must fail */
    void (*row)(void *user, const clgrad_check_row *row); /* called for each problem in order; may be NULL */
    void *user;
} clgrad_check_options;

#define CLGRAD_CHECK_OPTIONS_INIT { sizeof(clgrad_check_options), NULL, false, false, false, NULL, NULL }

typedef struct clgrad_check_summary {
    size_t passed, failed, skipped;
    char digest[65];       /* SHA-256 of the parameters after 50 training steps of a relu/MSE/momentum network, or "" */
    char digest_class[48]; /* "fused, subnormals kept, exact divide" and so on: equal classes have equal digests */
} clgrad_check_summary;

/**
 * Run the matrix on a device: every operation in every type and layout (which of them together: `all`) against the reference, every variant of every template,
 * derivatives of every operation (adjoint identity on the device, central differences), and the determinism digest.
 *
 * CLGRAD_E_CHECK   at least one row failed; summary is filled.
 * CLGRAD_E_CONFIG  the filter matches nothing.
 * Others           the device failed in a way that stops the run.
 * Cost: 1 to 3 minutes where programs are built for the first time, seconds from the cache. Waits.
 */
CLGRAD_API clgrad_status clgrad_check(clgrad_device *dev, const clgrad_check_options *options,
                                      clgrad_check_summary *summary);

/* --- tuning --- */

typedef struct clgrad_tune_options {
    size_t struct_size;
    bool again;      /* measure what the store knows, too */
    bool providers;  /* CLBlast is a candidate: its bits are others, so a win is a choice that explain and checkpoints name */
    double seconds;  /* most that the candidates of a product take; those not reached by then are left out */
} clgrad_tune_options;

#define CLGRAD_TUNE_OPTIONS_INIT { sizeof(clgrad_tune_options), false, false, 8.0 }

typedef struct clgrad_tune_result {
    size_t struct_size;
    char key[96];     /* "matmul f32 nn 128x128x1024": products that share a choice */
    char choice[96];  /* "rules", "cpu rows=12 columns=2 ..." or "clblast" */
    double rules_ns, choice_ns; /* medians of the last comparison; 0 where nothing was measured */
    size_t candidates, wrong;   /* timed; left out since their results were not the reference's */
    bool known;       /* the store had it, and nothing was measured */
    char timer[120];  /* which clock was believed, and why */
} clgrad_tune_result;

#define CLGRAD_TUNE_RESULT_INIT { sizeof(clgrad_tune_result), "", "", 0, 0, 0, 0, false, "" }

/**
 * Time ways to compute a product beside each other and store the best for all products of its bucket: sizes are rounded to powers of
 * two. Of the library's own kernels only those with the bits of the reference count, of CLBlast only results within 8 eps sqrt(k) of
 * the root mean square. Another way than the rules' is stored where it is faster by more than 3% and the noise, twice over.
 *
 * options  NULL for the defaults.
 *
 * CLGRAD_E_ARG     options or results of another library version, or a product without elements.
 * CLGRAD_E_CHECK   the rules' own kernel differs from the reference: nothing was stored.
 * CLGRAD_E_FILE    the store cannot be read or written. CLGRAD_E_DTYPE, CLGRAD_E_MEMORY, others of the device.
 * Cost: up to options->seconds, most of it for building programs. Waits.
 */
CLGRAD_API clgrad_status clgrad_tune_product(clgrad_device *dev, const clgrad_product *product, const clgrad_tune_options *options,
                                             clgrad_tune_result *out);

/**
 * Measure and store a device's score, by which `auto` chooses where all devices have one: the geometric mean of its multiply-add and
 * read roofs, in MFLOP/s and MB/s. Errors as clgrad_roof_create and clgrad_tune_product.
 */
CLGRAD_API clgrad_status clgrad_tune_device(clgrad_device *dev, double *score);

/** Row i of what the user's file holds for this device, borrowed until the store changes; false behind the last. */
CLGRAD_API bool clgrad_tuning_get(const clgrad_device *dev, size_t i, const char **key, const char **value);
/** Forget all that was measured for this device; a file that is refused is removed. CLGRAD_E_FILE, CLGRAD_E_MEMORY: nothing changed. */
CLGRAD_API clgrad_status clgrad_tuning_clear(clgrad_device *dev);

#ifdef __cplusplus
}
#endif
