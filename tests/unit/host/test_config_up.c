/* test_config_up.c - the config of a whole local cluster: what a file may return, and every way it can be wrong. */
#include "../sup/literal.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "host/config.h"

static struct dz_up_settings up;
static struct dz_config_error error;

static int read_up(const char *text)
{
    struct dz_buf term = literal(text);
    int err = dz_up_settings_read(&up, term.data, term.len, &error);
    dz_buf_fini(&term);
    return err;
}

static void refuses(const char *text, int code, const char *field, const char *what)
{
    assert_int_equal(read_up(text), code);
    assert_string_equal(error.field, field);
    if (!strstr(error.message, what))
        fail_msg("'%s' is not in '%s'", what, error.message);
    dz_up_settings_fini(&up);
}

static void a_whole_config_gives_each_node_its_own_settings(void **state)
{
    (void)state;
    assert_int_equal(read_up("{ behaviors = { \"b\" }, host = { workers = 2, log_format = \"json\" },"
                             "  cluster = { heartbeat_interval_ms = 100, suspect_after_ms = 300, down_after_ms = 900 },"
                             "  supervisors = { { children = {} } },"
                             "  nodes = { { id = \"a@127.0.0.1:1001\", script = \"m.lua\", args = { \"1\", \"2\" } },"
                             "            { id = \"b@127.0.0.1:1002\", attributes = { zone = \"eu\" }, behaviors = { \"c\" },"
                             "              restart = true } } }"), 0);
    assert_int_equal(up.node_count, 2);
    assert_string_equal(up.nodes[0].script, "m.lua");
    assert_int_equal(up.nodes[0].args.count, 2);
    assert_null(up.nodes[0].attributes.data);
    assert_false(up.nodes[0].restart);
    assert_null(up.nodes[1].script);
    assert_true(up.nodes[1].restart);
    assert_non_null(up.nodes[1].attributes.data);
    assert_string_equal(up.nodes[1].behaviors.items[0], "c");
    assert_int_equal(up.host.workers, 2);
    assert_true(up.host.log_json);
    assert_int_equal(up.cluster.down_after_ms, 900);
    assert_non_null(up.supervisors.data);
    dz_up_settings_fini(&up);
    assert_int_equal(up.node_count, 0);
}

static void add_message(void *ctx, const struct dz_config_error *problem)
{
    char *all = ctx;
    size_t len = strlen(all);
    snprintf(all + len, 1024 - len, "%s\n", problem->message);
}

static void a_check_tells_of_every_problem_once(void **state)
{
    char all[1024] = "";
    struct dz_buf term = literal("{ colour = 1, cluster = { port = \"x\", seeds = { \"nowhere\" } }, host = { workers = -1 },"
                                 "  nodes = { { id = \"bad\" }, { skript = \"a.lua\" }, { id = \"b@127.0.0.1:1002\" } } }");
    (void)state;
    assert_int_equal(dz_up_settings_check(&up, term.data, term.len, add_message, all), DZ_ECONFIG);
    assert_string_equal(all,
                        "unknown key 'colour' in a cluster config\n"
                        "cluster.port: expected a whole number from 0 to 65535, got \"x\"\n"
                        "cluster.seeds[1]: 'nowhere' is not a node id (name@host:port): it must read name@host:port\n"
                        "host.workers: expected a whole number from 0 to 255, got -1\n"
                        "nodes[1].id: 'bad' is not a node id (name@host:port): it must read name@host:port\n"
                        "nodes[2]: unknown key 'skript' in a node, did you mean 'script'?\n");
    assert_int_equal(up.node_count, 3);
    dz_up_settings_fini(&up);
    all[0] = 0;
    assert_int_equal(dz_up_settings_check(&up, (const uint8_t *)"\x80", 1, add_message, all), DZ_ECONFIG);
    assert_non_null(strstr(all, "nodes is missing"));
    dz_up_settings_fini(&up);
    dz_buf_fini(&term);
}

