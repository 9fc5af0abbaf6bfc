/* The rows of clgrad bench, and how one is measured: built, held against the reference, timed beside its roof. */

#include "bench.h"
#include "os.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIB16 = 1 << 24 };

/* clang-format off */
#define PRODUCT(id, m, n, k, ta, tb) { id, NULL, &bench_matmul, m, n, k, ta, tb, NULL, NULL, NULL, 0, 0, false }
#define ELEMENTS(id, what, family, n, rule) { id, what, &family, 0, n, 0, false, false, NULL, NULL, rule, 0, 0, false }
#define NETWORK(id, family, layers, activation, rule, batch) { id, NULL, &family, 0, 0, 0, false, false, layers, activation, rule, batch, 0, false }
#define CURVATURE(id, family, layers, batch, columns, scratch) { id, NULL, &family, 0, 0, 0, false, false, layers, "tanh", NULL, batch, columns, scratch }
/* clang-format on */

const bench_row bench_rows[] = {
    PRODUCT("matmul.f32.nn.1024x1024x1024", 1024, 1024, 1024, false, false),
    PRODUCT("matmul.f32.nn.128x128x784", 128, 128, 784, false, false),
    PRODUCT("matmul.f32.tn.784x128x128", 784, 128, 128, true, false),
    PRODUCT("matmul.f32.nt.128x784x128", 128, 784, 128, false, true),
    NETWORK("step.sgd.mlp-784-128-10.b128", bench_step, "784-128-10", "relu", "sgd", 128),
    NETWORK("step.sgd.mlp-784-128-10.b1", bench_step, "784-128-10", "relu", "sgd", 1),
    NETWORK("grad.mlp-784-1024-1024-10.b256", bench_grad, "784-1024-1024-10", "tanh", NULL, 256),
    CURVATURE("hvp.kept.mlp-784-1024-1024-10.b256", bench_hvp, "784-1024-1024-10", 256, 1, false),
    CURVATURE("gnvp.kept.mlp-784-1024-1024-10.b256", bench_gnvp, "784-1024-1024-10", 256, 1, false),
    ELEMENTS("update.sgd.f32.16M", "SGD update of 16M parameters, gradient given", bench_update, MIB16, "sgd"),
    ELEMENTS("update.adam.f32.16M", "Adam update of 16M parameters, gradient given", bench_update, MIB16, "adam"),
    ELEMENTS("map.gelu-scale-add.16M", "y = 1.5 gelu(x) + 0.25 (erf form) over 16M elements", bench_map, MIB16, NULL),
    ELEMENTS("reduce.sum.16M", "sum of 16M elements", bench_reduce, MIB16, NULL),
    NETWORK("epoch.mnist.mlp-784-128-10.adam.b128", bench_epoch, "784-128-10", "relu", "adam", 128),
    /* Other shapes and forms: last, as the last are left out where time runs out. */
    PRODUCT("matmul.f32.nt.128x128x784", 128, 128, 784, false, true),
    PRODUCT("matmul.f32.nt.100x127x783", 100, 127, 783, false, true),
    PRODUCT("matmul.f32.tn.783x127x100", 783, 127, 100, true, false),
    NETWORK("step.sgd.mlp-783-127-11.b100", bench_step, "783-127-11", "relu", "sgd", 100),
    NETWORK("step.sgd.mlp-784-256-128-64-10.gelu.b128", bench_step, "784-256-128-64-10", "gelu", "sgd", 128),
    NETWORK("grad.mlp-783-1001-517-11.sigmoid.b100", bench_grad, "783-1001-517-11", "sigmoid", NULL, 100),
    CURVATURE("hvp.scratch.mlp-784-1024-1024-10.b256", bench_hvp, "784-1024-1024-10", 256, 1, true),
    CURVATURE("hvp.scratch.columns8.mlp-784-1024-1024-10.b256", bench_hvp, "784-1024-1024-10", 256, 8, true),
    CURVATURE("hvp.kept.mlp-784-1024-1024-10.b1", bench_hvp, "784-1024-1024-10", 1, 1, false),
    CURVATURE("hvp.kept.columns8.mlp-784-1024-1024-10.b1", bench_hvp, "784-1024-1024-10", 1, 8, false),
};
const size_t bench_num_rows = sizeof bench_rows / sizeof *bench_rows;

