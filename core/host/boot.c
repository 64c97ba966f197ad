/* boot.c - see boot.h.
 * Owns:    struct boot_run, freed with its last callback.
 * Threads: see boot.h.
 * Fails:   see boot.h. */
#include "host/boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "host/host.h"
#include "host/values.h"
#include "proc/request.h"
#include "term/build.h"
#include "term/read.h"

#define LOOK_EVERY_MS 20u
#define WARN_AFTER_MS 10000u

/* --- the launcher's side --- */

static void write_nodes(struct dz_build *b, const struct dz_up_settings *up)
{
    dz_build_key(b, "nodes");
    dz_build_array(b, (uint32_t)up->node_count);
    for (size_t i = 0; i < up->node_count; i++)
        dz_build_cstring(b, up->nodes[i].id);
}

/* The node's own settings: the common ones with its id, its attributes, and (unless given) all nodes as seeds. */
static int write_cluster(struct dz_buf *out, const struct dz_up_settings *up, size_t node)
{
    struct dz_config_error error;
    struct dz_cluster_settings s = up->cluster;
    struct dz_config_list all = { NULL, 0 };
    const struct dz_up_node *n = &up->nodes[node];
    s.node_name = s.host = NULL;
    if (n->attributes.data)
        s.attributes = n->attributes;
    int err = dz_cluster_settings_set_id(&s, n->id, &error);
    for (size_t i = 0; i < up->node_count && !err; i++)
        err = dz_config_list_push(&all, up->nodes[i].id, strlen(up->nodes[i].id));
    if (!s.seeds.count)
        s.seeds = all;
    if (!err)
        err = dz_cluster_settings_write(&s, out);
    dz_config_list_fini(&all);
    dz_free(s.node_name);
    dz_free(s.host);
    return err;
}

int dz_boot_write(struct dz_buf *out, const struct dz_up_settings *up, size_t node)
{
    struct dz_build b;
    struct dz_buf cluster;
    bool starts = node == 0 && up->supervisors.data;
    dz_buf_init(&cluster);
    int err = write_cluster(&cluster, up, node);
    if (!err) {
        dz_build_init(&b, out);
        dz_build_map(&b, starts ? 3 : 2);
        dz_build_kraw(&b, "cluster", cluster.data, cluster.len);
        write_nodes(&b, up);
        if (starts)
            dz_build_kraw(&b, "supervisors", up->supervisors.data, up->supervisors.len);
        err = dz_build_done(&b);
    }
    dz_buf_fini(&cluster);
    return err;
}

/* --- the node's side: reading --- */

