#include "sim/sim_trace.h"

#include <stdarg.h>
#include <stdio.h>

void dz_sim_trace_init(struct dz_sim_trace *t, bool print, const uint64_t *now_ns)
{
    *t = (struct dz_sim_trace){.print = print, .hash = 0xcbf29ce484222325u, .now_ns = now_ns};
}

void dz_sim_trace_note(struct dz_sim_trace *t, const char *format, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    t->lines++;
    dz_sim_trace_step(t, *t->now_ns);
    for (const char *c = line; *c; c++)
        t->hash = (t->hash ^ (uint8_t)*c) * 0x100000001b3u;
    if (t->print)
        printf("%10.3f  %s\n", (double)*t->now_ns / 1e6, line);
}
