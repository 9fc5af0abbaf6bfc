/* The tuner: ways to compute one product, each held against the reference, then timed in turns so that whatever the machine does
 * besides hits all of them alike. */

#include "measure/tune.h"

#include "base/os.h"
#include "graph/graph.h"
#include "clgrad/bench.h"
#include "plan/choice.h"
#include "plan/plan.h"
#include "ref/ref.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

enum { ROUNDS = 5, CONFIRMATIONS = 9, MOST_SAMPLES = ROUNDS + CONFIRMATIONS };
static const double sample_seconds = 3e-3, gain = 0.97, hopeless = 1.25, reference_steps = 4e7;

typedef struct candidate {
    clgrad_tune_text text;
    clgrad_plan *plan; /* NULL: not made, or given up */
    double host_ns[MOST_SAMPLES], event_ns[MOST_SAMPLES];
    size_t count;
} candidate;

typedef struct tuner {
    clgrad_device *dev;
    clgrad_context *ctx;
    clgrad_product product;
    const clgrad_tune_options *options;
    const clgrad_tune_hooks *hooks;
    clgrad_tune_result *out;
    clgrad_graph *graph;
    clgrad_array a, b, want, got; /* want: the rules' result, proven */
    clgrad_tensor *in[2], *result;
    candidate list[2 * CLGRAD_TUNE_CANDIDATES];
    size_t count, batch;
    double end;
    bool events;  /* the device's clock is believed */
} tuner;

/* --- the product --- */

static clgrad_shape shape_of(const clgrad_product *p, int64_t rows, int64_t cols, bool turn)
{
    const int64_t first = turn ? cols : rows, second = turn ? rows : cols;
    return p->batches > 1 ? CLGRAD_SHAPE(p->batches, first, second) : CLGRAD_SHAPE(first, second);
}

static clgrad_status make_graph(tuner *t)
{
    const clgrad_product *p = &t->product;
    CLGRAD_TRY(clgrad_graph_create(t->ctx, &t->graph));
    const clgrad_node a = clgrad_input(t->graph, "a", p->a_dtype, shape_of(p, p->m, p->k, p->a_turned));
    const clgrad_node b = clgrad_input(t->graph, "b", p->b_dtype, shape_of(p, p->k, p->n, p->b_turned));
    clgrad_output(t->graph, "c", clgrad_matmul_cell(t->graph, a, b, p->a_turned, p->b_turned, p->cell));
    return clgrad_graph_status(t->graph);
}

/* Values between -1 and 1, of all signs and exponents near. */
static void fill(clgrad_array *array, uint32_t seed)
{
    const size_t bytes = clgrad_dtype_bytes(array->dtype);
    uint32_t state = seed;
    for (int64_t i = 0; i < clgrad_shape_count(&array->shape); i++) {
        state = state * 1664525u + 1013904223u;
        const float value = (float)((int32_t)state >> 8) / 8388608.0f;
        clgrad_convert(array->dtype, (char *)array->data + (size_t)i * bytes, CLGRAD_F32, &value, 1);
    }
}

static clgrad_status make_operands(tuner *t)
{
    clgrad_array *const arrays[] = { &t->a, &t->b };
    for (size_t i = 0; i < 2; i++) {
        const clgrad_op_node *n = clgrad_at(t->graph, clgrad_graph_input(t->graph, i));
        CLGRAD_TRY(clgrad_array_create(t->ctx, n->dtype, n->shape, arrays[i]));
        fill(arrays[i], 17 + (uint32_t)i);
        CLGRAD_TRY(clgrad_tensor_create_from(t->dev, n->dtype, n->shape, arrays[i]->data, clgrad_array_bytes(arrays[i]), &t->in[i]));
    }
    const clgrad_op_node *c = clgrad_at(t->graph, clgrad_graph_output(t->graph, 0));
    CLGRAD_TRY(clgrad_array_create(t->ctx, c->dtype, c->shape, &t->want));
    CLGRAD_TRY(clgrad_array_create(t->ctx, c->dtype, c->shape, &t->got));
    return clgrad_tensor_create(t->dev, c->dtype, c->shape, &t->result);
}

/* --- holding results against the reference --- */

