/* Kernels: the search for template files, whole texts, building, arguments, launches. */

#define _GNU_SOURCE /* mkdtemp, setenv */

#include "device/cl_device.h"
#include "device_test.h"
#include "support/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static clgrad_context *ctx;
static clgrad_device *dev;

static const char scale_text[] = "/* clgrad-template 1 */\n"
                                 "typedef struct { int n; float by; } settings;\n"
                                 "kernel void scale(global float *x, const settings s)\n"
                                 "{\n"
                                 "    const int i = get_global_id(0);\n"
                                 "    if (i < s.n) x[i] = MULADD(x[i], s.by, SHIFT);\n"
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
    static const char *const names[] = { "scale.cl", "link.cl", "target", "old.cl", "math.cl" };
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
    ck_assert_int_eq(clgrad_buffer_create(dev, 8 * sizeof(float), &x), CLGRAD_OK);
    float values[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    ck_assert_int_eq(clgrad_buffer_write(x, 0, values, sizeof values), CLGRAD_OK);
    const struct {
        int32_t n;
        float by;
    } two = { 8, 2 }, three = { 4, 3 };
    ck_assert_int_eq(clgrad_kernel_set_buffer(twice, 0, x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_bytes(twice, 1, &two, sizeof two), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(thrice, 0, x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_bytes(thrice, 1, &three, sizeof three), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(twice, 2, x), CLGRAD_E_ARG);
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

/* --- the kernel search ------------------------------------------------------------------------------------------------ */

static clgrad_status text_of(const char *file, char **text)
{
    const clgrad_kernel_source source = { .file = file, .preamble = "#define SHIFT 0.0f", .name = "scale" };
    return clgrad_kernel_text(dev, &source, text);
}

static void expect_file_error(const char *file, const char *part)
{
    char *text;
    ck_assert_int_eq(text_of(file, &text), CLGRAD_E_KERNEL_FILE);
    ck_assert_ptr_null(text);
    ck_assert_msg(strstr(clgrad_error_text(ctx), part) != NULL, "%s: %s", part, clgrad_error_text(ctx));
}

START_TEST(files_of_another_version_are_refused)
{
    if (!dev) return;
    put("old.cl", "/* clgrad-template 999 */\nkernel void scale(global float *x) { }\n");
    expect_file_error("old.cl", "template number 999; this library (" CLGRAD_VERSION ") needs");
    put("old.cl", "kernel void scale(global float *x) { }\n");
    expect_file_error("old.cl", "does not say which template number");
}
END_TEST

START_TEST(files_are_found_safely)
{
    if (!dev) return;
    char target[128], link[128];
    expect_file_error("nowhere.cl", "there is no kernel file nowhere.cl");
    expect_file_error("../scale.cl", "is not a kernel file's name");
    expect_file_error("scale", "is not a kernel file's name");
    expect_file_error(".cl", "is not a kernel file's name");
    put("target", scale_text);
    snprintf(target, sizeof target, "%s/target", dir);
    snprintf(link, sizeof link, "%s/link.cl", dir);
    ck_assert_int_eq(symlink(target, link), 0);
    expect_file_error("link.cl", "cannot open");
}
END_TEST

static void use_kernel_dir(const char *path)
{
    clgrad_context_options options = CLGRAD_CONTEXT_OPTIONS_INIT;
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
    options.kernel_dir = path;
    ck_assert_int_eq(clgrad_context_create(&options, &ctx), CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_open(ctx, NULL, &dev), CLGRAD_OK);
}

START_TEST(directories_are_searched_in_order)
{
    if (!dev) return;
    char *text, path[160];
    put("math.cl", "/* clgrad-template 1 */ \n#define FROM_THE_DIRECTORY\n");
    ck_assert_int_eq(text_of("math.cl", &text), CLGRAD_OK);
    ck_assert_ptr_nonnull(strstr(text, "FROM_THE_DIRECTORY"));
    clgrad_free(ctx, text);

    use_kernel_dir(NULL);
    ck_assert_int_eq(text_of("math.cl", &text), CLGRAD_OK); /* the compiled-in copy */
    ck_assert_ptr_null(strstr(text, "FROM_THE_DIRECTORY"));
    clgrad_free(ctx, text);

    snprintf(path, sizeof path, "/:%s", dir);
    setenv("CLGRAD_KERNEL_PATH", path, 1);
    ck_assert_int_eq(text_of("math.cl", &text), CLGRAD_OK);
    ck_assert_ptr_nonnull(strstr(text, "FROM_THE_DIRECTORY"));
    clgrad_free(ctx, text);
    setenv("CLGRAD_KERNEL_PATH", "here/and/there", 1);
    expect_file_error("math.cl", "not an absolute path");
    setenv("CLGRAD_KERNEL_PATH", "/no/such/place", 1);
    expect_file_error("math.cl", "cannot be opened");
    unsetenv("CLGRAD_KERNEL_PATH");
    use_kernel_dir("here");
    expect_file_error("math.cl", "not an absolute path");
}
END_TEST

/* Without comments and repeated blanks; every line keeps its number, and a macro its lines. */
START_TEST(texts_have_no_comments)
{
    if (!dev) return;
    char *text;
    put("scale.cl", "/* clgrad-template 1 */\n/* one\n * two */ int a;   int/* */b;\n"
                    "#define M(x)   /* three \\\n four */ \\\n    (x  / 2)  \nint c = M(4); /* no end *\n");
    ck_assert_int_eq(text_of("scale.cl", &text), CLGRAD_OK);
    const char *scale = strstr(text, "#line 1 \"scale.cl\"\n");
    ck_assert_ptr_nonnull(scale);
    ck_assert_str_eq(scale, "#line 1 \"scale.cl\"\n \n \n int a; int b;\n#define M(x)  \\\n \\\n (x / 2)\nint c = M(4); /* no end *\n\n");
    clgrad_free(ctx, text);
}
END_TEST

/* --- texts and builds ------------------------------------------------------------------------------------------------- */

START_TEST(a_text_has_its_parts_in_order)
{
    if (!dev) return;
    static const char *const parts[] = { "FP_CONTRACT OFF", "#define CLGRAD_FMA ", "#define CLGRAD_HAS_FP64 ",
                                         "#define CLGRAD_HAS_FP16 ", "#define MULADD(a, b, c) ", "#line 1 \"math.cl\"",
                                         "#line 1 \"preamble\"", "SHIFT 0.0f", "#line 1 \"scale.cl\"", "kernel void scale" };
    put("scale.cl", scale_text);
    const clgrad_kernel_source source = { "scale.cl", "#define SHIFT 0.0f", "scale", true };
    char *text;
    ck_assert_int_eq(clgrad_kernel_text(dev, &source, &text), CLGRAD_OK);
    const char *at = text;
    for (size_t i = 0; i < CLGRAD_COUNT(parts); i++) {
        at = strstr(at, parts[i]);
        ck_assert_msg(at != NULL, "%s", parts[i]);
    }
    clgrad_free(ctx, text);
}
END_TEST

START_TEST(unfused_is_a_choice)
{
    if (!dev) return;
    put("scale.cl", scale_text);
    clgrad_device *unfused;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    options.unfused = true;
    ck_assert_int_eq(clgrad_device_open(ctx, &options, &unfused), CLGRAD_OK);
    ck_assert(!clgrad_device_fused(unfused));
    ck_assert_int_eq(clgrad_device_fused(dev), clgrad_device_get_info(dev)->fma);
    const clgrad_kernel_source source = scale_source("#define SHIFT 0.0f");
    char *text;
    ck_assert_int_eq(clgrad_kernel_text(unfused, &source, &text), CLGRAD_OK);
    ck_assert_ptr_nonnull(strstr(text, "#define MULADD(a, b, c) ((a) * (b) + (c))"));
    clgrad_free(ctx, text);
    clgrad_device_release(&unfused);
}
END_TEST

START_TEST(what_does_not_build_is_explained)
{
    if (!dev) return;
    put("scale.cl", "/* clgrad-template 1 */\n\n\nkernel void scale(global float *x) { x[0] = no_such_thing; }\n");
    const clgrad_kernel_source source = scale_source("");
    clgrad_kernel *kernel;
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &kernel), CLGRAD_E_BUILD);
    ck_assert_ptr_null(kernel);
    const char *const wanted[] = { "scale.cl", clgrad_device_get_info(dev)->name, "-cl-std=CL1.2",
                                   "CL_BUILD_PROGRAM_FAILURE", "no_such_thing" };
    for (size_t i = 0; i < CLGRAD_COUNT(wanted); i++)
        ck_assert_msg(strstr(clgrad_error_text(ctx), wanted[i]) != NULL, "%s: %s", wanted[i], clgrad_error_text(ctx));
    put("scale.cl", scale_text);
    const clgrad_kernel_source nameless = { "scale.cl", "#define SHIFT 0.0f", "shrink", false };
    ck_assert_int_eq(clgrad_kernel_create(dev, &nameless, &kernel), CLGRAD_E_BUILD);
    ck_assert_ptr_nonnull(strstr(clgrad_error_text(ctx), "shrink"));
}
END_TEST

START_TEST(what_builtins_leave_out_is_declared_by_the_compiler)
{
    if (!dev) return;
    float value = 27;
    const bool short_header = strstr(clgrad_device_get_info(dev)->quirks, "long-header") != NULL;
    const size_t one = 1, before = dev->num_long_builds;
    put("scale.cl", "/* clgrad-template 1 */\nkernel void scale(global float *x) { const float4 y = (float4)(x[0]); x[0] = cbrt(y.s1); }\n");
    const clgrad_kernel_source source = scale_source("");
    clgrad_kernel *kernel;
    clgrad_buffer *x;
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &kernel), CLGRAD_OK);
    ck_assert_uint_eq(dev->num_long_builds, before + short_header);
    ck_assert_int_eq(clgrad_buffer_create(dev, sizeof value, &x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_write(x, 0, &value, sizeof value), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(kernel, 0, x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_launch(kernel, 1, &one, &one, NULL), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_read(x, 0, &value, sizeof value), CLGRAD_OK);
    ck_assert_float_eq_tol(value, 3, 1e-6);
    clgrad_kernel_release(&kernel);
    clgrad_buffer_release(&x);
}
END_TEST

/* A vector's load is declared for the pointer's type although only the other type's vectors are named. */
START_TEST(loads_are_those_of_their_pointers)
{
    if (!dev || !clgrad_device_get_info(dev)->fp64) return;
    float values[4] = { 1, 2.5f, 3, 4 };
    const size_t one = 1, before = dev->num_long_builds;
    put("scale.cl", "/* clgrad-template 1 */\n#define FLOATS global float *\n"
                    "kernel void scale(FLOATS x) { const double4 y = convert_double4(vload4(0, x)) * 3; x[0] = (float)fmax(y, (double4)(1)).s1; }\n");
    const clgrad_kernel_source source = scale_source("");
    clgrad_kernel *kernel;
    clgrad_buffer *x;
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &kernel), CLGRAD_OK);
    ck_assert_uint_eq(dev->num_long_builds, before);
    ck_assert_int_eq(clgrad_buffer_create(dev, sizeof values, &x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_write(x, 0, values, sizeof values), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(kernel, 0, x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_launch(kernel, 1, &one, &one, NULL), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_read(x, 0, values, sizeof values), CLGRAD_OK);
    ck_assert_float_eq(values[0], 7.5f);
    clgrad_kernel_release(&kernel);
    clgrad_buffer_release(&x);
}
END_TEST

START_TEST(every_text_can_be_dumped)
{
    if (!dev) return;
    char command[256];
    put("scale.cl", scale_text);
    setenv("CLGRAD_DUMP_KERNELS", dir, 1);
    const clgrad_kernel_source source = scale_source("#define SHIFT 5.0f");
    clgrad_kernel *kernel;
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &kernel), CLGRAD_OK);
    clgrad_kernel_release(&kernel);
    snprintf(command, sizeof command, "grep -q 'SHIFT 5.0f' %s/scale.cl-*.cl && rm %s/scale.cl-*.cl", dir, dir);
    ck_assert_int_eq(system(command), 0);
    setenv("CLGRAD_DUMP_KERNELS", "/no/such/place", 1);
    const clgrad_kernel_source other = scale_source("#define SHIFT 6.0f");
    ck_assert_int_eq(clgrad_kernel_create(dev, &other, &kernel), CLGRAD_OK);
    ck_assert_str_eq(clgrad_error_text(ctx), "");
    clgrad_kernel_release(&kernel);
    unsetenv("CLGRAD_DUMP_KERNELS");
}
END_TEST

