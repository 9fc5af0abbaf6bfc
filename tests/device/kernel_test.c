/* Kernels: the search for template files, whole texts, building, arguments, launches. */

#define _GNU_SOURCE /* mkdtemp, setenv */

#include "device/device.h"
#include "device_test.h"
#include "support/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static clgrad_context *ctx;
static clgrad_device *dev;

static const char scale_text[] = "/* clgrad-template 1 */\n"
                                 "typedef struct { int n; float by; } settings;\n"
                                 "kernel void scale(global float *x, const settings s, local float *scratch)\n"
                                 "{\n"
                                 "    const int i = get_global_id(0);\n"
                                 "    scratch[get_local_id(0)] = x[i];\n"
                                 "    if (i < s.n) x[i] = MULADD(scratch[get_local_id(0)], s.by, SHIFT);\n"
                                 "}\n";

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/clgrad-kernel-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    options.kernel_dir = dir;
    ck_assert_int_eq(clgrad_context_create(&options, &ctx), CLGRAD_OK);
    clgrad_device_open(ctx, NULL, &dev);
}

static void teardown(void)
{
    static const char *const names[] = { "scale.cl", "link.cl", "target", "old.cl" };
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
}

static clgrad_kernel_source scale_source(const char *preamble)
{
    return (clgrad_kernel_source){ .file = "scale.cl", .preamble = preamble, .name = "scale" };
}

START_TEST(a_kernel_runs_with_arguments_of_its_own)
{
    if (!dev) return;
    put("scale.cl", scale_text);
    const clgrad_kernel_source source = scale_source("#define SHIFT 1.0f");
    clgrad_kernel *twice, *thrice;
    clgrad_buffer *x;
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &twice), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &thrice), CLGRAD_OK);
    ck_assert_uint_ge(clgrad_kernel_max_work_group(twice), 1);
    ck_assert_int_eq(clgrad_buffer_create(dev, 8 * sizeof(float), &x), CLGRAD_OK);
    float values[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    ck_assert_int_eq(clgrad_buffer_write(x, 0, values, sizeof values), CLGRAD_OK);
    const struct {
        int32_t n;
        float by;
    } two = { 8, 2 }, three = { 4, 3 };
    ck_assert_int_eq(clgrad_kernel_set_buffer(twice, 0, x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_bytes(twice, 1, &two, sizeof two), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_local(twice, 2, 4 * sizeof(float)), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(thrice, 0, x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_bytes(thrice, 1, &three, sizeof three), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_local(thrice, 2, 4 * sizeof(float)), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(twice, 3, x), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_kernel_launch(twice, 1, &(size_t){ 8 }, &(size_t){ 4 }, "twice"), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_launch(thrice, 1, &(size_t){ 8 }, &(size_t){ 4 }, NULL), CLGRAD_OK);
    clgrad_buffer_retain(x);
    clgrad_buffer *own = x;
    clgrad_buffer_release(&x); /* the kernels' arguments keep it */
    float got[8];
    ck_assert_int_eq(clgrad_buffer_read(own, 0, got, sizeof got), CLGRAD_OK);
    for (int i = 0; i < 8; i++) {
        const float doubled = 2 * values[i] + 1;
        ck_assert_float_eq(got[i], i < 4 ? 3 * doubled + 1 : doubled);
    }
    clgrad_buffer_release(&own);
    clgrad_kernel_release(&twice);
    clgrad_kernel_release(&thrice);
}
END_TEST

START_TEST(a_launch_that_does_not_fit_is_refused)
{
    if (!dev) return;
    put("scale.cl", scale_text);
    const clgrad_kernel_source source = scale_source("#define SHIFT 1.0f");
    clgrad_kernel *kernel;
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &kernel), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_launch(kernel, 1, &(size_t){ 8 }, &(size_t){ 8 }, "unset"), CLGRAD_E_DEVICE);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "unset"));
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "CL_INVALID_KERNEL_ARGS"));
    clgrad_kernel_release(&kernel);
}
END_TEST

Suite *kernel_suite(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tests = tcase_create("kernel");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_kernel_runs_with_arguments_of_its_own);
    tcase_add_test(tests, a_launch_that_does_not_fit_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
