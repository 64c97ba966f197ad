/* sim_check.h - what is watched while a run goes on: who lives where, and whether that may be.
 * Owns:    a record for every child process that ever began its init, one for every path.
 * Threads: one. It sees all hosts at once, which nobody inside can. */
#ifndef DZ_TESTS_SIM_CHECK_H
#define DZ_TESTS_SIM_CHECK_H

#include "base/list.h"
#include "base/map.h"
#include "proc/pid.h"
#include "proc/spawn.h"
#include "sim/sim_net.h"

/* How long after the last trouble two hosts may still disagree: detection (3 s of silence, 10 s when only others reach it), redial
 * (up to 30 s apart), stopping what is superseded (5 s). */
#define SIM_GRACE_MS 60000u

struct sim;
struct sim_life;

/* A child process. */
struct sim_kid_record {
    struct dz_list all;
    struct dz_list at_path;
    struct sim_path *path;
    struct sim_life *life; /* NULL: gone */
    int host;
    uint32_t life_number;
    uint64_t uid;
    struct dz_pid pid; /* in its own host's table of identities */
    struct dz_pid parent;
    char epoch[8 * 16];
    size_t epoch_len;
    uint64_t born_ns;
    uint64_t gone_ns;
    uint64_t crashed_ns; /* by itself, under a supervisor on its own node; 0: it did not */
    uint64_t orphan_ns;  /* how long it has had no supervisor, as far as its host was awake */
    bool started;        /* its init has returned */
    bool stopped;        /* it ended because its supervisor asked it to */
    size_t live_index;
    char behavior[16];
};

struct sim_path {
    struct dz_list live; /* sim_kid_record.at_path */
    uint32_t count;      /* of them */
    uint32_t starts;     /* inits that returned, of all copies */
    bool by_hand;        /* a restart of it was asked for: one that fails leaves it stopped */
    bool superseded;     /* the last copy ended for a newer one, whose supervisor may be gone by now */
    struct sim_kid_record *last; /* the one gone last, NULL: none yet */
    char text[256];
};

struct sim_check {
    struct sim *sim;
    struct dz_smap paths;
    struct dz_list kids;
    struct sim_kid_record **live;
    size_t live_count;
    size_t live_cap;
    uint64_t uid;
    uint64_t troubled_ns; /* the last moment at which anything was cut, frozen, blocked or down */
    uint64_t next_ns;
    uint64_t orphans_ns; /* when orphans were last looked for */
    uint64_t asked, answered; /* questions of clients */
    uint64_t overflows;
    struct dz_map disorder; /* supervisor of a life -> children that ended before a later one while it was shutting down */
    uint64_t starts, crashes, events, calls, downs, casts;
};

void sim_check_init(struct sim_check *c, struct sim *sim);
void sim_check_fini(struct sim_check *c);
/* A child's init begins. */
struct sim_kid_record *sim_check_born(struct sim_check *c, struct sim_life *life, struct dz_pid pid,
                                      const struct dz_spawn *spawn);
/* What is known of this path. */
struct sim_path *sim_check_path(struct sim_check *c, const char *text, size_t len);
void sim_check_gone(struct sim_check *c, struct sim_kid_record *kid);
/* The host is gone with all that was on it. */
void sim_check_life_lost(struct sim_check *c, struct sim_life *life);
/* Looks at everything that must hold at any moment. */
void sim_check_now(struct sim_check *c);
/* Long after the trouble is over: one copy of everything, the same view everywhere. */
void sim_check_settled(struct sim_check *c);
/* The supervisor of this child process, if it lives: then *at is where. */
struct dz_supervisor;
struct dz_supervisor *sim_check_supervisor(struct sim_check *c, const struct sim_kid_record *kid, struct sim_life **at);
/* Everything was stopped. */
void sim_check_nothing_left(struct sim_check *c);

#endif
