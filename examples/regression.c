/* Fit y = 2x + 1 from noisy samples: a function as a graph, its gradient, its Hessian as an operator, an optimizer. */
#include <clgrad/clgrad.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 100 };
static clgrad_context *ctx;

static void must(clgrad_status status)
{
    if (status == CLGRAD_OK) return;
    fprintf(stderr, "%s: %s\n", clgrad_status_name(status), clgrad_error_text(ctx));
    exit(1);
}

int main(void)
{
    float xs[N], ys[N], one[] = { 1 }, slope = 0, offset = 0, df_dw = 0, d2f_dw2 = 0;
    for (int i = 0; i < N; i++) {
        xs[i] = (float)i / N;
        ys[i] = 2 * xs[i] + 1 + 0.1f * ((float)(i * 7919 % 100) / 50 - 1);
    }
    clgrad_device *dev;
    must(clgrad_context_create(NULL, &ctx));
    must(clgrad_device_open(ctx, NULL, &dev));

    clgrad_graph *f, *df; /* f(w, b, x, y) = mean (w x + b - y)^2 */
    must(clgrad_graph_create(ctx, &f));
    clgrad_node w = clgrad_input(f, "w", CLGRAD_F32, CLGRAD_SCALAR), b = clgrad_input(f, "b", CLGRAD_F32, CLGRAD_SCALAR);
    clgrad_node x = clgrad_input(f, "x", CLGRAD_F32, CLGRAD_SHAPE(N)), y = clgrad_input(f, "y", CLGRAD_F32, CLGRAD_SHAPE(N));
    clgrad_node error = clgrad_sub(f, clgrad_add(f, clgrad_mul(f, w, x), b), y);
    must(clgrad_output(f, "loss", clgrad_mean(f, clgrad_square(f, error), CLGRAD_ALL_AXES, false)));

    clgrad_tensor *in[4], *out[3] = { NULL }, *hv[2] = { NULL };
    for (int i = 0; i < 2; i++) must(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SCALAR, one, sizeof one, &in[i]));
    must(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(N), xs, sizeof xs, &in[2]));
    must(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(N), ys, sizeof ys, &in[3]));

    const size_t wrt[] = { 0, 1 };
    clgrad_function *gradient;
    must(clgrad_gradient(f, 0, 2, wrt, &df)); /* a graph again, with outputs loss, g_w, g_b */
    must(clgrad_function_create(dev, df, NULL, &gradient));
    must(clgrad_function_call(gradient, in, out, 0, NULL, NULL));
    must(clgrad_tensor_read(out[1], &df_dw, sizeof df_dw));

    clgrad_operator *hessian;
    must(clgrad_hessian_create(dev, f, 0, 2, wrt, in, &hessian));
    must(clgrad_operator_apply(hessian, in, hv, 0, NULL, NULL)); /* H (1, 1) */
    must(clgrad_tensor_read(hv[0], &d2f_dw2, sizeof d2f_dw2));

    clgrad_optimizer *opt;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.lr = 0.5;
    must(clgrad_optimizer_create(dev, f, 0, 2, in, &options, &opt));
    must(clgrad_optimizer_steps(opt, 1000, in + 2, 0, NULL, NULL));
    must(clgrad_tensor_read(clgrad_optimizer_parameter(opt, 0), &slope, sizeof slope));
    must(clgrad_tensor_read(clgrad_optimizer_parameter(opt, 1), &offset, sizeof offset));
    printf("df/dw(1, 1) = %.4f, H(1, 1) = %.4f, .., y = %.4f x + %.4f\n", df_dw, d2f_dw2, slope, offset);
}
