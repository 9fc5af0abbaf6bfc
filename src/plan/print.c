/* Instructions as OpenCL C statements. Everything is printed for a number of lanes; what does not differ between lanes stays
 * scalar. Numbers are the parameters k0, k1.. of the launch, so that the text does not depend on sizes. */

#include "plan/print.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

typedef clgrad_printer printer;

static const char *const register_types[] = { "float", "double", "float", "float", "int", "long", "uchar" };
static const char *const storage_types[] = { "float", "double", "ushort", "ushort", "int", "long", "uchar" };

const char *clgrad_register_type(clgrad_dtype dtype) { return register_types[dtype]; }
const char *clgrad_storage_type(clgrad_dtype dtype) { return storage_types[dtype]; }

const char *clgrad_mask_type(clgrad_dtype dtype)
{
    switch (dtype) {
    case CLGRAD_F64: case CLGRAD_I64: return "long";
    case CLGRAD_U8: return "char";
    default: return "int";
    }
}

static char component(uint32_t lane) { return "0123456789abcdef"[lane]; }

/* --- index arithmetic --- */

static void factor(printer *p, int64_t coef, int32_t slot, const char *name)
{
    if (slot >= 0) clgrad_text_append(p->out, " + %s * k%" PRId32, name, slot);
    else clgrad_text_append(p->out, " %c %s", coef < 0 ? '-' : '+', name);
}

static void variable_name(const clgrad_ir *ir, int32_t var, char name[16])
{
    snprintf(name, 16, ir->vars[var].axis >= 0 ? "i%" PRId32 : "t%" PRId32, var);
}

static bool variable_is_vector(const clgrad_ir *ir, int32_t var)
{
    return ir->vars[var].axis < 0 && ir->instrs[ir->vars[var].instr].lane;
}

static bool variable_is_lane(const clgrad_ir *ir, int32_t var)
{
    return ir->vars[var].axis >= 0 && ir->axes[ir->vars[var].axis].role == CLGRAD_IR_LANE;
}

/* The part of an affine that all lanes share: of the lane axis, its first lane's index. */
static void affine_shared(printer *p, const clgrad_ir_instr *in)
{
    char name[16];
    if (in->slots.base >= 0) clgrad_text_append(p->out, "k%" PRId32, in->slots.base);
    else clgrad_text_append(p->out, "%" PRId64, in->at.base);
    for (int32_t t = 0; t < in->at.num_terms; t++) {
        if (p->width > 1 && variable_is_vector(p->ir, in->at.term[t].var)) continue;
        variable_name(p->ir, in->at.term[t].var, name);
        factor(p, in->at.term[t].coef, in->slots.coef[t], name);
    }
}

static int32_t lane_term(const printer *p, const clgrad_ir_instr *in)
{
    for (int32_t t = 0; t < in->at.num_terms; t++)
        if (variable_is_lane(p->ir, in->at.term[t].var)) return t;
    return -1;
}

static bool has_vector_term(const printer *p, const clgrad_ir_instr *in)
{
    for (int32_t t = 0; t < in->at.num_terms; t++)
        if (variable_is_vector(p->ir, in->at.term[t].var)) return true;
    return false;
}

static void lane_numbers(printer *p)
{
    clgrad_text_append(p->out, "(long%" PRIu32 ")(", p->width);
    for (uint32_t l = 0; l < p->width; l++) clgrad_text_append(p->out, l ? ", %" PRIu32 : "%" PRIu32, l);
    clgrad_text_append(p->out, ")");
}

/* An affine as long, or longN where lanes differ. */
static void affine(printer *p, const clgrad_ir_instr *in, bool vector)
{
    char name[16];
    if (!vector) {
        affine_shared(p, in);
        return;
    }
    clgrad_text_append(p->out, "(long%" PRIu32 ")(", p->width);
    affine_shared(p, in);
    clgrad_text_append(p->out, ")");
    const int32_t lane = lane_term(p, in);
    if (lane >= 0) {
        clgrad_text_append(p->out, in->at.term[lane].coef == -1 ? " - " : " + ");
        lane_numbers(p);
        if (in->slots.coef[lane] >= 0) clgrad_text_append(p->out, " * k%" PRId32, in->slots.coef[lane]);
    }
    for (int32_t t = 0; t < in->at.num_terms; t++) {
        if (!variable_is_vector(p->ir, in->at.term[t].var)) continue;
        variable_name(p->ir, in->at.term[t].var, name);
        factor(p, in->at.term[t].coef, in->slots.coef[t], name);
    }
}

