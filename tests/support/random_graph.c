#include "support/random_graph.h"

#include <math.h>

enum { MAX_VALUES = 64, MAX_ELEMENTS = 600 };

typedef struct value {
    clgrad_node node;
    double bound; /* |element| <= bound while inputs are in [-1, 1] */
    bool used;
} value;

typedef struct generator {
    clgrad_graph *g;
    random_graph_options options;
    uint64_t state;
    value pool[MAX_VALUES];
    int count;
} generator;

typedef value (*draw_fn)(generator *m, value x);

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int random_below(uint64_t *state, int n) { return (int)(random_next(state) % (uint64_t)n); }

double random_unit(uint64_t *state) { return ((double)(random_next(state) >> 12) + 0.5) * 0x1p-51 - 1; }

static int below(generator *m, int n) { return random_below(&m->state, n); }

static clgrad_shape shape_of(const generator *m, value x) { return clgrad_node_shape(m->g, x.node); }

static int64_t elements(const generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    return clgrad_shape_count(&s);
}

static value make(clgrad_node node, double bound) { return (value){ node, bound, false }; }

/* Keep magnitudes below 4; a bound is pessimistic, so values stay well inside. */
static value tame(generator *m, value x)
{
    return x.bound > 4 ? make(clgrad_scale(m->g, x.node, 4 / x.bound), 4) : x;
}

/* A value from the pool, one of the last few three times in four. */
static value pick(generator *m)
{
    const int recent = m->count < 4 ? m->count : 4;
    const int i = below(m, 4) ? m->count - 1 - below(m, recent) : below(m, m->count);
    m->pool[i].used = true;
    return m->pool[i];
}

/* A second operand that broadcasts to the shape of x: a value of the pool as it is, or its mean. */
static value partner(generator *m, value x)
{
    const value y = pick(m);
    const clgrad_shape sx = shape_of(m, x), sy = shape_of(m, y);
    bool fits = sy.rank <= sx.rank;
    for (int i = 0; fits && i < sy.rank; i++) {
        const int64_t extent = sy.dims[sy.rank - 1 - i];
        fits = extent == 1 || extent == sx.dims[sx.rank - 1 - i];
    }
    return fits ? y : make(clgrad_mean(m->g, y.node, CLGRAD_ALL_AXES, false), y.bound);
}

/* x*x + shift: a value that stays away from 0. */
static clgrad_node positive(generator *m, value x, double shift)
{
    return clgrad_offset(m->g, clgrad_square(m->g, x.node), shift);
}

static value draw_function(generator *m, value x)
{
    clgrad_graph *g = m->g;
    const double top = x.bound * x.bound;
    switch (below(m, 13)) {
    case 0: return make(clgrad_neg(g, x.node), x.bound);
    case 1: return make(clgrad_exp(g, clgrad_tanh(g, x.node)), 2.8);
    case 2: return make(clgrad_log(g, positive(m, x, 0.5)), 1 + log(top + 1));
    case 3: return make(clgrad_log1p(g, clgrad_square(g, x.node)), log(top + 1));
    case 4: return make(clgrad_expm1(g, clgrad_sin(g, x.node)), 1.8);
    case 5: return make(clgrad_sqrt(g, positive(m, x, 0.25)), x.bound + 0.5);
    case 6: return make(clgrad_rsqrt(g, positive(m, x, 0.5)), 1.5);
    case 7: return make(clgrad_reciprocal(g, positive(m, x, 1)), 1);
    case 8: return make(clgrad_sin(g, x.node), 1);
    case 9: return make(clgrad_cos(g, x.node), 1);
    case 10: return make(clgrad_tanh(g, x.node), 1);
    case 11: return make(clgrad_erf(g, x.node), 1);
    default: return make(clgrad_sigmoid(g, x.node), 1);
    }
}

