/* sim_net.h - the network between the simulated hosts: connections as the kernel would give them, below the real transport
 * (core/net/hub.c), which makes sessions of them.
 * Owns:    the connections and what is on its way; a station is one life of a host on the network.
 * Threads: one.
 * Bytes from one host to another take a while, which differs from connection to connection, so nothing is ordered across
 * links. A way (from, to) can be blocked: what is sent waits, and nobody is told. Connections can be cut: what was under
 * way is lost, both ends see an error. A station that is closed refuses who comes; its connections end. */
#ifndef DZ_TESTS_SIM_NET_H
#define DZ_TESTS_SIM_NET_H

#include "base/env.h"
#include "base/log.h"
#include "net/transport.h"
#include "sim_clock.h"
#include "sim_rand.h"

#define SIM_HOSTS_MAX 8

struct sim_net;
struct sim_station;

struct sim_net_way {
    bool blocked;
    uint64_t delay_ns;
    uint64_t jitter_ns;
};

struct sim_net *sim_net_new(struct sim_rand *rand, const uint64_t *now_ns);
void sim_net_delete(struct sim_net *net);
struct sim_net_way *sim_net_way(struct sim_net *net, int from, int to);
/* Every connection between the two breaks. */
void sim_net_cut(struct sim_net *net, int a, int b);
/* What the kernels do by themselves. True if they did anything. */
bool sim_net_step(struct sim_net *net);
/* When they next will. */
uint64_t sim_net_next(const struct sim_net *net);
uint64_t sim_net_carried(const struct sim_net *net);

/* The host `index` listens; its node id ends in ":<4000 + index>". */
struct sim_station *sim_station_open(struct sim_net *net, int index, const char *id, uint64_t incarnation, uint64_t birth,
                                     const struct sim_clock *clock, const struct dz_env *env, const struct dz_log *log,
                                     const struct dz_transport_events *events, void *ctx);
struct dz_transport *sim_station_transport(struct sim_station *s);
/* Nobody listens any more, and what the host still sends reaches nobody. */
void sim_station_mute(struct sim_station *s);
/* Every connection ends. */
void sim_station_delete(struct sim_station *s);
/* The transport's turn: what has arrived, what became due. True if there was anything. */
bool sim_station_step(struct sim_station *s);
uint64_t sim_station_next(const struct sim_station *s);

#endif
