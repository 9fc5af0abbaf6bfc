#pragma once

/* The tuner's inside, with the seams that its tests need. */

#include "clgrad/measure.h"
#include "device/device.h"

/* What a test may do to a candidate, named by its text: change its result before it is looked at; say what a run takes; NULL: nothing. */
typedef struct clgrad_tune_hooks {
    void (*result)(void *user, const char *choice, clgrad_array *result);
    double (*time)(void *user, const char *choice, double ns);
    void *user;
} clgrad_tune_hooks;

clgrad_status clgrad_tune_with(clgrad_device *dev, const clgrad_product *product, const clgrad_tune_options *options,
                               const clgrad_tune_hooks *hooks, clgrad_tune_result *out);

enum { CLGRAD_TUNE_CANDIDATES = 40, CLGRAD_TUNE_TEXT = 96 };
typedef char clgrad_tune_text[CLGRAD_TUNE_TEXT];

/* Choices worth timing for a product, the rules first; and more of the same that differ from the best one in how work is divided. */
size_t clgrad_tune_list(clgrad_device *dev, const clgrad_product *product, bool providers, clgrad_tune_text list[CLGRAD_TUNE_CANDIDATES]);
size_t clgrad_tune_divisions(const char *best, clgrad_tune_text list[CLGRAD_TUNE_CANDIDATES]);
