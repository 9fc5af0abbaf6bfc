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

enum { MOST_VECTORS = 1 + CLGRAD_MAX_STATES }; /* the parameters and their states */

typedef struct tail {
    const clgrad_tail_desc *desc;
    clgrad_graph *g;
    clgrad_hyper_nodes hyper;
    clgrad_node *grad;         /* by region */
    clgrad_node *vectors;      /* by region: its parameters, then each state */
    clgrad_node *gradient;     /* by parameter */
    clgrad_node *pieces;       /* room for what a region's vector is joined from: a parameter and its padding, for each */
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
static void join_gradients(tail *t, size_t r)
{
    const clgrad_arena *arena = t->desc->arena;
    size_t count = 0;
    for (size_t k = 0; k < arena->num_segments; k++) {
        const size_t i = arena->order[k];
        const clgrad_segment *segment = &arena->segments[i];
        if (!in_region(segment, &t->desc->regions[r])) continue;
        const int64_t low = 0, high = segment->extent - segment->count;
        t->pieces[count] = clgrad_reshape(t->g, t->gradient[i], flat(segment->count));
        if (high > 0) t->pieces[count] = clgrad_pad(t->g, t->pieces[count], &low, &high, NULL);
        count++;
    }
    t->grad[r] = count == 1 ? t->pieces[0] : clgrad_concat(t->g, count, t->pieces, 0);
}

static void read_gradients(tail *t)
{
    const clgrad_tail_desc *desc = t->desc;
    for (size_t i = 0; i < desc->arena->num_segments; i++)
        if (!region_of(desc, &desc->arena->segments[i])->frozen)
            t->gradient[i] = numbered_input(t->g, "g_p", i, desc->arena->segments[i].shape);
}

static void join_all_gradients(tail *t)
{
    for (size_t r = 0; r < t->desc->num_regions; r++)
        if (!t->desc->regions[r].frozen) join_gradients(t, r);
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

static clgrad_node scale_and_regularise(tail *t, size_t group, clgrad_node theta, clgrad_node grad)
{
    clgrad_graph *g = t->g;
    if (t->desc->scaled) grad = clgrad_mul(g, grad, clgrad_scaling_field(g, t->scaling, CLGRAD_SCALING_INVERSE));
    grad = clgrad_mul(g, grad, hyper(t, CLGRAD_HYPER_scale));
    if (t->desc->regularised) {
        const clgrad_node l2 = clgrad_hyper_node(&t->hyper, CLGRAD_HYPER_l2, group);
        const clgrad_node l1 = clgrad_hyper_node(&t->hyper, CLGRAD_HYPER_l1, group);
        grad = clgrad_add(g, grad, clgrad_mul(g, l2, theta));
        grad = clgrad_add(g, grad, clgrad_mul(g, l1, clgrad_sign(g, theta)));
    }
    if (!t->desc->clip_value) return grad;
    const clgrad_node bound = hyper(t, CLGRAD_HYPER_clip_value);
    return clgrad_min(g, clgrad_max(g, grad, clgrad_neg(g, bound)), bound);
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

/* --- the rule --- */

/* One application: of a parameter, or of a whole region. */
typedef struct application {
    size_t group;
    clgrad_node vector[MOST_VECTORS], next[MOST_VECTORS];
    clgrad_node grad;
} application;

static void apply_rule(tail *t, application *a)
{
    const size_t num_states = clgrad_rule_num_states(t->desc->rule);
    const clgrad_node going_on = clgrad_eq(t->g, t->stop, clgrad_constant_int(t->g, CLGRAD_I64, CLGRAD_SCALAR, 0));
    clgrad_rule_step step = { .g = t->g, .hyper = &t->hyper, .group = a->group, .p = a->vector[0], .grad = a->grad };
    for (size_t s = 0; s < num_states; s++) step.state[s] = a->vector[1 + s];
    t->desc->rule->build(&step);
    a->next[0] = step.p;
    for (size_t s = 0; s < num_states; s++) a->next[1 + s] = step.state[s];
    for (size_t v = 0; v <= num_states; v++) {
        if (t->desc->scaled) a->next[v] = clgrad_select(t->g, t->fine, a->next[v], a->vector[v]);
        a->next[v] = clgrad_select(t->g, going_on, a->next[v], a->vector[v]);
    }
}

static void read_vectors(tail *t, size_t r)
{
    clgrad_node *vector = t->vectors + r * MOST_VECTORS;
    const clgrad_shape shape = flat(t->desc->regions[r].extent);
    char name[64];
    vector[0] = numbered_input(t->g, "theta", r, shape);
    snprintf(name, sizeof name, "state.%zu", r);
    for (size_t s = 0; s < clgrad_rule_num_states(t->desc->rule); s++) vector[1 + s] = numbered_input(t->g, name, s, shape);
}

static clgrad_status output_vectors(tail *t, size_t r, const clgrad_node *next)
{
    char name[64];
    snprintf(name, sizeof name, "theta.%zu", r);
    CLGRAD_TRY(clgrad_output(t->g, name, next[0]));
    for (size_t s = 0; s < clgrad_rule_num_states(t->desc->rule); s++) {
        snprintf(name, sizeof name, "state.%zu.%zu", r, s);
        CLGRAD_TRY(clgrad_output(t->g, name, next[1 + s]));
    }
    return CLGRAD_OK;
}

/* Each parameter by itself, in its own shape: its update can then end the launch that computes its gradient, and no flat gradient is
 * ever stored. Padding passes through. */
static void update_parameters(tail *t, size_t r, const clgrad_node *vector, clgrad_node *next)
{
    const clgrad_arena *arena = t->desc->arena;
    const clgrad_region *region = &t->desc->regions[r];
    const size_t num_vectors = 1 + clgrad_rule_num_states(t->desc->rule);
    size_t count = 0;
    for (size_t k = 0; k < arena->num_segments; k++) {
        const size_t i = arena->order[k];
        const clgrad_segment *segment = &arena->segments[i];
        if (!in_region(segment, region)) continue;
        application a = { .group = region->group };
        for (size_t v = 0; v < num_vectors; v++) a.vector[v] = clgrad_reshape(t->g, segment_of(t->g, vector[v], segment, region), segment->shape);
        a.grad = scale_and_regularise(t, region->group, a.vector[0], t->gradient[i]);
        apply_rule(t, &a);
        const int64_t end = segment->offset - region->offset + segment->count, padding = segment->extent - segment->count;
        for (size_t v = 0; v < num_vectors; v++) {
            clgrad_node *piece = t->pieces + v * 2 * arena->num_segments + count;
            piece[0] = clgrad_reshape(t->g, a.next[v], flat(segment->count));
            if (padding > 0) piece[1] = clgrad_slice(t->g, vector[v], &end, &padding, NULL);
        }
        count += padding > 0 ? 2 : 1;
    }
    for (size_t v = 0; v < num_vectors; v++) {
        const clgrad_node *pieces = t->pieces + v * 2 * arena->num_segments;
        next[v] = count == 1 ? pieces[0] : clgrad_concat(t->g, count, pieces, 0);
    }
}

static clgrad_status update(tail *t, bool by_parameter)
{
    const clgrad_tail_desc *desc = t->desc;
    for (size_t r = 0; r < desc->num_regions; r++) {
        application a = { .group = desc->regions[r].group };
        if (desc->regions[r].frozen) continue;
        memcpy(a.vector, t->vectors + r * MOST_VECTORS, sizeof a.vector);
        if (by_parameter) {
            update_parameters(t, r, a.vector, a.next);
        } else {
            a.grad = t->grad[r];
            apply_rule(t, &a);
        }
        CLGRAD_TRY(output_vectors(t, r, a.next));
    }
    return CLGRAD_OK;
}

/* What needs all gradients before the first update. */
static clgrad_status prepare_regions(tail *t)
{
    const clgrad_tail_desc *desc = t->desc;
    if (desc->scaled) CLGRAD_TRY(adapt_scaling(t));
    for (size_t r = 0; r < desc->num_regions; r++) {
        if (desc->regions[r].frozen) continue;
        t->grad[r] = scale_and_regularise(t, desc->regions[r].group, t->vectors[r * MOST_VECTORS], t->grad[r]);
    }
    if (desc->clip_norm) clip_norm(t);
    return CLGRAD_OK;
}

static clgrad_status build(tail *t, clgrad_tail_part part)
{
    const clgrad_tail_desc *desc = t->desc;
    const bool by_parameter = part == CLGRAD_TAIL_WHOLE && !desc->clip_norm && !desc->scaled;
    if (part != CLGRAD_TAIL_UPDATE) read_gradients(t);
    if (part != CLGRAD_TAIL_UPDATE && !by_parameter) join_all_gradients(t);
    for (size_t r = 0; r < desc->num_regions && part == CLGRAD_TAIL_UPDATE; r++)
        if (!desc->regions[r].frozen) t->grad[r] = numbered_input(t->g, "sum", r, flat(desc->regions[r].extent));
    t->stop = clgrad_input(t->g, "stop", CLGRAD_I64, CLGRAD_SCALAR);
    if (part != CLGRAD_TAIL_UPDATE) CLGRAD_TRY(read_loss(t));
    for (size_t r = 0; r < desc->num_regions && part != CLGRAD_TAIL_ACCUMULATE; r++)
        if (!desc->regions[r].frozen) read_vectors(t, r);
    if (part != CLGRAD_TAIL_ACCUMULATE && !by_parameter) CLGRAD_TRY(prepare_regions(t));
    CLGRAD_TRY(part == CLGRAD_TAIL_ACCUMULATE ? add_to_sums(t) : update(t, by_parameter));
    CLGRAD_TRY(clgrad_output(t->g, "stop", t->stop));
    return clgrad_graph_status(t->g);
}

clgrad_status clgrad_tail_graph(clgrad_context *ctx, const clgrad_tail_desc *desc, clgrad_tail_part part, clgrad_graph **out)
{
    *out = NULL;
    tail t = { .desc = desc };
    t.vectors = clgrad_alloc(ctx, desc->num_regions, MOST_VECTORS * sizeof *t.vectors);
    t.grad = clgrad_alloc(ctx, desc->num_regions, sizeof *t.grad);
    t.gradient = clgrad_alloc(ctx, desc->arena->num_segments, sizeof *t.gradient);
    t.pieces = clgrad_alloc(ctx, 2 * desc->arena->num_segments, MOST_VECTORS * sizeof *t.pieces);
    clgrad_status st = t.vectors && t.grad && t.gradient && t.pieces ? clgrad_graph_create(ctx, &t.g) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) {
        clgrad_hyper_nodes_init(&t.hyper, t.g);
        st = build(&t, part);
    }
    if (st == CLGRAD_OK) *out = t.g, t.g = NULL;
    clgrad_graph_release(&t.g);
    clgrad_free(ctx, t.vectors);
    clgrad_free(ctx, t.grad);
    clgrad_free(ctx, t.gradient);
    clgrad_free(ctx, t.pieces);
    return st;
}
