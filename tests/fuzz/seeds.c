/* seeds.c - fuzz-seeds DIR: a small corpus for every target, made by the very encoders, so that it follows the formats.
 * Owns:    DIR/<target>/<number>, written anew.
 * Threads: one.
 * Fails:   by ending the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include "fuzz.h"
#include "net/channel.h"
#include "net/handshake.h"
#include "wishes.h"

static const char *root;

static void seed(const char *target, const void *data, size_t len)
{
    static char last[64];
    static unsigned number;
    char path[4096];
    number = strcmp(last, target) == 0 ? number + 1 : 0;
    snprintf(last, sizeof last, "%s", target);
    snprintf(path, sizeof path, "%s/%s", root, target);
    FUZZ_CHECK(mkdir(path, 0777) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/%s/%s-%03u", root, target, target, number);
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file);
    FUZZ_CHECK(fwrite(data, 1, len, file) == len);
    FUZZ_CHECK(fclose(file) == 0);
}

static void seed_text(const char *target, const char *text)
{
    seed(target, text, strlen(text));
}

/* --- terms, for `term` and `codec` --- */

static const char pid_text[] = "<a@127.0.0.1:4000/1000.1.1>";
static const char ref_text[] = "<ref a@127.0.0.1:4000/1000.1.1.7>";

static void build_scalars(struct dz_build *b)
{
    dz_build_array(b, 16);
    dz_build_nil(b);
    dz_build_bool(b, true);
    dz_build_int(b, 5);
    dz_build_int(b, -33);
    dz_build_int(b, 70000);
    dz_build_int(b, INT64_MIN);
    dz_build_uint(b, UINT64_MAX);
    dz_build_number(b, 1.5);
    dz_build_number(b, -0.0);
    dz_build_cstring(b, "");
    dz_build_cstring(b, "a text of more than thirty-one bytes, so that its length has a byte of its own");
    dz_build_pid(b, pid_text, strlen(pid_text));
    dz_build_ref(b, ref_text, strlen(ref_text));
    dz_build_int64(b, -1);
    dz_build_uint64(b, 1);
    dz_build_string(b, "a\0b", 3);
}

static void build_nested(struct dz_build *b)
{
    dz_build_map(b, 4);
    dz_build_kstring(b, "code", "error");
    dz_build_kstring(b, "message", "it broke");
    dz_build_key(b, "list");
    dz_build_array(b, 3);
    for (int i = 0; i < 3; i++) {
        dz_build_map(b, 2);
        dz_build_int(b, i);
        dz_build_number(b, i / 3.0);
        dz_build_kbool(b, "deep", i);
    }
    dz_build_int(b, 7);
    dz_build_nil(b);
}

static void build_deep(struct dz_build *b)
{
    for (int i = 0; i < 62; i++)
        dz_build_array(b, 1);
    dz_build_int(b, 1);
}

static void seed_term(const char *target, void (*build)(struct dz_build *b))
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    build(&b);
    FUZZ_CHECK(dz_build_done(&b) == 0);
    FUZZ_CHECK(dz_term_check(buf.data, buf.len, 0) == 0);
    seed(target, buf.data, buf.len);
    dz_buf_fini(&buf);
}

static void seed_terms(const char *target)
{
    seed_term(target, build_scalars);
    seed_term(target, build_nested);
    seed_term(target, build_deep);
}

/* --- specs --- */

