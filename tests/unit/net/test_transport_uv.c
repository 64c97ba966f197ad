#include "nodes.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificates.h"

#define SECRET "correct horse battery staple 123"

static void exchange(const char *secret)
{
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", secret);
    node_open(&w, &b, "b", secret);
    node_connect(&a, &b);
    assert_string_equal(a.peer_id, b.id);
    assert_string_equal(b.peer_id, a.id);
    assert_string_equal(b.peer_attributes, a.id);
    assert_string_equal(a.peer_known, "known");
    assert_int_equal(a.peer_secured, secret != NULL);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(node_send(&a, 1, i), 0);
        assert_int_equal(node_send(&b, 2, i), 0);
    }
    struct dz_peer_figures figures = {.counter = 7, .processes = 8, .load = 9, .flags = 10};
    assert_int_equal(a.base->ops->heartbeat(a.base, a.peer, &figures), 0);
    assert_int_equal(a.base->ops->send_membership(a.base, a.peer, "rumour", 6), 0);
    wait_until(&w, b.messages == 100 && a.messages == 100 && b.heartbeats == 1 && b.memberships == 1);
    assert_int_equal(a.disorder + b.disorder, 0);
    assert_int_equal(b.figures.counter, figures.counter);
    assert_int_equal(b.figures.processes, figures.processes);
    assert_int_equal(b.figures.load, figures.load);
    assert_int_equal(b.figures.flags, figures.flags);
    wait_until(&w, a.base->ops->backlog(a.base, a.peer) == 0 && b.base->ops->backlog(b.base, b.peer) == 0);
    assert_true(a.base->ops->last_heard(a.base, a.peer) > 0);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void two_nodes_connect_and_exchange_in_plain_text(void **state)
{
    (void)state;
    exchange(NULL);
}

static void two_nodes_connect_and_exchange_over_tls(void **state)
{
    (void)state;
    exchange(SECRET);
}

static void certificates_take_the_place_of_a_secret_and_names_are_resolved(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    struct certificates files;
    world_open(&w);
    certificates_make(&files);
    struct dz_transport_uv_config config = node_config(&w, &a);
    config.tls_cert = files.cert;
    config.tls_key = files.key;
    config.tls_ca = files.ca;
    config.listen_host = "127.1"; /* a form only the resolver knows */
    node_open_with(&w, &a, "a", &config, 1);
    config.ctx = &b;
    config.birth++;
    node_open_with(&w, &b, "b", &config, 1);
    assert_int_equal(a.base->ops->dial(a.base, b.id, "127.1", b.port), 0);
    wait_until(&w, a.ups == 1 && b.ups == 1);
    assert_true(a.peer_secured && b.peer_secured);
    assert_int_equal(node_send(&a, 1, 0), 0);
    wait_until(&w, b.messages == 1);
    node_close(&a);
    node_close(&b);
    certificates_remove(&files);
    world_close(&w);
}

static void closing_while_a_name_is_resolved_waits_for_it(void **state)
{
    (void)state;
    struct world w;
    struct node a;
    world_open(&w);
    node_open(&w, &a, "a", NULL);
    assert_int_equal(a.base->ops->dial(a.base, "x@no-such-host.invalid:1", NULL, 0), 0);
    node_close(&a);
    world_close(&w);
}

static void simultaneous_dialling_leaves_one_link_and_no_event(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        struct world w;
        struct node a, b;
        world_open(&w);
        node_open(&w, &a, "a", round % 2 ? SECRET : NULL);
        node_open(&w, &b, "b", round % 2 ? SECRET : NULL);
        assert_int_equal(node_dial(&a, &b), 0);
        assert_int_equal(node_dial(&b, &a), 0);
        wait_until(&w, a.ups && b.ups);
        run_for(&w, 60);
        assert_int_equal(a.ups, 1);
        assert_int_equal(b.ups, 1);
        assert_int_equal(a.resumes + b.resumes + a.failures + b.failures, 0);
        for (size_t i = 0; i <= DZ_PEER_REPLACED; i++)
            assert_int_equal(a.closes[i] + b.closes[i], 0);
        assert_int_equal(node_stats(&a).connections, 1);
        assert_int_equal(node_stats(&b).connections, 1);
        assert_int_equal(node_send(&a, 1, 0), 0);
        assert_int_equal(node_send(&b, 1, 0), 0);
        wait_until(&w, a.messages == 1 && b.messages == 1);
        node_close(&a);
        node_close(&b);
        world_close(&w);
    }
}

