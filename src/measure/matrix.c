/* One problem: build the sample, run it between guard zones, hold it against ref in f64 (within the row's ulp) and, on a device
 * whose arithmetic is exact, against ref in f32 (bit for bit). */

#include "measure/compare.h"
#include "ref/ref.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

enum { GUARD = 128, OFFSET = 3, MOST = CLGRAD_SAMPLE_OUTPUTS };

static bool any_family(clgrad_family f) { return f != CLGRAD_LEAF; }
static bool map_family(clgrad_family f) { return f == CLGRAD_MAP; }
static bool sum_family(clgrad_family f) { return f == CLGRAD_REDUCE || f == CLGRAD_SCAN; }
static bool product_family(clgrad_family f) { return f == CLGRAD_PRODUCT; }

const clgrad_variant_row clgrad_variants[] = {
    { "unfused", any_family, { .no_fusion = true } },
    { "scalar", map_family, { .width = 1 } },
    { "cpu", sum_family, { .reduce = CLGRAD_VARIANT_CPU } },
    { "gpu", sum_family, { .reduce = CLGRAD_VARIANT_GPU } },
    { "cpu", product_family, { .matmul = CLGRAD_VARIANT_CPU } },
    { "gpu", product_family, { .matmul = CLGRAD_VARIANT_GPU } },
    { "clblast", product_family, { .matmul = CLGRAD_VARIANT_CLBLAST } },
};
const size_t clgrad_variant_count = CLGRAD_COUNT(clgrad_variants);

static const clgrad_plan_options *options_of(const clgrad_problem *problem)
{
    static const clgrad_plan_options plain = { .no_fusion = false };
    const clgrad_family family = clgrad_sample_family(problem->subject);
    for (size_t i = 0; i < clgrad_variant_count; i++)
        if (strcmp(clgrad_variants[i].name, problem->variant) == 0 && clgrad_variants[i].applies(family))
            return &clgrad_variants[i].options;
    return &plain;
}

void clgrad_problem_name(const clgrad_problem *problem, char name[CLGRAD_PROBLEM_NAME])
{
    char subject[48];
    clgrad_sample_name(problem->subject, subject, sizeof subject);
    snprintf(name, CLGRAD_PROBLEM_NAME, "%s:%s:%s%s%s", subject, clgrad_dtype_name(problem->dtype), problem->layout->name,
             *problem->variant ? ":" : "", problem->variant);
}

/* --- a run between guard zones ---------------------------------------------------------------------------------------- */

typedef struct guarded {
    clgrad_tensor *base, *view;
    clgrad_array host; /* the whole base, guards included */
    int64_t start;
} guarded;

static void guarded_release(clgrad_context *ctx, guarded *t)
{
    clgrad_tensor_release(&t->view);
    clgrad_tensor_release(&t->base);
    clgrad_array_release(ctx, &t->host);
}

static clgrad_status guarded_create(clgrad_device *dev, clgrad_dtype dtype, const clgrad_shape *shape, int64_t start, guarded *out)
{
    clgrad_context *ctx = clgrad_device_get_context(dev);
    const clgrad_shape all = CLGRAD_SHAPE(clgrad_shape_count(shape) + start + GUARD);
    out->start = start;
    CLGRAD_TRY(clgrad_array_create(ctx, dtype, all, &out->host));
    memset(out->host.data, 0xff, clgrad_array_bytes(&out->host)); /* NaN in every real type, -1 in integers */
    CLGRAD_TRY(clgrad_tensor_create(dev, dtype, all, &out->base));
    return clgrad_tensor_view(out->base, start, *shape, &out->view);
}

static clgrad_status upload(guarded *t) { return clgrad_tensor_write(t->base, t->host.data, clgrad_array_bytes(&t->host)); }

/* The elements between the guards as an array sharing t's memory; false when a guard was overwritten. */
static bool inside(const guarded *t, const clgrad_shape *shape, clgrad_array *out)
{
    const size_t bytes = clgrad_dtype_bytes(t->host.dtype);
    const size_t first = (size_t)t->start * bytes, last = first + (size_t)clgrad_shape_count(shape) * bytes;
    unsigned char *data = t->host.data;
    *out = (clgrad_array){ t->host.dtype, *shape, data + first };
    for (size_t i = 0; i < clgrad_array_bytes(&t->host); i++)
        if ((i < first || i >= last) && data[i] != 0xff) return false;
    return true;
}

