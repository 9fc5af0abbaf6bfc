#include "ref_case.h"

#include <math.h>
#include <stdio.h>

void ref_case_begin(ref_case *c)
{
    *c = (ref_case){ 0 };
    ck_assert_int_eq(clgrad_graph_create(test_context(), &c->g), CLGRAD_OK);
}

clgrad_node ref_case_input(ref_case *c, clgrad_dtype dtype, clgrad_shape shape, const double *values)
{
    char name[8];
    snprintf(name, sizeof name, "x%zu", c->num_inputs);
    clgrad_array *array = &c->inputs[c->num_inputs++];
    ck_assert_int_eq(clgrad_array_create(test_context(), dtype, shape, array), CLGRAD_OK);
    for (int64_t i = 0; i < clgrad_shape_count(&shape); i++) clgrad_array_set(array, i, values[i]);
    return clgrad_input(c->g, name, dtype, shape);
}

void ref_case_end(ref_case *c, clgrad_node node, clgrad_ref_mode mode, double *out, int64_t count)
{
    clgrad_array result;
    ck_assert_int_eq(clgrad_output(c->g, "y", node), CLGRAD_OK);
    ck_assert_msg(clgrad_graph_status(c->g) == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
    ck_assert_msg(clgrad_ref_evaluate(c->g, c->inputs, &result, mode) == CLGRAD_OK, "%s", clgrad_error_text(test_context()));
    ck_assert_int_eq(clgrad_shape_count(&result.shape), count);
    for (int64_t i = 0; i < count; i++) out[i] = clgrad_array_get(&result, i);
    clgrad_array_release(test_context(), &result);
    for (size_t i = 0; i < c->num_inputs; i++) clgrad_array_release(test_context(), &c->inputs[i]);
    clgrad_graph_release(&c->g);
}

void ref_expect(const double *got, const double *want, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])), "element %d is %.17g, not %.17g", (int)i, got[i],
                      want[i]);
}
