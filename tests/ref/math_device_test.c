/* cl/math.cl and cl/codec.cl on the device: bit-equal to the same text compiled as C, at every vector width, fused and unfused.
 * Devices that flush subnormals or divide inexactly are only held to equal bits across widths. */

#include "ref/arithmetic.h"
#include "ref_suites.h"
#include "support/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 4096 }; /* arguments */

typedef struct tried {
    const char *name;
    clgrad_op op;
    bool binary;
} tried;

static const tried functions[] = {
    { "exp", CLGRAD_OP_EXP, false },         { "log", CLGRAD_OP_LOG, false },
    { "log1p", CLGRAD_OP_LOG1P, false },     { "expm1", CLGRAD_OP_EXPM1, false },
    { "sin", CLGRAD_OP_SIN, false },         { "cos", CLGRAD_OP_COS, false },
    { "tanh", CLGRAD_OP_TANH, false },       { "erf", CLGRAD_OP_ERF, false },
    { "sigmoid", CLGRAD_OP_SIGMOID, false }, { "sqrt", CLGRAD_OP_SQRT, false },
    { "rsqrt", CLGRAD_OP_RSQRT, false },     { "reciprocal", CLGRAD_OP_RECIPROCAL, false },
    { "abs", CLGRAD_OP_ABS, false },         { "sign", CLGRAD_OP_SIGN, false },
    { "pow", CLGRAD_OP_POW, true },          { "div", CLGRAD_OP_DIV, true },
    { "max", CLGRAD_OP_MAX, true },          { "min", CLGRAD_OP_MIN, true },
};
enum { NUM_FUNCTIONS = (int)CLGRAD_COUNT(functions), CELLS = NUM_FUNCTIONS * COUNT };

/* "float4"; width 1 is "float". */
static void type_name(char *out, const char *base, int width)
{
    if (width == 1)
        snprintf(out, 16, "%s", base);
    else
        snprintf(out, 16, "%s%d", base, width);
}

static void append_functions(clgrad_text *text, const char *type)
{
    for (int f = 0; f < NUM_FUNCTIONS; f++)
        clgrad_text_append(text, "    y[%d * n + i] = clgrad_%s_%s(a%s);\n", f, functions[f].name, type,
                           functions[f].binary ? ", b" : "");
}

/* One launch over `items` work-items of one kernel whose arguments are buffers; the last is read back. */
static void launch(clgrad_device *dev, const char *preamble, size_t items, size_t count, const void *const *data,
                   const size_t *bytes, void *out)
{
    const clgrad_kernel_source source = { .file = "codec.cl", .preamble = preamble, .name = "tried", .with_math = true };
    const size_t local = 1;
    clgrad_kernel *kernel = NULL;
    ck_assert_msg(clgrad_kernel_create(dev, &source, &kernel) == CLGRAD_OK, "%s", clgrad_error_text(clgrad_device_get_context(dev)));
    for (size_t i = 0; i < count; i++) {
        clgrad_buffer *buffer = NULL;
        ck_assert_int_eq(clgrad_buffer_create(dev, bytes[i], &buffer), CLGRAD_OK);
        if (data[i]) ck_assert_int_eq(clgrad_buffer_write(buffer, 0, data[i], bytes[i]), CLGRAD_OK);
        ck_assert_int_eq(clgrad_kernel_set_buffer(kernel, (uint32_t)i, buffer), CLGRAD_OK);
        if (i + 1 == count) {
            ck_assert_int_eq(clgrad_kernel_launch(kernel, 1, &items, &local, "tried"), CLGRAD_OK);
            ck_assert_int_eq(clgrad_buffer_read(buffer, 0, out, bytes[i]), CLGRAD_OK);
        }
        clgrad_buffer_release(&buffer);
    }
    clgrad_kernel_release(&kernel);
}

