#pragma once

/* What `clgrad explain` knows of a model's launches, and the drawing of it. */

#include "command.h"

typedef struct explained_launch {
    clgrad_launch_info info;
    clgrad_operand_info *operands; /* info.num_operands */
} explained_launch;

/* Launches first .. first + count - 1, which one kernel does. */
typedef struct explained_kernel {
    size_t first, count;
    double bytes, flops;
    double seconds;       /* NAN: not measured */
    const char *roof;     /* which one is nearest: "copy", "fma.f32"; "": not measured */
    double roof_rate;     /* in bytes or FLOPs per second */
    double least_seconds; /* by that roof; NAN: not measured */
} explained_kernel;

typedef struct explained_function {
    const char *when; /* "each step" */
    clgrad_cost cost;
    explained_launch *launches; /* cost.num_launches */
    explained_kernel *kernels;  /* num_kernels */
    size_t num_kernels;
    double wall;                /* seconds of a whole run by the host's clock; NAN: not measured */
} explained_function;

enum { EXPLAINED_FUNCTIONS = 2, SI_BYTES = 32, SHAPE_BYTES = 200 };

typedef struct explained {
    char title[256]; /* "784-128-10, relu, cross-entropy, sgd, batch 128: step" */
    const clgrad_device_info *device;
    char timer[120]; /* how far the device's clock can be trusted; "" where nothing was timed */
    explained_function functions[EXPLAINED_FUNCTIONS];
    size_t num_functions;
} explained;

/* Look at every function of a workload; seconds > 0: time them for about so long, unless the device's clock lies. */
clgrad_status explained_fill(explained *e, clgrad_device *dev, clgrad_workload *workload, double seconds);
/* explained_roofs.c: measure the roofs that timed kernels are to be held against. */
clgrad_status explained_find_roofs(explained *e, clgrad_device *dev);
void explained_release(explained *e);

/* Sums over kernels; NAN where one was not measured. */
double explained_seconds(const explained_function *f);
double explained_least_seconds(const explained_function *f);
/* "map w16", or "4 parts" where a kernel does several launches. Returns text. */
const char *kernel_text(const explained_function *f, const explained_kernel *k, char text[SI_BYTES]);

/* "25.7 M" and the like, three digits; units may be "". "-" for NAN. Returns text. */
const char *si_text(double value, const char *unit, char text[SI_BYTES]);
/* "49% fma.f32", the part of its roof that a kernel reaches; "" where none was measured. Returns text. */
const char *share_text(const explained_kernel *k, char text[SI_BYTES]);
/* "f32[128,10]". Returns text. */
const char *operand_text(const clgrad_operand_info *operand, char text[SHAPE_BYTES]);

/* graph_svg.c: draw launches and the values between them. An exit code, after saying why. */
int explained_draw(const explained *e, const char *path);
