/* The text of a launch: a preamble of parameters, arguments and statements for its template; then the kernel. */

#include "plan/cost.h"
#include "plan/launch.h"

#include <inttypes.h>
#include <stdio.h>

enum { WORK_PER_ITEM = 16384, WORK_AWAKE = 4096, ITEMS_PER_UNIT = 4, GPU_GROUP = 64, MOST_TURNS = 60000 };
enum { PREFETCHED_BYTES = 32 << 20, LINE_FLOATS = 16, LIGHT_COST = 3 }; /* for what asks ahead */

typedef struct emitter {
    clgrad_plan *plan;
    clgrad_launch *l;
    clgrad_ir *ir;
    clgrad_text text;
    bool gpu;
} emitter;

static bool is_gpu(const clgrad_plan *plan, clgrad_variant forced)
{
    if (forced == CLGRAD_VARIANT_CPU || forced == CLGRAD_VARIANT_GPU) return forced == CLGRAD_VARIANT_GPU;
    return clgrad_device_get_info(plan->dev)->kind != CLGRAD_DEVICE_CPU;
}

/* --- width --- */

static int64_t lane_extent(const clgrad_ir *ir)
{
    for (int32_t d = 0; d < ir->num_axes; d++)
        if (ir->axes[d].role == CLGRAD_IR_LANE && !ir->axes[d].dead) return ir->axes[d].extent;
    return 1;
}

/* In the lanes: a flag or a step number, the same for all of them, is no vector. */
static bool has_wide_elements(const clgrad_ir *ir)
{
    for (size_t i = 0; i < ir->num_instrs; i++)
        if (ir->instrs[i].lane && ir->instrs[i].kind != CLGRAD_IR_VAR && clgrad_dtype_bytes(ir->instrs[i].dtype) == 8) return true;
    return false;
}

static uint32_t choose_width(const emitter *e, int64_t extent)
{
    const clgrad_device_info *info = clgrad_device_get_info(e->plan->dev);
    uint32_t width = has_wide_elements(e->ir) && info->double_width ? info->double_width : info->float_width, best = 1;
    if (e->gpu) width = e->l->kind == CLGRAD_LAUNCH_MAP ? 4 : 1;
    if (strstr(info->quirks, "simulator")) width = 1; /* Oclgrind mistakes lanes of comparisons: 255 for true, false alarms */
    if (e->plan->options.width) width = e->plan->options.width;
    while (best < 16 && best * 2 <= width && best * 2 <= extent) best *= 2;
    return best;
}

/* --- pieces --- */

/* #define NAME kN */
static void define_param(emitter *e, const char *name, int64_t value)
{
    clgrad_text_append(&e->text, "#define %s k%" PRId32 "\n", name, clgrad_ir_param(e->ir, value));
}

static void define_statements(emitter *e, const char *name, size_t first, size_t end, uint32_t levels, uint32_t width)
{
    clgrad_text_append(&e->text, "#define %s \\\n", name);
    clgrad_ir_print(e->ir, first, end, levels, width, " \\\n", &e->text);
    clgrad_text_append(&e->text, "\n");
}

static void define_uniform(emitter *e)
{
    clgrad_text_append(&e->text, "#define UNIFORM \\\n");
    clgrad_ir_print_offsets(e->ir, " \\\n", &e->text);
    clgrad_ir_print(e->ir, 0, e->ir->num_instrs, CLGRAD_PRINT_UNIFORM, 1, " \\\n", &e->text);
    clgrad_text_append(&e->text, "\n");
}

/* The outer axes' indices from the row number, fastest last. */
static void define_row(emitter *e, size_t end)
{
    int32_t axes[CLGRAD_IR_AXES], count = 0;
    for (int32_t d = 0; d < e->ir->num_axes; d++)
        if (e->ir->axes[d].role == CLGRAD_IR_ROW && !e->ir->axes[d].dead) axes[count++] = d;
    int32_t extent[CLGRAD_IR_AXES] = { 0 };
    for (int32_t i = 1; i < count; i++) extent[i] = clgrad_ir_param(e->ir, e->ir->axes[axes[i]].extent);
    clgrad_text_append(&e->text, "#define ROW \\\n");
    char from[16] = "row";
    for (int32_t i = count - 1; i > 0; i--) {
        clgrad_text_append(&e->text, "const long q%" PRId32 " = %s / k%" PRId32 ", i%" PRId32 " = %s - q%" PRId32 " * k%" PRId32 "; \\\n",
                           i, from, extent[i], axes[i], from, i, extent[i]);
        snprintf(from, sizeof from, "q%" PRId32, i);
    }
    if (count) clgrad_text_append(&e->text, "const long i%" PRId32 " = %s; \\\n", axes[0], from);
    clgrad_ir_print(e->ir, 0, end, CLGRAD_PRINT_ROWS, 1, " \\\n", &e->text);
    clgrad_text_append(&e->text, "\n");
}

