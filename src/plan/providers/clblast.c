/* CLBlast, opened when first asked for and never linked. Its sums run in an order of its own, so its bits are not those of the
 * templates: it only serves where it was chosen by name. Its caches are global to the process: calls are serialised, and the
 * programs it keeps hold on to their OpenCL contexts until the process ends. */

#include "plan/matmul.h"

#if CLGRAD_CLBLAST

#include "base/os.h"
#include "device/cl_device.h"

#include <clblast_c.h>
#include <threads.h>

typedef struct clblast_api {
    void *library; /* NULL: not there */
#define ENTRY(name) __typeof__(&name) name;
#define ENTRIES                                                                                              \
    ENTRY(CLBlastSgemmWithTempBuffer) ENTRY(CLBlastDgemmWithTempBuffer) ENTRY(CLBlastSGemmTempBufferSize)    \
    ENTRY(CLBlastDGemmTempBufferSize) ENTRY(CLBlastSgemmStridedBatched) ENTRY(CLBlastDgemmStridedBatched)
    ENTRIES
#undef ENTRY
} clblast_api;

static clblast_api api;
static mtx_t api_lock;
static once_flag api_once = ONCE_FLAG_INIT;

static void open_library(void)
{
    void *const library = clgrad_os_library("libclblast.so.1");
    bool complete = library && mtx_init(&api_lock, mtx_plain) == thrd_success;
#define ENTRY(name) complete = complete && clgrad_os_symbol(library, #name, &api.name);
    ENTRIES
#undef ENTRY
    if (complete) api.library = library;
}

/* A product as GEMM sees it: operands stored row by row, perhaps transposed, with the distance between rows. */
typedef struct gemm {
    const clgrad_matmul_desc *d;
    CLBlastTranspose a_turn, b_turn;
    size_t m, n, k, a_ld, b_ld;
    cl_mem a, b, c;
    bool f64;
} gemm;

/* False when neither stride is one step between neighbours. */
static bool turn_operand(int64_t rows, int64_t cols, int64_t row, int64_t col, CLBlastTranspose *turn, size_t *ld)
{
    const bool along_rows = (col == 1 || cols == 1) && (rows == 1 || row >= cols);
    const bool along_columns = (row == 1 || rows == 1) && (cols == 1 || col >= rows);
    if (!along_rows && !along_columns) return false;
    *turn = along_rows ? CLBlastTransposeNo : CLBlastTransposeYes;
    *ld = (size_t)(along_rows ? (rows == 1 ? cols : row) : (cols == 1 ? rows : col));
    return true;
}

static bool describe(const clgrad_matmul_desc *d, gemm *g)
{
    *g = (gemm){ .d = d, .m = (size_t)d->m, .n = (size_t)d->n, .k = (size_t)d->k, .f64 = d->a_dtype == CLGRAD_F64 };
    return turn_operand(d->m, d->k, d->a_row, d->a_col, &g->a_turn, &g->a_ld) &&
           turn_operand(d->k, d->n, d->b_row, d->b_col, &g->b_turn, &g->b_ld);
}

bool clgrad_clblast_can(clgrad_device *dev, const clgrad_matmul_desc *d)
{
    gemm g;
    call_once(&api_once, open_library);
    if (!api.library || d->a_dtype != d->b_dtype || (d->a_dtype != CLGRAD_F32 && d->a_dtype != CLGRAD_F64)) return false;
    if (d->a_dtype == CLGRAD_F64 && !clgrad_device_get_info(dev)->fp64) return false;
    if (d->m < 1 || d->n < 1 || d->k < 1 || (d->cell != 0 && d->cell < d->k) || d->a_offset < 0 || d->b_offset < 0) return false;
    for (int32_t x = 0; x < d->num_batch; x++)
        if (d->a_batch[x] < 0 || d->b_batch[x] < 0) return false;
    return describe(d, &g);
}

/* CLBlast's codes are OpenCL's where those exist, below -1000 its own. */
static clgrad_status report(clgrad_device *dev, CLBlastStatusCode code, const char *call)
{
    if (code == CLBlastSuccess) return CLGRAD_OK;
    if (code == CLBlastTempBufferAllocFailure || code == CLBlastOpenCLOutOfHostMemory)
        return clgrad_fail(dev->ctx, CLGRAD_E_MEMORY, "matmul: %s was refused memory", call);
    if (code <= CLBlastNotImplemented)
        return clgrad_fail(dev->ctx, CLGRAD_E_UNSUPPORTED, "matmul: %s refused the product with its code %d", call, (int)code);
    return clgrad_device_enqueue_failed(dev, (cl_int)code, call, "matmul");
}

static clgrad_status make_workspace(clgrad_device *dev, const gemm *g, size_t a, size_t b, size_t c, clgrad_buffer **out)
{
    size_t bytes = 0;
    const CLBlastStatusCode code = (g->f64 ? api.CLBlastDGemmTempBufferSize : api.CLBlastSGemmTempBufferSize)(
        CLBlastLayoutRowMajor, g->a_turn, g->b_turn, g->m, g->n, g->k, a, g->a_ld, b, g->b_ld, c, g->n, &dev->queue, &bytes);
    CLGRAD_TRY(report(dev, code, "CLBlastGemmTempBufferSize"));
    return bytes ? clgrad_buffer_create(dev, bytes, out) : CLGRAD_OK; /* from the pool, after the first time */
}