typedef struct problem_run {
    clgrad_context *ctx;
    clgrad_device *dev;
    clgrad_sample sample;
    clgrad_plan *plan;
    guarded in[MOST], out[MOST];
    clgrad_array inputs[MOST], absolute[MOST], want[MOST], scale[MOST], twin[MOST];
    size_t num_in, num_out;
} problem_run;

static void run_release(problem_run *r)
{
    clgrad_plan_release(&r->plan);
    for (size_t i = 0; i < MOST; i++) {
        guarded_release(r->ctx, &r->in[i]);
        guarded_release(r->ctx, &r->out[i]);
        clgrad_array_release(r->ctx, &r->absolute[i]);
        clgrad_array_release(r->ctx, &r->want[i]);
        clgrad_array_release(r->ctx, &r->scale[i]);
        clgrad_array_release(r->ctx, &r->twin[i]);
    }
    clgrad_graph_release(&r->sample.graph);
}

static clgrad_status make_inputs(problem_run *r, int64_t start)
{
    const clgrad_graph *g = r->sample.graph;
    for (size_t i = 0; i < r->num_in; i++) {
        const clgrad_op_node *n = clgrad_at(g, clgrad_graph_input(g, i));
        CLGRAD_TRY(guarded_create(r->dev, n->dtype, &n->shape, start, &r->in[i]));
        inside(&r->in[i], &n->shape, &r->inputs[i]);
        clgrad_sample_fill(&r->sample, i, 1, &r->inputs[i]);
        CLGRAD_TRY(upload(&r->in[i]));
        CLGRAD_TRY(clgrad_array_create(r->ctx, n->dtype, n->shape, &r->absolute[i]));
        for (int64_t k = 0; k < clgrad_shape_count(&n->shape); k++)
            clgrad_array_set(&r->absolute[i], k, fabs(clgrad_array_get(&r->inputs[i], k)));
    }
    return CLGRAD_OK;
}

static clgrad_status run_on_device(problem_run *r, const clgrad_plan_options *options, int64_t start)
{
    const clgrad_graph *g = r->sample.graph;
    clgrad_tensor *in[MOST], *out[MOST];
    CLGRAD_TRY(clgrad_plan_create(r->dev, g, options, &r->plan));
    for (size_t i = 0; i < r->num_in; i++) in[i] = r->in[i].view;
    for (size_t i = 0; i < r->num_out; i++) {
        const clgrad_op_node *n = clgrad_at(g, clgrad_graph_output(g, i));
        CLGRAD_TRY(guarded_create(r->dev, n->dtype, &n->shape, start, &r->out[i]));
        CLGRAD_TRY(upload(&r->out[i]));
        out[i] = r->out[i].view;
    }
    CLGRAD_TRY(clgrad_plan_bind(r->plan, in, out));
    CLGRAD_TRY(clgrad_plan_run(r->plan));
    for (size_t i = 0; i < r->num_out; i++)
        CLGRAD_TRY(clgrad_tensor_read(r->out[i].base, r->out[i].host.data, clgrad_array_bytes(&r->out[i].host)));
    return CLGRAD_OK;
}

/* Sums are measured against the sum of magnitudes, the same graph over |inputs|, and may err by the root of their length. */
static bool is_sum(int subject)
{
    const clgrad_family f = clgrad_sample_family(subject);
    return subject == CLGRAD_OP_SUM || f == CLGRAD_SCAN || f == CLGRAD_PRODUCT || f == CLGRAD_OVERLAP || f == CLGRAD_SCATTER;
}

static bool exact_class(const problem_run *r, const clgrad_problem *problem)
{
    const clgrad_device_info *info = clgrad_device_get_info(r->dev);
    return info->denormals && info->exact_divide && problem->dtype != CLGRAD_F64 && strcmp(problem->variant, "clblast") != 0;
}

