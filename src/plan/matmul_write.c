/* A product's form as text and numbers: the preamble of its template, the parameters, and how the work is divided. */

#include "plan/matmul_form.h"

#include <stdio.h>

enum { REUSED_BYTES = 4 << 20, SHORT_TEXT = 700 /* of an epilogue that may be repeated for every vector of a tile */ };

/* The twin of mm_params below; rest: extents, strides of a, strides of b, then what the second product has of its own. */
typedef struct params {
    int64_t m, n, k, a_row, a_col, a_offset, b_row, b_col, b_offset, rows, row_items, columns, batches, num_batches, chunk;
    int64_t rest[5 * CLGRAD_MATMUL_AXES + 7];
} params;
_Static_assert(sizeof(params) <= sizeof((clgrad_matmul_launch *)NULL)->params, "params fit the launch");

static const char params_text[] =
    "typedef struct {\n"
    "    long m, n, k, a_row, a_col, a_offset, b_row, b_col, b_offset, rows, row_items, columns, batches, num_batches, chunk;\n"
    "#if MM_RANK\n"
    "    long dims[MM_RANK], a_batch[MM_RANK], b_batch[MM_RANK];\n"
    "#endif\n"
    "#if MM_PAIR\n"
    "    long k2, a2_row, a2_col, a2_offset, b2_row, b2_col, b2_offset;\n"
    "#if MM_RANK\n"
    "    long a2_batch[MM_RANK], b2_batch[MM_RANK];\n"
    "#endif\n"
    "#endif\n"
    "} mm_params;\n"
    "#if MM_RANK\n"
    "static long mm_start(long at, const long *dims, const long *strides, long z)\n"
    "{\n"
    "    for (int d = MM_RANK - 1; d >= 0; d--) {\n"
    "        const long above = z / dims[d];\n"
    "        at += (z - above * dims[d]) * strides[d];\n"
    "        z = above;\n"
    "    }\n"
    "    return at;\n"
    "}\n"
    "#define mm_a_start(mm, z) mm_start((mm)->a_offset, (mm)->dims, (mm)->a_batch, z)\n"
    "#define mm_b_start(mm, z) mm_start((mm)->b_offset, (mm)->dims, (mm)->b_batch, z)\n"
    "#else\n"
    "#define mm_a_start(mm, z) (mm)->a_offset\n"
    "#define mm_b_start(mm, z) (mm)->b_offset\n"
    "#endif\n"
    "#if MM_PAIR\n"
    "static inline mm_params mm_second(const mm_params *mm)\n"
    "{\n"
    "    mm_params other = *mm;\n"
    "    other.k = mm->k2, other.a_row = mm->a2_row, other.a_col = mm->a2_col, other.a_offset = mm->a2_offset;\n"
    "    other.b_row = mm->b2_row, other.b_col = mm->b2_col, other.b_offset = mm->b2_offset;\n"
    "#if MM_RANK\n"
    "    for (int d = 0; d < MM_RANK; d++) other.a_batch[d] = mm->a2_batch[d], other.b_batch[d] = mm->b2_batch[d];\n"
    "#endif\n"
    "    return other;\n"
    "}\n"
    "#endif\n";

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

/* --- divide ------------------------------------------------------------------------------------------------------------ */

/* One group below about 10 us of work: waking a second thread costs more; less where they are awake. Else a few groups a compute unit, for balance. */
static int64_t count_groups(const clgrad_matmul_desc *d, uint32_t compute_units)
{
    const double m = (double)d->m, n = (double)d->n, k = (double)max_i64(clgrad_matmul_steps(d), 1), batches = (double)clgrad_matmul_batches(d);
    const double flops = 2 * m * n * k * batches, bytes = 4 * (m * k + k * n + m * n) * batches;
    const double us = flops / 200e3 + bytes / 50e3;
    return us < (d->awake ? CLGRAD_SHARED_US : 10.0) ? 1 : (int64_t)compute_units * 8;
}

