/* clgrad-template 1 */
/* roof_fma.cl -- independent chains of multiply-adds in registers: the most arithmetic a device can do.
 *
 * needs   VECTOR: of the type that is measured; CHAINS side by side in a work-item      ATTRIBUTES: the work-group size
 * launch  any number of work-items, CHAINS x steps multiply-adds of a VECTOR each; x has a VECTOR for every work-item
 * bits    of no interest; each chain tends to offset / (1 - factor), so nothing overflows or becomes subnormal */
#define UNROLL _Pragma("unroll")

ATTRIBUTES kernel void roof_fma(global VECTOR *x, const float factor, const float offset, const int steps)
{
    VECTOR chain[CHAINS], all = 0;
    const VECTOR f = (VECTOR)(factor), o = (VECTOR)(offset);
    UNROLL for (int c = 0; c < CHAINS; c++) chain[c] = (VECTOR)(c);
    for (int i = 0; i < steps; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) chain[c] = MULADD(chain[c], f, o);
    }
    UNROLL for (int c = 0; c < CHAINS; c++) all += chain[c];
    x[get_global_id(0)] = all;
}
