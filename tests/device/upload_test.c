/* Memory that the host fills anew while the device works: by mapping and by writing, whichever of them the device would get. */

#include "base/os.h"
#include "clgrad/opencl.h"
#include "device/cl_device.h"
#include "device_test.h"
#include "support/device.h"

#include <stdlib.h>

enum { BYTES = 100000, ROUNDS = 12, UPLOADS = 2 };

static clgrad_device *dev;
static bool shared;

/* The loop's number says which way. */
static bool begin(int way)
{
    dev = test_device();
    if (!dev) return false;
    shared = dev->record.shares_memory;
    dev->record.shares_memory = way == 0;
    return true;
}

static void end(void) { dev->record.shares_memory = shared; }

static clgrad_buffer *make_buffer(size_t bytes)
{
    clgrad_buffer *buffer;
    ck_assert_int_eq(clgrad_buffer_create(dev, bytes, &buffer), CLGRAD_OK);
    return buffer;
}

static void fill(clgrad_upload *upload, unsigned char value, size_t bytes)
{
    void *host = NULL;
    ck_assert_int_eq(clgrad_upload_open(upload, &host), CLGRAD_OK);
    memset(host, value, bytes);
    ck_assert_int_eq(clgrad_upload_send(upload, bytes), CLGRAD_OK);
}

/* Every copy out of an upload sees what was sent last before it, though the host is ahead of the device. */
START_TEST(each_reader_finds_what_was_sent_to_it)
{
    if (!begin(_i)) return;
    clgrad_upload *uploads[UPLOADS];
    clgrad_buffer *copies[ROUNDS];
    unsigned char *got = malloc(BYTES);
    for (size_t i = 0; i < UPLOADS; i++) ck_assert_int_eq(clgrad_upload_create(dev, BYTES, &uploads[i]), CLGRAD_OK);
    for (int r = 0; r < ROUNDS; r++) copies[r] = make_buffer(BYTES);
    for (int r = 0; r < ROUNDS; r++) {
        clgrad_upload *upload = uploads[r % UPLOADS];
        fill(upload, (unsigned char)(r + 1), BYTES);
        ck_assert_int_eq(clgrad_buffer_copy(copies[r], 0, clgrad_upload_buffer(upload), 0, BYTES), CLGRAD_OK);
        ck_assert_int_eq(clgrad_upload_recall(upload), CLGRAD_OK);
    }
    for (int r = 0; r < ROUNDS; r++) {
        ck_assert_int_eq(clgrad_buffer_read(copies[r], 0, got, BYTES), CLGRAD_OK);
        for (int k = 0; k < BYTES; k++) ck_assert_msg(got[k] == r + 1, "round %d, byte %d: %d", r, k, got[k]);
        clgrad_buffer_release(&copies[r]);
    }
    for (size_t i = 0; i < UPLOADS; i++) clgrad_upload_release(&uploads[i]);
    free(got);
    end();
}
END_TEST

START_TEST(memory_is_counted_and_given_back)
{
    if (!begin(_i)) return;
    clgrad_upload *upload;
    uint64_t before, during, after;
    ck_assert_int_eq(clgrad_device_finish(dev), CLGRAD_OK);
    clgrad_device_memory(dev, &before, NULL);
    ck_assert_int_eq(clgrad_upload_create(dev, BYTES, &upload), CLGRAD_OK);
    clgrad_device_memory(dev, &during, NULL);
    fill(upload, 1, 10); /* on its way when it is released */
    clgrad_upload_release(&upload);
    clgrad_device_memory(dev, &after, NULL);
    ck_assert_uint_eq(during, before + BYTES);
    ck_assert_uint_eq(after, before);
    ck_assert_int_eq(clgrad_device_finish(dev), CLGRAD_OK);
    end();
}
END_TEST

START_TEST(misuse_is_refused)
{
    if (!begin(_i)) return;
    clgrad_upload *upload;
    void *host;
    ck_assert_int_eq(clgrad_upload_create(dev, 0, &upload), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_upload_create(dev, SIZE_MAX, &upload), CLGRAD_E_MEMORY);
    ck_assert_int_eq(clgrad_upload_create(dev, 16, &upload), CLGRAD_OK);
    ck_assert_int_eq(clgrad_upload_open(upload, &host), CLGRAD_OK);
    ck_assert_int_eq(clgrad_upload_send(upload, 17), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_upload_send(upload, 0), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_upload_send(upload, 16), CLGRAD_OK);
    ck_assert_int_eq(clgrad_upload_send(upload, 16), CLGRAD_E_ARG); /* the host does not have it */
    ck_assert_int_eq(clgrad_upload_recall(upload), CLGRAD_OK);
    ck_assert_int_eq(clgrad_upload_open(upload, &host), CLGRAD_OK);
    clgrad_upload_release(&upload);
    end();
}
END_TEST

typedef cl_event(CL_API_CALL *create_user_event)(cl_context context, cl_int *err);
typedef cl_int(CL_API_CALL *set_user_event)(cl_event event, cl_int status);

/* With the device's queue held up, the host goes on until all uploads are in use; were it to wait for a step, it would hang here. */
START_TEST(the_host_waits_for_no_step)
{
    if (!begin(_i) || getenv("LD_PRELOAD")) return; /* Oclgrind runs everything in the calling thread */
    create_user_event create;
    set_user_event set;
    void *library = clgrad_os_library(clgrad_cl_library);
    ck_assert(library && clgrad_os_symbol(library, "clCreateUserEvent", &create) &&
              clgrad_os_symbol(library, "clSetUserEventStatus", &set));
    clgrad_upload *uploads[UPLOADS];
    clgrad_buffer *copies[UPLOADS];
    unsigned char got[16];
    cl_int err;
    cl_event gate = create(dev->context, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    for (int i = 0; i < UPLOADS; i++) copies[i] = make_buffer(sizeof got);
    ck_assert_int_eq(clgrad_device_wait_for_events(dev, 1, &gate), CLGRAD_OK);
    for (int i = 0; i < UPLOADS; i++) {
        ck_assert_int_eq(clgrad_upload_create(dev, sizeof got, &uploads[i]), CLGRAD_OK);
        fill(uploads[i], (unsigned char)(40 + i), sizeof got);
        ck_assert_int_eq(clgrad_buffer_copy(copies[i], 0, clgrad_upload_buffer(uploads[i]), 0, sizeof got), CLGRAD_OK);
        ck_assert_int_eq(clgrad_upload_recall(uploads[i]), CLGRAD_OK);
    }
    set(gate, CL_COMPLETE);
    for (int i = 0; i < UPLOADS; i++) {
        fill(uploads[i], 99, sizeof got);
        ck_assert_int_eq(clgrad_buffer_read(copies[i], 0, got, sizeof got), CLGRAD_OK);
        ck_assert_uint_eq(got[15], 40 + i);
        clgrad_buffer_release(&copies[i]);
        clgrad_upload_release(&uploads[i]);
    }
    ck_assert_int_eq(clgrad_device_finish(dev), CLGRAD_OK);
    dev->cl.ReleaseEvent(gate);
    end();
}
END_TEST

Suite *upload_suite(void)
{
    Suite *suite = suite_create("upload");
    TCase *tests = tcase_create("upload");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, each_reader_finds_what_was_sent_to_it, 0, 2);
    tcase_add_loop_test(tests, memory_is_counted_and_given_back, 0, 2);
    tcase_add_loop_test(tests, misuse_is_refused, 0, 2);
    tcase_add_loop_test(tests, the_host_waits_for_no_step, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
