/* Several launches as the parts of one kernel: its text, its numbers, its arguments.
 *
 * Every part is a function of the numbers it reads from device memory, of a share's number, and of its buffers. Group g of G does the
 * shares g, g + G, .. of each part in turn; parts that are not cut along common rows begin at another group each, for balance. In a
 * kernel that works in phases groups take shares as they come. */

#include "plan/launch.h"

#include <inttypes.h>
#include <stdio.h>

enum { GROUPS_PER_UNIT = 8, HEAD = 2, PRODUCT_HEAD = 4, /* shares, first group; for a product also shares along columns and rows */
       TICKET_LINES = 4, LINE_INTS = 16, /* as cl/phases.cl has them, beside a line for each queue */ MOST_QUEUES = 64 };

static bool is_product(const clgrad_launch *l) { return l->kind == CLGRAD_LAUNCH_MATMUL; }

static int64_t num_shares(const clgrad_launch *l)
{
    if (l->shares) return l->shares;
    return is_product(l) ? (int64_t)(l->global[0] * l->global[1] * l->global[2]) : (int64_t)l->global[0];
}

static size_t num_words(const clgrad_launch *l)
{
    return (is_product(l) ? PRODUCT_HEAD + l->matmul.params_bytes / sizeof(int64_t) : HEAD) + l->ir.num_params;
}

/* --- text --- */

static clgrad_status add_argument(clgrad_plan *plan, clgrad_plan_kernel *k, int32_t value)
{
    for (size_t i = 0; i < k->num_values; i++)
        if (k->values[i] == value) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_reserve(plan->ctx, &k->values, &k->value_capacity, k->num_values + 1, sizeof *k->values));
    k->values[k->num_values++] = value;
    return CLGRAD_OK;
}