static void define_lane(emitter *e)
{
    for (int32_t d = 0; d < e->ir->num_axes; d++)
        if (e->ir->axes[d].role == CLGRAD_IR_LANE) clgrad_text_append(&e->text, "#define LANE i%" PRId32 "\n", d);
}

static int64_t num_rows(const clgrad_ir *ir)
{
    int64_t rows = 1;
    for (int32_t d = 0; d < ir->num_axes; d++)
        if (ir->axes[d].role == CLGRAD_IR_ROW && !ir->axes[d].dead) rows *= ir->axes[d].extent;
    return rows;
}

static int64_t num_loops(const clgrad_ir *ir)
{
    int64_t steps = 1;
    for (int32_t d = 0; d < ir->num_axes; d++)
        if (ir->axes[d].role == CLGRAD_IR_LOOP && !ir->axes[d].dead) steps *= ir->axes[d].extent;
    return steps;
}

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* llvmpipe leaves every loop of a work-item once they have made 65,535 turns in all, and says nothing. A unit makes at most its
 * elements' turns and some 350 of its own (lanes, halvings). */
static int64_t most_units(int64_t work)
{
    const int64_t units = MOST_TURNS / ((work > 0 ? work : 1) + 400);
    return units > 0 ? units : 1;
}

/* How many work-items share `total` units of `work` elements each: few on a CPU (waking a thread costs more than 10 us of work),
 * one per unit on a GPU. */
static void spread(emitter *e, int64_t total, int64_t work)
{
    const clgrad_device_info *info = clgrad_device_get_info(e->plan->dev);
    clgrad_launch *l = e->l;
    const size_t group = e->plan->options.work_group ? e->plan->options.work_group : e->gpu ? GPU_GROUP : 1;
    int64_t items = total;
    if (!e->gpu) {
        const double elements = (double)total * (double)(work > 0 ? work : 1);
        const int64_t most = (int64_t)info->compute_units * ITEMS_PER_UNIT, wanted = (int64_t)(elements / (l->awake ? WORK_AWAKE : WORK_PER_ITEM));
        items = wanted < 1 ? 1 : wanted < most ? wanted : most;
        if (items > total) items = total;
    }
    int64_t per = total > 0 ? ceil_div(total, items) : 1;
    if (l->shares) per = total * l->share_rows / l->rows; /* a whole number, whatever the width: see merge.c */
    if (strstr(info->quirks, "short-loops") && work > MOST_TURNS)
        e->ir->status = clgrad_fail(e->plan->ctx, CLGRAD_E_UNSUPPORTED, "a sum over %lld terms is longer than '%s' can loop",
                                    (long long)work, info->name);
    if (strstr(info->quirks, "short-loops") && per > most_units(work)) per = most_units(work);
    define_param(e, "TOTAL", total);
    define_param(e, "PER", per);
    const int64_t shares = l->shares ? l->shares : ceil_div(total, per);
    define_param(e, "ITEMS", shares);
    l->dims = 1;
    l->local[0] = group;
    l->global[0] = (size_t)ceil_div(shares, (int64_t)group) * group;
    clgrad_text_append(&e->text, "#define ATTRIBUTES __attribute__((reqd_work_group_size(%zu, 1, 1)))\n", group);
}

static void define_vectors(emitter *e, int64_t work)
{
    const int64_t n = lane_extent(e->ir), vectors = ceil_div(n, e->l->width);
    define_param(e, "N", n);
    define_param(e, "VECTORS", vectors);
    spread(e, num_rows(e->ir) * vectors, work * e->l->width);
}

static void define_register(emitter *e, const char *name, int32_t reg, uint32_t width)
{
    const clgrad_ir_instr *in = &e->ir->instrs[reg];
    if (width > 1 && !in->lane)
        clgrad_text_append(&e->text, "#define %s ((%s%" PRIu32 ")(r%" PRId32 "))\n", name, clgrad_register_type(in->dtype), width, reg);
    else
        clgrad_text_append(&e->text, "#define %s r%" PRId32 "\n", name, reg);
}

