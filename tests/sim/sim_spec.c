#include "sim_spec.h"

#include <stdio.h>
#include "sim_kid.h"

#define DEEPEST 3u

static const char *pick(struct sim *sim, const char *const *words, size_t count)
{
    return words[dz_sim_rand_below(&sim->rand, count)];
}

static void selector(struct sim *sim, struct dz_build *b)
{
    static const char *const words[] = {"local_first", "round_robin", "least_loaded", "random", "local"};
    char id[32];
    dz_build_key(b, "node_selector");
    if (!dz_sim_rand_percent(&sim->rand, 15)) {
        dz_build_cstring(b, pick(sim, words, 5));
        return;
    }
    unsigned i = (unsigned)dz_sim_rand_below(&sim->rand, sim->options.hosts);
    snprintf(id, sizeof id, "h%u@127.0.0.1:%u", i, 4000 + i);
    dz_build_map(b, 1);
    dz_build_kstring(b, "node", id);
}

static const char *behavior(struct sim *sim)
{
    return dz_sim_rand_percent(&sim->rand, 45) ? sim_kid_behaviors[0] : pick(sim, sim_kid_behaviors, SIM_KID_BEHAVIORS);
}

static void shutdown_timeout(struct sim *sim, struct dz_build *b)
{
    dz_build_key(b, "shutdown_timeout");
    if (dz_sim_rand_percent(&sim->rand, 20))
        dz_build_cstring(b, "brutal_kill");
    else
        dz_build_uint(b, dz_sim_rand_between(&sim->rand, 10, 1000));
}

static void backoff(struct sim *sim, struct dz_build *b)
{
    dz_build_key(b, "backoff");
    dz_build_map(b, 2);
    dz_build_kint(b, "initial_ms", (int64_t)dz_sim_rand_between(&sim->rand, 1, 300));
    dz_build_kint(b, "max_ms", (int64_t)dz_sim_rand_between(&sim->rand, 300, 2000));
}

/* No two children have the same one, so that a name that is taken was not given back. */
static void own_name(struct sim *sim, struct dz_build *b, const char *key)
{
    char name[32];
    snprintf(name, sizeof name, "%s%llu", key, (unsigned long long)++sim->names);
    dz_build_kstring(b, key, name);
}

/* Without an id: a template. */
static void worker(struct sim *sim, struct dz_build *b, const char *id, bool significant)
{
    static const char *const restarts[] = {"permanent", "permanent", "transient", "temporary"};
    bool placed = dz_sim_rand_percent(&sim->rand, 60), delayed = dz_sim_rand_percent(&sim->rand, 15);
    bool small = dz_sim_rand_percent(&sim->rand, 10);
    bool named = id && dz_sim_rand_percent(&sim->rand, 15), global = id && dz_sim_rand_percent(&sim->rand, 10);
    dz_build_map(b, 4u + (id != NULL) + placed + significant + delayed + small + named + global);
    if (id)
        dz_build_kstring(b, "id", id);
    if (named)
        own_name(sim, b, "name");
    if (global)
        own_name(sim, b, "global");
    if (small)
        dz_build_kint(b, "mailbox_limit", (int64_t)dz_sim_rand_between(&sim->rand, 1, SIM_SMALL_MAILBOX));
    if (delayed)
        backoff(sim, b);
    dz_build_kstring(b, "behavior", behavior(sim));
    dz_build_kstring(b, "restart", significant ? "transient" : pick(sim, restarts, 4));
    shutdown_timeout(sim, b);
    dz_build_kint(b, "start_timeout", (int64_t)dz_sim_rand_between(&sim->rand, 200, 6000));
    if (placed)
        selector(sim, b);
    if (significant)
        dz_build_kbool(b, "significant", true);
}

void sim_spec_child(struct sim *sim, struct dz_build *b, const char *id, unsigned depth)
{
    if (depth >= DEEPEST || !dz_sim_rand_percent(&sim->rand, 30)) {
        worker(sim, b, id, false);
        return;
    }
    bool placed = dz_sim_rand_percent(&sim->rand, 50);
    dz_build_map(b, 3u + placed);
    dz_build_kstring(b, "id", id);
    dz_build_kstring(b, "restart", dz_sim_rand_percent(&sim->rand, 70) ? "permanent" : "transient");
    dz_build_key(b, "supervisor");
    sim_spec_supervisor(sim, b, NULL, depth + 1);
    if (placed)
        selector(sim, b);
}

static void children(struct sim *sim, struct dz_build *b, unsigned depth, bool significant)
{
    uint32_t count = (uint32_t)dz_sim_rand_between(&sim->rand, 1, SIM_CHILD_IDS);
    char id[8];
    dz_build_key(b, "children");
    dz_build_array(b, count);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "c%u", i);
        if (significant && i == 0)
            worker(sim, b, id, true);
        else
            sim_spec_child(sim, b, id, depth);
    }
}

static void intensity(struct sim *sim, struct dz_build *b)
{
    dz_build_key(b, "restart_intensity");
    dz_build_map(b, 2);
    dz_build_kint(b, "max_restarts", (int64_t)dz_sim_rand_between(&sim->rand, 0, 8));
    dz_build_kint(b, "within_ms", (int64_t)dz_sim_rand_between(&sim->rand, 500, 10000));
}

void sim_spec_supervisor(struct sim *sim, struct dz_build *b, const char *name, unsigned depth)
{
    static const char *const strategies[] = {"one_for_one", "one_for_one", "one_for_all", "rest_for_one"};
    bool simple = dz_sim_rand_percent(&sim->rand, 15);
    bool significant = !simple && dz_sim_rand_percent(&sim->rand, 15);
    dz_build_map(b, 4u + (name != NULL) + significant);
    if (name)
        dz_build_kstring(b, "name", name);
    dz_build_kstring(b, "strategy", simple ? "simple_one_for_one" : pick(sim, strategies, 4));
    intensity(sim, b);
    selector(sim, b);
    if (significant)
        dz_build_kstring(b, "auto_shutdown", dz_sim_rand_percent(&sim->rand, 50) ? "any_significant" : "all_significant");
    if (simple) {
        dz_build_key(b, "child_template");
        worker(sim, b, NULL, false);
    } else {
        children(sim, b, depth, significant);
    }
}
