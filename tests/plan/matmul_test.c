/* The matrix product templates alone, against a triple loop in C that follows the order of the sums word for word. */

#include "plan/matmul.h"
#include "plan_case.h"
#include "plan_test.h"
#include "support/cl_join.h"
#include "support/device.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { GUARD = 67, MARGIN = 5 }; /* untouched elements around the output; elements before and after the operands */

typedef enum ending { PLAIN, BIAS_RELU, IN_PLACE_SUM } ending;

/* "256x17x33 tn cell=256": one product. */
typedef struct problem {
    int64_t m, n, k;
    const char *layout; /* nn nt tn tt; nx: b's strides are neither 1 */
    clgrad_dtype dtype;
    int64_t cell;
    int64_t batch[2]; /* b is shared along the first batch axis, a along the second; 0: no such axis */
    ending end;
    clgrad_plan_options options;
} problem;

typedef struct operands {
    clgrad_matmul_desc desc;
    int64_t batches, num_a, num_b, num_c;
    void *a, *b;           /* encoded */
    double *a_values, *b_values;
    float *bias;
    unsigned char *c, *want; /* with guards */
} operands;

static const char *describe(const problem *p)
{
    static char text[200];
    snprintf(text, sizeof text, "matmul:%s:%lldx%lldx%lld:%s:cell=%lld:batch=%lldx%lld:end=%d:variant=%d:tile=%ux%u:width=%u",
             clgrad_dtype_name(p->dtype), (long long)p->m, (long long)p->n, (long long)p->k, p->layout, (long long)p->cell,
             (long long)p->batch[0], (long long)p->batch[1], (int)p->end, (int)p->options.matmul, p->options.tile_m,
             p->options.tile_n, p->options.width);
    return text;
}

static bool is_oclgrind(void) { return strcmp(clgrad_device_get_info(test_device())->platform, "Oclgrind") == 0; }

/* Values of mixed sign, many of which make inexact products. */
static double *make_values(int64_t count, uint32_t stream, clgrad_dtype dtype, void **encoded)
{
    clgrad_context *ctx = test_context();
    double *values = clgrad_alloc(ctx, (size_t)count, sizeof *values);
    *encoded = clgrad_alloc(ctx, (size_t)count, clgrad_dtype_bytes(dtype));
    ck_assert(values && *encoded);
    for (int64_t i = 0; i < count; i++) values[i] = 4.0 * (double)clgrad_random_uniform(7, stream, 0, (uint64_t)i) - 2.0;
    clgrad_convert(dtype, *encoded, CLGRAD_F64, values, (size_t)count);
    clgrad_convert(CLGRAD_F64, values, dtype, *encoded, (size_t)count);
    return values;
}

static void set_batch(const problem *p, operands *o)
{
    clgrad_matmul_desc *d = &o->desc;
    o->batches = 1;
    int64_t a_step = p->m * p->k, b_step = o->num_b - 2 * MARGIN;
    for (int x = 0; x < 2; x++) {
        if (p->batch[x] == 0) continue;
        const int32_t to = d->num_batch++;
        d->batch_dims[to] = p->batch[x];
        d->a_batch[to] = x == 0 ? a_step : 0;
        d->b_batch[to] = x == 1 ? b_step : 0;
        o->batches *= p->batch[x];
        if (x == 0) o->num_a += (p->batch[x] - 1) * a_step;
        else o->num_b += (p->batch[x] - 1) * b_step;
    }
}

