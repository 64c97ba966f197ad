#include "shrink.h"

#include <string.h>

struct shrinker {
    struct script *best;
    bool (*differs)(void *ctx, const struct script *script);
    void *ctx;
    unsigned tries;
    bool progress;
};

/* Keeps the candidate if it still differs. */
static bool keep(struct shrinker *k, struct script *candidate)
{
    if (k->tries == 0)
        return false;
    k->tries--;
    script_normalise(candidate);
    if (memcmp(candidate, k->best, sizeof *candidate) == 0 || !k->differs(k->ctx, candidate))
        return false;
    *k->best = *candidate;
    k->progress = true;
    return true;
}

static void remove_steps(struct script *s, unsigned at, unsigned count)
{
    memmove(&s->steps[at], &s->steps[at + count], (s->step_count - at - count) * sizeof s->steps[0]);
    s->step_count -= count;
    memset(&s->steps[s->step_count], 0, count * sizeof s->steps[0]);
}

static void fewer_steps(struct shrinker *k)
{
    for (unsigned count = k->best->step_count; count > 0; count /= 2)
        for (unsigned at = 0; at + count <= k->best->step_count;) {
            struct script s = *k->best;
            remove_steps(&s, at, count);
            if (!keep(k, &s))
                at++;
        }
}

static bool lies_below(const char *path, const char *above)
{
    size_t len = strlen(above);
    return strncmp(path, above, len) == 0 && (path[len] == 0 || path[len] == '/');
}

static void remove_tree(struct script *s, const char *path)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < s->decl_count; i++)
        if (!lies_below(s->decls[i].path, path))
            s->decls[kept++] = s->decls[i];
    memset(&s->decls[kept], 0, (s->decl_count - kept) * sizeof s->decls[0]);
    s->decl_count = kept;
}

static void fewer_children(struct shrinker *k)
{
    for (unsigned i = 1; i < k->best->decl_count;) {
        struct script s = *k->best;
        /* simple_one_for_one keeps its template. */
        if (strchr(s.decls[i].path, '*') == NULL) {
            char path[SCRIPT_PATH];
            memcpy(path, s.decls[i].path, sizeof path);
            remove_tree(&s, path);
            if (keep(k, &s))
                continue;
        }
        i++;
    }
}

static void plainer_steps(struct shrinker *k)
{
    for (unsigned i = 0; i < k->best->step_count; i++) {
        struct script s = *k->best;
        s.steps[i].joined = false;
        keep(k, &s);
        s = *k->best;
        if (s.steps[i].kind == STEP_PLAN && s.steps[i].verdict_count > 1) {
            s.steps[i].verdicts[--s.steps[i].verdict_count] = VERDICT_OK;
            keep(k, &s);
        }
        s = *k->best;
        if (s.steps[i].kind == STEP_EXIT) {
            s.steps[i].reason = ENDING_BOOM;
            keep(k, &s);
        }
        s = *k->best;
        s.steps[i].child.brutal = s.steps[i].child.significant = false;
        keep(k, &s);
    }
}

static void plainer_children(struct shrinker *k)
{
    for (unsigned i = 0; i < k->best->decl_count; i++) {
        struct script s = *k->best;
        s.decls[i].significant = false;
        keep(k, &s);
        s = *k->best;
        s.decls[i].brutal = false;
        keep(k, &s);
        s = *k->best;
        s.decls[i].restart = DZ_PERMANENT;
        if (!s.decls[i].significant)
            keep(k, &s);
    }
}

void shrink(struct script *script, bool (*differs)(void *ctx, const struct script *script), void *ctx)
{
    struct shrinker k = {.best = script, .differs = differs, .ctx = ctx, .tries = SHRINK_TRIES};
    do {
        k.progress = false;
        fewer_steps(&k);
        fewer_children(&k);
        plainer_steps(&k);
        plainer_children(&k);
    } while (k.progress && k.tries > 0);
}
