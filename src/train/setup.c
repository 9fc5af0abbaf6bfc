/* Setting a training up: data, model, device memory, optimizer. */

#include "train/trainer.h"

#include "base/os.h"

/* --- host side --- */

static clgrad_status standardise(clgrad_trainer *t)
{
    clgrad_dataset *data = &t->data;
    if (!t->settings->data_standardize) return CLGRAD_OK;
    t->mean = clgrad_alloc(t->ctx, (size_t)data->num_features, sizeof(float));
    t->scale = clgrad_alloc(t->ctx, (size_t)data->num_features, sizeof(float));
    if (!t->mean || !t->scale) return CLGRAD_E_MEMORY;
    CLGRAD_TRY(clgrad_dataset_moments(data, t->mean, t->scale));
    clgrad_dataset_standardise(data, t->mean, t->scale);
    return CLGRAD_OK;
}

static clgrad_status load_data(clgrad_trainer *t, const clgrad_model_file *file)
{
    clgrad_data_memory memory = { 0, NULL, NULL };
    if (file) memory = (clgrad_data_memory){ 0, file->classes, file->fill };
    CLGRAD_TRY(clgrad_dataset_load(t->ctx, t->settings, &memory, CLGRAD_DATA_TRAIN, &t->data));
    if (!t->data.targets) return clgrad_fail(t->ctx, CLGRAD_E_CONFIG, "%s: there are no targets to learn", t->settings->data_path);
    if (t->settings->train_patience > 0 && clgrad_dataset_size(&t->data, CLGRAD_SUBSET_VALIDATION) == 0)
        return clgrad_fail(t->ctx, CLGRAD_E_CONFIG, "train.patience needs a validation set: give data.validation a part of the samples");
    CLGRAD_TRY(clgrad_task_create(t->ctx, t->settings, &t->data, &t->task));
    if (!*t->settings->data_class_weights) return standardise(t);
    if (!t->task.classes) return clgrad_fail(t->ctx, CLGRAD_E_CONFIG, "data.class_weights: the target is a number, not a class");
    const int64_t classes = t->task.outputs > 1 ? t->task.outputs : 2;
    CLGRAD_TRY(clgrad_dataset_weigh_classes(&t->data, t->settings->data_class_weights, classes));
    return standardise(t);
}

static clgrad_status plan_steps(clgrad_trainer *t)
{
    const clgrad_settings *s = t->settings;
    const int64_t per_update = s->train_batch * s->train_accumulate;
    t->num_train = clgrad_dataset_size(&t->data, CLGRAD_SUBSET_TRAIN);
    t->steps_per_epoch = (t->num_train + per_update - 1) / per_update;
    t->steps = s->train_steps > 0 ? s->train_steps : s->train_epochs * t->steps_per_epoch;
    t->order = clgrad_alloc(t->ctx, (size_t)t->data.count, sizeof *t->order);
    t->permutation = clgrad_alloc(t->ctx, (size_t)t->num_train, sizeof *t->permutation);
    t->order_epoch = -1;
    if (!t->order || !t->permutation) return CLGRAD_E_MEMORY;
    memcpy(t->order, t->data.order, (size_t)t->data.count * sizeof *t->order);
    return CLGRAD_OK;
}

/* --- the optimizer --- */

/* What a schedule with period 0 runs over: all ticks behind the warm-up. */
static int64_t whole_run(const clgrad_trainer *t, const clgrad_schedule *schedule)
{
    const int64_t left = t->steps - schedule->warmup;
    return left > schedule->unit ? (left + schedule->unit - 1) / schedule->unit : 1;
}

static clgrad_schedule make_schedule(const clgrad_trainer *t, const char *kind, int64_t period, double factor, double end)
{
    const clgrad_settings *s = t->settings;
    clgrad_schedule schedule = CLGRAD_SCHEDULE_INIT;
    while (strcmp(clgrad_schedule_name(schedule.kind), kind) != 0) schedule.kind++;
    schedule.unit = strcmp(s->schedule_per, "epoch") == 0 ? t->steps_per_epoch : 1;
    schedule.factor = factor;
    schedule.end = end;
    schedule.patience = s->schedule_patience;
    schedule.threshold = s->schedule_threshold;
    schedule.period = period > 0 ? period : whole_run(t, &schedule);
    return schedule;
}

