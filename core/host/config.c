/* config.c - the settings of a host and of its place in a cluster.
 * Owns:    see config.h.
 * Threads: any; pure.
 * Fails:   with an error that names the field. */
#include "host/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/pid.h"
#include "term/build.h"

#define HOUR_MS 3600000u
#define DEFAULT_MAX_TURN_MS 10000u
#define DEFAULT_SPIN_US 20u

/* --- a host --- */

static int read_level(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    const char *s = "";
    size_t len = 0;
    char name[16];
    struct dz_host_settings *settings = target;
    (void)f;
    struct dz_read copy = *r;
    if (dz_read_string(&copy, &s, &len) == DZ_OK && len < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)len, s);
        settings->log_level = dz_log_level_from_name(name);
        if (settings->log_level >= 0) {
            *r = copy;
            return DZ_OK;
        }
    }
    settings->log_level = DZ_LOG_INFO;
    return dz_config_wrong(x, r, "debug, info, warn, error or off");
}

static int read_format(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    const char *s;
    size_t len;
    struct dz_host_settings *settings = target;
    (void)f;
    struct dz_read copy = *r;
    if (dz_read_string(&copy, &s, &len) || len != 4 || (memcmp(s, "text", 4) != 0 && memcmp(s, "json", 4) != 0))
        return dz_config_wrong(x, r, "text or json");
    settings->log_json = memcmp(s, "json", 4) == 0;
    *r = copy;
    return DZ_OK;
}

#define HOST(member) offsetof(struct dz_host_settings, member)
static const struct dz_config_field host_fields[] = {
    { "workers", dz_config_count, HOST(workers), 0, 255 },
    { "max_turn_ms", dz_config_count, HOST(max_turn_ms), 0, 24 * HOUR_MS },
    { "worker_memory_mb", dz_config_count, HOST(worker_memory_mb), 0, 1u << 20 },
    { "spin_us", dz_config_count, HOST(spin_us), 0, 1000000 },
    { "log_level", read_level, 0, 0, 0 },
    { "log_format", read_format, 0, 0, 0 },
};
#define HOST_FIELDS (sizeof host_fields / sizeof host_fields[0])

void dz_host_settings_init(struct dz_host_settings *s)
{
    memset(s, 0, sizeof *s);
    s->max_turn_ms = DEFAULT_MAX_TURN_MS;
    s->spin_us = DEFAULT_SPIN_US;
    s->log_level = DZ_LOG_INFO;
}

int dz_host_settings_read(struct dz_host_settings *s, struct dz_config_reader *x, struct dz_read *r)
{
    return dz_config_read_table(x, r, "the host options", host_fields, HOST_FIELDS, s);
}

static bool same_option(const char *option, const char *name)
{
    for (; *option && *name; option++, name++)
        if (*option != *name && !(*option == '_' && *name == '-'))
            return false;
    return *option == *name;
}

/* A text that is a whole number becomes one, so that the fields' own readers judge it. */
static int build_option(struct dz_buf *buf, const char *value)
{
    struct dz_build b;
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    dz_build_init(&b, buf);
    if (*value && !*end && errno == 0)
        dz_build_int(&b, number);
    else
        dz_build_cstring(&b, value);
    return dz_build_done(&b);
}

int dz_host_settings_set(struct dz_host_settings *s, const char *name, const char *value, struct dz_config_error *error)
{
    struct dz_config_reader x;
    struct dz_read r;
    struct dz_buf buf;
    for (size_t i = 0; i < HOST_FIELDS; i++) {
        if (!same_option(host_fields[i].name, name))
            continue;
        dz_config_reader_init(&x, error, host_fields[i].name);
        dz_buf_init(&buf);
        int err = build_option(&buf, value);
        if (!err) {
            dz_read_init(&r, buf.data, buf.len);
            err = host_fields[i].read(&x, &r, &host_fields[i], s);
        }
        dz_buf_fini(&buf);
        return err;
    }
    return DZ_EEXIST;
}

/* --- its place in a cluster --- */

