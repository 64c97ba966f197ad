#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 12

static const char *const strategies[] = {"one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"};
static const char *const autos[] = {"never", "any_significant", "all_significant"};
static const char *const restarts[] = {"permanent", "transient", "temporary"};
static const char *const verdicts[] = {"ok", "fail", "raise", "hold"};
static const char *const endings[] = {"normal", "shutdown", "shutdown_with", "boom", "killed"};
static const char *const kinds[] = {"plan",      "slow",    "exit", "release", "finish", "start_child",
                                    "terminate", "restart", "time", "which",   "stop",   "skip"};
static const char *const stops[] = {"patient", "brutal"};
static const char *const weights[] = {"plain", "significant"};

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

const char *verdict_name(enum verdict v)
{
    return verdicts[v];
}

const char *ending_name(enum ending e)
{
    return endings[e];
}

void script_parent(const char *path, char out[SCRIPT_PATH])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    memcpy(out, path, len);
    out[len] = 0;
}

const struct decl *script_decl(const struct script *script, const char *path)
{
    for (unsigned i = 0; i < script->decl_count; i++)
        if (strcmp(script->decls[i].path, path) == 0)
            return &script->decls[i];
    return NULL;
}

bool script_is_simple(const struct script *script, const char *path)
{
    const struct decl *d = script_decl(script, path);
    return d != NULL && d->is_sup && d->strategy == DZ_SIMPLE_ONE_FOR_ONE;
}

/* --- reading --- */

struct line {
    char *words[WORDS];
    int count;
    bool bad;
};

static const char *word(struct line *l, int i)
{
    if (i < l->count)
        return l->words[i];
    l->bad = true;
    return "";
}

static int one_of(struct line *l, int i, const char *const *names, int count)
{
    const char *w = word(l, i);
    for (int n = 0; n < count; n++)
        if (strcmp(w, names[n]) == 0)
            return n;
    l->bad = true;
    return 0;
}

static unsigned number(struct line *l, int i)
{
    char *end;
    unsigned long n = strtoul(word(l, i), &end, 10);
    l->bad = l->bad || *end != 0 || n > 1000000;
    return (unsigned)n;
}

static void path(struct line *l, int i, char out[SCRIPT_PATH])
{
    const char *w = word(l, i);
    size_t len = strlen(w);
    if (len == 0 || len >= SCRIPT_PATH) {
        l->bad = true;
        len = 0;
    }
    memcpy(out, w, len);
    out[len] = 0;
}

static void child_words(struct line *l, int i, struct decl *d)
{
    d->restart = (enum dz_restart)one_of(l, i, restarts, COUNT(restarts));
    d->brutal = one_of(l, i + 1, stops, COUNT(stops));
    d->significant = one_of(l, i + 2, weights, COUNT(weights));
}

static void read_decl(struct line *l, struct decl *d)
{
    memset(d, 0, sizeof *d);
    d->is_sup = strcmp(word(l, 0), "sup") == 0;
    l->bad = l->bad || (!d->is_sup && strcmp(word(l, 0), "child") != 0);
    path(l, 1, d->path);
    if (!d->is_sup) {
        child_words(l, 2, d);
        return;
    }
    d->strategy = (enum dz_strategy)one_of(l, 2, strategies, COUNT(strategies));
    d->max_restarts = number(l, 3);
    d->within_s = number(l, 4);
    d->auto_shutdown = (enum dz_auto_shutdown)one_of(l, 5, autos, COUNT(autos));
    if (l->count > 6) {
        d->restart = (enum dz_restart)one_of(l, 6, restarts, COUNT(restarts));
        d->significant = one_of(l, 7, weights, COUNT(weights));
    }
}

static void read_verdicts(struct line *l, int from, struct step *s)
{
    for (int i = from; i < l->count && s->verdict_count < SCRIPT_VERDICTS; i++)
        s->verdicts[s->verdict_count++] = (enum verdict)one_of(l, i, verdicts, COUNT(verdicts));
}

static void read_step(struct line *l, struct step *s)
{
    memset(s, 0, sizeof *s);
    int at = 0;
    s->joined = strcmp(word(l, 0), "+") == 0;
    at += s->joined;
    s->kind = (enum step_kind)one_of(l, at, kinds, COUNT(kinds));
    if (s->kind == STEP_SKIP)
        return;
    if (s->kind == STEP_TIME) {
        s->seconds = number(l, at + 1);
        return;
    }
    if (s->kind == STEP_STOP) {
        s->reason = (enum ending)one_of(l, at + 1, endings, COUNT(endings));
        return;
    }
    path(l, at + 1, s->path);
    if (s->kind == STEP_EXIT)
        s->reason = (enum ending)one_of(l, at + 2, endings, COUNT(endings));
    if (s->kind == STEP_PLAN || s->kind == STEP_RELEASE)
        read_verdicts(l, at + 2, s);
    l->bad = l->bad || (s->kind == STEP_RELEASE && (s->verdict_count != 1 || s->verdicts[0] == VERDICT_HOLD));
    if (s->kind == STEP_START_CHILD) {
        memcpy(s->child.path, s->path, sizeof s->child.path);
        child_words(l, at + 2, &s->child);
    }
}

static void split(struct line *l, char *text)
{
    char *save = NULL;
    memset(l, 0, sizeof *l);
    for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        if (l->count == WORDS) {
            l->bad = true;
            return;
        }
        l->words[l->count++] = w;
    }
}

