/* Making optimizers: arena, memory, graphs, functions. */

#include "optim/optimizer.h"
#include "autodiff/autodiff.h"
#include "optim/indices.h"
#include "optim/scaling.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_scaled(const clgrad_optimizer *opt) { return opt->options.loss_scale > 0; }

/* --- the function, its inputs under names of ours --- */

static clgrad_node renamed_input(clgrad_optimizer *opt, clgrad_graph *to, const clgrad_graph *f, size_t i, size_t num_parameters)
{
    const clgrad_op_node *input = clgrad_at(f, f->inputs[i]);
    char name[48];
    if (i < num_parameters)
        snprintf(name, sizeof name, "p.%zu", i);
    else if (clgrad_hyper_name(f->input_names[i]))
        return clgrad_input(to, f->input_names[i], input->dtype, input->shape);
    else
        snprintf(name, sizeof name, "d.%zu", opt->num_data++);
    return clgrad_input(to, name, input->dtype, input->shape);
}

/* With loss scaling the scaled loss is output 1, and the scale the last input. */
static clgrad_status declare_loss(const clgrad_optimizer *opt, clgrad_graph *g, clgrad_node loss)
{
    if (clgrad_node_dtype(g, loss) != CLGRAD_F32) loss = clgrad_cast(g, loss, CLGRAD_F32);
    CLGRAD_TRY(clgrad_output(g, "loss", loss));
    if (!is_scaled(opt)) return CLGRAD_OK;
    const clgrad_node scaling = clgrad_input(g, "scaling", CLGRAD_F32, CLGRAD_SHAPE(CLGRAD_SCALING_COUNT));
    return clgrad_output(g, "scaled", clgrad_mul(g, loss, clgrad_scaling_field(g, scaling, CLGRAD_SCALING_SCALE)));
}

static clgrad_status rename_inputs(clgrad_optimizer *opt, const clgrad_optimizer_source *source, clgrad_graph **out)
{
    *out = NULL;
    const clgrad_graph *f = source->f;
    clgrad_graph *g = NULL;
    clgrad_node *in = clgrad_alloc(opt->ctx, f->num_inputs, sizeof *in);
    clgrad_node *all = clgrad_alloc(opt->ctx, f->num_outputs, sizeof *all);
    clgrad_status st = in && all ? clgrad_graph_create(opt->ctx, &g) : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) {
        for (size_t i = 0; i < f->num_inputs; i++) in[i] = renamed_input(opt, g, f, i, opt->arena->num_segments);
        st = clgrad_graph_inline(g, f, in, all);
    }
    if (st == CLGRAD_OK) st = declare_loss(opt, g, all[source->output]);
    if (st == CLGRAD_OK) *out = g, g = NULL;
    clgrad_graph_release(&g);
    clgrad_free(opt->ctx, in);
    clgrad_free(opt->ctx, all);
    return st;
}

static clgrad_status differentiate(clgrad_optimizer *opt, const clgrad_optimizer_source *source, const clgrad_graph *renamed, size_t count,
                                   const size_t *wrt, clgrad_graph **out)
{
    if (!source->sample_inputs) return clgrad_gradient_cells(renamed, is_scaled(opt), count, wrt, NULL, out);
    bool *samples = clgrad_alloc(opt->ctx, renamed->num_inputs, sizeof *samples); /* none at the scale */
    if (!samples) return CLGRAD_E_MEMORY;
    memcpy(samples, source->sample_inputs, source->f->num_inputs * sizeof *samples);
    const clgrad_status st = clgrad_gradient_cells(renamed, is_scaled(opt), count, wrt, samples, out);
    clgrad_free(opt->ctx, samples);
    return st;
}

/* With an output "index" where f has indices to be watched. */
static clgrad_status gradient_graph(clgrad_optimizer *opt, const clgrad_optimizer_source *source, clgrad_graph **out)
{
    *out = NULL;
    clgrad_graph *renamed = NULL, *watched = NULL;
    size_t count = 0, *wrt = clgrad_alloc(opt->ctx, opt->arena->num_segments, sizeof *wrt);
    if (!wrt) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < opt->arena->num_segments; i++)
        if (!opt->groups[opt->arena->segments[i].group].frozen) wrt[count++] = i;
    clgrad_status st = rename_inputs(opt, source, &renamed);
    if (st == CLGRAD_OK) st = differentiate(opt, source, renamed, count, wrt, out);
    if (st == CLGRAD_OK) st = clgrad_watch_indices(*out, is_scaled(opt) ? SIZE_MAX : 0, &watched);
    if (watched) {
        clgrad_graph_release(out);
        *out = watched;
    }
    clgrad_graph_release(&renamed);
    clgrad_free(opt->ctx, wrt);
    return st;
}

