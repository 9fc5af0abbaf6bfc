/* Fifty training steps of a relu network with squared loss and momentum (no division, no subnormals) have one digest: over runs,
 * vector widths, work-group sizes, tiles and forms of kernels, equal to the oracle's in f32; and with
 * fma forbidden it is one number on every device. */

#include "train/fixture.h"

#include "base/sha256.h"
#include "ref/ref.h"

#include <stdio.h>

enum { STEPS = 50 };

/* On PoCL, rusticl, Oclgrind and the host. */
static const char unfused_digest[] = "3369f9e9f58587f19740ada80452827ba6dc27b608ddd999eb70aef213dabedb";

static clgrad_config *job(void)
{
    clgrad_config *config = train_config("model.layers=3-40-17-2", "loss=mse", "optimizer.name=momentum", "optimizer.lr=0.05",
                                         "train.batch=32", "data.class_weights=1,0.5", NULL);
    train_set_path(config, "data.path", train_clouds("clouds.csv", 90));
    return config;
}

typedef struct bench {
    clgrad_config *config;
    clgrad_trainer t;
    clgrad_train_result result;
    const clgrad_graph *graph;
    clgrad_step_part *part;
    clgrad_tensor *data[4];
} bench;

static void open_bench(bench *b, clgrad_device *dev)
{
    static const clgrad_train_callbacks silent = CLGRAD_TRAIN_CALLBACKS_INIT;
    b->config = job();
    b->t = (clgrad_trainer){ .dev = dev, .ctx = clgrad_device_get_context(dev), .config = b->config,
                             .settings = &b->config->settings, .callbacks = &silent, .result = &b->result };
    ck_ok(clgrad_trainer_set_up(&b->t, false));
    b->part = &b->t.opt->whole;
    b->graph = clgrad_function_graph(b->part->function);
    const clgrad_resident *r = &b->t.source.resident;
    clgrad_tensor *data[] = { r->features, r->targets, r->weights, r->shuffled };
    memcpy(b->data, data, sizeof data);
    for (size_t i = 0; i < b->part->num_inputs; i++)
        if (b->part->data_index[i] != SIZE_MAX) b->part->inputs[i] = b->data[b->part->data_index[i]];
}

static void close_bench(bench *b)
{
    clgrad_trainer_release(&b->t);
    clgrad_config_release(&b->config);
}

/* Three batches an epoch, the last one ragged. */
static void set_step(bench *b, int step)
{
    clgrad_optimizer *opt = b->t.opt;
    opt->updates = step;
    clgrad_optimizer_fill_hyper(opt, step);
    opt->hyper.offset = step % 3 * 32;
    opt->hyper.limit = b->t.num_train;
    opt->hyper.sample = step * 32;
    opt->hyper.scale = 1.0f / 32;
    opt->hyper.keep_metric = opt->hyper.keep_sum = 1;
    ck_ok(clgrad_buffer_write(opt->hyper_buffer, 0, &opt->hyper, sizeof opt->hyper));
}

static void finish(clgrad_sha256 *hash, char digest[65])
{
    uint8_t bytes[CLGRAD_SHA256_BYTES];
    clgrad_sha256_end(hash, bytes);
    clgrad_sha256_hex(bytes, digest);
}

static void run_on_device(clgrad_device *dev, clgrad_plan_options options, char digest[65])
{
    bench b;
    clgrad_plan *plan = NULL;
    clgrad_sha256 hash;
    open_bench(&b, dev);
    uint32_t *donated = clgrad_alloc(b.t.ctx, b.graph->num_inputs, sizeof *donated);
    for (size_t i = 0; i < b.graph->num_inputs; i++) {
        const size_t output = clgrad_graph_find_output(b.graph, b.graph->input_names[i]);
        donated[i] = output == SIZE_MAX ? 0 : (uint32_t)output + 1;
    }
    options.donated = donated;
    ck_ok(clgrad_plan_create(dev, b.graph, &options, &plan));
    ck_ok(clgrad_plan_bind(plan, b.part->inputs, b.part->outputs));
    for (int step = 0; step < STEPS; step++) {
        set_step(&b, step);
        ck_ok(clgrad_plan_run(plan));
    }
    clgrad_sha256_begin(&hash);
    for (size_t i = 0; clgrad_optimizer_parameter(b.t.opt, i); i++) {
        float values[1024];
        clgrad_tensor *p = clgrad_optimizer_parameter(b.t.opt, i);
        ck_ok(clgrad_tensor_read(p, values, clgrad_tensor_bytes(p)));
        clgrad_sha256_add(&hash, values, clgrad_tensor_bytes(p));
    }
    finish(&hash, digest);
    clgrad_plan_release(&plan);
    clgrad_free(b.t.ctx, donated);
    close_bench(&b);
}

