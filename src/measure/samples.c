#include "measure/samples.h"

#include <stdio.h>

const clgrad_layout clgrad_layouts[CLGRAD_LAYOUT_COUNT] = {
    { "contiguous", CLGRAD_LAYOUT_PLAIN, 100 }, { "offset", CLGRAD_LAYOUT_OFFSET, 100 },
    { "strided", CLGRAD_LAYOUT_STRIDED, 37 },   { "broadcast", CLGRAD_LAYOUT_BROADCAST, 37 },
    { "n=0", CLGRAD_LAYOUT_PLAIN, 0 },          { "n=1", CLGRAD_LAYOUT_PLAIN, 1 },
    { "n=63", CLGRAD_LAYOUT_PLAIN, 63 },        { "n=64", CLGRAD_LAYOUT_PLAIN, 64 },
    { "n=65", CLGRAD_LAYOUT_PLAIN, 65 },        { "n=4097", CLGRAD_LAYOUT_PLAIN, 4097 },
};

typedef enum sample_types { TYPES_leaf, TYPES_real, TYPES_number, TYPES_any, TYPES_compare, TYPES_select, TYPES_cast, TYPES_random, TYPES_index, TYPES_argmax, TYPES_call } sample_types;

static const struct {
    sample_types types;
    clgrad_domain domain;
    double ulp;
} rows[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) \
    [CLGRAD_OP_##name] = { TYPES_##dtypes, CLGRAD_DOMAIN_##domain, ulp },
#include "graph/ops.def"
#undef OP
};

/* RANDOM's normals multiply a root of a logarithm by a cosine; the call is x sigmoid(x). */
double clgrad_sample_ulp(clgrad_op op)
{
    const double ulp = op == CLGRAD_OP_RANDOM ? 64 : op == CLGRAD_OP_CALL ? rows[CLGRAD_OP_SIGMOID].ulp + 1 : rows[op].ulp;
    return ulp > 0.5 ? ulp : 0.5; /* exact: rounded once */
}

clgrad_family clgrad_sample_family(int subject)
{
    return subject < CLGRAD_OP_COUNT ? clgrad_op_get((clgrad_op)subject)->family : CLGRAD_MAP;
}

static void small_letters(const char *text, char *out, size_t bytes)
{
    size_t i = 0;
    for (; text[i] && i + 1 < bytes; i++) out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    out[i] = '\0';
}

void clgrad_sample_name(int subject, char *name, size_t bytes)
{
    static const char *const families[] = {
        [CLGRAD_LEAF] = "leaf",       [CLGRAD_MAP] = "map",         [CLGRAD_VIEW] = "view",     [CLGRAD_JOIN] = "join",
        [CLGRAD_GATHER] = "gather",   [CLGRAD_SCATTER] = "scatter", [CLGRAD_REDUCE] = "reduce", [CLGRAD_SCAN] = "scan",
        [CLGRAD_OVERLAP] = "overlap", [CLGRAD_PRODUCT] = "product", [CLGRAD_CALL_FAMILY] = "call",
    };
    static const char *const groups[] = { "unary", "binary", "compare" };
    char op[40];
    small_letters(subject < CLGRAD_OP_COUNT ? clgrad_op_get((clgrad_op)subject)->name : groups[subject - CLGRAD_OP_COUNT], op,
                  sizeof op);
    snprintf(name, bytes, "%s.%s", families[clgrad_sample_family(subject)], op);
}

/* Rows that a group shows: element-wise, of the group's arity, and built from operands of one type. */
static bool in_group(int subject, clgrad_op op)
{
    const clgrad_op_info *info = clgrad_op_get(op);
    const bool plain = rows[op].types == TYPES_real || rows[op].types == TYPES_number || rows[op].types == TYPES_any;
    if (info->family != CLGRAD_MAP) return false;
    if (subject == CLGRAD_SUBJECT_COMPARE) return rows[op].types == TYPES_compare;
    return plain && info->arity == (subject == CLGRAD_SUBJECT_UNARY ? 1 : 2);
}

clgrad_op clgrad_sample_op(int subject, const char *output)
{
    if (subject < CLGRAD_OP_COUNT) return (clgrad_op)subject;
    for (int op = 0; op < CLGRAD_OP_COUNT; op++)
        if (strcmp(clgrad_op_get((clgrad_op)op)->name, output) == 0) return (clgrad_op)op;
    return CLGRAD_OP_STOP;
}