/* --- where things lie --- */

static clgrad_status declare_parameters(clgrad_optimizer *opt, const clgrad_optimizer_source *source)
{
    const clgrad_graph *f = source->f;
    bool all_frozen = true;
    CLGRAD_TRY(clgrad_arena_create(opt->ctx, &opt->arena));
    for (size_t i = 0; i < source->num_parameters; i++) {
        const clgrad_op_node *input = clgrad_at(f, f->inputs[i]);
        const char *name = f->input_names[i];
        if (input->dtype != CLGRAD_F32)
            return clgrad_fail(opt->ctx, CLGRAD_E_DTYPE, "optimizer: parameter '%s' is %s; only f32 is updated", name,
                               clgrad_dtype_name(input->dtype));
        if (clgrad_shape_count(&input->shape) < 1)
            return clgrad_fail(opt->ctx, CLGRAD_E_SHAPE, "optimizer: parameter '%s' is empty", name);
        const uint32_t group = clgrad_optimizer_group_of(opt, name);
        all_frozen = all_frozen && opt->groups[group].frozen;
        CLGRAD_TRY(clgrad_arena_declare(opt->arena, name, input->shape, group));
    }
    if (all_frozen) return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer: every parameter is frozen");
    return clgrad_arena_layout(opt->arena, clgrad_arena_slab_limit(opt->dev, CLGRAD_F32));
}

static clgrad_status find_regions(clgrad_optimizer *opt)
{
    const size_t groups = opt->options.num_groups + 1;
    opt->regions = clgrad_alloc(opt->ctx, groups * opt->arena->num_slabs, sizeof *opt->regions);
    if (!opt->regions) return CLGRAD_E_MEMORY;
    for (size_t slab = 0; slab < opt->arena->num_slabs; slab++)
        for (uint32_t group = 0; group < groups; group++) {
            clgrad_region region = { .group = group, .slab = slab, .frozen = opt->groups[group].frozen };
            clgrad_arena_group_range(opt->arena, group, slab, &region.offset, &region.extent);
            if (region.extent > 0) opt->regions[opt->num_regions++] = region;
        }
    return CLGRAD_OK;
}

/* Takes over one reference of the tensor, even when it fails. */
static clgrad_status name_tensor(clgrad_optimizer *opt, const char *name, clgrad_tensor *tensor)
{
    const clgrad_status st = clgrad_reserve(opt->ctx, &opt->named, &opt->named_capacity, opt->num_named + 1, sizeof *opt->named);
    if (st != CLGRAD_OK) {
        clgrad_tensor_release(&tensor);
        return st;
    }
    clgrad_named_tensor *row = &opt->named[opt->num_named++];
    snprintf(row->name, sizeof row->name, "%s", name);
    row->tensor = tensor;
    return CLGRAD_OK;
}

static clgrad_status name_region(clgrad_optimizer *opt, const char *name, const clgrad_arena_vector *vector,
                                 const clgrad_region *region)
{
    clgrad_tensor *view = NULL;
    CLGRAD_TRY(clgrad_tensor_view(vector->slabs[region->slab], region->offset, clgrad_shape_make(1, &region->extent), &view));
    return name_tensor(opt, name, view);
}

static clgrad_status name_regions(clgrad_optimizer *opt)
{
    char name[48];
    for (size_t r = 0; r < opt->num_regions; r++) {
        const clgrad_region *region = &opt->regions[r];
        snprintf(name, sizeof name, "theta.%zu", r);
        CLGRAD_TRY(name_region(opt, name, opt->theta, region));
        if (region->frozen) continue;
        snprintf(name, sizeof name, "sum.%zu", r);
        if (opt->sum) CLGRAD_TRY(name_region(opt, name, opt->sum, region));
        for (size_t s = 0; s < clgrad_rule_num_states(opt->rule); s++) {
            snprintf(name, sizeof name, "state.%zu.%zu", r, s);
            CLGRAD_TRY(name_region(opt, name, opt->states[s], region));
        }
    }
    return CLGRAD_OK;
}

