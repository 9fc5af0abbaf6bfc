/* Rows of a table in host memory, gathered into slots of device memory. */

#include "schedule/feed.h"

#include "device/cl_device.h"
#include "schedule/suites.h"
#include "support/device.h"

enum { TABLE = 50, WIDTH = 3, ROWS = 7, LOADS = 11 };

static float features[TABLE][WIDTH];
static int32_t labels[TABLE];
static const clgrad_feed_column columns[] = {
    { CLGRAD_F32, { 1, { WIDTH } }, features }, { CLGRAD_I32, { 0 }, labels }, { CLGRAD_F32, { 0 }, NULL },
};

static void fill_table(void)
{
    for (int i = 0; i < TABLE; i++) {
        labels[i] = 1000 + i;
        for (int k = 0; k < WIDTH; k++) features[i][k] = (float)(10 * i + k);
    }
}

static int64_t count_of(int load) { return load % 4 == 3 ? 2 : ROWS; }

static void check_rows(clgrad_tensor *const *got, const uint32_t *numbers, int64_t count)
{
    float x[ROWS][WIDTH], ones[ROWS];
    int32_t y[ROWS];
    ck_ok(clgrad_tensor_read(got[0], x, sizeof x));
    ck_ok(clgrad_tensor_read(got[1], y, sizeof y));
    ck_ok(clgrad_tensor_read(got[2], ones, sizeof ones));
    for (int64_t i = 0; i < ROWS; i++) {
        const uint32_t n = numbers[i < count ? i : count - 1];
        ck_assert_mem_eq(x[i], features[n], sizeof x[i]);
        ck_assert_int_eq(y[i], labels[n]);
        ck_assert_float_eq(ones[i], 1);
    }
}

/* The copies are enqueued while later loads fill other slots, and looked at when all are. */
START_TEST(rows_arrive_in_the_order_asked_for)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    const bool shared = dev->record.shares_memory;
    dev->record.shares_memory = _i == 0;
    clgrad_feed *feed;
    clgrad_tensor *const *slot, *copies[LOADS][CLGRAD_COUNT(columns)];
    uint32_t numbers[LOADS][ROWS];
    fill_table();
    ck_ok(clgrad_feed_create(dev, CLGRAD_COUNT(columns), columns, ROWS, &feed));
    for (int l = 0; l < LOADS; l++) {
        for (int i = 0; i < ROWS; i++) numbers[l][i] = (uint32_t)((l * 13 + i * 29) % TABLE);
        ck_ok(clgrad_feed_load(feed, numbers[l], count_of(l), &slot));
        for (size_t c = 0; c < CLGRAD_COUNT(columns); c++) {
            ck_ok(clgrad_tensor_create(dev, slot[c]->dtype, slot[c]->shape, &copies[l][c]));
            ck_ok(clgrad_tensor_copy(copies[l][c], slot[c]));
        }
    }
    for (int l = 0; l < LOADS; l++) {
        check_rows(copies[l], numbers[l], count_of(l));
        for (size_t c = 0; c < CLGRAD_COUNT(columns); c++) clgrad_tensor_release(&copies[l][c]);
    }
    clgrad_feed_release(&feed);
    dev->record.shares_memory = shared;
}
END_TEST

START_TEST(memory_is_that_of_the_slots)
{
    clgrad_device *dev = test_device();
    if (!dev) return;
    clgrad_feed *feed;
    uint64_t before, after;
    ck_ok(clgrad_device_finish(dev));
    clgrad_device_memory(dev, &before, NULL);
    ck_ok(clgrad_feed_create(dev, CLGRAD_COUNT(columns), columns, 100, &feed));
    clgrad_device_memory(dev, &after, NULL);
    ck_assert_uint_eq(after - before, clgrad_feed_bytes(CLGRAD_COUNT(columns), columns, 100));
    ck_assert_uint_eq(after - before, CLGRAD_FEED_SLOTS * (1280 + 512 + 512)); /* 1200, 400 and 400 bytes */
    clgrad_feed_release(&feed);
    clgrad_device_memory(dev, &after, NULL);
    ck_assert_uint_eq(after, before);
    ck_assert_int_eq(clgrad_feed_create(dev, 1, columns, INT64_MAX / 64, &feed), CLGRAD_E_MEMORY);
    ck_assert_ptr_null(feed);
}
END_TEST

Suite *feed_suite(void)
{
    Suite *suite = suite_create("feed");
    TCase *tests = tcase_create("feed");
    tcase_add_loop_test(tests, rows_arrive_in_the_order_asked_for, 0, 2);
    tcase_add_test(tests, memory_is_that_of_the_slots);
    suite_add_tcase(suite, tests);
    return suite;
}
