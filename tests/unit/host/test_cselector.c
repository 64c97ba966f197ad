/* test_cselector.c - selectors in C: registered by name, asked by supervisors, with answers good and bad. */
#include "hosted.h"

enum mode { FIRST, FAILS, UNTERMINATED, UNKNOWN, EMPTY };

struct asked {
    enum mode mode;
    int times;
    size_t size;
    char child_id[64];
    char nodes[1024];
};

static int choose(void *ctx, const dz_reader *nodes, const char *child_id, char *out, size_t size)
{
    struct asked *a = ctx;
    dz_reader list = *nodes, id;
    uint32_t count;
    const char *s;
    size_t len;
    a->times++;
    a->size = size;
    snprintf(a->child_id, sizeof a->child_id, "%s", child_id);
    dz_reader_print(nodes, a->nodes, sizeof a->nodes);
    if (!dz_reader_array(&list, &count) || !dz_reader_find(&list, "id", &id) || !dz_reader_string(&id, &s, &len))
        return -1;
    switch (a->mode) {
    case FIRST:
        snprintf(out, size, "%.*s", (int)len, s);
        return 0;
    case UNTERMINATED:
        memset(out, 'x', size);
        return 0;
    case UNKNOWN:
        snprintf(out, size, "nobody@10.9.9.9:1");
        return 0;
    case EMPTY:
        return 0;
    default:
        return -1;
    }
}

static struct asked asked;

static int setup(void **state)
{
    struct hosted *f = hosted_empty();
    *state = f;
    hosted_make(f);
    asked = (struct asked){ .mode = FIRST };
    assert_int_equal(dz_host_register_selector(f->host, "mine", choose, &asked), 0);
    return dz_host_start(f->host);
}

static const char spec[] = "{ node_selector = { selector = \"mine\" }, children = { { id = \"the child\", behavior = \"ear\" } } }";

static void a_selector_is_asked_once_for_each_start_with_nodes_and_child(void **state)
{
    struct hosted *f = *state;
    dz_process sup;
    assert_int_equal(hosted_supervise(f, spec, &sup), 0);
    assert_int_equal(asked.times, 1);
    assert_string_equal(asked.child_id, "the child");
    expect_text(asked.nodes, "id = \"local@127.0.0.1:0\"");
    assert_true(asked.size >= DZ_NODE_ID_MAX);
}

/* What went wrong is in the cause of the error; the host is unharmed. */
static void answers_that_name_no_node(void **state)
{
    static const enum mode modes[] = { FAILS, UNTERMINATED, UNKNOWN, EMPTY };
    struct hosted *f = *state;
    dz_process sup;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        asked.mode = modes[i];
        assert_int_equal(hosted_supervise(f, spec, &sup), DZ_ENONODE);
        assert_int_equal(asked.times, (int)i + 1);
        assert_int_equal(dz_host_process_count(f->host), 0);
    }
    asked.mode = FIRST;
    assert_int_equal(hosted_supervise(f, spec, &sup), 0);
}

static void a_name_that_is_not_registered_is_no_selector(void **state)
{
    struct hosted *f = *state;
    dz_process sup;
    assert_int_not_equal(hosted_supervise(f, "{ node_selector = { selector = \"other\" }, children ="
                                             "  { { id = \"c\", behavior = \"ear\" } } }", &sup), 0);
    assert_int_equal(asked.times, 0);
}

static void a_name_is_registered_once_and_only_before_the_start(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(dz_host_register_selector(f->host, "late", choose, NULL), DZ_ESTARTED);
    assert_int_equal(dz_host_register_selector(f->host, "", choose, NULL), DZ_EARGUMENT);
    assert_int_equal(dz_host_register_selector(f->host, "none", NULL, NULL), DZ_EARGUMENT);
}

static void two_of_one_name_are_refused_and_the_limit_is_sixty_four(void **state)
{
    struct hosted *f = *state;
    char name[16];
    for (unsigned i = 0; i < DZ_CSELECTORS_MAX; i++) {
        snprintf(name, sizeof name, "s%u", i);
        assert_int_equal(dz_host_register_selector(f->host, name, choose, &asked), 0);
        assert_int_equal(dz_host_register_selector(f->host, name, choose, &asked),
                         i + 1 < DZ_CSELECTORS_MAX ? DZ_EEXIST : DZ_ETOOLARGE);
    }
    assert_int_equal(dz_host_register_selector(f->host, "more", choose, NULL), DZ_ETOOLARGE);
}

static struct dz_msg *spawn_message(struct hosted *f, const uint8_t *function, size_t len)
{
    struct dz_spawn s = { .what = DZ_SPAWN_START, .function = function, .function_len = len };
    struct dz_msg *m = dz_spawn_pack(&f->host->rt.nodes, &s);
    assert_non_null(m);
    return m;
}

/* The reference's generation is that of C, its number that of no selector; or it is of a Lua state. */
static void a_reference_to_none_of_them_is_left_to_lua(void **state)
{
    static const uint8_t references[][15] = {
        { 0xc7, 13, DZ_EXT_FUNCTION, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9 },
        { 0xc7, 13, DZ_EXT_FUNCTION, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0 },
    };
    struct hosted *f = *state;
    for (size_t i = 0; i < 2; i++) {
        uint8_t term[16];
        struct dz_spawn s;
        memcpy(term, references[i], 15);
        term[15] = 'f';
        struct dz_msg *m = spawn_message(f, term, sizeof term);
        assert_int_equal(dz_spawn_unpack(&f->host->rt.nodes, m, &s), 0);
        assert_false(dz_cselectors_answer(f->host, &f->thread, NULL, &s, m));
        dz_msg_free(m);
    }
    assert_int_equal(asked.times, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hosted_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_selector_is_asked_once_for_each_start_with_nodes_and_child),
        TEST(answers_that_name_no_node),
        TEST(a_name_that_is_not_registered_is_no_selector),
        TEST(a_name_is_registered_once_and_only_before_the_start),
        HOSTED_NEW(two_of_one_name_are_refused_and_the_limit_is_sixty_four),
        TEST(a_reference_to_none_of_them_is_left_to_lua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