static bool op_applies(clgrad_op op, clgrad_dtype dtype)
{
    const bool real = clgrad_dtype_is_real(dtype);
    switch (rows[op].types) {
    case TYPES_leaf: return op == CLGRAD_OP_IOTA ? dtype == CLGRAD_I32 || dtype == CLGRAD_I64 : op == CLGRAD_OP_CONST;
    case TYPES_real: return real;
    case TYPES_number:
    case TYPES_index:
    case TYPES_argmax: return real || dtype == CLGRAD_I32 || dtype == CLGRAD_I64;
    case TYPES_random:
    case TYPES_call: return dtype == CLGRAD_F32;
    default: return true;
    }
}

bool clgrad_sample_applies(int subject, clgrad_dtype dtype)
{
    if (subject < CLGRAD_OP_COUNT) return op_applies((clgrad_op)subject, dtype);
    return dtype != CLGRAD_U8 || subject != CLGRAD_SUBJECT_BINARY; /* no arithmetic on u8 */
}

/* --- operands ------------------------------------------------------------------------------------------------------ */

typedef struct sampler {
    clgrad_sample *sample;
    clgrad_graph *g;
    const clgrad_layout *layout;
    clgrad_dtype dtype;
    int64_t n;
} sampler;

static clgrad_node declare(sampler *s, clgrad_dtype dtype, clgrad_domain domain, int64_t limit, clgrad_shape shape)
{
    const size_t i = clgrad_graph_num_inputs(s->g);
    const char *const names[CLGRAD_SAMPLE_INPUTS] = { "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7" };
    s->sample->domains[i] = domain;
    s->sample->limits[i] = limit;
    return clgrad_input(s->g, names[i], dtype, shape);
}

/* Every second element of a wider input, so that neighbours are not neighbours in memory. */
static clgrad_node strided(sampler *s, clgrad_dtype dtype, clgrad_domain domain, int64_t limit, clgrad_shape shape)
{
    int64_t start[CLGRAD_MAX_RANK] = { 0 }, step[CLGRAD_MAX_RANK];
    clgrad_shape wide = shape;
    for (int32_t i = 0; i < shape.rank; i++) step[i] = 1;
    wide.dims[shape.rank - 1] = 2 * shape.dims[shape.rank - 1] + 1;
    start[shape.rank - 1] = 1;
    step[shape.rank - 1] = 2;
    return clgrad_slice(s->g, declare(s, dtype, domain, limit, wide), start, shape.dims, step);
}

static clgrad_node operand_of(sampler *s, clgrad_dtype dtype, clgrad_domain domain, int64_t limit, clgrad_shape shape)
{
    if (s->layout->kind == CLGRAD_LAYOUT_STRIDED && shape.rank > 0) return strided(s, dtype, domain, limit, shape);
    if (s->layout->kind == CLGRAD_LAYOUT_BROADCAST && shape.rank > 0 && domain != CLGRAD_DOMAIN_distinct) {
        clgrad_shape narrow = shape;
        narrow.dims[clgrad_graph_num_inputs(s->g) % (size_t)shape.rank] = 1;
        return clgrad_broadcast(s->g, declare(s, dtype, domain, limit, narrow), shape);
    }
    return declare(s, dtype, domain, limit, shape);
}

static clgrad_node operand(sampler *s, clgrad_domain domain, clgrad_shape shape)
{
    return operand_of(s, s->dtype, domain, 0, shape);
}

static clgrad_node indices(sampler *s, int64_t limit, clgrad_shape shape)
{
    return operand_of(s, CLGRAD_I32, CLGRAD_DOMAIN_index, limit, shape);
}

static void give(sampler *s, const char *name, clgrad_node node) { clgrad_output(s->g, name, node); }

/* --- one builder per family ------------------------------------------------------------------------------------------ */

static void map_sample(sampler *s, clgrad_op op)
{
    const clgrad_attr none = { 0 };
    const clgrad_shape shape = CLGRAD_SHAPE(s->n, 5);
    const int arity = clgrad_op_get(op)->arity;
    clgrad_node in[3];
    for (int i = 0; i < arity; i++) in[i] = operand(s, rows[op].domain, shape);
    give(s, "y", clgrad_graph_append(s->g, op, (size_t)arity, in, &none, s->dtype, NULL));
}

