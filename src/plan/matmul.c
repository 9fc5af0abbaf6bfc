#include "plan/choice.h"
#include "plan/matmul_form.h"

#include <math.h>
#include <stdio.h>

/* Three steps: describe (normalise), decide (form), write (matmul_write.c). */

enum { PANEL_BYTES = 256 << 10, SHORT_PANEL_BYTES = 24 << 10, STATE_BYTES = 64 << 10, MAX_TILES = 128, MAX_CHUNK = 4 };

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

/* Largest power of two <= value; 1 for less. */
static int64_t power_below(int64_t value)
{
    int64_t power = 1;
    while (power <= value / 2) power *= 2;
    return power;
}

/* --- describe ------------------------------------------------------------------------------------------------------ */

/* The transposed product: c' = b' a'. */
static void exchange(clgrad_matmul_desc *d)
{
    const clgrad_matmul_desc s = *d;
    d->m = s.n, d->n = s.m;
    d->a_dtype = s.b_dtype, d->a_row = s.b_col, d->a_col = s.b_row, d->a_offset = s.b_offset;
    d->b_dtype = s.a_dtype, d->b_row = s.a_col, d->b_col = s.a_row, d->b_offset = s.a_offset;
    memcpy(d->a_batch, s.b_batch, sizeof d->a_batch);
    memcpy(d->b_batch, s.a_batch, sizeof d->b_batch);
    const clgrad_matmul_second *t = &s.second;
    d->second.a_row = t->b_col, d->second.a_col = t->b_row, d->second.a_offset = t->b_offset;
    d->second.b_row = t->a_col, d->second.b_col = t->a_row, d->second.b_offset = t->a_offset;
    memcpy(d->second.a_batch, t->b_batch, sizeof d->second.a_batch);
    memcpy(d->second.b_batch, t->a_batch, sizeof d->second.b_batch);
}

clgrad_matmul_desc clgrad_matmul_second_of(const clgrad_matmul_desc *desc)
{
    clgrad_matmul_desc other = *desc;
    const clgrad_matmul_second *t = &desc->second;
    other.k = t->k, other.a_row = t->a_row, other.a_col = t->a_col, other.a_offset = t->a_offset;
    other.b_row = t->b_row, other.b_col = t->b_col, other.b_offset = t->b_offset;
    memcpy(other.a_batch, t->a_batch, sizeof other.a_batch);
    memcpy(other.b_batch, t->b_batch, sizeof other.b_batch);
    other.second.there = false;
    return other;
}

static bool runs_on(const int64_t *stride, int32_t from, int32_t to, int64_t extent) { return stride[from] == stride[to] * extent; }

/* Leave out axes of one element and join axes that run on into each other, so that fewer programs serve more products. */
static void join_axes(clgrad_matmul_desc *d)
{
    int32_t kept = 0;
    for (int32_t x = 0; x < d->num_batch; x++) {
        if (d->batch_dims[x] == 1) continue;
        int64_t *const strides[] = { d->a_batch, d->b_batch, d->second.a_batch, d->second.b_batch };
        bool joins = kept > 0;
        for (int i = 0; i < 4 && joins; i++) joins = runs_on(strides[i], kept - 1, x, d->batch_dims[x]);
        const int32_t to = joins ? kept - 1 : kept++;
        d->batch_dims[to] = joins ? d->batch_dims[to] * d->batch_dims[x] : d->batch_dims[x];
        for (int i = 0; i < 4; i++) strides[i][to] = strides[i][x];
    }
    d->num_batch = kept;
}