static operands make_operands(const problem *p)
{
    operands o = { .num_a = p->m * p->k + 2 * MARGIN, .num_b = p->n * p->k * (p->layout[1] == 'x' ? 6 : 1) + 2 * MARGIN };
    const bool ta = p->layout[0] == 't', tb = p->layout[1] == 't', gaps = p->layout[1] == 'x';
    o.desc = (clgrad_matmul_desc){ .a_dtype = p->dtype, .b_dtype = p->dtype, .m = p->m, .n = p->n, .k = p->k, .cell = p->cell,
                                   .a_row = ta ? 1 : p->k, .a_col = ta ? p->m : 1, .a_offset = MARGIN, .b_row = tb ? 1 : p->n,
                                   .b_col = tb ? p->k : 1, .b_offset = MARGIN, .helpers = "" };
    if (gaps) o.desc.b_row = 3 * p->n, o.desc.b_col = -2, o.desc.b_offset = MARGIN + 2 * p->n;
    set_batch(p, &o);
    o.num_c = o.batches * p->m * p->n;
    o.a_values = make_values(o.num_a, 1, p->dtype, &o.a);
    o.b_values = make_values(o.num_b, 2, p->dtype, &o.b);
    void *bias = NULL;
    double *bias_values = make_values(p->n, 3, CLGRAD_F32, &bias);
    clgrad_free(test_context(), bias_values);
    o.bias = bias;
    const size_t scalar = p->dtype == CLGRAD_F64 ? 8 : 4;
    o.c = clgrad_alloc(test_context(), (size_t)o.num_c + 2 * GUARD, scalar);
    o.want = clgrad_alloc(test_context(), (size_t)o.num_c + 2 * GUARD, scalar);
    ck_assert(o.c && o.want);
    memset(o.want, 0xff, ((size_t)o.num_c + 2 * GUARD) * scalar); /* NaN */
    return o;
}

static void release_operands(operands *o)
{
    clgrad_context *ctx = test_context();
    clgrad_free(ctx, o->a), clgrad_free(ctx, o->b), clgrad_free(ctx, o->a_values), clgrad_free(ctx, o->b_values);
    clgrad_free(ctx, o->bias), clgrad_free(ctx, o->c), clgrad_free(ctx, o->want);
}

/* --- the oracle ---------------------------------------------------------------------------------------------------- */

static double multiply_add(double a, double b, double c, bool f64, bool fused)
{
    if (f64) return fused ? fma(a, b, c) : a * b + c;
    if (fused) return fmaf((float)a, (float)b, (float)c);
    return (float)a * (float)b + (float)c;
}

static double add(double a, double b, bool f64) { return f64 ? a + b : (float)a + (float)b; }

static double sum_chain(const operands *o, int64_t a, int64_t b, int64_t count, bool fused)
{
    const clgrad_matmul_desc *d = &o->desc;
    double acc = 0;
    for (int64_t q = 0; q < count; q++)
        acc = multiply_add(o->a_values[a + q * d->a_col], o->b_values[b + q * d->b_row], acc, d->a_dtype == CLGRAD_F64, fused);
    return acc;
}

/* Halves at the largest power of two of cells below their number: neighbouring pairs, an odd one passing through. */
static double sum_cells(const operands *o, int64_t a, int64_t b, int64_t count, bool fused)
{
    const clgrad_matmul_desc *d = &o->desc;
    if (d->cell == 0 || count <= d->cell) return sum_chain(o, a, b, count, fused);
    int64_t left = d->cell;
    while (2 * left < count) left *= 2;
    return add(sum_cells(o, a, b, left, fused), sum_cells(o, a + left * d->a_col, b + left * d->b_row, count - left, fused),
               d->a_dtype == CLGRAD_F64);
}

static double finish_element(const problem *p, const operands *o, double sum, int64_t j, double before)
{
    const bool f64 = p->dtype == CLGRAD_F64;
    if (p->end == IN_PLACE_SUM) return add(sum, before, f64);
    if (p->end == PLAIN) return sum;
    const double y = add(sum, (double)o->bias[j], f64);
    return y > 0 ? y : 0;
}

static double get(const unsigned char *c, int64_t i, bool f64)
{
    double d;
    float f;
    memcpy(&d, c + 8 * i * f64, f64 ? 8 : 0);
    memcpy(&f, c + 4 * i * !f64, f64 ? 0 : 4);
    return f64 ? d : (double)f;
}

static void set(unsigned char *c, int64_t i, double value, bool f64)
{
    const float f = (float)value;
    if (f64) memcpy(c + 8 * i, &value, 8);
    else memcpy(c + 4 * i, &f, 4);
}