static void define_type(emitter *e, const char *name, const char *type, uint32_t width)
{
    char lanes[12] = "";
    if (width > 1) snprintf(lanes, sizeof lanes, "%" PRIu32, width);
    clgrad_text_append(&e->text, "#define %s %s%s\n", name, type, lanes);
}

/* --- templates --- */

static const char ahead_text[] =
    "#define AHEAD(p)\n"
    "#ifdef __has_builtin\n"
    "#if __has_builtin(__builtin_prefetch)\n"
    "#undef AHEAD\n"
    "#define AHEAD(p) __builtin_prefetch((const void *)((ulong)(p) + 4096), 0, 3);\n"
    "#endif\n"
    "#endif\n";

/* Work on more than caches hold asks 4 KiB ahead. */
static void define_ahead(emitter *e)
{
    double bytes = 0, points = 1;
    for (int32_t d = 0; d < e->ir->num_axes; d++) points *= e->ir->axes[d].dead ? 1 : (double)e->ir->axes[d].extent;
    for (size_t i = 0; i < e->ir->num_leaves; i++) bytes += points * (double)clgrad_dtype_bytes(e->ir->leaves[i].dtype);
    e->ir->ahead = e->l->width > 1 && bytes >= PREFETCHED_BYTES && !strstr(clgrad_device_get_info(e->plan->dev)->quirks, "simulator");
    if (e->ir->ahead) clgrad_text_append(&e->text, "%s", ahead_text);
}

/* Element-wise work does where a vector is less than a cache line (16 floats lost by it) and memory is what it waits for. */
static bool gains_ahead(const emitter *e)
{
    bool light = clgrad_device_get_info(e->plan->dev)->float_width < LINE_FLOATS;
    for (size_t i = 0; i < e->ir->num_instrs; i++)
        if (e->ir->instrs[i].kind == CLGRAD_IR_MAP) light &= clgrad_plan_op_cost(e->ir->instrs[i].node->op) <= LIGHT_COST;
    return light;
}

static void emit_map(emitter *e)
{
    const size_t end = e->ir->num_instrs;
    e->l->width = choose_width(e, lane_extent(e->ir));
    clgrad_text_append(&e->text, "#define WIDTH %" PRIu32 "\n", e->l->width);
    if (gains_ahead(e)) define_ahead(e);
    define_vectors(e, 1);
    define_lane(e);
    define_uniform(e);
    define_row(e, end);
    define_statements(e, "BODY_V", 0, end, CLGRAD_PRINT_BODY, e->l->width);
    define_statements(e, "BODY_S", 0, end, CLGRAD_PRINT_BODY, 1);
}

static const char *mask_of(clgrad_dtype dtype)
{
    return dtype == CLGRAD_F64 || dtype == CLGRAD_I64 ? "long" : dtype == CLGRAD_U8 ? "char" : "int";
}

static const char *lowest(clgrad_dtype dtype)
{
    switch (dtype) {
    case CLGRAD_I32: return "INT_MIN";
    case CLGRAD_I64: return "LONG_MIN";
    case CLGRAD_U8: return "0";
    default: return "-INFINITY";
    }
}

static int32_t first_loop(const clgrad_ir *ir)
{
    int32_t dead = -1;
    for (int32_t d = ir->num_axes - 1, alive = -1; d >= 0; d--) {
        if (ir->axes[d].role != CLGRAD_IR_LOOP) continue;
        if (ir->axes[d].dead) dead = d;
        else alive = d;
        if (alive >= 0) dead = alive;
    }
    return dead;
}