static clgrad_status check(clgrad_device *dev, const clgrad_matmul_desc *d)
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    if (!clgrad_dtype_is_real(d->a_dtype) || !clgrad_dtype_is_real(d->b_dtype))
        return clgrad_fail(ctx, CLGRAD_E_DTYPE, "matmul: %s x %s is not a product of real matrices",
                           clgrad_dtype_name(d->a_dtype), clgrad_dtype_name(d->b_dtype));
    if ((d->a_dtype == CLGRAD_F64) != (d->b_dtype == CLGRAD_F64))
        return clgrad_fail(ctx, CLGRAD_E_DTYPE, "matmul: %s x %s: f64 multiplies f64 alone", clgrad_dtype_name(d->a_dtype),
                           clgrad_dtype_name(d->b_dtype));
    if (d->a_dtype == CLGRAD_F64 && !clgrad_device_get_info(dev)->fp64)
        return clgrad_fail(ctx, CLGRAD_E_UNSUPPORTED, "matmul: the device has no f64");
    if (d->m < 1 || d->n < 1 || d->k < 0 || d->cell < 0 || d->num_batch < 0 || d->num_batch > CLGRAD_MATMUL_AXES || clgrad_matmul_batches(d) < 1)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "matmul: an empty product, a negative size or more than %d batch axes", CLGRAD_MATMUL_AXES);
    return CLGRAD_OK;
}

/* --- decide ---------------------------------------------------------------------------------------------------------- */

/* Do the columns that are left by whole tiles fit one vector? */
static bool is_narrow(int64_t n, int64_t lanes, int64_t vectors)
{
    const int64_t rest = n % (vectors * lanes);
    return vectors > 1 && rest > 0 && rest <= lanes;
}

/* Vectors that a row of the tile holds: the most that repeats little work at the right edge. */
static int64_t choose_vectors(int64_t n, int64_t lanes, int64_t most)
{
    for (int64_t vectors = most; vectors > 1; vectors /= 2) {
        const int64_t whole = n / (vectors * lanes) * vectors, rest = n % (vectors * lanes);
        const int64_t computed = whole + (rest == 0 ? 0 : is_narrow(n, lanes, vectors) ? 1 : vectors);
        if (whole > 0 && 4 * computed <= 5 * clgrad_divide_up(n, lanes)) return vectors;
    }
    return 1;
}

/* Register tile of the CPU form. 32 registers (wide vectors) hold 8 x 2 or, where a's rows are neighbours and one pointer serves
 * them, 12 x 2 sums; 16 registers 6 x 2. Few rows: more vectors, since the chains must hide the latency of their sums. */
static void choose_tile(const clgrad_matmul_desc *d, int64_t lanes, clgrad_matmul_form *f)
{
    const bool wide = lanes >= (f->f64 ? 8 : 16);
    f->wide = wide;
    f->steps = wide ? 1 : 2;
    f->pad = d->m >= 32 && d->n < lanes && d->n > power_below(d->n);
    f->lanes = min_i64(lanes, power_below(d->n)) * (f->pad ? 2 : 1);
    f->vectors = choose_vectors(d->n, f->lanes, d->m == 1 ? 8 : d->m < 8 ? 4 : 2);
    const bool conflicts = d->a_row * (int64_t)clgrad_dtype_bytes(d->a_dtype) % 4096 == 0; /* 16 rows would be in one set of the cache */
    f->rows = d->m < 8 ? 4 : !wide ? 6 : f->vectors == 1 ? (conflicts ? 8 : 16) : d->a_row == 1 ? 12 : 8;
    if (f->rows > 8 && 10 * clgrad_divide_up(d->m, f->rows) * f->rows > 11 * clgrad_divide_up(d->m, 8) * 8) f->rows = 8; /* less repeated */
    if (wide && f->vectors == 2 && d->m > 8 && d->m < 15) f->rows = d->m; /* all at once: two tiles of 8 repeat up to 7 */
    else if (d->m < 2 * f->rows) f->rows = power_below(min_i64(d->m, 8)); /* few forms: each costs a build */
}

static clgrad_packing choose_packing(const clgrad_matmul_desc *d, const clgrad_matmul_form *f)
{
    if (d->n == 1) return CLGRAD_PACK_IN_PLACE;
    if (d->b_col != 1) return d->b_row == 1 && f->lanes > 1 ? CLGRAD_PACK_TRANSPOSED : CLGRAD_PACK_GATHERED;
    const int64_t reuse = clgrad_divide_up(d->shares ? d->share_rows : d->m, f->rows), enough = f->wide || d->k <= 128 ? 32 : 16;
    const bool conflicts = d->b_row * (int64_t)clgrad_dtype_bytes(d->b_dtype) % 1024 == 0; /* rows share few sets of the cache */
    const bool decodes = d->b_dtype == CLGRAD_F16 || d->b_dtype == CLGRAD_BF16;
    if (f->pad) return CLGRAD_PACK_COPIED;
    return (reuse >= enough || (reuse > 4 && conflicts) || (reuse > 1 && decodes)) && d->k > 1 ? CLGRAD_PACK_COPIED : CLGRAD_PACK_IN_PLACE;
}

