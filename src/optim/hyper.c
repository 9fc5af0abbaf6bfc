/* The fields of the step's small buffer, by name. */

#include "optim/hyper.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct field_row {
    const char *name;
    size_t offset; /* bytes */
    clgrad_dtype dtype;
    size_t count;
} field_row;

#define INTEGER(field) { "hyper." #field, offsetof(clgrad_hyper, field), CLGRAD_I64, 1 },
#define REAL(field) { "hyper." #field, offsetof(clgrad_hyper, field), CLGRAD_F32, 1 },
#define GROUP(field) { "hyper." #field, offsetof(clgrad_hyper, field), CLGRAD_F32, CLGRAD_HYPER_GROUPS },
static const field_row field_rows[CLGRAD_HYPER_COUNT] = { CLGRAD_HYPER_FIELDS(INTEGER, REAL, GROUP) };
#undef INTEGER
#undef REAL
#undef GROUP

void clgrad_hyper_nodes_init(clgrad_hyper_nodes *nodes, clgrad_graph *g)
{
    nodes->g = g;
    for (size_t f = 0; f < CLGRAD_HYPER_COUNT; f++)
        for (size_t i = 0; i < CLGRAD_HYPER_GROUPS; i++) nodes->nodes[f][i] = CLGRAD_NONE;
}

clgrad_node clgrad_hyper_node(clgrad_hyper_nodes *nodes, clgrad_hyper_field field, size_t group)
{
    clgrad_node *node = &nodes->nodes[field][group];
    if (*node != CLGRAD_NONE) return *node;
    const field_row *row = &field_rows[field];
    char name[64];
    if (row->count == 1)
        snprintf(name, sizeof name, "%s", row->name);
    else
        snprintf(name, sizeof name, "%s.%zu", row->name, group);
    *node = clgrad_input(nodes->g, name, row->dtype, CLGRAD_SCALAR);
    return *node;
}

bool clgrad_hyper_name(const char *input_name) { return strncmp(input_name, "hyper.", 6) == 0; }

/* Which element of the row the name means; SIZE_MAX when it means none. */
static size_t element_of(const field_row *row, const char *name)
{
    const size_t length = strlen(row->name);
    if (strncmp(name, row->name, length) != 0) return SIZE_MAX;
    if (row->count == 1) return name[length] == '\0' ? 0 : SIZE_MAX;
    if (name[length] != '.' || name[length + 1] < '0' || name[length + 1] > '9') return SIZE_MAX;
    char *end = NULL;
    const unsigned long i = strtoul(name + length + 1, &end, 10);
    return *end == '\0' && i < row->count ? (size_t)i : SIZE_MAX;
}

clgrad_status clgrad_hyper_tensor(clgrad_buffer *buffer, const char *input_name, clgrad_tensor **out)
{
    *out = NULL;
    for (size_t f = 0; f < CLGRAD_HYPER_COUNT; f++) {
        const field_row *row = &field_rows[f];
        const size_t element = element_of(row, input_name);
        if (element == SIZE_MAX) continue;
        const size_t first = row->offset / clgrad_dtype_bytes(row->dtype);
        return clgrad_tensor_over(buffer, (int64_t)(first + element), row->dtype, CLGRAD_SCALAR, out);
    }
    return clgrad_fail(clgrad_device_get_context(clgrad_buffer_device(buffer)), CLGRAD_E_ARG,
                       "optimizer: there is no input '%s' to supply; names beginning with hyper. are reserved", input_name);
}
