#pragma once

/** All of clgrad but the opt-in clgrad/opencl.h. */

#include "clgrad/autodiff.h"
#include "clgrad/base.h"
#include "clgrad/bench.h"
#include "clgrad/device.h"
#include "clgrad/graph.h"
#include "clgrad/io.h"
#include "clgrad/measure.h"
#include "clgrad/model.h"
#include "clgrad/optim.h"
#include "clgrad/plan.h"
#include "clgrad/schedule.h"
#include "clgrad/tensor.h"
#include "clgrad/train.h"
