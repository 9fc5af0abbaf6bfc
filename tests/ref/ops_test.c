/* ref: every operation on tiny examples worked out by hand, in f64 and in the device's arithmetic. */

#include "ref_case.h"
#include "ref_suites.h"

#include <math.h>

static const clgrad_ref_mode modes[] = { CLGRAD_REF_F64, CLGRAD_REF_F32, CLGRAD_REF_F32_FMA };

#define VALUES(...) ((const double[]){ __VA_ARGS__ })
#define LENGTH(...) ((int64_t)(sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double)))

/* In every mode: x is the f32 input of `shape` with `values`; EXPR(c.g, x) has the elements that follow. */
#define CHECK_1(shape, values, expression, ...)                          \
    for (size_t m_ = 0; m_ < CLGRAD_COUNT(modes); m_++) {                \
        double got_[LENGTH(__VA_ARGS__)];                                \
        ref_case c;                                                      \
        ref_case_begin(&c);                                              \
        const clgrad_node x = ref_case_input(&c, CLGRAD_F32, shape, values); \
        ref_case_end(&c, expression, modes[m_], got_, LENGTH(__VA_ARGS__)); \
        ref_expect(got_, VALUES(__VA_ARGS__), LENGTH(__VA_ARGS__));      \
    }
/* The same with a second operand z of any type. */
#define CHECK_2(shape, values, type_z, shape_z, values_z, expression, ...) \
    for (size_t m_ = 0; m_ < CLGRAD_COUNT(modes); m_++) {                \
        double got_[LENGTH(__VA_ARGS__)];                                \
        ref_case c;                                                      \
        ref_case_begin(&c);                                              \
        const clgrad_node x = ref_case_input(&c, CLGRAD_F32, shape, values); \
        const clgrad_node z = ref_case_input(&c, type_z, shape_z, values_z); \
        ref_case_end(&c, expression, modes[m_], got_, LENGTH(__VA_ARGS__)); \
        ref_expect(got_, VALUES(__VA_ARGS__), LENGTH(__VA_ARGS__));      \
    }

static const double six[] = { 1, 2, 3, 4, 5, 6 };

START_TEST(formulas_of_one_operand)
{
    const clgrad_shape four = CLGRAD_SHAPE(4), three = CLGRAD_SHAPE(3);
    CHECK_1(four, VALUES(-1, 0, 2, NAN), clgrad_neg(c.g, x), 1, 0, -2, NAN)
    CHECK_1(three, VALUES(0, -INFINITY, INFINITY), clgrad_exp(c.g, x), 1, 0, INFINITY)
    CHECK_1(four, VALUES(1, 0, -1, INFINITY), clgrad_log(c.g, x), 0, -INFINITY, NAN, INFINITY)
    CHECK_1(three, VALUES(0, -1, INFINITY), clgrad_log1p(c.g, x), 0, -INFINITY, INFINITY)
    CHECK_1(three, VALUES(0, -INFINITY, INFINITY), clgrad_expm1(c.g, x), 0, -1, INFINITY)
    CHECK_1(three, VALUES(4, 0, -1), clgrad_sqrt(c.g, x), 2, 0, NAN)
    CHECK_1(three, VALUES(4, 0.25, 0), clgrad_rsqrt(c.g, x), 0.5, 2, INFINITY)
    CHECK_1(three, VALUES(4, -0.5, 0), clgrad_reciprocal(c.g, x), 0.25, -2, INFINITY)
    CHECK_1(three, VALUES(0, INFINITY, NAN), clgrad_sin(c.g, x), 0, NAN, NAN)
    CHECK_1(three, VALUES(0, INFINITY, NAN), clgrad_cos(c.g, x), 1, NAN, NAN)
    CHECK_1(four, VALUES(0, INFINITY, -INFINITY, NAN), clgrad_tanh(c.g, x), 0, 1, -1, NAN)
    CHECK_1(four, VALUES(0, INFINITY, -INFINITY, NAN), clgrad_erf(c.g, x), 0, 1, -1, NAN)
    CHECK_1(four, VALUES(0, INFINITY, -INFINITY, NAN), clgrad_sigmoid(c.g, x), 0.5, 1, 0, NAN)
    CHECK_1(four, VALUES(-3, 0, 2, -INFINITY), clgrad_abs(c.g, x), 3, 0, 2, INFINITY)
    CHECK_1(four, VALUES(-3, 0, 2, NAN), clgrad_sign(c.g, x), -1, 0, 1, NAN)
    CHECK_1(four, VALUES(-1.5, 2.75, 3, -0.25), clgrad_floor(c.g, x), -2, 2, 3, -1)
    CHECK_1(three, VALUES(1, NAN, -2), clgrad_stop_gradient(c.g, x), 1, NAN, -2)
}
END_TEST

