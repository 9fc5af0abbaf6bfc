/* tensor, host part: shapes, element types, codecs, conversions, random numbers. */

#include "support/device.h"
#include "tensor/tensor.h"
#include "tensor/suites.h"

#include <math.h>

START_TEST(dtypes_have_names_and_sizes)
{
    for (int i = 0; i < CLGRAD_DTYPE_COUNT; i++) {
        clgrad_dtype found = CLGRAD_DTYPE_COUNT;
        ck_assert(clgrad_dtype_parse(clgrad_dtype_name((clgrad_dtype)i), &found));
        ck_assert_int_eq((int)found, i);
        ck_assert_uint_gt(clgrad_dtype_bytes((clgrad_dtype)i), 0);
    }
    clgrad_dtype untouched = CLGRAD_I64;
    ck_assert(!clgrad_dtype_parse("f33", &untouched));
    ck_assert_int_eq(untouched, CLGRAD_I64);
    ck_assert_str_eq(clgrad_dtype_name((clgrad_dtype)99), "?");
    ck_assert_uint_eq(clgrad_dtype_bytes((clgrad_dtype)-1), 0);
    ck_assert(clgrad_dtype_is_real(CLGRAD_BF16) && !clgrad_dtype_is_real(CLGRAD_U8));
}
END_TEST

START_TEST(shapes_count_and_compare)
{
    char text[CLGRAD_SHAPE_TEXT];
    const clgrad_shape a = CLGRAD_SHAPE(2, 3, 4), b = CLGRAD_SHAPE(2, 3, 5), scalar = CLGRAD_SCALAR, empty = CLGRAD_SHAPE(0, 7);
    ck_assert_int_eq(clgrad_shape_count(&a), 24);
    ck_assert_int_eq(clgrad_shape_count(&scalar), 1);
    ck_assert_int_eq(clgrad_shape_count(&empty), 0);
    ck_assert(clgrad_shape_equal(&a, &a) && !clgrad_shape_equal(&a, &b) && !clgrad_shape_equal(&a, &scalar));
    ck_assert_str_eq(clgrad_shape_text(&a, text), "[2, 3, 4]");
    ck_assert_str_eq(clgrad_shape_text(&scalar, text), "[]");
}
END_TEST

START_TEST(impossible_shapes_are_refused_by_name)
{
    clgrad_context *ctx = NULL;
    char text[CLGRAD_SHAPE_TEXT];
    int64_t count = 7;
    ck_assert_int_eq(clgrad_context_create(NULL, &ctx), CLGRAD_OK);
    const int64_t big = INT64_MAX;
    const clgrad_shape bad[] = { { .rank = 9 }, { .rank = -1 }, CLGRAD_SHAPE(3, -1), CLGRAD_SHAPE(big, big),
                                 CLGRAD_SHAPE(0, big, 2), CLGRAD_SHAPE(big) };
    for (size_t i = 0; i < CLGRAD_COUNT(bad); i++) {
        ck_assert_int_eq(clgrad_shape_check(ctx, &bad[i], "weights", &count), CLGRAD_E_SHAPE);
        ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "weights"));
    }
    ck_assert_int_eq(count, 7);
    const clgrad_shape widest = CLGRAD_SHAPE(big, big, big, big, big, big, big, big);
    ck_assert_uint_lt(strlen(clgrad_shape_text(&widest, text)), CLGRAD_SHAPE_TEXT);
    const clgrad_shape good = CLGRAD_SHAPE(3, 1); /* the control */
    ck_assert_int_eq(clgrad_shape_check(ctx, &good, "weights", &count), CLGRAD_OK);
    ck_assert_int_eq(count, 3);
    clgrad_context_release(&ctx);
}
END_TEST

START_TEST(every_code_of_16_bits_round_trips)
{
    for (uint32_t code = 0; code <= 0xffff; code++) {
        ck_assert_uint_eq(clgrad_f16_encode(clgrad_f16_decode((uint16_t)code)), code);
        ck_assert_uint_eq(clgrad_bf16_encode(clgrad_bf16_decode((uint16_t)code)), code);
    }
    ck_assert(clgrad_f16_decode(0x3c00) == 1.0f && clgrad_f16_decode(0x0001) == 0x1p-24f && clgrad_f16_decode(0x7bff) == 65504.0f);
    ck_assert(clgrad_bf16_decode(0x3f80) == 1.0f && clgrad_bf16_decode(0x0001) == 0x1p-133f);
    ck_assert(isnan(clgrad_f16_decode(0x7e00)) && clgrad_f16_decode(0xfc00) == -INFINITY);
}
END_TEST

/* Between neighbours a < b of one sign: the midpoint goes to the even code, one float off the midpoint to its own side. */
static void check_midpoint(uint16_t (*encode)(float), float (*decode)(uint16_t), uint32_t code, float next)
{
    const float a = decode((uint16_t)code), middle = (float)(((double)a + (double)next) / 2);
    ck_assert_uint_eq(encode(middle), code & 1 ? code + 1 : code);
    ck_assert_uint_eq(encode(nextafterf(middle, 0)), code);
    ck_assert_uint_eq(encode(nextafterf(middle, INFINITY)), code + 1);
    ck_assert_uint_eq(encode(-middle), (code & 1 ? code + 1 : code) | 0x8000);
}