static clgrad_status compare_all(problem_run *r, const clgrad_problem *problem, bool negative, clgrad_verdict *verdict)
{
    const clgrad_graph *g = r->sample.graph;
    const bool exact = exact_class(r, problem);
    const clgrad_device_info *info = clgrad_device_get_info(r->dev);
    const bool sum = is_sum(problem->subject);
    const double floor = problem->subject == CLGRAD_OP_RANDOM ? FLT_EPSILON : info->denormals ? 0 : FLT_MIN;
    CLGRAD_TRY(clgrad_ref_evaluate(g, r->inputs, r->want, CLGRAD_REF_F64));
    if (sum) CLGRAD_TRY(clgrad_ref_evaluate(g, r->absolute, r->scale, CLGRAD_REF_F64));
    if (exact) CLGRAD_TRY(clgrad_ref_evaluate(g, r->inputs, r->twin, clgrad_device_fused(r->dev) ? CLGRAD_REF_F32_FMA : CLGRAD_REF_F32));
    for (size_t i = 0; i < r->num_out; i++) {
        const clgrad_shape shape = clgrad_node_shape(g, clgrad_graph_output(g, i));
        clgrad_array got;
        const bool guards = inside(&r->out[i], &shape, &got);
        if (negative && clgrad_shape_count(&shape) > 0) ((unsigned char *)got.data)[clgrad_dtype_bytes(got.dtype) - 1] ^= 0x44;
        const char *name = clgrad_graph_output_name(g, i);
        const double ulp = clgrad_sample_ulp(clgrad_sample_op(problem->subject, name));
        const clgrad_tolerance tolerance = { sum ? 8 * fmax(1, sqrt((double)problem->layout->n) / 4) : ulp, floor };
        clgrad_compare(name, &got, &r->want[i], sum ? &r->scale[i] : NULL, &tolerance, verdict);
        if (exact) clgrad_compare_bits(name, &got, &r->twin[i], verdict);
        if (guards) continue;
        verdict->verdict = CLGRAD_CHECK_FAILED;
        snprintf(verdict->detail, sizeof verdict->detail, "%s: memory around the output was written", name);
    }
    return CLGRAD_OK;
}

static bool skip(clgrad_device *dev, const clgrad_problem *problem, clgrad_verdict *out)
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    const char *reason = NULL;
    if (problem->dtype == CLGRAD_F64 && !info->fp64) reason = "the device has no fp64";
    if (strcmp(problem->variant, "clblast") == 0 && strstr(info->platform, "Oclgrind")) reason = "CLBlast is kept out of Oclgrind";
    if (!reason) return false;
    out->verdict = CLGRAD_CHECK_SKIPPED;
    snprintf(out->detail, sizeof out->detail, "%s", reason);
    return true;
}

clgrad_status clgrad_problem_run(clgrad_device *dev, const clgrad_problem *problem, bool negative, clgrad_verdict *out)
{
    *out = (clgrad_verdict){ .verdict = CLGRAD_CHECK_PASSED };
    if (skip(dev, problem, out)) return CLGRAD_OK;
    problem_run r = { .ctx = clgrad_device_get_context(dev), .dev = dev };
    const int64_t start = problem->layout->kind == CLGRAD_LAYOUT_OFFSET ? GUARD + OFFSET : GUARD;
    clgrad_status status = clgrad_sample_create(r.ctx, problem->subject, problem->dtype, problem->layout, &r.sample);
    if (status == CLGRAD_OK) {
        r.num_in = clgrad_graph_num_inputs(r.sample.graph);
        r.num_out = clgrad_graph_num_outputs(r.sample.graph);
        status = make_inputs(&r, start);
    }
    if (status == CLGRAD_OK) status = run_on_device(&r, options_of(problem), start);
    if (status == CLGRAD_OK) status = compare_all(&r, problem, negative, out);
    if (status > 0 && status != CLGRAD_E_MEMORY) { /* refused, with nothing changed: a row like others */
        out->verdict = status == CLGRAD_E_UNSUPPORTED ? CLGRAD_CHECK_SKIPPED : CLGRAD_CHECK_FAILED;
        snprintf(out->detail, sizeof out->detail, "%.*s", CLGRAD_DETAIL_TEXT - 1, clgrad_error_text(r.ctx));
        status = CLGRAD_OK;
    }
    run_release(&r);
    return status;
}
