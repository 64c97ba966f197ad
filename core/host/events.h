/* events.h - the event hub: takes what happened, numbers it, hands it to those who want to know.
 * Owns:    the subscribers, and the subscriptions to other nodes' hubs while somebody here wants their events.
 * Threads: a hidden native process (rt->events), registered as "$events" so that hubs of other nodes find it.
 * Fails:   an event that finds no memory, or a subscriber whose mailbox is full, is lost; subscribing answers out_of_memory.
 *
 * It takes (proc/request.h): NOTICE EVENT (a map with `type`), REQUEST SUBSCRIBE { types =, cluster = } and UNSUBSCRIBE, NOTICE
 * NODE_UP (data: the node id), NODE_LOST; and SEND of a ready event from another node's hub. Subscribers get events as SEND. */
#ifndef DZ_HOST_EVENTS_H
#define DZ_HOST_EVENTS_H

#include <stdint.h>
#include "proc/rt.h"

#define DZ_EVENTS_NAME "$events"
#define DZ_EVENTS_MAX_TYPES 64u

/* Makes the hub and fills rt->events. On the system thread. */
int dz_events_start(struct dz_thread *t);
/* It ends when it has handed on all it was told before. Any thread. */
void dz_events_stop(struct dz_thread *t);
/* Tells the hub: a map with `type` and fields. Loses the event when out of memory. Any thread. */
void dz_events_emit(struct dz_thread *t, const uint8_t *data, size_t len);

#endif
