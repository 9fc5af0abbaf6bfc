/* Every rule over 30 steps on a quadratic, against the formulas of torch.optim written out in double. */

#include "optim/fixture.h"

#include <string.h>

enum { STEPS = 30 };

typedef struct values {
    double lr, momentum, beta2, epsilon, decay;
} values;

typedef void (*rule_in_double)(const values *v, int t, double *p, double g, double *s);

static void sgd(const values *v, int t, double *p, double g, double *s)
{
    (void)t, (void)s;
    *p -= v->lr * (g + v->decay * *p);
}

static void momentum(const values *v, int t, double *p, double g, double *s)
{
    g += v->decay * *p;
    s[0] = t == 1 ? g : v->momentum * s[0] + g; /* torch's first buffer is the gradient itself */
    *p -= v->lr * s[0];
}

static void nesterov(const values *v, int t, double *p, double g, double *s)
{
    g += v->decay * *p;
    s[0] = t == 1 ? g : v->momentum * s[0] + g;
    *p -= v->lr * (g + v->momentum * s[0]);
}

static void adagrad(const values *v, int t, double *p, double g, double *s)
{
    (void)t;
    g += v->decay * *p;
    s[0] += g * g;
    *p -= v->lr * g / (sqrt(s[0]) + v->epsilon);
}

static void rmsprop(const values *v, int t, double *p, double g, double *s)
{
    (void)t;
    g += v->decay * *p;
    s[0] = v->beta2 * s[0] + (1 - v->beta2) * g * g;
    *p -= v->lr * g / (sqrt(s[0]) + v->epsilon);
}

static void adam(const values *v, int t, double *p, double g, double *s)
{
    g += v->decay * *p;
    s[0] = v->momentum * s[0] + (1 - v->momentum) * g;
    s[1] = v->beta2 * s[1] + (1 - v->beta2) * g * g;
    const double m = s[0] / (1 - pow(v->momentum, t)), r = s[1] / (1 - pow(v->beta2, t));
    *p -= v->lr * m / (sqrt(r) + v->epsilon);
}

static void adamw(const values *v, int t, double *p, double g, double *s)
{
    const values plain = { v->lr, v->momentum, v->beta2, v->epsilon, 0 };
    *p *= 1 - v->lr * v->decay;
    adam(&plain, t, p, g, s);
}

static const struct {
    const char *name;
    rule_in_double rule;
    values defaults; /* of torch.optim; momentum 0.9 where torch's default is off */
} rules[] = {
    { "sgd", sgd, { 1e-3, 0, 0, 0, 0 } },
    { "momentum", momentum, { 1e-3, 0.9, 0, 0, 0 } },
    { "nesterov", nesterov, { 1e-3, 0.9, 0, 0, 0 } },
    { "adagrad", adagrad, { 1e-2, 0, 0, 1e-10, 0 } },
    { "rmsprop", rmsprop, { 1e-2, 0, 0.99, 1e-8, 0 } },
    { "adam", adam, { 1e-3, 0.9, 0.999, 1e-8, 0 } },
    { "adamw", adamw, { 1e-3, 0.9, 0.999, 1e-8, 1e-2 } },
};

static void run_in_double(const quadratic *q, rule_in_double rule, const values *v, double *p)
{
    double g[NUM_ALL], s[NUM_ALL][2];
    memset(s, 0, sizeof s);
    for (int i = 0; i < NUM_ALL; i++) p[i] = (double)q->p[i];
    for (int t = 1; t <= STEPS; t++) {
        quadratic_gradient(q, p, g);
        for (int i = 0; i < NUM_ALL; i++) rule(v, t, &p[i], g[i], s[i]);
    }
}

static double distance(const double *a, const float *b)
{
    double worst = 0;
    for (int i = 0; i < NUM_ALL; i++) worst = fmax(worst, fabs(a[i] - (double)b[i]));
    return worst;
}

static void check_rule(quadratic *q, size_t r, const clgrad_optimizer_options *options, const values *v)
{
    clgrad_optimizer *opt = NULL;
    double want[NUM_ALL];
    float have[NUM_ALL];
    ck_ok(clgrad_optimizer_create(q->dev, q->f, 0, 2, q->initial, options, &opt));
    for (int t = 0; t < STEPS; t++) ck_ok(clgrad_optimizer_step(opt, q->targets, 0, NULL, NULL));
    quadratic_read(opt, have);
    run_in_double(q, rules[r].rule, v, want);
    ck_assert_msg(distance(want, have) < 2e-6, "%s is off by %g", rules[r].name, distance(want, have));
    values wrong = *v; /* the check can fail */
    wrong.lr *= 1.01;
    run_in_double(q, rules[r].rule, &wrong, want);
    ck_assert_double_gt(distance(want, have), 2e-6);
    clgrad_optimizer_release(&opt);
}

START_TEST(rules_with_their_defaults)
{
    quadratic q;
    if (!quadratic_open(&q)) return;
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = rules[_i].name;
    check_rule(&q, (size_t)_i, &options, &rules[_i].defaults);
    quadratic_close(&q);
}
END_TEST

START_TEST(rules_with_values_of_ones_own)
{
    quadratic q;
    if (!quadratic_open(&q)) return;
    const values *d = &rules[_i].defaults;
    const values v = { 0.02, d->momentum > 0 ? 0.8 : 0, d->beta2 > 0 ? 0.95 : 0, d->epsilon > 0 ? 1e-4 : 0, 0.05 };
    clgrad_optimizer_options options = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    options.rule = rules[_i].name;
    options.lr = v.lr;
    options.weight_decay = v.decay;
    if (v.momentum > 0) options.momentum = v.momentum;
    if (v.beta2 > 0) options.beta2 = v.beta2;
    if (v.epsilon > 0) options.epsilon = v.epsilon;
    check_rule(&q, (size_t)_i, &options, &v);
    quadratic_close(&q);
}
END_TEST

START_TEST(the_table_names_every_rule)
{
    for (size_t i = 0; i < CLGRAD_COUNT(rules); i++) {
        ck_assert_str_eq(clgrad_rule_get(i)->name, rules[i].name);
        ck_assert_double_eq(clgrad_rule_get(i)->lr, rules[i].defaults.lr);
    }
    ck_assert_ptr_null(clgrad_rule_get(CLGRAD_COUNT(rules)));
}
END_TEST

Suite *rule_suite(void)
{
    Suite *suite = suite_create("rules");
    TCase *tests = tcase_create("rules");
    tcase_add_loop_test(tests, rules_with_their_defaults, 0, (int)CLGRAD_COUNT(rules));
    tcase_add_loop_test(tests, rules_with_values_of_ones_own, 0, (int)CLGRAD_COUNT(rules));
    tcase_add_test(tests, the_table_names_every_rule);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}