/* Nested loops; with cells the template writes the outermost itself. A dead axis is of extent 1, and its name may still be used. */
static void define_loops(emitter *e, bool cells)
{
    const int32_t first = first_loop(e->ir);
    int32_t slots[CLGRAD_IR_AXES];
    for (int32_t d = 0; d < e->ir->num_axes; d++)
        if (e->ir->axes[d].role == CLGRAD_IR_LOOP) slots[d] = clgrad_ir_param(e->ir, e->ir->axes[d].dead ? 1 : e->ir->axes[d].extent);
    clgrad_text_append(&e->text, "#define LOOPS");
    for (int32_t d = 0; d < e->ir->num_axes; d++) {
        if (e->ir->axes[d].role != CLGRAD_IR_LOOP || (e->ir->axes[d].dead && d != first) || (cells && d == first)) continue;
        if (e->l->from >= 0)
            clgrad_text_append(&e->text, " for (long i%" PRId32 " = r%" PRId32 "; i%" PRId32 " < r%" PRId32 "; i%" PRId32 "++)", d,
                               e->l->from, d, e->l->to, d);
        else
            clgrad_text_append(&e->text, " for (long i%" PRId32 " = 0; i%" PRId32 " < k%" PRId32 "; i%" PRId32 "++)", d, d, slots[d], d);
    }
    clgrad_text_append(&e->text, "\n#define FIRST i%" PRId32 "\n#define CELLS %d\n", first, cells);
}

static void define_accumulate(emitter *e)
{
    if (e->l->accumulate == CLGRAD_OP_SUM) {
        clgrad_text_append(&e->text, "#define BEGIN(T, M) T acc = (T)(0);\n#define ACCUMULATE(T, M, IN) acc = acc + IN;\n");
        return;
    }
    clgrad_text_append(&e->text, "#define TAKE(M, best, x) ((M)(x > best) | ((M)(x != x) & (M)(best == best)))\n");
    if (e->l->accumulate == CLGRAD_OP_REDUCE_MAX)
        clgrad_text_append(&e->text, "#define BEGIN(T, M) T acc = (T)(%s);\n#define ACCUMULATE(T, M, IN) acc = TAKE(M, acc, IN) ? IN : acc;\n",
                           lowest(e->l->acc_dtype));
    else
        clgrad_text_append(&e->text,
                           "#define BEGIN(T, M) T best = (T)(%s); M at = (M)(0);\n"
                           "#define ACCUMULATE(T, M, IN) { const M take = TAKE(M, best, IN); best = take ? IN : best; at = take ? (M)(FIRST) : at; }\n",
                           lowest(e->l->acc_dtype));
}

/* ARGMAX keeps indices in lanes of the element's size; the result is an i32. */
static void define_end(emitter *e, const char *name, uint32_t width)
{
    clgrad_text_append(&e->text, "#define %s \\\n", name);
    if (e->l->accumulate == CLGRAD_OP_ARGMAX) {
        char type[16] = "int";
        if (width > 1) snprintf(type, sizeof type, "int%" PRIu32, width);
        clgrad_text_append(&e->text, "const %s acc = convert_%s(at); \\\n", type, type);
    }
    clgrad_ir_print(e->ir, e->ir->epilogue, e->ir->num_instrs, CLGRAD_PRINT_ROWS | CLGRAD_PRINT_BODY, width, " \\\n", &e->text);
    if (e->l->partial_leaf >= 0) clgrad_text_append(&e->text, "x%" PRId32 "[unit] = acc; \\\n", e->l->partial_leaf);
    clgrad_text_append(&e->text, "\n");
}

static void define_body(emitter *e)
{
    const uint32_t width = e->l->width;
    const size_t end = e->ir->epilogue;
    define_lane(e);
    define_uniform(e);
    define_row(e, end);
    define_statements(e, "BODY_V", 0, end, CLGRAD_PRINT_BODY, width);
    define_statements(e, "BODY_S", 0, end, CLGRAD_PRINT_BODY, 1);
    define_register(e, "IN_V", e->l->body, width);
    define_register(e, "IN_S", e->l->body, 1);
    define_type(e, "VECTOR", clgrad_register_type(e->l->acc_dtype), width);
    define_type(e, "SCALAR", clgrad_register_type(e->l->acc_dtype), 1);
}

static void emit_chain(emitter *e)
{
    clgrad_launch *l = e->l;
    const bool cells = l->part > 0 && l->n > l->part;
    const bool scatter = l->from >= 0;
    l->width = choose_width(e, lane_extent(e->ir));
    if (l->accumulate == CLGRAD_OP_ARGMAX && l->acc_dtype == CLGRAD_U8) l->width = 1; /* no room for an index in a byte */
    clgrad_text_append(&e->text, "#define WIDTH %" PRIu32 "\n", l->width);
    define_vectors(e, scatter ? ceil_div(l->sort_count, l->sort_n > 0 ? l->sort_n : 1) : num_loops(e->ir));
    define_loops(e, cells);
    if (cells) {
        const int64_t outer = e->ir->axes[first_loop(e->ir)].extent;
        define_param(e, "OUTER", outer);
        define_param(e, "CUT", l->part / (l->n / outer));
    }
    define_accumulate(e);
    define_body(e);
    define_type(e, "VECTOR_MASK", mask_of(l->acc_dtype), l->width);
    define_type(e, "SCALAR_MASK", l->acc_dtype == CLGRAD_U8 ? "int" : mask_of(l->acc_dtype), 1);
    define_end(e, "END_V", l->width);
    define_end(e, "END_S", 1);
}

