/* Element-wise nodes as OpenCL C: the expressions of the op table, comparisons, selections, conversions, random numbers. */

#include "plan/print.h"

#include <inttypes.h>

typedef clgrad_printer printer;

static bool is_compare(clgrad_op op) { return op >= CLGRAD_OP_EQ && op <= CLGRAD_OP_GE; }

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The op's expression with a, b, c replaced by registers and our functions' names completed by the type: clgrad_exp_float16. */
static void expression(printer *p, const clgrad_ir_instr *in, const char *text, bool vector)
{
    while (*text) {
        size_t n = 0;
        while (is_word(text[n])) n++;
        if (n == 0) {
            clgrad_text_append_bytes(p->out, text++, 1);
            continue;
        }
        if (n == 1 && *text >= 'a' && *text <= 'c') {
            clgrad_print_operand(p, in->arg[*text - 'a'], vector);
        } else {
            clgrad_text_append_bytes(p->out, text, n);
            if (n > 7 && memcmp(text, "clgrad_", 7) == 0) {
                clgrad_text_append(p->out, "_");
                clgrad_print_type(p, clgrad_register_type(p->ir->instrs[in->arg[0]].dtype), vector);
            }
        }
        text += n;
    }
}

static void print_select(printer *p, const clgrad_ir_instr *in, bool vector)
{
    if (!vector) {
        clgrad_text_append(p->out, "r%" PRId32 " ? r%" PRId32 " : r%" PRId32, in->arg[0], in->arg[1], in->arg[2]);
        return;
    }
    clgrad_text_append(p->out, "select(");
    clgrad_print_operand(p, in->arg[2], true);
    clgrad_text_append(p->out, ", ");
    clgrad_print_operand(p, in->arg[1], true);
    clgrad_text_append(p->out, ", convert_%s%" PRIu32 "(", clgrad_mask_type(in->dtype), p->width);
    clgrad_print_operand(p, in->arg[0], true);
    clgrad_text_append(p->out, " != (uchar%" PRIu32 ")(0)))", p->width);
}

static bool is_storage(clgrad_dtype dtype) { return dtype == CLGRAD_F16 || dtype == CLGRAD_BF16; }

/* What a narrower real type is rounded from: wide integers and doubles go through a float rounded to odd, so that rounding happens once. */
static void print_to_float(printer *p, clgrad_dtype from, clgrad_dtype to, int32_t arg, bool vector)
{
    const bool odd = is_storage(to) && (from == CLGRAD_F64 || from == CLGRAD_I64 || from == CLGRAD_I32);
    if (odd) clgrad_text_append(p->out, "odd_%s_%" PRIu32, clgrad_register_type(from), vector ? p->width : 1);
    else clgrad_text_append(p->out, "convert_"), clgrad_print_type(p, clgrad_register_type(to), vector);
    clgrad_text_append(p->out, "(");
    clgrad_print_operand(p, arg, vector);
    clgrad_text_append(p->out, ")");
}

/* To an integer: reals truncated and saturated, NaN to 0; integers modulo 2^bits. */
static void print_to_integer(printer *p, clgrad_dtype from, clgrad_dtype to, int32_t arg, bool vector)
{
    const bool real = clgrad_dtype_is_real(from);
    if (real && vector) clgrad_text_append(p->out, "select((%s%" PRIu32 ")(0), ", clgrad_register_type(to), p->width);
    if (real && !vector) clgrad_text_append(p->out, "r%" PRId32 " != r%" PRId32 " ? (%s)0 : ", arg, arg, clgrad_register_type(to));
    clgrad_text_append(p->out, "convert_");
    clgrad_print_type(p, clgrad_register_type(to), vector);
    clgrad_text_append(p->out, real ? "_sat(" : "(");
    clgrad_print_operand(p, arg, vector);
    clgrad_text_append(p->out, ")");
    if (!real || !vector) return;
    clgrad_text_append(p->out, ", convert_%s%" PRIu32 "(", clgrad_mask_type(to), p->width);
    clgrad_print_operand(p, arg, true);
    clgrad_text_append(p->out, " == ");
    clgrad_print_operand(p, arg, true);
    clgrad_text_append(p->out, "))");
}

/* Mesa's compiler takes a sign-extended int for larger or smaller than any 64-bit constant (22.3 to 24.0), so the halves are put together. */
static void print_widened(printer *p, int32_t arg, bool vector)
{
    clgrad_text_append(p->out, "upsample(");
    clgrad_print_operand(p, arg, vector);
    clgrad_text_append(p->out, " >> 31, as_");
    clgrad_print_type(p, "uint", vector);
    clgrad_text_append(p->out, "(");
    clgrad_print_operand(p, arg, vector);
    clgrad_text_append(p->out, "))");
}

static void print_cast(printer *p, const clgrad_ir_instr *in, bool vector)
{
    const clgrad_dtype from = p->ir->instrs[in->arg[0]].dtype;
    if (clgrad_dtype_is_real(in->dtype)) print_to_float(p, from, in->dtype, in->arg[0], vector);
    else if (from == CLGRAD_I32 && in->dtype == CLGRAD_I64) print_widened(p, in->arg[0], vector);
    else print_to_integer(p, from, in->dtype, in->arg[0], vector);
}

static void print_random(printer *p, const clgrad_ir_instr *in, bool vector)
{
    clgrad_text_append(p->out, "clgrad_random_%s_", in->node->attr.kind == CLGRAD_RANDOM_NORMAL ? "normal" : "uniform");
    clgrad_print_type(p, "float", vector);
    clgrad_text_append(p->out, "(");
    for (int a = 0; a < 3; a++) clgrad_print_operand(p, in->arg[a], vector), clgrad_text_append(p->out, ", ");
    clgrad_text_append(p->out, "%" PRIu32 "u)", in->node->attr.stream);
}

/* Comparisons give 0 or 1 as u8; lanes of a vector comparison are 0 or -1. */
static void print_compare(printer *p, const clgrad_ir_instr *in, bool vector)
{
    clgrad_text_append(p->out, "convert_");
    clgrad_print_type(p, "uchar", vector);
    clgrad_text_append(p->out, "((");
    expression(p, in, clgrad_op_get(in->node->op)->expr, vector);
    clgrad_text_append(p->out, vector ? ") & (%s)1)" : "))", clgrad_mask_type(p->ir->instrs[in->arg[0]].dtype));
}

static bool keeps_storage(clgrad_op op)
{
    return op == CLGRAD_OP_NEG || op == CLGRAD_OP_ABS || op == CLGRAD_OP_SELECT || op == CLGRAD_OP_MAX || op == CLGRAD_OP_MIN ||
           op == CLGRAD_OP_STOP;
}

void clgrad_print_map(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    const clgrad_op op = in->node->op;
    const bool round = is_storage(in->dtype) && !keeps_storage(op);
    clgrad_print_register(p, at, in, vector);
    if (round) clgrad_print_codec(p, "round", in->dtype, vector);
    if (op == CLGRAD_OP_SELECT) print_select(p, in, vector);
    else if (op == CLGRAD_OP_CAST) print_cast(p, in, vector);
    else if (op == CLGRAD_OP_RANDOM) print_random(p, in, vector);
    else if (is_compare(op)) print_compare(p, in, vector);
    else expression(p, in, clgrad_op_get(op)->expr, vector);
    clgrad_text_append(p->out, round ? ");%s" : ";%s", p->end);
}