static void build_spec(struct dz_build *b)
{
    dz_build_map(b, 6);
    dz_build_kstring(b, "name", "tree");
    dz_build_kstring(b, "strategy", "rest_for_one");
    dz_build_kstring(b, "auto_shutdown", "any_significant");
    dz_build_kstring(b, "node_selector", "round_robin");
    dz_build_key(b, "restart_intensity");
    dz_build_map(b, 2);
    dz_build_kint(b, "max_restarts", 5);
    dz_build_kint(b, "within_ms", 1000);
    dz_build_key(b, "children");
    dz_build_array(b, 2);
    dz_build_map(b, 8);
    dz_build_kstring(b, "id", "one");
    dz_build_kstring(b, "behavior", "probe");
    dz_build_key(b, "args");
    dz_build_array(b, 2);
    dz_build_int(b, 1);
    dz_build_cstring(b, "x");
    dz_build_kstring(b, "restart", "temporary");
    dz_build_kbool(b, "significant", true);
    dz_build_kstring(b, "shutdown_timeout", "brutal_kill");
    dz_build_key(b, "node_selector");
    dz_build_map(b, 1);
    dz_build_kstring(b, "node", "b@127.0.0.1:2");
    dz_build_key(b, "backoff");
    dz_build_map(b, 3);
    dz_build_kint(b, "base_ms", 10);
    dz_build_kint(b, "max_ms", 100);
    dz_build_kint(b, "reset_after_ms", 1000);
    dz_build_map(b, 2);
    dz_build_kstring(b, "id", "inner");
    dz_build_key(b, "supervisor");
    dz_build_map(b, 1);
    dz_build_key(b, "children");
    dz_build_array(b, 0);
}

static void build_template(struct dz_build *b)
{
    dz_build_map(b, 2);
    dz_build_kstring(b, "strategy", "simple_one_for_one");
    dz_build_key(b, "child_template");
    dz_build_map(b, 4);
    dz_build_kstring(b, "behavior", "probe");
    dz_build_kint(b, "start_timeout", 100);
    dz_build_kstring(b, "global", "g");
    dz_build_key(b, "mailbox");
    dz_build_map(b, 1);
    dz_build_kint(b, "max_messages", 10);
}

static void build_child(struct dz_build *b)
{
    dz_build_map(b, 4);
    dz_build_kstring(b, "id", "one");
    dz_build_kstring(b, "behavior", "probe");
    dz_build_kstring(b, "name", "local");
    dz_build_kstring(b, "shutdown_timeout", "infinity");
}

/* --- frames and greetings --- */

static void append(struct dz_buf *out, const struct dz_frame *frame)
{
    FUZZ_CHECK(dz_frame_encode(out, frame) == 0);
}

static void append_hello(struct dz_buf *out, enum dz_frame_type type)
{
    static const uint8_t attributes[] = {0x81, 0xa1, 'z', 0xa1, 'e'};
    struct dz_hello hello = {.version = DZ_NET_VERSION, .id = "a@127.0.0.1:1", .id_len = 13, .incarnation = 5,
                             .birth = 6, .to = "b@127.0.0.1:2", .to_len = 13, .dial = 1, .session = 77,
                             .attributes = attributes, .attributes_len = sizeof attributes};
    FUZZ_CHECK(dz_hello_encode(out, (uint8_t)type, &hello) == 0);
}

static void append_traffic(struct dz_buf *out)
{
    static const uint8_t big[1000] = {1, 2, 3};
    append(out, &(struct dz_frame){.type = DZ_FRAME_DATA, .number = 1, .key = 3, .data = big, .len = 20});
    append(out, &(struct dz_frame){.type = DZ_FRAME_FRAGMENT, .number = 2, .key = 4, .total = 2000, .lane = 1,
                                   .flags = DZ_FRAGMENT_FIRST, .data = big, .len = 1000});
    append(out, &(struct dz_frame){.type = DZ_FRAME_HEARTBEAT, .acknowledged = 1, .figures = {1, 2, 3, 4}});
    append(out, &(struct dz_frame){.type = DZ_FRAME_FRAGMENT, .number = 3, .key = 4, .total = 2000, .lane = 1,
                                   .flags = DZ_FRAGMENT_LAST, .data = big, .len = 1000});
    append(out, &(struct dz_frame){.type = DZ_FRAME_ACK, .acknowledged = 2});
    append(out, &(struct dz_frame){.type = DZ_FRAME_MEMBERSHIP, .data = big, .len = 9});
    append(out, &(struct dz_frame){.type = DZ_FRAME_GOODBYE});
}

