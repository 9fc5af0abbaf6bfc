/* A product: its description for the matmul templates, with the epilogue's text for many lanes and for one. */

#include "plan/choice.h"
#include "plan/launch.h"

#include <inttypes.h>
#include <stdio.h>

/* Axis variables from the template's z (batch, row-major), i and j. */
static void print_indices(const clgrad_launch *l, clgrad_text *out)
{
    const int32_t last = l->ir.num_axes - 1;
    char from[16] = "(long)z";
    for (int32_t d = last - 2; d >= 0; d--) {
        if (d > 0) {
            clgrad_text_append(out, "const long q%" PRId32 " = %s / k%" PRId32 ", i%" PRId32 " = %s - q%" PRId32 " * k%" PRId32 ";\n",
                               d, from, l->batch_slot[d], d, from, d, l->batch_slot[d]);
            snprintf(from, sizeof from, "q%" PRId32, d);
        } else {
            clgrad_text_append(out, "const long i0 = %s;\n", from);
        }
    }
    clgrad_text_append(out, "const long i%" PRId32 " = (long)i, i%" PRId32 " = (long)j;\n", last - 1, last);
}

static void open_epilogue(const clgrad_launch *l, clgrad_text *out)
{
    for (size_t i = 0; i < l->ir.num_params; i++) clgrad_text_append(out, i ? ", k%zu = e.k%zu" : "{ const long k%zu = e.k%zu", i, i);
    clgrad_text_append(out, ";\n");
    clgrad_ir_print_offsets(&l->ir, "\n", out);
    print_indices(l, out);
}

/* What the epilogue will read, for a device that takes the hint. */
static bool print_touches(clgrad_launch *l)
{
    open_epilogue(l, &l->touches_text);
    const bool any = clgrad_ir_print_touches(&l->ir, "MM_TOUCH", l->width, "\n", &l->touches_text);
    clgrad_text_append(&l->touches_text, "}");
    return any;
}

static void print_epilogue(const clgrad_launch *l, uint32_t width, clgrad_text *out)
{
    open_epilogue(l, out);
    clgrad_ir_print(&l->ir, 0, l->ir.num_instrs, CLGRAD_PRINT_UNIFORM | CLGRAD_PRINT_ROWS | CLGRAD_PRINT_BODY, width, "\n", out);
    clgrad_text_append(out, "}");
}

static clgrad_status describe(clgrad_plan *plan, clgrad_launch *l)
{
    clgrad_ir *ir = &l->ir;
    l->width = clgrad_matmul_width(plan->dev, &l->desc, &plan->options);
    for (int32_t d = 0; d < l->desc.num_batch; d++) l->batch_slot[d] = clgrad_ir_param(ir, l->desc.batch_dims[d]);
    if (ir->status != CLGRAD_OK) return ir->status;
    if (!*l->function) {
        clgrad_ir_helpers helpers = { 0 };
        clgrad_ir_add_helpers(&helpers, ir, l->width);
        clgrad_ir_print_helpers(&helpers, &l->helpers_text);
        l->program.with_math = clgrad_ir_need_math(&helpers);
    }
    clgrad_text_append(&l->params_text, "typedef struct epilogue {\n    long k0");
    for (size_t i = 1; i < ir->num_params; i++) clgrad_text_append(&l->params_text, ", k%zu", i);
    clgrad_text_append(&l->params_text, ";\n} epilogue;\n");
    clgrad_ir_print_arguments(ir, &l->args_text);
    print_epilogue(l, l->width, &l->vector_text);
    print_epilogue(l, 1, &l->scalar_text);
    const bool touches = print_touches(l);
    const clgrad_text *const texts[] = { &l->params_text, &l->args_text, &l->vector_text, &l->scalar_text, &l->helpers_text, &l->touches_text };
    for (size_t i = 0; i < CLGRAD_COUNT(texts); i++)
        if (texts[i]->failed) return CLGRAD_E_MEMORY;
    l->desc.helpers = l->helpers_text.data ? l->helpers_text.data : "";
    l->desc.epilogue_params = l->params_text.data;
    l->desc.epilogue_args = l->args_text.data;
    l->desc.num_epilogue_args = ir->num_leaves;
    l->desc.epilogue_v = l->vector_text.data;
    l->desc.epilogue_s = l->scalar_text.data;
    l->desc.touches = touches ? l->touches_text.data : NULL;
    l->desc.width = l->width;
    return CLGRAD_OK;
}

/* CLBlast stores one dense product and nothing else. */
static bool is_plain(const clgrad_plan *plan, const clgrad_launch *l)
{
    const clgrad_op_node *core = clgrad_at(plan->work, l->core);
    const clgrad_place dense = clgrad_place_dense(l->root[0].place.value, &core->shape);
    return l->num_roots == 1 && l->root[0].node == l->core &&
           memcmp(dense.stride, l->root[0].place.stride, (size_t)core->shape.rank * sizeof *dense.stride) == 0;
}

bool clgrad_launch_by_clblast(const clgrad_plan *plan, const clgrad_launch *l)
{
    if (l->kind != CLGRAD_LAUNCH_MATMUL) return false;
    if (plan->options.matmul == CLGRAD_VARIANT_CLBLAST) return true;
    return !l->desc.second.there && is_plain(plan, l) && clgrad_matmul_by_clblast(plan->dev, &l->desc, &plan->options);
}

static clgrad_status emit_clblast(clgrad_plan *plan, clgrad_launch *l)
{
    const bool forced = plan->options.matmul == CLGRAD_VARIANT_CLBLAST;
    char key[CLGRAD_MATMUL_KEY], note[CLGRAD_MATMUL_KEY + 16];
    clgrad_product product;
    if (!is_plain(plan, l) || !clgrad_clblast_can(plan->dev, &l->desc))
        return clgrad_fail(plan->ctx, CLGRAD_E_UNSUPPORTED, "matmul: CLBlast is missing or cannot serve a product of the graph");
    l->clblast = true;
    snprintf(l->label, sizeof l->label, forced ? "clblast" : "clblast tuned");
    if (forced || plan->options.matmul_choice || !clgrad_matmul_product(&l->desc, &product)) return CLGRAD_OK;
    clgrad_product_key(&product, key);
    snprintf(note, sizeof note, "%s by CLBlast", key);
    return clgrad_device_note_choice(plan->dev, note);
}

bool clgrad_plan_product(const clgrad_plan *plan, size_t launch, clgrad_product *out)
{
    return launch < plan->num_launches && plan->launches[launch].kind == CLGRAD_LAUNCH_MATMUL &&
           clgrad_matmul_product(&plan->launches[launch].desc, out);
}

clgrad_status clgrad_launch_write_matmul(clgrad_plan *plan, clgrad_launch *l)
{
    if (!*l->function && clgrad_launch_by_clblast(plan, l)) return emit_clblast(plan, l);
    l->desc.function = *l->function ? l->function : NULL;
    l->desc.share_rows = l->share_rows;
    l->desc.awake = l->awake;
    l->desc.shares = l->shares;
    CLGRAD_TRY(describe(plan, l));
    CLGRAD_TRY(clgrad_matmul_choose(plan->dev, &l->desc, &plan->options, &l->matmul));
    l->program.file = l->matmul.file, l->program.walk = l->matmul.walk, l->program.name = "matmul", l->program.preamble = l->matmul.preamble;
    l->dims = l->matmul.dims;
    memcpy(l->global, l->matmul.global, sizeof l->global);
    memcpy(l->local, l->matmul.local, sizeof l->local);
    snprintf(l->label, sizeof l->label, "%s", l->matmul.variant);
    return CLGRAD_OK;
}
