/* The kernels of an explained model as one SVG file: boxes with template, operations, arguments, cost and time; values between
 * them as lines. No scripts, no fonts of its own, nothing fetched. */

#include "graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Lengths in px. Text is monospaced, so that its width is known. */
enum { BOX = 316, PAD = 10, LINE = 15, HEAD = 24, FOOT = 34, PART_GAP = 7, MARGIN = 28, COLUMNS = 44, MOST_LINES = 120 };

/* --- text --- */

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '<') fputs("&lt;", out);
        else if (c == '>') fputs("&gt;", out);
        else if (c == '&') fputs("&amp;", out);
        else if (c == '"') fputs("&quot;", out);
        else if (c >= 0x20 && c < 0x7f) fputc(c, out);
        else fputc('?', out); /* control characters are no XML, and other bytes of a driver's names may be no UTF-8 */
    }
}

static void put_line(FILE *out, double x, double y, const char *style, const char *text)
{
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" xml:space=\"preserve\">", style, x, y);
    put_text(out, text);
    fputs("</text>\n", out);
}

/* --- what a box says --- */

typedef struct box_text {
    char line[MOST_LINES][COLUMNS + 8];
    char style[MOST_LINES]; /* p: a part's template, o: operations, i: input, w: written output */
    size_t count;
} box_text;

static char *add_line(box_text *b, char style)
{
    const size_t at = b->count < MOST_LINES ? b->count++ : MOST_LINES - 1;
    b->style[at] = style;
    b->line[at][0] = '\0';
    return b->line[at];
}

/* Words into lines; beyond four lines the rest is left out. */
static void wrap(box_text *b, const char *text)
{
    char *line = add_line(b, 'o');
    size_t lines = 1;
    while (*text) {
        const size_t length = strcspn(text, " ");
        if (strlen(line) + length + 1 > COLUMNS && *line) {
            if (lines++ == 4) {
                strcat(line, " ...");
                return;
            }
            line = add_line(b, 'o');
        }
        snprintf(line + strlen(line), COLUMNS + 1 - strlen(line), "%s%.*s", *line ? " " : "", (int)length, text);
        text += length + (text[length] == ' ');
    }
}

static void add_argument(box_text *b, const clgrad_operand_info *o, bool written)
{
    char shape[SHAPE_BYTES], bytes[SI_BYTES];
    si_text(written ? o->written_bytes : o->read_bytes, "B", bytes);
    snprintf(add_line(b, written ? 'w' : 'i'), COLUMNS + 1, "%s %s %s  %s", written ? "out" : "in ", o->name, operand_text(o, shape), bytes);
}

/* A part says what it stores as well: to the parts behind it no line is drawn. */
static void describe_work(box_text *b, const explained_launch *l, bool is_part)
{
    char text[1024], shape[SHAPE_BYTES];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", l->info.operations);
    const char *before = " -> ";
    for (size_t k = 0; is_part && k < l->info.num_operands && used + SHAPE_BYTES < sizeof text; k++) {
        const clgrad_operand_info *o = &l->operands[k];
        if (o->kind != CLGRAD_OPERAND_SCRATCH || o->written_bytes <= 0) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", before, operand_text(o, shape));
        before = " ";
    }
    wrap(b, text);
}

/* Arguments of one element, such as learning rates, are counted only. */
static void describe_arguments(box_text *b, const explained_launch *l)
{
    size_t scalars = 0;
    for (int written = 0; written < 2; written++)
        for (size_t k = 0; k < l->info.num_operands; k++) {
            const clgrad_operand_info *o = &l->operands[k];
            if (o->kind != (written ? CLGRAD_OPERAND_OUTPUT : CLGRAD_OPERAND_INPUT) || (written ? o->written_bytes : o->read_bytes) <= 0) continue;
            if (clgrad_shape_count(&o->shape) == 1 && !written) scalars++;
            else add_argument(b, o, written);
        }
    if (scalars > 0) snprintf(add_line(b, 'i'), COLUMNS + 1, "in  %zu scalar%s", scalars, scalars == 1 ? "" : "s");
}

static void describe(box_text *b, const explained_function *f, const explained_kernel *k)
{
    *b = (box_text){ .count = 0 };
    for (size_t i = 0; i < k->count; i++) {
        const explained_launch *l = &f->launches[k->first + i];
        if (k->count > 1) snprintf(add_line(b, 'p'), COLUMNS + 1, "%.*s", COLUMNS, l->info.kernel);
        describe_work(b, l, k->count > 1);
        describe_arguments(b, l);
    }
}

