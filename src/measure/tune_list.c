/* Candidates of the tuner. Tiles are those that registers hold: 32 of wide vectors, 16 of narrow ones. */

#include "measure/tune.h"
#include "plan/choice.h"

#include <stdio.h>

typedef struct tile {
    int64_t rows, columns;
} tile;

static const tile wide_tiles[] = { { 8, 2 }, { 12, 2 }, { 16, 1 }, { 14, 2 }, { 6, 4 }, { 4, 4 }, { 8, 1 }, { 5, 4 } };
static const tile narrow_tiles[] = { { 6, 2 }, { 4, 2 }, { 12, 1 }, { 8, 1 }, { 3, 4 }, { 5, 2 } };
static const tile flat_tiles[] = { { 4, 4 }, { 2, 4 }, { 1, 8 }, { 2, 8 }, { 4, 2 }, { 4, 1 }, { 1, 4 } }; /* fewer than 8 rows */

typedef struct listing {
    clgrad_tune_text *texts;
    size_t count;
} listing;

static void add(listing *l, const clgrad_matmul_choice *choice)
{
    if (l->count < CLGRAD_TUNE_CANDIDATES) clgrad_matmul_choice_write(choice, l->texts[l->count++]);
}

/* In place and packed, or transposed: whatever can be. */
static void add_tile(listing *l, const clgrad_product *p, tile of, int64_t lanes)
{
    enum { IN_PLACE, COPIED, TRANSPOSED };
    if (of.rows > p->m || of.columns * lanes > (p->n > lanes ? p->n : lanes)) return;
    clgrad_matmul_choice c = { .form = CLGRAD_VARIANT_CPU, .rows = of.rows, .columns = of.columns };
    c.pack = p->b_turned ? TRANSPOSED : IN_PLACE;
    add(l, &c);
    c.pack = COPIED;
    if (!p->b_turned && p->m > of.rows) add(l, &c);
}

static void add_cpu(listing *l, const clgrad_product *p, int64_t lanes)
{
    const bool wide = lanes >= (p->a_dtype == CLGRAD_F64 ? 8 : 16);
    const tile *tiles = p->m < 8 ? flat_tiles : wide ? wide_tiles : narrow_tiles;
    const size_t count = p->m < 8 ? CLGRAD_COUNT(flat_tiles) : wide ? CLGRAD_COUNT(wide_tiles) : CLGRAD_COUNT(narrow_tiles);
    while (lanes > p->n) lanes /= 2;
    if (wide && p->m >= 5 && p->m < 16) add_tile(l, p, (tile){ p->m, 2 }, lanes); /* all rows at once */
    for (size_t i = 0; i < count; i++)
        if (tiles[i].rows != p->m || tiles[i].columns != 2) add_tile(l, p, tiles[i], lanes);
}

static void add_gpu(listing *l)
{
    static const int64_t shapes[][5] = { /* rows, columns, work-items, depth */
        { 4, 4, 16, 16, 8 },  { 8, 8, 16, 16, 8 }, { 8, 8, 16, 16, 16 }, { 4, 8, 16, 16, 16 }, { 8, 4, 16, 16, 16 },
        { 4, 4, 16, 16, 32 }, { 8, 8, 8, 8, 16 },  { 4, 4, 8, 8, 16 },   { 2, 2, 16, 16, 16 }, { 6, 6, 16, 16, 16 },
    };
    for (size_t i = 0; i < CLGRAD_COUNT(shapes); i++)
        add(l, &(clgrad_matmul_choice){ .form = CLGRAD_VARIANT_GPU, .rows = shapes[i][0], .columns = shapes[i][1], .pack = -1,
                                        .items_i = shapes[i][2], .items_j = shapes[i][3], .depth = shapes[i][4] });
}

size_t clgrad_tune_list(clgrad_device *dev, const clgrad_product *product, bool providers, clgrad_tune_text list[CLGRAD_TUNE_CANDIDATES])
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    const bool f64 = product->a_dtype == CLGRAD_F64;
    listing l = { list, 0 };
    add(&l, &(clgrad_matmul_choice){ .form = CLGRAD_VARIANT_AUTO, .pack = -1 });
    if (providers) add(&l, &(clgrad_matmul_choice){ .form = CLGRAD_VARIANT_CLBLAST, .pack = -1 });
    if (info->kind == CLGRAD_DEVICE_CPU && info->float_width > 1) add_cpu(&l, product, f64 ? info->double_width : info->float_width);
    else if (product->m > 1 && product->n > 1) add_gpu(&l);
    return l.count;
}

size_t clgrad_tune_divisions(const char *best, clgrad_tune_text list[CLGRAD_TUNE_CANDIDATES])
{
    static const int64_t groups[] = { 1, 2, 4, 16 };
    clgrad_matmul_choice choice;
    listing l = { list, 0 };
    if (!clgrad_matmul_choice_read(best, &choice) || choice.form != CLGRAD_VARIANT_CPU) return 0;
    for (size_t i = 0; i < CLGRAD_COUNT(groups); i++) {
        choice.groups = groups[i];
        add(&l, &choice);
    }
    return l.count;
}
