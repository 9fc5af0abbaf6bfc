#include "autodiff/samples.h"

#include <check.h>
#include <stdio.h>

/* Builds variant number `variant` of op in g, declaring inputs and outputs; false past the last. */
typedef bool sample_fn(clgrad_graph *g, clgrad_op op, int variant);

static clgrad_dtype real; /* of the sample being made */

static clgrad_node real_input(clgrad_graph *g, const char *name, clgrad_shape shape) { return clgrad_input(g, name, real, shape); }

static bool done(clgrad_graph *g, clgrad_node y)
{
    clgrad_output(g, "y", y);
    return true;
}

/* --- leaves --- */

static bool sample_leaf(clgrad_graph *g, clgrad_op op, int variant)
{
    const clgrad_shape shape = CLGRAD_SHAPE(2, 3);
    const clgrad_node x = real_input(g, "x", shape);
    if (variant > 0) return false;
    return done(g, op == CLGRAD_OP_INPUT ? x : clgrad_mul(g, x, clgrad_constant(g, real, shape, 1.5)));
}

static bool sample_iota(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    if (variant > 1) return false;
    const clgrad_shape shape = CLGRAD_SHAPE(2, 3);
    const clgrad_node at = clgrad_iota(g, variant ? CLGRAD_I64 : CLGRAD_I32, shape, variant);
    return done(g, clgrad_mul(g, real_input(g, "x", shape), clgrad_cast(g, at, real)));
}

/* --- element-wise --- */

static bool sample_random(clgrad_graph *g, int variant)
{
    const clgrad_shape shape = CLGRAD_SHAPE(2, 3);
    const clgrad_node seed = clgrad_input(g, "seed", CLGRAD_I64, CLGRAD_SCALAR), hi = clgrad_input(g, "hi", CLGRAD_I64, CLGRAD_SHAPE(2, 1)),
                      lo = clgrad_iota(g, CLGRAD_I64, shape, 1);
    const clgrad_node r = variant ? clgrad_random_normal_node(g, seed, hi, lo, 5) : clgrad_random_uniform_node(g, seed, hi, lo, 5);
    return variant < 2 && done(g, clgrad_mul(g, real_input(g, "x", shape), clgrad_cast(g, r, real)));
}

static bool sample_cast(clgrad_graph *g, int variant)
{
    const clgrad_dtype through[] = { real == CLGRAD_F32 ? CLGRAD_F64 : CLGRAD_F32, CLGRAD_F16, CLGRAD_BF16,
                                     CLGRAD_I32, CLGRAD_I64, CLGRAD_U8 };
    if (variant >= (int)CLGRAD_COUNT(through)) return false;
    const clgrad_node x = real_input(g, "x", CLGRAD_SHAPE(2, 3));
    const clgrad_node y = clgrad_cast(g, clgrad_cast(g, x, through[variant]), real);
    return done(g, clgrad_mul(g, clgrad_sin(g, x), y));
}

static bool sample_select(clgrad_graph *g, int variant)
{
    const clgrad_shape shape = CLGRAD_SHAPE(3, 4);
    const clgrad_node a = real_input(g, "a", shape), at = clgrad_iota(g, CLGRAD_I32, shape, 1);
    const clgrad_node cond = clgrad_lt(g, at, clgrad_constant_int(g, CLGRAD_I32, shape, 2));
    switch (variant) {
    case 0: return done(g, clgrad_select(g, cond, a, real_input(g, "b", shape)));
    case 1: return done(g, clgrad_select(g, cond, a, clgrad_constant(g, real, shape, 0.7)));
    case 2: return done(g, clgrad_select(g, cond, clgrad_constant(g, real, shape, 0.7), clgrad_sin(g, a)));
    case 3: return done(g, clgrad_select(g, clgrad_cast(g, clgrad_input(g, "c", CLGRAD_I32, shape), CLGRAD_U8), a, clgrad_square(g, a)));
    default: return false;
    }
}

/* A comparison's result decides between functions of its operands; other results stand for themselves. */
static clgrad_node as_real(clgrad_graph *g, clgrad_node y, clgrad_node x)
{
    return clgrad_dtype_is_real(clgrad_node_dtype(g, y)) ? y : clgrad_select(g, y, clgrad_square(g, x), clgrad_sin(g, x));
}

