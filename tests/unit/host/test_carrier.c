/* core/host/carrier.c: sockets as a host's carrier; what goes over them is tests/unit/net's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <uv.h>
#include "base/err.h"
#include "host/carrier.h"

static uv_loop_t loop;
static struct dz_env env;
static char why[200];

static const struct dz_carrier *const over = &dz_carrier_uv;

static int setup(void **state)
{
    (void)state;
    dz_env_system(&env);
    why[0] = 0;
    return uv_loop_init(&loop);
}

static int teardown(void **state)
{
    (void)state;
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static struct dz_transport_uv_config usual(void)
{
    static const struct dz_transport_events events;
    static const struct dz_log silent = {.level = DZ_LOG_OFF};
    return (struct dz_transport_uv_config){.loop = &loop,
                                           .env = &env,
                                           .log = &silent,
                                           .events = &events,
                                           .listen_host = "127.0.0.1",
                                           .birth = 1,
                                           .why = why,
                                           .why_size = sizeof why};
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static void close_and_delete(void *carrier)
{
    int closed = 0;
    over->close(carrier, count, &closed);
    while (!closed)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(closed, 1);
    over->delete(carrier);
}

static void it_listens_on_a_free_port_until_it_is_closed(void **state)
{
    (void)state;
    struct dz_transport_uv_config config = usual();
    void *carrier = NULL;
    uint16_t port = 0;
    char id[64];
    assert_int_equal(over->make(NULL, &carrier, &config), DZ_OK);
    assert_int_equal(over->open(carrier, &port), DZ_OK);
    assert_true(port > 0);
    snprintf(id, sizeof id, "a@127.0.0.1:%u", port);
    assert_int_equal(over->start(carrier, id, 1), DZ_OK);
    assert_ptr_equal(over->base(carrier), dz_transport_uv_base(carrier));
    assert_non_null(over->base(carrier)->ops);
    close_and_delete(carrier);
}

static void what_was_never_opened_is_only_deleted(void **state)
{
    (void)state;
    struct dz_transport_uv_config config = usual();
    void *carrier = NULL;
    assert_int_equal(over->make(NULL, &carrier, &config), DZ_OK);
    over->delete(carrier);
}

static void an_unusable_config_makes_none(void **state)
{
    (void)state;
    struct dz_transport_uv_config config = usual();
    void *carrier = &config;
    config.tls_cert = config.tls_key = config.tls_ca = "/nowhere.pem";
    assert_int_equal(over->make(NULL, &carrier, &config), DZ_ECONFIG);
    assert_null(carrier);
    assert_string_not_equal(why, "");
}

static void a_port_that_is_taken_and_an_id_that_is_none_are_refused(void **state)
{
    (void)state;
    struct dz_transport_uv_config config = usual();
    void *first = NULL, *second = NULL;
    uint16_t port = 0;
    assert_int_equal(over->make(NULL, &first, &config), DZ_OK);
    assert_int_equal(over->open(first, &port), DZ_OK);
    config.listen_port = port;
    assert_int_equal(over->make(NULL, &second, &config), DZ_OK);
    assert_int_equal(over->open(second, &port), DZ_EADDRINUSE);
    assert_int_equal(over->start(first, "nobody", 1), DZ_ENODEID);
    close_and_delete(second);
    close_and_delete(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_listens_on_a_free_port_until_it_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_never_opened_is_only_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unusable_config_makes_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_that_is_taken_and_an_id_that_is_none_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
