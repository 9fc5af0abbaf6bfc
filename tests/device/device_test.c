/* device: opening, describing, memory, kernels and events on the device of the test run. */

#include "device/cl_device.h"
#include "device_test.h"
#include "support/device.h"

#include <stdlib.h>

START_TEST(device_is_described)
{
    if (!test_device()) return;
    const clgrad_device_info *info = clgrad_device_get_info(test_device());
    ck_assert_uint_eq(info->struct_size, sizeof *info);
    ck_assert(info->probed);
    ck_assert_int_gt((int)strlen(info->name), 0);
    ck_assert_int_gt((int)strlen(info->platform), 0);
    ck_assert_str_ge(info->c_version, "1.2");
    ck_assert_uint_gt(info->compute_units, 0);
    ck_assert_uint_gt(info->allocation_bytes, 0);
    ck_assert_uint_ge(info->memory_bytes, info->allocation_bytes);
    ck_assert_uint_gt(info->max_work_group, 0);
    ck_assert_uint_ge(info->float_width, 1);
    ck_assert(!info->fp64 || info->fp64_advertised);
}
END_TEST

START_TEST(bytes_go_in_and_out)
{
    if (!test_device()) return;
    clgrad_buffer *a, *b;
    unsigned char in[1000], part[20];
    for (size_t i = 0; i < sizeof in; i++) in[i] = (unsigned char)(i * 7 + 1);
    ck_assert_int_eq(clgrad_buffer_create(test_device(), sizeof in, &a), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(test_device(), sizeof in, &b), CLGRAD_OK);
    ck_assert_uint_eq(clgrad_buffer_bytes(a), sizeof in);
    ck_assert_int_eq(clgrad_buffer_write(a, 0, in, sizeof in), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_fill(b, 0, sizeof in, &(uint16_t){ 0x0102 }, 2), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_copy(b, 8, a, 16, 100), CLGRAD_OK);
    const void *data;
    clgrad_event *event;
    ck_assert_int_eq(clgrad_buffer_read_later(b, 0, sizeof in, &data, &event), CLGRAD_OK);
    ck_assert_int_eq(clgrad_event_wait(event), CLGRAD_OK);
    const unsigned char *out = data;
    ck_assert_uint_eq(out[0], 2);
    ck_assert_uint_eq(out[1], 1);
    ck_assert_mem_eq(out + 8, in + 16, 100);
    ck_assert_uint_eq(out[108], 2);
    clgrad_event_release(&event);
    ck_assert_int_eq(clgrad_buffer_write(b, 500, in, sizeof part), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_read(b, 500, part, sizeof part), CLGRAD_OK);
    ck_assert_mem_eq(part, in, sizeof part);
    clgrad_buffer_release(&a);
    clgrad_buffer_release(&b);
}
END_TEST

START_TEST(large_writes_arrive)
{
    if (!test_device()) return;
    const size_t part = (size_t)40 << 20, whole = 2 * part; /* two parts exceed what is staged, as does the whole */
    if (clgrad_device_get_info(test_device())->allocation_bytes < whole) return;
    clgrad_buffer *buffer;
    unsigned char *data = malloc(whole), last[2];
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(clgrad_buffer_create(test_device(), whole, &buffer), CLGRAD_OK);
    memset(data, 1, whole);
    ck_assert_int_eq(clgrad_buffer_write(buffer, 0, data, part), CLGRAD_OK);
    memset(data, 2, whole);
    ck_assert_int_eq(clgrad_buffer_write(buffer, part, data, part), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_read(buffer, part - 1, last, 2), CLGRAD_OK);
    ck_assert(last[0] == 1 && last[1] == 2);
    memset(data, 3, whole);
    ck_assert_int_eq(clgrad_buffer_write(buffer, 0, data, whole), CLGRAD_OK);
    memset(data, 4, whole);
    ck_assert_int_eq(clgrad_buffer_read(buffer, whole - 2, last, 2), CLGRAD_OK);
    ck_assert(last[0] == 3 && last[1] == 3);
    clgrad_buffer_release(&buffer);
    free(data);
}
END_TEST

START_TEST(ranges_are_checked)
{
    if (!test_device()) return;
    clgrad_buffer *buffer;
    char byte[16] = "";
    ck_assert_int_eq(clgrad_buffer_create(test_device(), 0, &buffer), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_create(test_device(), SIZE_MAX, &buffer), CLGRAD_E_MEMORY);
    ck_assert_int_eq(clgrad_buffer_create(test_device(), 10, &buffer), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_write(buffer, 5, byte, 6), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_write(buffer, 11, byte, 0), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_read(buffer, SIZE_MAX, byte, 2), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_fill(buffer, 1, 4, byte, 4), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_fill(buffer, 0, 6, byte, 3), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_copy(buffer, 0, buffer, 2, 4), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_copy(buffer, 0, buffer, 4, 4), CLGRAD_OK);
    clgrad_buffer_release(&buffer);
}
END_TEST

