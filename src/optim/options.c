/* Options of an optimizer: ranges, and the rule's defaults. */

#include "optim/optimizer.h"
#include "optim/scaling.h"

static clgrad_status check_real(clgrad_context *ctx, const char *name, double value, double low, double high)
{
    if (value >= low && value <= high && isfinite(value)) return CLGRAD_OK;
    return clgrad_fail(ctx, CLGRAD_E_ARG, "optimizer: %s is %g, outside [%g, %g]", name, value, low, high);
}

/* An option that only some rules take. */
static clgrad_status resolve(const clgrad_optimizer *opt, const char *name, double *value, double standard)
{
    if (isnan(*value)) {
        *value = isnan(standard) ? 0.0 : standard;
        return CLGRAD_OK;
    }
    if (isnan(standard))
        return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer: '%s' takes no %s", opt->rule->info.name, name);
    return CLGRAD_OK;
}

static clgrad_status check_loss_scale(clgrad_optimizer *opt)
{
    clgrad_optimizer_options *o = &opt->options;
    const double largest_window = 1e7; /* counted in f32 */
    int exponent;
    const bool power = o->loss_scale >= 1 && o->loss_scale <= (double)CLGRAD_SCALING_LARGEST && frexp(o->loss_scale, &exponent) == 0.5;
    if (o->loss_scale != 0 && !power)
        return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer: loss_scale is %g, not 0 or a power of two from 1 to 2^30", o->loss_scale);
    if (o->loss_scale_window == 0) o->loss_scale_window = 2000;
    return check_real(opt->ctx, "loss_scale_window", (double)o->loss_scale_window, 1, largest_window);
}

static clgrad_status resolve_values(clgrad_optimizer *opt)
{
    clgrad_optimizer_options *o = &opt->options;
    const clgrad_rule_info *info = &opt->rule->info;
    const double largest = 1e30, below_one = 1.0 - 1e-16;
    CLGRAD_TRY(resolve(opt, "lr", &o->lr, info->lr));
    CLGRAD_TRY(resolve(opt, "momentum", &o->momentum, info->momentum));
    CLGRAD_TRY(resolve(opt, "beta2", &o->beta2, info->beta2));
    CLGRAD_TRY(resolve(opt, "epsilon", &o->epsilon, info->epsilon));
    CLGRAD_TRY(resolve(opt, "weight_decay", &o->weight_decay, info->weight_decay));
    CLGRAD_TRY(check_real(opt->ctx, "lr", o->lr, 0, largest));
    CLGRAD_TRY(check_real(opt->ctx, "momentum", o->momentum, 0, below_one));
    CLGRAD_TRY(check_real(opt->ctx, "beta2", o->beta2, 0, below_one));
    CLGRAD_TRY(check_real(opt->ctx, "epsilon", o->epsilon, 0, largest));
    CLGRAD_TRY(check_real(opt->ctx, "weight_decay", o->weight_decay, 0, largest));
    CLGRAD_TRY(check_real(opt->ctx, "l1", o->l1, 0, largest));
    CLGRAD_TRY(check_real(opt->ctx, "l2", o->l2, 0, largest));
    CLGRAD_TRY(check_real(opt->ctx, "clip_value", o->clip_value, 0, largest));
    CLGRAD_TRY(check_real(opt->ctx, "clip_norm", o->clip_norm, 0, largest));
    CLGRAD_TRY(check_loss_scale(opt));
    CLGRAD_TRY(clgrad_schedule_check(opt->ctx, &o->lr_schedule, "learning rate"));
    return clgrad_schedule_check(opt->ctx, &o->momentum_schedule, "momentum");
}

static clgrad_status resolve_group(clgrad_optimizer *opt, clgrad_group_options *group)
{
    const clgrad_optimizer_options *o = &opt->options;
    if (isnan(group->lr)) group->lr = o->lr;
    if (isnan(group->weight_decay)) group->weight_decay = o->weight_decay;
    if (isnan(group->l1)) group->l1 = o->l1;
    if (isnan(group->l2)) group->l2 = o->l2;
    CLGRAD_TRY(check_real(opt->ctx, "a group's lr", group->lr, 0, 1e30));
    CLGRAD_TRY(check_real(opt->ctx, "a group's weight_decay", group->weight_decay, 0, 1e30));
    CLGRAD_TRY(check_real(opt->ctx, "a group's l1", group->l1, 0, 1e30));
    return check_real(opt->ctx, "a group's l2", group->l2, 0, 1e30);
}

static clgrad_status resolve_groups(clgrad_optimizer *opt)
{
    const clgrad_optimizer_options *o = &opt->options;
    if (o->num_groups > CLGRAD_MAX_GROUPS)
        return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer: %zu groups, at most %d", o->num_groups, CLGRAD_MAX_GROUPS);
    opt->groups = clgrad_alloc(opt->ctx, o->num_groups + 1, sizeof *opt->groups);
    if (!opt->groups) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i <= o->num_groups; i++) {
        opt->groups[i] = (clgrad_group_options)CLGRAD_GROUP_OPTIONS_INIT;
        if (i < o->num_groups) opt->groups[i] = o->groups[i];
        if (!opt->groups[i].match) return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer: group %zu has no pattern", i);
        opt->groups[i].match = clgrad_strdup(opt->ctx, opt->groups[i].match);
        if (!opt->groups[i].match) return CLGRAD_E_MEMORY;
        CLGRAD_TRY(resolve_group(opt, &opt->groups[i]));
    }
    return CLGRAD_OK;
}

clgrad_status clgrad_optimizer_resolve(clgrad_optimizer *opt, const clgrad_optimizer_options *options)
{
    opt->options = options ? *options : (clgrad_optimizer_options)CLGRAD_OPTIMIZER_OPTIONS_INIT;
    clgrad_optimizer_options *o = &opt->options;
    if (o->struct_size != sizeof *o)
        return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer options: struct_size %zu is not one this library knows", o->struct_size);
    CLGRAD_TRY(clgrad_rule_find(opt->ctx, o->rule ? o->rule : "", &opt->rule));
    o->rule = opt->rule->info.name;
    if (o->accumulate == 0) o->accumulate = 1;
    CLGRAD_TRY(resolve_values(opt));
    CLGRAD_TRY(resolve_groups(opt));
    o->groups = opt->groups;
    return CLGRAD_OK;
}

uint32_t clgrad_optimizer_group_of(const clgrad_optimizer *opt, const char *parameter)
{
    size_t i = 0;
    while (i < opt->options.num_groups && !clgrad_pattern_match(opt->groups[i].match, parameter)) i++;
    return (uint32_t)i;
}