/* A part's lines stand off from those before it. */
static double line_height(const box_text *b, size_t i) { return b->style[i] == 'p' && i > 0 ? LINE + PART_GAP : LINE; }

static double box_height(const box_text *b)
{
    double height = HEAD + FOOT;
    for (size_t i = 0; i < b->count; i++) height += line_height(b, i);
    return height;
}

/* --- boxes --- */

/* Kinds of templates, by what their names begin with. */
static const struct {
    const char *prefix, *class, *meaning;
} families[] = { { "matmul", "product", "product" },  { "clblast", "product", NULL },         { "map", "map", "element-wise" },
                 { "reduce", "sum", "reduction" },    { "chain", "sum", NULL },               { "rows", "sum", NULL },
                 { "", "other", "other" } };

static const explained_launch *main_part(const explained_function *f, const explained_kernel *k)
{
    const explained_launch *most = &f->launches[k->first];
    for (size_t i = 1; i < k->count; i++) {
        const explained_launch *l = &f->launches[k->first + i];
        if (l->info.flops > most->info.flops) most = l;
    }
    return most;
}

static const char *class_of(const char *kernel)
{
    size_t i = 0;
    while (strncmp(kernel, families[i].prefix, strlen(families[i].prefix)) != 0) i++;
    return families[i].class;
}

static void put_foot(FILE *out, const graph_node *n, const explained_kernel *k, double share)
{
    char amount[SI_BYTES], rate[SI_BYTES], text[6 * SI_BYTES];
    const double bottom = n->y + n->height, full = n->width - 2 * PAD;
    const double amounts[] = { k->bytes, k->flops };
    static const char *const units[] = { "B", "FLOP" }, *const rates[] = { "B/s", "FLOP/s" };
    size_t used = 0;
    for (int i = 0; i < 2; i++) {
        if (i > 0 && amounts[i] <= 0) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "   " : "", si_text(amounts[i], units[i], amount));
        if (!isnan(k->seconds))
            used += (size_t)snprintf(text + used, sizeof text - used, " at %s", si_text(amounts[i] / k->seconds, rates[i], rate));
    }
    put_line(out, n->x + PAD, bottom - 16, "cost", text);
    if (isnan(share)) return;
    fprintf(out, "<rect class=\"track\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"4\" rx=\"2\"/>", n->x + PAD, bottom - 9, full);
    fprintf(out, "<rect class=\"part\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"4\" rx=\"2\"/>\n", n->x + PAD, bottom - 9, full * share);
}

static void put_lines(FILE *out, const graph_node *n, const box_text *b)
{
    double y = n->y + HEAD - 4;
    for (size_t i = 0; i < b->count; i++) {
        const char style[] = { b->style[i], '\0' };
        y += line_height(b, i);
        if (b->style[i] == 'p' && i > 0)
            fprintf(out, "<path class=\"rule\" d=\"M%.1f %.1fh%.1f\"/>", n->x + PAD, y - LINE + 0.5, n->width - 2 * PAD);
        put_line(out, n->x + PAD, y, style, b->line[i]);
    }
}

static void put_box(FILE *out, const graph_node *n, const explained_function *f)
{
    const explained_kernel *k = &f->kernels[n->kernel];
    box_text b;
    char head[96], time[SI_BYTES], share[SI_BYTES], name[SI_BYTES], right[3 * SI_BYTES];
    describe(&b, f, k);
    fprintf(out, "<g class=\"%s\"><rect class=\"box\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"7\"/>\n",
            class_of(main_part(f, k)->info.kernel), n->x, n->y, n->width, n->height);
    snprintf(head, sizeof head, "%d  %s", n->kernel, kernel_text(f, k, name));
    put_line(out, n->x + PAD, n->y + 17, "head", head);
    snprintf(right, sizeof right, "%s  %s", share_text(k, share), si_text(k->seconds, "s", time));
    if (!isnan(k->seconds)) put_line(out, n->x + n->width - PAD, n->y + 17, "time", right);
    put_lines(out, n, &b);
    put_foot(out, n, k, k->seconds / explained_seconds(f));
    fputs("</g>\n", out);
}