static clgrad_schedule rate_schedule(const clgrad_trainer *t)
{
    const clgrad_settings *s = t->settings;
    clgrad_schedule schedule = make_schedule(t, s->schedule_kind, s->schedule_period, s->schedule_factor, s->schedule_end);
    schedule.warmup = s->schedule_warmup;
    if (s->schedule_period == 0) schedule.period = whole_run(t, &schedule);
    return schedule;
}

static clgrad_optimizer_options optimizer_options(const clgrad_trainer *t)
{
    const clgrad_settings *s = t->settings;
    clgrad_optimizer_options o = CLGRAD_OPTIMIZER_OPTIONS_INIT;
    o.rule = s->optimizer_name;
    o.lr = s->optimizer_lr;
    o.momentum = s->optimizer_momentum;
    o.beta2 = s->optimizer_beta2;
    o.epsilon = s->optimizer_epsilon;
    o.weight_decay = s->optimizer_weight_decay;
    o.l1 = s->optimizer_l1;
    o.l2 = s->optimizer_l2;
    o.clip_value = s->optimizer_clip_value;
    o.clip_norm = s->optimizer_clip_norm;
    o.accumulate = (size_t)s->train_accumulate;
    o.seed = (uint64_t)s->train_seed;
    o.lr_schedule = rate_schedule(t);
    o.momentum_schedule = make_schedule(t, s->momentum_kind, s->momentum_period, s->momentum_factor, s->momentum_end);
    return o;
}

/* Initial values go to the device one parameter at a time; the optimizer copies them. */
static clgrad_status draw_parameters(clgrad_trainer *t, clgrad_tensor **initial)
{
    for (size_t i = 0; i < clgrad_model_num_parameters(t->task.model); i++)
        CLGRAD_TRY(clgrad_task_draw(&t->task, t->dev, (uint64_t)t->settings->train_seed, i, &initial[i]));
    return CLGRAD_OK;
}

static uint64_t data_bytes(const clgrad_trainer *t)
{
    return clgrad_source_bytes(&t->task, &t->data, t->settings->train_batch, t->streams);
}

/* What the run holds beside the optimizer. */
static clgrad_status other_bytes(const clgrad_trainer *t, uint64_t *bytes)
{
    *bytes = 0;
    if (t->evaluates) CLGRAD_TRY(clgrad_evaluator_scratch(t->dev, &t->task, &t->data, t->streams, bytes));
    *bytes += data_bytes(t);
    return CLGRAD_OK;
}

static clgrad_status create_from_graphs(clgrad_trainer *t, clgrad_tensor *const *initial, clgrad_graph *objective, clgrad_graph *front)
{
    uint64_t others;
    clgrad_status st = other_bytes(t, &others);
    if (st != CLGRAD_OK) return st;
    bool *samples = clgrad_alloc(t->ctx, clgrad_graph_num_inputs(objective), sizeof *samples);
    if (!samples) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < clgrad_graph_num_inputs(objective); i++)
        samples[i] = strncmp(clgrad_graph_input_name(objective, i), "d.", 2) == 0;
    const clgrad_optimizer_source source = { .f = objective,
                                             .num_parameters = clgrad_model_num_parameters(t->task.model),
                                             .sample_inputs = samples,
                                             .front = front,
                                             .need_bytes = &t->result->memory_bytes,
                                             .other_bytes = others };
    clgrad_optimizer_options options = optimizer_options(t);
    clgrad_group_options groups[CLGRAD_MAX_GROUPS];
    st = clgrad_config_groups(t->ctx, t->settings->groups, "groups", groups, &options.num_groups);
    options.groups = groups;
    if (st == CLGRAD_OK) st = clgrad_optimizer_create_from(t->dev, &source, initial, &options, &t->opt);
    if (st == CLGRAD_E_ARG) st = CLGRAD_E_CONFIG;
    clgrad_free(t->ctx, samples);
    return st;
}