/* Some rows of the first product, evenly spaced, as a product of its own: what the reference computes in a moment. */
typedef struct excerpt {
    clgrad_graph *graph;
    clgrad_array a, b, c; /* b: borrowed */
    int64_t rows;
} excerpt;

static int64_t row_of(const tuner *t, const excerpt *e, int64_t i) { return e->rows > 1 ? i * (t->product.m - 1) / (e->rows - 1) : 0; }

static clgrad_status cut_excerpt(const tuner *t, excerpt *e)
{
    const clgrad_product *p = &t->product;
    const size_t bytes = clgrad_dtype_bytes(p->a_dtype);
    CLGRAD_TRY(clgrad_array_create(t->ctx, p->a_dtype, CLGRAD_SHAPE(e->rows, p->k), &e->a));
    for (int64_t i = 0; i < e->rows; i++)
        for (int64_t q = 0; q < p->k; q++) {
            const int64_t row = row_of(t, e, i), from = p->a_turned ? q * p->m + row : row * p->k + q;
            memcpy((char *)e->a.data + (size_t)(i * p->k + q) * bytes, (const char *)t->a.data + (size_t)from * bytes, bytes);
        }
    e->b = t->b;
    e->b.shape = p->b_turned ? CLGRAD_SHAPE(p->n, p->k) : CLGRAD_SHAPE(p->k, p->n);
    CLGRAD_TRY(clgrad_graph_create(t->ctx, &e->graph));
    const clgrad_node a = clgrad_input(e->graph, "a", p->a_dtype, e->a.shape), b = clgrad_input(e->graph, "b", p->b_dtype, e->b.shape);
    clgrad_output(e->graph, "c", clgrad_matmul_cell(e->graph, a, b, false, p->b_turned, p->cell));
    CLGRAD_TRY(clgrad_graph_status(e->graph));
    const clgrad_array inputs[] = { e->a, e->b };
    return clgrad_ref_evaluate(e->graph, inputs, &e->c, clgrad_device_fused(t->dev) ? CLGRAD_REF_F32_FMA : CLGRAD_REF_F32);
}

static clgrad_status compare_excerpt(const tuner *t, const excerpt *e)
{
    const size_t row_bytes = (size_t)t->product.n * clgrad_dtype_bytes(e->c.dtype);
    for (int64_t i = 0; i < e->rows; i++)
        if (memcmp((const char *)e->c.data + (size_t)i * row_bytes, (const char *)t->want.data + (size_t)row_of(t, e, i) * row_bytes, row_bytes) != 0)
            return clgrad_fail(t->ctx, CLGRAD_E_CHECK, "%s: row %lld of the device's product is not the reference's", t->out->key,
                               (long long)row_of(t, e, i));
    return CLGRAD_OK;
}

/* The rules' result in some rows, bit for bit; everyone else is held against the rules in all of them. */
static clgrad_status prove_rules(tuner *t)
{
    const clgrad_product *p = &t->product;
    const double most = reference_steps / ((double)p->n * (double)p->k);
    excerpt e = { .rows = most < 1 ? 1 : most < (double)p->m ? (int64_t)most : p->m };
    clgrad_status status = cut_excerpt(t, &e);
    if (status == CLGRAD_OK) status = compare_excerpt(t, &e);
    clgrad_array_release(t->ctx, &e.c);
    clgrad_array_release(t->ctx, &e.a);
    clgrad_graph_release(&e.graph);
    return status;
}

/* Own kernels have one order of sums and so one result; CLBlast's differ by rounding. */
static bool is_right(const tuner *t, const candidate *c)
{
    clgrad_deviation d = CLGRAD_DEVIATION_INIT;
    if (strcmp(c->text, "clblast") != 0) return memcmp(t->got.data, t->want.data, clgrad_array_bytes(&t->want)) == 0;
    const double epsilon = t->want.dtype == CLGRAD_F64 ? DBL_EPSILON : FLT_EPSILON;
    if (clgrad_deviation_of(t->ctx, &t->got, &t->want, &d) != CLGRAD_OK) return false;
    return d.finite && d.max_rel <= 8 * epsilon * sqrt((double)t->product.k);
}

/* --- candidates --- */

