/* dz_sim_net.h - the network between the simulated hosts: connections as the kernel would give them, below the real transport
 * (core/net/hub.c), which makes sessions of them.
 * Owns:    the connections and what is on its way; a station is one life of a host on the network.
 * Threads: one.
 * Bytes from one host to another take a while, which differs from connection to connection, so nothing is ordered across
 * links. A way (from, to) can be blocked: what is sent waits, and nobody is told. Connections can be cut: what was under
 * way is lost, both ends see an error. A station that is closed refuses who comes; its connections end. */
#ifndef DZ_SIM_SIM_NET_H
#define DZ_SIM_SIM_NET_H

#include "base/env.h"
#include "base/log.h"
#include "net/transport_uv.h"
#include "sim/sim_clock.h"
#include "sim/sim_rand.h"

#define DZ_SIM_HOSTS_MAX 8

struct dz_sim_net;
struct dz_sim_station;

struct dz_sim_net_way {
    bool blocked;
    uint64_t delay_ns;
    uint64_t jitter_ns;
};

struct dz_sim_net *dz_sim_net_new(struct dz_sim_rand *rand, const uint64_t *now_ns);
void dz_sim_net_delete(struct dz_sim_net *net);
struct dz_sim_net_way *dz_sim_net_way(struct dz_sim_net *net, int from, int to);
/* Every connection between the two breaks. */
void dz_sim_net_cut(struct dz_sim_net *net, int a, int b);
/* What the kernels do by themselves. True if they did anything. */
bool dz_sim_net_step(struct dz_sim_net *net);
/* When they next will. */
uint64_t dz_sim_net_next(const struct dz_sim_net *net);
uint64_t dz_sim_net_carried(const struct dz_sim_net *net);

/* A host's place on the network; it listens nowhere yet. Of the config what libuv and TLS would need is not looked at. */
struct dz_sim_station *dz_sim_station_new(struct dz_sim_net *net, int index, const struct dz_sim_clock *clock,
                                          const struct dz_transport_uv_config *config);
/* Listens where the node id says. DZ_ENODEID, DZ_EADDRINUSE. */
int dz_sim_station_start(struct dz_sim_station *s, const char *id, uint64_t incarnation);
/* No event comes any more; `closed` is called in a later step, and may delete the station. */
void dz_sim_station_close(struct dz_sim_station *s, void (*closed)(void *ctx), void *ctx);
struct dz_transport *dz_sim_station_transport(struct dz_sim_station *s);
/* Nobody listens any more, and what the host still sends reaches nobody. */
void dz_sim_station_mute(struct dz_sim_station *s);
/* Every connection ends. */
void dz_sim_station_delete(struct dz_sim_station *s);
/* The transport's turn: what has arrived, what became due. True if there was anything. */
bool dz_sim_station_step(struct dz_sim_station *s);
uint64_t dz_sim_station_next(const struct dz_sim_station *s);

#endif
