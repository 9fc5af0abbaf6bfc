/* The least time that the device's measured roofs allow each launch: the longer of its bytes at the memory's rate, by the pattern
 * and at the working set of the launch itself, and its FLOPs at the arithmetic's. */

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

/* Bytes written over what is read: one value, or an output under the name of the input whose memory it takes. */
static double bytes_in_place(const explained_launch *l)
{
    double bytes = 0;
    for (size_t k = 0; k < l->info.num_operands; k++) {
        const clgrad_operand_info *out = &l->operands[k];
        for (size_t i = 0; i < l->info.num_operands && out->written_bytes > 0; i++) {
            const clgrad_operand_info *in = &l->operands[i];
            const bool same = i == k || (in->kind == CLGRAD_OPERAND_INPUT && *in->name && strcmp(in->name, out->name) == 0);
            if (same && in->read_bytes > 0) bytes += out->written_bytes < in->read_bytes ? out->written_bytes : in->read_bytes;
        }
    }
    return bytes;
}

static clgrad_roof_kind pattern_of(const explained_launch *l)
{
    if (l->info.written_bytes < 0.125 * l->info.read_bytes) return CLGRAD_ROOF_READ;
    return bytes_in_place(l) > 0.5 * l->info.written_bytes ? CLGRAD_ROOF_INPLACE : CLGRAD_ROOF_COPY;
}

/* In steps of four, so that few roofs serve many launches. */
static uint64_t working_set_of(const explained_launch *l)
{
    const double bytes = explained_bytes(l) - bytes_in_place(l);
    uint64_t set = SMALLEST_SET;
    while ((double)set * 2 < bytes && set < LARGEST_SET) set *= 4;
    return set;
}

static clgrad_status find_roof(known_roofs *roofs, explained_launch *l)
{
    double memory, arithmetic = NAN;
    const clgrad_roof_kind pattern = pattern_of(l), fma = l->info.arithmetic == CLGRAD_F64 ? CLGRAD_ROOF_FMA_F64 : CLGRAD_ROOF_FMA_F32;
    clgrad_status st = rate_of(roofs, pattern, working_set_of(l), &memory);
    if (st == CLGRAD_OK && l->info.flops > 0) st = rate_of(roofs, fma, 0, &arithmetic);
    if (st != CLGRAD_OK) return st;
    const double moving = explained_bytes(l) / memory, computing = l->info.flops > 0 ? l->info.flops / arithmetic : 0;
    const bool computes = computing > moving;
    l->least_seconds = computes ? computing : moving;
    l->roof_rate = computes ? arithmetic : memory;
    l->roof = clgrad_roof_name(computes ? fma : pattern) + strlen("roof.");
    return CLGRAD_OK;
}

clgrad_status explained_find_roofs(explained *e, clgrad_device *dev)
{
    known_roofs roofs = { .dev = dev };
    clgrad_status st = CLGRAD_OK;
    for (size_t f = 0; f < e->num_functions; f++)
        for (size_t i = 0; i < e->functions[f].cost.num_launches && st == CLGRAD_OK; i++)
            st = find_roof(&roofs, &e->functions[f].launches[i]);
    return st;
}