static clgrad_status find_arguments(clgrad_plan *plan, clgrad_plan_kernel *k)
{
    for (size_t i = k->first; i < k->first + k->count; i++) {
        const clgrad_launch *l = &plan->launches[i];
        for (size_t a = 0; a < l->ir.num_leaves; a++) CLGRAD_TRY(add_argument(plan, k, l->ir.leaves[a].value));
        for (size_t a = 0; a < l->num_operands; a++) CLGRAD_TRY(add_argument(plan, k, l->operand_value[a]));
    }
    k->bound = clgrad_alloc(plan->ctx, k->num_values, sizeof(clgrad_buffer *));
    return k->bound ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

/* Does an argument say how many runs there are? */
static bool has_runs(const clgrad_plan_kernel *k) { return k->repeats || k->phased; }

/* Some inputs lie elsewhere in the next run. */
static void print_argument(const clgrad_plan *plan, const clgrad_plan_kernel *k, int32_t value, clgrad_dtype dtype, bool written, clgrad_text *out)
{
    const clgrad_value *v = &plan->values[value];
    const size_t advance = v->kind == CLGRAD_VALUE_INPUT && k->repeats ? plan->advance[v->number] : 0;
    size_t i = 0;
    while (k->values[i] != value) i++;
    clgrad_text_append(out, ", (global %s%s *)", written ? "" : "const ", clgrad_storage_type(dtype));
    if (advance) clgrad_text_append(out, "(a%zu + run * %zu)", i, advance);
    else clgrad_text_append(out, "a%zu", i);
}

/* The part's function with its share `t`. */
static void print_call(const clgrad_plan *plan, const clgrad_plan_kernel *k, const clgrad_launch *l, size_t word, clgrad_text *out)
{
    clgrad_text_append(out, "%s(", l->function);
    if (is_product(l)) {
        /* Remainders by hand: LLVM freezes the operand of / and % together, on which Oclgrind stumbles. */
        clgrad_text_append(out, "k + %zu, t - t / k[%zu] * k[%zu], t / k[%zu] - t / k[%zu] / k[%zu] * k[%zu], t / k[%zu] / k[%zu], (local %s *)scratch",
                           word + PRODUCT_HEAD, word + 2, word + 2, word + 2, word + 2, word + 3, word + 3, word + 2, word + 3,
                           l->matmul.vector);
        for (size_t a = 0; a < l->num_operands; a++)
            print_argument(plan, k, l->operand_value[a], a % 2 ? l->desc.b_dtype : l->desc.a_dtype, false, out);
    } else {
        clgrad_text_append(out, "k + %zu, t", word + HEAD);
    }
    for (size_t i = 0; i < l->ir.num_leaves; i++)
        print_argument(plan, k, l->ir.leaves[i].value, l->ir.leaves[i].dtype, l->ir.leaves[i].written, out);
    clgrad_text_append(out, ");\n");
}

/* Group by group, its shares of each part in turn. */
static void print_turns(const clgrad_plan *plan, const clgrad_plan_kernel *k, clgrad_text *out)
{
    size_t word = 0;
    clgrad_text_append(out, "    const long group = get_group_id(0), groups = get_num_groups(0);\n");
    if (k->repeats) clgrad_text_append(out, "    for (long run = 0; run < runs; run++) {\n");
    for (size_t i = k->first; i < k->first + k->count; i++) {
        clgrad_text_append(out, "    for (long t = (group + k[%zu]) %% groups; t < k[%zu]; t += groups)\n        ", word + 1, word);
        print_call(plan, k, &plan->launches[i], word, out);
        word += num_words(&plan->launches[i]);
    }
    if (k->repeats) clgrad_text_append(out, "    }\n");
}

/* Launches that one group does as one task: the first and those that follow it. */
static size_t task_end(const clgrad_plan *plan, const clgrad_plan_kernel *k, size_t first)
{
    size_t end = first + 1;
    while (end < k->first + k->count && plan->launches[end].follows) end++;
    return end;
}

/* Queues of tasks: one for each thread that may have one. */
static size_t num_queues(const clgrad_plan *plan, const clgrad_plan_kernel *k)
{
    int64_t queues = 1;
    for (size_t i = k->first; i < k->first + k->count; i++)
        if (num_shares(&plan->launches[i]) > queues) queues = num_shares(&plan->launches[i]);
    const int64_t units = clgrad_device_get_info(plan->dev)->compute_units, most = units < MOST_QUEUES ? units : MOST_QUEUES;
    return (size_t)(queues < most ? queues : most);
}

static size_t num_parts(const clgrad_plan *plan, const clgrad_plan_kernel *k)
{
    size_t parts = 0;
    for (size_t i = k->first; i < k->first + k->count; i = task_end(plan, k, i)) parts++;
    return parts;
}

/* Task by task, as cl/phases.cl says. A part is a launch, of which each share is a task, or launches that are one task. */
static void print_phases(const clgrad_plan *plan, const clgrad_plan_kernel *k, clgrad_text *out)
{
    const size_t parts = num_parts(plan, k);
    size_t word = 0;
    clgrad_text_append(out, "    phases_plan plan;\n    plan.all = 0;\n");
    for (size_t i = k->first, part = 0, beside = 0; part < parts; part++) {
        const size_t end = task_end(plan, k, i);
        if (plan->launches[i].first_beside == i) beside = part; /* the part that the phase begins with */
        if (end > i + 1) clgrad_text_append(out, "    plan.count[%zu] = 1;\n", part);
        else clgrad_text_append(out, "    plan.count[%zu] = (int)k[%zu];\n", part, word);
        if (beside == part) clgrad_text_append(out, "    plan.before[%zu] = plan.all;\n", part);
        else clgrad_text_append(out, "    plan.before[%zu] = plan.before[%zu];\n", part, beside);
        clgrad_text_append(out, "    plan.all += plan.count[%zu];\n", part);
        for (; i < end; i++) word += num_words(&plan->launches[i]);
    }
    clgrad_text_append(out, "    phases_group me;\n"
                            "    for (bool here = phases_enter(tickets, &me, get_num_groups(0)); here && phases_get(tickets, &plan, &me, (int)runs);) {\n"
                            "        const long run = me.run, t = me.share;\n"
                            "        switch (me.part) {\n");
    word = 0;
    for (size_t i = k->first, part = 0; part < parts; part++) {
        const size_t end = task_end(plan, k, i);
        const bool several = end > i + 1;
        clgrad_text_append(out, "        case %zu:\n", part);
        for (; i < end; i++) {
            if (several) clgrad_text_append(out, "            for (long t = 0; t < k[%zu]; t++) ", word);
            print_call(plan, k, &plan->launches[i], word, out);
            word += num_words(&plan->launches[i]);
        }
        clgrad_text_append(out, "            break;\n");
    }
    clgrad_text_append(out, "        }\n        phases_done(tickets);\n    }\n    phases_leave(tickets, get_num_groups(0));\n");
}

static void print_kernel(const clgrad_plan *plan, const clgrad_plan_kernel *k, clgrad_text *out)
{
    size_t bytes = 0;
    clgrad_text_append(out, "kernel __attribute__((reqd_work_group_size(1, 1, 1))) void fused(global const long *k");
    for (size_t i = 0; i < k->num_values; i++) clgrad_text_append(out, ", global char *a%zu", i);
    if (has_runs(k)) clgrad_text_append(out, ", long runs");
    if (k->phased) clgrad_text_append(out, ", volatile global int *tickets");
    clgrad_text_append(out, ")\n{\n");
    for (size_t i = k->first; i < k->first + k->count; i++)
        if (plan->launches[i].matmul.local_bytes > bytes) bytes = plan->launches[i].matmul.local_bytes;
    if (bytes > 0)
        clgrad_text_append(out, "    local ulong8 memory[%zu];\n    local ulong8 *volatile hidden = memory, *scratch = hidden;\n", (bytes + 63) / 64);
    if (k->phased) print_phases(plan, k, out);
    else print_turns(plan, k, out);
    clgrad_text_append(out, "}\n");
}

/* --- the kernel --- */

static clgrad_status build(clgrad_plan *plan, clgrad_plan_kernel *k, clgrad_kernel_part *parts)
{
    clgrad_text preamble = { .ctx = plan->ctx }, closing = { .ctx = plan->ctx };
    clgrad_ir_helpers helpers = { 0 };
    for (size_t i = 0; i < k->count; i++) {
        const clgrad_launch *l = &plan->launches[k->first + i];
        parts[i] = (clgrad_kernel_part){ .preamble = l->program.preamble, .file = l->program.file, .walk = l->program.walk };
        clgrad_ir_add_helpers(&helpers, &l->ir, l->width);
    }
    char numbers[160];
    snprintf(numbers, sizeof numbers, "#define PHASES_PATIENCE %" PRId64 "\n#define PHASES_QUEUES %zu\n#define PHASES_PARTS %zu\n#define PHASES_GROUPS %d",
             k->patience, num_queues(plan, k), num_parts(plan, k), GROUPS_PER_UNIT);
    if (k->phased) parts[k->count] = (clgrad_kernel_part){ .file = "phases.cl", .preamble = numbers };
    if (strstr(clgrad_device_get_info(plan->dev)->quirks, "simulator")) /* Oclgrind does not know what it becomes in inlined functions */
        clgrad_text_append(&preamble, "#define restrict\n");
    clgrad_ir_print_helpers(&helpers, &preamble);
    print_kernel(plan, k, &closing);
    const clgrad_kernel_source source = { .file = "fused", .preamble = preamble.data, .name = "fused", .with_math = clgrad_ir_need_math(&helpers),
                                          .parts = parts, .num_parts = k->count + k->phased, .closing = closing.data };
    const clgrad_status st = preamble.failed || closing.failed ? CLGRAD_E_MEMORY : clgrad_kernel_create(plan->dev, &source, &k->kernel);
    clgrad_text_release(&preamble);
    clgrad_text_release(&closing);
    return st;
}

static void count_groups(const clgrad_plan *plan, clgrad_plan_kernel *k)
{
    const int64_t limit = (int64_t)clgrad_device_get_info(plan->dev)->compute_units * GROUPS_PER_UNIT;
    int64_t cut = 1, most = 1;
    for (size_t i = k->first; i < k->first + k->count; i++) {
        const clgrad_launch *l = &plan->launches[i];
        if (l->shares > cut) cut = l->shares;
        if (num_shares(l) > most) most = num_shares(l);
    }
    if (most > limit) most = limit;
    if (k->phased) k->groups = limit;
    else if (k->groups != 1) k->groups = most > cut ? most : cut;
}

static clgrad_status create_tickets(clgrad_plan *plan, clgrad_plan_kernel *k)
{
    const int32_t none[(TICKET_LINES + MOST_QUEUES) * LINE_INTS] = { 0 };
    CLGRAD_TRY(clgrad_buffer_create(plan->dev, sizeof none, &k->tickets));
    CLGRAD_TRY(clgrad_buffer_write(k->tickets, 0, none, sizeof none));
    return clgrad_kernel_set_buffer(k->kernel, 2 + (uint32_t)k->num_values, k->tickets);
}

clgrad_status clgrad_plan_kernel_emit(clgrad_plan *plan, clgrad_plan_kernel *k)
{
    if (k->count == 1) return clgrad_launch_emit(plan, &plan->launches[k->first]);
    for (size_t i = k->first; i < k->first + k->count; i++) {
        CLGRAD_TRY(clgrad_launch_write(plan, &plan->launches[i]));
        k->num_words += num_words(&plan->launches[i]);
    }
    CLGRAD_TRY(find_arguments(plan, k));
    count_groups(plan, k);
    k->words = clgrad_alloc(plan->ctx, k->num_words, sizeof *k->words);
    k->written = clgrad_alloc(plan->ctx, k->num_words, sizeof *k->written);
    clgrad_kernel_part *parts = clgrad_alloc(plan->ctx, k->count + 1, sizeof *parts);
    clgrad_status st = k->words && k->written && parts ? build(plan, k, parts) : CLGRAD_E_MEMORY;
    clgrad_free(plan->ctx, parts);
    if (st == CLGRAD_OK) st = clgrad_buffer_create(plan->dev, k->num_words * sizeof *k->words, &k->numbers);
    if (st == CLGRAD_OK) st = clgrad_kernel_set_buffer(k->kernel, 0, k->numbers);
    if (st == CLGRAD_OK && k->phased) st = create_tickets(plan, k);
    snprintf(k->label, sizeof k->label, "fused %zu", k->count);
    return st;
}

void clgrad_plan_kernel_release(clgrad_plan *plan, clgrad_plan_kernel *k)
{
    clgrad_kernel_release(&k->kernel);
    clgrad_buffer_release(&k->numbers);
    clgrad_buffer_release(&k->tickets);
    clgrad_free(plan->ctx, k->words);
    clgrad_free(plan->ctx, k->written);
    clgrad_free(plan->ctx, k->values);
    clgrad_free(plan->ctx, k->bound);
}

/* --- binding --- */

static clgrad_status place_operands(clgrad_plan *plan, clgrad_launch *l)
{
    int64_t offset[CLGRAD_COUNT(l->operand_value)] = { 0 };
    for (size_t i = 0; i < l->num_operands; i++) clgrad_plan_value_buffer(plan, l->operand_value[i], &offset[i]);
    if (memcmp(offset, l->operand_offset, sizeof offset) == 0) return CLGRAD_OK;
    clgrad_matmul_desc desc = l->desc;
    desc.a_offset += offset[0], desc.b_offset += offset[1];
    desc.second.a_offset += offset[2], desc.second.b_offset += offset[3];
    clgrad_matmul_launch fresh;
    CLGRAD_TRY(clgrad_matmul_choose(plan->dev, &desc, &plan->options, &fresh));
    memcpy(l->matmul.params, fresh.params, fresh.params_bytes);
    memcpy(l->operand_offset, offset, sizeof offset);
    clgrad_matmul_launch_release(plan->ctx, &fresh);
    return CLGRAD_OK;
}

/* A launch's numbers, from word on. */
static clgrad_status fill_words(clgrad_plan *plan, clgrad_launch *l, int64_t groups, int64_t first_group, int64_t *word)
{
    int64_t *at = word;
    *at++ = num_shares(l);
    *at++ = l->shares ? 0 : (groups - first_group % groups) % groups;
    if (is_product(l)) {
        CLGRAD_TRY(place_operands(plan, l));
        *at++ = (int64_t)l->global[0];
        *at++ = (int64_t)l->global[1];
        memcpy(at, l->matmul.params, l->matmul.params_bytes);
        at += l->matmul.params_bytes / sizeof *at;
    }
    for (size_t i = 0; i < l->ir.num_leaves; i++)
        clgrad_plan_value_buffer(plan, l->ir.leaves[i].value, &l->ir.params[l->ir.leaves[i].offset_slot]);
    memcpy(at, l->ir.params, l->ir.num_params * sizeof *at);
    return CLGRAD_OK;
}

static clgrad_status fill_numbers(clgrad_plan *plan, clgrad_plan_kernel *k, int64_t *words)
{
    int64_t first_group = 0;
    for (size_t i = k->first; i < k->first + k->count; i++) {
        clgrad_launch *l = &plan->launches[i];
        CLGRAD_TRY(fill_words(plan, l, k->groups, first_group, words));
        words += num_words(l);
        if (!l->shares) first_group += num_shares(l);
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_plan_kernel_bind(clgrad_plan *plan, clgrad_plan_kernel *k)
{
    const size_t bytes = k->num_words * sizeof *k->words;
    int64_t offset;
    for (size_t i = 0; i < k->num_values; i++) {
        clgrad_buffer *buffer = clgrad_plan_value_buffer(plan, k->values[i], &offset);
        if (k->bound[i] == buffer) continue;
        CLGRAD_TRY(clgrad_kernel_set_buffer(k->kernel, 1 + (uint32_t)i, buffer));
        k->bound[i] = buffer;
    }
    CLGRAD_TRY(fill_numbers(plan, k, k->words));
    if (k->numbers_set && memcmp(k->words, k->written, bytes) == 0) return CLGRAD_OK;
    k->numbers_set = false;
    CLGRAD_TRY(clgrad_buffer_write(k->numbers, 0, k->words, bytes));
    memcpy(k->written, k->words, bytes);
    k->numbers_set = true;
    return CLGRAD_OK;
}

clgrad_status clgrad_plan_kernel_run(clgrad_plan_kernel *k, int64_t runs)
{
    const size_t global[3] = { (size_t)k->groups, 1, 1 }, local[3] = { 1, 1, 1 };
    if (has_runs(k) && k->runs != runs) {
        CLGRAD_TRY(clgrad_kernel_set_bytes(k->kernel, 1 + (uint32_t)k->num_values, &runs, sizeof runs));
        k->runs = runs;
    }
    return clgrad_kernel_launch(k->kernel, 1, global, local, k->label);
}
