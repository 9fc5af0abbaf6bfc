/* The graphs before and behind the gradient. */

#include "optim/tail.h"

#include "optim/scaling.h"

#include <float.h>
#include <stdio.h>

static bool in_region(const clgrad_segment *segment, const clgrad_region *region)
{
    return segment->group == region->group && segment->slab == region->slab;
}

static const clgrad_region *region_of(const clgrad_tail_desc *desc, const clgrad_segment *segment)
{
    for (size_t r = 0; r < desc->num_regions; r++)
        if (in_region(segment, &desc->regions[r])) return &desc->regions[r];
    return NULL;
}

static clgrad_shape flat(int64_t n) { return clgrad_shape_make(1, &n); }

static clgrad_node numbered_input(clgrad_graph *g, const char *prefix, size_t i, clgrad_shape shape)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%zu", prefix, i);
    return clgrad_input(g, name, CLGRAD_F32, shape);
}

/* The elements of one parameter out of its region. */
static clgrad_node segment_of(clgrad_graph *g, clgrad_node whole, const clgrad_segment *segment, const clgrad_region *region)
{
    const int64_t start = segment->offset - region->offset;
    return clgrad_slice(g, whole, &start, &segment->count, NULL);
}

/* --- before the gradient --- */

static clgrad_status unpack(clgrad_graph *g, const clgrad_tail_desc *desc, clgrad_node *theta)
{
    for (size_t r = 0; r < desc->num_regions; r++) theta[r] = numbered_input(g, "theta", r, flat(desc->regions[r].extent));
    for (size_t i = 0; i < desc->arena->num_segments; i++) {
        const clgrad_segment *segment = &desc->arena->segments[i];
        const clgrad_region *region = region_of(desc, segment);
        const clgrad_node elements = segment_of(g, theta[region - desc->regions], segment, region);
        char name[48];
        snprintf(name, sizeof name, "p.%zu", i);
        CLGRAD_TRY(clgrad_output(g, name, clgrad_reshape(g, elements, segment->shape)));
    }
    return clgrad_graph_status(g);
}

clgrad_status clgrad_unpack_graph(clgrad_context *ctx, const clgrad_tail_desc *desc, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *g = NULL;
    clgrad_node *theta = clgrad_alloc(ctx, desc->num_regions, sizeof *theta);
    clgrad_status st = theta ? clgrad_graph_create(ctx, &g) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = unpack(g, desc, theta);
    if (st == CLGRAD_OK) *out = g, g = NULL;
    clgrad_graph_release(&g);
    clgrad_free(ctx, theta);
    return st;
}

/* --- behind it --- */

typedef struct tail {
    const clgrad_tail_desc *desc;
    clgrad_graph *g;
    clgrad_hyper_nodes hyper;
    clgrad_node *theta, *grad; /* by region */
    clgrad_node stop;          /* i64: 0, or n where the loss of update n (from 1) was not finite, -n where an index was out of range */
    clgrad_node scaling, fine; /* with loss scaling: its vector; u8, 1 where no gradient overflowed */
} tail;

static clgrad_node hyper(tail *t, clgrad_hyper_field field) { return clgrad_hyper_node(&t->hyper, field, 0); }

/* value where the field is not 0, else 0. */
static clgrad_node kept(tail *t, clgrad_hyper_field field, clgrad_node value)
{
    const clgrad_node zero = clgrad_constant(t->g, CLGRAD_F32, CLGRAD_SCALAR, 0.0);
    return clgrad_select(t->g, clgrad_ne(t->g, hyper(t, field), zero), value, zero);
}

/* The parameters' gradients as one flat vector of the region, padding 0. */
static clgrad_status join_gradients(tail *t, size_t r, const clgrad_node *gradients, clgrad_node *pieces)
{
    const clgrad_arena *arena = t->desc->arena;
    size_t count = 0;
    for (size_t k = 0; k < arena->num_segments; k++) {
        const size_t i = arena->order[k];
        const clgrad_segment *segment = &arena->segments[i];
        if (!in_region(segment, &t->desc->regions[r])) continue;
        const int64_t low = 0, high = segment->extent - segment->count;
        pieces[count] = clgrad_reshape(t->g, gradients[i], flat(segment->count));
        if (high > 0) pieces[count] = clgrad_pad(t->g, pieces[count], &low, &high, NULL);
        count++;
    }
    t->grad[r] = count == 1 ? pieces[0] : clgrad_concat(t->g, count, pieces, 0);
    return clgrad_graph_status(t->g);
}