/* Shares of the tiles along one axis: at most `parts` groups, each a whole number of tiles. */
static int64_t share(int64_t extent, int64_t tile, int64_t *parts)
{
    const int64_t tiles = clgrad_divide_up(extent, tile), each = clgrad_divide_up(tiles, min_i64(*parts, tiles));
    *parts = clgrad_divide_up(*parts, clgrad_divide_up(tiles, each));
    return each * tile;
}

/* Vectors of local memory: the packed panels, and tiles whose state waits for the next one. */
static int64_t scratch_vectors(const clgrad_matmul_form *f)
{
    return (f->pack == CLGRAD_PACK_IN_PLACE ? 0 : f->depth * f->vectors * f->chunk * (f->pair ? 2 : 1)) + f->tiles * f->levels * f->rows * f->vectors;
}

static void name_vector(const clgrad_matmul_form *f, char *name, size_t bytes)
{
    const char *const scalar = f->f64 ? "double" : "float";
    if (f->lanes > 1) snprintf(name, bytes, "%s%d", scalar, (int)f->lanes);
    else snprintf(name, bytes, "%s", scalar);
}

/* Panels of a chunk: as many as the form has room for, or fewer where the compute units would then share the columns unevenly, or have
 * one group each, of which the slower one decides. */
static int64_t choose_chunk(const clgrad_matmul_desc *d, const clgrad_matmul_form *f, uint32_t compute_units, int64_t row_groups, int64_t parts)
{
    const int64_t tiles = clgrad_divide_up(d->n, f->columns), units = compute_units;
    int64_t chunk = min_i64(f->chunk, tiles), least = 0;
    if (parts * row_groups < units) return chunk;
    for (int64_t c = 1; c <= f->chunk; c *= 2) {
        int64_t groups = parts;
        const int64_t each = share(tiles, c, &groups), turns = clgrad_divide_up(row_groups * clgrad_divide_up(tiles, each), units);
        if (c == 1) least = turns * each;
        if (c == 1 || (turns > 1 && 20 * turns * each <= 21 * least)) chunk = min_i64(c, tiles);
    }
    return chunk;
}

/* A packed panel serves all rows of a group: columns are divided first, and rows where they are so many that a would come from
 * main memory again for every panel. */
static void divide_cpu(const clgrad_matmul_desc *d, const clgrad_device_info *info, const clgrad_matmul_form *f, params *p,
                       clgrad_matmul_launch *out)
{
    int64_t parts = f->groups ? f->groups * (int64_t)info->compute_units : count_groups(d, info->compute_units);
    p->batches = share(p->num_batches, 1, &parts);
    p->chunk = f->chunk;
    if (d->shares) {
        p->rows = d->share_rows, p->columns = d->n, p->batches = p->num_batches;
    } else if (f->pack == CLGRAD_PACK_IN_PLACE) {
        p->rows = share(d->m, f->rows, &parts);
        p->columns = share(d->n, f->columns, &parts);
    } else {
        const int64_t near = REUSED_BYTES / (max_i64(clgrad_matmul_steps(d), 1) * (int64_t)clgrad_dtype_bytes(d->a_dtype));
        int64_t chunks = clgrad_divide_up(d->m, min_i64(max_i64(near, 256), f->tiles > 1 ? f->tiles / f->chunk * f->rows : INT64_MAX));
        p->rows = share(d->m, f->rows, &chunks);
        const int64_t row_groups = clgrad_divide_up(d->m, p->rows);
        parts = clgrad_divide_up(parts, row_groups);
        p->chunk = choose_chunk(d, f, info->compute_units, row_groups, parts);
        p->columns = share(d->n, p->chunk * f->columns, &parts);
        const int64_t groups = clgrad_divide_up(d->n, p->columns) * clgrad_divide_up(d->m, p->rows) * clgrad_divide_up(p->num_batches, p->batches);
        if (groups < 2 * (int64_t)info->compute_units) p->rows = min_i64(p->rows, max_i64(share(p->rows, f->rows, &parts), 8 * f->rows));
    }
    if (f->short_loops) p->rows = f->rows, p->columns = f->columns, p->batches = 1;
    p->row_items = d->shares ? d->shares : clgrad_divide_up(d->m, p->rows);
    out->dims = 3;
    out->global[0] = (size_t)clgrad_divide_up(d->n, p->columns); /* groups that read the same rows run near each other */
    out->global[1] = (size_t)p->row_items;
    out->global[2] = (size_t)clgrad_divide_up(p->num_batches, p->batches);
    out->local[0] = out->local[1] = out->local[2] = 1;
    name_vector(f, out->vector, sizeof out->vector);
    out->local_bytes = (size_t)(scratch_vectors(f) * f->lanes) * (f->f64 ? 8 : 4);
}

