#pragma once

/* The sample ranges that the column `domain` of graph/ops.def names: where an operation is smooth and well conditioned. Values
 * are functions of a seed and a counter, the same on every machine. */

#include <stdint.h>

typedef enum domain {
    DOMAIN_any,      /* (-2, 2) */
    DOMAIN_exponent, /* (-2, 2) */
    DOMAIN_positive, /* (0.3, 2.3) */
    DOMAIN_above_m1, /* (-0.7, 1.3) */
    DOMAIN_nonzero,  /* 0.4 to 1.4 away from 0, either sign */
    DOMAIN_angle,    /* (-3, 3) */
    DOMAIN_small,    /* (-2, 2) */
    DOMAIN_kink0,    /* as nonzero */
    DOMAIN_integers, /* 0.3 to 0.7 above an integer from -2 to 2 */
    DOMAIN_distinct, /* any two of the first 61 values are at least 0.1 apart */
    DOMAIN_power,    /* (0.3, 2.3) for the base, (-2, 2) for the exponent */
    DOMAIN_unit      /* (-1, 1): not in the table, for random graphs */
} domain;

/* Value number `counter` of operand `operand`. */
double domain_value(domain d, int operand, uint64_t seed, int64_t counter);

/* A direction: (-1, 1). */
double domain_direction(uint64_t seed, int64_t counter);
