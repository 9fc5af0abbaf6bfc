#include "support/domain.h"

#include "support/random_graph.h"

static double unit(uint64_t seed, int64_t counter)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u ^ (uint64_t)counter * 0xd1342543de82ef95u;
    random_next(&state);
    return random_unit(&state);
}

double domain_direction(uint64_t seed, int64_t counter) { return unit(seed, counter); }

double domain_value(domain d, int operand, uint64_t seed, int64_t counter)
{
    const double u = unit(seed, counter);
    switch (d) {
    case DOMAIN_positive: return 1.3 + u;
    case DOMAIN_above_m1: return 0.3 + u;
    case DOMAIN_nonzero:
    case DOMAIN_kink0: return u < 0 ? u - 0.4 : u + 0.4;
    case DOMAIN_angle: return 3 * u;
    case DOMAIN_integers: return (double)((counter * 7 + (int64_t)seed) % 5 - 2) + 0.5 + 0.2 * u;
    case DOMAIN_distinct: return (double)((counter * 17 + (int64_t)(seed % 61)) % 61) * 0.1 - 3;
    case DOMAIN_power: return operand == 0 ? 1.3 + u : 2 * u;
    case DOMAIN_unit: return u;
    default: return 2 * u;
    }
}
