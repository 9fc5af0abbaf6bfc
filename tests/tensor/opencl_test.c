/* clgrad/opencl.h: tensors over a caller's memory. */

#include "clgrad/opencl.h"
#include "device/cl_device.h"
#include "support/device.h"
#include "tensor/suites.h"

START_TEST(a_tensor_over_their_memory)
{
    if (!test_device()) return;
    clgrad_device *dev = test_device();
    clgrad_tensor *own, *over, *wrong;
    size_t offset = 99;
    float values[6] = { 0 };
    ck_assert_int_eq(clgrad_tensor_create(dev, CLGRAD_F32, CLGRAD_SHAPE(16), &own), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_fill(own, 1.0), CLGRAD_OK);
    cl_mem mem = clgrad_tensor_get_cl_mem(own, &offset);
    ck_assert_ptr_nonnull(mem);
    ck_assert_uint_eq(offset, 0);

    ck_assert_int_eq(clgrad_tensor_adopt(dev, mem, 8, CLGRAD_F32, CLGRAD_SHAPE(2, 3), &over), CLGRAD_OK);
    ck_assert_ptr_eq(clgrad_tensor_get_cl_mem(over, &offset), mem);
    ck_assert_uint_eq(offset, 8);
    clgrad_tensor_release(&own);
    ck_assert_int_eq(clgrad_tensor_fill(over, 2.0), CLGRAD_OK);
    ck_assert_int_eq(clgrad_tensor_read(over, values, sizeof values), CLGRAD_OK);
    for (int i = 0; i < 6; i++) ck_assert_float_eq(values[i], 2);

    ck_assert_int_eq(clgrad_tensor_adopt(dev, mem, 6, CLGRAD_F32, CLGRAD_SHAPE(1), &wrong), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_tensor_adopt(dev, mem, 8, CLGRAD_F32, CLGRAD_SHAPE(1000000), &wrong), CLGRAD_E_SHAPE);
    ck_assert_int_eq(clgrad_tensor_adopt(dev, mem, 0, CLGRAD_DTYPE_COUNT, CLGRAD_SHAPE(1), &wrong), CLGRAD_E_DTYPE);
    ck_assert_int_eq(clgrad_tensor_adopt(dev, NULL, 0, CLGRAD_F32, CLGRAD_SHAPE(1), &wrong), CLGRAD_E_ARG);
    ck_assert_ptr_null(wrong);
    clgrad_tensor_release(&over);
}
END_TEST

Suite *tensor_opencl_suite(void)
{
    Suite *suite = suite_create("tensor.opencl");
    TCase *tests = tcase_create("opencl");
    tcase_add_test(tests, a_tensor_over_their_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
