#include "../base/check.h"
#include <string.h>
#include "base/err.h"
#include "cluster/node.h"

static void an_id_is_taken_apart(void **state)
{
    struct dz_node *n;
    (void)state;
    assert_int_equal(dz_node_new(&n, "a@::1:4369x", 10), 0);
    assert_int_equal(n->name_len, 1);
    assert_int_equal(n->host_len, 3);
    assert_int_equal(n->port, 4369);
    assert_string_equal(dz_node_status_text(n), "down");
    dz_node_delete(n);
    assert_int_equal(dz_node_new(&n, "1@h:1", 5), DZ_ENODEID);
    dz_node_delete(NULL);
}

static void attributes_that_are_no_map_are_none(void **state)
{
    struct dz_node *n;
    (void)state;
    assert_int_equal(dz_node_new(&n, "a@h:1", 5), 0);
    dz_node_set_attributes(n, (const uint8_t *)"\x81\xa1z\xa1x", 5);
    assert_int_equal(n->attributes_len, 5);
    dz_node_set_attributes(n, (const uint8_t *)"\x81\xa1z", 3);
    assert_null(n->attributes);
    dz_node_set_attributes(n, (const uint8_t *)"\x07", 1);
    assert_null(n->attributes);
    dz_node_delete(n);
}

static void a_lost_node_shows_no_figures(void **state)
{
    struct dz_node *n;
    struct dz_buf buf;
    struct dz_build b;
    char text[400];
    (void)state;
    assert_int_equal(dz_node_new(&n, "a@h:1", 5), 0);
    n->status = DZ_NODE_DOWN;
    n->processes = 9;
    n->incarnation = 5;
    n->detector.told_ms = 100;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_node_build(n, &b, 400, 1000);
    dz_term_print(buf.data, buf.len, text, sizeof text);
    assert_string_equal(
        text, "{id = \"a@h:1\", name = \"a\", host = \"h\", port = 1, status = \"down\", process_count = 0, "
              "uptime_ms = 0, last_heartbeat_at = 700, incarnation = 5, attributes = {}}");
    dz_buf_fini(&buf);
    dz_node_delete(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_taken_apart),
        cmocka_unit_test(attributes_that_are_no_map_are_none),
        cmocka_unit_test(a_lost_node_shows_no_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
