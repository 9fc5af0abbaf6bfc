/* Every operation's documented misuse: the right status, and a sentence that names operation and operand. The rows are in
 * misuse.def; one more test asks that no operation is without a row. */

#include "graph_test.h"

static clgrad_graph *body; /* without an output */

static clgrad_node f(const char *name, int32_t rank, ...)
{
    va_list args;
    int64_t dims[CLGRAD_MAX_RANK] = { 0 };
    va_start(args, rank);
    for (int32_t i = 0; i < rank; i++) dims[i] = va_arg(args, int);
    va_end(args);
    return clgrad_input(g, name, CLGRAD_F32, clgrad_shape_make(rank, dims));
}

/* An input of three elements; asked for twice it is the same one. */
static clgrad_node typed(const char *name, clgrad_dtype dtype)
{
    for (size_t i = 0; i < clgrad_graph_num_inputs(g); i++)
        if (strcmp(clgrad_graph_input_name(g, i), name) == 0) return clgrad_graph_input(g, i);
    return clgrad_input(g, name, dtype, CLGRAD_SHAPE(3));
}

static clgrad_node x32(void) { return typed("x", CLGRAD_F32); }
static clgrad_node x64(void) { return typed("y", CLGRAD_F64); }
static clgrad_node i32(void) { return typed("i", CLGRAD_I32); }
static clgrad_node u8(void) { return typed("u", CLGRAD_U8); }
static clgrad_node x4(void) { return f("x4", 1, 4); }
static clgrad_node matrix(void) { return f("m", 2, 4, 3); }
static clgrad_node empty(void) { return f("e", 2, 0, 3); }
static clgrad_node rank8(void) { return f("r", 8, 1, 1, 1, 1, 1, 1, 1, 2); }

#define I64(...) ((const int64_t[]){ __VA_ARGS__ })

#define MISUSE(op, name, status, words, call) \
    static clgrad_node name(void) { return call; }
#include "misuse.def"
#undef MISUSE

static const struct {
    clgrad_op op;
    const char *name;
    clgrad_status status;
    const char *words; /* separated by | */
    clgrad_node (*build)(void);
} rows[] = {
#define MISUSE(op, name, status, words, call) { CLGRAD_OP_##op, #name, CLGRAD_##status, words, name },
#include "misuse.def"
#undef MISUSE
};

START_TEST(misuse_is_refused)
{
    char words[200], *word = words;
    ck_assert_int_eq(clgrad_graph_create(ctx, &body), CLGRAD_OK);
    ck_assert_uint_lt(strlen(rows[_i].words), sizeof words);
    strcpy(words, rows[_i].words);
    const clgrad_node node = rows[_i].build();
    ck_assert_msg(clgrad_graph_status(g) == rows[_i].status, "%s: %s, %s", rows[_i].name,
                  clgrad_status_name(clgrad_graph_status(g)), clgrad_error_text(ctx));
    for (char *end = words; end; word = end + 1) {
        end = strchr(word, '|');
        if (end) *end = '\0';
        CHECK_ERROR(node, rows[_i].status, word);
        if (!end) break;
    }
    clgrad_graph_release(&body);
}
END_TEST

START_TEST(every_operation_has_a_row)
{
    for (int op = 0; op < CLGRAD_OP_COUNT; op++) {
        bool found = false;
        for (size_t i = 0; i < CLGRAD_COUNT(rows); i++) found |= rows[i].op == (clgrad_op)op;
        ck_assert_msg(found, "%s has no row in misuse.def", clgrad_op_get((clgrad_op)op)->name);
    }
}
END_TEST

/* Appending goes by the table: a wrong number of operands is refused for every operation that has one. */
START_TEST(arity_is_checked)
{
    clgrad_node in[5] = { 0 };
    const clgrad_op op = (clgrad_op)_i;
    const int arity = clgrad_op_get(op)->arity;
    in[0] = in[1] = in[2] = in[3] = in[4] = x32();
    if (arity < 0) return;
    CHECK_ERROR(clgrad_graph_append(g, op, (size_t)arity + 1, in, NULL, CLGRAD_F32, NULL), CLGRAD_E_ARG, "operands given");
}
END_TEST

START_TEST(rows_say_what_later_rooms_read)
{
    ck_assert(clgrad_op_get(CLGRAD_OP_ADD)->linear);
    ck_assert(clgrad_op_get(CLGRAD_OP_PERMUTE)->linear);
    ck_assert(!clgrad_op_get(CLGRAD_OP_MUL)->linear);
    ck_assert_ptr_null(clgrad_op_get(CLGRAD_OP_ADD)->expr == NULL ? "no text" : NULL);
    ck_assert_ptr_null(clgrad_op_get(CLGRAD_OP_MATMUL)->expr);
    ck_assert_ptr_null(clgrad_op_get(CLGRAD_OP_COUNT));
}
END_TEST

Suite *misuse_suite(void)
{
    Suite *suite = suite_create("misuse");
    TCase *tests = tcase_create("misuse");
    tcase_add_checked_fixture(tests, graph_setup, graph_teardown);
    tcase_add_loop_test(tests, misuse_is_refused, 0, (int)CLGRAD_COUNT(rows));
    tcase_add_test(tests, every_operation_has_a_row);
    tcase_add_loop_test(tests, arity_is_checked, 0, CLGRAD_OP_COUNT);
    tcase_add_test(tests, rows_say_what_later_rooms_read);
    suite_add_tcase(suite, tests);
    return suite;
}