static void emit_chunks(emitter *e)
{
    clgrad_launch *l = e->l;
    const int64_t segments = l->cells * l->chunks, total = num_rows(e->ir) * segments;
    l->width = e->gpu ? 1 : choose_width(e, l->n < 64 ? l->n : 64);
    clgrad_text_append(&e->text, "#define WIDTH %" PRIu32 "\n", l->width);
    define_ahead(e);
    define_param(e, "N", l->n);
    define_param(e, "SEGMENTS", segments);
    define_param(e, "CHUNKS", l->chunks);
    define_param(e, "PART", l->part);
    spread(e, total, l->n / segments);
    define_body(e);
    define_end(e, "END", 1);
    if (!e->gpu) return;
    clgrad_text_append(&e->text, "#undef ATTRIBUTES\n#define ATTRIBUTES __attribute__((reqd_work_group_size(%d, 1, 1)))\n", GPU_GROUP);
    l->local[0] = GPU_GROUP;
    l->global[0] = (size_t)total * GPU_GROUP;
}

static void emit_scan(emitter *e)
{
    e->l->width = choose_width(e, lane_extent(e->ir));
    clgrad_text_append(&e->text, "#define WIDTH %" PRIu32 "\n", e->l->width);
    define_vectors(e, e->l->n);
    clgrad_text_append(&e->text, "#define STEP i%" PRId32 "\n", first_loop(e->ir));
    define_param(e, "STEPS", e->l->n);
    define_body(e);
    define_end(e, "END_V", e->l->width);
    define_end(e, "END_S", 1);
}

static void emit_sort(emitter *e)
{
    clgrad_launch *l = e->l;
    l->width = 1;
    define_param(e, "COUNT", l->sort_count);
    define_param(e, "ROWS", l->sort_n);
    define_uniform(e);
    clgrad_text_append(&e->text, "#define INDEX %s\n", clgrad_storage_type(l->index_dtype));
    clgrad_text_append(&e->text, "#define ATTRIBUTES __attribute__((reqd_work_group_size(1, 1, 1)))\n");
    l->dims = 1;
    l->global[0] = (size_t)l->sort_batches;
    l->local[0] = 1;
}

/* The function's head: a part that its kernel calls with a place in the numbers and the share to do; where a work-item is alone in its
 * group, a function that the kernel before it calls; else a kernel. Not inlined, since PoCL makes three kernels of each. */
static void define_entry(emitter *e, const char *name, clgrad_text *head)
{
    const bool alone = !e->gpu && e->l->local[0] == 1;
    if (*e->l->function)
        clgrad_text_append(head, "#define ENTRY static " CLGRAD_NOINLINE " void %s(global const long *restrict p, const long item ARGUMENTS)\n"
                                 "#define ITEM item\n", e->l->function);
    else if (alone) {
        clgrad_text_append(head, "#define ENTRY static void %s_item(const params p, const long item ARGUMENTS); \\\n"
                                 "    ATTRIBUTES kernel void %s(const params p ARGUMENTS) { %s_item(p, (long)get_global_id(0)", name, name, name);
        for (size_t i = 0; i < e->ir->num_leaves; i++) clgrad_text_append(head, ", arg%zu", i);
        clgrad_text_append(head, "); } \\\n    static " CLGRAD_NOINLINE " void %s_item(const params p, const long item ARGUMENTS)\n"
                                 "#define ITEM item\n", name);
    } else
        clgrad_text_append(head, "#define ENTRY ATTRIBUTES kernel void %s(const params p ARGUMENTS)\n"
                                 "#define ITEM (long)get_global_id(0)\n", name);
}