/* What a row is in words, from its fields. */
static const char *describe(const bench_row *r, char *text, size_t bytes)
{
    if (r->what) return r->what;
    if (!r->layers) {
        snprintf(text, bytes, "f32 product, M x N x K = %lld x %lld x %lld, %s%s", (long long)r->m, (long long)r->n,
                 (long long)r->k, r->trans_a ? "A transposed, " : "A plain, ", r->trans_b ? "B transposed" : "B plain");
        return text;
    }
    snprintf(text, bytes, "%s of %s, %s, softmax cross-entropy, batch %lld%s%s", r->family->group, r->layers, r->activation,
             (long long)r->batch, r->rule ? ", " : "", r->rule ? r->rule : "");
    if (r->columns > 1) snprintf(text + strlen(text), bytes - strlen(text), ", %lld directions at once", (long long)r->columns);
    if (r->scratch) snprintf(text + strlen(text), bytes - strlen(text), ", at a new point each time");
    return text;
}

bool bench_selected(const bench_options *options, const char *id)
{
    return !options->filter || clgrad_pattern_match(options->filter, id);
}

/* --- results as JSON --- */

json_t *bench_result(const char *id, const char *group, const char *what, const char *status, const char *reason)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:i, s:i, s:[], s:n, s:n, s:n, s:n, s:n, s:f, s:f, s:n, s:n, "
                     "s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n}",
                     "id", id, "group", group, "what", what, "status", status, "reason", reason, "unit", "run", "timer", "",
                     "clock_ratio", "warmups", 0, "batch", 0, "samples_ns", "median_ns", "mad_ns", "min_ns", "p90_ns", "drift",
                     "bytes", 0.0, "flops", 0.0, "gbs", "gflops", "roof", "roof_pct", "best_pct", "launch_pct",
                     "processor_ns", "processor_pct", "err", "deterministic", "memory");
}

static void set(json_t *result, const char *key, json_t *value) { json_object_set_new(result, key, value); }

static void set_status(json_t *result, const char *status, const char *reason)
{
    set(result, "status", json_string(status));
    set(result, "reason", json_string(reason));
}

json_t *bench_rounds_json(const clgrad_roof_result *roof)
{
    json_t *rounds = json_array();
    for (size_t i = 0; i < roof->num_rounds; i++) json_array_append_new(rounds, json_real(roof->rounds[i]));
    return rounds;
}

static void put_check(json_t *result, const bench_case *c, bool pass)
{
    set(result, "err",
        json_pack("{s:o, s:o, s:f, s:f, s:b}", "rel_l2", json_real(isfinite(c->worst.rel_l2) ? c->worst.rel_l2 : 1e300),
                  "max_rel", json_real(isfinite(c->worst.max_rel) ? c->worst.max_rel : 1e300), "tol_l2", c->tolerance_l2,
                  "tol_max", c->tolerance_max, "pass", pass));
    if (c->deterministic >= 0) set(result, "deterministic", json_boolean(c->deterministic));
    if (c->peak_bytes)
        set(result, "memory",
            json_pack("{s:I, s:I, s:f}", "peak_bytes", (json_int_t)c->peak_bytes, "least_bytes", (json_int_t)c->least_bytes,
                      "ratio", (double)c->peak_bytes / (double)c->least_bytes));
}

static void put_spread(json_t *result, const clgrad_spread *s)
{
    set(result, "median_ns", json_real(s->median));
    set(result, "mad_ns", json_real(s->mad));
    set(result, "min_ns", json_real(s->min));
    set(result, "p90_ns", json_real(s->p90));
    set(result, "drift", json_real(s->drift));
}

static void put_timing(json_t *result, const clgrad_timing *t)
{
    json_t *samples = json_array();
    for (size_t i = 0; i < t->count; i++) json_array_append_new(samples, json_real(t->samples_ns[i]));
    set(result, "samples_ns", samples);
    set(result, "timer", json_string(t->timer));
    set(result, "clock_ratio", t->host_ns > 0 && t->event_ns > 0 ? json_real(t->event_ns / t->host_ns) : json_null());
    set(result, "warmups", json_integer((json_int_t)t->warmups));
    set(result, "batch", json_integer((json_int_t)t->batch));
    put_spread(result, &t->spread);
}

