/* config.h - the settings of a host, of its place in a cluster, and of a whole local cluster.
 * Owns:    the texts and bytes inside the settings, until their _fini.
 * Threads: any; pure.
 * Fails:   DZ_ECONFIG, DZ_ENODEID, DZ_ENOMEM, described in `error`; what was read so far stands and is freed by _fini.
 * Secrets: without certificates or a secret only loopback is allowed; off loopback a secret has 32 bytes at least. */
#ifndef DZ_HOST_CONFIG_H
#define DZ_HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "host/config_read.h"

#define DZ_SECRET_MIN 32u

struct dz_host_settings {
    uint64_t workers; /* 0: one per core */
    uint64_t max_turn_ms; /* 0: off */
    uint64_t worker_memory_mb; /* 0: none */
    uint64_t spin_us;
    int log_level; /* enum dz_log_level */
    bool log_json;
};

void dz_host_settings_init(struct dz_host_settings *s);
/* The map `host = {}` of a cluster config, at r. */
int dz_host_settings_read(struct dz_host_settings *s, struct dz_config_reader *x, struct dz_read *r);
/* One option by name and text, as the command line gives it; `max_turn_ms` and `max-turn-ms` are the same.
 * DZ_EEXIST, without a description, when the name is none of a host's. */
int dz_host_settings_set(struct dz_host_settings *s, const char *name, const char *value, struct dz_config_error *error);

struct dz_cluster_settings {
    char *node_name;
    char *host;
    uint64_t port;
    char *listen; /* "host:port", or NULL: host and port */
    struct dz_config_list seeds; /* node ids */
    char *secret;
    bool strict_versions;
    bool insecure;
    uint64_t heartbeat_interval_ms;
    uint64_t suspect_after_ms;
    uint64_t down_after_ms;
    uint64_t reconnect_base_delay_ms;
    uint64_t reconnect_max_delay_ms;
    struct dz_config_term attributes; /* a map, or empty */
    char *tls_cert;
    char *tls_key;
    char *tls_ca;
};

void dz_cluster_settings_init(struct dz_cluster_settings *s);
void dz_cluster_settings_fini(struct dz_cluster_settings *s);
/* The map given to cluster.start, checked as a whole. */
int dz_cluster_settings_read(struct dz_cluster_settings *s, const uint8_t *data, size_t len, const char *path,
                             struct dz_config_error *error);
/* The same without the checks of the whole: a common part that gets its node id later. */
int dz_cluster_settings_read_part(struct dz_cluster_settings *s, struct dz_config_reader *x, struct dz_read *r);
/* The same as a map again, for cluster.start in another process. */
int dz_cluster_settings_write(const struct dz_cluster_settings *s, struct dz_buf *out);
/* Takes name, host and port apart from a node id. DZ_ENODEID. */
int dz_cluster_settings_set_id(struct dz_cluster_settings *s, const char *id, struct dz_config_error *error);
/* Checks what concerns several fields: identity, seeds, secret, times. */
int dz_cluster_settings_check(struct dz_cluster_settings *s, struct dz_config_reader *x);

/* 127.0.0.0/8, ::1 or localhost. */
bool dz_config_is_loopback(const char *host, size_t len);

struct dz_up_node {
    char *id;
    char *script;                     /* NULL: an empty one */
    struct dz_config_list args;       /* of the script */
    struct dz_config_term attributes; /* beats the common ones */
    struct dz_config_list behaviors;  /* more directories */
    bool restart;
};

struct dz_up_settings {
    struct dz_host_settings host;
    struct dz_config_term host_term; /* as given, for the nodes' command lines; may be empty */
    struct dz_cluster_settings cluster;
    struct dz_config_list behaviors;
    struct dz_up_node *nodes;
    size_t node_count;
    struct dz_config_term supervisors; /* a list of specs, or empty */
};

void dz_up_settings_fini(struct dz_up_settings *s);
/* The table a cluster config file returns. `s` is zeroed or uninitialised memory. */
int dz_up_settings_read(struct dz_up_settings *s, const uint8_t *data, size_t len, struct dz_config_error *error);
/* The same, telling of everything that is wrong, not only of the first; the first one's code. */
int dz_up_settings_check(struct dz_up_settings *s, const uint8_t *data, size_t len, dz_config_tell tell, void *ctx);

#endif