static clgrad_status create_scaling(clgrad_optimizer *opt)
{
    const float scale = (float)opt->options.loss_scale, first[CLGRAD_SCALING_COUNT] = { scale, 1 / scale };
    CLGRAD_TRY(clgrad_tensor_create_from(opt->dev, CLGRAD_F32, CLGRAD_SHAPE(CLGRAD_SCALING_COUNT), first, sizeof first, &opt->scaling));
    return name_tensor(opt, "scaling", clgrad_tensor_retain(opt->scaling));
}

static clgrad_status create_memory(clgrad_optimizer *opt)
{
    const int64_t zero = 0;
    const float none = 0;
    if (!(opt->hypers = clgrad_alloc(opt->ctx, CLGRAD_HYPER_STEPS, sizeof *opt->hypers))) return CLGRAD_E_MEMORY;
    CLGRAD_TRY(clgrad_arena_vector_create(opt->arena, opt->dev, CLGRAD_F32, &opt->theta));
    for (size_t s = 0; s < clgrad_rule_num_states(opt->rule); s++)
        CLGRAD_TRY(clgrad_arena_vector_create(opt->arena, opt->dev, CLGRAD_F32, &opt->states[s]));
    if (opt->options.accumulate > 1) CLGRAD_TRY(clgrad_arena_vector_create(opt->arena, opt->dev, CLGRAD_F32, &opt->sum));
    CLGRAD_TRY(clgrad_buffer_create(opt->dev, CLGRAD_HYPER_STEPS * sizeof(clgrad_hyper), &opt->hyper_buffer));
    CLGRAD_TRY(clgrad_tensor_create_from(opt->dev, CLGRAD_I64, CLGRAD_SCALAR, &zero, sizeof zero, &opt->stop));
    CLGRAD_TRY(clgrad_tensor_create_from(opt->dev, CLGRAD_F32, CLGRAD_SCALAR, &none, sizeof none, &opt->metric));
    if (is_scaled(opt)) CLGRAD_TRY(create_scaling(opt));
    CLGRAD_TRY(name_tensor(opt, "stop", clgrad_tensor_retain(opt->stop)));
    CLGRAD_TRY(name_tensor(opt, "metric", clgrad_tensor_retain(opt->metric)));
    return name_regions(opt);
}

static clgrad_status copy_initial(clgrad_optimizer *opt, clgrad_tensor *const *initial)
{
    for (size_t i = 0; i < opt->arena->num_segments; i++) {
        const clgrad_segment *segment = &opt->arena->segments[i];
        if (!initial[i]) return clgrad_fail(opt->ctx, CLGRAD_E_ARG, "optimizer: no initial value of parameter '%s'", segment->name);
        if (initial[i]->dtype != CLGRAD_F32)
            return clgrad_fail(opt->ctx, CLGRAD_E_DTYPE, "optimizer: the initial value of '%s' is %s, not f32", segment->name,
                               clgrad_dtype_name(initial[i]->dtype));
        if (!clgrad_shape_equal(&initial[i]->shape, &segment->shape)) {
            char have[CLGRAD_SHAPE_TEXT], want[CLGRAD_SHAPE_TEXT];
            return clgrad_fail(opt->ctx, CLGRAD_E_SHAPE, "optimizer: the initial value of '%s' is %s, not %s", segment->name,
                               clgrad_shape_text(&initial[i]->shape, have), clgrad_shape_text(&segment->shape, want));
        }
        CLGRAD_TRY(clgrad_tensor_copy(opt->theta->views[i], initial[i]));
    }
    return CLGRAD_OK;
}

/* --- compiled parts --- */

static clgrad_status find_named(clgrad_optimizer *opt, const char *name, clgrad_tensor **out)
{
    for (size_t i = 0; i < opt->num_named; i++)
        if (strcmp(opt->named[i].name, name) == 0) {
            *out = opt->named[i].tensor;
            return CLGRAD_OK;
        }
    clgrad_tensor *field = NULL;
    CLGRAD_TRY(clgrad_hyper_tensor(opt->hyper_buffer, name, &field));
    CLGRAD_TRY(name_tensor(opt, name, field));
    *out = field;
    return CLGRAD_OK;
}

