/* Initial values: range or moments as stated, a function of seed, parameter and element alone. */

#include "model_test.h"

#include <math.h>

enum { INPUTS = 200, OUTPUTS = 60, COUNT = INPUTS * OUTPUTS };

static float values[COUNT], again[COUNT];

static void draw(const char *init, uint64_t seed, size_t parameter, size_t count, float *out)
{
    clgrad_model *model = NULL;
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    options.layers = "200-60-200";
    options.init = init;
    ck_assert_int_eq(clgrad_model_create(ctx, &options, &model), CLGRAD_OK);
    ck_assert_msg(clgrad_model_initialize(model, seed, parameter, out, count) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    clgrad_model_release(&model);
}

static void moments(size_t count, double *mean, double *deviation, double *largest)
{
    double sum = 0, square = 0;
    *largest = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        square += (double)values[i] * values[i];
        if (fabs(values[i]) > *largest) *largest = fabs(values[i]);
    }
    *mean = sum / (double)count;
    *deviation = sqrt(square / (double)count);
}

static const struct {
    const char *init;
    double deviation, bound; /* of 0.weight [60, 200]; bound INFINITY for normals */
    double bias_bound;
} rows[] = {
    { "default", 0.040824829046386304, 0.070710678118654752, 0.070710678118654752 },
    { "kaiming-uniform", 0.1, 0.17320508075688773, 0 },
    { "kaiming-normal", 0.1, INFINITY, 0 },
    { "xavier-uniform", 0.087705801930702921, 0.15191090506254998, 0 },
    { "xavier-normal", 0.087705801930702921, INFINITY, 0 },
    { "zeros", 0, 0, 0 },
};

START_TEST(draws_have_their_moments)
{
    double mean, deviation, largest;
    draw(rows[_i].init, 7, 0, COUNT, values);
    moments(COUNT, &mean, &deviation, &largest);
    const double sigma = rows[_i].deviation / sqrt(COUNT);
    ck_assert_double_le(fabs(mean), 5 * sigma);
    ck_assert_double_le(fabs(deviation - rows[_i].deviation), 5 * sigma);
    ck_assert_double_le(largest, rows[_i].bound * (1 + 1e-6));
    if (isfinite(rows[_i].bound)) ck_assert_double_ge(largest, 0.99 * rows[_i].bound); /* the bound is reached: it is not too wide */
    draw(rows[_i].init, 7, 1, OUTPUTS, values);
    moments(OUTPUTS, &mean, &deviation, &largest);
    ck_assert_double_le(largest, rows[_i].bias_bound);
    ck_assert_double_ge(largest, 0.8 * rows[_i].bias_bound);
}
END_TEST

START_TEST(every_scheme_has_a_row)
{
    const char *name = NULL, *formula = NULL;
    size_t i = 0;
    for (; (name = clgrad_init_get(i, &formula)); i++) {
        ck_assert_ptr_nonnull(formula);
        ck_assert_str_eq(name, rows[i].init);
    }
    ck_assert_uint_eq(i, CLGRAD_COUNT(rows));
}
END_TEST

START_TEST(draws_depend_on_seed_and_parameter_alone)
{
    draw("default", 7, 0, COUNT, values);
    draw("default", 7, 0, COUNT, again);
    ck_assert_mem_eq(values, again, sizeof values);
    draw("default", 8, 0, COUNT, again);
    ck_assert_mem_ne(values, again, sizeof values);
    draw("default", 7, 2, COUNT, again);
    ck_assert_mem_ne(values, again, sizeof values);
    ck_assert_float_eq(values[0], (2 * clgrad_random_uniform(7, 0, 0, 0) - 1) * 0.070710678118654752f);
}
END_TEST

START_TEST(counts_are_checked)
{
    clgrad_model *model = NULL;
    clgrad_model_options options = CLGRAD_MODEL_OPTIONS_INIT;
    options.layers = "2-1";
    ck_assert_int_eq(clgrad_model_create(ctx, &options, &model), CLGRAD_OK);
    ck_assert_int_eq(clgrad_model_initialize(model, 1, 2, values, 1), CLGRAD_E_ARG);
    ck_assert_int_eq(clgrad_model_initialize(model, 1, 0, values, 3), CLGRAD_E_ARG);
    clgrad_model_release(&model);
}
END_TEST

Suite *init_suite(void)
{
    Suite *suite = suite_create("init");
    TCase *tests = tcase_create("init");
    tcase_add_checked_fixture(tests, model_setup, model_teardown);
    tcase_add_loop_test(tests, draws_have_their_moments, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_test(tests, every_scheme_has_a_row);
    tcase_add_test(tests, draws_depend_on_seed_and_parameter_alone);
    tcase_add_test(tests, counts_are_checked);
    suite_add_tcase(suite, tests);
    return suite;
}
