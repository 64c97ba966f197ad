#include "generate.h"

#include <stdio.h>
#include <string.h>
#include "base/assert.h"

#define DEPTH_MAX   2u
#define STEPS_MIN   4u
#define STEPS_MAX   26u
#define DYNAMIC_IDS 3u
#define TARGETS     48u

struct generator {
    struct script *script;
    uint64_t random;
    char targets[TARGETS][SCRIPT_PATH]; /* workers that may live at some time */
    unsigned target_count;
    unsigned next_dynamic;
};

/* splitmix64 */
static uint64_t next(struct generator *g)
{
    uint64_t z = g->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static unsigned below(struct generator *g, unsigned n)
{
    return (unsigned)(next(g) % n);
}

static bool chance(struct generator *g, unsigned percent)
{
    return below(g, 100) < percent;
}

static void add_target(struct generator *g, const char *path)
{
    for (unsigned i = 0; i < g->target_count; i++)
        if (strcmp(g->targets[i], path) == 0)
            return;
    if (g->target_count < TARGETS)
        snprintf(g->targets[g->target_count++], SCRIPT_PATH, "%s", path);
}

/* --- the tree --- */

static enum dz_restart any_restart(struct generator *g)
{
    unsigned n = below(g, 10);
    return n < 5 ? DZ_PERMANENT : n < 8 ? DZ_TRANSIENT : DZ_TEMPORARY;
}

/* Significant only where it is valid, but for a few that are refused. */
static bool any_significant(struct generator *g, const struct decl *parent, enum dz_restart restart,
                            bool may_be_wrong)
{
    if (parent->auto_shutdown != DZ_AUTO_NEVER && restart != DZ_PERMANENT)
        return chance(g, 75);
    return may_be_wrong && chance(g, 2);
}

static struct decl *add_decl(struct generator *g, const char *parent, const char *name)
{
    struct decl *d = &g->script->decls[g->script->decl_count++];
    memset(d, 0, sizeof *d);
    snprintf(d->path, sizeof d->path, "%.20s%s%s", parent, *parent ? "/" : "", name);
    return d;
}

static void add_worker(struct generator *g, const struct decl *parent, const char *name)
{
    struct decl *d = add_decl(g, parent->path, name);
    d->restart = any_restart(g);
    d->brutal = chance(g, 20);
    d->significant = any_significant(g, parent, d->restart, false);
    if (name[0] != '*')
        add_target(g, d->path);
}

static void fill_flags(struct generator *g, struct decl *d, bool simple_allowed)
{
    d->is_sup = true;
    d->strategy = (enum dz_strategy)below(g, simple_allowed ? 4 : 3);
    d->max_restarts = below(g, 5);
    d->within_s = 1 + below(g, 6);
    d->auto_shutdown = chance(g, 60)   ? DZ_AUTO_NEVER
                       : chance(g, 50) ? DZ_AUTO_ANY_SIGNIFICANT
                                       : DZ_AUTO_ALL_SIGNIFICANT;
}

static void add_children(struct generator *g, unsigned at, unsigned depth)
{
    /* decls do not move: the array is the script's own */
    const struct decl *sup = &g->script->decls[at];
    if (sup->strategy == DZ_SIMPLE_ONE_FOR_ONE) {
        add_worker(g, sup, "*");
        return;
    }
    unsigned count = chance(g, 5) ? 0 : 1 + below(g, depth == 0 ? 4 : 3);
    for (unsigned i = 0; i < count; i++) {
        char name[2] = {(char)('a' + (int)i), 0};
        if (depth >= DEPTH_MAX || !chance(g, depth == 0 ? 25 : 12) ||
            g->script->decl_count > SCRIPT_DECLS - 8) {
            add_worker(g, sup, name);
            continue;
        }
        unsigned inner = g->script->decl_count;
        struct decl *d = add_decl(g, sup->path, name);
        fill_flags(g, d, true);
        d->restart = any_restart(g);
        d->significant = any_significant(g, sup, d->restart, false);
        add_children(g, inner, depth + 1);
    }
}

/* --- the steps --- */

static struct step *add_step(struct generator *g, enum step_kind kind, const char *path)
{
    struct step *s = &g->script->steps[g->script->step_count++];
    size_t len = strlen(path);
    dz_assert(len < sizeof s->path);
    memset(s, 0, sizeof *s);
    s->kind = kind;
    memcpy(s->path, path, len);
    return s;
}

static const char *any_target(struct generator *g)
{
    return g->target_count > 0 ? g->targets[below(g, g->target_count)] : "r/a";
}

static const struct decl *any_supervisor(struct generator *g)
{
    const struct decl *found = &g->script->decls[0];
    unsigned seen = 0;
    for (unsigned i = 0; i < g->script->decl_count; i++)
        if (g->script->decls[i].is_sup && below(g, ++seen) == 0)
            found = &g->script->decls[i];
    return found;
}

/* Any child, inner supervisors too. */
static const char *any_path(struct generator *g)
{
    if (chance(g, 75) || g->script->decl_count < 2)
        return any_target(g);
    const struct decl *d = &g->script->decls[1 + below(g, g->script->decl_count - 1)];
    return strchr(d->path, '*') != NULL ? any_target(g) : d->path;
}

static enum ending any_ending(struct generator *g)
{
    unsigned n = below(g, 20);
    if (n < 11)
        return ENDING_BOOM;
    if (n < 14)
        return ENDING_NORMAL;
    return n < 16 ? ENDING_SHUTDOWN : n < 18 ? ENDING_SHUTDOWN_WITH : ENDING_KILLED;
}

static void add_exit(struct generator *g, const char *path, bool joined)
{
    struct step *s = add_step(g, STEP_EXIT, path);
    s->reason = any_ending(g);
    s->joined = joined;
}

static void add_plan(struct generator *g)
{
    struct step *s = add_step(g, STEP_PLAN, any_target(g));
    s->verdict_count = 1 + below(g, 3);
    for (unsigned i = 0; i < s->verdict_count; i++) {
        unsigned n = below(g, 10);
        s->verdicts[i] = n < 4 ? VERDICT_FAIL : n < 5 ? VERDICT_RAISE : n < 8 ? VERDICT_HOLD : VERDICT_OK;
    }
}

static void add_start_child(struct generator *g, bool joined)
{
    const struct decl *sup = any_supervisor(g);
    char path[SCRIPT_PATH];
    if (sup->strategy == DZ_SIMPLE_ONE_FOR_ONE)
        snprintf(path, sizeof path, "%.20s/s%u", sup->path, g->next_dynamic++);
    else
        snprintf(path, sizeof path, "%.20s/%c", sup->path,
                 chance(g, 15) ? 'a' : (int)('x' + below(g, DYNAMIC_IDS)));
    struct step *s = add_step(g, STEP_START_CHILD, path);
    s->joined = joined;
    snprintf(s->child.path, sizeof s->child.path, "%s", path);
    s->child.restart = any_restart(g);
    s->child.brutal = chance(g, 20);
    s->child.significant = any_significant(g, sup, s->child.restart, true);
    add_target(g, path);
}

static void add_request(struct generator *g, bool joined)
{
    if (chance(g, 45)) {
        add_start_child(g, joined);
        return;
    }
    struct step *s = add_step(g, chance(g, 55) ? STEP_RESTART : STEP_TERMINATE, any_path(g));
    s->joined = joined;
}

static bool siblings(const char *a, const char *b)
{
    char x[SCRIPT_PATH], y[SCRIPT_PATH];
    script_parent(a, x);
    script_parent(b, y);
    return strcmp(x, y) == 0;
}

static const char *any_sibling(struct generator *g, const char *of)
{
    const char *other = any_target(g);
    for (unsigned tries = 0; tries < 6 && !siblings(of, other); tries++)
        other = any_target(g);
    return other;
}

/* Several things in one moment, mostly of one supervisor. */
static void add_group(struct generator *g)
{
    const char *first = any_target(g);
    if (chance(g, 20))
        add_step(g, STEP_TERMINATE, first);
    else
        add_exit(g, first, false);
    unsigned more = 1 + below(g, 3);
    for (unsigned i = 0; i < more; i++) {
        if (chance(g, 25)) {
            add_request(g, true);
            continue;
        }
        add_exit(g, any_sibling(g, first), true);
    }
}

/* A script that holds something goes on with what the hold makes interesting, and lets go some time. */
static void add_let_go(struct generator *g)
{
    for (unsigned i = g->script->step_count; i-- > 0;) {
        const struct step *s = &g->script->steps[i];
        bool holds = false;
        for (unsigned v = 0; v < s->verdict_count; v++)
            holds = holds || s->verdicts[v] == VERDICT_HOLD;
        if (s->kind == STEP_SLOW) {
            add_step(g, STEP_FINISH, s->path);
            return;
        }
        if (s->kind == STEP_PLAN && holds) {
            struct step *r = add_step(g, STEP_RELEASE, s->path);
            r->verdict_count = 1;
            r->verdicts[0] = chance(g, 65) ? VERDICT_OK : VERDICT_FAIL;
            return;
        }
    }
    add_exit(g, any_target(g), false);
}

/* Something is held, or fails, while more happens to the same supervisor. */
static void add_siege(struct generator *g)
{
    const char *held = any_target(g);
    bool slow = chance(g, 20);
    if (slow) {
        add_step(g, STEP_SLOW, held);
    } else {
        struct step *plan = add_step(g, STEP_PLAN, held);
        plan->verdict_count = 1 + below(g, 3);
        for (unsigned i = 0; i < plan->verdict_count; i++)
            plan->verdicts[i] = i == 0 || chance(g, 40) ? VERDICT_HOLD : VERDICT_FAIL;
    }
    if (chance(g, 30))
        add_step(g, STEP_RESTART, held);
    else
        add_exit(g, slow || chance(g, 40) ? any_sibling(g, held) : held, false);
    for (unsigned i = 1 + below(g, 3); i > 0; i--) {
        if (chance(g, 50))
            add_exit(g, any_sibling(g, held), false);
        else if (chance(g, 50))
            add_request(g, false);
        else
            add_step(g, chance(g, 50) ? STEP_RESTART : STEP_TERMINATE, any_sibling(g, held));
    }
    struct step *end = add_step(g, slow ? STEP_FINISH : STEP_RELEASE, held);
    if (slow)
        return;
    end->verdict_count = 1;
    end->verdicts[0] = chance(g, 50) ? VERDICT_OK : VERDICT_FAIL;
}

static void add_any(struct generator *g)
{
    unsigned n = below(g, 113);
    if (n >= 100)
        add_siege(g);
    else if (n < 32)
        add_exit(g, any_target(g), false);
    else if (n < 44)
        add_group(g);
    else if (n < 58)
        add_request(g, false);
    else if (n < 71)
        add_plan(g);
    else if (n < 75)
        add_step(g, STEP_SLOW, any_target(g));
    else if (n < 85)
        add_let_go(g);
    else if (n < 92)
        add_step(g, STEP_TIME, "")->seconds = 1 + below(g, 7);
    else if (n < 99)
        add_step(g, STEP_WHICH, any_supervisor(g)->path);
    else
        add_step(g, STEP_STOP, "")->reason = (enum ending)below(g, 4);
}

void generate(struct script *out, uint64_t seed)
{
    struct generator g = {.script = out, .random = seed * UINT64_C(0xD1342543DE82EF95) + 1};
    memset(out, 0, sizeof *out);
    struct decl *root = add_decl(&g, "", "r");
    fill_flags(&g, root, chance(&g, 40));
    add_children(&g, 0, 0);
    for (unsigned i = chance(&g, 15) ? 1 + below(&g, 2) : 0; i > 0; i--)
        add_plan(&g);
    unsigned steps = STEPS_MIN + below(&g, STEPS_MAX - STEPS_MIN);
    while (out->step_count < steps)
        add_any(&g);
    if (chance(&g, 1) && out->decl_count > 1 && !out->decls[1].is_sup)
        out->decls[1].significant = true;
    script_normalise(out);
}