static void compute_wanted(const problem *p, operands *o, bool fused)
{
    const clgrad_matmul_desc *d = &o->desc;
    const int64_t inner = d->num_batch ? d->batch_dims[d->num_batch - 1] : 1;
    for (int64_t c = 0; c < o->num_c; c++) {
        const int64_t z = c / (p->m * p->n), i = c / p->n % p->m, j = c % p->n;
        int64_t a = d->a_offset + i * d->a_row, b = d->b_offset + j * d->b_col;
        if (d->num_batch) a += z % inner * d->a_batch[d->num_batch - 1], b += z % inner * d->b_batch[d->num_batch - 1];
        if (d->num_batch == 2) a += z / inner * d->a_batch[0], b += z / inner * d->b_batch[0];
        const bool f64 = p->dtype == CLGRAD_F64;
        set(o->want, GUARD + c, finish_element(p, o, sum_cells(o, a, b, p->k, fused), j, get(o->want, GUARD + c, f64)), f64);
    }
}

/* --- the device ----------------------------------------------------------------------------------------------------- */

typedef struct texts {
    char params[100], args[100], vector[400], scalar[400];
} texts;

/* arg0[GUARD + index] = acc with the chosen ending, for `width` lanes; macros and several lines on purpose. */
static void write_ending(const problem *p, uint32_t width, char *out, size_t bytes)
{
    const char *const real = p->dtype == CLGRAD_F64 ? "double" : "float";
    char lanes[12] = "", at[80] = "e.base + (z * e.m + i) * e.n + j";
    if (width > 1) snprintf(lanes, sizeof lanes, "%u", width);
    char load[120], store[160], bias[120];
    snprintf(load, sizeof load, width > 1 ? "vload%s(0, arg0 + %s)" : "%sarg0[%s]", lanes, at);
    snprintf(store, sizeof store, width > 1 ? "vstore%s(acc, 0, arg0 + %s);" : "%sarg0[%s] = acc;", lanes, at);
    snprintf(bias, sizeof bias, width > 1 ? "convert_%s%s(vload%s(0, arg1 + j))" : "(%s%s)arg1[j%s]", real, lanes, width > 1 ? lanes : "");
    if (p->end == BIAS_RELU) snprintf(out, bytes, "acc += %s;\nacc = fmax(acc, (%s%s)(0));\n%s", bias, real, lanes, store);
    else if (p->end == IN_PLACE_SUM) snprintf(out, bytes, "acc += %s;\n%s", load, store);
    else snprintf(out, bytes, "%s", store);
}

static void write_epilogue(const problem *p, clgrad_matmul_desc *d, texts *t)
{
    snprintf(t->params, sizeof t->params, "typedef struct {\n    long base, m, n;\n} epilogue;");
    snprintf(t->args, sizeof t->args, ",\n global %s *arg0, global const float *arg1", p->dtype == CLGRAD_F64 ? "double" : "float");
    d->width = clgrad_matmul_width(test_device(), d, &p->options);
    write_ending(p, d->width, t->vector, sizeof t->vector);
    write_ending(p, 1, t->scalar, sizeof t->scalar);
    d->epilogue_params = t->params, d->epilogue_args = t->args, d->num_epilogue_args = 2, d->epilogue_v = t->vector, d->epilogue_s = t->scalar;
}

static clgrad_buffer *upload(const void *data, size_t bytes)
{
    clgrad_buffer *buffer = NULL;
    ck_assert_int_eq(clgrad_buffer_create(test_device(), bytes, &buffer), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_write(buffer, 0, data, bytes), CLGRAD_OK);
    return buffer;
}