static clgrad_status create_optimizer(clgrad_trainer *t)
{
    const size_t count = clgrad_model_num_parameters(t->task.model);
    const clgrad_front shape = clgrad_source_front(&t->task, &t->data, t->settings->train_batch, t->streams);
    clgrad_graph *objective = NULL, *front = NULL;
    clgrad_tensor **initial = clgrad_alloc(t->ctx, count, sizeof(clgrad_tensor *));
    clgrad_status st = initial ? CLGRAD_OK : CLGRAD_E_MEMORY;
    if (st == CLGRAD_OK) st = draw_parameters(t, initial);
    if (st == CLGRAD_OK) st = clgrad_task_objective(&t->task, t->settings->train_batch, &objective);
    if (st == CLGRAD_OK) st = clgrad_task_front(&t->task, t->ctx, &shape, &front);
    if (st == CLGRAD_OK) st = create_from_graphs(t, initial, objective, front);
    for (size_t i = 0; initial && i < count; i++) clgrad_tensor_release(&initial[i]);
    clgrad_free(t->ctx, initial);
    clgrad_graph_release(&objective);
    clgrad_graph_release(&front);
    return st;
}

/* Kept on the device, the data may leave too little for the step, which shows once its scratch is known: then they are streamed. Only
 * what was computed decides, never an allocation that was refused. */
static clgrad_status create_fitting_optimizer(clgrad_trainer *t)
{
    clgrad_kept_error kept;
    clgrad_error_keep(t->ctx, &kept);
    const clgrad_status st = create_optimizer(t);
    if (st != CLGRAD_E_MEMORY || t->streams) return st;
    t->streams = clgrad_residency_streams(t->settings, t->dev, &t->task, &t->data, t->result->memory_bytes);
    if (!t->streams) return st;
    clgrad_error_put_back(t->ctx, &kept);
    return create_optimizer(t);
}

static clgrad_status find_parameters(clgrad_trainer *t)
{
    const size_t count = clgrad_model_num_parameters(t->task.model);
    t->params = clgrad_alloc(t->ctx, count, sizeof(clgrad_tensor *));
    t->best = clgrad_alloc(t->ctx, count, sizeof *t->best);
    if (!t->params || !t->best) return CLGRAD_E_MEMORY;
    for (size_t i = 0; i < count; i++) t->params[i] = clgrad_optimizer_parameter(t->opt, i);
    return CLGRAD_OK;
}

/* --- all of it --- */

/* Updates between two looks at the running loss: 32, or fewer where each is long (6 operations per parameter and sample). It goes by
 * sizes alone, for the running loss is added up per window. */
static int64_t window_of(const clgrad_trainer *t)
{
    const double cost = 6.0 * (double)t->result->parameters * (double)(t->settings->train_batch * t->settings->train_accumulate);
    const double window = 2e9 / cost;
    return window < 1 ? 1 : window > 32 ? 32 : (int64_t)window;
}

/* Parameters, gradient and data are known before anything is made; the optimizer adds its scratch to this. */
static clgrad_status check_memory(clgrad_trainer *t)
{
    t->result->parameters = 0;
    for (size_t i = 0; i < clgrad_model_num_parameters(t->task.model); i++) {
        const clgrad_shape shape = clgrad_model_parameter_shape(t->task.model, i);
        t->result->parameters += clgrad_shape_count(&shape);
    }
    t->result->samples = t->num_train;
    const uint64_t others = 8 * (uint64_t)t->result->parameters;
    t->streams = clgrad_residency_streams(t->settings, t->dev, &t->task, &t->data, data_bytes(t) + others);
    t->result->memory_bytes = data_bytes(t) + others;
    return clgrad_memory_check(t->dev, t->result->memory_bytes, "the training");
}

clgrad_status clgrad_trainer_make_step(clgrad_trainer *t)
{
    CLGRAD_TRY(plan_steps(t));
    CLGRAD_TRY(check_memory(t));
    CLGRAD_TRY(create_fitting_optimizer(t));
    CLGRAD_TRY(find_parameters(t));
    t->result->residency = clgrad_residency_name(t->streams);
    t->window = window_of(t);
    CLGRAD_TRY(clgrad_source_create(t->dev, &t->task, &t->data, t->streams, &t->source));
    return clgrad_reader_create(&t->source, t->settings->train_batch, t->source.resident.shuffled, &t->reader);
}

static clgrad_status create(clgrad_trainer *t)
{
    t->evaluates = true;
    CLGRAD_TRY(clgrad_trainer_make_step(t));
    CLGRAD_TRY(clgrad_evaluator_create(&t->source, t->params, &t->evaluator));
    t->state.best_loss = INFINITY;
    return CLGRAD_OK;
}

