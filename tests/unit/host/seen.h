/* seen.h - what the host's threads tell, written down for the thread of the test to wait for.
 * Owns:    nothing but the texts.
 * Threads: note any; the others the test's. */
#ifndef DZ_TESTS_HOST_SEEN_H
#define DZ_TESTS_HOST_SEEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "dozor.h"

#define SEEN_WAIT_S 30

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
    char last[512];
    char all[8192]; /* each with a ';' behind it */
};

#define SEEN_INIT { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

static inline void seen_note(struct seen *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    size_t len = strlen(s->all);
    s->count++;
    snprintf(s->last, sizeof s->last, "%s", text);
    snprintf(s->all + len, sizeof s->all - len, "%s;", text);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static inline void seen_value(struct seen *s, const dz_reader *value)
{
    char text[512];
    dz_reader_print(value, text, sizeof text);
    seen_note(s, text);
}

/* Until so many were noted, or one that contains `text` (NULL: any). */
static inline void seen_await_text(struct seen *s, int count, const char *text)
{
    struct timespec deadline;
    int err = 0;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += SEEN_WAIT_S;
    pthread_mutex_lock(&s->lock);
    while (err != ETIMEDOUT && (s->count < count || (text && !strstr(s->all, text))))
        err = pthread_cond_timedwait(&s->changed, &s->lock, &deadline);
    if (err == ETIMEDOUT)
        print_error("waited for %d, '%s'; there was: %s\n", count, text ? text : "", s->all);
    pthread_mutex_unlock(&s->lock);
    assert_int_equal(err, 0);
}

static inline void seen_await(struct seen *s, int count)
{
    seen_await_text(s, count, NULL);
}

static inline int seen_count(struct seen *s)
{
    pthread_mutex_lock(&s->lock);
    int count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

static inline void seen_clear(struct seen *s)
{
    pthread_mutex_lock(&s->lock);
    s->count = 0;
    s->last[0] = s->all[0] = 0;
    pthread_mutex_unlock(&s->lock);
}

#endif