static clgrad_status run_once(tuner *t, candidate *c, clgrad_array *result)
{
    const clgrad_plan_options options = { .matmul_choice = c->text };
    CLGRAD_TRY(clgrad_plan_create(t->dev, t->graph, &options, &c->plan));
    CLGRAD_TRY(clgrad_plan_bind(c->plan, t->in, &t->result));
    CLGRAD_TRY(clgrad_tensor_fill(t->result, NAN)); /* what is left by the one before is not taken for a result */
    CLGRAD_TRY(clgrad_plan_run(c->plan));
    CLGRAD_TRY(clgrad_tensor_read(t->result, result->data, clgrad_array_bytes(result)));
    if (t->hooks && t->hooks->result) t->hooks->result(t->hooks->user, c->text, result);
    return CLGRAD_OK;
}

/* Does the plan do what the text says, or have the rules stepped in? */
static bool is_itself(const candidate *c)
{
    clgrad_launch_info info;
    if (strcmp(c->text, "rules") == 0) return true;
    return clgrad_plan_launch_info(c->plan, 0, &info) == CLGRAD_OK && strstr(info.kernel, " tuned") &&
           (strncmp(info.kernel, "clblast", 7) == 0) == (strcmp(c->text, "clblast") == 0);
}

/* What cannot be built or run here is no candidate; a lost device or a lack of memory ends everything. */
static clgrad_status add_candidate(tuner *t, const char *text)
{
    candidate *c = &t->list[t->count];
    clgrad_kept_error kept;
    *c = (candidate){ .count = 0 };
    snprintf(c->text, sizeof c->text, "%s", text);
    clgrad_error_keep(t->ctx, &kept);
    const clgrad_status status = run_once(t, c, &t->got);
    const bool right = status == CLGRAD_OK && is_itself(c) && is_right(t, c);
    if (status == CLGRAD_OK && is_itself(c) && !right) {
        t->out->wrong++;
        clgrad_log_line(t->ctx, CLGRAD_LOG_WARNING, "tuning", "%s: '%s' gives other results and is left out", t->out->key, text);
    }
    if (right) t->count++;
    else clgrad_plan_release(&c->plan);
    if (status < 0 || status == CLGRAD_E_MEMORY) return status;
    clgrad_error_put_back(t->ctx, &kept);
    return CLGRAD_OK;
}

static clgrad_status add_rules(tuner *t)
{
    candidate *c = &t->list[0];
    *c = (candidate){ .text = "rules" };
    t->count = 1;
    CLGRAD_TRY(run_once(t, c, &t->want));
    return prove_rules(t);
}

/* --- timing --- */

static clgrad_status run_batch(const tuner *t, candidate *c)
{
    for (size_t i = 0; i < t->batch; i++) CLGRAD_TRY(clgrad_plan_run(c->plan));
    return CLGRAD_OK;
}

/* A batch by both clocks, after one run that brings its code and data near. */
static clgrad_status sample(tuner *t, candidate *c)
{
    clgrad_span *span;
    clgrad_span_times times;
    CLGRAD_TRY(clgrad_plan_run(c->plan));
    CLGRAD_TRY(clgrad_span_begin(t->dev, &span));
    clgrad_status status = clgrad_device_finish(t->dev);
    const double begin = clgrad_os_seconds();
    if (status == CLGRAD_OK) status = run_batch(t, c);
    CLGRAD_TRY(clgrad_span_end(&span, status, &times));
    double host = (clgrad_os_seconds() - begin) * 1e9 / (double)t->batch;
    double event = times.end_ns > times.begin_ns ? (double)(times.end_ns - times.begin_ns) / (double)t->batch : 0;
    if (t->hooks && t->hooks->time) host = event = t->hooks->time(t->hooks->user, c->text, host);
    c->host_ns[c->count] = host, c->event_ns[c->count] = event;
    c->count++;
    return CLGRAD_OK;
}

static clgrad_status choose_batch(tuner *t)
{
    enum { MOST = 1 << 14 };
    double seconds = 0;
    for (t->batch = 1; t->batch < MOST; t->batch *= 2) {
        const double begin = clgrad_os_seconds();
        CLGRAD_TRY(run_batch(t, &t->list[0]));
        CLGRAD_TRY(clgrad_device_finish(t->dev));
        seconds = clgrad_os_seconds() - begin;
        if (seconds >= sample_seconds) break;
    }
    return CLGRAD_OK;
}

