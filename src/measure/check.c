/* clgrad_check: enumerate the problems, run those the filter names, count. */

#include "measure/matrix.h"

#include <stdio.h>

typedef struct check_run {
    clgrad_device *dev;
    const clgrad_check_options *options;
    clgrad_check_summary *summary;
    size_t seen;
} check_run;

/* '*' any text, '?' any letter: enough for names, and the same on every system. */
static bool matches(const char *pattern, const char *text)
{
    if (*pattern == '\0') return *text == '\0';
    if (*pattern == '*') return matches(pattern + 1, text) || (*text && matches(pattern, text + 1));
    return *text && (*pattern == '?' || *pattern == *text) && matches(pattern + 1, text + 1);
}

static bool wanted(check_run *run, const char *name)
{
    if (run->options->filter && !matches(run->options->filter, name)) return false;
    run->seen++;
    return true;
}

static void record(check_run *run, const char *name, const clgrad_verdict *v)
{
    const clgrad_check_row row = { name, v->verdict, v->error, v->bound, v->detail };
    run->summary->passed += v->verdict == CLGRAD_CHECK_PASSED;
    run->summary->failed += v->verdict == CLGRAD_CHECK_FAILED;
    run->summary->skipped += v->verdict == CLGRAD_CHECK_SKIPPED;
    if (run->options->row) run->options->row(run->options->user, &row);
}

static clgrad_status run_problem(check_run *run, const clgrad_problem *problem)
{
    char name[CLGRAD_PROBLEM_NAME];
    clgrad_verdict verdict;
    clgrad_problem_name(problem, name);
    if (!wanted(run, name)) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_problem_run(run->dev, problem, run->options->negative, &verdict));
    record(run, name, &verdict);
    return CLGRAD_OK;
}

/* Small: what makes other templates and codecs, not every type. */
static bool alone_wanted(const check_run *run, int subject, clgrad_dtype dtype)
{
    if (run->options->small && dtype != CLGRAD_F32 && dtype != CLGRAD_BF16 && dtype != CLGRAD_I32) return false;
    const bool in_a_group = subject < CLGRAD_OP_COUNT && clgrad_sample_family(subject) == CLGRAD_MAP &&
                            subject != CLGRAD_OP_SELECT && subject != CLGRAD_OP_CAST;
    return clgrad_sample_applies(subject, dtype) && (!in_a_group || dtype == CLGRAD_F32);
}

static bool is_whole(const check_run *run) { return run->options->all || run->options->filter; }

/* Is this the type, other than f32, whose turn it is? */
static bool has_turn(const check_run *run, int subject, clgrad_dtype dtype, const clgrad_layout *layout)
{
    int others = 0, place = 0;
    for (int d = 0; d < CLGRAD_DTYPE_COUNT; d++) {
        if (d == CLGRAD_F32 || !alone_wanted(run, subject, (clgrad_dtype)d)) continue;
        if (d == (int)dtype) place = others;
        others++;
    }
    return others > 0 && place == (subject + (int)(layout - clgrad_layouts)) % others;
}

/* Every distinct program costs a compilation, so: each element-wise op alone in f32, contiguous, at every size; all of them
 * together, as groups, in every type and layout; the other families in every real type and layout. Variants run in f32, and in
 * bf16 for what decodes its operands, where they make another program. What makes a program of its own is run in all types only
 * where the whole matrix is asked for. */
static bool layout_wanted(const check_run *run, int subject, clgrad_dtype dtype, const clgrad_layout *layout)
{
    const bool group = subject >= CLGRAD_OP_COUNT, map = clgrad_sample_family(subject) == CLGRAD_MAP;
    const bool strange = layout->kind == CLGRAD_LAYOUT_STRIDED || layout->kind == CLGRAD_LAYOUT_BROADCAST;
    if (run->options->small && (layout->n > 100 || layout->n == 63 || layout->n == 64)) return false;
    if (strange && !group && (map || !clgrad_dtype_is_real(dtype)) && subject != CLGRAD_OP_SELECT) return false;
    return is_whole(run) || dtype == CLGRAD_F32 || (!strange && layout->n != 1) || has_turn(run, subject, dtype, layout);
}

static bool variants_wanted(const check_run *run, int subject, clgrad_dtype dtype, const clgrad_layout *layout)
{
    const bool map = clgrad_sample_family(subject) == CLGRAD_MAP;
    if (dtype != CLGRAD_F32 && (map || dtype != CLGRAD_BF16)) return false;
    if (map && subject < CLGRAD_OP_COUNT) return false;
    if (layout->n == 65) return true;
    return (is_whole(run) || dtype == CLGRAD_F32) && (layout->n == 4097 || layout->kind == CLGRAD_LAYOUT_STRIDED);
}

