/* trace.h - what happened in one run of a script, in order, one line each.
 * Owns:    the lines.
 * Threads: one.
 * Fails:   never; running out of memory aborts.
 *
 * A line is "STEP VERB ...":
 *   start PATH ok|fail|raise|hold|sup   an attempt to start it, and how it ends
 *   stop PATH [brutal]                  it was told to stop
 *   down PATH REASON                    a supervisor ended
 *   boot r ok|failed|invalid            what starting the root came to
 *   reply STEP ANSWER                   to the request of that step
 *   state PATH CHILD:STATUS... COUNTS   answers to which_children and count_children
 *   skip                                the step did not apply
 *   cut NAME                            from here on a difference we want decides (differences.h) */
#ifndef ORACLE_TRACE_H
#define ORACLE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "script.h"

struct trace_line {
    unsigned step;
    char *text; /* without the step */
};

#define TRACE_STEPS 300

struct trace {
    /* The step began while something waited: then several supervisors may be busy at once. */
    bool loose[TRACE_STEPS];
    struct trace_line *lines;
    size_t count;
    size_t cap;
};

void trace_init(struct trace *t);
void trace_fini(struct trace *t);
void trace_add(struct trace *t, unsigned step, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "STEP TEXT". */
void trace_add_line(struct trace *t, const char *line);
void trace_print(const struct trace *t, struct dz_buf *out);

#define TRACE_CUT 32

/* Brings two traces of one script into the form that is compared: replies by request, the stops of one
 * simple_one_for_one by name, what several supervisors do at once by supervisor, both cut where the first of
 * them says so. True if they were cut; `cut` is that difference's name. */
bool trace_normalise(struct trace *ours, struct trace *theirs, const struct script *script,
                     char cut[TRACE_CUT]);
/* The index of the first line that differs, -1: none does. */
long trace_compare(const struct trace *ours, const struct trace *theirs);

#endif
