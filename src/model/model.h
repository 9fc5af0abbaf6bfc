#pragma once

/* Inside the model room, and for train: a sequential model's layers. */

#include "clgrad/model.h"
#include "graph/graph.h"

enum { CLGRAD_MODEL_MAX_LINEAR = 64 };

/* First random stream of each use, so that no two uses of one seed share draws. Initialisation adds the parameter's number,
 * dropout the layer's. */
enum { CLGRAD_DRAW_INIT = 0x00000000, CLGRAD_DRAW_DROPOUT = 0x01000000 };

typedef enum clgrad_model_layer_kind { CLGRAD_LAYER_LINEAR, CLGRAD_LAYER_ACTIVATION, CLGRAD_LAYER_DROPOUT } clgrad_model_layer_kind;

typedef struct clgrad_model_layer {
    clgrad_model_layer_kind kind;
    size_t parameter;        /* LINEAR: number of the weight; the bias is the next one */
    clgrad_shape weight;     /* LINEAR: [outputs, inputs] */
} clgrad_model_layer;

typedef struct clgrad_init {
    const char *name, *formula;
    bool normal;
    /* Half the width of the uniform, or the standard deviation, squared; 0: all values are 0. */
    double (*square)(const clgrad_shape *weight, bool bias);
} clgrad_init;

/* E_CONFIG saying that there is no <kind> of that name, with the nearest of the words. */
clgrad_status clgrad_unknown_word(clgrad_context *ctx, const char *kind, const char *name, const char *const *words, size_t count);

/* As above when there is none of that name. */
clgrad_status clgrad_init_find(clgrad_context *ctx, const char *name, const clgrad_init **out);
/* Draw the values of one parameter. */
clgrad_status clgrad_init_draw(clgrad_context *ctx, const clgrad_init *init, const clgrad_shape *weight, bool bias, uint64_t seed,
                               uint32_t stream, float *values, size_t count);

typedef struct clgrad_model_parameter {
    char name[24];
    clgrad_shape shape;
    size_t layer;
    bool bias;
} clgrad_model_parameter;

struct clgrad_model {
    size_t refs;
    clgrad_context *ctx;
    const clgrad_activation_info *activation;
    const clgrad_init *init;
    double dropout;
    size_t num_layers, num_parameters;
    clgrad_model_layer layers[3 * CLGRAD_MODEL_MAX_LINEAR];
    clgrad_model_parameter parameters[2 * CLGRAD_MODEL_MAX_LINEAR];
};