static clgrad_status read_gradients(tail *t)
{
    const clgrad_tail_desc *desc = t->desc;
    clgrad_context *ctx = t->g->ctx;
    const size_t count = desc->arena->num_segments;
    clgrad_node *gradients = clgrad_alloc(ctx, count, sizeof *gradients);
    clgrad_node *pieces = clgrad_alloc(ctx, count, sizeof *pieces);
    clgrad_status st = gradients && pieces ? CLGRAD_OK : CLGRAD_E_MEMORY;
    for (size_t i = 0; st == CLGRAD_OK && i < count; i++)
        if (!region_of(desc, &desc->arena->segments[i])->frozen)
            gradients[i] = numbered_input(t->g, "g_p", i, desc->arena->segments[i].shape);
    for (size_t r = 0; st == CLGRAD_OK && r < desc->num_regions; r++)
        if (!desc->regions[r].frozen) st = join_gradients(t, r, gradients, pieces);
    clgrad_free(ctx, gradients);
    clgrad_free(ctx, pieces);
    return st;
}

static clgrad_node this_update(tail *t)
{
    return clgrad_add(t->g, hyper(t, CLGRAD_HYPER_step), clgrad_constant_int(t->g, CLGRAD_I64, CLGRAD_SCALAR, 1));
}

/* stop keeps the first value that is not 0 for good. */
static void stop_unless(tail *t, clgrad_node good, clgrad_node value)
{
    const clgrad_node zero = clgrad_constant_int(t->g, CLGRAD_I64, CLGRAD_SCALAR, 0);
    const clgrad_node here = clgrad_select(t->g, good, zero, value);
    t->stop = clgrad_select(t->g, clgrad_ne(t->g, t->stop, zero), t->stop, here);
}

/* NaN fails the comparison. */
static clgrad_node is_finite(tail *t, clgrad_node size)
{
    return clgrad_le(t->g, size, clgrad_constant(t->g, CLGRAD_F32, CLGRAD_SCALAR, FLT_MAX));
}

/* An update that skips itself computes with what overflowed, so nothing else of it is looked at. */
static void watch(tail *t, clgrad_node value)
{
    clgrad_node good = is_finite(t, clgrad_abs(t->g, value));
    if (t->desc->scaled) good = clgrad_select(t->g, t->fine, good, clgrad_constant_int(t->g, CLGRAD_U8, CLGRAD_SCALAR, 1));
    stop_unless(t, good, this_update(t));
}

static void watch_index(tail *t)
{
    const clgrad_node index = clgrad_input(t->g, "index", CLGRAD_I32, CLGRAD_SCALAR);
    const clgrad_node zero = clgrad_constant_int(t->g, CLGRAD_I32, CLGRAD_SCALAR, 0);
    stop_unless(t, clgrad_eq(t->g, index, zero), clgrad_neg(t->g, this_update(t)));
}

static clgrad_status read_loss(tail *t)
{
    clgrad_graph *g = t->g;
    const clgrad_node loss = clgrad_input(g, "loss", CLGRAD_F32, CLGRAD_SCALAR);
    const clgrad_node metric = clgrad_input(g, "metric", CLGRAD_F32, CLGRAD_SCALAR);
    if (t->desc->watch_index) watch_index(t);
    if (!t->desc->scaled) watch(t, loss);
    return clgrad_output(g, "metric", clgrad_add(g, kept(t, CLGRAD_HYPER_keep_metric, metric), loss));
}

static clgrad_status add_to_sums(tail *t)
{
    for (size_t r = 0; r < t->desc->num_regions; r++) {
        if (t->desc->regions[r].frozen) continue;
        const clgrad_node sum = numbered_input(t->g, "sum", r, flat(t->desc->regions[r].extent));
        char name[48];
        snprintf(name, sizeof name, "sum.%zu", r);
        CLGRAD_TRY(clgrad_output(t->g, name, clgrad_add(t->g, kept(t, CLGRAD_HYPER_keep_sum, sum), t->grad[r])));
    }
    return CLGRAD_OK;
}