static void compare_arithmetic(const clgrad_trainer *t, const clgrad_model_file *file)
{
    const char *before = clgrad_safetensors_metadata(file->file, "arithmetic");
    if (before && strcmp(before, t->result->arithmetic) != 0)
        clgrad_log_line(t->ctx, CLGRAD_LOG_WARNING, "train", "%s was trained with other arithmetic (%s; here: %s): the bits will not be "
                        "those of an uninterrupted run", file->path, before, t->result->arithmetic);
}

/* Stored choices that change bits, known once the plans are made. */
static void compare_choices(const clgrad_trainer *t, const clgrad_model_file *file)
{
    const char *before = clgrad_safetensors_metadata(file->file, "choices"), *now = clgrad_device_choices(t->dev);
    if (strcmp(before ? before : "", now) != 0)
        clgrad_log_line(t->ctx, CLGRAD_LOG_WARNING, "train", "%s was trained with other stored choices (%s; here: %s): the bits will not be "
                        "those of an uninterrupted run", file->path, before ? before : "none", *now ? now : "none");
}

/* A place that cannot be written shall show before the work, not after it. */
static clgrad_status check_place(const clgrad_trainer *t)
{
    const char *path = t->settings->save, *slash = strrchr(path, '/');
    if (!slash || slash == path) return CLGRAD_OK;
    char *directory = clgrad_strdup(t->ctx, path);
    if (!directory) return CLGRAD_E_MEMORY;
    directory[slash - path] = '\0';
    const int dir = clgrad_os_dir_open(directory);
    const clgrad_status st =
        dir >= 0 ? CLGRAD_OK : clgrad_fail(t->ctx, CLGRAD_E_FILE, "save: there is no directory %s to write to", directory);
    clgrad_os_dir_close(dir);
    clgrad_free(t->ctx, directory);
    return st;
}

static clgrad_status resume_from(clgrad_trainer *t, const char *path)
{
    clgrad_model_file file;
    CLGRAD_TRY(clgrad_model_file_open(t->ctx, path, &file));
    compare_arithmetic(t, &file);
    clgrad_status st = load_data(t, &file);
    if (st == CLGRAD_OK) st = create(t);
    if (st == CLGRAD_OK) compare_choices(t, &file);
    if (st == CLGRAD_OK)
        st = clgrad_checkpoint_load(&file, t->config, t->opt, &t->task, &t->state, t->best, &t->has_best);
    clgrad_model_file_release(&file);
    t->saved = true;
    return st;
}

/* A process that ended between the two renames of a save leaves the generation before alone. */
static clgrad_status resume_newest(clgrad_trainer *t, const char *path)
{
    char *previous = clgrad_format(t->ctx, "%s.previous", path);
    if (!previous) return CLGRAD_E_MEMORY;
    const bool torn = !clgrad_os_exists(path) && clgrad_os_exists(previous);
    const clgrad_status st = resume_from(t, torn ? previous : path);
    clgrad_free(t->ctx, previous);
    return st;
}

clgrad_status clgrad_trainer_set_up(clgrad_trainer *t, bool resume)
{
    if (resume && !*t->settings->save) return clgrad_fail(t->ctx, CLGRAD_E_CONFIG, "save is not set: there is nothing to resume from");
    CLGRAD_TRY(check_place(t));
    if (resume) return resume_newest(t, t->settings->save);
    CLGRAD_TRY(load_data(t, NULL));
    return create(t);
}

void clgrad_trainer_release(clgrad_trainer *t)
{
    const size_t count = t->task.model ? clgrad_model_num_parameters(t->task.model) : 0;
    for (size_t i = 0; i < CLGRAD_COUNT(t->late); i++) clgrad_late_read_release(&t->late[i]);
    clgrad_evaluator_release(&t->evaluator);
    clgrad_reader_release(&t->reader);
    clgrad_source_release(&t->source);
    clgrad_optimizer_release(&t->opt);
    for (size_t i = 0; t->best && i < count; i++) clgrad_array_release(t->ctx, &t->best[i]);
    clgrad_free(t->ctx, t->best);
    clgrad_free(t->ctx, t->params);
    clgrad_free(t->ctx, t->order);
    clgrad_free(t->ctx, t->permutation);
    clgrad_free(t->ctx, t->mean);
    clgrad_free(t->ctx, t->scale);
    clgrad_task_release(&t->task);
    clgrad_dataset_release(&t->data);
}