static void group_sample(sampler *s, int subject)
{
    const clgrad_attr none = { 0 };
    const clgrad_shape shape = CLGRAD_SHAPE(s->n, 5);
    clgrad_node in[2];
    in[0] = operand(s, CLGRAD_DOMAIN_power, shape);
    in[1] = subject == CLGRAD_SUBJECT_UNARY ? CLGRAD_NONE : operand(s, CLGRAD_DOMAIN_power, shape);
    for (int i = 0; i < CLGRAD_OP_COUNT; i++) {
        const clgrad_op op = (clgrad_op)i;
        if (!in_group(subject, op) || !op_applies(op, s->dtype)) continue;
        give(s, clgrad_op_get(op)->name, clgrad_graph_append(s->g, op, (size_t)clgrad_op_get(op)->arity, in, &none, s->dtype, NULL));
    }
}

static void select_sample(sampler *s)
{
    const clgrad_shape shape = CLGRAD_SHAPE(s->n, 5);
    const clgrad_node cond = operand_of(s, CLGRAD_U8, CLGRAD_DOMAIN_truth, 2, shape);
    const clgrad_node a = operand(s, CLGRAD_DOMAIN_any, shape), b = operand(s, CLGRAD_DOMAIN_any, shape);
    give(s, "y", clgrad_select(s->g, cond, a, b));
}

static void cast_sample(sampler *s)
{
    static const clgrad_dtype to[] = { CLGRAD_F32, CLGRAD_F16, CLGRAD_BF16, CLGRAD_I32, CLGRAD_I64, CLGRAD_U8 };
    static const char *const names[] = { "f32", "f16", "bf16", "i32", "i64", "u8" };
    const clgrad_node x = operand(s, CLGRAD_DOMAIN_exponent, CLGRAD_SHAPE(s->n, 5));
    for (size_t i = 0; i < CLGRAD_COUNT(to); i++)
        if (to[i] != s->dtype) give(s, names[i], clgrad_cast(s->g, x, to[i]));
}

static void random_sample(sampler *s)
{
    const clgrad_shape shape = CLGRAD_SHAPE(s->n, 5);
    const clgrad_node seed = clgrad_constant_int(s->g, CLGRAD_I64, shape, 42);
    const clgrad_node hi = operand_of(s, CLGRAD_I64, CLGRAD_DOMAIN_index, 1 << 20, shape);
    const clgrad_node lo = clgrad_iota(s->g, CLGRAD_I64, shape, 1);
    give(s, "uniform", clgrad_random_uniform_node(s->g, seed, hi, lo, 7));
    give(s, "normal", clgrad_random_normal_node(s->g, seed, hi, lo, 8));
}

static void leaf_sample(sampler *s, clgrad_op op)
{
    const clgrad_shape shape = CLGRAD_SHAPE(s->n, 3);
    if (op == CLGRAD_OP_IOTA) {
        give(s, "rows", clgrad_iota(s->g, s->dtype, shape, 0));
        give(s, "columns", clgrad_iota(s->g, s->dtype, shape, 1));
    } else {
        give(s, "y", clgrad_constant(s->g, s->dtype, shape, 1.5));
    }
}

static void view_sample(sampler *s, clgrad_op op)
{
    clgrad_graph *g = s->g;
    const int64_t n = s->n;
    const clgrad_node x = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(n, 6));
    const int32_t perm[] = { 2, 0, 1 };
    switch (op) {
    case CLGRAD_OP_BROADCAST: give(s, "y", clgrad_broadcast(g, x, CLGRAD_SHAPE(3, n, 6))); break;
    case CLGRAD_OP_RESHAPE: give(s, "y", clgrad_reshape(g, x, CLGRAD_SHAPE(2, n, 3))); break;
    case CLGRAD_OP_PERMUTE: give(s, "y", clgrad_permute(g, clgrad_reshape(g, x, CLGRAD_SHAPE(n, 2, 3)), perm)); break;
    case CLGRAD_OP_SLICE:
        give(s, "y", clgrad_slice(g, x, (int64_t[]){ n / 3, 1 }, (int64_t[]){ n - n / 3, 3 }, (int64_t[]){ 1, 2 }));
        break;
    case CLGRAD_OP_FLIP: give(s, "y", clgrad_flip(g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(1))); break;
    case CLGRAD_OP_PAD:
        give(s, "y", clgrad_pad(g, x, (int64_t[]){ 1, 2 }, (int64_t[]){ 0, 1 }, (int64_t[]){ 0, 1 }));
        break;
    default: give(s, "y", clgrad_window(g, x, 1, 3, 1, 1)); break;
    }
}

