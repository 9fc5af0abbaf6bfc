#include "tensor/arena.h"

clgrad_status clgrad_arena_create(clgrad_context *ctx, clgrad_arena **out)
{
    *out = clgrad_alloc(ctx, 1, sizeof **out);
    if (!*out) return CLGRAD_E_MEMORY;
    **out = (clgrad_arena){ .refs = 1, .ctx = clgrad_context_retain(ctx) };
    return CLGRAD_OK;
}

clgrad_arena *clgrad_arena_retain(clgrad_arena *arena)
{
    if (arena) arena->refs++;
    return arena;
}

void clgrad_arena_release(clgrad_arena **address)
{
    clgrad_arena *arena = *address;
    *address = NULL;
    if (!arena || --arena->refs > 0) return;
    clgrad_context *ctx = arena->ctx;
    for (size_t i = 0; i < arena->num_segments; i++) clgrad_free(ctx, arena->segments[i].name);
    clgrad_free(ctx, arena->segments);
    clgrad_free(ctx, arena->order);
    clgrad_free(ctx, arena->slab_extents);
    clgrad_free(ctx, arena);
    clgrad_context_release(&ctx);
}

static int64_t round_up_to_block(int64_t count)
{
    return (count + CLGRAD_ARENA_BLOCK - 1) / CLGRAD_ARENA_BLOCK * CLGRAD_ARENA_BLOCK;
}

clgrad_status clgrad_arena_declare(clgrad_arena *arena, const char *name, clgrad_shape shape, uint32_t group)
{
    int64_t count = 0;
    if (arena->order) return clgrad_fail(arena->ctx, CLGRAD_E_ARG, "parameter %s: the arena is laid out already", name);
    if (!*name) return clgrad_fail(arena->ctx, CLGRAD_E_ARG, "parameter: the name is empty");
    if (clgrad_arena_find(arena, name) != SIZE_MAX)
        return clgrad_fail(arena->ctx, CLGRAD_E_ARG, "parameter %s is declared twice", name);
    CLGRAD_TRY(clgrad_shape_check(arena->ctx, &shape, name, &count));
    CLGRAD_TRY(clgrad_reserve(arena->ctx, &arena->segments, &arena->segment_capacity, arena->num_segments + 1,
                              sizeof *arena->segments));
    char *kept = clgrad_strdup(arena->ctx, name);
    if (!kept) return CLGRAD_E_MEMORY;
    arena->segments[arena->num_segments++] = (clgrad_segment){
        .name = kept, .shape = shape, .group = group, .count = count, .extent = round_up_to_block(count),
    };
    return CLGRAD_OK;
}

