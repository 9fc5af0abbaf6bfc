#pragma once

/* A plan: a graph compiled to a list of launches for one device. Running it plans nothing, allocates nothing and waits
 * for nothing. */

#include "clgrad/plan.h"
#include "graph/graph.h"

typedef struct clgrad_plan clgrad_plan;

typedef enum clgrad_variant { CLGRAD_VARIANT_AUTO, CLGRAD_VARIANT_CPU, CLGRAD_VARIANT_GPU, CLGRAD_VARIANT_CLBLAST } clgrad_variant;

/* Launches as parts of one kernel (merge.c): where it pays, on devices that it suits; never; or, for tests, on any device wherever groups
 * may work apart, as many groups as possible however small the work, and never one group for the sake of it; or all by one group, or in phases
 * (groups leaving at once where they would wait), where they can be parts, whatever the work. */
typedef enum clgrad_merging { CLGRAD_MERGE_AUTO, CLGRAD_MERGE_NEVER, CLGRAD_MERGE_GROUPS, CLGRAD_MERGE_ONE_GROUP, CLGRAD_MERGE_PHASES } clgrad_merging;

typedef struct clgrad_plan_options {
    clgrad_merging merge;
    bool no_fusion;          /* every node its own launch (views are still folded): for tests of fusion */
    clgrad_variant reduce;   /* forced form of reductions and scans; AUTO by the device's kind */
    clgrad_variant matmul;   /* forced form of products; CLBLAST gives other bits */
    uint32_t width;          /* forced vector width 1 2 4 8 16; 0: by the device */
    size_t work_group;       /* forced work-group size where a template lets one choose; 0: by the device */
    uint32_t tile_m, tile_n; /* forced matmul tile; 0: by the device */
    const char *matmul_choice; /* as in the tuning store (choice.h), for every product, and outliving the plan; "rules": none; NULL: the store's */
    /* donated[i] = 1 + output that may take over input i's memory (same type and shape), 0: none. NULL: none. */
    const uint32_t *donated;
    /* The plan will be run many times in a row: bytes by which input i's memory then moves on from one run to the next, 0 for most. What
     * launches would take a good part of the time for then becomes one kernel, if it can, which does any number of runs in one launch.
     * NULL: it will not. */
    const size_t *advance;
} clgrad_plan_options;

/* g is retained. Scratch memory is allocated and touched here. Errors: E_UNSUPPORTED (f64 without fp64, a launch beyond the
 * device's limits), E_MEMORY (the text says bytes needed and bytes there), E_BUILD, E_KERNEL_FILE. */
clgrad_status clgrad_plan_create(clgrad_device *dev, const clgrad_graph *g, const clgrad_plan_options *options,
                                 clgrad_plan **out);
void clgrad_plan_release(clgrad_plan **plan);

/* Say which tensors the next runs read and write; types and shapes must be the graph's (E_SHAPE, E_DTYPE name the operand).
 * An output must not overlap an input unless it is donated to it, in which case it must be the same memory. The tensors are
 * retained until the next bind. Only kernel arguments that changed are set. */
clgrad_status clgrad_plan_bind(clgrad_plan *plan, clgrad_tensor *const *inputs, clgrad_tensor *const *outputs);
/* Enqueue all launches. */
clgrad_status clgrad_plan_run(clgrad_plan *plan);
/* Runs that one launch should do at most, 1 where it can do no more. If it can: enqueue that launch. */
int64_t clgrad_plan_most_runs(const clgrad_plan *plan);
clgrad_status clgrad_plan_repeat(clgrad_plan *plan, int64_t runs);

const clgrad_graph *clgrad_plan_graph(const clgrad_plan *plan);
size_t clgrad_plan_num_launches(const clgrad_plan *plan);
/* Bytes of scratch the plan holds. */
uint64_t clgrad_plan_scratch_bytes(const clgrad_plan *plan);
/* Which output took over which input: donated and proven safe. */
bool clgrad_plan_donation_taken(const clgrad_plan *plan, size_t input);
/* One line a launch: template, variant, shape, fused nodes, bytes, flops. Release with clgrad_free. */
clgrad_status clgrad_plan_explain(const clgrad_plan *plan, char **text);
/* What it does and costs (clgrad/plan.h). E_ARG for a launch or operand that is not there, E_MEMORY. */
clgrad_status clgrad_plan_launch_info(const clgrad_plan *plan, size_t launch, clgrad_launch_info *out);
clgrad_status clgrad_plan_operand_info(const clgrad_plan *plan, size_t launch, size_t operand, clgrad_operand_info *out);
bool clgrad_plan_product(const clgrad_plan *plan, size_t launch, clgrad_product *out);
clgrad_status clgrad_plan_cost(const clgrad_plan *plan, clgrad_cost *out);
/* Run a bound plan `runs` times and give the median seconds of each launch by the device's clock (NAN: it keeps none, as of copies),
 * and of a whole run by the host's. E_ARG: the device does not profile, nothing is bound, no runs. */
clgrad_status clgrad_plan_time(clgrad_plan *plan, size_t runs, double *seconds, double *wall);
/* Scratch a plan for g would need, without making one or touching the device's memory: what `train` adds up beforehand. */
clgrad_status clgrad_plan_estimate(clgrad_device *dev, const clgrad_graph *g, const clgrad_plan_options *options,
                                   uint64_t *scratch_bytes);
