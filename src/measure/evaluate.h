#pragma once

/* Evaluating a graph on host arrays through a device, for checks: upload, plan, run, read back. Waits. */

#include "plan/plan.h"

/* outputs are created; on failure none is left allocated. */
clgrad_status clgrad_evaluate_on(clgrad_device *dev, const clgrad_graph *g, const clgrad_plan_options *options,
                                 const clgrad_array *inputs, clgrad_array *outputs);