/* Rates, and the share of the roof; above 105% something is wrong with one of them, and the row does not count. */
static void put_rates(bench_run *run, json_t *result, const bench_case *c, const clgrad_roof *roof, const clgrad_spread *spread,
                      double processor_ns)
{
    const double median_ns = spread->median;
    enum { MARKED = 100, IMPOSSIBLE = 105 };
    const bool compute = c->roof >= CLGRAD_ROOF_FMA_F32;
    clgrad_roof_result r = CLGRAD_ROOF_RESULT_INIT;
    set(result, "bytes", json_real(c->bytes));
    set(result, "flops", json_real(c->flops));
    if (c->bytes > 0) set(result, "gbs", json_real(c->bytes / median_ns));
    if (c->flops > 0) set(result, "gflops", json_real(c->flops / median_ns));
    if (!roof) return;
    clgrad_roof_get(roof, &r);
    const double factor = bench_roof_factor(run, c->roof), rate = r.best * factor;
    const double percent = 100 * (compute ? c->flops : c->bytes) / median_ns * 1e9 / rate;
    set(result, "roof",
        json_pack("{s:s, s:I, s:s, s:s, s:f, s:o}", "id", clgrad_roof_name(c->roof), "working_set", (json_int_t)r.working_set,
                  "form", r.form, "source", factor > 1 ? "intrinsics" : "opencl", "rate", rate, "rounds",
                  bench_rounds_json(&r)));
    set(result, "roof_pct", json_real(percent));
    set(result, "best_pct", json_real(percent * median_ns / spread->min));
    if (processor_ns > 0 && r.processor > 0) {
        set(result, "processor_ns", json_real(processor_ns));
        set(result, "processor_pct",
            json_real(100 * (compute ? c->flops : c->bytes) / processor_ns * 1e9 / (r.processor * factor)));
    }
    if (run->options->quick) return;
    if (percent > IMPOSSIBLE)
        set_status(result, "above-roof", "more than 105% of its roof: the figure or the roof is wrong");
    else if (percent > MARKED)
        set(result, "reason", json_string("above its roof by less than 5%"));
}

/* A roof of arithmetic is that of long launches, whatever the row touches. */
static clgrad_status create_roof(const bench_case *c, clgrad_roof **out)
{
    return clgrad_roof_create(c->dev, c->roof, c->roof >= CLGRAD_ROOF_FMA_F32 ? 0 : c->working_set, out);
}

/* What bounds a short launch: multiply-adds alone, as many of them in a launch, beside long launches in turns, since a machine changes speed. */
static clgrad_status put_launch_bound(json_t *result, const bench_case *c, const clgrad_roof *of)
{
    const double short_seconds = 2e-3;
    clgrad_roof_result whole = CLGRAD_ROOF_RESULT_INIT, part = CLGRAD_ROOF_RESULT_INIT;
    clgrad_roof *roofs[2] = { NULL, NULL };
    clgrad_roof_get(of, &whole);
    if (!c->launched || c->flops > short_seconds * whole.best) return CLGRAD_OK;
    clgrad_status status = create_roof(c, &roofs[0]);
    if (!status) status = clgrad_roof_create(c->dev, c->roof, (uint64_t)c->flops, &roofs[1]);
    for (int i = 0; !status && i < 6; i++) status = clgrad_roof_round(roofs[i % 2]);
    if (!status) {
        clgrad_roof_get(roofs[0], &whole);
        clgrad_roof_get(roofs[1], &part);
        set(result, "launch_pct", json_real(100 * part.best / whole.best));
    }
    clgrad_roof_release(&roofs[0]);
    clgrad_roof_release(&roofs[1]);
    return status;
}

/* --- one row --- */

static clgrad_timing_options how_long(const bench_options *o)
{
    clgrad_timing_options t = CLGRAD_TIMING_OPTIONS_INIT;
    if (o->quick) t.seconds = 0.05, t.warm_seconds = 0, t.sample_seconds = 0.002, t.max_samples = 20;
    return t;
}

/* Of long runs, since what makes short ones slow does not grow with them. */
static void remember_rate(bench_run *run, const bench_case *c, double seconds)
{
    const double long_flops = 1e9;
    if (c->roof >= CLGRAD_ROOF_FMA_F32 && c->flops >= long_flops)
        run->flop_seconds = fmax(run->flop_seconds, seconds / c->flops);
}

static clgrad_status time_row(bench_run *run, bench_case *c, json_t *result)
{
    clgrad_timing_options options = how_long(run->options);
    clgrad_timing timing = CLGRAD_TIMING_INIT;
    clgrad_roof *roof = NULL;
    clgrad_status status = create_roof(c, &roof);
    options.roof = roof;
    if (!status) status = clgrad_time_work(c->dev, c->row->family->run, c, &options, &timing);
    if (!status) {
        put_timing(result, &timing);
        remember_rate(run, c, timing.spread.median * 1e-9);
        put_rates(run, result, c, roof, &timing.spread, timing.processor_ns);
        status = put_launch_bound(result, c, roof);
    }
    clgrad_roof_release(&roof);
    return status;
}

/* Families that bring samples of their own have no roof beside them; the roof is measured right behind. */
static clgrad_status take_own_samples(bench_run *run, bench_case *c, json_t *result)
{
    clgrad_roof *roof = NULL;
    clgrad_spread spread = CLGRAD_SPREAD_INIT;
    json_t *samples = c->row->family->measure(c);
    const size_t count = json_array_size(samples);
    double *values = calloc(count + 1, sizeof *values);
    for (size_t i = 0; values && i < count; i++) values[i] = json_number_value(json_array_get(samples, i));
    clgrad_status status = samples && values ? clgrad_spread_of(c->ctx, values, count, &spread) : clgrad_error_status(c->ctx);
    if (!status) status = create_roof(c, &roof);
    for (int i = 0; !status && i < 3; i++) status = clgrad_roof_round(roof);
    if (!status) {
        put_spread(result, &spread);
        set(result, "samples_ns", json_incref(samples));
        set(result, "batch", json_integer(1));
        set(result, "timer", json_string("host clock: the work waits for the device itself"));
        put_rates(run, result, c, roof, &spread, c->processor_ns);
    }
    clgrad_roof_release(&roof);
    json_decref(samples);
    free(values);
    return status;
}