static void launch(const problem *p, operands *o, const clgrad_matmul_launch *l)
{
    const size_t bytes = clgrad_dtype_bytes(p->dtype), c_bytes = ((size_t)o->num_c + 2 * GUARD) * (p->dtype == CLGRAD_F64 ? 8 : 4);
    clgrad_buffer *buffers[] = { upload(o->a, (size_t)o->num_a * bytes), upload(o->b, (size_t)o->num_b * bytes),
                                 upload(o->want, c_bytes), upload(o->bias, (size_t)p->n * sizeof *o->bias) };
    const int64_t e[] = { GUARD, p->m, p->n };
    clgrad_kernel *kernel = NULL;
    const clgrad_kernel_source source = { .file = l->file, .walk = l->walk, .preamble = l->preamble, .name = "matmul" };
    clgrad_status status = clgrad_kernel_create(test_device(), &source, &kernel);
    ck_assert_msg(status == CLGRAD_OK, "%s: %s", describe(p), clgrad_error_text(test_context()));
    ck_assert_int_eq(clgrad_kernel_set_bytes(kernel, 0, l->params, l->params_bytes), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_bytes(kernel, 1, e, sizeof e), CLGRAD_OK);
    for (uint32_t i = 0; i < 4; i++) ck_assert_int_eq(clgrad_kernel_set_buffer(kernel, 2 + i, buffers[i]), CLGRAD_OK);
    status = clgrad_kernel_launch(kernel, l->dims, l->global, l->local, l->variant);
    ck_assert_msg(status == CLGRAD_OK, "%s: %s", describe(p), clgrad_error_text(test_context()));
    ck_assert_int_eq(clgrad_buffer_read(buffers[2], 0, o->c, c_bytes), CLGRAD_OK);
    clgrad_kernel_release(&kernel);
    for (int i = 0; i < 4; i++) clgrad_buffer_release(&buffers[i]);
}

/* Elements, guards included, whose bits are not the wanted ones. */
static int64_t count_wrong(const problem *p, const operands *o)
{
    const size_t scalar = p->dtype == CLGRAD_F64 ? 8 : 4;
    int64_t wrong = 0;
    for (int64_t c = 0; c < o->num_c + 2 * GUARD; c++)
        wrong += memcmp(o->c + (size_t)c * scalar, o->want + (size_t)c * scalar, scalar) != 0;
    return wrong;
}

static void run_problem(const problem *p, operands *o)
{
    clgrad_matmul_launch l;
    texts t;
    write_epilogue(p, &o->desc, &t);
    const clgrad_status status = clgrad_matmul_choose(test_device(), &o->desc, &p->options, &l);
    ck_assert_msg(status == CLGRAD_OK, "%s: %s", describe(p), clgrad_error_text(test_context()));
    if (p->end == IN_PLACE_SUM)
        for (int64_t c = 0; c < o->num_c; c++) set(o->want, GUARD + c, (double)(c % 13) - 6, p->dtype == CLGRAD_F64);
    launch(p, o, &l);
    clgrad_matmul_launch_release(test_context(), &l);
}

