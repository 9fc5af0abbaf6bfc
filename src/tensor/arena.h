#pragma once

/* The parameter arena: where every parameter lies in a few flat tensors ("slabs"), and memory of that layout.
 *
 * A layout says nothing of types or devices, so parameters, gradients and optimiser state share one. Parameters lie ordered by
 * group, then by declaration; each starts at a multiple of 256 elements, so that the blocks of a quantized state never cross a
 * parameter; the padding behind each is 0 and must stay so. A parameter lies in one slab. With one slab, which is the rule, a
 * group is one contiguous range. */

#include "tensor/tensor.h"

enum { CLGRAD_ARENA_BLOCK = 256 };

/* Where one parameter lies, in elements. */
typedef struct clgrad_segment {
    char *name;
    clgrad_shape shape;
    uint32_t group;
    size_t slab;
    int64_t offset; /* from the slab's start; a multiple of CLGRAD_ARENA_BLOCK */
    int64_t count;  /* elements of the parameter */
    int64_t extent; /* count and padding */
} clgrad_segment;

typedef struct clgrad_arena {
    size_t refs;
    clgrad_context *ctx;
    clgrad_segment *segments; /* in order of declaration: norms and checkpoints go this way */
    size_t num_segments, segment_capacity;
    size_t *order; /* segments as they lie: by slab, then offset; NULL before layout */
    int64_t *slab_extents;
    size_t num_slabs;
} clgrad_arena;

clgrad_status clgrad_arena_create(clgrad_context *ctx, clgrad_arena **out);
clgrad_arena *clgrad_arena_retain(clgrad_arena *arena);
void clgrad_arena_release(clgrad_arena **arena);

/* Add a parameter. E_ARG: the name is there already or empty, or the layout is made. E_SHAPE: as clgrad_shape_check. */
clgrad_status clgrad_arena_declare(clgrad_arena *arena, const char *name, clgrad_shape shape, uint32_t group);

/* Give every parameter its place, once; slabs hold at most slab_limit elements. E_MEMORY: a parameter alone is larger. */
clgrad_status clgrad_arena_layout(clgrad_arena *arena, int64_t slab_limit);
/* The most elements a slab may have so that every type up to `widest` fits one allocation of the device. */
int64_t clgrad_arena_slab_limit(const clgrad_device *dev, clgrad_dtype widest);

/* Index of a parameter in order of declaration, SIZE_MAX when there is none of that name. */
size_t clgrad_arena_find(const clgrad_arena *arena, const char *name);
/* The range of a slab that holds a group, padding included; *extent 0 when the group has nothing there. */
void clgrad_arena_group_range(const clgrad_arena *arena, uint32_t group, size_t slab, int64_t *offset, int64_t *extent);
/* Bytes of one vector of this layout, padding included. */
uint64_t clgrad_arena_bytes(const clgrad_arena *arena, clgrad_dtype dtype);

/* One vector of the arena's layout on a device: the slabs as flat tensors, and a view of every parameter in its shape. */
typedef struct clgrad_arena_vector {
    clgrad_arena *arena;
    clgrad_dtype dtype;
    clgrad_tensor **slabs; /* num_slabs of them, rank 1 */
    clgrad_tensor **views; /* num_segments of them, in order of declaration */
} clgrad_arena_vector;

/* All zeros. The arena must be laid out; it is retained. Errors as clgrad_tensor_create. */
clgrad_status clgrad_arena_vector_create(clgrad_arena *arena, clgrad_device *dev, clgrad_dtype dtype,
                                         clgrad_arena_vector **out);
void clgrad_arena_vector_release(clgrad_arena_vector **vector);
