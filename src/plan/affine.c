#include "plan/affine.h"

clgrad_affine clgrad_affine_constant(int64_t base)
{
    clgrad_affine a;
    memset(&a, 0, sizeof a); /* padding too: affines are compared as bytes */
    a.base = base;
    return a;
}

clgrad_affine clgrad_affine_variable(int32_t var)
{
    clgrad_affine a = clgrad_affine_constant(0);
    a.num_terms = 1;
    a.term[0].var = var;
    a.term[0].coef = 1;
    return a;
}

bool clgrad_affine_equal(const clgrad_affine *a, const clgrad_affine *b)
{
    if (a->base != b->base || a->num_terms != b->num_terms) return false;
    for (int32_t i = 0; i < a->num_terms; i++)
        if (a->term[i].var != b->term[i].var || a->term[i].coef != b->term[i].coef) return false;
    return true;
}

int64_t clgrad_affine_coefficient(const clgrad_affine *a, int32_t var)
{
    for (int32_t i = 0; i < a->num_terms; i++)
        if (a->term[i].var == var) return a->term[i].coef;
    return 0;
}

static void remove_term(clgrad_affine *a, int32_t at)
{
    a->num_terms--;
    for (int32_t i = at; i < a->num_terms; i++) a->term[i] = a->term[i + 1];
    a->term[a->num_terms].var = 0;
    a->term[a->num_terms].coef = 0;
}

void clgrad_affine_drop(clgrad_affine *a, int32_t var)
{
    for (int32_t i = 0; i < a->num_terms; i++)
        if (a->term[i].var == var) {
            remove_term(a, i);
            return;
        }
}

static bool add_term(clgrad_affine *a, int32_t var, int64_t coef)
{
    int32_t at = 0;
    while (at < a->num_terms && a->term[at].var < var) at++;
    if (at < a->num_terms && a->term[at].var == var) {
        if (!clgrad_add_i64(a->term[at].coef, coef, &a->term[at].coef)) return false;
        if (a->term[at].coef == 0) remove_term(a, at);
        return true;
    }
    if (a->num_terms == CLGRAD_AFFINE_TERMS) return false;
    for (int32_t i = a->num_terms; i > at; i--) a->term[i] = a->term[i - 1];
    a->term[at].var = var;
    a->term[at].coef = coef;
    a->num_terms++;
    return true;
}

bool clgrad_affine_add(clgrad_affine *a, const clgrad_affine *b, int64_t factor)
{
    int64_t product = 0;
    if (factor == 0) return true;
    if (!clgrad_mul_i64(b->base, factor, &product) || !clgrad_add_i64(a->base, product, &a->base)) return false;
    for (int32_t i = 0; i < b->num_terms; i++)
        if (!clgrad_mul_i64(b->term[i].coef, factor, &product) || !add_term(a, b->term[i].var, product)) return false;
    return true;
}

bool clgrad_affine_range(const clgrad_affine *a, const clgrad_range *vars, clgrad_range *out)
{
    int64_t low = a->base, high = a->base;
    for (int32_t i = 0; i < a->num_terms; i++) {
        const clgrad_range r = vars[a->term[i].var];
        const bool up = a->term[i].coef > 0;
        int64_t l = 0, h = 0;
        if (!clgrad_mul_i64(up ? r.min : r.max, a->term[i].coef, &l) || !clgrad_add_i64(low, l, &low) ||
            !clgrad_mul_i64(up ? r.max : r.min, a->term[i].coef, &h) || !clgrad_add_i64(high, h, &high))
            return false;
    }
    *out = (clgrad_range){ low, high };
    return true;
}

bool clgrad_affine_divide(const clgrad_affine *a, int64_t n, const clgrad_range *vars, clgrad_affine *quotient,
                          clgrad_affine *rest)
{
    int64_t floor = a->base / n;
    if (a->base % n < 0) floor--;
    *quotient = clgrad_affine_constant(floor);
    *rest = clgrad_affine_constant(a->base - floor * n);
    for (int32_t i = 0; i < a->num_terms; i++) {
        const int64_t coef = a->term[i].coef;
        if (!add_term(coef % n == 0 ? quotient : rest, a->term[i].var, coef % n == 0 ? coef / n : coef)) return false;
    }
    clgrad_range r;
    return clgrad_affine_range(rest, vars, &r) && r.min >= 0 && r.max < n;
}