static value draw_kink(generator *m, value x)
{
    clgrad_graph *g = m->g;
    const value y = partner(m, x);
    const double bound = fmax(x.bound, y.bound);
    switch (below(m, 7)) {
    case 0: return make(clgrad_abs(g, x.node), x.bound);
    case 1: return make(clgrad_sign(g, x.node), 1);
    case 2: return make(clgrad_floor(g, clgrad_scale(g, x.node, 3)), 3 * x.bound + 1);
    case 3: return make(clgrad_max(g, x.node, y.node), bound);
    case 4: return make(clgrad_min(g, x.node, y.node), bound);
    case 5: return make(clgrad_max(g, x.node, clgrad_constant(g, m->options.dtype, CLGRAD_SCALAR, 0)), x.bound);
    default: return make(clgrad_select(g, clgrad_lt(g, x.node, y.node), x.node, clgrad_neg(g, y.node)), bound);
    }
}

static value draw_binary(generator *m, value x)
{
    clgrad_graph *g = m->g;
    const value y = partner(m, x);
    switch (below(m, 6)) {
    case 0: return make(clgrad_add(g, x.node, y.node), x.bound + y.bound);
    case 1: return make(clgrad_sub(g, y.node, x.node), x.bound + y.bound);
    case 2: return make(clgrad_div(g, x.node, positive(m, y, 1)), x.bound);
    case 3: return make(clgrad_pow(g, positive(m, x, 0.5), clgrad_tanh(g, y.node)), fmax(x.bound * x.bound + 0.5, 2));
    default: return make(clgrad_mul(g, x.node, y.node), x.bound * y.bound);
    }
}

/* A choice by position, which has no kink in the data. */
static value draw_select(generator *m, value x)
{
    clgrad_graph *g = m->g;
    const clgrad_shape s = shape_of(m, x);
    if (s.rank == 0) return draw_function(m, x);
    const int32_t axis = below(m, s.rank);
    const clgrad_node at = clgrad_iota(g, CLGRAD_I32, s, axis);
    const clgrad_node bar = clgrad_constant_int(g, CLGRAD_I32, CLGRAD_SCALAR, below(m, (int)s.dims[axis] + 1));
    const value y = partner(m, x);
    return make(clgrad_select(g, clgrad_lt(g, at, bar), x.node, y.node), fmax(x.bound, y.bound));
}

static value draw_broadcast(generator *m, value x)
{
    clgrad_shape s = shape_of(m, x);
    const int64_t extent = 2 + below(m, 3);
    if (s.rank >= 4 || elements(m, x) * extent > MAX_ELEMENTS) return draw_function(m, x);
    clgrad_shape to = { .rank = s.rank + 1, .dims = { extent } };
    for (int i = 0; i < s.rank; i++) to.dims[i + 1] = s.dims[i];
    if (s.rank == 0 || below(m, 2)) return make(clgrad_broadcast(m->g, x.node, to), x.bound);
    clgrad_shape with_one = to; /* the new axis last */
    for (int i = 0; i < s.rank; i++) with_one.dims[i] = to.dims[i] = s.dims[i];
    with_one.dims[s.rank] = 1;
    to.dims[s.rank] = extent;
    return make(clgrad_broadcast(m->g, clgrad_reshape(m->g, x.node, with_one), to), x.bound);
}

static value draw_reshape(generator *m, value x)
{
    const int64_t n = elements(m, x);
    clgrad_shape s = { .rank = 1, .dims = { n } };
    for (int64_t d = 2 + below(m, 4); d <= 7; d++)
        if (n % d == 0) {
            s = (clgrad_shape){ .rank = 2, .dims = { n / d, d } };
            break;
        }
    return make(clgrad_reshape(m->g, x.node, s), x.bound);
}

static value draw_permute(generator *m, value x)
{
    const int rank = shape_of(m, x).rank;
    int32_t perm[CLGRAD_MAX_RANK];
    for (int i = 0; i < rank; i++) perm[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        const int j = below(m, i + 1);
        const int32_t swap = perm[i];
        perm[i] = perm[j];
        perm[j] = swap;
    }
    return make(clgrad_permute(m->g, x.node, perm), x.bound);
}

