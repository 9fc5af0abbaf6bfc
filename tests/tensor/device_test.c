/* tensor, device part: tensors and the parameter arena on the device of the test run. */

#include "support/device.h"
#include "tensor/arena.h"
#include "tensor/suites.h"

#include <stdio.h>

START_TEST(values_go_in_and_out)
{
    if (!test_device()) return;
    clgrad_tensor *t, *view, *copy;
    float in[12], out[12];
    for (int i = 0; i < 12; i++) in[i] = (float)i;
    ck_assert_int_eq(clgrad_tensor_create_from(test_device(), CLGRAD_F32, CLGRAD_SHAPE(3, 4), in, sizeof in, &t), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_view(t, 4, CLGRAD_SHAPE(2, 2), &view), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_create(test_device(), CLGRAD_F32, CLGRAD_SHAPE(12), &copy), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_read(view, out, 4 * sizeof *out), CLGRAD_OK);
    ck_assert_mem_eq(out, in + 4, 4 * sizeof *out);
    ck_assert_int_eq(clgrad_tensor_fill(view, -1.5), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_copy(copy, t), CLGRAD_OK);
    clgrad_tensor_release(&t); /* the view keeps the memory */
    ck_assert_int_eq(clgrad_tensor_read(copy, out, sizeof out), CLGRAD_OK);
    for (int i = 0; i < 12; i++) ck_assert(out[i] == (i >= 4 && i < 8 ? -1.5f : in[i]));
    const clgrad_shape shape = clgrad_tensor_shape(view);
    ck_assert(shape.rank == 2 && clgrad_tensor_dtype(view) == CLGRAD_F32 && clgrad_tensor_bytes(view) == 16);
    ck_assert_ptr_eq(clgrad_tensor_device(view), test_device());
    clgrad_tensor_release(&view);
    clgrad_tensor_release(&copy);
    clgrad_tensor_release(&copy);
}
END_TEST

START_TEST(every_type_fills)
{
    if (!test_device()) return;
    for (int type = 0; type < CLGRAD_DTYPE_COUNT; type++) {
        clgrad_tensor *t;
        unsigned char raw[8 * 9];
        double values[9];
        if (type == CLGRAD_F64 && !clgrad_device_get_info(test_device())->fp64) continue;
        ck_assert_int_eq(clgrad_tensor_create(test_device(), (clgrad_dtype)type, CLGRAD_SHAPE(9), &t), CLGRAD_OK);
        ck_assert_int_eq(clgrad_tensor_fill(t, 5), CLGRAD_OK);
        ck_assert_int_eq(clgrad_tensor_read(t, raw, clgrad_tensor_bytes(t)), CLGRAD_OK);
        clgrad_convert(CLGRAD_F64, values, (clgrad_dtype)type, raw, 9);
        for (int i = 0; i < 9; i++) ck_assert(values[i] == 5);
        clgrad_tensor_release(&t);
    }
}
END_TEST

START_TEST(empty_and_single_tensors_work)
{
    if (!test_device()) return;
    clgrad_tensor *empty, *other, *one, *view;
    float value = 3;
    ck_assert_int_eq(clgrad_tensor_create(test_device(), CLGRAD_F32, CLGRAD_SHAPE(0, 5), &empty), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_create_from(test_device(), CLGRAD_F32, CLGRAD_SHAPE(5, 0), NULL, 0, &other), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_create_from(test_device(), CLGRAD_F32, CLGRAD_SCALAR, &value, 4, &one), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_write(empty, NULL, 0), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_read(empty, NULL, 0), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_fill(empty, 1), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_copy(empty, other), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_view(one, 1, CLGRAD_SHAPE(0), &view), CLGRAD_OK);
    value = 0;
    ck_assert_int_eq(clgrad_tensor_read(one, &value, 4), CLGRAD_OK);
    ck_assert(value == 3);
    clgrad_tensor_release(&view);
    clgrad_tensor_release(&one);
    clgrad_tensor_release(&other);
    clgrad_tensor_release(&empty);
}
END_TEST