/* On a connection of that sort, cut into pieces of `chunk` bytes. */
static void seed_link(uint8_t sort, uint8_t chunk, const struct dz_buf *bytes)
{
    struct dz_buf all;
    dz_buf_init(&all);
    FUZZ_CHECK(dz_buf_append_u8(&all, sort) == 0 && dz_buf_append_u8(&all, chunk) == 0);
    FUZZ_CHECK(dz_buf_append(&all, bytes->data, bytes->len) == 0);
    seed("link", all.data, all.len);
    dz_buf_fini(&all);
}

static void seed_client_hello(void)
{
    static const char secret[] = "fuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzz";
    struct dz_tls_context *context;
    struct dz_channel channel;
    FUZZ_CHECK(dz_tls_context_new_secret(&context, secret, sizeof secret - 1) == 0);
    FUZZ_CHECK(dz_channel_init(&channel, context, false) == 0);
    seed_link(1, 0, &channel.out);
    seed_link(1, 50, &channel.out);
    dz_channel_fini(&channel);
    dz_tls_context_delete(context);
}

static void seed_frames(void)
{
    struct dz_buf buf;
    dz_buf_init(&buf);
    append_traffic(&buf);
    seed("frame", buf.data, buf.len);
    seed_link(4, 0, &buf);
    seed_link(4, 7, &buf);
    dz_buf_clear(&buf);
    append(&buf, &(struct dz_frame){.type = DZ_FRAME_REFUSE, .version = 1, .reason = 4, .known_incarnation = 9});
    seed("frame", buf.data, buf.len);
    seed_link(2, 0, &buf);
    dz_buf_clear(&buf);
    append_hello(&buf, DZ_FRAME_HELLO);
    seed("hello", buf.data + DZ_FRAME_PREFIX + 1, buf.len - DZ_FRAME_PREFIX - 1);
    append(&buf, &(struct dz_frame){.type = DZ_FRAME_READY, .challenge = 1});
    seed("frame", buf.data, buf.len);
    seed_link(0, 0, &buf);
    seed_link(0, 33, &buf);
    dz_buf_clear(&buf);
    append_hello(&buf, DZ_FRAME_HELLO_ACK);
    append_traffic(&buf);
    seed_link(2, 0, &buf);
    dz_buf_fini(&buf);
    seed_client_hello();
    seed_text("hello", "a@127.0.0.1:1");
    seed_text("hello", "a@[::1]:65535");
}

/* --- placements --- */

static void append_place(struct dz_buf *out, uint8_t what, uint8_t slot, const char *path, const uint8_t *numbers, size_t count)
{
    size_t len = strlen(path);
    FUZZ_CHECK(dz_buf_append_u8(out, what) == 0 && dz_buf_append_u8(out, slot) == 0);
    FUZZ_CHECK(dz_buf_append_u16(out, (uint16_t)len) == 0 && dz_buf_append(out, path, len) == 0);
    FUZZ_CHECK(dz_buf_append_u16(out, (uint16_t)(count * 8)) == 0);
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(dz_buf_append_u64(out, numbers[i]) == 0);
}

static void seed_placements(void)
{
    static const uint8_t numbers[] = {1, 2, 3, 4};
    struct dz_buf buf;
    dz_buf_init(&buf);
    append_place(&buf, 4, 1, "tree", numbers, 1);
    append_place(&buf, 4, 2, "tree/inner", numbers, 2);
    append_place(&buf, 4 | 32, 3, "tree/inner/child", numbers, 3);
    append_place(&buf, 1, 3, "tree/inner", numbers + 1, 2);
    append_place(&buf, 1 | 2, 3, "tree", numbers + 1, 1);
    append_place(&buf, 8, 3, "tree", numbers + 3, 1);
    append_place(&buf, 128 | 4, 2, "tree/inner", numbers + 2, 2);
    seed("placement", buf.data, buf.len);
    dz_buf_fini(&buf);
}

/* --- the cluster: what two nodes really say --- */

struct record {
    struct dz_buf all[2]; /* of the session, and beside it, in a row */
};

