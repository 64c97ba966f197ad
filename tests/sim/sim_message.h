/* sim_message.h - what clients send to children: who it is from, and a number that only grows.
 * Owns:    nothing. */
#ifndef DZ_TESTS_SIM_MESSAGE_H
#define DZ_TESTS_SIM_MESSAGE_H

#include "proc/process.h"

struct sim_message {
    uint64_t client;
    uint64_t number;
};

/* Not sent yet; the caller fills in who to whom. */
struct dz_msg *sim_message_new(enum dz_msg_kind kind, const struct sim_message *m);
void sim_message_read(const uint8_t *data, size_t len, struct sim_message *m);
/* Answers the question m with the next number. */
void sim_message_answer(struct dz_thread *t, const struct dz_msg *question, const struct sim_message *m);

#endif