START_TEST(misuse_is_refused_and_changes_nothing)
{
    if (!test_device()) return;
    clgrad_context *ctx = clgrad_device_get_context(test_device());
    clgrad_tensor *t, *ints, *low, *high, *none = NULL;
    float value[4] = { 1, 2, 3, 4 };
    ck_assert_int_eq(clgrad_tensor_create_from(test_device(), CLGRAD_F32, CLGRAD_SHAPE(4), value, 16, &t), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_create(test_device(), CLGRAD_I32, CLGRAD_SHAPE(4), &ints), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_view(t, 0, CLGRAD_SHAPE(3), &low), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_view(t, 1, CLGRAD_SHAPE(3), &high), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_write(t, value, 12), CLGRAD_E_ARG);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "12 bytes"));
    ck_assert_int_eq(clgrad_tensor_read(t, value, 20), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_tensor_copy(t, ints), CLGRAD_E_DTYPE);
    ck_assert_int_eq(clgrad_tensor_copy(t, low), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_tensor_copy(high, low), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_tensor_copy(low, low), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_view(t, 1, CLGRAD_SHAPE(4), &none), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_tensor_view(t, -1, CLGRAD_SHAPE(1), &none), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_tensor_view(low, 3, CLGRAD_SHAPE(1), &none), CLGRAD_E_SHAPE); /* not beyond the view either */
    ck_assert_int_eq(clgrad_tensor_view(t, INT64_MAX, CLGRAD_SHAPE(1), &none), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_tensor_create(test_device(), CLGRAD_F32, CLGRAD_SHAPE(-1), &none), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_tensor_create(test_device(), CLGRAD_DTYPE_COUNT, CLGRAD_SHAPE(1), &none), CLGRAD_E_DTYPE);
    ck_assert_int_eq(clgrad_tensor_create_from(test_device(), CLGRAD_F32, CLGRAD_SHAPE(4), value, 4, &none), CLGRAD_E_ARG);
    ck_assert_ptr_null(none);
    float after[4];
    ck_assert_int_eq(clgrad_tensor_read(t, after, 16), CLGRAD_OK);
    ck_assert_mem_eq(after, value, 16);
    clgrad_tensor_release(&low);
    clgrad_tensor_release(&high);
    clgrad_tensor_release(&ints);
    clgrad_tensor_release(&t);
}
END_TEST

START_TEST(too_much_memory_is_told_in_bytes)
{
    if (!test_device()) return;
    clgrad_tensor *none = NULL;
    char needed[32];
    const int64_t elements = (int64_t)(clgrad_device_get_info(test_device())->allocation_bytes / 4) + 1;
    snprintf(needed, sizeof needed, "%lld bytes", (long long)elements * 4);
    ck_assert_int_eq(clgrad_tensor_create(test_device(), CLGRAD_F32, CLGRAD_SHAPE(elements), &none), CLGRAD_E_MEMORY);
    ck_assert_ptr_null(none);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(clgrad_device_get_context(test_device())), needed));
}
END_TEST

static clgrad_arena *small_arena(int64_t slab_limit)
{
    clgrad_arena *arena;
    ck_assert_int_eq(clgrad_arena_create(clgrad_device_get_context(test_device()), &arena), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_declare(arena, "w1", CLGRAD_SHAPE(3, 100), 1), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_declare(arena, "b1", CLGRAD_SHAPE(3), 0), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_declare(arena, "w2", CLGRAD_SHAPE(256), 1), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_declare(arena, "b2", CLGRAD_SCALAR, 0), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_layout(arena, slab_limit), CLGRAD_OK);
    return arena;
}

START_TEST(parameters_lie_by_group_then_declaration)
{
    if (!test_device()) return;
    clgrad_arena *arena = small_arena(clgrad_arena_slab_limit(test_device(), CLGRAD_F64));
    const int64_t offsets[] = { 512, 0, 1024, 256 };
    int64_t offset, extent;
    for (size_t i = 0; i < 4; i++) ck_assert_int_eq(arena->segments[i].offset, offsets[i]);
    ck_assert_uint_eq(arena->num_slabs, 1);
    ck_assert_int_eq(arena->slab_extents[0], 1280);
    clgrad_arena_group_range(arena, 1, 0, &offset, &extent);
    ck_assert(offset == 512 && extent == 768);
    clgrad_arena_group_range(arena, 7, 0, &offset, &extent);
    ck_assert_int_eq(extent, 0);
    ck_assert_uint_eq(clgrad_arena_bytes(arena, CLGRAD_F32), 1280 * 4);
    ck_assert_uint_eq(clgrad_arena_find(arena, "w2"), 2);
    ck_assert_uint_eq(clgrad_arena_find(arena, "w3"), SIZE_MAX);
    clgrad_arena_release(&arena);
}
END_TEST

START_TEST(small_slabs_split_between_parameters)
{
    if (!test_device()) return;
    clgrad_arena *arena = small_arena(768);
    clgrad_arena_vector *vector;
    const size_t slabs[] = { 1, 0, 1, 0 };
    for (size_t i = 0; i < 4; i++) ck_assert_uint_eq(arena->segments[i].slab, slabs[i]);
    ck_assert_uint_eq(arena->num_slabs, 2);
    ck_assert(arena->slab_extents[0] == 512 && arena->slab_extents[1] == 768);
    ck_assert_int_eq(clgrad_arena_vector_create(arena, test_device(), CLGRAD_F32, &vector), CLGRAD_OK);
    clgrad_arena_vector_release(&vector);
    clgrad_arena_release(&arena);
}
END_TEST