static bool read_line(struct script *s, char *text, bool *running)
{
    struct line l;
    split(&l, text);
    if (l.count == 0 || l.words[0][0] == '#')
        return true;
    if (!*running && strcmp(l.words[0], "run") == 0) {
        *running = true;
        return true;
    }
    if (!*running && s->decl_count < SCRIPT_DECLS)
        read_decl(&l, &s->decls[s->decl_count++]);
    else if (*running && s->step_count < SCRIPT_STEPS)
        read_step(&l, &s->steps[s->step_count++]);
    else
        return false;
    return !l.bad;
}

int script_read(struct script *out, const char *text, char *why, size_t why_cap)
{
    char line[256];
    bool running = false;
    memset(out, 0, sizeof *out);
    for (unsigned n = 1; *text; n++) {
        size_t len = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        text += len + (text[len] == '\n');
        if (strcmp(line, "end") == 0)
            break;
        if (!read_line(out, line, &running)) {
            snprintf(why, why_cap, "line %u cannot be read", n);
            return -1;
        }
    }
    if (running && out->decl_count > 0 && out->decls[0].is_sup && strcmp(out->decls[0].path, "r") == 0)
        return 0;
    snprintf(why, why_cap, "a script begins with `sup r ...` and has a line `run`");
    return -1;
}

/* --- writing --- */

static void write_child(const struct decl *d, struct dz_buf *out)
{
    dz_buf_printf(out, " %s %s %s\n", restarts[d->restart], stops[d->brutal], weights[d->significant]);
}

static void write_decl(const struct decl *d, struct dz_buf *out)
{
    if (!d->is_sup) {
        dz_buf_printf(out, "child %s", d->path);
        write_child(d, out);
        return;
    }
    dz_buf_printf(out, "sup %s %s %u %u %s", d->path, strategies[d->strategy], d->max_restarts, d->within_s,
                  autos[d->auto_shutdown]);
    if (strchr(d->path, '/') != NULL)
        dz_buf_printf(out, " %s %s", restarts[d->restart], weights[d->significant]);
    dz_buf_printf(out, "\n");
}

static void write_step(const struct step *s, struct dz_buf *out)
{
    dz_buf_printf(out, "%s%s", s->joined ? "+ " : "", kinds[s->kind]);
    if (s->kind == STEP_TIME)
        dz_buf_printf(out, " %u", s->seconds);
    else if (s->kind != STEP_STOP && s->kind != STEP_SKIP)
        dz_buf_printf(out, " %s", s->path);
    if (s->kind == STEP_EXIT || s->kind == STEP_STOP)
        dz_buf_printf(out, " %s", endings[s->reason]);
    for (unsigned i = 0; i < s->verdict_count; i++)
        dz_buf_printf(out, " %s", verdicts[s->verdicts[i]]);
    if (s->kind == STEP_START_CHILD)
        write_child(&s->child, out);
    else
        dz_buf_printf(out, "\n");
}

void script_write(const struct script *script, struct dz_buf *out)
{
    for (unsigned i = 0; i < script->decl_count; i++)
        write_decl(&script->decls[i], out);
    dz_buf_printf(out, "run\n");
    for (unsigned i = 0; i < script->step_count; i++)
        write_step(&script->steps[i], out);
    dz_buf_printf(out, "end\n");
}

/* --- what both sides can do --- */

static bool ever_temporary(const struct script *script, const char *of)
{
    const struct decl *d = script_decl(script, of);
    if (d != NULL && d->restart == DZ_TEMPORARY)
        return true;
    for (unsigned i = 0; i < script->step_count; i++) {
        const struct step *s = &script->steps[i];
        if (s->kind == STEP_START_CHILD && s->child.restart == DZ_TEMPORARY && strcmp(s->path, of) == 0)
            return true;
    }
    return false;
}

static bool started_before(const struct script *script, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (script->steps[i].kind == STEP_START_CHILD &&
            strcmp(script->steps[i].path, script->steps[at].path) == 0)
            return true;
    return false;
}

static bool may_group(enum step_kind kind)
{
    return kind == STEP_EXIT || kind == STEP_START_CHILD || kind == STEP_RESTART || kind == STEP_TERMINATE;
}

static bool same_supervisor(const struct step *a, const struct step *b)
{
    char x[SCRIPT_PATH], y[SCRIPT_PATH];
    script_parent(a->path, x);
    script_parent(b->path, y);
    return strcmp(x, y) == 0;
}

unsigned script_early_plans(const struct script *script)
{
    unsigned n = 0;
    while (n < script->step_count && script->steps[n].kind == STEP_PLAN)
        n++;
    return n;
}

void script_normalise(struct script *script)
{
    const struct step *before = NULL;
    for (unsigned i = 0; i < script->step_count; i++) {
        struct step *s = &script->steps[i];
        char parent[SCRIPT_PATH];
        script_parent(s->path, parent);
        /* difference restart_running: OTP forgets a temporary child that is stopped to be restarted. */
        if (s->kind == STEP_RESTART && ever_temporary(script, s->path))
            *s = (struct step){.kind = STEP_SKIP};
        /* difference simple_ids: the script's names of such children are given once. */
        if (s->kind == STEP_START_CHILD && script_is_simple(script, parent) && started_before(script, i))
            *s = (struct step){.kind = STEP_SKIP};
        s->joined = s->joined && before != NULL && may_group(before->kind) && may_group(s->kind) &&
                    same_supervisor(before, s);
        before = s;
    }
}
