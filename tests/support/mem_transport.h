/* mem_transport.h - sessions between the hosts of one test, without sockets: an implementation of struct
 * dz_transport.
 * Owns:    the hosts' transports, what is on its way between them. Nothing happens but in mem_net_step.
 * Threads: one.
 * Links can be cut (both ends see the connection close, sessions wait to be resumed), muted (nothing comes
 * through and nobody is told) and slow; hosts can be killed (connections close, redials are refused). */
#ifndef DZ_TESTS_MEM_TRANSPORT_H
#define DZ_TESTS_MEM_TRANSPORT_H

#include "base/list.h"
#include "net/transport.h"

#ifndef MEM_HOSTS
#define MEM_HOSTS 8
#endif

struct mem_net;

struct mem_host {
    struct dz_transport base; /* first */
    struct mem_net *net;
    int index;
    char id[64];
    uint64_t incarnation;
    uint64_t birth;
    bool alive; /* listens, and its events are delivered */
    bool used;
    uint64_t turned_away;
    const struct dz_transport_events *events;
    void *ctx;
    bool wanted[MEM_HOSTS]; /* dialled */
    bool told[MEM_HOSTS];   /* that nobody is there */
    char unknown[8][64];    /* dialled ids that no host has */
    int unknown_count;
};

/* Between two hosts, the lower index first. */
struct mem_pair {
    uint64_t peer[2]; /* the number each side knows the session by; 0: none */
    bool connected;
    uint64_t life[2]; /* the incarnations the session is between */
    bool refused_told[2];
    struct dz_list queue[2]; /* to that side */
    uint64_t heard_ns[2];
};

struct mem_net {
    uint64_t now_ns;
    uint64_t delay_ns;
    uint64_t next_peer;
    uint64_t delivered;
    struct mem_host hosts[MEM_HOSTS];
    struct mem_pair pairs[MEM_HOSTS][MEM_HOSTS];
    bool cut[MEM_HOSTS][MEM_HOSTS];
    bool muted[MEM_HOSTS][MEM_HOSTS];
    int refuse_sends; /* so many sends are answered DZ_EOVERLOADED */
    size_t room;      /* larger messages find none but the reserved room; 0: no bound */
    /* Sees every message sent, if set; heartbeats are none. */
    void (*tap)(void *ctx, bool aside, const void *data, size_t len);
    void *tap_ctx;
};

void mem_net_init(struct mem_net *net);
void mem_net_fini(struct mem_net *net);
/* A host begins to listen. Its events come from mem_net_step. */
struct dz_transport *mem_net_start(struct mem_net *net, int index, const char *id, uint64_t incarnation,
                                   uint64_t birth, const struct dz_transport_events *events, void *ctx);
/* As kill -9: its sessions are gone, its connections close, nobody listens any more. */
void mem_net_kill(struct mem_net *net, int index);
void mem_net_cut(struct mem_net *net, int a, int b, bool cut);
void mem_net_mute(struct mem_net *net, int a, int b, bool muted);
/* One message to a host as if its peer had sent it. */
void mem_net_inject(struct mem_net *net, int from, int to, const void *data, size_t len);
/* Delivers what is due, connects what is dialled. True if anything happened. */
bool mem_net_step(struct mem_net *net, uint64_t now_ns);
/* The number under which `host` knows its session with `other`. */
uint64_t mem_net_peer(struct mem_net *net, int host, int other);

#endif