/* --- values --- */

static void put_link(FILE *out, const graph *g, const graph_link *l)
{
    const graph_node *from = &g->nodes[l->from], *to = &g->nodes[l->to];
    const double y0 = from->y + from->height, y1 = to->y, bend = (y1 - y0) * 0.55;
    const double bytes = l->operand->written_bytes, width = 1.2 + 0.45 * log10(1 + bytes / 1000);
    fprintf(out, "<path class=\"value\" stroke-width=\"%.1f\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"%s/>\n", width, l->from_x, y0,
            l->from_x, y0 + bend, l->to_x, y1 - bend, l->to_x, y1, to->kernel >= 0 ? " marker-end=\"url(#tip)\"" : "");
    if (to->kernel < 0) fprintf(out, "<path class=\"value\" stroke-width=\"%.1f\" d=\"M%.1f %.1fV%.1f\"/>\n", width, l->to_x, y1, y1 + to->height);
}

/* Values that leave a box, and how many of them do so left of x. */
static size_t count_values(const graph *g, int from, double x, size_t *left)
{
    size_t count = 0;
    *left = 0;
    for (size_t i = 0; i < g->num_links; i++) {
        const graph_link *l = &g->links[i];
        bool seen = false;
        if (!l->first || l->from != from) continue;
        for (size_t k = 0; k < i && !seen; k++) seen = g->links[k].first && g->links[k].operand == l->operand;
        count += !seen;
        *left += !seen && l->from_x < x;
    }
    return count;
}

static void put_label_at(FILE *out, double x, double y, const char *text)
{
    const double width = 6.1 * (double)strlen(text) + 4;
    fprintf(out, "<rect class=\"under\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"12\"/>", x - width / 2, y - 9.5, width);
    put_line(out, x, y, "label", text);
}

/* One label a value, under the box that writes it. Neighbours stand at two heights, so that they do not cover each other; where there
 * is no room for that the values are counted. */
static void put_label(FILE *out, const graph *g, size_t i)
{
    enum { MOST_LABELS = 7 };
    const graph_link *l = &g->links[i];
    const graph_node *from = &g->nodes[l->from];
    const double bottom = from->y + from->height;
    char text[SHAPE_BYTES];
    size_t left;
    if (!l->first) return;
    for (size_t k = 0; k < i; k++)
        if (g->links[k].first && g->links[k].operand == l->operand) return;
    const size_t count = count_values(g, l->from, l->from_x, &left);
    if (count <= MOST_LABELS) {
        put_label_at(out, l->from_x, bottom + (left % 2 ? 31 : 17), operand_text(l->operand, text));
    } else if (left == 0) {
        snprintf(text, sizeof text, "%zu values", count);
        put_label_at(out, from->x + from->width / 2, bottom + 17, text);
    }
}

/* --- the file --- */

static const char style[] =
    "<style>\n"
    "text{font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:11px;fill:#24292f}\n"
    ".title{font-size:16px;font-weight:bold}.sub{font-size:12px;fill:#57606a}.head{font-size:12px;font-weight:bold}\n"
    ".time{font-size:11px;text-anchor:end}.p{font-weight:bold;fill:#57606a}.rule{stroke:#000;stroke-opacity:.15}.o{fill:#24292f}.i{fill:#0a5c9e}.w{fill:#8a3b00}.cost{fill:#57606a;font-size:10px}\n"
    ".label{text-anchor:middle;font-size:10px;fill:#424a53}.under{fill:#fff;fill-opacity:.85}\n"
    ".value{fill:none;stroke:#8c959f}.tip{fill:#8c959f}.track{fill:#000;fill-opacity:.08}.part{fill:#24292f;fill-opacity:.65}\n"
    ".box{stroke-width:1.3}.product .box{fill:#fdecd8;stroke:#c8792b}.map .box{fill:#e3effb;stroke:#4f8fcf}\n"
    ".sum .box{fill:#e2f4e4;stroke:#4c9a59}.other .box{fill:#f0f0f2;stroke:#8c959f}\n"
    "</style>\n"
    "<marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">"
    "<path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker>\n";