START_TEST(formulas_of_two_operands)
{
    const clgrad_shape four = CLGRAD_SHAPE(4);
    const double *a = VALUES(1, 2, NAN, -4), *b = VALUES(1, 5, 0, -8);
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_add(c.g, x, z), 2, 7, NAN, -12)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_sub(c.g, x, z), 0, -3, NAN, 4)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_mul(c.g, x, z), 1, 10, NAN, 32)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_div(c.g, z, x), 1, 2.5, NAN, 2)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_max(c.g, x, z), 1, 5, NAN, -4)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_max(c.g, z, x), 1, 5, NAN, -4)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_min(c.g, x, z), 1, 2, NAN, -8)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_eq(c.g, x, z), 1, 0, 0, 0)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_ne(c.g, x, z), 0, 1, 1, 1)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_lt(c.g, x, z), 0, 1, 0, 0)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_le(c.g, x, z), 1, 1, 0, 0)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_gt(c.g, x, z), 0, 0, 0, 1)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_ge(c.g, x, z), 1, 0, 0, 1)
    CHECK_2(four, a, CLGRAD_F32, four, b, clgrad_select(c.g, clgrad_lt(c.g, x, z), x, z), 1, 2, 0, -8)
}
END_TEST

START_TEST(powers_have_c99_special_cases)
{
    const clgrad_shape eight = CLGRAD_SHAPE(8);
    CHECK_2(eight, VALUES(2, -2, -2, 0, -0.0, 1, NAN, -8), CLGRAD_F32, eight, VALUES(10, 3, 2, -1, 3, NAN, 0, 0.5),
            clgrad_pow(c.g, x, z), 1024, -8, 4, INFINITY, -0.0, 1, 1, NAN)
    CHECK_2(eight, VALUES(INFINITY, INFINITY, -INFINITY, 0.5, 0.5, 2, -1, 4), CLGRAD_F32, eight,
            VALUES(0.5, -1, 3, INFINITY, -INFINITY, -INFINITY, INFINITY, -0.5), clgrad_pow(c.g, x, z), INFINITY, 0, -INFINITY, 0,
            INFINITY, 0, 1, 0.5)
}
END_TEST

START_TEST(integers_wrap)
{
    double got[3];
    ref_case c;
    ref_case_begin(&c);
    clgrad_node x = ref_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(3), VALUES(2147483647, -2147483648.0, 7));
    ref_case_end(&c, clgrad_add(c.g, x, x), CLGRAD_REF_F64, got, 3);
    ref_expect(got, VALUES(-2, 0, 14), 3);
    ref_case_begin(&c);
    x = ref_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(3), VALUES(65536, -65537, 7));
    ref_case_end(&c, clgrad_mul(c.g, x, x), CLGRAD_REF_F32, got, 3);
    ref_expect(got, VALUES(0, 131073, 49), 3);
    ref_case_begin(&c);
    x = ref_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(3), VALUES(-5, 0, 7));
    ref_case_end(&c, clgrad_max(c.g, clgrad_neg(c.g, x), clgrad_abs(c.g, clgrad_sign(c.g, x))), CLGRAD_REF_F64, got, 3);
    ref_expect(got, VALUES(5, 0, 1), 3);
}
END_TEST

/* INT64_MIN by every way there is; the sanitizer build tells a signed overflow from one that wraps. */
START_TEST(long_integers_wrap)
{
    const double least = -0x1p63;
    for (int way = 0; way < 8; way++) {
        double got[2];
        ref_case c;
        ref_case_begin(&c);
        const clgrad_node one = ref_case_input(&c, CLGRAD_I64, CLGRAD_SHAPE(2), VALUES(1, 1));
        const clgrad_node most = clgrad_constant_int(c.g, CLGRAD_I64, CLGRAD_SHAPE(2), INT64_MAX);
        const clgrad_node min = clgrad_add(c.g, most, one), pair = clgrad_concat(c.g, 2, (clgrad_node[]){ one, most }, 0);
        const clgrad_node row = clgrad_slice(c.g, pair, (int64_t[]){ 1 }, (int64_t[]){ 2 }, NULL); /* 1, INT64_MAX */
        const clgrad_node same = clgrad_constant_int(c.g, CLGRAD_I32, CLGRAD_SHAPE(2), 0);
        const clgrad_node total = clgrad_sum(c.g, row, CLGRAD_ALL_AXES, false);
        const clgrad_node ways[] = {
            min,
            clgrad_neg(c.g, min),
            clgrad_abs(c.g, min),
            clgrad_sub(c.g, clgrad_neg(c.g, most), one),
            clgrad_mul(c.g, min, clgrad_neg(c.g, one)),
            clgrad_broadcast(c.g, total, CLGRAD_SHAPE(2)),
            clgrad_flip(c.g, clgrad_cumsum(c.g, row, 0, false), 1),
            clgrad_broadcast(c.g, clgrad_scatter_add(c.g, row, same, 0, 1), CLGRAD_SHAPE(2)),
        };
        ref_case_end(&c, ways[way], CLGRAD_REF_F64, got, 2);
        ref_expect(got, VALUES(least, way == 6 ? 1 : least), 2);
    }
}
END_TEST