/* All functions of all arguments, at one width, as f32 or f64. */
static void on_device(clgrad_device *dev, bool wide, int width, const void *x, const void *z, void *y)
{
    char type[16], integer[16];
    type_name(type, wide ? "double" : "float", width);
    type_name(integer, wide ? "long" : "int", width);
    clgrad_text text = { .ctx = clgrad_device_get_context(dev) };
    clgrad_text_append(&text, "CLGRAD_MATH_%s(%s, %s)\n", wide ? "F64" : "F32", type, integer);
    clgrad_text_append(&text, "kernel void tried(global const %s *x, global const %s *z, global %s *y)\n{\n", type, type, type);
    clgrad_text_append(&text, "    const int i = get_global_id(0), n = %d;\n    const %s a = x[i], b = z[i];\n", COUNT / width, type);
    append_functions(&text, type);
    clgrad_text_append(&text, "}\n");
    ck_assert(!text.failed);
    const size_t each = wide ? 8 : 4;
    launch(dev, text.data, COUNT / (size_t)width, 3, (const void *[]){ x, z, NULL },
           (const size_t[]){ COUNT * each, COUNT * each, CELLS * each }, y);
    clgrad_text_release(&text);
}

/* Bit patterns of all kinds, small numbers, and special values; `which` 0 or 1 for the two operands. */
static double argument(int i, int which)
{
    static const double special[] = { 0, -0.0, 1, -1, 0.5, INFINITY, -INFINITY, NAN, 2, -2, 0x1p-149, -0x1p-126, 88.8, -103.9, 1e5, 3 };
    if (i < 256) return special[which ? i / 16 : i % 16];
    if (i % 2) return ((double)((unsigned)i * (which ? 40503u : 2654435u) % 65536) / 32768 - 1) * (which ? 8 : 30);
    const uint32_t code = (uint32_t)i * (which ? 2246822519u : 1048583u);
    float x;
    memcpy(&x, &code, sizeof x);
    return i % 16 == 2 ? x * 0x1p800 : x; /* beyond f32 too */
}

static double get(const void *y, bool wide, int i)
{
    return wide ? ((const double *)y)[i] : ((const float *)y)[i];
}

static bool same(const void *a, double b, bool wide, int i)
{
    const double value = get(a, wide, i);
    return (isnan(value) && isnan(b)) || (value == b && signbit(value) == signbit(b));
}

static int count_different(const void *y, bool wide, const clgrad_ref_arithmetic *twin, const char **first, double *at)
{
    int different = 0;
    for (int f = 0; f < NUM_FUNCTIONS; f++)
        for (int i = 0; i < COUNT; i++) {
            if (same(y, twin->map(functions[f].op, argument(i, 0), argument(i, 1)), wide, f * COUNT + i)) continue;
            if (different++ == 0) *first = functions[f].name, *at = argument(i, 0);
        }
    return different;
}

static void check_widths(clgrad_device *dev, bool wide, const void *x, const void *z, const void *y)
{
    static const int widths[] = { 2, 4, 8, 16 };
    const size_t bytes = CELLS * (wide ? sizeof(double) : sizeof(float));
    void *other = malloc(bytes);
    for (size_t w = wide; w < CLGRAD_COUNT(widths); w += 1 + wide) {
        on_device(dev, wide, widths[w], x, z, other);
        for (int i = 0; i < CELLS; i++)
            ck_assert_msg(same(other, get(y, wide, i), wide, i), "%s of %a, width %d: %a, not %a", functions[i / COUNT].name,
                          argument(i % COUNT, 0), widths[w], get(other, wide, i), get(y, wide, i));
    }
    free(other);
}