/* The device's clock against the host's, over all samples that were taken. */
static void judge_clock(tuner *t)
{
    double host = 0, event = 0;
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->list[i].count; k++) host += t->list[i].host_ns[k], event += t->list[i].event_ns[k];
    const uint64_t begin = event > 0 ? 1 : 0; /* one that tells nothing is named as what it is */
    t->events = clgrad_clock_check(begin, begin + (uint64_t)(event * (double)t->batch), host * (double)t->batch, t->out->timer,
                                   sizeof t->out->timer);
}

static const double *samples_of(const tuner *t, const candidate *c) { return t->events ? c->event_ns : c->host_ns; }

static double least(const tuner *t, const candidate *c)
{
    const double *samples = samples_of(t, c);
    double value = INFINITY;
    for (size_t i = 0; i < c->count; i++)
        if (samples[i] < value) value = samples[i];
    return value;
}

static size_t fastest(const tuner *t)
{
    size_t best = 0;
    for (size_t i = 1; i < t->count; i++)
        if (t->list[i].plan && least(t, &t->list[i]) < least(t, &t->list[best])) best = i;
    return best;
}

/* Those from `first` on and the rules in turns; what is far behind after the first round drops out. */
static clgrad_status race(tuner *t, size_t first, size_t rounds)
{
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < t->count; i++)
            if (t->list[i].plan && (i >= first || i == 0) && t->list[i].count < MOST_SAMPLES) CLGRAD_TRY(sample(t, &t->list[i]));
        judge_clock(t);
        const double best = least(t, &t->list[fastest(t)]);
        for (size_t i = 1; i < t->count; i++)
            if (t->list[i].plan && least(t, &t->list[i]) > hopeless * best) clgrad_plan_release(&t->list[i].plan);
    }
    return CLGRAD_OK;
}

/* The winner and the rules once more, in turns: the best of many owes some of its lead to luck. */
static clgrad_status confirm(tuner *t, size_t winner, bool *better)
{
    candidate *const pair[] = { &t->list[0], &t->list[winner] };
    clgrad_comparison c = CLGRAD_COMPARISON_INIT;
    pair[0]->count = pair[1]->count = 0;
    for (size_t i = 0; i < 2 * CONFIRMATIONS; i++) CLGRAD_TRY(sample(t, pair[i % 2]));
    judge_clock(t);
    CLGRAD_TRY(clgrad_compare_samples(t->ctx, samples_of(t, pair[0]), CONFIRMATIONS, samples_of(t, pair[1]), CONFIRMATIONS, &c));
    clgrad_spread spread = CLGRAD_SPREAD_INIT;
    CLGRAD_TRY(clgrad_spread_of(t->ctx, samples_of(t, pair[0]), CONFIRMATIONS, &spread));
    t->out->rules_ns = spread.median;
    t->out->choice_ns = spread.median * c.ratio;
    *better = c.ratio < gain && c.high < 1 && c.p < 0.01;
    return CLGRAD_OK;
}

/* --- the whole --- */

static clgrad_status add_all(tuner *t, clgrad_tune_text *texts, size_t count)
{
    for (size_t i = 0; i < count && clgrad_os_seconds() < t->end; i++)
        if (strcmp(texts[i], "rules") != 0) CLGRAD_TRY(add_candidate(t, texts[i]));
    return CLGRAD_OK;
}