static void divide_gpu(const clgrad_matmul_desc *d, const clgrad_matmul_form *f, params *p, clgrad_matmul_launch *out)
{
    out->dims = 3;
    out->local[0] = (size_t)f->items_j, out->local[1] = (size_t)f->items_i, out->local[2] = 1;
    out->global[0] = (size_t)clgrad_divide_up(d->n, f->columns * f->items_j) * out->local[0];
    out->global[1] = (size_t)clgrad_divide_up(d->m, f->rows * f->items_i) * out->local[1];
    out->global[2] = (size_t)min_i64(p->num_batches, 65535);
}

static int64_t *append_numbers(int64_t *to, const int64_t *numbers, size_t count)
{
    memcpy(to, numbers, count * sizeof *to);
    return to + count;
}

static void fill_params(const clgrad_matmul_desc *d, const clgrad_device_info *info, const clgrad_matmul_form *f, clgrad_matmul_launch *out)
{
    params p = { .m = d->m, .n = d->n, .k = d->k, .a_row = d->a_row, .a_col = d->a_col, .a_offset = d->a_offset, .b_row = d->b_row,
                 .b_col = d->b_col, .b_offset = d->b_offset, .num_batches = clgrad_matmul_batches(d) };
    const size_t rank = (size_t)d->num_batch;
    int64_t *rest = append_numbers(p.rest, d->batch_dims, rank);
    rest = append_numbers(rest, d->a_batch, rank);
    rest = append_numbers(rest, d->b_batch, rank);
    if (d->second.there) {
        const clgrad_matmul_second *t = &d->second;
        rest = append_numbers(rest, (const int64_t[]){ t->k, t->a_row, t->a_col, t->a_offset, t->b_row, t->b_col, t->b_offset }, 7);
        rest = append_numbers(rest, t->a_batch, rank);
        rest = append_numbers(rest, t->b_batch, rank);
    }
    if (f->gpu) divide_gpu(d, f, &p, out);
    else divide_cpu(d, info, f, &p, out);
    out->params_bytes = (size_t)((char *)rest - (char *)&p);
    memcpy(out->params, &p, out->params_bytes);
}

/* --- write ------------------------------------------------------------------------------------------------------------- */

/* Statements as the body of a macro: every line but the last ends in a backslash. */
static void write_macro(clgrad_text *text, const char *name, const char *body)
{
    clgrad_text_append(text, "#define %s ", name);
    for (const char *end; (end = strchr(body, '\n')); body = end + 1)
        clgrad_text_append(text, "%.*s \\\n", (int)(end - body), body);
    clgrad_text_append(text, "%s\n", body);
}