static void join_sample(sampler *s)
{
    clgrad_node x[3];
    for (int i = 0; i < 3; i++) x[i] = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(s->n, 2 + i));
    give(s, "columns", clgrad_concat(s->g, 3, x, 1));
    const clgrad_node twice[] = { x[0], x[0] };
    give(s, "rows", clgrad_concat(s->g, 2, twice, 0));
}

static void index_sample(sampler *s, clgrad_op op)
{
    if (op == CLGRAD_OP_TAKE) {
        const clgrad_node x = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(7, 5));
        give(s, "rows", clgrad_take(s->g, x, indices(s, 7, CLGRAD_SHAPE(s->n)), 0));
        give(s, "columns", clgrad_take(s->g, x, indices(s, 5, CLGRAD_SHAPE(s->n)), 1));
    } else {
        const clgrad_node x = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(s->n, 5));
        give(s, "y", clgrad_scatter_add(s->g, x, indices(s, 7, CLGRAD_SHAPE(s->n)), 0, 7));
    }
}

static void reduce_sample(sampler *s, clgrad_op op)
{
    const clgrad_node x = operand(s, rows[op].domain, CLGRAD_SHAPE(3, s->n, 2));
    if (op == CLGRAD_OP_SUM) {
        give(s, "all", clgrad_sum(s->g, x, CLGRAD_ALL_AXES, false));
        give(s, "trailing", clgrad_sum(s->g, x, CLGRAD_AXIS(1) | CLGRAD_AXIS(2), false));
        give(s, "leading", clgrad_sum(s->g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(1), false));
        give(s, "cells", clgrad_sum_cell(s->g, clgrad_reshape(s->g, x, CLGRAD_SHAPE(3 * s->n, 2)), CLGRAD_AXIS(0), false, 256));
    } else if (s->n == 0) {
        give(s, "y", clgrad_sum(s->g, x, CLGRAD_AXIS(0), false)); /* the maximum of nothing is refused */
    } else if (op == CLGRAD_OP_REDUCE_MAX) {
        give(s, "trailing", clgrad_reduce_max(s->g, x, CLGRAD_AXIS(1) | CLGRAD_AXIS(2), false));
        give(s, "leading", clgrad_reduce_max(s->g, x, CLGRAD_AXIS(1), false));
    } else {
        give(s, "trailing", clgrad_argmax(s->g, clgrad_reshape(s->g, x, CLGRAD_SHAPE(3, 2 * s->n)), 1));
        give(s, "leading", clgrad_argmax(s->g, x, 1));
    }
}

static void scan_sample(sampler *s)
{
    const clgrad_node x = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(2, s->n));
    give(s, "forward", clgrad_cumsum(s->g, x, 1, false));
    give(s, "reverse", clgrad_cumsum(s->g, x, 1, true));
    give(s, "leading", clgrad_cumsum(s->g, x, 0, false));
}

static void product_sample(sampler *s)
{
    const int64_t n = s->n;
    const clgrad_node a = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(2, n, 17)), b = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(17, 33));
    const clgrad_node c = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(n, 9)), d = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(5, 9));
    give(s, "nn", clgrad_matmul(s->g, a, b, false, false));
    give(s, "nt", clgrad_matmul(s->g, c, d, false, true));
    give(s, "tn", clgrad_matmul(s->g, c, c, true, false));
    give(s, "cells", clgrad_matmul_cell(s->g, c, c, true, false, 256));
}

static void call_sample(sampler *s)
{
    clgrad_graph *body = NULL;
    const clgrad_shape shape = CLGRAD_SHAPE(s->n, 5);
    const clgrad_node x = operand(s, CLGRAD_DOMAIN_small, shape);
    if (clgrad_graph_create(s->g->ctx, &body) != CLGRAD_OK) {
        clgrad_graph_fail(s->g, CLGRAD_E_MEMORY, "no memory for a sample's call");
        return;
    }
    const clgrad_node inner = clgrad_input(body, "x", s->dtype, shape);
    clgrad_output(body, "y", clgrad_mul(body, inner, clgrad_sigmoid(body, inner)));
    give(s, "y", clgrad_call(s->g, "silu", CLGRAD_ROLE_USER, body, 1, &x, NULL, NULL));
    clgrad_graph_release(&body);
}

