/* Data sets: MNIST's files, CSV, NPY; sets by seed; weights; standardisation. */

#include "train/fixture.h"

#include "clgrad/io.h"

static clgrad_status load(clgrad_config *config, clgrad_data_use use, clgrad_dataset *data)
{
    return clgrad_dataset_load(test_context(), &config->settings, NULL, use, data);
}

/* --- MNIST --- */

static const char *idx(const char *name, uint8_t rank, const uint32_t *dims, int salt)
{
    uint8_t file[4096] = { 0, 0, 8, rank };
    size_t n = 4, values = 1;
    for (uint8_t i = 0; i < rank; i++) {
        for (int shift = 24; shift >= 0; shift -= 8) file[n++] = (uint8_t)(dims[i] >> shift);
        values *= dims[i];
    }
    for (size_t i = 0; i < values; i++) file[n++] = (uint8_t)(rank == 1 ? (i + (size_t)salt) % 3 : i * 5 + (size_t)salt);
    return train_file(name, file, n);
}

static void write_mnist(uint32_t train, uint32_t test)
{
    idx("train-images-idx3-ubyte", 3, (uint32_t[]){ train, 2, 3 }, 1);
    idx("train-labels-idx1-ubyte", 1, (uint32_t[]){ train }, 0);
    idx("t10k-images.idx3-ubyte", 3, (uint32_t[]){ test, 2, 3 }, 9); /* the other spelling */
    idx("t10k-labels.idx1-ubyte", 1, (uint32_t[]){ test }, 1);
}

START_TEST(mnist_has_its_own_test_set)
{
    write_mnist(20, 7);
    clgrad_config *config = train_config("data.validation=0.25", NULL);
    train_set_path(config, "data.path", train_path(""));
    clgrad_dataset data;
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_assert_int_eq(data.count, 27);
    ck_assert_int_eq(data.num_features, 6);
    ck_assert_int_eq(data.num_classes, 3);
    ck_assert_int_eq(clgrad_dataset_size(&data, CLGRAD_SUBSET_TRAIN), 15);
    ck_assert_int_eq(clgrad_dataset_size(&data, CLGRAD_SUBSET_VALIDATION), 5);
    ck_assert_int_eq(clgrad_dataset_size(&data, CLGRAD_SUBSET_TEST), 7);
    ck_assert_uint_eq(clgrad_dataset_order(&data, CLGRAD_SUBSET_TEST)[0], 20);
    ck_assert_float_eq_tol(data.features[2], 11 / 255.0f, 1e-7f);
    clgrad_dataset_release(&data);
    ck_ok(load(config, CLGRAD_DATA_EVALUATE, &data)); /* the test files alone */
    ck_assert_int_eq(data.count, 7);
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(mnist_files_must_be_there_and_fit)
{
    clgrad_config *config = train_config(NULL);
    clgrad_dataset data;
    train_set_path(config, "data.path", train_path(""));
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_FILE, "train-images-idx3-ubyte");
    write_mnist(20, 7);
    idx("train-labels-idx1-ubyte", 1, (uint32_t[]){ 19 }, 0);
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_FORMAT, "20 and 19");
    idx("train-labels-idx1-ubyte", 1, (uint32_t[]){ 20 }, 0);
    idx("t10k-images.idx3-ubyte", 3, (uint32_t[]){ 7, 2, 2 }, 9);
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_FORMAT, "differ in size");
    clgrad_config_release(&config);
}
END_TEST

/* --- CSV --- */

START_TEST(tables_become_features_and_labels)
{
    clgrad_config *config = train_config("data.test=0.3", "data.validation=0.2", NULL);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 100));
    clgrad_dataset data;
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_assert_int_eq(data.count, 100);
    ck_assert_int_eq(data.num_features, 3);
    ck_assert_int_eq(data.num_classes, 2);
    ck_assert_str_eq(data.classes[1], "yes");
    ck_assert_float_eq(data.targets[1], 1);
    ck_assert_int_eq(clgrad_dataset_size(&data, CLGRAD_SUBSET_TEST), 30);
    ck_assert_int_eq(clgrad_dataset_size(&data, CLGRAD_SUBSET_VALIDATION), 14);
    bool seen[100] = { false }; /* every sample is in one set */
    for (int64_t i = 0; i < data.first[CLGRAD_SUBSET_COUNT]; i++) {
        ck_assert(!seen[data.order[i]]);
        seen[data.order[i]] = true;
    }
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}
END_TEST