static void append_piece(struct dz_buf *out, bool aside, const void *data, size_t len)
{
    FUZZ_CHECK(dz_buf_append_u8(out, aside) == 0 && dz_buf_append_u16(out, (uint16_t)len) == 0);
    FUZZ_CHECK(dz_buf_append(out, data, len) == 0);
}

static void note(void *ctx, bool aside, const void *data, size_t len)
{
    struct record *r = ctx;
    struct dz_buf one;
    FUZZ_CHECK(len < 65536);
    dz_buf_init(&one);
    append_piece(&one, aside, data, len);
    append_piece(&r->all[aside], aside, data, len);
    seed(aside ? "membership" : "cluster", one.data, one.len);
    dz_buf_fini(&one);
}

static void let_it_live(struct world *w)
{
    struct wish plain = {0}, placed = {.path = "tree/x", .epoch = {1, 2}, .depth = 2}, newer = {.path = "tree/x", .epoch = {1, 3}, .depth = 2};
    struct actor *a = host_actor(w, 0, 'A'), *b = host_actor(w, 1, 'B');
    struct dz_thread *t = &w->hosts[0].rig.threads[1];
    struct dz_pid far = world_pid(w, 1, b->proc.pid, 0);
    uint64_t ref;
    spawn(w, a, 1, &plain);
    world_settle(w);
    spawn(w, a, 1, &placed);
    world_settle(w);
    spawn(w, a, 1, &newer);
    world_run(w, 50);
    host_call(w, 0, a, far, 3);
    FUZZ_CHECK(actor_send(t, DZ_MSG_CAST, a->proc.pid, far, 0, 1) == 0);
    rig_enter(a);
    FUZZ_CHECK(dz_bond_monitor(t, &a->proc, far, &ref) == 0);
    FUZZ_CHECK(dz_bond_link(t, &a->proc, far) == 0);
    dz_process_rest(t, &a->proc);
    dz_cluster_global_register(w->hosts[1].cluster, "name", 4, b->proc.pid, DZ_PID_NONE, 0);
    world_run(w, 50);
    (void)dz_cluster_global_unregister(w->hosts[1].cluster, "name", 4);
    world_run(w, 20);
    dz_send_signal(t, DZ_MSG_STOP, a->proc.pid, far, 0, w->hosts[0].rig.rt.reasons[DZ_REASON_SHUTDOWN]);
    world_run(w, 50);
}

static void seed_cluster(void)
{
    struct world *w = malloc(sizeof *w);
    struct record r;
    dz_buf_init(&r.all[0]);
    dz_buf_init(&r.all[1]);
    world_init(w, 3);
    w->net.tap = note;
    w->net.tap_ctx = &r;
    world_mesh(w);
    let_it_live(w);
    mem_net_mute(&w->net, 0, 1, true); /* a suspect: the third is asked, and answers */
    world_run(w, 2000);
    mem_net_mute(&w->net, 0, 1, false);
    world_run(w, 12000); /* the lists of nodes */
    mem_net_kill(&w->net, 2); /* a verdict */
    world_run(w, 50);
    w->net.tap = NULL;
    seed("cluster", r.all[0].data, r.all[0].len);
    seed("membership", r.all[1].data, r.all[1].len);
    dz_buf_fini(&r.all[0]);
    dz_buf_fini(&r.all[1]);
    world_fini(w);
    free(w);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz-seeds DIR\n");
        return 2;
    }
    root = argv[1];
    FUZZ_CHECK(mkdir(root, 0777) == 0 || errno == EEXIST);
    seed_terms("term");
    seed_terms("codec");
    seed_term("spec", build_spec);
    seed_term("spec", build_template);
    seed_term("spec", build_child);
    seed_text("pid", pid_text);
    seed_text("pid", ref_text);
    seed_text("pid", "<local@127.0.0.1:0/555.4294967295.4294967295>");
    seed_text("pid", "node@host.example:65535");
    seed_placements();
    seed_frames();
    seed_cluster();
    return 0;
}