/* Stable insertion sort by group: parameters number hundreds. */
static void sort_by_group(const clgrad_arena *arena, size_t *order)
{
    for (size_t i = 0; i < arena->num_segments; i++) {
        size_t at = i;
        for (; at > 0 && arena->segments[order[at - 1]].group > arena->segments[i].group; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

static clgrad_status check_fits(const clgrad_arena *arena, int64_t slab_limit)
{
    for (size_t i = 0; i < arena->num_segments; i++) {
        const clgrad_segment *s = &arena->segments[i];
        if (s->extent > slab_limit)
            return clgrad_fail(arena->ctx, CLGRAD_E_MEMORY,
                               "parameter %s needs %lld elements in one allocation, the device allows %lld", s->name,
                               (long long)s->extent, (long long)slab_limit);
    }
    return CLGRAD_OK;
}

static void place(clgrad_arena *arena, const size_t *order, int64_t *slab_extents, int64_t slab_limit)
{
    size_t slab = 0;
    for (size_t i = 0; i < arena->num_segments; i++) {
        clgrad_segment *s = &arena->segments[order[i]];
        if (s->extent > slab_limit - slab_extents[slab]) slab++;
        s->slab = slab;
        s->offset = slab_extents[slab];
        slab_extents[slab] += s->extent;
    }
    arena->num_slabs = arena->num_segments ? slab + 1 : 0;
}

clgrad_status clgrad_arena_layout(clgrad_arena *arena, int64_t slab_limit)
{
    if (arena->order) return clgrad_fail(arena->ctx, CLGRAD_E_ARG, "arena: laid out twice");
    CLGRAD_TRY(check_fits(arena, slab_limit));
    size_t *order = clgrad_alloc(arena->ctx, arena->num_segments, sizeof *order);
    int64_t *slab_extents = clgrad_alloc(arena->ctx, arena->num_segments, sizeof *slab_extents);
    if (!order || !slab_extents) {
        clgrad_free(arena->ctx, order);
        clgrad_free(arena->ctx, slab_extents);
        return CLGRAD_E_MEMORY;
    }
    sort_by_group(arena, order);
    place(arena, order, slab_extents, slab_limit);
    arena->order = order;
    arena->slab_extents = slab_extents;
    return CLGRAD_OK;
}

int64_t clgrad_arena_slab_limit(const clgrad_device *dev, clgrad_dtype widest)
{
    const uint64_t elements = clgrad_device_get_info(dev)->allocation_bytes / clgrad_dtype_bytes(widest);
    return (int64_t)(elements / CLGRAD_ARENA_BLOCK * CLGRAD_ARENA_BLOCK);
}

size_t clgrad_arena_find(const clgrad_arena *arena, const char *name)
{
    for (size_t i = 0; i < arena->num_segments; i++)
        if (strcmp(arena->segments[i].name, name) == 0) return i;
    return SIZE_MAX;
}

void clgrad_arena_group_range(const clgrad_arena *arena, uint32_t group, size_t slab, int64_t *offset, int64_t *extent)
{
    *offset = *extent = 0;
    for (size_t i = 0; i < arena->num_segments; i++) {
        const clgrad_segment *s = &arena->segments[arena->order[i]];
        if (s->group != group || s->slab != slab) continue;
        if (*extent == 0) *offset = s->offset;
        *extent += s->extent;
    }
}

uint64_t clgrad_arena_bytes(const clgrad_arena *arena, clgrad_dtype dtype)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < arena->num_slabs; i++) bytes += (uint64_t)arena->slab_extents[i] * clgrad_dtype_bytes(dtype);
    return bytes;
}

static clgrad_status create_slabs(clgrad_arena_vector *v, clgrad_device *dev)
{
    for (size_t i = 0; i < v->arena->num_slabs; i++) {
        CLGRAD_TRY(clgrad_tensor_create(dev, v->dtype, CLGRAD_SHAPE(v->arena->slab_extents[i]), &v->slabs[i]));
        CLGRAD_TRY(clgrad_tensor_fill(v->slabs[i], 0));
    }
    return CLGRAD_OK;
}

static clgrad_status create_views(clgrad_arena_vector *v)
{
    for (size_t i = 0; i < v->arena->num_segments; i++) {
        const clgrad_segment *s = &v->arena->segments[i];
        CLGRAD_TRY(clgrad_tensor_view(v->slabs[s->slab], s->offset, s->shape, &v->views[i]));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_arena_vector_create(clgrad_arena *arena, clgrad_device *dev, clgrad_dtype dtype,
                                         clgrad_arena_vector **out)
{
    *out = NULL;
    if (!arena->order) return clgrad_fail(arena->ctx, CLGRAD_E_ARG, "arena: not laid out yet");
    clgrad_arena_vector *v = clgrad_alloc(arena->ctx, 1, sizeof *v);
    if (!v) return CLGRAD_E_MEMORY;
    *v = (clgrad_arena_vector){ .arena = clgrad_arena_retain(arena), .dtype = dtype };
    v->slabs = clgrad_alloc(arena->ctx, arena->num_slabs, sizeof *v->slabs);
    v->views = clgrad_alloc(arena->ctx, arena->num_segments, sizeof *v->views);
    clgrad_status status = v->slabs && v->views ? create_slabs(v, dev) : CLGRAD_E_MEMORY;
    if (!status) status = create_views(v);
    if (status) clgrad_arena_vector_release(&v);
    *out = v;
    return status;
}

void clgrad_arena_vector_release(clgrad_arena_vector **address)
{
    clgrad_arena_vector *v = *address;
    *address = NULL;
    if (!v) return;
    clgrad_context *ctx = v->arena->ctx;
    for (size_t i = 0; v->views && i < v->arena->num_segments; i++) clgrad_tensor_release(&v->views[i]);
    for (size_t i = 0; v->slabs && i < v->arena->num_slabs; i++) clgrad_tensor_release(&v->slabs[i]);
    clgrad_free(ctx, v->views);
    clgrad_free(ctx, v->slabs);
    clgrad_arena *arena = v->arena;
    clgrad_free(ctx, v);
    clgrad_arena_release(&arena);
}
