/* send.h - the single way out: from a process to a process, wherever that is.
 * Owns:    nothing.
 * Threads: any; `t` is the thread one runs on.
 * Fails:   DZ_EOVERLOADED (mailbox or link full), DZ_ENOCONNECTION (node lost or unknown), DZ_ENOMEM; only for messages that
 *          count against limits (SEND, CAST, CALL). On failure the caller still owns the message. Signals, replies and
 *          requests never fail: what cannot arrive is answered or dropped as the semantics say.
 * A message to a process of this host that has ended is no error: questions are answered `noproc`, the rest vanishes. */
#ifndef DZ_PROC_SEND_H
#define DZ_PROC_SEND_H

#include "proc/process.h"

/* msg->to, from, kind, ref, code, data are set. On success *take is NULL. */
int dz_send(struct dz_thread *t, struct dz_msg **take);
/* The same to a process of this host whose slot the caller has found (dz_table_find of msg->to). */
int dz_send_to_slot(struct dz_thread *t, struct dz_slot *slot, struct dz_msg **take);

/* The same for what does not count against limits: never fails. Takes the message. */
void dz_send_must(struct dz_thread *t, struct dz_msg *msg);

/* A REPLY, from one who can stand still: DZ_EOVERLOADED when it is for another node and the link there holds all it may;
 * then the caller keeps it and tries again later. Any other reply that finds no room there becomes an `overloaded` one. */
int dz_send_patiently(struct dz_thread *t, struct dz_msg **take);

/* Shorthands for what never fails. `from` is the sender (none for the core itself). */
void dz_send_signal(struct dz_thread *t, enum dz_msg_kind kind, struct dz_pid from, struct dz_pid to, uint64_t ref,
                    struct dz_blob *payload);
/* Answers question (from, ref) with a value. `by` is the process that answers. */
int dz_send_reply(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, const uint8_t *data, size_t len);
/* The same with DZ_REPLY_CHILD. */
int dz_send_child_reply(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, const uint8_t *data, size_t len);
/* ... with a pid. */
void dz_send_pid_reply(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, struct dz_pid value);
/* ... with an error table {code=, message=} made from the code. */
void dz_send_error(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, int err, const char *message);
/* ... with a ready error table. */
void dz_send_failure(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, const uint8_t *error,
                     size_t len);
/* The message dz_send_error would send; NULL when out of memory. */
struct dz_msg *dz_send_make_error(struct dz_pid by, struct dz_pid to, uint64_t ref, int err, const char *message);
/* {code=, message=} as a term; message NULL takes the code's text. */
void dz_error_build(struct dz_build *b, int err, const char *message);

#endif