static void without_nodes_there_is_no_cluster(void **state)
{
    (void)state;
    refuses("{}", DZ_ECONFIG, "", "nodes is missing");
    refuses("{ nodes = {} }", DZ_ECONFIG, "nodes", "from 1 to 64");
    refuses("{ nodes = { x = 1 } }", DZ_ECONFIG, "nodes", "a list of nodes");
    refuses("{ 1 }", DZ_ECONFIG, "", "a table with named fields");
}

static void a_node_needs_an_id_of_its_own_with_a_port(void **state)
{
    (void)state;
    refuses("{ nodes = { { script = \"m.lua\" } } }", DZ_ECONFIG, "nodes[1]", "id is missing");
    refuses("{ nodes = { { id = \"nonsense\" } } }", DZ_ENODEID, "nodes[1].id", "is not a node id");
    refuses("{ nodes = { { id = \"a@127.0.0.1:0\" } } }", DZ_ENODEID, "nodes[1].id", "from 1 to 65535");
    refuses("{ nodes = { { id = \"a@127.0.0.1:9\" }, { id = \"a@127.0.0.1:9\" } } }", DZ_ECONFIG, "nodes[2]",
            "that of nodes[1] already");
}

static void unknown_keys_are_named_where_they_stand(void **state)
{
    (void)state;
    refuses("{ node = {} }", DZ_ECONFIG, "", "did you mean 'nodes'?");
    refuses("{ nodes = { { id = \"a@127.0.0.1:9\", scirpt = \"m\" } } }", DZ_ECONFIG, "nodes[1]", "did you mean 'script'?");
    refuses("{ host = { worker = 1 } }", DZ_ECONFIG, "host", "did you mean 'workers'?");
    refuses("{ cluster = { seed = {} } }", DZ_ECONFIG, "cluster", "did you mean 'seeds'?");
}

static void wrong_types_are_named_where_they_stand(void **state)
{
    (void)state;
    refuses("{ nodes = { { id = \"a@127.0.0.1:9\", restart = \"yes\" } } }", DZ_ECONFIG, "nodes[1].restart", "true or false");
    refuses("{ nodes = { { id = \"a@127.0.0.1:9\", attributes = { 1 } } } }", DZ_ECONFIG, "nodes[1].attributes",
            "named fields");
    refuses("{ nodes = { { id = \"a@127.0.0.1:9\", args = { 1 } } } }", DZ_ECONFIG, "nodes[1].args[1]", "a text");
    refuses("{ supervisors = { x = 1 } }", DZ_ECONFIG, "supervisors", "a list of supervisor specs");
    refuses("{ host = { workers = -1 } }", DZ_ECONFIG, "host.workers", "a whole number");
}

static void what_concerns_a_node_as_a_whole_is_checked_before_any_starts(void **state)
{
    (void)state;
    refuses("{ nodes = { { id = \"a@127.0.0.1:9\" }, { id = \"b@10.0.0.1:9\" } } }", DZ_ECONFIG, "nodes[2]", "secret");
    refuses("{ cluster = { suspect_after_ms = 900, down_after_ms = 300 }, nodes = { { id = \"a@127.0.0.1:9\" } } }",
            DZ_ECONFIG, "nodes[1]", "suspect_after_ms");
}

static void at_most_sixty_four_nodes_are_launched(void **state)
{
    char text[8192];
    (void)state;
    for (int count = 64; count <= 65; count++) {
        size_t at = (size_t)snprintf(text, sizeof text, "{ nodes = {");
        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "{ id = \"n%d@127.0.0.1:%d\" },", i, 1000 + i);
        snprintf(text + at, sizeof text - at, "} }");
        assert_int_equal(read_up(text), count == 64 ? 0 : DZ_ECONFIG);
        dz_up_settings_fini(&up);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_config_gives_each_node_its_own_settings),
        cmocka_unit_test(a_check_tells_of_every_problem_once),
        cmocka_unit_test(without_nodes_there_is_no_cluster),
        cmocka_unit_test(a_node_needs_an_id_of_its_own_with_a_port),
        cmocka_unit_test(unknown_keys_are_named_where_they_stand),
        cmocka_unit_test(wrong_types_are_named_where_they_stand),
        cmocka_unit_test(what_concerns_a_node_as_a_whole_is_checked_before_any_starts),
        cmocka_unit_test(at_most_sixty_four_nodes_are_launched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
