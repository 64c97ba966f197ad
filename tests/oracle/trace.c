#include "trace.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"

void trace_init(struct trace *t)
{
    memset(t, 0, sizeof *t);
}

void trace_fini(struct trace *t)
{
    for (size_t i = 0; i < t->count; i++)
        dz_free(t->lines[i].text);
    dz_free(t->lines);
    trace_init(t);
}

static void add(struct trace *t, unsigned step, const char *text)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->lines = dz_realloc(t->lines, t->cap * sizeof *t->lines);
        dz_assert(t->lines != NULL);
    }
    char *copy = dz_strndup(text, strlen(text));
    dz_assert(copy != NULL);
    t->lines[t->count++] = (struct trace_line){step, copy};
}

void trace_add(struct trace *t, unsigned step, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(t, step, text);
}

void trace_add_line(struct trace *t, const char *line)
{
    char *text;
    unsigned long step = strtoul(line, &text, 10);
    if (step >= TRACE_STEPS)
        step = 0;
    add(t, (unsigned)step, *text == ' ' ? text + 1 : line);
}

void trace_print(const struct trace *t, struct dz_buf *out)
{
    for (size_t i = 0; i < t->count; i++)
        dz_buf_printf(out, "%u %s\n", t->lines[i].step, t->lines[i].text);
}

/* --- the form that is compared --- */

static bool begins(const struct trace_line *l, const char *verb)
{
    return strncmp(l->text, verb, strlen(verb)) == 0;
}

static const struct trace_line *first_cut(const struct trace *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (begins(&t->lines[i], "cut "))
            return &t->lines[i];
    return NULL;
}

static bool is_refusal(const struct trace_line *l)
{
    return begins(l, "reply ") && (strstr(l->text, " gone") != NULL || strstr(l->text, " invalid") != NULL);
}

/* Lines of this step and behind it go, and refusals: one side may know of them sooner than the other. */
static void cut_at(struct trace *t, unsigned step)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct trace_line l = t->lines[i];
        if (l.step >= step || is_refusal(&l))
            dz_free(l.text);
        else
            t->lines[kept++] = l;
    }
    t->count = kept;
}

/* The supervisor that does it; its own end is its own. */
static void owner_of(const struct trace_line *l, char out[SCRIPT_PATH])
{
    char path[SCRIPT_PATH] = "";
    sscanf(l->text, "%*s %31s", path);
    if (begins(l, "down "))
        memcpy(out, path, sizeof path);
    else
        script_parent(path, out);
}

static int compare_owners(const struct trace_line *a, const struct trace_line *b)
{
    char x[SCRIPT_PATH], y[SCRIPT_PATH];
    owner_of(a, x);
    owner_of(b, y);
    return strcmp(x, y);
}

static bool same_simple_stop(const struct script *script, const struct trace_line *a,
                             const struct trace_line *b)
{
    char owner[SCRIPT_PATH];
    if (a->step != b->step || !begins(a, "stop ") || !begins(b, "stop ") || compare_owners(a, b) != 0)
        return false;
    owner_of(a, owner);
    return script_is_simple(script, owner);
}

/* Insertion sort: stable, and traces are short. */
static void swap_back(struct trace *t, size_t i)
{
    struct trace_line l = t->lines[i];
    t->lines[i] = t->lines[i - 1];
    t->lines[i - 1] = l;
}

/* Its children are stopped all at once, so their order says nothing. */
static void sort_simple_stops(struct trace *t, const struct script *script)
{
    for (size_t i = 1; i < t->count; i++)
        for (size_t k = i; k > 0 && same_simple_stop(script, &t->lines[k - 1], &t->lines[k]) &&
                           strcmp(t->lines[k - 1].text, t->lines[k].text) > 0;
             k--)
            swap_back(t, k);
}

static unsigned request_of(const struct trace_line *l)
{
    return (unsigned)strtoul(l->text + strlen("reply "), NULL, 10);
}

static bool after(const struct trace_line *a, const struct trace_line *b)
{
    bool x = begins(a, "reply "), y = begins(b, "reply ");
    if (x != y)
        return x;
    return x && request_of(a) > request_of(b);
}

/* Behind everything else, by request: when an answer reaches the one who asked is between the two of them. Of
 * what is refused it also does not matter in which step: OTP refuses only when it comes to it, we know
 * sooner. */
static void sort_replies(struct trace *t)
{
    for (size_t i = 1; i < t->count; i++)
        for (size_t k = i; k > 0 && after(&t->lines[k - 1], &t->lines[k]); k--)
            swap_back(t, k);
    for (size_t i = 0; i < t->count; i++) {
        struct trace_line *l = &t->lines[i];
        if (is_refusal(l))
            l->step = request_of(l);
    }
}

/* Of what several supervisors do in one step only each one's own order is compared. */
static void sort_owners(struct trace *t, const bool loose[TRACE_STEPS])
{
    for (size_t i = 1; i < t->count; i++)
        for (size_t k = i; k > 0; k--) {
            const struct trace_line *a = &t->lines[k - 1], *b = &t->lines[k];
            if (a->step != b->step || !loose[a->step] || begins(b, "reply ") || compare_owners(a, b) <= 0)
                break;
            swap_back(t, k);
        }
}

static void sort_all(struct trace *t, const struct script *script, const bool loose[TRACE_STEPS])
{
    sort_replies(t);
    sort_owners(t, loose);
    sort_simple_stops(t, script);
}

bool trace_normalise(struct trace *ours, struct trace *theirs, const struct script *script,
                     char cut[TRACE_CUT])
{
    const struct trace_line *a = first_cut(ours), *b = first_cut(theirs);
    const struct trace_line *first = a == NULL || (b != NULL && b->step < a->step) ? b : a;
    if (first != NULL) {
        unsigned step = first->step;
        snprintf(cut, TRACE_CUT, "%s", first->text + strlen("cut "));
        cut_at(ours, step);
        cut_at(theirs, step);
    }
    sort_all(ours, script, ours->loose);
    sort_all(theirs, script, ours->loose);
    return first != NULL;
}

long trace_compare(const struct trace *ours, const struct trace *theirs)
{
    size_t n = ours->count < theirs->count ? ours->count : theirs->count;
    for (size_t i = 0; i < n; i++)
        if (ours->lines[i].step != theirs->lines[i].step ||
            strcmp(ours->lines[i].text, theirs->lines[i].text) != 0)
            return (long)i;
    return ours->count == theirs->count ? -1 : (long)n;
}