static value draw_slice(generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    int64_t start[CLGRAD_MAX_RANK] = { 0 }, size[CLGRAD_MAX_RANK] = { 0 }, step[CLGRAD_MAX_RANK] = { 0 };
    for (int i = 0; i < s.rank; i++) {
        step[i] = 1 + below(m, 2);
        start[i] = below(m, (int)s.dims[i]);
        size[i] = 1 + below(m, (int)((s.dims[i] - 1 - start[i]) / step[i]) + 1);
    }
    return make(clgrad_slice(m->g, x.node, start, size, step), x.bound);
}

static value draw_flip(generator *m, value x)
{
    const uint32_t all = (1u << shape_of(m, x).rank) - 1;
    return make(clgrad_flip(m->g, x.node, (uint32_t)below(m, 16) & all), x.bound);
}

static value draw_pad(generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    int64_t low[CLGRAD_MAX_RANK] = { 0 }, high[CLGRAD_MAX_RANK] = { 0 }, interior[CLGRAD_MAX_RANK] = { 0 };
    if (s.rank == 0 || elements(m, x) > MAX_ELEMENTS / 4) return draw_slice(m, x);
    const int axis = below(m, s.rank);
    low[axis] = below(m, 2);
    high[axis] = below(m, 3);
    interior[axis] = below(m, 2);
    return make(clgrad_pad(m->g, x.node, low, high, interior), x.bound);
}

/* Sliding blocks, and half the time back again. */
static value draw_window(generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    if (s.rank == 0 || s.rank > 3 || elements(m, x) > MAX_ELEMENTS / 3) return draw_slice(m, x);
    const int32_t axis = below(m, s.rank);
    const int64_t n = s.dims[axis], dilation = 1 + below(m, 2), stride = 1 + below(m, 2);
    const int64_t size = 1 + (n - 1 < 2 * dilation ? (n - 1) / dilation : below(m, 3));
    const clgrad_node blocks = clgrad_window(m->g, x.node, axis, size, stride, dilation);
    if (below(m, 2)) return make(blocks, x.bound);
    return make(clgrad_overlap_add(m->g, clgrad_sin(m->g, blocks), axis, n, stride, dilation), 3);
}

static value draw_concat(generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    if (s.rank == 0 || elements(m, x) > MAX_ELEMENTS / 3) return draw_function(m, x);
    const value y = partner(m, x);
    const clgrad_node parts[] = { x.node, clgrad_broadcast(m->g, y.node, s), clgrad_sin(m->g, x.node) };
    return make(clgrad_concat(m->g, 2 + (size_t)below(m, 2), parts, below(m, s.rank)), fmax(fmax(x.bound, y.bound), 1));
}

/* 1 to 3 indices below n, duplicates allowed. */
static clgrad_node draw_index(generator *m, int64_t n, int *count)
{
    clgrad_node parts[3];
    *count = 1 + below(m, 3);
    for (int i = 0; i < *count; i++) parts[i] = clgrad_constant_int(m->g, CLGRAD_I32, CLGRAD_SHAPE(1), below(m, (int)n));
    return clgrad_concat(m->g, (size_t)*count, parts, 0);
}

static value draw_take(generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    if (s.rank == 0) return draw_function(m, x);
    const int32_t axis = below(m, s.rank);
    int count;
    return make(clgrad_take(m->g, x.node, draw_index(m, s.dims[axis], &count), axis), x.bound);
}

static value draw_scatter(generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    if (s.rank == 0) return draw_function(m, x);
    const int32_t axis = below(m, s.rank);
    const int64_t n = 4;
    int count;
    const clgrad_node index = draw_index(m, n, &count);
    if (s.dims[axis] < count) return draw_take(m, x);
    int64_t start[CLGRAD_MAX_RANK] = { 0 }, size[CLGRAD_MAX_RANK];
    for (int i = 0; i < s.rank; i++) size[i] = i == axis ? count : s.dims[i];
    return make(clgrad_scatter_add(m->g, clgrad_slice(m->g, x.node, start, size, NULL), index, axis, n), 3 * x.bound);
}

