#pragma once

#include <stddef.h>

/* The compiled-in copy of cl/, ended by a row of NULLs. Generated at build time by tools/kernel_embed.c. */
typedef struct clgrad_embedded_kernel {
    const char *file, *text;
} clgrad_embedded_kernel;
extern const clgrad_embedded_kernel clgrad_embedded_kernels[];
