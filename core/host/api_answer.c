/* api_answer.c - dz_answer: a place where a thread waits for one answer.
 * Owns:    a copy of the answer, until the next question or its deletion.
 * Threads: done on a host thread, wait on another.
 * Fails:   an answer that finds no memory is read as the error out_of_memory. */
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "dozor.h"

struct dz_answer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool answered;
    int err;
    uint8_t *data;
    size_t len;
    const dz_host *host;
};

dz_answer *dz_answer_new(void)
{
    dz_answer *a = dz_zalloc(1, sizeof *a);
    if (!a)
        return NULL;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    return a;
}

void dz_answer_delete(dz_answer *answer)
{
    if (!answer)
        return;
    pthread_cond_destroy(&answer->changed);
    pthread_mutex_destroy(&answer->lock);
    dz_free(answer->data);
    dz_free(answer);
}

void dz_answer_done(void *ctx, int err, const dz_reader *value)
{
    dz_answer *a = ctx;
    size_t len = (size_t)(value->end - value->at);
    uint8_t *copy = dz_alloc(len);
    if (copy)
        memcpy(copy, value->at, len);
    pthread_mutex_lock(&a->lock);
    dz_free(a->data);
    a->data = copy;
    a->len = copy ? len : 0;
    a->host = value->host;
    a->err = copy ? err : DZ_ENOMEM;
    a->answered = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

int dz_answer_wait(dz_answer *answer, dz_reader *value)
{
    pthread_mutex_lock(&answer->lock);
    while (!answer->answered)
        pthread_cond_wait(&answer->changed, &answer->lock);
    answer->answered = false;
    int err = answer->err;
    if (value)
        *value = (dz_reader){ answer->data, answer->data + answer->len, answer->host };
    pthread_mutex_unlock(&answer->lock);
    return err;
}
