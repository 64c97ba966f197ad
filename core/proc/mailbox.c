#include "proc/mailbox.h"

#include "base/assert.h"

void dz_mailbox_init(struct dz_mailbox *m)
{
    m->head = m->tail = NULL;
}

void dz_mailbox_take(struct dz_mailbox *m, struct dz_msg *prev, struct dz_msg *msg)
{
    struct dz_msg *next = dz_msg_next(msg);
    if (prev) {
        dz_assert(dz_msg_next(prev) == msg);
        dz_msg_set_next(prev, next);
    } else {
        dz_assert(m->head == msg);
        m->head = next;
    }
    if (m->tail == msg)
        m->tail = prev;
    dz_msg_set_next(msg, NULL);
}