START_TEST(rounding_is_to_nearest_even)
{
    for (uint32_t code = 0; code < 0x7c00; code++)
        check_midpoint(clgrad_f16_encode, clgrad_f16_decode, code, code == 0x7bff ? 65536.0f : clgrad_f16_decode((uint16_t)(code + 1)));
    for (uint32_t code = 0; code < 0x7f7f; code++)
        check_midpoint(clgrad_bf16_encode, clgrad_bf16_decode, code, clgrad_bf16_decode((uint16_t)(code + 1)));
    ck_assert_uint_eq(clgrad_bf16_encode(0x1.fffffep127f), 0x7f80);
    ck_assert_uint_eq(clgrad_f16_encode(INFINITY), 0x7c00);
    ck_assert(isnan(clgrad_f16_decode(clgrad_f16_encode(NAN))) && isnan(clgrad_bf16_decode(clgrad_bf16_encode(NAN))));
}
END_TEST

START_TEST(conversions_saturate_and_round_once)
{
    const double reals[] = { NAN, INFINITY, -INFINITY, 3.9, -3.9, 1e300, -0.0, 254.7, 0x1p63 };
    int64_t longs[9];
    int32_t ints[9];
    uint8_t bytes[9];
    clgrad_convert(CLGRAD_I64, longs, CLGRAD_F64, reals, 9);
    clgrad_convert(CLGRAD_I32, ints, CLGRAD_F64, reals, 9);
    clgrad_convert(CLGRAD_U8, bytes, CLGRAD_F64, reals, 9);
    const int64_t want_longs[] = { 0, INT64_MAX, INT64_MIN, 3, -3, INT64_MAX, 0, 254, INT64_MAX };
    const int32_t want_ints[] = { 0, INT32_MAX, INT32_MIN, 3, -3, INT32_MAX, 0, 254, INT32_MAX };
    const uint8_t want_bytes[] = { 0, 255, 0, 3, 0, 255, 0, 254, 255 };
    ck_assert_mem_eq(longs, want_longs, sizeof longs);
    ck_assert_mem_eq(ints, want_ints, sizeof ints);
    ck_assert_mem_eq(bytes, want_bytes, sizeof bytes);

    /* Just above a midpoint of f16 and of bf16: rounding to f32 first would land on the midpoint and go to the even side. */
    const double above[] = { 1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-8 + 0x1p-40, -(1 + 0x1p-8 + 0x1p-40) };
    uint16_t codes[3];
    clgrad_convert(CLGRAD_F16, codes, CLGRAD_F64, above, 1);
    clgrad_convert(CLGRAD_BF16, codes + 1, CLGRAD_F64, above + 1, 2);
    ck_assert_uint_eq(codes[0], 0x3c01);
    ck_assert_uint_eq(codes[1], 0x3f81);
    ck_assert_uint_eq(codes[2], 0xbf81);
    ck_assert_uint_eq(clgrad_f16_encode((float)above[0]), 0x3c00); /* what the control of double rounding gives */
}
END_TEST

START_TEST(long_integers_round_once)
{
    const int64_t longs[] = { INT64_MAX, INT64_MIN, (INT64_C(1) << 62) + (INT64_C(1) << 38) + 1, -((INT64_C(1) << 62) + (INT64_C(1) << 38) + 1),
                              (INT64_C(1) << 62) + (INT64_C(1) << 54) + 1, 12345, -1 };
    float floats[7];
    double doubles[7];
    uint16_t codes[7];
    int32_t ints[7];
    clgrad_convert(CLGRAD_F32, floats, CLGRAD_I64, longs, 7);
    clgrad_convert(CLGRAD_F64, doubles, CLGRAD_I64, longs, 7);
    clgrad_convert(CLGRAD_BF16, codes, CLGRAD_I64, longs, 7);
    clgrad_convert(CLGRAD_I32, ints, CLGRAD_I64, longs, 7);
    for (int i = 0; i < 7; i++) {
        ck_assert(floats[i] == (float)longs[i]);
        ck_assert(doubles[i] == (double)longs[i]);
    }
    ck_assert(clgrad_bf16_decode(codes[4]) == 0x1p62f + 0x1p55f);
    ck_assert(ints[0] == INT32_MAX && ints[1] == INT32_MIN && ints[5] == 12345 && ints[6] == -1);
}
END_TEST

START_TEST(conversions_cross_blocks_and_keep_values)
{
    enum { N = 1000 };
    float values[N], back[N];
    for (int i = 0; i < N; i++) values[i] = (float)(i % 256);
    unsigned char wide[N * 8];
    for (int type = 0; type < CLGRAD_DTYPE_COUNT; type++) {
        clgrad_convert((clgrad_dtype)type, wide, CLGRAD_F32, values, N);
        clgrad_convert(CLGRAD_F32, back, (clgrad_dtype)type, wide, N);
        ck_assert_mem_eq(back, values, sizeof values);
    }
}
END_TEST