START_TEST(casts_truncate_saturate_and_round)
{
    const clgrad_shape five = CLGRAD_SHAPE(5);
    CHECK_1(five, VALUES(1.9, -1.9, NAN, 1e20, -1e20), clgrad_cast(c.g, x, CLGRAD_I32), 1, -1, 0, 2147483647, -2147483648.0)
    CHECK_1(five, VALUES(1.9, -1.9, NAN, 300, 255), clgrad_cast(c.g, x, CLGRAD_U8), 1, 0, 0, 255, 255)
    double got[3];
    ref_case c;
    ref_case_begin(&c);
    clgrad_node x = ref_case_input(&c, CLGRAD_F32, CLGRAD_SHAPE(3), VALUES(1 + 0x1p-11, 1 + 0x1.8p-10, 65520));
    ref_case_end(&c, clgrad_cast(c.g, x, CLGRAD_F16), CLGRAD_REF_F32, got, 3);
    ref_expect(got, VALUES(1, 1 + 0x1p-9, INFINITY), 3);
    ref_case_begin(&c);
    x = ref_case_input(&c, CLGRAD_I32, CLGRAD_SHAPE(3), VALUES(16777217, -3, 0));
    ref_case_end(&c, clgrad_cast(c.g, x, CLGRAD_F32), CLGRAD_REF_F32, got, 3);
    ref_expect(got, VALUES(16777216, -3, 0), 3);
}
END_TEST

START_TEST(storage_types_round_after_every_node)
{
    double got[1];
    ref_case c;
    ref_case_begin(&c);
    clgrad_node x = ref_case_input(&c, CLGRAD_BF16, CLGRAD_SHAPE(1), VALUES(1 + 0x1p-7));
    ref_case_end(&c, clgrad_mul(c.g, x, x), CLGRAD_REF_F32, got, 1); /* 1 + 2^-6 + 2^-14 */
    ref_expect(got, VALUES(1 + 0x1p-6), 1);
    ref_case_begin(&c);
    x = ref_case_input(&c, CLGRAD_BF16, CLGRAD_SHAPE(1), VALUES(1 + 0x1p-7));
    ref_case_end(&c, clgrad_mul(c.g, x, x), CLGRAD_REF_F64, got, 1);
    ref_expect(got, VALUES(1 + 0x1p-6 + 0x1p-14), 1);
    ref_case_begin(&c); /* 256 + 1 is not a bf16, but a sum of f32s rounded once is 260 */
    x = ref_case_input(&c, CLGRAD_BF16, CLGRAD_SHAPE(4), VALUES(256, 1, 1, 1));
    ref_case_end(&c, clgrad_sum(c.g, x, CLGRAD_ALL_AXES, false), CLGRAD_REF_F32, got, 1);
    ref_expect(got, VALUES(260), 1);
}
END_TEST

