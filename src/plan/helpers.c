/* Functions that generated statements call: instances of the macros of cl/math.cl and cl/codec.cl, and conversions rounded to
 * odd, so that a following rounding to f16 or bf16 is the only one that counts. One text for any width: F, U, I, L, D stand for
 * float, uint, int, long, double of that width, # for the width itself. */

#include "plan/ir.h"

#include <inttypes.h>
#include <stdio.h>

static const char odd_int_text[] =
    "F odd_int_#(I x)\n"
    "{\n"
    "    const F f = convert_F_rtz(x);\n"
    "    return as_F(as_U(f) | select((U)0u, (U)1u, convert_I(convert_L(f) != convert_L(x))));\n"
    "}\n";

static const char odd_long_text[] =
    "F odd_long_#(L x)\n"
    "{\n"
    "    const F f = convert_F_rtz(x);\n"
    "    return as_F(as_U(f) | select((U)0u, (U)1u, convert_I(convert_L_sat(f) != x)));\n"
    "}\n";

static const char odd_double_text[] =
    "F odd_double_#(D x)\n"
    "{\n"
    "    const F f = convert_F_rtz(x);\n"
    "    return as_F(as_U(f) | select((U)0u, (U)1u, convert_I((convert_D(f) != x) & (x == x))));\n"
    "}\n";

static const struct {
    char letter;
    const char *type;
} letters[] = { { 'F', "float" }, { 'H', "ushort" }, { 'I', "int" }, { 'L', "long" }, { 'D', "double" } };

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *type_of(const char *word, size_t n)
{
    if (n == 2 && word[0] == 'U' && word[1] == 'L') return "ulong";
    if (n != 1) return NULL;
    if (*word == 'U') return "uint";
    for (size_t i = 0; i < CLGRAD_COUNT(letters); i++)
        if (letters[i].letter == *word) return letters[i].type;
    return NULL;
}

/* A template's text for one width; underscores separate words, so that convert_F and as_UL are found. */
static void instantiate(const char *text, uint32_t width, clgrad_text *out)
{
    char lanes[12] = "";
    if (width > 1) snprintf(lanes, sizeof lanes, "%" PRIu32, width);
    while (*text) {
        size_t n = 0;
        while (is_word(text[n])) n++;
        const char *const type = type_of(text, n);
        if (type) clgrad_text_append(out, "%s%s", type, lanes);
        else if (*text == '#') clgrad_text_append(out, "%" PRIu32, width), n = 1;
        else clgrad_text_append_bytes(out, text, n ? n : (n = 1));
        text += n;
    }
}

enum { SIMPLE = 1, EXPONENTIAL = 2, LOGARITHM = 4, REDUCTION = 8, CIRCULAR = 16 };

/* A bit each, in this order: the macros of math.cl, the functions of theirs that expressions call, and the families they call. */
static const struct {
    const char *macro, *functions;
    uint32_t needs;
} families[] = {
    { "CLGRAD_SIMPLE", "abs sign div reciprocal sqrt rsqrt max min", 0 },
    { "CLGRAD_EXPONENTIAL", "exp expm1", SIMPLE },
    { "CLGRAD_LOGARITHM", "log log1p", SIMPLE },
    { "CLGRAD_REDUCTION", "", SIMPLE },
    { "CLGRAD_CIRCULAR", "sin cos", SIMPLE | REDUCTION },
    { "CLGRAD_SIGMOIDAL", "tanh erf sigmoid", SIMPLE | EXPONENTIAL },
    { "CLGRAD_POWER", "pow", SIMPLE | EXPONENTIAL | LOGARITHM },
    { "CLGRAD_NORMAL", "normal", SIMPLE | LOGARITHM | REDUCTION | CIRCULAR },
};

typedef clgrad_ir_needs needs;

static bool lists(const char *words, const char *word, size_t n)
{
    for (size_t length; *words; words += length + (words[length] == ' ')) {
        length = strcspn(words, " ");
        if (length == n && memcmp(words, word, n) == 0) return true;
    }
    return false;
}