static void number(printer *p, int64_t value, int32_t slot)
{
    if (slot >= 0) clgrad_text_append(p->out, "k%" PRId32, slot);
    else clgrad_text_append(p->out, "%" PRId64, value);
}

static bool is_vector(const printer *p, int32_t instr) { return p->width > 1 && p->ir->instrs[instr].lane; }

/* "float", "float16" */
void clgrad_print_type(printer *p, const char *name, bool vector)
{
    clgrad_text_append(p->out, "%s", name);
    if (vector) clgrad_text_append(p->out, "%" PRIu32, p->width);
}

/* A register, spread over the lanes where the instruction that uses it is a vector. */
void clgrad_print_operand(printer *p, int32_t reg, bool vector)
{
    if (!vector || is_vector(p, reg)) {
        clgrad_text_append(p->out, "r%" PRId32, reg);
        return;
    }
    clgrad_text_append(p->out, "(%s%" PRIu32 ")(r%" PRId32 ")", register_types[p->ir->instrs[reg].dtype], p->width, reg);
}

static void remainder_of(printer *p, const clgrad_ir_instr *in, int64_t n, int32_t slot, bool vector)
{
    clgrad_text_append(p->out, "(");
    affine(p, in, vector);
    clgrad_text_append(p->out, ") - (");
    affine(p, in, vector);
    clgrad_text_append(p->out, ") / ");
    number(p, n, slot);
    clgrad_text_append(p->out, " * ");
    number(p, n, slot);
}

static void print_var(printer *p, const clgrad_ir_instr *in, bool vector)
{
    clgrad_text_append(p->out, "const ");
    clgrad_print_type(p, "long", vector);
    clgrad_text_append(p->out, " t%" PRId32 " = ", in->var);
    if (in->div == 0) {
        clgrad_text_append(p->out, "convert_");
        clgrad_print_type(p, "long", vector);
        clgrad_text_append(p->out, "(");
        clgrad_print_operand(p, in->arg[0], vector);
        clgrad_text_append(p->out, ")");
    } else if (in->mod) { /* not %: Oclgrind lacks an instruction that clang makes of a quotient beside its remainder */
        remainder_of(p, in, in->mod, in->mod_slot, vector);
    } else {
        clgrad_text_append(p->out, "(");
        affine(p, in, vector);
        clgrad_text_append(p->out, ") / "), number(p, in->div, in->div_slot);
    }
    clgrad_text_append(p->out, ";%s", p->end);
}

/* Scalars: 0 or 1 in an int. Vectors: lanes of 0 or -1 in a long. */
static void print_cond(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    const bool parent_vector = in->cond >= 0 && is_vector(p, in->cond);
    clgrad_text_append(p->out, "const ");
    clgrad_print_type(p, "long", vector);
    clgrad_text_append(p->out, " n%" PRId32 " = ", at);
    affine(p, in, vector);
    clgrad_text_append(p->out, ";%sconst %s", p->end, vector ? "long" : "int");
    if (vector) clgrad_text_append(p->out, "%" PRIu32, p->width);
    clgrad_text_append(p->out, " c%" PRId32 " = ", at);
    if (in->cond >= 0 && vector && !parent_vector)
        clgrad_text_append(p->out, "(long%" PRIu32 ")(c%" PRId32 " ? -1 : 0) & ", p->width, in->cond);
    else if (in->cond >= 0)
        clgrad_text_append(p->out, "c%" PRId32 " & ", in->cond);
    /* One unsigned comparison: of (n >= 0) & (n < extent) Mesa 22's llvmpipe forgets the first. */
    if (vector) clgrad_text_append(p->out, "(as_ulong%" PRIu32 "(n%" PRId32 ") < (ulong%" PRIu32 ")(", p->width, at, p->width);
    else clgrad_text_append(p->out, "((ulong)n%" PRId32 " < (ulong)(", at);
    number(p, in->div, in->div_slot);
    clgrad_text_append(p->out, "))");
    if (in->mod != 1) {
        clgrad_text_append(p->out, " & (n%" PRId32 " - n%" PRId32 " / ", at, at);
        number(p, in->mod, in->mod_slot);
        clgrad_text_append(p->out, " * ");
        number(p, in->mod, in->mod_slot);
        clgrad_text_append(p->out, " == 0)");
    }
    clgrad_text_append(p->out, ";%s", p->end);
}

