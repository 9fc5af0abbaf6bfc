#include "plan_case.h"

#include "support/cl_join.h"
#include "support/random_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SUCCEED(call) ck_assert_msg((call) == CLGRAD_OK, "%s", clgrad_error_text(test_context()))

void plan_case_begin(plan_case *c, uint64_t seed)
{
    *c = (plan_case){ .seed = seed };
    SUCCEED(clgrad_graph_create(test_context(), &c->g));
}

void plan_case_end(plan_case *c)
{
    for (size_t i = 0; i < c->num_inputs; i++) clgrad_array_release(test_context(), &c->inputs[i]);
    clgrad_graph_release(&c->g);
}

static clgrad_node add_input(plan_case *c, clgrad_dtype dtype, clgrad_shape shape)
{
    char name[16];
    snprintf(name, sizeof name, "x%zu", c->num_inputs);
    ck_assert(c->num_inputs < PLAN_CASE_INPUTS);
    SUCCEED(clgrad_array_create(test_context(), dtype, shape, &c->inputs[c->num_inputs++]));
    return clgrad_input(c->g, name, dtype, shape);
}

clgrad_node plan_case_input(plan_case *c, clgrad_dtype dtype, clgrad_shape shape, double low, double high)
{
    const clgrad_node n = add_input(c, dtype, shape);
    clgrad_array *array = &c->inputs[c->num_inputs - 1];
    for (int64_t i = 0; i < clgrad_shape_count(&shape); i++) {
        const double value = low + (random_unit(&c->seed) + 1) / 2 * (high - low);
        clgrad_array_set(array, i, clgrad_dtype_is_real(dtype) ? value : floor(value));
    }
    return n;
}

clgrad_node plan_case_values(plan_case *c, clgrad_dtype dtype, clgrad_shape shape, const double *values)
{
    const clgrad_node n = add_input(c, dtype, shape);
    for (int64_t i = 0; i < clgrad_shape_count(&shape); i++) clgrad_array_set(&c->inputs[c->num_inputs - 1], i, values[i]);
    return n;
}

void plan_case_output(plan_case *c, clgrad_node n)
{
    char name[16];
    snprintf(name, sizeof name, "y%zu", clgrad_graph_num_outputs(c->g));
    clgrad_output(c->g, name, n);
    SUCCEED(clgrad_graph_status(c->g));
}

clgrad_ref_mode plan_ref_mode(void)
{
    return clgrad_device_fused(test_device()) ? CLGRAD_REF_F32_FMA : CLGRAD_REF_F32;
}

bool plan_is_exact(void)
{
    const clgrad_device_info *info = clgrad_device_get_info(test_device());
    return info->denormals && info->exact_divide;
}

bool plan_has_f64(void) { return clgrad_device_get_info(test_device())->fp64; }

static clgrad_tensor *upload(const clgrad_array *a)
{
    clgrad_tensor *t;
    SUCCEED(clgrad_tensor_create_from(test_device(), a->dtype, a->shape, a->data, clgrad_array_bytes(a), &t));
    return t;
}

static clgrad_tensor *spoiled(clgrad_dtype dtype, clgrad_shape shape)
{
    clgrad_tensor *t;
    SUCCEED(clgrad_tensor_create(test_device(), dtype, shape, &t));
    if (clgrad_shape_count(&shape) > 0) SUCCEED(clgrad_tensor_fill(t, clgrad_dtype_is_real(dtype) ? NAN : -1));
    return t;
}

void plan_case_run(const plan_case *c, const clgrad_plan_options *options, clgrad_array *outputs)
{
    clgrad_tensor *in[PLAN_CASE_INPUTS], *out[PLAN_CASE_INPUTS];
    clgrad_plan *plan;
    const size_t count = clgrad_graph_num_outputs(c->g);
    SUCCEED(clgrad_plan_create(test_device(), c->g, options, &plan));
    if (getenv("CLGRAD_TEST_EXPLAIN")) {
        char *text;
        SUCCEED(clgrad_plan_explain(plan, &text));
        fputs(text, stderr);
        clgrad_free(test_context(), text);
    }
    for (size_t i = 0; i < c->num_inputs; i++) in[i] = upload(&c->inputs[i]);
    for (size_t i = 0; i < count; i++) {
        const clgrad_node n = clgrad_graph_output(c->g, i);
        out[i] = spoiled(clgrad_node_dtype(c->g, n), clgrad_node_shape(c->g, n));
    }
    SUCCEED(clgrad_plan_bind(plan, in, out));
    SUCCEED(clgrad_plan_run(plan));
    for (size_t i = 0; i < count; i++) {
        SUCCEED(clgrad_array_create(test_context(), out[i]->dtype, out[i]->shape, &outputs[i]));
        SUCCEED(clgrad_tensor_read(out[i], outputs[i].data, clgrad_array_bytes(&outputs[i])));
    }
    clgrad_plan_release(&plan);
    for (size_t i = 0; i < c->num_inputs; i++) clgrad_tensor_release(&in[i]);
    for (size_t i = 0; i < count; i++) clgrad_tensor_release(&out[i]);
}

bool plan_same_bits(const clgrad_array *a, const clgrad_array *b, int64_t *where)
{
    const size_t size = clgrad_dtype_bytes(a->dtype);
    for (int64_t i = 0; i < clgrad_shape_count(&a->shape); i++) {
        const double x = clgrad_array_get(a, i), y = clgrad_array_get(b, i);
        if (memcmp((const char *)a->data + (size_t)i * size, (const char *)b->data + (size_t)i * size, size) == 0) continue;
        if (isnan(x) && isnan(y)) continue;
        *where = i;
        return false;
    }
    return true;
}

static bool near(const clgrad_array *a, const clgrad_array *b, double ulp, int64_t *where)
{
    const double unit = a->dtype == CLGRAD_F64 ? 0x1p-52 : a->dtype == CLGRAD_F16 ? 0x1p-10 : a->dtype == CLGRAD_BF16 ? 0x1p-7 : 0x1p-23;
    for (int64_t i = 0; i < clgrad_shape_count(&a->shape); i++) {
        const double x = clgrad_array_get(a, i), y = clgrad_array_get(b, i);
        if (x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= ulp * unit * fmax(fabs(x), fabs(y)) + 0x1p-126) continue;
        *where = i;
        return false;
    }
    return true;
}

static void note(const plan_case *c, const clgrad_plan_options *options)
{
    clgrad_plan *plan;
    SUCCEED(clgrad_plan_create(test_device(), c->g, options, &plan));
    clgrad_plan_release(&plan);
}

void plan_case_check(plan_case *c, const clgrad_plan_options *options, double ulp, const char *name)
{
    clgrad_array got[PLAN_CASE_INPUTS], want[PLAN_CASE_INPUTS];
    if (test_join_noting()) {
        note(c, options);
        return;
    }
    SUCCEED(clgrad_ref_evaluate(c->g, c->inputs, want, plan_ref_mode()));
    plan_case_run(c, options, got);
    for (size_t i = 0; i < clgrad_graph_num_outputs(c->g); i++) {
        int64_t at = 0;
        const bool ok = plan_is_exact() ? plan_same_bits(&got[i], &want[i], &at) : near(&got[i], &want[i], ulp, &at);
        ck_assert_msg(ok, "%s: output %d, element %d is %a, not %a", name, (int)i, (int)at, clgrad_array_get(&got[i], at),
                      clgrad_array_get(&want[i], at));
        clgrad_array_release(test_context(), &got[i]);
        clgrad_array_release(test_context(), &want[i]);
    }
}
