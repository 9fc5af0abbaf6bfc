#include "model/value.h"

#include "clgrad/autodiff.h"

#include <math.h>
#include <stdlib.h>

bool value_near(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b)) return a == b;
    return fabs(a - b) <= tolerance * fmax(1, fabs(b));
}

static clgrad_array input_array(const clgrad_graph *f, size_t i, clgrad_ref_mode mode, const double *values)
{
    clgrad_array array = { 0 };
    const clgrad_node n = clgrad_graph_input(f, i);
    clgrad_dtype dtype = clgrad_node_dtype(f, n);
    if (mode == CLGRAD_REF_F64 && clgrad_dtype_is_real(dtype)) dtype = CLGRAD_F64;
    ck_assert_int_eq(clgrad_array_create(ctx, dtype, clgrad_node_shape(f, n), &array), CLGRAD_OK);
    for (int64_t k = 0; k < clgrad_shape_count(&array.shape); k++) clgrad_array_set(&array, k, values[k]);
    return array;
}

void value_evaluate(const clgrad_graph *f, clgrad_ref_mode mode, const double *const *in, double **out)
{
    clgrad_array inputs[8], outputs[8];
    const size_t num_in = clgrad_graph_num_inputs(f), num_out = clgrad_graph_num_outputs(f);
    ck_assert(num_in <= 8 && num_out <= 8);
    for (size_t i = 0; i < num_in; i++) inputs[i] = input_array(f, i, mode, in[i]);
    ck_assert_msg(clgrad_ref_evaluate(f, inputs, outputs, mode) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    for (size_t i = 0; i < num_out; i++) {
        const int64_t count = clgrad_shape_count(&outputs[i].shape);
        out[i] = malloc((size_t)(count + 1) * sizeof **out);
        for (int64_t k = 0; k < count; k++) out[i][k] = clgrad_array_get(&outputs[i], k);
        clgrad_array_release(ctx, &outputs[i]);
    }
    for (size_t i = 0; i < num_in; i++) clgrad_array_release(ctx, &inputs[i]);
}

double value_gradient(const clgrad_graph *f, clgrad_ref_mode mode, const double *const *in, size_t count, double *gradient)
{
    clgrad_graph *d = NULL;
    double *out[8] = { NULL };
    ck_assert_msg(clgrad_gradient(f, 0, 1, (size_t[]){ 0 }, &d) == CLGRAD_OK, "%s", clgrad_error_text(ctx));
    value_evaluate(d, mode, in, out);
    const size_t last = clgrad_graph_num_outputs(d) - 1;
    const double value = out[0][0];
    for (size_t k = 0; k < count; k++) gradient[k] = out[last][k];
    for (size_t i = 0; i <= last; i++) free(out[i]);
    clgrad_graph_release(&d);
    return value;
}
