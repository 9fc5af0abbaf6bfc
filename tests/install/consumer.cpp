// Every public header in C++, and a call across the boundary.

#include <clgrad/clgrad.h>
#include <cstdint>
#include <cstring>

int main()
{
    clgrad_context *ctx = nullptr;
    if (clgrad_context_create(nullptr, &ctx) != CLGRAD_OK) return 1;
    clgrad_graph *g = nullptr;
    if (clgrad_graph_create(ctx, &g) != CLGRAD_OK) return 1;
    const std::int64_t dims[] = { 2, 3 };
    const clgrad_node x = clgrad_input(g, "x", CLGRAD_F32, clgrad_shape_make(2, dims));
    clgrad_output(g, "y", clgrad_tanh(g, x));
    const bool ok = clgrad_graph_status(g) == CLGRAD_OK && std::strcmp(clgrad_version(), CLGRAD_VERSION) == 0;
    clgrad_graph_release(&g);
    clgrad_context_release(&ctx);
    return ok ? 0 : 1;
}
