/* request.h - the operations core processes answer: one catalogue for all who ask and all who answer.
 * A REQUEST carries code + data (one term) and is answered by a REPLY (a term, or with DZ_MSG_FAILED an error table). A NOTICE
 * is not answered. The codes travel between nodes: numbers are never reused. */
#ifndef DZ_PROC_REQUEST_H
#define DZ_PROC_REQUEST_H

enum dz_request {
    /* to a supervisor. Its orderly end is DZ_MSG_STOP. */
    DZ_REQ_START_CHILD = 1,  /* child spec (map), or args (array) for simple_one_for_one -> {pid, id} */
    DZ_REQ_TERMINATE_CHILD,  /* id -> nil */
    DZ_REQ_RESTART_CHILD,    /* id -> pid */
    DZ_REQ_CHILDREN,         /* nil or { from=, limit= } -> list of child records */
    DZ_REQ_CHILD,            /* id -> child record or nil */
    DZ_REQ_COUNT_CHILDREN,   /* nil -> { specs, active, supervisors, workers } */
    DZ_REQ_STATS,            /* nil -> stats table */
    DZ_REQ_IS_SUPERVISOR,    /* nil -> true */

    /* to rt->system */
    DZ_REQ_CLUSTER_START = 32, /* config map -> node id, once the first exchange is over */
    DZ_REQ_CLUSTER_STOP,       /* nil -> nil */
    DZ_REQ_CLUSTER_NODES,      /* nil -> list of node records, this one first */
    DZ_REQ_CLUSTER_NODE,       /* id -> record or nil */
    DZ_REQ_CLUSTER_STATUS,     /* nil -> "starting" | "running" | "stopping" | "stopped" */
    DZ_REQ_GLOBAL_REGISTER,    /* { name, pid } -> nil; fails name_taken { name, owner } */
    DZ_REQ_GLOBAL_UNREGISTER,  /* name -> bool */
    DZ_REQ_GLOBAL_NAMES,       /* nil -> map name -> pid */
    DZ_REQ_SUPERVISORS,        /* nil -> list of pids of this node's supervisors */
    DZ_REQ_SHUTDOWN,           /* exit code -> nil; the host stops in order */
    DZ_REQ_STATS_HOST,         /* nil -> figures of workers, memory, links */
    DZ_REQ_ON_SHUTDOWN,        /* nil -> nil: when the host stops, before its supervisors do, `from` gets { type = "shutdown" }
                                  as SEND and is waited for until it has ended (5 s, then it is killed) */

    /* to rt->events */
    DZ_REQ_EVENT = 64,  /* NOTICE: a map with `type` and its fields; the hub adds timestamp and seq, counted while somebody listens */
    DZ_REQ_SUBSCRIBE,   /* { types = list or nil, cluster = bool } -> nil; from gets each event as SEND */
    DZ_REQ_UNSUBSCRIBE, /* nil -> nil */

    /* between core parts */
    DZ_REQ_TICK = 96,     /* NOTICE by dz_native_send_after: ref says which */
    DZ_REQ_NODE_UP,       /* NOTICE to natives: node id text; ref: identity index */
    DZ_REQ_SELECT,        /* to a selector's helper process: { nodes, child_id } -> node id */
    DZ_REQ_WORKER_LOST,   /* NOTICE to a supervisor: [reason, string of struct dz_pid]: these children ended with
                             their worker; from: the one of them that was running, or none. Stays on this host */
    DZ_REQ_STARTS_TREE,   /* NOTICE to a supervisor: child id: what this child's name stands for is a supervisor spec, which is
                             starting now: that takes the time its children take */
};

#endif