static bool within(const bench_case *c)
{
    return c->worst.finite && c->worst.rel_l2 <= c->tolerance_l2 && c->worst.max_rel <= c->tolerance_max &&
           c->deterministic != 0;
}

/* --- rows that would take too long --- */

enum { RUNS = 10 }; /* that a row of long runs makes in all */

static void too_long(const bench_run *run, json_t *result, const char *takes, double seconds)
{
    char text[120];
    snprintf(text, sizeof text, "a run %s %.1f s, too long for %.0f s in all; --filter runs it alone", takes, seconds,
             run->options->limit);
    set_status(result, "skipped", text);
}

static clgrad_status time_once(bench_case *c, double *seconds)
{
    const double begin = monotonic_seconds();
    clgrad_status status = c->row->family->run(c, 1);
    if (!status) status = clgrad_device_finish(c->dev);
    *seconds = monotonic_seconds() - begin;
    return status;
}

/* How long a run takes, where one more changes nothing; the first run may build programs. */
static clgrad_status is_too_long(bench_run *run, bench_case *c, json_t *result, bool *skip)
{
    double seconds;
    *skip = false;
    if (!isfinite(run->allowance) || c->optimizer || !c->row->family->run) return CLGRAD_OK;
    clgrad_status status = time_once(c, &seconds);
    if (!status && seconds * RUNS > run->allowance) status = time_once(c, &seconds);
    *skip = !status && seconds * RUNS > run->allowance;
    if (*skip) remember_rate(run, c, seconds);
    if (*skip) too_long(run, result, "takes", seconds);
    return status;
}

/* Before anything is built: by the clock, and by the slowest rate seen so far. */
static bool is_out_of_time(const bench_run *run, const bench_row *row, json_t *result)
{
    const double seconds = bench_flops_of(row) * run->flop_seconds;
    if (monotonic_seconds() > run->deadline) {
        set_status(result, "skipped", "out of time; --limit gives more, --filter runs it alone");
        return true;
    }
    if (seconds * RUNS > run->allowance) return too_long(run, result, "would take about", seconds), true;
    return false;
}

static clgrad_status check_and_time(bench_run *run, bench_case *c, json_t *result)
{
    bool skip = false;
    clgrad_status status = c->row->family->open(c);
    if (!status) status = is_too_long(run, c, result, &skip);
    if (!status && skip) return CLGRAD_OK;
    if (!status) status = c->row->family->verify(c);
    if (status) return status;
    if (run->options->spoil) c->worst.rel_l2 += 1;
    const bool pass = within(c);
    put_check(result, c, pass);
    if (!pass) {
        set_status(result, "failed-check",
                   c->deterministic == 0 ? "two runs gave different bits" : "further from the reference than its tolerance");
        return CLGRAD_OK;
    }
    if (*c->remark) set(result, "reason", json_string(c->remark));
    return c->row->family->measure ? take_own_samples(run, c, result) : time_row(run, c, result);
}

static json_t *measure_row(bench_run *run, const bench_row *row)
{
    char text[160];
    bench_case c = { .row = row,
                     .reference = &run->reference,
                     .options = run->options,
                     .ctx = run->ctx,
                     .dev = run->dev,
                     .worst = CLGRAD_DEVIATION_INIT,
                     .deterministic = -1 };
    json_t *result = bench_result(row->id, row->family->group, describe(row, text, sizeof text), "ok", "");
    set(result, "unit", json_string(row->family->unit));
    if (is_out_of_time(run, row, result)) return result;
    const clgrad_status status = check_and_time(run, &c, result);
    if (status) {
        const char *why = *c.remark ? c.remark : clgrad_error_text(run->ctx);
        set_status(result, status == CLGRAD_E_UNSUPPORTED ? "unsupported" : "error", *why ? why : clgrad_status_text(status));
    }
    bench_case_release(&c);
    return result;
}

void bench_measure_rows(bench_run *run)
{
    for (size_t i = 0; i < bench_num_rows && !interrupted(); i++) {
        if (!bench_selected(run->options, bench_rows[i].id)) continue;
        bench_progress(run, bench_rows[i].id);
        json_array_append_new(run->results, measure_row(run, &bench_rows[i]));
    }
}
