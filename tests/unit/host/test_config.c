/* test_config.c - settings: what is taken, what is refused and how it is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "host/config.h"
#include "term/build.h"

static struct dz_buf buf;
static struct dz_build b;

static int setup(void **state)
{
    (void)state;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dz_buf_fini(&buf);
    return 0;
}

static int read_cluster(struct dz_cluster_settings *s, struct dz_config_error *error)
{
    dz_cluster_settings_init(s);
    return dz_cluster_settings_read(s, buf.data, buf.len, "", error);
}

static void a_cluster_map_gives_every_setting_and_comes_back_the_same(void **state)
{
    struct dz_cluster_settings s, again;
    struct dz_config_error error;
    struct dz_buf out;
    (void)state;
    dz_build_map(&b, 5);
    dz_build_kstring(&b, "node_name", "a");
    dz_build_kstring(&b, "host", "127.0.0.1");
    dz_build_kint(&b, "port", 4369);
    dz_build_kint(&b, "down_after_ms", 9000);
    dz_build_key(&b, "seeds");
    dz_build_array(&b, 1);
    dz_build_cstring(&b, "b@127.0.0.1:4370");
    assert_int_equal(read_cluster(&s, &error), DZ_OK);
    dz_buf_init(&out);
    assert_int_equal(dz_cluster_settings_write(&s, &out), DZ_OK);
    dz_cluster_settings_init(&again);
    assert_int_equal(dz_cluster_settings_read(&again, out.data, out.len, "", &error), DZ_OK);
    assert_string_equal(again.node_name, "a");
    assert_int_equal(again.port, 4369);
    assert_int_equal(again.down_after_ms, 9000);
    assert_int_equal(again.seeds.count, 1);
    assert_string_equal(again.seeds.items[0], "b@127.0.0.1:4370");
    dz_buf_fini(&out);
    dz_cluster_settings_fini(&s);
    dz_cluster_settings_fini(&again);
}

static void an_unknown_key_names_the_nearest_known_one(void **state)
{
    struct dz_cluster_settings s;
    struct dz_config_error error;
    (void)state;
    dz_build_map(&b, 1);
    dz_build_kint(&b, "down_after", 1);
    assert_int_equal(read_cluster(&s, &error), DZ_ECONFIG);
    assert_non_null(strstr(error.message, "did you mean 'down_after_ms'?"));
    dz_cluster_settings_fini(&s);
}

static void a_malformed_seed_is_named_with_its_place(void **state)
{
    struct dz_cluster_settings s;
    struct dz_config_error error;
    (void)state;
    dz_build_map(&b, 2);
    dz_build_kstring(&b, "node_name", "a");
    dz_build_key(&b, "seeds");
    dz_build_array(&b, 2);
    dz_build_cstring(&b, "b@127.0.0.1:4370");
    dz_build_cstring(&b, "nonsense");
    assert_int_equal(read_cluster(&s, &error), DZ_ENODEID);
    assert_string_equal(error.field, "seeds[2]");
    dz_cluster_settings_fini(&s);
}

static void build_listening(const char *host, const char *listen, const char *secret)
{
    dz_buf_clear(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2u + (listen != NULL) + (secret != NULL));
    dz_build_kstring(&b, "node_name", "a");
    dz_build_kstring(&b, "host", host);
    if (listen)
        dz_build_kstring(&b, "listen", listen);
    if (secret)
        dz_build_kstring(&b, "secret", secret);
}

static void only_addresses_of_this_machine_are_loopback(void **state)
{
    static const char *const here[] = { "127.0.0.1", "127.255.0.9", "::1", "[::1]", "localhost" };
    static const char *const elsewhere[] = { "127.example.org", "127.0.0.1.example.org", "128.0.0.1", "0.0.0.0", "::", "",
                                             "localhost.example.org", "127." };
    (void)state;
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++)
        assert_true(dz_config_is_loopback(here[i], strlen(here[i])));
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        assert_false(dz_config_is_loopback(elsewhere[i], strlen(elsewhere[i])));
}

static void off_loopback_a_secret_of_32_bytes_is_needed(void **state)
{
    static const struct {
        const char *host, *listen, *secret;
        int err;
    } cases[] = {
        { "127.0.0.1", NULL, NULL, DZ_OK },
        { "localhost", NULL, NULL, DZ_OK },
        { "127.0.0.1", "0.0.0.0:1", NULL, DZ_ECONFIG },
        { "10.0.0.1", NULL, NULL, DZ_ECONFIG },
        { "10.0.0.1", NULL, "0123456789012345678901234567890", DZ_ECONFIG },
        { "10.0.0.1", NULL, "01234567890123456789012345678901", DZ_OK },
        { "10.0.0.1", "127.0.0.1:1", NULL, DZ_OK },
        { "127.0.0.1", NULL, "short", DZ_OK },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dz_cluster_settings s;
        struct dz_config_error error;
        build_listening(cases[i].host, cases[i].listen, cases[i].secret);
        assert_int_equal(read_cluster(&s, &error), cases[i].err);
        dz_cluster_settings_fini(&s);
    }
}

static void times_that_contradict_each_other_are_refused(void **state)
{
    struct dz_cluster_settings s;
    struct dz_config_error error;
    (void)state;
    dz_build_map(&b, 2);
    dz_build_kstring(&b, "node_name", "a");
    dz_build_kint(&b, "suspect_after_ms", 5000);
    assert_int_equal(read_cluster(&s, &error), DZ_ECONFIG);
    assert_non_null(strstr(error.message, "down_after_ms"));
    dz_cluster_settings_fini(&s);
}

static void an_option_is_the_same_from_the_command_line_and_from_a_map(void **state)
{
    struct dz_host_settings s;
    struct dz_config_error error;
    struct dz_config_reader x;
    struct dz_read r;
    (void)state;
    dz_host_settings_init(&s);
    assert_int_equal(dz_host_settings_set(&s, "max-turn-ms", "250", &error), DZ_OK);
    assert_int_equal(s.max_turn_ms, 250);
    assert_int_equal(dz_host_settings_set(&s, "log_level", "warn", &error), DZ_OK);
    assert_int_equal(s.log_level, DZ_LOG_WARN);
    assert_int_equal(dz_host_settings_set(&s, "workers", "256", &error), DZ_ECONFIG);
    assert_string_equal(error.field, "workers");
    assert_int_equal(dz_host_settings_set(&s, "log_format", "xml", &error), DZ_ECONFIG);
    assert_int_equal(dz_host_settings_set(&s, "colour", "red", &error), DZ_EEXIST);
    dz_build_map(&b, 1);
    dz_build_kint(&b, "workers", 3);
    dz_config_reader_init(&x, &error, "host");
    dz_read_init(&r, buf.data, buf.len);
    assert_int_equal(dz_host_settings_read(&s, &x, &r), DZ_OK);
    assert_int_equal(s.workers, 3);
}

static void a_cluster_config_needs_nodes_with_ids_of_their_own(void **state)
{
    struct dz_up_settings up;
    struct dz_config_error error;
    (void)state;
    dz_build_map(&b, 1);
    dz_build_key(&b, "nodes");
    dz_build_array(&b, 2);
    for (int i = 0; i < 2; i++) {
        dz_build_map(&b, 1);
        dz_build_kstring(&b, "id", "a@127.0.0.1:1");
    }
    assert_int_equal(dz_up_settings_read(&up, buf.data, buf.len, &error), DZ_ECONFIG);
    assert_string_equal(error.field, "nodes[2]");
    dz_up_settings_fini(&up);
    dz_buf_clear(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 0);
    assert_int_equal(dz_up_settings_read(&up, buf.data, buf.len, &error), DZ_ECONFIG);
    assert_non_null(strstr(error.message, "nodes is missing"));
    dz_up_settings_fini(&up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cluster_map_gives_every_setting_and_comes_back_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_key_names_the_nearest_known_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_seed_is_named_with_its_place, setup, teardown),
        cmocka_unit_test(only_addresses_of_this_machine_are_loopback),
        cmocka_unit_test_setup_teardown(off_loopback_a_secret_of_32_bytes_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(times_that_contradict_each_other_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_option_is_the_same_from_the_command_line_and_from_a_map, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cluster_config_needs_nodes_with_ids_of_their_own, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
