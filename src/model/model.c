/* Sequential models from a line of text: description, parameters, graph. */

#include "model/model.h"

#include <stdio.h>

/* --- description --- */

/* Widths of "784-128-10"; false when the text is not of this form. */
static bool parse_widths(const char *text, int64_t *widths, size_t *count)
{
    for (*count = 0; *count <= CLGRAD_MODEL_MAX_LINEAR;) {
        int64_t width = 0;
        const size_t digits = strspn(text, "0123456789");
        if (digits < 1 || digits > 9) return false;
        for (size_t i = 0; i < digits; i++) width = width * 10 + (text[i] - '0');
        if (width == 0) return false;
        widths[(*count)++] = width;
        text += digits;
        if (*text == '\0') return *count >= 2;
        if (*text++ != '-') return false;
    }
    return false;
}

static void add_parameter(clgrad_model *model, size_t layer, bool bias, clgrad_shape shape)
{
    clgrad_model_parameter *p = &model->parameters[model->num_parameters++];
    snprintf(p->name, sizeof p->name, "%zu.%s", layer, bias ? "bias" : "weight");
    p->shape = shape;
    p->layer = layer;
    p->bias = bias;
}

static void add_linear(clgrad_model *model, int64_t inputs, int64_t outputs)
{
    const size_t layer = model->num_layers++;
    const clgrad_shape weight = CLGRAD_SHAPE(outputs, inputs);
    model->layers[layer] = (clgrad_model_layer){ CLGRAD_LAYER_LINEAR, model->num_parameters, weight };
    add_parameter(model, layer, false, weight);
    add_parameter(model, layer, true, CLGRAD_SHAPE(outputs));
}

static void add_layers(clgrad_model *model, const int64_t *widths, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        add_linear(model, widths[i], widths[i + 1]);
        if (i + 2 == count) break;
        model->layers[model->num_layers++].kind = CLGRAD_LAYER_ACTIVATION;
        if (model->dropout > 0) model->layers[model->num_layers++].kind = CLGRAD_LAYER_DROPOUT;
    }
}

clgrad_status clgrad_model_create(clgrad_context *ctx, const clgrad_model_options *options, clgrad_model **out)
{
    int64_t widths[CLGRAD_MODEL_MAX_LINEAR + 1];
    size_t count = 0;
    const clgrad_activation_info *activation = NULL;
    const clgrad_init *init = NULL;
    *out = NULL;
    if (!options || options->struct_size != sizeof *options)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "model: options are missing or of another version of the library");
    if (!options->layers || !parse_widths(options->layers, widths, &count))
        return clgrad_fail(ctx, CLGRAD_E_CONFIG, "model: '%s' is not a list of 2 to %d positive widths such as 784-128-10",
                           options->layers ? options->layers : "", CLGRAD_MODEL_MAX_LINEAR + 1);
    if (!(options->dropout >= 0 && options->dropout < 1))
        return clgrad_fail(ctx, CLGRAD_E_CONFIG, "model: the dropout rate %g is not in 0 <= rate < 1", options->dropout);
    CLGRAD_TRY(clgrad_activation_find(ctx, options->activation ? options->activation : "relu", &activation));
    CLGRAD_TRY(clgrad_init_find(ctx, options->init ? options->init : "default", &init));

    clgrad_model *model = clgrad_alloc(ctx, 1, sizeof *model);
    if (!model) return CLGRAD_E_MEMORY;
    model->refs = 1;
    model->ctx = clgrad_context_retain(ctx);
    model->activation = activation;
    model->init = init;
    model->dropout = options->dropout;
    add_layers(model, widths, count);
    *out = model;
    return CLGRAD_OK;
}

clgrad_model *clgrad_model_retain(clgrad_model *model)
{
    if (model) model->refs++;
    return model;
}

void clgrad_model_release(clgrad_model **address)
{
    clgrad_model *model = *address;
    *address = NULL;
    if (!model || --model->refs > 0) return;
    clgrad_context *ctx = model->ctx;
    clgrad_free(ctx, model);
    clgrad_context_release(&ctx);
}

/* --- questions --- */

int64_t clgrad_model_inputs(const clgrad_model *model) { return model->layers[0].weight.dims[1]; }
int64_t clgrad_model_outputs(const clgrad_model *model) { return model->layers[model->num_layers - 1].weight.dims[0]; }
size_t clgrad_model_num_parameters(const clgrad_model *model) { return model->num_parameters; }

const char *clgrad_model_parameter_name(const clgrad_model *model, size_t i)
{
    return i < model->num_parameters ? model->parameters[i].name : NULL;
}

clgrad_shape clgrad_model_parameter_shape(const clgrad_model *model, size_t i)
{
    return i < model->num_parameters ? model->parameters[i].shape : (clgrad_shape){ 0 };
}

clgrad_status clgrad_model_initialize(const clgrad_model *model, uint64_t seed, size_t i, float *values, size_t count)
{
    if (i >= model->num_parameters) return clgrad_fail(model->ctx, CLGRAD_E_ARG, "model: there is no parameter %zu", i);
    const clgrad_model_parameter *p = &model->parameters[i];
    if ((int64_t)count != clgrad_shape_count(&p->shape))
        return clgrad_fail(model->ctx, CLGRAD_E_ARG, "model: %zu values are not what parameter %s has", count, p->name);
    return clgrad_init_draw(model->ctx, model->init, &model->layers[p->layer].weight, p->bias, seed, CLGRAD_DRAW_INIT + (uint32_t)i,
                            values, count);
}

/* --- graph --- */

static clgrad_node add_dropout(clgrad_graph *g, const clgrad_model *model, clgrad_node x, size_t layer, clgrad_node counters[2])
{
    return clgrad_dropout(g, x, model->dropout, counters[0], counters[1], CLGRAD_DRAW_DROPOUT + (uint32_t)layer);
}

static clgrad_status build(clgrad_graph *g, const clgrad_model *model, int64_t batch, bool train)
{
    clgrad_node theta[2 * CLGRAD_MODEL_MAX_LINEAR], counters[2] = { CLGRAD_NONE, CLGRAD_NONE };
    for (size_t i = 0; i < model->num_parameters; i++)
        theta[i] = clgrad_input(g, model->parameters[i].name, CLGRAD_F32, model->parameters[i].shape);
    clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, CLGRAD_SHAPE(batch, clgrad_model_inputs(model)));
    if (train && model->dropout > 0) {
        counters[0] = clgrad_input(g, "hyper.seed", CLGRAD_I64, CLGRAD_SCALAR);
        counters[1] = clgrad_input(g, "hyper.sample", CLGRAD_I64, CLGRAD_SCALAR);
    }
    for (size_t i = 0; i < model->num_layers; i++) {
        const clgrad_model_layer *layer = &model->layers[i];
        if (layer->kind == CLGRAD_LAYER_LINEAR)
            x = clgrad_linear(g, x, theta[layer->parameter], theta[layer->parameter + 1]);
        else if (layer->kind == CLGRAD_LAYER_ACTIVATION)
            x = model->activation->build(g, x);
        else if (train)
            x = add_dropout(g, model, x, i, counters);
    }
    return clgrad_output(g, "z", x);
}

clgrad_status clgrad_model_graph(const clgrad_model *model, int64_t batch, bool train, clgrad_graph **out)
{
    clgrad_graph *g = NULL;
    *out = NULL;
    CLGRAD_TRY(clgrad_graph_create(model->ctx, &g));
    const clgrad_status st = build(g, model, batch, train);
    if (st == CLGRAD_OK) *out = clgrad_graph_retain(g);
    clgrad_graph_release(&g);
    return st;
}