static bool data_number(const char *name, size_t *number)
{
    if (strncmp(name, "d.", 2) != 0) return false;
    *number = strtoul(name + 2, NULL, 10);
    return true;
}

static clgrad_status bind_names(clgrad_optimizer *opt, clgrad_step_part *part, const clgrad_graph *g)
{
    part->num_inputs = g->num_inputs;
    part->inputs = clgrad_alloc(opt->ctx, g->num_inputs, sizeof *part->inputs);
    part->outputs = clgrad_alloc(opt->ctx, g->num_outputs, sizeof *part->outputs);
    part->data_index = clgrad_alloc(opt->ctx, g->num_inputs, sizeof *part->data_index);
    if (!part->inputs || !part->outputs || !part->data_index) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < g->num_inputs; i++) {
        if (data_number(g->input_names[i], &part->data_index[i])) continue;
        part->data_index[i] = SIZE_MAX;
        CLGRAD_TRY(find_named(opt, g->input_names[i], &part->inputs[i]));
    }
    for (size_t i = 0; i < g->num_outputs; i++) CLGRAD_TRY(find_named(opt, g->output_names[i], &part->outputs[i]));
    return CLGRAD_OK;
}

/* Many whole steps may be one launch; each then reads the next struct. NULL for parts of a step. */
static clgrad_status find_advance(clgrad_optimizer *opt, const clgrad_step_part *part, size_t **advance)
{
    *advance = NULL;
    if (part != &opt->whole) return CLGRAD_OK;
    *advance = clgrad_alloc(opt->ctx, part->graph->num_inputs, sizeof **advance);
    if (!*advance) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < part->graph->num_inputs; i++)
        (*advance)[i] = clgrad_hyper_name(part->graph->input_names[i]) ? sizeof(clgrad_hyper) : 0;
    return CLGRAD_OK;
}

static clgrad_status compile_part(clgrad_optimizer *opt, clgrad_step_part *part)
{
    size_t *advance = NULL;
    if (!part->graph) return CLGRAD_OK;
    clgrad_status st = bind_names(opt, part, part->graph);
    if (st == CLGRAD_OK) st = find_advance(opt, part, &advance);
    if (st == CLGRAD_OK) st = clgrad_function_create_updating(opt->dev, part->graph, advance, &part->function);
    clgrad_free(opt->ctx, advance);
    clgrad_graph_release(&part->graph);
    return st;
}

static bool any_regularised(const clgrad_optimizer *opt)
{
    for (size_t i = 0; i <= opt->options.num_groups; i++)
        if (opt->groups[i].l1 > 0 || opt->groups[i].l2 > 0) return true;
    return false;
}

/* unpack | front | gradient | tail, in one part or cut before the update. */
static clgrad_status join_parts(clgrad_optimizer *opt, const clgrad_optimizer_source *source)
{
    const clgrad_optimizer_options *o = &opt->options;
    clgrad_tail_desc desc = { .arena = opt->arena, .regions = opt->regions, .num_regions = opt->num_regions,
                                    .rule = opt->rule, .regularised = any_regularised(opt), .clip_value = o->clip_value > 0,
                                    .clip_norm = o->clip_norm > 0, .scaled = is_scaled(opt) };
    const bool cut = o->accumulate > 1;
    clgrad_graph *unpack = NULL, *gradient = NULL, *tail = NULL, *links[4];
    size_t count = 0;
    clgrad_status st = clgrad_unpack_graph(opt->ctx, &desc, &unpack);
    if (st == CLGRAD_OK) st = gradient_graph(opt, source, &gradient);
    desc.watch_index = gradient && clgrad_graph_find_output(gradient, "index") != SIZE_MAX;
    if (st == CLGRAD_OK) st = clgrad_tail_graph(opt->ctx, &desc, cut ? CLGRAD_TAIL_ACCUMULATE : CLGRAD_TAIL_WHOLE, &tail);
    links[count++] = unpack;
    if (source->front) links[count++] = source->front;
    links[count++] = gradient;
    links[count++] = tail;
    if (st == CLGRAD_OK) st = clgrad_graph_chain(opt->ctx, count, links, cut ? &opt->accumulate.graph : &opt->whole.graph);
    if (st == CLGRAD_OK && cut) st = clgrad_tail_graph(opt->ctx, &desc, CLGRAD_TAIL_UPDATE, &opt->update.graph);
    clgrad_graph_release(&unpack);
    clgrad_graph_release(&gradient);
    clgrad_graph_release(&tail);
    return st;
}