static value draw_sum(generator *m, value x)
{
    const int rank = shape_of(m, x).rank;
    const uint32_t axes = 1u << below(m, rank + 1) | 1u << below(m, rank + 1);
    if (!m->options.smooth && below(m, 3) == 0) return make(clgrad_reduce_max(m->g, x.node, axes, below(m, 2)), x.bound);
    if (below(m, 2)) return make(clgrad_mean(m->g, x.node, axes, below(m, 2)), x.bound);
    return make(clgrad_sum(m->g, x.node, axes, below(m, 2)), x.bound * (double)elements(m, x));
}

static value draw_cumsum(generator *m, value x)
{
    const clgrad_shape s = shape_of(m, x);
    if (s.rank == 0) return draw_function(m, x);
    const int32_t axis = below(m, s.rank);
    return make(clgrad_cumsum(m->g, x.node, axis, below(m, 2)), x.bound * (double)s.dims[axis]);
}

/* The matrix [rows, k] of a value's first elements, or [.., k, rows] by the flag: x is given at least one batch axis at times. */
static value draw_matmul(generator *m, value x)
{
    clgrad_graph *g = m->g;
    clgrad_shape s = shape_of(m, x);
    if (s.rank < 2) {
        x.node = clgrad_reshape(g, x.node, s.rank == 0 ? CLGRAD_SHAPE(1, 1) : CLGRAD_SHAPE(1, s.dims[0]));
        s = shape_of(m, x);
    }
    const bool trans_a = below(m, 2), trans_b = below(m, 2);
    const int64_t k = s.dims[trans_a ? s.rank - 2 : s.rank - 1], columns = 1 + below(m, 4);
    value y = pick(m);
    const int64_t n = elements(m, y), need = k * columns;
    const clgrad_node flat = clgrad_reshape(g, y.node, CLGRAD_SHAPE(n));
    const clgrad_node repeated = clgrad_reshape(
        g, clgrad_broadcast(g, flat, CLGRAD_SHAPE((need + n - 1) / n, n)), CLGRAD_SHAPE((need + n - 1) / n * n));
    const clgrad_node first = clgrad_slice(g, repeated, (int64_t[]){ 0 }, (int64_t[]){ need }, NULL);
    const clgrad_node b = clgrad_reshape(g, first, trans_b ? CLGRAD_SHAPE(columns, k) : CLGRAD_SHAPE(k, columns));
    return make(clgrad_matmul(g, x.node, b, trans_a, trans_b), x.bound * y.bound * (double)k);
}

/* softplus(x) - log 2, as a call. */
static value draw_call(generator *m, value x)
{
    clgrad_graph *body = NULL;
    if (clgrad_graph_create(m->g->ctx, &body) != CLGRAD_OK)
        return make(clgrad_graph_fail(m->g, CLGRAD_E_MEMORY, "no memory for the body of a call"), 0);
    const clgrad_node in = clgrad_input(body, "x", m->options.dtype, shape_of(m, x));
    clgrad_output(body, "y", clgrad_offset(body, clgrad_log1p(body, clgrad_exp(body, in)), -log(2)));
    const clgrad_node y = clgrad_call(m->g, "softplus", CLGRAD_ROLE_ACTIVATION, body, 1, &x.node, NULL, NULL);
    clgrad_graph_release(&body);
    return make(y, x.bound + 1);
}

static value draw_storage(generator *m, value x)
{
    const clgrad_node stored = clgrad_cast(m->g, x.node, below(m, 2) ? CLGRAD_F16 : CLGRAD_BF16);
    return make(clgrad_cast(m->g, stored, m->options.dtype), x.bound);
}