static bool sample_same(clgrad_graph *g, clgrad_op op, int variant)
{
    if (op == CLGRAD_OP_RANDOM) return sample_random(g, variant);
    if (op == CLGRAD_OP_CAST) return sample_cast(g, variant);
    if (op == CLGRAD_OP_SELECT) return sample_select(g, variant);

    const int arity = clgrad_op_get(op)->arity;
    if (variant > (arity == 1 ? 1 : 4)) return false;
    const clgrad_shape shape = variant == 1 ? CLGRAD_SCALAR : CLGRAD_SHAPE(3, 4);
    clgrad_node in[2] = { real_input(g, "a", shape), CLGRAD_NONE };
    if (arity == 2) in[1] = variant == 2 ? in[0] : variant > 2 ? clgrad_constant(g, real, shape, 1.625) : real_input(g, "b", shape);
    const clgrad_node ordered[] = { in[variant == 4], in[variant != 4] };
    const clgrad_node y = clgrad_graph_append(g, op, (size_t)arity, arity == 1 ? in : ordered, NULL, real, NULL);
    return done(g, as_real(g, y, in[0]));
}

/* --- views --- */

static bool sample_broadcast(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    static const clgrad_shape from[] = { { 1, { 3 } }, { 0, { 0 } }, { 2, { 2, 1 } }, { 3, { 2, 1, 3 } } };
    static const clgrad_shape to[] = { { 2, { 4, 3 } }, { 2, { 2, 2 } }, { 3, { 3, 2, 4 } }, { 3, { 2, 5, 3 } } };
    if (variant >= (int)CLGRAD_COUNT(from)) return false;
    return done(g, clgrad_broadcast(g, real_input(g, "x", from[variant]), to[variant]));
}

static bool sample_reshape(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    static const clgrad_shape to[] = { { 1, { 24 } }, { 2, { 6, 4 } }, { 4, { 1, 4, 3, 2 } } };
    return variant < 3 && done(g, clgrad_reshape(g, real_input(g, "x", CLGRAD_SHAPE(2, 3, 4)), to[variant]));
}

static bool sample_permute(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    static const int32_t perm[][3] = { { 2, 0, 1 }, { 1, 0, 2 }, { 0, 2, 1 } };
    return variant < 3 && done(g, clgrad_permute(g, real_input(g, "x", CLGRAD_SHAPE(2, 3, 4)), perm[variant]));
}

static bool sample_slice(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    static const int64_t start[][2] = { { 1, 0 }, { 0, 2 }, { 2, 5 } }, size[][2] = { { 2, 6 }, { 2, 2 }, { 1, 0 } },
                         step[][2] = { { 1, 1 }, { 2, 3 }, { 3, 1 } };
    return variant < 3 && done(g, clgrad_slice(g, real_input(g, "x", CLGRAD_SHAPE(3, 6)), start[variant], size[variant], step[variant]));
}

static bool sample_flip(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    return variant < 3 && done(g, clgrad_flip(g, real_input(g, "x", CLGRAD_SHAPE(3, 4)), (uint32_t)variant + 1));
}

static bool sample_pad(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    static const int64_t low[][2] = { { 1, 0 }, { 0, 2 }, { 1, 1 } }, high[][2] = { { 0, 2 }, { 1, 0 }, { 1, 1 } },
                         interior[][2] = { { 0, 0 }, { 1, 2 }, { 2, 0 } };
    const clgrad_shape shape = variant == 2 ? CLGRAD_SHAPE(1, 4) : CLGRAD_SHAPE(3, 4);
    return variant < 3 && done(g, clgrad_pad(g, real_input(g, "x", shape), low[variant], high[variant], interior[variant]));
}

/* axis, size, stride, dilation */
static const int64_t windows[][4] = { { 0, 2, 1, 1 }, { 1, 3, 2, 1 }, { 1, 2, 1, 2 }, { 0, 1, 2, 1 }, { 1, 2, 3, 1 } };

static bool sample_window(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    if (variant >= (int)CLGRAD_COUNT(windows)) return false;
    const int64_t *w = windows[variant];
    return done(g, clgrad_window(g, real_input(g, "x", CLGRAD_SHAPE(4, 7)), (int32_t)w[0], w[1], w[2], w[3]));
}

static bool sample_overlap(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    if (variant >= (int)CLGRAD_COUNT(windows)) return false;
    const int64_t *w = windows[variant], n = w[0] ? 7 : 4;
    clgrad_shape shape = { 3, { 4, 7, w[1] } };
    shape.dims[w[0]] = (n - (w[1] - 1) * w[3] - 1) / w[2] + 1;
    return done(g, clgrad_overlap_add(g, real_input(g, "x", shape), (int32_t)w[0], n, w[2], w[3]));
}