static clgrad_node largest_gradient(tail *t)
{
    clgrad_node largest = clgrad_constant(t->g, CLGRAD_F32, CLGRAD_SCALAR, 0.0);
    for (size_t r = 0; r < t->desc->num_regions; r++) {
        if (t->desc->regions[r].frozen) continue;
        const clgrad_node size = clgrad_abs(t->g, t->grad[r]);
        largest = clgrad_max(t->g, largest, clgrad_reduce_max(t->g, size, CLGRAD_ALL_AXES, false));
    }
    return largest;
}

/* What overflows without a scale would go on doing so, hence stops. */
static clgrad_status adapt_scaling(tail *t)
{
    clgrad_graph *g = t->g;
    t->scaling = clgrad_input(g, "scaling", CLGRAD_F32, flat(CLGRAD_SCALING_COUNT));
    t->fine = is_finite(t, largest_gradient(t));
    const clgrad_node one = clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, 1.0);
    const clgrad_node scaled = clgrad_gt(g, clgrad_scaling_field(g, t->scaling, CLGRAD_SCALING_SCALE), one);
    stop_unless(t, clgrad_select(g, t->fine, t->fine, scaled), this_update(t));
    return clgrad_output(g, "scaling", clgrad_scaling_next(g, t->scaling, t->fine, hyper(t, CLGRAD_HYPER_scale_window)));
}

static void scale_and_regularise(tail *t, size_t r)
{
    clgrad_graph *g = t->g;
    const size_t group = t->desc->regions[r].group;
    if (t->desc->scaled) t->grad[r] = clgrad_mul(g, t->grad[r], clgrad_scaling_field(g, t->scaling, CLGRAD_SCALING_INVERSE));
    t->grad[r] = clgrad_mul(g, t->grad[r], hyper(t, CLGRAD_HYPER_scale));
    if (t->desc->regularised) {
        const clgrad_node l2 = clgrad_hyper_node(&t->hyper, CLGRAD_HYPER_l2, group);
        const clgrad_node l1 = clgrad_hyper_node(&t->hyper, CLGRAD_HYPER_l1, group);
        t->grad[r] = clgrad_add(g, t->grad[r], clgrad_mul(g, l2, t->theta[r]));
        t->grad[r] = clgrad_add(g, t->grad[r], clgrad_mul(g, l1, clgrad_sign(g, t->theta[r])));
    }
    if (t->desc->clip_value) {
        const clgrad_node bound = hyper(t, CLGRAD_HYPER_clip_value);
        t->grad[r] = clgrad_min(g, clgrad_max(g, t->grad[r], clgrad_neg(g, bound)), bound);
    }
}

/* The squared norm: per parameter, then over parameters as they were declared. */
static clgrad_node squared_norm(tail *t)
{
    const clgrad_tail_desc *desc = t->desc;
    clgrad_node total = clgrad_constant(t->g, CLGRAD_F32, CLGRAD_SCALAR, 0.0);
    for (size_t i = 0; i < desc->arena->num_segments; i++) {
        const clgrad_segment *segment = &desc->arena->segments[i];
        const clgrad_region *region = region_of(desc, segment);
        if (region->frozen) continue;
        const clgrad_node own = segment_of(t->g, t->grad[region - desc->regions], segment, region);
        total = clgrad_add(t->g, total, clgrad_sum(t->g, clgrad_square(t->g, own), CLGRAD_ALL_AXES, false));
    }
    return total;
}

/* Source: torch.nn.utils.clip_grad_norm_, with its 1e-6. */
static void clip_norm(tail *t)
{
    clgrad_graph *g = t->g;
    const clgrad_node norm = clgrad_sqrt(g, squared_norm(t));
    const clgrad_node one = clgrad_constant(g, CLGRAD_F32, CLGRAD_SCALAR, 1.0);
    const clgrad_node ratio = clgrad_div(g, hyper(t, CLGRAD_HYPER_clip_norm), clgrad_offset(g, norm, 1e-6));
    const clgrad_node factor = clgrad_min(g, ratio, one);
    watch(t, norm);
    for (size_t r = 0; r < t->desc->num_regions; r++)
        if (!t->desc->regions[r].frozen) t->grad[r] = clgrad_mul(g, t->grad[r], factor);
}

