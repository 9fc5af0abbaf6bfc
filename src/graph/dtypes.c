/* The dtypes column of the op table: one function a word, giving the result's type. */

#include "graph/rules.h"

typedef clgrad_status (*dtype_rule)(const clgrad_rule_query *q, clgrad_dtype *out);

static clgrad_dtype operand(const clgrad_rule_query *q, size_t i) { return clgrad_at(q->g, q->in[i])->dtype; }

static clgrad_status refuse(const clgrad_rule_query *q, size_t i, const char *wanted)
{
    return clgrad_fail(q->g->ctx, CLGRAD_E_DTYPE, "%s: operand %zu is %s, needed is %s", q->name, i,
                       clgrad_dtype_name(operand(q, i)), wanted);
}

/* All operands from `first` on have one type, which the result has too. */
static clgrad_status same_from(const clgrad_rule_query *q, size_t first, clgrad_dtype *out)
{
    for (size_t i = first + 1; i < q->num_in; i++)
        if (operand(q, i) != operand(q, first))
            return clgrad_fail(q->g->ctx, CLGRAD_E_DTYPE, "%s: operand %zu is %s, operand %zu is %s; cast one of them", q->name, i,
                               clgrad_dtype_name(operand(q, i)), first, clgrad_dtype_name(operand(q, first)));
    *out = operand(q, first);
    return CLGRAD_OK;
}

static clgrad_status dtype_asked(const clgrad_rule_query *q, clgrad_dtype *out)
{
    if ((unsigned)q->dtype >= CLGRAD_DTYPE_COUNT)
        return clgrad_fail(q->g->ctx, CLGRAD_E_DTYPE, "%s: %d is not an element type", q->name, (int)q->dtype);
    *out = q->dtype;
    return CLGRAD_OK;
}

static clgrad_status dtype_leaf(const clgrad_rule_query *q, clgrad_dtype *out) { return dtype_asked(q, out); }

static clgrad_status dtype_cast(const clgrad_rule_query *q, clgrad_dtype *out) { return dtype_asked(q, out); }

static clgrad_status dtype_any(const clgrad_rule_query *q, clgrad_dtype *out)
{
    if (q->num_in == 0) return clgrad_fail(q->g->ctx, CLGRAD_E_ARG, "%s: no operands given", q->name);
    return same_from(q, 0, out);
}

static clgrad_status dtype_real(const clgrad_rule_query *q, clgrad_dtype *out)
{
    for (size_t i = 0; i < q->num_in; i++)
        if (!clgrad_dtype_is_real(operand(q, i))) return refuse(q, i, "a real type");
    return same_from(q, 0, out);
}

static clgrad_status dtype_number(const clgrad_rule_query *q, clgrad_dtype *out)
{
    for (size_t i = 0; i < q->num_in; i++)
        if (operand(q, i) == CLGRAD_U8) return refuse(q, i, "a real type, i32 or i64");
    return same_from(q, 0, out);
}

static clgrad_status dtype_compare(const clgrad_rule_query *q, clgrad_dtype *out)
{
    CLGRAD_TRY(same_from(q, 0, out));
    *out = CLGRAD_U8;
    return CLGRAD_OK;
}

static clgrad_status dtype_select(const clgrad_rule_query *q, clgrad_dtype *out)
{
    if (operand(q, 0) != CLGRAD_U8) return refuse(q, 0, "u8");
    return same_from(q, 1, out);
}

static clgrad_status dtype_random(const clgrad_rule_query *q, clgrad_dtype *out)
{
    for (size_t i = 0; i < q->num_in; i++)
        if (operand(q, i) != CLGRAD_I64) return refuse(q, i, "i64");
    *out = CLGRAD_F32;
    return CLGRAD_OK;
}

static clgrad_status dtype_index(const clgrad_rule_query *q, clgrad_dtype *out)
{
    if (operand(q, 1) != CLGRAD_I32 && operand(q, 1) != CLGRAD_I64) return refuse(q, 1, "i32 or i64");
    *out = operand(q, 0);
    return CLGRAD_OK;
}

static clgrad_status dtype_argmax(const clgrad_rule_query *q, clgrad_dtype *out)
{
    (void)q;
    *out = CLGRAD_I32;
    return CLGRAD_OK;
}

static clgrad_status dtype_call(const clgrad_rule_query *q, clgrad_dtype *out)
{
    const clgrad_call_info *call = q->attr->call;
    if (!call || call->body->num_outputs != 1 || call->body->num_inputs != q->num_in)
        return clgrad_fail(q->g->ctx, CLGRAD_E_ARG, "%s: needs a body with one output and %zu inputs", q->name, q->num_in);
    for (size_t i = 0; i < q->num_in; i++) {
        const clgrad_dtype wanted = clgrad_at(call->body, call->body->inputs[i])->dtype;
        if (operand(q, i) != wanted) return refuse(q, i, clgrad_dtype_name(wanted));
    }
    *out = clgrad_at(call->body, call->body->outputs[0])->dtype;
    return CLGRAD_OK;
}

static const dtype_rule dtype_rules[] = {
#define OP(name, arity, dtypes, domain, ulp, shape, jvp, transpose, batch, family, expr, ref) dtype_##dtypes,
#include "graph/ops.def"
#undef OP
};

clgrad_status clgrad_rule_dtype(const clgrad_rule_query *q, clgrad_dtype *out) { return dtype_rules[q->op](q, out); }