START_TEST(arrays_hold_values_and_release)
{
    clgrad_array array;
    test_memory memory = { 0 };
    clgrad_context *ctx = test_memory_context(&memory);
    ck_assert_int_eq(clgrad_array_create(ctx, CLGRAD_F16, CLGRAD_SHAPE(3, 5), &array), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_array_bytes(&array), 30);
    clgrad_array_set(&array, 14, -2.5);
    ck_assert(clgrad_array_get(&array, 14) == -2.5 && clgrad_array_get(&array, 13) == 0);
    clgrad_array_release(ctx, &array);
    clgrad_array_release(ctx, &array);
    ck_assert_int_eq(clgrad_array_create(ctx, CLGRAD_F32, CLGRAD_SHAPE(0), &array), CLGRAD_OK);
    ck_assert_ptr_nonnull(array.data);
    clgrad_array_release(ctx, &array);
    ck_assert_int_eq(clgrad_array_create(ctx, CLGRAD_DTYPE_COUNT, CLGRAD_SCALAR, &array), CLGRAD_E_DTYPE);
    memory.fail_at = memory.requests + 1;
    ck_assert_int_eq(clgrad_array_create(ctx, CLGRAD_F64, CLGRAD_SHAPE(9), &array), CLGRAD_E_MEMORY);
    ck_assert_ptr_null(array.data);
    clgrad_array_release(ctx, &array);
    clgrad_context_release(&ctx);
    ck_assert_uint_eq(memory.live, 0);
}
END_TEST

START_TEST(philox_gives_the_published_vectors)
{
    /* Random123, kat_vectors, philox4x32 10 */
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 }, { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) {
        uint32_t out[4];
        clgrad_philox(rows[i].counter, rows[i].key, out);
        ck_assert_mem_eq(out, rows[i].out, sizeof out);
    }
}
END_TEST

START_TEST(random_words_are_functions_of_their_names)
{
    for (uint32_t word = 0; word < 4; word++) {
        const uint32_t want[4] = { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 };
        const uint64_t lo = (0x05a308d3243f6a88u << 2 | word), stream_bits = 0x80000000u; /* lo>>2 has 62 bits; stream sets bit 63 */
        ck_assert_uint_eq(clgrad_random_bits(0x299f31d0a4093822u, (uint32_t)stream_bits, 0x0370734413198a2eu, lo), want[word]);
    }
    float sum = 0;
    for (uint64_t i = 0; i < 4096; i++) {
        const float u = clgrad_random_uniform(5, 1, 0, i);
        ck_assert(u > 0 && u < 1);
        sum += u;
    }
    ck_assert_float_eq_tol(sum / 4096, 0.5f, 0.02f);
    ck_assert_uint_ne(clgrad_random_bits(5, 1, 0, 0), clgrad_random_bits(5, 2, 0, 0));
    ck_assert_uint_ne(clgrad_random_bits(5, 1, 0, 0), clgrad_random_bits(6, 1, 0, 0));
}
END_TEST

START_TEST(permutations_hold_every_number_once)
{
    enum { N = 1797 };
    uint32_t a[N], b[N], guard = 0xabcdef;
    unsigned char seen[N] = { 0 };
    clgrad_random_permutation(1, 2, 3, a, N);
    clgrad_random_permutation(1, 2, 3, b, N);
    ck_assert_mem_eq(a, b, sizeof a);
    for (int i = 0; i < N; i++) seen[a[i]]++;
    for (int i = 0; i < N; i++) ck_assert_uint_eq(seen[i], 1);
    clgrad_random_permutation(1, 2, 4, b, N);
    ck_assert(memcmp(a, b, sizeof a) != 0);
    clgrad_random_permutation(1, 2, 4, &guard, 0);
    ck_assert_uint_eq(guard, 0xabcdef);
}
END_TEST

Suite *tensor_host_suite(void)
{
    Suite *suite = suite_create("tensor.host");
    TCase *tests = tcase_create("host");
    tcase_add_test(tests, dtypes_have_names_and_sizes);
    tcase_add_test(tests, shapes_count_and_compare);
    tcase_add_test(tests, impossible_shapes_are_refused_by_name);
    tcase_add_test(tests, every_code_of_16_bits_round_trips);
    tcase_add_test(tests, rounding_is_to_nearest_even);
    tcase_add_test(tests, conversions_saturate_and_round_once);
    tcase_add_test(tests, long_integers_round_once);
    tcase_add_test(tests, conversions_cross_blocks_and_keep_values);
    tcase_add_test(tests, arrays_hold_values_and_release);
    tcase_add_test(tests, philox_gives_the_published_vectors);
    tcase_add_test(tests, random_words_are_functions_of_their_names);
    tcase_add_test(tests, permutations_hold_every_number_once);
    suite_add_tcase(suite, tests);
    return suite;
}