static clgrad_status run_layout(check_run *run, int subject, clgrad_dtype dtype, const clgrad_layout *layout)
{
    clgrad_problem problem = { subject, dtype, layout, "" };
    if (!layout_wanted(run, subject, dtype, layout)) return CLGRAD_OK;
    CLGRAD_TRY(run_problem(run, &problem));
    for (size_t i = 0; variants_wanted(run, subject, dtype, layout) && i < clgrad_variant_count; i++) {
        if (!clgrad_variants[i].applies(clgrad_sample_family(subject))) continue;
        problem.variant = clgrad_variants[i].name;
        CLGRAD_TRY(run_problem(run, &problem));
    }
    return CLGRAD_OK;
}

static clgrad_status run_matrix(check_run *run)
{
    for (int subject = 0; subject < CLGRAD_SUBJECT_COUNT; subject++)
        for (int dtype = 0; dtype < CLGRAD_DTYPE_COUNT; dtype++)
            for (size_t i = 0; alone_wanted(run, subject, (clgrad_dtype)dtype) && i < CLGRAD_LAYOUT_COUNT; i++)
                CLGRAD_TRY(run_layout(run, subject, (clgrad_dtype)dtype, &clgrad_layouts[i]));
    return CLGRAD_OK;
}

static clgrad_status run_derivatives(check_run *run)
{
    for (int op = 0; !run->options->small && op < CLGRAD_OP_COUNT; op++) {
        char name[CLGRAD_PROBLEM_NAME];
        clgrad_verdict verdict;
        if (!clgrad_derivative_applies((clgrad_op)op)) continue;
        char subject[48];
        clgrad_sample_name(op, subject, sizeof subject);
        snprintf(name, sizeof name, "derivative.%s", strchr(subject, '.') + 1);
        if (!wanted(run, name)) continue;
        CLGRAD_TRY(clgrad_derivative_run(run->dev, (clgrad_op)op, run->options->negative, &verdict));
        record(run, name, &verdict);
    }
    return CLGRAD_OK;
}

/* The digest is held against ref's where the class is exact, and printed anyway. */
static clgrad_status run_digest(check_run *run)
{
    const clgrad_device_info *info = clgrad_device_get_info(run->dev);
    clgrad_verdict verdict = { .verdict = CLGRAD_CHECK_PASSED };
    char expected[65];
    if (!wanted(run, "digest.relu-mse-momentum")) return CLGRAD_OK;
    CLGRAD_TRY(clgrad_digest_run(run->dev, NULL, run->summary->digest));
    CLGRAD_TRY(clgrad_digest_ref(clgrad_device_get_context(run->dev), clgrad_device_fused(run->dev), expected));
    if (run->options->negative) expected[0] ^= 1;
    if (strcmp(run->summary->digest, expected) != 0) {
        verdict.verdict = CLGRAD_CHECK_FAILED;
        snprintf(verdict.detail, sizeof verdict.detail, "digest %s, the reference gives %s", run->summary->digest, expected);
    }
    snprintf(run->summary->digest_class, sizeof run->summary->digest_class, "%s, subnormals %s, divide %s",
             clgrad_device_fused(run->dev) ? "fused" : "unfused", info->denormals ? "kept" : "flushed",
             info->exact_divide ? "exact" : "approximate");
    record(run, "digest.relu-mse-momentum", &verdict);
    return CLGRAD_OK;
}

clgrad_status clgrad_check(clgrad_device *dev, const clgrad_check_options *options, clgrad_check_summary *summary)
{
    const clgrad_check_options defaults = CLGRAD_CHECK_OPTIONS_INIT;
    clgrad_context *ctx = clgrad_device_get_context(dev);
    *summary = (clgrad_check_summary){ .passed = 0 };
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options)
        return clgrad_fail(ctx, CLGRAD_E_ARG, "clgrad_check: options.struct_size %zu is not known", options->struct_size);
    check_run run = { dev, options, summary, 0 };
    CLGRAD_TRY(run_matrix(&run));
    CLGRAD_TRY(run_derivatives(&run));
    CLGRAD_TRY(run_digest(&run));
    if (run.seen == 0) return clgrad_fail(ctx, CLGRAD_E_CONFIG, "no check is named %s", options->filter);
    if (summary->failed) return clgrad_fail(ctx, CLGRAD_E_CHECK, "%zu of %zu checks failed", summary->failed, run.seen);
    return CLGRAD_OK;
}