static uint32_t families_of(const char *function)
{
    const size_t n = strcspn(function, "(");
    for (uint32_t i = 0; i < CLGRAD_COUNT(families); i++)
        if (lists(families[i].functions, function, n)) return 1u << i | families[i].needs;
    return (1u << CLGRAD_COUNT(families)) - 1; /* all, for what is not listed */
}

static void need_math(const clgrad_ir *ir, const clgrad_ir_instr *in, needs *need)
{
    static const char prefix[] = "clgrad_";
    const char *const expr = clgrad_op_get(in->node->op)->expr, *const call = expr ? strstr(expr, prefix) : NULL;
    if (!call) return;
    const uint32_t called = families_of(call + sizeof prefix - 1);
    switch (ir->instrs[in->arg[0]].dtype) {
    case CLGRAD_F64: need->f64 |= called; break;
    case CLGRAD_I32: need->i32 = true; break;
    case CLGRAD_I64: need->i64 = true; break;
    default: need->f32 |= called;
    }
}

static void need_cast(const clgrad_ir *ir, const clgrad_ir_instr *in, needs *need)
{
    if (in->dtype != CLGRAD_F16 && in->dtype != CLGRAD_BF16) return;
    const clgrad_dtype from = ir->instrs[in->arg[0]].dtype;
    need->odd_int |= from == CLGRAD_I32;
    need->odd_long |= from == CLGRAD_I64;
    need->odd_double |= from == CLGRAD_F64;
}

static void find_needs(const clgrad_ir *ir, needs *need)
{
    for (size_t i = 0; i < ir->num_instrs; i++) {
        const clgrad_ir_instr *in = &ir->instrs[i];
        need->codec |= in->dtype == CLGRAD_F16 || in->dtype == CLGRAD_BF16;
        if (in->kind != CLGRAD_IR_MAP) continue;
        need_math(ir, in, need);
        if (in->node->op == CLGRAD_OP_CAST) need_cast(ir, in, need);
        if (in->node->op == CLGRAD_OP_RANDOM) need->random = true, need->f32 |= families_of("normal");
    }
}

static void print_families(uint32_t called, const char *types, uint32_t width, clgrad_text *out)
{
    for (uint32_t i = 0; i < CLGRAD_COUNT(families); i++) {
        if (!(called & 1u << i)) continue;
        clgrad_text_append(out, "%s", families[i].macro);
        instantiate(types, width, out);
    }
}

static void print_needs(const needs *need, uint32_t width, clgrad_text *out)
{
    print_families(need->f32, "(F32, F, I)\n", width, out);
    print_families(need->f64, "(F64, D, L)\n", width, out);
    if (need->i32) instantiate("CLGRAD_MATH_INT(I)\n", width, out);
    if (need->i64) instantiate("CLGRAD_MATH_INT(L)\n", width, out);
    if (need->codec) instantiate("CLGRAD_CODEC(F, I, H)\n", width, out);
    if (need->random) instantiate("CLGRAD_RANDOM(F, I, L)\n", width, out);
    if (need->odd_int) instantiate(odd_int_text, width, out);
    if (need->odd_long) instantiate(odd_long_text, width, out);
    if (need->odd_double) instantiate(odd_double_text, width, out);
}

void clgrad_ir_add_helpers(clgrad_ir_helpers *helpers, const clgrad_ir *ir, uint32_t width)
{
    find_needs(ir, &helpers->of[0]);
    for (size_t i = 1; i < CLGRAD_COUNT(helpers->of); i++)
        if (width == 1u << i) find_needs(ir, &helpers->of[i]);
}

void clgrad_ir_print_helpers(const clgrad_ir_helpers *helpers, clgrad_text *out)
{
    for (size_t i = 0; i < CLGRAD_COUNT(helpers->of); i++) print_needs(&helpers->of[i], 1u << i, out);
}

bool clgrad_ir_need_math(const clgrad_ir_helpers *helpers)
{
    const needs *need = &helpers->of[0]; /* has what any width needs */
    return need->f32 || need->f64 || need->i32 || need->i64 || need->codec || need->random;
}