static void check_problem(problem p)
{
    clgrad_device *dev = test_device();
    if (p.dtype == CLGRAD_F64 && !clgrad_device_get_info(dev)->fp64) return;
    if (is_oclgrind() && p.m * p.n * p.k > 30000) return; /* a second each */
    operands o = make_operands(&p);
    run_problem(&p, &o);
    if (!test_join_noting()) {
        compute_wanted(&p, &o, clgrad_device_fused(dev));
        ck_assert_msg(count_wrong(&p, &o) == 0, "%s: %lld elements differ", describe(&p), (long long)count_wrong(&p, &o));
    }
    release_operands(&o);
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static const char *const layouts[] = { "nn", "nt", "tn", "tt" };
static const clgrad_variant variants[] = { CLGRAD_VARIANT_CPU, CLGRAD_VARIANT_GPU };

/* Builds are what these tests cost (0.1 to 2 s each), so what plans do not choose by themselves on the device takes half the problems. */
static bool is_wanted(clgrad_variant variant, size_t number)
{
    const bool own = (variant == CLGRAD_VARIANT_CPU) == clgrad_matmul_pairs(test_device(), NULL);
    return test_is_long() || own || number % 2 == 0;
}

/* The long form has all pairs of sizes, the usual one two partners for each. */
START_TEST(odd_sizes_in_every_layout)
{
    if (!test_device()) return;
    static const int64_t sizes[] = { 1, 3, 17, 31, 32, 33, 100, 257 };
    for (size_t i = 0; i < CLGRAD_COUNT(sizes); i++)
        for (size_t j = 0; j < CLGRAD_COUNT(sizes); j++)
            for (size_t t = 0; t < CLGRAD_COUNT(layouts); t++) {
                if (!test_is_long() && (t % 2 != i % 2 || j != (3 * i + 2 * t) % CLGRAD_COUNT(sizes))) continue;
                if (!is_wanted(variants[_i], i / 2 + t / 2)) continue;
                check_problem((problem){ sizes[i], sizes[j], sizes[(i + j + t) % CLGRAD_COUNT(sizes)], layouts[t],
                                         .options = { .matmul = variants[_i] } });
            }
}
END_TEST

START_TEST(types_endings_batches_cells)
{
    if (!test_device()) return;
    const problem problems[] = {
        { 9, 40, 20, "nn", .dtype = CLGRAD_F64 },
        { 9, 21, 40, "nt", .dtype = CLGRAD_F64, .cell = 16, .end = BIAS_RELU },
        { 33, 40, 20, "nn", .dtype = CLGRAD_F16 },
        { 5, 20, 40, "tt", .dtype = CLGRAD_F16, .end = BIAS_RELU },
        { 33, 40, 20, "tn", .dtype = CLGRAD_BF16 },
        { 20, 1, 17, "nt", .dtype = CLGRAD_BF16 },
        { 17, 10, 30, "nn", .end = BIAS_RELU },
        { 30, 35, 12, "nn", .end = IN_PLACE_SUM },
        { 50, 2, 12, "nt", .end = IN_PLACE_SUM },
        { 6, 37, 9, "nx" },
        { 6, 19, 300, "tx", .dtype = CLGRAD_F16 },
        { 4, 5, 0, "nn", .end = BIAS_RELU },
        { 7, 9, 11, "nn", .batch = { 3 } },
        { 7, 9, 11, "tt", .batch = { 0, 4 }, .end = IN_PLACE_SUM },
        { 8, 20, 5, "nt", .batch = { 3, 5 }, .end = BIAS_RELU },
        { 300, 65, 70, "nn", .batch = { 5 } },
        { 5, 7, 512, "nn", .cell = 256 },
        { 3, 18, 700, "nt", .cell = 256 },
        { 13, 3, 1300, "tn", .cell = 256, .end = IN_PLACE_SUM },
        { 10, 17, 255, "tn", .cell = 256 },
        { 18, 17, 257, "tt", .cell = 256, .batch = { 2 } },
        { 20, 33, 100, "nn", .cell = 8, .dtype = CLGRAD_F16 },
        { 2, 33, 3000, "nt" },  /* the panel does not hold all of k */
        { 20, 33, 5000, "nt" },
        { 20, 33, 5000, "nt", .cell = 256 },
        { 1, 300, 1500, "nt", .cell = 256 },
        { 40, 130, 600, "nn", .batch = { 2, 2 } },
        { 40, 10, 300, "nn", .end = BIAS_RELU }, /* fewer columns than lanes, from here on */
        { 64, 10, 50, "nt", .batch = { 2 } },
        { 33, 13, 20, "tn", .batch = { 0, 2 }, .end = IN_PLACE_SUM },
        { 50, 5, 40, "tt" },
        { 48, 9, 30, "nx" },
        { 40, 5, 33, "nn", .dtype = CLGRAD_F64 },
        { 40, 10, 50, "nn", .dtype = CLGRAD_BF16 },
        { 100, 11, 700, "nt", .cell = 256 },
        { 40, 10, 1, "nn" },
        { 40, 10, 0, "nn" },
        { 36, 10, 5000, "nt" },
    };
    for (size_t i = 0; i < CLGRAD_COUNT(problems); i++) {
        problem p = problems[i];
        if (!is_wanted(variants[_i], i)) continue;
        p.options.matmul = variants[_i];
        check_problem(p);
    }
}
END_TEST

/* A choice of b in place, made for another size of the bucket, cannot hold where columns are fewer than lanes. */
START_TEST(chosen_packing_of_few_columns)
{
    if (test_device()) check_problem((problem){ 40, 10, 30, "nn", .options = { .matmul_choice = "cpu rows=8 columns=1 pack=0" } });
}
END_TEST

/* The same bits, whatever the tile and the vector width. */
START_TEST(forced_tiles_and_widths)
{
    if (!test_device()) return;
    static const clgrad_plan_options forced[] = {
        { .matmul = CLGRAD_VARIANT_CPU, .tile_m = 1, .tile_n = 1, .width = 1 }, { .matmul = CLGRAD_VARIANT_CPU, .width = 2 },
        { .matmul = CLGRAD_VARIANT_CPU, .width = 4, .tile_m = 5 },              { .matmul = CLGRAD_VARIANT_CPU, .width = 8, .tile_n = 24 },
        { .matmul = CLGRAD_VARIANT_CPU, .width = 16, .tile_m = 14, .tile_n = 32 }, { .matmul = CLGRAD_VARIANT_GPU, .tile_m = 1, .tile_n = 1 },
        { .matmul = CLGRAD_VARIANT_GPU, .tile_m = 2, .tile_n = 4 },
    };
    const uint32_t widest = clgrad_device_get_info(test_device())->float_width < 2 ? 4 : 16; /* llvmpipe needs minutes for more */
    for (size_t i = 0; i < CLGRAD_COUNT(forced); i++) {
        if (forced[i].width > widest) continue;
        check_problem((problem){ 29, 34, 27, "nn", .options = forced[i], .end = BIAS_RELU });
        check_problem((problem){ 29, 34, 27, "nt", .options = forced[i], .cell = 8, .end = IN_PLACE_SUM });
    }
}
END_TEST

/* The comparison sees another order of the sum, another rounding, a missing and a stray store. */
START_TEST(negative_controls)
{
    if (!test_device() || test_join_noting()) return;
    problem p = { 8, 17, 60, "nn", .cell = 16 };
    operands o = make_operands(&p);
    run_problem(&p, &o);
    o.desc.cell = 0;
    compute_wanted(&p, &o, clgrad_device_fused(test_device()));
    ck_assert_int_gt(count_wrong(&p, &o), 20);
    o.desc.cell = 16;
    compute_wanted(&p, &o, !clgrad_device_fused(test_device()));
    ck_assert_int_gt(count_wrong(&p, &o), 20);
    compute_wanted(&p, &o, clgrad_device_fused(test_device()));
    ck_assert_int_eq(count_wrong(&p, &o), 0);
    memset(o.c + (size_t)(GUARD + o.num_c) * 4, 0, 4);
    memset(o.c + (size_t)GUARD * 4, 0xff, 4);
    ck_assert_int_eq(count_wrong(&p, &o), 2);
    release_operands(&o);
}
END_TEST

/* CLBlast is kept out of Oclgrind, and compiles through no table of ours. */
static bool has_clblast_tests(void) { return test_device() && !is_oclgrind() && !test_join_noting(); }

/* CLBlast's sums may differ by what a sum of k terms can: elements further from the wanted ones than k ulp of the sum of
 * magnitudes, and guards that changed. `terms` of the wanted sum are left out: the negative control. */
static int64_t count_beyond_bound(const problem *p, operands *o, int64_t terms)
{
    const bool f64 = p->dtype == CLGRAD_F64, fused = clgrad_device_fused(test_device());
    problem shorter = *p;
    shorter.k -= terms;
    memset(o->want, 0xff, ((size_t)o->num_c + 2 * GUARD) * (f64 ? 8 : 4));
    compute_wanted(&shorter, o, fused);
    operands magnitudes = make_operands(p);
    for (int64_t i = 0; i < o->num_a; i++) magnitudes.a_values[i] = fabs(o->a_values[i]);
    for (int64_t i = 0; i < o->num_b; i++) magnitudes.b_values[i] = fabs(o->b_values[i]);
    compute_wanted(p, &magnitudes, fused);
    int64_t beyond = 0;
    for (int64_t c = 0; c < o->num_c + 2 * GUARD; c++) {
        const bool guard = c < GUARD || c >= GUARD + o->num_c;
        const double bound = guard ? 0 : (double)p->k * (f64 ? 0x1p-52 : 0x1p-23) * get(magnitudes.want, c, f64);
        if (guard) beyond += memcmp(o->c + c * (f64 ? 8 : 4), o->want + c * (f64 ? 8 : 4), f64 ? 8 : 4) != 0;
        else beyond += !(fabs(get(o->c, c, f64) - get(o->want, c, f64)) <= bound);
    }
    release_operands(&magnitudes);
    return beyond;
}

START_TEST(clblast_within_its_bound)
{
    if (!has_clblast_tests()) return;
    const problem problems[] = {
        { 17, 33, 20, "nn" }, { 33, 17, 40, "nt" }, { 31, 5, 100, "tn" }, { 1, 20, 10, "tt" }, { 20, 1, 10, "nn" },
        { 9, 11, 13, "nt", .batch = { 3, 2 } },
        { 9, 11, 13, "tt", .batch = { 3 } }, { 9, 11, 13, "nn", .dtype = CLGRAD_F64 }, /* programs of 10 s each: the long form */
    };
    for (size_t i = 0; i < CLGRAD_COUNT(problems) - (test_is_long() ? 0 : 2); i++) {
        const problem *const p = &problems[i];
        if (p->dtype == CLGRAD_F64 && !clgrad_device_get_info(test_device())->fp64) continue;
        operands o = make_operands(p);
        if (!clgrad_clblast_can(test_device(), &o.desc)) {
            fprintf(stderr, "skipped: no CLBlast\n");
            release_operands(&o);
            return;
        }
        const size_t bytes = clgrad_dtype_bytes(p->dtype), c_bytes = ((size_t)o.num_c + 2 * GUARD) * bytes;
        clgrad_buffer *a = upload(o.a, (size_t)o.num_a * bytes), *b = upload(o.b, (size_t)o.num_b * bytes), *c = upload(o.want, c_bytes);
        const clgrad_status status = clgrad_clblast_run(test_device(), &o.desc, a, b, c, GUARD);
        ck_assert_msg(status == CLGRAD_OK, "%s: %s", describe(p), clgrad_error_text(test_context()));
        ck_assert_int_eq(clgrad_buffer_read(c, 0, o.c, c_bytes), CLGRAD_OK);
        ck_assert_msg(count_beyond_bound(p, &o, 0) == 0, "clblast %s", describe(p));
        ck_assert_int_gt(count_beyond_bound(p, &o, 1), o.num_c / 2);
        clgrad_buffer_release(&a), clgrad_buffer_release(&b), clgrad_buffer_release(&c);
        release_operands(&o);
    }
}
END_TEST

START_TEST(clblast_says_what_it_cannot)
{
    if (!has_clblast_tests()) return;
    operands o = make_operands(&(problem){ 6, 7, 8, "nx" });
    ck_assert(!clgrad_clblast_can(test_device(), &o.desc)); /* b's strides are neither 1 */
    o.desc.b_col = 1, o.desc.b_row = 7, o.desc.cell = 4;
    ck_assert(!clgrad_clblast_can(test_device(), &o.desc));
    o.desc.cell = 8, o.desc.a_dtype = o.desc.b_dtype = CLGRAD_F16;
    ck_assert(!clgrad_clblast_can(test_device(), &o.desc));
    clgrad_buffer *a = upload(o.a, 16);
    ck_assert_int_eq(clgrad_clblast_run(test_device(), &o.desc, a, a, a, 0), CLGRAD_E_UNSUPPORTED);
    clgrad_buffer_release(&a);
    release_operands(&o);
}
END_TEST

/* A product that is an output, one that only an element-wise node reads: both are CLBlast's; f16 is refused. */
START_TEST(plans_use_clblast_when_told)
{
    if (!has_clblast_tests()) return;
    operands o = make_operands(&(problem){ 2, 3, 4, "nn" });
    const bool there = clgrad_clblast_can(test_device(), &o.desc);
    release_operands(&o);
    const clgrad_plan_options options = { .matmul = CLGRAD_VARIANT_CLBLAST };
    plan_case c;
    plan_case_begin(&c, 5);
    const clgrad_node a = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(12, 20), -1, 1);
    const clgrad_node b = plan_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(7, 20), -1, 1);
    const clgrad_node ab = clgrad_matmul(c.g, a, b, false, true);
    plan_case_output(&c, ab);
    plan_case_output(&c, clgrad_tanh(c.g, ab));
    plan_case_output(&c, clgrad_sin(c.g, clgrad_matmul(c.g, b, a, false, true)));
    clgrad_plan *plan = NULL;
    ck_assert_int_eq(clgrad_plan_create(test_device(), c.g, &options, &plan), there ? CLGRAD_OK : CLGRAD_E_UNSUPPORTED);
    clgrad_plan_release(&plan);
    clgrad_array got[3] = { { 0 } }, want[3] = { { 0 } };
    if (there) plan_case_run(&c, &options, got);
    if (there) ck_assert_int_eq(clgrad_ref_evaluate(c.g, c.inputs, want, CLGRAD_REF_F64), CLGRAD_OK);
    for (int out = 0; there && out < 3; out++) {
        for (int64_t i = 0; i < 12 * 7; i++)
            ck_assert_double_eq_tol(clgrad_array_get(&got[out], i), clgrad_array_get(&want[out], i), 1e-5);
        clgrad_array_release(test_context(), &got[out]);
        clgrad_array_release(test_context(), &want[out]);
    }
    plan_case_output(&c, clgrad_matmul(c.g, clgrad_cast(c.g, a, CLGRAD_F16), clgrad_cast(c.g, b, CLGRAD_F16), false, true));
    ck_assert_int_eq(clgrad_plan_create(test_device(), c.g, &options, &plan), CLGRAD_E_UNSUPPORTED);
    plan_case_end(&c);
}
END_TEST

