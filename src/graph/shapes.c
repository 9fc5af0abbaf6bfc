/* The shape column of the op table: one function a word, which checks attributes and gives the result's shape. */

#include "graph/rules.h"

#include <inttypes.h>
#include <stdio.h>

typedef clgrad_status (*shape_rule)(const clgrad_rule_query *q, clgrad_shape *out);

static const clgrad_shape *operand(const clgrad_rule_query *q, size_t i) { return &clgrad_at(q->g, q->in[i])->shape; }

/* "<operation>: <sentence>"; the sentence names the operand. */
static clgrad_status refuse(const clgrad_rule_query *q, clgrad_status status, const char *format, ...) CLGRAD_PRINTF(3, 4);
static clgrad_status refuse(const clgrad_rule_query *q, clgrad_status status, const char *format, ...)
{
    char sentence[CLGRAD_MESSAGE_BYTES / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return clgrad_fail(q->g->ctx, status, "%s: %s", q->name, sentence);
}

/* Two operands whose shapes ought to match. */
static clgrad_status mismatch(const clgrad_rule_query *q, size_t i, size_t k)
{
    char a[CLGRAD_SHAPE_TEXT], b[CLGRAD_SHAPE_TEXT];
    return refuse(q, CLGRAD_E_SHAPE, "the shapes %s of operand %zu and %s of operand %zu do not match",
                  clgrad_shape_text(operand(q, i), a), i, clgrad_shape_text(operand(q, k), b), k);
}

/* An operand and the shape asked for. */
static clgrad_status cannot_become(const clgrad_rule_query *q, const clgrad_shape *asked)
{
    char a[CLGRAD_SHAPE_TEXT], b[CLGRAD_SHAPE_TEXT];
    return refuse(q, CLGRAD_E_SHAPE, "operand 0 of shape %s cannot become %s", clgrad_shape_text(operand(q, 0), a),
                  clgrad_shape_text(asked, b));
}

static clgrad_status check_axis(const clgrad_rule_query *q, const clgrad_shape *shape)
{
    if (q->attr->axis >= 0 && q->attr->axis < shape->rank) return CLGRAD_OK;
    return refuse(q, CLGRAD_E_ARG, "axis %" PRId32 " is not one of operand 0's %" PRId32, q->attr->axis, shape->rank);
}

static clgrad_status shape_leaf(const clgrad_rule_query *q, clgrad_shape *out)
{
    if (!q->shape || q->shape->rank < 0 || q->shape->rank > CLGRAD_MAX_RANK)
        return refuse(q, CLGRAD_E_SHAPE, "the shape's rank is not 0 to %d", CLGRAD_MAX_RANK);
    *out = clgrad_shape_make(q->shape->rank, q->shape->dims);
    return CLGRAD_OK;
}

static clgrad_status shape_iota(const clgrad_rule_query *q, clgrad_shape *out)
{
    if (q->dtype != CLGRAD_I32 && q->dtype != CLGRAD_I64) return refuse(q, CLGRAD_E_DTYPE, "the type is i32 or i64");
    CLGRAD_TRY(shape_leaf(q, out));
    if (q->attr->axis < 0 || q->attr->axis >= out->rank)
        return refuse(q, CLGRAD_E_ARG, "axis %" PRId32 " is not one of the shape's %" PRId32, q->attr->axis, out->rank);
    if (q->dtype == CLGRAD_I32 && out->dims[q->attr->axis] > (int64_t)INT32_MAX + 1)
        return refuse(q, CLGRAD_E_SHAPE, "extent %" PRId64 " does not fit in i32", out->dims[q->attr->axis]);
    return CLGRAD_OK;
}

static clgrad_status shape_same(const clgrad_rule_query *q, clgrad_shape *out)
{
    for (size_t i = 1; i < q->num_in; i++)
        if (!clgrad_shape_equal(operand(q, 0), operand(q, i))) return mismatch(q, 0, i);
    *out = *operand(q, 0);
    return CLGRAD_OK;
}

/* --- views --- */

static clgrad_status shape_broadcast(const clgrad_rule_query *q, clgrad_shape *out)
{
    clgrad_shape both;
    CLGRAD_TRY(shape_leaf(q, out));
    if (!clgrad_shape_broadcast(operand(q, 0), out, &both) || !clgrad_shape_equal(&both, out)) return cannot_become(q, out);
    return CLGRAD_OK;
}

static clgrad_status shape_reshape(const clgrad_rule_query *q, clgrad_shape *out)
{
    CLGRAD_TRY(shape_leaf(q, out));
    return clgrad_shape_count(operand(q, 0)) == clgrad_shape_count(out) ? CLGRAD_OK : cannot_become(q, out);
}

static clgrad_status shape_permute(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *x = operand(q, 0);
    uint32_t seen = 0;
    *out = *x;
    for (int32_t i = 0; i < x->rank; i++) {
        const int64_t from = q->attr->a[i];
        if (from < 0 || from >= x->rank || (seen & CLGRAD_AXIS(from)))
            return refuse(q, CLGRAD_E_ARG, "entry %" PRId64 " at place %" PRId32 " makes no permutation of operand 0's axes", from, i);
        seen |= CLGRAD_AXIS(from);
        out->dims[i] = x->dims[from];
    }
    return CLGRAD_OK;
}

static clgrad_status shape_slice(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *x = operand(q, 0);
    CLGRAD_TRY(shape_leaf(q, out));
    if (out->rank != x->rank) return cannot_become(q, out);
    for (int32_t i = 0; i < x->rank; i++) {
        const int64_t start = q->attr->a[i], step = q->attr->b[i], size = out->dims[i];
        int64_t last = 0;
        if (step < 1) return refuse(q, CLGRAD_E_ARG, "step %" PRId64 " of axis %" PRId32 " is below 1", step, i);
        if (start < 0 || size < 0) return refuse(q, CLGRAD_E_ARG, "start or size of axis %" PRId32 " is negative", i);
        if (size > 0 && (!clgrad_mul_i64(size - 1, step, &last) || !clgrad_add_i64(last, start, &last) || last >= x->dims[i]))
            return refuse(q, CLGRAD_E_SHAPE,
                          "%" PRId64 " elements from %" PRId64 " in steps of %" PRId64 " leave operand 0's extent %" PRId64
                          " of axis %" PRId32, size, start, step, x->dims[i], i);
        if (size == 0 && start > x->dims[i])
            return refuse(q, CLGRAD_E_SHAPE, "start %" PRId64 " lies past operand 0's extent of axis %" PRId32, start, i);
    }
    return CLGRAD_OK;
}

static clgrad_status shape_flip(const clgrad_rule_query *q, clgrad_shape *out)
{
    *out = *operand(q, 0);
    if (q->attr->axes >> out->rank) return refuse(q, CLGRAD_E_ARG, "axes 0x%" PRIx32 " are not all operand 0's", q->attr->axes);
    return CLGRAD_OK;
}

static clgrad_status shape_pad(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *x = operand(q, 0);
    *out = *x;
    for (int32_t i = 0; i < x->rank; i++) {
        const int64_t low = q->attr->a[i], high = q->attr->b[i], interior = q->attr->c[i];
        int64_t between = 0;
        if (low < 0 || high < 0 || interior < 0) return refuse(q, CLGRAD_E_ARG, "a padding of axis %" PRId32 " is negative", i);
        if (!clgrad_mul_i64(x->dims[i] > 1 ? x->dims[i] - 1 : 0, interior, &between) ||
            !clgrad_add_i64(between, x->dims[i], &between) || !clgrad_add_i64(between, low, &between) ||
            !clgrad_add_i64(between, high, &out->dims[i]))
            return refuse(q, CLGRAD_E_SHAPE, "the padded extent of axis %" PRId32 " does not fit", i);
    }
    return CLGRAD_OK;
}

/* Blocks of `size` elements `dilation` apart that fit into n, one every `stride`; 0 when none does or the numbers are bad. */
static int64_t count_blocks(int64_t n, int64_t size, int64_t stride, int64_t dilation)
{
    int64_t span = 0;
    if (size < 1 || stride < 1 || dilation < 1 || !clgrad_mul_i64(size - 1, dilation, &span) || span >= n) return 0;
    return (n - span - 1) / stride + 1;
}

static clgrad_status shape_window(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *x = operand(q, 0);
    const int32_t axis = q->attr->axis;
    const int64_t size = q->attr->a[0], stride = q->attr->b[0], dilation = q->attr->c[0];
    CLGRAD_TRY(check_axis(q, x));
    if (x->rank == CLGRAD_MAX_RANK) return refuse(q, CLGRAD_E_SHAPE, "operand 0 has no room for one more axis");
    if (size < 1 || stride < 1 || dilation < 1) return refuse(q, CLGRAD_E_ARG, "size, stride and dilation are at least 1");
    const int64_t blocks = count_blocks(x->dims[axis], size, stride, dilation);
    if (blocks == 0)
        return refuse(q, CLGRAD_E_SHAPE, "operand 0's extent %" PRId64 " of axis %" PRId32 " holds no block of %" PRId64
                      " elements %" PRId64 " apart", x->dims[axis], axis, size, dilation);
    *out = *x;
    out->dims[axis] = blocks;
    out->dims[out->rank++] = size;
    return CLGRAD_OK;
}

static clgrad_status shape_overlap(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *y = operand(q, 0);
    const int32_t axis = q->attr->axis;
    if (y->rank < 2 || axis < 0 || axis >= y->rank - 1)
        return refuse(q, CLGRAD_E_ARG, "axis %" PRId32 " is not one before operand 0's last", axis);
    const int64_t n = q->attr->a[0], stride = q->attr->b[0], dilation = q->attr->c[0], size = y->dims[y->rank - 1];
    if (stride < 1 || dilation < 1) return refuse(q, CLGRAD_E_ARG, "stride and dilation are at least 1");
    if (count_blocks(n, size, stride, dilation) != y->dims[axis] || y->dims[axis] == 0)
        return refuse(q, CLGRAD_E_SHAPE, "operand 0's %" PRId64 " blocks of %" PRId64 " elements are not the windows of an extent %" PRId64,
                      y->dims[axis], size, n);
    *out = *y;
    out->dims[--out->rank] = 0;
    out->dims[axis] = n;
    return CLGRAD_OK;
}

static clgrad_status shape_concat(const clgrad_rule_query *q, clgrad_shape *out)
{
    *out = *operand(q, 0);
    CLGRAD_TRY(check_axis(q, out));
    const int32_t axis = q->attr->axis;
    for (size_t i = 1; i < q->num_in; i++) {
        clgrad_shape x = *operand(q, i);
        const int64_t extent = x.rank == out->rank ? x.dims[axis] : -1;
        if (extent >= 0) x.dims[axis] = out->dims[axis];
        if (extent < 0 || !clgrad_shape_equal(&x, out)) return mismatch(q, 0, i);
        if (!clgrad_add_i64(out->dims[axis], extent, &out->dims[axis]))
            return refuse(q, CLGRAD_E_SHAPE, "the joined extent does not fit");
    }
    return CLGRAD_OK;
}

/* --- indexing --- */

static clgrad_status check_batch_axes(const clgrad_rule_query *q, const clgrad_shape *x, const clgrad_shape *index)
{
    const int32_t num = q->attr->num_batch;
    if (num < 0 || num > q->attr->axis || num > index->rank)
        return refuse(q, CLGRAD_E_ARG, "%" PRId32 " shared axes do not fit axis %" PRId32 " and operand 1", num, q->attr->axis);
    for (int32_t i = 0; i < num; i++)
        if (x->dims[i] != index->dims[i]) return mismatch(q, 0, 1);
    return CLGRAD_OK;
}

static clgrad_status shape_take(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *x = operand(q, 0), *index = operand(q, 1);
    const int32_t axis = q->attr->axis, num = q->attr->num_batch;
    CLGRAD_TRY(check_axis(q, x));
    CLGRAD_TRY(check_batch_axes(q, x, index));
    const int32_t rank = x->rank - 1 + index->rank - num;
    if (rank > CLGRAD_MAX_RANK) return refuse(q, CLGRAD_E_SHAPE, "the result of operands 0 and 1 would have rank %" PRId32, rank);
    int64_t dims[CLGRAD_MAX_RANK];
    int32_t at = 0;
    for (int32_t i = 0; i < axis; i++) dims[at++] = x->dims[i];
    for (int32_t i = num; i < index->rank; i++) dims[at++] = index->dims[i];
    for (int32_t i = axis + 1; i < x->rank; i++) dims[at++] = x->dims[i];
    *out = clgrad_shape_make(rank, dims);
    return CLGRAD_OK;
}

static clgrad_status shape_scatter(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *updates = operand(q, 0), *index = operand(q, 1);
    const int32_t axis = q->attr->axis, num = q->attr->num_batch;
    const int64_t n = q->attr->a[0];
    if (n < 0) return refuse(q, CLGRAD_E_ARG, "extent %" PRId64 " is negative", n);
    CLGRAD_TRY(check_batch_axes(q, updates, index));
    const int32_t width = index->rank - num, rank = updates->rank - width + 1; /* width: axes that index stands for */
    if (axis < 0 || axis + width > updates->rank || rank > CLGRAD_MAX_RANK) return mismatch(q, 0, 1);
    int64_t dims[CLGRAD_MAX_RANK];
    int32_t at = 0;
    for (int32_t i = 0; i < axis; i++) dims[at++] = updates->dims[i];
    for (int32_t i = 0; i < width; i++)
        if (updates->dims[axis + i] != index->dims[num + i]) return mismatch(q, 0, 1);
    dims[at++] = n;
    for (int32_t i = axis + width; i < updates->rank; i++) dims[at++] = updates->dims[i];
    *out = clgrad_shape_make(rank, dims);
    return CLGRAD_OK;
}

/* --- reductions and products --- */

clgrad_shape clgrad_shape_without(const clgrad_shape *a, uint32_t axes)
{
    clgrad_shape out = { 0 };
    for (int32_t i = 0; i < a->rank; i++)
        if (!(axes & CLGRAD_AXIS(i))) out.dims[out.rank++] = a->dims[i];
    return out;
}

static clgrad_status check_cell(const clgrad_rule_query *q)
{
    if (q->attr->cell == 0 || q->attr->cell == 256) return CLGRAD_OK;
    return refuse(q, CLGRAD_E_ARG, "a cell is 0 or 256, not %" PRId64, q->attr->cell);
}

/* Is some axis of extent over 1 reduced before and some behind a kept one? */
static bool axes_mixed(const clgrad_shape *shape, uint32_t axes)
{
    int32_t last = shape->rank - 1;
    while (last >= 0 && shape->dims[last] == 1) last--;
    return last >= 0 && (axes & CLGRAD_AXIS(last)) && !clgrad_axes_trailing(shape, axes);
}

static clgrad_status shape_reduce(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *x = operand(q, 0);
    const uint32_t axes = q->attr->axes;
    if (axes == 0 || axes >> x->rank) return refuse(q, CLGRAD_E_ARG, "axes 0x%" PRIx32 " are none or not all operand 0's", axes);
    if (axes_mixed(x, axes)) return refuse(q, CLGRAD_E_SHAPE, "operand 0's axes 0x%" PRIx32 " need two steps", axes);
    CLGRAD_TRY(check_cell(q));
    for (int32_t i = 0; i < x->rank && q->op == CLGRAD_OP_REDUCE_MAX; i++)
        if ((axes & CLGRAD_AXIS(i)) && x->dims[i] == 0)
            return refuse(q, CLGRAD_E_SHAPE, "operand 0 has no elements along axis %" PRId32, i);
    *out = clgrad_shape_without(x, axes);
    return CLGRAD_OK;
}

static clgrad_status shape_argmax(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *x = operand(q, 0);
    CLGRAD_TRY(check_axis(q, x));
    const int64_t n = x->dims[q->attr->axis];
    if (n < 1 || n > INT32_MAX) return refuse(q, CLGRAD_E_SHAPE, "operand 0's extent %" PRId64 " has no index in i32", n);
    *out = clgrad_shape_without(x, CLGRAD_AXIS(q->attr->axis));
    return CLGRAD_OK;
}

static clgrad_status shape_cumsum(const clgrad_rule_query *q, clgrad_shape *out)
{
    *out = *operand(q, 0);
    return check_axis(q, out);
}

static clgrad_status shape_matmul(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_shape *a = operand(q, 0), *b = operand(q, 1);
    for (size_t i = 0; i < 2; i++)
        if (operand(q, i)->rank < 2)
            return refuse(q, CLGRAD_E_SHAPE, "operand %zu has rank %" PRId32 ", at least 2 is needed", i, operand(q, i)->rank);
    CLGRAD_TRY(check_cell(q));
    const int32_t last = a->rank - 1;
    if (a->rank != b->rank) return mismatch(q, 0, 1);
    for (int32_t i = 0; i < last - 1; i++)
        if (a->dims[i] != b->dims[i]) return mismatch(q, 0, 1);
    const int64_t ka = a->dims[q->attr->trans_a ? last - 1 : last], kb = b->dims[q->attr->trans_b ? last : last - 1];
    if (ka != kb)
        return refuse(q, CLGRAD_E_SHAPE, "operand 0 sums over %" PRId64 " elements, operand 1 over %" PRId64, ka, kb);
    *out = *a;
    out->dims[last - 1] = a->dims[q->attr->trans_a ? last : last - 1];
    out->dims[last] = b->dims[q->attr->trans_b ? last - 1 : last];
    return CLGRAD_OK;
}

static clgrad_status shape_call(const clgrad_rule_query *q, clgrad_shape *out)
{
    const clgrad_graph *body = q->attr->call->body; /* the dtype rule has seen that it is there */
    char a[CLGRAD_SHAPE_TEXT], b[CLGRAD_SHAPE_TEXT];
    for (size_t i = 0; i < q->num_in; i++) {
        const clgrad_shape *wanted = &clgrad_at(body, body->inputs[i])->shape;
        if (!clgrad_shape_equal(operand(q, i), wanted))
            return refuse(q, CLGRAD_E_SHAPE, "'%s' takes %s as its operand %zu, not %s", q->attr->call->name,
                          clgrad_shape_text(wanted, a), i, clgrad_shape_text(operand(q, i), b));
    }
    *out = clgrad_at(body, body->outputs[0])->shape;
    return CLGRAD_OK;
}

static const shape_rule shape_rules[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) shape_##shape,
#include "graph/ops.def"
#undef OP
};

clgrad_status clgrad_rule_shape(const clgrad_rule_query *q, clgrad_shape *out)
{
    int64_t count = 0;
    CLGRAD_TRY(shape_rules[q->op](q, out));
    return clgrad_shape_check(q->g->ctx, out, q->name, &count);
}

bool clgrad_shape_broadcast(const clgrad_shape *a, const clgrad_shape *b, clgrad_shape *out)
{
    const int32_t rank = a->rank > b->rank ? a->rank : b->rank;
    *out = (clgrad_shape){ .rank = rank };
    for (int32_t i = 0; i < rank; i++) {
        const int32_t ia = i - rank + a->rank, ib = i - rank + b->rank;
        const int64_t da = ia < 0 ? 1 : a->dims[ia], db = ib < 0 ? 1 : b->dims[ib];
        if (da != db && da != 1 && db != 1) return false;
        out->dims[i] = da == 1 ? db : da;
    }
    return true;
}

bool clgrad_axes_trailing(const clgrad_shape *shape, uint32_t axes)
{
    bool reduced = false;
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] == 1) continue;
        const bool here = axes & CLGRAD_AXIS(i);
        if (reduced && !here) return false;
        reduced = here;
    }
    return true;
}