/* --- life ------------------------------------------------------------------------------------------------------------- */

START_TEST(launches_are_traced)
{
    if (!dev) return;
    char path[128], command[400];
    clgrad_device *traced;
    clgrad_kernel *kernel;
    clgrad_buffer *x;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    snprintf(path, sizeof path, "%s/target", dir);
    ck_assert_int_eq(clgrad_device_write_trace(dev, path), CLGRAD_E_ARG);
    options.profiling = true;
    put("scale.cl", "/* clgrad-template 1 */\nkernel void scale(global int *x) { x[get_global_id(0)] = 1; }\n");
    const clgrad_kernel_source source = scale_source("");
    ck_assert_int_eq(clgrad_device_open(ctx, &options, &traced), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(traced, 64, &x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_create(traced, &source, &kernel), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(kernel, 0, x), CLGRAD_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(clgrad_kernel_launch(kernel, 1, &(size_t){ 16 }, &(size_t){ 4 }, i ? NULL : "quoted \" label"),
                         CLGRAD_OK);
    ck_assert_int_eq(clgrad_device_write_trace(traced, path), CLGRAD_OK);
    snprintf(command, sizeof command,
             "grep -qF '\"name\":\"quoted \\\" label\"' %s && test $(grep -c '\"ph\":\"X\"' %s) = 3", path, path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(clgrad_device_write_trace(traced, "/no/such/place/trace"), CLGRAD_E_FILE);
    clgrad_kernel_release(&kernel);
    clgrad_buffer_release(&x);
    clgrad_device_release(&traced);
}
END_TEST

/* In the child: every call refuses, and releasing leaves OpenCL alone. */
static int use_after_fork(clgrad_kernel *kernel, clgrad_buffer *x)
{
    char byte = 0;
    clgrad_buffer *more;
    clgrad_event *event;
    const size_t one = 1;
    const bool refused = clgrad_buffer_create(dev, 8, &more) == CLGRAD_E_FORKED &&
                         clgrad_buffer_write(x, 0, &byte, 1) == CLGRAD_E_FORKED &&
                         clgrad_buffer_read(x, 0, &byte, 1) == CLGRAD_E_FORKED &&
                         clgrad_kernel_launch(kernel, 1, &one, &one, NULL) == CLGRAD_E_FORKED &&
                         clgrad_device_mark(dev, &event) == CLGRAD_E_FORKED &&
                         clgrad_device_finish(dev) == CLGRAD_E_FORKED && strstr(clgrad_error_text(ctx), "fork");
    clgrad_kernel_release(&kernel);
    clgrad_buffer_release(&x);
    clgrad_device_release(&dev);
    clgrad_context_release(&ctx);
    return refused ? 0 : 1;
}

START_TEST(a_forked_child_is_refused)
{
    if (!dev) return;
    clgrad_kernel *kernel;
    clgrad_buffer *x;
    int result = -1;
    put("scale.cl", "/* clgrad-template 1 */\nkernel void scale(global int *x) { x[get_global_id(0)] = 1; }\n");
    const clgrad_kernel_source source = scale_source("");
    ck_assert_int_eq(clgrad_kernel_create(dev, &source, &kernel), CLGRAD_OK);
    ck_assert_int_eq(clgrad_buffer_create(dev, 64, &x), CLGRAD_OK);
    ck_assert_int_eq(clgrad_kernel_set_buffer(kernel, 0, x), CLGRAD_OK);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) _exit(use_after_fork(kernel, x));
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(clgrad_kernel_launch(kernel, 1, &(size_t){ 16 }, &(size_t){ 4 }, NULL), CLGRAD_OK); /* the parent goes on */
    clgrad_kernel_release(&kernel);
    clgrad_buffer_release(&x);
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
    tcase_add_test(tests, files_of_another_version_are_refused);
    tcase_add_test(tests, files_are_found_safely);
    tcase_add_test(tests, directories_are_searched_in_order);
    tcase_add_test(tests, texts_have_no_comments);
    tcase_add_test(tests, a_text_has_its_parts_in_order);
    tcase_add_test(tests, unfused_is_a_choice);
    tcase_add_test(tests, what_does_not_build_is_explained);
    tcase_add_test(tests, what_builtins_leave_out_is_declared_by_the_compiler);
    tcase_add_test(tests, loads_are_those_of_their_pointers);
    tcase_add_test(tests, every_text_can_be_dumped);
    tcase_add_test(tests, launches_are_traced);
    tcase_add_test(tests, a_forked_child_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