static void overlap_sample(sampler *s)
{
    const clgrad_node y = operand(s, CLGRAD_DOMAIN_any, CLGRAD_SHAPE(s->n, 4, 3));
    give(s, "y", clgrad_overlap_add(s->g, y, 1, 9, 2, 1));
}

static void build(sampler *s, int subject)
{
    const clgrad_op op = (clgrad_op)subject;
    if (subject >= CLGRAD_OP_COUNT) {
        group_sample(s, subject);
        return;
    }
    switch (clgrad_op_get(op)->family) {
    case CLGRAD_LEAF: leaf_sample(s, op); break;
    case CLGRAD_VIEW: view_sample(s, op); break;
    case CLGRAD_JOIN: join_sample(s); break;
    case CLGRAD_GATHER:
    case CLGRAD_SCATTER: index_sample(s, op); break;
    case CLGRAD_REDUCE: reduce_sample(s, op); break;
    case CLGRAD_SCAN: scan_sample(s); break;
    case CLGRAD_OVERLAP: overlap_sample(s); break;
    case CLGRAD_PRODUCT: product_sample(s); break;
    case CLGRAD_CALL_FAMILY: call_sample(s); break;
    case CLGRAD_MAP:
        if (op == CLGRAD_OP_SELECT) select_sample(s);
        else if (op == CLGRAD_OP_CAST) cast_sample(s);
        else if (op == CLGRAD_OP_RANDOM) random_sample(s);
        else map_sample(s, op);
        break;
    }
}

clgrad_status clgrad_sample_create(clgrad_context *ctx, int subject, clgrad_dtype dtype, const clgrad_layout *layout,
                                   clgrad_sample *sample)
{
    *sample = (clgrad_sample){ .graph = NULL };
    if (!clgrad_sample_applies(subject, dtype))
        return clgrad_fail(ctx, CLGRAD_E_UNSUPPORTED, "sample %d has no %s form", subject, clgrad_dtype_name(dtype));
    CLGRAD_TRY(clgrad_graph_create(ctx, &sample->graph));
    sampler s = { sample, sample->graph, layout, dtype, layout->n };
    build(&s, subject);
    const clgrad_status status = clgrad_graph_status(sample->graph);
    if (status != CLGRAD_OK) clgrad_graph_release(&sample->graph);
    return status;
}

/* --- values ------------------------------------------------------------------------------------------------------------ */

static double value_in(clgrad_domain domain, double u, int64_t i)
{
    const double sign = (int64_t)(u * 1048576) % 2 ? -1 : 1;
    switch (domain) {
    case CLGRAD_DOMAIN_exponent: return 40 * u - 20;
    case CLGRAD_DOMAIN_positive: return 0.01 + u * u * u * 100;
    case CLGRAD_DOMAIN_above_m1: return u < 0.5 ? 1.98 * u - 0.99 : 40 * (u - 0.5);
    case CLGRAD_DOMAIN_nonzero: return sign * (0.1 + 3.9 * u);
    case CLGRAD_DOMAIN_angle: return 100 * u - 50;
    case CLGRAD_DOMAIN_small: return 8 * u - 4;
    case CLGRAD_DOMAIN_kink0: return sign * (0.05 + 1.95 * u);
    case CLGRAD_DOMAIN_integers: return (double)((int64_t)(u * 1000) % 9 - 4) + 0.1 + 0.8 * u;
    case CLGRAD_DOMAIN_distinct: return (double)((i * 7919) % 65521 - 32760) / 64;
    case CLGRAD_DOMAIN_power: return 0.2 + 2.8 * u;
    default: return 4 * u - 2;
    }
}

void clgrad_sample_fill(const clgrad_sample *sample, size_t input, uint64_t seed, clgrad_array *array)
{
    const clgrad_domain domain = sample->domains[input];
    const int64_t count = clgrad_shape_count(&array->shape), limit = sample->limits[input];
    const bool real = clgrad_dtype_is_real(array->dtype);
    for (int64_t i = 0; i < count; i++) {
        const double u = (double)clgrad_random_uniform(seed, 0, input, (uint64_t)i);
        /* Operands of one op differ, also where ties are excluded. */
        double value = value_in(domain, u, domain == CLGRAD_DOMAIN_distinct ? 3 * i + (int64_t)input : i);
        if (limit > 0) value = (double)(int64_t)(u * (double)limit);
        else if (!real) value = (double)(int64_t)(value * 8);
        clgrad_array_set(array, i, value);
    }
}
