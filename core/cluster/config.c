/* config.c - whether a cluster's configuration makes sense, and its defaults.
 * Owns:    nothing.
 * Threads: any; pure.
 * Fails:   DZ_ENODEID, DZ_ECONFIG, with a text for people. */
#include <string.h>
#include "base/err.h"
#include "cluster/state.h"
#include "term/read.h"

struct dz_detector_settings dz_cluster_settings_of(const struct dz_cluster_config *config)
{
    return (struct dz_detector_settings){
        .heartbeat_ms = config->heartbeat_ms ? config->heartbeat_ms : DZ_CLUSTER_HEARTBEAT_MS,
        .suspect_ms = config->suspect_ms ? config->suspect_ms : DZ_CLUSTER_SUSPECT_MS,
        .down_ms = config->down_ms ? config->down_ms : DZ_CLUSTER_DOWN_MS,
        .unreachable_ms = DZ_CLUSTER_UNREACHABLE_MS,
    };
}

static int check_id(const char *id, const char **why)
{
    uint16_t port = 0;
    int err = id && strlen(id) < DZ_NODE_ID_MAX ? dz_node_id_parse(id, strlen(id), NULL, NULL, &port, why)
                                                : DZ_ENODEID;
    if (!err && port == 0) {
        *why = "the port must be a number from 1 to 65535";
        err = DZ_ENODEID;
    }
    return err;
}

static int check_attributes(const struct dz_cluster_config *config, const char **why)
{
    struct dz_read r;
    uint32_t count;
    if (config->attributes_len > DZ_NET_MAX_ATTRIBUTES) {
        *why = "attributes are larger than 4096 bytes";
        return DZ_ECONFIG;
    }
    if (config->attributes_len == 0)
        return 0;
    dz_read_init(&r, config->attributes, config->attributes_len);
    bool sound = dz_term_check(config->attributes, config->attributes_len, 0) == 0;
    if (sound && dz_read_map(&r, &count) == 0)
        return 0;
    /* The empty table is an empty array. */
    if (sound && dz_read_array(&r, &count) == 0 && count == 0)
        return 0;
    *why = "attributes must be a table with string keys";
    return DZ_ECONFIG;
}

int dz_cluster_config_check(const struct dz_cluster_config *config, const char **why)
{
    const char *text = NULL;
    struct dz_detector_settings settings = dz_cluster_settings_of(config);
    int err = check_id(config->node_id, &text);
    for (size_t i = 0; !err && i < config->seed_count; i++)
        err = check_id(config->seeds[i], &text);
    if (!err && config->seed_count > DZ_CLUSTER_SEEDS_MAX) {
        text = "there are more than 256 seeds";
        err = DZ_ECONFIG;
    }
    err = err ? err : dz_detector_check(&settings, &text);
    err = err ? err : check_attributes(config, &text);
    if (why)
        *why = err && !text ? "it must read name@host:port" : text;
    return err;
}