/* --- memory, before any is taken --- */

uint64_t clgrad_optimizer_vector_bytes(const clgrad_optimizer *opt)
{
    const uint64_t vectors = 1 + clgrad_rule_num_states(opt->rule) + (opt->options.accumulate > 1);
    return vectors * clgrad_arena_bytes(opt->arena, CLGRAD_F32);
}

clgrad_status clgrad_memory_check(const clgrad_device *dev, uint64_t need_bytes, const char *what)
{
    const clgrad_device_info *info = clgrad_device_get_info(dev);
    if (need_bytes <= info->memory_bytes) return CLGRAD_OK;
    return clgrad_fail(clgrad_device_get_context(dev), CLGRAD_E_MEMORY, "%s needs %llu MiB of device memory; %s has %llu MiB", what,
                       (unsigned long long)(need_bytes >> 20), info->name, (unsigned long long)(info->memory_bytes >> 20));
}

static clgrad_status estimate_part(clgrad_optimizer *opt, const clgrad_step_part *part, uint64_t *scratch)
{
    size_t *advance;
    *scratch = 0;
    if (!part->graph) return CLGRAD_OK;
    CLGRAD_TRY(find_advance(opt, part, &advance));
    const clgrad_plan_options options = { .advance = advance };
    const clgrad_status st = clgrad_plan_estimate(opt->dev, part->graph, &options, scratch);
    clgrad_free(opt->ctx, advance);
    return st;
}

static clgrad_status check_memory(clgrad_optimizer *opt, const clgrad_optimizer_source *source)
{
    const clgrad_step_part *parts[] = { &opt->whole, &opt->accumulate, &opt->update };
    opt->need_bytes = source->other_bytes + clgrad_optimizer_vector_bytes(opt);
    for (size_t i = 0; i < CLGRAD_COUNT(parts); i++) {
        uint64_t scratch;
        CLGRAD_TRY(estimate_part(opt, parts[i], &scratch));
        opt->need_bytes += scratch;
    }
    if (source->need_bytes) *source->need_bytes = opt->need_bytes;
    return clgrad_memory_check(opt->dev, opt->need_bytes, "the optimizer");
}

/* --- life --- */

static clgrad_status check_source(clgrad_context *ctx, const clgrad_optimizer_source *source)
{
    const clgrad_graph *f = source->f;
    const size_t output = source->output, count = source->num_parameters;
    CLGRAD_TRY(clgrad_graph_status(f));
    if (output >= f->num_outputs)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "optimizer: output %zu of a graph with %zu outputs", output, f->num_outputs);
    if (count == 0 || count > f->num_inputs)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "optimizer: %zu parameters of a graph with %zu inputs", count, f->num_inputs);
    const clgrad_op_node *loss = clgrad_at(f, f->outputs[output]);
    if (loss->shape.rank != 0)
        return clgrad_fail(ctx, CLGRAD_E_SHAPE, "optimizer: output '%s' is no scalar", f->output_names[output]);
    if (!clgrad_dtype_is_real(loss->dtype))
        return clgrad_fail(ctx, CLGRAD_E_DTYPE, "optimizer: output '%s' is %s, not real", f->output_names[output],
                           clgrad_dtype_name(loss->dtype));
    return CLGRAD_OK;
}

static clgrad_status set_up(clgrad_optimizer *opt, const clgrad_optimizer_source *source, clgrad_tensor *const *initial)
{
    CLGRAD_TRY(declare_parameters(opt, source));
    CLGRAD_TRY(find_regions(opt));
    CLGRAD_TRY(join_parts(opt, source));
    CLGRAD_TRY(check_memory(opt, source));
    CLGRAD_TRY(create_memory(opt));
    CLGRAD_TRY(copy_initial(opt, initial));
    CLGRAD_TRY(compile_part(opt, &opt->whole));
    CLGRAD_TRY(compile_part(opt, &opt->accumulate));
    return compile_part(opt, &opt->update);
}