/* --- memory --- */

static const char *codec(clgrad_dtype dtype)
{
    return dtype == CLGRAD_F16 ? "f16" : dtype == CLGRAD_BF16 ? "bf16" : NULL;
}

/* "clgrad_f16_decode_float16(", or "(" for types that need no codec. */
void clgrad_print_codec(printer *p, const char *verb, clgrad_dtype dtype, bool vector)
{
    if (codec(dtype)) {
        clgrad_text_append(p->out, "clgrad_%s_%s_", codec(dtype), verb);
        clgrad_print_type(p, "float", vector);
    }
    clgrad_text_append(p->out, "(");
}

static void cond_prefix(printer *p, int32_t cond, uint32_t lane)
{
    if (cond < 0) return;
    if (is_vector(p, cond)) clgrad_text_append(p->out, "c%" PRId32 ".s%c ? ", cond, component(lane));
    else clgrad_text_append(p->out, "c%" PRId32 " ? ", cond);
}

/* The address of one lane; `a` holds all of them where a vector variable takes part. */
static void lane_address(printer *p, int32_t at, const clgrad_ir_instr *in, uint32_t lane)
{
    if (has_vector_term(p, in)) {
        clgrad_text_append(p->out, "a%" PRId32 ".s%c", at, component(lane));
        return;
    }
    const int32_t t = lane_term(p, in);
    clgrad_text_append(p->out, "a%" PRId32, at);
    if (t < 0 || lane == 0) return;
    if (in->slots.coef[t] >= 0) clgrad_text_append(p->out, " + %" PRIu32 " * k%" PRId32, lane, in->slots.coef[t]);
    else clgrad_text_append(p->out, " %c %" PRIu32, in->at.term[t].coef < 0 ? '-' : '+', lane);
}

static void print_gather(printer *p, int32_t at, const clgrad_ir_instr *in)
{
    clgrad_text_append(p->out, "(%s%" PRIu32 ")(", storage_types[in->dtype], p->width);
    for (uint32_t l = 0; l < p->width; l++) {
        if (l) clgrad_text_append(p->out, ", ");
        cond_prefix(p, in->cond, l);
        clgrad_text_append(p->out, "x%" PRId32 "[", in->leaf);
        lane_address(p, at, in, l);
        clgrad_text_append(p->out, in->cond >= 0 ? "] : (%s)0" : "]", storage_types[in->dtype]);
    }
    clgrad_text_append(p->out, ")");
}

static bool is_contiguous(const printer *p, const clgrad_ir_instr *in)
{
    const int32_t t = lane_term(p, in);
    return t >= 0 && in->at.term[t].coef == 1 && !has_vector_term(p, in);
}

static void print_address(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    const bool many = vector && has_vector_term(p, in);
    clgrad_text_append(p->out, "const ");
    clgrad_print_type(p, "long", many);
    clgrad_text_append(p->out, " a%" PRId32 " = ", at);
    affine(p, in, many);
    clgrad_text_append(p->out, ";%s", p->end);
}

static void print_load(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    print_address(p, at, in, vector);
    if (p->ir->ahead && vector && in->cond < 0 && is_contiguous(p, in))
        clgrad_text_append(p->out, "AHEAD(x%" PRId32 " + a%" PRId32 ")%s", in->leaf, at, p->end);
    clgrad_text_append(p->out, "const ");
    clgrad_print_type(p, register_types[in->dtype], vector);
    clgrad_text_append(p->out, " r%" PRId32 " = ", at);
    clgrad_print_codec(p, "decode", in->dtype, vector);
    if (!vector) {
        cond_prefix(p, in->cond, 0);
        clgrad_text_append(p->out, in->cond >= 0 ? "x%" PRId32 "[a%" PRId32 "] : (%s)0" : "x%" PRId32 "[a%" PRId32 "]", in->leaf,
                           at, storage_types[in->dtype]);
    } else if (is_contiguous(p, in)) {
        if (in->cond >= 0)
            clgrad_text_append(p->out, is_vector(p, in->cond) ? "all(c%" PRId32 ") ? " : "c%" PRId32 " ? ", in->cond);
        clgrad_text_append(p->out, "vload%" PRIu32 "(0, x%" PRId32 " + a%" PRId32 ")", p->width, in->leaf, at);
        if (in->cond >= 0) clgrad_text_append(p->out, " : "), print_gather(p, at, in);
    } else {
        print_gather(p, at, in);
    }
    clgrad_text_append(p->out, ");%s", p->end);
}