/* Panels side by side, so that a tile's rows of a serve them all from the first cache. Wide vectors reach the arithmetic's limit with one. */
static void choose_chunk(const clgrad_matmul_desc *d, int64_t bytes, clgrad_matmul_form *f)
{
    const int64_t panel = f->depth * f->columns * (f->f64 ? 8 : 4) * (f->pair ? 2 : 1);
    f->chunk = 1;
    if (f->wide || f->pack == CLGRAD_PACK_IN_PLACE || d->m <= f->rows) return;
    while (f->chunk < MAX_CHUNK && f->chunk * f->columns < d->n && 2 * f->chunk * panel <= bytes) f->chunk *= 2;
}

/* Of two products, each has a panel, which holds all of it. */
static bool choose_pair(const clgrad_matmul_desc *d, size_t local_bytes, clgrad_matmul_form *f)
{
    const clgrad_matmul_desc other = clgrad_matmul_second_of(d);
    const clgrad_packing pack = choose_packing(&other, f);
    const int64_t scalar = f->f64 ? 8 : 4, k = max_i64(d->k, other.k);
    if (pack > f->pack) f->pack = pack;
    f->pair = true;
    f->tiles = 1;
    for (f->depth = 1; f->pack != CLGRAD_PACK_IN_PLACE && (f->depth < 128 || f->depth < k);) f->depth *= 2;
    choose_chunk(d, min_i64(PANEL_BYTES, (int64_t)local_bytes / 2), f);
    return f->depth * f->columns * scalar <= PANEL_BYTES &&
           (2 * f->depth * f->chunk + f->rows * f->levels) * f->columns * scalar <= (int64_t)local_bytes;
}

/* Depth of the packed panels, and the tiles whose state waits for the next ones. False: local memory is too small. */
static bool choose_depth(const clgrad_matmul_desc *d, size_t local_bytes, clgrad_matmul_form *f)
{
    const int64_t scalar = f->f64 ? 8 : 4, tile_bytes = f->rows * f->columns * scalar * f->levels;
    const int64_t most = d->m <= f->rows ? SHORT_PANEL_BYTES : PANEL_BYTES;
    f->depth = f->tiles = f->chunk = 1;
    if (f->pack == CLGRAD_PACK_IN_PLACE) return tile_bytes <= (int64_t)local_bytes;
    const int64_t enough = d->k <= 128 ? 128 : d->k <= 512 ? 512 : INT64_MAX; /* few depths: each costs a build */
    const int64_t deepest = power_below(min_i64(most, (int64_t)local_bytes / 2) / (f->columns * scalar));
    f->depth = min_i64(f->wide || d->m <= f->rows ? deepest : max_i64(deepest / MAX_CHUNK, 128), enough);
    if (f->cell) f->depth = max_i64(f->depth / f->cell, 1) * f->cell;
    choose_chunk(d, min_i64(most, (int64_t)local_bytes / 2), f);
    if (f->depth < d->k) f->tiles = max_i64(2, min_i64(MAX_TILES, min_i64(STATE_BYTES, (int64_t)local_bytes / 2) / tile_bytes));
    while (f->tiles > 1 && f->tiles < 2 * f->chunk) f->chunk /= 2;
    return f->depth * f->chunk * f->columns * scalar + f->tiles * tile_bytes <= (int64_t)local_bytes;
}

static void choose_cells(const clgrad_matmul_desc *d, clgrad_matmul_form *f)
{
    const int64_t k = d->second.there ? max_i64(d->k, d->second.k) : d->k, cells = d->cell ? clgrad_divide_up(k, d->cell) : 1;
    f->cell = cells > 1 ? d->cell : 0;
    f->levels = 1;
    if (cells > 1)
        for (f->levels = 4; cells >> f->levels; f->levels *= 2) continue;
}