static clgrad_status output_unless_stopped(tail *t, const char *name, clgrad_node next, clgrad_node old)
{
    if (t->desc->scaled) next = clgrad_select(t->g, t->fine, next, old);
    const clgrad_node zero = clgrad_constant_int(t->g, CLGRAD_I64, CLGRAD_SCALAR, 0);
    const clgrad_node going_on = clgrad_eq(t->g, t->stop, zero);
    return clgrad_output(t->g, name, clgrad_select(t->g, going_on, next, old));
}

static clgrad_status apply_rule(tail *t, size_t r)
{
    const size_t num_states = clgrad_rule_num_states(t->desc->rule);
    clgrad_rule_step step = { .g = t->g, .hyper = &t->hyper, .group = t->desc->regions[r].group, .p = t->theta[r],
                              .grad = t->grad[r] };
    clgrad_node old[CLGRAD_MAX_STATES];
    char name[64];
    for (size_t s = 0; s < num_states; s++) {
        snprintf(name, sizeof name, "state.%zu", r);
        old[s] = step.state[s] = numbered_input(t->g, name, s, flat(t->desc->regions[r].extent));
    }
    t->desc->rule->build(&step);
    snprintf(name, sizeof name, "theta.%zu", r);
    CLGRAD_TRY(output_unless_stopped(t, name, step.p, t->theta[r]));
    for (size_t s = 0; s < num_states; s++) {
        snprintf(name, sizeof name, "state.%zu.%zu", r, s);
        CLGRAD_TRY(output_unless_stopped(t, name, step.state[s], old[s]));
    }
    return CLGRAD_OK;
}

static clgrad_status update(tail *t)
{
    const clgrad_tail_desc *desc = t->desc;
    if (desc->scaled) CLGRAD_TRY(adapt_scaling(t));
    for (size_t r = 0; r < desc->num_regions; r++) {
        if (desc->regions[r].frozen) continue;
        t->theta[r] = numbered_input(t->g, "theta", r, flat(desc->regions[r].extent));
        scale_and_regularise(t, r);
    }
    if (desc->clip_norm) clip_norm(t);
    for (size_t r = 0; r < desc->num_regions; r++)
        if (!desc->regions[r].frozen) CLGRAD_TRY(apply_rule(t, r));
    return CLGRAD_OK;
}

static clgrad_status build(tail *t, clgrad_tail_part part)
{
    const clgrad_tail_desc *desc = t->desc;
    if (part == CLGRAD_TAIL_UPDATE) {
        for (size_t r = 0; r < desc->num_regions; r++)
            if (!desc->regions[r].frozen) t->grad[r] = numbered_input(t->g, "sum", r, flat(desc->regions[r].extent));
    } else {
        CLGRAD_TRY(read_gradients(t));
    }
    t->stop = clgrad_input(t->g, "stop", CLGRAD_I64, CLGRAD_SCALAR);
    if (part != CLGRAD_TAIL_UPDATE) CLGRAD_TRY(read_loss(t));
    if (part == CLGRAD_TAIL_ACCUMULATE)
        CLGRAD_TRY(add_to_sums(t));
    else
        CLGRAD_TRY(update(t));
    CLGRAD_TRY(clgrad_output(t->g, "stop", t->stop));
    return clgrad_graph_status(t->g);
}

clgrad_status clgrad_tail_graph(clgrad_context *ctx, const clgrad_tail_desc *desc, clgrad_tail_part part, clgrad_graph **out)
{
    *out = NULL;
    tail t = { .desc = desc };
    t.theta = clgrad_alloc(ctx, desc->num_regions, sizeof *t.theta);
    t.grad = clgrad_alloc(ctx, desc->num_regions, sizeof *t.grad);
    clgrad_status st = t.theta && t.grad ? clgrad_graph_create(ctx, &t.g) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) {
        clgrad_hyper_nodes_init(&t.hyper, t.g);
        st = build(&t, part);
    }
    if (st == CLGRAD_OK) *out = t.g, t.g = NULL;
    clgrad_graph_release(&t.g);
    clgrad_free(ctx, t.theta);
    clgrad_free(ctx, t.grad);
    return st;
}
