/* The gradient of sum(x * x) at 3 is 6: the smallest use of the installed library from C. */

#include <clgrad/clgrad.h>
#include <stdio.h>

int main(void)
{
    clgrad_context *ctx = NULL;
    clgrad_device *dev = NULL;
    clgrad_graph *f = NULL, *df = NULL;
    clgrad_function *fn = NULL;
    clgrad_tensor *x = NULL, *out[2] = { NULL, NULL };
    const float three = 3;
    float gradient = 0;
    const size_t wrt[] = { 0 };
    int ok = !clgrad_context_create(NULL, &ctx) && !clgrad_device_open(ctx, NULL, &dev) && !clgrad_graph_create(ctx, &f);
    if (ok) {
        const clgrad_node a = clgrad_input(f, "x", CLGRAD_F32, CLGRAD_SHAPE(1));
        clgrad_output(f, "y", clgrad_sum(f, clgrad_square(f, a), CLGRAD_ALL_AXES, false));
    }
    ok = ok && !clgrad_gradient(f, 0, 1, wrt, &df) && !clgrad_function_create(dev, df, NULL, &fn) &&
         !clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(1), &three, sizeof three, &x) &&
         !clgrad_function_call(fn, &x, out, 0, NULL, NULL) && !clgrad_tensor_read(out[1], &gradient, sizeof gradient);
    printf("%g %s\n", (double)gradient, clgrad_error_text(ctx));
    clgrad_tensor_release(&x), clgrad_tensor_release(&out[0]), clgrad_tensor_release(&out[1]);
    clgrad_function_release(&fn), clgrad_graph_release(&df), clgrad_graph_release(&f);
    clgrad_device_release(&dev), clgrad_context_release(&ctx);
    return ok && gradient == 6 ? 0 : 1;
}
