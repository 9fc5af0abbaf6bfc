#pragma once

/* Inside the model room: what losses share. */

#include "model/layer.h"

#include <math.h>

/* Are z and y of one shape with a sample axis? Reports when not. */
bool clgrad_loss_operands_fit(clgrad_graph *g, const clgrad_layer *loss, clgrad_node z, clgrad_node y);