static void print_store(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    print_address(p, at, in, vector);
    if (!vector) {
        clgrad_text_append(p->out, "x%" PRId32 "[a%" PRId32 "] = ", in->leaf, at);
        clgrad_print_codec(p, "encode", in->dtype, false);
        clgrad_print_operand(p, in->arg[0], false);
        clgrad_text_append(p->out, ");%s", p->end);
        return;
    }
    clgrad_text_append(p->out, "const %s%" PRIu32 " e%" PRId32 " = ", storage_types[in->dtype], p->width, at);
    clgrad_print_codec(p, "encode", in->dtype, true);
    clgrad_print_operand(p, in->arg[0], true);
    clgrad_text_append(p->out, ");%s", p->end);
    if (is_contiguous(p, in)) {
        clgrad_text_append(p->out, "STORE_VECTOR(%s%" PRIu32 ", %zu, vstore%" PRIu32 ", e%" PRId32 ", x%" PRId32 " + a%" PRId32 ")%s",
                           storage_types[in->dtype], p->width, clgrad_dtype_bytes(in->dtype), p->width, at, in->leaf, at, p->end);
        return;
    }
    for (uint32_t l = 0; l < p->width; l++) {
        clgrad_text_append(p->out, "x%" PRId32 "[", in->leaf);
        lane_address(p, at, in, l);
        clgrad_text_append(p->out, "] = e%" PRId32 ".s%c;%s", at, component(l), p->end);
    }
}

/* --- values --- */

static void real_literal(printer *p, clgrad_dtype dtype, double value)
{
    const char *const cast = dtype == CLGRAD_F64 ? "(double)" : "";
    if (isnan(value)) clgrad_text_append(p->out, "%sNAN", cast);
    else if (isinf(value)) clgrad_text_append(p->out, "%s%sINFINITY", value < 0 ? "-" : "", cast);
    else clgrad_text_append(p->out, dtype == CLGRAD_F64 ? "%a" : "%af", value);
}

/* Rounded to the type, as every register is. */
static double rounded(clgrad_dtype dtype, double value)
{
    switch (dtype) {
    case CLGRAD_F32: return (double)(float)value;
    case CLGRAD_F16: case CLGRAD_BF16: {
        uint16_t code;
        double out;
        clgrad_convert(dtype, &code, CLGRAD_F64, &value, 1);
        clgrad_convert(CLGRAD_F64, &out, dtype, &code, 1);
        return out;
    }
    default: return value;
    }
}

static void integer_literal(printer *p, int64_t value)
{
    if (value == INT64_MIN) clgrad_text_append(p->out, "LONG_MIN");
    else if (value == INT32_MIN) clgrad_text_append(p->out, "INT_MIN");
    else clgrad_text_append(p->out, "%" PRId64 "%s", value, value > INT32_MAX || value < INT32_MIN ? "L" : "");
}

static void literal(printer *p, const clgrad_ir_instr *in)
{
    if (clgrad_dtype_is_real(in->dtype)) real_literal(p, in->dtype, rounded(in->dtype, in->value));
    else integer_literal(p, in->integer);
}

void clgrad_print_register(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    clgrad_text_append(p->out, "const ");
    clgrad_print_type(p, register_types[in->dtype], vector);
    clgrad_text_append(p->out, " r%" PRId32 " = ", at);
}

static void print_const(printer *p, int32_t at, const clgrad_ir_instr *in)
{
    clgrad_print_register(p, at, in, false);
    literal(p, in);
    clgrad_text_append(p->out, ";%s", p->end);
}

static void print_index(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    clgrad_print_register(p, at, in, vector);
    clgrad_text_append(p->out, "convert_");
    clgrad_print_type(p, register_types[in->dtype], vector);
    clgrad_text_append(p->out, vector ? "(" : "((long)(");
    affine(p, in, vector);
    clgrad_text_append(p->out, vector ? ");%s" : "));%s", p->end);
}