/* Llvmpipe's and Oclgrind's compilers do not know the hint. */
static bool takes_hints(const clgrad_device_info *info)
{
    return info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1 && !strstr(info->quirks, "simulator");
}

/* A chosen tile where it fits the product; a share has the columns of the rules, and rows that it is a multiple of. */
static void take_tile(const clgrad_matmul_desc *d, const clgrad_matmul_choice *choice, clgrad_matmul_form *f)
{
    const bool fits = choice->rows <= 16 && choice->columns <= 8 && choice->rows <= d->m && choice->columns * f->lanes <= max_i64(d->n, f->lanes);
    if (!fits || (d->shares && (choice->columns != f->vectors || d->share_rows % choice->rows != 0))) return;
    f->rows = choice->rows, f->vectors = choice->columns;
    f->chosen = true;
    if (!d->shares) f->groups = choice->groups;
}

static void take_packing(const clgrad_matmul_desc *d, const clgrad_matmul_choice *choice, clgrad_matmul_form *f)
{
    const bool fits = choice->pack == CLGRAD_PACK_IN_PLACE ? d->b_col == 1 && !f->pad : choice->pack == CLGRAD_PACK_COPIED ? d->b_col == 1 && d->k > 1
                    : choice->pack == CLGRAD_PACK_TRANSPOSED ? d->b_row == 1 && f->lanes > 1 : choice->pack == CLGRAD_PACK_GATHERED && d->b_col != 1;
    if (fits && f->chosen && !d->shares && d->n > 1) f->pack = (clgrad_packing)choice->pack;
}

/* llvmpipe leaves every loop of a work-item once they have made 65,535 turns in all, and says nothing. There the CPU form gives each
 * group one tile, and a chain that is still too long is refused. */
static bool loops_break_off(const clgrad_device_info *info) { return strstr(info->quirks, "short-loops") != NULL; }

static bool decide_cpu(clgrad_matmul_desc *d, const clgrad_device_info *info, const clgrad_plan_options *options,
                       const clgrad_matmul_choice *choice, clgrad_matmul_form *f)
{
    int64_t lanes = f->f64 ? info->double_width : info->float_width;
    lanes = power_below(min_i64(options->width ? options->width : lanes, 16));
    f->swap = d->n < 4 && d->m >= 4 * d->n && lanes > 1;
    if (f->swap) exchange(d);
    choose_tile(d, lanes, f);
    if (options->tile_m) f->rows = min_i64(options->tile_m, d->m);
    if (options->tile_n) f->vectors = max_i64(1, min_i64(options->tile_n, d->n) / f->lanes);
    if (choice->form == CLGRAD_VARIANT_CPU) take_tile(d, choice, f);
    f->columns = f->lanes * f->vectors;
    f->narrow = is_narrow(d->n, f->lanes, f->vectors);
    f->apart = !f->wide && d->a_row != 1;
    choose_cells(d, f);
    f->pack = choose_packing(d, f);
    take_packing(d, choice, f);
    f->hints = takes_hints(info);
    f->short_loops = loops_break_off(info);
    return d->second.there ? choose_pair(d, info->local_bytes, f) : choose_depth(d, info->local_bytes, f);
}

/* 16 x 16 work-items of 4 x 4 sums where the product and the device are large enough; a line of work-items for a vector. */
static bool decide_gpu(const clgrad_matmul_desc *d, const clgrad_device_info *info, const clgrad_plan_options *options,
                       const clgrad_matmul_choice *choice, clgrad_matmul_form *f)
{
    const bool large = d->m >= 64 && d->n >= 64 && info->max_work_group >= 256;
    const int64_t side = large ? 16 : info->max_work_group >= 64 ? 8 : info->max_work_group >= 16 ? 4 : 1;
    f->items_i = d->m == 1 ? 1 : d->n == 1 ? side * side : side;
    f->items_j = d->n == 1 ? 1 : d->m == 1 ? side * side : side;
    f->rows = options->tile_m ? options->tile_m : d->m == 1 ? 1 : d->m <= 2 * side ? 2 : 4;
    f->columns = options->tile_n ? options->tile_n : d->n == 1 ? 1 : d->n <= 2 * side ? 2 : 4;
    f->lanes = f->vectors = f->tiles = f->chunk = 1;
    f->chosen = choice->form == CLGRAD_VARIANT_GPU && d->m > 1 && d->n > 1;
    if (f->chosen) f->rows = choice->rows, f->columns = choice->columns, f->items_i = choice->items_i, f->items_j = choice->items_j;
    choose_cells(d, f);
    const int64_t scalar = f->f64 ? 8 : 4, line = f->rows * f->items_i + f->columns * f->items_j + 2;
    f->depth = min_i64(f->chosen ? choice->depth : 16, power_below((int64_t)info->local_bytes / (line * scalar)));
    if (f->cell)
        while (f->cell % f->depth) f->depth--;
    return f->rows * f->columns <= 256 && (size_t)(f->items_i * f->items_j) <= info->max_work_group && f->depth * line * scalar <= (int64_t)info->local_bytes;
}