/* One product; offsets in elements. */
static clgrad_status multiply(clgrad_device *dev, const gemm *g, size_t a, size_t b, size_t c)
{
    clgrad_buffer *workspace = NULL;
    CLGRAD_TRY(make_workspace(dev, g, a, b, c, &workspace));
    const cl_mem temp = workspace ? clgrad_buffer_get_cl_mem(workspace) : NULL;
    cl_event event = NULL, *const wanted = dev->profiling ? &event : NULL;
    CLBlastStatusCode code;
    if (g->f64)
        code = api.CLBlastDgemmWithTempBuffer(CLBlastLayoutRowMajor, g->a_turn, g->b_turn, g->m, g->n, g->k, 1.0, g->a, a, g->a_ld, g->b,
                                              b, g->b_ld, 0.0, g->c, c, g->n, &dev->queue, wanted, temp);
    else
        code = api.CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, g->a_turn, g->b_turn, g->m, g->n, g->k, 1.0f, g->a, a, g->a_ld, g->b,
                                              b, g->b_ld, 0.0f, g->c, c, g->n, &dev->queue, wanted, temp);
    clgrad_buffer_release(&workspace); /* the queue is in order: whoever gets it next comes later */
    CLGRAD_TRY(report(dev, code, "CLBlastGemm"));
    if (event) clgrad_profile_add(dev, event, "clblast gemm");
    return CLGRAD_OK;
}

/* A batch of products whose operands follow each other at even steps. */
static clgrad_status multiply_batch(clgrad_device *dev, const gemm *g, size_t c)
{
    const clgrad_matmul_desc *d = g->d;
    const size_t a = (size_t)d->a_offset, b = (size_t)d->b_offset, a_step = (size_t)d->a_batch[0], b_step = (size_t)d->b_batch[0];
    cl_event event = NULL, *const wanted = dev->profiling ? &event : NULL;
    CLBlastStatusCode code;
    if (g->f64)
        code = api.CLBlastDgemmStridedBatched(CLBlastLayoutRowMajor, g->a_turn, g->b_turn, g->m, g->n, g->k, 1.0, g->a, a, g->a_ld, a_step,
                                              g->b, b, g->b_ld, b_step, 0.0, g->c, c, g->n, g->m * g->n, (size_t)d->batch_dims[0],
                                              &dev->queue, wanted);
    else
        code = api.CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, g->a_turn, g->b_turn, g->m, g->n, g->k, 1.0f, g->a, a, g->a_ld, a_step,
                                              g->b, b, g->b_ld, b_step, 0.0f, g->c, c, g->n, g->m * g->n, (size_t)d->batch_dims[0],
                                              &dev->queue, wanted);
    CLGRAD_TRY(report(dev, code, "CLBlastGemmStridedBatched"));
    if (event) clgrad_profile_add(dev, event, "clblast gemm");
    return CLGRAD_OK;
}

static clgrad_status multiply_each(clgrad_device *dev, const gemm *g, size_t c)
{
    const clgrad_matmul_desc *d = g->d;
    int64_t batches = 1;
    for (int32_t x = 0; x < d->num_batch; x++) batches *= d->batch_dims[x];
    for (int64_t z = 0; z < batches; z++) {
        int64_t a = d->a_offset, b = d->b_offset, rest = z;
        for (int32_t x = d->num_batch - 1; x >= 0; rest /= d->batch_dims[x--])
            a += rest % d->batch_dims[x] * d->a_batch[x], b += rest % d->batch_dims[x] * d->b_batch[x];
        CLGRAD_TRY(multiply(dev, g, (size_t)a, (size_t)b, c + (size_t)z * g->m * g->n));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_clblast_run(clgrad_device *dev, const clgrad_matmul_desc *d, clgrad_buffer *a, clgrad_buffer *b, clgrad_buffer *c,
                                 int64_t c_offset)
{
    gemm g;
    CLGRAD_TRY(clgrad_device_check(dev));
    if (!clgrad_clblast_can(dev, d) || !describe(d, &g))
        return clgrad_fail(dev->ctx, CLGRAD_E_UNSUPPORTED, "matmul: CLBlast is missing or cannot serve this product");
    g.a = clgrad_buffer_get_cl_mem(a), g.b = clgrad_buffer_get_cl_mem(b), g.c = clgrad_buffer_get_cl_mem(c);
    const bool even = d->num_batch == 1 && d->a_batch[0] > 0 && d->b_batch[0] > 0;
    mtx_lock(&api_lock);
    const clgrad_status status = even ? multiply_batch(dev, &g, (size_t)c_offset) : multiply_each(dev, &g, (size_t)c_offset);
    mtx_unlock(&api_lock);
    return status;
}

#else

bool clgrad_clblast_can(clgrad_device *dev, const clgrad_matmul_desc *d)
{
    (void)dev, (void)d;
    return false;
}

clgrad_status clgrad_clblast_run(clgrad_device *dev, const clgrad_matmul_desc *d, clgrad_buffer *a, clgrad_buffer *b, clgrad_buffer *c,
                                 int64_t c_offset)
{
    (void)d, (void)a, (void)b, (void)c, (void)c_offset;
    return clgrad_fail(clgrad_device_get_context(dev), CLGRAD_E_UNSUPPORTED, "matmul: this build of clgrad has no CLBlast");
}

#endif
