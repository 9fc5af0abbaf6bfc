/* One number for every implementation: 50 training steps in the unfused form, which every device can compute, have the digest that the
 * reference computes. In both programs of this folder, so that Oclgrind is asked as well. */

#include "measure/digest_test.h"

#include "measure/matrix.h"
#include "support/device.h"

START_TEST(the_unfused_digest_is_that_of_the_reference)
{
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    clgrad_device *dev = NULL;
    char got[65], want[65], fused[65];
    options.unfused = true;
    ck_assert_msg(clgrad_device_open(test_context(), &options, &dev) == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
    ck_assert_msg(clgrad_digest_run(dev, NULL, got) == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
    ck_assert_int_eq(clgrad_digest_ref(test_context(), false, want), CLGRAD_OK);
    ck_assert_int_eq(clgrad_digest_ref(test_context(), true, fused), CLGRAD_OK);
    clgrad_device_release(&dev);
    ck_assert_str_eq(got, want);
    ck_assert_str_ne(want, fused); /* the digest can tell the forms apart */
}
END_TEST

Suite *digest_suite(void)
{
    Suite *suite = suite_create("digest");
    TCase *tests = tcase_create("digest");
    tcase_set_timeout(tests, 900);
    tcase_add_test(tests, the_unfused_digest_is_that_of_the_reference);
    suite_add_tcase(suite, tests);
    return suite;
}
