/* test_join.c - into a cluster and out of it: what is answered, and what a start that failed leaves behind. */
#include "hosted.h"

#include <arpa/inet.h>
#include "../net/certificates.h"

static int leave(struct hosted *f)
{
    return hosted_wait(f, dz_host_cluster_stop(f->host, dz_answer_done, f->answer), NULL);
}

static unsigned port_of(struct hosted *f)
{
    return (unsigned)atoi(strrchr(dz_host_node(f->host), ':') + 1);
}

static void refuses(struct hosted *f, const char *name, const char *more, int code, const char *said)
{
    dz_reader value;
    assert_int_equal(hosted_join(f, name, more, &value), code);
    expect_text(hosted_text(f, &value, "message"), said);
    assert_false(dz_join_is_on(f->host));
    assert_null(f->host->join.transport);
}

static void the_answer_is_the_node_id_with_the_port_that_was_free(void **state)
{
    struct hosted *f = *state;
    dz_reader value;
    char quoted[300];
    assert_false(dz_join_is_on(f->host));
    assert_int_equal(hosted_join(f, "a", "port = 0", &value), 0);
    snprintf(quoted, sizeof quoted, "\"%s\"", dz_host_node(f->host));
    assert_string_equal(hosted_text(f, &value, NULL), quoted);
    assert_true(port_of(f) > 0);
    assert_true(dz_join_is_on(f->host));
}

static void it_may_be_left_and_joined_again(void **state)
{
    struct hosted *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hosted_join(f, "a", "", NULL), 0);
        assert_int_equal(leave(f), 0);
        assert_false(dz_join_is_on(f->host));
        assert_null(f->host->join.transport);
    }
}

static void a_second_start_is_refused_and_names_what_the_host_is(void **state)
{
    struct hosted *f = *state;
    dz_reader value;
    assert_int_equal(hosted_join(f, "a", "", NULL), 0);
    assert_int_equal(hosted_join(f, "b", "", &value), DZ_ESTARTED);
    expect_text(hosted_text(f, &value, "message"), "this host is the node a@127.0.0.1:");
    assert_true(dz_join_is_on(f->host));
}

static void an_address_in_use_is_named_and_another_is_taken_after_it(void **state)
{
    struct hosted *f = *state, *other;
    void *second;
    char port[32], where[32];
    hosted_setup(&second);
    other = second;
    assert_int_equal(hosted_join(f, "a", "", NULL), 0);
    snprintf(port, sizeof port, "port = %u", port_of(f));
    snprintf(where, sizeof where, "127.0.0.1:%u", port_of(f));
    refuses(other, "b", port, DZ_EADDRINUSE, where);
    assert_int_equal(hosted_join(other, "b", "", NULL), 0);
    hosted_free(other);
}

static void a_config_that_is_wrong_names_its_field(void **state)
{
    struct hosted *f = *state;
    dz_reader value;
    refuses(f, "a", "prot = 5", DZ_ECONFIG, "did you mean 'port'?");
    assert_int_equal(hosted_join(f, "a", "port = 70000", &value), DZ_ECONFIG);
    assert_string_equal(hosted_text(f, &value, "field"), "\"port\"");
    refuses(f, "not a name", "", DZ_ENODEID, "not a name");
    refuses(f, "a", "seeds = { \"nonsense\" }", DZ_ENODEID, "nonsense");
    refuses(f, "a", "suspect_after_ms = 900, down_after_ms = 300", DZ_ECONFIG, "suspect_after_ms");
}

static void off_loopback_a_secret_is_needed_and_a_long_one(void **state)
{
    struct hosted *f = *state;
    refuses(f, "a", "listen = \"0.0.0.0:0\"", DZ_ECONFIG, "secret");
    refuses(f, "a", "listen = \"0.0.0.0:0\", secret = \"short\"", DZ_ECONFIG, "at least 32");
}

/* Nobody is asked for a passphrase. */
static void refuses_locked_key(struct hosted *f, const struct certificates *c)
{
    unsigned char passphrase[] = "x";
    char tls[512];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(files_path(&f->files, "locked.key"), "w");
    assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), passphrase, 1, NULL, NULL), 1);
    fclose(file);
    EVP_PKEY_free(key);
    snprintf(tls, sizeof tls, "tls = { cert = \"%s\", key = \"%s\", ca = \"%s\" }", c->cert, f->files.path, c->ca);
    refuses(f, "a", tls, DZ_ECONFIG, "locked.key: it is encrypted");
}

