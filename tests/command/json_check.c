/* json_check FILE [PATH...]: is the file JSON (or JSON Lines: one value a line)? Each PATH such as traceEvents.0.dur must exist in it,
 * or in one of its lines. Exit 0 when all holds. */

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *step(json_t *value, const char *name, size_t length)
{
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)length, name);
    return json_is_array(value) ? json_array_get(value, (size_t)atoi(key)) : json_object_get(value, key);
}

static int has_path(json_t *value, const char *path)
{
    while (value && *path) {
        const size_t length = strcspn(path, ".");
        value = step(value, path, length);
        path += length + (path[length] == '.');
    }
    return value != NULL;
}

static json_t *load(const char *path)
{
    json_t *whole = json_load_file(path, 0, NULL);
    if (whole) return whole;
    json_t *lines = json_array();
    FILE *file = fopen(path, "r");
    char line[65536];
    while (file && fgets(line, sizeof line, file)) {
        json_t *row = json_loads(line, 0, NULL);
        if (!row || json_array_append_new(lines, row)) {
            fprintf(stderr, "not JSON: %s", line);
            exit(1);
        }
    }
    return file ? (fclose(file), lines) : NULL;
}

int main(int argc, char **argv)
{
    json_t *value = argc > 1 ? load(argv[1]) : NULL;
    if (!value) return fprintf(stderr, "cannot read %s as JSON\n", argc > 1 ? argv[1] : "nothing"), 1;
    for (int i = 2; i < argc; i++) {
        int found = has_path(value, argv[i]);
        for (size_t k = 0; !found && k < json_array_size(value); k++) found = has_path(json_array_get(value, k), argv[i]);
        if (!found) return fprintf(stderr, "%s has no %s\n", argv[1], argv[i]), 1;
    }
    json_decref(value);
    return 0;
}