static void define_params(const emitter *e, clgrad_text *head)
{
    const bool part = *e->l->function != 0;
    if (!part) {
        clgrad_text_append(head, "typedef struct params {\n    long k0");
        for (size_t i = 1; i < e->ir->num_params; i++) clgrad_text_append(head, i % 16 ? ", k%zu" : ",\n        k%zu", i);
        clgrad_text_append(head, ";\n} params;\n");
    }
    clgrad_text_append(head, "#define PARAMS");
    for (size_t i = 0; i < e->ir->num_params; i++)
        clgrad_text_append(head, part ? "%s k%zu = p[%zu]" : "%s k%zu = p.k%zu", i ? "," : " const long", i, i);
    clgrad_text_append(head, ";\n");
}

/* The numbers come first in the text, but are known last. */
static char *finish_text(emitter *e, const char *name, const clgrad_ir_helpers *helpers)
{
    clgrad_text head = { .ctx = e->plan->ctx };
    define_params(e, &head);
    if (!*e->l->function) clgrad_ir_print_helpers(helpers, &head);
    clgrad_text_append(&head, "#define ARGUMENTS ");
    clgrad_ir_print_arguments(e->ir, &head);
    clgrad_text_append(&head, "\n");
    define_entry(e, name, &head);
    if (e->text.data) clgrad_text_append_bytes(&head, e->text.data, e->text.bytes);
    if (head.failed || e->text.failed) clgrad_text_release(&head);
    return head.data;
}

static const struct {
    const char *name, *file, *walk;
    void (*emit)(emitter *e);
} templates[] = {
    [CLGRAD_LAUNCH_MAP] = { "map", "map.cl", "rows.cl", emit_map },
    [CLGRAD_LAUNCH_CHAIN] = { "chain", "chain.cl", "rows.cl", emit_chain },
    [CLGRAD_LAUNCH_CHUNKS] = { "reduce_cpu", "reduce_cpu.cl", NULL, emit_chunks },
    [CLGRAD_LAUNCH_SCAN] = { "scan", "scan.cl", "rows.cl", emit_scan },
    [CLGRAD_LAUNCH_SORT] = { "scatter_sort", "scatter_sort.cl", NULL, emit_sort },
};

clgrad_status clgrad_launch_write(clgrad_plan *plan, clgrad_launch *l)
{
    if (l->kind == CLGRAD_LAUNCH_COPY) return CLGRAD_OK;
    if (l->kind == CLGRAD_LAUNCH_MATMUL) return clgrad_launch_write_matmul(plan, l);
    const bool forms = l->kind != CLGRAD_LAUNCH_MAP && l->kind != CLGRAD_LAUNCH_SORT;
    emitter e = { .plan = plan, .l = l, .ir = &l->ir, .text = { .ctx = plan->ctx },
                  .gpu = is_gpu(plan, forms ? plan->options.reduce : CLGRAD_VARIANT_AUTO) };
    l->program = (clgrad_kernel_source){ .file = templates[l->kind].file, .name = templates[l->kind].name, .walk = templates[l->kind].walk };
    if (l->kind == CLGRAD_LAUNCH_CHUNKS && e.gpu) l->program.file = "reduce_gpu.cl", l->program.name = "reduce_gpu";
    templates[l->kind].emit(&e);
    clgrad_ir_helpers helpers = { 0 };
    clgrad_ir_add_helpers(&helpers, &l->ir, l->width);
    if (e.ir->status == CLGRAD_OK) l->preamble = finish_text(&e, l->program.name, &helpers);
    clgrad_text_release(&e.text);
    if (!l->preamble) return e.ir->status != CLGRAD_OK ? e.ir->status : CLGRAD_E_MEMORY;
    l->program.preamble = l->preamble;
    l->program.with_math = clgrad_ir_need_math(&helpers);
    snprintf(l->label, sizeof l->label, "%s w%" PRIu32, l->program.name, l->width);
    return CLGRAD_OK;
}

clgrad_status clgrad_launch_emit(clgrad_plan *plan, clgrad_launch *l)
{
    CLGRAD_TRY(clgrad_launch_write(plan, l));
    if (!l->program.file) return CLGRAD_OK; /* no kernel of ours */
    l->bound = clgrad_alloc(plan->ctx, l->ir.num_leaves + l->num_operands, sizeof(clgrad_buffer *));
    return l->bound ? clgrad_kernel_create(plan->dev, &l->program, &l->kernel) : CLGRAD_E_MEMORY;
}