static clgrad_status find_best(tuner *t, bool *better)
{
    clgrad_tune_text texts[CLGRAD_TUNE_CANDIDATES];
    CLGRAD_TRY(add_rules(t));
    CLGRAD_TRY(add_all(t, texts, clgrad_tune_list(t->dev, &t->product, t->options->providers, texts)));
    CLGRAD_TRY(choose_batch(t));
    CLGRAD_TRY(race(t, 1, ROUNDS - 2));
    const size_t first = t->count;
    CLGRAD_TRY(add_all(t, texts, clgrad_tune_divisions(t->list[fastest(t)].text, texts)));
    if (t->count > first) CLGRAD_TRY(race(t, first, 2));
    for (size_t i = 0; i < t->count; i++)
        clgrad_log_line(t->ctx, CLGRAD_LOG_DEBUG, "tuning", "%s: '%s' %.2f us in %zu samples", t->out->key, t->list[i].text,
                        least(t, &t->list[i]) / 1e3, t->list[i].count);
    const size_t winner = fastest(t);
    t->out->candidates = t->count;
    snprintf(t->out->choice, sizeof t->out->choice, "%s", t->list[winner].text);
    *better = false;
    if (winner) return confirm(t, winner, better);
    t->out->rules_ns = t->out->choice_ns = least(t, &t->list[0]);
    return CLGRAD_OK;
}

static clgrad_status store(const tuner *t)
{
    char value[CLGRAD_TUNE_TEXT + 64];
    const clgrad_tune_result *r = t->out;
    const int percent = (int)(100 * r->rules_ns / r->choice_ns + 0.5);
    snprintf(value, sizeof value, percent == 100 ? "%s" : "%s; %d%% of the rules' speed", r->choice, percent);
    return clgrad_device_tune(t->dev, r->key, value);
}

static clgrad_status tune(tuner *t)
{
    bool better = false;
    CLGRAD_TRY(make_graph(t));
    CLGRAD_TRY(make_operands(t));
    CLGRAD_TRY(find_best(t, &better));
    if (!better) {
        snprintf(t->out->choice, sizeof t->out->choice, "rules");
        t->out->choice_ns = t->out->rules_ns;
    }
    return store(t);
}

static void tuner_release(tuner *t)
{
    for (size_t i = 0; i < t->count; i++) clgrad_plan_release(&t->list[i].plan);
    clgrad_tensor_release(&t->result);
    clgrad_tensor_release(&t->in[0]);
    clgrad_tensor_release(&t->in[1]);
    clgrad_array *const arrays[] = { &t->a, &t->b, &t->want, &t->got };
    for (size_t i = 0; i < CLGRAD_COUNT(arrays); i++) clgrad_array_release(t->ctx, arrays[i]);
    clgrad_graph_release(&t->graph);
    clgrad_free(t->ctx, t);
}

static clgrad_status check(clgrad_context *ctx, const clgrad_product *p, const clgrad_tune_options *o, const clgrad_tune_result *out)
{
    if (p->struct_size != sizeof *p || o->struct_size != sizeof *o || out->struct_size != sizeof *out)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "a product, tuning options or results of another library version");
    if (p->m < 1 || p->n < 1 || p->k < 1 || p->batches < 1 || p->cell < 0)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "a product to tune has positive sizes");
    return CLGRAD_OK;
}

clgrad_status clgrad_tune_with(clgrad_device *dev, const clgrad_product *product, const clgrad_tune_options *options,
                               const clgrad_tune_hooks *hooks, clgrad_tune_result *out)
{
    const clgrad_tune_options defaults = CLGRAD_TUNE_OPTIONS_INIT;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    if (!options) options = &defaults;
    CLGRAD_TRY(check(ctx, product, options, out));
    *out = (clgrad_tune_result)CLGRAD_TUNE_RESULT_INIT;
    clgrad_product_key(product, out->key);
    const char *from = "", *stored = clgrad_device_tuned(dev, out->key, &from);
    out->known = stored && strncmp(from, "measured", 8) == 0 && !options->again;
    if (out->known) return snprintf(out->choice, sizeof out->choice, "%.*s", (int)strcspn(stored, ";"), stored), CLGRAD_OK;
    tuner *t = clgrad_alloc(ctx, 1, sizeof *t);
    if (!t) return CLGRAD_E_MEMORY;
    *t = (tuner){ .dev = dev, .ctx = ctx, .product = *product, .options = options, .hooks = hooks, .out = out,
                  .end = clgrad_os_seconds() + options->seconds };
    const clgrad_status status = tune(t);
    tuner_release(t);
    return status;
}

clgrad_status clgrad_tune_product(clgrad_device *dev, const clgrad_product *product, const clgrad_tune_options *options,
                                  clgrad_tune_result *out)
{
    return clgrad_tune_with(dev, product, options, NULL, out);
}