static void print_fill(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    const bool mask = vector && is_vector(p, in->cond);
    clgrad_print_register(p, at, in, vector);
    if (mask) {
        clgrad_text_append(p->out, "select((%s%" PRIu32 ")(", register_types[in->dtype], p->width);
        literal(p, in);
        clgrad_text_append(p->out, "), ");
        clgrad_print_operand(p, in->arg[0], true);
        clgrad_text_append(p->out, ", convert_%s%" PRIu32 "(c%" PRId32 "))", clgrad_mask_type(in->dtype), p->width, in->cond);
    } else {
        clgrad_text_append(p->out, "c%" PRId32 " ? ", in->cond);
        clgrad_print_operand(p, in->arg[0], vector);
        clgrad_text_append(p->out, " : (");
        clgrad_print_type(p, register_types[in->dtype], vector);
        clgrad_text_append(p->out, ")(");
        literal(p, in);
        clgrad_text_append(p->out, ")");
    }
    clgrad_text_append(p->out, ";%s", p->end);
}

static void print_result(printer *p, int32_t at, const clgrad_ir_instr *in, bool vector)
{
    clgrad_print_register(p, at, in, vector);
    clgrad_print_codec(p, "round", in->dtype, vector);
    clgrad_text_append(p->out, in->integer ? "acc2);%s" : "acc);%s", p->end);
}

static void print_instr(printer *p, int32_t at)
{
    const clgrad_ir_instr *in = &p->ir->instrs[at];
    const bool vector = p->width > 1 && in->lane;
    switch (in->kind) {
    case CLGRAD_IR_VAR: print_var(p, in, vector); break;
    case CLGRAD_IR_COND: print_cond(p, at, in, vector); break;
    case CLGRAD_IR_LOAD: print_load(p, at, in, vector); break;
    case CLGRAD_IR_CONST: print_const(p, at, in); break;
    case CLGRAD_IR_INDEX: print_index(p, at, in, vector); break;
    case CLGRAD_IR_MAP: clgrad_print_map(p, at, in, vector); break;
    case CLGRAD_IR_FILL: print_fill(p, at, in, vector); break;
    case CLGRAD_IR_RESULT: print_result(p, at, in, vector); break;
    case CLGRAD_IR_STORE: print_store(p, at, in, p->width > 1); break;
    }
}

void clgrad_ir_print(const clgrad_ir *ir, size_t first, size_t end, uint32_t levels, uint32_t width, const char *end_of_line,
                     clgrad_text *out)
{
    printer p = { .ir = ir, .out = out, .end = end_of_line, .width = width };
    for (size_t i = first; i < end; i++)
        if (levels & (1u << ir->instrs[i].level)) print_instr(&p, (int32_t)i);
}

/* Where rows do not differ, the line is near anyway. */
static bool may_touch(const printer *p, const clgrad_ir_instr *in)
{
    bool rows = false;
    if (in->kind != CLGRAD_IR_LOAD || in->cond >= 0 || !is_contiguous(p, in)) return false;
    for (int32_t t = 0; t < in->at.num_terms; t++) {
        const int32_t axis = p->ir->vars[in->at.term[t].var].axis;
        if (axis < 0) return false;
        rows |= p->ir->axes[axis].role == CLGRAD_IR_ROW;
    }
    return rows;
}

bool clgrad_ir_print_touches(const clgrad_ir *ir, const char *function, uint32_t width, const char *end_of_line, clgrad_text *out)
{
    printer p = { .ir = ir, .out = out, .end = end_of_line, .width = width };
    bool any = false;
    for (size_t i = 0; i < ir->num_instrs; i++) {
        if (!may_touch(&p, &ir->instrs[i])) continue;
        clgrad_text_append(out, "%s(x%" PRId32 " + (", function, ir->instrs[i].leaf);
        affine_shared(&p, &ir->instrs[i]);
        clgrad_text_append(out, "));%s", end_of_line);
        any = true;
    }
    return any;
}

void clgrad_ir_print_arguments(const clgrad_ir *ir, clgrad_text *out)
{
    for (size_t i = 0; i < ir->num_leaves; i++) {
        const clgrad_ir_leaf *leaf = &ir->leaves[i];
        clgrad_text_append(out, ", global %s%s *%sarg%zu", leaf->written ? "" : "const ", storage_types[leaf->dtype],
                           leaf->shared ? "" : "restrict ", i);
    }
}

void clgrad_ir_print_offsets(const clgrad_ir *ir, const char *end_of_line, clgrad_text *out)
{
    for (size_t i = 0; i < ir->num_leaves; i++) {
        const clgrad_ir_leaf *leaf = &ir->leaves[i];
        clgrad_text_append(out, "global %s%s *%sx%zu = arg%zu + k%" PRId32 ";%s", leaf->written ? "" : "const ",
                           storage_types[leaf->dtype], leaf->shared ? "" : "restrict ", i, i, leaf->offset_slot, end_of_line);
    }
}