static void check_device(clgrad_device *dev, bool wide)
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    const bool fused = clgrad_device_fused(dev);
    double *x = malloc(COUNT * sizeof *x), *z = malloc(COUNT * sizeof *z), *y = malloc(CELLS * sizeof *y);
    for (int i = 0; i < COUNT; i++) {
        if (wide)
            x[i] = argument(i, 0), z[i] = argument(i, 1);
        else
            ((float *)x)[i] = (float)argument(i, 0), ((float *)z)[i] = (float)argument(i, 1);
    }
    on_device(dev, wide, 1, x, z, y);
    const clgrad_ref_arithmetic *twins[2][2] = { { &clgrad_ref_f32_unfused, &clgrad_ref_f32_fused },
                                                 { &clgrad_ref_f64_unfused, &clgrad_ref_f64_fused } };
    const char *first = "";
    double at = 0;
    if (info->denormals && info->exact_divide) {
        const int different = count_different(y, wide, twins[wide][fused], &first, &at);
        ck_assert_msg(different == 0, "%d results differ from the host's, first %s of %a", different, first, at);
        /* Negative control: the other form is told apart. */
        ck_assert_int_gt(count_different(y, wide, twins[wide][!fused], &first, &at), 10);
    }
    check_widths(dev, wide, x, z, y);
    free(x), free(z), free(y);
}

static clgrad_device *unfused_device(void)
{
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    clgrad_device *dev = NULL;
    options.unfused = true;
    ck_assert_int_eq(clgrad_device_open(test_context(), &options, &dev), CLGRAD_OK);
    return dev;
}

START_TEST(f32_functions_match_the_host)
{
    if (!test_device()) return;
    check_device(test_device(), false);
    clgrad_device *dev = unfused_device();
    check_device(dev, false);
    clgrad_device_release(&dev);
}
END_TEST

START_TEST(f64_functions_match_the_host)
{
    if (!test_device() || !clgrad_device_get_info(test_device())->fp64) return;
    check_device(test_device(), true);
    clgrad_device *dev = unfused_device();
    check_device(dev, true);
    clgrad_device_release(&dev);
}
END_TEST

/* Text that is the same for every width: N is the width or nothing, COUNT the vectors, OF(exp) clgrad_exp_floatN. */
static void append_names(clgrad_text *text, int width)
{
    char n[16] = "";
    if (width > 1) snprintf(n, sizeof n, "%d", width);
    clgrad_text_append(text, "#define N %s\n#define COUNT %d\n", n, COUNT / width);
    clgrad_text_append(text, "#define JOIN_(a, b) a##b\n#define JOIN(a, b) JOIN_(a, b)\n#define TYPE(name) JOIN(name, N)\n"
                             "#define OF(name) JOIN(clgrad_##name##_float, N)\n");
    clgrad_text_append(text, "CLGRAD_MATH_F32(float%s, int%s)\nCLGRAD_RANDOM(float%s, int%s, long%s)\n", n, n, n, n, n);
    clgrad_text_append(text, "CLGRAD_CODEC(float%s, int%s, ushort%s)\n", n, n, n);
}

static const char random_text[] =
    "kernel void tried(global const TYPE(long) *lo, global TYPE(float) *y)\n{\n"
    "    const int i = get_global_id(0);\n"
    "    const TYPE(long) seed = (TYPE(long))(-1234567890123l), hi = (TYPE(long))(77l << 33);\n"
    "    y[i] = OF(random_uniform)(seed, hi, lo[i], 5);\n"
    "    y[COUNT + i] = OF(random_normal)(seed, hi, lo[i], 5);\n}\n";

START_TEST(random_draws_match_the_host)
{
    if (!test_device()) return;
    static int64_t lo[COUNT];
    static float y[2 * COUNT];
    const clgrad_device_info *info = clgrad_device_get_info(test_device());
    const clgrad_ref_arithmetic *twin = clgrad_device_fused(test_device()) ? &clgrad_ref_f32_fused : &clgrad_ref_f32_unfused;
    const uint64_t seed = (uint64_t)-1234567890123, hi = (uint64_t)77 << 33;
    for (int i = 0; i < COUNT; i++) lo[i] = i % 2 ? i : (int64_t)i << 40;
    for (int width = 1; width <= 16; width *= 4) {
        clgrad_text text = { .ctx = test_context() };
        append_names(&text, width);
        clgrad_text_append(&text, "%s", random_text);
        launch(test_device(), text.data, COUNT / (size_t)width, 2, (const void *[]){ lo, NULL }, (const size_t[]){ sizeof lo, sizeof y }, y);
        clgrad_text_release(&text);
        for (int i = 0; i < COUNT; i++) {
            const uint64_t l = (uint64_t)lo[i];
            ck_assert_float_eq(y[i], clgrad_random_uniform(seed, 5, hi, l));
            const double u1 = clgrad_random_uniform(seed, 5, hi, l & ~(uint64_t)1), u2 = clgrad_random_uniform(seed, 5, hi, l | 1);
            if (info->exact_divide) ck_assert_float_eq(y[COUNT + i], (float)twin->normal(u1, u2, l & 1));
        }
    }
}
END_TEST

