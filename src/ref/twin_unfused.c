/* MULADD as on devices of the unfused class, and where `unfused` is forced. */

#define MULADD(a, b, c) ((a) * (b) + (c))
#define TWIN _unfused
#include "ref/twin_body.h"
