/* What a safetensors file holds, as JSON. */

#include "train/checkpoint.h"

static json_t *shape_json(const clgrad_shape *shape)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < shape->rank; i++) json_array_append_new(list, json_integer(shape->dims[i]));
    return list;
}

static json_t *tensors_json(const clgrad_safetensors *file)
{
    json_t *list = json_array();
    for (size_t i = 0; i < clgrad_safetensors_count(file); i++) {
        const clgrad_safetensors_entry *entry = clgrad_safetensors_get(file, i);
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(entry->name));
        json_object_set_new(object, "type", json_string(entry->type));
        json_object_set_new(object, "shape", shape_json(&entry->shape));
        json_object_set_new(object, "bytes", json_integer((json_int_t)entry->bytes));
        json_array_append_new(list, object);
    }
    return list;
}

/* Our own entries are JSON inside a string; other writers' entries stay text. */
static json_t *metadata_json(const clgrad_safetensors *file)
{
    json_t *object = json_object();
    for (size_t i = 0; i < clgrad_safetensors_num_metadata(file); i++) {
        const char *key = NULL, *value = NULL;
        clgrad_safetensors_get_metadata(file, i, &key, &value);
        json_t *inner = *value == '{' || *value == '[' ? json_loads(value, JSON_REJECT_DUPLICATES, NULL) : NULL;
        json_object_set_new(object, key, inner ? inner : json_string(value));
    }
    return object;
}

clgrad_status clgrad_inspect(clgrad_context *ctx, const char *path, char **out)
{
    *out = NULL;
    clgrad_safetensors *file = NULL;
    CLGRAD_TRY(clgrad_safetensors_open(ctx, path, &file));
    json_t *root = json_object();
    json_object_set_new(root, "path", json_string(path));
    json_object_set_new(root, "tensors", tensors_json(file));
    json_object_set_new(root, "metadata", metadata_json(file));
    *out = clgrad_json_text(ctx, root, true);
    json_decref(root);
    clgrad_safetensors_release(&file);
    return *out ? CLGRAD_OK : CLGRAD_E_MEMORY;
}

void clgrad_inspect_release(clgrad_context *ctx, char **json)
{
    if (*json) clgrad_free(ctx, *json);
    *json = NULL;
}