static const char codec_text[] =
    "kernel void tried(global const TYPE(uint) *x, global TYPE(uint) *y)\n{\n"
    "    const int i = get_global_id(0);\n"
    "    const TYPE(ushort) code = TYPE(convert_ushort)(x[i] & 0xffffu);\n"
    "    const TYPE(float) value = TYPE(as_float)(x[i]);\n"
    "    y[i] = TYPE(as_uint)(OF(f16_decode)(code));\n"
    "    y[COUNT + i] = TYPE(convert_uint)(OF(f16_encode)(value));\n"
    "    y[2 * COUNT + i] = TYPE(convert_uint)(OF(bf16_encode)(value));\n"
    "    y[3 * COUNT + i] = TYPE(as_uint)(OF(bf16_decode)(code));\n"
    "    y[4 * COUNT + i] = TYPE(as_uint)(OF(f16_round)(value));\n}\n";

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* One of the five results for argument number i of which x are the bits. NaNs stay NaNs; their bits are not compared. */
static bool codec_agrees(int result, uint32_t x, uint32_t y)
{
    const uint16_t code = (uint16_t)x;
    float value;
    memcpy(&value, &x, sizeof value);
    switch (result) {
    case 0: return y == bits_of(clgrad_f16_decode(code));
    case 1: return isnan(value) ? (y & 0x7fff) > 0x7c00 : y == clgrad_f16_encode(value);
    case 2: return isnan(value) ? (y & 0x7fff) > 0x7f80 : y == clgrad_bf16_encode(value);
    case 3: return y == bits_of(clgrad_bf16_decode(code));
    default: return isnan(value) || y == bits_of(clgrad_f16_decode(clgrad_f16_encode(value)));
    }
}

/* Low halves: every code. High halves: floats of all sizes, with ties where the low half is 0x1000 or so. */
START_TEST(codecs_match_the_host)
{
    if (!test_device()) return;
    static uint32_t x[COUNT], y[5 * COUNT];
    for (int width = 1; width <= 16; width *= 16)
        for (uint32_t start = 0; start < 65536; start += COUNT) {
            clgrad_text text = { .ctx = test_context() };
            append_names(&text, width);
            clgrad_text_append(&text, "%s", codec_text);
            for (uint32_t i = 0; i < COUNT; i++) x[i] = (start + i) | (((start + i) * 40503u) & 0xffff) << 16;
            launch(test_device(), text.data, COUNT / (size_t)width, 2, (const void *[]){ x, NULL },
                   (const size_t[]){ sizeof x, sizeof y }, y);
            clgrad_text_release(&text);
            for (int i = 0; i < 5 * COUNT; i++)
                ck_assert_msg(codec_agrees(i / COUNT, x[i % COUNT], y[i]), "result %d of 0x%08x is 0x%08x", i / COUNT,
                              (unsigned)x[i % COUNT], (unsigned)y[i]);
        }
}
END_TEST

static void close_device(void)
{
    test_device_close();
}

Suite *ref_math_device_suite(void)
{
    Suite *suite = suite_create("ref.math_device");
    TCase *tests = tcase_create("math_device");
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, NULL, close_device);
    tcase_add_test(tests, f32_functions_match_the_host);
    tcase_add_test(tests, f64_functions_match_the_host);
    tcase_add_test(tests, random_draws_match_the_host);
    tcase_add_test(tests, codecs_match_the_host);
    suite_add_tcase(suite, tests);
    return suite;
}