static int read_all(struct dz_buf *out, int fd)
{
    for (;;) {
        int err = dz_buf_reserve(out, 4096);
        if (err)
            return err;
        ssize_t n = read(fd, out->data + out->len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? DZ_OK : DZ_EIO;
        out->len += (size_t)n;
    }
}

static bool part(const struct dz_boot *boot, const char *key, const uint8_t **data, size_t *len)
{
    struct dz_read r;
    return dz_read_find(boot->bytes.data, boot->bytes.len, key, &r) && dz_read_skip(&r, data, len) == DZ_OK;
}

static int check(struct dz_boot *boot)
{
    int err = dz_term_check(boot->bytes.data, boot->bytes.len, 0);
    if (err)
        return err;
    bool whole = part(boot, "cluster", &boot->cluster, &boot->cluster_len) &&
                 part(boot, "nodes", &boot->nodes, &boot->nodes_len);
    part(boot, "supervisors", &boot->supervisors, &boot->supervisors_len);
    return whole ? DZ_OK : DZ_EFORMAT;
}

int dz_boot_read(struct dz_boot *boot, int fd)
{
    memset(boot, 0, sizeof *boot);
    dz_buf_init(&boot->bytes);
    boot->bytes.limit = DZ_TERM_MAX_BYTES;
    int err = read_all(&boot->bytes, fd);
    close(fd);
    return err ? err : check(boot);
}

int dz_boot_take(struct dz_boot *boot, struct dz_buf *bytes)
{
    memset(boot, 0, sizeof *boot);
    boot->bytes = *bytes;
    dz_buf_init(bytes);
    return check(boot);
}

void dz_boot_fini(struct dz_boot *boot)
{
    dz_buf_fini(&boot->bytes);
}

/* --- the node's side: supervisors once all are there --- */

struct boot_run {
    struct dz_host *host;
    struct dz_boot *boot;
    struct dz_read specs; /* those left to start */
    uint32_t left;
    uint64_t began_ms;
    bool warned;
};

static void look(struct boot_run *run, struct dz_thread *t);

static bool is_up(const uint8_t *records, size_t len, const char *id, size_t id_len)
{
    struct dz_read r;
    uint32_t count;
    dz_read_init(&r, records, len);
    if (dz_read_array(&r, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *record;
        size_t record_len, n;
        const char *s;
        if (dz_read_skip(&r, &record, &record_len))
            return false;
        if (!dz_read_find_string(record, record_len, "id", &s, &n) || n != id_len || memcmp(s, id, n) != 0)
            continue;
        return dz_read_find_string(record, record_len, "status", &s, &n) && n == 2 && memcmp(s, "up", 2) == 0;
    }
    return false;
}

/* The first node that is not up, in *id; false when all are. */
static bool find_missing(const struct boot_run *run, const uint8_t *records, size_t len, const char **id, size_t *id_len)
{
    struct dz_read r;
    uint32_t count = 0;
    dz_read_init(&r, run->boot->nodes, run->boot->nodes_len);
    if (dz_read_array(&r, &count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (dz_read_string(&r, id, id_len) == DZ_OK && !is_up(records, len, *id, *id_len))
            return true;
    return false;
}

static void start_next(struct boot_run *run);

static void started(void *ctx, int err, const dz_reader *value)
{
    struct boot_run *run = ctx;
    if (!err) {
        start_next(run);
        return;
    }
    dz_reader message;
    char text[1024] = "";
    if (!dz_reader_find(value, "message", &message) || dz_reader_print(&message, text, sizeof text) == 0)
        dz_reader_print(value, text, sizeof text);
    if (err != DZ_ECLOSED)
        fprintf(stderr, "dozor: a supervisor did not start: %s: %s\n", dz_error_name(err), text);
    dz_host_stop(run->host, 1);
    dz_free(run);
}

static void start_next(struct boot_run *run)
{
    const uint8_t *data;
    size_t len;
    if (run->left == 0 || dz_read_skip(&run->specs, &data, &len)) {
        dz_free(run);
        return;
    }
    run->left--;
    dz_builder *spec = dz_builder_new();
    dz_reader reader = { data, data + len, NULL };
    int err = spec ? DZ_OK : DZ_ENOMEM;
    if (spec)
        dz_builder_copy(spec, &reader);
    if (!err)
        err = dz_host_start_supervisor(run->host, spec, started, run);
    dz_builder_delete(spec);
    if (err)
        dz_free(run);
}

static void waited(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    if (err == DZ_ETIMEOUT)
        look(ctx, t);
    else
        dz_free(ctx);
}

static void warn_missing(struct boot_run *run, struct dz_thread *t, const char *id, size_t len)
{
    char name[DZ_NODE_ID_MAX];
    if (run->warned || dz_env_now_ms(t->rt->env) - run->began_ms < WARN_AFTER_MS)
        return;
    run->warned = true;
    snprintf(name, sizeof name, "%.*s", (int)len, id);
    dz_log_warn(t->rt->log, "the supervisors wait for a node that is not up", "node", name, NULL);
}

static void take_nodes(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    struct boot_run *run = ctx;
    const char *id = "";
    size_t id_len = 0;
    uint64_t ref;
    if (err) {
        dz_free(run);
        return;
    }
    if (!find_missing(run, data, len, &id, &id_len)) {
        start_next(run);
        return;
    }
    warn_missing(run, t, id, id_len);
    /* A question that nobody answers: its deadline is the pause. */
    if (dz_desk_ask(&run->host->desk, t, LOOK_EVERY_MS, waited, run, &ref))
        dz_free(run);
}

static void look(struct boot_run *run, struct dz_thread *t)
{
    if (dz_desk_request(&run->host->desk, t, t->rt->system, DZ_REQ_CLUSTER_NODES, NULL, 0, DZ_INFINITY, take_nodes, run))
        dz_free(run);
}

void dz_boot_begin(struct dz_boot *boot, struct dz_host *host)
{
    struct dz_thread t;
    if (!boot->supervisors)
        return;
    struct boot_run *run = dz_zalloc_must(1, sizeof *run);
    run->host = host;
    run->boot = boot;
    dz_read_init(&run->specs, boot->supervisors, boot->supervisors_len);
    if (dz_read_array(&run->specs, &run->left))
        run->left = 0;
    dz_host_thread(host, &t);
    run->began_ms = dz_env_now_ms(&host->env);
    look(run, &t);
}