START_TEST(views_move_elements)
{
    const clgrad_shape s = CLGRAD_SHAPE(2, 3), five = CLGRAD_SHAPE(5);
    const int64_t one[] = { 0, 1 }, two[] = { 2, 2 }, low[] = { 1, 0 }, high[] = { 0, 1 }, inside[] = { 0, 1 }, step[] = { 1, 2 };
    const int64_t start[] = { 0, 0 };
    CHECK_1(s, six, clgrad_broadcast(c.g, x, CLGRAD_SHAPE(2, 2, 3)), 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6)
    CHECK_1(CLGRAD_SHAPE(2, 1), six, clgrad_broadcast(c.g, x, CLGRAD_SHAPE(2, 2)), 1, 1, 2, 2)
    CHECK_1(s, six, clgrad_reshape(c.g, x, CLGRAD_SHAPE(3, 2)), 1, 2, 3, 4, 5, 6)
    CHECK_1(s, six, clgrad_transpose(c.g, x), 1, 4, 2, 5, 3, 6)
    CHECK_1(s, six, clgrad_slice(c.g, x, one, two, NULL), 2, 3, 5, 6)
    CHECK_1(s, six, clgrad_slice(c.g, x, start, two, step), 1, 3, 4, 6)
    CHECK_1(s, six, clgrad_flip(c.g, x, CLGRAD_AXIS(1)), 3, 2, 1, 6, 5, 4)
    CHECK_1(s, six, clgrad_flip(c.g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(1)), 6, 5, 4, 3, 2, 1)
    CHECK_1(s, six, clgrad_pad(c.g, x, low, high, inside), 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0)
    CHECK_1(five, six, clgrad_window(c.g, x, 0, 2, 2, 1), 1, 2, 3, 4)
    CHECK_1(five, six, clgrad_window(c.g, x, 0, 3, 1, 2), 1, 3, 5)
    CHECK_1(s, six, clgrad_window(c.g, x, 0, 2, 1, 1), 1, 4, 2, 5, 3, 6)
    CHECK_2(s, six, CLGRAD_F32, CLGRAD_SHAPE(2, 1), VALUES(8, 9), clgrad_concat(c.g, 2, ((clgrad_node[]){ x, z }), 1), 1, 2, 3, 8, 4,
            5, 6, 9)
    CHECK_2(s, six, CLGRAD_F32, CLGRAD_SHAPE(1, 3), VALUES(7, 8, 9), clgrad_concat(c.g, 2, ((clgrad_node[]){ z, x }), 0), 7, 8, 9, 1,
            2, 3, 4, 5, 6)
    CHECK_1(CLGRAD_SHAPE(2, 3), six, clgrad_overlap_add(c.g, x, 0, 4, 1, 1), 1, 6, 8, 6)
    CHECK_1(CLGRAD_SHAPE(2, 2), six, clgrad_overlap_add(c.g, x, 0, 5, 2, 2), 1, 0, 5, 0, 4)
}
END_TEST

START_TEST(indexing_takes_and_scatters)
{
    const clgrad_shape s = CLGRAD_SHAPE(3, 2), four = CLGRAD_SHAPE(4);
    CHECK_2(s, six, CLGRAD_I32, four, VALUES(2, 0, -1, 3), clgrad_take(c.g, x, z, 0), 5, 6, 1, 2, NAN, NAN, NAN, NAN)
    CHECK_2(s, six, CLGRAD_I64, four, VALUES(1, 1, 0, 2), clgrad_take(c.g, x, z, 1), 2, 2, 1, NAN, 4, 4, 3, NAN, 6, 6, 5, NAN)
    CHECK_2(s, six, CLGRAD_I32, CLGRAD_SHAPE(3, 2), VALUES(0, 1, 1, 1, 1, 0), clgrad_take_batched(c.g, x, z, 1, 1), 1, 2, 4, 4, 6, 5)
    CHECK_2(s, six, CLGRAD_I32, CLGRAD_SHAPE(3), VALUES(1, 1, 9), clgrad_scatter_add(c.g, x, z, 0, 2), 0, 0, 4, 6)
    CHECK_2(s, six, CLGRAD_I32, CLGRAD_SHAPE(2), VALUES(2, 0), clgrad_scatter_add(c.g, x, z, 1, 3), 2, 0, 1, 4, 0, 3, 6, 0, 5)
    CHECK_2(s, six, CLGRAD_I32, CLGRAD_SHAPE(3, 2), VALUES(1, 1, 0, 1, 0, 0), clgrad_scatter_add_batched(c.g, x, z, 1, 2, 1), 0, 3, 3,
            4, 11, 0)
}
END_TEST

