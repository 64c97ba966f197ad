/* fuzz_world.h - two hosts that have met; one of them hears what the other one would never say.
 * Input: a row of pieces, each with a byte in front that says on which way it comes: as a message of the session (even) or beside
 * it (odd). */
#ifndef DZ_TESTS_FUZZ_WORLD_H
#define DZ_TESTS_FUZZ_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fuzz.h"
#include "world.h"

static inline void fuzz_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_CALL || m->kind == DZ_MSG_REQUEST)
        dz_send_reply(t, a->proc.pid, m->from, m->ref, m->data, m->len);
    if (m->kind == DZ_MSG_STOP)
        dz_process_doom(t, &a->proc, t->rt->reasons[DZ_REASON_SHUTDOWN], 0);
    dz_msg_free(m);
}

static inline void fuzz_resume(struct dz_thread *t, struct actor *a)
{
    dz_process_unwait(t, &a->proc);
}

static const struct actor_role fuzz_role = {.message = fuzz_message, .resume = fuzz_resume};

static inline void fuzz_hear(struct world *w, unsigned way, const uint8_t *data, size_t len)
{
    struct mem_host *h = &w->net.hosts[0];
    uint64_t peer = mem_net_peer(&w->net, 0, 1);
    if (!peer)
        return;
    if (way % 2)
        h->events->membership(h->ctx, peer, data, len);
    else
        h->events->message(h->ctx, peer, 1, data, len);
    rig_turn(&w->hosts[0].rig);
}

static inline void fuzz_open(struct world *w)
{
    world_init(w, 2);
    for (int i = 0; i < 2; i++)
        w->hosts[i].rig.born = &fuzz_role;
    world_mesh(w);
    for (int i = 0; i < 2; i++)
        (void)actor_new(&w->hosts[i].rig.threads[1], &fuzz_role, 'f', &w->hosts[i].rig);
    world_settle(w);
}

/* Whatever was said: the hosts go on, find each other again, and end clean. */
static inline void fuzz_close(struct world *w)
{
    struct dz_candidate nodes[8];
    for (int i = 0; i < 2; i++)
        w->hosts[i].rig.len = 0;
    world_run(w, 30);
    size_t count = dz_cluster_candidates(w->hosts[0].cluster, nodes, 8);
    FUZZ_CHECK(count >= 1 && nodes[0].local);
    world_fini(w);
}

static inline void fuzz_world(const uint8_t *data, size_t len, bool beside_only)
{
    struct fuzz_input in = {data, len};
    struct world *w = malloc(sizeof *w);
    fuzz_open(w);
    for (int i = 0; i < 64 && in.left > 0; i++) {
        size_t piece_len;
        unsigned way = fuzz_u8(&in) | beside_only;
        const uint8_t *piece = fuzz_piece(&in, &piece_len);
        uint8_t *copy = malloc(piece_len ? piece_len : 1);
        if (piece_len)
            memcpy(copy, piece, piece_len);
        fuzz_hear(w, way, copy, piece_len);
        free(copy);
        w->hosts[0].rig.len = 0;
    }
    fuzz_close(w);
    free(w);
}

#endif