static bool sample_concat(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    const clgrad_node a = real_input(g, "a", CLGRAD_SHAPE(2, 3));
    const clgrad_node parts[] = { a, clgrad_constant(g, real, CLGRAD_SHAPE(2, 3), 0.5), a };
    switch (variant) {
    case 0: return done(g, clgrad_concat(g, 2, (clgrad_node[]){ a, real_input(g, "b", CLGRAD_SHAPE(1, 3)) }, 0));
    case 1: return done(g, clgrad_concat(g, 2, (clgrad_node[]){ real_input(g, "b", CLGRAD_SHAPE(2, 4)), a }, 1));
    case 2: return done(g, clgrad_concat(g, 3, parts, 1));
    default: return false;
    }
}

/* --- indexing --- */

static bool sample_take(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    const clgrad_node x = real_input(g, "x", CLGRAD_SHAPE(2, 3, 4));
    switch (variant) {
    case 0: return done(g, clgrad_take(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(5)), 1));
    case 1: return done(g, clgrad_take(g, x, clgrad_input(g, "i", CLGRAD_I64, CLGRAD_SHAPE(2, 2)), 2));
    case 2: return done(g, clgrad_take(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SCALAR), 1));
    case 3: return done(g, clgrad_take_batched(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(2, 5)), 2, 1));
    case 4: return done(g, clgrad_take_batched(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(2, 3, 1)), 2, 2));
    default: return false;
    }
}

static bool sample_scatter(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    const clgrad_node x = real_input(g, "x", CLGRAD_SHAPE(2, 3, 4));
    switch (variant) {
    case 0: return done(g, clgrad_scatter_add(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(3)), 1, 5));
    case 1: return done(g, clgrad_scatter_add(g, x, clgrad_input(g, "i", CLGRAD_I64, CLGRAD_SHAPE(3, 4)), 1, 3));
    case 2: return done(g, clgrad_scatter_add(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SCALAR), 0, 3));
    case 3: return done(g, clgrad_scatter_add_batched(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(2, 4)), 2, 3, 1));
    case 4: return done(g, clgrad_scatter_add_batched(g, x, clgrad_input(g, "i", CLGRAD_I32, CLGRAD_SHAPE(2, 3)), 1, 4, 1));
    default: return false;
    }
}

/* --- reductions, scans, products --- */

static bool sample_reduce(clgrad_graph *g, clgrad_op op, int variant)
{
    static const uint32_t axes[] = { 1, 2, 4, 3, 6, 5, 7 };
    if (variant >= (int)CLGRAD_COUNT(axes)) return false;
    const clgrad_node x = real_input(g, "x", CLGRAD_SHAPE(2, 3, 4));
    const bool keep = variant % 2;
    if (op == CLGRAD_OP_REDUCE_MAX) return done(g, clgrad_reduce_max(g, x, axes[variant], keep));
    return done(g, variant < 3 ? clgrad_sum_cell(g, x, axes[variant], keep, 256) : clgrad_sum(g, x, axes[variant], keep));
}

static bool sample_argmax(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    if (variant > 1) return false;
    const clgrad_node x = real_input(g, "x", CLGRAD_SHAPE(3, 4));
    const clgrad_node at = clgrad_cast(g, clgrad_argmax(g, x, variant), real);
    return done(g, clgrad_mul(g, clgrad_mean(g, x, CLGRAD_AXIS(variant), false), at));
}

static bool sample_cumsum(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    return variant < 4 && done(g, clgrad_cumsum(g, real_input(g, "x", CLGRAD_SHAPE(3, 4)), variant / 2, variant % 2));
}

static bool sample_matmul(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    if (variant > 11) return false;
    const bool ta = variant & 1, tb = variant & 2;
    clgrad_shape a = ta ? CLGRAD_SHAPE(4, 3) : CLGRAD_SHAPE(3, 4), b = tb ? CLGRAD_SHAPE(2, 4) : CLGRAD_SHAPE(4, 2);
    if (variant >= 4) a = (clgrad_shape){ 3, { 2, a.dims[0], a.dims[1] } };
    if (variant >= 8) b = (clgrad_shape){ 3, { 2, b.dims[0], b.dims[1] } };
    return done(g, clgrad_matmul_cell(g, real_input(g, "a", a), real_input(g, "b", b), ta, tb, variant < 4 ? 256 : 0));
}

/* --- calls --- */