START_TEST(memory_is_counted_and_used_again)
{
    if (!test_device()) return;
    clgrad_buffer *buffer;
    uint64_t before, during, after, peak;
    clgrad_device_memory(test_device(), &before, NULL);
    ck_assert_int_eq(clgrad_buffer_create(test_device(), 300000, &buffer), CLGRAD_OK);
    clgrad_device_memory(test_device(), &during, &peak);
    ck_assert_uint_ge(during, before + 300000);
    ck_assert_uint_le(during, before + 400000);
    ck_assert_uint_ge(peak, during);
    clgrad_buffer_release(&buffer);
    ck_assert_int_eq(clgrad_buffer_create(test_device(), 300001, &buffer), CLGRAD_OK);
    clgrad_device_memory(test_device(), &after, NULL);
    ck_assert_uint_eq(after, during);
    clgrad_buffer_release(&buffer);
}
END_TEST

/* A block's memory is the buffer's where the device is the processor; elsewhere, and by choice here, it is copied. */
START_TEST(blocks_are_lent)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    const bool shared = dev->record.shares_memory, lent = shared && _i < 2;
    const size_t bytes = _i == 0 ? 4000 : 3 << 20;
    clgrad_block *block = clgrad_block_create(test_context(), bytes + 4, 1);
    clgrad_buffer *buffer, *copy;
    unsigned char *data = block->data, *back = malloc(bytes);
    dev->record.shares_memory = lent;
    for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)(i * 7 + i / 256);
    ck_assert_int_eq(clgrad_buffer_create_over(dev, block, bytes + 5, &buffer), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_buffer_create_over(dev, block, 0, &buffer), CLGRAD_E_ARG);
    ck_assert_uint_eq(block->refs, 1);
    ck_assert_int_eq(clgrad_buffer_create_over(dev, block, bytes, &buffer), CLGRAD_OK);
    ck_assert_uint_eq(block->refs, 1 + lent);
    ck_assert_uint_eq(clgrad_buffer_bytes(buffer), bytes);
    ck_assert_int_eq(clgrad_buffer_create(dev, bytes, &copy), CLGRAD_OK);
    for (int i = 0; i < 20; i++) ck_assert_int_eq(clgrad_buffer_copy(copy, 0, buffer, 0, bytes), CLGRAD_OK);
    clgrad_buffer_release(&buffer); /* waits: its memory may go now */
    ck_assert_uint_eq(block->refs, 1);
    if (lent) memset(data, 0, bytes);
    ck_assert_int_eq(clgrad_buffer_read(copy, 0, back, bytes), CLGRAD_OK);
    for (size_t i = 0; i < bytes; i++)
        if (back[i] != (unsigned char)(i * 7 + i / 256)) ck_abort_msg("byte %zu is %d", i, back[i]);
    clgrad_buffer_release(&copy);
    clgrad_block_release(&block);
    free(back);
    dev->record.shares_memory = shared;
}
END_TEST

START_TEST(marks_and_waits)
{
    if (!test_device()) return;
    clgrad_event *events[40];
    for (size_t i = 0; i < 40; i++) ck_assert_int_eq(clgrad_device_mark(test_device(), &events[i]), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_wait_for(test_device(), 40, events), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_wait_for(test_device(), 1, NULL), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_device_wait_for(test_device(), 1, &(clgrad_event *){ NULL }), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_device_mark(test_device(), NULL), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_finish(test_device()), CLGRAD_OK);
    clgrad_event *second = clgrad_event_retain(events[0]);
    for (size_t i = 0; i < 40; i++) clgrad_event_release(&events[i]);
    ck_assert_int_eq(clgrad_event_wait(second), CLGRAD_OK); /* lives on */
    clgrad_event_release(&second);
}
END_TEST

static Suite *device_suite(void)
{
    Suite *suite = suite_create("device");
    TCase *tests = tcase_create("device");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, device_is_described);
    tcase_add_test(tests, bytes_go_in_and_out);
    tcase_add_test(tests, large_writes_arrive);
    tcase_add_test(tests, ranges_are_checked);
    tcase_add_test(tests, memory_is_counted_and_used_again);
    tcase_add_loop_test(tests, blocks_are_lent, 0, 3);
    tcase_add_test(tests, marks_and_waits);
    suite_add_tcase(suite, tests);
    return suite;
}

const test_suite test_suites[] = {
    { select_suite }, { cache_suite }, { tuning_suite }, { device_suite }, { kernel_suite }, { adopt_suite }, { upload_suite }, { fault_suite }, { NULL },
};
