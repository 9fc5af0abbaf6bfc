/* clgrad inside an OpenCL program: the program owns context, out-of-order queue and buffers; clgrad computes y = tanh(x) and its
 * derivative in between two commands of the program, ordered by events. Nothing waits until the program reads.
 *
 *   cc opencl_interop.c $(pkg-config --cflags --libs clgrad) -lOpenCL -lm
 */

#include <clgrad/clgrad.h>
#include <clgrad/opencl.h>
#include <math.h>
#include <stdio.h>

enum { N = 1000 };

typedef struct program {
    cl_context context;
    cl_command_queue queue;
    cl_device_id device;
    cl_mem x, y, dy;
} program;

static int program_start(program *p)
{
    cl_platform_id platform;
    cl_int err = clGetPlatformIDs(1, &platform, NULL);
    if (!err) err = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &p->device, NULL);
    if (!err) p->context = clCreateContext(NULL, 1, &p->device, NULL, NULL, &err);
    if (!err) p->queue = clCreateCommandQueue(p->context, p->device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &err);
    if (err == CL_INVALID_QUEUE_PROPERTIES) p->queue = clCreateCommandQueue(p->context, p->device, 0, &err);
    cl_mem *const buffers[] = { &p->x, &p->y, &p->dy };
    for (int i = 0; i < 3 && !err; i++) *buffers[i] = clCreateBuffer(p->context, CL_MEM_READ_WRITE, N * sizeof(float), NULL, &err);
    return err == CL_SUCCESS;
}

static void program_end(program *p)
{
    clReleaseMemObject(p->x), clReleaseMemObject(p->y), clReleaseMemObject(p->dy);
    clReleaseCommandQueue(p->queue), clReleaseContext(p->context);
}

/* inputs x and the cotangent of y; outputs y and the cotangent of x, which for a cotangent of ones is tanh'(x) */
static clgrad_status make_graph(clgrad_context *ctx, clgrad_graph **out)
{
    clgrad_graph *f = NULL;
    const size_t wrt[] = { 0 };
    clgrad_status st = clgrad_graph_create(ctx, &f);
    if (!st) st = clgrad_output(f, "y", clgrad_tanh(f, clgrad_input(f, "x", CLGRAD_F32, CLGRAD_SHAPE(N))));
    if (!st) st = clgrad_vjp(f, 1, wrt, out);
    clgrad_graph_release(&f);
    return st;
}

static clgrad_status compute(program *p, clgrad_context *ctx, cl_event written, cl_event *done)
{
    clgrad_opencl_handles handles = CLGRAD_OPENCL_HANDLES_INIT;
    clgrad_device *dev = NULL;
    clgrad_graph *g = NULL;
    clgrad_function *fn = NULL;
    clgrad_tensor *in[2] = { NULL, NULL }, *out[2] = { NULL, NULL };
    handles.queue = p->queue;
    clgrad_status st = clgrad_device_adopt(ctx, &handles, NULL, &dev);
    if (!st) st = make_graph(ctx, &g);
    if (!st) st = clgrad_function_create(dev, g, NULL, &fn);
    if (!st) st = clgrad_tensor_adopt(dev, p->x, 0, CLGRAD_F32, CLGRAD_SHAPE(N), &in[0]);
    if (!st) st = clgrad_tensor_create(dev, CLGRAD_F32, CLGRAD_SHAPE(N), &in[1]);
    if (!st) st = clgrad_tensor_fill(in[1], 1);
    if (!st) st = clgrad_tensor_adopt(dev, p->y, 0, CLGRAD_F32, CLGRAD_SHAPE(N), &out[0]);
    if (!st) st = clgrad_tensor_adopt(dev, p->dy, 0, CLGRAD_F32, CLGRAD_SHAPE(N), &out[1]);
    if (!st) st = clgrad_device_wait_for_events(dev, 1, &written); /* clgrad starts after the program's write */
    if (!st) st = clgrad_function_call(fn, in, out, 0, NULL, NULL);
    if (!st) st = clgrad_device_mark_event(dev, done); /* the program goes on after clgrad's work */
    for (int i = 0; i < 2; i++) clgrad_tensor_release(&in[i]), clgrad_tensor_release(&out[i]);
    clgrad_function_release(&fn), clgrad_graph_release(&g), clgrad_device_release(&dev);
    return st;
}

int main(void)
{
    program p = { 0 };
    clgrad_context *ctx = NULL;
    float x[N], y[N], dy[N];
    double worst = 0;
    for (int i = 0; i < N; i++) x[i] = (float)(i - N / 2) / 100;
    if (!program_start(&p) || clgrad_context_create(NULL, &ctx)) return fputs("no OpenCL here\n", stderr), 1;

    cl_event written = NULL, done = NULL;
    clEnqueueWriteBuffer(p.queue, p.x, CL_FALSE, 0, sizeof x, x, 0, NULL, &written);
    clFlush(p.queue);
    if (compute(&p, ctx, written, &done)) return fprintf(stderr, "%s\n", clgrad_error_text(ctx)), 1;
    clEnqueueReadBuffer(p.queue, p.y, CL_TRUE, 0, sizeof y, y, 1, &done, NULL);
    clEnqueueReadBuffer(p.queue, p.dy, CL_TRUE, 0, sizeof dy, dy, 1, &done, NULL);

    for (int i = 0; i < N; i++) {
        const double t = tanh((double)x[i]);
        worst = fmax(worst, fmax(fabs(y[i] - t), fabs(dy[i] - (1 - t * t))));
    }
    printf("tanh and its derivative at %d points in your own buffers: worst error %.1e\n", N, worst);
    clReleaseEvent(written), clReleaseEvent(done);
    program_end(&p);
    clgrad_context_release(&ctx);
    return worst < 1e-6 ? 0 : 1;
}