static int read_listen(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    struct dz_read copy = *r;
    int err = dz_config_text(x, r, f, target);
    if (err)
        return err;
    const char *text = *(char **)(void *)((char *)target + f->offset);
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : -1;
    if (!colon || colon == text || !end || *end || end == colon + 1 || port < 0 || port > 65535)
        return dz_config_wrong(x, &copy, "HOST:PORT");
    return DZ_OK;
}

static int read_seeds(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    int err = dz_config_texts(x, r, f, target);
    const struct dz_config_list *list = (const void *)((char *)target + f->offset);
    for (size_t i = 0; i < list->count && !err; i++) {
        size_t name_len, host_len;
        uint16_t port;
        const char *why = "";
        size_t mark = dz_config_enter_index(x, (uint32_t)i + 1);
        if (dz_node_id_parse(list->items[i], strlen(list->items[i]), &name_len, &host_len, &port, &why))
            err = dz_config_fail(x, DZ_ENODEID, "'%.200s' is not a node id (name@host:port): %s", list->items[i], why);
        dz_config_leave(x, mark);
    }
    return err;
}

static int read_attributes(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    uint32_t count;
    struct dz_read copy = *r;
    if (dz_read_map(&copy, &count) && (dz_read_array(&copy, &count) || count > 0))
        return dz_config_wrong(x, r, "a table with named fields");
    return dz_config_copy(x, r, f, target);
}

#define CLUSTER(member) offsetof(struct dz_cluster_settings, member)
static const struct dz_config_field tls_fields[] = {
    { "cert", dz_config_text, CLUSTER(tls_cert), 0, 0 },
    { "key", dz_config_text, CLUSTER(tls_key), 0, 0 },
    { "ca", dz_config_text, CLUSTER(tls_ca), 0, 0 },
};

static int read_tls(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    (void)f;
    int err = dz_config_read_table(x, r, "tls", tls_fields, 3, target);
    const struct dz_cluster_settings *s = target;
    if (!err && (!s->tls_cert || !s->tls_key || !s->tls_ca))
        return dz_config_fail(x, DZ_ECONFIG, "needs all of cert, key and ca");
    return err;
}

static const struct dz_config_field cluster_fields[] = {
    { "node_name", dz_config_text, CLUSTER(node_name), 0, 0 },
    { "host", dz_config_text, CLUSTER(host), 0, 0 },
    { "port", dz_config_count, CLUSTER(port), 0, 65535 },
    { "listen", read_listen, CLUSTER(listen), 0, 0 },
    { "seeds", read_seeds, CLUSTER(seeds), 0, 0 },
    { "secret", dz_config_text, CLUSTER(secret), 0, 0 },
    { "strict_versions", dz_config_bool, CLUSTER(strict_versions), 0, 0 },
    { "insecure", dz_config_bool, CLUSTER(insecure), 0, 0 },
    { "heartbeat_interval_ms", dz_config_count, CLUSTER(heartbeat_interval_ms), 1, HOUR_MS },
    { "suspect_after_ms", dz_config_count, CLUSTER(suspect_after_ms), 1, HOUR_MS },
    { "down_after_ms", dz_config_count, CLUSTER(down_after_ms), 1, HOUR_MS },
    { "reconnect_base_delay_ms", dz_config_count, CLUSTER(reconnect_base_delay_ms), 1, HOUR_MS },
    { "reconnect_max_delay_ms", dz_config_count, CLUSTER(reconnect_max_delay_ms), 1, HOUR_MS },
    { "attributes", read_attributes, CLUSTER(attributes), 0, 0 },
    { "tls", read_tls, 0, 0, 0 },
};
#define CLUSTER_FIELDS (sizeof cluster_fields / sizeof cluster_fields[0])

void dz_cluster_settings_init(struct dz_cluster_settings *s)
{
    memset(s, 0, sizeof *s);
    s->heartbeat_interval_ms = 500;
    s->suspect_after_ms = 1500;
    s->down_after_ms = 3000;
    s->reconnect_base_delay_ms = 1000;
    s->reconnect_max_delay_ms = 30000;
}

void dz_cluster_settings_fini(struct dz_cluster_settings *s)
{
    if (s->secret)
        explicit_bzero(s->secret, strlen(s->secret));
    char *texts[] = { s->node_name, s->host, s->listen, s->secret, s->tls_cert, s->tls_key, s->tls_ca };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        dz_free(texts[i]);
    dz_config_list_fini(&s->seeds);
    dz_free(s->attributes.data);
    memset(s, 0, sizeof *s);
}