/* MM_A_TYPE, MM_LOAD_A and MM_LOADV_A, or those of B: how an element and `lanes` of them are decoded. */
static void write_codec(clgrad_text *text, char operand, clgrad_dtype dtype, int64_t lanes)
{
    char n[8] = "";
    if (lanes > 1) snprintf(n, sizeof n, "%d", (int)lanes);
    const char *const type = dtype == CLGRAD_F64 ? "double" : dtype == CLGRAD_F16 ? "half" : dtype == CLGRAD_BF16 ? "ushort" : "float";
    clgrad_text_append(text, "#define MM_%c_TYPE %s\n", operand, type);
    if (dtype == CLGRAD_F16)
        clgrad_text_append(text, "#define MM_LOAD_%c(q) vload_half(0, q)\n#define MM_LOADV_%c(q) vload_half%s(0, q)\n", operand,
                           operand, n);
    else if (dtype == CLGRAD_BF16)
        clgrad_text_append(text, "#define MM_LOAD_%c(q) as_float((uint)*(q) << 16)\n"
                                 "#define MM_LOADV_%c(q) as_float%s(convert_uint%s(vload%s(0, q)) << 16)\n",
                           operand, operand, n, n, lanes > 1 ? n : "1");
    else
        clgrad_text_append(text, "#define MM_LOAD_%c(q) (*(q))\n#define MM_LOADV_%c(q) vload%s(0, q)\n", operand, operand,
                           lanes > 1 ? n : "1");
    if (lanes == 1) clgrad_text_append(text, "#define vload1(i, q) (q)[i]\n");
}

/* Names of the template that several products of one text would share. */
static const char *const part_names[] = { "mm_params", "mm_second", "mm_start", "mm_accumulate", "mm_transpose", "mm_pack", "mm_push",
                                          "mm_fold", "mm_advance", "mm_panel", "mm_columns", "mm_place", "mm_pack_tiles", "epilogue" };

/* The function's head and first statements: a kernel, or a part that its kernel calls with a place in the numbers, the share to do
 * and local memory. */
static void write_entry(clgrad_text *text, const clgrad_matmul_desc *d, const clgrad_matmul_form *f)
{
    clgrad_text_append(text, "#define MM_SCRATCH %d\n", (int)scratch_vectors(f));
    if (!d->function) {
        clgrad_text_append(text, "#define MM_SHARE const mm_params params, const epilogue e, const long item_j, const long item_i, const long item_z, \\\n"
                                 "    local MM_VECTOR *scratch, MM_OPERANDS MM_EPILOGUE_ARGS\n"
                                 "#define MM_ENTRY static void matmul_share(MM_SHARE); \\\n"
                                 "kernel __attribute__((reqd_work_group_size(1, 1, 1))) \\\n"
                                 "void matmul(const mm_params params, const epilogue e, MM_OPERANDS MM_EPILOGUE_ARGS) { \\\n"
                                 "    local MM_VECTOR memory[MM_SCRATCH], *volatile hidden = memory; \\\n"
                                 "    matmul_share(params, e, get_group_id(0), get_group_id(1), get_group_id(2), hidden, %s%s",
                           f->swap ? "b, a" : "a, b", !d->second.there ? "" : f->swap ? ", b2, a2" : ", a2, b2");
        for (size_t i = 0; i < d->num_epilogue_args; i++) clgrad_text_append(text, ", arg%zu", i);
        clgrad_text_append(text, "); } \\\nstatic " CLGRAD_NOINLINE " void matmul_share(MM_SHARE) { \\\n    const mm_params *mm = &params;\n");
        return;
    }
    clgrad_text_append(text, "#define MM_ENTRY static " CLGRAD_NOINLINE " void %s(global const long *p, const long item_j, const long item_i, \\\n"
                             "    const long item_z, local MM_VECTOR *scratch, MM_OPERANDS MM_EPILOGUE_ARGS) { \\\n"
                             "    const mm_params params = *(global const mm_params *)p, *mm = &params; \\\n"
                             "    const epilogue e = *(global const epilogue *)(p + sizeof(mm_params) / sizeof(long));\n", d->function);
    for (size_t i = 0; i < CLGRAD_COUNT(part_names); i++)
        clgrad_text_append(text, "#define %s %s_%s\n", part_names[i], d->function, part_names[i]);
}