START_TEST(products_that_cannot_be_are_refused)
{
    if (!test_device()) return;
    clgrad_matmul_launch l;
    problem p = { 4, 5, 6, "nn" };
    operands o = make_operands(&p);
    texts t;
    write_epilogue(&p, &o.desc, &t);
    clgrad_matmul_desc d = o.desc;
    d.a_dtype = CLGRAD_I32;
    ck_assert_int_eq(clgrad_matmul_choose(test_device(), &d, NULL, &l), CLGRAD_E_DTYPE);
    d = o.desc;
    d.m = 0;
    ck_assert_int_eq(clgrad_matmul_choose(test_device(), &d, NULL, &l), CLGRAD_E_ARG);
    d = o.desc;
    const clgrad_plan_options clblast = { .matmul = CLGRAD_VARIANT_CLBLAST };
    ck_assert_int_eq(clgrad_matmul_choose(test_device(), &d, &clblast, &l), CLGRAD_E_UNSUPPORTED);
    ck_assert_ptr_null(l.preamble);
    ck_assert_int_eq(clgrad_matmul_choose(test_device(), &d, NULL, &l), CLGRAD_OK);
    clgrad_matmul_launch_release(test_context(), &l);
    ck_assert_ptr_null(l.preamble);
    release_operands(&o);
}
END_TEST

Suite *matmul_suite(void)
{
    Suite *suite = suite_create("matmul");
    TCase *tests = tcase_create("matmul");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, odd_sizes_in_every_layout, 0, CLGRAD_COUNT(variants));
    tcase_add_loop_test(tests, types_endings_batches_cells, 0, CLGRAD_COUNT(variants));
    tcase_add_test(tests, chosen_packing_of_few_columns);
    tcase_add_test(tests, forced_tiles_and_widths);
    tcase_add_test(tests, negative_controls);
    tcase_add_test(tests, clblast_within_its_bound);
    tcase_add_test(tests, clblast_says_what_it_cannot);
    tcase_add_test(tests, plans_use_clblast_when_told);
    tcase_add_test(tests, products_that_cannot_be_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