/* A name that begins like an address of 127.0.0.0/8 may lead anywhere. */
static bool is_127(const char *host, size_t len)
{
    struct in_addr address;
    char text[INET_ADDRSTRLEN];
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = 0;
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

bool dz_config_is_loopback(const char *host, size_t len)
{
    return is_127(host, len) || (len == 3 && memcmp(host, "::1", 3) == 0) ||
           (len == 5 && memcmp(host, "[::1]", 5) == 0) || (len == 9 && memcmp(host, "localhost", 9) == 0);
}

/* Where the listener is bound: `listen` without its port, else the node's host. */
static bool listens_on_loopback(const struct dz_cluster_settings *s)
{
    if (s->listen)
        return dz_config_is_loopback(s->listen, (size_t)(strrchr(s->listen, ':') - s->listen));
    return dz_config_is_loopback(s->host, strlen(s->host));
}

static int check_id(struct dz_cluster_settings *s, struct dz_config_reader *x)
{
    char id[DZ_NODE_ID_MAX];
    size_t name_len, host_len;
    uint16_t port;
    const char *why = "";
    int len = snprintf(id, sizeof id, "%s@%s:%u", s->node_name, s->host, s->port ? (unsigned)s->port : 1u);
    if (len < 0 || (size_t)len >= sizeof id)
        return dz_config_fail(x, DZ_ENODEID, "the node id is too long");
    if (dz_node_id_parse(id, (size_t)len, &name_len, &host_len, &port, &why))
        return dz_config_fail(x, DZ_ENODEID, "'%.200s' is not a node id (name@host:port): %s", id, why);
    return DZ_OK;
}

static int check_secret(const struct dz_cluster_settings *s, struct dz_config_reader *x)
{
    if (s->tls_cert || s->insecure || listens_on_loopback(s))
        return DZ_OK;
    const char *where = s->listen ? s->listen : s->host;
    if (!s->secret)
        return dz_config_fail(x, DZ_ECONFIG, "listening on '%s' needs a secret, tls certificates or insecure = true: "
                              "without them only loopback addresses are allowed", where);
    if (strlen(s->secret) < DZ_SECRET_MIN)
        return dz_config_fail(x, DZ_ECONFIG, "the secret has %zu bytes; listening on '%s' needs at least %u",
                              strlen(s->secret), where, DZ_SECRET_MIN);
    return DZ_OK;
}

static int check_times(const struct dz_cluster_settings *s, struct dz_config_reader *x)
{
    if (s->suspect_after_ms <= s->heartbeat_interval_ms)
        return dz_config_fail(x, DZ_ECONFIG, "suspect_after_ms (%llu) must be larger than heartbeat_interval_ms (%llu)",
                              (unsigned long long)s->suspect_after_ms, (unsigned long long)s->heartbeat_interval_ms);
    if (s->down_after_ms <= s->suspect_after_ms)
        return dz_config_fail(x, DZ_ECONFIG, "down_after_ms (%llu) must be larger than suspect_after_ms (%llu)",
                              (unsigned long long)s->down_after_ms, (unsigned long long)s->suspect_after_ms);
    if (s->reconnect_max_delay_ms < s->reconnect_base_delay_ms)
        return dz_config_fail(x, DZ_ECONFIG, "reconnect_max_delay_ms is smaller than reconnect_base_delay_ms");
    return DZ_OK;
}

int dz_cluster_settings_check(struct dz_cluster_settings *s, struct dz_config_reader *x)
{
    if (!s->node_name)
        return dz_config_fail(x, DZ_ECONFIG, "node_name is missing");
    if (!s->host && !(s->host = dz_strndup("127.0.0.1", 9)))
        return dz_config_fail(x, DZ_ENOMEM, "out of memory");
    int err = check_id(s, x);
    if (!err)
        err = check_secret(s, x);
    return err ? err : check_times(s, x);
}

int dz_cluster_settings_read_part(struct dz_cluster_settings *s, struct dz_config_reader *x, struct dz_read *r)
{
    return dz_config_read_table(x, r, "a cluster configuration", cluster_fields, CLUSTER_FIELDS, s);
}

int dz_cluster_settings_read(struct dz_cluster_settings *s, const uint8_t *data, size_t len, const char *path,
                             struct dz_config_error *error)
{
    struct dz_config_reader x;
    struct dz_read r;
    dz_config_reader_init(&x, error, path);
    dz_read_init(&r, data, len);
    int err = dz_cluster_settings_read_part(s, &x, &r);
    return err ? err : dz_cluster_settings_check(s, &x);
}

int dz_cluster_settings_set_id(struct dz_cluster_settings *s, const char *id, struct dz_config_error *error)
{
    struct dz_config_reader x;
    size_t name_len, host_len;
    uint16_t port;
    const char *why = "";
    dz_config_reader_init(&x, error, "node");
    if (dz_node_id_parse(id, strlen(id), &name_len, &host_len, &port, &why))
        return dz_config_fail(&x, DZ_ENODEID, "'%.200s' is not a node id (name@host:port): %s", id, why);
    dz_free(s->node_name);
    dz_free(s->host);
    s->node_name = dz_strndup(id, name_len);
    s->host = dz_strndup(id + name_len + 1, host_len);
    s->port = port;
    return s->node_name && s->host ? DZ_OK : dz_config_fail(&x, DZ_ENOMEM, "out of memory");
}

static void write_text(struct dz_build *b, uint32_t *count, const char *key, const char *value)
{
    if (!value)
        return;
    ++*count;
    dz_build_kstring(b, key, value);
}

static void write_count(struct dz_build *b, uint32_t *count, const char *key, uint64_t value)
{
    ++*count;
    dz_build_kint(b, key, (int64_t)value);
}

static void write_lists(const struct dz_cluster_settings *s, struct dz_build *b, uint32_t *count)
{
    if (s->seeds.count) {
        ++*count;
        dz_build_key(b, "seeds");
        dz_build_array(b, (uint32_t)s->seeds.count);
        for (size_t i = 0; i < s->seeds.count; i++)
            dz_build_cstring(b, s->seeds.items[i]);
    }
    if (s->attributes.data) {
        ++*count;
        dz_build_kraw(b, "attributes", s->attributes.data, s->attributes.len);
    }
    if (s->tls_cert) {
        ++*count;
        dz_build_key(b, "tls");
        dz_build_map(b, 3);
        dz_build_kstring(b, "cert", s->tls_cert);
        dz_build_kstring(b, "key", s->tls_key);
        dz_build_kstring(b, "ca", s->tls_ca);
    }
}

static void write_scalars(const struct dz_cluster_settings *s, struct dz_build *b, uint32_t *count)
{
    write_text(b, count, "node_name", s->node_name);
    write_text(b, count, "host", s->host);
    write_text(b, count, "listen", s->listen);
    write_text(b, count, "secret", s->secret);
    write_count(b, count, "port", s->port);
    write_count(b, count, "heartbeat_interval_ms", s->heartbeat_interval_ms);
    write_count(b, count, "suspect_after_ms", s->suspect_after_ms);
    write_count(b, count, "down_after_ms", s->down_after_ms);
    write_count(b, count, "reconnect_base_delay_ms", s->reconnect_base_delay_ms);
    write_count(b, count, "reconnect_max_delay_ms", s->reconnect_max_delay_ms);
    *count += 2;
    dz_build_kbool(b, "strict_versions", s->strict_versions);
    dz_build_kbool(b, "insecure", s->insecure);
}

/* The number of entries is known only behind them, so they are built apart. */
int dz_cluster_settings_write(const struct dz_cluster_settings *s, struct dz_buf *out)
{
    struct dz_buf entries;
    struct dz_build b;
    uint32_t count = 0;
    dz_buf_init(&entries);
    dz_build_init(&b, &entries);
    write_scalars(s, &b, &count);
    write_lists(s, &b, &count);
    int err = dz_build_done(&b);
    if (!err) {
        dz_build_init(&b, out);
        dz_build_map(&b, count);
        dz_build_raw(&b, entries.data, entries.len);
        err = dz_build_done(&b);
    }
    dz_buf_fini(&entries);
    return err;
}