static void write_cpu(clgrad_text *text, const clgrad_matmul_desc *d, const clgrad_matmul_form *f)
{
    const int group = f->f64 ? 2 : 4; /* lanes in 16 bytes */
    write_entry(text, d, f);
    clgrad_text_append(text, "#define MM_GROUP %d\n#define MM_LANES %d\n#define MM_VECTORS %d\n#define MM_TILES %d\n#define MM_PACK %d\n"
                             "#define MM_SWAP %d\n#define MM_NARROW %d\n#define MM_PAD %d\n#define MM_APART %d\n#define MM_SHORT %d\n",
                       (int)f->lanes < group ? (int)f->lanes : group, (int)f->lanes, (int)f->vectors, (int)f->tiles, (int)f->pack, f->swap, f->narrow, f->pad, f->apart,
                       strlen(d->epilogue_v) < SHORT_TEXT);
    if (f->steps > 1) clgrad_text_append(text, "#define MM_STEPS _Pragma(\"unroll %d\")\n", (int)f->steps);
    else clgrad_text_append(text, "#define MM_STEPS\n");
    char vector[12];
    name_vector(f, vector, sizeof vector);
    clgrad_text_append(text, "#define MM_VECTOR %s\n", vector);
    clgrad_text_append(text, "#define MM_A_ROW %s\n#define MM_A_COL %s\n", d->a_row == 1 ? "1" : "mm->a_row",
                       d->a_col == 1 ? "1" : "mm->a_col");
    if (f->lanes == d->width && f->lanes > 1 && !f->swap) {
        write_macro(text, "MM_EPILOGUE_V", d->epilogue_v);
        if (d->touches && f->hints) write_macro(text, "MM_TOUCHES", d->touches);
    }
}

static void write_gpu(clgrad_text *text, const clgrad_matmul_desc *d, const clgrad_matmul_form *f)
{
    clgrad_text_append(text, "#define MM_COLUMNS %d\n#define MM_ITEMS_I %d\n#define MM_ITEMS_J %d\n", (int)f->columns, (int)f->items_i,
                       (int)f->items_j);
    clgrad_text_append(text, "#define MM_A_ALONG_Q %d\n#define MM_B_ALONG_Q %d\n", d->a_col == 1, d->b_row == 1 && d->b_col != 1);
}

static clgrad_status write_preamble(clgrad_context *ctx, const clgrad_matmul_desc *d, const clgrad_matmul_form *f, char **preamble)
{
    clgrad_text text = { .ctx = ctx };
    clgrad_text_append(&text, "#define MM_SCALAR %s\n#define MM_ROWS %d\n#define MM_DEPTH %d\n#define MM_CELL %d\n#define MM_LEVELS %d\n"
                              "#define MM_RANK %d\n#define MM_PAIR %d\n",
                       f->f64 ? "double" : "float", (int)f->rows, (int)f->depth, (int)f->cell, (int)f->levels, (int)d->num_batch,
                       f->pair);
    write_codec(&text, 'A', d->a_dtype, f->lanes);
    write_codec(&text, 'B', d->b_dtype, f->lanes);
    (f->gpu ? write_gpu : write_cpu)(&text, d, f);
    clgrad_text_append(&text, "%s%s\n%s\n", params_text, d->epilogue_params, d->helpers);
    write_macro(&text, "MM_EPILOGUE_ARGS", d->epilogue_args);
    write_macro(&text, "MM_EPILOGUE_S", d->epilogue_s);
    if (text.failed) {
        clgrad_text_release(&text);
        return CLGRAD_E_MEMORY;
    }
    *preamble = text.data;
    return CLGRAD_OK;
}

clgrad_status clgrad_matmul_write(clgrad_device *dev, const clgrad_matmul_desc *d, const clgrad_matmul_form *f, clgrad_matmul_launch *out)
{
    CLGRAD_TRY(write_preamble(clgrad_device_get_context(dev), d, f, &out->preamble));
    fill_params(d, clgrad_device_get_info(dev), f, out);
    return CLGRAD_OK;
}