static void three_nodes_form_a_mesh(void **state)
{
    (void)state;
    struct world w;
    struct node n[3];
    const char *names[] = {"a", "b", "c"};
    world_open(&w);
    for (int i = 0; i < 3; i++)
        node_open(&w, &n[i], names[i], SECRET);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            if (i != j)
                assert_int_equal(node_dial(&n[i], &n[j]), 0);
    wait_until(&w, n[0].ups == 2 && n[1].ups == 2 && n[2].ups == 2);
    run_for(&w, 50);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(node_stats(&n[i]).connections, 2);
        assert_int_equal(n[i].ups, 2);
        assert_int_equal(n[i].resumes, 0);
    }
    for (int i = 0; i < 3; i++)
        node_close(&n[i]);
    world_close(&w);
}

static void cut_and_resume(const char *secret, bool both_dial)
{
    struct world w;
    struct node a, b;
    uint32_t sent = 0;
    world_open(&w);
    node_open(&w, &a, "a", secret);
    node_open(&w, &b, "b", secret);
    if (both_dial)
        assert_int_equal(node_dial(&b, &a), 0);
    node_connect(&a, &b);
    for (unsigned cut = 1; cut <= 12; cut++) {
        wait_until(&w, node_stats(&a).connections == 1 && node_stats(&b).connections == 1);
        for (int i = 0; i < 40; i++, sent++) {
            size_t len = i % 10 == 0 ? 200000 : 100;
            assert_int_equal(node_send_sized(&a, 1, sent, len), 0);
            assert_int_equal(node_send_sized(&b, 1, sent, len), 0);
        }
        for (unsigned turns = 0; turns < cut; turns++)
            uv_run(&w.loop, UV_RUN_NOWAIT);
        struct node *cutter = cut % 2 ? &a : &b;
        unsigned a_resumes = a.resumes, b_resumes = b.resumes;
        assert_true(dz_transport_uv_cut(cutter->t, cutter->peer));
        wait_until(&w, a.resumes > a_resumes && b.resumes > b_resumes);
    }
    wait_until(&w, a.messages >= sent && b.messages >= sent);
    assert_int_equal(a.disorder + b.disorder, 0);
    assert_int_equal(a.messages, sent);
    assert_int_equal(b.messages, sent);
    assert_int_equal(a.ups, 1);
    assert_int_equal(b.ups, 1);
    assert_int_equal(a.closes[DZ_PEER_RESET] + b.closes[DZ_PEER_RESET], 0);
    wait_until(&w, node_stats(&a).connections == 1 && node_stats(&b).connections == 1);
    wait_until(&w, a.base->ops->backlog(a.base, a.peer) == 0 && b.base->ops->backlog(b.base, b.peer) == 0);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void a_cut_connection_is_resumed_with_nothing_lost_doubled_or_reordered(void **state)
{
    (void)state;
    cut_and_resume(NULL, false);
    cut_and_resume(SECRET, true);
}

static void the_redial_of_a_dead_node_is_refused_and_reported(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", NULL);
    node_open(&w, &b, "b", NULL);
    node_connect(&a, &b);
    uint64_t start = dz_env_now_ms(&w.env);
    node_close(&b);
    wait_until(&w, a.closes[DZ_PEER_REFUSED] > 0);
    assert_true(dz_env_now_ms(&w.env) - start < 1000);
    assert_int_equal(a.closes[DZ_PEER_EOF] + a.closes[DZ_PEER_ERROR], 1);
    assert_int_equal(node_send(&a, 1, 0), 0); /* the session is open until its owner ends it */
    a.base->ops->close_peer(a.base, a.peer, false);
    assert_int_equal(node_send(&a, 1, 0), DZ_ENOCONNECTION);
    unsigned refused = a.closes[DZ_PEER_REFUSED];
    run_for(&w, 60);
    assert_int_equal(a.closes[DZ_PEER_REFUSED], refused);
    node_close(&a);
    world_close(&w);
}

static void a_seed_that_is_not_up_yet_is_dialled_until_it_is(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", NULL);
    node_open(&w, &b, "b", NULL);
    uint16_t port = b.port;
    node_close(&b);
    assert_int_equal(node_dial(&a, &b), 0);
    wait_until(&w, a.failures == 1 && a.failure == DZ_REFUSAL_CONNECT);
    run_for(&w, 60);
    assert_int_equal(a.failures, 1); /* said once */
    struct dz_transport_uv_config config = node_config(&w, &b);
    config.listen_port = port;
    node_open_with(&w, &b, "b", &config, 1);
    wait_until(&w, a.ups == 1 && b.ups == 1);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static bool raw_ended(int fd)
{
    char byte[256];
    ssize_t got = recv(fd, byte, sizeof(byte), MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static void garbage_to(const char *secret)
{
    static const struct {
        const char *bytes;
        size_t len;
    } inputs[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10},
        {"\x16\x03\x01\xff\xff\x01\x00\xff\xff", 9},
        {"\x16\x03\x01\x00\x08\x02\x00\x00\x04zzzz", 13},
        {"\x00\x00\x00\x01\x07zzzzzzzz", 13},
        {"\x00\xff\xff\xff\x01zzzzzzzz", 13},
        {"\x00\x00\x00\x0a\x01zzzzzzzzzzz", 16},
    };
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", secret);
    node_open(&w, &b, "b", secret);
    node_connect(&a, &b);
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        int fd = raw_connect(a.port);
        assert_int_equal(send(fd, inputs[i].bytes, inputs[i].len, MSG_NOSIGNAL), (ssize_t)inputs[i].len);
        wait_until(&w, node_stats(&a).garbage == i + 1);
        wait_until(&w, raw_ended(fd));
        close(fd);
    }
    assert_int_equal(a.failures, 1);
    assert_int_equal(a.failure, DZ_REFUSAL_GARBAGE);
    assert_int_equal(node_stats(&a).handshakes, 0);
    assert_int_equal(node_send(&a, 1, 0), 0);
    wait_until(&w, b.messages == 1);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void garbage_closes_its_connection_and_changes_nothing_else(void **state)
{
    (void)state;
    garbage_to(NULL);
    garbage_to(SECRET);
}

static void half_open_connections_time_out_and_are_limited(void **state)
{
    (void)state;
    struct world w;
    struct node a;
    int fd[5];
    world_open(&w);
    struct dz_transport_uv_config config = node_config(&w, &a);
    config.handshake_timeout_ms = 80;
    config.max_handshakes = 3;
    node_open_with(&w, &a, "a", &config, 1);
    for (int i = 0; i < 5; i++)
        fd[i] = raw_connect(a.port);
    assert_int_equal(send(fd[0], "\0\0", 2, MSG_NOSIGNAL), 2);
    wait_until(&w, node_stats(&a).accepted == 5);
    assert_int_equal(node_stats(&a).handshakes, 3);
    assert_int_equal(node_stats(&a).refused, 2);
    wait_until(&w, node_stats(&a).timeouts == 3);
    assert_int_equal(node_stats(&a).handshakes, 0);
    for (int i = 0; i < 5; i++) {
        wait_until(&w, raw_ended(fd[i]));
        close(fd[i]);
    }
    node_close(&a);
    world_close(&w);
}

static void mismatch(const char *one, const char *other)
{
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", one);
    node_open(&w, &b, "b", other);
    assert_int_equal(node_dial(&a, &b), 0);
    wait_until(&w, node_stats(&a).secret_mismatches >= 3 && node_stats(&b).secret_mismatches >= 3);
    assert_int_equal(a.failures, 1);
    assert_int_equal(b.failures, 1);
    assert_int_equal(a.failure, DZ_REFUSAL_SECRET);
    assert_int_equal(b.failure, DZ_REFUSAL_SECRET);
    assert_int_equal(a.ups + b.ups, 0);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void a_wrong_secret_is_reported_once_on_both_sides(void **state)
{
    (void)state;
    mismatch(SECRET, "another secret");
    mismatch(SECRET, NULL);
    mismatch(NULL, SECRET);
}

static void a_taken_port_is_address_in_use(void **state)
{
    (void)state;
    struct world w;
    struct node a, b = {.world = &w};
    uint16_t port;
    world_open(&w);
    node_open(&w, &a, "a", NULL);
    struct dz_transport_uv_config config = node_config(&w, &b);
    config.listen_port = a.port;
    assert_int_equal(dz_transport_uv_new(&b.t, &config), 0);
    assert_int_equal(dz_transport_uv_open(b.t, &port), DZ_EADDRINUSE);
    node_close(&b);
    node_close(&a);
    world_close(&w);
}

static void a_transport_that_was_never_opened_closes_like_any_other(void **state)
{
    (void)state;
    struct world w;
    struct node a = {.world = &w};
    world_open(&w);
    struct dz_transport_uv_config config = node_config(&w, &a);
    assert_int_equal(dz_transport_uv_new(&a.t, &config), 0);
    node_close(&a);
    config.tls_cert = "/nonexistent";
    assert_int_equal(dz_transport_uv_new(&a.t, &config), DZ_ECONFIG);
    config.tls_key = config.tls_ca = "/nonexistent";
    assert_int_equal(dz_transport_uv_new(&a.t, &config), DZ_ECONFIG);
    world_close(&w);
}

static void a_goodbye_comes_after_everything_sent_before_it(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", SECRET);
    node_open(&w, &b, "b", SECRET);
    node_connect(&a, &b);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(node_send_sized(&a, 1, i, 300000), 0);
    a.base->ops->close_peer(a.base, a.peer, true);
    assert_int_equal(node_send(&a, 1, 20), DZ_ENOCONNECTION);
    wait_until(&w, b.closes[DZ_PEER_GOODBYE] == 1);
    assert_int_equal(b.messages, 20);
    assert_int_equal(b.disorder, 0);
    wait_until(&w, node_stats(&a).connections == 0 && node_stats(&b).connections == 0);
    run_for(&w, 60);
    assert_int_equal(a.ups + b.ups, 2);
    for (size_t i = 0; i <= DZ_PEER_REPLACED; i++)
        assert_int_equal(a.closes[i] + b.closes[i], i == DZ_PEER_GOODBYE);
    assert_int_equal(node_dial(&b, &a), 0);
    wait_until(&w, a.ups == 2 && b.ups == 2);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void node_stopped(void *ctx)
{
    ((struct node *)ctx)->stopped = true;
}

static void stop_says_goodbye_to_all_and_refuses_who_comes(void **state)
{
    (void)state;
    struct world w;
    struct node a, b, c;
    world_open(&w);
    node_open(&w, &a, "a", NULL);
    node_open(&w, &b, "b", NULL);
    node_open(&w, &c, "c", NULL);
    node_connect(&a, &b);
    uint64_t first = a.peer;
    node_connect(&c, &a);
    a.base->ops->stop(a.base, node_stopped, &a);
    assert_int_equal(a.base->ops->send(a.base, first, 1, "x", 1, 0), DZ_ENOCONNECTION);
    assert_int_equal(node_dial(&a, &b), DZ_ECLOSED);
    wait_until(&w, a.stopped && b.closes[DZ_PEER_GOODBYE] == 1 && c.closes[DZ_PEER_GOODBYE] == 1);
    assert_int_equal(node_dial(&b, &a), 0);
    wait_until(&w, b.failures == 1 && b.failure == DZ_REFUSAL_STOPPING);
    node_close(&a);
    node_close(&b);
    node_close(&c);
    world_close(&w);
}

static void a_session_that_one_side_ended_is_reset_on_the_other(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", SECRET);
    node_open(&w, &b, "b", SECRET);
    node_connect(&a, &b);
    assert_int_equal(node_send(&a, 1, 0), 0);
    wait_until(&w, b.messages == 1);
    a.base->ops->close_peer(a.base, a.peer, false);
    wait_until(&w, a.ups == 2 && b.ups == 2);
    assert_int_equal(b.closes[DZ_PEER_RESET], 1);
    assert_int_equal(a.closes[DZ_PEER_RESET] + a.closes[DZ_PEER_EOF], 0);
    assert_int_equal(node_send(&b, 2, 0), 0);
    wait_until(&w, a.messages == 1);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void a_newer_incarnation_replaces_the_older_and_never_the_other_way(void **state)
{
    (void)state;
    struct world w;
    struct node a, old, new;
    world_open(&w);
    node_open(&w, &a, "a", NULL);
    node_open(&w, &old, "b", NULL);
    node_connect(&old, &a);
    /* The same node id on another port, as a restarted host behind the same address would be. */
    struct dz_transport_uv_config config = node_config(&w, &new);
    memset(&new, 0, sizeof(new));
    new.world = &w;
    uint16_t port;
    assert_int_equal(dz_transport_uv_new(&new.t, &config), 0);
    assert_int_equal(dz_transport_uv_open(new.t, &port), 0);
    assert_int_equal(dz_transport_uv_start(new.t, old.id, 1), 0);
    new.base = dz_transport_uv_base(new.t);
    assert_int_equal(node_dial(&new, &a), 0);
    wait_until(&w, new.failures == 1);
    assert_int_equal(new.failure, DZ_REFUSAL_STALE); /* as new as what is known, but another life */
    assert_int_equal(new.known_incarnation, 1);
    assert_int_equal(a.closes[DZ_PEER_REPLACED], 0);
    assert_int_equal(new.base->ops->set_incarnation(new.base, new.known_incarnation + 1), 0);
    assert_int_equal(node_dial(&new, &a), 0);
    wait_until(&w, new.ups == 1 && a.ups == 2);
    assert_int_equal(a.closes[DZ_PEER_REPLACED], 1);
    assert_int_equal(a.peer_incarnation, 2);
    assert_int_equal(new.base->ops->set_incarnation(new.base, 9), DZ_EEXIST);
    node_close(&old);
    node_close(&new);
    node_close(&a);
    world_close(&w);
}

static void a_link_to_oneself_or_to_somebody_else_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", SECRET);
    node_open(&w, &b, "b", SECRET);
    assert_int_equal(node_dial(&a, &a), 0);
    wait_until(&w, a.failures == 2); /* both ends of it are ours */
    assert_int_equal(a.failure, DZ_REFUSAL_SELF);
    assert_int_equal(a.base->ops->dial(a.base, "x@10.0.0.1:1", "127.0.0.1", b.port), 0);
    wait_until(&w, a.failures == 3 && b.failures == 1);
    assert_int_equal(a.failure, DZ_REFUSAL_WRONG_RECEIVER);
    a.base->ops->forget(a.base, "x@10.0.0.1:1");
    b.admit = DZ_REFUSAL_DENIED;
    assert_int_equal(node_dial(&a, &b), 0);
    wait_until(&w, a.failures == 4);
    assert_int_equal(a.failure, DZ_REFUSAL_DENIED);
    b.admit = DZ_REFUSAL_NONE;
    wait_until(&w, a.ups == 1);
    assert_int_equal(a.base->ops->dial(a.base, "nonsense", NULL, 0), DZ_ENODEID);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void a_full_session_refuses_and_tells_when_it_is_writable_again(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    struct dz_transport_uv_config config = node_config(&w, &a);
    config.session_limit = 1024 * 1024;
    node_open_with(&w, &a, "a", &config, 1);
    node_open(&w, &b, "b", NULL);
    node_connect(&a, &b);
    uint32_t sent = 0;
    int err;
    while ((err = node_send_sized(&a, 1, sent, 50000)) == 0)
        sent++;
    assert_int_equal(err, DZ_EOVERLOADED);
    assert_true(a.base->ops->backlog(a.base, a.peer) <= config.session_limit);
    uint8_t signal[4];
    memcpy(signal, &sent, sizeof(sent));
    assert_int_equal(a.base->ops->send(a.base, a.peer, 1, signal, 4, DZ_SEND_RESERVED), 0);
    wait_until(&w, a.writables == 1);
    wait_until(&w, b.messages == sent + 1);
    assert_int_equal(b.disorder, 0);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void the_largest_message_passes_and_a_small_one_overtakes_it(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", SECRET);
    node_open(&w, &b, "b", SECRET);
    node_connect(&a, &b);
    assert_int_equal(node_send_sized(&a, 1, 0, DZ_NET_MAX_MESSAGE), 0);
    assert_int_equal(node_send(&a, 2, 0), 0);
    assert_int_equal(a.base->ops->send(a.base, a.peer, 1, "", DZ_NET_MAX_MESSAGE + 1, 0), DZ_ETOOLARGE);
    wait_until(&w, b.messages == 1);
    assert_int_equal(b.last_len, 64);
    wait_until(&w, b.messages == 2);
    assert_int_equal(b.last_len, DZ_NET_MAX_MESSAGE);
    assert_int_equal(b.disorder, 0);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

#define THREADS    4
#define PER_THREAD 2000

struct sender {
    struct node *node;
    uint64_t key;
    unsigned refused;
};

static void *send_many(void *arg)
{
    struct sender *s = arg;
    for (uint32_t i = 0; i < PER_THREAD; i++) {
        size_t len = i % 100 == 0 ? 70000 : 40;
        int err;
        while ((err = node_send_sized(s->node, s->key, i, len)) == DZ_EOVERLOADED)
            usleep(100); /* the loop runs in the other thread and makes room */
        s->refused += err != 0;
    }
    return NULL;
}

static void threads_send_at_once_and_each_keeps_its_order(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", SECRET);
    node_open(&w, &b, "b", SECRET);
    node_connect(&a, &b);
    pthread_t thread[THREADS];
    struct sender sender[THREADS];
    for (int i = 0; i < THREADS; i++) {
        sender[i] = (struct sender){.node = &a, .key = (uint64_t)i};
        assert_int_equal(pthread_create(&thread[i], NULL, send_many, &sender[i]), 0);
    }
    wait_until(&w, b.messages >= THREADS * PER_THREAD / 3);
    assert_true(dz_transport_uv_cut(b.t, b.peer));
    wait_until(&w, b.messages == THREADS * PER_THREAD);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(sender[i].refused, 0);
        assert_int_equal(b.next[i], PER_THREAD);
    }
    assert_int_equal(b.disorder, 0);
    assert_int_equal(a.ups + b.ups, 2);
    node_close(&a);
    node_close(&b);
    world_close(&w);
}

static void drain_delivers_what_has_arrived(void **state)
{
    (void)state;
    struct world w;
    struct node a, b;
    world_open(&w);
    node_open(&w, &a, "a", NULL);
    node_open(&w, &b, "b", NULL);
    node_connect(&a, &b);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(node_send(&a, 1, i), 0);
    /* Over loopback what was written has arrived; no loop runs in between. */
    b.base->ops->drain(b.base);
    assert_int_equal(b.messages, 10);
    node_close(&a);
    b.base->ops->drain(b.base);
    wait_until(&w, b.closes[DZ_PEER_EOF] + b.closes[DZ_PEER_ERROR] == 1);
    node_close(&b);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_connect_and_exchange_in_plain_text),
        cmocka_unit_test(two_nodes_connect_and_exchange_over_tls),
        cmocka_unit_test(certificates_take_the_place_of_a_secret_and_names_are_resolved),
        cmocka_unit_test(closing_while_a_name_is_resolved_waits_for_it),
        cmocka_unit_test(simultaneous_dialling_leaves_one_link_and_no_event),
        cmocka_unit_test(three_nodes_form_a_mesh),
        cmocka_unit_test(a_cut_connection_is_resumed_with_nothing_lost_doubled_or_reordered),
        cmocka_unit_test(the_redial_of_a_dead_node_is_refused_and_reported),
        cmocka_unit_test(a_seed_that_is_not_up_yet_is_dialled_until_it_is),
        cmocka_unit_test(garbage_closes_its_connection_and_changes_nothing_else),
        cmocka_unit_test(half_open_connections_time_out_and_are_limited),
        cmocka_unit_test(a_wrong_secret_is_reported_once_on_both_sides),
        cmocka_unit_test(a_taken_port_is_address_in_use),
        cmocka_unit_test(a_transport_that_was_never_opened_closes_like_any_other),
        cmocka_unit_test(a_goodbye_comes_after_everything_sent_before_it),
        cmocka_unit_test(stop_says_goodbye_to_all_and_refuses_who_comes),
        cmocka_unit_test(a_session_that_one_side_ended_is_reset_on_the_other),
        cmocka_unit_test(a_newer_incarnation_replaces_the_older_and_never_the_other_way),
        cmocka_unit_test(a_link_to_oneself_or_to_somebody_else_is_refused),
        cmocka_unit_test(a_full_session_refuses_and_tells_when_it_is_writable_again),
        cmocka_unit_test(the_largest_message_passes_and_a_small_one_overtakes_it),
        cmocka_unit_test(threads_send_at_once_and_each_keeps_its_order),
        cmocka_unit_test(drain_delivers_what_has_arrived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