/* --- the oracle, fed with what lies on the device --- */

static void read_input(bench *b, size_t i, clgrad_array *array)
{
    clgrad_tensor *tensor = b->part->inputs[i];
    if (!array->data) ck_ok(clgrad_array_create(b->t.ctx, tensor->dtype, tensor->shape, array));
    ck_ok(clgrad_tensor_read(tensor, array->data, clgrad_array_bytes(array)));
}

static void run_on_host(clgrad_device *dev, clgrad_ref_mode mode, char digest[65])
{
    enum { MOST = 64 };
    bench b;
    clgrad_sha256 hash;
    clgrad_array in[MOST] = { { 0 } }, out[MOST] = { { 0 } };
    open_bench(&b, dev);
    const clgrad_graph *g = b.graph;
    ck_assert_uint_le(g->num_inputs, MOST);
    for (int step = 0; step < STEPS; step++) {
        set_step(&b, step);
        for (size_t i = 0; i < g->num_inputs; i++)
            if (step == 0 || clgrad_hyper_name(g->input_names[i])) read_input(&b, i, &in[i]);
        ck_ok(clgrad_ref_evaluate(g, in, out, mode));
        for (size_t i = 0; i < g->num_outputs; i++) {
            const size_t input = clgrad_graph_find_input(g, g->output_names[i]);
            clgrad_array_release(b.t.ctx, &in[input]);
            in[input] = out[i];
        }
    }
    clgrad_sha256_begin(&hash);
    const clgrad_array *theta = &in[clgrad_graph_find_input(g, "theta.0")];
    for (size_t i = 0; i < b.t.opt->arena->num_segments; i++) {
        const clgrad_segment *s = &b.t.opt->arena->segments[i];
        clgrad_sha256_add(&hash, (const float *)theta->data + s->offset, (size_t)s->count * sizeof(float));
    }
    finish(&hash, digest);
    for (size_t i = 0; i < g->num_inputs; i++) clgrad_array_release(b.t.ctx, &in[i]);
    close_bench(&b);
}

/* --- tests --- */

static const clgrad_plan_options forms[] = {
    { 0 },
    { .width = 4, .work_group = 16, .tile_m = 2, .tile_n = 8 },
    { .reduce = CLGRAD_VARIANT_GPU, .matmul = CLGRAD_VARIANT_GPU },
};

START_TEST(every_form_has_the_oracles_digest)
{
    char have[65], want[65];
    clgrad_device *dev = test_device();
    if (!dev) return;
    run_on_host(dev, clgrad_device_fused(dev) ? CLGRAD_REF_F32_FMA : CLGRAD_REF_F32, want);
    /* Oclgrind is slow, and its vectors of comparisons are not to be trusted */
    const size_t count = strstr(clgrad_device_get_info(dev)->quirks, "simulator") ? 1 : CLGRAD_COUNT(forms);
    for (size_t i = 0; i < count; i++) {
        run_on_device(dev, forms[i], have);
        ck_assert_msg(strcmp(have, want) == 0, "form %zu: %s, oracle %s", i, have, want);
    }
}
END_TEST

START_TEST(without_fma_all_devices_agree)
{
    char have[65], want[65];
    if (!test_device()) return;
    clgrad_device_options options = CLGRAD_DEVICE_OPTIONS_INIT;
    clgrad_device *dev = NULL;
    options.unfused = true;
    ck_ok(clgrad_device_open(test_context(), &options, &dev));
    run_on_device(dev, forms[0], have);
    run_on_host(dev, CLGRAD_REF_F32, want);
    ck_assert_str_eq(have, want);
    ck_assert_str_eq(have, unfused_digest);
    run_on_host(dev, CLGRAD_REF_F32_FMA, want); /* the check can fail */
    ck_assert_str_ne(have, want);
    clgrad_device_release(&dev);
}
END_TEST

Suite *digest_suite(void)
{
    Suite *suite = suite_create("digest");
    TCase *tests = tcase_create("digest");
    tcase_add_checked_fixture(tests, train_setup, train_teardown);
    tcase_add_test(tests, every_form_has_the_oracles_digest);
    tcase_add_test(tests, without_fma_all_devices_agree);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return suite;
}