static void test_set_of(const char *seed, const char *validation, uint32_t *out)
{
    clgrad_config *config = train_config("data.test=0.3", seed, validation, NULL);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 100));
    clgrad_dataset data;
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    memcpy(out, clgrad_dataset_order(&data, CLGRAD_SUBSET_TEST), 30 * sizeof *out);
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}

START_TEST(sets_go_by_the_seed_alone)
{
    uint32_t a[30], b[30], c[30];
    test_set_of("train.seed=4", "data.validation=0", a);
    test_set_of("train.seed=4", "data.validation=0.5", b);
    test_set_of("train.seed=5", "data.validation=0", c);
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_mem_ne(a, c, sizeof a);
}
END_TEST

START_TEST(weights_come_from_a_column_and_from_classes)
{
    static const char text[] = "x,w,y\n1,2,0\n2,1,1\n3,0.5,1\n4,1,1\n";
    clgrad_config *config = train_config("data.weights=w", NULL);
    train_set_path(config, "data.path", train_file("w.csv", text, sizeof text - 1));
    clgrad_dataset data;
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_assert_int_eq(data.num_features, 1);
    ck_assert_float_eq(data.weights[2], 0.5f);
    ck_ok(clgrad_dataset_weigh_classes(&data, "3,2", 2));
    ck_assert_float_eq(data.weights[0], 6);
    ck_assert_float_eq(data.weights[2], 1);
    clgrad_dataset_release(&data);
    train_set(config, "data.weights=");
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_ok(clgrad_dataset_weigh_classes(&data, "balanced", 2));
    ck_assert_float_eq(data.weights[0], 2);
    ck_assert_float_eq_tol(data.weights[1], 2.0f / 3, 1e-6f);
    train_expect(clgrad_dataset_weigh_classes(&data, "1,2,3", 2), CLGRAD_E_CONFIG, "2 numbers");
    train_expect(clgrad_dataset_weigh_classes(&data, "1,-2", 2), CLGRAD_E_CONFIG, ">= 0");
    train_expect(clgrad_dataset_weigh_classes(&data, "blanced", 2), CLGRAD_E_CONFIG, "balanced");
    clgrad_dataset_release(&data);
    train_set(config, "data.weights=ww");
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_CONFIG, "did you mean 'w'");
    clgrad_config_release(&config);
}
END_TEST

START_TEST(missing_values_are_refused_or_filled)
{
    static const char text[] = "x,z,y\n1,2,0\n,1,1\n3,0.5,1\n";
    clgrad_config *config = train_config(NULL);
    train_set_path(config, "data.path", train_file("gaps.csv", text, sizeof text - 1));
    clgrad_dataset data;
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_FORMAT, "line 3");
    train_set(config, "data.missing=mean");
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_assert_float_eq(data.features[2], 2);
    ck_assert_double_eq(data.fill[0], 2);
    json_t *fill = json_pack("[f, f]", 7.0, 0.0);
    const clgrad_data_memory memory = { 2, NULL, fill };
    clgrad_dataset_release(&data);
    ck_ok(clgrad_dataset_load(test_context(), &config->settings, &memory, CLGRAD_DATA_EVALUATE, &data));
    ck_assert_float_eq(data.features[2], 7); /* what the training set taught */
    json_decref(fill);
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(prediction_needs_no_targets)
{
    static const char text[] = "1,2\n3,4\n";
    clgrad_config *config = train_config(NULL);
    train_set_path(config, "data.path", train_file("bare.csv", text, sizeof text - 1));
    const clgrad_data_memory memory = { 2, NULL, NULL };
    clgrad_dataset data;
    ck_ok(clgrad_dataset_load(test_context(), &config->settings, &memory, CLGRAD_DATA_PREDICT, &data));
    ck_assert_int_eq(data.num_features, 2);
    ck_assert_ptr_null(data.targets);
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}
END_TEST

/* --- NPY --- */

static const char *npy(const char *name, int64_t rows, int64_t columns)
{
    clgrad_array array = { 0 };
    ck_ok(clgrad_array_create(test_context(), CLGRAD_F64, CLGRAD_SHAPE(rows, columns), &array));
    for (int64_t i = 0; i < rows * columns; i++) clgrad_array_set(&array, i, (double)i);
    ck_ok(clgrad_npy_write(test_context(), train_path(name), &array));
    clgrad_array_release(test_context(), &array);
    return train_path(name);
}