static void certificates_that_cannot_be_used_are_told_with_their_file(void **state)
{
    struct hosted *f = *state;
    struct certificates c;
    char tls[512];
    certificates_make(&c);
    snprintf(tls, sizeof tls, "tls = { cert = \"/nowhere.pem\", key = \"%s\", ca = \"%s\" }", c.key, c.ca);
    refuses(f, "a", tls, DZ_ECONFIG, "/nowhere.pem");
    snprintf(tls, sizeof tls, "tls = { cert = \"%s\", key = \"/nowhere.key\", ca = \"%s\" }", c.cert, c.ca);
    refuses(f, "a", tls, DZ_ECONFIG, "/nowhere.key");
    snprintf(tls, sizeof tls, "tls = { cert = \"%s\", key = \"%s\", ca = \"/nowhere.ca\" }", c.cert, c.key);
    refuses(f, "a", tls, DZ_ECONFIG, "/nowhere.ca");
    snprintf(tls, sizeof tls, "tls = { cert = \"%s\", key = \"%s\", ca = \"%s\" }", c.cert, c.other_key, c.ca);
    refuses(f, "a", tls, DZ_ECONFIG, c.other_key);
    refuses_locked_key(f, &c);
    snprintf(tls, sizeof tls, "tls = { cert = \"%s\", key = \"%s\", ca = \"%s\" }", c.cert, c.key, c.ca);
    assert_int_equal(hosted_join(f, "a", tls, NULL), 0);
    certificates_remove(&c);
}

/* --- two hosts that do not trust each other --- */

static const char distrust[] = "no link: the other side has another secret, or certificates of another authority";

static int times_told(struct hosted *f)
{
    int times = 0;
    hosted_log(f);
    for (const char *at = f->logged; (at = strstr(at, distrust)) != NULL; at++)
        times++;
    return times;
}

static bool is_told(struct hosted *f)
{
    return times_told(f) > 0;
}

static uint32_t node_count(struct hosted *f)
{
    dz_reader nodes;
    uint32_t count = 0;
    assert_int_equal(hosted_wait(f, dz_host_cluster_nodes(f->host, dz_answer_done, f->answer), &nodes), 0);
    assert_true(dz_reader_array(&nodes, &count));
    return count;
}

/* Each joins with its own settings; both go on alone, and each says once why, however often it dials again. */
static void keep_apart(struct hosted *f, const char *mine, const char *others)
{
    struct hosted *other;
    void *second;
    char more[1024];
    hosted_setup(&second);
    other = second;
    assert_int_equal(hosted_join(f, "a", mine, NULL), 0);
    snprintf(more, sizeof more, "reconnect_base_delay_ms = 10, reconnect_max_delay_ms = 20, seeds = { \"%.300s\" }, %s",
             dz_host_node(f->host), others);
    assert_int_equal(hosted_join(other, "b", more, NULL), 0);
    hosted_until(f, is_told);
    hosted_until(other, is_told);
    for (int i = 0; i < 20; i++)
        hosted_skip(other, 1000);
    assert_int_equal(times_told(f), 1);
    assert_int_equal(times_told(other), 1);
    assert_int_equal(node_count(f), 1);
    assert_int_equal(node_count(other), 1);
    expect_text(hosted_log(f), "warn");
    hosted_free(other);
}

static void hosts_with_different_secrets_say_so_once_and_stay_apart(void **state)
{
    keep_apart(*state, "secret = \"one\"", "secret = \"another\"");
}

static void a_host_without_the_secret_stays_apart_too(void **state)
{
    keep_apart(*state, "secret = \"one\"", "insecure = false");
}

static void certificates_of_different_authorities_keep_hosts_apart(void **state)
{
    struct certificates one, other;
    char mine[300], others[300];
    certificates_make(&one);
    certificates_make(&other);
    snprintf(mine, sizeof mine, "tls = { cert = \"%s\", key = \"%s\", ca = \"%s\" }", one.cert, one.key, one.ca);
    snprintf(others, sizeof others, "tls = { cert = \"%s\", key = \"%s\", ca = \"%s\" }", other.cert, other.key, other.ca);
    keep_apart(*state, mine, others);
    certificates_remove(&one);
    certificates_remove(&other);
}

