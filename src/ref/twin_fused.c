/* MULADD as on devices of the fused class. */

#define MULADD(a, b, c) _Generic((a), float: fmaf, double: fma)(a, b, c)
#define TWIN _fused
#include "ref/twin_body.h"