START_TEST(reductions_scans_and_products)
{
    const clgrad_shape s = CLGRAD_SHAPE(2, 3);
    const double *rough = VALUES(3, NAN, 9, 9, 2, 9);
    CHECK_1(s, six, clgrad_sum(c.g, x, CLGRAD_AXIS(1), false), 6, 15)
    CHECK_1(s, six, clgrad_sum(c.g, x, CLGRAD_AXIS(0), true), 5, 7, 9)
    CHECK_1(s, six, clgrad_sum(c.g, x, CLGRAD_ALL_AXES, false), 21)
    CHECK_1(CLGRAD_SHAPE(2, 0), six, clgrad_sum(c.g, x, CLGRAD_AXIS(1), false), 0, 0)
    CHECK_1(CLGRAD_SHAPE(2, 1, 3), six, clgrad_mean(c.g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(1), false), 2.5, 3.5, 4.5)
    CHECK_1(CLGRAD_SHAPE(2, 2, 2), VALUES(1, 2, 3, 4, 5, 6, 7, 8), clgrad_sum(c.g, x, CLGRAD_AXIS(0) | CLGRAD_AXIS(2), false), 14, 22)
    CHECK_1(s, rough, clgrad_reduce_max(c.g, x, CLGRAD_AXIS(1), false), NAN, 9)
    CHECK_1(s, rough, clgrad_argmax(c.g, x, 1), 1, 0)
    CHECK_1(s, rough, clgrad_argmax(c.g, x, 0), 1, 0, 0)
    CHECK_1(s, six, clgrad_cumsum(c.g, x, 1, false), 1, 3, 6, 4, 9, 15)
    CHECK_1(s, six, clgrad_cumsum(c.g, x, 1, true), 6, 5, 3, 15, 11, 6)
    CHECK_1(s, six, clgrad_cumsum(c.g, x, 0, true), 5, 7, 9, 4, 5, 6)
    CHECK_1(s, six, clgrad_matmul(c.g, x, x, false, true), 14, 32, 32, 77)
    CHECK_1(s, six, clgrad_matmul(c.g, x, x, true, false), 17, 22, 27, 22, 29, 36, 27, 36, 45)
    CHECK_2(s, six, CLGRAD_F32, CLGRAD_SHAPE(2, 3, 1), six, clgrad_matmul(c.g, x, z, false, false), 14, 32, 32, 77)
}
END_TEST

START_TEST(leaves_and_random_draws)
{
    const clgrad_shape s = CLGRAD_SHAPE(2, 3);
    CHECK_1(s, six, clgrad_add(c.g, x, clgrad_constant(c.g, CLGRAD_F32, s, 0.5)), 1.5, 2.5, 3.5, 4.5, 5.5, 6.5)
    CHECK_1(s, six, clgrad_mul(c.g, x, clgrad_cast(c.g, clgrad_iota(c.g, CLGRAD_I32, s, 1), CLGRAD_F32)), 0, 2, 6, 0, 5, 12)
    CHECK_1(s, six, clgrad_mul(c.g, x, clgrad_cast(c.g, clgrad_iota(c.g, CLGRAD_I64, s, 0), CLGRAD_F32)), 0, 0, 0, 4, 5, 6)
    double got[4096], mean = 0, square = 0;
    ref_case c;
    ref_case_begin(&c);
    const clgrad_node seed = clgrad_constant_int(c.g, CLGRAD_I64, CLGRAD_SCALAR, 42);
    const clgrad_node hi = clgrad_constant_int(c.g, CLGRAD_I64, CLGRAD_SCALAR, 7), lo = clgrad_iota(c.g, CLGRAD_I64, CLGRAD_SHAPE(4096), 0);
    ref_case_end(&c, clgrad_random_normal_node(c.g, seed, hi, lo, 3), CLGRAD_REF_F32, got, 4096);
    for (int i = 0; i < 4096; i++) {
        const double u1 = clgrad_random_uniform(42, 3, 7, (uint64_t)(i & ~1)), u2 = clgrad_random_uniform(42, 3, 7, (uint64_t)(i | 1));
        const double angle = 2 * 3.14159265358979323846 * u2, exact = sqrt(-2 * log(u1)) * (i & 1 ? sin(angle) : cos(angle));
        ck_assert_double_le(fabs(got[i] - exact), 1e-6);
        mean += got[i] / 4096, square += got[i] * got[i] / 4096;
    }
    ck_assert_double_le(fabs(mean), 0.06);
    ck_assert_double_le(fabs(square - 1), 0.1);
}
END_TEST

Suite *ref_ops_suite(void)
{
    Suite *suite = suite_create("ref.ops");
    TCase *tests = tcase_create("ops");
    tcase_add_test(tests, formulas_of_one_operand);
    tcase_add_test(tests, formulas_of_two_operands);
    tcase_add_test(tests, powers_have_c99_special_cases);
    tcase_add_test(tests, integers_wrap);
    tcase_add_test(tests, long_integers_wrap);
    tcase_add_test(tests, casts_truncate_saturate_and_round);
    tcase_add_test(tests, storage_types_round_after_every_node);
    tcase_add_test(tests, views_move_elements);
    tcase_add_test(tests, indexing_takes_and_scatters);
    tcase_add_test(tests, reductions_scans_and_products);
    tcase_add_test(tests, leaves_and_random_draws);
    suite_add_tcase(suite, tests);
    return suite;
}
