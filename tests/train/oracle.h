#pragma once

#include "train/trainer.h"

/* The mean training loss after all epochs of a set-up training, everything computed on the host in double: gradients by the oracle
 * in f64, plain SGD by two lines. Only for trainings with constant rate, no clipping, no regularisers, no accumulation. */
double oracle_final_loss(const clgrad_trainer *t);
