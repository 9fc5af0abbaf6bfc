/* The update rules, with the semantics and defaults of torch.optim. */

#include "optim/rules.h"

static clgrad_node scalar(const clgrad_rule_step *s, clgrad_hyper_field field) { return clgrad_hyper_node(s->hyper, field, 0); }
static clgrad_node of_group(const clgrad_rule_step *s, clgrad_hyper_field field)
{
    return clgrad_hyper_node(s->hyper, field, s->group);
}

/* a + b * c */
static clgrad_node add_product(clgrad_graph *g, clgrad_node a, clgrad_node b, clgrad_node c)
{
    return clgrad_add(g, a, clgrad_mul(g, b, c));
}

static void descend(clgrad_rule_step *s, clgrad_node direction)
{
    s->p = clgrad_sub(s->g, s->p, clgrad_mul(s->g, of_group(s, CLGRAD_HYPER_lr), direction));
}

/* Weight decay as part of the gradient (L2 in all rules but AdamW). */
static clgrad_node decayed(const clgrad_rule_step *s)
{
    return add_product(s->g, s->grad, of_group(s, CLGRAD_HYPER_weight_decay), s->p);
}

/* state = keep * state + rest * value */
static clgrad_node average(clgrad_rule_step *s, size_t i, clgrad_hyper_field keep, clgrad_hyper_field rest, clgrad_node value)
{
    const clgrad_node old = clgrad_mul(s->g, scalar(s, keep), s->state[i]);
    return s->state[i] = add_product(s->g, old, scalar(s, rest), value);
}

static void sgd(clgrad_rule_step *s) { descend(s, decayed(s)); }

static clgrad_node heavy_ball(clgrad_rule_step *s, clgrad_node gradient)
{
    return s->state[0] = add_product(s->g, gradient, scalar(s, CLGRAD_HYPER_momentum), s->state[0]);
}

static void momentum(clgrad_rule_step *s) { descend(s, heavy_ball(s, decayed(s))); }

static void nesterov(clgrad_rule_step *s)
{
    const clgrad_node gradient = decayed(s);
    descend(s, add_product(s->g, gradient, scalar(s, CLGRAD_HYPER_momentum), heavy_ball(s, gradient)));
}

/* value / (sqrt(square) + epsilon) */
static clgrad_node scaled_by_root(clgrad_rule_step *s, clgrad_node value, clgrad_node root)
{
    return clgrad_div(s->g, value, clgrad_add(s->g, root, scalar(s, CLGRAD_HYPER_epsilon)));
}

static void adagrad(clgrad_rule_step *s)
{
    const clgrad_node gradient = decayed(s);
    s->state[0] = add_product(s->g, s->state[0], gradient, gradient);
    descend(s, scaled_by_root(s, gradient, clgrad_sqrt(s->g, s->state[0])));
}

static void rmsprop(clgrad_rule_step *s)
{
    const clgrad_node gradient = decayed(s);
    const clgrad_node square = average(s, 0, CLGRAD_HYPER_beta2, CLGRAD_HYPER_beta2_rest, clgrad_square(s->g, gradient));
    descend(s, scaled_by_root(s, gradient, clgrad_sqrt(s->g, square)));
}

static void descend_by_moments(clgrad_rule_step *s, clgrad_node gradient)
{
    const clgrad_node mean = average(s, 0, CLGRAD_HYPER_momentum, CLGRAD_HYPER_momentum_rest, gradient);
    const clgrad_node square = average(s, 1, CLGRAD_HYPER_beta2, CLGRAD_HYPER_beta2_rest, clgrad_square(s->g, gradient));
    const clgrad_node root = clgrad_mul(s->g, clgrad_sqrt(s->g, square), scalar(s, CLGRAD_HYPER_correction2));
    const clgrad_node rate = clgrad_mul(s->g, of_group(s, CLGRAD_HYPER_lr), scalar(s, CLGRAD_HYPER_correction1));
    s->p = clgrad_sub(s->g, s->p, clgrad_mul(s->g, rate, scaled_by_root(s, mean, root)));
}

static void adam(clgrad_rule_step *s) { descend_by_moments(s, decayed(s)); }

static void adamw(clgrad_rule_step *s)
{
    const clgrad_node rate = clgrad_mul(s->g, of_group(s, CLGRAD_HYPER_lr), of_group(s, CLGRAD_HYPER_weight_decay));
    s->p = clgrad_sub(s->g, s->p, clgrad_mul(s->g, rate, s->p));
    descend_by_moments(s, s->grad);
}

#define ADAM_TEXT "m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)"
#define INFO(name, formula, source, ...) { sizeof(clgrad_rule_info), name, formula, source, __VA_ARGS__ }

/* g includes weight_decay * p but in adamw. Defaults: lr, momentum, beta2, epsilon, weight_decay. */
static const clgrad_rule rules[] = {
    { INFO("sgd", "p -= lr g", "Robbins & Monro 1951; torch.optim.SGD", 1e-3, NAN, NAN, NAN, 0.0), { NULL }, sgd },
    { INFO("momentum", "v = mu v + g;  p -= lr v", "Polyak 1964; torch.optim.SGD", 1e-3, 0.9, NAN, NAN, 0.0), { "momentum" },
      momentum },
    { INFO("nesterov", "v = mu v + g;  p -= lr (g + mu v)", "Sutskever et al. 2013; torch.optim.SGD(nesterov=True)", 1e-3, 0.9,
           NAN, NAN, 0.0),
      { "momentum" }, nesterov },
    { INFO("adagrad", "s = s + g^2;  p -= lr g / (sqrt(s) + eps)", "Duchi et al. 2011; torch.optim.Adagrad", 1e-2, NAN, NAN,
           1e-10, 0.0),
      { "square" }, adagrad },
    { INFO("rmsprop", "s = b2 s + (1-b2) g^2;  p -= lr g / (sqrt(s) + eps)", "Tieleman & Hinton 2012; torch.optim.RMSprop", 1e-2,
           NAN, 0.99, 1e-8, 0.0),
      { "square" }, rmsprop },
    { INFO("adam", ADAM_TEXT, "Kingma & Ba 2015; torch.optim.Adam", 1e-3, 0.9, 0.999, 1e-8, 0.0), { "mean", "square" }, adam },
    { INFO("adamw", "p -= lr weight_decay p;  " ADAM_TEXT, "Loshchilov & Hutter 2019; torch.optim.AdamW", 1e-3, 0.9, 0.999, 1e-8,
           1e-2),
      { "mean", "square" }, adamw },
};

const clgrad_rule_info *clgrad_rule_get(size_t i) { return i < CLGRAD_COUNT(rules) ? &rules[i].info : NULL; }

size_t clgrad_rule_num_states(const clgrad_rule *rule)
{
    size_t n = 0;
    while (n < CLGRAD_MAX_STATES && rule->states[n]) n++;
    return n;
}

clgrad_status clgrad_rule_find(clgrad_context *ctx, const char *name, const clgrad_rule **out)
{
    const char *names[CLGRAD_COUNT(rules)];
    *out = NULL;
    for (size_t i = 0; i < CLGRAD_COUNT(rules); i++) {
        names[i] = rules[i].info.name;
        if (strcmp(name, names[i]) == 0) *out = &rules[i];
    }
    if (*out) return CLGRAD_OK;
    const char *near_by = clgrad_suggest(name, names, CLGRAD_COUNT(names));
    return clgrad_fail(ctx, CLGRAD_E_ARG, "there is no optimizer '%s'%s%s%s", name, near_by ? "; did you mean '" : "",
                       near_by ? near_by : "", near_by ? "'?" : "");
}
