#include "optim/fixture.h"

#include "support/device.h"

static clgrad_tensor *vector(clgrad_device *dev, int64_t n, const float *values)
{
    clgrad_tensor *tensor = NULL;
    ck_ok(clgrad_tensor_create_from(dev, CLGRAD_F32, CLGRAD_SHAPE(n), values, (size_t)n * sizeof *values, &tensor));
    return tensor;
}

static clgrad_node half_square(clgrad_graph *g, clgrad_node p, clgrad_node t, double factor)
{
    const clgrad_node sum = clgrad_sum(g, clgrad_square(g, clgrad_sub(g, p, t)), CLGRAD_ALL_AXES, false);
    return clgrad_scale(g, sum, factor / 2);
}

bool quadratic_open(quadratic *q)
{
    *q = (quadratic){ .dev = test_device(), .ctx = test_context() };
    if (!q->dev) return false;
    for (int i = 0; i < NUM_ALL; i++) {
        q->p[i] = 1.0f - 0.01f * (float)(i % 37);
        q->t[i] = 0.3f + 0.02f * (float)(i % 11);
    }
    ck_ok(clgrad_graph_create(q->ctx, &q->f));
    const clgrad_node a = clgrad_input(q->f, "layer.a", CLGRAD_F32, CLGRAD_SHAPE(NUM_A));
    const clgrad_node b = clgrad_input(q->f, "layer.b", CLGRAD_F32, CLGRAD_SHAPE(NUM_B));
    const clgrad_node ta = clgrad_input(q->f, "ta", CLGRAD_F32, CLGRAD_SHAPE(NUM_A));
    const clgrad_node tb = clgrad_input(q->f, "tb", CLGRAD_F32, CLGRAD_SHAPE(NUM_B));
    const clgrad_node f = clgrad_add(q->f, half_square(q->f, a, ta, 1), half_square(q->f, b, tb, 3));
    ck_ok(clgrad_output(q->f, "f", f));
    q->initial[0] = vector(q->dev, NUM_A, q->p);
    q->initial[1] = vector(q->dev, NUM_B, q->p + NUM_A);
    q->targets[0] = vector(q->dev, NUM_A, q->t);
    q->targets[1] = vector(q->dev, NUM_B, q->t + NUM_A);
    return true;
}

void quadratic_close(quadratic *q)
{
    for (int i = 0; i < 2; i++) {
        clgrad_tensor_release(&q->initial[i]);
        clgrad_tensor_release(&q->targets[i]);
    }
    clgrad_graph_release(&q->f);
}

void quadratic_gradient(const quadratic *q, const double *p, double *g)
{
    for (int i = 0; i < NUM_ALL; i++) g[i] = (i < NUM_A ? 1 : 3) * (p[i] - (double)q->t[i]);
}

void quadratic_read(clgrad_optimizer *opt, float *p)
{
    ck_ok(clgrad_tensor_read(clgrad_optimizer_parameter(opt, 0), p, NUM_A * sizeof *p));
    ck_ok(clgrad_tensor_read(clgrad_optimizer_parameter(opt, 1), p + NUM_A, NUM_B * sizeof *p));
}