static int64_t most_turns(const clgrad_matmul_desc *d, const clgrad_matmul_form *f)
{
    const int64_t tile = f->rows * f->columns;
    return f->gpu ? clgrad_divide_up(d->k, f->depth) * (2 * f->depth + f->rows + f->columns) + tile : clgrad_matmul_steps(d) * (f->columns + 1) + 2 * tile;
}

/* A CPU device that prefers scalars vectorises over work-items itself, as llvmpipe does: the GPU form suits it. */
static bool is_cpu_form(const clgrad_device_info *info, const clgrad_plan_options *options)
{
    return options->matmul == CLGRAD_VARIANT_CPU ||
           (options->matmul == CLGRAD_VARIANT_AUTO && info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1);
}

static bool take_form(clgrad_matmul_desc *desc, const clgrad_device_info *info, const clgrad_plan_options *options,
                      const clgrad_matmul_choice *choice, clgrad_matmul_form *f)
{
    clgrad_matmul_desc d = *desc;
    *f = (clgrad_matmul_form){ .f64 = d.a_dtype == CLGRAD_F64 };
    f->gpu = choice->form == CLGRAD_VARIANT_GPU || (choice->form != CLGRAD_VARIANT_CPU && !is_cpu_form(info, options));
    const bool fits = f->gpu ? decide_gpu(&d, info, options, choice, f) : decide_cpu(&d, info, options, choice, f);
    if (fits || !f->chosen) *desc = d;
    return fits;
}

static clgrad_status decide(clgrad_device *dev, clgrad_matmul_desc *d, const clgrad_plan_options *options, clgrad_matmul_form *f)
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    clgrad_context *ctx = clgrad_device_get_context(dev);
    if (options->matmul == CLGRAD_VARIANT_CLBLAST)
        return clgrad_fail(ctx, CLGRAD_E_UNSUPPORTED, "matmul: CLBlast cannot serve this product");
    clgrad_matmul_choice choice;
    clgrad_matmul_choice_find(dev, d, options, &choice);
    bool fits = take_form(d, info, options, &choice, f);
    if (!fits && f->chosen) fits = take_form(d, info, options, &(clgrad_matmul_choice){ .pack = -1 }, f);
    if (fits && loops_break_off(info) && most_turns(d, f) > 60000)
        return clgrad_fail(ctx, CLGRAD_E_UNSUPPORTED, "matmul: a sum over %lld terms is longer than '%s' can loop",
                           (long long)d->k, info->name);
    if (fits) return CLGRAD_OK;
    return clgrad_fail(ctx, CLGRAD_E_UNSUPPORTED, "matmul: a tile of %lld x %lld and cells of %lld exceed %llu bytes of local memory",
                       (long long)f->rows, (long long)f->columns, (long long)f->cell, (unsigned long long)info->local_bytes);
}

static const clgrad_plan_options no_options = { 0 };