/* A seed that takes the connection and says nothing keeps the first exchange open. */
static int silent_seed(char *seeds, size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(seeds, size, "seeds = { \"silent@127.0.0.1:%u\" }", ntohs(address.sin_port));
    return fd;
}

static void on_left(void *ctx, int err, const dz_reader *value)
{
    assert_int_equal(err, 0);
    seen_value(ctx, value);
}

static bool is_starting(struct hosted *f)
{
    return dz_join_is_on(f->host);
}

static void a_start_that_is_broken_off_is_answered_and_all_who_leave_are_told(void **state)
{
    struct hosted *f = *state;
    struct seen left = SEEN_INIT;
    char seeds[64], config[256];
    int fd = silent_seed(seeds, sizeof seeds);
    snprintf(config, sizeof config, "{ node_name = \"a\", host = \"127.0.0.1\", %s }", seeds);
    assert_int_equal(dz_host_cluster_start(f->host, hosted_value(f, config), dz_answer_done, f->answer), 0);
    hosted_until(f, is_starting);
    for (int i = 0; i < 3; i++)
        assert_int_equal(dz_host_cluster_stop(f->host, on_left, &left), 0);
    assert_int_equal(dz_answer_wait(f->answer, NULL), DZ_ESHUTDOWN);
    seen_await(&left, 3);
    assert_false(dz_join_is_on(f->host));
    close(fd);
}

static void a_seed_that_says_nothing_delays_the_answer_by_a_bounded_time(void **state)
{
    struct hosted *f = *state;
    char seeds[64], config[256];
    int fd = silent_seed(seeds, sizeof seeds);
    snprintf(config, sizeof config, "{ node_name = \"a\", host = \"127.0.0.1\", %s }", seeds);
    assert_int_equal(dz_host_cluster_start(f->host, hosted_value(f, config), dz_answer_done, f->answer), 0);
    hosted_until(f, is_starting);
    hosted_skip(f, 2100);
    assert_int_equal(dz_answer_wait(f->answer, NULL), 0);
    close(fd);
}

static void leaving_what_one_never_joined_is_done_at_once(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(leave(f), 0);
    assert_int_equal(f->host->join.state, DZ_JOIN_OFF);
}

static void two_hosts_meet_and_the_goodbye_is_heard(void **state)
{
    struct hosted *f = *state, *other;
    void *second;
    char seeds[512];
    dz_reader value, nodes;
    uint32_t count = 0;
    hosted_setup(&second);
    other = second;
    assert_int_equal(hosted_join(f, "a", "", &value), 0);
    snprintf(seeds, sizeof seeds, "seeds = { \"%.300s\" }", dz_host_node(f->host));
    assert_int_equal(hosted_join(other, "b", seeds, NULL), 0);
    assert_int_equal(hosted_wait(other, dz_host_cluster_nodes(other->host, dz_answer_done, other->answer), &nodes), 0);
    assert_true(dz_reader_array(&nodes, &count) && count == 2);
    hosted_free(other);
    do {
        assert_int_equal(hosted_wait(f, dz_host_cluster_nodes(f->host, dz_answer_done, f->answer), &nodes), 0);
        assert_true(dz_reader_array(&nodes, &count));
    } while (count > 1);
    expect_text(hosted_log(f), "goodbye");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(the_answer_is_the_node_id_with_the_port_that_was_free),
        HOSTED(it_may_be_left_and_joined_again),
        HOSTED(a_second_start_is_refused_and_names_what_the_host_is),
        HOSTED(an_address_in_use_is_named_and_another_is_taken_after_it),
        HOSTED(a_config_that_is_wrong_names_its_field),
        HOSTED(off_loopback_a_secret_is_needed_and_a_long_one),
        HOSTED(certificates_that_cannot_be_used_are_told_with_their_file),
        HOSTED(hosts_with_different_secrets_say_so_once_and_stay_apart),
        HOSTED(a_host_without_the_secret_stays_apart_too),
        HOSTED(certificates_of_different_authorities_keep_hosts_apart),
        HOSTED(a_start_that_is_broken_off_is_answered_and_all_who_leave_are_told),
        HOSTED(a_seed_that_says_nothing_delays_the_answer_by_a_bounded_time),
        HOSTED(leaving_what_one_never_joined_is_done_at_once),
        HOSTED(two_hosts_meet_and_the_goodbye_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