clgrad_status clgrad_optimizer_create_from(clgrad_device *dev, const clgrad_optimizer_source *source,
                                           clgrad_tensor *const *initial, const clgrad_optimizer_options *options,
                                           clgrad_optimizer **out)
{
    *out = NULL;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    CLGRAD_TRY(check_source(ctx, source));
    clgrad_optimizer *opt = clgrad_alloc(ctx, 1, sizeof *opt);
    if (!opt) return CLGRAD_E_MEMORY;
    *opt = (clgrad_optimizer){ .refs = 1, .dev = clgrad_device_retain(dev), .ctx = ctx };
    clgrad_plateau_init(&opt->plateau[0]);
    clgrad_plateau_init(&opt->plateau[1]);
    clgrad_status st = clgrad_optimizer_resolve(opt, options);
    if (st == CLGRAD_OK) st = set_up(opt, source, initial);
    if (st == CLGRAD_OK) *out = opt, opt = NULL;
    clgrad_optimizer_release(&opt);
    return st;
}

clgrad_status clgrad_optimizer_create(clgrad_device *dev, const clgrad_graph *f, size_t output, size_t num_parameters,
                                      clgrad_tensor *const *initial, const clgrad_optimizer_options *options,
                                      clgrad_optimizer **out)
{
    const clgrad_optimizer_source source = { .f = f, .output = output, .num_parameters = num_parameters };
    return clgrad_optimizer_create_from(dev, &source, initial, options, out);
}

clgrad_optimizer *clgrad_optimizer_retain(clgrad_optimizer *opt)
{
    if (opt) opt->refs++;
    return opt;
}

static void release_part(clgrad_context *ctx, clgrad_step_part *part)
{
    clgrad_graph_release(&part->graph);
    clgrad_function_release(&part->function);
    clgrad_free(ctx, part->inputs);
    clgrad_free(ctx, part->outputs);
    clgrad_free(ctx, part->data_index);
}

static void release_groups(clgrad_optimizer *opt)
{
    for (size_t i = 0; opt->groups && i <= opt->options.num_groups; i++) clgrad_free(opt->ctx, (char *)opt->groups[i].match);
    clgrad_free(opt->ctx, opt->groups);
}

void clgrad_optimizer_release(clgrad_optimizer **address)
{
    clgrad_optimizer *opt = *address;
    *address = NULL;
    if (!opt || --opt->refs > 0) return;
    release_part(opt->ctx, &opt->whole);
    release_part(opt->ctx, &opt->accumulate);
    release_part(opt->ctx, &opt->update);
    for (size_t i = 0; i < opt->num_named; i++) clgrad_tensor_release(&opt->named[i].tensor);
    clgrad_free(opt->ctx, opt->named);
    clgrad_tensor_release(&opt->stop);
    clgrad_tensor_release(&opt->metric);
    clgrad_tensor_release(&opt->scaling);
    clgrad_buffer_release(&opt->hyper_buffer);
    clgrad_free(opt->ctx, opt->hypers);
    clgrad_arena_vector_release(&opt->theta);
    clgrad_arena_vector_release(&opt->sum);
    for (size_t s = 0; s < CLGRAD_MAX_STATES; s++) clgrad_arena_vector_release(&opt->states[s]);
    clgrad_free(opt->ctx, opt->regions);
    clgrad_arena_release(&opt->arena);
    release_groups(opt);
    clgrad_device *dev = opt->dev;
    clgrad_free(opt->ctx, opt);
    clgrad_device_release(&dev);
}

clgrad_function *clgrad_optimizer_function(const clgrad_optimizer *opt, size_t i)
{
    if (opt->whole.function) return i == 0 ? opt->whole.function : NULL;
    return i == 0 ? opt->accumulate.function : i == 1 ? opt->update.function : NULL;
}

clgrad_status clgrad_optimizer_explain(const clgrad_optimizer *opt, char **text)
{
    return clgrad_function_explain(clgrad_optimizer_function(opt, 0), text);
}

void clgrad_optimizer_text_release(clgrad_optimizer *opt, char **text)
{
    if (opt && *text) clgrad_free(opt->ctx, *text);
    *text = NULL;
}
