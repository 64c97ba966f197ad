#include "cluster/node.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/pid.h"
#include "term/read.h"

int dz_node_new(struct dz_node **out, const char *id, size_t len)
{
    size_t name_len, host_len;
    uint16_t port;
    int err =
        len < DZ_NODE_ID_MAX ? dz_node_id_parse(id, len, &name_len, &host_len, &port, NULL) : DZ_ENODEID;
    if (err)
        return err;
    struct dz_node *n = dz_zalloc(1, sizeof *n);
    if (!n)
        return DZ_ENOMEM;
    n->id = dz_strndup(id, len);
    if (!n->id) {
        dz_free(n);
        return DZ_ENOMEM;
    }
    n->name_len = (uint32_t)name_len;
    n->host_len = (uint32_t)host_len;
    n->port = port;
    *out = n;
    return 0;
}

void dz_node_delete(struct dz_node *n)
{
    if (!n)
        return;
    dz_free(n->attributes);
    dz_free(n->id);
    dz_free(n);
}

void dz_node_set_attributes(struct dz_node *n, const uint8_t *data, size_t len)
{
    struct dz_read r;
    uint32_t count;
    dz_free(n->attributes);
    n->attributes = NULL;
    n->attributes_len = 0;
    if (len == 0 || dz_term_check(data, len, 0))
        return;
    dz_read_init(&r, data, len);
    if (dz_read_map(&r, &count))
        return;
    n->attributes = dz_alloc(len);
    if (!n->attributes)
        return;
    memcpy(n->attributes, data, len);
    n->attributes_len = len;
}

const char *dz_node_status_text(const struct dz_node *n)
{
    switch ((enum dz_node_status)n->status) {
    case DZ_NODE_UP:
        return n->draining ? "draining" : "up";
    case DZ_NODE_SUSPECT:
        return "suspect";
    case DZ_NODE_REFUSED:
        return "refused";
    default:
        return "down";
    }
}

void dz_node_record_build(const struct dz_node_record *r, struct dz_build *b)
{
    dz_build_map(b, r->is_self ? 11 : 10);
    dz_build_kstring(b, "id", r->id);
    dz_build_key(b, "name");
    dz_build_string(b, r->id, r->name_len);
    dz_build_key(b, "host");
    dz_build_string(b, r->id + r->name_len + 1, r->host_len);
    dz_build_kint(b, "port", r->port);
    dz_build_kstring(b, "status", r->status);
    dz_build_kint(b, "process_count", r->processes);
    dz_build_kint(b, "uptime_ms", (int64_t)r->uptime_ms);
    dz_build_kint(b, "last_heartbeat_at", (int64_t)r->last_heartbeat_at);
    dz_build_kint(b, "incarnation", (int64_t)r->incarnation);
    dz_build_key(b, "attributes");
    if (r->attributes)
        dz_build_raw(b, r->attributes, r->attributes_len);
    else
        dz_build_map(b, 0);
    if (r->is_self)
        dz_build_kint(b, "refused", (int64_t)r->refused);
}

void dz_node_build(const struct dz_node *n, struct dz_build *b, uint64_t now_ms, uint64_t wall_ms)
{
    bool met = dz_node_is_met(n);
    uint64_t silence = now_ms > n->detector.told_ms ? now_ms - n->detector.told_ms : 0;
    struct dz_node_record r = {
        .id = n->id,
        .name_len = n->name_len,
        .host_len = n->host_len,
        .port = n->port,
        .status = dz_node_status_text(n),
        .processes = met ? n->processes : 0,
        .uptime_ms = met ? n->uptime_ms + (now_ms - n->uptime_at_ms) : 0,
        .last_heartbeat_at = n->incarnation && wall_ms > silence ? wall_ms - silence : 0,
        .incarnation = n->incarnation,
        .attributes = n->attributes,
        .attributes_len = n->attributes_len,
    };
    dz_node_record_build(&r, b);
}