clgrad_status clgrad_matmul_choose(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options,
                                   clgrad_matmul_launch *out)
{
    *out = (clgrad_matmul_launch){ 0 };
    clgrad_matmul_desc d = *desc;
    clgrad_matmul_form f;
    CLGRAD_TRY(check(dev, &d));
    join_axes(&d);
    CLGRAD_TRY(decide(dev, &d, options ? options : &no_options, &f));
    CLGRAD_TRY(clgrad_matmul_write(dev, &d, &f, out));
    out->file = f.gpu ? "matmul_gpu.cl" : "panel.cl";
    out->walk = f.gpu ? NULL : "matmul_cpu.cl";
    snprintf(out->variant, sizeof out->variant, "%s %dx%d%s", f.gpu ? "matmul_gpu" : "matmul_cpu", (int)f.rows, (int)f.columns, f.chosen ? " tuned" : "");
    return CLGRAD_OK;
}

static bool describe_form(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options, clgrad_matmul_form *f)
{
    clgrad_matmul_desc d = *desc;
    if (check(dev, &d) != CLGRAD_OK) return false;
    join_axes(&d);
    return decide(dev, &d, options ? options : &no_options, f) == CLGRAD_OK;
}

bool clgrad_matmul_is_cpu(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options)
{
    clgrad_matmul_form f;
    return describe_form(dev, desc, options, &f) && !f.gpu;
}

double clgrad_matmul_share_cost(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options, int64_t *multiple)
{
    const double copied_per_us = 8e3, transposed_per_us = 4e3;
    clgrad_matmul_desc d = *desc;
    clgrad_matmul_form whole, f;
    *multiple = 1;
    if (!describe_form(dev, &d, options, &whole)) return INFINITY;
    d.shares = 1, d.share_rows = 16;
    if (!describe_form(dev, &d, options, &f) || f.gpu || f.swap || f.tiles > 1) return INFINITY;
    *multiple = f.rows;
    const clgrad_packing pack = f.pack == CLGRAD_PACK_IN_PLACE ? whole.pack : f.pack; /* where shares are too short for packing, doing without costs as much */
    const double elements = (double)clgrad_matmul_steps(&d) * (double)d.n;
    return pack == CLGRAD_PACK_IN_PLACE ? 0 : elements / (pack == CLGRAD_PACK_COPIED ? copied_per_us : transposed_per_us);
}

bool clgrad_matmul_by_clblast(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options)
{
    clgrad_matmul_desc d = *desc;
    clgrad_matmul_choice choice;
    join_axes(&d);
    clgrad_matmul_choice_find(dev, &d, options, &choice);
    return choice.form == CLGRAD_VARIANT_CLBLAST && clgrad_clblast_can(dev, desc);
}

bool clgrad_matmul_pairs(clgrad_device *dev, const clgrad_plan_options *options)
{
    return is_cpu_form(clgrad_device_get_info(dev), options ? options : &no_options);
}

/* One text serves both, so that what it takes as known must hold for both. */
bool clgrad_matmul_can_pair(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options)
{
    const clgrad_matmul_second *t = &desc->second;
    clgrad_matmul_desc d = *desc;
    clgrad_matmul_form f;
    const bool alike = (d.a_row == 1) == (t->a_row == 1) && (d.a_col == 1) == (t->a_col == 1) && (d.b_row == 1) == (t->b_row == 1) &&
                       (d.b_col == 1) == (t->b_col == 1);
    if (!alike || !clgrad_matmul_pairs(dev, options) || check(dev, &d) != CLGRAD_OK) return false;
    join_axes(&d);
    clgrad_kept_error kept;
    clgrad_error_keep(clgrad_device_get_context(dev), &kept);
    const bool fits = decide(dev, &d, options ? options : &no_options, &f) == CLGRAD_OK;
    clgrad_error_put_back(clgrad_device_get_context(dev), &kept);
    return fits;
}

uint32_t clgrad_matmul_width(clgrad_device *dev, const clgrad_matmul_desc *desc, const clgrad_plan_options *options)
{
    clgrad_matmul_desc d = *desc;
    clgrad_matmul_form f;
    if (check(dev, &d) != CLGRAD_OK) return 1;
    join_axes(&d);
    return decide(dev, &d, options ? options : &no_options, &f) == CLGRAD_OK && !f.gpu && !f.swap && !f.pad ? (uint32_t)f.lanes : 1;
}

void clgrad_matmul_launch_release(clgrad_context *ctx, clgrad_matmul_launch *launch)
{
    clgrad_free(ctx, launch->preamble);
    *launch = (clgrad_matmul_launch){ 0 };
}