START_TEST(vectors_start_at_zero_and_views_share_the_slab)
{
    if (!test_device()) return;
    static float flat[1280];
    clgrad_arena *arena = small_arena(1 << 20);
    clgrad_arena_vector *vector;
    ck_assert_int_eq(clgrad_arena_vector_create(arena, test_device(), CLGRAD_F32, &vector), CLGRAD_OK);
    clgrad_arena_release(&arena); /* the vector keeps it */
    ck_assert_int_eq(clgrad_tensor_fill(vector->views[0], 2), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_read(vector->slabs[0], flat, sizeof flat), CLGRAD_OK);
    for (int i = 0; i < 1280; i++) ck_assert(flat[i] == (i >= 512 && i < 812 ? 2.0f : 0.0f));
    const clgrad_shape shape = clgrad_tensor_shape(vector->views[0]), want = CLGRAD_SHAPE(3, 100);
    ck_assert(clgrad_shape_equal(&shape, &want));
    clgrad_arena_vector_release(&vector);
    clgrad_arena_vector_release(&vector);
}
END_TEST

START_TEST(arena_refuses_by_name)
{
    if (!test_device()) return;
    clgrad_context *ctx = clgrad_device_get_context(test_device());
    clgrad_arena *arena;
    clgrad_arena_vector *vector;
    ck_assert_int_eq(clgrad_arena_create(ctx, &arena), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_declare(arena, "w", CLGRAD_SHAPE(1000), 0), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_declare(arena, "w", CLGRAD_SHAPE(10), 0), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_arena_declare(arena, "", CLGRAD_SHAPE(10), 0), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_arena_declare(arena, "v", CLGRAD_SHAPE(-10), 0), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_arena_vector_create(arena, test_device(), CLGRAD_F32, &vector), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_arena_layout(arena, 768), CLGRAD_E_MEMORY);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "parameter w needs 1024"));
    ck_assert_int_eq(clgrad_arena_layout(arena, 1024), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_layout(arena, 1024), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_arena_declare(arena, "late", CLGRAD_SHAPE(1), 0), CLGRAD_E_ARG);
    clgrad_arena_release(&arena);
    ck_assert_int_eq(clgrad_arena_create(ctx, &arena), CLGRAD_OK); /* a model without parameters */
    ck_assert_int_eq(clgrad_arena_layout(arena, 1024), CLGRAD_OK);
    ck_assert_int_eq(clgrad_arena_vector_create(arena, test_device(), CLGRAD_F32, &vector), CLGRAD_OK);
    clgrad_arena_vector_release(&vector);
    clgrad_arena_release(&arena);
}
END_TEST

/* Everything the room allocates, made and given up again. */
static clgrad_status make_all(clgrad_context *ctx, clgrad_device *dev)
{
    clgrad_arena *arena = NULL;
    clgrad_arena_vector *vector = NULL;
    clgrad_tensor *t = NULL, *view = NULL;
    const float value[4] = { 1, 2, 3, 4 };
    clgrad_status status = clgrad_arena_create(ctx, &arena);
    if (!status) status = clgrad_arena_declare(arena, "w", CLGRAD_SHAPE(300), 0);
    if (!status) status = clgrad_arena_declare(arena, "b", CLGRAD_SHAPE(3), 0);
    if (!status) status = clgrad_arena_layout(arena, 512);
    if (!status) status = clgrad_arena_vector_create(arena, dev, CLGRAD_F32, &vector);
    if (!status) status = clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(4), value, sizeof value, &t);
    if (!status) status = clgrad_tensor_view(t, 1, CLGRAD_SHAPE(2), &view);
    clgrad_tensor_release(&view);
    clgrad_tensor_release(&t);
    clgrad_arena_vector_release(&vector);
    clgrad_arena_release(&arena);
    return status;
}

START_TEST(every_refused_allocation_is_reported_and_nothing_leaks)
{
    if (!test_device()) return;
    test_memory memory = { 0 };
    clgrad_context *ctx = test_memory_context(&memory);
    clgrad_device *dev;
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
    ck_assert_int_eq(make_all(ctx, dev), CLGRAD_OK);
    size_t refusals = 0;
    for (clgrad_status status = CLGRAD_E_MEMORY; status != CLGRAD_OK; refusals++) {
        memory.fail_at = memory.requests + 1 + refusals;
        status = make_all(ctx, dev);
        ck_assert(status == CLGRAD_OK || status == CLGRAD_E_MEMORY);
    }
    memory.fail_at = 0;
    ck_assert_uint_gt(refusals, 10);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
    ck_assert_uint_eq(memory.live, 0); /* only now: the device's pool keeps buffers */
}
END_TEST

Suite *tensor_device_suite(void)
{
    Suite *suite = suite_create("tensor.device");
    TCase *tests = tcase_create("device");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, values_go_in_and_out);
    tcase_add_test(tests, every_type_fills);
    tcase_add_test(tests, empty_and_single_tensors_work);
    tcase_add_test(tests, misuse_is_refused_and_changes_nothing);
    tcase_add_test(tests, too_much_memory_is_told_in_bytes);
    tcase_add_test(tests, parameters_lie_by_group_then_declaration);
    tcase_add_test(tests, small_slabs_split_between_parameters);
    tcase_add_test(tests, vectors_start_at_zero_and_views_share_the_slab);
    tcase_add_test(tests, arena_refuses_by_name);
    tcase_add_test(tests, every_refused_allocation_is_reported_and_nothing_leaks);
    suite_add_tcase(suite, tests);
    return suite;
}