static void put_legend(FILE *out, double x, double y)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (!families[i].meaning) continue;
        fprintf(out, "<g class=\"%s\"><rect class=\"box\" x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\" rx=\"3\"/>", families[i].class, x, y - 10);
        put_line(out, x + 18, y, "cost", families[i].meaning);
        fputs("</g>\n", out);
        x += 18 + 6.1 * (double)strlen(families[i].meaning) + 18;
    }
}

enum { TITLE_HEIGHT = 62, HEADING_HEIGHT = 46 };

static void put_function(FILE *out, const explained_function *f, const graph *g, double width, double y)
{
    char text[256], bytes[SI_BYTES], least[SI_BYTES], flops[SI_BYTES], time[SI_BYTES];
    const double total = explained_seconds(f);
    snprintf(text, sizeof text, "%s: %zu kernel%s, %s moved (least %s), %s, %s", f->when, f->num_kernels, f->num_kernels == 1 ? "" : "s",
             si_text(f->cost.bytes, "B", bytes), si_text(f->cost.least_bytes, "B", least), si_text(f->cost.flops, "FLOP", flops),
             isnan(total) ? "not timed" : si_text(total, "s", time));
    put_line(out, 0, y + 14, "head", text);
    fprintf(out, "<g transform=\"translate(%.1f %.1f)\">\n", (width - g->width) / 2, y + HEADING_HEIGHT - 16);
    for (size_t i = 0; i < g->num_links; i++) put_link(out, g, &g->links[i]);
    for (size_t i = 0; i < g->num_nodes; i++)
        if (g->nodes[i].kernel >= 0) put_box(out, &g->nodes[i], f);
    for (size_t i = 0; i < g->num_links; i++) put_label(out, g, i);
    fputs("</g>\n", out);
}

static double smallest_width(const explained *e)
{
    const double title = 9.7 * (double)strlen(e->title);
    return title > 760 ? title : 760;
}

static void put_all(FILE *out, const explained *e, const graph *graphs)
{
    double width = smallest_width(e), height = TITLE_HEIGHT, y = TITLE_HEIGHT;
    for (size_t i = 0; i < e->num_functions; i++) {
        if (graphs[i].width > width) width = graphs[i].width;
        height += graphs[i].height + HEADING_HEIGHT + MARGIN;
    }
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                 "viewBox=\"%d %d %.0f %.0f\">\n<title>", width + 2 * MARGIN, height + MARGIN, -MARGIN, -MARGIN, width + 2 * MARGIN, height + MARGIN);
    put_text(out, e->title);
    fprintf(out, "</title>\n%s<rect x=\"%d\" y=\"%d\" width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", style, -MARGIN, -MARGIN);
    put_line(out, 0, 6, "title", e->title);
    put_line(out, 0, 25, "sub", e->device->name);
    put_legend(out, 0, 46);
    for (size_t i = 0; i < e->num_functions; i++) {
        put_function(out, &e->functions[i], &graphs[i], width, y);
        y += graphs[i].height + HEADING_HEIGHT + MARGIN;
    }
    fputs("</svg>\n", out);
}

static bool lay_out(const explained_function *f, graph *g)
{
    graph_build(g, f);
    for (size_t i = 0; i < g->num_nodes; i++) {
        if (g->nodes[i].kernel < 0) continue;
        box_text b;
        describe(&b, f, &f->kernels[g->nodes[i].kernel]);
        g->nodes[i].width = BOX;
        g->nodes[i].height = box_height(&b);
    }
    graph_place(g);
    return !g->failed;
}

static int write_file(const explained *e, const graph *graphs, const char *path)
{
    FILE *out = fopen(path, "w");
    bool written = out != NULL;
    if (out) {
        put_all(out, e, graphs);
        written = !ferror(out);
        written = fclose(out) == 0 && written;
    }
    if (written) return EXIT_DONE;
    fputs("clgrad: cannot write ", stderr);
    perror(path);
    return EXIT_RUN_FAILED;
}

int explained_draw(const explained *e, const char *path)
{
    graph graphs[EXPLAINED_FUNCTIONS] = { { .num_layers = 0 } };
    bool fits = true;
    for (size_t i = 0; i < e->num_functions && fits; i++) fits = lay_out(&e->functions[i], &graphs[i]);
    const int code = fits ? write_file(e, graphs, path) : (fputs("clgrad: out of memory\n", stderr), EXIT_RUN_FAILED);
    for (size_t i = 0; i < e->num_functions; i++) graph_release(&graphs[i]);
    return code;
}