static value draw(generator *m)
{
    static const draw_fn table[] = { draw_function, draw_function, draw_function, draw_binary,  draw_binary, draw_binary,
                                     draw_binary,   draw_select,   draw_broadcast, draw_reshape, draw_permute, draw_slice,
                                     draw_flip,     draw_pad,      draw_window,   draw_concat,  draw_take,   draw_scatter,
                                     draw_sum,      draw_sum,      draw_cumsum,   draw_matmul,  draw_matmul, draw_call };
    const value x = pick(m);
    if (!m->options.smooth && below(m, 5) == 0) return draw_kink(m, x);
    if (m->options.storage && below(m, 8) == 0) return draw_storage(m, x);
    return table[below(m, (int)CLGRAD_COUNT(table))](m, x);
}

static void draw_inputs(generator *m)
{
    static const clgrad_shape shapes[] = { { 2, { 3, 4 } }, { 1, { 5 } },    { 3, { 2, 3, 4 } },
                                           { 0, { 0 } },    { 2, { 1, 7 } }, { 4, { 2, 1, 3, 2 } } };
    static const char *const names[] = { "a", "b", "c" };
    const int count = 1 + below(m, 3);
    for (int i = 0; i < count; i++) {
        const clgrad_shape s = shapes[below(m, (int)CLGRAD_COUNT(shapes))];
        m->pool[m->count++] = make(clgrad_input(m->g, names[i], m->options.dtype, s), 1);
    }
}

/* The mean of the sine of every value nothing used, added up: no operation is dead, and the loss is not linear in the last one. */
static clgrad_node loss(generator *m)
{
    clgrad_node sum = CLGRAD_NONE;
    for (int i = 0; i < m->count; i++) {
        if (m->pool[i].used) continue;
        const clgrad_node term = clgrad_mean(m->g, clgrad_sin(m->g, clgrad_offset(m->g, m->pool[i].node, 0.3)), CLGRAD_ALL_AXES, false);
        sum = sum == CLGRAD_NONE ? term : clgrad_add(m->g, sum, term);
    }
    return sum;
}

clgrad_status random_graph_create(clgrad_context *ctx, const random_graph_options *options, clgrad_graph **out)
{
    *out = NULL;
    generator m = { .options = *options, .state = options->seed * 0x2545f4914f6cdd1du + 1 };
    CLGRAD_TRY(clgrad_graph_create(ctx, &m.g));
    draw_inputs(&m);
    const int num_ops = options->num_ops ? options->num_ops : 2 + below(&m, 29);
    for (int i = 0; i < num_ops && m.count < MAX_VALUES; i++) {
        const value y = tame(&m, draw(&m));
        m.pool[m.count++] = y;
    }
    m.pool[m.count - 1].used = false; /* CSE may give an old value a second place; the last one always counts */
    clgrad_output(m.g, "loss", loss(&m));
    clgrad_output(m.g, "y", m.pool[m.count - 1].node);
    const clgrad_status status = clgrad_graph_status(m.g);
    if (status == CLGRAD_OK) *out = clgrad_graph_retain(m.g);
    clgrad_graph_release(&m.g);
    return status;
}

clgrad_status random_inputs_create(const clgrad_graph *g, uint64_t seed, bool wide, clgrad_array *inputs)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 7;
    const size_t count = clgrad_graph_num_inputs(g);
    for (size_t i = 0; i < count; i++) inputs[i] = (clgrad_array){ 0 };
    for (size_t i = 0; i < count; i++) {
        const clgrad_op_node *in = clgrad_at(g, clgrad_graph_input(g, i));
        const clgrad_dtype dtype = wide && clgrad_dtype_is_real(in->dtype) ? CLGRAD_F64 : in->dtype;
        const clgrad_status status = clgrad_array_create(g->ctx, dtype, in->shape, &inputs[i]);
        if (status != CLGRAD_OK) {
            for (size_t j = 0; j < i; j++) clgrad_array_release(g->ctx, &inputs[j]);
            return status;
        }
        const int64_t n = clgrad_shape_count(&in->shape);
        for (int64_t k = 0; k < n; k++) clgrad_array_set(&inputs[i], k, random_unit(&state));
    }
    return CLGRAD_OK;
}
