/* The least time that the device's measured roofs allow each kernel: the longer of its bytes at the memory's rate, by the pattern
 * and at the working set of the kernel itself, and its FLOPs at the arithmetic's. */

#include "explained.h"

#include "clgrad/bench.h"

#include <math.h>
#include <string.h>

enum { MOST_ROOFS = 48, SMALLEST_SET = 4096, LARGEST_SET = 256 << 20 };

typedef struct known_roof {
    clgrad_roof_kind kind;
    uint64_t working_set;
    double rate; /* NAN: the device has none, such as f64 */
} known_roof;

typedef struct known_roofs {
    clgrad_device *dev;
    known_roof items[MOST_ROOFS];
    size_t count;
} known_roofs;

/* The best of two rounds. */
static clgrad_status measure(clgrad_device *dev, known_roof *roof)
{
    clgrad_roof *measured = NULL;
    clgrad_roof_result result = CLGRAD_ROOF_RESULT_INIT;
    clgrad_status st = clgrad_roof_create(dev, roof->kind, roof->working_set, &measured);
    for (int i = 0; i < 2 && st == CLGRAD_OK; i++) st = clgrad_roof_round(measured);
    if (st == CLGRAD_OK) clgrad_roof_get(measured, &result);
    clgrad_roof_release(&measured);
    roof->rate = result.best > 0 ? result.best : NAN;
    return st == CLGRAD_E_UNSUPPORTED ? CLGRAD_OK : st;
}

static clgrad_status rate_of(known_roofs *roofs, clgrad_roof_kind kind, uint64_t working_set, double *rate)
{
    for (size_t i = 0; i < roofs->count; i++)
        if (roofs->items[i].kind == kind && roofs->items[i].working_set == working_set) return *rate = roofs->items[i].rate, CLGRAD_OK;
    known_roof fresh = { kind, working_set, NAN };
    const clgrad_status st = measure(roofs->dev, &fresh);
    if (st == CLGRAD_OK && roofs->count < MOST_ROOFS) roofs->items[roofs->count++] = fresh;
    *rate = fresh.rate;
    return st;
}

/* What a kernel reads, writes, and writes over what it reads: one value, or an output under the name of the input whose memory it
 * takes. */
typedef struct traffic {
    double read, written, in_place;
    clgrad_roof_kind fma;
} traffic;

static double bytes_in_place(const explained_launch *l, size_t k)
{
    const clgrad_operand_info *out = &l->operands[k];
    double bytes = 0;
    for (size_t i = 0; i < l->info.num_operands && out->written_bytes > 0; i++) {
        const clgrad_operand_info *in = &l->operands[i];
        const bool same = i == k || (in->kind == CLGRAD_OPERAND_INPUT && *in->name && strcmp(in->name, out->name) == 0);
        if (same && in->read_bytes > 0) bytes += out->written_bytes < in->read_bytes ? out->written_bytes : in->read_bytes;
    }
    return bytes;
}

static traffic traffic_of(const explained_function *f, const explained_kernel *k)
{
    traffic t = { .fma = CLGRAD_ROOF_FMA_F32 };
    for (const explained_launch *l = &f->launches[k->first]; l < &f->launches[k->first + k->count]; l++) {
        t.read += l->info.read_bytes;
        t.written += l->info.written_bytes;
        for (size_t i = 0; i < l->info.num_operands; i++) t.in_place += bytes_in_place(l, i);
        if (l->info.arithmetic == CLGRAD_F64) t.fma = CLGRAD_ROOF_FMA_F64;
    }
    return t;
}

static clgrad_roof_kind pattern_of(const traffic *t)
{
    if (t->written < 0.125 * t->read) return CLGRAD_ROOF_READ;
    return t->in_place > 0.5 * t->written ? CLGRAD_ROOF_INPLACE : CLGRAD_ROOF_COPY;
}

/* In steps of four, so that few roofs serve many kernels. */
static uint64_t working_set_of(const traffic *t)
{
    const double bytes = t->read + t->written - t->in_place;
    uint64_t set = SMALLEST_SET;
    while ((double)set * 2 < bytes && set < LARGEST_SET) set *= 4;
    return set;
}

static clgrad_status find_roof(known_roofs *roofs, const explained_function *f, explained_kernel *k)
{
    const traffic t = traffic_of(f, k);
    const clgrad_roof_kind pattern = pattern_of(&t);
    double memory, arithmetic = NAN;
    clgrad_status st = rate_of(roofs, pattern, working_set_of(&t), &memory);
    if (st == CLGRAD_OK && k->flops > 0) st = rate_of(roofs, t.fma, 0, &arithmetic);
    if (st != CLGRAD_OK) return st;
    const double moving = k->bytes / memory, computing = k->flops > 0 ? k->flops / arithmetic : 0;
    const bool computes = computing > moving;
    k->least_seconds = computes ? computing : moving;
    k->roof_rate = computes ? arithmetic : memory;
    k->roof = clgrad_roof_name(computes ? t.fma : pattern) + strlen("roof.");
    return CLGRAD_OK;
}

clgrad_status explained_find_roofs(explained *e, clgrad_device *dev)
{
    known_roofs roofs = { .dev = dev };
    clgrad_status st = CLGRAD_OK;
    for (size_t f = 0; f < e->num_functions; f++)
        for (size_t i = 0; i < e->functions[f].num_kernels && st == CLGRAD_OK; i++)
            st = find_roof(&roofs, &e->functions[f], &e->functions[f].kernels[i]);
    return st;
}