/* log(1 + exp(a)) * b */
static clgrad_graph *softplus_times(clgrad_graph *g, clgrad_shape shape)
{
    clgrad_graph *body = NULL;
    ck_assert_int_eq(clgrad_graph_create(g->ctx, &body), CLGRAD_OK);
    const clgrad_node a = real_input(body, "a", shape), b = real_input(body, "b", shape);
    clgrad_output(body, "y", clgrad_mul(body, clgrad_log1p(body, clgrad_exp(body, a)), b));
    return body;
}

static clgrad_node softplus_times_jvp(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)count, (void)y, (void)user;
    clgrad_node dy = CLGRAD_NONE;
    if (dx[0] != CLGRAD_NONE) dy = clgrad_mul(g, dx[0], clgrad_mul(g, clgrad_sigmoid(g, x[0]), x[1]));
    if (dx[1] == CLGRAD_NONE) return dy;
    const clgrad_node db = clgrad_mul(g, dx[1], clgrad_log1p(g, clgrad_exp(g, x[0])));
    return dy == CLGRAD_NONE ? db : clgrad_add(g, dy, db);
}

/* A call whose rule is itself a call that is linear in dx: transposition has to write it out. */
static clgrad_node twice_jvp(clgrad_graph *g, const clgrad_node *x, size_t count, clgrad_node y, const clgrad_node *dx, void *user)
{
    (void)x, (void)count, (void)y, (void)user;
    clgrad_graph *body = NULL;
    if (clgrad_graph_create(g->ctx, &body) != CLGRAD_OK) return CLGRAD_NONE;
    clgrad_output(body, "y", clgrad_scale(body, real_input(body, "x", clgrad_node_shape(g, dx[0])), 2));
    const clgrad_node dy = clgrad_call(g, "twice", CLGRAD_ROLE_USER, body, 1, dx, NULL, NULL);
    clgrad_graph_release(&body);
    return dy;
}

static bool sample_call(clgrad_graph *g, clgrad_op op, int variant)
{
    (void)op;
    if (variant > 3) return false;
    const clgrad_shape shape = CLGRAD_SHAPE(2, 3);
    const clgrad_node a = real_input(g, "a", shape);
    clgrad_graph *body = softplus_times(g, shape), *outer = NULL;
    clgrad_node y = CLGRAD_NONE;
    if (variant == 0) y = clgrad_call(g, "f", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ a, real_input(g, "b", shape) }, NULL, NULL);
    if (variant == 1) y = clgrad_call(g, "f", CLGRAD_ROLE_USER, body, 2, (clgrad_node[]){ a, clgrad_sin(g, a) }, softplus_times_jvp, NULL);
    if (variant == 2) { /* a call within a call, one operand known */
        ck_assert_int_eq(clgrad_graph_create(g->ctx, &outer), CLGRAD_OK);
        const clgrad_node x = real_input(outer, "x", shape), two = clgrad_constant(outer, real, shape, 2);
        const clgrad_node inner[] = { x, two };
        const clgrad_node z = clgrad_call(outer, "f", CLGRAD_ROLE_USER, body, 2, inner, softplus_times_jvp, NULL);
        clgrad_output(outer, "y", clgrad_sin(outer, z));
        y = clgrad_call(g, "outer", CLGRAD_ROLE_NONE, outer, 1, &a, NULL, NULL);
    }
    if (variant == 3) {
        ck_assert_int_eq(clgrad_graph_create(g->ctx, &outer), CLGRAD_OK);
        const clgrad_node x = real_input(outer, "x", shape);
        clgrad_output(outer, "y", clgrad_add(outer, x, x));
        y = clgrad_call(g, "double", CLGRAD_ROLE_USER, outer, 1, &a, twice_jvp, NULL);
    }
    clgrad_graph_release(&body);
    clgrad_graph_release(&outer);
    return done(g, y);
}

/* --- the table --- */

typedef struct sample_row {
    sample_fn *make;
    domain domain;
} sample_row;

static const sample_row rows[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) { sample_##shape, DOMAIN_##domain },
#include "graph/ops.def"
#undef OP
};

bool sample_create(clgrad_context *ctx, clgrad_op op, int variant, clgrad_dtype dtype, sample *s)
{
    real = dtype;
    *s = (sample){ .op = op, .domain = rows[op].domain };
    snprintf(s->name, sizeof s->name, "%s.%d", clgrad_op_get(op)->name, variant);
    ck_assert_int_eq(clgrad_graph_create(ctx, &s->g), CLGRAD_OK);
    if (!rows[op].make(s->g, op, variant)) {
        clgrad_graph_release(&s->g);
        return false;
    }
    ck_assert_msg(clgrad_graph_status(s->g) == CLGRAD_OK, "%s: %s", s->name, clgrad_error_text(ctx));
    return true;
}