START_TEST(arrays_carry_targets_inside_or_beside)
{
    clgrad_config *config = train_config(NULL);
    clgrad_dataset data;
    train_set_path(config, "data.path", npy("x.npy", 5, 3));
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_assert_int_eq(data.num_features, 2);
    ck_assert_float_eq(data.features[2], 3);
    ck_assert_float_eq(data.targets[1], 5);
    clgrad_dataset_release(&data);
    train_set_path(config, "data.target", npy("y.npy", 5, 1));
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_assert_int_eq(data.num_features, 3);
    ck_assert_float_eq(data.targets[4], 4);
    clgrad_dataset_release(&data);
    train_set_path(config, "data.target", npy("z.npy", 4, 1));
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_FORMAT, "4 targets for 5 samples");
    train_set(config, "data.target=");
    train_set_path(config, "data.path", npy("thin.npy", 4, 1));
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_FORMAT, "last column");
    clgrad_config_release(&config);
}
END_TEST

/* --- all --- */

START_TEST(features_are_standardised_over_the_training_set)
{
    clgrad_config *config = train_config("data.test=0.2", NULL);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 60));
    clgrad_dataset data;
    float mean[3], scale[3];
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_ok(clgrad_dataset_moments(&data, mean, scale));
    clgrad_dataset_standardise(&data, mean, scale);
    ck_ok(clgrad_dataset_moments(&data, mean, scale));
    for (int f = 0; f < 3; f++) {
        ck_assert_float_eq_tol(mean[f], 0, 1e-6f);
        ck_assert_float_eq_tol(scale[f], 1, 1e-5f);
    }
    for (int64_t i = 0; i < data.count; i++) data.features[3 * i] = 5; /* a constant column has no deviation */
    ck_ok(clgrad_dataset_moments(&data, mean, scale));
    ck_assert_float_eq(mean[0], 5);
    ck_assert_float_eq(scale[0], 1);
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}
END_TEST

START_TEST(sets_must_not_be_empty)
{
    clgrad_config *config = train_config("data.test=0.9", "data.validation=0.9", NULL);
    clgrad_dataset data;
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_CONFIG, "data.path");
    train_set_path(config, "data.path", train_clouds("clouds.csv", 4));
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_CONFIG, "no training samples");
    train_set_path(config, "data.path", train_path("nowhere.csv"));
    train_expect(load(config, CLGRAD_DATA_TRAIN, &data), CLGRAD_E_FILE, "nowhere.csv");
    clgrad_config_release(&config);
}
END_TEST

START_TEST(a_limit_takes_the_first_samples)
{
    clgrad_config *config = train_config("data.limit=10", NULL);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 50));
    clgrad_dataset data;
    ck_ok(load(config, CLGRAD_DATA_TRAIN, &data));
    ck_assert_int_eq(clgrad_dataset_size(&data, CLGRAD_SUBSET_TRAIN), 10);
    for (int64_t i = 0; i < 10; i++) ck_assert_uint_eq(data.order[i], (uint32_t)i);
    clgrad_dataset_release(&data);
    clgrad_config_release(&config);
}
END_TEST

Suite *dataset_suite(void)
{
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");
    tcase_add_checked_fixture(tests, train_setup, train_teardown);
    tcase_add_test(tests, mnist_has_its_own_test_set);
    tcase_add_test(tests, mnist_files_must_be_there_and_fit);
    tcase_add_test(tests, tables_become_features_and_labels);
    tcase_add_test(tests, sets_go_by_the_seed_alone);
    tcase_add_test(tests, weights_come_from_a_column_and_from_classes);
    tcase_add_test(tests, missing_values_are_refused_or_filled);
    tcase_add_test(tests, prediction_needs_no_targets);
    tcase_add_test(tests, arrays_carry_targets_inside_or_beside);
    tcase_add_test(tests, features_are_standardised_over_the_training_set);
    tcase_add_test(tests, sets_must_not_be_empty);
    tcase_add_test(tests, a_limit_takes_the_first_samples);
    suite_add_tcase(suite, tests);
    return suite;
}
