/* test_config.c - whether a cluster's configuration makes sense, and its defaults. */
#include <string.h>
#include "../base/check.h"
#include "base/err.h"
#include "cluster/state.h"

static void settings_are_checked_for_sense(void **state)
{
    const char *why;
    const char *bad_seed[] = {"nonsense"};
    struct dz_cluster_config config = {.node_id = "a@h:1"};
    (void)state;
    assert_int_equal(dz_cluster_config_check(&config, &why), 0);
    config.suspect_ms = 400;
    assert_int_equal(dz_cluster_config_check(&config, &why), DZ_ECONFIG);
    assert_string_equal(why, "suspect_after_ms must be greater than heartbeat_interval_ms");
    config.suspect_ms = 0;
    config.seeds = bad_seed;
    config.seed_count = 1;
    assert_int_equal(dz_cluster_config_check(&config, &why), DZ_ENODEID);
    config.seed_count = 0;
    config.node_id = "a@h:0";
    assert_int_equal(dz_cluster_config_check(&config, &why), DZ_ENODEID);
    config.node_id = "a@h:1";
    config.attributes = (const uint8_t *)"\x01";
    config.attributes_len = 1;
    assert_int_equal(dz_cluster_config_check(&config, &why), DZ_ECONFIG);
}

static void refused(const struct dz_cluster_config *config, int err, const char *why)
{
    const char *text = NULL;
    assert_int_equal(dz_cluster_config_check(config, &text), err);
    assert_string_equal(text, why);
    assert_int_equal(dz_cluster_config_check(config, NULL), err);
}

static void what_is_left_out_takes_its_default(void **state)
{
    (void)state;
    struct dz_cluster_config config = {.node_id = "a@h:1"};
    struct dz_detector_settings s = dz_cluster_settings_of(&config);
    assert_int_equal(s.heartbeat_ms, 500);
    assert_int_equal(s.suspect_ms, 1500);
    assert_int_equal(s.down_ms, 3000);
    assert_int_equal(s.unreachable_ms, 10000);
    config.heartbeat_ms = 10;
    config.suspect_ms = 20;
    config.down_ms = 30;
    s = dz_cluster_settings_of(&config);
    assert_int_equal(s.heartbeat_ms, 10);
    assert_int_equal(s.suspect_ms, 20);
    assert_int_equal(s.down_ms, 30);
    assert_int_equal(dz_cluster_config_check(&config, NULL), 0);
}

static void a_node_id_has_a_name_a_host_and_a_port(void **state)
{
    (void)state;
    struct dz_cluster_config config = {.node_id = "a@h:0"};
    char longest[600];
    refused(&config, DZ_ENODEID, "the port must be a number from 1 to 65535");
    config.node_id = NULL;
    refused(&config, DZ_ENODEID, "it must read name@host:port");
    memset(longest, 'h', sizeof longest);
    memcpy(longest, "a@", 2);
    memcpy(longest + sizeof longest - 6, ":4000", 6);
    config.node_id = longest;
    refused(&config, DZ_ENODEID, "it must read name@host:port");
    config.node_id = "1@h:1";
    assert_int_equal(dz_cluster_config_check(&config, NULL), DZ_ENODEID);
    config.node_id = "a@h:65535";
    assert_int_equal(dz_cluster_config_check(&config, NULL), 0);
}

static void seeds_are_node_ids_and_at_most_256(void **state)
{
    (void)state;
    const char *seeds[DZ_CLUSTER_SEEDS_MAX + 1];
    struct dz_cluster_config config = {
        .node_id = "a@h:1", .seeds = seeds, .seed_count = DZ_CLUSTER_SEEDS_MAX};
    for (size_t i = 0; i <= DZ_CLUSTER_SEEDS_MAX; i++)
        seeds[i] = "b@h:2";
    assert_int_equal(dz_cluster_config_check(&config, NULL), 0);
    config.seed_count++;
    refused(&config, DZ_ECONFIG, "there are more than 256 seeds");
    config.seed_count = 5;
    seeds[4] = "b@h";
    assert_int_equal(dz_cluster_config_check(&config, NULL), DZ_ENODEID);
}

static void attributes_are_a_table_of_at_most_4096_bytes(void **state)
{
    (void)state;
    static const uint8_t empty_list[] = {0x90}, empty_map[] = {0x80}, list[] = {0x91, 1},
                         map[] = {0x81, 0xa1, 'z', 1}, cut[] = {0x81, 0xa1};
    static uint8_t large[4097];
    struct dz_cluster_config config = {.node_id = "a@h:1", .attributes = empty_list, .attributes_len = 1};
    assert_int_equal(dz_cluster_config_check(&config, NULL), 0);
    config.attributes = empty_map;
    assert_int_equal(dz_cluster_config_check(&config, NULL), 0);
    config.attributes = map;
    config.attributes_len = sizeof map;
    assert_int_equal(dz_cluster_config_check(&config, NULL), 0);
    config.attributes = list;
    config.attributes_len = sizeof list;
    refused(&config, DZ_ECONFIG, "attributes must be a table with string keys");
    config.attributes = cut;
    config.attributes_len = sizeof cut;
    refused(&config, DZ_ECONFIG, "attributes must be a table with string keys");
    config.attributes = large;
    config.attributes_len = sizeof large;
    refused(&config, DZ_ECONFIG, "attributes are larger than 4096 bytes");
}

static void times_must_follow_each_other(void **state)
{
    (void)state;
    struct dz_cluster_config config = {.node_id = "a@h:1", .heartbeat_ms = 500, .suspect_ms = 400};
    refused(&config, DZ_ECONFIG, "suspect_after_ms must be greater than heartbeat_interval_ms");
    config.suspect_ms = 1000;
    config.down_ms = 900;
    assert_int_equal(dz_cluster_config_check(&config, NULL), DZ_ECONFIG);
    config.down_ms = 1100;
    assert_int_equal(dz_cluster_config_check(&config, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked_for_sense),
        cmocka_unit_test(what_is_left_out_takes_its_default),
        cmocka_unit_test(a_node_id_has_a_name_a_host_and_a_port),
        cmocka_unit_test(seeds_are_node_ids_and_at_most_256),
        cmocka_unit_test(attributes_are_a_table_of_at_most_4096_bytes),
        cmocka_unit_test(times_must_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
